/** Version 2 of the store: holds and the votes on them. */

import type { Transaction } from 'kysely';
import { type ColumnType, createIndex, createTable, type Engine } from './create-table.ts';
import type { Schema } from './schema.ts';

const HOLDS: Readonly<Record<string, ColumnType>> = {
  id: 'text',
  version: 'integer',
  state: 'text',
  digest: 'text',
  open_key: 'text?',
  principal_id: 'text',
  session_id: 'text',
  bound_session: 'text?',
  node: 'text',
  policy: 'text',
  document: 'text',
  sealed: 'blob',
  asked_us: 'integer',
  expires_us: 'integer',
  use_until_us: 'integer?',
  changed_us: 'integer',
  asked_leaf: 'integer?',
  taken_node: 'text?',
  taken_leaf: 'integer?',
  outcome: 'text?',
  ended_by: 'text?',
  sealed_reason: 'blob?',
  pending: 'text?',
  pending_node: 'text?',
  pending_leaf: 'integer?',
  pending_us: 'integer?',
};

const VOTES: Readonly<Record<string, ColumnType>> = {
  hold_id: 'text',
  principal_id: 'text',
  issuer: 'text',
  subject: 'text',
  name: 'text',
  groups: 'text',
  decision: 'text',
  sealed_comment: 'blob?',
  voted_us: 'integer',
  node: 'text',
  leaf: 'integer',
};

/** Tables that this version adds. */
export const VERSION_2_TABLES: readonly string[] = ['holds', 'hold_votes'];

export async function createVersion2(tx: Transaction<Schema>, engine: Engine): Promise<void> {
  await createTable(tx, engine, 'holds', HOLDS, ['id']);
  await createTable(tx, engine, 'hold_votes', VOTES, ['hold_id', 'principal_id']);
  // One open hold for one thing of one principal; rows that are over have no key.
  await createIndex(tx, 'holds', ['open_key'], 'unique');
  await createIndex(tx, 'holds', ['state', 'principal_id'], 'not unique');
  await createIndex(tx, 'holds', ['pending_node'], 'not unique');
}
