/**
 * A call of a reranker without the personal data in its texts, and its answer with what the call itself brought.
 *
 * Spec: spec/masking.md, section 19. Every word that a personal value has in it goes under its pseudonym, in the
 * query and in the documents alike, wherever it stands in them: so a reranker that compares words gives the same
 * order. Separators and everything that is no such word stay as they are.
 */

import { CountersignError } from '../../core/errors.ts';
import { PSEUDONYM_LIMITS } from '../../core/http-body-limits.ts';
import { segmentsOf } from '../../core/json-pattern.ts';
import { entityName } from '../detect/entities.ts';
import { NO_HINTS } from '../detect/scan-state.ts';
import type { Scanner } from '../detect/scanner.ts';
import type { PurposeKeys } from '../operators/key-ring.ts';
import { utf8Bytes } from '../operators/text-encoding.ts';
import { maskBody, type BodyMasker } from './body-masker.ts';
import { ANY_LEVELS } from './field-pattern.ts';
import { JsonMasker, type JsonLeaves, type Leaf } from './json-masker.ts';
import { stringLiteral, wholeEnd } from './json-strings.ts';
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

/**
 * One call, in two passes over its content: all of it is read before anything is replaced. Then its answer. The
 * maskers throw CONTENT_WITHHELD for what is not JSON.
 */
export class RerankSafe {
  readonly #finder: Finder;
  readonly #pseudonyms: Pseudonyms;
  readonly #places: Places<true, true>;

  constructor(options: RerankSafeOptions) {
    this.#pseudonyms = new Pseudonyms(options.keys, options.connection);
    this.#places = new Places<true, true>(options.texts.flatMap(textRules), () => true);
    this.#finder = new Finder(options, this.#pseudonyms);
  }

  /** Values that were found, by entity. */
  get found(): ReadonlyMap<string, number> {
    return this.#finder.found;
  }

  /** Whether something was found, so that there is something to replace. */
  get isNeeded(): boolean {
    return this.#pseudonyms.wordsCount > 0;
  }

  /** Words that go under pseudonyms. */
  get wordsCount(): number {
    return this.#pseudonyms.wordsCount;
  }

  /** The first pass; it changes nothing. */
  finding(): BodyMasker {
    return new JsonMasker(this.#finder, this.#places.root);
  }

  /** The second. */
  replacing(): BodyMasker {
    return new JsonMasker(new Replacer(this.#finder, this.#pseudonyms), this.#places.root);
  }

  /** Of the answer: everything as it came in the request, for who may see it. */
  restoring(): BodyMasker {
    return new JsonMasker(new Restorer(this.#pseudonyms), NOWHERE.root);
  }
}

/** All of a content at once. Throws CONTENT_WITHHELD for what is not JSON. */
export function rerankSafe(body: Uint8Array, options: RerankSafeOptions): RerankSafeRequest {
  const safe = new RerankSafe(options);
  maskBody(safe.finding(), body);
  const parts = safe.isNeeded ? maskBody(safe.replacing(), body) : [body];
  return { parts, found: safe.found, restoring: () => safe.restoring() };
}

const NOWHERE = new Places<true, true>([], () => true);

/** A text that is an object is all texts in it, and the names of its members. */
export function textRules(pattern: string): readonly PlaceRule<true>[] {
  const segments = segmentsOf(pattern);
  if (segments === undefined) throw new RangeError('a text stands where a pointer leads');
  return [
    { segments, isOfNames: false, what: true },
    { segments: [...segments, ANY_LEVELS], isOfNames: true, what: true },
  ];
}

/** Reads, and changes nothing: gives a pseudonym to each word of a value that it finds. */
class Finder implements JsonLeaves<true> {
  /** So that it is told what names on the way say. */
  readonly looks = true;
  readonly found = new Map<string, number>();
  readonly #options: RerankSafeOptions;
  readonly #pseudonyms: Pseudonyms;
  readonly #hints = { ...NO_HINTS };

  constructor(options: RerankSafeOptions, pseudonyms: Pseudonyms) {
    this.#options = options;
    this.#pseudonyms = pseudonyms;
  }

  string(bytes: Uint8Array, from: number, to: number, context: number, rule: true | undefined): undefined {
    if (rule !== undefined) this.look(bytes, from, to, context);
    return undefined;
  }

  number(bytes: Uint8Array, from: number, to: number, context: number, rule: true | undefined): undefined {
    if (rule !== undefined) this.look(bytes, from, wholeEnd(bytes, from, to), context);
    return undefined;
  }

  word(): undefined {
    return undefined;
  }

  name(bytes: Uint8Array, from: number, to: number, context: number, rule: true | undefined): undefined {
    if (rule !== undefined) this.look(bytes, from, to, context);
    return undefined;
  }

  drops(): boolean {
    return false;
  }

  /** Whether there is a value in a text. */
  look(bytes: Uint8Array, from: number, to: number, context: number, counts = true): boolean {
    const { scanner, entities } = this.#options;
    checkLength(to - from);
    this.#hints.context = context;
    const count = scanner.scan(bytes, from, to, this.#hints);
    const spans: Span[] = [];
    for (let index = 0; index < count; index += 1) {
      const name = entityName(scanner.entity[index] ?? 0);
      const entity = name.startsWith('CUSTOM:') ? 'CUSTOM' : name;
      if (entities !== undefined && !entities.has(entity) && !entities.has(name)) continue;
      if (counts) this.found.set(entity, (this.found.get(entity) ?? 0) + 1);
      spans.push([scanner.from[index] ?? 0, scanner.to[index] ?? 0]);
    }
    if (spans.length === 0 || !counts) return spans.length > 0;
    const text = decoder.decode(bytes.subarray(from, to));
    spans.sort(([one], [other]) => one - other);
    const places =
      text.length === to - from ? spans.map((span) => ofAscii(span, from)) : ofText(bytes, from, spans);
    // Both in their order: a text may have a hundred thousand values.
    let next = 0;
    for (const word of wordsIn(text)) {
      while ((places[next]?.[1] ?? Number.POSITIVE_INFINITY) <= word.from) next += 1;
      const place = places[next];
      if (place === undefined) break;
      if (place[0] < word.to) this.#pseudonyms.add(word.text);
    }
    return true;
  }
}

/** Puts pseudonyms in their places. */
class Replacer implements JsonLeaves<true> {
  /** As the finder: the same is found in a name. */
  readonly looks = true;
  readonly #finder: Finder;
  readonly #pseudonyms: Pseudonyms;

  constructor(finder: Finder, pseudonyms: Pseudonyms) {
    this.#finder = finder;
    this.#pseudonyms = pseudonyms;
  }

  string(bytes: Uint8Array, from: number, to: number, _context: number, rule: true | undefined): Leaf {
    return rule === undefined ? undefined : this.#replaced(bytes, from, to);
  }

  /** A number becomes a text: a pseudonym has no digits. */
  number(bytes: Uint8Array, from: number, to: number, _context: number, rule: true | undefined): Leaf {
    const replaced = rule === undefined ? undefined : this.#replaced(bytes, from, to);
    return replaced === undefined ? undefined : stringLiteral(replaced);
  }

  word(): undefined {
    return undefined;
  }

  /** A name that has nothing personal in itself is what the service knows the member by. */
  name(
    bytes: Uint8Array,
    from: number,
    to: number,
    context: number,
    rule: true | undefined,
  ): Uint8Array | undefined {
    if (rule === undefined || !this.#finder.look(bytes, from, to, context, false)) return undefined;
    return this.#replaced(bytes, from, to);
  }

  #replaced(bytes: Uint8Array, from: number, to: number): Uint8Array | undefined {
    return utf8OrNothing(this.#pseudonyms.replaced(decoder.decode(bytes.subarray(from, to))));
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

function checkLength(actual: number): void {
  const allowed = PSEUDONYM_LIMITS.textBytesMax;
  if (actual > allowed)
    throw new CountersignError('LIMIT_EXCEEDED', { limit: 'pseudonym.textBytesMax', allowed, actual });
}

type Span = readonly [from: number, to: number];

function ofAscii([from, to]: Span, begin: number): Span {
  return [from - begin, to - begin];
}

/** Places in bytes as those of the text that they are of. */
function ofText(bytes: Uint8Array, begin: number, spans: readonly Span[]): readonly Span[] {
  let at = begin;
  let length = 0;
  const placeOf = (to: number): number => {
    let end = Math.max(at, to);
    while (((bytes[end] ?? 0) & 0xc0) === 0x80) end += 1;
    length += decoder.decode(bytes.subarray(at, end)).length;
    at = end;
    return length;
  };
  return spans.map(([from, to]) => [placeOf(from), placeOf(to)]);
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

function utf8OrNothing(text: string | undefined): Uint8Array | undefined {
  return text === undefined ? undefined : utf8Bytes(text);
}
