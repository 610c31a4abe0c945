/**
 * The versions of the store, forward only.
 *
 * A migration runs in one transaction with the number that it leads to: a crash in the middle
 * leaves the version before. A store that is newer than this code is refused, because an older
 * gateway does not know what the newer one promised to keep.
 */

import { type Kysely, sql, type Transaction } from 'kysely';
import { CountersignError } from '../core/errors.ts';
import { createTable, type Engine } from './create-table.ts';
import type { Schema } from './schema.ts';
import { createVersion1 } from './version-1.ts';
import { createVersion2 } from './version-2.ts';
import { createVersion3 } from './version-3.ts';
import { createVersion4 } from './version-4.ts';
import { createVersion5 } from './version-5.ts';
import { createVersion6 } from './version-6.ts';

export interface Migration {
  readonly version: number;
  readonly up: (tx: Transaction<Schema>, engine: Engine) => Promise<void>;
}

const VERSION_KEY = 'schema_version';

/** Two gateways that start at once migrate one after the other; any constant number will do. */
const ADVISORY_LOCK = 7_241_533;

/** In this order; a version that was released never changes. */
export const MIGRATIONS: readonly Migration[] = [
  { version: 1, up: createVersion1 },
  { version: 2, up: createVersion2 },
  { version: 3, up: createVersion3 },
  { version: 4, up: createVersion4 },
  { version: 5, up: createVersion5 },
  { version: 6, up: createVersion6 },
];

function newestVersion(migrations: readonly Migration[]): number {
  return migrations.at(-1)?.version ?? 0;
}

/** Brings the store to the newest version; returns what it was before and what it is now. */
export async function migrate(
  db: Kysely<Schema>,
  engine: Engine,
  migrations: readonly Migration[] = MIGRATIONS,
): Promise<{ readonly from: number; readonly to: number }> {
  const from = await db.transaction().execute(async (tx) => {
    await lock(tx, engine);
    await createTable(tx, engine, 'meta', { key: 'text', value: 'text' }, ['key']);
    return readVersion(tx);
  });
  const newest = newestVersion(migrations);
  if (from > newest) {
    throw new CountersignError('STORE_FAILED', {
      reason: `it has version ${from}, and this gateway knows versions up to ${newest}; start a newer one`,
    });
  }
  for (const migration of migrations) {
    await db.transaction().execute(async (tx) => {
      await lock(tx, engine);
      if ((await readVersion(tx)) >= migration.version) return;
      await migration.up(tx, engine);
      await tx
        .insertInto('meta')
        .values({ key: VERSION_KEY, value: String(migration.version) })
        .onConflict((conflict) => conflict.column('key').doUpdateSet({ value: String(migration.version) }))
        .execute();
    });
  }
  return { from, to: newest };
}

async function lock(tx: Transaction<Schema>, engine: Engine): Promise<void> {
  if (engine === 'postgres') await sql`select pg_advisory_xact_lock(${ADVISORY_LOCK})`.execute(tx);
}

async function readVersion(tx: Transaction<Schema>): Promise<number> {
  const row = await tx.selectFrom('meta').select('value').where('key', '=', VERSION_KEY).executeTakeFirst();
  if (row === undefined) return 0;
  if (!/^[0-9]{1,9}$/.test(row.value)) {
    throw new CountersignError('STORE_FAILED', { reason: 'its version is not a number' });
  }
  return Number(row.value);
}
