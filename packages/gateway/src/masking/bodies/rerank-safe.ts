/**
 * A call of a reranker without the personal data in its texts, and its answer with what the call itself brought.
 *
 * Spec: spec/masking.md, section 17. Every word that a personal value has in it goes under its pseudonym, in the
 * query and in the documents alike, wherever it stands in them: so a reranker that compares words gives the same
 * order. Separators and everything that is no such word stay as they are.
 */

import { segmentsOf } from '../../core/json-pattern.ts';
import { entityName } from '../detect/entities.ts';
import { NO_HINTS } from '../detect/scan-state.ts';
import type { Scanner } from '../detect/scanner.ts';
import type { PurposeKeys } from '../operators/key-ring.ts';
import { utf8Bytes } from '../operators/text-encoding.ts';
import { maskBody, type BodyMasker } from './body-masker.ts';
import { ANY_LEVELS } from './field-pattern.ts';
import { JsonMasker, type JsonLeaves, type Leaf } from './json-masker.ts';
import { stringLiteral } from './json-strings.ts';
import { Places, type PlaceRule } from './places.ts';
import { Pseudonyms, wordsIn } from './pseudonyms.ts';

export interface RerankSafeOptions {
  /** Where texts of the query and the documents stand: `RerankCall.query` and `RerankCall.documents.texts`. */
  readonly texts: readonly string[];
  /** The name of the connection. */
  readonly connection: string;
  readonly keys: PurposeKeys;
  readonly scanner: Scanner;
  /** What is personal; undefined: everything that the scanner knows. */
  readonly entities: ReadonlySet<string> | undefined;
}

export interface RerankSafeRequest {
  /** What is sent: the bytes that came where nothing was found. */
  readonly parts: readonly Uint8Array[];
  /** Values that were found, by entity, for the leaf of the call. */
  readonly found: ReadonlyMap<string, number>;
  /** Of the answer: everything as it came in the request, for who may see it. It is good for this request alone. */
  readonly restoring: () => BodyMasker;
}

/** Throws CONTENT_WITHHELD for what is not JSON. */
export function rerankSafe(body: Uint8Array, options: RerankSafeOptions): RerankSafeRequest {
  const pseudonyms = new Pseudonyms(options.keys, options.connection);
  const places = new Places<true, true>(options.texts.flatMap(rulesOf), () => true);
  const finder = new Finder(options, pseudonyms);
  maskBody(new JsonMasker(finder, places.root), body);
  const restoring = (): BodyMasker => new JsonMasker(new Restorer(pseudonyms), NOWHERE.root);
  const { found } = finder;
  if (pseudonyms.wordsCount === 0) return { parts: [body], found, restoring };
  const parts = maskBody(new JsonMasker(new Replacer(finder, pseudonyms), places.root), body);
  return { parts, found, restoring };
}

const NOWHERE = new Places<true, true>([], () => true);

/** A text that is an object is all texts in it, and the names of its members. */
function rulesOf(pattern: string): readonly PlaceRule<true>[] {
  const segments = segmentsOf(pattern);
  if (segments === undefined) throw new RangeError('a text stands where a pointer leads');
  return [
    { segments, isOfNames: false, what: true },
    { segments: [...segments, ANY_LEVELS], isOfNames: true, what: true },
  ];
}

/** Reads, and changes nothing: gives a pseudonym to each word of a value that it finds. */
class Finder implements JsonLeaves<true> {
  readonly looks = false;
  readonly found = new Map<string, number>();
  readonly #options: RerankSafeOptions;
  readonly #pseudonyms: Pseudonyms;

  constructor(options: RerankSafeOptions, pseudonyms: Pseudonyms) {
    this.#options = options;
    this.#pseudonyms = pseudonyms;
  }

  string(bytes: Uint8Array, from: number, to: number): undefined {
    this.look(bytes, from, to);
    return undefined;
  }

  number(bytes: Uint8Array, from: number, to: number): undefined {
    this.look(bytes, from, to);
    return undefined;
  }

  word(): undefined {
    return undefined;
  }

  name(bytes: Uint8Array, from: number, to: number): undefined {
    this.look(bytes, from, to);
    return undefined;
  }

  drops(): boolean {
    return false;
  }

  /** Whether there is a value in a text. */
  look(bytes: Uint8Array, from: number, to: number, counts = true): boolean {
    const { scanner, entities } = this.#options;
    const count = scanner.scan(bytes, from, to, NO_HINTS);
    const spans: (readonly [from: number, to: number])[] = [];
    for (let index = 0; index < count; index += 1) {
      const name = entityName(scanner.entity[index] ?? 0);
      const entity = name.startsWith('CUSTOM:') ? 'CUSTOM' : name;
      if (entities !== undefined && !entities.has(entity) && !entities.has(name)) continue;
      if (counts) this.found.set(entity, (this.found.get(entity) ?? 0) + 1);
      spans.push([scanner.from[index] ?? 0, scanner.to[index] ?? 0]);
    }
    if (spans.length === 0 || !counts) return spans.length > 0;
    const text = decoder.decode(bytes.subarray(from, to));
    const isAscii = text.length === to - from;
    const place = (at: number): number =>
      isAscii ? at - from : decoder.decode(bytes.subarray(from, at)).length;
    const within = spans.map(([start, end]) => [place(start), place(end)] as const);
    for (const word of wordsIn(text)) {
      if (within.some(([start, end]) => word.from < end && word.to > start)) this.#pseudonyms.add(word.text);
    }
    return true;
  }
}

/** Puts pseudonyms in their places. */
class Replacer implements JsonLeaves<true> {
  readonly looks = false;
  readonly #finder: Finder;
  readonly #pseudonyms: Pseudonyms;

  constructor(finder: Finder, pseudonyms: Pseudonyms) {
    this.#finder = finder;
    this.#pseudonyms = pseudonyms;
  }

  string(bytes: Uint8Array, from: number, to: number): Leaf {
    return utf8OrNothing(this.#pseudonyms.replaced(decoder.decode(bytes.subarray(from, to))));
  }

  /** A number becomes a text: a pseudonym has no digits. */
  number(bytes: Uint8Array, from: number, to: number): Leaf {
    const replaced = this.#pseudonyms.replaced(decoder.decode(bytes.subarray(from, to)));
    return replaced === undefined ? undefined : stringLiteral(utf8Bytes(replaced));
  }

  word(): undefined {
    return undefined;
  }

  /** A name that has nothing personal in itself is what the service knows the member by. */
  name(bytes: Uint8Array, from: number, to: number): Uint8Array | undefined {
    return this.#finder.look(bytes, from, to, false)
      ? (this.string(bytes, from, to) ?? undefined)
      : undefined;
  }

  drops(): boolean {
    return false;
  }
}

class Restorer implements JsonLeaves<true> {
  readonly looks = true;
  readonly #pseudonyms: Pseudonyms;

  constructor(pseudonyms: Pseudonyms) {
    this.#pseudonyms = pseudonyms;
  }

  string(bytes: Uint8Array, from: number, to: number): Uint8Array | undefined {
    return utf8OrNothing(this.#pseudonyms.restored(decoder.decode(bytes.subarray(from, to))));
  }

  number(): undefined {
    return undefined;
  }

  word(): undefined {
    return undefined;
  }

  name(bytes: Uint8Array, from: number, to: number): Uint8Array | undefined {
    return this.string(bytes, from, to);
  }

  drops(): boolean {
    return false;
  }
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

function utf8OrNothing(text: string | undefined): Uint8Array | undefined {
  return text === undefined ? undefined : utf8Bytes(text);
}
