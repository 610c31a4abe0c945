import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { readVectors } from '../../../test/conformance/vectors.ts';
import { fromHex, toHex } from './bytes.ts';
import { sha256, sha256Portable, useSha256 } from './sha256.ts';

function native(data: Uint8Array): Uint8Array {
  return createHash('sha256').update(data).digest();
}

describe('SHA-256', () => {
  const vectors = readVectors('ledger/sha256.txt', ['message', 'digest']);
  it.each(vectors.map((v) => [v.one('message').length / 2, v] as const))(
    'gives the published digest of a message of %i bytes',
    (_, v) => {
      expect(toHex(sha256Portable(fromHex(v.one('message'))))).toBe(v.one('digest'));
    },
  );

  it('gives the digest of a million times "a", of FIPS 180-4', () => {
    expect(toHex(sha256Portable(new Uint8Array(1_000_000).fill(0x61)))).toBe(
      'cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0',
    );
  });

  it('agrees with node:crypto for every length from 0 to 300, wherever the bytes lie in their buffer', () => {
    for (let length = 0; length <= 300; length++) {
      const buffer = new Uint8Array(length + 7).map((_, i) => (i * 131 + length) & 0xff);
      const data = buffer.subarray(length % 7, (length % 7) + length);
      expect(toHex(sha256Portable(data))).toBe(toHex(native(data)));
    }
  });

  it('agrees with node:crypto on random bytes, and leaves them as they are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5000 }), (data) => {
        const before = data.slice();
        expect(toHex(sha256Portable(data))).toBe(toHex(native(data)));
        expect(data).toEqual(before);
      }),
    );
  });

  it("has constants that the last bits of an engine's power function cannot change", () => {
    const primes = Array.from({ length: 312 }, (_, n) => n).filter(
      (n) => n >= 2 && !Array.from({ length: n }, (_, d) => d).some((d) => d >= 2 && n % d === 0),
    );
    const words = [...primes.slice(0, 64).map((p) => Math.cbrt(p)), ...primes.slice(0, 8).map(Math.sqrt)];
    expect(words).toHaveLength(72);
    for (const root of words) {
      const beyond = ((root % 1) * 2 ** 32) % 1;
      expect(Math.min(beyond, 1 - beyond)).toBeGreaterThan(2 ** -12);
    }
  });
});

describe('the plug', () => {
  afterEach(() => useSha256(sha256Portable));

  it('replaces the implementation', () => {
    useSha256(() => new Uint8Array(32).fill(7));
    expect(toHex(sha256(new Uint8Array(0)))).toBe('07'.repeat(32));
    useSha256(native);
    expect(toHex(sha256(Uint8Array.of(1)))).toBe(toHex(sha256Portable(Uint8Array.of(1))));
  });
});
