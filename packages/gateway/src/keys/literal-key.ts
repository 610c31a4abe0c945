/**
 * The key of a session's clear literals, and what is sealed under it.
 *
 * Spec: spec/masking.md, section 16. It is derived from the key of the session's scope, so that a shred of the session
 * destroys it too; whoever has the key of the recording, or an opened body, does not have it.
 *
 * Sealed: `version ‖ nonce[12] ‖ ciphertext ‖ tag[16]`, AES-256-GCM; version 1, or 2 where the content was compressed
 * (raw DEFLATE, RFC 1951) before. The additional data names the session and the place, so that what was sealed for one
 * opens in no other.
 */

import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { CountersignError } from '../core/errors.ts';
import { REVEAL_LIMITS } from '../core/reveal-limits.ts';

const PLAIN = 1;
const COMPRESSED = 2;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEADER_BYTES = 1 + NONCE_BYTES;

/** Where something is sealed: the literals of a leaf, or a piece of what the client sent, by its number. */
export interface LiteralPlace {
  readonly session: string;
  readonly what: 'literals' | `client ${number}`;
}

/** @param scopeKey of the session; still the caller's */
export function literalKeyOf(scopeKey: Uint8Array): KeyObject {
  const derived = hkdfSync('sha256', scopeKey, new Uint8Array(0), 'countersign/literals/v1', 32);
  const bytes = new Uint8Array(derived);
  const key = createSecretKey(bytes);
  bytes.fill(0);
  return key;
}

/** @param nonce 12 random bytes */
export function sealLiterals(
  key: KeyObject,
  place: LiteralPlace,
  content: Uint8Array,
  nonce: Uint8Array,
): Uint8Array {
  const isLong = content.length > REVEAL_LIMITS.plainClearBytesMax && place.what === 'literals';
  const packed = isLong ? deflateRawSync(content) : content;
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(additionalData(place));
  const ciphertext = cipher.update(packed);
  cipher.final();
  const head = Uint8Array.of(isLong ? COMPRESSED : PLAIN);
  return new Uint8Array(Buffer.concat([head, nonce, ciphertext, cipher.getAuthTag()]));
}

/** What {@link sealLiterals} sealed for the same place, or STORE_FAILED. */
export function openLiterals(key: KeyObject, place: LiteralPlace, sealed: Uint8Array): Uint8Array {
  const [version] = sealed;
  const isKnown = version === PLAIN || version === COMPRESSED;
  if (!isKnown || sealed.length < HEADER_BYTES + TAG_BYTES) throw cannotOpen(place);
  const nonce = sealed.subarray(1, HEADER_BYTES);
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(additionalData(place));
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
  try {
    const packed = decipher.update(sealed.subarray(HEADER_BYTES, -TAG_BYTES));
    decipher.final();
    if (version === PLAIN) return new Uint8Array(packed);
    return new Uint8Array(inflateRawSync(packed, { maxOutputLength: REVEAL_LIMITS.clearBytesMax }));
  } catch (error) {
    throw cannotOpen(place, error);
  }
}

function additionalData({ session, what }: LiteralPlace): Uint8Array {
  return Buffer.from(`countersign/literals/v1\0${session}\0${what}`, 'utf8');
}

function cannotOpen({ session }: LiteralPlace, cause?: unknown): CountersignError {
  const reason = `what was sealed of the literals of ${session} does not open`;
  return new CountersignError('STORE_FAILED', { reason }, { cause });
}
