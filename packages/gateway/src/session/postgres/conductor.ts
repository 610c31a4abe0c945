/**
 * A statement that may not simply pass: people are asked, or its rows are counted before COMMIT.
 *
 * Spec: spec/policy.md §5 and "Holds". While this conducts, nothing else of the client goes to the target,
 * and everything before it is answered. The statement runs with its answer kept back, and what it wrote is
 * counted. Then its answer is given out; or all is undone and the client gets an error; or people are asked
 * while nothing is open at the target, and it runs again.
 */

import type { ReadText, TransactionVerb } from '../../core/effects.ts';
import { CountersignError } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
import type { Cause } from '../../policy/decide.ts';
import { causeOfCount, type Counted, type ObservedTable } from '../../policy/observed.ts';
import { encodeErrorResponse } from '../../protocols/postgres/encode.ts';
import { BACKEND } from '../../protocols/postgres/messages.ts';
import { SYNCS } from '../../protocols/postgres/answer-tables.ts';
import type { Outcome } from '../../protocols/postgres/states.ts';
import type { Asking, Grant, Held } from './asking.ts';
import type { Understood } from './batch.ts';
import { CountedTransaction } from './counted-transaction.ts';
import { errorOf, type Exchange, Kept, type KeptAnswer } from './exchange.ts';
import {
  ClientTransaction,
  type Count,
  type Ground,
  OwnTransaction,
  Pipeline,
  type PortalGround,
} from './ground.ts';
import type { Judgement } from './inspection.ts';
import { noteAnswer, taggedRows } from './note-answer.ts';
import { refusalOf } from './refusal.ts';
import type { RunningOperation } from './running-operation.ts';

/** What is run, and where. */
export interface Piece {
  readonly understood: Understood;
  readonly judgement: Judgement;
  readonly operation: RunningOperation;
  /** The message as it came. */
  readonly bytes: Uint8Array;
  readonly textBytes: Uint8Array;
  /** Of an Execute. */
  readonly portal: Omit<PortalGround, 'name' | 'inBlock'> | undefined;
  /** Whether it runs inside of a transaction block. */
  readonly inBlock: boolean;
}

export interface ConductorPorts {
  readonly exchange: Exchange;
  readonly asking: Asking;
  /** `I`, `T` or `E`. */
  readonly transactionStatus: () => string;
  /** Writes the leaves that the statement needs; resolves when they are durable. */
  readonly writeIntent: (understood: Understood) => Promise<void>;
  readonly forwarded: (operation: RunningOperation) => void;
  /** The outcome is known. */
  readonly settle: (understood: Understood, outcome: Outcome) => void;
  /** Sends it as any other statement; resolves with its outcome. */
  readonly pass: (piece: Piece) => Promise<Outcome>;
  /** For the client, as the target's answer. */
  readonly deliver: (frames: readonly Uint8Array[]) => void;
  /** The client is asked for COPY data, which must be let through. */
  readonly copying: (frame: Uint8Array) => void;
  /** 32 hex digits that no client knows. */
  readonly name: string;
}

/** All is within what is allowed; or it is not, or an error came in the place of the count. */
type Settled =
  | { readonly kind: 'rows' }
  | { readonly kind: 'over'; readonly over: readonly Counted[] }
  | { readonly kind: 'error'; readonly answer: KeptAnswer };

/** What keeps a transaction, or makes it ready to be kept, and what ends one. */
const KEEPS: ReadonlySet<TransactionVerb> = new Set<TransactionVerb>(['commit', 'prepare-transaction']);
const ENDS: ReadonlySet<TransactionVerb> = new Set<TransactionVerb>([...KEEPS, 'rollback']);
const NO_PORTAL = { portalName: '', portal: undefined, alone: false };
const NO_ANSWER: KeptAnswer = { outcome: 'failed', frames: [] };
const NO_TEXT = new Uint8Array(0);

/** The connection ended in the middle. */
class Over extends Error {}

/** Owned by one session. */
export class Conductor {
  readonly #ports: ConductorPorts;
  readonly #transaction = new CountedTransaction();
  /** What an Execute since the last Sync has begun or ended. */
  #block: boolean | undefined;

  constructor(ports: ConductorPorts) {
    this.#ports = ports;
  }

  /** Whether a statement has to come here. */
  isNeeded({ kind }: Understood, { decision, read }: Judgement): boolean {
    if (decision.kind === 'hold') return true;
    if (decision.kind !== 'allow') return false;
    if (decision.counted.length > 0) return true;
    // Of an Execute that nobody has read it may be the COMMIT.
    const mayEnd = read.kind === 'read' ? verbsOf(read).some((verb) => ENDS.has(verb)) : kind === 'Execute';
    return this.#transaction.isOpen && mayEnd;
  }

  /** Whether what the client has sent so far since the last Sync ends inside of a transaction block. */
  get inBlock(): boolean {
    return this.#block ?? this.#ports.transactionStatus() !== 'I';
  }

  /** A message of the client's is understood, in the order in which they come. */
  noteBlock({ kind, intent }: Understood): void {
    if (SYNCS.has(kind) || kind === 'Query' || kind === 'FunctionCall') this.#block = undefined;
    const read = intent?.judgement?.read;
    if (kind !== 'Execute' || read?.kind !== 'read') return;
    for (const verb of verbsOf(read)) {
      if (verb === 'begin') this.#block = true;
      else if (ENDS.has(verb)) this.#block = false;
    }
  }

  /** The client's transaction is over: the next one counts from its own beginning. */
  transactionEnded(): void {
    this.#transaction.end();
  }

  /** Whether a Sync, or a message that is its own, keeps what was counted and could still grow. */
  get mustSettle(): boolean {
    return this.#transaction.isOpen && !this.#transaction.isSettled && !this.inBlock;
  }

  /**
   * Before what ends a pipeline outside of a transaction block: what is deferred runs, and is counted. Where
   * that is too much the pipeline fails, as where its COMMIT fails.
   */
  async settle(kind: 'Sync' | 'other'): Promise<void> {
    if (!this.mustSettle) return;
    const { exchange, name, deliver } = this.#ports;
    const ground = new Pipeline(exchange, { ...NO_PORTAL, name, inBlock: false });
    const settled = await this.#settle(ground, []);
    if (settled.kind === 'rows') {
      this.#transaction.isSettled = true;
      return;
    }
    const refusal = refusalOf({ causes: causesOf(settled), syntaxError: undefined }, NO_TEXT);
    // No driver sends a Query into a pipeline; its answer would be the one to a statement that never ran.
    if (kind === 'other') throw refusal.error;
    if (settled.kind === 'error') return deliver(errorsOf(settled.answer));
    await ground.fail();
    return deliver([refusal.answer]);
  }

  /** Resolves when the client has its answer; rejects where the session must end. */
  async conduct(piece: Piece): Promise<void> {
    try {
      await this.#ports.writeIntent(piece.understood);
      const { counted, holds } = piece.judgement.decision;
      if (counted.length > 0 || holds.length > 0) await this.#conduct(piece);
      else await this.#end(piece);
    } catch (error) {
      if (!(error instanceof Over)) throw error;
    }
  }

  /** What ends a transaction of which something was counted. */
  async #end(piece: Piece): Promise<void> {
    const { judgement, understood } = piece;
    const [first] = judgement.read.kind === 'read' ? verbsOf(judgement.read) : ['commit' as const];
    const keeps = judgement.read.kind !== 'read' || verbsOf(judgement.read).some((verb) => KEEPS.has(verb));
    const status = this.#ports.transactionStatus();
    // A Query outside of a block comes behind what was settled; what was open when this was understood may
    // have ended before it.
    if (
      keeps &&
      this.#transaction.isOpen &&
      status !== 'E' &&
      (understood.kind === 'Execute' || status !== 'I')
    ) {
      const ground = this.#groundOf(piece);
      if (first === undefined || !KEEPS.has(first)) {
        return this.#refuse(piece, ground, new CountersignError('POLICY_TEXT_MIXED'));
      }
      const settled = await this.#settle(ground, []);
      if (settled.kind !== 'rows') {
        const tail = await ground.abandon(settled.kind === 'error');
        this.#transaction.end();
        if (settled.kind === 'over') return this.#answer(piece, causesOf(settled), tail);
        return this.#giveOut(piece, withError(NO_ANSWER, settled.answer), tail);
      }
    }
    await this.#ports.pass(piece);
    this.#transaction.end();
  }

  async #conduct(piece: Piece): Promise<void> {
    const ground = this.#groundOf(piece);
    if (endsTransactions(piece)) {
      return this.#refuse(piece, ground, new CountersignError('POLICY_TEXT_MIXED'));
    }
    if (runsAtCommit(piece)) {
      const reason = 'a cursor WITH HOLD calls a function while its transaction is committed';
      return this.#refuse(piece, ground, new CountersignError('ROWS_NOT_COUNTED', { reason }));
    }
    if (mayCommit(piece)) {
      const reason = 'what it calls may COMMIT first; call it in a transaction block, or in a simple query';
      return this.#refuse(piece, ground, new CountersignError('ROWS_NOT_COUNTED', { reason }));
    }
    // It can only fail, and the target says how.
    if (this.#ports.transactionStatus() === 'E') return void (await this.#ports.pass(piece));
    const { holds, causes, counted } = piece.judgement.decision;
    const grants: Grant[] = [];
    if (holds.length > 0) {
      const held = holds.map((rule) => ({
        rule,
        cause: causes.find((cause) => cause.rule === rule.name),
        rows: undefined,
      }));
      const asked = await this.#ask(piece, ground, held, await ground.close());
      if (asked === undefined) return;
      grants.push(...asked);
    }
    if (counted.length > 0) await this.#runCounted(piece, ground, grants);
    else await this.#runGranted(piece, ground, grants);
  }

  #groundOf({ understood, portal, inBlock }: Piece): Ground {
    const { exchange, name, transactionStatus } = this.#ports;
    const isIdle = transactionStatus() === 'I';
    if (understood.kind === 'Execute' && portal !== undefined) {
      return new Pipeline(exchange, { ...portal, name, inBlock, alone: portal.alone && isIdle });
    }
    return isIdle ? new OwnTransaction(exchange) : new ClientTransaction(exchange);
  }

  /** Undefined where the client has its refusal. */
  async #ask(
    piece: Piece,
    ground: Ground,
    held: readonly Held[],
    mayWait: boolean,
  ): Promise<readonly Grant[] | undefined> {
    const { understood, portal } = piece;
    const about = { ...piece, message: understood.kind, portal: portal?.portal, copyIn: understood.copyIn };
    const asked = await this.#ports.asking.all(about, ground, held, mayWait);
    if (asked.kind === 'granted') return asked.grants;
    await this.#refuse(piece, ground, asked.error);
    return undefined;
  }

  /** People have agreed, and no rule counts its rows: its answer passes as any other. */
  async #runGranted(piece: Piece, ground: Ground, grants: readonly Grant[]): Promise<void> {
    const taken = await this.#ports.asking.take(grants, piece.operation);
    if (taken.kind === 'refused') return this.#refuse(piece, ground, taken.error);
    await ground.reopen();
    const outcome = await this.#ports.pass(piece);
    await taken.done(outcome, piece.operation);
  }

  async #runCounted(piece: Piece, ground: Ground, grants: Grant[]): Promise<void> {
    for (let run = 0; run < LIMITS.policy.countedRunsMax; run += 1) {
      await ground.begin();
      this.#transaction.isSettled = false;
      const begun = await this.#countBefore(piece, ground);
      if (begun?.kind === 'error') {
        await ground.leave();
        return this.#giveOut(piece, withError(NO_ANSWER, begun.answer), ground.tail);
      }
      const { answer, tooMuch } = await this.#send(piece);
      if (errorOf(answer) !== undefined) {
        await ground.leave();
        return this.#giveOut(piece, answer, ground.tail);
      }
      const count = await this.#settle(ground, grants, { piece, answer });
      if (count.kind === 'error') {
        await ground.leave();
        return this.#giveOut(piece, withError(answer, count.answer), ground.tail);
      }
      const over = count.kind === 'over' ? count.over : [];
      if (over.length === 0 && !tooMuch) return this.#keepRun(piece, ground, answer, grants);
      const mayWait = await ground.undo();
      if (over.length === 0) return this.#refuse(piece, ground, tooLarge());
      const blocked = over.filter(({ rule }) => rule.verdict === 'block');
      if (blocked.length > 0) return this.#refuse(piece, ground, blocked.map(causeOfCount));
      const held = over.map((one) => ({ rule: one.rule, cause: causeOfCount(one), rows: one.rows }));
      const asked = await this.#ask(piece, ground, held, mayWait);
      if (asked === undefined) return undefined;
      grants.push(...asked);
      // What could not be undone was not: it was granted before, and stands.
      if (!mayWait) return this.#keepRun(piece, ground, answer, grants);
    }
    const reason = 'it writes another number of rows each time it runs';
    return this.#refuse(piece, ground, new CountersignError('STATE_CONFLICT', { reason }));
  }

  async #countBefore({ judgement }: Piece, ground: Ground): Promise<Count | undefined> {
    const text = this.#transaction.textFor(judgement.decision.counted);
    if (this.#transaction.isOpen) return undefined;
    const count = this.#whole(await ground.count(text, 'wait'));
    if (count.kind === 'rows') this.#transaction.begin(count.rows);
    return count;
  }

  /**
   * Counts what was written, after all that is deferred where nothing more of the transaction comes. A trigger
   * may defer others, which may defer others: it is over when tables with such triggers stay as they are.
   */
  async #settle(
    ground: Ground,
    grants: readonly Grant[],
    ran?: { readonly piece: Piece; readonly answer: KeptAnswer },
  ): Promise<Settled> {
    const rules = ran?.piece.judgement.decision.counted;
    const text = this.#transaction.textFor(rules ?? []);
    const deferred = ran === undefined ? 'run' : ground.deferred;
    let known = this.#transaction.deferrableBefore;
    for (let run = 0; run < LIMITS.policy.deferredRunsMax; run += 1) {
      const count = this.#whole(await ground.count(text, deferred));
      if (count.kind === 'error') return count;
      const { deferrable } = count.rows;
      if (deferred === 'wait' || deferrable === undefined || deferrable === known) {
        // Rows of foreign tables are in no count of the server, but in the tag.
        const tagged = ran === undefined ? [] : tablesOf(ran.piece.judgement, taggedRows(ran.answer.frames));
        const over = this.#transaction.over(count.rows, tagged, grants, rules);
        return over.length === 0 ? { kind: 'rows' } : { kind: 'over', over };
      }
      known = deferrable;
    }
    throw new CountersignError('ROWS_NOT_COUNTED', { reason: 'deferred triggers defer others without end' });
  }

  /** An error without an ErrorResponse is the end of the connection. */
  #whole(count: Count): Count {
    if (count.kind === 'error' && errorOf(count.answer) === undefined) throw new Over();
    return count;
  }

  async #keepRun(piece: Piece, ground: Ground, answer: KeptAnswer, grants: readonly Grant[]): Promise<void> {
    const taken = await this.#ports.asking.take(grants, piece.operation);
    if (taken.kind === 'refused') {
      await ground.undo();
      return this.#refuse(piece, ground, taken.error);
    }
    this.#transaction.use(grants);
    const failed = await ground.commit();
    this.#giveOut(piece, failed === undefined ? answer : withError(answer, failed), ground.tail);
    return taken.done(failed === undefined ? answer.outcome : 'failed', piece.operation);
  }

  async #send({ understood, bytes, operation }: Piece): Promise<{ answer: KeptAnswer; tooMuch: boolean }> {
    const { exchange, forwarded, copying } = this.#ports;
    const keeper = new Kept(understood.copyIn ? copying : undefined);
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
  #giveOut({ understood, operation }: Piece, answer: KeptAnswer, tail: readonly Uint8Array[]): void {
    const frames =
      tail.length === 0 ? answer.frames : answer.frames.filter(({ type }) => type !== BACKEND.ReadyForQuery);
    noteAnswer(operation, frames);
    this.#ports.settle(understood, answer.outcome);
    this.#ports.deliver([...frames.map(({ bytes }) => bytes), ...tail]);
  }

  /** The client gets an error in the place of an answer, and the target's state is what that error makes. */
  async #refuse(piece: Piece, ground: Ground, why: CountersignError | readonly Cause[]): Promise<void> {
    this.#answer(piece, why, await ground.fail());
  }

  #answer(
    { understood, operation, textBytes }: Piece,
    why: CountersignError | readonly Cause[],
    tail: readonly Uint8Array[],
  ): void {
    const refusal =
      why instanceof CountersignError
        ? { error: why, answer: encodeErrorResponse(why, 'ERROR') }
        : refusalOf({ causes: why, syntaxError: undefined }, textBytes);
    operation.blocked = true;
    operation.failed(refusal.error.row.sqlstate, refusal.error.message);
    operation.digest.add(refusal.answer, 0, refusal.answer.length);
    this.#ports.settle(understood, 'failed');
    this.#ports.deliver([refusal.answer, ...tail]);
  }
}

function tooLarge(): CountersignError {
  return new CountersignError('LIMIT_EXCEEDED', {
    limit: 'policy.keptAnswerBytesMax',
    allowed: LIMITS.policy.keptAnswerBytesMax,
    actual: 'more',
  });
}

/** A text that ends a transaction in its middle cannot be undone as a whole; nor one that nobody has read. */
function endsTransactions({ judgement: { read }, understood }: Piece): boolean {
  if (read.kind !== 'read') return understood.kind === 'Query';
  return read.statements.length > 1 && verbsOf(read).length > 0;
}

/** PostgreSQL 15 and 16 let a procedure or a DO of an Execute COMMIT outside of a block, whatever is before it. */
function mayCommit({ understood, judgement: { read, decision }, inBlock }: Piece): boolean {
  if (understood.kind !== 'Execute' || inBlock || decision.counted.length === 0) return false;
  if (read.kind !== 'read') return true;
  return read.statements.some(({ node }) => node === 'CallStmt' || node === 'DoStmt');
}

/** What a cursor selects is computed at COMMIT where it outlives its transaction. */
function runsAtCommit({ judgement: { read }, textBytes }: Piece): boolean {
  if (read.kind !== 'read') return false;
  return read.statements.some(
    ({ node, from, to }) =>
      node === 'DeclareCursorStmt' && /\bhold\b/i.test(Buffer.from(textBytes.subarray(from, to)).toString()),
  );
}

function verbsOf(read: Extract<ReadText, { readonly kind: 'read' }>): readonly TransactionVerb[] {
  return read.statements.flatMap(({ transaction }) => (transaction === undefined ? [] : [transaction]));
}

function causesOf(settled: Settled): readonly Cause[] {
  return settled.kind === 'over' ? settled.over.map(causeOfCount) : [];
}

function errorsOf({ frames }: KeptAnswer): readonly Uint8Array[] {
  return frames.filter(({ type }) => type === BACKEND.ErrorResponse).map(({ bytes }) => bytes);
}

/** What each statement itself names and says that it wrote; a table that it names twice has its rows once. */
function tablesOf({ read }: Judgement, rows: readonly number[]): readonly ObservedTable[] {
  if (read.kind !== 'read') return [];
  return read.statements.flatMap(({ writes }, at) => {
    const count = rows[at] ?? 0;
    const tables = new Map<string, ObservedTable>();
    for (const { schema, name, verb } of writes) {
      const key = JSON.stringify([schema, name]);
      if (tables.has(key)) continue;
      tables.set(key, {
        schema,
        name,
        inserted: verb === 'update' || verb === 'delete' ? 0 : count,
        updated: verb === 'update' ? count : 0,
        deleted: verb === 'delete' ? count : 0,
      });
    }
    return [...tables.values()];
  });
}

/**
 * The error that came when what was done should be kept: PostgreSQL says it in the place of the last tag. The
 * ReadyForQuery of a Query that failed is that of the client's.
 */
function withError(answer: KeptAnswer, failed: KeptAnswer): KeptAnswer {
  const last = answer.frames.findLastIndex(({ type }) => type === BACKEND.CommandComplete);
  const error = failed.frames.filter(
    ({ type }) => type === BACKEND.ErrorResponse || type === BACKEND.ReadyForQuery,
  );
  return { outcome: 'failed', frames: [...answer.frames.slice(0, Math.max(0, last)), ...error] };
}
