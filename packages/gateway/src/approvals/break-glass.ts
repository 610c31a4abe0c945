/**
 * Opening one's own hold in an emergency, and what somebody else says of that afterwards.
 *
 * Spec: spec/policy.md, "Break-glass"; docs/decisions/0013-break-glass.md. It is one more way from asked to
 * granted, with the same leaf before the effect, the same digest, the same hard end and the same single use.
 */

import type { HoldId, PrincipalId } from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';
import { type ApproverRefusal, refusalOf } from './approvers.ts';
import { breakGlassEvent, reviewEvent } from './hold-events.ts';
import {
  askerOf,
  type HoldRecord,
  isBeingAsked,
  policyAbout,
  type ReviewVerdict,
  stateAt,
} from './hold-record.ts';
import { isOpen, next } from './states.ts';
import { type DecidingOptions, voterOf } from './votes.ts';

export type BreakRefusal =
  | 'not-found'
  /** Somebody else asked for it. */
  | 'not-own'
  | 'not-a-person'
  | 'reason-required'
  /** No rule lets this person open this hold now. */
  | 'no-rule'
  | 'closed'
  | 'shredded'
  | 'busy';

export type ReviewRefusal =
  | 'not-found'
  | ApproverRefusal
  | 'reason-required'
  /** It was not opened in an emergency. */
  | 'not-broken'
  /** It can still be used, or is being used. */
  | 'not-over'
  | 'reviewed-already'
  | 'busy';

export type Answer<Refusal> =
  | { readonly kind: 'done'; readonly record: HoldRecord }
  | { readonly kind: 'refused'; readonly why: Refusal };

export interface ReviewGiven {
  readonly verdict: ReviewVerdict;
  readonly comment: string;
}

/** Keeps nothing. */
export class BreakGlass {
  readonly #options: DecidingOptions;

  constructor(options: DecidingOptions) {
    this.#options = options;
  }

  /** Only under the lock of the hold. */
  async open(id: HoldId, personId: PrincipalId, given: string): Promise<Answer<BreakRefusal>> {
    const { people, policyDigest, clock, texts, opener, node, transitions } = this.#options;
    const record = await this.#options.current(id);
    const human = await people.find(personId);
    if (record === undefined || human === undefined || isBeingAsked(record)) return refused('not-found');
    if (record.principalId !== human.id) return refused('not-own');
    if (human.kind !== 'user') return refused('not-a-person');
    const reason = saidOf(given);
    if (reason === undefined) return refused('reason-required');
    const nowUs = clock.nowUs();
    const state = stateAt(record, nowUs);
    if (!isOpen(state) || 'refused' in next(state, 'break')) return refused('closed');
    const { document } = record;
    if (record.policy !== policyDigest(policyAbout(document))) {
      await this.#options.giveUp(record, 'the policy changed');
      return refused('closed');
    }
    const found = opener(document.demand.openers ?? [], policyAbout(document), nowUs);
    if (found === undefined) return refused('no-rule');
    // What nobody can read afterwards nobody can review.
    if ((await texts.content(record)) === undefined) return refused('shredded');
    const actor = await people.leafActor(human);
    if (actor === undefined) return refused('not-found');
    const opening = {
      rule: found.rule,
      reviewers: found.reviewers,
      openedUs: nowUs,
      useUntilUs: nowUs + found.withinMs * 1_000,
      reviewByUs: nowUs + found.reviewMs * 1_000,
      node,
    };
    const event = breakGlassEvent(record, opening, reason, actor);
    const after = await transitions.run(record, { kind: 'break', opening }, event, { text: reason });
    return after === undefined ? refused('busy') : { kind: 'done', record: after };
  }

  /** Only under the lock of the hold. */
  async review(id: HoldId, reviewerId: PrincipalId, given: ReviewGiven): Promise<Answer<ReviewRefusal>> {
    const { people, clock, node, transitions } = this.#options;
    const record = await this.#options.current(id);
    const human = await people.find(reviewerId);
    if (record === undefined || human === undefined || isBeingAsked(record)) return refused('not-found');
    const { opening } = record;
    const reviewers = opening?.reviewers ?? record.document.demand.approvers;
    const why = refusalOf(human, askerOf(record), reviewers);
    if (why !== undefined) return refused(why);
    if (opening === undefined) return refused('not-broken');
    const comment = saidOf(given.comment);
    if (comment === undefined) return refused('reason-required');
    if (record.review !== undefined) return refused('reviewed-already');
    if ('refused' in next(record.state, 'review')) return refused('not-over');
    const actor = await people.leafActor(human);
    if (actor === undefined) return refused('not-found');
    const { verdict } = given;
    const review = { reviewer: voterOf(human), verdict, reviewedUs: clock.nowUs(), node };
    const event = reviewEvent(record, opening, review, comment, actor);
    const after = await transitions.run(record, { kind: 'review', review }, event, { text: comment });
    return after === undefined ? refused('busy') : { kind: 'done', record: after };
  }
}

/** What somebody wrote, where there is a letter or a digit in it. */
function saidOf(text: string): string | undefined {
  const said = text.trim().slice(0, LIMITS.approvals.commentCharactersMax).toWellFormed();
  return /[\p{L}\p{N}]/u.test(said) ? said : undefined;
}

function refused<Refusal>(why: Refusal): Answer<Refusal> {
  return { kind: 'refused', why };
}
