/** The secret of a second factor: kept sealed, for one person and one enrolment, so that a row opens in no other's place. */

import { Secret } from '../core/secret.ts';
import type { SealingKey } from './connection-password.ts';
import { unwrap, wrap } from './wrap.ts';

/** Whose secret it is, and of which enrolment. */
export interface TotpPlace {
  readonly principal: string;
  readonly factor: string;
}

export function sealTotpSecret(key: SealingKey, place: TotpPlace, secret: Secret<Uint8Array>): Uint8Array {
  return wrap(key.installationKey, purposeOf(place), secret.reveal(), key.randomBytes);
}

/** STORE_FAILED where it was sealed for another place, or under another key. */
export function openTotpSecret(
  installationKey: Secret<Uint8Array>,
  place: TotpPlace,
  wrapped: Uint8Array,
): Secret<Uint8Array> {
  return new Secret(unwrap(installationKey, purposeOf(place), wrapped));
}

function purposeOf({ principal, factor }: TotpPlace): string {
  return `totp-secret:${principal}:${factor}`;
}
