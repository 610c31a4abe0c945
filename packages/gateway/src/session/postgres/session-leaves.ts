/**
 * The leaves of one PostgreSQL session: what is the same in each, and what each Operation adds.
 *
 * Spec: spec/events.md, `statement.*`, `session.*`.
 */

import type { BodyValue, LedgerEvent } from '../../core/ledger-port.ts';

/** What every leaf of a session says. */
export interface LeafContext {
  readonly session: string;
  readonly kind: string;
  readonly actor: string;
  readonly target: string;
  /** Digest of the policy bundle that let the session in. */
  readonly policy: string;
}

export type OutcomeStatus = 'ok' | 'error' | 'skipped' | 'cancelled' | 'blocked' | 'unknown';

export interface Decided {
  readonly decision: 'allow' | 'hold' | 'block';
  readonly policy: string;
}

/** Leaves of one session. */
export class SessionLeaves {
  readonly #context: LeafContext;
  readonly #atTheDoor: Decided;

  constructor(context: LeafContext) {
    this.#context = context;
    this.#atTheDoor = { decision: 'allow', policy: context.policy };
  }

  start(body: Readonly<Record<string, BodyValue>>): LedgerEvent {
    return { ...this.#base('session.start'), decision: 'allow', policy: this.#context.policy, body };
  }

  end(status: string, body: Readonly<Record<string, BodyValue>>): LedgerEvent {
    return { ...this.#base('session.end'), status, body };
  }

  prepare(body: Readonly<Record<string, BodyValue>>): LedgerEvent {
    return { ...this.#base('statement.prepare'), decision: 'allow', policy: this.#context.policy, body };
  }

  /** @param decided what policy said, and the digest of the bundle that said it; else what the door said */
  intent(body: Readonly<Record<string, BodyValue>>, decided: Decided = this.#atTheDoor): LedgerEvent {
    return { ...this.#base('statement.intent'), ...decided, body };
  }

  outcome(ref: number, status: OutcomeStatus, body: Readonly<Record<string, BodyValue>>): LedgerEvent {
    return { ...this.#base('statement.outcome'), ref, status, body };
  }

  cancel(ref: number | undefined, status: string, body: Readonly<Record<string, BodyValue>>): LedgerEvent {
    return { ...this.#base('statement.cancel'), ...(ref === undefined ? {} : { ref }), status, body };
  }

  segment(status: 'ok' | 'truncated', body: Readonly<Record<string, BodyValue>>): LedgerEvent {
    return { ...this.#base('recording.segment'), status, body };
  }

  #base(type: string): Omit<LedgerEvent, 'body'> {
    const { session, kind, actor, target } = this.#context;
    return { type, kind, actor, session, target, keyId: session };
  }
}
