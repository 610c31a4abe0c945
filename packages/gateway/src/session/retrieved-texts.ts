/**
 * Which texts a principal was given lately, and by which Operation: so that the documents of a rerank call are found
 * again in the rows, or the hits of a store, that they came from.
 *
 * Spec: spec/events.md, "Rerank calls". Kept are keyed hashes of what was delivered, behind every Mask, and no text.
 * In memory alone: what was retrieved before a start, or at another gateway, is not found.
 */

import { RERANK_LIMITS as LIMITS } from '../core/rerank-limits.ts';

interface Retrieved {
  /** Index of the `statement.intent` or `http.intent`. */
  readonly leaf: number;
  /** Monotonic µs. */
  readonly atUs: number;
}

/** Where documents came from, as `lineage` of `rerank.call`. */
export interface Lineage {
  readonly of: number;
  readonly matched: number;
  /** In the order of their first documents. */
  readonly sources: readonly { readonly leaf: number; readonly documents: readonly number[] }[];
}

/** The one of a gateway. */
export class RetrievedTexts {
  readonly hash: (bytes: Uint8Array) => string;
  readonly #nowUs: () => number;
  /** By principal, the one who has retrieved nothing for longest first; of each by hash, the oldest first. */
  readonly #of = new Map<string, Map<string, Retrieved>>();
  #count = 0;
  #isOn = false;

  constructor(hash: (bytes: Uint8Array) => string, nowUs: () => number) {
    this.hash = hash;
    this.#nowUs = nowUs;
  }

  /** Texts that are remembered. */
  get count(): number {
    return this.#count;
  }

  /** A session begins whose texts are remembered; before the first, calls have no lineage, and not one of none. */
  turnOn(): void {
    this.#isOn = true;
  }

  /** One text that an Operation delivers to a principal; false where it is none that is remembered. */
  add(principal: string, leaf: number, text: Uint8Array): boolean {
    if (text.length < LIMITS.retrievedBytesMin || text.length > LIMITS.retrievedBytesMax) return false;
    const known = this.#of.get(principal) ?? new Map<string, Retrieved>();
    // It is the last that would go now.
    this.#of.delete(principal);
    this.#of.set(principal, known);
    this.#forgetBefore(known, this.#oldestUs());
    const hash = this.hash(text);
    if (known.delete(hash)) this.#count -= 1;
    known.set(hash, { leaf, atUs: this.#nowUs() });
    this.#count += 1;
    if (known.size > LIMITS.retrievedOfPrincipalMax) this.#forgetOldest(principal, known);
    while (this.#count > LIMITS.retrievedMax) this.#forgetOldest(...this.#first(principal, known));
    return true;
  }

  /**
   * Where the documents of a call came from; undefined where nothing is remembered of anybody.
   *
   * @param documents of each, the hashes of its texts
   */
  lineageOf(
    principal: string,
    documents: readonly (readonly string[])[],
    count: number,
  ): Lineage | undefined {
    if (!this.#isOn || count === 0) return undefined;
    const known = this.#of.get(principal);
    const oldestUs = this.#oldestUs();
    if (known !== undefined) this.#forgetBefore(known, oldestUs);
    if (known?.size === 0) this.#of.delete(principal);
    const sources = new Map<number, number[]>();
    for (const [place, hashes] of documents.entries()) {
      const found = hashes.map((hash) => known?.get(hash)).find((one) => one !== undefined);
      if (found === undefined) continue;
      const places = sources.get(found.leaf);
      if (places === undefined) sources.set(found.leaf, [place]);
      else places.push(place);
    }
    const matched = [...sources.values()].reduce((sum, places) => sum + places.length, 0);
    return {
      of: count,
      matched,
      sources: [...sources].map(([leaf, places]) => ({ leaf, documents: places })),
    };
  }

  #oldestUs(): number {
    return this.#nowUs() - LIMITS.retrievedMs * 1_000;
  }

  /** The oldest stand first. */
  #forgetBefore(known: Map<string, Retrieved>, oldestUs: number): void {
    for (const [hash, { atUs }] of known) {
      if (atUs >= oldestUs) return;
      known.delete(hash);
      this.#count -= 1;
    }
  }

  #first(principal: string, known: Map<string, Retrieved>): [string, Map<string, Retrieved>] {
    for (const first of this.#of) return first;
    return [principal, known];
  }

  #forgetOldest(principal: string, known: Map<string, Retrieved>): void {
    for (const hash of known.keys()) {
      known.delete(hash);
      this.#count -= 1;
      break;
    }
    if (known.size === 0) this.#of.delete(principal);
  }
}
