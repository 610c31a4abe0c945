/** Keys and wires for tests of masks. */

import { Secret } from '../../core/secret.ts';
import { type MaskingKey, MaskingKeyRing } from './key-ring.ts';
import { maskValue } from './mask-value.ts';
import type { Masked, Operator, TypeDescription, Wire } from './operator.ts';

/** The same key for the same id, each time. */
export function testingKey(id: number): MaskingKey {
  return {
    id,
    secret: new Secret(Uint8Array.from({ length: 32 }, (_, index) => (index * 7 + id * 31) & 0xff)),
  };
}

export const RING: MaskingKeyRing = new MaskingKeyRing(testingKey(3), [testingKey(2), testingKey(1)]);

export const TEXT_WIRE: Wire = {
  format: 'text',
  clientEncoding: 'UTF8',
  dateStyle: 'ISO, MDY',
  intervalStyle: 'postgres',
};
export const BINARY_WIRE: Wire = { ...TEXT_WIRE, format: 'binary' };

export const TEXT: TypeDescription & { kind: 'base' } = base('text');

/** A type that every database has. */
export function base(name: string, typmod = -1): TypeDescription & { kind: 'base' } {
  return { kind: 'base', name, typmod };
}

export const ALL_OPERATORS: readonly Operator[] = [
  { kind: 'redact' },
  { kind: 'mask' },
  { kind: 'partial' },
  { kind: 'hash' },
  { kind: 'token' },
  { kind: 'fpe' },
  { kind: 'generalise' },
  { kind: 'nullify' },
  { kind: 'fake' },
  { kind: 'drop' },
];

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function textOf(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : new TextDecoder('utf-8', { fatal: true }).decode(bytes);
}

export interface TextMask {
  readonly operator: Operator;
  readonly type?: TypeDescription;
  readonly entity?: string;
  readonly wire?: Wire;
  readonly keys?: MaskingKeyRing;
}

/** Masks a value in text form. */
export function masked({ operator, type, entity, wire, keys }: TextMask, text: string): Masked {
  const request = {
    operator,
    entity: entity ?? 'EMAIL',
    type: type ?? TEXT,
    wire: wire ?? TEXT_WIRE,
    keys: keys ?? RING,
  };
  return maskValue(request, bytesOf(text));
}

/** What it is afterwards, as text. */
export function maskedText(mask: TextMask, text: string): string | null {
  return textOf(masked(mask, text).value);
}
