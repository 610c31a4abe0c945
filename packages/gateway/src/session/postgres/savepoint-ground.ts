/**
 * A statement inside of the client's own transaction, behind a savepoint of ours: it is undone without what
 * the client did before it, so that the client can wait for people with its transaction open.
 *
 * Spec: spec/policy.md, "Holds"; PostgreSQL 18, ROLLBACK TO SAVEPOINT. It lets go of the locks of rows and
 * tables that were taken behind the savepoint, and destroys the portals that were made there. What is behind
 * an error of the statement itself stays as that leaves it: the client's ROLLBACK TO goes past our savepoint.
 */

import { CountersignError } from '../../core/errors.ts';
import type { CountQuestion } from './count-statement.ts';
import { errorOf, type KeptAnswer } from './exchange.ts';
import type { Count, Deferred, Ground } from './ground.ts';
import type { OpenAtTarget } from './open-at-target.ts';

/** The client's transaction, in whichever protocol. */
export interface BlockGround extends Ground {
  /** Its portal, which the client has bound, is gone from the target: it is bound again at the next run. */
  closePortal(): Promise<void>;
  /** A ROLLBACK TO has destroyed it. */
  portalGone(): void;
  /** The target waits for the next command, and not for the rest of a pipeline. */
  rest(): Promise<void>;
}

/** Owned by the conductor of one session, for one statement. */
export class BehindSavepoint implements Ground {
  readonly isUndone = false;
  readonly undoesPart = true;
  readonly #inner: BlockGround;
  readonly #name: string;
  #isOpen = false;

  /** @param name of the savepoint; the client may have one of that name, which ours hides for as long */
  constructor(inner: BlockGround, name: string) {
    this.#inner = inner;
    this.#name = name;
  }

  get deferred(): Deferred {
    return this.#inner.deferred;
  }

  get tail(): readonly Uint8Array[] {
    return this.#inner.tail;
  }

  async close(): Promise<OpenAtTarget> {
    await this.#inner.closePortal();
    await this.#inner.rest();
    return 'transaction';
  }

  async reopen(): Promise<void> {
    await this.#inner.begin();
  }

  async begin(): Promise<void> {
    if (!this.#isOpen) {
      await this.#inner.closePortal();
      await this.#run('SAVEPOINT');
      this.#isOpen = true;
    }
    await this.#inner.begin();
  }

  count(question: CountQuestion, deferred: Deferred): Promise<Count> {
    return this.#inner.count(question, deferred);
  }

  async commit(): Promise<KeptAnswer | undefined> {
    await this.#run('RELEASE SAVEPOINT');
    this.#isOpen = false;
    return this.#inner.commit();
  }

  async undo(): Promise<OpenAtTarget> {
    if (this.#isOpen) {
      await this.#inner.rest();
      await this.#run('ROLLBACK TO SAVEPOINT');
      this.#inner.portalGone();
    }
    return 'transaction';
  }

  /** The transaction has failed, as by any statement that fails. */
  leave(): Promise<void> {
    this.#isOpen = false;
    return this.#inner.leave();
  }

  /** As without us: the error is the client's transaction's own. */
  async fail(): Promise<readonly Uint8Array[]> {
    if (this.#isOpen) await this.#run('RELEASE SAVEPOINT');
    this.#isOpen = false;
    return this.#inner.fail();
  }

  abandon(failed: boolean): Promise<readonly Uint8Array[]> {
    return this.#inner.abandon(failed);
  }

  ask(text: string): Promise<KeptAnswer> {
    return this.#inner.ask(text);
  }

  async #run(what: string): Promise<void> {
    const answer = await this.#inner.ask(`${what} "${this.#name}"`);
    const error = errorOf(answer);
    if (error === undefined && answer.outcome === 'completed') return;
    const reason = error === undefined ? answer.outcome : `${error.sqlstate} ${error.message}`;
    throw new CountersignError('GATEWAY_STATEMENT_FAILED', { what, reason });
  }
}
