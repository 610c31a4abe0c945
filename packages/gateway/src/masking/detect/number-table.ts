/** The rows of numbers, by how many digits they have and how they are written: made once, asked often. */

import { entityId, type NumberDetector } from './entities.ts';
import { NUMBERS_AMERICAS } from './numbers-americas.ts';
import { NUMBERS_ASIA_AFRICA } from './numbers-asia-africa.ts';
import { NUMBERS_EUROPE_EAST } from './numbers-europe-east.ts';
import { NUMBERS_EUROPE_WEST } from './numbers-europe-west.ts';

/** All rows; the least likely to be met by chance first, so that the better reason is given. */
export const NUMBER_DETECTORS: readonly NumberDetector[] = [
  ...NUMBERS_AMERICAS,
  ...NUMBERS_EUROPE_WEST,
  ...NUMBERS_EUROPE_EAST,
  ...NUMBERS_ASIA_AFRICA,
].toSorted((one, other) => one.chance - other.chance);

/** A row with its number, and one way to write it. */
export interface NumberRow {
  readonly detector: NumberDetector;
  readonly entity: number;
  /** Bytes between the groups; none for digits alone. */
  readonly separators: readonly number[];
}

/** No number of a table is longer. */
export const DIGITS_MAX = 24;

/** Bits that make a bare number of so many digits worth a look, and rows that need none. */
const contexts = new Int32Array(DIGITS_MAX + 1);
const strong: NumberRow[][] = Array.from({ length: DIGITS_MAX + 1 }, () => []);
const bare: NumberRow[][] = Array.from({ length: DIGITS_MAX + 1 }, () => []);
const written = new Map<number, NumberRow[]>();
const NONE: readonly NumberRow[] = [];

for (const detector of NUMBER_DETECTORS) {
  const entity = entityId(detector.entity);
  for (const digits of detector.digits) {
    const row = { detector, entity, separators: [] };
    bare[digits]?.push(row);
    contexts[digits] = (contexts[digits] ?? 0) | detector.context;
    if (detector.bare !== 'context') strong[digits]?.push(row);
  }
  for (const writing of detector.written ?? []) {
    const groups = writing.split(/\D/).map(Number);
    const separators = Array.from(writing.replaceAll(/\d/g, '')).map((separator) => separator.charCodeAt(0));
    const key = groups.reduce(groupKey, 0);
    written.set(key, [...(written.get(key) ?? []), { detector, entity, separators }]);
  }
}

/** Lengths of groups as one number, four bits each; begins with 0. */
export function groupKey(key: number, length: number): number {
  return key * 16 + length;
}

/** Rows for so many digits without separators. */
export function bareNumbers(digits: number): readonly NumberRow[] {
  return bare[digits] ?? NONE;
}

/** Those of them that may be believed without a word. */
export function strongNumbers(digits: number): readonly NumberRow[] {
  return strong[digits] ?? NONE;
}

/** All bits that some row for so many digits is believed by. */
export function contextOfNumbers(digits: number): number {
  return contexts[digits] ?? 0;
}

/** Rows that are written in groups of these lengths. */
export function writtenNumbers(key: number): readonly NumberRow[] {
  return written.get(key) ?? NONE;
}
