/** Check characters of codes that mix letters and digits. Bytes are upper case letters and digits of ASCII. */

import { isDay } from './checksums.ts';

/** The number that digits write. */
export function numberIn(code: Uint8Array, from: number, to: number): number {
  let value = 0;
  for (let at = from; at < to; at += 1) value = value * 10 + (code[at] ?? 48) - 48;
  return value;
}

/** The text of a code; only where it is rare. */
export function textOf(code: Uint8Array, from: number, to: number): string {
  let text = '';
  for (let at = from; at < to; at += 1) text += String.fromCharCode(code[at] ?? 0);
  return text;
}

/** 0 to 9 for digits, 10 to 35 for letters. */
export function valueOf(byte: number): number {
  return byte >= 65 ? byte - 55 : byte - 48;
}

/** ICAO Doc 9303: weights 7, 3, 1 over values of 0 to 35. */
export function check731(code: Uint8Array, from: number, to: number): number {
  let sum = 0;
  for (let at = from; at < to; at += 1) {
    const byte = code[at] ?? 0;
    // A filler counts as 0.
    sum += (byte === 60 ? 0 : valueOf(byte)) * ([7, 3, 1][(at - from) % 3] ?? 0);
  }
  return sum % 10;
}

/** ISO/IEC 7064, MOD 11,10 over digits from a place on; the last is the check digit. */
export function checkMod11And10(code: Uint8Array, from: number, to: number): boolean {
  let product = 10;
  for (let at = from; at < to - 1; at += 1) {
    let sum = ((code[at] ?? 48) - 48 + product) % 10;
    if (sum === 0) sum = 10;
    product = (sum * 2) % 11;
  }
  return (11 - product) % 10 === (code[to - 1] ?? 48) - 48;
}

/** Luhn over digits from a place on. */
export function luhnIn(code: Uint8Array, from: number, to: number): boolean {
  let sum = 0;
  for (let at = to - 1; at >= from; at -= 1) {
    let digit = (code[at] ?? 48) - 48;
    if ((to - 1 - at) % 2 === 1) {
      digit *= 2;
      if (digit > 9) digit -= 9;
    }
    sum += digit;
  }
  return sum % 10 === 0;
}

/** Digits times weights. */
export function weightedIn(code: Uint8Array, from: number, weights: readonly number[]): number {
  let sum = 0;
  for (let at = 0; at < weights.length; at += 1) sum += ((code[from + at] ?? 48) - 48) * (weights[at] ?? 0);
  return sum;
}

/** `ddmmyy` or `yymmdd` in a code. */
export function isDateIn(code: Uint8Array, day: number, month: number): boolean {
  return isDay(numberIn(code, day, day + 2), numberIn(code, month, month + 2));
}

const SPANISH = 'TRWAGMYFPDXBNJZSQVHLCKE';

/** The letter of a Spanish DNI or NIE. */
export function spanishLetter(value: number): number {
  return SPANISH.charCodeAt(value % 23);
}
