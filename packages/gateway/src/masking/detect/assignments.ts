/**
 * What follows a name for secrets: `password=…`, `"api_key": "…"`, `Authorization: Bearer …`; and the parts
 * of a URL that open something: `scheme://user:password@`.
 */

import { CLASS, classAt, IS_DIGIT, IS_LETTER, IS_WORD } from './byte-classes.ts';
import { contextOfKey } from './context.ts';
import { entityId } from './entities.ts';
import { entropyOf } from './entropy.ts';
import { CONTEXT } from './lexicon.ts';
import type { ScanState } from './scan-state.ts';
import { isBreak } from './secrets.ts';

const SECRET = entityId('SECRET');
const URL_CREDENTIALS = entityId('URL_CREDENTIALS');

const KEY_BYTES_MAX = 64;
/** Between the operator and the value: quotes, spaces, the rest of `=>` and `::=`. */
const GAP_BYTES_MAX = 12;
/** A password may be a sentence; what is longer is masked up to here. */
const QUOTED_BYTES_MAX = 200;
/** User and password of a URL. */
const USER_INFO_BYTES_MAX = 1_024;

/** Values that stand for a type, for nothing, or for a switch. */
const STOP_WORDS = new Set(
  'true false null none nil undefined string text varchar number integer boolean required optional yes no on off enabled disabled bearer basic default empty unknown test example changeme_here redacted masked hidden password secret token'.split(
    ' ',
  ),
);
/** Last parts of a key that make it a property of a secret and not the secret. */
const PROPERTIES = new Set(
  'type types count counts name names url uri urls endpoint length size limit limits expires expiry expiration at in policy status enabled required method methods algorithm algorithms version field fields label hint max min total used remaining price usage file path dir timeout ttl header prefix budget scope scopes format'.split(
    ' ',
  ),
);
const SCHEMES = ['bearer', 'basic', 'token', 'digest', 'apikey', 'negotiate'];

/** The value behind an operator, where a name for secrets stands before it; whether one was found. */
export function secretAfter(state: ScanState, operator: number): boolean {
  const { bytes, begin } = state;
  if (!mayBeValue(state, operator)) return false;
  let keyTo = operator;
  const nearest = Math.max(begin, operator - 4);
  while (keyTo > nearest && isKeyGap(bytes[keyTo - 1] ?? 0)) keyTo -= 1;
  let keyFrom = keyTo;
  const earliest = Math.max(begin, keyTo - KEY_BYTES_MAX);
  while (keyFrom > earliest && isKeyByte(bytes[keyFrom - 1] ?? 0)) keyFrom -= 1;
  if (keyTo - keyFrom < 3) return false;
  if ((contextOfKey(bytes, keyFrom, keyTo) & CONTEXT.AUTH) === 0) return false;
  return valueAt(state, operator, keyFrom, keyTo);
}

/** Whether something of four bytes stands behind an operator: most values in JSON are shorter or no secrets. */
function mayBeValue(state: ScanState, operator: number): boolean {
  const { bytes, end } = state;
  let from = operator + 1;
  const farthest = Math.min(end, operator + GAP_BYTES_MAX);
  while (from < farthest && (isValueGap(bytes[from] ?? 0) || isQuote(bytes[from] ?? 0))) from += 1;
  for (let at = from; at < from + 4; at += 1) {
    const byte = at < end ? (bytes[at] ?? 0) : 0;
    if (
      byte === 0 ||
      byte === 44 ||
      byte === 125 ||
      byte === 93 ||
      byte === 91 ||
      byte === 123 ||
      isQuote(byte)
    )
      return false;
  }
  return true;
}

function isQuote(byte: number): boolean {
  return byte === 34 || byte === 39 || byte === 96;
}

function isKeyGap(byte: number): boolean {
  // Quotes, a space, and the first part of `:=`, `.=`.
  return (
    byte === 32 ||
    byte === 34 ||
    byte === 39 ||
    byte === 96 ||
    byte === 58 ||
    byte === 46 ||
    byte === 92 ||
    byte === 93
  );
}

function isKeyByte(byte: number): boolean {
  return ((CLASS[byte] ?? 0) & IS_WORD) !== 0 || byte === 95 || byte === 45 || byte === 46 || byte >= 0x80;
}

function valueAt(state: ScanState, operator: number, keyFrom: number, keyTo: number): boolean {
  const { bytes, end } = state;
  let from = operator + 1;
  const farthest = Math.min(end, operator + GAP_BYTES_MAX);
  while (from < farthest && isValueGap(bytes[from] ?? 0)) from += 1;
  if (from >= farthest) return false;
  const quote = bytes[from] ?? 0;
  const isQuoted = quote === 34 || quote === 39 || quote === 96;
  if (isQuoted) from += 1;
  if (from < state.floor) return false;
  const valueFrom = schemeEnd(state, from);
  const to = isQuoted ? quotedEnd(state, valueFrom, quote) : plainEnd(state, valueFrom);
  const isSet = bytes[operator] === 61 || isQuoted;
  if (!isSecretValue(state, valueFrom, to, isSet, valueFrom > from)) return false;
  if (isProperty(bytes, keyFrom, keyTo)) return false;
  state.add(SECRET, valueFrom, to);
  return true;
}

function isValueGap(byte: number): boolean {
  return byte === 32 || byte === 61 || byte === 62 || byte === 58 || byte === 9 || byte === 92;
}

/** Behind `Bearer ` and the like; the place itself where there is none. */
function schemeEnd(state: ScanState, from: number): number {
  const { bytes, end } = state;
  let to = from;
  let word = '';
  while (to < end && to < from + 10 && (classAt(bytes, to, end) & IS_LETTER) !== 0) {
    word += String.fromCharCode((bytes[to] ?? 0) | 32);
    to += 1;
  }
  return bytes[to] === 32 && SCHEMES.includes(word) ? to + 1 : from;
}

function quotedEnd(state: ScanState, from: number, quote: number): number {
  const { bytes, end } = state;
  const latest = Math.min(end, from + QUOTED_BYTES_MAX);
  let to = from;
  while (to < latest && bytes[to] !== quote && bytes[to] !== 10) to += bytes[to] === 92 ? 2 : 1;
  return Math.min(to, latest);
}

function plainEnd(state: ScanState, from: number): number {
  const { bytes, end } = state;
  const latest = Math.min(end, from + QUOTED_BYTES_MAX);
  let to = from;
  while (to < latest && !isBreak(bytes[to] ?? 0) && bytes[to] !== 38) to += 1;
  while (to > from && (bytes[to - 1] === 46 || bytes[to - 1] === 58)) to -= 1;
  return to;
}

/** Long enough, no placeholder, and not a word of a sentence. */
function isSecretValue(
  state: ScanState,
  from: number,
  to: number,
  isSet: boolean,
  hasScheme: boolean,
): boolean {
  const { bytes } = state;
  const length = to - from;
  if (length < 4) return false;
  const first = bytes[from] ?? 0;
  // `$NAME`, `{name}`, `<name>`, `%NAME%`, `(…`
  if (first === 36 || first === 123 || first === 60 || first === 37 || first === 40 || first === 91)
    return false;
  let classes = 0;
  let others = 0;
  let isVaried = false;
  for (let at = from; at < to; at += 1) {
    const byte = bytes[at] ?? 0;
    const bits = CLASS[byte] ?? 0;
    classes |= bits;
    if ((bits & IS_WORD) === 0) others += 1;
    if (byte !== first && byte !== 42) isVaried = true;
    if (byte === 58 && bytes[at + 1] === 47 && bytes[at + 2] === 47) return false;
  }
  if (!isVaried || (length >= 12 && entropyOf(bytes, from, to) < 2)) return false;
  const hasLetters = (classes & IS_LETTER) !== 0;
  const hasDigits = (classes & IS_DIGIT) !== 0;
  if (!hasLetters) return others > 0 || length >= (isSet ? 6 : 16);
  if (hasScheme) return length >= 8;
  if (hasDigits || (others > 0 && isSet)) return length >= 5;
  return isSet && length >= 6 && length <= 64 && !STOP_WORDS.has(lowerText(bytes, from, to));
}

function isProperty(bytes: Uint8Array, keyFrom: number, keyTo: number): boolean {
  let from = keyTo;
  while (from > keyFrom && (classAt(bytes, from - 1, keyTo) & IS_WORD) !== 0) {
    from -= 1;
    // `tokenCount`
    const isHump =
      (bytes[from] ?? 0) >= 65 && (bytes[from] ?? 0) <= 90 && from > keyFrom && (bytes[from - 1] ?? 0) >= 97;
    if (isHump) break;
  }
  if (PROPERTIES.has(lowerText(bytes, from, keyTo))) return true;
  // `max_tokens`, `total_tokens`
  const key = lowerText(bytes, keyFrom, keyTo);
  return /(?:^|[_.-])(?:max|min|total|num|used|prompt|completion|input|output|cached)[_-]?tokens?$/.test(key);
}

function lowerText(bytes: Uint8Array, from: number, to: number): string {
  let text = '';
  for (let at = from; at < to; at += 1) text += String.fromCharCode(bytes[at] ?? 0);
  return text.toLowerCase();
}

/** The password of `scheme://user:password@host`, at its colon; gives where to go on, 0 where there is none. */
export function urlCredentials(state: ScanState, colon: number): number {
  const { bytes, end } = state;
  const from = colon + 3;
  const latest = Math.min(end, from + USER_INFO_BYTES_MAX);
  let at = from;
  let divider = 0;
  let last = 0;
  while (at < latest) {
    const byte = bytes[at] ?? 0;
    if (byte === 47 || byte === 63 || isBreak(byte)) break;
    if (byte === 58 && divider === 0 && last === 0) divider = at;
    if (byte === 64) last = at;
    at += 1;
  }
  if (last === 0) return 0;
  // Without a colon the user is a token: `https://ghp_…@github.com`.
  const secretFrom = divider === 0 || divider > last ? from : divider + 1;
  if (secretFrom >= last) return 0;
  if (secretFrom === from && last - from < 12) return last + 1;
  state.add(URL_CREDENTIALS, secretFrom, last);
  return last + 1;
}
