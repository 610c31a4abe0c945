/**
 * What rerank calls say of where their documents came from: spec/evidence.md, section 5, `sessions`.
 *
 * Whether a document has the text that was retrieved, only the gateway's key can tell. What can be checked without it
 * is whether the sum is right and whether what is named is an Operation that came before. Untrusted: leaves and bodies.
 */

import { isObject, type Json } from '@countersign/ledger/jcs';
import type { Leaf } from '@countersign/ledger/leaf';
import { BOUNDS } from './bounds.ts';

type Values = Readonly<Record<string, Json>>;

const RETRIEVING: ReadonlySet<string> = new Set(['statement.intent', 'http.intent']);

/** One for each package: takes every leaf of the log. */
export class LineageCheck {
  /** Indexes of the last Operations, the oldest first. */
  readonly #intents = new Set<number>();
  /** What is before it is forgotten, and not looked for. */
  #since = 0;

  /** Takes the next leaf. */
  push({ n, type }: Leaf): void {
    if (!RETRIEVING.has(type)) return;
    this.#intents.add(n);
    if (this.#intents.size <= BOUNDS.lineageIntentsMax) return;
    for (const oldest of this.#intents) {
      this.#intents.delete(oldest);
      this.#since = oldest + 1;
      return;
    }
  }

  /** What cannot be true of the lineage of this leaf, where it has one. */
  problemsOf({ n, type }: Leaf, values: Values): readonly string[] {
    const lineage = type === 'rerank.call' ? own(values, 'lineage') : undefined;
    if (lineage === undefined) return [];
    const wrong = isObject(lineage)
      ? this.#wrong(n, lineage, own(values, 'documents_count'))
      : 'is no object';
    return wrong === undefined ? [] : [`leaf ${n}: its lineage ${wrong}`];
  }

  #wrong(n: number, lineage: Values, count: Json | undefined): string | undefined {
    const of = own(lineage, 'of');
    if (typeof of !== 'number' || of !== count) return 'is of another number of documents than there are';
    const places = new Set<number>();
    for (const source of listOf(own(lineage, 'sources'))) {
      const leaf = isObject(source) ? own(source, 'leaf') : undefined;
      if (typeof leaf !== 'number' || leaf < 0 || leaf >= n) return 'names a leaf that is not before it';
      if (leaf >= this.#since && !this.#intents.has(leaf))
        return `names leaf ${leaf}, which retrieved nothing`;
      const documents = isObject(source) ? listOf(own(source, 'documents')) : [];
      if (documents.length === 0) return `has no document of leaf ${leaf}`;
      for (const place of documents) {
        if (typeof place !== 'number' || place >= of || places.has(place)) {
          return `has ${JSON.stringify(place)}, which is no document, or one that it has already`;
        }
        places.add(place);
      }
    }
    return places.size === own(lineage, 'matched') ? undefined : 'has another number of matches than it says';
  }
}

function listOf(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? value : [];
}

// Field names are untrusted, and an object has members that nobody gave it.
function own(values: Values, field: string): Json | undefined {
  return Object.hasOwn(values, field) ? values[field] : undefined;
}
