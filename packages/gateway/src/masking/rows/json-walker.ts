/**
 * JSON as it is written, its strings and numbers looked through one by one, and nothing made of it unless
 * one of them changes.
 *
 * Spec: RFC 8259. It is taken to be JSON, as PostgreSQL says; of what is not, every string and number is
 * looked through all the same. Names of members are strings too: what is found in one is masked there.
 * Untrusted: every byte; no recursion, so that no depth is too deep.
 */

import { contextOfKey } from '../detect/context.ts';
import { jsonString } from '../operators/json.ts';
import { utf8Bytes } from '../operators/text-encoding.ts';
import { joined } from '../operators/bytes.ts';

/** What is done with a string's characters or a number; undefined where it stays. */
export interface JsonLeafMasker {
  string(bytes: Uint8Array, from: number, to: number, context: number): Uint8Array | undefined;
  /** What stands in its place is a number, or null. */
  number(bytes: Uint8Array, from: number, to: number, context: number): Uint8Array | null | undefined;
}

/** Levels that have a context of their own; deeper ones have that of the last. */
const CONTEXT_LEVELS = 256;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const MINUS = 0x2d;
const OPEN_OBJECT = 0x7b;
const OPEN_ARRAY = 0x5b;
const CLOSE_OBJECT = 0x7d;
const CLOSE_ARRAY = 0x5d;

export class JsonWalker {
  readonly #masker: JsonLeafMasker;
  /** What the names of members on the way to a level say. */
  readonly #contexts = new Int32Array(CONTEXT_LEVELS);
  #parts: Uint8Array[] = [];
  #copied = 0;

  constructor(masker: JsonLeafMasker) {
    this.#masker = masker;
  }

  /** The text with what was found in it masked; undefined where nothing was. UTF-8. */
  mask(bytes: Uint8Array, from: number, to: number, context: number): Uint8Array | undefined {
    this.#parts = [];
    this.#copied = from;
    this.#contexts[0] = context;
    let depth = 0;
    let at = from;
    while (at < to) {
      const byte = bytes[at] ?? 0;
      if (byte === QUOTE) {
        at = this.#string(bytes, at, to, depth);
      } else if (isDigit(byte) || byte === MINUS) {
        at = this.#number(bytes, at, to, this.#contextOf(depth));
      } else {
        if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
          this.#enter(depth + 1, this.#contextOf(depth));
          depth += 1;
        } else if ((byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) && depth > 0) depth -= 1;
        at += 1;
      }
    }
    if (this.#parts.length === 0) return undefined;
    this.#parts.push(bytes.subarray(this.#copied, to));
    return joined(this.#parts);
  }

  #contextOf(depth: number): number {
    return this.#contexts[depth < CONTEXT_LEVELS ? depth : CONTEXT_LEVELS - 1] ?? 0;
  }

  #enter(depth: number, context: number): void {
    if (depth < CONTEXT_LEVELS) this.#contexts[depth] = context;
    // What is deeper is not told apart, and so nothing that was said there is forgotten.
    else this.#contexts[CONTEXT_LEVELS - 1] = this.#contextOf(depth) | context;
  }

  /** A string, and whether it is a name; where to go on. */
  #string(bytes: Uint8Array, start: number, to: number, depth: number): number {
    let end = start + 1;
    let isEscaped = false;
    while (end < to && bytes[end] !== QUOTE) {
      if (bytes[end] === BACKSLASH) {
        isEscaped = true;
        end += 1;
      }
      end += 1;
    }
    end = Math.min(end, to);
    let behind = end + 1;
    while (behind < to && isSpace(bytes[behind] ?? 0)) behind += 1;
    const isName = bytes[behind] === COLON && behind < to;
    const around = this.#contextOf(isName ? Math.max(0, depth - 1) : depth);
    const said = isEscaped ? unescaped(bytes.subarray(start, end + 1)) : bytes;
    const [saidFrom, saidTo] = isEscaped ? [0, said.length] : [start + 1, end];
    const masked = this.#masker.string(said, saidFrom, saidTo, around);
    if (masked !== undefined) {
      this.#replace(bytes, start, Math.min(end + 1, to), utf8Bytes(jsonString(decoder.decode(masked))));
    }
    if (isName) this.#enter(depth, around | contextOfKey(said, saidFrom, saidTo));
    return isName ? behind + 1 : Math.min(end + 1, to);
  }

  #number(bytes: Uint8Array, start: number, to: number, context: number): number {
    let end = start + 1;
    while (end < to && isOfNumber(bytes[end] ?? 0)) end += 1;
    const masked = this.#masker.number(bytes, start, end, context);
    if (masked !== undefined) this.#replace(bytes, start, end, masked ?? NULL);
    return end;
  }

  #replace(bytes: Uint8Array, from: number, to: number, replacement: Uint8Array): void {
    this.#parts.push(bytes.subarray(this.#copied, from), replacement);
    this.#copied = to;
  }
}

const NULL = utf8Bytes('null');
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** What a literal with escapes says; where it is none, the bytes as they are. */
function unescaped(literal: Uint8Array): Uint8Array {
  try {
    const text: unknown = JSON.parse(decoder.decode(literal));
    if (typeof text === 'string') return utf8Bytes(text);
  } catch {
    // Not an error: it is looked through all the same.
  }
  return literal;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

/** `1.5e+3`. */
function isOfNumber(byte: number): boolean {
  return isDigit(byte) || byte === 0x2e || byte === 0x65 || byte === 0x45 || byte === 0x2b || byte === MINUS;
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
