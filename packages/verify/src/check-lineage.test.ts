import type { Json } from '@countersign/ledger/jcs';
import type { Leaf } from '@countersign/ledger/leaf';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BOUNDS } from './bounds.ts';
import { LineageCheck } from './check-lineage.ts';

function leaf(n: number, type: string): Leaf {
  return {
    v: 1,
    log: 'example.org/log',
    n,
    t: '2026-01-01T00:00:00.000000Z',
    boot: 'bot_00000000000000000000000000',
    type,
    kind: 'user',
  };
}

/** A statement is leaf 3, a request leaf 5, a session begins at leaf 4; the call is leaf 9. */
function problemsOf(lineage: Json, count = 3): string {
  const check = new LineageCheck();
  for (const [n, type] of [
    [3, 'statement.intent'],
    [4, 'session.start'],
    [5, 'http.intent'],
  ] as const) {
    check.push(leaf(n, type));
  }
  const call = leaf(9, 'rerank.call');
  check.push(call);
  return check.problemsOf(call, { documents_count: count, lineage }).join('\n');
}

const source = (n: Json, ...documents: Json[]): Json => ({ leaf: n, documents });

describe('the lineage of a rerank call', () => {
  it('is of its documents, each once, and of Operations that came before', () => {
    expect(problemsOf({ of: 3, matched: 2, sources: [source(3, 0), source(5, 2)] })).toBe('');
    expect(problemsOf({ of: 3, matched: 0, sources: [] })).toBe('');
    expect(new LineageCheck().problemsOf(leaf(9, 'rerank.call'), {})).toEqual([]);
    expect(new LineageCheck().problemsOf(leaf(9, 'http.intent'), { lineage: 1 })).toEqual([]);
  });

  it.each<[string, Json, RegExp]>([
    ['something else', 'all', /is no object/],
    ['other documents', { of: 4, matched: 0, sources: [] }, /another number of documents/],
    ['more matches than it names', { of: 3, matched: 2, sources: [source(3, 0)] }, /number of matches/],
    ['no matches that it says', { of: 3, sources: [source(3, 0)] }, /number of matches/],
    ['a leaf that follows', { of: 3, matched: 1, sources: [source(10, 0)] }, /not before it/],
    ['itself', { of: 3, matched: 1, sources: [source(9, 0)] }, /not before it/],
    ['a leaf that retrieved nothing', { of: 3, matched: 1, sources: [source(4, 0)] }, /retrieved nothing/],
    ['a leaf below all', { of: 3, matched: 1, sources: [source(-1, 0)] }, /not before it/],
    ['no leaf', { of: 3, matched: 1, sources: [0] }, /not before it/],
    ['a leaf for nothing', { of: 3, matched: 0, sources: [source(3)] }, /no document of leaf 3/],
    ['a document beyond', { of: 3, matched: 1, sources: [source(3, 3)] }, /has 3, which is no document/],
    ['a document twice', { of: 3, matched: 2, sources: [source(3, 0), source(5, 0)] }, /already/],
  ])('is refused where it is of %s', (_, lineage, problem) => {
    expect(problemsOf(lineage)).toMatch(problem);
  });

  it('may name what is longer ago than Operations are kept', () => {
    const check = new LineageCheck();
    for (let n = 10; n <= BOUNDS.lineageIntentsMax + 10; n += 1) check.push(leaf(n, 'http.intent'));
    const call = leaf(BOUNDS.lineageIntentsMax + 20, 'rerank.call');
    const of = (n: number): readonly string[] =>
      check.problemsOf(call, { documents_count: 1, lineage: { of: 1, matched: 1, sources: [source(n, 0)] } });
    expect([of(9), of(10), of(11)]).toEqual([[], [], []]);
    expect(of(BOUNDS.lineageIntentsMax + 11)).toHaveLength(1);
  });

  it('never throws, whatever it is', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.nat(4), (lineage, count) => {
        expect(typeof problemsOf(lineage as Json, count)).toBe('string');
      }),
    );
  });
});
