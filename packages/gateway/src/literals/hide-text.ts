/**
 * An SQL text with its literals hidden: as it is recorded, shown and handed over where Masks reach the session.
 *
 * Spec: spec/masking.md, section 16. What stands in the place of a literal is a literal again, so that the text still
 * reads as the statement that it was: `'[REDACTED]'` for texts, `0` for numbers. Comments are hidden as literals are;
 * names, because the text would mean something else, only where something is found in them.
 * Untrusted: every byte. Linear in the text.
 */

import { isWellFormed } from '../core/utf8.ts';
import { REVEAL_LIMITS } from '../core/reveal-limits.ts';
import { contextOfNames } from '../masking/detect/context.ts';
import { CONTEXT } from '../masking/detect/lexicon.ts';
import { TokenCursor, type TokenKind } from '../sql/tokens.ts';
import { findIn, type FoundSpans } from './find-in.ts';

/** `found`: those in which the detectors find something, and those that are not written as they are. `all`: every one. */
export type Hiding = 'found' | 'all';

export interface HiddenText {
  /** The text itself where nothing is hidden. */
  readonly bytes: Uint8Array;
  readonly isChanged: boolean;
  /** What the names in it say about values that are bound to it: bits of CONTEXT. */
  readonly context: number;
}

const LITERAL = Buffer.from("'[REDACTED]'");
const NUMBER = Buffer.from('0');
const NAME = Buffer.from('"[REDACTED]"');
const BLOCK_COMMENT = Buffer.from('/* [REDACTED] */');
const LINE_COMMENT = Buffer.from('-- [REDACTED]');

const LITERALS: ReadonlySet<TokenKind> = new Set<TokenKind>([
  'literal',
  'escape-literal',
  'unicode-literal',
  'dollar-literal',
]);
const NAMES: ReadonlySet<TokenKind> = new Set<TokenKind>(['word', 'quoted-name', 'unicode-name']);

const QUOTE = 39;
const PLUS = 43;
const DASH = 45;
const DOT = 46;
const BACKSLASH = 92;

/** A range of the text that may be hidden, and what stands in its place then. */
interface Part {
  readonly from: number;
  readonly to: number;
  readonly instead: Uint8Array;
  readonly isHidden: boolean;
}

export function hideText(text: Uint8Array, hiding: Hiding): HiddenText {
  const context = contextOf(text);
  const found = findIn(text, { context, isColumnValue: false, promoted: undefined });
  const cursor = new TokenCursor(text);
  const isForeign = !isWellFormed(text);
  const pieces: Uint8Array[] = [];
  let kept = 0;
  let last: Part | undefined;
  while (cursor.next()) {
    if (isReadOtherwise(cursor, text, isForeign)) {
      // Where it ends depends on a setting, and so does what is a literal behind it: nothing of that is shown.
      const begun = cursor.continues ? last : undefined;
      if (begun?.isHidden !== true) pieces.push(text.subarray(kept, begun?.from ?? cursor.from), LITERAL);
      return { bytes: Buffer.concat(pieces), isChanged: true, context };
    }
    if (cursor.continues && last !== undefined) {
      // In several pieces: nobody has looked at it as the one literal that it is.
      if (!last.isHidden) pieces.push(text.subarray(kept, last.from), last.instead);
      kept = cursor.to;
      last = { ...last, isHidden: true };
      continue;
    }
    last = partAt(cursor, text, hiding, found);
    if (last?.isHidden !== true) continue;
    pieces.push(text.subarray(kept, last.from), last.instead);
    kept = last.to;
  }
  if (pieces.length === 0) return { bytes: text, isChanged: false, context };
  return { bytes: Buffer.concat([...pieces, text.subarray(kept)]), isChanged: true, context };
}

/** What the names of a text say about the literals beside them. Nothing takes belief away: what is hidden can be shown again. */
function contextOf(text: Uint8Array): number {
  const names = new Set<string>();
  const cursor = new TokenCursor(text);
  while (names.size < REVEAL_LIMITS.contextNamesMax && cursor.next()) {
    if (NAMES.has(cursor.kind))
      names.add(Buffer.from(text.subarray(cursor.from, cursor.to)).toString('utf8'));
  }
  return contextOfNames(...names) & ~CONTEXT.REFERENCE;
}

function partAt(cursor: TokenCursor, text: Uint8Array, hiding: Hiding, found: FoundSpans): Part | undefined {
  const { kind, from } = cursor;
  if (LITERALS.has(kind)) {
    const isHidden = hiding === 'all' || found.touches(from, cursor.to) || isWrittenOtherwise(cursor, text);
    return { from, to: cursor.to, instead: LITERAL, isHidden };
  }
  if (kind === 'comment') {
    const isHidden = hiding === 'all' || found.touches(from, cursor.to);
    const instead = text[from] === DASH ? LINE_COMMENT : BLOCK_COMMENT;
    return { from, to: cursor.to, instead, isHidden };
  }
  if (NAMES.has(kind))
    return { from, to: cursor.to, instead: NAME, isHidden: found.touches(from, cursor.to) };
  if (!beginsNumber(text, from, cursor)) return undefined;
  // The cursor goes over a number byte by byte.
  cursor.to = endOfNumber(text, from);
  const isHidden = hiding === 'all' || found.touches(from, cursor.to);
  return { from, to: cursor.to, instead: NUMBER, isHidden };
}

/**
 * A plain literal with a backslash before a quote: under standard_conforming_strings = off, and in an encoding that has
 * such a byte in its characters, it ends elsewhere.
 */
function isReadOtherwise(
  { kind, from, to, backslash }: TokenCursor,
  text: Uint8Array,
  isForeign: boolean,
): boolean {
  if (kind === 'literal')
    return backslash && /\\'/.test(Buffer.from(text.subarray(from, to)).toString('latin1'));
  return kind === 'escape-literal' && text.subarray(from, to).includes(BACKSLASH) && isForeign;
}

/** With escapes, doubled quotes, or as digits of another base: the detectors have not seen what it stands for. */
function isWrittenOtherwise({ kind, from, to }: TokenCursor, text: Uint8Array): boolean {
  if (kind === 'dollar-literal') return false;
  if (text.subarray(from, to).includes(BACKSLASH)) return true;
  const letter = (text[from] ?? 0) | 0x20;
  if (kind === 'literal' && (letter === 0x78 || letter === 0x62)) return true;
  const opening = text.indexOf(QUOTE, from);
  return text.subarray(opening + 1, to - 1).includes(QUOTE);
}

function beginsNumber(text: Uint8Array, from: number, { kind }: TokenCursor): boolean {
  if (kind !== 'other') return false;
  return isDigit(text[from]) || (text[from] === DOT && isDigit(text[from + 1]));
}

/** Digits, letters of bases and exponents, `_` and dots: what stands together is one number, or PostgreSQL refuses it. */
function endOfNumber(text: Uint8Array, from: number): number {
  let at = from;
  for (;;) {
    const byte = text[at];
    const before = (text[at - 1] ?? 0) | 0x20;
    const isSign = (byte === PLUS || byte === DASH) && before === 0x65 && isDigit(text[at + 1]) && at > from;
    if (!isDigit(byte) && !isLetter(byte) && byte !== DOT && byte !== 0x5f && !isSign) return at;
    at += 1;
  }
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

function isLetter(byte: number | undefined): boolean {
  return byte !== undefined && (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a;
}
