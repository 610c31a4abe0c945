/**
 * A statement that may not simply pass: people are asked, or its rows are counted before COMMIT.
 *
 * Spec: spec/policy.md §5 and "Holds". While this conducts, nothing else of the client goes to the target,
 * and everything before it is answered. The statement runs with its answer kept back, and what it wrote is
 * counted. Then its answer is given out; or all is undone and the client gets an error; or people are asked
 * while nothing is open at the target, and it runs again.
 */

import type { ReadText } from '../../core/effects.ts';
import { CountersignError } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
import { BACKEND } from '../../protocols/postgres/messages.ts';
import { SYNCS } from '../../protocols/postgres/answer-tables.ts';
import type { BoundPortal } from '../../protocols/postgres/operation.ts';
import type { Outcome } from '../../protocols/postgres/states.ts';
import { affectedKeys } from './affected-keys.ts';
import type { Asking, Grant, Held } from './asking.ts';
import type { Understood } from './batch.ts';
import { ENDS, endsTransactions, isPlannedByBind, isUndoable, KEEPS, verbsOf } from './conducted-text.ts';
import { estimatedRows } from './estimate.ts';
import { errorOf, Kept, type KeptAnswer, NO_ANSWER, type Sent, withError } from './exchange.ts';
import type { Ground } from './ground.ts';
import { type Grounds, groundOf, pipelineOf } from './ground-of.ts';
import type { Judgement } from './inspection.ts';
import { type Done, undoneBy } from './kept-outcomes.ts';
import { noteAnswer } from './note-answer.ts';
import type { OpenAtTarget } from './open-at-target.ts';
import { OpenWork, Over, type Settled } from './open-work.ts';
import { askedOf, type Piece } from './piece.ts';
import {
  beginBind,
  endPipeline,
  type PipelineEnd,
  type PipelineEndPorts,
  type WatchedBind,
} from './pipeline-end.ts';
import { type Refusal, refusalBecause, refusalOfMixed, stopsOneStatement } from './refusal.ts';
import { PLAIN_REQUEST, type Request } from './request.ts';
import { type RowMeter, ReturnedRows } from './returned-rows.ts';
import type { RunningOperation } from './running-operation.ts';
import {
  failedWithin,
  heldBeyond,
  isCounted,
  meterOf,
  type Ran,
  refusalOfRows,
  refuseAtCommit,
  rowsGranted,
  tooLarge,
  undoneFor,
} from './withheld-rows.ts';

export interface ConductorPorts extends PipelineEndPorts {
  readonly asking: Asking;
  /** `I`, `T` or `E`. */
  readonly transactionStatus: () => string;
  readonly forwarded: (operation: RunningOperation) => void;
  /** Sends it as any other statement; resolves with its outcome, which is settled. */
  readonly pass: (piece: Piece, meter?: RowMeter) => Promise<Outcome>;
  /** The target is asked to cancel what runs. */
  readonly stop: () => void;
  /** The client is asked for COPY data, which must be let through. */
  readonly copying: (frame: Uint8Array) => void;
  /** 32 hex digits that no client knows. */
  readonly name: string;
}

const UNREAD: ReadText = { kind: 'uninspectable', reason: '' };
const NO_ERROR = { sqlstate: '', message: '' };
const NO_ROWS: Settled = { kind: 'rows' };

/** Owned by one session. */
export class Conductor {
  readonly #ports: ConductorPorts;
  readonly #work: OpenWork;
  readonly #returned = new ReturnedRows();
  /** What an Execute since the last Sync has begun or ended. */
  #block: boolean | undefined;
  /** The same before the last message. */
  #blockBefore: boolean | undefined;
  #ranSinceSync = false;
  /** What a Bind since the last Sync has made, where nothing was bound behind it. */
  #lastBound: BoundPortal | undefined;
  /** Executes since the last Sync that a block of ours would take in, should one begin. */
  readonly #unsynced = new Set<RunningOperation>();
  /** The client has the answer to what is conducted, or gets it as it comes. */
  #isAnswered = false;

  constructor(ports: ConductorPorts) {
    this.#ports = ports;
    this.#work = new OpenWork(ports.settle, ports.name);
  }

  /** Whether a statement has to come here. */
  isNeeded({ kind }: Understood, { decision, read }: Judgement): boolean {
    if (decision.kind === 'hold') return true;
    if (decision.kind !== 'allow') return false;
    if (decision.counted.length > 0 || decision.returned.length > 0) return true;
    const verbs = verbsOf(read);
    // A BEGIN makes the block the client's.
    if (this.#work.block.isOurs && verbs.includes('begin')) return true;
    // Of an Execute that nobody has read it may be the COMMIT.
    const mayEnd = read.kind === 'read' ? verbs.some((verb) => ENDS.has(verb)) : kind === 'Execute';
    return this.#work.isOpen && mayEnd;
  }

  /** What a Bind needs before it goes to the target; undefined where it needs nothing. */
  watched(understood: Understood): WatchedBind | undefined {
    const { bound } = understood;
    if (bound === undefined || !isPlannedByBind(bound.judgement.read)) return undefined;
    const { kind, counted } = bound.judgement.decision;
    if (kind === 'allow' && counted.length === 0) return undefined;
    return { understood, bound };
  }

  /** Whether what the client has sent so far since the last Sync ends inside of a transaction block. */
  get inBlock(): boolean {
    return this.#block ?? this.#ports.transactionStatus() !== 'I';
  }

  /** Whether something runs behind what the target last said of its transaction. */
  get isUncertain(): boolean {
    return this.#ranSinceSync;
  }

  /** Whether it can be bound again inside of a block as it was: nothing of it has run, and nothing is behind it. */
  isJustBound(portal: BoundPortal | undefined): boolean {
    return portal !== undefined && portal === this.#lastBound;
  }

  /** A message of the client's is understood, in the order in which they come. */
  noteBlock({ kind, intent, bound }: Understood): void {
    this.#work.count.note(intent?.judgement?.read);
    this.#blockBefore = this.#block;
    if (kind === 'Bind') this.#lastBound = bound?.portal;
    if (SYNCS.has(kind) || kind === 'Query' || kind === 'FunctionCall') {
      this.#block = undefined;
      this.#ranSinceSync = false;
      this.#lastBound = undefined;
      this.#unsynced.clear();
      if (!this.#work.block.isOurs) this.#work.outcomes.synced();
    }
    if (kind !== 'Execute') return;
    this.#ranSinceSync = true;
    const { judgement, operation } = intent ?? {};
    // Where no policy reads the texts, nothing is ever counted.
    if (judgement !== undefined && operation !== undefined && !this.inBlock) this.#waitsForSync(operation);
    for (const verb of verbsOf(judgement?.read ?? UNREAD)) {
      if (verb === 'begin') this.#block = true;
      else if (ENDS.has(verb)) this.#block = false;
    }
  }

  /** The client's transaction is over: the next one counts from its own beginning. */
  transactionEnded(): void {
    this.#work.ended();
    this.#returned.ended();
  }

  /** The session is over: nobody will know how what waits went. */
  lose(): Promise<void> {
    return this.#work.outcomes.lose();
  }

  /** Whether a block of ours is open in the pipeline. */
  get ownsBlock(): boolean {
    return this.#work.block.isOurs;
  }

  /** A request that was not conducted is answered. */
  answered(request: Request, outcome: Outcome): void {
    const { operation } = request;
    const isUnsynced = operation !== undefined && this.#unsynced.has(operation);
    if (this.#work.block.isOurs || isUnsynced) this.#work.outcomes.add(request, outcome);
    else this.#ports.settle(request, outcome);
  }

  #waitsForSync(operation: RunningOperation): void {
    if (this.#unsynced.size < LIMITS.policy.keptOutcomesMax) this.#unsynced.add(operation);
  }

  /**
   * Whether a Sync, or a message that is its own, keeps what was counted and could still grow, or ends a
   * transaction of ours.
   */
  get mustSettle(): boolean {
    return !this.inBlock && this.#work.isOpen && !this.#work.transaction.isSettled;
  }

  /** Before what ends a pipeline outside of a transaction block. */
  async settle(kind: PipelineEnd): Promise<void> {
    await endPipeline(kind, pipelineOf(false, this.#grounds), this.#work, this.#ports);
  }

  /** Before the client binds what is counted or held; gives who hears how that went, undefined: it is refused. */
  async bind(bind: WatchedBind): Promise<((outcome: Outcome) => void) | undefined> {
    // Nothing is planned in a transaction that has failed.
    if (!this.#ranSinceSync && this.#ports.transactionStatus() === 'E') return () => undefined;
    return beginBind(bind, pipelineOf(this.inBlock, this.#grounds), this.#work, this.#ports);
  }

  /** Resolves when the client has its answer; rejects where the session must end. */
  async conduct(unplaced: Omit<Piece, 'inBlock'>): Promise<void> {
    this.#isAnswered = false;
    // A BEGIN of before it may have been on its way when it was understood, and is answered now.
    const inBlock = this.#blockBefore ?? this.#ports.transactionStatus() !== 'I';
    const piece: Piece = { ...unplaced, inBlock };
    let ground: Ground | undefined;
    try {
      await this.#ports.writeIntent(piece.understood);
      // A Query behind an Execute ends its pipeline: what the target said of its transaction is of before.
      if (piece.isUncertain && piece.understood.kind !== 'Execute') await this.#ports.exchange.sync();
      ground = groundOf(piece, this.#grounds);
      const { counted, holds, returned } = piece.judgement.decision;
      if (counted.length > 0 || holds.length > 0 || returned.length > 0) await this.#conduct(piece, ground);
      else await this.#end(piece, ground);
    } catch (error) {
      if (error instanceof Over) return;
      if (ground === undefined || this.#isAnswered || !stopsOneStatement(error)) throw error;
      await ground.undo();
      await this.#refuse(piece, ground, refusalBecause(error));
    }
  }

  /** What ends a transaction of which something was counted. */
  async #end(piece: Piece, ground: Ground): Promise<void> {
    const { judgement, textBytes, understood } = piece;
    const verbs = judgement.read.kind === 'read' ? verbsOf(judgement.read) : ['commit' as const];
    const [first] = verbs;
    const status = this.#ports.transactionStatus();
    const isKept = verbs.some((verb) => KEEPS.has(verb));
    // A Query outside of a block comes behind what was settled.
    const isSettled = understood.kind !== 'Execute' && status === 'I';
    if (isKept && this.#work.isOpen && (status !== 'E' || piece.isUncertain) && !isSettled) {
      if (first === undefined || !KEEPS.has(first)) {
        return this.#refuse(piece, ground, refusalOfMixed(judgement, textBytes));
      }
      const settled = await this.#work.settleAll(ground);
      if (settled.kind !== 'rows') {
        const tail = await ground.abandon(settled.kind === 'error');
        this.transactionEnded();
        if (settled.kind === 'refused') {
          await this.#work.outcomes.undo('gateway', undoneBy(settled.refusal.error));
          return this.#answer(piece, settled.refusal, tail);
        }
        await this.#work.outcomes.undo('target', errorOf(settled.answer) ?? NO_ERROR);
        return this.#giveOut(piece, withError(NO_ANSWER, settled.answer), tail);
      }
    }
    await this.#passEnd(piece, first === 'begin', isKept);
  }

  /** BEGIN makes a block of ours the client's; COMMIT and ROLLBACK end it. */
  async #passEnd(piece: Piece, begins: boolean, isKept: boolean): Promise<void> {
    const outcome = await this.#pass(piece);
    if (outcome === 'skipped' || outcome === 'abandoned') return;
    if (begins && outcome === 'failed') return;
    if (!begins) this.transactionEnded();
    this.#work.block.isOurs = false;
    if (begins || (isKept && outcome !== 'failed')) await this.#work.outcomes.keep();
    else await this.#work.outcomes.drop();
  }

  async #conduct(piece: Piece, ground: Ground): Promise<void> {
    const { judgement, textBytes, understood } = piece;
    if (endsTransactions(judgement.read, understood.kind)) {
      return this.#refuse(piece, ground, refusalOfMixed(judgement, textBytes));
    }
    refuseAtCommit(judgement, textBytes);
    // It can only fail, and the target says how.
    if (!piece.isUncertain && this.#ports.transactionStatus() === 'E') return void (await this.#pass(piece));
    // It may be the COMMIT.
    if (judgement.read.kind !== 'read' && this.#work.transaction.isOpen) {
      const settled = await this.#work.settleAll(ground);
      if (settled.kind === 'refused') return this.#refuse(piece, ground, settled.refusal);
      if (settled.kind === 'error') {
        return this.#giveOut(piece, withError(NO_ANSWER, settled.answer), ground.tail);
      }
    }
    const { holds, causes } = judgement.decision;
    const grants: Grant[] = [];
    if (holds.length > 0) {
      const held = holds.map((rule) => ({
        rule,
        cause: causes.find((cause) => cause.rule === rule.name),
        rows: undefined,
      }));
      if (understood.copyIn) return this.#holdCopied(piece, ground, held);
      const open = await ground.close();
      const estimate = open === 'nothing' ? await estimatedRows(piece, ground, this.#ports) : undefined;
      const guessed = held.map((one) => ({ ...one, estimate }));
      const asked = await this.#ask(piece, ground, guessed, open);
      if (asked === undefined) return;
      grants.push(...asked);
      this.#work.approved(piece.portal?.portal);
    }
    if (isCounted(judgement)) await this.#runCounted(piece, ground, grants);
    else await this.#runPassed(piece, ground, grants);
  }

  get #grounds(): Grounds {
    const { exchange, name, transactionStatus } = this.#ports;
    const { block, count } = this.#work;
    return { exchange, name, block, count, status: transactionStatus() };
  }

  /** Undefined where the client has its refusal. */
  async #ask(
    piece: Piece,
    ground: Ground,
    held: readonly Held[],
    open: OpenAtTarget,
  ): Promise<readonly Grant[] | undefined> {
    const asked = await this.#ports.asking.all(askedOf(piece), ground, held, open);
    if (asked.kind === 'granted') return asked.grants;
    await this.#refuse(piece, ground, refusalBecause(asked.error));
    return undefined;
  }

  /** Nothing of it has to be undone, or people have agreed: its answer passes as it comes, up to a bound. */
  async #runPassed(piece: Piece, ground: Ground, agreed: readonly Grant[]): Promise<void> {
    const { asking, stop } = this.#ports;
    const grants = [...agreed, ...(await rowsGranted(piece, ground, asking, this.#returned))];
    const taken = await asking.take(grants, piece.operation);
    if (taken.kind === 'refused') return this.#refuse(piece, ground, refusalBecause(taken.error));
    if (agreed.length > 0) await ground.reopen();
    const meter = meterOf(this.#returned, piece, { grants, ground, stop });
    const done: Done = (outcome) => taken.done(outcome, piece.operation);
    const outcome = await this.#pass(piece, grants.length > 0 ? done : undefined, meter);
    if (meter?.isOver !== true || outcome === 'abandoned') return;
    return this.#refuse(piece, ground, await refusalOfRows(piece, meter, outcome, { ground, asking }));
  }

  /**
   * It goes as any other, and its answer as it comes; resolves with its outcome.
   *
   * @param done says how it went, when it is known whether it is kept
   */
  async #pass(piece: Piece, done?: Done, meter?: RowMeter): Promise<Outcome> {
    this.#isAnswered = true;
    const outcome = await this.#ports.pass(piece, meter);
    meter?.close(outcome);
    if (meter?.isOver === true) {
      this.#isAnswered = outcome === 'abandoned';
      await done?.(outcome === 'abandoned' ? outcome : 'failed');
    } else if (done !== undefined) await this.#ended(PLAIN_REQUEST, outcome, done);
    return outcome;
  }

  /** What runs in a block of ours is not kept before the client's Sync. */
  async #ended(request: Request, outcome: Outcome, done?: Done): Promise<void> {
    if (this.#work.block.isOurs) return this.#work.outcomes.add(request, outcome, done);
    this.#ports.settle(request, outcome);
    return done?.(outcome);
  }

  /** Its data is a part of what is approved: it runs, and is asked about before it is kept. */
  async #holdCopied(piece: Piece, ground: Ground, held: readonly Held[]): Promise<void> {
    if (!isUndoable(piece.judgement.read)) {
      const reason = 'its COPY data comes with what cannot be undone';
      throw new CountersignError('ROWS_NOT_COUNTED', { reason });
    }
    return this.#runCounted(piece, ground, [], held);
  }

  /** The client sends its data once for each run: it is kept, or refused, with what was sent. */
  async #keepCopied(piece: Piece, ground: Ground, ran: Ran, held: readonly Held[]): Promise<void> {
    const asked = await this.#ports.asking.all(askedOf(piece), ground, held, 'all');
    if (asked.kind === 'granted') return this.#keepRun(piece, ground, ran, asked.grants);
    await ground.undo();
    return this.#refuse(piece, ground, refusalBecause(asked.error));
  }

  /** @param asksFor rules that hold it whatever it writes, and are asked for when its data has come */
  async #runCounted(
    piece: Piece,
    ground: Ground,
    grants: Grant[],
    asksFor: readonly Held[] = [],
  ): Promise<void> {
    const { counted } = piece.judgement.decision;
    for (let run = 0; run < LIMITS.policy.countedRunsMax; run += 1) {
      await ground.begin();
      this.#work.transaction.isSettled = false;
      const begun = counted.length === 0 ? undefined : await this.#work.countBefore(counted, ground);
      if (begun?.kind === 'error') {
        await ground.leave();
        return this.#giveOut(piece, withError(NO_ANSWER, begun.answer), ground.tail);
      }
      const meter = meterOf(this.#returned, piece, { grants, ground });
      const { answer, tooMuch } = await this.#send(piece, meter);
      const ran = { answer, meter };
      if (errorOf(answer) !== undefined) {
        await ground.leave();
        return this.#giveOut(piece, failedWithin(ran), ground.tail);
      }
      const last = { judgement: piece.judgement, answer };
      const count: Settled = counted.length === 0 ? NO_ROWS : await this.#work.settle(ground, grants, last);
      if (count.kind === 'error') {
        await ground.leave();
        return this.#giveOut(piece, withError(failedWithin(ran), count.answer), ground.tail);
      }
      const over = heldBeyond(count.kind === 'over' ? count.over : [], meter);
      const blocked = over.filter(({ rule }) => rule.verdict === 'block');
      const isAsked = over.length > 0 || asksFor.length > 0;
      const { copyIn } = piece.understood;
      if (isAsked && copyIn && !tooMuch && blocked.length === 0) {
        const names = new Set(over.map(({ rule }) => rule.name));
        const others = asksFor.filter(({ rule }) => !names.has(rule.name));
        return this.#keepCopied(piece, ground, ran, [...others, ...over]);
      }
      if (!isAsked && !tooMuch) return this.#keepRun(piece, ground, ran, grants);
      // Nothing is run again with data that the client sends then.
      const isLost = over.length === 0 || (copyIn && blocked.length === 0);
      const mayAsk = !isLost && blocked.length === 0;
      const keysOf = mayAsk ? await affectedKeys(ground, piece.judgement.read) : undefined;
      const open = await ground.undo();
      await this.#work.undone(ground);
      if (isLost) return this.#refuse(piece, ground, refusalBecause(tooLarge()));
      if (blocked.length > 0) return this.#refuse(piece, ground, undoneFor(blocked));
      const keys = await keysOf?.();
      const held = over.map((one) => ({ ...one, keys }));
      const asked = await this.#ask(piece, ground, held, open);
      if (asked === undefined) return undefined;
      grants.push(...asked);
      // What could not be undone was not: it was granted before, and stands.
      if (open === 'all') return this.#keepRun(piece, ground, ran, grants);
    }
    const reason = 'it writes another number of rows each time it runs';
    return this.#refuse(piece, ground, refusalBecause(new CountersignError('STATE_CONFLICT', { reason })));
  }

  async #keepRun(piece: Piece, ground: Ground, ran: Ran, grants: readonly Grant[]): Promise<void> {
    const taken = await this.#ports.asking.take(grants, piece.operation);
    if (taken.kind === 'refused') {
      await ground.undo();
      return this.#refuse(piece, ground, refusalBecause(taken.error));
    }
    this.#work.transaction.use(grants);
    const failed = await ground.commit();
    if (failed?.outcome === 'abandoned') {
      await taken.done('abandoned', piece.operation);
      throw new Over();
    }
    const kept = failed === undefined ? ran.answer : withError(ran.answer, failed);
    ran.meter?.close(kept.outcome);
    return this.#giveOut(piece, kept, ground.tail, (outcome) => taken.done(outcome, piece.operation));
  }

  async #send({ understood, bytes, operation }: Piece, meter?: RowMeter): Promise<Sent> {
    const { exchange, forwarded, copying } = this.#ports;
    const keeper = new Kept(understood.copyIn ? copying : undefined, meter);
    const sent = exchange.send(understood.kind, bytes, {
      operation,
      copyIn: understood.copyIn,
      keeper,
      onForward: () => forwarded(operation),
    });
    if (understood.kind === 'Execute') exchange.flush();
    const answer = await sent;
    if (answer.outcome === 'abandoned') throw new Over();
    return { answer, tooMuch: keeper.tooMuch };
  }

  /** The client gets the answer that was kept. */
  async #giveOut(piece: Piece, answer: KeptAnswer, tail: readonly Uint8Array[], done?: Done): Promise<void> {
    this.#isAnswered = true;
    const frames =
      tail.length === 0 ? answer.frames : answer.frames.filter(({ type }) => type !== BACKEND.ReadyForQuery);
    noteAnswer(piece.operation, frames);
    const ended = this.#ended(piece.understood.request, answer.outcome, done);
    this.#ports.deliver([...frames.map(({ bytes }) => bytes), ...tail]);
    await ended;
  }

  /** The client gets an error in the place of an answer, and the target's state is what that error makes. */
  async #refuse(piece: Piece, ground: Ground, refusal: Refusal): Promise<void> {
    const tail = await ground.fail();
    // The target undoes what stands before it in its pipeline.
    if (piece.understood.kind === 'Execute' && !piece.inBlock) {
      await this.#work.outcomes.undo('gateway', undoneBy(refusal.error));
    }
    this.#answer(piece, refusal, tail);
  }

  #answer({ understood, operation }: Piece, { error, answer }: Refusal, tail: readonly Uint8Array[]): void {
    this.#isAnswered = true;
    operation.blocked = true;
    operation.failed(error.row.sqlstate, error.message);
    operation.digest.add(answer, 0, answer.length);
    this.#ports.settle(understood.request, 'failed');
    this.#ports.deliver([answer, ...tail]);
  }
}
