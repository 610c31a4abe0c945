/** Which columns Masks reach, by which of them and how, and which patterns reach nothing. */

import type { ColumnLabel } from '../core/column-labels.ts';
import type { TypeDescription } from '../masking/operators/operator.ts';
import type { ColumnMask } from '../masking/plan/compile-mask.ts';
import { strictest } from '../masking/plan/precedence.ts';
import type { SessionMasks } from '../masking/plan/session-masks.ts';
import type { MaskedColumn, MaskedLabels } from '../sql/mask-catalog/closure.ts';
import type { MaskCatalog } from '../sql/mask-catalog/mask-catalog.ts';

/**
 * - `named`: a pattern names it;
 * - `inherits`: an heir, a partition, a parent or a sibling of such a table has it;
 * - `generated`: the server makes it of such a column;
 * - `materialized`: a materialized view shows such a column, or nobody can tell what it shows.
 */
export type Reached = 'named' | 'inherits' | 'generated' | 'materialized';

export interface MaskedColumnRow {
  readonly schema: string;
  readonly table: string;
  readonly column: string;
  /** The Mask whose operator is taken, and its version. */
  readonly mask: string;
  readonly version: number;
  /** Every Mask that reaches it, by name. */
  readonly masks: readonly string[];
  readonly operator: string;
  readonly entity: string;
  readonly mode: string;
  readonly how: Reached;
}

export interface UnreachableRow {
  readonly pattern: string;
  /** Names of the Masks that have it. */
  readonly masks: readonly string[];
  readonly kind: 'nothing' | 'view';
  readonly views: readonly string[];
}

const TEXT: TypeDescription = { kind: 'base', name: 'text', typmod: -1 };
const OF_SYSTEM: ReadonlySet<string> = new Set(['pg_catalog', 'pg_toast', 'information_schema']);

/** Columns of tables and materialized views of users, by name; PostgreSQL's own come with any of them. */
export function maskedColumns(
  labels: MaskedLabels,
  catalog: MaskCatalog,
  masks: SessionMasks,
  typeOf: (label: ColumnLabel) => TypeDescription | undefined,
): readonly MaskedColumnRow[] {
  const rows = labels.columns.flatMap((column): readonly MaskedColumnRow[] => {
    const how = howReached(column, catalog, masks.names);
    if (how !== 'named' && OF_SYSTEM.has(column.schema)) return [];
    const [first, ...more] = masks.of(column.masks) ?? [];
    if (column.column === '*' || first === undefined) return [];
    const { mask, version, operator, entity } = strictest([first, ...more], typeOf(column.label) ?? TEXT);
    const all = [first, ...more];
    return [
      {
        schema: column.schema,
        table: column.table,
        column: column.column,
        mask,
        version,
        masks: all.map((one) => one.mask),
        operator: operator.kind,
        entity,
        mode: modeOf(all),
        how,
      },
    ];
  });
  return rows.toSorted(byName);
}

/** One Mask that stops a use is enough. */
function modeOf([first, ...more]: readonly ColumnMask[]): string {
  const mode = first?.mode ?? 'strict';
  return more.every((one) => one.mode === mode) ? mode : 'strict';
}

export function unreachableRows(
  { unreachable }: MaskedLabels,
  masks: SessionMasks,
): readonly UnreachableRow[] {
  return unreachable.map(({ pattern, kind, views }) => ({
    pattern,
    masks: (masks.of([pattern]) ?? []).map(({ mask }) => mask),
    kind,
    views,
  }));
}

/** Its own name is the first reason: a materialized view may be named, too. */
function howReached(
  { label, masks }: MaskedColumn,
  { subjects, definitions }: MaskCatalog,
  names: readonly string[],
): Reached {
  const [relation = 0, attnum = 0] = label.split('.').map(Number);
  const subject = subjects.get(relation);
  const byOwnName = subject?.named.some(
    (one) => one.attnum === attnum && masks.includes(names[one.pattern] ?? ''),
  );
  if (byOwnName === true) return 'named';
  if (subject?.relkind === 'm') return 'materialized';
  const isMade = definitions.some((one) => one.relation === relation && one.attnum === attnum);
  return isMade ? 'generated' : 'inherits';
}

function byName(one: MaskedColumnRow, other: MaskedColumnRow): number {
  const [a, b] = [one, other].map(({ schema, table, column }) => [schema, table, column].join('\0'));
  return (a ?? '') < (b ?? '') ? -1 : 1;
}
