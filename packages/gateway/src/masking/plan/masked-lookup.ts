/** Which columns of a database are masked: asked of whoever read its catalog (`sql/mask-catalog`). */

import type { ColumnLabel } from '../../core/column-labels.ts';

/** A column that some pattern reaches, itself or through what it is stored in. */
export interface MaskedColumn {
  readonly schema: string;
  readonly table: string;
  readonly column: string;
  /** Texts of the patterns that reach it, of those that the lookup was made for ({@link SessionMasks.names}). */
  readonly masks: readonly string[];
}

export interface MaskedLookup {
  /** Undefined where no pattern reaches the column. */
  of(label: ColumnLabel): MaskedColumn | undefined;
  /** Whether the catalog was read after the relation, and this column of it, was made. */
  knows(relation: number, attnum: number): boolean;
  /** Columns of a relation that are masked, for a lookup whose `of` knows no whole rows (`16385.0`). */
  ofRelation?(relation: number): readonly MaskedColumn[];
}

/** OIDs below are of the system's own relations. PostgreSQL: `FirstNormalObjectId`, access/transam.h. */
const FIRST_NORMAL_OID = 16_384;

/** A label, and what it means for whoever shows or uses its values. */
export type FoundLabel =
  | { readonly kind: 'clear' }
  | { readonly kind: 'masked'; readonly columns: readonly MaskedColumn[] }
  /** A catalog of the system that shows values of masked columns: statistics. */
  | { readonly kind: 'system'; readonly column: MaskedColumn }
  /** A relation that is newer than what is known. */
  | { readonly kind: 'unknown'; readonly relation: number };

const CLEAR: FoundLabel = { kind: 'clear' };

export function findLabel(masked: MaskedLookup, label: ColumnLabel): FoundLabel {
  const at = label.indexOf('.');
  const relation = Number(label.slice(0, at));
  const attnum = Number(label.slice(at + 1));
  const isSystem = relation < FIRST_NORMAL_OID;
  const column = masked.of(label);
  if (column !== undefined && isSystem) return { kind: 'system', column };
  if (column !== undefined) return { kind: 'masked', columns: [column] };
  if (!isSystem && !masked.knows(relation, attnum)) return { kind: 'unknown', relation };
  if (attnum !== 0) return CLEAR;
  const columns = masked.ofRelation?.(relation) ?? [];
  const [first] = columns;
  if (first === undefined) return CLEAR;
  return isSystem ? { kind: 'system', column: first } : { kind: 'masked', columns };
}

/** `public.customers.email`. */
export function columnName({ schema, table, column }: MaskedColumn): string {
  return `${schema}.${table}.${column}`;
}
