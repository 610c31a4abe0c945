import { describe, expect, it } from 'vitest';
import { bytesOfHex, hexOf } from './bytes.ts';
import { maskValue } from './mask-value.ts';
import { recognise } from './recognise.ts';
import { base, BINARY_WIRE, maskedText, RING } from './testing-masks.ts';

const REDACT = { kind: 'redact' } as const;

/** Type, typmod, value, constant; each was taken by pgvector 0.8.7 and PostGIS 3.6.2 in both formats. */
const TEXTS: readonly (readonly [name: string, typmod: number, value: string, constant: string | null])[] = [
  ['vector', -1, '[1,-2.5,3e-7]', '[0,0,0]'],
  ['vector', 2, '[1,2]', '[0,0]'],
  ['halfvec', -1, '[1,2,3,4]', '[0,0,0,0]'],
  ['sparsevec', -1, '{1:1.5,3:2}/5', '{}/5'],
  ['sparsevec', -1, '{1:1.5,3:2}', null],
  [
    'geometry',
    -1,
    '0101000000000000000000F03F0000000000000040',
    '0101000000000000000000F87F000000000000F87F',
  ],
  [
    'geography',
    -1,
    '0101000020E6100000000000000000F03F0000000000000040',
    '0101000020E6100000000000000000F87F000000000000F87F',
  ],
  ['geometry', -1, '01020000A0110F000001000000', '01020000A0110F000000000000'],
  ['geometry', -1, '00000000030000000100000001', '000000000300000000'],
  ['geometry', -1, '0163000000', null],
  ['geometry', -1, '0201000000', null],
  ['geometry', -1, '0101000020', null],
  ['geometry', -1, 'POINT(1 2)', null],
];

describe('constants of types of extensions', () => {
  it.each(TEXTS)('of %s (%i) for %s', (name, typmod, value, constant) => {
    expect(maskedText({ operator: REDACT, type: base(name, typmod) }, value)).toBe(constant);
  });

  it.each([
    ['vector', '000200003f8000003f800000', '000200000000000000000000'],
    ['halfvec', '000200003c003c00', '0002000000000000'],
    ['sparsevec', '000000050000000100000000000000003f800000', '000000050000000000000000'],
    ['geometry', '010700000001000000', '010700000000000000'],
    ['vector', '00', ''],
    ['vector', 'ffff0000', ''],
    ['geometry', '0107', ''],
  ])('of %s in binary', (name, value, constant) => {
    const request = { operator: REDACT, entity: 'GEO', type: base(name), wire: BINARY_WIRE, keys: RING };
    const masked = maskValue(request, bytesOfHex(value) ?? null);
    expect(hexOf(masked.value ?? new Uint8Array(0))).toBe(constant);
  });

  it('are for every operator that has nothing else', () => {
    for (const kind of ['mask', 'hash', 'token', 'fpe', 'generalise', 'fake'] as const) {
      expect(maskedText({ operator: { kind }, type: base('vector') }, '[1,2]')).toBe('[0,0]');
    }
    expect(
      recognise(RING, base('vector'), bytesOfHex('000100003f800000') ?? new Uint8Array(0), BINARY_WIRE),
    ).toBe(undefined);
  });
});
