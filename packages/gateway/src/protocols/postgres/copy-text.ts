/**
 * Rows of COPY in the text format.
 *
 * Spec: CopyAttributeOutText in copyto.c, CopyReadAttributesText in copyfromparse.c.
 * Grammar: fields with one byte between, a line feed behind the last; a backslash before `\`, the delimiter,
 * and one of `b f n r t v` for a control character. What reads also knows `\ooo` and `\xhh`.
 * A NULL that reads like a value is taken for one, because nobody could tell a value that it is not: only a
 * NULL that no value looks like, as `\N`, and the empty one, are NULL.
 */

import { BACKSLASH, checkFields, END_OF_DATA, isAt, LINE_FEED, RewrittenRow } from './copy-row.ts';
import type { CopyOutText } from './copy-options.ts';
import type { CopyRows, ReplaceField } from './copy-out.ts';

/** Letters behind a backslash, and what they stand for. */
export const ESCAPES: ReadonlyMap<number, number> = new Map([
  [0x62, 0x08],
  [0x66, 0x0c],
  [0x6e, 0x0a],
  [0x72, 0x0d],
  [0x74, 0x09],
  [0x76, 0x0b],
]);
const LETTERS: ReadonlyMap<number, number> = new Map([...ESCAPES].map(([letter, byte]) => [byte, letter]));

export class TextRows implements CopyRows {
  readonly #format: CopyOutText;
  readonly #columns: number;
  readonly #replace: ReplaceField;
  readonly #hasNull: boolean;
  #isEscaped = false;
  #isHeader: boolean;

  constructor(format: CopyOutText, columns: number, replace: ReplaceField) {
    this.#format = format;
    this.#columns = columns;
    this.#replace = replace;
    this.#hasNull = !readsLikeValue(format);
    this.#isHeader = format.hasHeader;
  }

  end(bytes: Uint8Array, from: number): number {
    for (let at = from; at < bytes.length; at += 1) {
      const byte = bytes[at];
      if (this.#isEscaped) this.#isEscaped = false;
      else if (byte === BACKSLASH) this.#isEscaped = true;
      else if (byte === LINE_FEED) return at + 1;
    }
    return -1;
  }

  last(bytes: Uint8Array): Uint8Array {
    return bytes.length === 0 ? bytes : this.row(bytes);
  }

  row(bytes: Uint8Array): Uint8Array {
    const hasEnd = bytes[bytes.length - 1] === LINE_FEED;
    const to = hasEnd ? bytes.length - 1 : bytes.length;
    if (isAt(bytes, 0, to, END_OF_DATA)) return bytes;
    const replace = this.#isHeader ? unchanged : this.#replace;
    this.#isHeader = false;
    // A row without columns is an empty line, as one with an empty field is.
    if (this.#columns === 0 && to === 0) return bytes;
    const row = new RewrittenRow(bytes);
    let index = 0;
    let from = 0;
    for (;;) {
      if (index >= this.#columns) checkFields(index + 1, this.#columns);
      const end = this.#fieldEnd(bytes, from, to);
      const value = this.#valueOf(bytes, from, end);
      const replaced = replace(index, value);
      if (replaced !== value) row.replace(from, end, this.#written(replaced));
      index += 1;
      if (end >= to) break;
      from = end + 1;
    }
    checkFields(index, this.#columns);
    return row.finish();
  }

  #fieldEnd(bytes: Uint8Array, from: number, to: number): number {
    const { delimiter } = this.#format;
    let at = from;
    while (at < to && bytes[at] !== delimiter) at += bytes[at] === BACKSLASH ? 2 : 1;
    return Math.min(at, to);
  }

  #valueOf(bytes: Uint8Array, from: number, to: number): Uint8Array | null {
    if (this.#hasNull && isAt(bytes, from, to, this.#format.nullBytes)) return null;
    const raw = bytes.subarray(from, to);
    return raw.includes(BACKSLASH) ? unescaped(raw) : raw;
  }

  #written(value: Uint8Array | null): Uint8Array {
    if (value === null) return this.#format.nullBytes;
    const bytes = new Uint8Array(2 * value.length);
    let length = 0;
    for (const byte of value) {
      const isItself = byte === BACKSLASH || byte === this.#format.delimiter;
      const letter = LETTERS.get(byte) ?? (isItself ? byte : undefined);
      if (letter !== undefined) bytes[length++] = BACKSLASH;
      bytes[length++] = letter ?? byte;
    }
    return bytes.subarray(0, length);
  }
}

function unchanged(_: number, value: Uint8Array | null): Uint8Array | null {
  return value;
}

/** Whether the server might write a value that is not NULL like this. The empty one tells of an empty text only. */
function readsLikeValue({ nullBytes, delimiter }: CopyOutText): boolean {
  if (nullBytes.length === 0) return false;
  for (let at = 0; at < nullBytes.length; at += 1) {
    const byte = nullBytes[at] ?? 0;
    if (LETTERS.has(byte)) return false;
    if (byte !== BACKSLASH) continue;
    at += 1;
    const escaped = nullBytes[at] ?? 0;
    if (escaped !== BACKSLASH && escaped !== delimiter && !ESCAPES.has(escaped)) return false;
  }
  return true;
}

function unescaped(raw: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(raw.length);
  let length = 0;
  let at = 0;
  while (at < raw.length) {
    const byte = raw[at] ?? 0;
    if (byte !== BACKSLASH || at + 1 === raw.length) {
      bytes[length++] = byte;
      at += 1;
      continue;
    }
    const [said, next] = escapeAt(raw, at + 1);
    bytes[length++] = said;
    at = next;
  }
  return bytes.subarray(0, length);
}

/** What stands behind a backslash, and where to go on. */
function escapeAt(raw: Uint8Array, at: number): readonly [byte: number, next: number] {
  const first = raw[at] ?? 0;
  const known = ESCAPES.get(first);
  if (known !== undefined) return [known, at + 1];
  // x and one or two digits; or up to three octal ones.
  const [base, from, digitsMax] = first === 0x78 ? [16, at + 1, 2] : [8, at, 3];
  let value = 0;
  let next = from;
  while (next < raw.length && next < from + digitsMax && digitOf(raw[next] ?? 0) < base) {
    value = value * base + digitOf(raw[next] ?? 0);
    next += 1;
  }
  return next === from ? [first, at + 1] : [value & 0xff, next];
}

/** 16 for what is no digit. */
export function digitOf(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x61 + 10 : 16;
}
