/** The plan of one column, made ready to be followed for one value after another. */

import { constantOf, TEXT_TYPES } from '../operators/constants.ts';
import type { MaskingKeyRing } from '../operators/key-ring.ts';
import { maskValue } from '../operators/mask-value.ts';
import type { MaskRequest, Wire } from '../operators/operator.ts';
import { checkEntity } from '../operators/parse-operator.ts';
import type { Scanner } from '../detect/scanner.ts';
import { maskByPlan } from '../plan/apply-plan.ts';
import type { ColumnPlan, MaskPlan } from '../plan/column-plan.ts';
import type { MaskCounts, Tally } from './mask-counts.ts';
import type { MaskMemory } from './mask-memory.ts';
import { ScannedColumn } from './scanned-column.ts';

/** What becomes of a value that is not NULL: bytes, null for NULL, undefined where it stays. */
export interface ColumnMasker {
  /** What becomes of NULL, where whether a value is NULL tells of masked ones; undefined where it stays. */
  readonly ofNull?: Uint8Array | null | undefined;
  mask(bytes: Uint8Array, from: number, to: number): Uint8Array | null | undefined;
}

/** What columns of one session share. */
export interface MaskingTools {
  readonly keys: MaskingKeyRing;
  readonly scanner: Scanner;
  readonly memory: MaskMemory;
  readonly counts: MaskCounts;
}

/** @returns undefined for a column that goes by as it came */
export function columnMasker(
  plan: ColumnPlan,
  index: number,
  wire: Wire,
  tools: MaskingTools,
): ColumnMasker | undefined {
  switch (plan.kind) {
    case 'clear':
      return undefined;
    case 'mask':
      return new MaskedColumn(plan, wire, tools);
    case 'scan':
      return plan.masks.length === 0 ? undefined : new ScannedColumn(plan, wire, tools);
    case 'null':
      return new ConstantColumn(
        null,
        tools.counts.tally({
          mask: plan.mask,
          version: plan.version,
          column: plan.column === '' ? `#${index + 1}` : plan.column,
          entity: '*',
          operator: 'nullify',
        }),
      );
    default:
      return plan satisfies never;
  }
}

/** Every value becomes the same one. */
class ConstantColumn implements ColumnMasker {
  readonly #constant: Uint8Array | null;
  readonly #tally: Tally;

  constructor(constant: Uint8Array | null, tally: Tally) {
    this.#constant = constant;
    this.#tally = tally;
  }

  mask(): Uint8Array | null {
    this.#tally.values += 1;
    return this.#constant;
  }
}

class MaskedColumn implements ColumnMasker {
  readonly #request: MaskRequest;
  readonly #memory: MaskMemory;
  readonly #scope: number | undefined;
  readonly #tally: Tally;
  /** Where the mask does not depend on the value. */
  readonly #constant: Uint8Array | null | undefined;
  readonly ofNull: Uint8Array | null | undefined;

  constructor(plan: MaskPlan, wire: Wire, { keys, memory, counts }: MaskingTools) {
    const { operator, entity, type, mask, version, column } = plan;
    checkEntity(entity);
    this.#request = { operator, entity, type, wire, keys };
    this.#memory = memory;
    this.#scope = memory.scope(this.#request);
    this.#tally = counts.tally({ mask, version, column, entity, operator: operator.kind });
    this.#constant = constantMask(this.#request);
    this.ofNull = plan.hidesNull ? maskByPlan(plan, null, wire, keys).value : undefined;
  }

  mask(bytes: Uint8Array, from: number, to: number): Uint8Array | null {
    this.#tally.values += 1;
    if (this.#constant !== undefined) return this.#constant;
    const value = bytes.subarray(from, to);
    if (this.#scope === undefined) return maskValue(this.#request, value).value;
    return this.#memory.maskOf(this.#scope, value, () => maskValue(this.#request, value).value);
  }
}

/** What `maskValue` gives whatever the value is; undefined where it depends on it. */
function constantMask({ operator, entity, type, wire }: MaskRequest): Uint8Array | null | undefined {
  if (operator.kind === 'nullify' || type.kind === 'unknown') return null;
  const isText = type.kind === 'base' && TEXT_TYPES.has(type.name);
  if (!isText || operator.kind !== 'redact') return undefined;
  return constantOf(type, wire, entity, new Uint8Array(0)) ?? null;
}
