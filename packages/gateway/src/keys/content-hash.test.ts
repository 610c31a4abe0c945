import { createHmac } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Secret } from '../core/secret.ts';
import { contentHash } from './content-hash.ts';
import { digestKey } from './wrap.ts';

const KEY = new Secret(Uint8Array.from({ length: 32 }, (_, at) => at + 1));
const hash = contentHash(KEY);

function expected(bytes: Uint8Array): string {
  return createHmac('sha256', digestKey(KEY, 'rerank-content')).update(bytes).digest('hex');
}

describe('the keyed hash of a content', () => {
  it.each([0, 1, 55, 56, 63, 64, 65, 119, 120, 8_191, 8_192, 8_193, 100_000])(
    'is HMAC-SHA-256 of %i bytes',
    (length) => {
      const bytes = Uint8Array.from({ length }, (_, at) => at % 251);
      expect(hash(bytes)).toBe(expected(bytes));
    },
  );

  it('is the same whatever was hashed before it, and leaves its input as it was', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 }), (texts) => {
        const copies = texts.map((text) => text.slice());
        expect(texts.map(hash)).toEqual(copies.map(expected));
        expect(texts).toEqual(copies);
      }),
    );
  });

  it('is another under another key', () => {
    const other = contentHash(new Secret(new Uint8Array(32)));
    expect(other(new Uint8Array(3))).not.toBe(hash(new Uint8Array(3)));
  });
});
