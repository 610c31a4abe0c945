/**
 * Rows of COPY in the binary format.
 *
 * Spec: PostgreSQL 18, "COPY", "Binary Format".
 * Grammar: `PGCOPY\n\377\r\n\0`, Int32 flags, Int32 length of more header; for each row Int16 fields, and for
 * each Int32 length (-1 is NULL) and that many bytes; at the end Int16 -1.
 * Refused: flags, which change the form, and anything behind the end.
 */

import { COPY_OUT_LIMITS } from '../../core/masking-limits.ts';
import { violation } from './byte-reader.ts';
import { checkFields, RewrittenRow } from './copy-row.ts';
import type { CopyRows, ReplaceField } from './copy-out.ts';

const SIGNATURE = [0x50, 0x47, 0x43, 0x4f, 0x50, 0x59, 0x0a, 0xff, 0x0d, 0x0a, 0x00];
const HEADER_BYTES = SIGNATURE.length + 8;
const COUNT_BYTES = 2;
const LENGTH_BYTES = 4;
const NULL_LENGTH = -1;
const TRAILER_COUNT = 0xffff;

/** What is read next, and what comes with it. */
type Next = 'header' | 'more-header' | 'count' | 'length' | 'value' | 'nothing';

export class BinaryRows implements CopyRows {
  readonly #columns: number;
  readonly #replace: ReplaceField;
  #next: Next = 'header';
  /** Bytes that are still to come of what is read. */
  #missing = HEADER_BYTES;
  /** Of a count or length, what has come of it. */
  #number = 0;
  /** Of the header, how much has come. */
  #headerAt = 0;
  #fields = 0;
  /** The row that is open is the header, or the end. */
  #kind: 'header' | 'row' | 'trailer' = 'header';

  constructor(columns: number, replace: ReplaceField) {
    this.#columns = columns;
    this.#replace = replace;
  }

  end(bytes: Uint8Array, from: number): number {
    let at = from;
    while (at < bytes.length) {
      if (this.#next === 'nothing') throw violation('COPY goes on behind its end');
      if (this.#next === 'value' || this.#next === 'more-header') {
        const taken = Math.min(this.#missing, bytes.length - at);
        this.#missing -= taken;
        at += taken;
      } else {
        this.#takeByte(bytes[at] ?? 0);
        at += 1;
      }
      if (this.#missing === 0 && this.#isRowOver()) return at;
    }
    return -1;
  }

  row(bytes: Uint8Array): Uint8Array {
    const kind = this.#kind;
    this.#kind = 'row';
    if (kind !== 'row') return bytes;
    const row = new RewrittenRow(bytes);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = COUNT_BYTES;
    for (let index = 0; index < this.#columns; index += 1) {
      const from = at + LENGTH_BYTES;
      const length = view.getInt32(at);
      const value = length === NULL_LENGTH ? null : bytes.subarray(from, from + length);
      const to = from + (value?.length ?? 0);
      const replaced = this.#replace(index, value);
      if (replaced !== value) row.replace(at, to, written(replaced));
      at = to;
    }
    return row.finish();
  }

  last(bytes: Uint8Array): Uint8Array {
    if (this.#next !== 'nothing') throw violation('COPY ends before its end');
    return bytes;
  }

  #takeByte(byte: number): void {
    this.#missing -= 1;
    this.#number = ((this.#number << 8) | byte) >>> 0;
    if (this.#next !== 'header') return;
    const at = this.#headerAt++;
    if (at < SIGNATURE.length && byte !== SIGNATURE[at]) throw violation('COPY has no header of its format');
    const isFlags = at >= SIGNATURE.length && at < SIGNATURE.length + 4;
    if (isFlags && byte !== 0) throw violation('COPY has flags that are not known');
    if (at === SIGNATURE.length + 3) this.#number = 0;
  }

  /** Goes on to what comes next; whether that is another row. */
  #isRowOver(): boolean {
    switch (this.#next) {
      case 'header':
        return this.#headerOver();
      case 'more-header':
        return this.#open();
      case 'count':
        return this.#countOver();
      case 'length':
        return this.#lengthOver();
      case 'value':
        return this.#fieldOver();
      case 'nothing':
        return true;
      default:
        return this.#next satisfies never;
    }
  }

  #headerOver(): boolean {
    if (this.#number > COPY_OUT_LIMITS.headerBytesMax) throw violation('the header of COPY is too long');
    if (this.#number === 0) return this.#open();
    this.#read('more-header', this.#number);
    return false;
  }

  #countOver(): boolean {
    if (this.#number === TRAILER_COUNT) {
      this.#kind = 'trailer';
      this.#read('nothing', 0);
      return true;
    }
    checkFields(this.#number, this.#columns);
    this.#fields = this.#number;
    return this.#nextField();
  }

  #lengthOver(): boolean {
    const length = this.#number | 0;
    if (length === NULL_LENGTH || length === 0) return this.#fieldOver();
    if (length < 0 || length > COPY_OUT_LIMITS.rowBytesMax) throw violation('a field of COPY is too long');
    this.#read('value', length);
    return false;
  }

  #fieldOver(): boolean {
    this.#fields -= 1;
    return this.#nextField();
  }

  #nextField(): boolean {
    if (this.#fields === 0) return this.#open();
    this.#read('length', LENGTH_BYTES);
    return false;
  }

  #open(): boolean {
    this.#read('count', COUNT_BYTES);
    return true;
  }

  #read(next: Next, bytes: number): void {
    this.#next = next;
    this.#missing = bytes;
    this.#number = 0;
  }
}

function written(value: Uint8Array | null): Uint8Array {
  const bytes = new Uint8Array(LENGTH_BYTES + (value?.length ?? 0));
  new DataView(bytes.buffer).setInt32(0, value?.length ?? NULL_LENGTH);
  bytes.set(value ?? [], LENGTH_BYTES);
  return bytes;
}
