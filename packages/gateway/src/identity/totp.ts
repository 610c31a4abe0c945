/**
 * One-time codes by time, HMAC-SHA-1, six digits, a step of 30 seconds.
 *
 * Spec: RFC 6238 (https://www.rfc-editor.org/rfc/rfc6238), RFC 4226, section 5.3, for a code; RFC 4648, section 6,
 * for the secret as text. That a code is used once is for the caller, who keeps the step of the last one.
 */

import { createHmac, timingSafeEqual } from 'node:crypto';
import { Secret } from '../core/secret.ts';
import { SECOND_FACTOR_LIMITS } from '../core/second-factor-limits.ts';

const ISSUER = 'Countersign';
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** HOTP(K, C) of RFC 4226. */
export function hotp(key: Uint8Array, counter: number, digits: number): string {
  const message = Buffer.alloc(8);
  message.writeBigUInt64BE(BigInt(counter));
  const mac = createHmac('sha1', key).update(message).digest();
  const offset = mac.readUInt8(mac.length - 1) & 0x0f;
  const truncated = mac.readUInt32BE(offset) & 0x7fff_ffff;
  return String(truncated % 10 ** digits).padStart(digits, '0');
}

/** The step that a moment is in. */
export function stepOf(nowUs: number): number {
  return Math.floor(nowUs / (SECOND_FACTOR_LIMITS.stepMs * 1000));
}

/**
 * The newest step within the drift of which this is the code; undefined where it is of none. Untrusted: the code.
 * All steps are compared, so that time does not tell which one it was.
 */
export function stepOfCode(
  secret: Secret<Uint8Array>,
  code: Secret<string>,
  nowUs: number,
): number | undefined {
  const { codeDigits, stepsOfDrift } = SECOND_FACTOR_LIMITS;
  const given = Buffer.from(code.reveal(), 'utf8');
  const now = stepOf(nowUs);
  let found: number | undefined;
  for (let step = Math.max(now - stepsOfDrift, 0); step <= now + stepsOfDrift; step++) {
    const expected = Buffer.from(hotp(secret.reveal(), step, codeDigits), 'utf8');
    if (given.length === expected.length && timingSafeEqual(given, expected)) found = step;
  }
  return found;
}

/** What an authenticator app scans: it has the secret. */
export function otpauthURI(name: string, secret: Secret<Uint8Array>): Secret<string> {
  const { codeDigits, stepMs } = SECOND_FACTOR_LIMITS;
  const label = `${ISSUER}:${encodeURIComponent(name)}`;
  const parameters = `issuer=${ISSUER}&algorithm=SHA1&digits=${codeDigits}&period=${stepMs / 1000}`;
  return new Secret(`otpauth://totp/${label}?secret=${base32(secret.reveal())}&${parameters}`);
}

/** Base32 without padding, as apps take it. */
export function base32(bytes: Uint8Array): string {
  let text = '';
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xfff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += BASE32.charAt((value >> bits) & 31);
    }
  }
  return bits === 0 ? text : text + BASE32.charAt((value << (5 - bits)) & 31);
}
