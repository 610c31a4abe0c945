import { describe, expect, it } from 'vitest';
import { causeOfCount, type ObservedTable, overBound } from './observed.ts';
import type { StatementFacts } from '../core/effects.ts';
import { rule, statement } from './testing-facts.ts';

function table(name: string, inserted: number, updated: number, deleted: number): ObservedTable {
  return { schema: 'rr', name, inserted, updated, deleted };
}

function updates(name: string, isUnqualified: boolean): StatementFacts {
  const of = { from: 0, to: 6, object: name };
  return statement({
    effects: [
      { effect: 'update', ...of },
      ...(isUnqualified ? [{ effect: 'update-unqualified' as const, ...of }] : []),
    ],
    writes: [{ schema: undefined, name, verb: 'update', columns: ['boost'] }],
  });
}

describe('rows that the server counted', () => {
  it.each([
    ['within', [table('scores', 0, 99, 0)], 0],
    ['over', [table('scores', 0, 100, 0)], 1],
    ['over in sum', [table('scores', 40, 40, 40)], 1],
    ['another table', [table('other', 0, 5_000, 0)], 0],
    ['partitions by a pattern', [table('scores_1', 0, 60, 0), table('scores_2', 0, 60, 0)], 1],
    ['nothing', [], 0],
  ])('%s', (_, observed, expected) => {
    expect(overBound([rule('r', { writes: ['rr.scores*'], rows: '>= 100' })], observed)).toHaveLength(
      expected,
    );
  });

  it.each([
    ['delete', [table('log', 5, 5, 0)], 0],
    ['delete', [table('log', 0, 0, 1)], 1],
    ['update', [table('log', 0, 1, 0)], 1],
    ['insert', [table('log', 1, 0, 0)], 1],
    ['copy-in', [table('log', 1, 0, 0)], 1],
    ['merge', [table('log', 0, 0, 1)], 1],
  ])(
    'counts what %s is about, from the first row where the rule has no bound',
    (effect, observed, expected) => {
      expect(overBound([rule('r', { writes: ['log'], effects: [effect] })], observed)).toHaveLength(expected);
    },
  );

  it.each([
    ['drop', { name: 'pg_class', deleted: 1 }, 1],
    ['drop', { name: 'pg_class', inserted: 1 }, 0],
    ['create', { name: 'pg_class', inserted: 1 }, 1],
    ['truncate', { name: 'pg_class', updated: 1 }, 1],
    ['truncate', { name: 'pg_attribute', updated: 1 }, 0],
    ['alter-drop', { name: 'pg_attribute', updated: 1 }, 1],
    ['grant', { name: 'pg_auth_members', inserted: 1 }, 1],
    ['code', { name: 'pg_proc', inserted: 1 }, 1],
    ['read', { name: 'pg_class', deleted: 1 }, 0],
  ] as const)('see %s in the system’s own tables: %o', (effect, change, expected) => {
    const catalog = { ...table('pg_class', 0, 0, 0), schema: 'pg_catalog', ...change };
    const over = overBound([rule('r', { effects: [effect] })], [catalog]);
    expect(over).toHaveLength(expected);
    expect(over.map((one) => causeOfCount(one).what).every((what) => /definitions \(pg_/.test(what))).toBe(
      true,
    );
  });

  it.each<readonly [string, readonly StatementFacts[], number, boolean]>([
    ['one row without a condition', [updates('scores', true)], 1, true],
    ['one row beside another statement', [updates('log', false), updates('scores', true)], 1, true],
    ['no row', [updates('scores', true)], 0, false],
    ['99 rows with a condition', [updates('scores', false)], 99, false],
    ['100 rows with a condition', [updates('scores', false)], 100, true],
    ['99 rows where another table has none', [updates('log', true)], 99, false],
    ['99 rows of which nobody says what wrote them', [], 99, false],
  ])('hold from the first on where a rule says so of their statement: %s', (_, statements, rows, isOver) => {
    const when = { writes: ['scores'], rows: '>= 100', anyRows: ['update-unqualified', 'copy-in'] };
    const over = overBound([rule('r', when, 'hold')], [table('scores', 0, rows, 0)], statements);
    expect(over.map((one) => one.rows)).toEqual(isOver ? [rows] : []);
    const [first] = over;
    const said = first === undefined ? '' : causeOfCount(first).what;
    expect(said.includes('from one row on')).toBe(isOver && rows < 100);
  });

  it('hold from the first on what is written to a part of the table by its own name', () => {
    const when = { writes: ['scores'], rows: '>= 100', anyRows: ['update-unqualified'] };
    // Which of the names is whose, the server does not say.
    for (const [own, other] of [
      ['scores_1', 'scores'],
      ['scores', 'scores_1'],
    ] as const) {
      const part = { ...table(own, 0, 5, 0), partOf: [{ schema: 'rr', name: other }] };
      const over = (one: StatementFacts): number =>
        overBound([rule('r', when, 'hold')], [part], [one]).length;
      expect([over(updates('scores_1', true)), over(updates('scores_1', false))]).toEqual([1, 0]);
      expect(over(updates('log', true))).toBe(0);
    }
  });

  it('leaves the catalog to the rules about definitions', () => {
    const catalog = { ...table('pg_class', 5, 5, 5), schema: 'pg_catalog' };
    expect(overBound([rule('r', { effects: ['write'], rows: '>= 1' })], [catalog])).toEqual([]);
  });

  it('says how many rows, and how many are not held up', () => {
    const [over] = overBound([rule('r', { rows: '> 10' }, 'hold')], [table('a', 0, 11, 0)]);
    expect(over).toMatchObject({ rows: 11, allowed: 10 });
    expect(over === undefined ? '' : causeOfCount(over).what).toMatch(/^11 rows .*10/);
  });
});
