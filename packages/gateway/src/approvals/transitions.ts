/**
 * A change of a hold, so that it is in the log before it has an effect, once, whatever ends in between.
 *
 * Spec: docs/decisions/0009-approvals.md.
 *
 * 1. Reserve: the row says which change is being written, and nobody else changes it.
 * 2. The leaf, signed.
 * 3. Effect: one transaction changes the row and takes the reservation away.
 *
 * After a crash a start looks for the leaf: where it is, the change is finished; where it is not, the
 * reservation goes. While this process lives it knows by itself; where it does not (the ledger halted),
 * nothing happens to the hold until the next start.
 */

import { CountersignError, type ErrorCode, reasonOf, toCountersignError } from '../core/errors.ts';
import type { HoldId } from '../core/ids.ts';
import type { LedgerEvent, LedgerPort } from '../core/ledger-port.ts';
import type { HoldClock } from './hold-clock.ts';
import type { HoldLeaf, HoldLog } from './hold-leaves.ts';
import type { HoldRecord, Opening, Pending, Review, VoteRecord } from './hold-record.ts';
import type { HoldStore } from './hold-store.ts';
import { type SealOptions, type SealPlace, sealText } from './sealed-text.ts';
import { next } from './states.ts';

export interface TransitionsOptions extends SealOptions {
  readonly holds: HoldStore;
  readonly ledger: LedgerPort;
  readonly log: HoldLog;
  readonly node: string;
  readonly clock: HoldClock;
  /** After a change is in effect, also one that a process before this one began. */
  readonly onChange: (record: HoldRecord, what: Pending['kind'] | undefined) => void;
}

/** A change that is in the log and perhaps not in the store. */
interface Written {
  readonly reserved: HoldRecord;
  readonly leaf: number;
  /** Comment or reason. */
  readonly text: string | undefined;
}

type Effect = Parameters<HoldStore['takeEffect']>[1];

/** What the ledger refuses before it writes anything; after every other error it may have written. */
const REFUSED_BY_LEDGER: ReadonlySet<ErrorCode> = new Set(['LIMIT_EXCEEDED', 'SHREDDED']);

/** The owner of changes that are half done in this process. */
export class Transitions {
  readonly #options: TransitionsOptions;
  /** Leaves that are in the log, or may be; what is reserved and not here has none. */
  readonly #left = new Map<HoldId, Written | 'unknown'>();

  constructor(options: TransitionsOptions) {
    this.#options = options;
  }

  /** Undefined where somebody else was faster: look again. */
  async run(
    record: HoldRecord,
    pending: Pending,
    event: LedgerEvent,
    more: { readonly text?: string | undefined; readonly over?: boolean } = {},
  ): Promise<HoldRecord | undefined> {
    const { holds, log, clock } = this.#options;
    const reserved = await holds.reserve(record, pending, log.size(), clock.nowUs(), more.over);
    return reserved === undefined ? undefined : this.write(reserved, event, more.text);
  }

  /** Steps 2 and 3 of a row that is reserved. */
  async write(
    reserved: HoldRecord,
    event: LedgerEvent,
    text: string | undefined,
  ): Promise<HoldRecord | undefined> {
    let leaf: number;
    try {
      leaf = (await this.#options.ledger.append(event)).index;
    } catch (error) {
      const failure = toCountersignError(error);
      if (REFUSED_BY_LEDGER.has(failure.code)) await this.#options.holds.release(reserved);
      // It may have been written: then the reservation stays for the next start.
      else this.#left.set(reserved.id, 'unknown');
      throw failure;
    }
    const written = { reserved, leaf, text };
    this.#left.set(reserved.id, written);
    return this.#finish(written);
  }

  /** Finishes what this process left half done. STATE_CONFLICT where only a start can tell. */
  async finishOwn(record: HoldRecord): Promise<HoldRecord | undefined> {
    if (record.pendingNode !== this.#options.node) return record;
    const left = this.#left.get(record.id);
    if (left === 'unknown') {
      const reason = `whether a change of hold ${record.id} is in the ledger is known after the next start`;
      throw new CountersignError('STATE_CONFLICT', { reason });
    }
    if (left !== undefined) return this.#finish(left);
    await this.#options.holds.release(record);
    return this.#options.holds.find(record.id);
  }

  /** At start: what a process before this one left, from the leaves that it wrote. */
  async recover(record: HoldRecord, leaves: readonly HoldLeaf[]): Promise<void> {
    const { pending, pendingLeaf = 0 } = record;
    if (pending === undefined) return;
    const leaf = leaves.find(
      (found) => found.holdId === record.id && found.index >= pendingLeaf && isOf(pending, found),
    );
    if (leaf === undefined) await this.#options.holds.release(record);
    else await this.#finish({ reserved: record, leaf: leaf.index, text: leaf.text });
  }

  async #finish(written: Written): Promise<HoldRecord | undefined> {
    const { holds, onChange } = this.#options;
    const { reserved } = written;
    const { effect, vote } = await this.#effectOf(written);
    try {
      // Where it is not reserved any more, a commit whose answer was lost has happened.
      await holds.takeEffect(reserved, effect, vote);
    } catch (error) {
      const reason = `the change is in the ledger and not in effect yet: ${reasonOf(error)}`;
      throw new CountersignError('STORE_FAILED', { reason }, { cause: error });
    }
    this.#left.delete(reserved.id);
    const record = await holds.find(reserved.id);
    if (record !== undefined) onChange(record, reserved.pending?.kind);
    return record;
  }

  async #effectOf({ reserved, leaf, text }: Written): Promise<{ effect: Effect; vote?: VoteRecord }> {
    const { pending } = reserved;
    const changed = { changed_us: this.#options.clock.nowUs() };
    switch (pending?.kind) {
      case undefined:
        throw new CountersignError('INTERNAL');
      case 'ask':
        return { effect: { ...changed, asked_leaf: leaf } };
      case 'expire':
        return { effect: { ...changed, state: stateAfter(reserved, 'expire'), open_key: null } };
      case 'withdraw': {
        const sealed = await this.#seal(reserved, 'reason', text);
        const state = stateAfter(reserved, 'withdraw');
        const ended = { ended_by: pending.by ?? null, sealed_reason: sealed ?? null };
        return { effect: { ...changed, state, open_key: null, ...ended } };
      }
      case 'vote': {
        const { voter, votedUs, event, useUntilUs } = pending;
        const sealedComment = await this.#seal(reserved, `comment ${voter.id}`, text);
        const decision = event === 'deny' ? 'deny' : 'approve';
        const vote = { ...voter, decision, sealedComment, votedUs, node: this.#options.node, leaf } as const;
        const state = stateAfter(reserved, event);
        if (event === 'deny') {
          return { effect: { ...changed, state, open_key: null, ended_by: voter.name }, vote };
        }
        return { effect: { ...changed, state, use_until_us: useUntilUs ?? null }, vote };
      }
      case 'break': {
        const opening: Opening = { ...pending.opening, leaf };
        const sealed = await this.#seal(reserved, 'opening', text);
        const { useUntilUs: use_until_us, reviewByUs: review_by_us } = opening;
        const opened = { opening: JSON.stringify(opening), sealed_opening: sealed ?? null };
        const state = stateAfter(reserved, 'break');
        const told = { review_by_us, notice_due_us: opening.openedUs };
        return { effect: { ...changed, ...opened, ...told, state, use_until_us } };
      }
      case 'review': {
        const review: Review = { ...pending.review, leaf };
        const sealed = await this.#seal(reserved, 'review', text);
        const reviewed = { review: JSON.stringify(review), sealed_review: sealed ?? null };
        return {
          effect: { ...changed, ...reviewed, state: stateAfter(reserved, 'review'), review_by_us: null },
        };
      }
      default:
        return pending satisfies never;
    }
  }

  async #seal(
    { id, scope }: HoldRecord,
    what: Exclude<SealPlace['what'], 'request'>,
    text: string | undefined,
  ): Promise<Uint8Array | undefined> {
    if (text === undefined) return undefined;
    return sealText(this.#options, { holdId: id, scope, what }, text);
  }
}

/** The one leaf that a pending change writes. */
function isOf(pending: Pending, leaf: Pick<HoldLeaf, 'type' | 'approver'>): boolean {
  switch (pending.kind) {
    case 'ask':
      return leaf.type === 'hold.asked';
    case 'expire':
      return leaf.type === 'approval.expired';
    case 'withdraw':
      return leaf.type === 'approval.withdrawn';
    case 'vote': {
      const type = pending.event === 'deny' ? 'approval.denied' : 'approval.granted';
      return leaf.type === type && leaf.approver === pending.voter.name;
    }
    case 'break':
      return leaf.type === 'breakglass.used';
    case 'review':
      return leaf.type === 'breakglass.reviewed';
    default:
      return pending satisfies never;
  }
}

/** What was reserved fitted the state, and nothing changed it since. */
function stateAfter({ state }: HoldRecord, event: Parameters<typeof next>[1]): string {
  const after = next(state, event);
  if ('to' in after) return after.to;
  throw new CountersignError('INTERNAL', {}, { cause: new Error(`${event} in ${state}`) });
}
