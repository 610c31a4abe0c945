/** What this room needs of the others; wired in wiring/approvals.ts. */

import type { Clock } from '../core/clock.ts';
import type { CountersignError } from '../core/errors.ts';
import type { PrincipalId } from '../core/ids.ts';
import type { LedgerPort, ScopeKeys } from '../core/ledger-port.ts';
import type { ActorKind } from '../core/principal.ts';
import type { Human } from './approvers.ts';
import type { ResourceName } from './binding.ts';
import type { LeafActor } from './hold-events.ts';
import type { HoldLog } from './hold-leaves.ts';
import type { HoldRecord } from './hold-record.ts';
import type { HoldStore } from './hold-store.ts';

/** People as they are now. */
export interface ApprovalPeople {
  /** Undefined for who is disabled, or not there. */
  find(id: PrincipalId): Promise<(Human & { readonly id: PrincipalId }) | undefined>;
  /** Who a leaf is by; undefined for who was forgotten. */
  leafActor(principal: {
    readonly id: PrincipalId;
    readonly kind: ActorKind;
  }): Promise<LeafActor | undefined>;
}

/** Which part of the policy a hold stands and falls with. */
export type PolicyAbout =
  /** Of an operation: the name of who asks, and where. */
  | { readonly requester: string; readonly connection: string }
  /** Of a change: the resources that it is of. */
  | { readonly resources: readonly ResourceName[] };

/** A rule that opens a hold, and what it demands. */
export interface Opener {
  readonly rule: { readonly name: string; readonly version: number };
  readonly reviewers: readonly string[];
  /** What was opened ends this long afterwards, */
  readonly withinMs: number;
  /** and has to be looked at after this time. */
  readonly reviewMs: number;
}

export interface ApprovalsOptions {
  readonly holds: HoldStore;
  readonly ledger: LedgerPort;
  readonly log: HoldLog;
  readonly keys: Pick<ScopeKeys, 'find'>;
  readonly people: ApprovalPeople;
  /**
   * Digest of what decides about one operation, now or under another whole policy; undefined where nothing
   * allows it, or nobody knows that policy any more.
   */
  readonly policyDigest: (about: PolicyAbout, bundle?: string) => string | undefined;
  /** Name of this gateway. */
  readonly node: string;
  /** The gateway itself, as the author of a leaf. */
  readonly system: LeafActor;
  readonly clock: Clock;
  /** Time of a leaf of this process: it is not earlier. */
  readonly notBeforeUs: number;
  readonly randomBytes: (length: number) => Uint8Array;
  readonly pause: (ms: number) => Promise<void>;
  /**
   * The first of these rules by which a person may open their own hold at this moment: it is as it was, reaches
   * them there, its hours are now, and somebody else could review it.
   */
  readonly opener: (
    rules: readonly { readonly name: string; readonly version: number }[],
    about: PolicyAbout,
    nowUs: number,
  ) => Opener | undefined;
  /** A hold that approvers can see from now on. */
  readonly onAsked: (record: HoldRecord) => void;
  /** A hold that was opened in an emergency, and one that nobody has looked at in time. */
  readonly onOpened: (record: HoldRecord, what: 'used' | 'overdue') => void;
  readonly onError: (error: CountersignError, where: string) => void;
}
