/** How somebody proved who they are, and when: what a login leaves with the token that it gives. */

import { formatTimeUs } from './clock.ts';
import type { BodyValue } from './ledger-port.ts';

/** RFC 8176, section 2: a password, a one-time code, and more than one factor. */
export type AuthenticationMethod = 'pwd' | 'otp' | 'mfa';

export interface Authentication {
  readonly methods: readonly AuthenticationMethod[];
  /** Microseconds since 1970, by the gateway's clock. */
  readonly atUs: number;
}

/** A password alone. */
export const BY_PASSWORD: readonly AuthenticationMethod[] = ['pwd'];

/** A password and the code of a second factor. */
export const BY_SECOND_FACTOR: readonly AuthenticationMethod[] = ['pwd', 'otp', 'mfa'];

/** When a second factor was proved; undefined where none was. */
export function secondFactorUs(authentication: Authentication | undefined): number | undefined {
  return authentication?.methods.includes('mfa') === true ? authentication.atUs : undefined;
}

/** What a leaf says of it. */
export function authenticationBody(
  authentication: Authentication | undefined,
): Readonly<Record<string, BodyValue>> {
  if (authentication === undefined) return {};
  return { amr: [...authentication.methods], authenticated_at: formatTimeUs(authentication.atUs) };
}
