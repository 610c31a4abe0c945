import { expect, test } from 'vitest';
import { pooledRandom } from './pooled-random.ts';

const POOL_BYTES = 65_536;

test('no piece is given twice, within a pool and from one to the next', () => {
  const draw = pooledRandom();
  const pieces = Array.from({ length: 10_000 }, () => Buffer.from(draw(16)).toString('hex'));
  expect(new Set(pieces).size).toBe(pieces.length);
});

test('a piece is whole where the pool is nearly used up, and where it is longer than the pool', () => {
  const draw = pooledRandom();
  draw(POOL_BYTES - 8);
  for (const length of [0, 1, 12, 32, POOL_BYTES, POOL_BYTES + 1, 3 * POOL_BYTES]) {
    const piece = draw(length);
    expect(piece.length).toBe(length);
    // Of what the pool is filled with behind what was given there is no run: 2^-48 by chance in the longest.
    expect(Buffer.from(piece).includes(Buffer.alloc(8))).toBe(false);
  }
});

test('a piece is the caller’s: writing into it, or over its ends, changes no other', () => {
  const draw = pooledRandom();
  const first = draw(32);
  const copy = Uint8Array.from(first);
  const second = draw(32);
  const was = Uint8Array.from(second);
  new Uint8Array(first.buffer).fill(7);
  expect(second).toEqual(was);
  expect(copy).not.toEqual(first);
  expect(first.buffer.byteLength).toBe(32);
});
