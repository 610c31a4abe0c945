/**
 * What goes on to the target side while one chunk is taken: views of the chunk as long as nothing is changed, and
 * from then on a copy with the changes.
 *
 * Everything that is taken is lent, as the chunk itself is: it lies where it does until the next chunk begins.
 */

import { MASKED_SESSION_LIMITS } from '../../../core/masking-limits.ts';
import { HEADER_LENGTH } from '../../../protocols/postgres/frames.ts';

/** A frame where it lies. */
export interface LyingFrame {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  /** It stays unchanged until the next chunk begins. */
  readonly inChunk: boolean;
}

const NOTHING = new Uint8Array(0);
const { passedFirstBytes, passedKeptBytesMax } = MASKED_SESSION_LIMITS;

/** Owned by one session. */
export class PassedBytes {
  /** Frames side by side in the chunk, not taken yet; there are none where there is something in the copy. */
  #run: Uint8Array = NOTHING;
  #runFrom = 0;
  #runTo = 0;
  #copy: Uint8Array = NOTHING;
  /** From here on it is not taken yet. */
  #copyFrom = 0;
  #copyTo = 0;

  /** A chunk begins: what was lent is used again. */
  begin(): void {
    this.#copyFrom = 0;
    this.#copyTo = 0;
  }

  /** A chunk is used up. @param goesOn more of the same is to be expected */
  end(goesOn: boolean): void {
    if (goesOn ? this.#copy.length > passedKeptBytesMax : this.#copy.length > passedFirstBytes) {
      this.#copy = NOTHING;
    }
    // The chunk is nobody's to keep.
    this.#run = NOTHING;
  }

  /** A frame as it came. */
  frame({ bytes, start, end, inChunk }: LyingFrame): void {
    if (!inChunk || this.#copyTo > 0) return this.add(bytes, start, end);
    if (this.#runTo === this.#runFrom) {
      this.#run = bytes;
      this.#runFrom = start;
      this.#runTo = end;
      return;
    }
    if (this.#runTo !== start) return this.add(bytes, start, end);
    this.#runTo = end;
  }

  /** Bytes that nobody may have promised to keep. */
  add(bytes: Uint8Array, from: number = 0, to: number = bytes.length): void {
    if (to === from) return;
    const at = this.room(to - from);
    this.#copy.set(bytes.subarray(from, to), at);
  }

  /** A message of this type and so many bytes of body. @returns where its body is to be written in {@link written} */
  message(type: number, bodyLength: number): number {
    const at = this.room(HEADER_LENGTH + bodyLength);
    const length = bodyLength + HEADER_LENGTH - 1;
    this.#copy[at] = type;
    this.#copy[at + 1] = length >>> 24;
    this.#copy[at + 2] = (length >>> 16) & 0xff;
    this.#copy[at + 3] = (length >>> 8) & 0xff;
    this.#copy[at + 4] = length & 0xff;
    return at + HEADER_LENGTH;
  }

  /** Where messages are written: another one after the next of them. */
  get written(): Uint8Array {
    return this.#copy;
  }

  /** What has not been taken yet. */
  take(): Uint8Array | undefined {
    if (this.#runTo > this.#runFrom) {
      const run = this.#run.subarray(this.#runFrom, this.#runTo);
      this.#runFrom = this.#runTo;
      return run;
    }
    if (this.#copyTo === this.#copyFrom) return undefined;
    const copy = this.#copy.subarray(this.#copyFrom, this.#copyTo);
    this.#copyFrom = this.#copyTo;
    return copy;
  }

  /** @returns where so many bytes are to be written, behind everything that is not taken */
  room(length: number): number {
    const runLength = this.#runTo - this.#runFrom;
    this.#grow(runLength + length);
    if (runLength > 0) {
      this.#copy.set(this.#run.subarray(this.#runFrom, this.#runTo), this.#copyTo);
      this.#copyTo += runLength;
      this.#runFrom = this.#runTo;
    }
    const at = this.#copyTo;
    this.#copyTo += length;
    return at;
  }

  /** What was taken stays where it was. */
  #grow(length: number): void {
    if (this.#copyTo + length <= this.#copy.length) return;
    const waiting = this.#copyTo - this.#copyFrom;
    const larger = new Uint8Array(
      Math.max(passedFirstBytes, 2 * this.#copy.length, 2 * waiting, waiting + length),
    );
    larger.set(this.#copy.subarray(this.#copyFrom, this.#copyTo));
    this.#copy = larger;
    this.#copyFrom = 0;
    this.#copyTo = waiting;
  }
}
