/**
 * What a statement does with masked columns beside showing them × Masks → what stops it, and what is recorded.
 *
 * Spec: spec/masking.md, section 8.5. Rows, their number, their order and errors tell of what is compared, and
 * what is written elsewhere is shown there. `strict` stops all of that; `permissive` lets it through and records
 * it as `predicate_on_masked`: it promises nothing about what somebody finds out.
 */

import type { ColumnLabel, LabelWrite, Origins, StatementLabels, UseKind } from '../../core/column-labels.ts';
import { MASKING_PLAN_LIMITS } from '../../core/masking-limits.ts';
import type { TypeDescription } from '../operators/operator.ts';
import type { ColumnMask } from './compile-mask.ts';
import type { MaskMode, MaskRef } from './mask.ts';
import { columnName, findLabel, type MaskedColumn, type MaskedLookup } from './masked-lookup.ts';
import { hidesAll, strictest } from './precedence.ts';
import type { SessionMasks } from './session-masks.ts';

/** One thing that tells of a masked column. */
export interface MaskFinding extends MaskRef {
  readonly mode: MaskMode;
  readonly kind: UseKind | 'write' | 'explain' | 'unknown';
  /** `public.customers.email`; undefined where it is about no column that is known. */
  readonly column: string | undefined;
  /** In words: `public.customers.email is compared in a condition`. */
  readonly what: string;
}

export interface MaskVerdict {
  /** Any of them stops the statement. */
  readonly blocked: readonly MaskFinding[];
  /** `predicate_on_masked`: what is let through all the same. */
  readonly recorded: readonly MaskFinding[];
}

/** What the labels of a statement do not say. */
export interface Circumstances {
  /** Columns under a unique, exclusion, foreign key or check constraint, with or without an index of their own. */
  readonly constrained: ReadonlySet<ColumnLabel>;
  /** It is an EXPLAIN: what it shows is made of statistics, and with ANALYZE of rows. */
  readonly explains: boolean;
}

const USES: Readonly<Record<UseKind, string>> = {
  predicate: 'is compared in a condition (WHERE, HAVING, FILTER)',
  join: 'is compared in a join',
  group: 'is in GROUP BY',
  order: 'is in ORDER BY',
  distinct: 'is compared by DISTINCT',
  limit: 'is in LIMIT or OFFSET',
  window: 'is in a window',
  'set-operation': 'is compared by UNION, INTERSECT or EXCEPT',
  'row-set': 'makes rows of a function in FROM',
  choice: 'decides what else is computed (CASE, NULLIF, COALESCE, AND, OR)',
  fallible: 'goes to a function that fails on some values, so that errors tell of it',
  lock: 'is locked by a condition of its own',
  sink: 'goes to a function that keeps it or shows it elsewhere',
  'unknown-sink': 'goes to a function of which nobody knows what it does with it',
  constraint: 'is checked by a constraint: whether the write succeeds tells of it',
};

/** In whatever mode: what is shown or kept elsewhere would be there as it is. */
const SHOWS_OR_KEEPS: ReadonlySet<MaskFinding['kind']> = new Set([
  'sink',
  'unknown-sink',
  'write',
  'unknown',
]);

const TEXT: TypeDescription = { kind: 'base', name: 'text', typmod: -1 };

/** The same for the same arguments; at most as many findings as MASKING_PLAN_LIMITS says, the first ones. */
export function maskVerdict(
  labels: StatementLabels,
  masked: MaskedLookup,
  masks: SessionMasks,
  circumstances: Circumstances,
): MaskVerdict {
  if (masks.columns.length === 0) return { blocked: [], recorded: [] };
  const judge = new Judge(masked, masks);
  for (const { kind, ...origins } of labels.uses) judge.use(kind, origins, USES[kind]);
  for (const write of labels.writes) judge.write(write, circumstances.constrained);
  if (circumstances.explains) {
    const all = [...(labels.outputs ?? []), ...labels.uses, ...labels.writes];
    for (const origins of all)
      judge.use('explain', { ...origins, opaque: undefined }, 'is what EXPLAIN tells of');
  }
  return judge.verdict();
}

/** Gathers findings; lives for one statement. */
class Judge {
  readonly #masked: MaskedLookup;
  readonly #masks: SessionMasks;
  readonly #blocked = new Map<string, MaskFinding>();
  readonly #recorded = new Map<string, MaskFinding>();

  constructor(masked: MaskedLookup, masks: SessionMasks) {
    this.#masked = masked;
    this.#masks = masks;
  }

  use(kind: MaskFinding['kind'], origins: Origins, says: string): void {
    for (const column of this.#columns(origins.labels))
      this.#add(kind, this.#masksOf(column), `${columnName(column)} ${says}`, columnName(column));
    if (origins.opaque !== undefined)
      this.#add(kind, this.#masks.columns, `what ${origins.opaque} may show ${says}`);
  }

  /** What is written into a column that hides as much, or more, stays as hidden as it was. */
  write(write: LabelWrite, constrained: ReadonlySet<ColumnLabel>): void {
    const into = this.#columns(new Set([write.target]));
    const isChecked = constrained.has(write.target);
    const sources = this.#columns(write.labels);
    if (isChecked)
      for (const column of [...into, ...sources])
        this.#add(
          'constraint',
          this.#masksOf(column),
          `${columnName(column)} ${USES.constraint}`,
          columnName(column),
        );
    const target = into.map(columnName).join(', ') || `column ${write.target}`;
    const covering = new Set(into.flatMap((column) => this.#masksOf(column)));
    for (const column of sources) {
      if (this.#masksOf(column).every((mask) => covering.has(mask))) continue;
      this.#add(
        'write',
        this.#masksOf(column),
        `${columnName(column)} is written into ${target}, which is masked less`,
        columnName(column),
      );
    }
    if (write.opaque === undefined || isHidden([...covering])) return;
    this.#add(
      'write',
      this.#masks.columns,
      `what ${write.opaque} may show is written into ${target}, which does not hide it`,
    );
  }

  verdict(): MaskVerdict {
    return { blocked: [...this.#blocked.values()], recorded: [...this.#recorded.values()] };
  }

  /** Masked columns among labels, each once, by name; what is too new to be known is a finding of its own. */
  #columns(labels: ReadonlySet<ColumnLabel>): readonly MaskedColumn[] {
    const columns = new Map<string, MaskedColumn>();
    for (const label of [...labels].toSorted()) {
      const found = findLabel(this.#masked, label);
      if (found.kind === 'system') columns.set(columnName(found.column), found.column);
      if (found.kind === 'masked')
        for (const column of found.columns) columns.set(columnName(column), column);
      if (found.kind === 'unknown') {
        const what = `relation ${found.relation} is newer than what is known of the database`;
        this.#add('unknown', this.#masks.columns, what);
      }
    }
    return [...columns].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, column]) => column);
  }

  /** Those of the column; every one where they are not known, or where it is of the system. */
  #masksOf({ masks }: MaskedColumn): readonly ColumnMask[] {
    return this.#masks.of(masks) ?? this.#masks.columns;
  }

  /** Under the first Mask that stops it, else the first that lets it through. */
  #add(kind: MaskFinding['kind'], masks: readonly ColumnMask[], what: string, column?: string): void {
    const by = masks.find(({ mode }) => mode !== 'permissive') ?? masks[0];
    if (by === undefined) return;
    const found = by.mode === 'permissive' && !SHOWS_OR_KEEPS.has(kind) ? this.#recorded : this.#blocked;
    const key = `${kind} ${what}`;
    if (found.has(key) || found.size >= MASKING_PLAN_LIMITS.findingsMax) return;
    found.set(key, { mask: by.mask, version: by.version, mode: by.mode, kind, column, what });
  }
}

function isHidden([first, ...more]: readonly ColumnMask[]): boolean {
  return first !== undefined && hidesAll(strictest([first, ...more], TEXT));
}
