/** For tests: an authenticator app. */

import { SECOND_FACTOR_LIMITS } from '../core/second-factor-limits.ts';
import { hotp, stepOf } from './totp.ts';

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/**
 * The code that an app shows which has scanned this.
 *
 * @param steps so many steps later, or earlier
 */
export function testingOnlyCode(uri: string, nowUs: number, steps = 0): string {
  const secret = new URL(uri).searchParams.get('secret') ?? '';
  let bits = 0n;
  for (const character of secret) bits = (bits << 5n) | BigInt(BASE32.indexOf(character));
  const rest = BigInt((secret.length * 5) % 8);
  const hex = (bits >> rest).toString(16).padStart(Math.floor((secret.length * 5) / 8) * 2, '0');
  return hotp(Buffer.from(hex, 'hex'), stepOf(nowUs) + steps, SECOND_FACTOR_LIMITS.codeDigits);
}
