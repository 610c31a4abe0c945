/** Version 3 of the store: holds that were opened in an emergency, and what was said of that afterwards. */

import type { Transaction } from 'kysely';
import { addColumns, type ColumnType, createIndex, type Engine } from './create-table.ts';
import type { Schema } from './schema.ts';

const OPENINGS: Readonly<Record<string, Extract<ColumnType, `${string}?`>>> = {
  opening: 'text?',
  sealed_opening: 'blob?',
  review: 'text?',
  sealed_review: 'blob?',
  review_by_us: 'integer?',
  notice_due_us: 'integer?',
  overdue_told_us: 'integer?',
};

export async function createVersion3(tx: Transaction<Schema>, engine: Engine): Promise<void> {
  await addColumns(tx, engine, 'holds', OPENINGS);
  await createIndex(tx, 'holds', ['review_by_us'], 'not unique');
  await createIndex(tx, 'holds', ['notice_due_us'], 'not unique');
}
