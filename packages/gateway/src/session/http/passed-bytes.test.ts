import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PassedBytes } from './passed-bytes.ts';

function sha256(...pieces: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const piece of pieces) hash.update(piece);
  return hash.digest('hex');
}

describe('the bytes that went one way', () => {
  it('are counted and hashed, however they come, at any moment', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 6 }), (pieces) => {
        const passed = new PassedBytes();
        expect([passed.bytes, passed.sha256()]).toEqual([0, sha256()]);
        for (const [at, piece] of pieces.entries()) {
          passed.add(piece);
          const before = pieces.slice(0, at + 1);
          const bytes = before.reduce((sum, { length }) => sum + length, 0);
          expect([passed.bytes, passed.sha256()]).toEqual([bytes, sha256(...before)]);
          // Asked twice, it says the same.
          expect(passed.sha256()).toBe(sha256(...before));
        }
      }),
    );
  });

  it('have the hash that was known of the first piece, and of no other', () => {
    const bytes = Buffer.from('{"query":"q"}');
    const more = Buffer.from('more');
    const passed = new PassedBytes();
    passed.addHashed({ bytes, sha256: 'known' });
    expect([passed.bytes, passed.sha256()]).toEqual([bytes.length, 'known']);
    passed.addHashed({ bytes: more, sha256: 'of another' });
    expect([passed.bytes, passed.sha256()]).toEqual([bytes.length + more.length, sha256(bytes, more)]);
  });
});
