/**
 * What the wire needs of this room: ask, wait, take the grant once, say how it went.
 *
 * ```ts
 * const hold = await holds.ask(request);            // signed: approvers can see it
 * const end = await hold.settled;                   // granted, denied, expired, withdrawn, used
 * const taken = await holds.take(hold.id, hold.digest, sessionId, intentLeaf);
 * if (taken.kind === 'taken') { …forward…; await taken.done('ok', { rows: 3 }); }
 * ```
 */

import type { HoldId, PrincipalId, SessionId } from '../core/ids.ts';
import type { ActorKind } from '../core/principal.ts';
import type { ChangeBinding, HoldBinding } from './binding.ts';
import type { HoldState } from './states.ts';

/** Who asks, as the session knows them. */
export interface Requester {
  readonly id: PrincipalId;
  readonly name: string;
  readonly kind: ActorKind;
  readonly groups: readonly string[];
  readonly issuer: string;
  readonly subject: string;
}

/** What approvers see beside the statement; nothing of it decides. */
export interface HoldFacts {
  /** What the statement does, in the words of core/effects.ts. */
  readonly effects: readonly string[];
  /** Tables that are written, for people. */
  readonly tables: readonly string[];
  /** Rows that were counted. */
  readonly exactRows?: number | undefined;
  /** Rows that the target guesses; shown as a guess. */
  readonly estimatedRows?: number | undefined;
  /** Keys of affected rows, other values withheld. */
  readonly affectedKeys: readonly string[];
  /** The statement as they may see it, where that is not as it came. */
  readonly shown?: Uint8Array | undefined;
}

/** What a rule that holds demands. */
export interface HoldDemand {
  readonly rule: { readonly name: string; readonly version: number };
  /** `NAME` of a person, or `group:NAME`. */
  readonly approvers: readonly string[];
  /** How many distinct people have to approve. */
  readonly count: number;
  /** The request ends after this time, */
  readonly expiresMs: number;
  /** and a grant this long after it was given. */
  readonly useWithinMs: number;
  /** Whether an approver has to say why. */
  readonly requireReason: boolean;
  /** How long ago the login of an approver may have had a second factor; absent: it needs none. */
  readonly mfaMs?: number;
  /** Why the rule is there. */
  readonly reason?: string | undefined;
  /** Rules by which who asks may open it in an emergency, as far as what it does goes; none where absent. */
  readonly openers?: readonly { readonly name: string; readonly version: number }[];
}

export interface HoldRequest {
  readonly binding: HoldBinding | ChangeBinding;
  readonly demand: HoldDemand;
  readonly requester: Requester;
  /** Absent for a change of resources: then what is sealed is sealed under the key of who asks. */
  readonly sessionId?: SessionId | undefined;
  /** Whether the session's client waits: then no other session may use the grant while it is open. */
  readonly bindToSession: boolean;
  /** Index of the leaf `statement.intent`; absent for a change of resources. */
  readonly intentLeaf?: number | undefined;
  readonly facts: HoldFacts;
  /** Address of the client. */
  readonly address: string;
}

/** How the waiting ended. */
export type Settlement =
  | {
      readonly state: 'granted';
      readonly approvers: readonly string[];
      readonly useUntilUs: number;
      readonly openedBy: string | undefined;
    }
  | { readonly state: 'denied'; readonly by: string; readonly comment: string | undefined }
  | { readonly state: 'expired' }
  | { readonly state: 'withdrawn'; readonly by: string | undefined; readonly reason: string | undefined }
  /** Another session of the same principal used it. */
  | { readonly state: 'used' };

export interface Hold {
  readonly id: HoldId;
  /** 64 hex digits. */
  readonly digest: string;
  /** When {@link HoldsPort.ask} answered. */
  readonly state: HoldState;
  readonly expiresUs: number;
  /** The rule by which who asked has opened it in an emergency, where it is granted already. */
  readonly openedBy: string | undefined;
  /** Rejects only where the gateway shuts down. */
  readonly settled: Promise<Settlement>;
  /** Gives the request up. */
  withdraw(reason: string): Promise<void>;
  /** Nobody listens to {@link settled} any more; the request stays. */
  release(): void;
}

/** Why a grant cannot be used. */
export type TakeRefusal =
  /** There is none, or it was not given. */
  | 'not-granted'
  /** It was used. */
  | 'used'
  | 'expired'
  /** It is for something else. */
  | 'other-digest'
  /** The session it is bound to is still open. */
  | 'other-session'
  /** Too few of those who approved may still approve. */
  | 'approvers-gone'
  | 'policy-changed'
  /** Something else is happening to it: ask again. */
  | 'busy';

export type TakeStatus = 'ok' | 'failed' | 'unknown';

/** A grant that was used; nobody can use it again. */
export interface Taken {
  readonly kind: 'taken';
  /** The leaf `hold.taken`, signed. */
  readonly leaf: number;
  /** Says how it went, once. Until then, and after a crash for good, it is `unknown`. */
  done(
    status: TakeStatus,
    facts?: { readonly rows?: number | undefined; readonly outcomeLeaf?: number | undefined },
  ): Promise<void>;
}

export interface TakeRefused {
  readonly kind: 'refused';
  readonly why: TakeRefusal;
}

/** What the wire uses. */
export interface HoldsPort {
  /**
   * Asks for approval. The same thing that was asked or granted already is not asked again.
   * LIMIT_EXCEEDED where too much is open.
   */
  ask(request: HoldRequest): Promise<Hold>;
  /**
   * A grant for what could be asked; asks nobody.
   *
   * @param request made only where the principal has a grant of that rule at all
   */
  granted(
    principal: PrincipalId,
    rule: string,
    request: () => Promise<HoldRequest>,
  ): Promise<Hold | undefined>;
  /**
   * @param sessionId undefined for a change of resources
   * @param intentLeaf index of the leaf `statement.intent` that uses the grant
   */
  take(
    id: HoldId,
    digest: string,
    sessionId: SessionId | undefined,
    intentLeaf?: number,
  ): Promise<Taken | TakeRefused>;
}
