/**
 * Where a statement runs so that it can be undone: a transaction of ours, or what the client has open.
 *
 * Spec: spec/policy.md §5; PostgreSQL 18, "Message Flow", "Pipelining": what stands before a Sync is one
 * transaction, and an error in it undoes all of it.
 */

import { encodeFrontend } from '../../protocols/postgres/encode.ts';
import { BACKEND } from '../../protocols/postgres/messages.ts';
import type { AskedCount, CountQuestion, CountStatement } from './count-statement.ts';
import { errorOf, type Exchange, type KeptAnswer } from './exchange.ts';
import { failingMessage } from './refusal.ts';
import type { OpenAtTarget } from './open-at-target.ts';
import { readCounts, type RowCounts } from './row-count.ts';
import type { BlockGround } from './savepoint-ground.ts';

/** Rows that were counted, or the error that came in the place of the count: of a constraint, say. */
export type Count =
  | { readonly kind: 'rows'; readonly rows: RowCounts }
  | { readonly kind: 'error'; readonly answer: KeptAnswer };

/** What is deferred to COMMIT runs before the rows are counted, or does not. */
export type Deferred = 'run' | 'wait';

export interface Ground {
  /** Before people are asked; says what of the session is open at the target then. */
  close(): Promise<OpenAtTarget>;
  /** After people were asked, for a run without a count. */
  reopen(): Promise<void>;
  /** Makes ready for one run that is counted. */
  begin(): Promise<void>;
  count(question: CountQuestion, deferred: Deferred): Promise<Count>;
  /** What follows a run keeps it: nothing of the transaction comes behind it. */
  readonly deferred: Deferred;
  /** Keeps what was done; the error, where the target does not, or `abandoned`, where it never says. */
  commit(): Promise<KeptAnswer | undefined>;
  /** Undoes the run; says what of the session is open at the target then, `all` where the run stands. */
  undo(): Promise<OpenAtTarget>;
  /** Whether a run is undone without what its transaction did before it. */
  readonly undoesPart: boolean;
  /** Whether a run can be undone with whatever a question about it has broken. */
  readonly isUndone: boolean;
  /** Ends a run that failed by itself. */
  leave(): Promise<void>;
  /** Makes the target fail as an error of the statement would; gives what follows such an error. */
  fail(): Promise<readonly Uint8Array[]>;
  /**
   * Ends the client's transaction as a COMMIT that fails does; gives what follows its error.
   *
   * @param failed whether the target has answered with an error already
   */
  abandon(failed: boolean): Promise<readonly Uint8Array[]>;
  /** A question of ours about the session, outside of a run. */
  ask(text: string): Promise<KeptAnswer>;
  /** What follows a run that was kept. */
  readonly tail: readonly Uint8Array[];
}

/** Runs what is deferred to COMMIT. */
export const RUN_DEFERRED = 'SET CONSTRAINTS ALL IMMEDIATE';

const IDLE: readonly Uint8Array[] = [Uint8Array.of(BACKEND.ReadyForQuery, 0, 0, 0, 5, 0x49)];

/** A Query outside of a transaction: in one of ours. */
export class OwnTransaction implements Ground {
  readonly tail: readonly Uint8Array[] = IDLE;
  readonly deferred = 'run';
  readonly isUndone = true;
  readonly undoesPart = false;
  readonly #exchange: Exchange;
  readonly #statement: CountStatement;
  /** A ROLLBACK of nothing would make the server warn the client. */
  #isOpen = false;

  constructor(exchange: Exchange, statement: CountStatement) {
    this.#exchange = exchange;
    this.#statement = statement;
  }

  close(): Promise<OpenAtTarget> {
    return Promise.resolve('nothing');
  }

  /** No transaction of ours: it may be a statement that runs in none. */
  reopen(): Promise<void> {
    return Promise.resolve();
  }

  async begin(): Promise<void> {
    await this.#exchange.query('BEGIN');
    this.#isOpen = true;
  }

  count(question: CountQuestion, deferred: Deferred): Promise<Count> {
    return countSimple(this.#exchange, this.#statement, question, deferred);
  }

  async abandon(): Promise<readonly Uint8Array[]> {
    await this.leave();
    return IDLE;
  }

  async commit(): Promise<KeptAnswer | undefined> {
    const answer = await this.#exchange.send('Query', query('COMMIT'));
    this.#isOpen = false;
    return answer.outcome === 'completed' ? undefined : answer;
  }

  async undo(): Promise<OpenAtTarget> {
    await this.leave();
    return 'nothing';
  }

  async leave(): Promise<void> {
    if (this.#isOpen) await this.#exchange.query('ROLLBACK');
    this.#isOpen = false;
  }

  /** Nothing is open: the client's picture is right without asking the target. */
  fail(): Promise<readonly Uint8Array[]> {
    return Promise.resolve(IDLE);
  }

  ask(text: string): Promise<KeptAnswer> {
    return this.#exchange.query(text);
  }
}

/** A Query inside of the client's transaction. */
export class ClientTransaction implements BlockGround {
  /** Its own ReadyForQuery is among what was kept. */
  readonly tail: readonly Uint8Array[] = [];
  readonly deferred = 'wait';
  readonly isUndone = false;
  readonly undoesPart = false;
  readonly #exchange: Exchange;
  readonly #statement: CountStatement;

  constructor(exchange: Exchange, statement: CountStatement) {
    this.#exchange = exchange;
    this.#statement = statement;
  }

  close(): Promise<OpenAtTarget> {
    return Promise.resolve('all');
  }

  /** A Query has none. */
  closePortal(): Promise<void> {
    return Promise.resolve();
  }

  portalGone(): void {}

  rest(): Promise<void> {
    return Promise.resolve();
  }

  reopen(): Promise<void> {
    return Promise.resolve();
  }

  begin(): Promise<void> {
    return Promise.resolve();
  }

  count(question: CountQuestion, deferred: Deferred): Promise<Count> {
    return countSimple(this.#exchange, this.#statement, question, deferred);
  }

  async abandon(): Promise<readonly Uint8Array[]> {
    await this.#exchange.query('ROLLBACK');
    return IDLE;
  }

  commit(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  undo(): Promise<OpenAtTarget> {
    return Promise.resolve('all');
  }

  leave(): Promise<void> {
    return Promise.resolve();
  }

  async fail(): Promise<readonly Uint8Array[]> {
    return readyOf(await this.#exchange.send('Query', failingMessage('Query')));
  }

  ask(text: string): Promise<KeptAnswer> {
    return this.#exchange.query(text);
  }
}

/** All that it takes is sent at once. */
async function countSimple(
  exchange: Exchange,
  statement: CountStatement,
  question: CountQuestion,
  deferred: Deferred,
): Promise<Count> {
  const asked = statement.asked(question);
  const before = asked.prepare.length === 0 ? [] : [exchange.extended(asked.prepare), exchange.sync()];
  const texts = [
    ...(deferred === 'run' ? [RUN_DEFERRED] : []),
    ...(asked.check === undefined ? [] : [asked.check]),
    asked.text,
  ];
  const answer = exchange.send('Query', query(texts.join('; ')));
  await Promise.all(before);
  return counted(statement, asked, question, await answer);
}

/** @param answer to what was asked, behind that to the check */
export function counted(
  statement: CountStatement,
  asked: AskedCount,
  question: CountQuestion,
  answer: KeptAnswer,
): Count {
  if (errorOf(answer) === undefined) {
    return { kind: 'rows', rows: readCounts(statement.rowsOf(asked, question, answer)) };
  }
  statement.failed(answer);
  return { kind: 'error', answer };
}

function query(text: string): Uint8Array {
  return encodeFrontend({ kind: 'Query', textBytes: new TextEncoder().encode(text) });
}

function readyOf(answer: KeptAnswer): readonly Uint8Array[] {
  return answer.frames.filter(({ type }) => type === BACKEND.ReadyForQuery).map(({ bytes }) => bytes);
}
