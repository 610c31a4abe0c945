/**
 * How many bytes went one way, and their SHA-256.
 *
 * Most contents are one piece, or were read before they are forwarded: no hash is begun for those, because an object
 * that hashes piece by piece costs several times what the hash of a small piece does.
 */

import { createHash, hash, type Hash } from 'node:crypto';

/** Owned by one direction of one request. */
export class PassedBytes {
  #bytes = 0;
  /** The one piece so far, which nobody writes over. */
  #only: Uint8Array | undefined;
  /** Of several. */
  #hash: Hash | undefined;
  /** Of the one piece. */
  #known: string | undefined;

  get bytes(): number {
    return this.#bytes;
  }

  /** A piece; its bytes stay what they are until the request is over. */
  add(piece: Uint8Array): void {
    if (piece.length === 0) return;
    this.#bytes += piece.length;
    this.#known = undefined;
    if (this.#hash !== undefined) this.#hash.update(piece);
    else if (this.#only === undefined) this.#only = piece;
    else {
      this.#hash = createHash('sha256').update(this.#only).update(piece);
      this.#only = undefined;
    }
  }

  /** A piece whose hash is known. */
  addHashed({ bytes, sha256 }: { readonly bytes: Uint8Array; readonly sha256: string }): void {
    const isFirst = this.#bytes === 0;
    this.add(bytes);
    if (isFirst) this.#known = sha256;
  }

  /** Of everything so far, 64 hex digits. */
  sha256(): string {
    if (this.#hash !== undefined) return this.#hash.copy().digest('hex');
    return this.#known ?? hash('sha256', this.#only ?? NOTHING, 'hex');
  }
}

const NOTHING = new Uint8Array(0);
