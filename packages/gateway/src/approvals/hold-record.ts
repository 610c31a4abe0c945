/** A row of `holds` as the room sees it, and back. What stands in the store was written by this file. */

import { CountersignError } from '../core/errors.ts';
import { type HoldId, parseId, type PrincipalId, type SessionId } from '../core/ids.ts';
import type { ActorKind } from '../core/principal.ts';
import type { HoldsTable, HoldVotesTable } from '../store/schema.ts';
import type { Asker } from './approvers.ts';
import type { BoundTo, ResourceName } from './binding.ts';
import type { HoldDemand, TakeStatus } from './holds-port.ts';
import type { PolicyAbout } from './options.ts';
import { HOLD_STATES, type HoldState } from './states.ts';

/** What was asked; no values. */
export interface HoldDocument {
  readonly requester: {
    readonly name: string;
    readonly kind: ActorKind;
    readonly groups: readonly string[];
    readonly issuer: string;
    readonly subject: string;
  };
  readonly demand: HoldDemand;
  readonly boundTo: BoundTo;
  /** Where an operation runs; absent for a change of resources. */
  readonly connection?: string;
  readonly database?: string;
  /** What a change is of; absent for an operation. */
  readonly resources?: readonly ResourceName[];
  readonly address: string;
  /** Digest of the whole policy when it was asked; leaves name it. */
  readonly bundle: string;
  readonly intentLeaf?: number;
}

/** What approvers see of the statement; sealed in the store. */
export interface HoldContent {
  /** The beginning of the text; `{base64}` where it is not UTF-8. */
  readonly statement: string | { readonly base64: string };
  readonly statementBytes: number;
  readonly statementSha256: string;
  readonly truncated: boolean;
  readonly effects: readonly string[];
  readonly tables: readonly string[];
  readonly exactRows?: number;
  readonly estimatedRows?: number;
  readonly affectedKeys: readonly string[];
}

/** A change whose leaf is being written. A comment or reason is in the leaf only. */
export type Pending =
  | { readonly kind: 'ask' }
  | {
      readonly kind: 'vote';
      readonly event: 'approve' | 'grant' | 'deny';
      readonly voter: Voter;
      readonly votedUs: number;
      readonly useUntilUs?: number;
    }
  | { readonly kind: 'expire' }
  | { readonly kind: 'withdraw'; readonly by?: string }
  /** Where the leaf stands is known when it is written. */
  | { readonly kind: 'break'; readonly opening: Omit<Opening, 'leaf'> }
  | { readonly kind: 'review'; readonly review: Omit<Review, 'leaf'> };

/** Who opened a hold in an emergency: it is who asked. */
export interface Opening {
  readonly rule: { readonly name: string; readonly version: number };
  /** As the rule named them then. */
  readonly reviewers: readonly string[];
  readonly openedUs: number;
  readonly useUntilUs: number;
  readonly reviewByUs: number;
  /** In whose log, */
  readonly node: string;
  /** and where. */
  readonly leaf: number;
}

export const VERDICTS = ['justified', 'not-justified'] as const;
export type ReviewVerdict = (typeof VERDICTS)[number];

/** What somebody said of it afterwards. */
export interface Review {
  readonly reviewer: Voter;
  readonly verdict: ReviewVerdict;
  readonly reviewedUs: number;
  readonly node: string;
  readonly leaf: number;
}

export interface Voter {
  readonly id: PrincipalId;
  readonly name: string;
  readonly groups: readonly string[];
  readonly issuer: string;
  readonly subject: string;
}

export interface HoldRecord {
  readonly id: HoldId;
  readonly version: number;
  readonly state: HoldState;
  readonly digest: string;
  readonly principalId: PrincipalId;
  /** Whose key seals what is sealed of it: the session's, or that of who asks where there is none. */
  readonly scope: SessionId | PrincipalId;
  readonly sessionId: SessionId | undefined;
  readonly boundSession: string | undefined;
  readonly node: string;
  /** Digest of what decides about it; any other voids it. */
  readonly policy: string;
  readonly document: HoldDocument;
  readonly sealed: Uint8Array;
  readonly askedUs: number;
  readonly expiresUs: number;
  readonly useUntilUs: number | undefined;
  readonly changedUs: number;
  readonly askedLeaf: number | undefined;
  readonly takenNode: string | undefined;
  readonly takenLeaf: number | undefined;
  readonly outcome: TakeStatus | undefined;
  readonly endedBy: string | undefined;
  readonly sealedReason: Uint8Array | undefined;
  readonly pending: Pending | undefined;
  readonly pendingNode: string | undefined;
  readonly pendingLeaf: number | undefined;
  readonly pendingUs: number | undefined;
  /** It was not approved, but opened in an emergency. */
  readonly opening: Opening | undefined;
  readonly sealedOpening: Uint8Array | undefined;
  readonly review: Review | undefined;
  readonly sealedReview: Uint8Array | undefined;
}

export interface VoteRecord extends Voter {
  readonly decision: 'approve' | 'deny';
  readonly sealedComment: Uint8Array | undefined;
  readonly votedUs: number;
  readonly node: string;
  readonly leaf: number;
}

/** Which part of the policy it stands and falls with. */
export function policyAbout({ requester, connection = '', resources }: HoldDocument): PolicyAbout {
  return resources === undefined ? { requester: requester.name, connection } : { resources };
}

/** What identifies who asked. */
export function askerOf({ principalId, document: { requester } }: HoldRecord): Asker {
  return { id: principalId, issuer: requester.issuer, subject: requester.subject };
}

/** Whether nobody may be shown the hold: its first leaf is not signed yet. */
export function isBeingAsked(record: HoldRecord): boolean {
  return record.pending?.kind === 'ask';
}

/** The state as of a time: what is overdue is expired, also before a leaf says so. */
export function stateAt(record: HoldRecord, nowUs: number): HoldState {
  return isOverdue(record, nowUs) ? 'expired' : record.state;
}

export function isOverdue({ state, expiresUs, useUntilUs }: HoldRecord, nowUs: number): boolean {
  if (state === 'asked') return nowUs >= expiresUs;
  return state === 'granted' && nowUs >= (useUntilUs ?? 0);
}

export function parseHold(row: HoldsTable): HoldRecord {
  const state = HOLD_STATES.find((known) => known === row.state);
  const outcome = OUTCOMES.find((known) => known === row.outcome);
  if (state === undefined || (outcome === undefined && row.outcome !== null)) {
    throw new CountersignError('STORE_FAILED', { reason: `hold ${row.id} has an unknown state` });
  }
  const principalId = parseId('principal', row.principal_id);
  const sessionId = row.session_id === principalId ? undefined : parseId('session', row.session_id);
  return {
    id: parseId('hold', row.id),
    version: row.version,
    state,
    digest: row.digest,
    principalId,
    scope: sessionId ?? principalId,
    sessionId,
    boundSession: row.bound_session ?? undefined,
    node: row.node,
    policy: row.policy,
    document: parseDocument(row.document),
    sealed: row.sealed,
    askedUs: row.asked_us,
    expiresUs: row.expires_us,
    useUntilUs: row.use_until_us ?? undefined,
    changedUs: row.changed_us,
    askedLeaf: row.asked_leaf ?? undefined,
    takenNode: row.taken_node ?? undefined,
    takenLeaf: row.taken_leaf ?? undefined,
    outcome,
    endedBy: row.ended_by ?? undefined,
    sealedReason: row.sealed_reason ?? undefined,
    pending: row.pending === null ? undefined : parsePending(row.pending),
    pendingNode: row.pending_node ?? undefined,
    pendingLeaf: row.pending_leaf ?? undefined,
    pendingUs: row.pending_us ?? undefined,
    opening: row.opening === null ? undefined : parseOpening(row.opening),
    sealedOpening: row.sealed_opening ?? undefined,
    review: row.review === null ? undefined : parseReview(row.review),
    sealedReview: row.sealed_review ?? undefined,
  };
}

export function parseVote(row: HoldVotesTable): VoteRecord {
  return {
    id: parseId('principal', row.principal_id),
    name: row.name,
    groups: parseNames(row.groups),
    issuer: row.issuer,
    subject: row.subject,
    decision: row.decision === 'approve' ? 'approve' : 'deny',
    sealedComment: row.sealed_comment ?? undefined,
    votedUs: row.voted_us,
    node: row.node,
    leaf: row.leaf,
  };
}

const OUTCOMES: readonly TakeStatus[] = ['ok', 'failed', 'unknown'];

/** What was sealed as {@link HoldContent}. */
export function parseContent(text: string): HoldContent {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- This room wrote and sealed it.
  return JSON.parse(text) as HoldContent;
}

/** What a row was asked for. */
export function parseDocument(text: string): HoldDocument {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- This room wrote it.
  return JSON.parse(text) as HoldDocument;
}

function parsePending(text: string): Pending {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- This room wrote it.
  return JSON.parse(text) as Pending;
}

function parseOpening(text: string): Opening {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- This room wrote it.
  return JSON.parse(text) as Opening;
}

function parseReview(text: string): Review {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- This room wrote it.
  return JSON.parse(text) as Review;
}

function parseNames(text: string): readonly string[] {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- This room wrote it.
  return JSON.parse(text) as readonly string[];
}
