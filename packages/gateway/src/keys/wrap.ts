/**
 * Secrets sealed under the installation key: AES-256-GCM under a subkey for each purpose.
 *
 * Format: `0x01 ‖ nonce[12] ‖ ciphertext ‖ tag[16]`; subkey = HKDF-SHA-256(installation key, salt
 * empty, info "countersign/wrap/v1" ‖ 0x00 ‖ purpose); additional data = purpose. A purpose names
 * the place (`scope-key:ses_…`), so that what is sealed for one place opens in no other.
 *
 * A nonce is random: with a subkey for each purpose, nobody comes near the 2^32 that GCM allows.
 */

import { createCipheriv, createDecipheriv, createHmac, hkdfSync } from 'node:crypto';
import { CountersignError } from '../core/errors.ts';
import type { Secret } from '../core/secret.ts';

const VERSION = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEADER_BYTES = 1 + NONCE_BYTES;

/** Seals bytes for a purpose. */
export function wrap(
  installationKey: Secret<Uint8Array>,
  purpose: string,
  bytes: Uint8Array,
  randomBytes: (length: number) => Uint8Array,
): Uint8Array {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', deriveKey(installationKey, purpose), nonce);
  cipher.setAAD(Buffer.from(purpose, 'utf8'));
  const sealed = Buffer.concat([cipher.update(bytes), cipher.final(), cipher.getAuthTag()]);
  return new Uint8Array(Buffer.concat([Uint8Array.of(VERSION), nonce, sealed]));
}

/** Opens what {@link wrap} sealed for the same purpose, or throws STORE_FAILED. */
export function unwrap(
  installationKey: Secret<Uint8Array>,
  purpose: string,
  wrapped: Uint8Array,
): Uint8Array {
  if (wrapped[0] !== VERSION || wrapped.length < HEADER_BYTES + TAG_BYTES) throw cannotOpen(purpose);
  const decipher = createDecipheriv(
    'aes-256-gcm',
    deriveKey(installationKey, purpose),
    wrapped.subarray(1, HEADER_BYTES),
    { authTagLength: TAG_BYTES },
  );
  decipher.setAAD(Buffer.from(purpose, 'utf8'));
  decipher.setAuthTag(wrapped.subarray(-TAG_BYTES));
  try {
    const opened = [decipher.update(wrapped.subarray(HEADER_BYTES, -TAG_BYTES)), decipher.final()];
    return new Uint8Array(Buffer.concat(opened));
  } catch (error) {
    throw cannotOpen(purpose, error);
  }
}

/** HMAC-SHA-256 under a subkey of its own for the purpose, 64 hex digits: the same again, and nothing to guess by. */
export function keyedDigest(installationKey: Secret<Uint8Array>, purpose: string, bytes: Uint8Array): string {
  return createHmac('sha256', digestKey(installationKey, purpose)).update(bytes).digest('hex');
}

/** The subkey of {@link keyedDigest}, for what is hashed many times. */
export function digestKey(installationKey: Secret<Uint8Array>, purpose: string): Uint8Array {
  return deriveKey(installationKey, `digest:${purpose}`);
}

function deriveKey(installationKey: Secret<Uint8Array>, purpose: string): Uint8Array {
  const info = `countersign/wrap/v1\0${purpose}`;
  return new Uint8Array(hkdfSync('sha256', installationKey.reveal(), new Uint8Array(0), info, 32));
}

function cannotOpen(purpose: string, cause?: unknown): CountersignError {
  return new CountersignError(
    'STORE_FAILED',
    { reason: `what was sealed as "${purpose}" does not open with this installation key` },
    { cause },
  );
}
