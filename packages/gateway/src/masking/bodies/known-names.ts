/** Names of members that were read before: an array of objects has the same ones again and again. */

import { contextOfKey } from '../detect/context.ts';

export interface KnownName {
  /** Bits of `CONTEXT`. */
  readonly context: number;
  /** What stands in its place; undefined where it stays. */
  readonly masked: Uint8Array | undefined;
}

interface Entry extends KnownName {
  readonly bytes: Uint8Array;
  readonly around: number;
}

/** A power of two; an object that has more names than these is seldom one of many. */
const SLOTS = 256;
/** Longer ones are read each time. */
const NAME_BYTES_MAX = 64;

type MaskName = (bytes: Uint8Array, from: number, to: number, around: number) => Uint8Array | undefined;

export class KnownNames {
  readonly #mask: MaskName;
  readonly #entries: (Entry | undefined)[] = [];

  /** @param mask what becomes of a name, or undefined; must give the same each time, and is asked once */
  constructor(mask: MaskName) {
    this.#mask = mask;
  }

  of(bytes: Uint8Array, from: number, to: number, around: number): KnownName {
    const length = to - from;
    if (length > NAME_BYTES_MAX || length === 0) return this.#read(bytes, from, to, around);
    const slot = slotOf(bytes, from, to) & (SLOTS - 1);
    const entry = this.#entries[slot];
    if (entry !== undefined && entry.around === around && isSame(entry.bytes, bytes, from, to)) return entry;
    const read = this.#read(bytes, from, to, around);
    // What is found in names is counted each time, and so asked again.
    if (read.masked === undefined) {
      const name = Uint8Array.prototype.slice.call(bytes, from, to);
      this.#entries[slot] = { ...read, bytes: name, around };
    }
    return read;
  }

  #read(bytes: Uint8Array, from: number, to: number, around: number): KnownName {
    return { context: contextOfKey(bytes, from, to), masked: this.#mask(bytes, from, to, around) };
  }
}

function slotOf(bytes: Uint8Array, from: number, to: number): number {
  const middle = bytes[(from + to) >> 1] ?? 0;
  const first = bytes[from] ?? 0;
  const last = bytes[to - 1] ?? 0;
  const second = bytes[from + 1] ?? 0;
  return (first * 31 + second * 7 + middle * 131 + last * 17 + (to - from) * 37) | 0;
}

function isSame(name: Uint8Array, bytes: Uint8Array, from: number, to: number): boolean {
  if (name.length !== to - from) return false;
  for (let index = 0; index < name.length; index += 1) if (name[index] !== bytes[from + index]) return false;
  return true;
}
