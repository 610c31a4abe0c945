/** What an EXECUTE does: whatever was put under its name. */

import type { FoundEffect, ReadText, StatementFacts } from '../core/effects.ts';

/** Statements that this session has prepared with SQL, by name. */
export type KnownStatements = (name: string) => StatementFacts | undefined;

/** An EXECUTE does what was prepared; where nobody knows what that is, nobody knows what it does. */
export function withPrepared(statement: StatementFacts, known: KnownStatements): readonly StatementFacts[] {
  const { prepared, from, to } = statement;
  if (prepared?.verb !== 'execute') return [statement];
  const inner = prepared.name === undefined ? undefined : known(prepared.name);
  if (inner !== undefined) return [statement, relocated(inner, from, to)];
  const unknown: FoundEffect = { effect: 'unknown', from, to, object: prepared.name };
  return [{ ...statement, effects: [...statement.effects, unknown] }];
}

/** The ranges of another text mean nothing in this one. */
function relocated(inner: StatementFacts, from: number, to: number): StatementFacts {
  return {
    ...inner,
    from,
    to,
    effects: inner.effects.map((found) => ({ ...found, from, to })),
    functions: inner.functions.map((called) => ({ ...called, from, to })),
  };
}

/** Whether it depends on what a name stands for. */
export function usesNames(read: ReadText): boolean {
  return read.kind === 'read' && read.statements.some(({ prepared }) => prepared?.verb === 'execute');
}

/** Whether it reads from a cursor. */
export function fetches(read: ReadText): boolean {
  return read.kind === 'read' && read.statements.some(({ node }) => node === 'FetchStmt');
}
