/** The measure of what masking does to a ranking, against its definition. */

import { assert, array, constant, double, integer, property, tuple, uniqueArray } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { kendallTau, overlapAt } from './kendall-tau.ts';

/** The definition, pair by pair. */
function tauByPairs(one: readonly number[], other: readonly number[]): number {
  let agree = 0;
  let pairs = 0;
  for (const [i, a] of one.entries()) {
    for (const b of one.slice(i + 1)) {
      pairs += 1;
      agree += other.indexOf(a) < other.indexOf(b) ? 1 : -1;
    }
  }
  return pairs === 0 ? 1 : agree / pairs;
}

/** A set of things, and the same set in an order that has nothing to do with it. */
const TWO_ORDERS = uniqueArray(integer(), { maxLength: 40 }).chain((things) =>
  tuple(
    constant(things),
    array(double({ noNaN: true }), { minLength: things.length, maxLength: things.length }).map((keys) =>
      things
        .map((thing, index) => ({ thing, key: keys[index] ?? 0 }))
        .toSorted((a, b) => a.key - b.key)
        .map(({ thing }) => thing),
    ),
  ),
);

describe('Kendall’s τ', () => {
  it('is what the definition says, pair by pair', () => {
    assert(
      property(TWO_ORDERS, ([one, other]) => {
        expect(kendallTau(one, other)).toBeCloseTo(tauByPairs(one, other), 12);
      }),
    );
  });

  it('is the same from both sides, 1 of an order with itself and −1 with its reverse', () => {
    assert(
      property(TWO_ORDERS, ([one, other]) => {
        expect(kendallTau(one, other)).toBeCloseTo(kendallTau(other, one), 12);
        expect(kendallTau(one, one)).toBe(1);
        expect(kendallTau(one, one.toReversed())).toBe(one.length > 1 ? -1 : 1);
      }),
    );
  });

  it.each([
    [['a', 'b', 'c'], ['a', 'c', 'b'], 1 / 3],
    [['a', 'b', 'c'], ['c', 'a', 'b'], -1 / 3],
    [['a', 'b', 'c', 'd'], ['b', 'a', 'd', 'c'], 1 / 3],
    [['a'], ['a'], 1],
    [[], [], 1],
  ])('of %j and %j is %d', (one, other, tau) => {
    expect(kendallTau<string>(one, other)).toBeCloseTo(tau, 12);
  });

  it.each([
    ['one has more things', ['a', 'b'], ['a']],
    ['they are different things', ['a', 'b'], ['a', 'c']],
    ['one has a thing twice', ['a', 'a'], ['a', 'b']],
    ['the other has a thing twice', ['a', 'b'], ['a', 'a']],
  ])('is refused where %s', (_, one, other) => {
    expect(() => kendallTau(one, other)).toThrow(RangeError);
  });
});

describe('the overlap of beginnings', () => {
  it('counts what is in both, wherever it stands', () => {
    expect(overlapAt(2, ['a', 'b', 'c'], ['b', 'a', 'c'])).toBe(1);
    expect(overlapAt(2, ['a', 'b', 'c'], ['b', 'c', 'a'])).toBe(0.5);
    expect(overlapAt(1, ['a', 'b'], ['b', 'a'])).toBe(0);
    expect(overlapAt(10, ['a', 'b'], ['b', 'a'])).toBe(1);
    expect(overlapAt(10, [], [])).toBe(1);
  });
});
