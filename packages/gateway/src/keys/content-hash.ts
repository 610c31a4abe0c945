/**
 * The keyed hash of texts that leaves tell apart and do not show: queries and documents of rerank calls.
 *
 * Spec: spec/events.md, "Rerank calls". HMAC-SHA-256 (RFC 2104) under a subkey of the installation key: the same text
 * has the same hash in every session, and nobody without the key can try what it may have been.
 */

import { createHmac, createSecretKey, hash, type KeyObject } from 'node:crypto';
import type { Secret } from '../core/secret.ts';
import { digestKey } from './wrap.ts';

const PURPOSE = 'rerank-content';
/** Of SHA-256, and so of the padded key. */
const BLOCK_BYTES = 64;
const DIGEST_BYTES = 32;
const INNER_PAD = 0x36;
const OUTER_PAD = 0x5c;
/** Most documents are shorter; of a longer one the text costs more than the object of Node that hashes it. */
const SHORT_BYTES_MAX = 8_192;

/** 64 hex digits. */
export function contentHash(installationKey: Secret<Uint8Array>): (bytes: Uint8Array) => string {
  const derived = digestKey(installationKey, PURPOSE);
  const hmac = new ContentHmac(derived);
  derived.fill(0);
  return (bytes) => hmac.hex(bytes);
}

/**
 * HMAC-SHA-256 of many short texts: two hashes of one call each take half of what an HMAC object of Node does,
 * and a rerank call has one for each of its documents.
 */
class ContentHmac {
  readonly #key: KeyObject;
  /** The padded key, and behind it a text for as long as it is hashed. */
  readonly #inner = Buffer.alloc(BLOCK_BYTES + SHORT_BYTES_MAX, INNER_PAD);
  /** The padded key, and behind it the inner hash. */
  readonly #outer = Buffer.alloc(BLOCK_BYTES + DIGEST_BYTES, OUTER_PAD);

  /** @param key no longer than a block; the caller's to erase */
  constructor(key: Uint8Array) {
    if (key.length > BLOCK_BYTES) throw new RangeError(`expected a key of ${BLOCK_BYTES} bytes at most`);
    this.#key = createSecretKey(key);
    for (const [at, byte] of key.entries()) {
      this.#inner[at] = byte ^ INNER_PAD;
      this.#outer[at] = byte ^ OUTER_PAD;
    }
  }

  hex(bytes: Uint8Array): string {
    if (bytes.length > SHORT_BYTES_MAX) return createHmac('sha256', this.#key).update(bytes).digest('hex');
    const end = BLOCK_BYTES + bytes.length;
    this.#inner.set(bytes, BLOCK_BYTES);
    // As a string and back takes half the time of a buffer, for which Node makes a copy.
    this.#outer.write(hash('sha256', this.#inner.subarray(0, end), 'binary'), BLOCK_BYTES, 'latin1');
    // No text stays behind.
    this.#inner.fill(0, BLOCK_BYTES, end);
    return hash('sha256', this.#outer, 'hex');
  }
}
