/**
 * Groups of digits that may be one number: where they are, what stands between them, what they look like.
 *
 * A number is read from its first group on; what stands before it decides only whether it may begin there.
 */

import { CLASS, classAt, IS_DIGIT, IS_LETTER, IS_WORD } from './byte-classes.ts';
import { isDay, numberOf } from './checksums.ts';
import type { ScanState } from './scan-state.ts';

const SPACE = 32;
const OPEN = 40;
const CLOSE = 41;
const PLUS = 43;
const HYPHEN = 45;
const DOT = 46;
const SLASH = 47;
const COLON = 58;

/** Digits and what joins them are read over at most this much. */
const NUMBER_BYTES_MAX = 64;
/** More groups than this are a list of numbers. */
const GROUPS_MAX = 12;
/** A separator of more than one character, which only telephone numbers have. */
const SEPARATOR_WIDE = 1;

/** The groups found, with the separator before each but the first. */
export class NumberGroups {
  count = 0;
  readonly from: Int32Array = new Int32Array(GROUPS_MAX);
  readonly to: Int32Array = new Int32Array(GROUPS_MAX);
  /** The byte before a group, or {@link SEPARATOR_WIDE}. */
  readonly separator: Uint8Array = new Uint8Array(GROUPS_MAX);
  /** Digits up to and with a group. */
  readonly digitsTo: Int32Array = new Int32Array(GROUPS_MAX);

  /** Reads groups from a place on, and their digits. */
  read(state: ScanState, at: number): void {
    const { bytes, end, digits } = state;
    const latest = Math.min(end, at + NUMBER_BYTES_MAX);
    let place = at;
    let total = 0;
    this.count = 0;
    for (;;) {
      const from = place;
      while (place < latest && ((CLASS[bytes[place] ?? 0] ?? 0) & IS_DIGIT) !== 0) {
        if (total >= digits.length) return;
        digits[total] = (bytes[place] ?? 48) - 48;
        total += 1;
        place += 1;
      }
      if (place === from || !endsAsNumber(bytes, place, end) || this.count === GROUPS_MAX) return;
      this.from[this.count] = from;
      this.to[this.count] = place;
      this.digitsTo[this.count] = total;
      this.count += 1;
      if (this.count === GROUPS_MAX) return;
      const next = separatorEnd(bytes, place, latest);
      if (next === 0) return;
      this.separator[this.count] = next - place === 1 ? (bytes[place] ?? 0) : SEPARATOR_WIDE;
      place = next;
    }
  }

  lengthOf(group: number): number {
    return (this.to[group] ?? 0) - (this.from[group] ?? 0);
  }
}

/** Whether digits that end here are not the beginning of a word; an extension may follow. */
function endsAsNumber(bytes: Uint8Array, at: number, end: number): boolean {
  const next = classAt(bytes, at, end);
  if ((next & IS_LETTER) === 0) return true;
  const byte = bytes[at] ?? 0;
  return (byte === 120 || byte === 88) && (classAt(bytes, at + 1, end) & IS_DIGIT) !== 0;
}

function isDigitAt(bytes: Uint8Array, at: number, end: number): boolean {
  return (classAt(bytes, at, end) & IS_DIGIT) !== 0;
}

/** Where the next group begins, behind what may join two; 0 where nothing does. */
function separatorEnd(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end) return 0;
  const first = bytes[at] ?? 0;
  const second = at + 1 < end ? (bytes[at + 1] ?? 0) : 0;
  if (first === OPEN) return isDigitAt(bytes, at + 1, end) ? at + 1 : 0;
  if (first === CLOSE) {
    if (isDigitAt(bytes, at + 1, end)) return at + 1;
    const isWide = second === SPACE || second === HYPHEN || second === DOT;
    return isWide && isDigitAt(bytes, at + 2, end) ? at + 2 : 0;
  }
  const isSingle =
    first === SPACE ||
    first === HYPHEN ||
    first === DOT ||
    first === SLASH ||
    first === COLON ||
    first === PLUS;
  if (!isSingle) return 0;
  if (isDigitAt(bytes, at + 1, end)) return at + 1;
  // `020 (7946) 0018`, `030 / 1234567`, `030 - 1234567`.
  if (first !== SPACE) return 0;
  if (second === OPEN && isDigitAt(bytes, at + 2, end)) return at + 2;
  const isWide = second === HYPHEN || second === SLASH;
  return isWide && at + 2 < end && bytes[at + 2] === SPACE && isDigitAt(bytes, at + 3, end) ? at + 3 : 0;
}

/**
 * Whether something that is part of the same written thing stands before a place: `AB-` before `123`,
 * `1.` before `234`. A space does not bind.
 */
export function isBoundBefore(state: ScanState, from: number): boolean {
  const before = state.byteAt(from - 1);
  if (before >= 0x80) return false;
  if (((CLASS[before] ?? 0) & IS_WORD) !== 0) return from > state.begin;
  if (before !== HYPHEN && before !== DOT && before !== SLASH && before !== 95) return false;
  return from - 2 >= state.begin && ((CLASS[state.byteAt(from - 2)] ?? 0) & IS_WORD) !== 0;
}

/** The same behind a place; a hyphen and a word may follow, as in `788-063-Office`. */
export function isBoundBehind(state: ScanState, to: number): boolean {
  const behind = state.byteAt(to);
  if (behind !== HYPHEN && behind !== DOT && behind !== SLASH) return false;
  return (classAt(state.bytes, to + 1, state.end) & IS_DIGIT) !== 0;
}

/** `10:15` and `10:15:30.123`: where the time ends; 0 where none begins. */
export function timeEnd(state: ScanState, at: number, groupEnd: number): number {
  const { bytes, end } = state;
  if (groupEnd - at !== 2 || bytes[groupEnd] !== COLON || twoDigits(bytes, at) > 24) return 0;
  let place = at;
  while (place < end && place < at + 24 && isTimeByte(bytes[place] ?? 0)) place += 1;
  const isOpen = (classAt(bytes, place, end) & IS_WORD) !== 0 || (bytes[place] === COLON && place < end);
  if (isOpen || groupEnd + 3 > place || twoDigits(bytes, groupEnd + 1) > 59) return 0;
  const second = bytes[groupEnd + 3] ?? 0;
  if (
    place > groupEnd + 3 &&
    second !== COLON &&
    second !== PLUS &&
    second !== HYPHEN &&
    second !== DOT &&
    second !== 90
  )
    return 0;
  return withoutEnd(bytes, place);
}

/** Whatever ends a sentence belongs to it. */
function withoutEnd(bytes: Uint8Array, at: number): number {
  let place = at;
  while (place > 0 && (bytes[place - 1] === DOT || bytes[place - 1] === HYPHEN || bytes[place - 1] === PLUS))
    place -= 1;
  return place;
}

/** Where an ISO 8601 date and a time that `T` joins to it end; 0 where none begins. */
export function dateEnd(state: ScanState, at: number, groupEnd: number): number {
  const { bytes, end } = state;
  if (groupEnd - at !== 4 || bytes[groupEnd] !== HYPHEN || groupEnd + 6 > end) return 0;
  const month = twoDigits(bytes, groupEnd + 1);
  if (bytes[groupEnd + 3] !== HYPHEN || !isDay(twoDigits(bytes, groupEnd + 4), month)) return 0;
  let place = groupEnd + 6;
  if ((classAt(bytes, place, end) & IS_DIGIT) !== 0) return 0;
  if (bytes[place] === HYPHEN && (classAt(bytes, place + 1, end) & IS_DIGIT) !== 0) return 0;
  const hasTime =
    place + 6 <= end && bytes[place] === 84 && bytes[place + 3] === COLON && twoDigits(bytes, place + 1) < 25;
  if (!hasTime) return place;
  place += 1;
  while (place < end && place < at + 48 && isTimeByte(bytes[place] ?? 0)) place += 1;
  return withoutEnd(bytes, place);
}

function isTimeByte(byte: number): boolean {
  return (byte >= 48 && byte <= 58) || byte === DOT || byte === PLUS || byte === HYPHEN || byte === 90;
}

function twoDigits(bytes: Uint8Array, at: number): number {
  const tens = (bytes[at] ?? 0) - 48;
  const ones = (bytes[at + 1] ?? 0) - 48;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : 99;
}

/** Whether three groups are a date as people write them: `31.12.2024`, `12/31/24`, `2024/12/31`. */
export function isWrittenDate(digits: Uint8Array, first: number, second: number, third: number): boolean {
  const a = numberOf(digits, 0, first);
  const b = numberOf(digits, first, first + second);
  const c = numberOf(digits, first + second, first + second + third);
  if (first === 4) return a >= 1800 && a < 2200 && second <= 2 && third <= 2 && isDay(c, b);
  const isYear = third === 2 || (third === 4 && c >= 1800 && c < 2200);
  return first <= 2 && second <= 2 && isYear && (isDay(a, b) || isDay(b, a));
}
