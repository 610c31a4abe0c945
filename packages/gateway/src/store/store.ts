/**
 * The control state behind one transactional port: SQLite by default, PostgreSQL where several
 * gateways share it.
 *
 * Only indexes and configuration live here. The ledger is the truth, and the index can be rebuilt
 * from it.
 */

import { type Dialect, Kysely, sql, type Transaction } from 'kysely';
import { CountersignError } from '../core/errors.ts';
import type { Secret } from '../core/secret.ts';
import { ChangeFeed } from './change-feed.ts';
import { migrate } from './migrations.ts';
import type { Schema } from './schema.ts';
import { SqliteFileDialect } from './sqlite-driver.ts';
import { TABLE_NAMES } from './version-1.ts';
import { VERSION_2_TABLES } from './version-2.ts';
import { VERSION_4_TABLES } from './version-4.ts';
import { VERSION_5_TABLES } from './version-5.ts';

/** Where the control state is. */
export type StoreLocation =
  | { readonly kind: 'sqlite'; readonly file: string }
  | { readonly kind: 'postgres'; readonly url: Secret<string> };

/** What the rooms above are given. */
export interface Store extends AsyncDisposable {
  readonly kind: StoreLocation['kind'];
  readonly db: Kysely<Schema>;
  /** Topics, for example `resources`. */
  readonly changes: ChangeFeed<string>;
  /** Inside of `run` only `tx` may be used: `db` would wait for this very transaction. */
  transaction<T>(run: (tx: Transaction<Schema>) => Promise<T>): Promise<T>;
  /** Makes sure that what was overwritten or deleted is in no file of the store any more. */
  scrub(): Promise<void>;
  close(): Promise<void>;
}

/** Opens the store and brings it to the version of this code; a newer one is refused. */
export async function openStore(location: StoreLocation): Promise<Store> {
  const db = new Kysely<Schema>({ dialect: await makeDialect(location) });
  try {
    await migrate(db, location.kind);
    if (location.kind === 'postgres') await refuseTablesOfOthers(db);
  } catch (error) {
    await db.destroy();
    throw error;
  }
  const close = (): Promise<void> => db.destroy();
  return {
    kind: location.kind,
    db,
    changes: new ChangeFeed(),
    transaction: (run) => db.transaction().execute(run),
    scrub: () => scrub(db, location.kind),
    close,
    [Symbol.asyncDispose]: close,
  };
}

const NAMES: readonly string[] = [
  ...TABLE_NAMES,
  ...VERSION_2_TABLES,
  ...VERSION_4_TABLES,
  ...VERSION_5_TABLES,
];

/** Whoever owns a table can change what it holds, and put triggers on it: it was there before us. */
async function refuseTablesOfOthers(db: Kysely<Schema>): Promise<void> {
  const { rows } = await sql<{ name: string; owner: string }>`
    select relname as name, pg_get_userbyid(relowner) as owner from pg_class
    where relnamespace = 'public'::regnamespace and relname in (${sql.join([...NAMES])})
      and not pg_has_role(current_user, relowner, 'member')`.execute(db);
  const [found] = rows;
  if (found === undefined) return;
  const reason = `the table public.${found.name} belongs to ${found.owner}, and was not made by a gateway; give the store a database of its own`;
  throw new CountersignError('STORE_FAILED', { reason });
}

async function makeDialect(location: StoreLocation): Promise<Dialect> {
  switch (location.kind) {
    case 'sqlite':
      return new SqliteFileDialect(location.file);
    case 'postgres': {
      // A driver that is seldom needed takes memory only where it is.
      const { PostgresStoreDialect } = await import('./postgres-driver.ts');
      return new PostgresStoreDialect(location.url);
    }
    default:
      return location satisfies never;
  }
}

/**
 * SQLite overwrites what it frees (`secure_delete`); the write-ahead log still holds the old pages
 * until it is copied and cut. PostgreSQL keeps the old version of a row until VACUUM, and its
 * write-ahead log longer: whoever shares a store there has to bound the age of its archives.
 */
async function scrub(db: Kysely<Schema>, kind: StoreLocation['kind']): Promise<void> {
  if (kind === 'sqlite') await sql`pragma wal_checkpoint(truncate)`.execute(db);
  else await sql`vacuum scope_keys, principals`.execute(db);
}
