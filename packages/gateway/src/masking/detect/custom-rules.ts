/**
 * What an installation adds: values that it lists, words of a dictionary, patterns.
 *
 * Lists and dictionaries are hashed by their words, so that ten thousand entries cost as much as ten; a
 * pattern takes time in proportion to the text (linear-pattern.ts). What a rule finds is masked whatever
 * else is known about the value, and where it overlaps with what a detector found, both together are.
 *
 * Spec: spec/masking.md §7.
 */

import { CLASS, IS_WORD } from './byte-classes.ts';
import { entityId } from './entities.ts';
import { LinearPattern, MATCH_BYTES_MAX, PatternRefused } from './linear-pattern.ts';
import type { ScanState } from './scan-state.ts';

export type CustomRule =
  /** Values as they are: an account, a project, a person. */
  | { readonly kind: 'exact'; readonly name: string; readonly values: readonly string[] }
  /** Words and phrases without regard to case and to how many spaces or hyphens are between. */
  | { readonly kind: 'dictionary'; readonly name: string; readonly words: readonly string[] }
  | {
      readonly kind: 'pattern';
      readonly name: string;
      readonly pattern: string;
      readonly ignoreCase?: boolean;
    };

/** Rules of an installation, all together. */
const RULES_MAX = 256;
/** Values and words of all rules: a million short ones take about 100 MB. */
const VALUES_MAX = 1_000_000;
/** Spans of rules in one text before those of detectors are merged with them. */
const FOUND_AT_FIRST = 64;

/** Behind the place where a rule looks, this much has to be there. */
export const RULE_AHEAD_BYTES: number = MATCH_BYTES_MAX + 64;

/** What several rules have a part of, or a rule and a detector: whoever masks takes the strictest of its ways. */
const SEVERAL = entityId('CUSTOM');

const encoder = new TextEncoder();

interface Entry {
  readonly bytes: Uint8Array;
  readonly entity: number;
}

/** Rules that can be used; shared by all scanners of a thread. */
export class CompiledRules {
  readonly #exact = new EntryTable();
  readonly #dictionary = new EntryTable();
  readonly #patterns: (readonly [LinearPattern, number])[] = [];
  #from = new Int32Array(FOUND_AT_FIRST);
  #to = new Int32Array(FOUND_AT_FIRST);
  #entity = new Int32Array(FOUND_AT_FIRST);
  #count = 0;
  readonly #phrase = new Uint8Array(MATCH_BYTES_MAX);
  readonly #phraseEnds = new Int32Array(MATCH_BYTES_MAX + 1);

  /** Throws {@link PatternRefused} for a rule that cannot be taken. */
  constructor(rules: readonly CustomRule[]) {
    if (rules.length > RULES_MAX)
      throw new PatternRefused(`expected at most ${RULES_MAX} rules, got ${rules.length}`);
    let values = 0;
    for (const rule of rules) {
      const entity = entityId(`CUSTOM:${rule.name}`);
      if (rule.kind === 'pattern') {
        this.#patterns.push([new LinearPattern(rule.pattern, rule.ignoreCase ?? false), entity]);
        continue;
      }
      const texts = rule.kind === 'exact' ? rule.values : rule.words;
      values += texts.length;
      if (values > VALUES_MAX) throw new PatternRefused(`expected at most ${VALUES_MAX} values in all rules`);
      for (const text of texts) this.#learn(text, entity, rule.kind === 'dictionary');
    }
  }

  #learn(text: string, entity: number, isWords: boolean): void {
    const bytes = encoder.encode(
      isWords
        ? text
            .trim()
            .toLowerCase()
            .replaceAll(/[\s-]+/g, ' ')
        : text,
    );
    if (bytes.length === 0 || bytes.length > MATCH_BYTES_MAX) {
      throw new PatternRefused(
        `expected values of 1 to ${MATCH_BYTES_MAX} bytes, got one of ${bytes.length}`,
      );
    }
    (isWords ? this.#dictionary : this.#exact).add({ bytes, entity });
  }

  /** Finds in a text, and merges with what a scan has found there. */
  apply(state: ScanState, bytes: Uint8Array, begin: number, end: number): void {
    this.find(bytes, begin, begin, end, end);
    this.mergeInto(state);
  }

  /** Finds what begins from a place on and before a limit; where to go on next time. */
  find(bytes: Uint8Array, begin: number, from: number, limit: number, end: number): number {
    this.#count = 0;
    let at = from;
    while (at < limit) {
      const to = this.#at(bytes, at, begin, end);
      at = to === 0 ? at + 1 : to;
    }
    return at;
  }

  get count(): number {
    return this.#count;
  }

  /** From, to and entity of one of the finds. */
  span(index: number): readonly [from: number, to: number, entity: number] {
    return [this.#from[index] ?? 0, this.#to[index] ?? 0, this.#entity[index] ?? 0];
  }

  /** The longest of what begins at a place; its end, 0 where nothing does. */
  #at(bytes: Uint8Array, at: number, begin: number, end: number): number {
    let to = 0;
    let entity = 0;
    const startsWord = at === begin || !isWordByte(bytes[at - 1] ?? 0) || !isWordByte(bytes[at] ?? 0);
    if (startsWord && !this.#exact.isEmpty) {
      const entry = this.#exact.longest(bytes, at, end, end);
      if (entry !== undefined) [to, entity] = [at + entry.bytes.length, entry.entity];
    }
    if (startsWord && !this.#dictionary.isEmpty) {
      const length = this.#readPhrase(bytes, at, end);
      const entry = this.#dictionary.longest(this.#phrase, 0, length, length);
      const phraseTo = entry === undefined ? 0 : (this.#phraseEnds[entry.bytes.length] ?? 0);
      if (entry !== undefined) [to, entity] = [Math.max(to, phraseTo), both(to, entity, entry.entity)];
    }
    for (const [pattern, of] of this.#patterns) {
      if (pattern.first[bytes[at] ?? 0] !== 1) continue;
      const matchEnd = pattern.matchAt(bytes, at, begin, end);
      if (matchEnd > 0) [to, entity] = [Math.max(to, matchEnd), both(to, entity, of)];
    }
    if (to > 0) this.#add(at, to, entity);
    return to;
  }

  /** What stands at a place, as a dictionary has it: in small letters, one space for any gap. Its length. */
  #readPhrase(bytes: Uint8Array, from: number, end: number): number {
    let length = 0;
    let at = from;
    while (at < end && length < MATCH_BYTES_MAX) {
      const byte = bytes[at] ?? 0;
      if (isGap(byte)) {
        const gapFrom = at;
        while (at < end && at < gapFrom + 4 && isGap(bytes[at] ?? 0)) at += 1;
        this.#phrase[length] = 32;
      } else {
        this.#phrase[length] = lower(byte);
        at += 1;
      }
      length += 1;
      this.#phraseEnds[length] = at;
    }
    return length;
  }

  #add(from: number, to: number, entity: number): void {
    if (this.#count === this.#from.length) {
      this.#from = grown(this.#from);
      this.#to = grown(this.#to);
      this.#entity = grown(this.#entity);
    }
    this.#from[this.#count] = from;
    this.#to[this.#count] = to;
    this.#entity[this.#count] = entity;
    this.#count += 1;
  }

  /** Puts the finds among those of the detectors. */
  mergeInto(state: ScanState): void {
    if (this.#count === 0) return;
    const spans: Span[] = Array.from({ length: state.count }, (_, span) => ({
      from: state.spanFrom[span] ?? 0,
      to: state.spanTo[span] ?? 0,
      entity: state.spanEntity[span] ?? 0,
      isRule: false,
    }));
    for (let index = 0; index < this.#count; index += 1) {
      const [from, to, entity] = this.span(index);
      spans.push({ from, to, entity, isRule: true });
    }
    state.count = 0;
    for (const { entity, from, to } of mergeSpans(spans)) state.add(entity, from, to);
  }
}

/** A value, and whether a rule of somebody found it. */
export interface Span {
  readonly from: number;
  readonly to: number;
  readonly entity: number;
  readonly isRule: boolean;
}

/** Of what one rule found at a place where another did, or nobody. */
function both(foundTo: number, entity: number, other: number): number {
  return foundTo === 0 || entity === other ? other : SEVERAL;
}

/** Spans in their order; what overlaps becomes one, named {@link SEVERAL} where a rule has a part of it. */
export function mergeSpans(spans: readonly Span[]): readonly Span[] {
  const merged: Span[] = [];
  for (const span of spans.toSorted((one, other) => one.from - other.from || other.to - one.to)) {
    const open = merged.at(-1);
    if (open === undefined || span.from >= open.to) {
      merged.push(span);
      continue;
    }
    merged[merged.length - 1] = {
      from: open.from,
      to: Math.max(open.to, span.to),
      entity: (span.isRule || open.isRule) && span.entity !== open.entity ? SEVERAL : open.entity,
      isRule: open.isRule || span.isRule,
    };
  }
  return merged;
}

function grown(array: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(array.length * 2);
  larger.set(array);
  return larger;
}

/** Letters, digits and all beyond ASCII. */
function isWordByte(byte: number): boolean {
  return byte >= 0x80 || ((CLASS[byte] ?? 0) & IS_WORD) !== 0;
}

/** The end of the word that begins at a place; one byte where none does. */
function firstWordEnd(bytes: Uint8Array, at: number, end: number): number {
  let to = at;
  while (to < end && to < at + MATCH_BYTES_MAX && isWordByte(bytes[to] ?? 0)) to += 1;
  return Math.max(to, Math.min(at + 1, end));
}

function lower(byte: number): number {
  return byte >= 65 && byte <= 90 ? byte + 32 : byte;
}

function hashOf(bytes: Uint8Array, from: number, to: number): number {
  let hash = 0x811c_9dc5 | 0;
  for (let at = from; at < to; at += 1) hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x0100_0193);
  return hash;
}

/** Entries by their first word and their length: what is asked are the few lengths that a first word has. */
class EntryTable {
  /** Hash of a first word → lengths of the entries that begin so, the longest first. */
  readonly #lengths = new Map<number, number[]>();
  readonly #entries = new Map<number, Entry[]>();

  get isEmpty(): boolean {
    return this.#lengths.size === 0;
  }

  add(entry: Entry): void {
    const { bytes } = entry;
    const first = hashOf(bytes, 0, firstWordEnd(bytes, 0, bytes.length));
    const lengths = this.#lengths.get(first) ?? [];
    if (!lengths.includes(bytes.length)) lengths.push(bytes.length);
    lengths.sort((one, other) => other - one);
    this.#lengths.set(first, lengths);
    const whole = hashOf(bytes, 0, bytes.length);
    this.#entries.set(whole, [...(this.#entries.get(whole) ?? []), entry]);
  }

  /**
   * The longest entry that begins at a place and is not cut out of a longer word; of {@link SEVERAL} where another
   * rule has one there, too.
   */
  longest(bytes: Uint8Array, at: number, end: number, textEnd: number): Entry | undefined {
    const lengths = this.#lengths.get(hashOf(bytes, at, firstWordEnd(bytes, at, end)));
    let found: Entry | undefined;
    for (const length of lengths ?? []) {
      const to = at + length;
      if (to > end) continue;
      if (to < textEnd && isWordByte(bytes[to] ?? 0) && isWordByte(bytes[to - 1] ?? 0)) continue;
      for (const entry of this.#entries.get(hashOf(bytes, at, to)) ?? []) {
        if (!entry.bytes.every((byte, step) => byte === bytes[at + step])) continue;
        found ??= entry;
        if (found.entity !== entry.entity) return { bytes: found.bytes, entity: SEVERAL };
      }
    }
    return found;
  }
}

function isGap(byte: number): boolean {
  return byte === 32 || byte === 45 || byte === 10 || byte === 13 || byte === 9;
}
