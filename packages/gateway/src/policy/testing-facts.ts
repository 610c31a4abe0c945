/** Facts for tests, without a parser. */

import type { ReadText, StatementFacts } from '../core/effects.ts';
import { compileRule, type CompiledRule, type HoldTerms, type When } from './rule.ts';

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

const HOLD: HoldTerms = {
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
  consequence: 'allow' | 'block' | 'hold' = 'block',
  terms: Partial<HoldTerms> = {},
): CompiledRule {
  return compileRule(
    {
      kind: 'Rule',
      name,
      on: [],
      who: [],
      unless: [],
      when,
      // oxlint-disable-next-line unicorn/no-thenable -- The word of the policy language; nothing awaits a rule.
      then: consequence === 'hold' ? { hold: { ...HOLD, ...terms } } : consequence,
    },
    7,
  );
}
