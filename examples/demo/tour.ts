/**
 * A short day of a search team, through the gateway: people who look and make small changes, a job, a service.
 *
 * All of it passes, under the rules of the demo as without any; the same statements run directly on
 * PostgreSQL, with the rights of the connection's role.
 */

import {
  type Counts,
  expectRefused,
  type TourEndpoints,
  type TourPerson,
  type TourSession,
  withSession,
} from './tour-session.ts';

export interface TourPeople {
  readonly analyst: TourPerson;
  readonly rankingOwner: TourPerson;
  readonly ciJob: TourPerson;
  readonly searchService: TourPerson;
  /** Known to the gateway, with no access to the connection: the auditor. */
  readonly outsider: TourPerson;
}

/** Runs the tour and counts what happened; rejects when something did not go as it should. */
export async function runTour(options: {
  readonly endpoints: TourEndpoints;
  readonly people: TourPeople;
  readonly counts: Counts;
}): Promise<void> {
  const { endpoints, people, counts } = options;
  await withSession(endpoints, people.analyst, counts, analyst);
  await withSession(endpoints, people.rankingOwner, counts, (session) =>
    rankingOwner(session, people.rankingOwner.name),
  );
  await withSession(endpoints, people.ciJob, counts, ciJob);
  await withSession(endpoints, people.searchService, counts, searchService);

  // SQLSTATE 28P01 is invalid_password, 42501 insufficient_privilege.
  await expectRefused(endpoints, { ...people.analyst, token: 'not the token' }, '28P01');
  counts.loginsFailed += 1;
  await expectRefused(endpoints, people.outsider, '42501');
  counts.sessionsRefused += 1;
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
async function analyst(session: TourSession): Promise<void> {
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

/** Raises returns that were clicked, in a transaction, after looking; takes another change back. */
async function rankingOwner(session: TourSession, name: string): Promise<void> {
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
  await session.query(
    "update rr.ranking_scores set score = 0 where query_class = 'billing' and doc_id <= 40",
  );
  await session.query('rollback');
}

/** The nightly batch reads yesterday's queries, through a cursor, and looks at how they would rank now. */
async function ciJob(session: TourSession): Promise<void> {
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
  for (const query of queries.slice(0, 3)) {
    await session.query({ name: 'retrieve', text: RETRIEVE }, [query.query_text, query.query_class, 5]);
  }
  await session.query('commit');
}

/** The service answers searches, and logs each with what it answered. */
async function searchService(session: TourSession): Promise<void> {
  for (const [text, queryClass] of [
    ['warranty claim kettle', 'returns'],
    ['customs form', 'shipping'],
    ['VAT number', 'billing'],
  ]) {
    const found = await session.query({ name: 'retrieve', text: RETRIEVE }, [text, queryClass, 5]);
    await session.query('begin');
    const logged = await session.query(
      `insert into rr.search_queries (user_email, client_ip, session_id, query_text, query_class, created_at)
       values ('visitor@example.com', '192.0.2.1', gen_random_uuid(), $1, $2, now()) returning query_id`,
      [text, queryClass],
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
    await session.query('commit');
  }
}
