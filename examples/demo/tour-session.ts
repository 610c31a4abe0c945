/**
 * One connection of the tour, with a real driver, counting.
 *
 * Every call of `query` is one statement, so that what is counted here can be compared with what the
 * ledger says. What should be refused is expected to be: a tour that gets in fails.
 */

import { Client, DatabaseError, type QueryConfig, type QueryResult } from 'pg';

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

/** With the base URL of the connection to the reranking service. */
export interface RerankEndpoints extends TourEndpoints {
  readonly reranker: string;
}

export interface TourPerson {
  readonly name: string;
  readonly token: string;
}

export interface TourCounts {
  readonly sessions: number;
  /** Statements that were sent, those that failed included. */
  readonly statements: number;
  /** Rows that came back. */
  readonly rowsRead: number;
  /** Rows that were inserted or updated, those of a transaction that was rolled back included. */
  readonly rowsWritten: number;
  /** Statements that were answered with an error, as they should. */
  readonly statementErrors: number;
  readonly loginsFailed: number;
  readonly sessionsRefused: number;
}

export type Counts = { -readonly [Name in keyof TourCounts]: number };

/** A statement that waits for people. */
export interface HeldStatement {
  readonly hold: string;
  /** What its client gets when somebody has decided. */
  readonly answer: Promise<QueryResult>;
}

export function noCounts(): Counts {
  return {
    sessions: 0,
    statements: 0,
    rowsRead: 0,
    rowsWritten: 0,
    statementErrors: 0,
    loginsFailed: 0,
    sessionsRefused: 0,
  };
}

/** Whoever opens it ends it. */
export class TourSession {
  readonly #client: Client;
  readonly #counts: Counts;

  private constructor(client: Client, counts: Counts) {
    this.#client = client;
    this.#counts = counts;
  }

  static async open(endpoints: TourEndpoints, person: TourPerson, counts: Counts): Promise<TourSession> {
    const client = clientFor(endpoints, person);
    await client.connect();
    counts.sessions += 1;
    return new TourSession(client, counts);
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

  /** A statement that must be refused with this SQLSTATE; gives the error. */
  async expectError(statement: string, sqlstate: string): Promise<DatabaseError> {
    return this.expectErrorOf(this.query(statement), sqlstate, statement);
  }

  async expectErrorOf(
    answer: Promise<QueryResult>,
    sqlstate: string,
    statement: string,
  ): Promise<DatabaseError> {
    const error = await answer.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    if (!(error instanceof DatabaseError) || error.code !== sqlstate) {
      throw new Error(`Expected SQLSTATE ${sqlstate} from "${statement}", got ${sqlstateOf(error)}.`);
    }
    this.#counts.statementErrors += 1;
    return error;
  }

  /** A statement that must be held: returns when the gateway says that its client waits. */
  async sendHeld(statement: string): Promise<HeldStatement> {
    const { promise: told, resolve } = Promise.withResolvers<string>();
    const listen = ({ message = '' }: { readonly message?: string | undefined }): void => {
      const [hold] = /\bhld_[0-9a-z]+\b/i.exec(message) ?? [];
      if (hold !== undefined) resolve(hold);
    };
    this.#client.on('notice', listen);
    const answer = this.query(statement);
    const ran = answer.then(() => {
      throw new Error(`Expected "${statement}" to be held, and it ran.`);
    });
    try {
      return { hold: await Promise.race([told, ran]), answer };
    } finally {
      this.#client.off('notice', listen);
      // Who waits for the answer hears of its error.
      ran.catch(() => undefined);
    }
  }

  /** Ends it, also where a statement still waits. */
  end(): Promise<void> {
    return this.#client.end();
  }
}

/** A session for as long as the work takes. */
export async function withSession<T>(
  endpoints: TourEndpoints,
  person: TourPerson,
  counts: Counts,
  work: (session: TourSession) => Promise<T>,
): Promise<T> {
  const session = await TourSession.open(endpoints, person, counts);
  try {
    return await work(session);
  } finally {
    await session.end();
  }
}

/** Somebody who must not get in. */
export async function expectRefused(
  endpoints: TourEndpoints,
  person: TourPerson,
  sqlstate: string,
): Promise<void> {
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
  if (!(error instanceof Error)) return 'none';
  return 'code' in error ? String(error.code) : error.message;
}
