/**
 * Kysely over `pg`, for several gateways that share one store.
 *
 * The tables are those of the schema `public`, whatever search path the role or the database has: somebody
 * else's schema in front of it would be read and written instead.
 *
 * bigint comes as a number: every integer here is a time in microseconds or a count below 2^53, and
 * one that is not is refused. What the server says of an error stays in `cause`; it can quote values.
 */

import {
  type CompiledQuery,
  type DatabaseConnection,
  type Driver,
  PostgresDialect,
  type PostgresDialectConfig,
  PostgresDriver,
  type QueryResult,
} from 'kysely';
import { Pool, types } from 'pg';
import { CountersignError, reasonOf } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import type { Secret } from '../core/secret.ts';

/** Kysely's view of one PostgreSQL database. */
export class PostgresStoreDialect extends PostgresDialect {
  readonly #config: PostgresDialectConfig;

  constructor(url: Secret<string>) {
    const config = { pool: makePool(url) };
    super(config);
    this.#config = config;
  }

  override createDriver(): Driver {
    return new CodedPostgresDriver(this.#config);
  }
}

/** A utility statement looks nothing up. The catalogue is searched first where it is not named. */
const PIN_SEARCH_PATH = 'set search_path to public, pg_temp';

function makePool(url: Secret<string>): Pool {
  const pool = new Pool({
    connectionString: url.reveal(),
    max: LIMITS.store.poolMax,
    connectionTimeoutMillis: LIMITS.store.waitMs,
    statement_timeout: LIMITS.store.statementTimeoutMs,
    // A server that is frozen does not time anything out.
    query_timeout: LIMITS.store.answerTimeoutMs,
    idle_in_transaction_session_timeout: LIMITS.store.statementTimeoutMs,
    application_name: 'countersign',
    // The pool waits for it, and gives nobody a connection on which it failed.
    // oxlint-disable-next-line typescript/no-misused-promises -- Its types do not know that it waits.
    onConnect: (client): Promise<unknown> => client.query(PIN_SEARCH_PATH),
    types: {
      getTypeParser: (...[oid, format]: Parameters<typeof types.getTypeParser>) =>
        oid === types.builtins.INT8 && format !== 'binary' ? parseInteger : types.getTypeParser(oid, format),
    },
  });
  // A connection that breaks while nobody uses it: the pool makes another; without a listener Node
  // would end the process.
  pool.on('error', () => undefined);
  // And one that breaks between two statements of whoever has it: the next statement says so.
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}

function parseInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) {
    throw new CountersignError('STORE_FAILED', { reason: 'an integer is larger than 2^53 - 1' });
  }
  return value;
}

/** Gives every error the code STORE_FAILED, as the SQLite driver does. */
class CodedPostgresDriver extends PostgresDriver {
  readonly #coded = new WeakSet<DatabaseConnection>();

  override async acquireConnection(): ReturnType<PostgresDriver['acquireConnection']> {
    const connection = await coded(() => super.acquireConnection());
    if (!this.#coded.has(connection)) {
      this.#coded.add(connection);
      const execute = connection.executeQuery.bind(connection);
      connection.executeQuery = <R>(query: CompiledQuery): Promise<QueryResult<R>> =>
        coded(() => execute<R>(query));
    }
    return connection;
  }
}

async function coded<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof CountersignError) throw error;
    throw new CountersignError('STORE_FAILED', { reason: reasonOf(error) }, { cause: error });
  }
}
