/** One row of COPY that is written again, in as few pieces as there are fields that change. */

import { violation } from './byte-reader.ts';

/** What came, with some of its parts replaced. */
export class RewrittenRow {
  readonly #bytes: Uint8Array;
  readonly #parts: Uint8Array[] = [];
  #copied = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  replace(from: number, to: number, replacement: Uint8Array): void {
    this.#parts.push(this.#bytes.subarray(this.#copied, from), replacement);
    this.#copied = to;
  }

  /** The same object where nothing was replaced. */
  finish(): Uint8Array {
    if (this.#parts.length === 0) return this.#bytes;
    const parts = [...this.#parts, this.#bytes.subarray(this.#copied)];
    const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
    let at = 0;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  }
}

/** Refuses a row with another number of fields than there are columns. */
export function checkFields(count: number, columns: number): void {
  if (count !== columns) throw violation(`a row of COPY has other than ${columns} fields`);
}

/** Whether a part of a row is exactly these bytes. */
export function isAt(bytes: Uint8Array, from: number, to: number, like: Uint8Array): boolean {
  if (to - from !== like.length) return false;
  for (let at = 0; at < like.length; at += 1) if (bytes[from + at] !== like[at]) return false;
  return true;
}

export const LINE_FEED = 0x0a;
export const CARRIAGE_RETURN = 0x0d;
export const BACKSLASH = 0x5c;
/** `\.`, which ends the data where it stands alone in a line. */
export const END_OF_DATA: Uint8Array = Uint8Array.of(BACKSLASH, 0x2e);
