/**
 * Payment cards: Luhn, and the ranges of numbers that networks give out with their lengths.
 *
 * Spec: ISO/IEC 7812-1; the tables of issuers that the networks publish.
 */

import { isOneDigit, luhn, numberOf } from './checksums.ts';

/** First and last prefix of four digits; shorter prefixes are filled up with 0 and 9. */
type Range = readonly [first: number, last: number, lengths: readonly number[]];

const RANGES: readonly Range[] = [
  [4000, 4999, [13, 16, 19]],
  [5100, 5599, [16]],
  [2221, 2720, [16]],
  [3400, 3499, [15]],
  [3700, 3799, [15]],
  [3000, 3059, [14, 15, 16, 17, 18, 19]],
  [3095, 3095, [14, 15, 16, 17, 18, 19]],
  [3600, 3699, [14, 15, 16, 17, 18, 19]],
  [3800, 3999, [14, 15, 16, 17, 18, 19]],
  [3528, 3589, [16, 17, 18, 19]],
  [6011, 6011, [16, 17, 18, 19]],
  [6440, 6599, [16, 17, 18, 19]],
  [6200, 6299, [16, 17, 18, 19]],
  [8100, 8299, [16, 17, 18, 19]],
  [5000, 5099, [12, 13, 14, 15, 16, 17, 18, 19]],
  [5600, 5899, [12, 13, 14, 15, 16, 17, 18, 19]],
  [6000, 6999, [12, 13, 14, 15, 16, 17, 18, 19]],
  [2200, 2204, [16, 17, 18, 19]],
  [1800, 1800, [15]],
  [2131, 2131, [15]],
  [2014, 2014, [15]],
  [2149, 2149, [15]],
  [3530, 3569, [16]],
  [9792, 9792, [16]],
  // UATP, for travel.
  [1000, 1999, [15]],
];

/** Bit n: a card with this prefix may have n digits. */
const LENGTHS = new Int32Array(10_000);
for (const [first, last, lengths] of RANGES) {
  for (let prefix = first; prefix <= last; prefix += 1) {
    for (const length of lengths) LENGTHS[prefix] = (LENGTHS[prefix] ?? 0) | (1 << length);
  }
}

/** Whether a network gives out numbers like this, and the check digit is right. */
export function isCard(digits: Uint8Array, count: number): boolean {
  if (count < 12 || count > 19) return false;
  const lengths = LENGTHS[numberOf(digits, 0, 4)] ?? 0;
  return (lengths & (1 << count)) !== 0 && luhn(digits, count) && !isOneDigit(digits, count);
}

/** Whether a number of this length may be a card that was mistyped, or one of a network that is not known. */
export function mayBeCard(count: number): boolean {
  return count >= 12 && count <= 19;
}
