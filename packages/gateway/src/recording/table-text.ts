/**
 * Rows as an aligned table for a terminal, in the manner of psql.
 *
 * What is shown was recorded from untrusted peers: control characters are shown as \x1b, \r, \u202e and
 * never reach the terminal, and a column is at most limits.recording.columnWidthMax wide.
 */

import { LIMITS } from '../core/limits.ts';
import type { ReplayedValue } from './replayed-statement.ts';

export interface TableOptions {
  /** What NULL looks like; `∅` unless said otherwise. */
  readonly nullText?: string;
  readonly columnWidthMax?: number;
}

/** Header, rule and rows, each line without a line end. */
export function tableText(
  columns: readonly string[],
  rows: readonly (readonly ReplayedValue[])[],
  options: TableOptions = {},
): string[] {
  const nullText = options.nullText ?? '∅';
  const widthMax = options.columnWidthMax ?? LIMITS.recording.columnWidthMax;
  const count = rows.reduce((most, row) => Math.max(most, row.length), columns.length);
  const indexes = Array.from({ length: count }, (_, i) => i);
  const head = indexes.map((i) => cut(safeText(columns[i] ?? ''), widthMax));
  const body = rows.map((row) => indexes.map((i) => cut(cell(row[i], nullText), widthMax)));
  const widths = indexes.map((i) => Math.max(1, ...[head, ...body].map((row) => displayWidth(row[i] ?? ''))));
  const right = indexes.map((i) => rows.length > 0 && rows.every((row) => isNumber(row[i])));
  const line = (cells: readonly string[], toRight: readonly boolean[]): string =>
    ` ${cells.map((text, i) => pad(text, widths[i] ?? 1, toRight[i] === true)).join(' | ')}`.trimEnd();
  const rule = widths.map((width) => '-'.repeat(width + 2)).join('+');
  return [line(head, []), rule, ...body.map((cells) => line(cells, right))];
}

/**
 * Text that cannot drive a terminal: C0 and C1 controls, DEL, line separators, direction and other
 * invisible controls are written out. A backslash stays as it is, since this is for eyes, not for parsers.
 *
 * @example
 * safeText('a\u001b[2Jb'); // 'a\\x1b[2Jb'
 */
export function safeText(text: string): string {
  return text.toWellFormed().replace(UNSAFE, written);
}

/** The same, with line feeds and tabs kept: for texts that stand on lines of their own. */
export function safeLines(text: string): string[] {
  return text.split('\n').map((line) => safeText(line.replaceAll('\t', '    ')));
}

/** Columns of a terminal that a safe text takes: wide characters two, combining ones none. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const { segment } of graphemes.segment(text)) width += graphemeWidth(segment);
  return width;
}

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });
// Cc: C0, C1, DEL. Cf: direction, zero-width and other format characters. Zl, Zp: line separators.
// ZWJ stays between pictographs' parts only as an escape, too: a broken family is better than a hidden one.
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}]/gu;
const SHORT: ReadonlyMap<string, string> = new Map([
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
]);
const WIDE_MAX_NARROW = 0x10ff;
/** Unicode 16, EastAsianWidth W and F: the ranges that have assigned characters. */
const WIDE: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x231a, 0x231b],
  [0x2329, 0x232a],
  [0x23e9, 0x23ec],
  [0x25fd, 0x25fe],
  [0x2614, 0x2615],
  [0x2e80, 0x303e],
  [0x3041, 0x33ff],
  [0x3400, 0x4dbf],
  [0x4e00, 0x9fff],
  [0xa000, 0xa4cf],
  [0xa960, 0xa97c],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff01, 0xff60],
  [0xffe0, 0xffe6],
  [0x16fe0, 0x18cff],
  [0x1b000, 0x1b2ff],
  [0x1f004, 0x1f004],
  [0x1f0cf, 0x1f0cf],
  [0x1f18e, 0x1f18e],
  [0x1f191, 0x1f19a],
  [0x1f200, 0x1f265],
  [0x1f300, 0x1f64f],
  [0x1f680, 0x1f6ff],
  [0x1f7e0, 0x1f7eb],
  [0x1f900, 0x1faff],
  [0x20000, 0x3fffd],
];

function written(character: string): string {
  const short = SHORT.get(character);
  if (short !== undefined) return short;
  const code = character.codePointAt(0) ?? 0;
  if (code <= 0xff) return `\\x${code.toString(16).padStart(2, '0')}`;
  return code <= 0xffff ? `\\u${code.toString(16).padStart(4, '0')}` : `\\u{${code.toString(16)}}`;
}

function graphemeWidth(grapheme: string): number {
  const code = grapheme.codePointAt(0) ?? 0;
  if (code <= WIDE_MAX_NARROW) return /^\p{M}/u.test(grapheme) ? 0 : 1;
  if (/^\p{M}/u.test(grapheme)) return 0;
  if (grapheme.includes('\ufe0f')) return 2;
  return WIDE.some(([from, to]) => code >= from && code <= to) ? 2 : 1;
}

function cell(value: ReplayedValue | undefined, nullText: string): string {
  return value === null || value === undefined ? nullText : safeText(value);
}

function cut(text: string, widthMax: number): string {
  if (text.length <= widthMax && displayWidth(text) <= widthMax) return text;
  let kept = '';
  let width = 0;
  for (const { segment } of graphemes.segment(text)) {
    // One character may carry any number of marks; so many are no text.
    const part = segment.length > 16 ? '\ufffd' : segment;
    width += graphemeWidth(part);
    if (width > widthMax - 1) return `${kept}…`;
    kept += part;
  }
  return kept;
}

function pad(text: string, width: number, right: boolean): string {
  const space = ' '.repeat(Math.max(0, width - displayWidth(text)));
  return right ? space + text : text + space;
}

function isNumber(value: ReplayedValue | undefined): boolean {
  return value === null || (value !== undefined && /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(value));
}
