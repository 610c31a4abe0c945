import { describe, expect, it } from 'vitest';
import { reasonOf } from '../core/errors.ts';
import { checkGuard, isGuard } from './guard.ts';
import { compileRule, type HoldTerms, type Rule } from './rule.ts';

const HOLD: HoldTerms = {
  approvers: ['group:owners'],
  count: 1,
  expires: '15m',
  within: '15m',
  reason: 'optional',
  inTransaction: 'refuse',
};
const GUARD: Rule = {
  kind: 'Rule',
  name: 'guard',
  on: [],
  who: [],
  unless: [],
  when: { changes: ['Access', 'Rule'] },
  // oxlint-disable-next-line unicorn/no-thenable -- The word of the policy language.
  then: { hold: HOLD },
};

function problemOf(rule: Rule): string {
  try {
    checkGuard(rule);
    return 'fine';
  } catch (error) {
    return reasonOf(error);
  }
}

function then(consequence: Rule['then']): Partial<Rule> {
  // oxlint-disable-next-line unicorn/no-thenable -- The word of the policy language.
  return { then: consequence };
}

describe('a rule on changes', () => {
  const CASES: readonly (readonly [string, Partial<Rule>, RegExp])[] = [
    ['is taken', {}, /^fine$/],
    ['has exceptions', { unless: ['group:deployers'] }, /^fine$/],
    ['is about some connections', { when: { changes: ['Connection'] }, on: ['prod'] }, /^fine$/],
    [
      'is about some people, who make no others',
      { when: { changes: ['Person', 'ServiceAccount', 'Rule'] }, who: ['group:contractors'] },
      /^fine$/,
    ],
    ['does not block', then('block'), /holds them/],
    ['does not allow', then('allow'), /holds them/],
    [
      'has no effects beside it',
      { when: { changes: ['Rule'], effects: ['drop'] } },
      /stands alone, and when.effects stands beside it/,
    ],
    [
      'has no hours in which it is off',
      { when: { changes: ['Rule'], hours: { from: '09:00', to: '17:00' } } },
      /when.hours/,
    ],
    ['has no kinds of callers beside it', { when: { kinds: ['ci'], changes: ['Rule'] } }, /when.kinds/],
    ['has no addresses beside it', { when: { changes: ['Rule'], address: ['10.0.0.0/8'] } }, /when.address/],
    ['names no connection for what is about none', { on: ['prod'] }, /on goes with/],
    ['names nobody who could make another account', { who: ['mal'] }, /who goes with/],
    ['has durations', then({ hold: { ...HOLD, within: 'soon' } }), /then.hold.within/],
    ['waits in no transaction', then({ hold: { ...HOLD, inTransaction: 'wait' } }), /means nothing/],
  ];
  it.each(CASES)('%s', (_, change, says) => {
    expect(problemOf({ ...GUARD, ...change })).toMatch(says);
  });

  it('is no rule on statements', () => {
    expect(isGuard(GUARD)).toBe(true);
    expect(isGuard({ ...GUARD, when: {} })).toBe(false);
    expect(() => compileRule(GUARD, 1)).toThrow('when.changes is about no statement');
  });
});
