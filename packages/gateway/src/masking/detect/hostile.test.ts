/** Texts that are made to be slow: each takes time in proportion to its length. */

import { describe, expect, it } from 'vitest';
import { Scanner } from './scanner.ts';
import { findInStream } from './testing-scan.ts';

const PIECES: readonly string[] = [
  '1 ',
  '123 456 789 ',
  '075-123-4567-',
  '2024-01-01-',
  'a@',
  'a:',
  'password=',
  'password="',
  '-',
  '-----BEGIN RSA PRIVATE ',
  'eyAAAAAAAAAAAAA-',
  'eyAAAAAAAAAAAAA.',
  'ya29.',
  'xoxb-a1',
  `token=${'a1-'.repeat(80)}`,
  'http://a:b',
  '%B4111111111111111^',
  '1\u200b',
  'AB 12 ',
  'GB29 NWBK ',
  '00-11-22-33-44-',
  '2001:db8:',
  '1.2.3.',
  '号码是1',
  '９',
];

describe('a text made of', () => {
  it.each(PIECES)(
    '%s again and again takes at most ten microseconds a byte, whole and in pieces',
    (piece) => {
      const bytes = new TextEncoder().encode(piece.repeat(Math.ceil(60_000 / piece.length)));
      const scanner = new Scanner();
      const before = process.cpuUsage();
      scanner.scan(bytes);
      const whole = process.cpuUsage(before).user;
      expect(whole / bytes.length).toBeLessThan(10);
      const again = process.cpuUsage();
      const pieces = Array.from({ length: Math.ceil(bytes.length / 1_000) }, (_, at) =>
        bytes.subarray(at * 1_000, (at + 1) * 1_000),
      );
      expect(findInStream(pieces).passed).toBe(bytes.length);
      expect(process.cpuUsage(again).user / bytes.length).toBeLessThan(20);
    },
  );
});
