/**
 * JSON as it goes by: strings, numbers and names are given to whoever masks them, and every other byte stays as
 * it is written. One content, or a sequence of them (NDJSON, RFC 7464).
 *
 * Spec: RFC 8259; spec/masking.md, section 16. What is given on does not depend on how the bytes are cut: a
 * string or number is held until its end is there, and nothing else is.
 * Refused, and so withheld from there on: what is not JSON, more levels and longer strings than the limits. A
 * name that stands twice has both its values masked.
 * Untrusted: every byte. No recursion.
 */

import { BODY_MASK_LIMITS } from '../../core/http-body-limits.ts';
import { utf8Width } from '../../core/utf8.ts';
import { contextOfKey } from '../detect/context.ts';
import { utf8Bytes } from '../operators/text-encoding.ts';
import { HeldBytes } from './held-bytes.ts';
import { isNumber, stringLiteral, unescaped } from './json-strings.ts';
import { KnownNames } from './known-names.ts';
import type { Place } from './places.ts';
import { withheld } from './withheld.ts';

/** Who masks what stands in JSON. Undefined: it stays as it is. `rule` is what the place says. */
export interface JsonLeaves<Rule> {
  /** Whether values and names without a rule are given, too. */
  readonly looks: boolean;
  /** A text with its escapes undone; null for JSON's null. */
  string(bytes: Uint8Array, from: number, to: number, context: number, rule: Rule | undefined): Leaf;
  /** A number as it is written; what stands in its place is a number, or null. */
  number(bytes: Uint8Array, from: number, to: number, context: number, rule: Rule | undefined): Leaf;
  /** `true` or `false`. */
  word(bytes: Uint8Array, from: number, to: number, rule: Rule): Leaf;
  /** The name of a member; it cannot be null. */
  name(
    bytes: Uint8Array,
    from: number,
    to: number,
    context: number,
    rule: Rule | undefined,
  ): Uint8Array | undefined;
  /** Whether a value goes with its name, or its place in an array. */
  drops(rule: Rule): boolean;
}

export type Leaf = Uint8Array | null | undefined;

/** What is expected next. */
const VALUE = 0;
const FIRST_ITEM = 1;
const FIRST_NAME = 2;
const NAME = 3;
const COLON_NEXT = 4;
const AFTER = 5;
const ROOT = 6;
const ROOT_DONE = 7;

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
/** RFC 7464: stands before each text of a sequence. */
const RECORD_SEPARATOR = 0x1e;
/** What UTF-8 makes of a byte order mark begins with it. */
const MARK = [0xef, 0xbb, 0xbf] as const;

const NULL = utf8Bytes('null');
const EMPTY = new Uint8Array(0);
const WORDS: ReadonlyMap<number, Uint8Array> = new Map(
  ['true', 'false', 'null'].map((word) => [word.charCodeAt(0), utf8Bytes(word)]),
);

/** 1 for what ends the easy part of a string: a quote, a backslash, a control, a byte beyond ASCII. */
const STOPS = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte < 0x20 || byte >= 0x80 || byte === QUOTE || byte === BACKSLASH ? 1 : 0,
);
/** 1 for what a number is written with. */
const OF_NUMBER = Uint8Array.from({ length: 256 }, (_, byte) =>
  (byte >= 0x30 && byte <= 0x39) ||
  byte === 0x2e ||
  byte === 0x65 ||
  byte === 0x45 ||
  byte === 0x2b ||
  byte === MINUS
    ? 1
    : 0,
);

const LEVELS = BODY_MASK_LIMITS.depthMax + 1;

/** Owns where it stands in the content, and what is held of it. */
export class JsonMasker<Rule> {
  readonly #leaves: JsonLeaves<Rule>;
  readonly #rootPlace: Place<Rule>;
  readonly #rootContext: number;
  readonly #isSequence: boolean;
  readonly #held = new HeldBytes();
  readonly #names: KnownNames;
  /** Bytes given on, for errors. */
  #passed = 0;
  #expect = ROOT;
  /** Of each level: its kind, what the names on the way say, its place, its next index, whether something was kept. */
  #depth = 0;
  readonly #isObject: boolean[] = [];
  readonly #contexts: number[] = [];
  readonly #places: Place<Rule>[] = [];
  readonly #indexes: number[] = [];
  readonly #isKept: boolean[] = [];
  /** Names that were made, of each level that has some. */
  readonly #made: (Map<string, number> | undefined)[] = [];
  #madeCount = 0;
  /** Of the value that comes next. */
  #place: Place<Rule>;
  #context: number;
  /** Offsets in what is held: of the next token, in a string that has not ended, of a member that may go. */
  #at = 0;
  #stringAt = 0;
  #isEscaped = false;
  #memberFrom = -1;
  /** The level at which a value goes; -1 where none does. */
  #dropDepth = -1;
  #parts: Uint8Array[] = [];
  #copied = 0;

  constructor(leaves: JsonLeaves<Rule>, rootPlace: Place<Rule>, isSequence = false, context = 0) {
    this.#leaves = leaves;
    this.#rootPlace = rootPlace;
    this.#rootContext = context;
    this.#isSequence = isSequence;
    this.#place = rootPlace;
    this.#context = context;
    this.#names = new KnownNames((bytes, from, to, around) =>
      leaves.name(bytes, from, to, around, undefined),
    );
  }

  /** What can be given on; the parts stay as they are. */
  push(chunk: Uint8Array): readonly Uint8Array[] {
    const bytes = this.#held.join(chunk);
    const parts = this.#run(bytes, false);
    if (this.#held.length > BODY_MASK_LIMITS.pieceBytesMax) throw this.#bad('one string of it is too long');
    return parts;
  }

  /** The end of the content; an empty one is nothing to mask. What comes behind it is another. */
  finish(): readonly Uint8Array[] {
    const parts = this.#run(this.#held.join(EMPTY), true);
    if (this.#expect !== ROOT_DONE && this.#expect !== ROOT) throw this.#bad('it ends too early');
    this.restart();
    return parts;
  }

  /** Forgets what came of a content. */
  restart(): void {
    this.#held.clear();
    this.#passed = 0;
    this.#expect = ROOT;
    this.#depth = 0;
    this.#made.length = 0;
    this.#madeCount = 0;
    this.#place = this.#rootPlace;
    this.#context = this.#rootContext;
    this.#at = 0;
    this.#stringAt = 0;
    this.#memberFrom = -1;
    this.#dropDepth = -1;
  }

  #run(bytes: Uint8Array, isEnd: boolean): readonly Uint8Array[] {
    const to = bytes.length;
    this.#parts = [];
    this.#copied = 0;
    let at = this.#at;
    while (at < to) {
      const byte = bytes[at] ?? 0;
      if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) {
        at += 1;
        continue;
      }
      const next = this.#token(bytes, at, to, byte, isEnd);
      if (next === -1) break;
      at = next;
    }
    if (isEnd && at < to) throw this.#bad('it ends too early');
    this.#settle(bytes, at);
    return this.#parts;
  }

  /** Gives on what is decided, and holds the rest. */
  #settle(bytes: Uint8Array, at: number): void {
    let to = at;
    if (this.#dropDepth === -1) {
      if (this.#memberFrom !== -1) to = this.#memberFrom;
      this.#emit(bytes, to);
    }
    this.#passed += to;
    this.#at = at - to;
    this.#stringAt = Math.max(0, this.#stringAt - to);
    if (this.#memberFrom !== -1) this.#memberFrom -= to;
    this.#held.keep(bytes, to);
  }

  #emit(bytes: Uint8Array, to: number): void {
    if (to > this.#copied) this.#parts.push(bytes.subarray(this.#copied, to));
    this.#copied = Math.max(this.#copied, to);
  }

  #replace(bytes: Uint8Array, from: number, to: number, replacement: Uint8Array): void {
    if (this.#dropDepth !== -1) return;
    this.#emit(bytes, from);
    if (replacement.length > 0) this.#parts.push(replacement);
    this.#copied = to;
  }

  /** One token; where to go on, or -1 where not all of it is there. */
  #token(bytes: Uint8Array, at: number, to: number, byte: number, isEnd: boolean): number {
    switch (this.#expect) {
      case VALUE:
        return this.#value(bytes, at, to, byte, isEnd);
      case FIRST_ITEM:
        return byte === CLOSE_ARRAY ? this.#close(at) : this.#value(bytes, at, to, byte, isEnd);
      case FIRST_NAME:
        return byte === CLOSE_OBJECT ? this.#close(at) : this.#name(bytes, at, to, byte, isEnd);
      case NAME:
        return this.#name(bytes, at, to, byte, isEnd);
      case COLON_NEXT:
        if (byte !== COLON) throw this.#bad('it is not JSON', at);
        this.#expect = VALUE;
        return at + 1;
      case AFTER: {
        if (byte === COMMA) return this.#comma(bytes, at);
        const isObject = this.#isObject[this.#depth] === true;
        if (byte !== (isObject ? CLOSE_OBJECT : CLOSE_ARRAY)) throw this.#bad('it is not JSON', at);
        return this.#close(at);
      }
      case ROOT:
        return this.#root(bytes, at, to, byte, isEnd);
      default:
        if (!this.#isSequence) throw this.#bad('it is not JSON', at);
        this.#place = this.#rootPlace;
        this.#context = this.#rootContext;
        this.#expect = ROOT;
        return at;
    }
  }

  #root(bytes: Uint8Array, at: number, to: number, byte: number, isEnd: boolean): number {
    if (this.#isSequence && byte === RECORD_SEPARATOR) return at + 1;
    if (byte !== MARK[0] || this.#passed + at > 0) return this.#value(bytes, at, to, byte, isEnd);
    if (at + 2 >= to && !isEnd) return -1;
    if (bytes[at + 1] !== MARK[1] || bytes[at + 2] !== MARK[2]) throw this.#bad('it is not JSON', at);
    return at + 3;
  }

  #value(bytes: Uint8Array, at: number, to: number, byte: number, isEnd: boolean): number {
    const depth = this.#depth;
    if (depth > 0 && this.#isObject[depth] === false) this.#item(bytes, at, depth);
    if (depth === 0 && this.#dropDepth === -1 && this.#isGone(this.#place)) {
      // All of it goes: what is left says nothing.
      this.#emit(bytes, at);
      this.#parts.push(NULL);
      this.#dropDepth = 0;
    }
    if (byte === QUOTE) return this.#string(bytes, at, to, isEnd);
    if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) return this.#open(at, byte);
    if (byte === MINUS || (byte >= 0x30 && byte <= 0x39)) return this.#number(bytes, at, to, isEnd);
    return this.#word(bytes, at, to, byte, isEnd);
  }

  /** Where in its array a value stands. */
  #item(bytes: Uint8Array, at: number, depth: number): void {
    const place = this.#places[depth] ?? this.#rootPlace;
    this.#place = place.item(this.#indexes[depth] ?? 0);
    this.#context = this.#contexts[depth] ?? 0;
    if (this.#dropDepth === -1 && this.#isGone(this.#place)) this.#drop(bytes, at, depth);
    this.#memberFrom = -1;
  }

  #isGone({ value }: Place<Rule>): boolean {
    return value !== undefined && this.#leaves.drops(value);
  }

  /** Begins to leave out a member or item, with the comma before it where there is one that stays. */
  #drop(bytes: Uint8Array, at: number, depth: number): void {
    this.#emit(bytes, this.#memberFrom === -1 ? at : this.#memberFrom);
    this.#dropDepth = depth;
  }

  #open(at: number, byte: number): number {
    const depth = this.#depth + 1;
    if (depth >= LEVELS) throw this.#bad('it has too many levels', at);
    const isObject = byte === OPEN_OBJECT;
    this.#depth = depth;
    this.#isObject[depth] = isObject;
    this.#contexts[depth] = this.#context;
    this.#places[depth] = this.#place;
    this.#indexes[depth] = 0;
    this.#isKept[depth] = false;
    this.#expect = isObject ? FIRST_NAME : FIRST_ITEM;
    return at + 1;
  }

  #close(at: number): number {
    this.#made[this.#depth] = undefined;
    this.#depth -= 1;
    return this.#done(at + 1);
  }

  /** Behind a value. */
  #done(at: number): number {
    const depth = this.#depth;
    if (this.#dropDepth === depth) {
      this.#dropDepth = -1;
      this.#copied = at;
    } else this.#isKept[depth] = true;
    this.#expect = depth === 0 ? ROOT_DONE : AFTER;
    return at;
  }

  #comma(bytes: Uint8Array, at: number): number {
    const depth = this.#depth;
    this.#indexes[depth] = (this.#indexes[depth] ?? 0) + 1;
    this.#expect = this.#isObject[depth] === true ? NAME : VALUE;
    if (this.#isKept[depth] === false) this.#replace(bytes, at, at + 1, EMPTY);
    // Held until it is known whether what it stands before goes.
    else if (this.#dropDepth === -1) this.#memberFrom = at;
    return at + 1;
  }

  #name(bytes: Uint8Array, at: number, to: number, byte: number, isEnd: boolean): number {
    if (byte !== QUOTE) throw this.#bad('it is not JSON', at);
    const end = this.#stringEnd(bytes, at, to, isEnd);
    if (end === -1) return -1;
    const depth = this.#depth;
    const around = this.#contexts[depth] ?? 0;
    const container = this.#places[depth] ?? this.#rootPlace;
    const [said, from, until] = this.#said(bytes, at, end);
    this.#place = container.member(said, from, until);
    const isGone = this.#isGone(this.#place);
    if (this.#dropDepth === -1 && isGone) this.#drop(bytes, at, depth);
    this.#memberFrom = -1;
    this.#context = around;
    if (this.#dropDepth === -1) {
      const masked = this.#maskedName(said, from, until, around, container.names);
      if (masked !== undefined) this.#replace(bytes, at, end, stringLiteral(this.#unique(masked, depth)));
    }
    this.#expect = COLON_NEXT;
    return end;
  }

  /** What becomes of a name, and what it says of the value behind it. */
  #maskedName(
    said: Uint8Array,
    from: number,
    to: number,
    around: number,
    rule: Rule | undefined,
  ): Uint8Array | undefined {
    const { looks } = this.#leaves;
    if (rule !== undefined) {
      if (looks) this.#context = around | contextOfKey(said, from, to);
      return this.#leaves.name(said, from, to, around, rule);
    }
    if (!looks) return undefined;
    const { context, masked } = this.#names.of(said, from, to, around);
    this.#context = around | context;
    return masked;
  }

  /** Two names of one object do not become one. */
  #unique(masked: Uint8Array, depth: number): Uint8Array {
    const name = decoder.decode(masked);
    this.#made[depth] ??= new Map();
    const made = this.#made[depth];
    const count = (made.get(name) ?? 0) + 1;
    if (count === 1) this.#madeCount += 1;
    if (this.#madeCount > BODY_MASK_LIMITS.maskedNamesMax)
      throw this.#bad('too many of its names are masked');
    made.set(name, count);
    return count === 1 ? masked : utf8Bytes(`${name} (${count})`);
  }

  #string(bytes: Uint8Array, at: number, to: number, isEnd: boolean): number {
    const end = this.#stringEnd(bytes, at, to, isEnd);
    if (end === -1) return -1;
    const rule = this.#place.value;
    if (this.#dropDepth === -1 && (rule !== undefined || this.#leaves.looks)) {
      const [said, from, until] = this.#said(bytes, at, end);
      const masked = this.#leaves.string(said, from, until, this.#context, rule);
      if (masked !== undefined) {
        this.#replace(bytes, at, end, masked === null ? NULL : stringLiteral(masked));
      }
    }
    return this.#done(end);
  }

  #number(bytes: Uint8Array, at: number, to: number, isEnd: boolean): number {
    let end = at + 1;
    while (end < to && OF_NUMBER[bytes[end] ?? 0] === 1) end += 1;
    if (end - at > BODY_MASK_LIMITS.numberBytesMax) throw this.#bad('a number of it is too long', at);
    if (end === to && !isEnd) return -1;
    if (!isNumber(bytes, at, end)) throw this.#bad('it is not JSON', at);
    const rule = this.#place.value;
    if (this.#dropDepth === -1 && (rule !== undefined || this.#leaves.looks)) {
      const masked = this.#leaves.number(bytes, at, end, this.#context, rule);
      if (masked !== undefined) this.#replace(bytes, at, end, masked ?? NULL);
    }
    return this.#done(end);
  }

  #word(bytes: Uint8Array, at: number, to: number, byte: number, isEnd: boolean): number {
    const word = WORDS.get(byte);
    if (word === undefined) throw this.#bad('it is not JSON', at);
    if (at + word.length > to && !isEnd) return -1;
    const end = at + word.length;
    for (let index = 1; index < word.length; index += 1) {
      if (bytes[at + index] !== word[index]) throw this.#bad('it is not JSON', at);
    }
    const rule = this.#place.value;
    if (rule !== undefined && byte !== NULL[0] && this.#dropDepth === -1) {
      const masked = this.#leaves.word(bytes, at, end, rule);
      if (masked !== undefined) this.#replace(bytes, at, end, masked ?? NULL);
    }
    return this.#done(end);
  }

  /** What a literal says, and where that stands. */
  #said(bytes: Uint8Array, at: number, end: number): readonly [Uint8Array, number, number] {
    if (!this.#isEscaped) return [bytes, at + 1, end - 1];
    const said = unescaped(bytes, at + 1, end - 1);
    if (said === undefined) throw this.#bad('it is not JSON', at);
    return [said, 0, said.length];
  }

  /** Behind the last quote of a string; -1 where that is not there. What was looked at is not looked at again. */
  #stringEnd(bytes: Uint8Array, start: number, to: number, isEnd: boolean): number {
    let at = this.#stringAt;
    if (at <= start) {
      at = start + 1;
      this.#isEscaped = false;
    }
    for (;;) {
      while (at < to && STOPS[bytes[at] ?? 0] === 0) at += 1;
      if (at >= to) break;
      const byte = bytes[at] ?? 0;
      if (byte === QUOTE) {
        this.#stringAt = 0;
        return at + 1;
      }
      if (byte === BACKSLASH) {
        if (at + 1 >= to) break;
        this.#isEscaped = true;
        at += 2;
      } else if (byte >= 0x80) {
        const width = utf8Width(bytes, at, to);
        // Not all of the character may be there.
        if (width === 0 && (isEnd || at + 4 <= to)) throw this.#bad('it is not UTF-8', at);
        if (width === 0) break;
        at += width;
      } else throw this.#bad('it is not JSON', at);
    }
    this.#stringAt = at;
    return -1;
  }

  #bad(reason: string, at = 0): Error {
    return withheld('JSON', reason, this.#passed + at);
  }
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
