import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { permuteBits } from './permutation.ts';
import { RING } from './testing-masks.ts';
import { isSmallToken, permuteInt4, permuteInt8, uuidKey, uuidOf } from './typed-tokens.ts';

const KEYS = RING.current;
const INT8 = fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n });
const SMALL = fc.bigInt({ min: 0n, max: (1n << 40n) - 1n });

function token(value: bigint): bigint {
  return permuteInt8('encrypt', KEYS, 'USER_ID', value) ?? value;
}

function plain(value: bigint): bigint {
  return permuteInt8('decrypt', KEYS, 'USER_ID', value) ?? value;
}

describe('tokens of int8', () => {
  it('are int8 themselves, and give every number back', () => {
    fc.assert(
      fc.property(fc.oneof(INT8, SMALL), (value) => {
        expect(BigInt.asIntN(64, token(value))).toBe(token(value));
        expect(plain(token(value))).toBe(value);
        // Every int8 is the token of one.
        expect(token(plain(value))).toBe(value);
      }),
      { numRuns: 60 },
    );
  });

  it('of identifiers are recognised by whoever has the key; identifiers are not', () => {
    fc.assert(
      fc.property(SMALL, (value) => {
        expect(isSmallToken(KEYS, token(value))).toBe(true);
        expect(isSmallToken(KEYS, value)).toBe(false);
        expect(isSmallToken(RING.all[1]!, token(value))).toBe(false);
      }),
      { numRuns: 40 },
    );
  });

  it('go round a large number whose first result is the token of a small one', () => {
    for (const small of [0n, 5n, (1n << 40n) - 1n]) {
      const unsigned = BigInt.asUintN(64, token(small));
      const large = BigInt.asIntN(
        64,
        permuteBits('decrypt', KEYS.permutation, 'int8\0USER_ID', unsigned, 64),
      );
      expect(large >= 0n && large < 1n << 40n).toBe(false);
      expect(token(large)).not.toBe(token(small));
      expect(isSmallToken(KEYS, token(large))).toBe(false);
      expect(plain(token(large))).toBe(large);
    }
  });

  it('are found in none of ten thousand random numbers', () => {
    let found = 0;
    let state = 88_172_645_463_325_252n;
    for (let i = 0; i < 10_000; i++) {
      // xorshift64, so that the numbers are the same each time.
      state ^= BigInt.asUintN(64, state << 13n);
      state ^= state >> 7n;
      state ^= BigInt.asUintN(64, state << 17n);
      if (isSmallToken(KEYS, BigInt.asIntN(64, state))) found += 1;
    }
    expect(found).toBe(0);
  });
});

describe('tokens of int4', () => {
  it('are int4 of the same sign, and give every number back', () => {
    fc.assert(
      fc.property(fc.integer(), (value) => {
        const permuted = permuteInt4('encrypt', KEYS, 'USER_ID', value);
        expect(permuted | 0).toBe(permuted);
        expect(permuted < 0).toBe(value < 0);
        expect(permuteInt4('decrypt', KEYS, 'USER_ID', permuted)).toBe(value);
      }),
      { numRuns: 60 },
    );
  });
});

describe('tokens of UUIDs', () => {
  const uuids = fc.uint8Array({ minLength: 16, maxLength: 16 });

  it('are of version 8, the same for the same UUID, and recognised', () => {
    fc.assert(
      fc.property(uuids, uuids, (a, b) => {
        const [first, second] = [uuidOf(KEYS, 'token', 'ID', a), uuidOf(KEYS, 'token', 'ID', b)];
        expect((first[6] ?? 0) >> 4).toBe(8);
        expect((first[8] ?? 0) >> 6).toBe(2);
        expect(Buffer.from(first).equals(second)).toBe(Buffer.from(a).equals(b));
        expect(uuidKey(RING, first)?.id).toBe(KEYS.id);
        expect(uuidKey(RING, a)).toBeUndefined();
      }),
    );
  });

  it('are recognised under a former key', () => {
    const made = uuidOf(RING.all[2]!, 'token', 'ID', new Uint8Array(16));
    expect(uuidKey(RING, made)?.id).toBe(1);
  });
});
