/**
 * A Kysely driver over `node:sqlite`: one connection, given to one owner at a time.
 *
 * SQLite lets one writer in at a time, and this process is the only one that has the file, so that
 * one connection behind a bounded queue is all there is to have. A transaction owns the connection
 * until its end; whoever asks the database itself for something inside of it would wait for ever,
 * so waiting is bounded too.
 */

import { closeSync, openSync, statSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import {
  type CompiledQuery,
  type DatabaseConnection,
  type DatabaseIntrospector,
  type Dialect,
  type DialectAdapter,
  type Driver,
  type Kysely,
  type QueryCompiler,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';
import { CountersignError, reasonOf } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { openWal, WalSync } from './wal-sync.ts';

/** Kysely's view of one SQLite file. */
export class SqliteFileDialect implements Dialect {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  createDriver(): Driver {
    return new SqliteFileDriver(this.#file);
  }

  createQueryCompiler(): QueryCompiler {
    return new SqliteQueryCompiler();
  }

  createAdapter(): DialectAdapter {
    return new QueueingAdapter();
  }

  createIntrospector(db: Kysely<unknown>): DatabaseIntrospector {
    return new SqliteIntrospector(db);
  }
}

/** Says that the driver queues by itself: Kysely's own mutex waits without a bound. */
class QueueingAdapter extends SqliteAdapter {
  override get supportsMultipleConnections(): boolean {
    return true;
  }
}

interface Waiter {
  readonly take: () => void;
}

class SqliteFileDriver implements Driver {
  readonly #file: string;
  /** Which file it was when it was opened. */
  #identity: string | undefined;
  #connection: SqliteFileConnection | undefined;
  #busy = false;
  readonly #waiting = new Set<Waiter>();
  readonly #wal: WalSync;

  constructor(file: string) {
    this.#file = file;
    this.#wal = new WalSync(() => openWal(file));
  }

  async init(): Promise<void> {
    this.#connection = new SqliteFileConnection(openFile(this.#file));
    this.#identity = identityOf(this.#file);
  }

  async acquireConnection(): Promise<DatabaseConnection> {
    if (this.#busy) await this.#wait();
    this.#busy = true;
    try {
      if (this.#connection === undefined) throw storeFailed('the store is closed');
      if (this.#wal.failure !== undefined) throw this.#wal.failure;
      // SQLite goes on with a file that was deleted, and every key that is put there is lost.
      if (identityOf(this.#file) !== this.#identity)
        throw storeFailed(`${this.#file} was deleted or replaced`);
      return this.#connection;
    } catch (error) {
      await this.releaseConnection();
      throw error;
    }
  }

  /** Resolves when what its owner wrote is durable; Kysely gives the result after that. The next goes on before. */
  async releaseConnection(): Promise<void> {
    const wrote = this.#connection?.takeWrote() === true;
    const [next] = this.#waiting;
    if (next === undefined) this.#busy = false;
    else this.#waiting.delete(next);
    next?.take();
    if (wrote && this.#file !== ':memory:') await this.#wal.durable();
  }

  async beginTransaction(): Promise<void> {
    // IMMEDIATE takes the write lock now: a read that turns into a write later could be refused.
    await whileBusy(() => this.#exec('begin immediate'));
  }

  async commitTransaction(): Promise<void> {
    await whileBusy(() => this.#exec('commit'));
  }

  async rollbackTransaction(): Promise<void> {
    // SQLite has rolled back by itself after some errors, a full disk for one.
    if (this.#connection?.database.isTransaction === true) this.#exec('rollback');
  }

  async destroy(): Promise<void> {
    await this.#wal.close();
    this.#connection?.close();
    this.#connection = undefined;
  }

  #exec(statement: string): void {
    try {
      this.#connection?.database.exec(statement);
    } catch (error) {
      throw storeFailed(reasonOf(error), error);
    }
  }

  #wait(): Promise<void> {
    if (this.#waiting.size >= LIMITS.store.waitersMax) {
      throw storeFailed(`${LIMITS.store.waitersMax} transactions wait already`);
    }
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(waiter);
        reject(storeFailed(`no turn within ${LIMITS.store.waitMs} ms`));
      }, LIMITS.store.waitMs);
      const waiter: Waiter = {
        take: () => {
          clearTimeout(timer);
          resolve();
        },
      };
      this.#waiting.add(waiter);
    });
  }
}

class SqliteFileConnection implements DatabaseConnection {
  readonly database: DatabaseSync;
  /** Prepared statements by text; the one used longest ago goes first. */
  readonly #statements = new Map<string, StatementSync>();
  #wrote = false;

  constructor(database: DatabaseSync) {
    this.database = database;
  }

  /** Whether anything may have been written since this was last asked. */
  takeWrote(): boolean {
    const wrote = this.#wrote;
    this.#wrote = false;
    return wrote;
  }

  executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    return whileBusy(() => this.#execute<R>(query));
  }

  #execute<R>(query: CompiledQuery): QueryResult<R> {
    try {
      const statement = this.#prepare(query.sql);
      this.#wrote ||= !query.sql.startsWith('select ');
      const parameters = query.parameters.map(toInput);
      if (statement.columns().length > 0) {
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Kysely infers R from the query.
        return { rows: statement.all(...parameters) as R[] };
      }
      const { changes, lastInsertRowid } = statement.run(...parameters);
      return { numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid), rows: [] };
    } catch (error) {
      throw error instanceof CountersignError ? error : storeFailed(reasonOf(error), error);
    }
  }

  async *streamQuery<R>(query: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
    // Not from the cache: a cached statement that is started again ends a stream that is still read.
    const statement = this.database.prepare(query.sql);
    for (const row of statement.iterate(...query.parameters.map(toInput))) {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Kysely infers R from the query.
      yield { rows: [row as R] };
    }
  }

  close(): void {
    this.#statements.clear();
    this.database.close();
  }

  #prepare(text: string): StatementSync {
    const known = this.#statements.get(text);
    if (known !== undefined) {
      this.#statements.delete(text);
      this.#statements.set(text, known);
      return known;
    }
    const statement = this.database.prepare(text);
    this.#statements.set(text, statement);
    const [oldest] = this.#statements.keys();
    if (this.#statements.size > LIMITS.store.statementsMax && oldest !== undefined) {
      this.#statements.delete(oldest);
    }
    return statement;
  }
}

/** Device and inode; undefined where there is no such file. */
function identityOf(file: string): string | undefined {
  if (file === ':memory:') return '';
  const found = statSync(file, { throwIfNoEntry: false });
  return found === undefined ? undefined : `${found.dev}:${found.ino}`;
}

function openFile(file: string): DatabaseSync {
  try {
    // SQLite would make it with the umask; its -wal and -shm files take this file's mode.
    if (file !== ':memory:') closeSync(openSync(file, 'a', 0o600));
    const database = new DatabaseSync(file, {
      enableForeignKeyConstraints: true,
      timeout: LIMITS.store.busyBlockMs,
    });
    database.exec(
      [
        'pragma journal_mode = wal',
        // An acknowledged revocation must survive a power cut: WalSync flushes what this leaves.
        'pragma synchronous = normal',
        'pragma trusted_schema = off',
        // A destroyed key must not stay in a free part of a page.
        'pragma secure_delete = on',
      ].join(';'),
    );
    return database;
  } catch (error) {
    throw storeFailed(reasonOf(error), error);
  }
}

/** https://www.sqlite.org/rescode.html */
const SQLITE_BUSY = 5;

/**
 * Tries again while another process holds the file. SQLite's own wait would hold up every session of
 * this process, since it blocks the thread.
 */
async function whileBusy<T>(run: () => T): Promise<T> {
  const deadlineMs = performance.now() + LIMITS.store.busyTimeoutMs;
  for (;;) {
    try {
      return run();
    } catch (error) {
      if (!isBusy(error) || performance.now() >= deadlineMs) throw error;
    }
    await delay(LIMITS.store.busyBlockMs);
  }
}

function isBusy(error: unknown): boolean {
  const cause = error instanceof CountersignError ? error.cause : undefined;
  return cause instanceof Error && 'errcode' in cause && cause.errcode === SQLITE_BUSY;
}

function toInput(value: unknown): SQLInputValue {
  if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint') {
    return value;
  }
  if (value instanceof Uint8Array) return value;
  throw storeFailed(`a value of type ${typeof value} cannot be stored`);
}

function storeFailed(reason: string, cause?: unknown): CountersignError {
  return new CountersignError('STORE_FAILED', { reason }, { cause });
}
