/**
 * Lexical ranking: BM25, and what stands near to each other, and the words of titles counted more.
 *
 * BM25: Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009), §3.4; the title
 * as a weighted field: §3.6. Proximity: neighbours in the query that are near in the passage, after Rasolofo and
 * Savoy, "Term Proximity Scoring" (2003). Rarity is counted over the passages of the call, which is all that a
 * reranker sees. Pure: the same input has the same scores.
 */

import type { Parameters } from './parameters.ts';
import { type Passage, wordsOf } from './words.ts';

export interface Ranked {
  /** Position of the passage in the call, from 0. */
  readonly index: number;
  /** In (0, 1). */
  readonly score: number;
  /** Of which `score` is the logistic function. */
  readonly logit: number;
}

export interface Ranking {
  /** Best first; of equals the one that came first. */
  readonly ranked: readonly Ranked[];
  readonly wordsCount: number;
}

/** More words than people ask with; beyond it a query would be a second document. */
const QUERY_WORDS_MAX = 2_048;
/** Keeps the logarithm of nothing finite. */
const NOTHING = 1e-6;
const DECIMALS = 1e9;

/** What a passage has of the query. */
interface Reading {
  /** Only the terms that occur. */
  readonly terms: ReadonlyMap<number, Occurrences>;
  readonly length: number;
  readonly words: number;
}

interface Occurrences {
  /** How often, with titles weighted. */
  count: number;
  /** Where in the title and the text, ascending. */
  readonly places: number[];
}

/** Ranks the passages of one call. `wordsMax` cuts each passage, as the call may ask for. */
export function rank(
  parameters: Parameters,
  query: string,
  passages: readonly Passage[],
  wordsMax: number = parameters.wordsMax,
): Ranking {
  const asked = wordsOf(query, QUERY_WORDS_MAX);
  const terms = new Map([...new Set(asked)].map((word, index) => [word, index]));
  const readings = passages.map((passage) => read(parameters, terms, passage, wordsMax));
  const rarity = rarities(readings, terms.size);
  const frequency = frequencies(asked, terms);
  const pairs = neighbours(asked, terms);
  const lengthMean = readings.reduce((sum, { length }) => sum + length, 0) / (readings.length || 1);

  const ranked = readings
    .map((reading, index) => {
      const raw =
        bm25(parameters, reading, rarity, frequency, lengthMean) +
        proximity(parameters, reading, rarity, pairs);
      return { index, raw };
    })
    .toSorted((a, b) => b.raw - a.raw || a.index - b.index)
    .map(({ index, raw }) => ({ index, ...squash(raw, parameters.pivot) }));
  return { ranked, wordsCount: readings.reduce((sum, { words }) => sum + words, asked.length) };
}

function read(
  parameters: Parameters,
  terms: ReadonlyMap<string, number>,
  passage: Passage,
  wordsMax: number,
): Reading {
  const title = wordsOf(passage.title, wordsMax);
  const text = wordsOf(passage.text, wordsMax - title.length);
  const found = new Map<number, Occurrences>();
  function take(words: readonly string[], weight: number, from: number): void {
    for (const [offset, word] of words.entries()) {
      const term = terms.get(word);
      if (term === undefined) continue;
      const occurrences = found.get(term) ?? { count: 0, places: [] };
      occurrences.count += weight;
      occurrences.places.push(from + offset);
      found.set(term, occurrences);
    }
  }
  take(title, parameters.titleWeight, 0);
  // The last word of a title is not near to the first one of the text.
  take(text, 1, title.length + parameters.proximity.window);
  return {
    // In the order of the question: a sum does not depend on where in the passage a word stands.
    terms: new Map([...found].toSorted(([a], [b]) => a - b)),
    length: title.length * parameters.titleWeight + text.length,
    words: title.length + text.length,
  };
}

/** By term: high where few passages have it, and never below 0. */
function rarities(readings: readonly Reading[], terms: number): readonly number[] {
  const having = Array.from({ length: terms }, () => 0);
  for (const reading of readings) {
    for (const term of reading.terms.keys()) having[term] = (having[term] ?? 0) + 1;
  }
  return having.map((count) => Math.log(1 + (readings.length - count + 0.5) / (count + 0.5)));
}

function frequencies(asked: readonly string[], terms: ReadonlyMap<string, number>): readonly number[] {
  const counts = Array.from({ length: terms.size }, () => 0);
  for (const word of asked) {
    const term = terms.get(word);
    if (term !== undefined) counts[term] = (counts[term] ?? 0) + 1;
  }
  return counts;
}

/** Pairs of different terms that stand side by side in the query, each once. */
function neighbours(
  asked: readonly string[],
  terms: ReadonlyMap<string, number>,
): readonly (readonly [number, number])[] {
  const pairs = new Map<number, readonly [number, number]>();
  for (let index = 1; index < asked.length; index += 1) {
    const left = terms.get(asked[index - 1] ?? '');
    const right = terms.get(asked[index] ?? '');
    if (left === undefined || right === undefined || left === right) continue;
    const [low, high] = left < right ? [left, right] : [right, left];
    pairs.set(low * terms.size + high, [low, high]);
  }
  return [...pairs.values()];
}

function bm25(
  { k1, b }: Parameters,
  { terms, length }: Reading,
  rarity: readonly number[],
  frequency: readonly number[],
  lengthMean: number,
): number {
  const norm = k1 * (1 - b + (b * length) / (lengthMean || 1));
  let sum = 0;
  for (const [term, { count }] of terms) {
    sum += ((rarity[term] ?? 0) * (frequency[term] ?? 0) * count * (k1 + 1)) / (count + norm || 1);
  }
  return sum;
}

function proximity(
  { proximity: { weight, window } }: Parameters,
  { terms }: Reading,
  rarity: readonly number[],
  pairs: readonly (readonly [number, number])[],
): number {
  if (weight === 0 || terms.size < 2) return 0;
  let sum = 0;
  for (const [left, right] of pairs) {
    const [a, b] = [terms.get(left), terms.get(right)];
    if (a === undefined || b === undefined) continue;
    const distance = nearest(a.places, b.places);
    if (distance <= window) sum += (weight * Math.min(rarity[left] ?? 0, rarity[right] ?? 0)) / distance;
  }
  return sum;
}

/** The smallest distance between an element of one ascending list and one of the other. */
function nearest(a: readonly number[], b: readonly number[]): number {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const left = a[i] ?? 0;
    const right = b[j] ?? 0;
    best = Math.min(best, Math.abs(left - right));
    if (left < right) i += 1;
    else j += 1;
  }
  return best;
}

/** A sum that has no upper bound becomes a score: half of the way at `pivot`. */
function squash(raw: number, pivot: number): { readonly score: number; readonly logit: number } {
  const lifted = raw + NOTHING;
  return { score: rounded(lifted / (lifted + pivot)), logit: rounded(Math.log(lifted / pivot)) };
}

function rounded(value: number): number {
  return Math.round(value * DECIMALS) / DECIMALS;
}
