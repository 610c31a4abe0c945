/**
 * `application/x-www-form-urlencoded` as it goes by: fields are given to whoever masks them, decoded, and every
 * other byte stays as it is written.
 *
 * Spec: WHATWG URL, section 5 (https://url.spec.whatwg.org/#application/x-www-form-urlencoded): `&` between
 * fields, `+` for a space, percent-encoded UTF-8; a `%` without two digits is itself. spec/masking.md, section 16.
 * Untrusted: every byte.
 */

import { BODY_MASK_LIMITS } from '../../core/http-body-limits.ts';
import { contextOfKey } from '../detect/context.ts';
import type { BodyLeaves } from './body-leaves.ts';
import type { FieldRule } from './body-plan.ts';
import { HeldBytes } from './held-bytes.ts';
import type { Place } from './places.ts';
import { withheld } from './withheld.ts';

const AMPERSAND = 0x26;
const EQUALS = 0x3d;
const PERCENT = 0x25;
const PLUS = 0x2b;
const SPACE = 0x20;
const EMPTY = new Uint8Array(0);
const HEX = '0123456789ABCDEF';

/** Owns the field that has not ended. */
export class FormMasker {
  readonly #leaves: BodyLeaves;
  readonly #root: Place<FieldRule>;
  readonly #held = new HeldBytes();
  /** Up to here no field ends. */
  #looked = 0;

  constructor(leaves: BodyLeaves, root: Place<FieldRule>) {
    this.#leaves = leaves;
    this.#root = root;
  }

  push(chunk: Uint8Array): readonly Uint8Array[] {
    const bytes = this.#held.join(chunk);
    const parts: Uint8Array[] = [];
    let from = 0;
    for (;;) {
      const end = bytes.indexOf(AMPERSAND, Math.max(from, this.#looked));
      if (end === -1) break;
      this.#field(bytes, from, end, parts);
      parts.push(bytes.subarray(end, end + 1));
      from = end + 1;
    }
    this.#held.keep(bytes, from);
    this.#looked = this.#held.length;
    if (this.#looked > BODY_MASK_LIMITS.pieceBytesMax)
      throw withheld('a form', 'one field of it is too long');
    return parts;
  }

  finish(): readonly Uint8Array[] {
    const bytes = this.#held.join(EMPTY);
    const parts: Uint8Array[] = [];
    this.#field(bytes, 0, bytes.length, parts);
    this.#held.keep(bytes, bytes.length);
    this.#looked = 0;
    return parts;
  }

  #field(bytes: Uint8Array, from: number, to: number, parts: Uint8Array[]): void {
    if (from === to) return;
    const equals = bytes.subarray(from, to).indexOf(EQUALS);
    const nameTo = equals === -1 ? to : from + equals;
    const name = decoded(bytes, from, nameTo);
    const maskedName = this.#leaves.name(name, 0, name.length, 0, this.#root.names);
    parts.push(maskedName === undefined ? bytes.subarray(from, nameTo) : encoded(maskedName));
    if (equals === -1) return;
    parts.push(bytes.subarray(nameTo, nameTo + 1));
    const value = decoded(bytes, nameTo + 1, to);
    const rule = this.#root.member(name, 0, name.length).value;
    const context = this.#leaves.looks ? contextOfKey(name, 0, name.length) : 0;
    const masked = this.#leaves.string(value, 0, value.length, context, rule);
    parts.push(masked === undefined ? bytes.subarray(nameTo + 1, to) : encoded(masked ?? EMPTY));
  }
}

/** What a name or value says. */
function decoded(bytes: Uint8Array, from: number, to: number): Uint8Array {
  const text = new Uint8Array(to - from);
  let length = 0;
  for (let at = from; at < to; at += 1) {
    const byte = bytes[at] ?? 0;
    const value = byte === PERCENT && at + 2 < to ? hexByte(bytes, at + 1) : -1;
    if (value !== -1) at += 2;
    text[length] = value === -1 ? (byte === PLUS ? SPACE : byte) : value;
    length += 1;
  }
  return text.subarray(0, length);
}

/** Letters, digits and `*-._` stay, a space is `+`, and the rest is percent-encoded. */
function encoded(text: Uint8Array): Uint8Array {
  const bytes: number[] = [];
  for (const byte of text) {
    if (IS_SAFE[byte] === 1) bytes.push(byte);
    else if (byte === SPACE) bytes.push(PLUS);
    else bytes.push(PERCENT, HEX.charCodeAt(byte >> 4), HEX.charCodeAt(byte & 15));
  }
  return Uint8Array.from(bytes);
}

const IS_SAFE = Uint8Array.from({ length: 256 }, (_, byte) =>
  /[A-Za-z0-9*\-._]/.test(String.fromCharCode(byte)) ? 1 : 0,
);

function hexByte(bytes: Uint8Array, at: number): number {
  const [high, low] = [hexDigit(bytes[at] ?? 0), hexDigit(bytes[at + 1] ?? 0)];
  return high === -1 || low === -1 ? -1 : high * 16 + low;
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}
