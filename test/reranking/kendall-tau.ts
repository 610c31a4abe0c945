/**
 * How far two orders of the same things agree: Kendall's τ, and how much of their beginnings is the same.
 *
 * Kendall, "A New Measure of Rank Correlation" (1938): of all pairs, those that stand in the same order in both,
 * less those that do not, as a share of all. 1: the same order; −1: the reverse. Both orders are without ties.
 */

/** τ of two orders; pairs that changed sides are counted by merging, in n log n. */
export function kendallTau<T>(one: readonly T[], other: readonly T[]): number {
  const places = new Map(other.map((thing, place) => [thing, place]));
  if (one.length !== other.length || places.size !== other.length || new Set(one).size !== one.length) {
    throw new RangeError('Expected two orders of the same things, each thing once.');
  }
  const order = one.map((thing) => {
    const place = places.get(thing);
    if (place === undefined) throw new RangeError('Expected the same things in both orders.');
    return place;
  });
  const pairs = (order.length * (order.length - 1)) / 2;
  return pairs === 0 ? 1 : 1 - (2 * inversions(order).count) / pairs;
}

/** The share of the first `count` of one order that are among the first `count` of the other. */
export function overlapAt<T>(count: number, one: readonly T[], other: readonly T[]): number {
  const first = new Set(other.slice(0, count));
  const among = one.slice(0, count);
  return among.length === 0 ? 1 : among.filter((thing) => first.has(thing)).length / among.length;
}

function inversions(order: readonly number[]): {
  readonly sorted: readonly number[];
  readonly count: number;
} {
  if (order.length < 2) return { sorted: order, count: 0 };
  const middle = order.length >> 1;
  const left = inversions(order.slice(0, middle));
  const right = inversions(order.slice(middle));
  const sorted: number[] = [];
  let count = left.count + right.count;
  for (let i = 0, j = 0; i < left.sorted.length || j < right.sorted.length; ) {
    const a = left.sorted[i] ?? Number.POSITIVE_INFINITY;
    const b = right.sorted[j] ?? Number.POSITIVE_INFINITY;
    if (a <= b) {
      sorted.push(a);
      i += 1;
    } else {
      sorted.push(b);
      j += 1;
      count += left.sorted.length - i;
    }
  }
  return { sorted, count };
}
