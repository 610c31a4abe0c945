/**
 * The digest of what was delivered for one Operation: SHA-256 over the frames that answer it.
 *
 * A short answer lies within one chunk and is hashed in one call; a long one is hashed as it passes.
 */

import { createHash, hash, type Hash } from 'node:crypto';

const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

/** Bytes and digest of a run of frames. */
export class ResponseDigest {
  #hash: Hash | undefined;
  #bytes = 0;
  /** The run of this chunk that is not hashed yet; frames of one answer lie side by side. */
  #chunk: Uint8Array | undefined;
  #from = 0;
  #to = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** Adds `chunk[from, to)`. The chunk must stay unchanged until {@link ResponseDigest.endOfChunk}. */
  add(chunk: Uint8Array, from: number, to: number): void {
    this.#bytes += to - from;
    if (this.#chunk === chunk && this.#to === from) {
      this.#to = to;
      return;
    }
    this.#hashRun();
    this.#chunk = chunk;
    this.#from = from;
    this.#to = to;
  }

  /** The chunk will be reused: what is not hashed yet is hashed now. */
  endOfChunk(): void {
    this.#hashRun();
  }

  /** SHA-256 of all that was added, hex. */
  finish(): string {
    if (this.#hash !== undefined) {
      this.#hashRun();
      return this.#hash.digest('hex');
    }
    const run = this.#chunk?.subarray(this.#from, this.#to);
    this.#chunk = undefined;
    return run === undefined ? EMPTY_SHA256 : hash('sha256', run, 'hex');
  }

  #hashRun(): void {
    if (this.#chunk === undefined) return;
    this.#hash ??= createHash('sha256');
    this.#hash.update(this.#chunk.subarray(this.#from, this.#to));
    this.#chunk = undefined;
  }
}
