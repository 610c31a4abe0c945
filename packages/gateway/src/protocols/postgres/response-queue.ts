/**
 * Which request does a message of the server belong to? A queue of what the server still owes.
 *
 * Spec: PostgreSQL 18, "Message Flow" (https://www.postgresql.org/docs/18/protocol-flow.html); the
 * table is ANSWERS in states.ts, the behaviour in copy mode that of src/backend/commands/copyfromparse.c.
 * Grammar: answers come in the order of the requests. An error in the extended protocol skips
 * everything up to Sync, which is answered by exactly one ReadyForQuery.
 * Refused: an answer that nothing asked for, so that rows are never taken for another request's.
 * Untrusted: both sides. Memory: limits.postgres.pipelineDepthMax entries.
 */

import { CountersignError } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
import {
  ANSWERS_BY_TYPE,
  type AnswersByType,
  ASYNCHRONOUS,
  IGNORED_IN_COPY_IN,
  SIMPLE,
  SYNC_ANSWERED_WITH,
  SYNCS,
} from './answer-tables.ts';
import { violation } from './byte-reader.ts';
import { CopyProbe } from './copy-probe.ts';
import { BACKEND, FRONTEND } from './messages.ts';
import { FIRST_PHASE, isOutcome, type Outcome, type Phase, type RequestKind } from './states.ts';

/** Called once for each request, in the order in which they were pushed. */
export type Settle<T> = (tag: T, outcome: Outcome) => void;

/** `discard`: the server would ignore it (or is known to), so it must not be forwarded. */
export type PushAdvice = 'forward' | 'discard';

/** `wait`: only the server's answers can tell; ask again after the next `accept`. */
export type CopyAdvice = 'forward' | 'discard' | 'wait';

interface Entry<T> {
  readonly kind: RequestKind;
  readonly tag: T;
}

/** `in`: the server reads COPY data. `ended`: CopyDone or CopyFail was sent, the answer is not there. */
type CopyState = 'none' | 'in' | 'ended';

/**
 * What the server owes, in order.
 *
 * The caller pushes each request when it forwards it, and gives each message of the server to
 * {@link ResponseQueue.accept}, which says whose it is. `settle` is called from inside `push`,
 * `accept` and `close`, before they return.
 *
 * A request that is known to be COPY FROM STDIN should be pushed with `copyIn`: then {@link mustWait}
 * holds back whatever the client sent behind it until the server has said whether it reads COPY data,
 * and nothing is left to guess. Without it, a Sync or Flush behind it is recognised as swallowed where
 * that can be known, and anything else behind it is refused.
 *
 * @example
 * const settled: string[] = [];
 * const queue = new ResponseQueue<string>((tag, outcome) => settled.push(`${tag} ${outcome}`));
 * queue.push('Query', 'q1'); // 'forward'
 * queue.accept(BACKEND.EmptyQueryResponse); // 'q1'
 * queue.accept(BACKEND.ReadyForQuery); // 'q1', and settled is ['q1 completed']
 */
export class ResponseQueue<T> {
  readonly #settle: Settle<T>;
  readonly #depthMax: number;
  /** The ring has a power of two of places; #first is the head's. */
  #ring: (Entry<T> | undefined)[] = Array.from({ length: 16 });
  #first = 0;
  #length = 0;
  #pushedCount = 0;

  #phase: Phase = 'readyOwed';
  #answers: AnswersByType | undefined;
  #copy: CopyState = 'none';
  /** The last entry was pushed with `copyIn`, and is not answered yet. */
  #barrier = false;
  /** The last request that was forwarded belongs to the extended protocol, and is no Sync. */
  #lastIsExtended = false;
  /** The server ignores everything up to the next Sync. */
  #skipping = false;
  /**
   * Syncs directly behind a COPY FROM STDIN, sent before anyone knew that it was one: the server read
   * them in copy-in mode and ignored them, unless an error came first; then it answers them.
   */
  #unsure = 0;
  /** The COPY has failed and is gone, so that the unsure Syncs are the first in the queue. */
  #unsureFirst = false;
  /** ReadyForQuery messages that may still come for unsure Syncs that were taken for swallowed. */
  #strayReadyMax = 0;
  #probe: CopyProbe | undefined;

  constructor(settle: Settle<T>, depthMax: number = LIMITS.postgres.pipelineDepthMax) {
    this.#settle = settle;
    this.#depthMax = depthMax;
  }

  /** Requests without their whole answer. */
  get length(): number {
    return this.#length;
  }

  /** Whether nothing may be pushed before the server has answered more. */
  get mustWait(): boolean {
    if (this.#probe !== undefined) return true;
    // Its ReadyForQuery comes for certain, and what comes behind it can be asked about then.
    const isOver = this.#copy !== 'in' && this.#phase !== 'executeCopyIn';
    if (isOver && !this.#unsureFirst && this.#isErrorUnsure()) return true;
    return this.#length >= this.#depthMax || (this.#barrier && this.#copy !== 'in');
  }

  /**
   * Whether nobody can tell what the server would do with another request than Sync and Flush, because
   * it may or may not have read a Sync in the COPY of an Execute, or whose an error would be, because it
   * may or may not have read a malformed one: ask it first, with {@link beginProbe}.
   */
  get mustProbe(): boolean {
    if (this.#probe !== undefined || !this.#lastIsUnsure()) return false;
    if (this.#copy === 'in') return this.#phase === 'executeCopyIn' || this.#isErrorUnsure();
    return this.#unsureFirst && (this.#skipping || this.#isErrorUnsure());
  }

  /** Whether a Sync is such a request too. */
  get mustAskForSync(): boolean {
    return this.#copy !== 'in' && this.#isErrorUnsure();
  }

  /** Whether such a request must wait for the end of a COPY, which the server may hold back: Flush. */
  get mustFlush(): boolean {
    return this.#copy === 'ended' && this.#phase === 'executeCopyIn' && this.#lastIsUnsure();
  }

  /** The probe that the server has not answered; see copy-probe.ts. */
  get probe(): CopyProbe | undefined {
    return this.#probe;
  }

  /** @param type of the message that waits */
  beginProbe(type: number): CopyProbe {
    const readiesBefore = this.#isErrorUnsure() ? this.#unsure : 0;
    this.#probe = new CopyProbe(type, this.#copy !== 'in', readiesBefore);
    return this.#probe;
  }

  /** The probe is answered: Syncs without an answer were read over, and if all were, the server has skipped on. */
  endProbe(answeredSyncs: number): void {
    this.#probe = undefined;
    this.#swallowUnsure();
    this.#skipping &&= answeredSyncs === 0;
  }

  /** The server ends the session instead. */
  abandonProbe(): void {
    this.#probe = undefined;
  }

  /** Whether the server reads COPY data: only CopyData, CopyDone and CopyFail are forwarded. */
  get inCopyIn(): boolean {
    return this.#copy === 'in';
  }

  /** Whether a Sync is still to come for what was sent. */
  get isOpenPipeline(): boolean {
    return this.#lastIsExtended;
  }

  /** The server ignores everything up to the next Sync. */
  get skipping(): boolean {
    return this.#skipping;
  }

  /** Requests without their whole answer, oldest first; answers to the first ones may be held by the server. */
  *pending(): Generator<T> {
    for (let i = 0; i < this.#length; i++) yield this.#at(i).tag;
  }

  /** Requests that were pushed so far. */
  get pushedCount(): number {
    return this.#pushedCount;
  }

  /** Whether the server may hold answers back, because no Sync or Query is behind what it was sent. */
  get mayBeUnflushed(): boolean {
    return this.#lastIsExtended;
  }

  /** The oldest request without its whole answer. */
  get head(): T | undefined {
    return this.#length === 0 ? undefined : this.#at(0).tag;
  }

  /**
   * A request from the client. Ask {@link mustWait} first.
   *
   * @param copyIn whether its text has a COPY FROM STDIN
   */
  push(kind: RequestKind, tag: T, copyIn: boolean = false): PushAdvice {
    this.#refuseIfWaiting();
    const ends = (SYNCS.has(kind) && !this.mustAskForSync) || IGNORED_IN_COPY_IN.has(kind);
    if (!ends && (this.mustProbe || this.mustFlush)) {
      throw new CountersignError('INTERNAL', {}, { cause: `${kind} behind a COPY that nobody asked about` });
    }
    if (this.#copy === 'in') return this.#pushInCopyIn(kind, tag, copyIn);
    if (this.#skipping) {
      if (!SYNCS.has(kind)) return this.#advise(tag, 'skipped', 'discard');
      this.#skipping = false;
    }
    // No Flush stands behind unsure Syncs: the first request that does tells whose an answer is.
    if (kind === 'Flush' && this.#unsure > 0) return this.#advise(tag, 'completed', 'forward');
    this.#append({ kind, tag });
    this.#lastIsExtended = !SIMPLE.has(kind);
    this.#barrier = copyIn;
    return 'forward';
  }

  /** What to do with CopyData, CopyDone or CopyFail from the client. */
  copy(type: number): CopyAdvice {
    if (this.#copy === 'in') {
      if (type !== FRONTEND.CopyData) this.#copy = 'ended';
      return 'forward';
    }
    // Nothing that could become a COPY is on its way, or the only one has had its CopyDone.
    if (this.#length === 0 || (this.#unsureFirst && this.#lastIsUnsure())) return 'discard';
    const isLast = this.#length === 1 || this.#lastIsUnsure();
    return this.#phase === 'executeCopyIn' && isLast ? 'discard' : 'wait';
  }

  /**
   * Before {@link head} is asked for a message that comes: an answer to something else than a Sync tells
   * that the unsure Syncs in front of it get none. That to a malformed one begins with an error, and that
   * to any other has none, because nothing is left to commit.
   */
  prepare(type: number): void {
    if (!this.#unsureFirst || this.#unsure === 0 || ASYNCHRONOUS.has(type)) return;
    const answered = SYNC_ANSWERED_WITH.get(type);
    let count = 0;
    while (count < this.#unsure && this.#at(count).kind !== answered) count++;
    this.#swallowUnsure(count);
  }

  /**
   * A message of the server: whose is it? Undefined for what belongs to nobody: notices,
   * notifications, parameter changes, an error that ends an idle session.
   */
  accept(type: number): T | undefined {
    this.prepare(type);
    if (type === BACKEND.ReadyForQuery && this.#unsureFirst && this.#unsure > 0) {
      return this.#acceptUnsureReady();
    }
    const next = this.#length === 0 ? undefined : this.#answers?.get(type);
    if (next === undefined) return this.#acceptOther(type);
    if (type !== BACKEND.ReadyForQuery) this.#strayReadyMax = 0;
    if (this.#phase === 'executeCopyIn' || this.#phase === 'queryCopyIn') this.#endCopyIn();
    if (isOutcome(next)) return this.#completeHead(next);
    this.#setPhase(next);
    if (next === 'queryCopyIn' || next === 'executeCopyIn') this.#beginCopyIn();
    if (next === 'queryCopyBoth') this.#copy = 'in';
    return this.#at(0).tag;
  }

  /** The connection is over: whatever has no answer never gets one. */
  close(): void {
    while (this.#length > 0) {
      this.#completeHead(this.#phase === 'failedReadyOwed' ? 'failed' : 'abandoned');
    }
  }

  #refuseIfWaiting(): void {
    if (!this.mustWait) return;
    const limit = 'requests without an answer';
    throw new CountersignError('LIMIT_EXCEEDED', {
      limit,
      allowed: this.#depthMax,
      actual: this.#length + 1,
    });
  }

  /** The COPY may have failed already, on data or in a trigger; then the server is not in copy-in mode. */
  #pushInCopyIn(kind: RequestKind, tag: T, copyIn: boolean): PushAdvice {
    if (IGNORED_IN_COPY_IN.has(kind)) return this.#advise(tag, 'swallowed', 'forward');
    if (SYNCS.has(kind)) {
      this.#unsure++;
    } else {
      // In copy-in mode the server ends the session: "unexpected message type during COPY from stdin".
      this.#copy = 'ended';
    }
    this.#append({ kind, tag });
    this.#lastIsExtended = !SIMPLE.has(kind);
    // Behind a Sync the Query that reads COPY data is still the one that what follows must wait for.
    if (!SYNCS.has(kind)) this.#barrier = copyIn;
    return 'forward';
  }

  /** For what needs no place in the queue. */
  #advise(tag: T, outcome: Outcome, advice: PushAdvice): PushAdvice {
    this.#settle(tag, outcome);
    return advice;
  }

  /** Everything behind the head was sent before anyone knew of the COPY. */
  #beginCopyIn(): void {
    this.#copy = 'in';
    // What follows CopyDone of a Query may be read by a second COPY of the same text.
    if (this.#phase === 'executeCopyIn') this.#barrier = false;
    this.#unsureFirst = false;
    const behind: Entry<T>[] = [];
    for (let i = 1; i < this.#length; i++) behind.push(this.#at(i));
    this.#length = 1;
    this.#unsure = 0;
    for (const entry of behind) {
      if (IGNORED_IN_COPY_IN.has(entry.kind)) {
        this.#settle(entry.tag, 'swallowed');
        continue;
      }
      this.#append(entry);
      if (SYNCS.has(entry.kind) && this.#length === this.#unsure + 2) this.#unsure++;
      // The server ends the session when it reads this, unless the COPY has failed before.
      else this.#copy = 'ended';
    }
  }

  /** CommandComplete: the COPY read up to CopyDone, and so over each Sync before it. */
  #endCopyIn(): void {
    if (this.#copy !== 'ended') throw violation('the target ended a COPY that the client did not end');
    this.#copy = 'none';
    const head = this.#at(0);
    const swallowed: T[] = [];
    for (; this.#unsure > 0; this.#unsure--) {
      this.#removeFirst();
      swallowed.push(this.#at(0).tag);
    }
    this.#ring[this.#first] = head;
    for (const tag of swallowed) this.#settle(tag, 'swallowed');
  }

  /** What is no answer to the head: an error, news for nobody, or a violation. */
  #acceptOther(type: number): T | undefined {
    if (ASYNCHRONOUS.has(type)) return undefined;
    if (type === BACKEND.ErrorResponse) return this.#acceptError();
    if (type === BACKEND.ReadyForQuery && this.#strayReadyMax > 0) {
      this.#strayReadyMax--;
      return undefined;
    }
    const owed = this.#length === 0 ? 'nothing is owed' : `the answer to ${this.#at(0).kind} is owed`;
    throw violation(`the target sent a message of type 0x${type.toString(16)} where ${owed}`);
  }

  #acceptError(): T | undefined {
    this.#copy = 'none';
    if (this.#length === 0) {
      // A statement timeout that strikes when the server reads a Flush makes it skip up to Sync.
      if (this.#length === 0 && this.#lastIsExtended) this.#skipping = true;
      else this.#strayReadyMax = 1;
      return undefined;
    }
    this.#strayReadyMax = 0;
    const { kind, tag } = this.#at(0);
    if (SIMPLE.has(kind)) {
      if (this.#unsureFirst && this.#unsure > 0) this.#failUnsure();
      this.#setPhase('failedReadyOwed');
      return tag;
    }
    this.#completeHead('failed');
    if (this.#unsure === 0) this.#skipToSync();
    else if (this.#lastIsUnsure()) this.#skipping = true;
    return tag;
  }

  /** The server ignores all that it was sent, up to Sync. */
  #skipToSync(): void {
    while (this.#length > 0) {
      const { kind, tag } = this.#at(0);
      if (SYNCS.has(kind)) return;
      this.#dropHead();
      this.#settle(tag, 'skipped');
    }
    this.#skipping = true;
  }

  /** A COPY failed while Syncs were on their way: this ReadyForQuery answers one of them, or a later one. */
  #acceptUnsureReady(): T {
    if (!this.#lastIsUnsure() && this.#at(this.#unsure).kind === 'Sync') {
      // The later one gets an answer in any case.
      this.#strayReadyMax += this.#unsure;
      this.#swallowUnsure();
    } else {
      this.#unsure--;
      this.#skipping = false;
    }
    return this.#completeHead('completed');
  }

  /**
   * The malformed Sync at the head has an error. Of two malformed ones in one COPY nothing tells which it
   * was: the first is taken for it, and what is behind it stays unsure.
   */
  #failUnsure(): void {
    this.#skipping = false;
    this.#unsureFirst = false;
    this.#unsure -= 1;
  }

  /** Whether one of the unsure Syncs would be answered with an error. */
  #isErrorUnsure(): boolean {
    const first = this.#unsureFirst ? 0 : 1;
    for (let i = 0; i < this.#unsure; i++) {
      if (this.#at(first + i).kind === 'MalformedSync') return true;
    }
    return false;
  }

  /** The failed COPY had read the first of the unsure Syncs: they get no answer. */
  #swallowUnsure(count: number = this.#unsure): void {
    for (let left = count; left > 0; left--) {
      this.#unsure -= 1;
      const { tag } = this.#at(0);
      this.#dropHead();
      this.#settle(tag, 'swallowed');
    }
    this.#dropFlushes();
  }

  /** Whether nothing was pushed behind the unsure Syncs. */
  #lastIsUnsure(): boolean {
    return this.#unsure > 0 && this.#length === this.#unsure + (this.#unsureFirst ? 0 : 1);
  }

  #completeHead(outcome: Outcome): T {
    const { tag } = this.#at(0);
    this.#copy = 'none';
    this.#dropHead();
    // Behind a Query that reads COPY data nothing is pushed but Syncs.
    if (this.#length === this.#unsure) this.#barrier = false;
    this.#settle(tag, outcome);
    this.#dropFlushes();
    return tag;
  }

  #append(entry: Entry<T>): void {
    this.#pushedCount++;
    if (this.#length === this.#ring.length) this.#grow();
    this.#ring[(this.#first + this.#length) & (this.#ring.length - 1)] = entry;
    this.#length++;
    if (this.#length > 1) return;
    this.#startHead();
    this.#dropFlushes();
  }

  #grow(): void {
    const larger: (Entry<T> | undefined)[] = Array.from({ length: this.#ring.length * 2 });
    for (let i = 0; i < this.#length; i++) larger[i] = this.#at(i);
    this.#ring = larger;
    this.#first = 0;
  }

  #at(index: number): Entry<T> {
    const entry = this.#ring[(this.#first + index) & (this.#ring.length - 1)];
    if (entry === undefined)
      throw new CountersignError('INTERNAL', {}, { cause: 'an empty place in the queue' });
    return entry;
  }

  #removeFirst(): void {
    this.#ring[this.#first] = undefined;
    this.#first = (this.#first + 1) & (this.#ring.length - 1);
    this.#length--;
  }

  #dropHead(): void {
    this.#removeFirst();
    this.#unsureFirst = true;
    if (this.#length === 0) this.#barrier = false;
    else this.#startHead();
  }

  /** The request that is the head now is owed its first answer. */
  #startHead(): void {
    const { kind } = this.#at(0);
    if (kind !== 'Flush') this.#setPhase(FIRST_PHASE[kind]);
  }

  #setPhase(phase: Phase): void {
    this.#phase = phase;
    this.#answers = ANSWERS_BY_TYPE.get(phase);
  }

  /** A Flush at the head is owed nothing. */
  #dropFlushes(): void {
    while (this.#length > 0 && this.#at(0).kind === 'Flush') {
      const { tag } = this.#at(0);
      this.#dropHead();
      this.#settle(tag, 'completed');
    }
  }
}
