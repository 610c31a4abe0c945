/** The secret of an access key pair: kept sealed, because checking a signature needs it, and for one token. */

import { Secret } from '../core/secret.ts';
import type { SealingKey } from './connection-password.ts';
import { unwrap, wrap } from './wrap.ts';

/** @param tokenId whose it is: a row opens in no other's place */
export function sealAwsSecret(key: SealingKey, tokenId: string, secret: Secret<string>): Uint8Array {
  const bytes = Buffer.from(secret.reveal(), 'utf8');
  const wrapped = wrap(key.installationKey, purposeOf(tokenId), bytes, key.randomBytes);
  bytes.fill(0);
  return wrapped;
}

/** STORE_FAILED where it was sealed for another token, or under another key. */
export function openAwsSecret(
  installationKey: Secret<Uint8Array>,
  tokenId: string,
  wrapped: Uint8Array,
): Secret<string> {
  return new Secret(Buffer.from(unwrap(installationKey, purposeOf(tokenId), wrapped)).toString('utf8'));
}

function purposeOf(tokenId: string): string {
  return `aws-secret:${tokenId}`;
}
