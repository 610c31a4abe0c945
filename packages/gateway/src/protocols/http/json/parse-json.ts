/**
 * The bytes of a content → {@link JsonNode}: what policy and the dialects look at.
 *
 * Spec: RFC 8259 (https://www.rfc-editor.org/rfc/rfc8259), I-JSON's uniqueness of names (RFC 7493, section 2.3).
 * Grammar: ws value ws; strings are UTF-8.
 * Refused: everything else. No byte order mark, no comment, no comma at the end, no NaN; a name that stands
 * twice in one object once its escapes are undone; more levels and values than the bounds.
 * Not refused but told: escapes that are half of a character.
 * Untrusted: every byte. No recursion, so that no depth is too deep.
 */

import { JSON_LIMITS } from '../../../core/http-body-limits.ts';
import { utf8Width } from '../../../core/utf8.ts';
import type { JsonBounds, JsonMember, JsonNode, JsonRefusal, JsonResult, JsonScalar } from './json-node.ts';
import { textOfString } from './strings.ts';

/** Reads a whole content. */
export function parseJson(bytes: Uint8Array, bounds: JsonBounds = JSON_LIMITS): JsonResult {
  return new Reader(bytes, bounds).read();
}

interface OpenObject {
  readonly kind: 'object';
  readonly from: number;
  readonly members: JsonMember[];
  /** Names so far, once there are too many to compare with each. */
  names: Set<string> | undefined;
  key: string;
  keyFrom: number;
  keyTo: number;
}

interface OpenArray {
  readonly kind: 'array';
  readonly from: number;
  readonly items: JsonNode[];
}

/** More names than these are looked up and not compared. */
const COMPARED_MAX = 8;

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

const WORDS: ReadonlyMap<number, { readonly kind: 'true' | 'false' | 'null'; readonly bytes: Uint8Array }> =
  new Map(
    (['true', 'false', 'null'] as const).map((kind) => [
      kind.charCodeAt(0),
      { kind, bytes: Uint8Array.from(kind, (letter) => letter.charCodeAt(0)) },
    ]),
  );

/** What may stand behind a backslash, without `u`. */
const ESCAPES: ReadonlySet<number> = new Set(Array.from('"\\/bfnrt', (letter) => letter.charCodeAt(0)));

/** 1 for what ends the easy part of a string: a quote, a backslash, a control, a byte beyond ASCII. */
const STOPS = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte < 0x20 || byte >= 0x80 || byte === QUOTE || byte === BACKSLASH ? 1 : 0,
);

class Reader {
  readonly #bytes: Uint8Array;
  readonly #bounds: JsonBounds;
  readonly #open: (OpenObject | OpenArray)[] = [];
  #at = 0;
  #nodesCount = 0;
  #hasLoneSurrogates = false;
  #refused: { readonly reason: JsonRefusal; readonly at: number } | undefined;

  constructor(bytes: Uint8Array, bounds: JsonBounds) {
    this.#bytes = bytes;
    this.#bounds = bounds;
  }

  read(): JsonResult {
    let done = this.#begin();
    for (;;) {
      if (this.#refused !== undefined) return { kind: 'refused', ...this.#refused };
      if (done === undefined) {
        done = this.#begin();
        continue;
      }
      const parent = this.#open.at(-1);
      if (parent === undefined) return this.#end(done);
      done = parent.kind === 'object' ? this.#afterMember(parent, done) : this.#afterItem(parent, done);
    }
  }

  #end(root: JsonNode): JsonResult {
    this.#space();
    if (this.#at < this.#bytes.length) return { kind: 'refused', reason: 'syntax', at: this.#at };
    return { kind: 'json', root, hasLoneSurrogates: this.#hasLoneSurrogates };
  }

  /** A value, or undefined where it has only begun, or is refused. */
  #begin(): JsonNode | undefined {
    this.#space();
    if (this.#nodesCount === this.#bounds.nodesMax) return this.#refuse('too-many');
    this.#nodesCount += 1;
    const from = this.#at;
    const byte = this.#bytes[from];
    if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) return this.#enter(byte, from);
    if (byte === QUOTE) {
      this.#string();
      return { kind: 'string', from, to: this.#at };
    }
    if (byte === MINUS || isDigit(byte)) return this.#number(from);
    return this.#word(byte ?? 0, from);
  }

  #enter(byte: number, from: number): JsonNode | undefined {
    if (this.#open.length === this.#bounds.depthMax) return this.#refuse('too-deep');
    this.#at += 1;
    this.#space();
    if (byte === OPEN_ARRAY) {
      if (this.#skip(CLOSE_ARRAY)) return { kind: 'array', from, to: this.#at, items: [] };
      this.#open.push({ kind: 'array', from, items: [] });
      return undefined;
    }
    if (this.#skip(CLOSE_OBJECT)) return { kind: 'object', from, to: this.#at, members: [] };
    const open: OpenObject = {
      kind: 'object',
      from,
      members: [],
      names: undefined,
      key: '',
      keyFrom: 0,
      keyTo: 0,
    };
    this.#open.push(open);
    this.#name(open);
    return undefined;
  }

  /** A name and its colon. */
  #name(open: OpenObject): undefined {
    const from = this.#at;
    if (this.#bytes[from] !== QUOTE) return this.#refuse('syntax');
    const isPlain = this.#string();
    if (this.#refused !== undefined) return undefined;
    const key = textOfString(this.#bytes, from, this.#at, isPlain);
    if (isTaken(open, key)) return this.#refuse('duplicate-key', from);
    open.key = key;
    open.keyFrom = from;
    open.keyTo = this.#at;
    this.#space();
    if (!this.#skip(COLON)) this.#refuse('syntax');
    return undefined;
  }

  #afterMember(open: OpenObject, value: JsonNode): JsonNode | undefined {
    const { from, members, key, keyFrom, keyTo } = open;
    members.push({ key, keyFrom, keyTo, value });
    open.names?.add(key);
    this.#space();
    if (this.#skip(COMMA)) {
      this.#space();
      this.#name(open);
      return undefined;
    }
    if (!this.#skip(CLOSE_OBJECT)) return this.#refuse('syntax');
    this.#open.pop();
    return { kind: 'object', from, to: this.#at, members };
  }

  #afterItem({ from, items }: OpenArray, value: JsonNode): JsonNode | undefined {
    items.push(value);
    this.#space();
    if (this.#skip(COMMA)) return undefined;
    if (!this.#skip(CLOSE_ARRAY)) return this.#refuse('syntax');
    this.#open.pop();
    return { kind: 'array', from, to: this.#at, items };
  }

  /** From its quote to behind its last; whether it is ASCII without escapes. */
  #string(): boolean {
    const bytes = this.#bytes;
    const end = bytes.length;
    let isPlain = true;
    let at = this.#at + 1;
    for (;;) {
      while (at < end && STOPS[bytes[at] ?? 0] === 0) at += 1;
      const byte = at < end ? (bytes[at] ?? 0) : 0;
      if (byte === QUOTE) break;
      isPlain = false;
      if (byte >= 0x80) {
        const width = utf8Width(bytes, at, end);
        if (width === 0) return this.#refuse('utf8', at) ?? false;
        at += width;
      } else if (byte === BACKSLASH) {
        const width = this.#escape(at);
        if (width === 0) return this.#refuse('syntax', at) ?? false;
        at += width;
        // A control character, or the end of the content.
      } else return this.#refuse('syntax', at) ?? false;
    }
    this.#at = at + 1;
    return isPlain;
  }

  /** Bytes of the escape at a place, both halves of a character together; 0 where it is none. */
  #escape(at: number): number {
    const letter = this.#bytes[at + 1] ?? 0;
    if (ESCAPES.has(letter)) return 2;
    const unit = letter === 0x75 ? this.#hex(at + 2) : -1;
    if (unit === -1) return 0;
    if (unit < 0xd800 || unit > 0xdfff) return 6;
    const isHigh = unit < 0xdc00;
    if (isHigh && this.#bytes[at + 6] === BACKSLASH && this.#bytes[at + 7] === 0x75) {
      const low = this.#hex(at + 8);
      if (low === -1) return 0;
      if (low >= 0xdc00 && low <= 0xdfff) return 12;
    }
    this.#hasLoneSurrogates = true;
    return 6;
  }

  /** What four hex digits say; -1 where they are none. */
  #hex(from: number): number {
    let value = 0;
    for (let at = from; at < from + 4; at += 1) {
      const digit = hexDigit(this.#bytes[at] ?? 0);
      if (digit === -1) return -1;
      value = value * 16 + digit;
    }
    return value;
  }

  #number(from: number): JsonScalar | undefined {
    if (this.#bytes[from] === MINUS) this.#at += 1;
    const isZero = this.#bytes[this.#at] === ZERO;
    if (isZero) this.#at += 1;
    else if (!this.#digits()) return this.#refuse('syntax');
    if (this.#skip(DOT) && !this.#digits()) return this.#refuse('syntax');
    const byte = this.#bytes[this.#at] ?? 0;
    if (byte === 0x65 || byte === 0x45) {
      this.#at += 1;
      const sign = this.#bytes[this.#at];
      if (sign === 0x2b || sign === MINUS) this.#at += 1;
      if (!this.#digits()) return this.#refuse('syntax');
    }
    return { kind: 'number', from, to: this.#at };
  }

  #digits(): boolean {
    const from = this.#at;
    while (isDigit(this.#bytes[this.#at])) this.#at += 1;
    return this.#at > from;
  }

  #word(byte: number, from: number): JsonScalar | undefined {
    const word = WORDS.get(byte);
    if (word === undefined) return this.#refuse('syntax');
    const { kind, bytes } = word;
    for (let index = 0; index < bytes.length; index += 1) {
      if (this.#bytes[from + index] !== bytes[index]) return this.#refuse('syntax');
    }
    this.#at = from + bytes.length;
    return { kind, from, to: this.#at };
  }

  #space(): void {
    const bytes = this.#bytes;
    let at = this.#at;
    for (;;) {
      const byte = bytes[at];
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break;
      at += 1;
    }
    this.#at = at;
  }

  #skip(byte: number): boolean {
    if (this.#bytes[this.#at] !== byte) return false;
    this.#at += 1;
    return true;
  }

  #refuse(reason: JsonRefusal, at: number = this.#at): undefined {
    this.#refused ??= { reason, at };
    return undefined;
  }
}

function isTaken(open: OpenObject, key: string): boolean {
  const { members } = open;
  if (members.length <= COMPARED_MAX) return members.some((member) => member.key === key);
  open.names ??= new Set(members.map((member) => member.key));
  return open.names.has(key);
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}
