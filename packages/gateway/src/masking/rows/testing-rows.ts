/** Rows, plans and maskers for tests. */

import type { Scanner } from '../detect/scanner.ts';
import { Scanner as RealScanner } from '../detect/scanner.ts';
import { contextOfNames } from '../detect/context.ts';
import { RING, TEXT, TEXT_WIRE } from '../operators/testing-masks.ts';
import type { Operator, TypeDescription, Wire } from '../operators/operator.ts';
import type { ColumnPlan, DetectMask } from '../plan/column-plan.ts';
import { MaskCounts } from './mask-counts.ts';
import { MaskMemory } from './mask-memory.ts';
import { RowMasker } from './row-masker.ts';

export const CLEAR: ColumnPlan = { kind: 'clear' };
const MASKS = [{ mask: 'customers', version: 3 }];
export const WITHHELD: ColumnPlan = {
  kind: 'null',
  mask: 'customers',
  version: 3,
  masks: MASKS,
  column: '',
  reason: 'function 16420',
};

export function maskPlan(operator: Operator, type: TypeDescription = TEXT, entity = 'EMAIL'): ColumnPlan {
  return {
    kind: 'mask',
    operator,
    entity,
    type,
    mask: 'customers',
    version: 3,
    masks: MASKS,
    column: 'public.customers.email',
    hidesNull: false,
  };
}

const ENTITIES: readonly string[] = [
  'EMAIL',
  'CREDIT_CARD',
  'IBAN',
  'PHONE',
  'US_SSN',
  'IPV4',
  'SECRET',
  'DATE_OF_BIRTH',
  'CUSTOM',
];

export function detect(
  operator: Operator = { kind: 'redact' },
  entities: readonly string[] = ENTITIES,
): DetectMask {
  return { mask: 'personal', version: 1, entities: new Set(entities), operator };
}

export function scanPlan(
  type: TypeDescription = TEXT,
  name = 'note',
  masks: readonly DetectMask[] = [detect()],
): ColumnPlan {
  const hints = { context: contextOfNames(name), statistics: undefined };
  return { kind: 'scan', type, hints, masks, column: `public.orders.${name}` };
}

export interface TestingOptions {
  readonly formats?: readonly number[];
  readonly wire?: Wire;
  readonly scanner?: Scanner;
  readonly memory?: MaskMemory;
  readonly counts?: MaskCounts;
}

export function masker(plans: readonly ColumnPlan[], options: TestingOptions = {}): RowMasker {
  return new RowMasker({
    plans,
    resultFormats: options.formats ?? [],
    settings: options.wire ?? TEXT_WIRE,
    keys: RING,
    scanner: options.scanner ?? new RealScanner(),
    memory: options.memory ?? new MaskMemory(),
    counts: options.counts ?? new MaskCounts(),
  });
}

/** The body of a DataRow. */
export function row(...values: readonly (string | Uint8Array | null)[]): Uint8Array {
  const parts = values.map((value) => {
    const bytes = typeof value === 'string' ? Buffer.from(value) : value;
    const length = Buffer.alloc(4);
    length.writeInt32BE(bytes === null ? -1 : bytes.length);
    return Buffer.concat([length, bytes ?? Buffer.alloc(0)]);
  });
  const count = Buffer.alloc(2);
  count.writeUInt16BE(values.length);
  return new Uint8Array(Buffer.concat([count, ...parts]));
}

/** The values of a DataRow; reads it in a way of its own, and refuses what is left over. */
export function bytesIn(body: Uint8Array): readonly (Buffer | null)[] {
  const bytes = Buffer.from(body);
  let at = 2;
  const values = Array.from({ length: bytes.readUInt16BE(0) }, () => {
    const length = bytes.readInt32BE(at);
    at += 4 + Math.max(0, length);
    return length === -1 ? null : bytes.subarray(at - length, at);
  });
  if (at !== bytes.length) throw new Error(`expected a row of ${bytes.length} bytes, got one of ${at}`);
  return values;
}

/** Its values as text. */
export function valuesIn(body: Uint8Array): readonly (string | null)[] {
  return bytesIn(body).map((value) => value?.toString('utf8') ?? null);
}
