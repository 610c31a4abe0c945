/** A guess only ever stops: without one, what blocks or holds applies, and what allows does not. */

import { describe, expect, it } from 'vitest';
import type { FoundEffect, StatementFacts } from '../core/effects.ts';
import { type Decision, SessionPolicy } from './decide.ts';
import { effectsThatMay } from './effect-classes.ts';
import { PatternProblem } from './patterns.ts';
import type { CompiledRule, When } from './rule.ts';
import { rule, statement, text } from './testing-facts.ts';

function effect(name: FoundEffect['effect'], object?: string): FoundEffect {
  return { effect: name, from: 0, to: 6, object };
}

const SCORES = { schema: undefined, name: 'scores' };
const UPDATE = statement({
  node: 'UpdateStmt',
  effects: [effect('update', 'scores')],
  writes: [{ ...SCORES, verb: 'update', columns: 'all' }],
});
const READ = statement({ effects: [effect('read', 'scores')], reads: [SCORES] });
const NOTHING = statement({ effects: [effect('transaction')], node: 'TransactionStmt' });

function decide(
  rules: readonly CompiledRule[],
  facts: readonly StatementFacts[],
  estimate?: number,
  may: readonly string[] = ['read', 'write'],
): Decision {
  const allowance = { access: 'team', version: 1, effects: effectsThatMay(may) };
  const caller = { kind: 'user', address: '10.0.0.1', client: 'psql' } as const;
  return new SessionPolicy(rules, allowance, caller).decide(
    text(...facts),
    0,
    () => undefined,
    () => undefined,
    estimate,
  );
}

const MANY: When = { writes: ['scores'], estimated: '>= 100' };

describe('a rule on rows that are estimated', () => {
  it.each<readonly [string, number | undefined, Decision['kind']]>([
    ['no guess', undefined, 'block'],
    ['one too many', 100, 'block'],
    ['as many as may be', 99, 'allow'],
    ['none', 0, 'allow'],
  ])('%s', (_, estimate, kind) => {
    const decision = decide([rule('many', MANY)], [UPDATE], estimate);
    expect(decision.kind).toBe(kind);
    // It is no rule on what is written, which is counted.
    expect(decision.counted).toEqual([]);
  });

  it('holds, and says why', () => {
    const held = decide([rule('many', MANY, 'hold')], [UPDATE], 120);
    expect([held.kind, held.holds.map(({ name }) => name)]).toEqual(['hold', ['many']]);
    expect(held.causes.map(({ what }) => what)).toEqual([
      'update on scores, and the target estimates 120 rows, where up to 99 are not held up by it',
    ]);
    const unknown = decide([rule('many', MANY, 'hold')], [UPDATE]);
    expect(unknown.causes.map(({ what }) => what)).toEqual([
      'update on scores, and nobody can tell how many rows (no estimate)',
    ]);
  });

  it('lets through what nothing else allows only where somebody has to agree to it', () => {
    const held = rule('many', MANY, 'hold');
    expect(decide([held], [UPDATE], 120, ['read']).kind).toBe('hold');
    expect(decide([held], [UPDATE], 20, ['read']).kind).toBe('block');
  });

  it('allows nothing without a guess', () => {
    const allowing = rule('bulk-only', MANY, 'allow');
    expect(decide([allowing], [UPDATE], undefined, ['read']).kind).toBe('block');
    expect(decide([allowing], [UPDATE], 99, ['read']).kind).toBe('block');
    expect(decide([allowing], [UPDATE], 100, ['read']).kind).toBe('allow');
  });

  it('is asked about only where that makes a difference', () => {
    const many = rule('many', MANY);
    const asks = (rules: readonly CompiledRule[], facts: readonly StatementFacts[]): readonly string[] =>
      decide(rules, facts).estimated.map(({ name }) => name);
    expect(asks([many], [UPDATE])).toEqual(['many']);
    expect(asks([many], [READ])).toEqual([]);
    expect(asks([many], [NOTHING])).toEqual([]);
    expect(asks([rule('reads', { reads: ['scores'], estimated: '> 5' }), many], [READ])).toEqual(['reads']);
    expect(asks([many, rule('never', { writes: ['scores'] })], [UPDATE])).toEqual([]);
    expect(asks([rule('a', MANY, 'allow'), rule('never', { writes: ['scores'] })], [UPDATE])).toEqual(['a']);
    expect(decide([many], [UPDATE], 5).estimated).toEqual([]);
  });

  it('is no decision that holds for the next time', () => {
    const policy = new SessionPolicy(
      [rule('many', MANY)],
      { access: 'team', version: 1, effects: effectsThatMay(['write']) },
      { kind: 'user', address: '10.0.0.1', client: 'psql' },
    );
    expect(policy.dependsOnServer).toBe(true);
    const read = text(UPDATE);
    const kinds = [undefined, 5, 500, undefined, 5].map(
      (estimate) => policy.decide(read, 0, undefined, undefined, estimate).kind,
    );
    expect(kinds).toEqual(['block', 'allow', 'block', 'block', 'allow']);
  });

  it.each<readonly [string, When]>([
    ['nothing that has rows', { estimated: '> 5' }],
    ['effects without rows', { effects: ['drop'], estimated: '> 5' }],
    ['rows that are counted', { writes: ['scores'], rows: '> 5', estimated: '> 5' }],
    ['rows that are returned', { reads: ['scores'], returned: '> 5', estimated: '> 5' }],
    ['functions', { functions: ['f'], estimated: '> 5' }],
    ['no bound', { writes: ['scores'], estimated: 'many' }],
  ])('is refused with %s', (_, when) => {
    expect(() => rule('wrong', when)).toThrow(PatternProblem);
  });
});
