/** Which rules count what a statement returns. */

import { describe, expect, it } from 'vitest';
import type { FoundEffect, StatementFacts } from '../core/effects.ts';
import { SessionPolicy } from './decide.ts';
import { effectsThatMay } from './effect-classes.ts';
import { PatternProblem } from './patterns.ts';
import type { When } from './rule.ts';
import { rule, statement, text } from './testing-facts.ts';

function effect(name: FoundEffect['effect'], object?: string): FoundEffect {
  return { effect: name, from: 0, to: 6, object };
}

const DOCUMENTS = { schema: undefined, name: 'documents' };
const READ = statement({ effects: [effect('read', 'documents')], reads: [DOCUMENTS] });
const OTHER = statement({
  effects: [effect('read', 'other')],
  reads: [{ schema: undefined, name: 'other' }],
});
const COPY = statement({
  node: 'CopyStmt',
  effects: [effect('export', 'documents'), effect('read', 'documents')],
  reads: [DOCUMENTS],
});
const FETCH = statement({ node: 'FetchStmt', effects: [effect('cursor', 'c')] });

function decide(when: When, facts: readonly StatementFacts[], declared?: StatementFacts) {
  const allowance = {
    access: 'team',
    version: 1,
    effects: effectsThatMay(['read', 'write', 'export', 'run', 'unknown']),
  };
  const caller = { kind: 'user', address: '10.0.0.1', client: 'psql' } as const;
  const policy = new SessionPolicy([rule('few', when)], allowance, caller);
  return policy.decide(
    text(...facts),
    0,
    () => undefined,
    (name) => (name === 'c' ? declared : undefined),
  );
}

const FEW: When = { reads: ['documents'], returned: '> 10' };

describe('a rule on rows that are returned', () => {
  it.each<readonly [string, When, readonly StatementFacts[], StatementFacts | undefined, boolean]>([
    ['a query of the table', FEW, [READ], undefined, true],
    ['a query of another table', FEW, [OTHER], undefined, false],
    ['any query, where it names no table', { returned: '> 10' }, [OTHER], undefined, true],
    ['a COPY', FEW, [COPY], undefined, true],
    ['a COPY, where it is about export', { ...FEW, effects: ['export'] }, [COPY], undefined, true],
    ['a COPY, where it is about read', { ...FEW, effects: ['read'] }, [COPY], undefined, false],
    ['a query, where it is about export', { ...FEW, effects: ['export'] }, [READ], undefined, false],
    ['the second statement of a text', FEW, [OTHER, READ], undefined, true],
    ['a cursor that nobody knows', FEW, [FETCH], undefined, true],
    ['a cursor on the table', FEW, [FETCH], READ, true],
    ['a cursor on another table', FEW, [FETCH], OTHER, false],
    [
      'a cursor that the same text declares',
      FEW,
      [{ ...OTHER, node: 'DeclareCursorStmt', effects: [...OTHER.effects, effect('cursor', 'c')] }, FETCH],
      undefined,
      false,
    ],
    [
      'a cursor that the same text declares under another name',
      FEW,
      [{ ...OTHER, node: 'DeclareCursorStmt', effects: [...OTHER.effects, effect('cursor', 'd')] }, FETCH],
      undefined,
      true,
    ],
    ['a cursor of a function', FEW, [FETCH], statement({ effects: [effect('function-unknown', 'f')] }), true],
    [
      'a function of nobody knows whom',
      FEW,
      [statement({ effects: [effect('function-unknown', 'f')] })],
      undefined,
      true,
    ],
    [
      'what nobody understands',
      FEW,
      [statement({ node: 'OddStmt', effects: [effect('unknown')] })],
      undefined,
      true,
    ],
    [
      'EXECUTE of a name that nobody knows',
      FEW,
      [
        statement({
          node: 'ExecuteStmt',
          effects: [effect('execute')],
          prepared: { verb: 'execute', name: 'x' },
        }),
      ],
      undefined,
      true,
    ],
    [
      'a block, which returns no rows',
      FEW,
      [statement({ node: 'DoStmt', effects: [effect('code')] })],
      undefined,
      false,
    ],
    [
      'BEGIN',
      FEW,
      [statement({ node: 'TransactionStmt', effects: [effect('transaction')] })],
      undefined,
      false,
    ],
  ])('counts %s', (_, when, facts, declared, counts) => {
    const decision = decide(when, facts, declared);
    expect(decision.returned.map(({ name }) => name)).toEqual(counts ? ['few'] : []);
  });

  it('stops nothing before it runs, and counts nothing that is written', () => {
    const writing = statement({
      node: 'InsertStmt',
      effects: [effect('insert', 'documents'), effect('read', 'documents')],
      reads: [DOCUMENTS],
      writes: [{ ...DOCUMENTS, verb: 'insert', columns: 'all' }],
    });
    expect(decide(FEW, [READ, COPY])).toMatchObject({
      kind: 'allow',
      causes: [],
      counted: [],
      onlyReads: true,
    });
    expect(decide(FEW, [writing])).toMatchObject({ kind: 'allow', counted: [], onlyReads: false });
  });

  it('lets nothing through that nothing else does', () => {
    const policy = new SessionPolicy(
      [rule('few', { effects: ['export'], returned: '> 10' }, 'hold')],
      { access: 'team', version: 1, effects: effectsThatMay(['read']) },
      { kind: 'user', address: '10.0.0.1', client: 'psql' },
    );
    expect(policy.decide(text(COPY), 0)).toMatchObject({ kind: 'block', holds: [] });
  });

  it('is decided again where a cursor of that name may be another one', () => {
    const read = text(FETCH);
    const caller = { kind: 'user', address: '10.0.0.1', client: 'psql' } as const;
    const allowance = { access: 'team', version: 1, effects: effectsThatMay(['read']) };
    const policy = new SessionPolicy([rule('few', FEW)], allowance, caller);
    const known = (of: StatementFacts) =>
      policy.decide(
        read,
        0,
        () => undefined,
        () => of,
      ).returned.length;
    expect([known(OTHER), known(READ), known(OTHER)]).toEqual([0, 1, 0]);
  });

  it.each<readonly [When, 'allow' | 'block', string]>([
    [{ returned: '> 10', writes: ['documents'] }, 'block', 'goes with reads'],
    [{ returned: '> 10', rows: '> 10', writes: ['documents'] }, 'block', 'goes with'],
    [{ returned: '> 10', functions: ['f'] }, 'block', 'goes with reads'],
    [{ returned: '> 10', effects: ['update'] }, 'block', 'goes with reads'],
    [{ returned: '> 10', effects: ['read', 'unknown'] }, 'block', 'goes with reads'],
    [{ returned: '> 10', reads: ['documents'] }, 'allow', 'cannot allow'],
    [{ returned: '10' }, 'block', 'when.returned: expected a bound'],
    [{ returned: '>= 0' }, 'block', 'when.returned: expected a bound'],
  ])('is refused as %j then %s', (when, consequence, says) => {
    expect(() => rule('few', when, consequence)).toThrow(PatternProblem);
    expect(() => rule('few', when, consequence)).toThrow(says);
  });
});
