/**
 * Secrets: by the prefix that the issuer gives them, by the name that stands before them, keys in PEM, and
 * the parts of URLs and headers that open something.
 */

import {
  CLASS,
  classAt,
  IS_BREAK,
  IS_DIGIT,
  IS_LETTER,
  IS_LOWER,
  IS_SECRET,
  IS_UPPER,
  IS_WORD,
} from './byte-classes.ts';
import { entityId } from './entities.ts';
import { entropyOf } from './entropy.ts';
import { CONTEXT } from './lexicon.ts';
import type { ScanState } from './scan-state.ts';
import { type Alphabet, SECRETS } from './secrets-table.ts';

const SECRET = entityId('SECRET');
const JWT = entityId('JWT');

/** Bit of each alphabet in the table below. */
const ALPHABETS: readonly Alphabet[] = ['h', 'x', 'l', 'u', 'n', 'w', 'b', 'd', 't'];
const MEMBERS: Readonly<Record<Alphabet, RegExp>> = {
  h: /[0-9a-f]/,
  x: /[0-9a-fA-F]/,
  l: /[0-9a-z]/,
  u: /[0-9A-Z]/,
  n: /[0-9a-zA-Z]/,
  w: /[0-9a-zA-Z_-]/,
  b: /[0-9a-zA-Z+/=_%-]/,
  d: /\d/,
  t: /[0-9a-zA-Z_.=-]/,
};
const IN_ALPHABET = new Int32Array(256);
for (let byte = 33; byte < 127; byte += 1) {
  for (const [bit, alphabet] of ALPHABETS.entries()) {
    if (MEMBERS[alphabet].test(String.fromCharCode(byte)))
      IN_ALPHABET[byte] = (IN_ALPHABET[byte] ?? 0) | (1 << bit);
  }
}

interface Format {
  readonly prefix: Uint8Array;
  readonly alphabet: number;
  readonly min: number;
  readonly max: number;
}

/** Two first bytes → formats that begin so, the longest prefix first; most pairs have none. */
const BEGINNINGS = new Uint8Array(4_096);
const FORMATS: (readonly Format[])[] = [[]];
for (const [prefix, alphabet, min, max] of SECRETS.toSorted(
  (one, other) => other[0].length - one[0].length,
)) {
  const bytes = Uint8Array.from(prefix, (character) => character.charCodeAt(0));
  const pair = pairOf(bytes[0] ?? 0, bytes[1] ?? 0);
  const format = { prefix: bytes, alphabet: 1 << ALPHABETS.indexOf(alphabet), min, max };
  const known = BEGINNINGS[pair] ?? 0;
  if (known === 0) {
    BEGINNINGS[pair] = FORMATS.length;
    FORMATS.push([format]);
  } else {
    FORMATS[known] = [...(FORMATS[known] ?? []), format];
  }
}

/** Six bits of each: small enough to stay near; whoever has the same pair is told apart by the prefix. */
function pairOf(first: number, second: number): number {
  return ((first & 63) << 6) | (second & 63);
}

/** How far back a prefix may begin before the first digit, hyphen or underscore. */
const BACK_BYTES = 48;
/** A token longer than this is not a secret of a known format. */
const SECRET_BYTES_MAX = 4_096;
/** Less random than this is a word, a placeholder, a row of the same. */
const ENTROPY_MIN = 2.9;

/**
 * A secret by its prefix, in the token around a place; whether one was found.
 */
export function secretAround(state: ScanState, at: number): boolean {
  const { bytes } = state;
  const earliest = Math.max(state.floor, at - BACK_BYTES);
  let from = at;
  // What was tried before in vain is tried in vain again.
  const untried = Math.max(earliest, state.triedTo);
  while (from > untried && isTokenByte(bytes[from - 1] ?? 0)) from -= 1;
  state.triedTo = at + 1;
  for (let place = from; place <= at; place += 1) {
    // A prefix begins where a word does.
    if (place > state.begin && ((CLASS[bytes[place - 1] ?? 0] ?? 0) & IS_WORD) !== 0) continue;
    if (secretFrom(state, place)) return true;
  }
  return false;
}

function isTokenByte(byte: number): boolean {
  return ((CLASS[byte] ?? 0) & IS_WORD) !== 0 || byte === 95 || byte === 45 || byte === 46;
}

function secretFrom(state: ScanState, at: number): boolean {
  const { bytes, end } = state;
  const first = bytes[at] ?? 0;
  const second = at + 1 < end ? (bytes[at + 1] ?? 0) : 0;
  if (first === 101 && second === 121 && jwtFrom(state, at)) return true;
  const beginning = BEGINNINGS[pairOf(first, second)] ?? 0;
  if (beginning === 0) return false;
  for (const format of FORMATS[beginning] ?? []) {
    const bodyFrom = at + format.prefix.length;
    if (!startsWith(bytes, at, end, format.prefix)) continue;
    let to = bodyFrom;
    const latest = Math.min(end, bodyFrom + format.max + 1);
    while (to < latest && ((IN_ALPHABET[bytes[to] ?? 0] ?? 0) & format.alphabet) !== 0) to += 1;
    // What ends a sentence is no part of it.
    while (to > bodyFrom && (bytes[to - 1] === 46 || bytes[to - 1] === 45)) to -= 1;
    const length = to - bodyFrom;
    if (length < format.min || length > format.max) continue;
    if ((classAt(bytes, to, end) & IS_WORD) !== 0) continue;
    if (entropyOf(bytes, bodyFrom, to) < ENTROPY_MIN || !isMixed(bytes, bodyFrom, to)) continue;
    state.add(SECRET, at, to);
    return true;
  }
  return false;
}

function startsWith(bytes: Uint8Array, at: number, end: number, prefix: Uint8Array): boolean {
  if (at + prefix.length > end) return false;
  for (let step = 0; step < prefix.length; step += 1) if (bytes[at + step] !== prefix[step]) return false;
  return true;
}

/** A name in a program, `sk_this_is_a_name`, has neither digits nor both cases within one word. */
function isMixed(bytes: Uint8Array, from: number, to: number): boolean {
  let classes = 0;
  for (let at = from; at < to; at += 1) classes |= CLASS[bytes[at] ?? 0] ?? 0;
  return (
    (classes & IS_DIGIT) !== 0 || ((classes & IS_UPPER) !== 0 && (classes & IS_LOWER) !== 0 && to - from > 24)
  );
}

/** RFC 7519, RFC 7516: `ey` begins a JSON object in base64url; three or five parts. */
function jwtFrom(state: ScanState, at: number): boolean {
  const { bytes, end } = state;
  if (at < state.noDotTo) return false;
  let parts = 1;
  let to = at;
  let partFrom = at;
  let second = 0;
  const latest = Math.min(end, at + SECRET_BYTES_MAX * 4);
  while (to < latest) {
    const byte = bytes[to] ?? 0;
    if (byte === 46) {
      if (parts === 1) second = to + 1;
      if (parts === 1 && to - partFrom < 12) return false;
      parts += 1;
      if (parts > 5) break;
      partFrom = to + 1;
    } else if (((IN_ALPHABET[byte] ?? 0) & 32) === 0 && byte !== 61 && byte !== 47) {
      break;
    }
    to += 1;
  }
  // Whoever begins later in the same run finds no dot, either.
  if (parts === 1) state.noDotTo = to;
  while (to > at && (bytes[to - 1] === 46 || bytes[to - 1] === 45)) to -= 1;
  // A second part in JSON, or the encrypted key of JWE behind a header with an algorithm.
  const isSigned = bytes[second] === 101 && bytes[second + 1] === 121;
  if (parts < 2 || second === 0 || to - second < 8 || (!isSigned && parts < 5 && bytes[at + 2] !== 74))
    return false;
  if (to - at < 30) return false;
  state.add(JWT, at, to);
  return true;
}

/**
 * A random token that an assignment to a name for secrets stands before; whether there is one. `from` and
 * `to` bound the word in which a digit was found.
 */
export function namedSecret(state: ScanState, wordFrom: number, wordTo: number): boolean {
  const { bytes, end } = state;
  const isNamed = (state.hints.context & CONTEXT.AUTH) !== 0;
  let from = wordFrom;
  const earliest = Math.max(state.floor, wordFrom - 256);
  while (from > earliest && isInToken(bytes[from - 1] ?? 0)) from -= 1;
  if (!isNamed) {
    let before = from - 1;
    const nearest = Math.max(state.begin, from - 12);
    while (before >= nearest && isGap(bytes[before] ?? 0)) before -= 1;
    if (before < nearest || !isAssignment(bytes[before] ?? 0)) return false;
  }
  let to = wordTo;
  const latest = Math.min(end, from + SECRET_BYTES_MAX);
  while (to < latest && ((CLASS[bytes[to] ?? 0] ?? 0) & IS_SECRET) !== 0) to += 1;
  while (to > wordTo && bytes[to - 1] === 46) to -= 1;
  const length = to - from;
  if (length < 10) return false;
  if (!isNamed && (state.contextAround(from, to) & CONTEXT.AUTH) === 0) return false;
  if (entropyOf(bytes, from, to) < (length < 20 ? 2.7 : ENTROPY_MIN)) return false;
  state.add(SECRET, from, to);
  return true;
}

/** Part of a token before the word; `=` and `/` are rather before it. */
function isInToken(byte: number): boolean {
  return (
    ((CLASS[byte] ?? 0) & (IS_LETTER | IS_DIGIT)) !== 0 ||
    byte === 45 ||
    byte === 95 ||
    byte === 46 ||
    byte === 43
  );
}

function isGap(byte: number): boolean {
  return (
    byte === 32 ||
    byte === 34 ||
    byte === 39 ||
    byte === 96 ||
    byte === 10 ||
    byte === 13 ||
    byte === 9 ||
    byte === 92
  );
}

/** `=`, `:`, `=>`, `,` and `(` of a call, `>` of a tag. */
function isAssignment(byte: number): boolean {
  return byte === 61 || byte === 58 || byte === 62 || byte === 44 || byte === 40;
}

/** Whether a byte ends what is written without a space. */
export function isBreak(byte: number): boolean {
  return ((CLASS[byte] ?? 0) & IS_BREAK) !== 0;
}
