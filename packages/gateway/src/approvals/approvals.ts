/**
 * The room: asks people, counts their votes, and lets what they approved be used once.
 *
 * Spec: spec/policy.md, "Holds"; docs/decisions/0009-approvals.md for the order of leaf and effect. The
 * state machine is states.ts. What happens to one hold happens one after the other in this gateway, and by
 * compare-and-swap between gateways.
 */

import { CountersignError, toCountersignError } from '../core/errors.ts';
import { type HoldId, makeId, type PrincipalId, type SessionId } from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';
import { findGrant } from './grants.ts';
import {
  type Answer,
  BreakGlass,
  type BreakRefusal,
  type ReviewGiven,
  type ReviewRefusal,
} from './break-glass.ts';
import { askedEvent, expiredEvent, type LeafActor, withdrawnEvent } from './hold-events.ts';
import { HoldClock } from './hold-clock.ts';
import { type HoldRecord, isBeingAsked, isOverdue, type Pending, policyAbout } from './hold-record.ts';
import { aboutOf, type CheckedRequest, checkRequest, newRow, scopeOf } from './hold-request.ts';
import type { WhichHolds } from './hold-store.ts';
import { HoldTexts } from './hold-texts.ts';
import type { Hold, HoldRequest, HoldsPort, Taken, TakeRefused } from './holds-port.ts';
import { KeyLock } from './key-lock.ts';
import type { ApprovalsOptions } from './options.ts';
import { sealText } from './sealed-text.ts';
import { settlementOf } from './settlement.ts';
import { isOpen, next } from './states.ts';
import { Takes } from './takes.ts';
import { Transitions } from './transitions.ts';
import { type DecidingOptions, type Vote, type VoteAnswer, Votes } from './votes.ts';
import { Waiters } from './waiters.ts';

const REPEAT_US = LIMITS.approvals.complaintMs * 1_000;

/** The owner of everything about holds in this gateway. */
export class Approvals implements HoldsPort {
  readonly #options: ApprovalsOptions;
  readonly #clock: HoldClock;
  readonly #lock = new KeyLock();
  readonly #waiters = new Waiters();
  readonly #transitions: Transitions;
  readonly #takes: Takes;
  readonly #texts: HoldTexts;
  readonly #votes: Votes;
  readonly #glass: BreakGlass;
  #sweeping: Promise<void> | undefined;
  #complaint: { readonly message: string; readonly us: number } | undefined;
  #closed = false;

  private constructor(options: ApprovalsOptions) {
    this.#options = options;
    this.#clock = new HoldClock(options.clock, options.notBeforeUs);
    this.#transitions = new Transitions({
      ...options,
      clock: this.#clock,
      onChange: (record, what) => {
        void this.#tell(record).catch((error: unknown) => this.#complain(error));
        if (what === 'break')
          void this.#tellOpened(record.id).catch((error: unknown) => this.#complain(error));
      },
    });
    this.#takes = new Takes({ ...options, clock: this.#clock });
    this.#texts = new HoldTexts(options);
    const deciding: DecidingOptions = {
      ...options,
      clock: this.#clock,
      transitions: this.#transitions,
      texts: this.#texts,
      current: (id) => this.#current(id),
      giveUp: (record, reason) => this.#giveUp(record, reason),
    };
    this.#votes = new Votes(deciding);
    this.#glass = new BreakGlass(deciding);
  }

  /** Finishes or gives up what a crash left; the ledger is recovered before. */
  static async open(options: ApprovalsOptions): Promise<Approvals> {
    const approvals = new Approvals(options);
    await approvals.#recover();
    return approvals;
  }

  /** The time by which holds expire. */
  nowUs(): number {
    return this.#clock.nowUs();
  }

  /** Undefined where there is none, or nobody may see it yet. */
  async find(id: HoldId): Promise<HoldRecord | undefined> {
    const record = await this.#options.holds.find(id);
    return record === undefined || isBeingAsked(record) ? undefined : record;
  }

  /** Newest first; those that nobody may see yet are among them. */
  page(before: string | undefined, which: WhichHolds, limit: number): Promise<readonly HoldRecord[]> {
    return this.#options.holds.page(before, which, limit);
  }

  /** What people wrote about it, and what they see of it. */
  get texts(): HoldTexts {
    return this.#texts;
  }

  async ask(request: HoldRequest): Promise<Hold> {
    const { binding } = request;
    const about = aboutOf(request);
    // Where nobody knows, it is void from the beginning: no digest of a part is that of the whole.
    const policy = this.#options.policyDigest(about, binding.policy) ?? binding.policy;
    const checked = checkRequest(request, policy);
    for (let tries = 0; tries < LIMITS.approvals.triesMax; tries++) {
      const record = await this.#lock.run(checked.openKey, async () => {
        const open = await this.#options.holds.findOpen(checked.openKey);
        if (open === undefined) return this.#askAnew(checked);
        return this.#lock.run(open.id, () => this.#stillOpen(open.id));
      });
      if (record !== undefined) return this.#holdOf(record, request);
      if (tries > 0) await this.#options.pause(LIMITS.approvals.sweepMs);
    }
    throw new CountersignError('STATE_CONFLICT', {
      reason: 'another request for the same thing is under way',
    });
  }

  async granted(...asked: Parameters<HoldsPort['granted']>): Promise<Hold | undefined> {
    const found = await findGrant(this.#options, this.#clock.nowUs(), ...asked);
    return found === undefined ? undefined : this.#holdOf(found.record, found.request);
  }

  take(
    id: HoldId,
    digest: string,
    sessionId: SessionId | undefined,
    intentLeaf?: number,
  ): Promise<Taken | TakeRefused> {
    return this.#lock.run(id, async () => {
      const record = await this.#current(id);
      if (record === undefined) return { kind: 'refused', why: 'not-granted' };
      const taken = await this.#takes.take(record, digest, sessionId, intentLeaf);
      if (taken.kind === 'taken') {
        this.#waiters.tell(id, { state: 'used' });
        return { ...taken, done: (...end) => this.#lock.run(id, () => taken.done(...end)) };
      }
      if (taken.why === 'policy-changed') await this.#giveUp(record, 'the policy changed');
      if (taken.why === 'approvers-gone') await this.#giveUp(record, 'who approved may not approve any more');
      return taken;
    });
  }

  /** A vote of somebody; who they are is looked up at this moment. */
  vote(id: HoldId, voterId: PrincipalId, vote: Vote): Promise<VoteAnswer> {
    return this.#unlessBusy(id, () => this.#votes.vote(id, voterId, vote));
  }

  /** Who asked opens it, in an emergency, and says why; their client goes on. */
  breakGlass(id: HoldId, personId: PrincipalId, reason: string): Promise<Answer<BreakRefusal>> {
    return this.#unlessBusy(id, () => this.#glass.open(id, personId, reason));
  }

  /** What somebody else says of that afterwards, once. */
  review(id: HoldId, reviewerId: PrincipalId, given: ReviewGiven): Promise<Answer<ReviewRefusal>> {
    return this.#unlessBusy(id, () => this.#glass.review(id, reviewerId, given));
  }

  /** Again where somebody else was faster, for a while. */
  async #unlessBusy<A extends { readonly kind: string }>(
    id: HoldId,
    work: () => Promise<A | { readonly kind: 'refused'; readonly why: 'busy' }>,
  ): Promise<A | { readonly kind: 'refused'; readonly why: 'busy' }> {
    for (let tries = 0; tries < LIMITS.approvals.triesMax; tries++) {
      const answer = await this.#lock.run(id, work);
      if (!('why' in answer) || answer.why !== 'busy') return answer;
      await this.#options.pause(LIMITS.approvals.sweepMs);
    }
    return { kind: 'refused', why: 'busy' };
  }

  /** Who asked gives up. False where it is over, or being used. NOT_FOUND for others. */
  withdraw(id: HoldId, requesterId: PrincipalId, reason: string): Promise<boolean> {
    return this.#lock.run(id, async () => {
      const record = await this.#current(id);
      if (record === undefined || isBeingAsked(record) || record.principalId !== requesterId) {
        throw new CountersignError('NOT_FOUND', { what: `hold ${id}` });
      }
      return this.#withdrawNow(record, requesterId, reason);
    });
  }

  /** What decides about something that this gateway asked for has changed: it is withdrawn. */
  async voidOutdated(): Promise<void> {
    const { holds, policyDigest } = this.#options;
    const open = await holds.openPolicies();
    const outdated = open.filter(({ policy, document }) => policy !== policyDigest(policyAbout(document)));
    await this.#voidAll(outdated, 'the policy changed');
  }

  /** Expires what is overdue and hears what other gateways did; called from time to time. */
  sweep(): Promise<void> {
    this.#sweeping ??= this.#sweepNow()
      .catch((error: unknown) => this.#complain(error))
      .finally(() => {
        this.#sweeping = undefined;
      });
    return this.#sweeping;
  }

  /** Nobody waits any more; requests and grants stay in the store. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#sweeping;
    this.#waiters.rejectAll(new CountersignError('SHUTTING_DOWN'));
  }

  async #sweepNow(): Promise<void> {
    const { holds } = this.#options;
    if (this.#closed) return;
    await this.#rememberTime();
    await this.voidOutdated();
    const overdue = await holds.overdue(this.#clock.nowUs(), LIMITS.approvals.sweepMax);
    const expiring = await Promise.allSettled(
      overdue.map(({ id }) => this.#lock.run(id, () => this.#stillOpen(id))),
    );
    for (const result of expiring) if (result.status === 'rejected') this.#complain(result.reason);
    await this.#tellReviewers();
    for (const id of this.#takes.unfinished) await this.#lock.run(id, () => this.#takes.finish(id));
    const { ids } = this.#waiters;
    const records = await holds.findMany(ids);
    await Promise.all(records.map((record) => this.#tell(record)));
    const known = new Set(records.map(({ id }) => id));
    // The other gateway that asked gave it up before anybody could see it.
    const gone = { state: 'withdrawn', by: undefined, reason: 'it could not be asked' } as const;
    for (const id of ids) if (!known.has(id)) this.#waiters.tell(id, gone);
  }

  /** Told, and then written down: a process that ends in between tells it again rather than not at all. */
  #tellOpened(id: HoldId): Promise<void> {
    return this.#lock.run(id, async () => {
      const { holds, onOpened } = this.#options;
      const record = await holds.findUntold(id);
      if (record === undefined) return;
      this.#notice(() => onOpened(record, 'used'));
      await holds.markTold(id);
    });
  }

  /** Reviewers hear of what a process that ended had opened, and once more of what they have not looked at in time. */
  async #tellReviewers(): Promise<void> {
    const { holds, onOpened, node } = this.#options;
    const nowUs = this.#clock.nowUs();
    for (const record of await holds.untold(LIMITS.approvals.sweepMax)) {
      const { openedUs = nowUs, node: openedAt } = record.opening ?? {};
      const isAbandoned = nowUs - openedUs > LIMITS.approvals.abandonedMs * 1_000;
      if (openedAt === node || isAbandoned) await this.#tellOpened(record.id);
    }
    for (const record of await holds.lateReviews(nowUs, LIMITS.approvals.sweepMax)) {
      if (await holds.claimLate(record.id, nowUs)) this.#notice(() => onOpened(record, 'overdue'));
    }
  }

  /** The row as it is, after what this process left half done; only under its lock. */
  async #current(id: HoldId): Promise<HoldRecord | undefined> {
    const found = await this.#options.holds.find(id);
    if (found === undefined) return undefined;
    this.#clock.observe(found.changedUs);
    return this.#transitions.finishOwn(found);
  }

  /** The row where it is asked or granted; expires it where it is overdue. Only under its lock. */
  async #stillOpen(id: HoldId): Promise<HoldRecord | undefined> {
    const record = await this.#current(id);
    if (record === undefined || !isOpen(record.state)) return undefined;
    const nowUs = this.#clock.nowUs();
    if (!isOverdue(record, nowUs)) return record;
    const { node, system } = this.#options;
    const { pendingUs = nowUs, pendingNode } = record;
    const abandoned = pendingNode !== undefined && nowUs - pendingUs > LIMITS.approvals.abandonedMs * 1_000;
    const event = expiredEvent(record, system, node);
    await this.#transitions.run(record, { kind: 'expire' }, event, { over: abandoned });
    return undefined;
  }

  async #askAnew(checked: CheckedRequest): Promise<HoldRecord | undefined> {
    const { holds, log, node, people, randomBytes } = this.#options;
    const { request, content } = checked;
    const nowUs = this.#clock.nowUs();
    const id = makeId('hold', Math.floor(nowUs / 1_000), randomBytes(10));
    const scope = scopeOf(request);
    const place = { holdId: id, scope, what: 'request' } as const;
    const sealed = await sealText(this.#options, place, JSON.stringify(content));
    if (sealed === undefined) throw new CountersignError('SHREDDED', { session: scope });
    const actor = await people.leafActor(request.requester);
    if (actor === undefined)
      throw new CountersignError('STATE_CONFLICT', { reason: 'who asks was forgotten' });
    return this.#lock.run(id, async () => {
      const row = newRow(checked, { id, node, sealed, nowUs, leaf: log.size() });
      if (!(await holds.insert(row, nowUs))) return undefined;
      const reserved = await holds.find(id);
      if (reserved === undefined) return undefined;
      const record = await this.#transitions.write(reserved, askedEvent(reserved, content, actor), undefined);
      if (record !== undefined) this.#notice(() => this.#options.onAsked(record));
      return record;
    });
  }

  /** A notice that fails holds nothing up. */
  #notice(tell: () => void): void {
    try {
      tell();
    } catch (error) {
      this.#complain(error);
    }
  }

  #holdOf(record: HoldRecord, { requester }: HoldRequest): Hold {
    const { id, digest, expiresUs } = record;
    const { settled, release } = this.#waiters.add(id);
    if (record.state === 'granted' && record.pending === undefined) {
      void this.#tell(record).catch((error: unknown) => this.#complain(error));
    }
    return {
      id,
      digest,
      state: record.state,
      expiresUs,
      openedBy: record.opening?.rule.name,
      settled,
      release,
      withdraw: async (reason) => {
        await this.withdraw(id, requester.id, reason);
      },
    };
  }

  /** Only under its lock. */
  async #withdrawNow(record: HoldRecord, by: PrincipalId | undefined, reason: string): Promise<boolean> {
    const { people, node, system } = this.#options;
    if ('refused' in next(record.state, 'withdraw')) return false;
    const human = by === undefined ? undefined : await people.find(by);
    const actor = human === undefined ? undefined : await people.leafActor(human);
    const name = actor === undefined ? undefined : human?.name;
    const text = reason.slice(0, LIMITS.approvals.commentCharactersMax).toWellFormed();
    const who: { actor: LeafActor; name: string | undefined } = { actor: actor ?? system, name };
    const event = withdrawnEvent(record, who, text, node);
    const pending: Pending = { kind: 'withdraw', ...(name === undefined ? {} : { by: name }) };
    return (await this.#transitions.run(record, pending, event, { text })) !== undefined;
  }

  /**
   * What can never be used any more is withdrawn, so that it can be asked again. By the gateway that asked:
   * another one may not have heard of a change yet.
   */
  async #giveUp(record: HoldRecord, reason: string): Promise<void> {
    const current = record.node === this.#options.node ? await this.#current(record.id) : undefined;
    if (current !== undefined) await this.#withdrawNow(current, undefined, reason);
  }

  async #voidAll(records: readonly Pick<HoldRecord, 'id'>[], reason: string): Promise<void> {
    const results = await Promise.allSettled(
      records.map(({ id }) =>
        this.#lock.run(id, async () => {
          const record = await this.#current(id);
          if (record !== undefined) await this.#withdrawNow(record, undefined, reason);
        }),
      ),
    );
    for (const result of results) if (result.status === 'rejected') this.#complain(result.reason);
  }

  async #recover(): Promise<void> {
    const { holds, log, clock } = this.#options;
    this.#clock.observe(await holds.rememberedTime());
    // Where the system clock is behind what was seen before, nobody knows how long this was down.
    const wentBack = this.#clock.nowUs() - clock.nowUs() > LIMITS.ledger.clockStepMs * 1_000;
    const left = await holds.unfinished();
    if (left.length > 0) {
      const from = Math.min(...left.map(({ pendingLeaf, takenLeaf }) => pendingLeaf ?? takenLeaf ?? 0));
      const leaves = await log.leavesOf(new Set(left.map(({ id }) => id)), from);
      for (const record of left) {
        this.#clock.observe(record.changedUs);
        if (record.pending === undefined) await this.#takes.recover(record, leaves);
        else await this.#transitions.recover(record, leaves);
      }
    }
    if (wentBack) {
      await this.#voidAll(await holds.openOfNode(), 'the clock went back while the gateway was down');
    }
    await this.voidOutdated();
    await this.#tellReviewers();
  }

  async #rememberTime(): Promise<void> {
    const { holds, clock } = this.#options;
    const nowUs = this.#clock.nowUs();
    if (nowUs - clock.nowUs() > LIMITS.ledger.clockStepMs * 1_000) await holds.rememberTime(nowUs);
  }

  async #tell(record: HoldRecord): Promise<void> {
    const settlement = await settlementOf(record, this.#texts);
    if (settlement !== undefined) this.#waiters.tell(record.id, settlement);
  }

  /** What goes wrong at every look is said once in a while. */
  #complain(thrown: unknown): void {
    const { clock, onError } = this.#options;
    const error = toCountersignError(thrown);
    const nowUs = clock.monotonicUs();
    const complaint = this.#complaint;
    const again = complaint?.message === error.message && nowUs - complaint.us < REPEAT_US;
    if (again) return;
    this.#complaint = { message: error.message, us: nowUs };
    onError(error, 'approvals');
  }
}
