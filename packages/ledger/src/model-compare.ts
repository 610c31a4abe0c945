/**
 * Whether a model answers as it did: spec/events.md, "Models that are looked at".
 *
 * An identity is compared by its digest. Of a canary, order and scores are compared as the bytes that came, and then as
 * numbers within a tolerance, because the same model on the same machine gives scores that differ in their last digits
 * where its arithmetic is split otherwise. Untrusted: everything.
 */

import { toHex, utf8 } from './bytes.ts';
import { type Json, jcs } from './jcs.ts';
import { sha256 } from './sha256.ts';

/** A larger tolerance is taken for this one: beyond it, another model is no finding any more. */
export const TOLERANCE_MAX = 0.05;
/** A service that is told to change its model may answer with the one before for so long, seconds. */
export const SETTLE_SECONDS = 900;

/** What a canary was answered: places of the documents from the first to the last, and the bytes of their scores. */
export interface CanaryAnswer {
  readonly order: readonly number[];
  readonly scores: readonly string[];
}

/**
 * `exact`: the same bytes in the same order. `noise`: each score within the tolerance, and nothing in another order but
 * what is as good as equal. `different`: anything else.
 */
export type Likeness = 'exact' | 'noise' | 'different';

const SCORE = /^"?(-?[0-9]{1,40}(?:\.[0-9]{1,60})?(?:[eE][+-]?[0-9]{1,3})?)"?$/;

/** Digest of what a service says of its model. */
export function identityDigest(identity: Json): string {
  return toHex(sha256(utf8(jcs(identity))));
}

/** Digest of order and scores, as the bytes that came. */
export function fingerprintOf({ order, scores }: CanaryAnswer): string {
  return toHex(sha256(utf8(jcs(order.map((place, rank) => [place, scores[rank] ?? ''])))));
}

/** @param tolerance relative where scores are above 1, absolute below; what is no number between 0 and the most is 0 or that */
export function likenessOf(before: CanaryAnswer, after: CanaryAnswer, tolerance: number): Likeness {
  if (fingerprintOf(before) === fingerprintOf(after)) return 'exact';
  const allowed = tolerance >= 0 ? Math.min(tolerance, TOLERANCE_MAX) : 0;
  const was = scoresByPlace(before);
  const is = scoresByPlace(after);
  if (was === undefined || is === undefined || was.size !== is.size) return 'different';
  for (const [place, score] of was) {
    const now = is.get(place);
    if (now === undefined || !isWithin(score, now, allowed)) return 'different';
  }
  return isAlikeOrder(before.order, after.order, was, allowed) ? 'noise' : 'different';
}

/** Undefined where a place stands twice, or a score is no number: then bytes alone say whether it is the same. */
function scoresByPlace({ order, scores }: CanaryAnswer): ReadonlyMap<number, number> | undefined {
  const found = new Map<number, number>();
  for (const [rank, place] of order.entries()) {
    const [, digits] = SCORE.exec(scores[rank] ?? '') ?? [];
    const score = Number(digits);
    if (digits === undefined || !Number.isFinite(score) || found.has(place)) return undefined;
    found.set(place, score);
  }
  return scores.length === order.length ? found : undefined;
}

function isWithin(a: number, b: number, tolerance: number): boolean {
  return Math.abs(a - b) <= tolerance * Math.max(1, Math.abs(a), Math.abs(b));
}

/** Two documents may change places where each of them may have moved by the tolerance. */
function isAlikeOrder(
  before: readonly number[],
  after: readonly number[],
  scores: ReadonlyMap<number, number>,
  tolerance: number,
): boolean {
  const rankAfter = new Map(after.map((place, rank) => [place, rank]));
  return before.every((first, rank) =>
    before.slice(rank + 1).every((second) => {
      if ((rankAfter.get(first) ?? 0) < (rankAfter.get(second) ?? 0)) return true;
      return isWithin(scores.get(first) ?? 0, scores.get(second) ?? 0, 2 * tolerance);
    }),
  );
}
