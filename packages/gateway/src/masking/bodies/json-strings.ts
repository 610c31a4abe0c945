/**
 * Strings of JSON, taken apart and put together as UTF-8: RFC 8259, section 7.
 *
 * Untrusted: every byte.
 */

const BACKSLASH = 0x5c;
const QUOTE = 0x22;

/** What stands behind a backslash → what it means; 0 for what means nothing. */
const MEANINGS = new Uint8Array(256);
/** The other way round. */
const LETTERS = new Uint8Array(256);
for (const [letter, meaning] of [
  ['"', '"'],
  ['\\', '\\'],
  ['/', '/'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
] as const) {
  MEANINGS[letter.charCodeAt(0)] = meaning.charCodeAt(0);
  if (letter !== '/') LETTERS[meaning.charCodeAt(0)] = letter.charCodeAt(0);
}

const HEX = '0123456789abcdef';
/** U+FFFD, for a half of a character. */
const REPLACEMENT = 0xfffd;

/** What the bytes between two quotes say; undefined where an escape is none. */
export function unescaped(bytes: Uint8Array, from: number, to: number): Uint8Array | undefined {
  const text = new Uint8Array(to - from);
  let length = 0;
  let at = from;
  while (at < to) {
    const byte = bytes[at] ?? 0;
    if (byte !== BACKSLASH) {
      text[length] = byte;
      length += 1;
      at += 1;
      continue;
    }
    const letter = at + 1 < to ? (bytes[at + 1] ?? 0) : 0;
    if (letter !== 0x75) {
      const meaning = MEANINGS[letter] ?? 0;
      if (meaning === 0) return undefined;
      text[length] = meaning;
      length += 1;
      at += 2;
      continue;
    }
    const unit = hexUnit(bytes, at + 2, to);
    if (unit === -1) return undefined;
    at += 6;
    let point = unit;
    if (unit >= 0xd800 && unit <= 0xdfff) {
      const isPair = unit < 0xdc00 && bytes[at] === BACKSLASH && bytes[at + 1] === 0x75;
      const low = isPair ? hexUnit(bytes, at + 2, to) : -1;
      const isWhole = low >= 0xdc00 && low <= 0xdfff;
      point = isWhole ? 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00) : REPLACEMENT;
      if (isWhole) at += 6;
    }
    length = putPoint(text, length, point);
  }
  return text.subarray(0, length);
}

/** How many bytes more each takes in a string of JSON than alone. */
const EXTRA = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte === QUOTE || byte === BACKSLASH ? 1 : byte >= 0x20 ? 0 : LETTERS[byte] === 0 ? 5 : 1,
);

/** A text as a string of JSON, with its quotes. What need not be escaped is as it is. */
export function stringLiteral(text: Uint8Array): Uint8Array {
  let extra = 0;
  for (let index = 0; index < text.length; index += 1) extra += EXTRA[text[index] ?? 0] ?? 0;
  const literal = new Uint8Array(text.length + extra + 2);
  literal[0] = QUOTE;
  literal[literal.length - 1] = QUOTE;
  if (extra === 0) {
    literal.set(text, 1);
    return literal;
  }
  let at = 1;
  for (let index = 0; index < text.length; index += 1) at = putEscaped(literal, at, text[index] ?? 0);
  return literal;
}

/** Writes a byte of a string; where the next one goes. */
function putEscaped(literal: Uint8Array, at: number, byte: number): number {
  const extra = EXTRA[byte] ?? 0;
  if (extra === 0) {
    literal[at] = byte;
    return at + 1;
  }
  literal[at] = BACKSLASH;
  if (extra === 1) {
    literal[at + 1] = LETTERS[byte] ?? 0;
    return at + 2;
  }
  const escape = `u00${HEX.charAt(byte >> 4)}${HEX.charAt(byte & 15)}`;
  for (let index = 0; index < escape.length; index += 1) literal[at + 1 + index] = escape.charCodeAt(index);
  return at + 6;
}

/** Where a number ends without zeros behind its point: so libraries write whole ones that were read as others. */
export function wholeEnd(bytes: Uint8Array, from: number, to: number): number {
  let end = to;
  while (end > from && bytes[end - 1] === 0x30) end -= 1;
  return end < to && end - 1 > from && bytes[end - 1] === 0x2e ? end - 1 : to;
}

/** Whether bytes are a number of JSON: RFC 8259, section 6. */
export function isNumber(bytes: Uint8Array, from: number, to: number): boolean {
  let at = bytes[from] === 0x2d ? from + 1 : from;
  const whole = digitsTo(bytes, at, to);
  if (whole === at || (bytes[at] === 0x30 && whole > at + 1)) return false;
  at = whole;
  if (at < to && bytes[at] === 0x2e) {
    const decimals = digitsTo(bytes, at + 1, to);
    if (decimals === at + 1) return false;
    at = decimals;
  }
  if (at < to && (bytes[at] === 0x65 || bytes[at] === 0x45)) {
    at += bytes[at + 1] === 0x2b || bytes[at + 1] === 0x2d ? 2 : 1;
    const exponent = digitsTo(bytes, at, to);
    if (exponent === at) return false;
    at = exponent;
  }
  return at === to;
}

function digitsTo(bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  while (at < to && (bytes[at] ?? 0) >= 0x30 && (bytes[at] ?? 0) <= 0x39) at += 1;
  return at;
}

/** What four hex digits say; -1 where they are none. */
function hexUnit(bytes: Uint8Array, from: number, to: number): number {
  if (from + 4 > to) return -1;
  let value = 0;
  for (let at = from; at < from + 4; at += 1) {
    const byte = bytes[at] ?? 0;
    const letter = byte | 0x20;
    if (byte >= 0x30 && byte <= 0x39) value = value * 16 + byte - 0x30;
    else if (letter >= 0x61 && letter <= 0x66) value = value * 16 + letter - 0x57;
    else return -1;
  }
  return value;
}

/** Writes a character; where the next one goes. An escape is longer than what it means. */
function putPoint(text: Uint8Array, at: number, point: number): number {
  if (point < 0x80) {
    text[at] = point;
    return at + 1;
  }
  if (point < 0x800) {
    text[at] = 0xc0 | (point >> 6);
    text[at + 1] = 0x80 | (point & 0x3f);
    return at + 2;
  }
  if (point < 0x1_0000) {
    text[at] = 0xe0 | (point >> 12);
    text[at + 1] = 0x80 | ((point >> 6) & 0x3f);
    text[at + 2] = 0x80 | (point & 0x3f);
    return at + 3;
  }
  text[at] = 0xf0 | (point >> 18);
  text[at + 1] = 0x80 | ((point >> 12) & 0x3f);
  text[at + 2] = 0x80 | ((point >> 6) & 0x3f);
  text[at + 3] = 0x80 | (point & 0x3f);
  return at + 4;
}
