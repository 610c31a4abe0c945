import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Secret } from '../../core/secret.ts';
import { base32, bytesOfBase32 } from './base32.ts';
import { MaskingKeyRing } from './key-ring.ts';
import { bytesOf, RING, testingKey, textOf } from './testing-masks.ts';
import { compactOf, type Found, hashOf, lookForTokens, tokenOf } from './tokens.ts';

const KEYS = RING.current;
const MAIL = bytesOf('anna@example.com');

function findTokens(ring: MaskingKeyRing, text: string): readonly Found[] {
  return [...lookForTokens(ring, text)].filter((found) => found !== undefined);
}

describe('base32', () => {
  it('is that of RFC 4648, section 10, in lower case and without padding', () => {
    const encoded = ['', 'f', 'fo', 'foo', 'foob', 'fooba', 'foobar'].map((text) => base32(bytesOf(text)));
    expect(encoded).toEqual(['', 'my', 'mzxq', 'mzxw6', 'mzxw6yq', 'mzxw6ytb', 'mzxw6ytboi']);
  });

  it('reads what it wrote, and one text for each', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        expect(bytesOfBase32(base32(bytes))).toEqual(bytes);
      }),
    );
    // Bits that nothing stands for; a character that holds no byte; no character of it.
    for (const text of ['mz', 'mzxw6a', 'a', 'MY', 'm1']) expect(bytesOfBase32(text)).toBeUndefined();
  });
});

describe('a token', () => {
  it('is the same for the same value, and for no other', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 60 }), fc.string({ maxLength: 60 }), (a, b) => {
        const [first, second] = [tokenOf(KEYS, 'EMAIL', bytesOf(a)), tokenOf(KEYS, 'EMAIL', bytesOf(b))];
        expect(first === second).toBe(a === b);
        expect(tokenOf(KEYS, 'EMAIL', bytesOf(a))).toBe(first);
      }),
    );
  });

  it('is recognised and gives its value back, also under a former key', () => {
    for (const keys of RING.all) {
      const token = tokenOf(keys, 'CREDIT_CARD', MAIL) ?? '';
      expect(token).toMatch(/^tok_credit_card_[a-z2-7]{79}$/);
      const [found, ...more] = findTokens(RING, `before ${token.toUpperCase()}, after`);
      expect(more).toEqual([]);
      expect(found).toMatchObject({ marker: 'tok', entity: 'credit_card', keyId: keys.id, start: 7 });
      expect(textOf(found?.plain ?? null)).toBe('anna@example.com');
    }
  });

  it('hides how long its value is, within sixteen bytes', () => {
    const lengths = [0, 1, 15, 16].map((length) => tokenOf(KEYS, 'X', new Uint8Array(length))?.length);
    expect(lengths).toEqual([59, 59, 59, 85]);
  });

  it('is not given for values that would make it very long', () => {
    expect(tokenOf(KEYS, 'X', new Uint8Array(240))).toHaveLength(443);
    expect(tokenOf(KEYS, 'X', new Uint8Array(241))).toBeUndefined();
  });
});

describe('lookForTokens', () => {
  const token = tokenOf(KEYS, 'EMAIL', MAIL) ?? '';
  const hash = hashOf(KEYS, 'EMAIL', MAIL);
  const compact = compactOf(KEYS, 'tok', 'EMAIL', MAIL);
  const compactHash = compactOf(KEYS, 'hash', 'EMAIL', MAIL);

  it('finds each form', () => {
    const found = findTokens(RING, [token, hash, compact, compactHash].join(' '));
    expect(found.map(({ marker, entity }) => [marker, entity])).toEqual([
      ['tok', 'email'],
      ['hash', 'email'],
      ['tok', undefined],
      ['hash', undefined],
    ]);
  });

  it.each([
    ['token', token],
    ['hash', hash],
    ['compact token', compact],
    ['compact hash', compactHash],
  ])('finds no %s of which a character was changed', (_, text) => {
    const start = text.lastIndexOf('_') + 1;
    for (let at = start; at < text.length; at++) {
      const changed = text.slice(0, at) + (text.charAt(at) === 'a' ? 'b' : 'a') + text.slice(at + 1);
      expect(findTokens(RING, changed)).toEqual([]);
    }
  });

  it('finds none of another installation, another entity, or a key that was given up', () => {
    const secret = new Secret(new Uint8Array(createHash('sha256').update('another').digest()));
    const other = new MaskingKeyRing({ id: 3, secret });
    for (const text of [token, hash, compact]) expect(findTokens(other, text)).toEqual([]);
    const later = new MaskingKeyRing(testingKey(4), [testingKey(2)]);
    for (const text of [token, hash, compact]) expect(findTokens(later, text)).toEqual([]);
    expect(findTokens(RING, token.replace('email', 'phone'))).toEqual([]);
    expect(findTokens(RING, hash.replace('email', 'phone'))).toEqual([]);
  });

  it('is as bad at guessing as it says: none of 2,000 random bodies of each form', () => {
    let state = createHash('sha256').update('seed 1').digest();
    for (let i = 0; i < 2_000; i++) {
      state = createHash('sha256').update(state).digest();
      const bytes = Uint8Array.from(state);
      bytes[0] = 3;
      expect(findTokens(RING, `tok_${base32(bytes.subarray(0, 15))}`)).toEqual([]);
      expect(findTokens(RING, `hash_email_${base32(bytes.subarray(0, 25))}`)).toEqual([]);
    }
  });
});

describe('MaskingKeyRing', () => {
  const refused = expect.objectContaining({ code: 'CONFIG_INVALID' });

  it('refuses what is no key, two keys of one id, and more keys than are looked through', () => {
    expect(() => new MaskingKeyRing({ id: 1, secret: new Secret(new Uint8Array(31)) })).toThrow(refused);
    expect(() => new MaskingKeyRing({ ...testingKey(1), id: 256 })).toThrow(refused);
    expect(() => new MaskingKeyRing(testingKey(1), [testingKey(1)])).toThrow(refused);
    const many = Array.from({ length: 16 }, (_, index) => testingKey(index));
    expect(() => new MaskingKeyRing(testingKey(99), many)).toThrow(refused);
    expect(new MaskingKeyRing(testingKey(99), many.slice(1)).all).toHaveLength(16);
  });

  it('has a key of its own for each purpose', () => {
    const { hash, check, token, permutation, pick } = RING.current;
    const all = [
      token.subarray(0, 32),
      token.subarray(32),
      permutation,
      ...[hash, check, pick].map((key) => key.export()),
    ];
    expect(new Set(all.map((key) => Buffer.from(key).toString('hex'))).size).toBe(6);
  });
});
