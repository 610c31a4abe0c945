/**
 * What the values of one column look like, and which of it a detecting Mask would mask: they go through what masks
 * the rows of a session (masking/rows), twice, and what comes out is counted and thrown away.
 */

import { Secret } from '../core/secret.ts';
import { ColumnStatistics } from '../masking/detect/column-statistics.ts';
import { contextOfNames } from '../masking/detect/context.ts';
import { entityNames } from '../masking/detect/entities.ts';
import { Scanner } from '../masking/detect/scanner.ts';
import { MaskingKeyRing } from '../masking/operators/key-ring.ts';
import type { TypeDescription, Wire } from '../masking/operators/operator.ts';
import type { SessionMasks } from '../masking/plan/session-masks.ts';
import type { DetectMask } from '../masking/plan/column-plan.ts';
import { mayHoldText } from '../masking/plan/type-kinds.ts';
import { columnMasker, type ColumnMasker } from '../masking/rows/column-masker.ts';
import { MaskCounts } from '../masking/rows/mask-counts.ts';
import { MaskMemory } from '../masking/rows/mask-memory.ts';
import type { TableColumn } from './all-columns.ts';

export interface FoundEntity {
  readonly entity: string;
  /** Values in which there is one. */
  readonly values: number;
  /** Of these, values in which a detecting Mask would mask it. */
  readonly covered: number;
  /** Names of those Masks. */
  readonly masks: readonly string[];
}

const WIRE: Wire = {
  format: 'text',
  clientEncoding: 'UTF8',
  dateStyle: 'ISO, MDY',
  intervalStyle: 'postgres',
};
const SECRET_BYTES = 32;

/** Values of many columns, one after the other. */
export class FoundValues {
  readonly #scanner: Scanner;
  /** `redact` needs no key; a ring has one all the same. */
  readonly #keys = new MaskingKeyRing({ id: 0, secret: new Secret(new Uint8Array(SECRET_BYTES)) });
  readonly #everything: DetectMask;
  readonly #detecting: readonly DetectMask[];

  /** Without Masks, what the scanner itself finds. */
  constructor({ detecting, rules }: Pick<SessionMasks, 'detecting' | 'rules'>) {
    this.#scanner = new Scanner(rules === undefined ? {} : { rules });
    const sought = detecting.flatMap(({ entities }) => [...entities]);
    this.#everything = {
      mask: '',
      version: 0,
      entities: new Set([...entityNames(), ...sought]),
      operator: { kind: 'redact' },
    };
    // Whatever a Mask makes of it, here it is only counted.
    this.#detecting = detecting.map((one) => ({ ...one, operator: { kind: 'redact' } }));
  }

  /** @param values that are not NULL; untrusted */
  of(column: TableColumn, type: TypeDescription, values: readonly Uint8Array[]): readonly FoundEntity[] {
    const found = new Map<string, { values: number; covered: number; masks: Set<string> }>();
    const named = contextOfNames(column.table, column.column);
    const all = new Counted(this.#masker(type, values, named, [this.#everything]));
    // A session knows the name that a result gives the column, and nothing of its table.
    const covering = mayHoldText(type) ? this.#detecting : [];
    const shown = new Counted(this.#masker(type, values, contextOfNames(column.column), covering));
    for (const value of values) {
      const masked = shown.of(value);
      for (const [entity] of all.of(value)) {
        const known = found.get(entity) ?? { values: 0, covered: 0, masks: new Set() };
        found.set(entity, known);
        known.values += 1;
        const masks = masked.get(entity);
        if (masks === undefined) continue;
        known.covered += 1;
        for (const mask of masks) known.masks.add(mask);
      }
    }
    return [...found]
      .map(([entity, { masks, ...counts }]) => ({ entity, ...counts, masks: [...masks].toSorted() }))
      .toSorted((one, other) => other.values - one.values || (one.entity < other.entity ? -1 : 1));
  }

  #masker(
    type: TypeDescription,
    values: readonly Uint8Array[],
    context: number,
    masks: readonly DetectMask[],
  ): Masking {
    const counts = new MaskCounts();
    const statistics = statisticsOf(type, values);
    const plan = { kind: 'scan', type, hints: { context, statistics }, masks, column: '' } as const;
    const tools = { keys: this.#keys, scanner: this.#scanner, memory: new MaskMemory(), counts };
    return { masker: columnMasker(plan, 0, WIRE, tools), counts };
  }
}

interface Masking {
  readonly masker: ColumnMasker | undefined;
  readonly counts: MaskCounts;
}

/** What was masked in each value: entity → Masks. */
class Counted {
  readonly #masker: ColumnMasker | undefined;
  readonly #counts: MaskCounts;
  readonly #before = new Map<string, number>();

  constructor({ masker, counts }: Masking) {
    this.#masker = masker;
    this.#counts = counts;
  }

  of(value: Uint8Array): ReadonlyMap<string, readonly string[]> {
    const found = new Map<string, readonly string[]>();
    this.#masker?.mask(value, 0, value.length);
    for (const { mask = '', entity, values } of this.#counts.list()) {
      const key = JSON.stringify([mask, entity]);
      if (values === (this.#before.get(key) ?? 0)) continue;
      this.#before.set(key, values);
      found.set(entity, [...(found.get(entity) ?? []), mask]);
    }
    return found;
  }
}

/** Of a whole sample, so that its first values are looked at as its last ones are. */
function statisticsOf(type: TypeDescription, values: readonly Uint8Array[]): ColumnStatistics | undefined {
  if (type.kind !== 'base' && type.kind !== 'domain') return undefined;
  const statistics = new ColumnStatistics();
  for (const value of values) statistics.take(value);
  return statistics;
}
