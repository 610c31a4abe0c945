/**
 * The answer to AuthenticationMD5Password, for targets that ask for nothing better.
 *
 * Spec: PostgreSQL 18, "Message Flow", "Start-up" (https://www.postgresql.org/docs/18/protocol-flow.html)
 * Grammar: "md5" hex(md5(hex(md5(password user)) salt)).
 * Refused: a salt that is not four bytes.
 * Untrusted: the salt. Whoever reads the answer can guess the password at speed: use it inside TLS only.
 */

import { createHash } from 'node:crypto';
import { violation } from './byte-reader.ts';

const SALT_BYTES = 4;

/** What goes into the PasswordMessage. */
export function md5Password(user: string, password: string, salt: Uint8Array): string {
  if (salt.length !== SALT_BYTES) throw violation(`an MD5 salt has ${salt.length} bytes`);
  const stored = createHash('md5').update(password).update(user).digest('hex');
  return `md5${createHash('md5').update(stored).update(salt).digest('hex')}`;
}
