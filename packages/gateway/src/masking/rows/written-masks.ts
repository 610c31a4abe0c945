/**
 * Masks in what a client writes: parameters of Bind, literals of a text, rows of COPY FROM. What was masked
 * must not be written over the value that it stands for.
 *
 * Almost nothing that is written has a mask in it, and so a look at the bytes comes first; whatever it leaves
 * is asked of `recognise`, which has the keys. Spec: spec/masking-operators.md, section 4.
 * Untrusted: every byte.
 */

import { TEXT_TYPES } from '../operators/constants.ts';
import type { MaskingKeyRing } from '../operators/key-ring.ts';
import type { TypeDescription, Wire } from '../operators/operator.ts';
import { OF_PSEUDONYM, PSEUDONYM_LENGTH } from '../operators/pseudonym-names.ts';
import { type Recognised, recognise } from '../operators/recognise.ts';
import { utf8Bytes } from '../operators/text-encoding.ts';

/**
 * The mask in a value that is written, or undefined.
 *
 * @param type undefined where the client left it to the server, or nobody knows it
 */
export function findMaskedValue(
  keys: MaskingKeyRing,
  type: TypeDescription | undefined,
  value: Uint8Array | null,
  wire: Wire,
): Recognised | undefined {
  if (value === null || !mayBeMask(type, value, wire)) return undefined;
  return recognise(keys, type, value, wire);
}

/** The same of a literal in the text of a statement: what it says, with quotes and escapes undone. */
export function findMaskedLiteral(keys: MaskingKeyRing, literal: string): Recognised | undefined {
  return findMaskedValue(keys, undefined, utf8Bytes(literal), LITERAL);
}

const LITERAL: Wire = {
  format: 'text',
  clientEncoding: 'UTF8',
  dateStyle: 'ISO, MDY',
  intervalStyle: 'postgres',
};

/** Fewer are no mask that `mask` or `partial` made of anything worth hiding. */
const STARS_MIN = 3;
/** An e-mail address has no more; longer texts with stars are texts. */
const STARRED_CHARACTERS_MAX = 320;

/**
 * Whether a value is written as `mask` and `partial` write: stars and separators, and what is kept of it
 * around them. No key tells; somebody may well write this of their own. It is for columns that are masked
 * so, where it is more likely that a form was sent back as it was shown.
 */
export function looksStarred(value: Uint8Array): boolean {
  if (value.length > STARRED_CHARACTERS_MAX) return false;
  const text = Buffer.from(value).toString('latin1').trim();
  const [first, last] = [text.indexOf('*'), text.lastIndexOf('*')];
  const stars = text.slice(first, last + 1);
  if (first === -1 || stars.split('*').length - 1 < STARS_MIN || !/^[* .\-/:@_,()+]+$/.test(stars))
    return false;
  const kept = text.slice(0, first) + text.slice(last + 1);
  // Words are not kept; groups of digits are.
  return !/\s/.test(kept) || /^[\d .\-/+()]*$/.test(kept);
}

/** Binary values of these types may be masks though nothing in their bytes looks like one. */
const NUMERIC_TYPES: ReadonlySet<string> = new Set(['int8', 'numeric', 'uuid']);
/** So many digits has every token of an int8. */
const TOKEN_DIGITS = 19;
const INT8_BYTES = 8;
const UUID_BYTES = 16;

function mayBeMask(type: TypeDescription | undefined, value: Uint8Array, wire: Wire): boolean {
  if (wire.format === 'binary' && !isPlain(type, value)) return true;
  return looksLikeMask(value);
}

/** Whether a binary value is the bytes of a text. */
function isPlain(type: TypeDescription | undefined, value: Uint8Array): boolean {
  if (type === undefined) return value.length !== INT8_BYTES && value.length !== UUID_BYTES;
  return type.kind === 'base' && (TEXT_TYPES.has(type.name) || !NUMERIC_TYPES.has(type.name));
}

const BACKSLASH = 0x5c;
const UNDERSCORE = 0x5f;
const OPENING = 0x5b;
const HYPHEN = 0x2d;
const R = 0x52;
const EIGHT = 0x38;

/**
 * Whether there is anything that a mask has: `tok_`, `hash_`, `user-`, `[R`, 19 digits, 12 letters of a pseudonym,
 * the third group of a UUID of version 8, or a backslash, behind which anything may be.
 */
function looksLikeMask(bytes: Uint8Array): boolean {
  let digits = 0;
  let letters = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at] ?? 0;
    letters = OF_PSEUDONYM[byte] === 1 ? letters + 1 : 0;
    if (letters === PSEUDONYM_LENGTH) return true;
    if (byte >= 0x30 && byte <= 0x39) {
      digits += 1;
      if (digits === TOKEN_DIGITS) return true;
      continue;
    }
    digits = 0;
    if (byte === BACKSLASH) return true;
    if (byte === UNDERSCORE && (endsWith(bytes, at, 'tok') || endsWith(bytes, at, 'hash'))) return true;
    if (byte === OPENING && bytes[at + 1] === R) return true;
    if (byte === HYPHEN && (bytes[at + 1] === EIGHT || endsWith(bytes, at, 'user'))) return true;
  }
  return false;
}

/** Whether these letters, in either case, stand before a place. */
function endsWith(bytes: Uint8Array, end: number, letters: string): boolean {
  const from = end - letters.length;
  if (from < 0) return false;
  for (let at = 0; at < letters.length; at += 1) {
    if (((bytes[from + at] ?? 0) | 0x20) !== letters.charCodeAt(at)) return false;
  }
  return true;
}
