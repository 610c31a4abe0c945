/**
 * Stands in the prepared statements for a text or for values that were too large to be held.
 *
 * A mark begins with random bytes of this session, so that no client can write one.
 */

import type { BodyValue } from '../../core/ledger-port.ts';
import { spooledReference } from './operation-body.ts';

const TAG_BYTES = 16;
const SHA256_HEX_CHARS = 64;

/** A message that lies in the spool: bytes of its body, and SHA-256 of the whole frame. */
export interface Spooled {
  readonly bytes: number;
  readonly sha256: string;
}

/** Owned by one session. */
export class SpooledMarks {
  readonly #tag: Uint8Array;

  /** @param random 16 random bytes */
  constructor(random: Uint8Array) {
    this.#tag = random.slice(0, TAG_BYTES);
  }

  make(bytes: number, sha256: string): Uint8Array {
    return Buffer.concat([this.#tag, Buffer.from(`${sha256}${bytes}`, 'latin1')]);
  }

  /** The reference that a mark stands for; undefined for bytes that are none. */
  read(mark: Uint8Array): BodyValue | undefined {
    const spooled = this.spooled(mark);
    return spooled === undefined ? undefined : spooledReference(spooled.bytes, spooled.sha256);
  }

  /** What a mark stands for; undefined for bytes that are none. */
  spooled(mark: Uint8Array): Spooled | undefined {
    if (mark.length <= TAG_BYTES + SHA256_HEX_CHARS) return undefined;
    if (Buffer.compare(mark.subarray(0, TAG_BYTES), this.#tag) !== 0) return undefined;
    const text = Buffer.from(mark.subarray(TAG_BYTES)).toString('latin1');
    return { bytes: Number(text.slice(SHA256_HEX_CHARS)), sha256: text.slice(0, SHA256_HEX_CHARS) };
  }
}
