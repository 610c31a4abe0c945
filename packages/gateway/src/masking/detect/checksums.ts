/** Check digits that several schemes share. Digits are numbers 0 to 9, not characters. */

/** ISO/IEC 7812-1, annex B. */
export function luhn(digits: Uint8Array, count: number, from = 0): boolean {
  return luhnSum(digits, count, from) % 10 === 0;
}

/** The sum of Luhn’s formula, from the right; for schemes that put a constant before it. */
export function luhnSum(digits: Uint8Array, count: number, from = 0): number {
  let sum = 0;
  let isDouble = false;
  for (let at = from + count - 1; at >= from; at -= 1) {
    let digit = digits[at] ?? 0;
    if (isDouble) {
      digit *= 2;
      if (digit > 9) digit -= 9;
    }
    sum += digit;
    isDouble = !isDouble;
  }
  return sum;
}

/** Sum of digits times weights, from the first digit. */
export function weighted(digits: Uint8Array, weights: readonly number[], from = 0): number {
  let sum = 0;
  for (let at = 0; at < weights.length; at += 1) sum += (digits[from + at] ?? 0) * (weights[at] ?? 0);
  return sum;
}

/** ISO/IEC 7064, MOD 11,10; the last digit is the check digit. */
export function mod11And10(digits: Uint8Array, count: number): boolean {
  let product = 10;
  for (let at = 0; at < count - 1; at += 1) {
    let sum = ((digits[at] ?? 0) + product) % 10;
    if (sum === 0) sum = 10;
    product = (sum * 2) % 11;
  }
  return (11 - product) % 10 === (digits[count - 1] ?? 0);
}

/** The number that digits write, modulo what fits a small integer. */
export function remainder(digits: Uint8Array, from: number, to: number, modulus: number, start = 0): number {
  let value = start;
  for (let at = from; at < to; at += 1) value = (value * 10 + (digits[at] ?? 0)) % modulus;
  return value;
}

/** The number that a few digits write. */
export function numberOf(digits: Uint8Array, from: number, to: number): number {
  let value = 0;
  for (let at = from; at < to; at += 1) value = value * 10 + (digits[at] ?? 0);
  return value;
}

/** Multiplication in the dihedral group of order 10; J. Verhoeff, 1969. */
const DIHEDRAL = Uint8Array.from(
  [
    '0123456789',
    '1234067895',
    '2340178956',
    '3401289567',
    '4012395678',
    '5987604321',
    '6598710432',
    '7659821043',
    '8765932104',
    '9876543210',
  ].join(''),
  Number,
);
const PERMUTATION = Uint8Array.from(
  [
    '0123456789',
    '1576283094',
    '5803796142',
    '8916043527',
    '9453126870',
    '4286573901',
    '2793806415',
    '7046913258',
  ].join(''),
  Number,
);

export function verhoeff(digits: Uint8Array, count: number): boolean {
  let check = 0;
  for (let place = 0; place < count; place += 1) {
    const permuted = PERMUTATION[(place % 8) * 10 + (digits[count - 1 - place] ?? 0)] ?? 0;
    check = DIHEDRAL[check * 10 + permuted] ?? 0;
  }
  return check === 0;
}

/** Whether all digits are the same, which no scheme gives out. */
export function isOneDigit(digits: Uint8Array, count: number): boolean {
  for (let at = 1; at < count; at += 1) if (digits[at] !== digits[0]) return false;
  return true;
}

const DAYS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** Whether there is such a day in some year. */
export function isDay(day: number, month: number): boolean {
  return day >= 1 && month >= 1 && month <= 12 && day <= (DAYS[month - 1] ?? 0);
}

/** `yymmdd` at a place; the month may carry an offset that says the century or the sex. */
export function isDateYMD(digits: Uint8Array, from: number, monthOffset = 0): boolean {
  return isDay(numberOf(digits, from + 4, from + 6), numberOf(digits, from + 2, from + 4) - monthOffset);
}

/** `ddmmyy` at a place. */
export function isDateDMY(digits: Uint8Array, from: number, dayOffset = 0): boolean {
  return isDay(numberOf(digits, from, from + 2) - dayOffset, numberOf(digits, from + 2, from + 4));
}
