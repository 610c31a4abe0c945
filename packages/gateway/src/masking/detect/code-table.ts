/** The rows of codes, by length, by where their digits are, and by how they are grouped. */

import { CODES_EUROPE } from './codes-europe.ts';
import { CODES_WORLD } from './codes-world.ts';
import { type CodeDetector, entityId } from './entities.ts';

/** No code of a table is longer. */
export const CODE_LENGTH_MAX = 18;

const CODE_DETECTORS: readonly CodeDetector[] = [...CODES_EUROPE, ...CODES_WORLD];

/** All bits that some code is believed by. */
export const CONTEXT_OF_CODES: number = CODE_DETECTORS.reduce((bits, { context }) => bits | context, 0);

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
const strong: CodeRow[][] = Array.from({ length: CODE_LENGTH_MAX + 1 }, () => []);
const written = new Map<number, CodeRow[]>();
const ANY_BYTE = 1;
/**
 * Two first groups, four bits each → 0 where no code is written so, the byte that all those begin with, or
 * {@link ANY_BYTE}; for all codes, and for those that need no word.
 */
const beginnings = new Uint8Array(256);
const strongBeginnings = new Uint8Array(256);

for (const detector of CODE_DETECTORS) {
  for (const shape of detector.shapes) {
    const row = rowOf(detector, shape);
    rows[shape.length]?.push(row);
    if (detector.when !== 'context') strong[shape.length]?.push(row);
    for (const writing of detector.written ?? []) learnWriting(row, writing.split('-').map(Number));
  }
}

function learnWriting(row: CodeRow, groups: readonly number[]): void {
  if (groups.reduce((sum, length) => sum + length, 0) !== row.length) return;
  const key = groups.reduce((all, length) => all * 16 + length, 0);
  written.set(key, [...(written.get(key) ?? []), row]);
  const [at, byte] = row.literals[0] ?? [-1, 0];
  const first = at === 0 ? byte : ANY_BYTE;
  const slot = (groups[0] ?? 0) * 16 + (groups[1] ?? 0);
  const tables = row.detector.whenWritten === 'always' ? [beginnings, strongBeginnings] : [beginnings];
  for (const table of tables) table[slot] = table[slot] === 0 || table[slot] === first ? first : ANY_BYTE;
}

function rowOf(detector: CodeDetector, shape: string): CodeRow {
  let careMask = 0;
  let digitMask = 0;
  const literals: (readonly [number, number])[] = [];
  for (const [at, character] of Array.from(shape).entries()) {
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

/** Those of them that may be believed without a word. */
export function strongCodesOfLength(length: number): readonly CodeRow[] {
  return strong[length] ?? NONE;
}

/** Rows that are written in groups of these lengths; the key as for numbers. */
export function writtenCodes(key: number): readonly CodeRow[] {
  return written.get(key) ?? NONE;
}

/** Whether some code is written with first groups of these lengths, and begins with this byte. */
export function beginsWithGroups(first: number, second: number, byte: number, needsWord: boolean): boolean {
  if (first > 15 || second > 15) return false;
  const wanted = (needsWord ? beginnings : strongBeginnings)[first * 16 + second] ?? 0;
  return wanted === ANY_BYTE || (wanted !== 0 && wanted === byte);
}

/** Whether a code in upper case has the shape of a row. */
export function hasShape(row: CodeRow, code: Uint8Array, digitMask: number): boolean {
  if ((digitMask & row.careMask) !== row.digitMask) return false;
  for (const [at, byte] of row.literals) if (code[at] !== byte) return false;
  return true;
}
