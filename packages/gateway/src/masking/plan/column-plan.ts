/**
 * What happens to each column of a result: made once for a result, by whoever knows where its values come
 * from, and followed for each row by `masking/rows`.
 */

import type { ColumnStatistics } from '../detect/column-statistics.ts';
import type { Operator, TypeDescription } from '../operators/operator.ts';
import type { MaskRef } from './mask.ts';

export type ColumnPlan =
  /** Goes by as it came. */
  { readonly kind: 'clear' } | ScanPlan | MaskPlan | NullPlan;

/** NULL in every row: nothing of it may be shown, or nobody knows what else may be in it. */
export interface NullPlan {
  readonly kind: 'null';
  /** The name of the Mask that it is for. */
  readonly mask: string | undefined;
  readonly version: number | undefined;
  /** Every Mask that it is for, by name. */
  readonly masks: readonly MaskRef[];
  /** The columns that it is made of, as {@link MaskPlan} has them; empty where nobody knows. */
  readonly column: string;
  readonly reason: string;
}

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
  /** Every Mask that it is for, by name; `mask` is among them. */
  readonly masks: readonly MaskRef[];
  /** For people and leaves: `public.customers.email`; of a value made of several columns, `a.b.c, a.b.d`. */
  readonly column: string;
  /**
   * The value is made of masked ones, so that whether it is NULL tells of them (`nullif(email, 'a')`): NULL has
   * to become what other values do ({@link maskByPlan} in apply-plan.ts).
   */
  readonly hidesNull: boolean;
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
  /** Names of `masking/detect/entities`; `CUSTOM:NAME` is what a Detector finds, `CUSTOM` what several have a part of. */
  readonly entities: ReadonlySet<string>;
  readonly operator: Operator;
}
