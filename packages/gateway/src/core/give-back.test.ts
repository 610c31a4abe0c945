import { zstdCompressSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { giveBack, giveBackWhole } from './give-back.ts';

it('empties what the caller alone has, and nothing that others see', () => {
  const whole = new Uint8Array(100_000).fill(1);
  const view = whole.subarray(1);
  giveBack(view);
  expect(whole).toHaveLength(100_000);
  giveBack(whole);
  expect([whole.length, view.length]).toEqual([0, 0]);
});

it('never empties a slab of Node’s pool, of which other buffers are cut', () => {
  const others = Array.from({ length: 100 }, (_, index) => Buffer.from(`other ${index}`));
  giveBack(Buffer.from('small'));
  giveBackWhole(Buffer.from('small'));
  giveBackWhole(zstdCompressSync('small', { chunkSize: 64 }));
  expect(others.map(String)).toEqual(Array.from({ length: 100 }, (_, index) => `other ${index}`));
});

it('frees at once, before anything is collected', () => {
  const before = process.memoryUsage().arrayBuffers;
  for (let round = 0; round < 100; round++) giveBack(Buffer.allocUnsafeSlow(1_000_000));
  for (let round = 0; round < 100; round++) giveBackWhole(Buffer.allocUnsafeSlow(1_000_000).subarray(0, 1));
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10_000_000);
});
