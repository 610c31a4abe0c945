/** A vote: who may give it, what it needs, and what it makes of the hold. */

import type { HoldId, PrincipalId } from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';
import { type Human, countApprovers, refusalOf } from './approvers.ts';
import type { HoldClock } from './hold-clock.ts';
import { voteEvent } from './hold-events.ts';
import {
  askerOf,
  type HoldRecord,
  isBeingAsked,
  type Pending,
  policyAbout,
  stateAt,
  type Voter,
} from './hold-record.ts';
import type { HoldTexts } from './hold-texts.ts';
import type { HoldDemand } from './holds-port.ts';
import type { ApprovalsOptions } from './options.ts';
import { isOpen, next } from './states.ts';
import type { Transitions } from './transitions.ts';

export type VoteRefusal =
  | 'not-found'
  | 'own-request'
  | 'not-a-person'
  | 'not-an-approver'
  | 'voted-already'
  | 'too-many-votes'
  | 'reason-required'
  | 'second-factor-required'
  | 'closed'
  | 'shredded'
  | 'busy';

export type VoteAnswer =
  | { readonly kind: 'voted'; readonly record: HoldRecord }
  | { readonly kind: 'refused'; readonly why: VoteRefusal };

export interface Vote {
  readonly decision: 'approve' | 'deny';
  readonly comment: string | undefined;
  /** When the login behind it had a second factor, in microseconds; absent where it had none. */
  readonly mfaUs?: number | undefined;
}

/** What deciding on a hold needs of the room; all of it is under the lock of the hold. */
export interface DecidingOptions extends Omit<ApprovalsOptions, 'clock'> {
  readonly clock: HoldClock;
  readonly transitions: Transitions;
  readonly texts: HoldTexts;
  /** The row as it is, after what this process left half done. */
  readonly current: (id: HoldId) => Promise<HoldRecord | undefined>;
  /** It can never be used any more. */
  readonly giveUp: (record: HoldRecord, reason: string) => Promise<void>;
}

/** Takes votes; keeps nothing. */
export class Votes {
  readonly #options: DecidingOptions;

  constructor(options: DecidingOptions) {
    this.#options = options;
  }

  /** Only under the lock of the hold. */
  async vote(id: HoldId, voterId: PrincipalId, vote: Vote): Promise<VoteAnswer> {
    const { holds, people, node, policyDigest, clock, texts, transitions } = this.#options;
    const record = await this.#options.current(id);
    const human = await people.find(voterId);
    if (record === undefined || human === undefined || isBeingAsked(record)) return refused('not-found');
    const { demand } = record.document;
    const why = refusalOf(human, askerOf(record), demand.approvers);
    if (why !== undefined) return refused(why);
    const nowUs = clock.nowUs();
    if (!isOpen(stateAt(record, nowUs))) return refused('closed');
    if (record.policy !== policyDigest(policyAbout(record.document))) {
      await this.#options.giveUp(record, 'the policy changed');
      return refused('closed');
    }
    if (!isProved(vote, demand, nowUs)) return refused('second-factor-required');
    const votes = await holds.votes(id);
    if (vote.decision === 'approve' && votes.some((other) => isVoteOf(other, human)))
      return refused('voted-already');
    if (votes.length >= LIMITS.approvals.votesMax) return refused('too-many-votes');
    const comment = vote.comment?.trim().slice(0, LIMITS.approvals.commentCharactersMax).toWellFormed();
    if (demand.requireReason && (comment ?? '') === '') return refused('reason-required');
    // Nobody approves what they cannot see.
    if ((await texts.content(record)) === undefined) return refused('shredded');
    const approved = votes.filter(({ decision }) => decision === 'approve').map((other) => other.id);
    const humans = await this.#humans([...approved, human.id]);
    const enough = countApprovers(humans, askerOf(record), demand.approvers) >= demand.count;
    const event = vote.decision === 'deny' ? 'deny' : enough ? 'grant' : 'approve';
    if ('refused' in next(record.state, event)) return refused('closed');
    const useUntilUs = event === 'grant' ? nowUs + demand.useWithinMs * 1_000 : undefined;
    const actor = await people.leafActor(human);
    if (actor === undefined) return refused('not-found');
    const voter = voterOf(human);
    const leaf = voteEvent(record, { event, voter, comment, useUntilUs }, actor, node);
    const pending: Pending = {
      kind: 'vote',
      event,
      voter,
      votedUs: nowUs,
      ...(useUntilUs === undefined ? {} : { useUntilUs }),
    };
    const after = await transitions.run(record, pending, leaf, { text: comment });
    return after === undefined ? refused('busy') : { kind: 'voted', record: after };
  }

  async #humans(ids: readonly PrincipalId[]): Promise<readonly Human[]> {
    const found = await Promise.all(ids.map((id) => this.#options.people.find(id)));
    return found.filter((human) => human !== undefined);
  }
}

/** Who somebody was when they decided. */
export function voterOf({ id, name, groups, issuer, subject }: Human & { readonly id: PrincipalId }): Voter {
  return { id, name, groups: [...groups], issuer, subject };
}

/** A denial needs none, and a time in the future, after a clock that went back, is no proof. */
function isProved({ decision, mfaUs }: Vote, { mfaMs }: HoldDemand, nowUs: number): boolean {
  if (mfaMs === undefined || decision === 'deny') return true;
  return mfaUs !== undefined && mfaUs <= nowUs && nowUs - mfaUs <= mfaMs * 1_000;
}

function isVoteOf(
  vote: { readonly id: string; readonly decision: string; readonly issuer: string; readonly subject: string },
  human: Human,
): boolean {
  const same = vote.id === human.id || (vote.issuer === human.issuer && vote.subject === human.subject);
  return same && vote.decision === 'approve';
}

function refused(why: VoteRefusal): VoteAnswer {
  return { kind: 'refused', why };
}
