/**
 * What is open at the target and not kept yet: rows that are counted, a block of ours, what nobody approved.
 *
 * Spec: spec/policy.md §5.
 */

import { CountersignError } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
import type { Cause } from '../../policy/decide.ts';
import { causeOfCount, type Counted } from '../../policy/observed.ts';
import type { CompiledRule } from '../../policy/rule.ts';
import type { Outcome } from '../../protocols/postgres/states.ts';
import type { Grant } from './asking.ts';
import { taggedTables } from './conducted-text.ts';
import { CountStatement } from './count-statement.ts';
import { CountedTransaction } from './counted-transaction.ts';
import { errorOf, type KeptAnswer } from './exchange.ts';
import type { Count, Ground } from './ground.ts';
import type { Judgement } from './inspection.ts';
import { KeptOutcomes } from './kept-outcomes.ts';
import { taggedRows } from './note-answer.ts';
import type { RowCounts } from './row-count.ts';
import type { PipelineBlock } from './pipeline-ground.ts';
import { type Refusal, undoneBecause } from './refusal.ts';
import type { Request } from './request.ts';

/** The connection ended in the middle. */
export class Over extends Error {}

/** All is within what is allowed; or it is not, or an error came in the place of the count. */
export type Settled =
  | { readonly kind: 'rows' }
  | { readonly kind: 'over'; readonly over: readonly Counted[] }
  | { readonly kind: 'error'; readonly answer: KeptAnswer };

/** The same of all that is open. */
export type SettledAll =
  | Exclude<Settled, { readonly kind: 'over' }>
  | { readonly kind: 'refused'; readonly refusal: Refusal };

/** Owned by the conductor of one session. */
export class OpenWork {
  readonly transaction: CountedTransaction = new CountedTransaction();
  readonly block: PipelineBlock = { isOurs: false };
  readonly outcomes: KeptOutcomes;
  readonly count: CountStatement;
  /** What was written before a run that is undone alone. */
  #beforeRun: RowCounts | undefined;
  /** Portals that are bound, and that nobody has approved to run, with why. */
  readonly #unapproved = new Map<object, readonly Cause[]>();

  /**
   * @param settle tells the outcome of a request
   * @param name for names of ours that no client has
   */
  constructor(settle: (request: Request, outcome: Outcome) => void, name: string) {
    this.count = new CountStatement(name);
    this.outcomes = new KeptOutcomes(settle);
  }

  /** Whether something of it may not be kept as it is, or is ours to end. */
  get isOpen(): boolean {
    return this.transaction.isOpen || this.block.isOurs || this.#unapproved.size > 0;
  }

  /** The transaction is over. */
  ended(): void {
    this.transaction.end();
    this.#unapproved.clear();
  }

  /** Planning it may have run functions: it must not be kept before it is approved. */
  bound(portal: object, causes: readonly Cause[]): void {
    this.#unapproved.set(portal, causes);
  }

  /** It is approved, or was never bound. */
  approved(portal: object | undefined): void {
    if (portal !== undefined) this.#unapproved.delete(portal);
  }

  /** Before the first statement that is counted, and before each that is undone without the others. */
  async countBefore(rules: readonly CompiledRule[], ground: Ground): Promise<Count | undefined> {
    const question = this.transaction.questionFor(rules);
    if (this.transaction.isOpen && !ground.undoesPart) return undefined;
    const count = whole(await ground.count(question, 'wait'));
    if (count.kind === 'rows') this.transaction.begin(count.rows);
    this.#beforeRun = ground.undoesPart && count.kind === 'rows' ? count.rows : undefined;
    return count;
  }

  /** A run is undone, and nothing before it: the server still counts its rows, and nobody else does. */
  async undone(ground: Ground): Promise<void> {
    const before = this.#beforeRun;
    this.#beforeRun = undefined;
    if (before === undefined) return;
    const count = whole(await ground.count(this.transaction.questionFor([]), 'wait'));
    if (count.kind === 'error') {
      const reason = errorOf(count.answer)?.message ?? '';
      throw new CountersignError('ROWS_NOT_COUNTED', { reason });
    }
    this.transaction.forget(before, count.rows);
  }

  /** Counts all that is open, before it is kept: nothing in it may be bound that nobody has approved. */
  async settleAll(ground: Ground): Promise<SettledAll> {
    const [unapproved] = this.#unapproved.values();
    if (unapproved !== undefined) {
      const causes = unapproved.map((cause) => ({ ...cause, what: `${cause.what}, which was bound` }));
      return { kind: 'refused', refusal: undoneBecause(causes) };
    }
    if (!this.transaction.isOpen) return { kind: 'rows' };
    const settled = await this.settle(ground, []);
    if (settled.kind !== 'over') return settled;
    return { kind: 'refused', refusal: undoneBecause(settled.over.map(causeOfCount)) };
  }

  /**
   * Counts what was written, after all that is deferred where nothing more of the transaction comes. A trigger
   * may defer others, which may defer others: it is over when tables with such triggers stay as they are.
   */
  async settle(
    ground: Ground,
    grants: readonly Grant[],
    ran?: { readonly judgement: Judgement; readonly answer: KeptAnswer },
  ): Promise<Settled> {
    const rules = ran?.judgement.decision.counted;
    const question = this.transaction.questionFor(rules ?? []);
    const deferred = ran === undefined ? 'run' : ground.deferred;
    // Rows of foreign tables are in no count of the server, but in the tag.
    const tagged = ran === undefined ? [] : taggedTables(ran.judgement.read, taggedRows(ran.answer.frames));
    let known = this.transaction.deferrableBefore;
    for (let run = 0; run < LIMITS.policy.deferredRunsMax; run += 1) {
      const count = whole(await ground.count(question, deferred));
      if (count.kind === 'error') return count;
      const { deferrable } = count.rows;
      if (deferred === 'wait' || deferrable === undefined || deferrable === known) {
        const { statements } = ran?.judgement.decision ?? {};
        const over = this.transaction.over(count.rows, tagged, grants, rules, statements);
        return over.length === 0 ? { kind: 'rows' } : { kind: 'over', over };
      }
      known = deferrable;
    }
    throw new CountersignError('ROWS_NOT_COUNTED', { reason: 'deferred triggers defer others without end' });
  }
}

/** An error without an ErrorResponse is the end of the connection. */
function whole(count: Count): Count {
  if (count.kind === 'error' && errorOf(count.answer) === undefined) throw new Over();
  return count;
}
