/**
 * The costly step of SCRAM, remembered between logins to the same target: RFC 5802, section 3, lets a client
 * keep it. It stays in memory, beside the password that it comes from, and dies with the process.
 */

import { createHash } from 'node:crypto';
import { LIMITS } from '../core/limits.ts';
import { saltPassword } from '../protocols/postgres/scram.ts';

/** By a digest of all that went into it; the oldest goes first. */
const salted = new Map<string, Uint8Array>();

/** What {@link saltPassword} gives, computed once for the same three. */
export function saltedPassword(
  password: string | Uint8Array,
  salt: Uint8Array,
  iterations: number,
): Uint8Array {
  const saltHash = createHash('sha256').update(salt).digest();
  const key = createHash('sha256').update(`${iterations}\0`).update(saltHash).update(password).digest('hex');
  const known = salted.get(key);
  if (known !== undefined) return known;
  const computed = saltPassword(password, salt, iterations);
  salted.set(key, computed);
  for (const oldest of salted.keys()) {
    if (salted.size <= LIMITS.postgres.saltedPasswordsMax) break;
    salted.delete(oldest);
  }
  return computed;
}
