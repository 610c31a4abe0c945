import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { builtInType } from '../operators/built-in-types.ts';
import { maskValue } from '../operators/mask-value.ts';
import type { Operator, TypeDescription, Wire } from '../operators/operator.ts';
import { recognise } from '../operators/recognise.ts';
import { base, BINARY_WIRE, bytesOf, maskedText, RING, TEXT, TEXT_WIRE } from '../operators/testing-masks.ts';
import { findMaskedLiteral, findMaskedValue, looksStarred } from './written-masks.ts';

const MARKED: readonly Operator[] = [
  { kind: 'token' },
  { kind: 'hash' },
  { kind: 'redact' },
  { kind: 'fake' },
];
const TYPES: readonly TypeDescription[] = [
  TEXT,
  base('varchar', 4 + 30),
  base('int8'),
  base('numeric'),
  base('uuid'),
  base('bytea'),
  builtInType(114),
  builtInType(1009),
  { kind: 'composite', fields: [TEXT, base('int8')] },
];

/** A value of each type, from a number. */
function sample(type: TypeDescription, number: number): string {
  if (type.kind === 'array') return `{a,"b ${number}"}`;
  if (type.kind === 'composite') return `(x${number},${number})`;
  if (type.kind !== 'base') return String(number);
  const hex = number.toString(16).padStart(12, '0');
  switch (type.name) {
    case 'uuid':
      return `3f2504e0-4f89-41d3-9a0c-${hex}`;
    case 'bytea':
      return `\\x${hex}`;
    case 'json':
      return `{"a": ["b ${number}", ${number}]}`;
    default:
      return String(number);
  }
}

describe('what a client writes', () => {
  it('is found to be a mask wherever recognise finds one, and nowhere else', () => {
    const cases = fc.record({
      type: fc.constantFrom(...TYPES),
      operator: fc.constantFrom(...MARKED),
      number: fc.integer({ min: 0, max: 2 ** 39 }),
      isTyped: fc.boolean(),
      isUpper: fc.boolean(),
    });
    let found = 0;
    fc.assert(
      fc.property(cases, ({ type, operator, number, isTyped, isUpper }) => {
        const request = { operator, entity: 'EMAIL', type, wire: TEXT_WIRE, keys: RING };
        const masked = maskValue(request, bytesOf(sample(type, number))).value ?? new Uint8Array(0);
        const text = Buffer.from(masked).toString('latin1');
        const written = isUpper ? bytesOf(text.toUpperCase()) : masked;
        const asked = isTyped ? type : undefined;
        const expected = recognise(RING, asked, written, TEXT_WIRE);
        if (expected !== undefined) found += 1;
        expect(findMaskedValue(RING, asked, written, TEXT_WIRE)).toEqual(expected);
      }),
      { numRuns: 1_000 },
    );
    expect(found).toBeGreaterThan(300);
  });

  it('is found in binary', () => {
    const number = Buffer.alloc(8);
    number.writeBigInt64BE(
      BigInt(maskedText({ operator: { kind: 'token' }, type: base('int8') }, '42') ?? '0'),
    );
    const uuid =
      maskedText({ operator: { kind: 'hash' }, type: base('uuid') }, sample(base('uuid'), 7)) ?? '';
    const cases: readonly (readonly [TypeDescription, Uint8Array])[] = [
      [TEXT, bytesOf(`x ${maskedText({ operator: { kind: 'token' } }, 'a')}`)],
      [base('int8'), number],
      [base('uuid'), Buffer.from(uuid.replaceAll('-', ''), 'hex')],
      [{ kind: 'composite', fields: [base('int8')] }, composite(number)],
    ];
    for (const [type, value] of cases) {
      const typed = findMaskedValue(RING, type, value, BINARY_WIRE);
      expect(typed).toMatchObject({ keyId: 3 });
      const untyped = type.kind === 'base' ? findMaskedValue(RING, undefined, value, BINARY_WIRE) : typed;
      expect(untyped).toEqual(typed);
    }
  });

  it('is no mask where it is anything else', () => {
    for (const text of [
      '',
      'anna@example.com',
      'tok_',
      'hash_abc',
      '[R',
      'a-8b',
      '9223372036854775807',
      '****',
    ]) {
      expect(findMaskedLiteral(RING, text)).toBeUndefined();
    }
    expect(findMaskedValue(RING, TEXT, null, TEXT_WIRE)).toBeUndefined();
    expect(findMaskedLiteral(RING, 'see [REDACTED:EMAIL]')).toEqual({ kind: 'redacted', keyId: undefined });
  });

  it('is not asked about with the keys where its bytes say enough', () => {
    // A text of a megabyte without a mark: recognise takes it apart, a look at its bytes does not.
    const long = bytesOf('a note of nothing, '.repeat(50_000));
    const keys = new Proxy(RING, { get: () => expect.fail('asked') });
    expect(findMaskedValue(keys, TEXT, long, TEXT_WIRE)).toBeUndefined();
  });
});

describe('stars', () => {
  it.each([
    'a***@example.com',
    '************1111',
    '4111 11** **** 1111',
    'DE** **** **** **00',
    '***-**-6789',
    '***',
    '****@*******.***',
  ])('are what mask and partial write: %s', (text) => {
    expect(looksStarred(bytesOf(text))).toBe(true);
  });

  it.each(['', '**', 'a * b * c', '**bold** and more', '*** important', '2*3*4*5', '*'.repeat(321)])(
    'are what people write: %s',
    (text) => {
      expect(looksStarred(bytesOf(text))).toBe(false);
    },
  );

  it('are what mask and partial make of most values', () => {
    const values = ['anna@example.com', '4111111111111111', '+1 415 555 0100', 'Anna Example', '123-45-6789'];
    for (const kind of ['mask', 'partial'] as const) {
      for (const value of values) {
        const wire: Wire = TEXT_WIRE;
        const masked = maskedText({ operator: { kind }, entity: 'ID', wire }, value) ?? '';
        expect([value, looksStarred(bytesOf(masked))]).toEqual([value, true]);
      }
    }
  });
});

/** A composite of one int8, in binary. */
function composite(int8: Uint8Array): Uint8Array {
  const head = Buffer.alloc(12);
  head.writeInt32BE(1);
  head.writeInt32BE(20, 4);
  head.writeInt32BE(8, 8);
  return Buffer.concat([head, int8]);
}
