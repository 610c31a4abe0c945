/** What the detectors share while one text is scanned: the text, what is known about it, what was found. */

import { WordIndex } from './context.ts';
import type { When } from './entities.ts';

/** What is known about a text before a byte of it is read. */
export interface Hints {
  /** Bits of `CONTEXT`, by the names of table and column, of members, of a header. */
  readonly context: number;
  /** The text is one value of a column: a bare number that is all of it may be an id. */
  readonly isColumnValue: boolean;
  /** Entities, by number, that the statistics of the column have made certain; 1 for those. */
  readonly promoted: Uint8Array | undefined;
}

/** Nothing is known: a text from anywhere. */
export const NO_HINTS: Hints = { context: 0, isColumnValue: false, promoted: undefined };

/** Places for what is found; more are made where a text has more. */
const SPANS_AT_FIRST = 1_024;

export class ScanState {
  bytes: Uint8Array = new Uint8Array(0);
  /** The first byte that may be read. */
  begin = 0;
  /** The first byte that may belong to a value; what lies before was decided. */
  floor = 0;
  end = 0;
  hints: Hints = NO_HINTS;

  /** Digits of the number that is looked at, as numbers. */
  readonly digits: Uint8Array = new Uint8Array(64);
  /** Letters in upper case and digits of the code that is looked at. */
  readonly code: Uint8Array = new Uint8Array(96);
  readonly groupFrom: Int32Array = new Int32Array(40);
  readonly groupTo: Int32Array = new Int32Array(40);

  /** Up to here no dot ends the first part of a JWT. */
  noDotTo = 0;
  /** Places before this one are no beginning of a secret. */
  triedTo = 0;

  count = 0;
  spanFrom: Int32Array = new Int32Array(SPANS_AT_FIRST);
  spanTo: Int32Array = new Int32Array(SPANS_AT_FIRST);
  spanEntity: Int32Array = new Int32Array(SPANS_AT_FIRST);

  readonly #words = new WordIndex();

  open(bytes: Uint8Array, begin: number, from: number, end: number, hints: Hints): void {
    this.bytes = bytes;
    this.begin = begin;
    this.floor = from;
    this.end = end;
    this.hints = hints;
    this.count = 0;
    this.noDotTo = 0;
    this.triedTo = 0;
    this.#words.open(bytes, begin, end);
  }

  add(entity: number, from: number, to: number): void {
    if (this.count === this.spanFrom.length) this.#grow();
    this.spanFrom[this.count] = from;
    this.spanTo[this.count] = to;
    this.spanEntity[this.count] = entity;
    this.count += 1;
    this.floor = to;
  }

  #grow(): void {
    for (const name of ['spanFrom', 'spanTo', 'spanEntity'] as const) {
      const larger = new Int32Array(this[name].length * 2);
      larger.set(this[name]);
      this[name] = larger;
    }
  }

  /** Bits of the names, and of the words around a value. */
  contextAround(from: number, to: number): number {
    if (from === this.begin && to === this.end) return this.hints.context;
    return this.#words.around(from, to) | this.hints.context;
  }

  /** Whether a value is all that its column has in this row. */
  isWhole(from: number, to: number): boolean {
    return this.hints.isColumnValue && from === this.begin && to === this.end;
  }

  isPromoted(entity: number): boolean {
    return this.hints.promoted !== undefined && this.hints.promoted[entity] === 1;
  }

  /** Whether a value with this evidence is masked. */
  isCertain(when: When, entity: number, context: number, from: number, to: number): boolean {
    if (when === 'always') return true;
    if (when === 'text' && !this.isWhole(from, to)) return true;
    return (this.contextAround(from, to) & context) !== 0 || this.isPromoted(entity);
  }

  /** A byte, or 0 outside of what may be read. */
  byteAt(at: number): number {
    return at >= this.begin && at < this.end ? (this.bytes[at] ?? 0) : 0;
  }
}
