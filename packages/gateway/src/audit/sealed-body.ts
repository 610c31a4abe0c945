/**
 * Bodies as the node stores them: `0x01 ‖ uint8 length ‖ key id ‖ nonce[12] ‖ ciphertext ‖ tag[16]`.
 *
 * Spec: spec/ledger.md, section 3. AES-256-GCM; the additional data is the commitment, so that a body
 * cannot be put under another leaf.
 */

import { createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto';
import { type OpenedBody, parseBody, verifyBody } from '@countersign/ledger/body';
import { utf8Text } from '@countersign/ledger/bytes';
import { CountersignError } from '../core/errors.ts';

const VERSION = 1;
export const SEAL_NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Seals the text of an opened body. A nonce is random and a scope seals far less than 2^32 bodies. */
export function sealBody(
  text: string,
  commitment: Uint8Array,
  keyId: string,
  key: KeyObject,
  nonce: Uint8Array,
): Uint8Array {
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(commitment);
  const sealed = cipher.update(text, 'utf8');
  // GCM has no padding: what is left at the end is nothing, and the tag.
  cipher.final();
  const head = 2 + keyId.length;
  const end = head + SEAL_NONCE_BYTES + sealed.length;
  const bytes = Buffer.allocUnsafe(end + TAG_BYTES);
  bytes[0] = VERSION;
  bytes[1] = keyId.length;
  bytes.write(keyId, 2, 'latin1');
  bytes.set(nonce, head);
  bytes.set(sealed, head + SEAL_NONCE_BYTES);
  bytes.set(cipher.getAuthTag(), end);
  return bytes;
}

/** The id of the key that a sealed body needs. */
export function keyIdOf(sealed: Uint8Array): string {
  if (sealed[0] !== VERSION) throw broken('an unknown version of sealed bodies');
  return Buffer.from(sealed.subarray(2, 2 + (sealed[1] ?? 0))).toString('latin1');
}

/** The body under a leaf's commitment; throws where either is not the other's. */
export function unsealBody(sealed: Uint8Array, commitmentHex: string, key: Uint8Array): OpenedBody {
  const body = parseBody(unsealText(sealed, commitmentHex, key));
  verifyBody(body, commitmentHex);
  return body;
}

/** The text that was sealed under a leaf's commitment, which the tag covers: the opened body. */
export function unsealText(sealed: Uint8Array, commitmentHex: string, key: Uint8Array | KeyObject): string {
  const start = 2 + keyIdOf(sealed).length;
  const end = sealed.length - TAG_BYTES;
  if (start + SEAL_NONCE_BYTES > end) throw broken('a sealed body that is too short');
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(start, start + SEAL_NONCE_BYTES));
  decipher.setAAD(Buffer.from(commitmentHex, 'hex'));
  decipher.setAuthTag(sealed.subarray(end));
  const text = sealed.subarray(start + SEAL_NONCE_BYTES, end);
  return utf8Text(Buffer.concat([decipher.update(text), decipher.final()]));
}

function broken(reason: string): CountersignError {
  return new CountersignError('LEDGER_INCONSISTENT', { reason });
}
