/**
 * The leaves of one HTTP session: what is the same in each, and what each request adds.
 *
 * Spec: spec/events.md, `http.*`, `session.*`.
 */

import type { BodyValue, LedgerEvent } from '../../core/ledger-port.ts';
import type { Decided, LeafContext } from '../postgres/session-leaves.ts';

type Body = Readonly<Record<string, BodyValue>>;

export type HttpOutcomeStatus = 'ok' | 'error' | 'cancelled' | 'blocked' | 'unknown';

export type RerankResultStatus = 'ok' | 'error' | 'cancelled' | 'unknown';

/** Leaves of one session. */
export class HttpLeaves {
  readonly #context: LeafContext;

  constructor(context: LeafContext) {
    this.#context = context;
  }

  start(body: Body): LedgerEvent {
    return { ...this.#base('session.start'), decision: 'allow', policy: this.#context.policy, body };
  }

  end(status: string, body: Body): LedgerEvent {
    return { ...this.#base('session.end'), status, body };
  }

  intent(body: Body, decided: Decided): LedgerEvent {
    return { ...this.#base('http.intent'), ...decided, body };
  }

  outcome(ref: number, status: HttpOutcomeStatus, body: Body): LedgerEvent {
    return { ...this.#base('http.outcome'), ref, status, body };
  }

  /** A rerank call that its `http.intent` asks for; without a decision, which that one has. */
  rerankCall(ref: number, body: Body): LedgerEvent {
    return { ...this.#base('rerank.call'), ref, body };
  }

  rerankResult(ref: number, status: RerankResultStatus, body: Body): LedgerEvent {
    return { ...this.#base('rerank.result'), ref, status, body };
  }

  segment(status: 'ok' | 'truncated', body: Body): LedgerEvent {
    return { ...this.#base('recording.segment'), status, body };
  }

  #base(type: string): Omit<LedgerEvent, 'body'> {
    const { session, kind, actor, target } = this.#context;
    return { type, kind, actor, session, target, keyId: session };
  }
}
