/** One value of a column that is masked, as its plan says. */

import type { MaskingKeyRing } from '../operators/key-ring.ts';
import { maskValue } from '../operators/mask-value.ts';
import type { Masked, Wire } from '../operators/operator.ts';
import type { MaskPlan } from './column-plan.ts';

const EMPTY = new Uint8Array(0);

/** A NULL that tells of masked values becomes what every other value does. */
export function maskByPlan(
  plan: Pick<MaskPlan, 'operator' | 'entity' | 'type' | 'hidesNull'>,
  value: Uint8Array | null,
  wire: Wire,
  keys: MaskingKeyRing,
): Masked {
  const { operator, entity, type } = plan;
  return maskValue({ operator, entity, type, wire, keys }, value === null && plan.hidesNull ? EMPTY : value);
}
