/** Version 6 of the store: tokens that are pairs of an id and a secret, as AWS's clients sign with. */

import type { Transaction } from 'kysely';
import { addColumns, createIndex, type Engine } from './create-table.ts';
import type { Schema } from './schema.ts';

export async function createVersion6(tx: Transaction<Schema>, engine: Engine): Promise<void> {
  await addColumns(tx, engine, 'tokens', { access_key_id: 'text?', sealed_secret: 'blob?' });
  // Rows without an id do not count as equal, in either engine.
  await createIndex(tx, 'tokens', ['access_key_id'], 'unique');
}
