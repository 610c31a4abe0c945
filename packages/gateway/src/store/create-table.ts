/** Tables that are the same in both engines, from a short description. */

import { type CreateTableBuilder, sql, type Transaction } from 'kysely';
import type { Schema } from './schema.ts';

export type Engine = 'sqlite' | 'postgres';

/** Type of a column; `?` says that it may be null. */
export type ColumnType = 'text' | 'text?' | 'integer' | 'integer?' | 'blob' | 'blob?';

type Base = 'text' | 'integer' | 'blob';

/** STRICT makes SQLite refuse a value of another type, as PostgreSQL does. */
const ENGINES = {
  sqlite: { text: 'text', integer: 'integer', blob: 'blob', suffix: 'strict' },
  postgres: { text: 'text', integer: 'bigint', blob: 'bytea', suffix: '' },
} as const;

const BASES: Readonly<Record<ColumnType, Base>> = {
  text: 'text',
  'text?': 'text',
  integer: 'integer',
  'integer?': 'integer',
  blob: 'blob',
  'blob?': 'blob',
};

/** Creates a table that is not there yet. */
export async function createTable(
  tx: Transaction<Schema>,
  engine: Engine,
  name: string,
  columns: Readonly<Record<string, ColumnType>>,
  primaryKey: readonly [string, ...string[]],
): Promise<void> {
  const { suffix, ...types } = ENGINES[engine];
  let builder: CreateTableBuilder<string, string> = tx.schema.createTable(name).ifNotExists();
  for (const [column, type] of Object.entries(columns)) {
    builder = builder.addColumn(column, types[BASES[type]], (definition) =>
      type.endsWith('?') ? definition : definition.notNull(),
    );
  }
  builder = builder.addPrimaryKeyConstraint(`${name}_primary`, [...primaryKey]);
  await (suffix === '' ? builder : builder.modifyEnd(sql.raw(suffix))).execute();
}

/** Adds columns that are null in the rows that are there. */
export async function addColumns(
  tx: Transaction<Schema>,
  engine: Engine,
  table: string,
  columns: Readonly<Record<string, Extract<ColumnType, `${string}?`>>>,
): Promise<void> {
  for (const [column, type] of Object.entries(columns)) {
    await tx.schema.alterTable(table).addColumn(column, ENGINES[engine][BASES[type]]).execute();
  }
}

/** Creates an index; `unique` also keeps two rows from having the same values. */
export async function createIndex(
  tx: Transaction<Schema>,
  table: string,
  columns: readonly string[],
  unique: 'unique' | 'not unique',
): Promise<void> {
  const builder = tx.schema
    .createIndex(`${table}_${columns.join('_')}`)
    .on(table)
    .columns([...columns]);
  await (unique === 'unique' ? builder.unique() : builder).execute();
}
