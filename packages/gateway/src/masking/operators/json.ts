/**
 * JSON, leaf by leaf: strings, numbers and booleans are replaced, and everything else stays as it was
 * written.
 *
 * Spec: RFC 8259, section 2. Names of members stay. A name that stands twice has both its values replaced.
 * Refused: what PostgreSQL's json type would refuse, and more levels than the limit.
 * Untrusted: every character.
 */

import { MASKING_OPERATOR_LIMITS } from '../../core/masking-limits.ts';
import { malformed } from './bytes.ts';

/** A value without values inside. null is none: it says nothing that its place does not. */
export interface JsonLeaf {
  readonly kind: 'string' | 'number' | 'boolean';
  /** What a string says, its escapes undone; what a number or boolean is written as. */
  readonly text: string;
  /** Names and indexes from the outermost value; good until the call returns. */
  readonly path: readonly (string | number)[];
}

/** JSON in the place of a leaf, `keep`, or `drop` for its member or element to go. */
export type JsonReplacement = 'keep' | 'drop' | { readonly json: string };

/** The text with its leaves replaced; a leaf that is the whole text and drops is null. */
export function mapJson(text: string, map: (leaf: JsonLeaf) => JsonReplacement): string {
  const walker = new Walker(text, map);
  const before = walker.space();
  const value = walker.value() ?? 'null';
  const after = walker.space();
  walker.end();
  return before + value + after;
}

/** A text as a JSON string of ASCII, which every client encoding has. */
export function jsonString(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

class Walker {
  readonly #text: string;
  readonly #map: (leaf: JsonLeaf) => JsonReplacement;
  readonly #path: (string | number)[] = [];
  #offset = 0;

  constructor(text: string, map: (leaf: JsonLeaf) => JsonReplacement) {
    this.#text = text;
    this.#map = map;
  }

  /** Undefined where it dropped. */
  value(): string | undefined {
    switch (this.#text.charAt(this.#offset)) {
      case '{':
        return this.#members('{', '}', () => this.#member());
      case '[':
        return this.#members('[', ']', (index) => this.#at(index));
      case '"': {
        const raw = this.#string();
        return this.#leaf('string', raw, stringOf(raw));
      }
      default:
        return this.#word();
    }
  }

  space(): string {
    return this.#take(/[ \t\n\r]*/y);
  }

  end(): void {
    if (this.#offset !== this.#text.length) throw malformed('JSON');
  }

  /** What stands between brackets, with the white space that stood there. */
  #members(opening: string, closing: string, read: (index: number) => string | undefined): string {
    if (this.#path.length >= MASKING_OPERATOR_LIMITS.jsonDepthMax) throw malformed('JSON of so few levels');
    this.#expect(opening);
    const first = this.space();
    if (this.#skip(closing)) return opening + first + closing;
    const kept: string[] = [];
    let before = first;
    for (let index = 0; ; index++) {
      const value = read(index);
      const after = this.space();
      if (value !== undefined) kept.push(before + value + after);
      if (!this.#skip(',')) break;
      before = this.space();
    }
    this.#expect(closing);
    return opening + kept.join(',') + closing;
  }

  #member(): string | undefined {
    if (this.#text.charAt(this.#offset) !== '"') throw malformed('JSON');
    const name = this.#string();
    const before = this.space();
    this.#expect(':');
    const between = this.space();
    const value = this.#at(stringOf(name));
    return value === undefined ? undefined : `${name}${before}:${between}${value}`;
  }

  #at(place: string | number): string | undefined {
    this.#path.push(place);
    const value = this.value();
    this.#path.pop();
    return value;
  }

  #word(): string | undefined {
    const number = this.#take(/-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y);
    if (number !== '') return this.#leaf('number', number, number);
    const word = this.#take(/true|false|null/y);
    if (word === '') throw malformed('JSON');
    return word === 'null' ? word : this.#leaf('boolean', word, word);
  }

  #leaf(kind: JsonLeaf['kind'], raw: string, text: string): string | undefined {
    const replacement = this.#map({ kind, text, path: this.#path });
    if (replacement === 'drop') return undefined;
    return replacement === 'keep' ? raw : replacement.json;
  }

  /** A string with its quotes, as it is written. */
  #string(): string {
    const start = this.#offset;
    let at = start + 1;
    for (;;) {
      const character = this.#text.charAt(at);
      if (character === '') throw malformed('JSON');
      at += character === '\\' ? 2 : 1;
      if (character === '"') break;
    }
    this.#offset = at;
    return this.#text.slice(start, at);
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#offset;
    const found = pattern.exec(this.#text)?.[0] ?? '';
    this.#offset += found.length;
    return found;
  }

  #skip(character: string): boolean {
    if (this.#text.charAt(this.#offset) !== character) return false;
    this.#offset += 1;
    return true;
  }

  #expect(character: string): void {
    if (!this.#skip(character)) throw malformed('JSON');
  }
}

/** What a string literal says. */
function stringOf(raw: string): string {
  try {
    const value: unknown = JSON.parse(raw);
    if (typeof value === 'string') return value;
  } catch {
    // An escape that is none; said below, without the text.
  }
  throw malformed('JSON');
}
