/** Every column of the tables of users, as a catalog has them: names, types, and whether the gateway may read it. */

import { CountersignError } from '../core/errors.ts';
import { MASK_PREVIEW_LIMITS } from '../core/masking-preview-limits.ts';
import { type ColumnLabel, columnLabel } from '../core/column-labels.ts';
import type { TargetRow } from './target-queries.ts';

export interface TableColumn {
  readonly label: ColumnLabel;
  readonly relation: number;
  readonly schema: string;
  readonly table: string;
  readonly column: string;
  /** `pg_class.relkind`. */
  readonly relkind: string;
  readonly pages: number;
  readonly typeOid: number;
  readonly typmod: number;
  /** As PostgreSQL writes it. */
  readonly type: string;
  readonly isReadable: boolean;
}

/**
 * Partitions come with their parent, and temporary tables are of other sessions. Runs with an empty search_path, so
 * that operators and functions are PostgreSQL's own.
 */
export const ALL_COLUMNS_SQL: string = `select c.oid, a.attnum, n.nspname, c.relname, a.attname, c.relkind, c.relpages,
    a.atttypid, a.atttypmod, pg_catalog.format_type(a.atttypid, a.atttypmod),
    pg_catalog.has_schema_privilege(n.oid, 'USAGE') and pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT')
  from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  join pg_catalog.pg_attribute a on a.attrelid = c.oid
  where c.oid >= 16384 and c.relkind in ('r', 'm', 'p', 'f') and not c.relispartition and c.relpersistence <> 't'
    and a.attnum > 0 and not a.attisdropped
  order by n.nspname, c.relname, a.attnum
  limit ${MASK_PREVIEW_LIMITS.columnsMax + 1}`;

const FIELDS = 11;

/** Rows of ALL_COLUMNS_SQL; LIMIT_EXCEEDED where there are more. */
export function tableColumns(rows: readonly TargetRow[]): readonly TableColumn[] {
  const { columnsMax: allowed } = MASK_PREVIEW_LIMITS;
  if (rows.length > allowed) {
    throw new CountersignError('LIMIT_EXCEEDED', {
      limit: 'maskPreview.columnsMax',
      allowed,
      actual: rows.length,
    });
  }
  return rows.map(tableColumn);
}

function tableColumn(row: TargetRow): TableColumn {
  const texts = row.map((value) => Buffer.from(value ?? []).toString('utf8'));
  if (texts.length !== FIELDS) {
    const reason = `expected ${FIELDS} fields of a column, not ${texts.length}`;
    throw new CountersignError('GATEWAY_STATEMENT_FAILED', { what: 'columns of tables', reason });
  }
  const [oid, attnum, schema = '', table = '', column = '', relkind = '', pages, typeOid, typmod, type = ''] =
    texts;
  const relation = Number(oid);
  return {
    label: columnLabel(relation, Number(attnum)),
    relation,
    schema,
    table,
    column,
    relkind,
    pages: Number(pages),
    typeOid: Number(typeOid),
    typmod: Number(typmod),
    type,
    isReadable: texts.at(-1) === 't',
  };
}
