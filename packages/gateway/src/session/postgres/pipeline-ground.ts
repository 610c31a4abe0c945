/**
 * Where a statement of a pipeline runs so that it can be undone: in a transaction block of ours, which begins
 * before the statement is bound and ends before the client's Sync.
 *
 * Spec: spec/policy.md §5; PostgreSQL 18, "Message Flow", "Pipelining": what stands before a Sync is one
 * transaction, and an error in it undoes all of it. In a block nothing that it runs can COMMIT by itself
 * (2D000), which servers before 17 allow outside of one. A BEGIN takes what ran before it in the pipeline
 * into the block (BeginTransactionBlock in xact.c, TBLOCK_STARTED and TBLOCK_IMPLICIT_INPROGRESS).
 */

import { CountersignError } from '../../core/errors.ts';
import { HEADER_LENGTH } from '../../protocols/postgres/frames.ts';
import { BACKEND, type FrontendMessage } from '../../protocols/postgres/messages.ts';
import type { BoundPortal, PreparedStatement } from '../../protocols/postgres/operation.ts';
import type { AskedCount, CountQuestion, CountStatement } from './count-statement.ts';
import { errorOf, type Exchange, type KeptAnswer, rowsOf } from './exchange.ts';
import { type Count, counted, type Deferred, RUN_DEFERRED } from './ground.ts';
import type { OpenAtTarget } from './open-at-target.ts';
import { failingMessage } from './refusal.ts';
import type { BlockGround } from './savepoint-ground.ts';
import type { Spooled } from './spooled-marker.ts';

/** However text is read now, it was read under these when it was judged. */
const READING = `SELECT pg_catalog.current_setting('client_encoding'), pg_catalog.current_setting('standard_conforming_strings')`;

/** What is open in a pipeline. Owned by the conductor of one session. */
export interface PipelineBlock {
  /** A BEGIN of ours, which the client does not know of. */
  isOurs: boolean;
}

/** What an Execute needs to be run again. */
export interface PortalGround {
  readonly portalName: string;
  readonly portal: BoundPortal | undefined;
  /** The Bind that has made it, where that lay in the spool: a mark stands for its values. */
  readonly spooled?: Spooled | undefined;
  /** Whether it is the first of a pipeline outside of a transaction: then all of it can be done again. */
  readonly alone: boolean;
  /** Whether it is the first of a pipeline inside of a transaction, and what was bound in it last. */
  readonly isJustBound: boolean;
}

export interface PipelineGround extends PortalGround {
  /** For names of ours that no client has. */
  readonly name: string;
  /** Whether it runs inside of a transaction block of the client's. */
  readonly inBlock: boolean;
  readonly block: PipelineBlock;
  readonly count: CountStatement;
  /** Whether it may run in a transaction block. */
  readonly mayBegin: boolean;
  /** Whether settings say how the server cuts its text into tokens. */
  readonly isDoubtful: boolean;
}

/** A part of a pipeline that is not synced yet. */
export class Pipeline implements BlockGround {
  readonly tail: readonly Uint8Array[] = [];
  readonly deferred = 'wait';
  readonly undoesPart = false;
  readonly #exchange: Exchange;
  readonly #at: PipelineGround;
  #portalIsGone = false;
  /** Nothing of the pipeline is open at the target. */
  #isSynced = false;

  constructor(exchange: Exchange, at: PipelineGround) {
    this.#exchange = exchange;
    this.#at = at;
  }

  get isUndone(): boolean {
    return this.#at.alone && this.#at.portal?.statement !== undefined;
  }

  close(): Promise<OpenAtTarget> {
    return this.undo();
  }

  async closePortal(): Promise<void> {
    const { portalName } = this.#at;
    if (this.#portalIsGone) return;
    await this.#exchange.extended([{ kind: 'Close', target: 'P', name: portalName }]);
    this.#portalIsGone = true;
  }

  portalGone(): void {
    this.#portalIsGone = true;
  }

  /** In a block of the client's: portals and all stay. */
  async rest(): Promise<void> {
    await this.#sync();
    this.#isSynced = true;
  }

  reopen(): Promise<void> {
    return this.begin();
  }

  async begin(): Promise<void> {
    const { portal, inBlock, block, mayBegin } = this.#at;
    this.#isSynced = false;
    if (mayBegin && !inBlock && !block.isOurs) {
      failed(await this.#ask('BEGIN'), 'BEGIN');
      block.isOurs = true;
    }
    if (!this.#portalIsGone || portal?.statement === undefined) return;
    await this.#bindAgain(portal, portal.statement);
    this.#portalIsGone = false;
  }

  /** All that it takes is sent at once; behind an error the rest of it is skipped. */
  async count(question: CountQuestion, deferred: Deferred): Promise<Count> {
    const { name, count } = this.#at;
    const asked = count.asked(question);
    const { prepare, check, text, bind } = asked;
    const messages: FrontendMessage[] = [];
    if (deferred === 'run') messages.push(...asking(name, RUN_DEFERRED));
    messages.push(...prepare);
    const from = messages.length;
    if (check === undefined || bind === undefined) messages.push(...asking(name, text));
    else messages.push(...asking(name, check), ...executing(name, bind));
    const answers = await this.#exchange.extended(messages);
    const broken = answers.find((one) => errorOf(one) !== undefined);
    const frames = answers.slice(from).flatMap((answer) => answer.frames);
    const outcome = answers.at(-1)?.outcome ?? 'abandoned';
    return counted(count, asked, question, broken ?? { outcome, frames });
  }

  /** Behind an error the target reads over everything up to a Sync, and the client's own is still to come. */
  async abandon(isFailed: boolean): Promise<readonly Uint8Array[]> {
    if (isFailed) await this.#sync();
    if (this.#at.inBlock || this.#at.block.isOurs) await this.#ask('ROLLBACK');
    this.#at.block.isOurs = false;
    return this.fail();
  }

  async ask(text: string): Promise<KeptAnswer> {
    const answer = await this.#ask(text);
    if (this.#isSynced) await this.#sync();
    return answer;
  }

  commit(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  /** Before the client's Sync: what is ours is kept; the error, where the target does not. */
  async keep(): Promise<KeptAnswer | undefined> {
    if (!this.#at.block.isOurs) return undefined;
    const answer = await this.#ask('COMMIT');
    this.#at.block.isOurs = false;
    if (errorOf(answer) !== undefined) return answer;
    failed(answer, 'COMMIT');
    // Of a transaction that has failed PostgreSQL says ROLLBACK.
    if (!answer.frames.some(({ type, bytes }) => type === BACKEND.CommandComplete && isCommit(bytes))) {
      throw new CountersignError('GATEWAY_STATEMENT_FAILED', { what: 'COMMIT', reason: 'it rolled back' });
    }
    return undefined;
  }

  /** The target reads over everything up to a Sync: what is ours ends, so that the client's Sync finds nothing. */
  async drop(): Promise<void> {
    if (!this.#at.block.isOurs) return;
    await this.#sync();
    await this.#rollBack();
  }

  /** The pipeline fails and is synced, so that nothing of it is left but its prepared statements. */
  async undo(): Promise<OpenAtTarget> {
    if (!this.isUndone) return 'all';
    if (this.#isSynced) return 'nothing';
    const isFailed = this.#exchange.send('Execute', failingMessage('Execute'));
    await Promise.all([isFailed, this.#sync()]);
    await this.#rollBack();
    this.#portalIsGone = true;
    this.#isSynced = true;
    return 'nothing';
  }

  leave(): Promise<void> {
    return Promise.resolve();
  }

  async fail(): Promise<readonly Uint8Array[]> {
    const answer = this.#exchange.send('Execute', failingMessage('Execute'));
    this.#exchange.flush();
    await answer;
    return [];
  }

  async #rollBack(): Promise<void> {
    if (!this.#at.block.isOurs) return;
    failed(await this.#ask('ROLLBACK'), 'ROLLBACK');
    this.#at.block.isOurs = false;
    await this.#sync();
  }

  /**
   * Of the text that was judged, parsed again: its name may stand for another by now, by a Parse that came
   * behind the Bind, or by a PREPARE in what it ran itself.
   */
  async #bindAgain(portal: BoundPortal, { textBytes, parameterTypeOids }: PreparedStatement): Promise<void> {
    const { name, portalName, isDoubtful } = this.#at;
    const [settings] = isDoubtful ? rowsOf(await this.#ask(READING)) : [['UTF8', 'on']];
    if (settings?.[0] !== 'UTF8' || settings[1] !== 'on') {
      throw cannotBind('the server would read its text otherwise than when it was prepared');
    }
    const messages: readonly FrontendMessage[] = [
      { kind: 'Close', target: 'S', name },
      { kind: 'Parse', statement: name, textBytes, parameterTypeOids },
      {
        kind: 'Bind',
        portal: portalName,
        statement: name,
        valueFormats: portal.values.map(({ format }) => (format === 'binary' ? 1 : 0)),
        values: portal.values.map(({ bytes }) => bytes),
        resultFormats: portal.resultFormats,
      },
      // The portal keeps what it was made of.
      { kind: 'Close', target: 'S', name },
    ];
    const answers = await this.#exchange.extended(messages, ({ kind }) =>
      kind === 'Parse' ? { kind: 'again', portal } : undefined,
    );
    const [error] = answers.flatMap((answer) => errorOf(answer) ?? []);
    if (error !== undefined) throw cannotBind(error.message);
  }

  #sync(): Promise<KeptAnswer> {
    return this.#exchange.sync();
  }

  /** Under a name of ours: a simple Query would destroy the client's unnamed statement. */
  async #ask(text: string): Promise<KeptAnswer> {
    const { name } = this.#at;
    const answers = await this.#exchange.extended(asking(name, text));
    const answer = answers.find((one) => errorOf(one) !== undefined) ?? answers[4];
    if (answer === undefined)
      throw new CountersignError('INTERNAL', {}, { cause: 'a question without an answer' });
    return answer;
  }
}

/** A text of ours under a name of ours; one that failed before it was closed is there as long as its block is. */
function asking(name: string, text: string): readonly FrontendMessage[] {
  const textBytes = new TextEncoder().encode(text);
  return [
    { kind: 'Close', target: 'P', name },
    { kind: 'Close', target: 'S', name },
    { kind: 'Parse', statement: name, textBytes, parameterTypeOids: [] },
    { kind: 'Bind', portal: name, statement: name, valueFormats: [], values: [], resultFormats: [] },
    { kind: 'Execute', portal: name, rowsMax: 0 },
    { kind: 'Close', target: 'P', name },
    { kind: 'Close', target: 'S', name },
  ];
}

/** What is prepared, in a portal of ours. */
function executing(
  name: string,
  { statement, values }: NonNullable<AskedCount['bind']>,
): readonly FrontendMessage[] {
  return [
    { kind: 'Bind', portal: name, statement, valueFormats: [], values, resultFormats: [] },
    { kind: 'Execute', portal: name, rowsMax: 0 },
    { kind: 'Close', target: 'P', name },
  ];
}

function isCommit(frame: Uint8Array): boolean {
  return Buffer.from(frame.subarray(HEADER_LENGTH)).toString('latin1') === 'COMMIT\0';
}

function cannotBind(why: string): CountersignError {
  return new CountersignError('STATE_CONFLICT', { reason: `it cannot be bound again: ${why}` });
}

function failed(answer: KeptAnswer, what: string): void {
  const error = errorOf(answer);
  if (error === undefined && answer.outcome === 'completed') return;
  const reason = error === undefined ? answer.outcome : `${error.sqlstate} ${error.message}`;
  throw new CountersignError('GATEWAY_STATEMENT_FAILED', { what, reason });
}
