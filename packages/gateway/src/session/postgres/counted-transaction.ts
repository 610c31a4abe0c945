/**
 * What one transaction of the client's has written so far, against the rules that have a say about rows.
 *
 * Spec: spec/policy.md §5. Bounds are on what the transaction writes in all, from its first statement that is
 * counted to its COMMIT; what people have granted in it is not asked for again.
 */

import { CountersignError } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
import type { StatementFacts } from '../../core/effects.ts';
import { type Counted, type ObservedTable, overBound } from '../../policy/observed.ts';
import type { CompiledRule } from '../../policy/rule.ts';
import type { Grant } from './asking.ts';
import type { CountQuestion } from './count-statement.ts';
import { countText } from './count-text.ts';
import { type RowCounts, withRowsOf, writtenBetween } from './row-count.ts';

/** Owned by the conductor of one session. */
export class CountedTransaction {
  /** What had been written before the first statement that is counted. */
  #before: RowCounts | undefined;
  readonly #rules = new Set<CompiledRule>();
  /** Counts for all of them. */
  #text: string | undefined;
  /** Rows that people have agreed to, by rule. */
  readonly #granted = new Map<CompiledRule, number>();
  /** Rows of what was granted before it ran, whatever their number, by rule. */
  readonly #agreed = new Map<CompiledRule, number>();
  /** Tables whose counters may hold what earlier transactions of the session did. */
  readonly #earlier = new Set<string>();
  /** Rows that only tags tell of: of what is kept so far, and with the statement that was looked at last. */
  #told: readonly ObservedTable[] = [];
  #toldLast: readonly ObservedTable[] = [];
  /** What it wrote was looked at, and nothing of it can come any more before it is kept. */
  isSettled = false;

  /** Whether something of it was counted. */
  get isOpen(): boolean {
    return this.#before !== undefined;
  }

  /** What tables with deferrable triggers had had written when it began. */
  get deferrableBefore(): string | undefined {
    return this.#before?.deferrable;
  }

  /** These have a say from now on; gives what counts for all that have. */
  questionFor(rules: readonly CompiledRule[]): CountQuestion {
    let isNew = this.#text === undefined;
    for (const rule of rules) {
      isNew ||= !this.#rules.has(rule);
      this.#rules.add(rule);
    }
    if (isNew) this.#text = countText(this.#rules);
    return { text: this.#text ?? '', earlier: [...this.#earlier] };
  }

  begin(counts: RowCounts): void {
    this.#before ??= counts;
  }

  /**
   * Rules whose bound is passed, and of which nobody has granted so many rows.
   *
   * @param tagged rows of tables that only the statement's own tag tells of
   * @param statements that have just run
   */
  over(
    now: RowCounts,
    tagged: readonly ObservedTable[],
    grants: readonly Grant[],
    rules: readonly CompiledRule[] = [...this.#rules],
    statements: readonly StatementFacts[] = [],
  ): readonly Counted[] {
    const before = this.#before;
    if (before === undefined || before.transaction !== now.transaction) {
      throw new CountersignError('ROWS_NOT_COUNTED', { reason: 'its transaction ended in its middle' });
    }
    this.#remember(now);
    const over = new Map<CompiledRule, Counted>();
    this.#toldLast = [...this.#told, ...tagged.filter((table) => !isInCounters(table, now))];
    const found = [tagged, this.#toldLast, writtenBetween(before, now)];
    for (const one of found.flatMap((tables) => overBound(rules, tables, statements))) {
      if (one.rows >= (over.get(one.rule)?.rows ?? 0)) over.set(one.rule, one);
    }
    return [...over.values()].filter(
      (one) => one.rows > (this.#granted.get(one.rule) ?? 0) && !this.#isGranted(one, grants),
    );
  }

  /** A rule without a bound was asked about the statement itself, and not about its rows. */
  #isGranted({ rule, rows, tables }: Counted, grants: readonly Grant[]): boolean {
    const grant = grants.find(
      (one) =>
        one.rule === rule &&
        (one.rows === undefined ? rule.rows === undefined : one.rows >= rows) &&
        one.covers(tables),
    );
    if (grant !== undefined && grant.rows === undefined) this.#agreed.set(rule, rows);
    return grant !== undefined;
  }

  /** What was written between these two was undone, and is not counted again: the counters still have it. */
  forget(from: RowCounts, to: RowCounts): void {
    const before = this.#before;
    if (before === undefined || [from, to].some(({ transaction }) => transaction !== before.transaction)) {
      throw new CountersignError('ROWS_NOT_COUNTED', { reason: 'its transaction ended in its middle' });
    }
    this.#before = withRowsOf(before, from, to);
  }

  /** What was looked at last is kept, and what was granted for it is used. */
  use(grants: readonly Grant[]): void {
    this.#told = this.#toldLast;
    for (const { rule, rows = this.#agreed.get(rule) ?? 0 } of grants) {
      this.#granted.set(rule, Math.max(rows, this.#granted.get(rule) ?? 0));
    }
  }

  /** The next one counts from its own beginning. */
  end(): void {
    this.#before = undefined;
    this.#rules.clear();
    this.#text = undefined;
    this.#told = [];
    this.#toldLast = [];
    this.#granted.clear();
    this.#agreed.clear();
    this.isSettled = false;
  }

  /** One that is forgotten counts too high at most, until the server has let go of its counters. */
  #remember({ written }: RowCounts): void {
    for (const relation of written.keys()) this.#earlier.add(relation);
    for (const relation of this.#earlier) {
      if (this.#earlier.size <= LIMITS.policy.writtenTablesMax) break;
      this.#earlier.delete(relation);
    }
  }
}

/** Whether the server counts its rows: not of foreign tables, and not of views whose triggers do the work. */
function isInCounters(table: ObservedTable, { written }: RowCounts): boolean {
  return [...written.values()].some(({ names }) =>
    names.some(
      ({ schema, name }) => name === table.name && (table.schema === undefined || schema === table.schema),
    ),
  );
}
