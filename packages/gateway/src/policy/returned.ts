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
import { mfaSaid } from './second-factor.ts';

/** Statements by which this session has declared a cursor, by its name; undefined: it may be of anything. */
export type KnownCursors = (name: string) => StatementFacts | undefined;

/** What gives rows to the client: of a COPY, or of a query. */
const GIVES_ROWS: readonly Effect[] = ['export', 'read'];

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

/** Those of the rules that count what the statements of a text return, which run in this order. */
export function returnedRules(
  rules: readonly CompiledRule[],
  statements: readonly StatementFacts[],
  cursors: KnownCursors,
): ReadonlySet<CompiledRule> {
  const found = new Set<CompiledRule>();
  if (rules.length === 0) return found;
  // Where a DECLARE fails, what stands behind it does not run.
  const declared = new Map<string | undefined, StatementFacts>();
  for (const statement of statements) {
    const { node, http } = statement;
    // Nobody counts what an answer over HTTP has: what it asks for was decided on.
    if (http !== undefined) continue;
    if (node === 'DeclareCursorStmt') declared.set(cursorOf(statement), statement);
    const selected = node === 'FetchStmt' ? selectedBy(statement, declared, cursors) : statement;
    for (const rule of rules) if (mayReturn(rule, selected)) found.add(rule);
  }
  return found;
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
  const what = `more than ${allowedRows(rule)} rows are returned${mfaSaid(rule)}`;
  return { rule: name, version, verdict, description, what, from: 0, to: 0 };
}

/** What the cursor of a FETCH selects; undefined: it may be anything. */
function selectedBy(
  statement: StatementFacts,
  declared: ReadonlyMap<string | undefined, StatementFacts>,
  cursors: KnownCursors,
): StatementFacts | undefined {
  const name = cursorOf(statement);
  return name === undefined ? undefined : (declared.get(name) ?? cursors(name));
}

/** @param statement undefined: nobody knows what it reads */
function mayReturn({ effects, reads }: CompiledRule, statement: StatementFacts | undefined): boolean {
  if (statement === undefined) return true;
  if (ROWLESS.has(statement.node)) return false;
  if (statement.effects.some(({ effect }) => OPAQUE.has(effect))) return true;
  const gives = GIVES_ROWS.find((one) => statement.effects.some(({ effect }) => effect === one));
  if (gives === undefined || (effects !== undefined && !effects.has(gives))) return false;
  return reads === undefined || statement.reads.some((table) => reads.some((one) => matchesName(one, table)));
}
