/**
 * What a client sends to COPY … FROM STDIN, taken apart into fields: CopyData of whatever length → values, with quotes
 * and escapes undone. It decides nothing and holds nothing: a field comes in as many parts as it came.
 *
 * Spec: PostgreSQL 18, "COPY", "File Formats"; CopyReadLineText, CopyReadAttributesText, CopyReadAttributesCSV and
 * CopyReadBinaryAttribute in src/backend/commands/copyfromparse.c.
 * Grammar: text and CSV as in copy-text.ts and copy-csv.ts, binary as in copy-binary.ts. A carriage return ends a line
 * as a line feed does: where it does not, the server refuses it. Markers of NULL, defaults and the end are fields as
 * any other, and what stands behind the end is read on.
 * Refused: in binary, what is not of its form, which the server refuses too.
 * Untrusted: every byte.
 */

import { violation } from './byte-reader.ts';
import type { CopyInFormat } from './copy-options.ts';
import { BACKSLASH, CARRIAGE_RETURN, LINE_FEED } from './copy-row.ts';
import { digitOf, ESCAPES } from './copy-text.ts';

/** Takes what fields are made of. */
export interface FieldSink {
  /** More of the value of the open field: a view, lent for this call. */
  part(bytes: Uint8Array): void;
  /** The field is over; `endsRow` where its row is too. */
  end(endsRow: boolean): void;
}

/** One COPY; owned by who carries it. */
export interface CopyInFields {
  /** The data of a CopyData, or any part of it. */
  push(data: Uint8Array): void;
  /** CopyDone: what is open is over. */
  end(): void;
}

/**
 * @example
 * const fields = copyInFields(format, { part: (bytes) => { … }, end: () => { … } });
 * fields.push(data);
 */
export function copyInFields(format: CopyInFormat, sink: FieldSink): CopyInFields {
  switch (format.kind) {
    case 'text':
      return new TextFields(format.delimiter, sink);
    case 'csv':
      return new CSVFields(format, sink);
    case 'binary':
      return new BinaryFields(sink);
    default:
      return format satisfies never;
  }
}

/** One byte that stands for others. */
class OneByte {
  readonly #bytes = new Uint8Array(1);

  of(byte: number): Uint8Array {
    this.#bytes[0] = byte;
    return this.#bytes;
  }
}

/** Fields in lines: a carriage return and the line feed behind it are one end. */
class Lines {
  readonly #sink: FieldSink;
  #isBehindReturn = false;

  constructor(sink: FieldSink) {
    this.#sink = sink;
  }

  part(bytes: Uint8Array): void {
    this.#isBehindReturn = false;
    this.#sink.part(bytes);
  }

  /** A delimiter, or the end of a line. */
  mark(byte: number): void {
    const isOver = byte === LINE_FEED && this.#isBehindReturn;
    this.#isBehindReturn = byte === CARRIAGE_RETURN;
    if (!isOver) this.#sink.end(byte === LINE_FEED || byte === CARRIAGE_RETURN);
  }

  end(): void {
    this.#sink.end(true);
  }
}

const HEX_DIGITS_MAX = 2;
const OCTAL_DIGITS_MAX = 3;
const X = 0x78;

class TextFields implements CopyInFields {
  readonly #sink: Lines;
  /** Bytes at which something other than more of a value may begin. */
  readonly #special = new Uint8Array(256);
  readonly #one = new OneByte();
  /** What the last bytes were of. */
  #escape: 'none' | 'backslash' | 'hex' | 'octal' = 'none';
  #number = 0;
  #digits = 0;

  constructor(delimiter: number, sink: FieldSink) {
    this.#sink = new Lines(sink);
    for (const byte of [delimiter, BACKSLASH, LINE_FEED, CARRIAGE_RETURN]) this.#special[byte] = 1;
  }

  push(data: Uint8Array): void {
    const special = this.#special;
    let from = 0;
    let at = 0;
    while (at < data.length) {
      const byte = data[at] ?? 0;
      if (this.#escape !== 'none') {
        if (this.#escaped(byte)) at += 1;
        from = at;
        continue;
      }
      at += 1;
      if (special[byte] === 0) continue;
      if (at - 1 > from) this.#sink.part(data.subarray(from, at - 1));
      from = at;
      if (byte === BACKSLASH) this.#escape = 'backslash';
      else this.#sink.mark(byte);
    }
    if (at > from) this.#sink.part(data.subarray(from, at));
  }

  end(): void {
    if (this.#escape === 'hex' || this.#escape === 'octal') this.#numberOver();
    this.#escape = 'none';
    this.#sink.end();
  }

  /** Whether the byte is of the escape that is open; else that is over, and the byte is still to be read. */
  #escaped(byte: number): boolean {
    if (this.#escape === 'backslash') {
      this.#begin(byte);
      return true;
    }
    const isHex = this.#escape === 'hex';
    const isMore =
      this.#digits < (isHex ? HEX_DIGITS_MAX : OCTAL_DIGITS_MAX) && digitOf(byte) < (isHex ? 16 : 8);
    if (!isMore) {
      this.#numberOver();
      return false;
    }
    this.#number = this.#number * (isHex ? 16 : 8) + digitOf(byte);
    this.#digits += 1;
    return true;
  }

  #begin(byte: number): void {
    const isOctal = digitOf(byte) < 8;
    if (byte === X || isOctal) {
      this.#escape = isOctal ? 'octal' : 'hex';
      this.#number = isOctal ? digitOf(byte) : 0;
      this.#digits = isOctal ? 1 : 0;
      return;
    }
    this.#escape = 'none';
    this.#sink.part(this.#one.of(ESCAPES.get(byte) ?? byte));
  }

  /** An x without digits is an x. */
  #numberOver(): void {
    this.#escape = 'none';
    this.#sink.part(this.#one.of(this.#digits === 0 ? X : this.#number & 0xff));
  }
}

interface CSVMarks {
  readonly delimiter: number;
  readonly quote: number;
  readonly escape: number;
}

class CSVFields implements CopyInFields {
  readonly #sink: Lines;
  readonly #marks: CSVMarks;
  /** Bytes at which something other than more of a value may begin: outside of quotes, and between them. */
  readonly #outside = new Uint8Array(256);
  readonly #inside = new Uint8Array(256);
  readonly #one = new OneByte();
  #isQuoted = false;
  /** The last byte was an escape, or a quote that may be one, between quotes. */
  #isEscape = false;

  constructor(marks: CSVMarks, sink: FieldSink) {
    this.#sink = new Lines(sink);
    this.#marks = marks;
    for (const byte of [marks.delimiter, marks.quote, LINE_FEED, CARRIAGE_RETURN]) this.#outside[byte] = 1;
    for (const byte of [marks.quote, marks.escape]) this.#inside[byte] = 1;
  }

  push(data: Uint8Array): void {
    const { quote, escape } = this.#marks;
    let from = 0;
    let at = 0;
    while (at < data.length) {
      const byte = data[at] ?? 0;
      if (this.#isEscape) {
        this.#isEscape = false;
        if (byte === quote || byte === escape) {
          // It is a byte of the value, and begins the next part.
          from = at;
          at += 1;
          continue;
        }
        this.#noEscape();
        from = at;
      }
      at += 1;
      if ((this.#isQuoted ? this.#inside : this.#outside)[byte] === 0) continue;
      if (at - 1 > from) this.#sink.part(data.subarray(from, at - 1));
      from = at;
      this.#mark(byte);
    }
    if (at > from) this.#sink.part(data.subarray(from, at));
  }

  end(): void {
    if (this.#isEscape) this.#noEscape();
    this.#sink.end();
  }

  #mark(byte: number): void {
    const { quote, escape } = this.#marks;
    if (this.#isQuoted && byte === escape) this.#isEscape = true;
    else if (byte === quote) this.#isQuoted = !this.#isQuoted;
    else this.#sink.mark(byte);
  }

  /** What looked like an escape is none: the end of the quotes, or a byte of the value. */
  #noEscape(): void {
    const { quote, escape } = this.#marks;
    if (quote === escape) this.#isQuoted = false;
    else this.#sink.part(this.#one.of(escape));
  }
}

const SIGNATURE = [0x50, 0x47, 0x43, 0x4f, 0x50, 0x59, 0x0a, 0xff, 0x0d, 0x0a, 0x00];
const FLAGS_BYTES = 4;
const LENGTH_BYTES = 4;
const COUNT_BYTES = 2;
const NULL_LENGTH = -1;
const TRAILER_COUNT = -1;

class BinaryFields implements CopyInFields {
  readonly #sink: FieldSink;
  #next: 'header' | 'more-header' | 'count' | 'length' | 'value' | 'nothing' = 'header';
  /** Bytes that are still to come of what is read. */
  #missing = SIGNATURE.length + FLAGS_BYTES + LENGTH_BYTES;
  #headerAt = 0;
  /** Of a count or a length, what has come of it. */
  #number = 0;
  /** Fields that are still to come of the row. */
  #fields = 0;

  constructor(sink: FieldSink) {
    this.#sink = sink;
  }

  push(data: Uint8Array): void {
    let at = 0;
    while (at < data.length) {
      if (this.#isEnded) throw violation('COPY data goes on behind its end');
      if (this.#next === 'value' || this.#next === 'more-header') {
        const taken = Math.min(this.#missing, data.length - at);
        if (this.#next === 'value') this.#sink.part(data.subarray(at, at + taken));
        this.#missing -= taken;
        at += taken;
      } else {
        this.#takeByte(data[at] ?? 0);
        at += 1;
      }
      // What has no bytes is over at once.
      while (this.#missing === 0 && !this.#isEnded) this.#over();
    }
  }

  /** Cut off, the server refuses it, or takes what came before the row that is open. */
  end(): void {
    if (this.#next === 'value') this.#sink.end(true);
  }

  get #isEnded(): boolean {
    return this.#next === 'nothing';
  }

  #takeByte(byte: number): void {
    this.#missing -= 1;
    this.#number = (this.#number << 8) | byte;
    if (this.#next !== 'header') return;
    const at = this.#headerAt++;
    if (at < SIGNATURE.length && byte !== SIGNATURE[at])
      throw violation('COPY data has no header of its format');
  }

  #over(): void {
    switch (this.#next) {
      case 'header':
        if (this.#number < 0) throw violation('the header of COPY data has no length');
        return this.#read('more-header', this.#number);
      case 'more-header':
        return this.#read('count', COUNT_BYTES);
      case 'count':
        return this.#rowBegins((this.#number << 16) >> 16);
      case 'length':
        return this.#fieldBegins(this.#number);
      case 'value':
        return this.#fieldOver();
      case 'nothing':
        return undefined;
      default:
        return this.#next satisfies never;
    }
  }

  #rowBegins(count: number): void {
    if (count < TRAILER_COUNT) throw violation('a row of COPY data has no number of fields');
    if (count === TRAILER_COUNT) {
      this.#next = 'nothing';
      return;
    }
    this.#fields = count;
    if (count === 0) this.#read('count', COUNT_BYTES);
    else this.#read('length', LENGTH_BYTES);
  }

  #fieldBegins(length: number): void {
    if (length < NULL_LENGTH) throw violation('a field of COPY data has no length');
    if (length === NULL_LENGTH) this.#fieldOver();
    else this.#read('value', length);
  }

  #fieldOver(): void {
    this.#fields -= 1;
    this.#sink.end(this.#fields === 0);
    if (this.#fields === 0) this.#read('count', COUNT_BYTES);
    else this.#read('length', LENGTH_BYTES);
  }

  #read(next: 'more-header' | 'count' | 'length' | 'value', missing: number): void {
    this.#next = next;
    this.#missing = missing;
    this.#number = 0;
  }
}
