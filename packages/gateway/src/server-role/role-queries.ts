/** Statements of the gateway's own with the credential of a connection, in transactions that leave nothing behind. */

import { CountersignError } from '../core/errors.ts';
import { SERVER_ROLE_LIMITS } from '../core/server-role-limits.ts';
import { type TargetAnswer, TargetQueries } from '../preview/target-queries.ts';
import type { PostgresTarget } from '../upstream/postgres-target.ts';

export type TextRow = readonly (string | null)[];

const SETTINGS: readonly (readonly [name: string, value: string])[] = [
  ['search_path', "''"],
  ['client_encoding', "'UTF8'"],
  ['standard_conforming_strings', 'on'],
  ['statement_timeout', String(SERVER_ROLE_LIMITS.statementMs)],
  ['lock_timeout', String(SERVER_ROLE_LIMITS.lockMs)],
  ['max_parallel_workers_per_gather', '0'],
  ['jit', 'off'],
  ['datestyle', "'ISO, MDY'"],
  ['intervalstyle', "'postgres'"],
  ['timezone', "'UTC'"],
  ['quote_all_identifiers', 'off'],
];

/** Owned by who opened it; one statement at a time. */
export class RoleQueries {
  readonly serverVersion: string;
  readonly #queries: TargetQueries;

  private constructor(queries: TargetQueries) {
    this.#queries = queries;
    this.serverVersion = queries.serverVersion;
  }

  static async open(
    target: PostgresTarget,
    randomBytes: (length: number) => Uint8Array,
  ): Promise<RoleQueries> {
    const { totalMs } = SERVER_ROLE_LIMITS;
    return new RoleQueries(await TargetQueries.open(target, { totalMs, randomBytes, name: 'server-role' }));
  }

  /** `18.1 (Debian 18.1-1)` → 180001; 0 where it is no version of PostgreSQL. */
  get versionNumber(): number {
    const [, major = '', minor = '0'] = /^(\d+)\.?(\d+)?/.exec(this.serverVersion) ?? [];
    return major === '' ? 0 : Number(major) * 10_000 + Number(minor);
  }

  /** A transaction in which nothing of users is found by its name alone, and nothing takes long. */
  async begin(how: 'read only' | 'read write'): Promise<void> {
    await this.texts('begin', [`begin transaction isolation level read committed, ${how}`, ...settings()]);
  }

  async rollback(): Promise<void> {
    await this.texts('rollback', ['rollback']);
  }

  /** A statement with one parameter. */
  async rows(what: string, text: string, value: string | readonly number[]): Promise<readonly TextRow[]> {
    const asked =
      typeof value === 'string'
        ? this.#queries.statement(text, 'text', value)
        : this.#queries.statement(text, 'oids', `{${value.join(',')}}`);
    return rowsOf(what, await asked);
  }

  /** Several statements in one message; the rows of all of them. */
  async texts(what: string, texts: readonly string[]): Promise<readonly TextRow[]> {
    return rowsOf(what, await this.#queries.texts(...texts));
  }

  [Symbol.dispose](): void {
    this.#queries[Symbol.dispose]();
  }
}

function settings(): readonly string[] {
  return SETTINGS.map(([name, value]) => `set local ${name} = ${value}`);
}

function rowsOf(what: string, answer: TargetAnswer): readonly TextRow[] {
  if (answer.kind === 'rows') {
    return answer.rows.map((row) =>
      row.map((value) => (value === null ? null : Buffer.from(value).toString('utf8'))),
    );
  }
  const reason = `the target answered with SQLSTATE ${answer.sqlstate}`;
  throw new CountersignError('GATEWAY_STATEMENT_FAILED', { what: `server-role: ${what}`, reason });
}
