/**
 * Which rules have a say about the rows that a statement returns, and what they say.
 *
 * Spec: spec/policy.md, "Rows that are returned". Where nobody knows what a statement reads, every such rule
 * applies to it.
 */

import type { Effect, StatementFacts } from '../core/effects.ts';
import type { Cause } from './decide.ts';
import { matchesName } from './patterns.ts';
import type { CompiledRule } from './rule.ts';

/** Statements by which this session has declared a cursor, by its name; undefined: it may be of anything. */
export type KnownCursors = (name: string) => StatementFacts | undefined;

/** What gives rows to the client. */
const GIVES_ROWS: readonly Effect[] = ['read', 'export'];

/** What may read anything that no text shows. */
const OPAQUE: ReadonlySet<Effect> = new Set<Effect>(['code', 'call', 'function-unknown', 'unknown']);

/** What has these effects alone changes nothing that an error would have to undo. */
const READS: ReadonlySet<Effect> = new Set<Effect>([
  'read',
  'export',
  'lock',
  'explain',
  'cursor',
  'prepare',
  'execute',
  'sleep',
]);

/** They return no rows, whatever is in them. */
const ROWLESS: ReadonlySet<string> = new Set([
  'CreateFunctionStmt',
  'CreateTableAsStmt',
  'CreateTrigStmt',
  'DoStmt',
  'RefreshMatViewStmt',
  'RuleStmt',
  'ViewStmt',
]);

/** Those of the rules that count what the statement returns. */
export function returnedRules(
  rules: readonly CompiledRule[],
  statement: StatementFacts,
  cursors: KnownCursors,
): readonly CompiledRule[] {
  if (rules.length === 0 || ROWLESS.has(statement.node)) return [];
  if (statement.node !== 'FetchStmt') return rules.filter((rule) => mayReturn(rule, statement));
  const name = cursorOf(statement);
  const selected = name === undefined ? undefined : cursors(name);
  return selected === undefined ? rules : rules.filter((rule) => mayReturn(rule, selected));
}

/** Whether nothing of it has to be undone. */
export function onlyReads(statements: readonly StatementFacts[]): boolean {
  return statements.every(({ effects }) => effects.every(({ effect }) => READS.has(effect)));
}

/** The name of the cursor of a DECLARE, FETCH, MOVE or CLOSE; undefined for all. */
export function cursorOf({ effects }: StatementFacts): string | undefined {
  return effects.find(({ effect }) => effect === 'cursor')?.object;
}

/** Of a rule on rows that are returned. */
export function allowedRows({ returned }: CompiledRule): number {
  return returned?.allowed ?? 0;
}

/** A cause without a place in the text: it is what the statement gave. */
export function causeOfReturned(rule: CompiledRule): Cause {
  const { name, version, verdict, description } = rule;
  const what = `more than ${allowedRows(rule)} rows are returned`;
  return { rule: name, version, verdict, description, what, from: 0, to: 0 };
}

function mayReturn({ effects, reads }: CompiledRule, statement: StatementFacts): boolean {
  if (statement.effects.some(({ effect }) => OPAQUE.has(effect))) return true;
  const wanted = GIVES_ROWS.filter((effect) => effects?.has(effect) ?? true);
  if (!statement.effects.some(({ effect }) => wanted.includes(effect))) return false;
  return reads === undefined || statement.reads.some((table) => reads.some((one) => matchesName(one, table)));
}
