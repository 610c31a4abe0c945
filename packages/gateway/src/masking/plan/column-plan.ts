/**
 * What happens to each column of a result: made once for a result, by whoever knows where its values come
 * from, and followed for each row by `masking/rows`.
 */

import type { ColumnStatistics } from '../detect/column-statistics.ts';
import type { Operator, TypeDescription } from '../operators/operator.ts';

export type ColumnPlan =
  /** Goes by as it came. */
  | { readonly kind: 'clear' }
  | ScanPlan
  | MaskPlan
  /** NULL in every row: nobody knows what else may be in it. `mask`: the name of the Mask that it is for. */
  | { readonly kind: 'null'; readonly mask: string | undefined; readonly reason: string };

/** Every value becomes what the operator makes of it. */
export interface MaskPlan {
  readonly kind: 'mask';
  readonly operator: Operator;
  /** What the values are, in capitals: `EMAIL`. */
  readonly entity: string;
  readonly type: TypeDescription;
  /** The Mask, and its version. */
  readonly mask: string;
  readonly version: number;
  /** For people and leaves: `public.customers.email`. */
  readonly column: string;
}

/** Values are looked through, and what is found in them is masked. */
export interface ScanPlan {
  readonly kind: 'scan';
  readonly type: TypeDescription;
  readonly hints: ScanHints;
  /** The first that looks for an entity masks it. */
  readonly masks: readonly DetectMask[];
  readonly column: string;
}

export interface ScanHints {
  /** Bits of `CONTEXT` by the names of table and column: `contextOfNames`. */
  readonly context: number;
  /** Of the column in results before this one; undefined where there is nothing to go on from. */
  readonly statistics: ColumnStatistics | undefined;
}

/** A Mask that goes by what values look like. */
export interface DetectMask {
  readonly mask: string;
  readonly version: number;
  /** Names of `masking/detect/entities`; `CUSTOM` stands for every rule of the installation. */
  readonly entities: ReadonlySet<string>;
  readonly operator: Operator;
}
