/** The room, put together: what main wires to the listeners, the API and the sessions. */

import type { Clock } from '../core/clock.ts';
import type { BootId } from '../core/ids.ts';
import type { LedgerPort, ScopeKeys } from '../core/ledger-port.ts';
import type { Secret } from '../core/secret.ts';
import type { Store } from '../store/store.ts';
import { Attempts } from './attempts.ts';
import { Enrolment } from './enrolment.ts';
import { FactorChanges } from './factor-changes.ts';
import { Lockout } from './lockout.ts';
import { Identity } from './login.ts';
import { Principals } from './principals.ts';
import { SecondFactors } from './second-factors.ts';
import { Tokens } from './tokens.ts';

export interface IdentityRoomOptions {
  readonly store: Store;
  readonly ledger: LedgerPort;
  readonly scopeKeys: ScopeKeys;
  readonly installationKey: Secret<Uint8Array>;
  readonly bootId: BootId;
  readonly clock: Clock;
  readonly randomBytes: (length: number) => Uint8Array;
  /** The groups of a name; the resources know them. */
  readonly groupsOf: (name: string) => readonly string[];
  /** Applies a Person with the group administrators; the resources do it. */
  readonly makeAdministrator: (name: string, displayName: string) => Promise<void>;
}

export interface IdentityRoom {
  readonly principals: Principals;
  readonly tokens: Tokens;
  readonly attempts: Attempts;
  readonly identity: Identity;
  readonly enrolment: Enrolment;
  readonly secondFactors: SecondFactors;
  readonly factorChanges: FactorChanges;
}

/** Every part of the room over the same store, ledger and clock. */
export function makeIdentityRoom(options: IdentityRoomOptions): IdentityRoom {
  const principals = new Principals(options);
  const tokens = new Tokens({ ...options, principals });
  const attempts = new Attempts({ ...options, principals, lockout: new Lockout(options.clock) });
  const secondFactors = new SecondFactors(options);
  const shared = { ...options, principals, tokens, attempts, secondFactors };
  const identity = new Identity(shared);
  const enrolment = new Enrolment(shared);
  const factorChanges = new FactorChanges({ ...shared, identity });
  return { principals, tokens, attempts, identity, enrolment, secondFactors, factorChanges };
}
