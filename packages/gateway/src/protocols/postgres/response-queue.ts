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
  SIMPLE,
  SYNCS,
  UNSURE_ANSWERED_WITH,
  UNSURE_IN_COPY_IN,
} from './answer-tables.ts';
import { violation } from './byte-reader.ts';
import { CopyProbe } from './copy-probe.ts';
import { LENGTH_MIN } from './frames.ts';
import { BACKEND, FRONTEND } from './messages.ts';
import type { CopyAdvice, CopyState, PushAdvice } from './queue-advice.ts';
import { type Entry, RequestRing } from './request-ring.ts';
import { FIRST_PHASE, isOutcome, type Outcome, type Phase, type RequestKind } from './states.ts';

/** Called once for each request, in the order in which they were pushed. */
export type Settle<T> = (tag: T, outcome: Outcome) => void;

/**
 * What the server owes, in order.
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
 * const queue = new ResponseQueue<string>((tag, outcome) => console.info(`${tag} ${outcome}`));
 * queue.push('Query', 'q1'); // 'forward'
 * queue.accept(BACKEND.EmptyQueryResponse); // 'q1', which the ReadyForQuery behind it settles
 */
export class ResponseQueue<T> {
  readonly #settle: Settle<T>;
  readonly #depthMax: number;
  readonly #ring = new RequestRing<Entry<T>>();
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
   * Syncs and malformed Flushes directly behind a COPY FROM STDIN, before its end is known: ignored by the
   * server in copy-in mode, unless an error came first; then it answers them.
   */
  #unsure = 0;
  /** The COPY has failed and is gone, so that the unsure ones are the first in the queue. */
  #unsureFirst = false;
  /**
   * An error was taken for the first malformed one that is unsure, and may be of a later one. `Flush`: a
   * ReadyForQuery may be a malformed Sync's. `Sync`: for that, which is the head, none may come.
   */
  #errorTakenFor: 'Flush' | 'Sync' | undefined;
  /** ReadyForQuery messages that may still come for unsure Syncs that were taken for swallowed. */
  #strayReadyMax = 0;
  #probe: CopyProbe | undefined;

  constructor(settle: Settle<T>, depthMax: number = LIMITS.postgres.pipelineDepthMax) {
    this.#settle = settle;
    this.#depthMax = depthMax;
  }

  /** Requests without their whole answer. */
  get length(): number {
    return this.#ring.length;
  }

  /** Whether nothing may be pushed before the server has answered more. */
  get mustWait(): boolean {
    if (this.#probe !== undefined) return true;
    // Its ReadyForQuery comes for certain, and what comes behind it can be asked about then.
    const isOver = this.#copy !== 'in' && this.#phase !== 'executeCopyIn';
    if (isOver && !this.#unsureFirst && this.#errorTakenFor !== 'Sync' && this.#isErrorUnsure()) return true;
    return this.#ring.length >= this.#depthMax || (this.#barrier && this.#copy !== 'in');
  }

  /**
   * Whether nobody can tell what the server would do with another request than Sync and Flush, because
   * it may or may not have read a Sync in the COPY of an Execute, or whose an error would be, because it
   * may or may not have read a malformed Sync or Flush: ask it first, with {@link beginProbe}.
   */
  get mustProbe(): boolean {
    if (this.#probe !== undefined || !this.#lastIsUnsure()) return false;
    if (this.#copy === 'in') return this.#phase === 'executeCopyIn' || this.#isErrorUnsure();
    if (this.#errorTakenFor === 'Sync') return true;
    return this.#unsureFirst && (this.#skipping || this.#isErrorUnsure());
  }

  /** Whether a Sync is such a request too. */
  get mustAskForSync(): boolean {
    return this.#copy !== 'in' && this.#isErrorUnsure();
  }

  /** Whether a message, as its header says, is such a request. In copy-in mode a malformed Flush is read over. */
  isAskedFor(type: number, length: number): boolean {
    if (type === FRONTEND.Sync) return this.mustAskForSync;
    return type !== FRONTEND.Flush || (length > LENGTH_MIN && this.#copy !== 'in');
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

  /**
   * The probe is answered: Syncs without an answer were read over, and if all were since the last error that
   * was passed, the server has skipped on.
   */
  endProbe(answeredSyncs: number): void {
    this.#probe = undefined;
    this.#skipping = this.#errorTakenFor === 'Sync' || (this.#skipping && answeredSyncs === 0);
    if (this.#errorTakenFor === 'Sync') this.#completeHead('failed');
    this.#swallowUnsure();
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
    for (let i = 0; i < this.#ring.length; i++) yield this.#ring.at(i).tag;
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
    return this.#ring.length === 0 ? undefined : this.#ring.at(0).tag;
  }

  /**
   * A request from the client. Ask {@link mustWait} first.
   *
   * @param copyIn whether its text has a COPY FROM STDIN
   */
  push(kind: RequestKind, tag: T, copyIn: boolean = false): PushAdvice {
    this.#refuseIfWaiting();
    const isRead = this.#copy === 'in' && kind === 'MalformedFlush';
    const ends = (SYNCS.has(kind) && !this.mustAskForSync) || kind === 'Flush' || isRead;
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
    const isGone = this.#unsureFirst || this.#errorTakenFor === 'Sync';
    if (this.#ring.length === 0 || (isGone && this.#lastIsUnsure())) return 'discard';
    const isLast = this.#ring.length === 1 || this.#lastIsUnsure();
    return this.#phase === 'executeCopyIn' && isLast ? 'discard' : 'wait';
  }

  /**
   * Before {@link head} is asked for a message that comes: an answer to something else than a Sync or Flush
   * tells that the unsure ones in front of it get none. That to a malformed one begins with an error, and
   * that to any other has none, because nothing is left to commit.
   */
  prepare(type: number): void {
    if (ASYNCHRONOUS.has(type)) return;
    // A malformed Flush has it: of it, or of what is behind it, this is the next answer.
    if (this.#errorTakenFor === 'Sync' && type !== BACKEND.ReadyForQuery) this.#completeHead('failed');
    if (!this.#unsureFirst || this.#unsure === 0) return;
    const isSyncs = this.#errorTakenFor === 'Flush' && type === BACKEND.ReadyForQuery;
    const answered = isSyncs ? SYNCS : UNSURE_ANSWERED_WITH.get(type);
    let count = 0;
    while (count < this.#unsure && answered?.has(this.#ring.at(count).kind) !== true) count++;
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
    const next = this.#ring.length === 0 ? undefined : this.#answers?.get(type);
    if (next === undefined) return this.#acceptOther(type);
    if (type !== BACKEND.ReadyForQuery) this.#strayReadyMax = 0;
    if (this.#phase === 'executeCopyIn' || this.#phase === 'queryCopyIn') this.#endCopyIn();
    if (isOutcome(next)) return this.#completeHead(next);
    this.#setPhase(next);
    if (next === 'queryCopyIn' || next === 'executeCopyIn') this.#beginCopyIn();
    if (next === 'queryCopyBoth') this.#copy = 'in';
    return this.#ring.at(0).tag;
  }

  /** The connection is over: whatever has no answer never gets one. */
  close(): void {
    while (this.#ring.length > 0) {
      this.#completeHead(this.#phase === 'failedReadyOwed' ? 'failed' : 'abandoned');
    }
  }

  #refuseIfWaiting(): void {
    if (!this.mustWait) return;
    const limit = 'requests without an answer';
    throw new CountersignError('LIMIT_EXCEEDED', {
      limit,
      allowed: this.#depthMax,
      actual: this.#ring.length + 1,
    });
  }

  /** The COPY may have failed already, on data or in a trigger; then the server is not in copy-in mode. */
  #pushInCopyIn(kind: RequestKind, tag: T, copyIn: boolean): PushAdvice {
    if (this.#isNeverAnswered(kind)) return this.#advise(tag, 'swallowed', 'forward');
    const isUnsure = UNSURE_IN_COPY_IN.has(kind);
    if (isUnsure) {
      this.#unsure++;
    } else {
      // In copy-in mode the server ends the session: "unexpected message type during COPY from stdin".
      this.#copy = 'ended';
    }
    this.#append({ kind, tag });
    this.#lastIsExtended = !SIMPLE.has(kind);
    // Behind a Sync the Query that reads COPY data is still the one that what follows must wait for.
    if (!isUnsure) this.#barrier = copyIn;
    return 'forward';
  }

  /** Behind the COPY of an Execute: a Flush is read over, or skipped where the COPY has failed, up to Sync. */
  #isNeverAnswered(kind: RequestKind): boolean {
    if (kind === 'Flush') return true;
    return kind === 'MalformedFlush' && this.#phase === 'executeCopyIn' && this.#ring.length === 1;
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
    this.#unsure = 0;
    for (const entry of this.#ring.removeBehindFirst(this.#ring.length - 1)) {
      if (this.#isNeverAnswered(entry.kind)) {
        this.#settle(entry.tag, 'swallowed');
        continue;
      }
      this.#append(entry);
      if (UNSURE_IN_COPY_IN.has(entry.kind) && this.#ring.length === this.#unsure + 2) this.#unsure++;
      // The server ends the session when it reads this, unless the COPY has failed before.
      else this.#copy = 'ended';
    }
  }

  /** CommandComplete: the COPY read up to CopyDone, and so over each Sync before it. */
  #endCopyIn(): void {
    if (this.#copy !== 'ended') throw violation('the target ended a COPY that the client did not end');
    this.#copy = 'none';
    const swallowed = this.#ring.removeBehindFirst(this.#unsure);
    this.#unsure = 0;
    for (const { tag } of swallowed) this.#settle(tag, 'swallowed');
  }

  /** What is no answer to the head: an error, news for nobody, or a violation. */
  #acceptOther(type: number): T | undefined {
    if (ASYNCHRONOUS.has(type)) return undefined;
    if (type === BACKEND.ErrorResponse) return this.#acceptError();
    if (type === BACKEND.ReadyForQuery && this.#strayReadyMax > 0) {
      this.#strayReadyMax--;
      return undefined;
    }
    const owed =
      this.#ring.length === 0 ? 'nothing is owed' : `the answer to ${this.#ring.at(0).kind} is owed`;
    throw violation(`the target sent a message of type 0x${type.toString(16)} where ${owed}`);
  }

  #acceptError(): T | undefined {
    this.#copy = 'none';
    if (this.#ring.length === 0) {
      // A statement timeout that strikes when the server reads a Flush makes it skip up to Sync.
      if (this.#lastIsExtended) this.#skipping = true;
      else this.#strayReadyMax = 1;
      return undefined;
    }
    this.#strayReadyMax = 0;
    const { kind, tag } = this.#ring.at(0);
    this.#errorTakenFor = undefined;
    if (kind === 'MalformedFlush' && this.#unsureFirst && this.#unsure > 0) return this.#failUnsureFlush();
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
    while (this.#ring.length > 0) {
      if (SYNCS.has(this.#ring.at(0).kind)) return;
      this.#settleHead('skipped');
    }
    this.#skipping = true;
  }

  /** A COPY failed while Syncs were on their way: this ReadyForQuery answers one of them, or a later one. */
  #acceptUnsureReady(): T {
    if (!this.#lastIsUnsure() && this.#ring.at(this.#unsure).kind === 'Sync') {
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
    if (this.#isUnsure('MalformedFlush')) this.#errorTakenFor = 'Sync';
  }

  /** As {@link #failUnsure}, of a malformed Flush: the server ignores everything up to Sync. */
  #failUnsureFlush(): T {
    this.#unsure -= 1;
    const tag = this.#completeHead('failed');
    while (this.#unsure > 0 && this.#ring.at(0).kind === 'MalformedFlush') {
      this.#unsure -= 1;
      this.#settleHead('skipped');
    }
    if (this.#isErrorUnsure()) {
      this.#errorTakenFor = 'Flush';
      this.#skipping = this.#lastIsUnsure();
    } else {
      // It can be of nothing else, and so the Syncs behind it have their answers.
      this.#unsure = 0;
      this.#skipToSync();
    }
    return tag;
  }

  /** Whether one of the unsure ones would be answered with an error. */
  #isErrorUnsure(): boolean {
    return this.#unsure > 0 && (this.#isUnsure('MalformedSync') || this.#isUnsure('MalformedFlush'));
  }

  #isUnsure(kind: RequestKind): boolean {
    const first = this.#unsureFirst ? 0 : 1;
    for (let i = 0; i < this.#unsure; i++) if (this.#ring.at(first + i).kind === kind) return true;
    return false;
  }

  /** The failed COPY had read the first of the unsure Syncs: they get no answer. */
  #swallowUnsure(count: number = this.#unsure): void {
    for (let left = count; left > 0; left--) {
      this.#unsure -= 1;
      this.#settleHead('swallowed');
    }
    this.#dropFlushes();
  }

  /** Whether nothing was pushed behind the unsure Syncs. */
  #lastIsUnsure(): boolean {
    return this.#unsure > 0 && this.#ring.length === this.#unsure + (this.#unsureFirst ? 0 : 1);
  }

  #completeHead(outcome: Outcome): T {
    const { tag } = this.#ring.at(0);
    this.#copy = 'none';
    this.#errorTakenFor = undefined;
    this.#dropHead();
    // Behind a Query that reads COPY data nothing is pushed but Syncs.
    if (this.#ring.length === this.#unsure) this.#barrier = false;
    this.#settle(tag, outcome);
    this.#dropFlushes();
    return tag;
  }

  #append(entry: Entry<T>): void {
    this.#pushedCount++;
    this.#ring.append(entry);
    if (this.#ring.length > 1) return;
    this.#startHead();
    this.#dropFlushes();
  }

  #settleHead(outcome: Outcome): void {
    const { tag } = this.#ring.at(0);
    this.#dropHead();
    this.#settle(tag, outcome);
  }

  #dropHead(): void {
    this.#ring.removeFirst();
    this.#unsureFirst = true;
    if (this.#ring.length === 0) this.#barrier = false;
    else this.#startHead();
  }

  /** The request that is the head now is owed its first answer. */
  #startHead(): void {
    const { kind } = this.#ring.at(0);
    if (kind !== 'Flush') this.#setPhase(FIRST_PHASE[kind]);
  }

  #setPhase(phase: Phase): void {
    this.#phase = phase;
    this.#answers = ANSWERS_BY_TYPE.get(phase);
  }

  /** A Flush at the head is owed nothing. */
  #dropFlushes(): void {
    while (this.#ring.length > 0 && this.#ring.at(0).kind === 'Flush') this.#settleHead('completed');
  }
}
