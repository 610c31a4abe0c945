/**
 * Values in text form, between bytes and characters.
 *
 * What is UTF-8, has one byte a character, or is all ASCII is read. Of other values in other encodings
 * (`SJIS`, `GBK`, `EUC_JP`) no character is: a byte that looks like a quote may be half of one. Such values
 * are replaced as a whole, by ASCII, which all of them have.
 */

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** PostgreSQL's client encodings with one byte a character, all of them ASCII below 0x80. */
const ONE_BYTE = /^(LATIN\d+|WIN\d+|ISO_8859_\d+|KOI8[RU])$/;
/** A piece at a time, so that no call has too many arguments. */
const PIECE = 4_096;
/** Up to so many characters a loop is quicker than a call out of JavaScript. */
const SHORT = 64;

/** A value that is text, and the way back. */
export interface ReadText {
  readonly text: string;
  /** Undefined where the client encoding has no such character. */
  encode(text: string): Uint8Array | undefined;
}

/** The characters of a value; undefined where they are not read, or are none of its encoding. */
export function readText(bytes: Uint8Array, clientEncoding: string): ReadText | undefined {
  const name = clientEncoding.toUpperCase();
  // SQL_ASCII says nothing: today's text is UTF-8, and what is not is bytes.
  if (name === 'UTF8' || name === 'SQL_ASCII') {
    const text = utf8Text(bytes);
    if (text !== undefined) return { text, encode: utf8Bytes };
    return name === 'UTF8' ? undefined : { text: oneByteText(bytes), encode: oneByteBytes };
  }
  if (ONE_BYTE.test(name)) return { text: oneByteText(bytes), encode: oneByteBytes };
  // Where a byte is half of a character, another half of it is not ASCII.
  return bytes.some((byte) => byte > 0x7f) ? undefined : { text: oneByteText(bytes), encode: asciiBytes };
}

/** Undefined where there is another character. */
function asciiBytes(text: string): Uint8Array | undefined {
  return /[^\0-\x7f]/.test(text) ? undefined : utf8Bytes(text);
}

/** Undefined where the bytes are not UTF-8. */
function utf8Text(bytes: Uint8Array): string | undefined {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    // Not an error: what is no text is masked as a whole.
    return undefined;
  }
}

/** Each byte is a character of the same number: no letter is what it seems, but each stays itself. */
function oneByteText(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += PIECE) {
    text += String.fromCharCode(...bytes.subarray(at, at + PIECE));
  }
  return text;
}

function oneByteBytes(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0xff) return undefined;
    bytes[i] = code;
  }
  return bytes;
}

export function utf8Bytes(text: string): Uint8Array {
  return (text.length <= SHORT ? shortAscii(text) : undefined) ?? encoder.encode(text);
}

/** Undefined where there is another character. */
function shortAscii(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) return undefined;
    bytes[i] = code;
  }
  return bytes;
}

/** Characters as PostgreSQL counts them for varchar(n). */
export function charactersIn(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

/** The text without the spaces that fill char(n) up; a pattern would look at each run of spaces again and again. */
export function withoutPadding(text: string): string {
  let end = text.length;
  while (text.charAt(end - 1) === ' ') end -= 1;
  return text.slice(0, end);
}
