/** Facts for tests, without a parser. */

import type { ReadText, StatementFacts } from '../core/effects.ts';
import {
  type BreakGlassRule,
  compileRule,
  type CompiledRule,
  type HoldTerms,
  type Rule,
  type When,
} from './rule.ts';

/** A statement that does nothing, with what a test adds. */
export function statement(facts: Partial<StatementFacts> = {}): StatementFacts {
  return {
    node: 'SelectStmt',
    from: 0,
    to: 10,
    effects: [],
    writes: [],
    reads: [],
    functions: [],
    settings: [],
    transaction: undefined,
    prepared: undefined,
    undoable: true,
    ...facts,
  };
}

export function text(...statements: readonly StatementFacts[]): ReadText {
  return { kind: 'read', statements, doubts: { backslash: false, unicodeEscape: false, nonAscii: false } };
}

export const HOLD: HoldTerms = {
  approvers: ['group:owners'],
  count: 1,
  expires: '15m',
  within: '15m',
  reason: 'optional',
  inTransaction: 'refuse',
};

export function rule(
  name: string,
  when: When,
  consequence: 'allow' | 'block' | 'hold' | HoldTerms = 'block',
): CompiledRule {
  const hold = consequence === 'hold' ? HOLD : typeof consequence === 'object' ? consequence : undefined;
  const compiled = compiledOf({
    name,
    when,
    // oxlint-disable-next-line unicorn/no-thenable -- The word of the policy language; nothing awaits a rule.
    then: hold !== undefined ? { hold } : consequence === 'allow' ? 'allow' : 'block',
  });
  if ('terms' in compiled) throw new Error('it breaks the glass');
  return compiled;
}

/** A rule that opens holds in an emergency. */
export function breakGlassRule(name: string, when: When): BreakGlassRule {
  const terms = { reviewers: ['group:reviewers'], within: '15m', review: '24h' };
  const compiled = compiledOf({
    name,
    who: ['group:night'],
    when,
    // oxlint-disable-next-line unicorn/no-thenable -- The word of the policy language; nothing awaits a rule.
    then: { breakGlass: terms },
  });
  if (!('terms' in compiled)) throw new Error('it does not break the glass');
  return compiled;
}

function compiledOf(
  given: Partial<Rule> & Pick<Rule, 'name' | 'when' | 'then'>,
): CompiledRule | BreakGlassRule {
  return compileRule({ kind: 'Rule', on: [], who: [], unless: [], ...given }, 7);
}
