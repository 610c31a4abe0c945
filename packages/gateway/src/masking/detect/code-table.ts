/** The rows of codes, by length, by where their digits are, and by how they are grouped. */

import { CODES_EUROPE } from './codes-europe.ts';
import { CODES_WORLD } from './codes-world.ts';
import { type CodeDetector, entityId } from './entities.ts';

/** No code of a table is longer. */
export const CODE_LENGTH_MAX = 18;

const CODE_DETECTORS: readonly CodeDetector[] = [...CODES_EUROPE, ...CODES_WORLD];

export interface CodeRow {
  readonly detector: CodeDetector;
  readonly entity: number;
  /** Bit n: whether the n-th character is a digit is told by the shape. */
  readonly careMask: number;
  /** Bit n: the n-th character is a digit. */
  readonly digitMask: number;
  /** Characters that are themselves, with their places. */
  readonly literals: readonly (readonly [at: number, byte: number])[];
  readonly length: number;
}

const rows: CodeRow[][] = Array.from({ length: CODE_LENGTH_MAX + 1 }, () => []);
const written = new Map<number, CodeRow[]>();
const firstGroups = new Uint8Array(16);

for (const detector of CODE_DETECTORS) {
  for (const shape of detector.shapes) {
    const row = rowOf(detector, shape);
    rows[shape.length]?.push(row);
    for (const writing of detector.written ?? []) {
      const groups = writing.split('-').map(Number);
      if (groups.reduce((sum, length) => sum + length, 0) !== shape.length) continue;
      firstGroups[groups[0] ?? 0] = 1;
      const key = groups.reduce((all, length) => all * 16 + length, 0);
      written.set(key, [...(written.get(key) ?? []), row]);
    }
  }
}

function rowOf(detector: CodeDetector, shape: string): CodeRow {
  let careMask = 0;
  let digitMask = 0;
  const literals: (readonly [number, number])[] = [];
  for (const [at, character] of [...shape].entries()) {
    if (character !== 'x') careMask |= 1 << at;
    if (/\d/.test(character)) digitMask |= 1 << at;
    if (!/[ax9]/.test(character)) literals.push([at, character.charCodeAt(0)]);
  }
  return { detector, entity: entityId(detector.entity), careMask, digitMask, literals, length: shape.length };
}

const NONE: readonly CodeRow[] = [];

export function codesOfLength(length: number): readonly CodeRow[] {
  return rows[length] ?? NONE;
}

/** Rows that are written in groups of these lengths; the key as for numbers. */
export function writtenCodes(key: number): readonly CodeRow[] {
  return written.get(key) ?? NONE;
}

/** Whether some code is written with a first group of this length. */
export function beginsWithGroup(length: number): boolean {
  return firstGroups[length] === 1;
}

/** Whether a code in upper case has the shape of a row. */
export function hasShape(row: CodeRow, code: Uint8Array, digitMask: number): boolean {
  if ((digitMask & row.careMask) !== row.digitMask) return false;
  for (const [at, byte] of row.literals) if (code[at] !== byte) return false;
  return true;
}
