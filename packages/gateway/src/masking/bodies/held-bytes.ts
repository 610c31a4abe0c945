/**
 * What came and is not decided yet, in front of what comes next.
 *
 * What was given on is never written to again, so that views of it stay as they are.
 */

const EMPTY = new Uint8Array(0);

/** Owns what is held back. */
export class HeldBytes {
  #buffer: Uint8Array = EMPTY;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  clear(): void {
    this.#length = 0;
  }

  /** What was held and the chunk, in one piece. */
  join(chunk: Uint8Array): Uint8Array {
    if (this.#length === 0) return chunk;
    const length = this.#length + chunk.length;
    if (length > this.#buffer.length) {
      // Twice as much as was held, so that whoever sends single bytes is not copied each time.
      const larger = new Uint8Array(Math.max(length, this.#length * 2));
      larger.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = larger;
    }
    this.#buffer.set(chunk, this.#length);
    return this.#buffer.subarray(0, length);
  }

  /** Holds the end of what {@link join} gave, from here on. */
  keep(joined: Uint8Array, from: number): void {
    const isOwn = from === 0 && joined.buffer === this.#buffer.buffer;
    // A copy: of the rest somebody may have views, and the chunk is its owner's.
    if (!isOwn) this.#buffer = Uint8Array.prototype.slice.call(joined, from);
    this.#length = joined.length - from;
  }
}
