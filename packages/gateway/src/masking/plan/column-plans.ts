/**
 * Columns of a result × where their values come from × Masks → what becomes of each column.
 *
 * Spec: spec/masking.md, section 8.4. A masked column that is shown as it is stored has its Mask's operator. What
 * is made of masked columns tells of them in more ways than its own bytes: whether it is NULL, how many elements
 * it has, what the members of its JSON are called. So it becomes a constant where its type has one that hides all
 * that, and NULL everywhere else. Reversible and partial operators are for stored values alone.
 */

import type { ColumnLabel, OutputColumn } from '../../core/column-labels.ts';
import { MASKING_PLAN_LIMITS } from '../../core/masking-limits.ts';
import { contextOfNames } from '../detect/context.ts';
import { CONTEXT } from '../detect/lexicon.ts';
import type { Operator, TypeDescription } from '../operators/operator.ts';
import type { ColumnPlan, NullPlan } from './column-plan.ts';
import type { ColumnMask } from './compile-mask.ts';
import type { MaskRef } from './mask.ts';
import {
  columnName,
  findLabel,
  type FoundLabel,
  type MaskedColumn,
  type MaskedLookup,
} from './masked-lookup.ts';
import { strictest } from './precedence.ts';
import type { SessionMasks } from './session-masks.ts';
import { hasOneConstant, mayHoldText } from './type-kinds.ts';

export interface PlanPorts {
  readonly describe: (oid: number, typmod: number) => TypeDescription;
  /** Names of schema, table and column, for what they say of the values; empty where they are not known. */
  readonly namesOf?: (label: ColumnLabel) => readonly string[];
}

const CLEAR: ColumnPlan = { kind: 'clear' };
const REDACT: Operator = { kind: 'redact' };
/** Of a value that is made of several. */
const ENTITY_OF_SEVERAL = 'COLUMN';

/** One plan for each column, in their order; the same for the same arguments. */
export function columnPlans(
  outputs: readonly OutputColumn[],
  masked: MaskedLookup,
  masks: SessionMasks,
  ports: PlanPorts,
): readonly ColumnPlan[] {
  return outputs.map((output) => {
    const type = ports.describe(output.typeOid, output.typmod);
    const plan = masks.columns.length === 0 ? undefined : byOrigin(output, masked, masks, type);
    return plan ?? byLooks(output, masks, type, ports);
  });
}

function byOrigin(
  output: OutputColumn,
  masked: MaskedLookup,
  masks: SessionMasks,
  type: TypeDescription,
): ColumnPlan | undefined {
  const { opaque, identity } = output;
  if (opaque !== undefined) return nothing([], [], `nobody knows what ${opaque} shows`);
  const labels = new Set([...output.labels, ...(identity === undefined ? [] : [identity])]);
  const found = [...labels].toSorted().map((label) => findLabel(masked, label));
  const hidden = found.map(reasonToHide).find((reason) => reason !== undefined);
  const columns = columnsOf(found);
  if (columns.length === 0 && hidden === undefined) return undefined;
  const reaching = columns.map((column) => masks.of(column.masks));
  const refs = refsOf(reaching.flatMap((one) => one ?? []));
  if (hidden !== undefined) return nothing(columns, refs, hidden);
  const isStored = identity !== undefined && !identity.endsWith('.0') && columns.length === 1;
  const own = isStored && findLabel(masked, identity).kind === 'masked';
  return planOf(columns, reaching, refs, type, own);
}

/** What becomes of a value that is a masked column, or is made of several. */
function planOf(
  columns: readonly MaskedColumn[],
  reaching: readonly (readonly [ColumnMask, ...ColumnMask[]] | undefined)[],
  refs: readonly MaskRef[],
  type: TypeDescription,
  isStored: boolean,
): ColumnPlan {
  // Somebody looked it up for other Masks than those of this session.
  if (reaching.includes(undefined)) return nothing(columns, refs, 'its Mask is not known in this session');
  const [first, ...more] = unique(reaching.flatMap((one) => one ?? []));
  if (first === undefined) return nothing(columns, refs, 'its Mask is not known in this session');
  const choice = strictest([first, ...more], type);
  const common = { mask: choice.mask, version: choice.version, masks: refs, column: namesOf(columns), type };
  if (type.kind === 'unknown') return nothing(columns, refs, 'its type is not known');
  if (isStored) {
    return { ...common, kind: 'mask', operator: choice.operator, entity: choice.entity, hidesNull: false };
  }
  const wantsNull = choice.operator.kind === 'nullify' || choice.operator.kind === 'drop';
  if (wantsNull || !hasOneConstant(type)) return nothing(columns, refs, 'it is made of masked columns');
  const entity = [first, ...more].every((mask) => mask.entity === first.entity)
    ? first.entity
    : ENTITY_OF_SEVERAL;
  return { ...common, kind: 'mask', operator: REDACT, entity, hidesNull: true };
}

function reasonToHide(found: FoundLabel): string | undefined {
  if (found.kind === 'system') return `${columnName(found.column)} shows values of masked columns`;
  return found.kind === 'unknown'
    ? `relation ${found.relation} is newer than what is known of the database`
    : undefined;
}

/** Each masked column once, by name. */
function columnsOf(found: readonly FoundLabel[]): readonly MaskedColumn[] {
  const byName = new Map<string, MaskedColumn>();
  for (const one of found) {
    const columns = one.kind === 'masked' ? one.columns : [];
    for (const column of columns) byName.set(columnName(column), column);
  }
  return [...byName].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, column]) => column);
}

function unique(masks: readonly ColumnMask[]): readonly ColumnMask[] {
  return [...new Set(masks)].toSorted((one, other) => (one.mask < other.mask ? -1 : 1));
}

function refsOf(masks: readonly ColumnMask[]): readonly MaskRef[] {
  return unique(masks).map(({ mask, version }) => ({ mask, version }));
}

function namesOf(columns: readonly MaskedColumn[]): string {
  const { columnsNamedMax } = MASKING_PLAN_LIMITS;
  const names = columns.slice(0, columnsNamedMax).map(columnName).join(', ');
  const left = columns.length - columnsNamedMax;
  return left > 0 ? `${names} and ${left} more` : names;
}

function nothing(columns: readonly MaskedColumn[], masks: readonly MaskRef[], reason: string): NullPlan {
  const [first] = masks;
  return {
    kind: 'null',
    mask: first?.mask,
    version: first?.version,
    masks,
    column: namesOf(columns),
    reason,
  };
}

function byLooks(
  { name, identity }: OutputColumn,
  { detecting }: SessionMasks,
  type: TypeDescription,
  ports: PlanPorts,
): ColumnPlan {
  if (detecting.length === 0 || !mayHoldText(type)) return CLEAR;
  const names = identity === undefined ? [] : (ports.namesOf?.(identity) ?? []);
  // A client gives its results names as it likes: they may add to belief, and never take it away.
  const context = (contextOfNames(name) & ~CONTEXT.REFERENCE) | contextOfNames(...names);
  const column = names.length === 0 ? name : names.join('.');
  return { kind: 'scan', type, hints: { context, statistics: undefined }, masks: detecting, column };
}
