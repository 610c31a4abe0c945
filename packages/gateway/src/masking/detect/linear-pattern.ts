/**
 * Regular expressions that take time in proportion to the text, whatever they are: read into states, and all
 * states walked at once (K. Thompson, 1968). There is nothing to go back to, so that no pattern and no text
 * can hold anybody up.
 *
 * What can be written: characters and escapes, `.`, `[a-z]`, `[^…]`, `\d \w \s \D \W \S`, groups `(…)` and
 * `(?:…)`, `|`, `?`, `*`, `+`, `{m}`, `{m,n}`, `\b`. A repetition without an end ends at
 * {@link REPEATS_MAX}. Refused: look-around, references back, names, flags, `^` and `$` (a rule looks within
 * texts), and what may match nothing or more than {@link MATCH_BYTES_MAX} bytes.
 * Patterns are about bytes of UTF-8: a character beyond ASCII stands for its bytes, and not in a class.
 */

import { CLASS, IS_WORD } from './byte-classes.ts';

/** The pattern cannot be taken; the message says why, and no value. */
export class PatternRefused extends Error {}

const PATTERN_LENGTH_MAX = 512;
/** No match is longer, so that a stream has to hold back no more. */
export const MATCH_BYTES_MAX = 256;
/** What `*` and `+` mean here. */
const REPEATS_MAX = 64;
/** Each byte of a text costs at most this many steps. */
const STATES_MAX = 4_096;

type Node =
  | { readonly kind: 'set'; readonly members: Uint8Array }
  | { readonly kind: 'edge' }
  | { readonly kind: 'all'; readonly parts: readonly Node[] }
  | { readonly kind: 'any'; readonly parts: readonly Node[] }
  | { readonly kind: 'repeat'; readonly part: Node; readonly min: number; readonly max: number };

const encoder = new TextEncoder();

/** Reads a pattern into a tree. */
class Reader {
  readonly #text: string;
  readonly #isCaseless: boolean;
  #at = 0;

  constructor(text: string, isCaseless: boolean) {
    this.#text = text;
    this.#isCaseless = isCaseless;
  }

  read(): Node {
    const node = this.#alternatives(0);
    if (this.#at < this.#text.length) throw this.#refusal('expected the end, got ")"');
    return node;
  }

  #refusal(why: string): PatternRefused {
    return new PatternRefused(`${why}, at character ${this.#at + 1} of the pattern`);
  }

  #alternatives(depth: number): Node {
    if (depth > 16) throw this.#refusal('expected groups no deeper than 16');
    const parts: Node[] = [this.#sequence(depth)];
    while (this.#text[this.#at] === '|') {
      this.#at += 1;
      parts.push(this.#sequence(depth));
    }
    const [only] = parts;
    return parts.length === 1 && only !== undefined ? only : { kind: 'any', parts };
  }

  #sequence(depth: number): Node {
    const parts: Node[] = [];
    for (;;) {
      const character = this.#text[this.#at];
      if (character === undefined || character === '|' || character === ')') return { kind: 'all', parts };
      parts.push(this.#repeated(this.#atom(depth)));
    }
  }

  #atom(depth: number): Node {
    const character = String.fromCodePoint(this.#text.codePointAt(this.#at) ?? 0);
    this.#at += character.length;
    if (character === '(') return this.#group(depth);
    if (character === '[') return this.#characterClass();
    if (character === '\\') return this.#escape();
    if (character === '.') return { kind: 'set', members: setOf((byte) => byte !== 10) };
    if ('^$?*+{}'.includes(character)) {
      this.#at -= 1;
      throw this.#refusal(`expected a character, got "${character}"`);
    }
    const bytes = [...encoder.encode(character)];
    return { kind: 'all', parts: bytes.map((byte) => ({ kind: 'set', members: this.#single(byte) })) };
  }

  #group(depth: number): Node {
    if (this.#text[this.#at] === '?') {
      if (this.#text[this.#at + 1] !== ':')
        throw this.#refusal(
          'expected "(?:": look-around is not taken, because what it asks costs more than one pass, nor are names',
        );
      this.#at += 2;
    }
    const node = this.#alternatives(depth + 1);
    if (this.#text[this.#at] !== ')') throw this.#refusal('expected ")"');
    this.#at += 1;
    return node;
  }

  #escape(): Node {
    const character = this.#text[this.#at];
    if (character === undefined) throw this.#refusal('expected a character behind "\\"');
    this.#at += 1;
    if (character === 'b') return { kind: 'edge' };
    const members = classOf(character);
    if (members !== undefined) return { kind: 'set', members };
    return { kind: 'set', members: this.#single(this.#literal(character)) };
  }

  /** What an escaped character stands for. */
  #literal(character: string): number {
    const control = { n: 10, r: 13, t: 9, f: 12, v: 11, '0': 0 }[character];
    if (control !== undefined) return control;
    const code = character.charCodeAt(0);
    if (code < 128 && !/[a-zA-Z0-9]/.test(character)) return code;
    if (/[1-9k]/.test(character)) {
      throw this.#refusal(
        'references back are not taken: they cannot be followed in time in proportion to the text',
      );
    }
    throw this.#refusal(`expected an escape that is known, got "\\${character}"`);
  }

  #single(byte: number): Uint8Array {
    const other = byte ^ 32;
    const isLetter = (byte | 32) >= 97 && (byte | 32) <= 122 && byte < 128;
    return setOf((member) => member === byte || (this.#isCaseless && isLetter && member === other));
  }

  #characterClass(): Node {
    const isNegated = this.#text[this.#at] === '^';
    if (isNegated) this.#at += 1;
    const members = new Uint8Array(256);
    let isFirst = true;
    while (this.#text[this.#at] !== ']' || isFirst) {
      isFirst = false;
      if (this.#at >= this.#text.length) throw this.#refusal('expected "]"');
      this.#classMember(members);
    }
    this.#at += 1;
    return {
      kind: 'set',
      members: isNegated ? setOf((byte) => members[byte] === 0 && byte !== 10) : members,
    };
  }

  #classMember(members: Uint8Array): void {
    const known = this.#text[this.#at] === '\\' ? classOf(this.#text[this.#at + 1] ?? '') : undefined;
    if (known !== undefined) {
      this.#at += 2;
      for (let byte = 0; byte < 256; byte += 1) if (known[byte] === 1) members[byte] = 1;
      return;
    }
    const from = this.#classByte();
    let to = from;
    if (this.#text[this.#at] === '-' && this.#text[this.#at + 1] !== ']') {
      this.#at += 1;
      to = this.#classByte();
    }
    if (to < from) throw this.#refusal('expected a range that goes up');
    for (let byte = from; byte <= to; byte += 1) {
      const single = this.#single(byte);
      for (let member = 0; member < 256; member += 1) if (single[member] === 1) members[member] = 1;
    }
  }

  #classByte(): number {
    const character = this.#text[this.#at];
    if (character === undefined) throw this.#refusal('expected "]"');
    this.#at += 1;
    if (character === '\\') {
      const escaped = this.#text[this.#at] ?? '';
      this.#at += 1;
      return this.#literal(escaped);
    }
    const code = character.charCodeAt(0);
    if (code >= 128) throw this.#refusal('expected characters of ASCII in a class');
    return code;
  }

  #repeated(part: Node): Node {
    const character = this.#text[this.#at];
    let min = 1;
    let max = 1;
    if (character === '?') [min, max] = [0, 1];
    else if (character === '*') [min, max] = [0, REPEATS_MAX];
    else if (character === '+') [min, max] = [1, REPEATS_MAX];
    else if (character === '{') return this.#counted(part);
    else return part;
    this.#at += 1;
    return this.#once({ kind: 'repeat', part, min, max });
  }

  #counted(part: Node): Node {
    const found = /^\{(\d{1,3})(,(\d{0,3}))?\}/.exec(this.#text.slice(this.#at));
    if (found === null) throw this.#refusal('expected {m} or {m,n}');
    const min = Number(found[1]);
    const max =
      found[2] === undefined ? min : found[3] === '' ? Math.max(min, REPEATS_MAX) : Number(found[3]);
    if (max < min || max === 0) throw this.#refusal('expected a repetition that goes up');
    this.#at += found[0].length;
    return this.#once({ kind: 'repeat', part, min, max });
  }

  #once(node: Node): Node {
    if ('?*+{'.includes(this.#text[this.#at] ?? ' ')) throw this.#refusal('expected one repetition, not two');
    return node;
  }
}

function setOf(isMember: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => (isMember(byte) ? 1 : 0));
}

function isSpace(byte: number): boolean {
  return byte === 32 || (byte >= 9 && byte <= 13);
}

function isWord(byte: number): boolean {
  return ((CLASS[byte] ?? 0) & IS_WORD) !== 0 || byte === 95;
}

function classOf(character: string): Uint8Array | undefined {
  switch (character) {
    case 'd':
      return setOf((byte) => byte >= 48 && byte <= 57);
    case 'D':
      return setOf((byte) => byte < 48 || byte > 57);
    case 'w':
      return setOf(isWord);
    case 'W':
      return setOf((byte) => !isWord(byte));
    case 's':
      return setOf(isSpace);
    case 'S':
      return setOf((byte) => !isSpace(byte));
    default:
      return undefined;
  }
}

/** Least and most bytes that a node takes. */
function lengthOf(node: Node): readonly [min: number, max: number] {
  switch (node.kind) {
    case 'set':
      return [1, 1];
    case 'edge':
      return [0, 0];
    case 'all': {
      const lengths = node.parts.map(lengthOf);
      return [sum(lengths.map(([min]) => min)), sum(lengths.map(([, max]) => max))];
    }
    case 'any': {
      const lengths = node.parts.map(lengthOf);
      return [Math.min(...lengths.map(([min]) => min)), Math.max(...lengths.map(([, max]) => max))];
    }
    case 'repeat': {
      const [min, max] = lengthOf(node.part);
      return [min * node.min, max * node.max];
    }
    default:
      return node satisfies never;
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((all, value) => all + value, 0);
}

/** A state takes a byte, or splits, or asks for an edge of a word, or is the end. */
const TAKE = 0;
const SPLIT = 1;
const EDGE = 2;
const MATCH = 3;

/** A pattern that is ready to be walked. */
export class LinearPattern {
  readonly #kinds: number[] = [];
  readonly #sets: (Uint8Array | undefined)[] = [];
  readonly #next: number[] = [];
  readonly #other: number[] = [];
  readonly #start: number;
  /** Steps that one place of a text takes at most: every state for each byte of the longest match. */
  readonly stepsMax: number;
  /** Bytes that a match can begin with. */
  readonly first: Uint8Array = new Uint8Array(256);
  #current: Int32Array;
  #following: Int32Array;
  readonly #marks: Int32Array;
  #mark = 0;
  #count = 0;

  constructor(text: string, isCaseless = false) {
    if (text.length > PATTERN_LENGTH_MAX) {
      throw new PatternRefused(`expected at most ${PATTERN_LENGTH_MAX} characters, got ${text.length}`);
    }
    const tree = new Reader(text, isCaseless).read();
    const [min, max] = lengthOf(tree);
    if (min === 0) throw new PatternRefused('expected a pattern that does not match nothing');
    if (max > MATCH_BYTES_MAX) {
      throw new PatternRefused(
        `expected matches of at most ${MATCH_BYTES_MAX} bytes, got up to ${max}: use {m,n}`,
      );
    }
    this.#start = this.#compile(tree, this.#state(MATCH, undefined, -1, -1));
    this.stepsMax = this.#kinds.length * max;
    this.#current = new Int32Array(this.#kinds.length);
    this.#following = new Int32Array(this.#kinds.length);
    this.#marks = new Int32Array(this.#kinds.length);
    this.#findFirst();
  }

  #state(kind: number, set: Uint8Array | undefined, next: number, other: number): number {
    if (this.#kinds.length === STATES_MAX)
      throw new PatternRefused('expected a smaller pattern: its repetitions multiply');
    this.#kinds.push(kind);
    this.#sets.push(set);
    this.#next.push(next);
    return this.#other.push(other) - 1;
  }

  /** The state in which a node begins that goes on in another. */
  #compile(node: Node, next: number): number {
    switch (node.kind) {
      case 'set':
        return this.#state(TAKE, node.members, next, -1);
      case 'edge':
        return this.#state(EDGE, undefined, next, -1);
      case 'all':
        return node.parts.reduceRight((to, part) => this.#compile(part, to), next);
      case 'any':
        return node.parts
          .map((part) => this.#compile(part, next))
          .reduceRight((other, one) => this.#state(SPLIT, undefined, one, other));
      case 'repeat': {
        let to = next;
        for (let time = node.min; time < node.max; time += 1) {
          to = this.#state(SPLIT, undefined, this.#compile(node.part, to), next);
        }
        for (let time = 0; time < node.min; time += 1) to = this.#compile(node.part, to);
        return to;
      }
      default:
        return node satisfies never;
    }
  }

  #findFirst(): void {
    const seen = new Set<number>();
    const open = [this.#start];
    for (let state = open.pop(); state !== undefined; state = open.pop()) {
      if (state < 0 || seen.has(state)) continue;
      seen.add(state);
      const set = this.#sets[state];
      if (set === undefined) open.push(this.#next[state] ?? -1, this.#other[state] ?? -1);
      else for (let byte = 0; byte < 256; byte += 1) if (set[byte] === 1) this.first[byte] = 1;
    }
  }

  /** Where the longest match ends that begins at a place; 0 where none does. `begin` and `end` bound the text. */
  matchAt(bytes: Uint8Array, at: number, begin: number, end: number): number {
    let found = 0;
    this.#count = 0;
    this.#mark += 1;
    this.#enter(this.#start, bytes, at, begin, end);
    for (let place = at; this.#count > 0; place += 1) {
      const states = this.#current;
      const count = this.#count;
      this.#current = this.#following;
      this.#following = states;
      this.#count = 0;
      this.#mark += 1;
      for (let index = 0; index < count; index += 1) {
        const state = states[index] ?? 0;
        if (this.#kinds[state] === MATCH) found = place;
        else if (place < end && this.#sets[state]?.[bytes[place] ?? 0] === 1) {
          this.#enter(this.#next[state] ?? -1, bytes, place + 1, begin, end);
        }
      }
    }
    return found;
  }

  /** Adds a state, and what is reached from it without a byte. */
  #enter(state: number, bytes: Uint8Array, at: number, begin: number, end: number): void {
    if (state < 0 || this.#marks[state] === this.#mark) return;
    this.#marks[state] = this.#mark;
    const kind = this.#kinds[state];
    if (kind === SPLIT) {
      this.#enter(this.#next[state] ?? -1, bytes, at, begin, end);
      this.#enter(this.#other[state] ?? -1, bytes, at, begin, end);
    } else if (kind === EDGE) {
      const isBefore = at > begin && isWord(bytes[at - 1] ?? 0);
      const isBehind = at < end && isWord(bytes[at] ?? 0);
      if (isBefore !== isBehind) this.#enter(this.#next[state] ?? -1, bytes, at, begin, end);
    } else {
      this.#current[this.#count] = state;
      this.#count += 1;
    }
  }
}
