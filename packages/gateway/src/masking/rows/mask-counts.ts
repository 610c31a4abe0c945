/** How many values were masked, by which Mask, where and how: what the leaf of an outcome says. */

import { ROW_MASK_LIMITS } from '../../core/masking-limits.ts';
import type { Operator } from '../operators/operator.ts';

/** Of a result that nobody could tell apart, `column` and `entity` are `*`. */
export interface MaskedCount {
  /** Undefined where a column was withheld for no Mask of its own. */
  readonly mask: string | undefined;
  readonly version: number | undefined;
  readonly column: string;
  readonly entity: string;
  /** `pseudonym`: of a text for a reranker. */
  readonly operator: Operator['kind'] | 'pseudonym' | '*';
  /** Values that are not NULL; parts of a text that were found in it count one each. */
  readonly values: number;
}

type Key = Omit<MaskedCount, 'values'>;

/** One line of the counts; whoever has it adds to it for each value. */
export interface Tally {
  values: number;
}

/** Counts of one operation; its results share them. Owned by whoever runs the operation. */
export class MaskCounts {
  readonly #rows = new Map<string, Key & Tally>();

  /** The line for this; where there are too many, the line of its Mask for everything else. */
  tally(key: Key): Tally {
    const known = this.#rows.get(nameOf(key));
    if (known !== undefined) return known;
    const isRoom = this.#rows.size < ROW_MASK_LIMITS.countsMax;
    return this.#add(isRoom ? key : { ...key, column: '*', entity: '*', operator: '*' });
  }

  /** What was masked, in the order in which it was first seen. */
  list(): readonly MaskedCount[] {
    return [...this.#rows.values()].filter(({ values }) => values > 0).map((row) => ({ ...row }));
  }

  #add(key: Key): Tally {
    const name = nameOf(key);
    const row = this.#rows.get(name) ?? { ...key, values: 0 };
    this.#rows.set(name, row);
    return row;
  }
}

function nameOf({ mask, version, column, entity, operator }: Key): string {
  return JSON.stringify([mask, version, column, entity, operator]);
}
