/** That a cache gives back what was read of the same bytes, and holds no more than it may. */

import { describe, expect, it } from 'vitest';
import type { ReadText } from '../core/effects.ts';
import { TextCache } from './text-cache.ts';

const LIMITS = { cachedTextsMax: 3, cachedBytesMax: 1_000_000, cachedTextBytesMax: 100 };
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A reader that tells how often it was asked. */
function reader(answer: (text: Uint8Array) => ReadText = wrong): {
  read: (text: Uint8Array) => ReadText;
  asked: () => number;
} {
  let asked = 0;
  return {
    read: (text) => {
      asked += 1;
      return answer(text);
    },
    asked: () => asked,
  };
}

function wrong(text: Uint8Array): ReadText {
  return { kind: 'syntax-error', message: Buffer.from(text).toString('hex'), at: undefined };
}

describe('a cache of texts', () => {
  it('reads a text once', () => {
    const cache = new TextCache(LIMITS);
    const { read, asked } = reader();
    const first = cache.read(bytesOf('select 1'), read);
    expect(cache.read(bytesOf('select 1'), read)).toBe(first);
    expect(asked()).toBe(1);
  });

  it('tells apart texts that differ in one byte, whatever the byte', () => {
    const cache = new TextCache({ ...LIMITS, cachedTextsMax: 1_000 });
    const { read, asked } = reader();
    for (let byte = 0; byte < 256; byte += 1) {
      const text = Uint8Array.from([65, byte]);
      expect(cache.read(text, read)).toEqual(wrong(text));
      expect(cache.read(text, read)).toEqual(wrong(text));
    }
    expect(asked()).toBe(256);
  });

  it('sees the bytes of a part of a buffer alone', () => {
    const cache = new TextCache(LIMITS);
    const { read, asked } = reader();
    const buffer = bytesOf('select 1select 2');
    cache.read(buffer.subarray(0, 8), read);
    cache.read(buffer.subarray(8), read);
    expect(cache.read(bytesOf('select 2'), read)).toEqual(wrong(bytesOf('select 2')));
    expect(asked()).toBe(2);
  });

  it('forgets what was not used for longest', () => {
    const cache = new TextCache(LIMITS);
    const { read, asked } = reader();
    for (const text of ['a', 'b', 'c', 'a', 'd']) cache.read(bytesOf(text), read);
    expect([cache.size, asked()]).toEqual([3, 4]);
    cache.read(bytesOf('a'), read);
    expect(asked()).toBe(4);
    cache.read(bytesOf('b'), read);
    expect(asked()).toBe(5);
  });

  it('keeps within its bytes, with what the facts take', () => {
    const cache = new TextCache({ ...LIMITS, cachedTextsMax: 1_000, cachedBytesMax: 5_000 });
    const { read } = reader();
    for (let text = 0; text < 500; text += 1) {
      cache.read(bytesOf(`select ${text}`), read);
      expect(cache.bytes).toBeLessThanOrEqual(5_000);
    }
    expect(cache.size).toBeGreaterThan(5);
  });

  it('does not keep a long text, or one that could not be inspected', () => {
    const cache = new TextCache(LIMITS);
    cache.read(bytesOf('x'.repeat(101)), reader().read);
    cache.read(bytesOf('select 1'), reader(() => ({ kind: 'uninspectable', reason: 'later' })).read);
    expect([cache.size, cache.bytes]).toEqual([0, 0]);
  });
});
