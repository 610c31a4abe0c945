/**
 * What COPY … TO STDOUT sends, field by field: CopyData of whatever length → the same with some fields
 * replaced. What is not replaced is the bytes that came.
 *
 * Spec: PostgreSQL 18, "COPY", "File Formats"; copyto.c and copyfromparse.c in src/backend/commands.
 * A row is given on when its end has come; how it was cut into messages does not matter.
 * Refused: rows with another number of fields than CopyOutResponse said, rows longer than the limit, data
 * behind the end of the binary format, and what ends inside a row.
 * Untrusted: every byte.
 */

import { COPY_OUT_LIMITS } from '../../core/masking-limits.ts';
import { violation } from './byte-reader.ts';
import { BinaryRows } from './copy-binary.ts';
import { CSVRows } from './copy-csv.ts';
import type { CopyOutFormat } from './copy-options.ts';
import { TextRows } from './copy-text.ts';
import type { CopyResponse } from './messages.ts';

/** What becomes of a field: the same object where it stays; null is NULL. */
export type ReplaceField = (index: number, value: Uint8Array | null) => Uint8Array | null;

/** How rows of one format end, and what is in them. One for each COPY. */
export interface CopyRows {
  /** Behind the end of the row that is open, of bytes from `from` on; -1 where that has not come. Each byte is given once. */
  end(bytes: Uint8Array, from: number): number;
  /** A whole row with its fields replaced; the same object where none is. */
  row(bytes: Uint8Array): Uint8Array;
  /** What is open when there is no more: its bytes may be none. */
  last(bytes: Uint8Array): Uint8Array;
}

/** Replaces fields in one COPY. Owned by the session that carries it. */
export class CopyOutStream {
  readonly #rows: CopyRows;
  /** Bytes of a row whose end has not come. */
  #held: Uint8Array = new Uint8Array(0);
  #heldLength = 0;

  /**
   * @example
   * const stream = new CopyOutStream(format, response, (index, value) => (index === 1 ? null : value));
   * stream.push(data); // the bytes to send instead, which may be none
   */
  constructor(format: CopyOutFormat, response: CopyResponse, replace: ReplaceField) {
    const columns = response.columnFormats.length;
    if ((format.kind === 'binary') !== (response.format === 1)) {
      throw violation('COPY is answered in another format than its statement asks for');
    }
    this.#rows = rowsOf(format, columns, replace);
  }

  /** The data of a CopyData, with what is complete of it; the same object where nothing changed. */
  push(data: Uint8Array): Uint8Array {
    const parts: Uint8Array[] = [];
    let isSame = true;
    let at = 0;
    while (at < data.length) {
      const end = this.#rows.end(data, at);
      if (end === -1) break;
      const came = this.#whole(data.subarray(at, end));
      isSame &&= this.#heldLength === 0;
      this.#heldLength = 0;
      const row = this.#rows.row(came);
      isSame &&= row === came;
      parts.push(row);
      at = end;
    }
    if (isSame && at === data.length) return data;
    this.#hold(data.subarray(at));
    return parts.length === 1 ? (parts[0] ?? EMPTY) : concatenated(parts);
  }

  /** What is left when CopyDone has come. */
  end(): Uint8Array {
    const left = this.#held.subarray(0, this.#heldLength);
    this.#heldLength = 0;
    return this.#rows.last(left);
  }

  #whole(rest: Uint8Array): Uint8Array {
    if (this.#heldLength === 0) return within(rest);
    this.#hold(rest);
    // A copy: the buffer goes on to be written to.
    return this.#held.slice(0, this.#heldLength);
  }

  #hold(bytes: Uint8Array): void {
    const length = this.#heldLength + bytes.length;
    if (length > COPY_OUT_LIMITS.rowBytesMax) throw tooLong();
    if (length > this.#held.length) {
      const larger = new Uint8Array(Math.max(length, 2 * this.#held.length));
      larger.set(this.#held.subarray(0, this.#heldLength));
      this.#held = larger;
    }
    this.#held.set(bytes, this.#heldLength);
    this.#heldLength = length;
  }
}

const EMPTY = new Uint8Array(0);

function rowsOf(format: CopyOutFormat, columns: number, replace: ReplaceField): CopyRows {
  switch (format.kind) {
    case 'text':
      return new TextRows(format, columns, replace);
    case 'csv':
      return new CSVRows(format, columns, replace);
    case 'binary':
      return new BinaryRows(columns, replace);
    default:
      return format satisfies never;
  }
}

function within(row: Uint8Array): Uint8Array {
  if (row.length > COPY_OUT_LIMITS.rowBytesMax) throw tooLong();
  return row;
}

function tooLong(): Error {
  return violation(`a row of COPY is longer than ${COPY_OUT_LIMITS.rowBytesMax} bytes`);
}

function concatenated(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
