import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { builtInType } from '../operators/built-in-types.ts';
import { maskValue } from '../operators/mask-value.ts';
import type { Operator, TypeDescription } from '../operators/operator.ts';
import { ALL_OPERATORS, BINARY_WIRE, RING } from '../operators/testing-masks.ts';
import { type Choice, rankOf, strictest } from './precedence.ts';

const TEXT = builtInType(25);
const INT4 = builtInType(23);
const INT8 = builtInType(20);
const JSONB = builtInType(3802);
const TYPES: readonly TypeDescription[] = [
  TEXT,
  INT4,
  INT8,
  JSONB,
  builtInType(1007),
  builtInType(2950),
  builtInType(3904),
  { kind: 'composite', fields: [TEXT, INT4] },
  { kind: 'domain', base: TEXT },
  { kind: 'enum', labels: ['a'] },
];

function choice(mask: string, operator: Operator, entity = 'EMAIL'): Choice {
  return { mask, version: 1, operator, entity };
}

function best(type: TypeDescription, ...operators: readonly [Operator, ...Operator[]]): Operator {
  const [first, ...more] = operators;
  const rest = more.map((operator, index) => choice(`m${index + 1}`, operator));
  return strictest([choice('m0', first), ...rest], type).operator;
}

/** At least one choice; names are of whoever made them. */
const choices = fc
  .array(
    fc.tuple(
      fc.constantFrom<Operator>(
        ...ALL_OPERATORS,
        { kind: 'partial', keepLast: 2 },
        { kind: 'partial', keepFirst: 1, keepLast: 4 },
        { kind: 'generalise', width: 100 },
        { kind: 'fpe', luhn: true },
      ),
      fc.constantFrom('EMAIL', 'COLUMN', 'PHONE'),
    ),
    { minLength: 1, maxLength: 6 },
  )
  .map((list) => list.map(([operator, entity], index) => choice(`m${index}`, operator, entity)));

function strictestOf(list: readonly Choice[], type: TypeDescription): Choice {
  const [first, ...more] = list;
  if (first === undefined) throw new Error('no choice');
  return strictest([first, ...more], type);
}

describe('strictest', () => {
  it('follows the order of operators for a text', () => {
    const order = ['partial', 'generalise', 'token', 'hash', 'mask', 'redact', 'nullify', 'drop'] as const;
    for (const [at, kind] of order.entries()) {
      for (const weaker of order.slice(0, at)) {
        expect(best(TEXT, { kind }, { kind: weaker }).kind).toBe(kind);
        expect(best(TEXT, { kind: weaker }, { kind }).kind).toBe(kind);
      }
    }
  });

  it('goes by what an operator does to the type', () => {
    // Of an integer partial leaves nothing, and a token can be had back.
    expect(best(INT4, { kind: 'partial' }, { kind: 'token' }).kind).toBe('partial');
    expect(best(INT4, { kind: 'hash' }, { kind: 'token' }).kind).toBe('hash');
    expect(best(INT8, { kind: 'hash' }, { kind: 'token' }).kind).toBe('hash');
    expect(best(INT8, { kind: 'mask' }, { kind: 'hash' }).kind).toBe('mask');
    expect(
      strictest([choice('a', { kind: 'fake' }, 'GEO'), choice('b', { kind: 'hash' }, 'GEO')], TEXT).mask,
    ).toBe('a');
  });

  it('leaves fewer characters than either of two that leave some', () => {
    expect(
      best(TEXT, { kind: 'partial', keepFirst: 2, keepLast: 1 }, { kind: 'partial', keepLast: 4 }),
    ).toEqual({
      kind: 'partial',
      keepFirst: 0,
      keepLast: 1,
    });
    expect(best(TEXT, { kind: 'partial' }, { kind: 'partial', keepLast: 4 }).kind).toBe('redact');
  });

  it('redacts where two are alike and not the same', () => {
    expect(best(TEXT, { kind: 'token' }, { kind: 'fpe' }).kind).toBe('redact');
    expect(best(TEXT, { kind: 'hash' }, { kind: 'hash' }).kind).toBe('hash');
    const hashes = [choice('a', { kind: 'hash' }, 'EMAIL'), choice('b', { kind: 'hash' }, 'PHONE')] as const;
    expect(strictest([...hashes], TEXT).operator.kind).toBe('redact');
    // A third that is stricter than both does not bring back what they were redacted for.
    expect(strictest([...hashes, choice('c', { kind: 'mask' })], TEXT).operator.kind).toBe('redact');
    const masks = [choice('a', { kind: 'mask' }, 'EMAIL'), choice('b', { kind: 'mask' }, 'PHONE')] as const;
    expect(strictest([...masks], TEXT).operator.kind).toBe('mask');
  });

  it('redacts what has leaves of several types where two do not say the same', () => {
    expect(best(JSONB, { kind: 'partial' }, { kind: 'hash' }).kind).toBe('redact');
    expect(best(JSONB, { kind: 'hash' }, { kind: 'hash' }).kind).toBe('hash');
    // Of JSON drop leaves what the leaves were in.
    expect(best(JSONB, { kind: 'drop' }, { kind: 'nullify' }).kind).toBe('nullify');
    expect(best(JSONB, { kind: 'drop' }, { kind: 'redact' }).kind).toBe('drop');
    expect(best(TEXT, { kind: 'drop' }, { kind: 'nullify' }).kind).toBe('drop');
  });

  it('never shows more because there is another Mask', () => {
    fc.assert(
      fc.property(choices, choices, fc.constantFrom(...TYPES), (some, others, type) => {
        const renamed = others.map((other) => ({ ...other, mask: `n${other.mask}` }));
        const before = rankOf(strictestOf(some, type), type);
        const after = rankOf(strictestOf([...some, ...renamed], type), type);
        expect(after).toBeGreaterThanOrEqual(before);
        for (const one of [...some, ...renamed]) expect(after).toBeGreaterThanOrEqual(rankOf(one, type));
      }),
    );
  });

  it('takes its choice in any order', () => {
    fc.assert(
      fc.property(choices, fc.constantFrom(...TYPES), (some, type) => {
        expect(strictestOf(some.toReversed(), type)).toEqual(strictestOf(some, type));
      }),
    );
  });
});

describe('rankOf', () => {
  const samples: Readonly<Record<number, Uint8Array>> = {
    16: Uint8Array.of(1),
    17: Uint8Array.of(1, 2, 3, 4),
    20: Uint8Array.of(0, 0, 0, 0, 7, 91, 205, 21),
    21: Uint8Array.of(48, 57),
    23: Uint8Array.of(7, 91, 205, 21),
    25: new TextEncoder().encode('anna.b@example.com'),
    700: Uint8Array.of(0x44, 0x9a, 0x52, 0x2b),
    701: Uint8Array.of(0x40, 0x93, 0x4a, 0x45, 0x6d, 0x5c, 0xfa, 0xad),
    790: Uint8Array.of(0, 0, 0, 0, 7, 91, 205, 21),
    829: Uint8Array.of(8, 0, 43, 1, 2, 3),
    869: Uint8Array.of(2, 32, 0, 4, 10, 1, 2, 3),
    1082: Uint8Array.of(0, 0, 35, 40),
    1083: Uint8Array.of(0, 0, 0, 0, 7, 91, 205, 21),
    1114: Uint8Array.of(0, 2, 120, 33, 7, 91, 205, 21),
    1700: Uint8Array.of(0, 3, 0, 2, 0, 0, 0, 0, 0, 12, 13, 128, 26, 133),
    2950: Uint8Array.of(
      0x6f,
      0x9a,
      0x1b,
      0x2c,
      0x3d,
      0x4e,
      0x4f,
      0x60,
      0x8a,
      0x9b,
      0xac,
      0xbd,
      0xce,
      0xdf,
      1,
      2,
    ),
    3220: Uint8Array.of(0, 0, 0, 0, 7, 91, 205, 21),
  };
  const operators: readonly Operator[] = ALL_OPERATORS.filter(
    ({ kind }) => kind !== 'nullify' && kind !== 'drop',
  );

  it('says of each operator and type whether it is redact there', () => {
    for (const [oid, value] of Object.entries(samples)) {
      const type = builtInType(Number(oid));
      const masked = (operator: Operator): string => {
        const request = { operator, entity: 'EMAIL', type, wire: BINARY_WIRE, keys: RING };
        return Buffer.from(maskValue(request, value).value ?? []).toString('hex');
      };
      const redacted = masked({ kind: 'redact' });
      for (const operator of operators) {
        // A text that is no number has no coarser form, and that depends on the text.
        if (operator.kind === 'generalise' && oid === '25') continue;
        const isRedact =
          rankOf({ operator, entity: 'EMAIL' }, type) ===
          rankOf({ operator: { kind: 'redact' }, entity: 'EMAIL' }, type);
        expect([oid, operator.kind, masked(operator) === redacted]).toEqual([oid, operator.kind, isRedact]);
      }
    }
  });
});
