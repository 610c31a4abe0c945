import { aessiv } from '@noble/ciphers/aes.js';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readVectors } from '../../../../../test/conformance/vectors.ts';
import { bytesOfHex, hexOf } from './bytes.ts';
import { passesLuhn, permuteDecimal, permuteText, permuteUuid } from './digits.ts';
import { isPermutable, permuteBits, permuteDigits } from './permutation.ts';
import { RING } from './testing-masks.ts';

const DIGITS = '0123456789abcdefghijklmnopqrstuvwxyz';
const KEYS = RING.current;
const FPE = { kind: 'fpe' } as const;

function bytes(hex: string): Uint8Array {
  return bytesOfHex(hex) ?? new Uint8Array(0);
}

describe('permuteDigits', () => {
  const vectors = readVectors('masking/ff1.txt', ['key', 'radix', 'tweak', 'plaintext', 'ciphertext']);
  it.each(vectors.map((vector) => [vector.one('ciphertext'), vector] as const))(
    'is FF1 as NIST shows it: %s',
    (_, vector) => {
      const plain = Array.from(vector.one('plaintext'), (digit) => DIGITS.indexOf(digit));
      const cipher = Array.from(vector.one('ciphertext'), (digit) => DIGITS.indexOf(digit));
      const key = bytes(vector.one('key'));
      const radix = Number(vector.one('radix'));
      expect(permuteDigits('encrypt', key, vector.one('tweak'), plain, radix)).toEqual(cipher);
      expect(permuteDigits('decrypt', key, vector.one('tweak'), cipher, radix)).toEqual(plain);
    },
  );

  it('asks for a million values, as revision 1 does', () => {
    expect([isPermutable(10, 5), isPermutable(10, 6)]).toEqual([false, true]);
    expect([isPermutable(36, 3), isPermutable(36, 4)]).toEqual([false, true]);
    expect([isPermutable(10, 64), isPermutable(10, 65)]).toEqual([true, false]);
  });
});

describe('AES-SIV', () => {
  const [vector] = readVectors('masking/aes-siv.txt', ['key', 'associated', 'plaintext', 'ciphertext']);
  it('is that of RFC 5297', () => {
    const [key, associated, plain] = (['key', 'associated', 'plaintext'] as const).map((name) =>
      bytes(vector?.one(name) ?? ''),
    );
    const sealed = aessiv(key!, associated!).encrypt(plain!);
    expect(hexOf(sealed)).toBe(vector?.one('ciphertext'));
  });
});

describe('permuteBits', () => {
  it.each([31, 40, 64])('gives each number of %i bits another one, and has it back', (bits) => {
    const numbers = fc.bigInt({ min: 0n, max: (1n << BigInt(bits)) - 1n });
    fc.assert(
      fc.property(numbers, (number) => {
        const permuted = permuteBits('encrypt', KEYS.permutation, 'tweak', number, bits);
        expect(permuted >= 0n && permuted < 1n << BigInt(bits)).toBe(true);
        expect(permuteBits('decrypt', KEYS.permutation, 'tweak', permuted, bits)).toBe(number);
      }),
      { numRuns: 40 },
    );
  });
});

describe('permuteText', () => {
  it.each([
    ['PHONE', '+49 170 1234567', /^\+\d\d \d{3} \d{7}$/],
    ['US_SSN', '123-45-6789', /^\d{3}-\d\d-\d{4}$/],
    ['ID', 'ab12cd34', /^[0-9a-z]{8}$/],
    ['ID', 'AB12-CD34', /^[0-9A-Z]{4}-[0-9A-Z]{4}$/],
    ['ID', 'aB12cD34', /^[0-9A-Za-z]{8}$/],
    ['CREDIT_CARD', '4111 1111 1111 1111', /^4111 11\d\d \d{4} 1111$/],
    ['CREDIT_CARD', '378282246310005', /^37828\d{6}0005$/],
  ])('keeps the form of a %s, %s', (entity, text, form) => {
    const permuted = permuteText('encrypt', KEYS, entity, text, FPE) ?? '';
    expect(permuted).toMatch(form);
    expect(permuted).not.toBe(text);
    expect(permuteText('decrypt', KEYS, entity, permuted, FPE)).toBe(text);
  });

  it.each(['12345', 'abc', 'Müller1234567', '7'.repeat(65), ''])('has no form for %s', (text) => {
    expect(permuteText('encrypt', KEYS, 'ID', text, FPE)).toBeUndefined();
  });

  it('gives every text another one of its letters, and has it back', () => {
    const texts = fc
      .array(fc.constantFrom(...Array.from('0123456789abcXYZ-. ')), { minLength: 6, maxLength: 24 })
      .map((characters) => characters.join(''));
    fc.assert(
      fc.property(texts, (text) => {
        const permuted = permuteText('encrypt', KEYS, 'ID', text, FPE);
        fc.pre(permuted !== undefined);
        expect(permuted?.replace(/[a-z0-9]/gi, 'x')).toBe(text.replace(/[a-z0-9]/gi, 'x'));
        expect(permuteText('decrypt', KEYS, 'ID', permuted ?? '', FPE)).toBe(text);
      }),
      { numRuns: 60 },
    );
  });

  it('keeps whether a card passes the check of Luhn, where asked to', () => {
    const cards = ['4111111111111111', '5500005555555559', '4111111111111112', '30569309025904'];
    for (const card of cards) {
      const permuted = permuteText('encrypt', KEYS, 'CREDIT_CARD', card, { kind: 'fpe', luhn: true }) ?? '';
      expect(passesLuhn(permuted)).toBe(passesLuhn(card));
      expect(permuteText('decrypt', KEYS, 'CREDIT_CARD', permuted, { kind: 'fpe', luhn: true })).toBe(card);
    }
    expect(cards.map(passesLuhn)).toEqual([true, true, false, true]);
  });

  it('depends on what the value is: two entities share no mapping', () => {
    expect(permuteText('encrypt', KEYS, 'A', '123456789', FPE)).not.toBe(
      permuteText('encrypt', KEYS, 'B', '123456789', FPE),
    );
  });
});

describe('permuteUuid', () => {
  it('keeps version and variant', () => {
    const uuid = '0190b3f49c7e7cc2b0d1a5f2f3c4d5e6';
    const permuted = permuteUuid('encrypt', KEYS, 'USER_ID', uuid);
    expect(permuted).toMatch(/^[0-9a-f]{12}7[0-9a-f]{3}b[0-9a-f]{15}$/);
    expect(permuted).not.toBe(uuid);
    expect(permuteUuid('decrypt', KEYS, 'USER_ID', permuted)).toBe(uuid);
  });
});

describe('permuteDecimal', () => {
  it('keeps the number of digits, which begin with none that is lost', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 1_000_000n, max: 10n ** 30n }), (number) => {
        const permuted = permuteDecimal('encrypt', KEYS, 'N', String(number)) ?? '';
        expect(permuted).toHaveLength(String(number).length);
        expect(String(BigInt(permuted))).toBe(permuted);
        expect(permuteDecimal('decrypt', KEYS, 'N', permuted)).toBe(String(number));
      }),
      { numRuns: 40 },
    );
    expect(permuteDecimal('encrypt', KEYS, 'N', '123456')).toBeUndefined();
  });
});
