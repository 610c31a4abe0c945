/**
 * The leaves of holds. Spec: spec/events.md, "Who let them".
 *
 * None is part of a session: a vote comes when the session may be over, and may come at another gateway.
 * `ref` is the leaf `hold.asked`, where that is in the same log.
 */

import { formatTimeUs } from '../core/clock.ts';
import type { BodyValue, LedgerEvent } from '../core/ledger-port.ts';
import type { HoldContent, HoldRecord, Opening, Review, VoteRecord, Voter } from './hold-record.ts';
import type { TakeStatus } from './holds-port.ts';

/** Who a leaf is by, and under whose key its body is. */
export type LeafActor = Pick<LedgerEvent, 'kind' | 'actor' | 'keyId'>;

type Body = Record<string, BodyValue>;

export function askedEvent(record: HoldRecord, content: HoldContent, actor: LeafActor): LedgerEvent {
  const { document } = record;
  const { demand, requester } = document;
  const body: Body = {
    ...idOf(record),
    rule: demand.rule.name,
    rule_version: demand.rule.version,
    approvers: [...demand.approvers],
    count: demand.count,
    expires_at: formatTimeUs(record.expiresUs),
    ...optional('reason', demand.reason),
    bound_to: document.boundTo,
    ...optional('estimated_rows', content.estimatedRows),
    ...optional('exact_rows', content.exactRows),
    requester: requester.name,
    requester_groups: [...requester.groups],
    address: document.address,
    ...optional('database', document.database),
    ...optional('held_session', record.sessionId),
    ...optional('changes', document.resources === undefined ? undefined : changesOf(content)),
    use_within_s: Math.ceil(demand.useWithinMs / 1_000),
    reason_required: demand.requireReason,
  };
  // Its body is of the session: a shred takes it along.
  return {
    ...actor,
    keyId: record.scope,
    type: 'hold.asked',
    target: document.connection,
    ref: document.intentLeaf,
    decision: 'hold',
    policy: document.bundle,
    body,
  };
}

export interface VoteToWrite {
  readonly event: 'approve' | 'grant' | 'deny';
  readonly voter: Voter;
  readonly comment: string | undefined;
  readonly useUntilUs: number | undefined;
}

/** `until` stands in the one that is enough. */
export function voteEvent(
  record: HoldRecord,
  vote: VoteToWrite,
  actor: LeafActor,
  node: string,
): LedgerEvent {
  const { voter, comment, useUntilUs } = vote;
  return {
    ...commonOf(record, node),
    ...actor,
    type: vote.event === 'deny' ? 'approval.denied' : 'approval.granted',
    body: {
      ...idOf(record),
      approver: voter.name,
      approver_groups: [...voter.groups],
      ...optional('comment', comment),
      ...(useUntilUs === undefined ? {} : { until: formatTimeUs(useUntilUs) }),
      signature_kind: 'none',
    },
  };
}

export function expiredEvent(record: HoldRecord, system: LeafActor, node: string): LedgerEvent {
  const reason = record.state === 'granted' ? 'the grant was not used in time' : 'nobody answered in time';
  return {
    ...commonOf(record, node),
    ...system,
    type: 'approval.expired',
    body: { ...idOf(record), reason },
  };
}

export function withdrawnEvent(
  record: HoldRecord,
  by: { readonly actor: LeafActor; readonly name: string | undefined },
  reason: string,
  node: string,
): LedgerEvent {
  return {
    ...commonOf(record, node),
    ...by.actor,
    type: 'approval.withdrawn',
    body: { ...idOf(record), reason, ...optional('withdrawn_by', by.name) },
  };
}

/** By who asked, under their own key: a shred of the session leaves it. */
export function breakGlassEvent(
  record: HoldRecord,
  opening: Omit<Opening, 'leaf'>,
  reason: string,
  actor: LeafActor,
): LedgerEvent {
  const { rule, reviewers, useUntilUs, reviewByUs, node } = opening;
  const { requester } = record.document;
  return {
    ...commonOf(record, node),
    ...actor,
    type: 'breakglass.used',
    body: {
      ...idOf(record),
      rule: rule.name,
      rule_version: rule.version,
      requester: requester.name,
      requester_groups: [...requester.groups],
      reason,
      until: formatTimeUs(useUntilUs),
      reviewers: [...reviewers],
      review_by: formatTimeUs(reviewByUs),
    },
  };
}

/** `ref` is the leaf that it is about, where that is in the same log. */
export function reviewEvent(
  record: HoldRecord,
  opening: Opening,
  review: Omit<Review, 'leaf'>,
  comment: string,
  actor: LeafActor,
): LedgerEvent {
  const { reviewer, verdict, node } = review;
  return {
    target: record.document.connection,
    policy: record.document.bundle,
    ...(opening.node === node ? { ref: opening.leaf } : {}),
    ...actor,
    type: 'breakglass.reviewed',
    status: verdict === 'justified' ? 'justified' : 'not_justified',
    body: {
      ...idOf(record),
      reviewer: reviewer.name,
      reviewer_groups: [...reviewer.groups],
      comment,
    },
  };
}

export function takenEvent(
  record: HoldRecord,
  votes: readonly VoteRecord[],
  session: {
    readonly id: string | undefined;
    readonly actor: LeafActor;
    readonly intentLeaf: number | undefined;
  },
  node: string,
): LedgerEvent {
  const { opening } = record;
  return {
    ...commonOf(record, node),
    ...session.actor,
    keyId: session.id ?? record.scope,
    type: 'hold.taken',
    body: {
      ...idOf(record),
      approvals: approvalsOf(votes, node),
      votes: votes.map(({ name, node: at, leaf }) => ({ approver: name, node: at, leaf })),
      ...optional('held_session', session.id),
      ...optional('intent_leaf', session.intentLeaf),
      ...(opening === undefined
        ? {}
        : { break_glass: { rule: opening.rule.name, node: opening.node, leaf: opening.leaf } }),
    },
  };
}

export function executedEvent(
  record: HoldRecord,
  votes: readonly VoteRecord[],
  actor: LeafActor,
  end: {
    readonly status: TakeStatus;
    readonly rows?: number | undefined;
    readonly outcomeLeaf?: number | undefined;
  },
  node: string,
): LedgerEvent {
  return {
    ...commonOf(record, node),
    ...actor,
    type: 'hold.executed',
    status: end.status,
    body: {
      ...idOf(record),
      approvals: approvalsOf(votes, node),
      ...optional('rows', end.rows),
      ...optional('outcome_leaf', end.outcomeLeaf),
    },
  };
}

/** What `bound_to.changes` is the SHA-256 of: it is never cut. */
function changesOf({ statement }: HoldContent): BodyValue | undefined {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Whoever asked made it of such values.
  return typeof statement === 'string' ? (JSON.parse(statement) as BodyValue) : undefined;
}

/** Leaf indexes of the approvals that stand in this log. */
function approvalsOf(votes: readonly VoteRecord[], node: string): number[] {
  return votes.filter((vote) => vote.node === node).map((vote) => vote.leaf);
}

function idOf(record: HoldRecord): Body {
  return { hold_id: record.id, digest: record.digest };
}

function commonOf(record: HoldRecord, node: string): Pick<LedgerEvent, 'target' | 'ref' | 'policy'> {
  const ref = record.node === node ? record.askedLeaf : undefined;
  return {
    target: record.document.connection,
    policy: record.document.bundle,
    ...(ref === undefined ? {} : { ref }),
  };
}

function optional(field: string, value: BodyValue | undefined): Body {
  return value === undefined ? {} : { [field]: value };
}
