/**
 * One linear pass over a text before PostgreSQL's parser sees it: what would take too long is refused, and
 * whether the server may see other tokens than the parser does is told.
 *
 * Spec: PostgreSQL 18, section 4.1; knowledge of three ways in which a server's settings change the tokens:
 *
 * - `standard_conforming_strings = off` makes a backslash escape in a plain literal, and refuses U&'';
 * - `backslash_quote` and `client_encoding` matter in E'' where a byte pair of SJIS, BIG5, GBK, UHC, GB18030
 *   or JOHAB has 0x5C as its second byte; all bytes that are ASCII mean the same in every encoding;
 * - libpg_query hands out comments as tokens, so that a literal does not go on behind one: `'a' --x<LF> 'b'`
 *   is one literal for the server and two for the parser. Refused, because DO takes two.
 *
 * Refused: more than limits.sql.textBytesMax, NUL, what is not UTF-8, nesting and numbers of statements
 * beyond limits.sql.
 * Untrusted: every byte.
 */

import type { ReadText, TextDoubts } from '../core/effects.ts';
import { LIMITS } from '../core/limits.ts';
import { TokenCursor } from './tokens.ts';

type Uninspectable = Extract<ReadText, { kind: 'uninspectable' }>;

/** Where the first token of a piece between semicolons begins, and where its last one ends. */
export interface Piece {
  readonly from: number;
  readonly to: number;
}

export interface Scanned {
  readonly kind: 'scanned';
  readonly doubts: TextDoubts;
  /** In order, without those that have no token; as many as there are statements, or more. */
  readonly pieces: readonly Piece[];
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const LETTERS_OF_CASE = 4;
const LETTERS_OF_END = 3;
const LETTERS_OF_UESCAPE = 7;

/** Whether the text can be handed to the parser, and what must hold for the parser to be right. */
export function preScan(bytes: Uint8Array): Scanned | Uninspectable {
  const { textBytesMax } = LIMITS.sql;
  if (bytes.length > textBytesMax) return refused(`it has more than ${textBytesMax} bytes`);
  if (bytes.includes(0)) return refused('it has a byte of zero');
  const nonAscii = hasNonAscii(bytes);
  if (nonAscii && !isUtf8(bytes)) return refused('it is not UTF-8');
  return new Pass(bytes, nonAscii).run();
}

/** One pass; owns what was counted so far. */
class Pass {
  readonly #bytes: Uint8Array;
  readonly #cursor: TokenCursor;
  readonly #nonAscii: boolean;
  readonly #pieces: Piece[] = [];
  #from = -1;
  #to = 0;
  #depth = 0;
  #cases = 0;
  #backslash = false;
  #unicodeEscape = false;

  constructor(bytes: Uint8Array, nonAscii: boolean) {
    this.#bytes = bytes;
    this.#cursor = new TokenCursor(bytes);
    this.#nonAscii = nonAscii;
  }

  run(): Scanned | Uninspectable {
    while (this.#cursor.next()) {
      const refusal = this.#take();
      if (refusal !== undefined) return refusal;
    }
    this.#endPiece();
    if (this.#pieces.length > LIMITS.sql.statementsMax) return tooMany();
    const doubts = {
      backslash: this.#backslash,
      unicodeEscape: this.#unicodeEscape,
      nonAscii: this.#nonAscii,
    };
    return { kind: 'scanned', doubts, pieces: this.#pieces };
  }

  #take(): Uninspectable | undefined {
    const cursor = this.#cursor;
    if (cursor.kind === 'comment') return this.#takeComment();
    if (cursor.kind === 'semicolon') return this.#takeSemicolon();
    if (this.#from === -1) this.#from = cursor.from;
    this.#to = cursor.to;
    switch (cursor.kind) {
      case 'open':
        this.#depth += 1;
        return this.#depth + this.#cases > LIMITS.sql.nestingMax ? tooDeep() : undefined;
      case 'close':
        this.#depth = Math.max(0, this.#depth - 1);
        return undefined;
      case 'word':
        this.#takeWord();
        return this.#depth + this.#cases > LIMITS.sql.nestingMax ? tooDeep() : undefined;
      case 'unicode-literal':
      case 'unicode-name':
        this.#unicodeEscape = true;
        break;
      case 'literal':
      case 'escape-literal':
      case 'dollar-literal':
      case 'quoted-name':
      case 'other':
      case 'end':
        this.#backslash ||= cursor.backslash;
        break;
      default:
        cursor.kind satisfies never;
    }
    return cursor.continuesBehindComment ? refused('a literal goes on behind a comment') : undefined;
  }

  #takeComment(): Uninspectable | undefined {
    const { commentDepthMax } = LIMITS.sql;
    if (this.#cursor.commentDepth <= commentDepthMax) return undefined;
    return refused(`its comments are nested more than ${commentDepthMax} deep`);
  }

  #takeSemicolon(): Uninspectable | undefined {
    this.#endPiece();
    return this.#pieces.length > LIMITS.sql.statementsMax ? tooMany() : undefined;
  }

  #takeWord(): void {
    const { from, to } = this.#cursor;
    const letters = to - from;
    if (letters === LETTERS_OF_CASE && this.#says('case')) this.#cases += 1;
    else if (letters === LETTERS_OF_END && this.#says('end')) this.#cases = Math.max(0, this.#cases - 1);
    else if (letters === LETTERS_OF_UESCAPE && this.#says('uescape')) this.#unicodeEscape = true;
  }

  /** Whether the token is this word, in any case. */
  #says(word: string): boolean {
    for (let index = 0; index < word.length; index += 1) {
      if (((this.#bytes[this.#cursor.from + index] ?? 0) | 32) !== word.charCodeAt(index)) return false;
    }
    return true;
  }

  #endPiece(): void {
    if (this.#from !== -1) this.#pieces.push({ from: this.#from, to: this.#to });
    this.#from = -1;
  }
}

function hasNonAscii(bytes: Uint8Array): boolean {
  for (const byte of bytes) if (byte > 127) return true;
  return false;
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    utf8.decode(bytes);
    return true;
  } catch {
    // A fatal decoder throws for this reason alone.
    return false;
  }
}

function tooDeep(): Uninspectable {
  return refused(`it is nested more than ${LIMITS.sql.nestingMax} deep`);
}

function tooMany(): Uninspectable {
  return refused(`it has more than ${LIMITS.sql.statementsMax} statements`);
}

function refused(reason: string): Uninspectable {
  return { kind: 'uninspectable', reason };
}
