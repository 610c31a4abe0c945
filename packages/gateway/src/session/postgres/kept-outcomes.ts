/**
 * Outcomes of a pipeline that runs in a transaction of the gateway's: they are told when it is known whether
 * what was done is kept.
 *
 * Spec: spec/policy.md §5. Whoever reads a leaf that says `ok` must find the rows.
 */

import type { CountersignError } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
import type { Outcome } from '../../protocols/postgres/states.ts';
import type { Request } from './request.ts';

/** Says how an approved statement went, once. */
export type Done = (outcome: Outcome) => Promise<void>;

interface Waiting {
  readonly request: Request;
  readonly outcome: Outcome;
  readonly done: Done | undefined;
}

/** Owned by the conductor of one session. */
export class KeptOutcomes {
  readonly #settle: (request: Request, outcome: Outcome) => void;
  #waiting: Waiting[] = [];

  /** @param settle tells the outcome of a request */
  constructor(settle: (request: Request, outcome: Outcome) => void) {
    this.#settle = settle;
  }

  /**
   * It is answered, and not kept yet. What it did to names holds at once; beyond the bound its outcome is
   * told as the server has said it.
   */
  add(request: Request, outcome: Outcome, done?: Done): void {
    if (request.operation === undefined || this.#waiting.length >= LIMITS.policy.keptOutcomesMax) {
      this.#settle(request, outcome);
      if (done === undefined) return;
    } else request.settled?.(outcome);
    this.#waiting.push({ request: { ...request, settled: undefined }, outcome, done });
  }

  /** All of it is kept, or nobody but the client will undo it. */
  async keep(): Promise<void> {
    for (const { request, outcome, done } of this.#take()) {
      this.#settle(request, outcome);
      await done?.(outcome);
    }
  }

  /** A pipeline ends of which nothing is in a transaction of ours: each ended as the server has said. */
  synced(): void {
    const waiting = this.#take();
    this.#waiting = waiting.filter(({ done }) => done !== undefined);
    for (const { request, outcome, done } of waiting) if (done === undefined) this.#settle(request, outcome);
  }

  /** The client's own doing has undone it: each statement ended as the server has said. */
  async drop(): Promise<void> {
    for (const { request, outcome, done } of this.#take()) {
      this.#settle(request, outcome);
      await done?.('failed');
    }
  }

  /**
   * All of it is undone when it should have been kept.
   *
   * @param by `gateway` where policy has stopped it, `target` where its COMMIT failed
   */
  async undo(by: 'gateway' | 'target', { sqlstate, message }: Undone): Promise<void> {
    for (const { request, outcome, done } of this.#take()) {
      const ended = outcome === 'completed' || outcome === 'suspended' || outcome === 'empty';
      if (ended && by === 'gateway' && request.operation !== undefined) request.operation.blocked = true;
      if (ended) request.operation?.failed(sqlstate, message);
      this.#settle(request, ended ? 'failed' : outcome);
      await done?.('failed');
    }
  }

  /** Nobody will know: the connection is over. The leaves of what ran are the session's to write. */
  async lose(): Promise<void> {
    for (const { done } of this.#take()) await done?.('abandoned');
  }

  #take(): readonly Waiting[] {
    const waiting = this.#waiting;
    this.#waiting = [];
    return waiting;
  }
}

/** The error for which something was undone. */
export interface Undone {
  readonly sqlstate: string;
  readonly message: string;
}

/** The same of an error of the gateway's. */
export function undoneBy({ row, message }: CountersignError): Undone {
  return { sqlstate: row.sqlstate, message };
}
