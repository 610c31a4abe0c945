/**
 * Samples of columns: which are read, from which rows, and what is left out.
 *
 * Nothing of users runs: tables and materialized views are read, and no views; values come as their types write
 * them, with no cast; row security, which may call functions, makes its table be left out.
 */

import { MASK_PREVIEW_LIMITS } from '../core/masking-preview-limits.ts';
import type { TypeDescription } from '../masking/operators/operator.ts';
import { mayHoldText } from '../masking/plan/type-kinds.ts';
import type { TableColumn } from './all-columns.ts';
import { looksLike } from './suspicious-names.ts';
import type { TargetAnswer, TargetQueries, TargetRow } from './target-queries.ts';

/** Why values of a column were not looked at. */
export type NotSampled =
  /** No text, number or address. */
  | 'type'
  /** The gateway's role may not read it. */
  | 'no-right'
  /** Its rows are on another server. */
  | 'foreign'
  /** Reading its table failed, or took too long: row security, a lock, another error. */
  | 'failed'
  /** maskPreview.sampledColumnsMax */
  | 'limit'
  /** maskPreview.samplingMs */
  | 'time';

export interface Sample {
  readonly column: TableColumn;
  /** Not NULL, and not longer than maskPreview.valueBytesMax. */
  readonly values: readonly Uint8Array[];
}

/** Numbers and addresses that a person may have; no Mask looks into them. */
const BARE: ReadonlySet<string> = new Set(['int4', 'int8', 'numeric', 'inet', 'cidr', 'macaddr', 'macaddr8']);

export interface Chosen {
  readonly columns: readonly TableColumn[];
  readonly left: readonly (readonly [NotSampled, TableColumn])[];
}

/** Columns whose names say something come first, then texts, then numbers. */
export function chooseColumns(
  columns: readonly TableColumn[],
  typeOf: (column: TableColumn) => TypeDescription,
): Chosen {
  const left: (readonly [NotSampled, TableColumn])[] = [];
  const ranked: { readonly column: TableColumn; readonly rank: number }[] = [];
  for (const column of columns) {
    const type = typeOf(column);
    const holdsText = mayHoldText(type);
    if (!holdsText && !isBare(type)) left.push(['type', column]);
    else if (column.relkind === 'f') left.push(['foreign', column]);
    else if (!column.isReadable) left.push(['no-right', column]);
    else ranked.push({ column, rank: (looksLike(column.column).length > 0 ? 2 : 0) + (holdsText ? 1 : 0) });
  }
  // Sorting keeps the order of those that are alike: by schema, table and place.
  const sorted = ranked.toSorted((one, other) => other.rank - one.rank).map(({ column }) => column);
  const { sampledColumnsMax } = MASK_PREVIEW_LIMITS;
  left.push(...sorted.slice(sampledColumnsMax).map((column) => ['limit', column] as const));
  return { columns: sorted.slice(0, sampledColumnsMax), left };
}

/**
 * Reads samples, a few columns of one table at a time; `take` has each before the next is read.
 *
 * @param isTime whether there is time for one more
 * @returns columns of which nothing was read
 */
export async function sampleColumns(
  queries: TargetQueries,
  columns: readonly TableColumn[],
  isTime: () => boolean,
  take: (sample: Sample) => void,
): Promise<readonly (readonly [NotSampled, TableColumn])[]> {
  const left: (readonly [NotSampled, TableColumn])[] = [];
  for (const group of Map.groupBy(columns, ({ relation }) => relation).values()) {
    for (let at = 0; at < group.length; at += MASK_PREVIEW_LIMITS.columnsPerStatementMax) {
      const some = group.slice(at, at + MASK_PREVIEW_LIMITS.columnsPerStatementMax);
      const rows = isTime() ? await sampleRows(queries, some) : 'time';
      if (typeof rows === 'string') left.push(...some.map((column) => [rows, column] as const));
      else some.forEach((column, index) => take({ column, values: valuesOf(rows, index) }));
    }
  }
  return left;
}

async function sampleRows(
  queries: TargetQueries,
  columns: readonly TableColumn[],
): Promise<readonly TargetRow[] | 'failed'> {
  const [{ pages, relkind } = { pages: 0, relkind: '' }] = columns;
  const { samplePagesMax } = MASK_PREVIEW_LIMITS;
  // A partitioned table has no pages of its own. Of those that are picked, the limit would take the first.
  if (relkind !== 'p' && pages > samplePagesMax) {
    const percent = Math.max((100 * samplePagesMax) / pages, 0.000_01);
    const picked = await inSavepoint(
      queries,
      sampleSql(columns, `tablesample system (${percent.toFixed(5)}) order by pg_catalog.random()`),
    );
    // Pages that were picked may be empty.
    if (picked.kind === 'rows' && picked.rows.length > 0) return picked.rows;
  }
  const first = await inSavepoint(queries, sampleSql(columns, ''));
  return first.kind === 'rows' ? first.rows : 'failed';
}

/** In a savepoint: where it fails, the transaction goes on. */
async function inSavepoint(queries: TargetQueries, sql: string): Promise<TargetAnswer> {
  const answer = await queries.texts('savepoint sample', sql, 'release savepoint sample');
  if (answer.kind === 'failed') {
    await queries.texts('rollback to savepoint sample', 'release savepoint sample');
  }
  return answer;
}

function sampleSql(columns: readonly TableColumn[], sampling: string): string {
  const { valueBytesMax, sampleRowsMax } = MASK_PREVIEW_LIMITS;
  const [{ schema, table, relkind } = { schema: '', table: '', relkind: '' }] = columns;
  const values = columns.map(({ column }) => {
    const name = quoted(column);
    return `case when pg_catalog.pg_column_size(s.${name}) <= ${valueBytesMax} then s.${name} end`;
  });
  // Heirs are tables of their own.
  const from = `${relkind === 'r' ? 'only ' : ''}${quoted(schema)}.${quoted(table)} s`;
  return `select ${values.join(', ')} from ${from} ${sampling} limit ${sampleRowsMax}`;
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function valuesOf(rows: readonly TargetRow[], index: number): readonly Uint8Array[] {
  return rows.flatMap((row) => row[index] ?? []);
}

function isBare(type: TypeDescription): boolean {
  if (type.kind === 'domain') return isBare(type.base);
  return type.kind === 'base' && BARE.has(type.name);
}
