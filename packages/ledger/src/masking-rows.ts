/**
 * What masks did, added up: spec/evidence.md, section 3, `masking-summary` and `pii-flows`; and which statements
 * they stopped, `masking-blocked`.
 *
 * Values are never here: leaves have counts. State grows with the different columns that were masked, up to a
 * bound. Untrusted: bodies.
 */

import type { Row } from './csv.ts';
import { isObject, type Json, jcs } from './jcs.ts';
import type { Leaf } from './leaf.ts';

type Values = Readonly<Record<string, Json>>;

/** Rows of one list; whoever names columns of results by `as` makes as many as they like, which are then `*`. */
const ROWS_MAX = { 'masking-summary': 10_000, 'pii-flows': 50_000 } as const;
/** In place of what a row beyond the bound is about. */
const OTHERS = '*';

export type MaskingList = keyof typeof ROWS_MAX;

/** One entry of `masked`, `masks`, `masks_exempt` or `predicate_on_masked`. */
export interface MaskEntry {
  readonly mask: string;
  readonly version: number | undefined;
  readonly column: string | undefined;
  readonly entity: string | undefined;
  readonly operator: string | undefined;
  readonly use: string | undefined;
  readonly values: number;
}

interface Tally {
  readonly row: Row;
  readonly first: Leaf;
  last: Leaf;
  actorName: Json | undefined;
  statements: number;
  values: number;
  columns: number;
}

interface Amount {
  readonly values?: number;
  readonly columns?: number;
}

/** The owner of the sums of one period. */
export class MaskingRows {
  readonly #tallies: Readonly<Record<MaskingList, Map<string, Tally>>> = {
    'masking-summary': new Map(),
    'pii-flows': new Map(),
  };

  /**
   * Takes a leaf of the period.
   *
   * @param actorName the name of whose session it is, where the package has it
   */
  push(leaf: Leaf, values: Values, actorName: Json | undefined): void {
    switch (leaf.type) {
      case 'statement.intent':
      case 'http.intent':
        this.#flowsOfIntent(leaf, values, actorName);
        return;
      case 'statement.outcome':
      case 'http.outcome':
        this.#outcome(leaf, values, actorName);
        return;
      case 'mask.reveal': {
        const what = { mask: textOf(values, 'rule'), column: textOf(values, 'column') };
        this.#flow(leaf, actorName, 'revealed', what, { values: countOf(values, 'count') });
        return;
      }
      default:
        return;
    }
  }

  /** After the last leaf. */
  *rest(): Generator<{ readonly list: MaskingList; readonly row: Row }> {
    for (const list of ['masking-summary', 'pii-flows'] as const) {
      for (const tally of this.#tallies[list].values()) yield { list, row: rowOf(tally) };
      this.#tallies[list].clear();
    }
  }

  #flowsOfIntent(leaf: Leaf, values: Values, actorName: Json | undefined): void {
    for (const entry of distinct(maskEntries(values, 'masks_exempt'))) {
      this.#flow(leaf, actorName, 'exempt', { mask: entry.mask }, {});
    }
    for (const { mask, column, use } of distinct(maskEntries(values, 'predicate_on_masked'))) {
      this.#flow(leaf, actorName, 'predicate', { mask, column, use }, {});
    }
  }

  #outcome(leaf: Leaf, values: Values, actorName: Json | undefined): void {
    const { target } = leaf;
    for (const entry of distinct(maskEntries(values, 'masked'))) {
      const { mask, version, column, entity, operator, values: count } = entry;
      const summary = { what: 'values', target, mask, mask_version: version, column, entity, operator };
      this.#add('masking-summary', summary, leaf, actorName, { values: count });
      this.#flow(leaf, actorName, 'masked', { mask, column, entity }, { values: count });
    }
    const sums = [
      ['further-values', 'masked_more', 'values'],
      ['columns-withheld', 'masked_whole', 'columns'],
      ['messages', 'masked_in_errors', 'values'],
    ] as const;
    for (const [what, field, unit] of sums) {
      const count = countOf(values, field);
      if (count > 0) this.#add('masking-summary', { what, target }, leaf, actorName, { [unit]: count });
    }
  }

  #flow(leaf: Leaf, actorName: Json | undefined, flow: string, about: Row, amount: Amount): void {
    const { actor, kind, target } = leaf;
    const row = { flow, actor_id: actor, actor_type: kind, target, ...about };
    this.#add('pii-flows', row, leaf, actorName, amount);
  }

  #add(list: MaskingList, row: Row, leaf: Leaf, actorName: Json | undefined, amount: Amount): void {
    const tallies = this.#tallies[list];
    const isNew = !tallies.has(keyOf(row));
    const shown = isNew && tallies.size >= ROWS_MAX[list] ? withoutNames(row) : row;
    const key = keyOf(shown);
    const tally = tallies.get(key) ?? {
      row: shown,
      first: leaf,
      last: leaf,
      actorName,
      statements: 0,
      values: 0,
      columns: 0,
    };
    // Two entries of one leaf may share the row of the others.
    if (tally.statements === 0 || tally.last !== leaf) tally.statements += 1;
    tally.last = leaf;
    tally.actorName ??= actorName;
    tally.values = added(tally.values, amount.values);
    tally.columns = added(tally.columns, amount.columns);
    tallies.set(key, tally);
  }
}

/** Whether a Mask is what blocked it: a rule of its verdict is one of the masks of its session. */
export function isBlockedByMask(leaf: Leaf, values: Values): boolean {
  if (leaf.decision !== 'block') return false;
  const masks = new Set(maskEntries(values, 'masks').map(({ mask, version }) => jcs([mask, version ?? 0])));
  return listOf(values, 'rules').some((rule) => {
    if (!isObject(rule) || rule['verdict'] !== 'block') return false;
    const { rule: name, version } = rule;
    return typeof name === 'string' && masks.has(jcs([name, typeof version === 'number' ? version : 0]));
  });
}

/** The entries of a field, as far as they are what spec/events.md says. */
export function maskEntries(values: Values, field: string): readonly MaskEntry[] {
  return listOf(values, field).flatMap((entry) => {
    if (!isObject(entry)) return [];
    const mask = textOf(entry, 'mask');
    if (mask === undefined) return [];
    const version = Object.hasOwn(entry, 'version') ? entry['version'] : undefined;
    return [
      {
        mask,
        version: typeof version === 'number' ? version : undefined,
        column: textOf(entry, 'column'),
        entity: textOf(entry, 'entity'),
        operator: textOf(entry, 'operator'),
        use: textOf(entry, 'use'),
        values: countOf(entry, 'values'),
      },
    ];
  });
}

/** Entries that differ in nothing but their count are one. */
function distinct(entries: readonly MaskEntry[]): readonly MaskEntry[] {
  const found = new Map<string, MaskEntry>();
  for (const entry of entries) {
    const key = keyOf({ ...entry, values: undefined });
    const before = found.get(key);
    found.set(key, before === undefined ? entry : { ...entry, values: added(before.values, entry.values) });
  }
  return [...found.values()];
}

function rowOf({ row, first, last, actorName, statements, values, columns }: Tally): Row {
  const isFlow = row['flow'] !== undefined;
  return {
    ...row,
    ...(isFlow ? { actor_name: actorName } : {}),
    statements,
    values: isCounted(row) ? values : undefined,
    ...(isFlow ? {} : { columns: row['what'] === 'columns-withheld' ? columns : undefined }),
    first_leaf_index: first.n,
    last_leaf_index: last.n,
    first_time_utc: first.t,
    last_time_utc: last.t,
  };
}

/** Of an exemption and of a condition leaves have no number of values. */
function isCounted({ flow, what }: Row): boolean {
  return flow !== 'exempt' && flow !== 'predicate' && what !== 'columns-withheld';
}

function withoutNames(row: Row): Row {
  const names = ['column', 'entity', 'operator', 'use'];
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      names.includes(name) && value !== undefined ? OTHERS : value,
    ]),
  );
}

function keyOf(row: Row): string {
  return jcs(Object.values(row).map((value) => value ?? null));
}

function added(sum: number, more: number | undefined): number {
  return Math.min(sum + (more ?? 0), Number.MAX_SAFE_INTEGER);
}

function listOf(values: Values, field: string): readonly Json[] {
  const value = Object.hasOwn(values, field) ? values[field] : undefined;
  return Array.isArray(value) ? value : [];
}

function textOf(values: Values, field: string): string | undefined {
  const value = Object.hasOwn(values, field) ? values[field] : undefined;
  return typeof value === 'string' ? value : undefined;
}

function countOf(values: Values, field: string): number {
  const value = Object.hasOwn(values, field) ? values[field] : undefined;
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : 0;
}
