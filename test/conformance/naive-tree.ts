/**
 * The Merkle tree of RFC 6962, section 2.1, written down as the document writes it: recursive, and with
 * nothing in common with packages/ledger but the document. Tests compare the two.
 */

import { createHash } from 'node:crypto';

export function naiveLeafHash(entry: Uint8Array): Uint8Array {
  return digest(Uint8Array.of(0), entry);
}

/** A tree that is asked by range; a range's root is computed once. */
export class NaiveTree {
  readonly #leafAt: (index: number) => Uint8Array;
  readonly #keyOf: (from: number, count: number) => string;
  readonly #roots = new Map<string, Uint8Array>();

  /** @param keyOf ranges with the same key have the same root */
  constructor(
    leafAt: (index: number) => Uint8Array,
    keyOf: (from: number, count: number) => string = (from, count) => `${from} ${count}`,
  ) {
    this.#leafAt = leafAt;
    this.#keyOf = keyOf;
  }

  /** MTH(D[from:to]). */
  root(from: number, to: number): Uint8Array {
    const count = to - from;
    if (count === 0) return digest();
    const key = this.#keyOf(from, count);
    const known = this.#roots.get(key);
    if (known !== undefined) return known;
    const k = from + split(count);
    const root =
      count === 1 ? this.#leafAt(from) : digest(Uint8Array.of(1), this.root(from, k), this.root(k, to));
    this.#roots.set(key, root);
    return root;
  }

  /** PATH(m, D[from:to]), section 2.1.1. */
  path(m: number, from: number, to: number): Uint8Array[] {
    const n = to - from;
    if (n === 1) return [];
    const k = split(n);
    return m < k
      ? [...this.path(m, from, from + k), this.root(from + k, to)]
      : [...this.path(m - k, from + k, to), this.root(from, from + k)];
  }

  /** SUBPROOF(m, D[from:to], b), section 2.1.2; PROOF(m, D[n]) is `proof(m, 0, n, true)`. */
  proof(m: number, from: number, to: number, b: boolean): Uint8Array[] {
    const n = to - from;
    if (m === n) return b ? [] : [this.root(from, to)];
    const k = split(n);
    return m <= k
      ? [...this.proof(m, from, from + k, b), this.root(from + k, to)]
      : [...this.proof(m - k, from + k, to, false), this.root(from, from + k)];
  }
}

/** Leaves that repeat every eight, so that a tree of 2^53 leaves needs only a few hundred hashes. */
export function repeatingTree(): NaiveTree {
  const leaves = Array.from({ length: 8 }, (_, i) => naiveLeafHash(Uint8Array.of(i)));
  return new NaiveTree(
    (index) => leaves[index % 8] ?? digest(),
    (from, count) => `${from % 8} ${count}`,
  );
}

/** The largest power of two smaller than n. */
function split(n: number): number {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}

function digest(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}
