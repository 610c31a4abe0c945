/** Who acts: one person, CI job, service, agent, or the gateway itself. */

import type { PrincipalId } from './ids.ts';

export type ActorKind = 'user' | 'ci' | 'service' | 'agent' | 'system' | 'auditor';

/** Somebody who has been identified, as the rest of the gateway sees them. */
export interface Principal {
  readonly id: PrincipalId;
  /** The name used at login, unique among people and service accounts. */
  readonly name: string;
  readonly kind: ActorKind;
  readonly displayName: string;
  readonly groups: readonly string[];
  /** Who vouched for them: `local` for people of this installation. */
  readonly issuer: string;
  /** The identity at the issuer. */
  readonly subject: string;
}
