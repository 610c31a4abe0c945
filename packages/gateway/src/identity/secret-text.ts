/** Random bytes as text that people can copy: tokens and one-time codes, and what is kept of them. */

import { createHash } from 'node:crypto';
import { Secret } from '../core/secret.ts';

/** 160 bits: 32 characters without a rest, and nothing that could be guessed. */
const SECRET_BYTES = 20;
/** Crockford base32 in lower case, the alphabet of the ids. */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

/** A prefix and 160 random bits in 32 characters. */
export function makeSecretText(prefix: string, randomBytes: (length: number) => Uint8Array): Secret<string> {
  return new Secret(prefix + textOf(randomBytes(SECRET_BYTES)));
}

/** The id of an access key pair, as AWS's clients expect one: 80 random bits that are no secret. */
export function makeAccessKeyId(randomBytes: (length: number) => Uint8Array): string {
  return `CSAK${textOf(randomBytes(SECRET_BYTES / 2)).toUpperCase()}`;
}

/** A number of bytes that five divides. */
function textOf(bytes: Uint8Array): string {
  let bits = 0n;
  for (const byte of bytes) bits = (bits << 8n) | BigInt(byte);
  let text = '';
  for (let shift = bytes.length * 8 - 5; shift >= 0; shift -= 5) {
    text += ALPHABET.charAt(Number((bits >> BigInt(shift)) & 31n));
  }
  return text;
}

/** What is kept of a secret text. It cannot be guessed, so it needs neither salt nor stretching. */
export function hashSecretText(text: Secret<string>): Uint8Array {
  return new Uint8Array(createHash('sha256').update(text.reveal(), 'utf8').digest());
}
