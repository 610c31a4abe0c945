import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkGuard, isGuard } from './guard.ts';
import { PatternProblem } from './patterns.ts';
import { ruleProblems } from './rule-problems.ts';
import { compileRule, type HoldTerms, type Rule, type When } from './rule.ts';
import type { MfaWhen } from './second-factor.ts';

const HOLD: HoldTerms = {
  approvers: ['group:owners'],
  count: 1,
  expires: '15m',
  within: '15m',
  reason: 'optional',
  inTransaction: 'refuse',
};

function ruleOf(when: When, consequence: Rule['then'] = 'block', more: Partial<Rule> = {}): Rule {
  // oxlint-disable-next-line unicorn/no-thenable -- The word of the policy language.
  return { kind: 'Rule', name: 'a', on: [], who: [], unless: [], when, then: consequence, ...more };
}

function said(rule: Rule): readonly string[] {
  return ruleProblems(rule).map(({ path, says }) => `${path.join('.')} | ${says.slice(0, 40)}`);
}

function texts(good: readonly string[]): fc.Arbitrary<readonly string[]> {
  return fc.array(fc.constantFrom(...good, 'A B', '', '>'), { minLength: 1, maxLength: 3 });
}

function isTaken(rule: Rule): boolean {
  try {
    if (isGuard(rule)) checkGuard(rule);
    else compileRule(rule, 0);
    return true;
  } catch (error) {
    if (error instanceof PatternProblem) return false;
    throw error;
  }
}

describe('what is wrong with a rule', () => {
  it.each<readonly [string, Rule, readonly string[]]>([
    ['nothing', ruleOf({ effects: ['drop'] }), []],
    [
      'every value that cannot be read, each at its place',
      ruleOf(
        {
          rows: 'many',
          writes: ['a.b', 'A B', 'c d'],
          address: ['10.0.0.0/99'],
          mfa: { within: '8x' },
          hours: { from: '25:00', to: '01:00' },
          json: { '/a': '> x', 'no-pointer': 1 },
          methods: ['get', 'POST'],
        },
        { hold: { ...HOLD, expires: 'soon', within: 'later', mfa: '90d' } },
      ),
      [
        'when.rows | when.rows: expected a bound as ">= 100" ',
        'when.writes.1 | when.writes: expected a name as table, s',
        'when.writes.2 | when.writes: expected a name as table, s',
        'when.address.0 | when.address: expected an address or a r',
        'when.mfa | when.mfa: expected a duration as 30s, 15',
        'when.hours | when.hours: expected a time from 00:00 t',
        'when.json./a | when.json: expected a comparison as "> 1',
        'when.json.no-pointer | when.json: expected a pointer as /docume',
        'when.methods.0 | when.methods: expected a method as POST,',
        'then.hold.expires | then.hold.expires: expected a duration a',
        'then.hold.within | then.hold.within: expected a duration as',
        'then.hold.mfa | then.hold.mfa: expected at most 30d, not',
      ],
    ],
    [
      'every condition that means nothing beside the others',
      ruleOf({ rows: '>= 5', returned: '>= 5', reads: ['t(a)'], effects: ['drop'] }, 'allow'),
      [
        'when.rows | when.rows counts rows that are written: ',
        ' | "t(a)": columns can be named in when.wri',
        'when.returned | when.returned counts rows that are read:',
      ],
    ],
    [
      'everything that is no place for break-glass',
      ruleOf(
        { rows: '>= 5', client: ['psql'], writes: ['t(a)'] },
        { breakGlass: { reviewers: ['bo'], within: '15m', review: '24h' } },
        { who: ['service:nightly', 'ana'] },
      ),
      [
        ' | "service:nightly": only people break the',
        'when.rows | when.rows has no place beside breakGlass',
        'when.client | when.client has no place beside breakGla',
        ' | "t(a)": no columns beside breakGlass',
      ],
    ],
    [
      'both durations of break-glass',
      ruleOf(
        { effects: ['drop'] },
        { breakGlass: { reviewers: ['bo'], within: '900d', review: 'x' } },
        { who: ['ana'] },
      ),
      [
        'then.breakGlass.within | then.breakGlass.within: expected at most',
        'then.breakGlass.review | then.breakGlass.review: expected a durat',
      ],
    ],
    [
      'everything that a rule on changes cannot hold',
      ruleOf({ changes: ['Rule'], rows: '>= 5', client: ['psql'] }, 'block', { on: ['db'], who: ['ana'] }),
      [
        'when.changes | when.changes stands alone, and when.rows',
        'when.changes | when.changes stands alone, and when.clie',
        ' | a rule on changes holds them: then: { ho',
        'on | on goes with when: { changes: [Connectio',
        'who | who goes with changes of Person and Serv',
      ],
    ],
  ])('is %s', (_what, rule, expected) => {
    expect(said(rule)).toEqual(expected);
    expect(isTaken(rule)).toBe(expected.length === 0);
  });

  it('is nothing exactly where the rule is taken', () => {
    const when: fc.Arbitrary<When> = fc.record(
      {
        effects: fc.subarray(['drop', 'delete', 'read', 'write', 'rerank'], { minLength: 1 }),
        writes: texts(['t', 's.t', 't(a)']),
        reads: texts(['t', 't(a)']),
        functions: texts(['f', 's.f']),
        rows: fc.constantFrom('>= 100', 'x'),
        anyRows: fc.subarray(['update-unqualified', 'copy-in', 'read'], { minLength: 1 }),
        returned: fc.constantFrom('> 5', '0'),
        estimated: fc.constantFrom('>= 9', '-1'),
        mfa: fc.constantFrom<MfaWhen>({ within: '8h' }, { notWithin: '99d' }),
        paths: texts(['/a', '/a/*']),
        documents: fc.constantFrom('> 5', 'y'),
        changes: fc.subarray(['Rule', 'Connection', 'Person', 'ServiceAccount'], { minLength: 1 }),
      },
      { requiredKeys: [] },
    );
    const durations = fc.constantFrom('15m', '99d', 'x');
    const consequence: fc.Arbitrary<Rule['then']> = fc.oneof(
      fc.constantFrom('allow' as const, 'block' as const),
      fc
        .tuple(durations, durations, fc.constantFrom('wait' as const, 'refuse' as const))
        .map(([expires, within, inTransaction]) => ({ hold: { ...HOLD, expires, within, inTransaction } })),
      fc.tuple(durations, durations).map(([within, review]) => ({
        breakGlass: { reviewers: ['bo'], within, review },
      })),
    );
    const who = fc.subarray(['ana', 'group:g', 'service:s']);
    const on = fc.subarray(['db']);
    fc.assert(
      fc.property(when, consequence, who, on, (conditions, decides, given, targets) => {
        const rule = ruleOf(conditions, decides, { who: given, on: targets });
        expect(ruleProblems(rule).length === 0).toBe(isTaken(rule));
      }),
      { numRuns: 1000 },
    );
  });
});
