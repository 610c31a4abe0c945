import { describe, expect, it } from 'vitest';
import type { Effect, FoundEffect, ReadText } from '../core/effects.ts';
import { type Caller, type Decision, SessionPolicy } from './decide.ts';
import { effectsThatMay } from './effect-classes.ts';
import type { CompiledRule } from './rule.ts';
import { breakGlassRule, rule, statement, text } from './testing-facts.ts';

const NOW = Date.parse('2026-11-27T12:00:00Z') * 1000;
const HOUR = 3_600_000_000;
const CALLER: Caller = { kind: 'user', address: '10.0.0.5', client: 'psql' };
const DROP = text(statement({ node: 'DropStmt', effects: [found('drop')] }));

function found(effect: Effect): FoundEffect {
  return { effect, object: 'rr.documents', from: 0, to: 4 };
}

function session(
  mfaUs: number | undefined,
  rules: readonly CompiledRule[],
  may?: readonly string[],
): SessionPolicy {
  const allowance = { access: 'team', version: 1, effects: effectsThatMay(may) };
  return new SessionPolicy(rules, allowance, { ...CALLER, mfaUs });
}

function decide(
  mfaUs: number | undefined,
  rules: readonly CompiledRule[],
  may?: readonly string[],
): Decision {
  return session(mfaUs, rules, may).decide(DROP, NOW);
}

const UNPROVED = rule('unproved', { effects: ['drop'], mfa: { notWithin: '8h' } });
const PROVED = rule('proved', { effects: ['drop'], mfa: { within: '8h' } }, 'allow');
const ASKED = rule('asked', { effects: ['drop'], mfa: { within: '8h' } }, 'hold');

describe('a rule on the second factor', () => {
  it.each([
    ['none', undefined, 'block'],
    ['one of just now', NOW, 'allow'],
    ['one of eight hours ago, to the microsecond', NOW - 8 * HOUR, 'allow'],
    ['one that is a microsecond older', NOW - 8 * HOUR - 1, 'block'],
    ['one of the future, as after a clock that went back', NOW + 1, 'block'],
    ['one of before 1970', -1, 'block'],
    ['no number', Number.NaN, 'block'],
  ] as const)(
    'where there is %s: notWithin stops, and within lets through the opposite',
    (_, mfaUs, expected) => {
      expect(decide(mfaUs, [UNPROVED]).kind).toBe(expected);
      expect(decide(mfaUs, [PROVED], ['read']).kind).toBe(expected);
      expect(decide(mfaUs, [ASKED], ['read']).kind).toBe(expected === 'allow' ? 'hold' : 'block');
    },
  );

  it('is decided on anew while the session goes on', () => {
    const policy = session(NOW - 7 * HOUR, [UNPROVED]);
    expect(policy.decide(DROP, NOW).kind).toBe('allow');
    expect(policy.decide(DROP, NOW + 2 * HOUR).kind).toBe('block');
    // The clock went back: what had become too old is young again, and nothing of before is kept.
    expect(policy.decide(DROP, NOW).kind).toBe('allow');
  });

  it('costs a look-up where the session has no second factor: that does not change', () => {
    const policy = session(undefined, [UNPROVED]);
    expect(policy.decide(DROP, NOW)).toBe(policy.decide(DROP, NOW + HOUR));
  });

  it('says so, and what to do', () => {
    expect(decide(undefined, [UNPROVED]).causes[0]?.what).toBe(
      'drop of rr.documents, without a second factor of the last 8h (log in with one, and use a token of that login)',
    );
    expect(decide(NOW, [ASKED]).causes[0]?.what).toBe(
      'drop of rr.documents, with a second factor of the last 8h',
    );
  });

  it('has its say about what nobody could read, and about rows', () => {
    const unread: ReadText = { kind: 'uninspectable', reason: 'too long' };
    const all = rule('all', { mfa: { notWithin: '8h' } });
    const policy = (mfaUs: number | undefined): SessionPolicy => session(mfaUs, [all], ['unknown']);
    expect(policy(undefined).decide(unread, NOW).kind).toBe('block');
    expect(policy(NOW).decide(unread, NOW).kind).toBe('allow');
    const rows = rule('rows', { writes: ['scores'], rows: '>= 10', mfa: { notWithin: '8h' } });
    const update = text(
      statement({
        effects: [found('update')],
        writes: [{ schema: undefined, name: 'scores', verb: 'update', columns: 'all' }],
      }),
    );
    expect(session(undefined, [rows]).decide(update, NOW).counted).toEqual([rows]);
    expect(session(NOW, [rows]).decide(update, NOW).counted).toEqual([]);
  });

  it.each([
    ['no duration', { within: 'soon' }, /when\.mfa: expected a duration/],
    ['nothing', { within: '' }, /expected a duration/],
    ['more than a month', { notWithin: '31d' }, /at most 30d/],
  ])('is refused with %s', (_, mfa, problem) => {
    expect(() => rule('r', { effects: ['drop'], mfa })).toThrow(problem);
  });

  it('has no place in a rule that breaks the glass', () => {
    expect(() => breakGlassRule('r', { mfa: { within: '8h' } })).toThrow(/when\.mfa has no place/);
  });
});
