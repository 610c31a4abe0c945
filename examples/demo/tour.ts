/**
 * A short day of a search team, by a real driver through the gateway.
 *
 * Every call of `query` is one statement, so that what is counted here can be compared with what
 * the ledger says. What should be refused is expected to be: a tour that gets in fails.
 */

import { Client, type QueryConfig, type QueryResult } from 'pg';

export interface TourEndpoints {
  readonly postgres: {
    readonly host: string;
    readonly port: number;
    /** Name of the connection; the client gives it as the database. */
    readonly connection: string;
    /** PEM of the gateway's certificate; without it, the client asks for no TLS. */
    readonly ca?: string;
  };
}

export interface TourPerson {
  readonly name: string;
  readonly token: string;
}

export interface TourPeople {
  readonly analyst: TourPerson;
  readonly rankingOwner: TourPerson;
  readonly ciJob: TourPerson;
  /** Known to the gateway, with no access to the connection: the auditor. */
  readonly outsider: TourPerson;
}

export interface TourCounts {
  readonly sessions: number;
  /** Statements that were sent, those that failed included. */
  readonly statements: number;
  /** Rows that came back. */
  readonly rowsRead: number;
  /** Rows that were inserted or updated, those of a transaction that was rolled back included. */
  readonly rowsWritten: number;
  /** Statements that PostgreSQL answered with an error, as they should. */
  readonly statementErrors: number;
  readonly loginsFailed: number;
  readonly sessionsRefused: number;
}

type Counts = { -readonly [Name in keyof TourCounts]: number };

/** Runs the tour and says what happened; rejects when something did not go as it should. */
export async function runTour(options: {
  readonly endpoints: TourEndpoints;
  readonly people: TourPeople;
}): Promise<TourCounts> {
  const { endpoints, people } = options;
  const counts: Counts = {
    sessions: 0,
    statements: 0,
    rowsRead: 0,
    rowsWritten: 0,
    statementErrors: 0,
    loginsFailed: 0,
    sessionsRefused: 0,
  };
  await withSession(endpoints, people.analyst, counts, analyst);
  await withSession(endpoints, people.rankingOwner, counts, (session) =>
    rankingOwner(session, people.rankingOwner.name),
  );
  await withSession(endpoints, people.ciJob, counts, (session) => ciJob(session, people.ciJob.name));

  // SQLSTATE 28P01 is invalid_password, 42501 insufficient_privilege.
  await expectRefused(endpoints, { ...people.analyst, token: 'not the token' }, '28P01');
  counts.loginsFailed += 1;
  await expectRefused(endpoints, people.outsider, '42501');
  counts.sessionsRefused += 1;
  return counts;
}

/** One connection, counting. */
class Session {
  readonly #client: Client;
  readonly #counts: Counts;

  constructor(client: Client, counts: Counts) {
    this.#client = client;
    this.#counts = counts;
  }

  async query(statement: string | QueryConfig, values?: readonly unknown[]): Promise<QueryResult> {
    this.#counts.statements += 1;
    const config = typeof statement === 'string' ? { text: statement } : statement;
    const result = await this.#client.query({ ...config, ...(values && { values: [...values] }) });
    const written = result.command === 'INSERT' || result.command === 'UPDATE';
    this.#counts.rowsRead += result.rows.length;
    this.#counts.rowsWritten += written ? (result.rowCount ?? 0) : 0;
    return result;
  }

  /** A statement that PostgreSQL must refuse with this SQLSTATE. */
  async expectError(statement: string, sqlstate: string): Promise<void> {
    const code = await this.query(statement).then(
      () => 'none',
      (error: unknown) => sqlstateOf(error),
    );
    if (code !== sqlstate) {
      throw new Error(`Expected SQLSTATE ${sqlstate} from "${statement}", got ${code}.`);
    }
    this.#counts.statementErrors += 1;
  }
}

const RETRIEVE = `
  select d.doc_id, d.title, ts_rank_cd(d.tsv, q) as first_stage,
         0.7 * ts_rank_cd(d.tsv, q) + 0.3 * s.score * s.boost as blended
    from rr.documents d
    join rr.ranking_scores s on s.doc_id = d.doc_id and s.query_class = $2
    join rr.ranking_models m on m.model_id = s.model_id and m.stage = 'production',
         websearch_to_tsquery('english', $1) q
   where d.tsv @@ q
   order by blended desc, d.doc_id
   limit $3`;

/** Looks at documents, customers and results; one typing mistake. */
async function analyst(session: Session): Promise<void> {
  await session.query('select * from rr.documents limit 3');
  await session.query(
    'select source, count(*)::int as documents from rr.documents group by source order by source',
  );
  for (const [text, queryClass] of [
    ['refund headphones', 'returns'],
    ['double charge', 'billing'],
    ['tracking number', 'shipping'],
  ]) {
    // Named: parsed once, then bound and executed with other values.
    await session.query({ name: 'retrieve', text: RETRIEVE }, [text, queryClass, 10]);
  }
  await session.query('select full_name, email, country from rr.customers where country = $1 limit $2', [
    'NL',
    5,
  ]);
  await session.query(
    `select r.position, r.rerank_score, d.title from rr.rerank_results r join rr.documents d using (doc_id)
      where r.query_id = $1 order by r.position`,
    [17],
  );
  await session.expectError('select * from rr.documnets', '42P01');
  await session.query(
    'select query_class, avg(score)::real as mean from rr.ranking_scores group by 1 order by 1',
  );
}

/** Raises returns that were clicked, in a transaction, after looking; tries what the role may not. */
async function rankingOwner(session: Session, name: string): Promise<void> {
  await session.query('select model_id, name, version, stage from rr.ranking_models order by name, version');
  await session.query('begin');
  await session.query(
    `select s.doc_id, s.score, s.boost from rr.ranking_scores s
      where s.query_class = $1 and exists
        (select from rr.rerank_results r where r.doc_id = s.doc_id and r.clicked and r.position = 1)
      order by s.score desc, s.doc_id limit 40 for update`,
    ['returns'],
  );
  await session.query(
    `update rr.ranking_scores set boost = least(boost * $1::real, 2), updated_by = $2, updated_at = now()
      where query_class = $3 and doc_id = any($4::int[])`,
    [1.1, name, 'returns', [17, 42, 99, 256, 1024]],
  );
  await session.query('commit');

  await session.query('begin');
  await session.query("update rr.ranking_scores set score = 0 where query_class = 'billing'");
  await session.query('rollback');
  await session.expectError('drop table rr.ranking_scores', '42501');
}

/** The nightly batch: reads yesterday's queries through a cursor, reranks, logs. */
async function ciJob(session: Session, name: string): Promise<void> {
  await session.query('begin');
  await session.query(
    'declare nightly no scroll cursor for select query_text, query_class from rr.search_queries order by query_id limit 60',
  );
  const queries: { query_text: string; query_class: string }[] = [];
  for (;;) {
    const { rows } = await session.query('fetch 25 from nightly');
    if (rows.length === 0) break;
    queries.push(...rows);
  }
  await session.query('close nightly');
  for (const query of queries.slice(0, 5)) {
    const found = await session.query({ name: 'retrieve', text: RETRIEVE }, [
      query.query_text,
      query.query_class,
      5,
    ]);
    const logged = await session.query(
      `insert into rr.search_queries (user_email, client_ip, session_id, query_text, query_class, created_at)
       values ($1, '192.0.2.1', gen_random_uuid(), $2, $3, now()) returning query_id`,
      [`${name}@example.com`, query.query_text, query.query_class],
    );
    await session.query(
      `insert into rr.rerank_results (query_id, position, doc_id, model_id, first_stage_score, rerank_score)
       select $1, p.position, p.doc_id, 2, p.first_stage, p.blended
         from unnest($2::int[], $3::real[], $4::real[]) with ordinality
              as p(doc_id, first_stage, blended, position)`,
      [
        logged.rows[0]?.query_id,
        found.rows.map((row) => row.doc_id),
        found.rows.map((row) => row.first_stage),
        found.rows.map((row) => row.blended),
      ],
    );
  }
  await session.query('commit');
}

async function withSession(
  endpoints: TourEndpoints,
  person: TourPerson,
  counts: Counts,
  work: (session: Session) => Promise<void>,
): Promise<void> {
  const client = clientFor(endpoints, person);
  await client.connect();
  counts.sessions += 1;
  try {
    await work(new Session(client, counts));
  } finally {
    await client.end();
  }
}

async function expectRefused(endpoints: TourEndpoints, person: TourPerson, sqlstate: string): Promise<void> {
  const client = clientFor(endpoints, person);
  const code = await client.connect().then(
    () => 'a session',
    (error: unknown) => sqlstateOf(error),
  );
  await client.end();
  if (code !== sqlstate)
    throw new Error(`Expected ${person.name} to be refused with ${sqlstate}, got ${code}.`);
}

function clientFor(endpoints: TourEndpoints, person: TourPerson): Client {
  const { host, port, connection, ca } = endpoints.postgres;
  const client = new Client({
    host,
    port,
    user: person.name,
    password: person.token,
    database: connection,
    ssl: ca === undefined ? false : { ca },
    application_name: 'countersign tour',
  });
  // An error on an idle connection would end the process; the next query rejects with it instead.
  client.on('error', () => undefined);
  return client;
}

function sqlstateOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
