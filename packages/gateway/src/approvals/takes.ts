/**
 * Using a grant, once: `granted` → `executing` → `executed` or `failed`.
 *
 * `executing` is in the store before anything else, so that no other request, gateway or start can use the
 * grant; then the leaf `hold.taken` is signed; then everything is checked again; and only then does the
 * caller hear of it. Whatever ends in between leaves `executing`, which the next start makes `failed`,
 * `unknown`: nobody knows whether it ran.
 */

import { CountersignError } from '../core/errors.ts';
import type { HoldId, PrincipalId, SessionId } from '../core/ids.ts';
import { countApprovers } from './approvers.ts';
import type { HoldClock } from './hold-clock.ts';
import { executedEvent, type LeafActor, takenEvent } from './hold-events.ts';
import type { HoldLeaf } from './hold-leaves.ts';
import { askerOf, type HoldRecord, isOverdue, policyAbout, type VoteRecord } from './hold-record.ts';
import type { Taken, TakeRefusal, TakeRefused, TakeStatus } from './holds-port.ts';
import type { ApprovalsOptions } from './options.ts';
import { next } from './states.ts';

export type TakesOptions = Omit<ApprovalsOptions, 'clock'> & { readonly clock: HoldClock };

interface End {
  readonly status: TakeStatus;
  readonly rows?: number | undefined;
  readonly outcomeLeaf?: number | undefined;
}

/** Nothing ran. */
const FAILED: End = { status: 'failed' };

/** The owner of grants that this process took. */
export class Takes {
  readonly #options: TakesOptions;
  /** Ends that are in the log and not in the store. */
  readonly #ended = new Map<HoldId, TakeStatus>();
  /** What may have been taken and nobody was told of, so that it cannot run. */
  readonly #unused = new Map<HoldId, HoldRecord>();

  constructor(options: TakesOptions) {
    this.#options = options;
  }

  /** Only under the lock of the hold. */
  async take(
    record: HoldRecord,
    digest: string,
    sessionId: SessionId | undefined,
    intentLeaf: number | undefined,
  ): Promise<Taken | TakeRefused> {
    const { holds, clock, node, log, ledger } = this.#options;
    const why = await this.#refusalOf(record, digest, sessionId);
    if (why !== undefined) return refused(why);
    const votes = await holds.votes(record.id);
    if (!(await this.#areEnough(record, votes))) return refused('approvers-gone');
    this.#unused.set(record.id, record);
    if (!(await holds.take(record, clock.nowUs(), log.size()))) {
      this.#unused.delete(record.id);
      return refused('busy');
    }
    const actor = await this.#actorOf(record);
    const event = takenEvent(record, votes, { id: sessionId, actor, intentLeaf }, node);
    const { index: leaf } = await ledger.append(event);
    const late = await this.#refusalAfter(record, votes);
    if (late !== undefined) {
      await this.#end(record, votes, actor, FAILED);
      return refused(late);
    }
    this.#unused.delete(record.id);
    let isDone = false;
    return {
      kind: 'taken',
      leaf,
      done: async (status, facts = {}) => {
        if (isDone) throw new CountersignError('STATE_CONFLICT', { reason: `hold ${record.id} has its end` });
        isDone = true;
        await this.#end(record, votes, { ...actor, keyId: sessionId ?? record.scope }, { status, ...facts });
      },
    };
  }

  /** At start: a grant that the process before this one took and did not finish. */
  async recover(record: HoldRecord, leaves: readonly HoldLeaf[]): Promise<void> {
    const written = leaves.find((leaf) => leaf.holdId === record.id && leaf.type === 'hold.executed');
    if (written !== undefined) {
      await this.#store(record.id, statusOf(written.status));
      return;
    }
    const votes = await this.#options.holds.votes(record.id);
    await this.#end(record, votes, this.#options.system, { status: 'unknown' });
  }

  /** What ended and the store did not hear of. Only under the lock of the hold. */
  async finish(id: HoldId): Promise<void> {
    const status = this.#ended.get(id);
    if (status !== undefined) await this.#store(id, status);
    const unused = this.#unused.get(id);
    if (unused === undefined) return;
    const record = await this.#options.holds.find(id);
    const isOurs = record?.state === 'executing' && record.takenNode === this.#options.node;
    if (!isOurs) this.#unused.delete(id);
    else await this.#end(record, await this.#options.holds.votes(id), this.#options.system, FAILED);
  }

  /** Holds that {@link finish} is about. */
  get unfinished(): readonly HoldId[] {
    return [...this.#ended.keys(), ...this.#unused.keys()];
  }

  async #refusalOf(
    record: HoldRecord,
    digest: string,
    sessionId: SessionId | undefined,
  ): Promise<TakeRefusal | undefined> {
    const { holds, clock, policyDigest } = this.#options;
    const after = next(record.state, 'take');
    if ('refused' in after) {
      if (record.state === 'expired') return 'expired';
      return after.refused === 'used' ? 'used' : 'not-granted';
    }
    if (record.digest !== digest) return 'other-digest';
    if (isOverdue(record, clock.nowUs())) return 'expired';
    const { boundSession } = record;
    if (boundSession !== undefined && boundSession !== sessionId && (await holds.isSessionOpen(boundSession)))
      return 'other-session';
    return record.policy === policyDigest(policyAbout(record.document)) ? undefined : 'policy-changed';
  }

  /** Signing the leaf took up to a second. */
  async #refusalAfter(record: HoldRecord, votes: readonly VoteRecord[]): Promise<TakeRefusal | undefined> {
    const { policyDigest } = this.#options;
    if (record.policy !== policyDigest(policyAbout(record.document))) return 'policy-changed';
    if (!(await this.#areEnough(record, votes))) return 'approvers-gone';
    return isOverdue(record, this.#options.clock.nowUs()) ? 'expired' : undefined;
  }

  /** Groups as they are now. What was opened in an emergency needs nobody but who opened it. */
  async #areEnough(record: HoldRecord, votes: readonly VoteRecord[]): Promise<boolean> {
    if (record.opening !== undefined) {
      return (await this.#options.people.find(record.principalId))?.kind === 'user';
    }
    const { demand } = record.document;
    const approved = votes.filter(({ decision }) => decision === 'approve');
    const found = await Promise.all(approved.map(({ id }) => this.#options.people.find(id)));
    const humans = found.filter((human) => human !== undefined);
    return countApprovers(humans, askerOf(record), demand.approvers) >= demand.count;
  }

  async #actorOf(record: HoldRecord): Promise<LeafActor> {
    const { people, system } = this.#options;
    const { kind } = record.document.requester;
    const principal: { id: PrincipalId; kind: typeof kind } = { id: record.principalId, kind };
    return (await people.leafActor(principal)) ?? system;
  }

  /** The leaf first: a store that says how it went without a leaf would be nobody's word. */
  async #end(record: HoldRecord, votes: readonly VoteRecord[], actor: LeafActor, end: End): Promise<void> {
    const { ledger, node } = this.#options;
    await ledger.append(executedEvent(record, votes, actor, end, node));
    this.#unused.delete(record.id);
    this.#ended.set(record.id, end.status);
    await this.#store(record.id, end.status);
  }

  async #store(id: HoldId, status: TakeStatus): Promise<void> {
    const { holds, clock } = this.#options;
    const state = status === 'ok' ? 'executed' : 'failed';
    await holds.end(id, { state, outcome: status, changed_us: clock.nowUs() });
    this.#ended.delete(id);
  }
}

function statusOf(text: string | undefined): TakeStatus {
  return text === 'ok' || text === 'failed' ? text : 'unknown';
}

function refused(why: TakeRefusal): TakeRefused {
  return { kind: 'refused', why };
}
