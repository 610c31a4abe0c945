/** Version 5 of the store: second factors, and how the maker of a token had logged in. */

import type { Transaction } from 'kysely';
import { addColumns, type ColumnType, createTable, type Engine } from './create-table.ts';
import type { Schema } from './schema.ts';

const SECOND_FACTORS: Readonly<Record<string, ColumnType>> = {
  principal_id: 'text',
  id: 'text',
  wrapped: 'blob',
  created_us: 'integer',
  confirmed_us: 'integer?',
  last_step: 'integer?',
  failures: 'integer',
  failed_us: 'integer?',
};

/** Tables that this version adds. */
export const VERSION_5_TABLES: readonly string[] = ['second_factors'];

export async function createVersion5(tx: Transaction<Schema>, engine: Engine): Promise<void> {
  await createTable(tx, engine, 'second_factors', SECOND_FACTORS, ['principal_id']);
  await addColumns(tx, engine, 'tokens', { amr: 'text?', authenticated_us: 'integer?' });
  await addColumns(tx, engine, 'sessions', { mfa_us: 'integer?' });
}
