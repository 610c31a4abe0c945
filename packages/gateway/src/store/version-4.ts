/** Version 4 of the store: rings of keys, each sealed as a whole, so that none of its keys can be taken out. */

import type { Transaction } from 'kysely';
import { type ColumnType, createTable, type Engine } from './create-table.ts';
import type { Schema } from './schema.ts';

const SEALED_RINGS: Readonly<Record<string, ColumnType>> = {
  ring: 'text',
  version: 'integer',
  wrapped: 'blob',
  changed_us: 'integer',
};

/** Tables that this version adds. */
export const VERSION_4_TABLES: readonly string[] = ['sealed_rings'];

export async function createVersion4(tx: Transaction<Schema>, engine: Engine): Promise<void> {
  await createTable(tx, engine, 'sealed_rings', SEALED_RINGS, ['ring']);
}
