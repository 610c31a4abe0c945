import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type CanaryAnswer,
  fingerprintOf,
  identityDigest,
  likenessOf,
  TOLERANCE_MAX,
} from './model-compare.ts';

const BEFORE: CanaryAnswer = { order: [2, 0, 1], scores: ['0.90', '0.5', '1.0e-3'] };

function after(order: readonly number[], ...scores: readonly string[]): CanaryAnswer {
  return { order, scores };
}

describe('two answers to one question', () => {
  it.each<[string, CanaryAnswer, number, string]>([
    ['the same bytes', after([2, 0, 1], '0.90', '0.5', '1.0e-3'), 0, 'exact'],
    ['the same numbers in other bytes', after([2, 0, 1], '0.9', '0.50', '0.001'), 0, 'noise'],
    ['numbers as texts', after([2, 0, 1], '"0.9"', '"0.5"', '"0.001"'), 0, 'noise'],
    ['a last digit that differs', after([2, 0, 1], '0.9004', '0.5', '0.001'), 0.001, 'noise'],
    ['a last digit that differs, where none may', after([2, 0, 1], '0.9004', '0.5', '0.001'), 0, 'different'],
    ['one score beyond the tolerance', after([2, 0, 1], '0.9', '0.5', '0.0021'), 0.001, 'different'],
    ['the same scores for other documents', after([0, 2, 1], '0.90', '0.5', '1.0e-3'), 0.001, 'different'],
    ['the same scores in another order', after([0, 2, 1], '0.5', '0.90', '1.0e-3'), 0.001, 'different'],
    ['one result less', after([2, 0], '0.90', '0.5'), 0.05, 'different'],
    ['another document', after([2, 0, 3], '0.90', '0.5', '1.0e-3'), 0.05, 'different'],
    ['a document twice', after([2, 0, 0], '0.90', '0.5', '1.0e-3'), 0.05, 'different'],
    ['no numbers', after([2, 0, 1], '"high"', '"mid"', '"low"'), 0.05, 'different'],
    ['more than any number', after([2, 0, 1], '0.90', '0.5', '1e999'), 0.05, 'different'],
    ['fewer scores than documents', after([2, 0, 1], '0.90', '0.5'), 0.05, 'different'],
  ])('%s', (_, now, tolerance, likeness) => {
    expect(likenessOf(BEFORE, now, tolerance)).toBe(likeness);
    expect(likenessOf(now, BEFORE, tolerance)).toBe(likeness);
  });

  it('may change the places of what is as good as equal, and of nothing else', () => {
    const close = after([0, 1, 2], '0.8010', '0.8000', '0.1');
    expect(likenessOf(close, after([1, 0, 2], '0.8008', '0.8002', '0.1'), 0.001)).toBe('noise');
    expect(likenessOf(close, after([1, 0, 2], '0.8008', '0.8002', '0.1'), 0.0001)).toBe('different');
    // Scores as before, and an order that they do not explain.
    expect(likenessOf(close, after([2, 0, 1], '0.1', '0.801', '0.8'), 0.001)).toBe('different');
  });

  it('is looser where scores are large, because noise is of digits', () => {
    expect(likenessOf(after([0], '9.5'), after([0], '9.5094'), 0.001)).toBe('noise');
    expect(likenessOf(after([0], '9.5'), after([0], '9.5096'), 0.001)).toBe('different');
    expect(likenessOf(after([0], '-9.5'), after([0], '-9.5094'), 0.001)).toBe('noise');
  });

  it('takes no tolerance beyond the most, and none that is no number', () => {
    const one = after([0], '0.5');
    for (const tolerance of [1, 1e9, Number.POSITIVE_INFINITY]) {
      expect(likenessOf(one, after([0], String(0.5 + TOLERANCE_MAX - 0.001)), tolerance)).toBe('noise');
      expect(likenessOf(one, after([0], String(0.5 + TOLERANCE_MAX + 0.001)), tolerance)).toBe('different');
    }
    for (const tolerance of [-1, Number.NaN]) {
      expect(likenessOf(one, after([0], '0.5001'), tolerance)).toBe('different');
    }
  });

  it('is exact of itself, the same both ways, and never another for a larger tolerance', () => {
    const score = fc.oneof(fc.double({ noNaN: true }).map(String), fc.string({ maxLength: 8 }));
    const answer = fc
      .uniqueArray(fc.nat(9), { maxLength: 6 })
      .chain((order) => fc.record({ order: fc.constant(order), scores: fc.array(score, { maxLength: 6 }) }));
    const rank = { exact: 0, noise: 1, different: 2 };
    fc.assert(
      fc.property(answer, answer, fc.double({ min: 0, max: 0.05, noNaN: true }), (one, other, tolerance) => {
        expect(likenessOf(one, one, 0)).toBe('exact');
        const strict = likenessOf(one, other, 0);
        expect(rank[likenessOf(one, other, tolerance)]).toBeLessThanOrEqual(rank[strict]);
        expect(strict === 'exact').toBe(fingerprintOf(one) === fingerprintOf(other));
      }),
    );
  });
});

describe('digests', () => {
  it('are of what was said, in whichever order its members came', () => {
    expect(identityDigest({ a: '1', b: '2' })).toBe(identityDigest({ b: '2', a: '1' }));
    expect(identityDigest({ a: '1' })).not.toBe(identityDigest({ a: '"1"' }));
    expect(fingerprintOf(BEFORE)).not.toBe(fingerprintOf(after([2, 0, 1], '0.9', '0.5', '1.0e-3')));
    expect(fingerprintOf(BEFORE)).not.toBe(fingerprintOf(after([0, 2, 1], '0.90', '0.5', '1.0e-3')));
    // [["0","1"]] and [["0",""],…] are not one text.
    expect(fingerprintOf(after([0, 1], 'a', ''))).not.toBe(fingerprintOf(after([0], 'a')));
  });
});
