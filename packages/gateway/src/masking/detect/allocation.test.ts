/** A clean text allocates nothing: what is looked at are rows by the million. */

import { describe, expect, it } from 'vitest';
import { Scanner } from './scanner.ts';

const CLEAN: readonly (readonly [name: string, value: string])[] = [
  ['id', '100042'],
  ['request_uuid', '3f2504e0-4f89-41d3-9a0c-0305e82c3301'],
  ['status', 'pending'],
  ['created_at', '2024-01-01 10:00:00.123+00'],
  ['amount', '1234.50'],
  ['digest', 'd41d8cd98f00b204e9800998ecf8427e'],
  ['sku', 'SKU-A1B2-1234'],
  [
    'note',
    'the order was shipped yesterday and arrives soon, please check whether all 12 parts are in the box',
  ],
  ['payload', '{"kind":"the","count":123,"ok":true,"tags":["a","b"],"at":"2023-11-14T22:13:20.000Z"}'],
  ['url', 'https://shop.example/items/12345?ref=ab12cd'],
  ['card_like', '4539578763621487'],
];

describe('a clean value', () => {
  it.each(CLEAN)('%s allocates nothing', (_, value) => {
    const scanner = new Scanner();
    const bytes = new TextEncoder().encode(value);
    const hints = { context: 0, isColumnValue: true, promoted: undefined };
    let found = 0;
    for (let round = 0; round < 20_000; round += 1) found += scanner.scan(bytes, 0, bytes.length, hints);
    const rounds = 20_000;
    // The collector may run in one of them, and then there is less than before.
    const taken = Array.from({ length: 5 }, () => {
      const before = process.memoryUsage().heapUsed;
      for (let round = 0; round < rounds; round += 1) found += scanner.scan(bytes, 0, bytes.length, hints);
      return process.memoryUsage().heapUsed - before;
    }).toSorted((one, other) => one - other);
    expect(found).toBe(0);
    // One small object a value would be 320 KB and more.
    expect(Math.abs(taken[2] ?? Infinity)).toBeLessThan(160_000);
  });
});
