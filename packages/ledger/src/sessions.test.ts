import { describe, expect, it } from 'vitest';
import type { Leaf } from './leaf.ts';
import { SessionCheck } from './sessions.ts';

const SESSION = 'ses_00000000000000000000000000';

/** Leaves by type, `ref` and `seq`; `seq` counts by itself, and index is position. */
function leaves(rows: readonly (readonly [type: string, more?: Partial<Leaf>])[]): Leaf[] {
  return rows.map(([type, more], n) => ({
    v: 1,
    log: 'example.org/log',
    n,
    t: '2026-01-01T00:00:00.000000Z',
    boot: 'bot_00000000000000000000000000',
    type,
    kind: 'user',
    session: SESSION,
    seq: n,
    ...more,
  }));
}

function problemsOf(rows: Parameters<typeof leaves>[0]): string {
  const check = new SessionCheck();
  return leaves(rows)
    .flatMap((leaf) => check.push(leaf).problems)
    .join('\n');
}

describe('a session', () => {
  it('is whole where each intent has its outcome, and one that is open may wait', () => {
    const check = new SessionCheck();
    const rows = leaves([
      ['session.start'],
      ['statement.intent'],
      ['exec.intent'],
      ['exec.outcome', { ref: 2 }],
      ['statement.outcome', { ref: 1 }],
      ['http.intent'],
      ['http.intent'],
      ['http.outcome', { ref: 6 }],
      ['http.outcome', { ref: 5 }],
      ['session.end'],
    ]);
    const findings = rows.map((leaf) => check.push(leaf));
    expect(findings.flatMap(({ problems }) => problems)).toEqual([]);
    expect(findings.at(-1)?.ended).toEqual({ statements: 1, requests: 2 });
    expect(check.openCount).toBe(0);
    expect(problemsOf([['session.start'], ['statement.intent']])).toBe('');
  });

  const wrong: readonly (readonly [string, Parameters<typeof leaves>[0], RegExp])[] = [
    [
      'an intent without an outcome at its end',
      [['session.start'], ['statement.intent'], ['session.end']],
      /leaf 1 \(statement.intent\) has no outcome, and its session ended at leaf 2/,
    ],
    [
      'two outcomes of one intent',
      [
        ['session.start'],
        ['statement.intent'],
        ['statement.outcome', { ref: 1 }],
        ['statement.outcome', { ref: 1 }],
      ],
      /leaf 3 .*: leaf 1 is no open intent/,
    ],
    [
      'an outcome of another kind',
      [['session.start'], ['exec.intent'], ['statement.outcome', { ref: 1 }]],
      /leaf 1 is no open intent/,
    ],
    ['an outcome of nothing', [['session.start'], ['statement.outcome']], /says not which intent/],
    ['an outcome of its own start', [['session.start'], ['statement.outcome', { ref: 0 }]], /no open intent/],
    ['leaves after its end', [['session.start'], ['session.end'], ['statement.intent']], /has ended/],
    ['no start', [['statement.intent']], /did not start/],
    ['two starts', [['session.start'], ['session.start', { seq: 0 }]], /starts again/],
    ['a start in the middle', [['session.start', { seq: 4 }]], /expected seq 0/],
    ['a gap', [['session.start'], ['statement.intent', { seq: 2 }]], /expected seq 1 .* got 2/],
  ];
  it.each(wrong)('is not whole with %s', (_, rows, says) => {
    expect(problemsOf(rows)).toMatch(says);
  });

  it('is there for each intent', () => {
    const [leaf] = leaves([['statement.intent']]);
    if (leaf === undefined) throw new Error('no leaf');
    const { session: _session, seq: _seq, ...outside } = leaf;
    expect(new SessionCheck().push(outside).problems.join('')).toMatch(/is of no session/);
  });
});
