/**
 * The leaves of one PostgreSQL session: what is the same in each, and what each Operation adds.
 *
 * Spec: spec/events.md, `statement.*`, `session.*`.
 */

import type { BodyValue, LedgerEvent } from '../../core/ledger-port.ts';
import type { MaskRef } from '../../masking/plan/mask.ts';
import type { SessionLiterals } from './hidden/session-literals.ts';
import type { Judgement } from './inspection.ts';
import type { RunningOperation } from './running-operation.ts';

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

/** What an intent is of. */
export interface IntentOf {
  readonly judgement: Judgement | undefined;
  readonly operation: RunningOperation | undefined;
}

const NONE = (): readonly MaskRef[] => [];

/** Leaves of one session. */
export class SessionLeaves {
  readonly #context: LeafContext;
  readonly #atTheDoor: Decided;
  readonly #literals: SessionLiterals | undefined;
  readonly #exempt: () => readonly MaskRef[];

  /**
   * @param literals what hides them, where Masks reach the session
   * @param exempt Masks that leave its principal out, at this moment
   */
  constructor(context: LeafContext, literals?: SessionLiterals, exempt: () => readonly MaskRef[] = NONE) {
    this.#context = context;
    this.#literals = literals;
    this.#exempt = exempt;
    this.#atTheDoor = { decision: 'allow', policy: context.policy };
  }

  start(body: Readonly<Record<string, BodyValue>>): LedgerEvent {
    return { ...this.#base('session.start'), decision: 'allow', policy: this.#context.policy, body };
  }

  end(status: string, body: Readonly<Record<string, BodyValue>>): LedgerEvent {
    return { ...this.#base('session.end'), status, body };
  }

  prepare(body: Readonly<Record<string, BodyValue>>): LedgerEvent {
    const shown = this.#literals?.intent(body, undefined).body ?? body;
    return {
      ...this.#base('statement.prepare'),
      decision: 'allow',
      policy: this.#context.policy,
      body: shown,
    };
  }

  /** @param decided what policy said, and the digest of the bundle that said it; else what the door said */
  intent(
    body: Readonly<Record<string, BodyValue>>,
    decided: Decided = this.#atTheDoor,
    of?: IntentOf,
  ): LedgerEvent {
    const base = { ...this.#base('statement.intent'), ...decided };
    if (this.#literals === undefined) return { ...base, body: this.#withExempt(body) };
    const { body: shown, text } = this.#literals.intent(body, of?.judgement);
    if (of?.operation !== undefined) of.operation.shownText = text;
    return { ...base, body: this.#withExempt(shown) };
  }

  #withExempt(body: Readonly<Record<string, BodyValue>>): Readonly<Record<string, BodyValue>> {
    const exempt = this.#exempt();
    if (exempt.length === 0) return body;
    return { ...body, masks_exempt: exempt.map(({ mask, version }) => ({ mask, version })) };
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
