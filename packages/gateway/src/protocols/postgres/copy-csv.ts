/**
 * Rows of COPY in the CSV format.
 *
 * Spec: CopyAttributeOutCSV in copyto.c, CopyReadAttributesCSV in copyfromparse.c.
 * Grammar: fields with one byte between, a line feed behind the last; anything between quotes, and there an
 * escape before a quote or an escape. NULL is without quotes, and a value like it has them.
 */

import { CARRIAGE_RETURN, checkFields, END_OF_DATA, isAt, LINE_FEED, RewrittenRow } from './copy-row.ts';
import type { CopyOutCSV } from './copy-options.ts';
import type { CopyRows, ReplaceField } from './copy-out.ts';
import { violation } from './byte-reader.ts';

export class CSVRows implements CopyRows {
  readonly #format: CopyOutCSV;
  readonly #columns: number;
  readonly #replace: ReplaceField;
  #isQuoted = false;
  /** The last byte was an escape between quotes. */
  #isEscaped = false;
  #isHeader: boolean;

  constructor(format: CopyOutCSV, columns: number, replace: ReplaceField) {
    this.#format = format;
    this.#columns = columns;
    this.#replace = replace;
    this.#isHeader = format.hasHeader;
  }

  end(bytes: Uint8Array, from: number): number {
    const { quote, escape } = this.#format;
    for (let at = from; at < bytes.length; at += 1) {
      const byte = bytes[at];
      if (this.#isEscaped) {
        this.#isEscaped = false;
        if (byte === escape || byte === quote) continue;
      }
      if (this.#isQuoted && byte === escape && escape !== quote) this.#isEscaped = true;
      else if (byte === quote) this.#isQuoted = !this.#isQuoted;
      else if (byte === LINE_FEED && !this.#isQuoted) return at + 1;
    }
    return -1;
  }

  last(bytes: Uint8Array): Uint8Array {
    if (this.#isQuoted) throw violation('COPY ends inside a quoted field');
    return bytes.length === 0 ? bytes : this.row(bytes);
  }

  row(bytes: Uint8Array): Uint8Array {
    const hasEnd = bytes[bytes.length - 1] === LINE_FEED;
    const to = hasEnd ? bytes.length - 1 : bytes.length;
    if (isAt(bytes, 0, to, END_OF_DATA)) return bytes;
    const replace = this.#isHeader ? unchanged : this.#replace;
    this.#isHeader = false;
    // A row without columns is an empty line, as one with a NULL is.
    if (this.#columns === 0 && to === 0) return bytes;
    const row = new RewrittenRow(bytes);
    let index = 0;
    let from = 0;
    for (;;) {
      if (index >= this.#columns) checkFields(index + 1, this.#columns);
      const field = this.#fieldAt(bytes, from, to);
      const replaced = replace(index, field.value);
      if (replaced !== field.value) row.replace(from, field.end, this.#written(replaced, field.isQuoted));
      index += 1;
      if (field.end >= to) break;
      from = field.end + 1;
    }
    checkFields(index, this.#columns);
    return row.finish();
  }

  #fieldAt(bytes: Uint8Array, from: number, to: number): Field {
    const { delimiter, quote, escape, nullBytes } = this.#format;
    let at = from;
    while (at < to && bytes[at] !== delimiter && bytes[at] !== quote) at += 1;
    // Most fields have no quotes.
    if (at >= to || bytes[at] === delimiter) {
      const value = isAt(bytes, from, at, nullBytes) ? null : bytes.subarray(from, at);
      return { value, end: at, isQuoted: false };
    }
    const value = new Uint8Array(to - from);
    let length = 0;
    let isQuoted = false;
    for (at = from; at < to; at += 1) {
      const byte = bytes[at] ?? 0;
      if (!isQuoted && byte === delimiter) break;
      const next = at + 1 < to ? bytes[at + 1] : undefined;
      if (isQuoted && byte === escape && (next === escape || next === quote) && next !== undefined) {
        value[length++] = next;
        at += 1;
      } else if (byte === quote) isQuoted = !isQuoted;
      else value[length++] = byte;
    }
    return { value: value.subarray(0, length), end: at, isQuoted: true };
  }

  #written(value: Uint8Array | null, wasQuoted: boolean): Uint8Array {
    if (value === null) return this.#format.nullBytes;
    const { quote, escape } = this.#format;
    if (!wasQuoted && !this.#needsQuotes(value)) return value;
    const bytes = new Uint8Array(2 * value.length + 2);
    let length = 0;
    bytes[length++] = quote;
    for (const byte of value) {
      if (byte === quote || byte === escape) bytes[length++] = escape;
      bytes[length++] = byte;
    }
    bytes[length++] = quote;
    return bytes.subarray(0, length);
  }

  #needsQuotes(value: Uint8Array): boolean {
    const { delimiter, quote, nullBytes } = this.#format;
    if (isAt(value, 0, value.length, nullBytes)) return true;
    if (this.#columns === 1 && isAt(value, 0, value.length, END_OF_DATA)) return true;
    return value.some(
      (byte) => byte === delimiter || byte === quote || byte === LINE_FEED || byte === CARRIAGE_RETURN,
    );
  }
}

interface Field {
  readonly value: Uint8Array | null;
  /** Where it ends in the row. */
  readonly end: number;
  readonly isQuoted: boolean;
}

function unchanged(_: number, value: Uint8Array | null): Uint8Array | null {
  return value;
}
