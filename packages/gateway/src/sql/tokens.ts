/**
 * The tokens of an SQL text as far as their boundaries matter: what is a literal, a comment, a name.
 *
 * Spec: PostgreSQL 18, section 4.1 "Lexical Structure" (https://www.postgresql.org/docs/18/sql-syntax-lexical.html);
 * the rules of its scanner, src/backend/parser/scan.l, with standard_conforming_strings on:
 *
 * - `'…'`, N'', B'', X'' end at a quote, `''` is one; in E'' a backslash takes the next byte with it;
 * - a literal goes on behind white space that has a line end, `'a' <LF> 'b'`, as the same kind of literal;
 * - `$tag$ … $tag$`, where a `$` inside of a word or a parameter begins nothing;
 * - block comments nest; `--` ends at LF or CR; both begin inside of what looks like an operator.
 *
 * Numbers and operators are not told apart: no boundary of a literal or a comment depends on it, save
 * `1e'…'`, which PostgreSQL 15 and later refuse.
 * Untrusted: every byte. Linear: each is looked at a bounded number of times.
 */

export type TokenKind =
  | 'word'
  | 'quoted-name'
  | 'unicode-name'
  | 'literal'
  | 'escape-literal'
  | 'unicode-literal'
  | 'dollar-literal'
  | 'comment'
  | 'semicolon'
  | 'open'
  | 'close'
  | 'other'
  | 'end';

const TAB = 9;
const LF = 10;
const CR = 13;
const SPACE = 32;
const DOUBLE_QUOTE = 34;
const DOLLAR = 36;
const AMPERSAND = 38;
const QUOTE = 39;
const STAR = 42;
const DASH = 45;
const SLASH = 47;
const BACKSLASH = 92;

// Classes of bytes, as bits.
const WORD_START = 1;
const DIGIT = 2;
const BLANK = 4;

const CLASSES = new Uint8Array(256);
for (let byte = 0; byte < 256; byte += 1) {
  const lower = byte | 32;
  if ((lower >= 97 && lower <= 122) || byte === 95 || byte > 127) CLASSES[byte] = WORD_START;
  else if (byte >= 48 && byte <= 57) CLASSES[byte] = DIGIT;
  else if ((byte >= TAB && byte <= CR) || byte === SPACE) CLASSES[byte] = BLANK;
}

const SINGLE: ReadonlyMap<number, TokenKind> = new Map([
  [59, 'semicolon'],
  [40, 'open'],
  [91, 'open'],
  [41, 'close'],
  [93, 'close'],
]);

/** Goes over a text token by token; owns where it stands. */
export class TokenCursor {
  readonly #bytes: Uint8Array;
  kind: TokenKind = 'other';
  from = 0;
  to = 0;
  /** Depth of a block comment's nesting, 0 for any other token. */
  commentDepth = 0;
  /** A literal that the one before goes on in. */
  continues = false;
  /** And there is a comment between the two. */
  continuesBehindComment = false;
  /** A plain literal with a backslash in it, which standard_conforming_strings = off would read otherwise. */
  backslash = false;

  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes;
    this.to = at;
  }

  /** Moves to the next token; false at the end of the text. */
  next(): boolean {
    const bytes = this.#bytes;
    this.commentDepth = 0;
    this.backslash = false;
    if (this.#isLiteral() && this.#continuesLiteral()) return true;
    this.continues = false;
    this.continuesBehindComment = false;
    let at = this.to;
    while (at < bytes.length && (classOf(bytes, at) & BLANK) !== 0) at += 1;
    this.from = at;
    if (at >= bytes.length) {
      this.kind = 'end';
      this.to = at;
      return false;
    }
    this.#read(at);
    return true;
  }

  #read(at: number): void {
    const bytes = this.#bytes;
    const byte = bytes[at];
    if ((classOf(bytes, at) & WORD_START) !== 0) {
      this.#readWord(at);
    } else if (byte === QUOTE) {
      this.#readLiteral('literal', at + 1);
    } else if (byte === DOUBLE_QUOTE) {
      this.#end('quoted-name', endOfQuoted(bytes, at + 1, DOUBLE_QUOTE));
    } else if (byte === DOLLAR) {
      this.#readDollar(at);
    } else if (byte === DASH && bytes[at + 1] === DASH) {
      this.#end('comment', endOfLine(bytes, at));
    } else if (byte === SLASH && bytes[at + 1] === STAR) {
      this.#readBlockComment(at);
    } else {
      this.#end(byte === undefined ? 'other' : (SINGLE.get(byte) ?? 'other'), at + 1);
    }
  }

  /** A word, or the letter that says what kind of literal or name follows. */
  #readWord(at: number): void {
    const bytes = this.#bytes;
    const letter = (bytes[at] ?? 0) | 32;
    const second = bytes[at + 1];
    if (second === QUOTE && (letter === 101 || letter === 98 || letter === 120 || letter === 110)) {
      this.#readLiteral(letter === 101 ? 'escape-literal' : 'literal', at + 2);
    } else if (letter === 117 && second === AMPERSAND && bytes[at + 2] === QUOTE) {
      this.#readLiteral('unicode-literal', at + 3);
    } else if (letter === 117 && second === AMPERSAND && bytes[at + 2] === DOUBLE_QUOTE) {
      this.#end('unicode-name', endOfQuoted(bytes, at + 3, DOUBLE_QUOTE));
    } else {
      let to = at + 1;
      while ((classOf(bytes, to) & (WORD_START | DIGIT)) !== 0 || bytes[to] === DOLLAR) to += 1;
      this.#end('word', to);
    }
  }

  /** Of the kind of this token, from behind its opening quote. */
  #readLiteral(kind: TokenKind, inside: number): void {
    const bytes = this.#bytes;
    if (kind === 'escape-literal') {
      this.#end(kind, endOfEscapeLiteral(bytes, inside));
      return;
    }
    const to = endOfQuoted(bytes, inside, QUOTE);
    if (kind === 'literal') this.backslash = bytes.subarray(inside, to).includes(BACKSLASH);
    this.#end(kind, to);
  }

  /** `$tag$ … $tag$`, a parameter, or a lone dollar sign. */
  #readDollar(at: number): void {
    const bytes = this.#bytes;
    let tagEnd = at + 1;
    if ((classOf(bytes, tagEnd) & DIGIT) !== 0) {
      while ((classOf(bytes, tagEnd) & DIGIT) !== 0) tagEnd += 1;
      this.#end('other', tagEnd);
      return;
    }
    while ((classOf(bytes, tagEnd) & (WORD_START | DIGIT)) !== 0) tagEnd += 1;
    if (bytes[tagEnd] === DOLLAR) this.#end('dollar-literal', endOfDollarLiteral(bytes, at, tagEnd + 1));
    else this.#end('other', at + 1);
  }

  #readBlockComment(at: number): void {
    const bytes = this.#bytes;
    let depth = 1;
    let to = at + 2;
    this.commentDepth = 1;
    while (depth > 0 && to < bytes.length) {
      if (bytes[to] === SLASH && bytes[to + 1] === STAR) {
        depth += 1;
        this.commentDepth = Math.max(this.commentDepth, depth);
        to += 2;
      } else if (bytes[to] === STAR && bytes[to + 1] === SLASH) {
        depth -= 1;
        to += 2;
      } else {
        to += 1;
      }
    }
    this.#end('comment', to);
  }

  #isLiteral(): boolean {
    return this.kind === 'literal' || this.kind === 'escape-literal' || this.kind === 'unicode-literal';
  }

  /** White space and `--` comments with a line end among them, and then a quote, carry a literal on. */
  #continuesLiteral(): boolean {
    const bytes = this.#bytes;
    let at = this.to;
    let newline = false;
    let comment = false;
    for (;;) {
      const byte = bytes[at];
      if (byte === LF || byte === CR) newline = true;
      if ((classOf(bytes, at) & BLANK) !== 0) {
        at += 1;
      } else if (byte === DASH && bytes[at + 1] === DASH) {
        at = endOfLine(bytes, at);
        comment = true;
      } else {
        break;
      }
    }
    if (!newline || bytes[at] !== QUOTE) return false;
    this.from = at;
    this.continues = true;
    this.continuesBehindComment = comment;
    this.#readLiteral(this.kind, at + 1);
    return true;
  }

  #end(kind: TokenKind, to: number): void {
    this.kind = kind;
    this.to = Math.min(to, this.#bytes.length);
  }
}

/** Behind the name that begins at `at`: `a`, `"a"`, `a . b`, with comments between. */
export function endOfName(bytes: Uint8Array, at: number): number {
  const cursor = new TokenCursor(bytes, at);
  let to = at;
  for (;;) {
    if (!nextBesideComments(cursor) || !isName(cursor)) return to;
    to = cursor.to;
    if (!nextBesideComments(cursor) || bytes[cursor.from] !== 46) return to;
  }
}

function nextBesideComments(cursor: TokenCursor): boolean {
  while (cursor.next()) if (cursor.kind !== 'comment') return true;
  return false;
}

function isName({ kind }: TokenCursor): boolean {
  return kind === 'word' || kind === 'quoted-name' || kind === 'unicode-name';
}

function classOf(bytes: Uint8Array, at: number): number {
  const byte = bytes[at];
  return byte === undefined ? 0 : (CLASSES[byte] ?? 0);
}

/** Where a quote is doubled it stands for itself. */
function endOfQuoted(bytes: Uint8Array, inside: number, quote: number): number {
  let at = inside;
  for (;;) {
    const end = bytes.indexOf(quote, at);
    if (end === -1) return bytes.length;
    if (bytes[end + 1] !== quote) return end + 1;
    at = end + 2;
  }
}

function endOfEscapeLiteral(bytes: Uint8Array, inside: number): number {
  let at = inside;
  while (at < bytes.length) {
    const byte = bytes[at];
    if (byte === BACKSLASH) at += 2;
    else if (byte !== QUOTE) at += 1;
    else if (bytes[at + 1] === QUOTE) at += 2;
    else return at + 1;
  }
  return bytes.length;
}

function endOfDollarLiteral(bytes: Uint8Array, from: number, inside: number): number {
  const tagBytes = inside - from;
  let at = bytes.indexOf(DOLLAR, inside);
  while (at !== -1) {
    let same = 1;
    while (same < tagBytes && bytes[at + same] === bytes[from + same]) same += 1;
    if (same === tagBytes) return at + tagBytes;
    at = bytes.indexOf(DOLLAR, at + 1);
  }
  return bytes.length;
}

function endOfLine(bytes: Uint8Array, from: number): number {
  let at = from;
  while (at < bytes.length && bytes[at] !== LF && bytes[at] !== CR) at += 1;
  return at;
}
