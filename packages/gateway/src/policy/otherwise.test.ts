/** spec/policy.md, "HTTP": what becomes of a request that nothing lets through. */

import { describe, expect, it } from 'vitest';
import type { Effect, HttpFacts } from '../core/effects.ts';
import { openersOf } from './break-glass.ts';
import { type Allowance, type Decision, SessionPolicy } from './decide.ts';
import { effectsThatMay, effectsThatMayOverHttp } from './effect-classes.ts';
import { checkOtherwise, otherwiseRule, type Otherwise, type OtherwiseTerms } from './otherwise.ts';
import { PatternProblem } from './patterns.ts';
import type { CompiledRule } from './rule.ts';
import { breakGlassRule, rule, statement, text } from './testing-facts.ts';

const TERMS: OtherwiseTerms = {
  approvers: ['group:owners'],
  count: 2,
  expires: '5m',
  within: '10m',
  reason: 'required',
};
const HELD: Otherwise = { kind: 'hold', rule: otherwiseRule('store', 7, TERMS) };
const BLOCKED: Otherwise = { kind: 'block', why: 'nobody is named' };
const CALLER = { kind: 'user', address: '127.0.0.1', client: '' } as const;
const REQUEST: HttpFacts = {
  method: 'POST',
  path: '/things',
  valuesAt: () => [],
  documents: undefined,
  models: undefined,
  rows: undefined,
  returned: undefined,
};

interface Asked {
  readonly effects: readonly Effect[];
  readonly otherwise?: Otherwise;
  readonly rules?: readonly CompiledRule[];
  readonly isSql?: boolean;
}

function policyOf({ otherwise, rules = [] }: Asked): SessionPolicy {
  const allowance: Allowance = {
    access: 'team',
    version: 3,
    effects: effectsThatMay(['read']),
    overHttp: effectsThatMayOverHttp(['read']),
    otherwise,
  };
  return new SessionPolicy(rules, allowance, CALLER, [breakGlassRule('night', {})]);
}

function decide(asked: Asked): Decision {
  const found = asked.effects.map((effect) => ({ effect, from: 0, to: 9, object: undefined }));
  const http = asked.isSql === true ? {} : { http: REQUEST, undoable: false };
  return policyOf(asked).decide(text(statement({ effects: found, ...http })), 0);
}

describe('a request that nothing lets through', () => {
  it('is blocked by the Access resource where its connection says nothing', () => {
    const { kind, causes } = decide({ effects: ['unknown'] });
    expect(kind).toBe('block');
    expect(causes).toMatchObject([{ rule: 'access:team', version: 3, what: 'nothing allows unknown' }]);
  });

  it('is held by the name of its connection, with the terms that stand there', () => {
    const { kind, causes, holds } = decide({ effects: ['read', 'insert', 'unknown'], otherwise: HELD });
    expect(kind).toBe('hold');
    expect(causes).toMatchObject([
      { rule: 'connection:store', version: 7, verdict: 'hold', what: 'nothing allows insert' },
      { rule: 'connection:store', version: 7, verdict: 'hold', what: 'nothing allows unknown' },
    ]);
    expect(holds).toHaveLength(1);
    expect(holds[0]).toMatchObject({ name: 'connection:store', hold: { ...TERMS, inTransaction: 'refuse' } });
  });

  it('says once what would have somebody asked, where it stays blocked', () => {
    const { kind, causes, holds } = decide({ effects: ['insert', 'unknown'], otherwise: BLOCKED });
    expect([kind, holds]).toEqual(['block', []]);
    expect(causes.map(({ what }) => what)).toEqual([
      'nothing allows insert',
      'nothing allows unknown: nobody is named',
    ]);
  });

  it('is none where a rule lets it through, or lets others agree to it', () => {
    const allows = rule('fine', { effects: ['unknown'] }, 'allow');
    expect(decide({ effects: ['unknown'], otherwise: HELD, rules: [allows] })).toMatchObject({
      kind: 'allow',
      holds: [],
    });
    const holds = rule('asks', { effects: ['unknown'] }, 'hold');
    expect(decide({ effects: ['unknown'], otherwise: HELD, rules: [holds] }).holds).toEqual([holds]);
    // A rule about one effect leaves the other to the connection: both are asked.
    const both = decide({ effects: ['unknown', 'insert'], otherwise: HELD, rules: [holds] });
    expect(both.holds.map(({ name }) => name).toSorted()).toEqual(['asks', 'connection:store']);
  });

  it('is blocked where a rule blocks it', () => {
    const blocks = rule('never', { effects: ['unknown'] }, 'block');
    const { kind, holds, causes } = decide({ effects: ['unknown'], otherwise: HELD, rules: [blocks] });
    expect([kind, holds]).toEqual(['block', []]);
    expect(causes.map((cause) => cause.rule)).toEqual(['never']);
  });

  it('lets what is read pass without anybody being asked', () => {
    expect(decide({ effects: ['read'], otherwise: HELD }).kind).toBe('allow');
  });

  it('is opened in an emergency as what a Rule holds, unless it says never', () => {
    const decision = decide({ effects: ['unknown'], otherwise: HELD });
    const [held] = decision.holds;
    expect(held === undefined ? [] : openersOf(decision, held)).toHaveLength(1);
    const never: Otherwise = {
      kind: 'hold',
      rule: otherwiseRule('store', 7, { ...TERMS, breakGlass: 'never' }),
    };
    const closed = decide({ effects: ['unknown'], otherwise: never });
    const [shut] = closed.holds;
    expect(shut === undefined ? undefined : openersOf(closed, shut)).toEqual([]);
  });

  it('is about requests, and about no statement of SQL', () => {
    const { kind, causes } = decide({ effects: ['insert'], otherwise: HELD, isSql: true });
    expect([kind, causes[0]?.rule]).toEqual(['block', 'access:team']);
  });
});

it('takes durations that are some', () => {
  expect(() => checkOtherwise(TERMS)).not.toThrow();
  expect(() => checkOtherwise({ ...TERMS, expires: 'soon' })).toThrow(PatternProblem);
  expect(() => checkOtherwise({ ...TERMS, within: '3 days' })).toThrow(/otherwise\.hold\.within/);
});
