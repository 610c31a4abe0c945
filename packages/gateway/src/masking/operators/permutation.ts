/**
 * Format-preserving encryption with FF1. Spec: NIST SP 800-38G, section 5.1, and its revision 1 (draft),
 * which asks for a million possible values at least.
 *
 * A value becomes another one of the same form, each a different one, and can be had back with the key.
 */

import { FF1 } from '@noble/ciphers/ff1.js';
import { MASKING_OPERATOR_LIMITS } from '../../core/masking-limits.ts';
import { utf8Bytes } from './text-encoding.ts';

/** SP 800-38G revision 1: radix^length of a value is at least this. */
const DOMAIN_MIN = 1_000_000;

export type Direction = 'encrypt' | 'decrypt';

/** Whether so many digits of a radix have enough values, and not too many digits to compute. */
export function isPermutable(radix: number, length: number): boolean {
  return radix ** length >= DOMAIN_MIN && length <= MASKING_OPERATOR_LIMITS.permutedDigitsMax;
}

/** The digits in the place of these, under a tweak. */
export function permuteDigits(
  direction: Direction,
  key: Uint8Array,
  tweak: string,
  digits: readonly number[],
  radix: number,
): number[] {
  return FF1(radix, key, utf8Bytes(tweak))[direction]([...digits]);
}

/** A number of so many bits in the place of this one; 64 and 40 bits as bytes, which is quicker. */
export function permuteBits(
  direction: Direction,
  key: Uint8Array,
  tweak: string,
  value: bigint,
  bits: number,
): bigint {
  const radixBits = bits % 8 === 0 ? 8 : 1;
  const radix = 2 ** radixBits;
  const mask = BigInt(radix - 1);
  const digits = Array.from({ length: bits / radixBits }, (_, index) =>
    Number((value >> BigInt(bits - radixBits * (index + 1))) & mask),
  );
  return permuteDigits(direction, key, tweak, digits, radix).reduce(
    (all, digit) => (all << BigInt(radixBits)) | BigInt(digit),
    0n,
  );
}

/**
 * The same over a part of all values: again and again until the result is in the part, which every value
 * of the part comes to, and each a different one.
 */
export function walk<T>(step: (value: T) => T, start: T, isWithin: (value: T) => boolean): T | undefined {
  let value = start;
  for (let steps = 0; steps < MASKING_OPERATOR_LIMITS.walkStepsMax; steps++) {
    value = step(value);
    if (isWithin(value)) return value;
  }
  return undefined;
}
