/**
 * CSV as it goes by: fields are given to whoever masks them, by the names in the first line, and every other byte
 * stays as it is written.
 *
 * Spec: RFC 4180; the delimiter is the one of `, ; TAB |` that the first line has most of, and a line may end
 * with LF or CR alone. spec/masking.md, section 16.
 * Refused, and so withheld from there on: a quote inside of a field that does not begin with one, text behind a
 * closing quote, a quote that is not closed; where a Mask names fields, a line with more fields than the first.
 * Untrusted: every byte.
 */

import { BODY_MASK_LIMITS } from '../../core/http-body-limits.ts';
import { contextOfKey } from '../detect/context.ts';
import type { BodyLeaves } from './body-leaves.ts';
import type { FieldRule } from './body-plan.ts';
import { HeldBytes } from './held-bytes.ts';
import type { Place } from './places.ts';
import { withheld } from './withheld.ts';

const QUOTE = 0x22;
const LF = 0x0a;
const CR = 0x0d;
const COMMA = 0x2c;
const DELIMITERS = [COMMA, 0x3b, 0x09, 0x7c] as const;
const EMPTY = new Uint8Array(0);
const MARK = [0xef, 0xbb, 0xbf] as const;

interface Column {
  readonly rule: FieldRule | undefined;
  readonly context: number;
}

/** Owns the field, or the first line, that has not ended. */
export class CsvMasker {
  readonly #leaves: BodyLeaves;
  readonly #root: Place<FieldRule>;
  readonly #held = new HeldBytes();
  readonly #hasFields: boolean;
  readonly #firstLine = new FirstLine();
  #delimiter = -1;
  readonly #columns: Column[] = [];
  #isHeader = true;
  #index = 0;
  /** Where to go on in what is held, and whether that is within quotes. */
  #at = 0;
  #isQuoted = false;
  #parts: Uint8Array[] = [];

  /** @param hasFields whether some Mask names fields: then each must be known by its name */
  constructor(leaves: BodyLeaves, root: Place<FieldRule>, hasFields: boolean) {
    this.#leaves = leaves;
    this.#root = root;
    this.#hasFields = hasFields;
  }

  push(chunk: Uint8Array): readonly Uint8Array[] {
    return this.#run(this.#held.join(chunk), false);
  }

  finish(): readonly Uint8Array[] {
    return this.#run(this.#held.join(EMPTY), true);
  }

  #run(bytes: Uint8Array, isEnd: boolean): readonly Uint8Array[] {
    this.#parts = [];
    let from = 0;
    if (this.#delimiter === -1) {
      const delimiter = this.#firstLine.delimiter(bytes, isEnd);
      if (delimiter === undefined) return this.#hold(bytes, 0);
      this.#delimiter = delimiter;
      if (MARK.every((byte, index) => bytes[index] === byte)) {
        this.#parts.push(bytes.subarray(0, MARK.length));
        from = MARK.length;
      }
      this.#at = from;
    }
    for (;;) {
      const end = this.#fieldEnd(bytes, from, isEnd);
      if (end === -1) break;
      // An empty line, or the LF behind a CR.
      const isBlank = end === from && this.#index === 0 && bytes[end] !== this.#delimiter;
      if (!isBlank) this.#field(bytes, from, end);
      from = end;
      if (end === bytes.length) break;
      this.#parts.push(bytes.subarray(end, end + 1));
      from = end + 1;
      this.#at = from;
      if (bytes[end] === this.#delimiter) this.#index += 1;
      else if (!isBlank) this.#endLine();
    }
    return this.#hold(bytes, from);
  }

  #hold(bytes: Uint8Array, from: number): readonly Uint8Array[] {
    this.#held.keep(bytes, from);
    this.#at = Math.max(0, this.#at - from);
    if (this.#held.length > BODY_MASK_LIMITS.pieceBytesMax)
      throw withheld('CSV', 'one field of it is too long');
    return this.#parts;
  }

  #endLine(): void {
    this.#isHeader = false;
    this.#index = 0;
  }

  /** Where a field ends: at a delimiter, an end of a line, or all of it; -1 where that is not there. */
  #fieldEnd(bytes: Uint8Array, from: number, isEnd: boolean): number {
    let at = Math.max(from, this.#at);
    if (at === from && bytes[from] === QUOTE) {
      this.#isQuoted = true;
      at += 1;
    }
    while (at < bytes.length) {
      const byte = bytes[at] ?? 0;
      if (this.#isQuoted) {
        const quote = bytes.indexOf(QUOTE, at);
        if (quote === -1) {
          at = bytes.length;
          break;
        }
        // Whether it is doubled shows with the next byte.
        if (quote + 1 === bytes.length && !isEnd) {
          at = quote;
          break;
        }
        if (bytes[quote + 1] === QUOTE) at = quote + 2;
        else {
          this.#isQuoted = false;
          at = quote + 1;
          if (at < bytes.length && !this.#isEnd(bytes[at] ?? 0))
            throw withheld('CSV', 'text stands behind a quote');
        }
      } else if (this.#isEnd(byte)) return at;
      else if (byte === QUOTE) throw withheld('CSV', 'a quote stands within a field');
      else at += 1;
    }
    this.#at = at;
    if (!isEnd) return -1;
    if (this.#isQuoted) throw withheld('CSV', 'a quote is not closed');
    return bytes.length;
  }

  #isEnd(byte: number): boolean {
    return byte === this.#delimiter || byte === LF || byte === CR;
  }

  #field(bytes: Uint8Array, from: number, to: number): void {
    const isQuoted = bytes[from] === QUOTE;
    const said = isQuoted ? unquoted(bytes, from + 1, to - 1) : bytes.subarray(from, to);
    const masked = this.#masked(said);
    if (masked === undefined) this.#parts.push(bytes.subarray(from, to));
    else this.#parts.push(isQuoted || this.#needsQuotes(masked) ? quoted(masked) : masked);
  }

  #masked(said: Uint8Array): Uint8Array | undefined {
    if (this.#isHeader) {
      if (this.#index >= BODY_MASK_LIMITS.csvColumnsMax) throw withheld('CSV', 'it has too many columns');
      const context = this.#leaves.looks ? contextOfKey(said, 0, said.length) : 0;
      this.#columns[this.#index] = { rule: this.#root.member(said, 0, said.length).value, context };
      return this.#leaves.name(said, 0, said.length, 0, this.#root.names);
    }
    const column = this.#columns[this.#index];
    if (column === undefined && this.#hasFields)
      throw withheld('CSV', 'a line has more fields than the first');
    const masked = this.#leaves.string(said, 0, said.length, column?.context ?? 0, column?.rule);
    return masked === null ? EMPTY : masked;
  }

  #needsQuotes(text: Uint8Array): boolean {
    return text.some((byte) => byte === QUOTE || this.#isEnd(byte));
  }
}

/** The first line, as far as it has come: what it is divided by. */
class FirstLine {
  readonly #counts: number[] = DELIMITERS.map(() => 0);
  #at = 0;
  #isQuoted = false;

  /** Undefined where its end is not there. */
  delimiter(bytes: Uint8Array, isAll: boolean): number | undefined {
    for (; this.#at < bytes.length; this.#at += 1) {
      const byte = bytes[this.#at] ?? 0;
      if (byte === QUOTE) this.#isQuoted = !this.#isQuoted;
      if (this.#isQuoted) continue;
      if (byte === LF || byte === CR) return this.#most();
      const index = DELIMITERS.findIndex((delimiter) => delimiter === byte);
      if (index !== -1) this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    }
    return isAll ? this.#most() : undefined;
  }

  #most(): number {
    return DELIMITERS[this.#counts.indexOf(Math.max(...this.#counts))] ?? COMMA;
  }
}

function unquoted(bytes: Uint8Array, from: number, to: number): Uint8Array {
  const text = new Uint8Array(Math.max(0, to - from));
  let length = 0;
  for (let at = from; at < to; at += 1) {
    text[length] = bytes[at] ?? 0;
    length += 1;
    if (bytes[at] === QUOTE) at += 1;
  }
  return text.subarray(0, length);
}

function quoted(text: Uint8Array): Uint8Array {
  const bytes: number[] = [QUOTE];
  for (const byte of text) {
    if (byte === QUOTE) bytes.push(QUOTE);
    bytes.push(byte);
  }
  bytes.push(QUOTE);
  return Uint8Array.from(bytes);
}
