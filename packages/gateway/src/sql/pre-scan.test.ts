/** What is refused before a parser sees it, what is doubted, and that boundaries are those of PostgreSQL's own scanner. */

import * as fc from 'fast-check';
import { loadModule, scanSync } from 'libpg-query';
import { beforeAll, describe, expect, it } from 'vitest';
import { LIMITS } from '../core/limits.ts';
import { preScan } from './pre-scan.ts';
import { endOfName, TokenCursor } from './tokens.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function bytesOf(text: string): Uint8Array {
  return encoder.encode(text);
}

function reasonOf(bytes: Uint8Array): string {
  const scanned = preScan(bytes);
  return scanned.kind === 'uninspectable' ? scanned.reason : 'none';
}

const REFUSED: readonly (readonly [title: string, bytes: Uint8Array, reason: string])[] = [
  ['400 KB of nested comments', bytesOf('/*'.repeat(100_000) + '*/'.repeat(100_000)), 'comments are nested'],
  [
    'comments nested 33 deep',
    bytesOf(`${'/*'.repeat(33)}${'*/'.repeat(33)} select 1`),
    'comments are nested',
  ],
  [
    '100,000 parentheses',
    bytesOf(`select ${'('.repeat(100_000)}1${')'.repeat(100_000)}`),
    'nested more than',
  ],
  ['100,000 brackets', bytesOf(`select ${'array['.repeat(100_000)}`), 'nested more than'],
  ['100,000 CASE', bytesOf(`select ${'CaSe when '.repeat(100_000)}`), 'nested more than'],
  ['10,000 statements', bytesOf('select 1;'.repeat(10_000)), 'more than 1000 statements'],
  [
    '1,001 statements, the last without a semicolon',
    bytesOf(`${'select 1;'.repeat(1_000)}select 1`),
    'more than',
  ],
  ['more than 1 MiB', bytesOf(`select '${'x'.repeat(LIMITS.sql.textBytesMax)}'`), 'more than 1048576 bytes'],
  ['a zero', bytesOf('select 1;\0drop table t'), 'byte of zero'],
  ['latin-1', Buffer.from("select 'é'", 'latin1'), 'not UTF-8'],
  ['a surrogate', Uint8Array.from([...bytesOf("select '"), 0xed, 0xa0, 0x80, 39]), 'not UTF-8'],
  ['an overlong slash', Uint8Array.from([...bytesOf("select '"), 0xc0, 0xaf, 39]), 'not UTF-8'],
  [
    'a literal that goes on behind a comment',
    bytesOf("select E'a' -- b\n '\\'; drop table t; --'"),
    'behind a comment',
  ],
];

const TAKEN: readonly (readonly [title: string, text: string])[] = [
  ['an empty text', ''],
  ['1,000 statements', 'select 1;'.repeat(1_000)],
  ['10,000 semicolons with nothing between', ';'.repeat(10_000)],
  ['semicolons in a literal', `select '${';'.repeat(10_000)}'`],
  ['semicolons in a comment', `/*${';'.repeat(10_000)}*/ select 1`],
  ['parentheses in a dollar quote', `select $x$${'('.repeat(10_000)}$x$`],
  ['comments nested 32 deep', `${'/*'.repeat(32)}${'*/'.repeat(32)} select 1`],
  ['many comments that are not nested', '/**/'.repeat(10_000)],
  ['1,000 parentheses', `select ${'('.repeat(1_000)}1${')'.repeat(1_000)}`],
  ['10,000 CASE that end', `select ${'case when a then b end,'.repeat(10_000)} 1`],
];

describe('a text that cannot be inspected', () => {
  it.each(REFUSED)('is refused: %s', (title, bytes, reason) => {
    const began = performance.now();
    const found = reasonOf(bytes);
    process.stdout.write(`${title}: ${(performance.now() - began).toFixed(2)} ms\n`);
    expect(found).toContain(reason);
  });

  it.each(TAKEN)('is not: %s', (_, text) => {
    expect(reasonOf(bytesOf(text))).toBe('none');
  });

  it('costs time in proportion to its length, whatever it is made of', () => {
    const pieces = [
      "'a' ",
      "E'a' ",
      '"a" ',
      '$a$ ',
      '$abc$ $ab ',
      '-- \n',
      '/* */ ',
      "''''",
      "'a'\n",
      'a.',
      '\\',
    ];
    for (const piece of pieces) {
      const bytes = bytesOf(piece.repeat(Math.floor(1_000_000 / piece.length)));
      const began = performance.now();
      preScan(bytes);
      // Quadratic time would be minutes.
      expect(performance.now() - began).toBeLessThan(5_000);
    }
  });
});

const DOUBTS: readonly (readonly [title: string, text: string, doubts: string])[] = [
  ['nothing', "select 'a', $$\\$$, E'\\'', \"a\\\" -- \\", ''],
  ['a backslash in a plain literal', String.raw`select 'a\' ; drop table victim; --'`, 'backslash'],
  ['a backslash where a plain literal goes on', "select 'a'\n'b\\'", 'backslash'],
  ['a backslash in an E literal that goes on', "select E'a'\n'b\\''", ''],
  ['a backslash in a national literal', String.raw`select N'a\'`, 'backslash'],
  ['a backslash behind a word that ends in e', String.raw`select type'a\'`, 'backslash'],
  ['U&""', 'drop table U&"\\0076ictim"', 'unicodeEscape'],
  ["u&''", "select u&'\\0061'", 'unicodeEscape'],
  ['UESCAPE', "select 'a' UEscape '!'", 'unicodeEscape'],
  ['a UTF-8 byte', "select 'é'", 'nonAscii'],
  ['a UTF-8 byte in a comment', '/* é */ select 1', 'nonAscii'],
  // In SJIS the bytes E3 81 95 5C are two characters, and the quote is the literal's end.
  [
    'UTF-8 whose last byte takes the backslash with it in SJIS',
    "select E'さ\\' as x; drop table victim; --'",
    'nonAscii',
  ],
];

describe('what depends on settings of the session', () => {
  it.each(DOUBTS)('is reported: %s', (_, text, doubts) => {
    const scanned = preScan(bytesOf(text));
    const found = scanned.kind === 'scanned' ? Object.entries(scanned.doubts) : [];
    expect(found.flatMap(([name, doubted]) => (doubted ? [name] : [])).join()).toBe(doubts);
    expect(scanned.kind).toBe('scanned');
  });

  it('is refused where the bytes are a pair of SJIS, GBK or BIG5 with a backslash in it', () => {
    for (const pair of [
      [0x95, 0x5c],
      [0x81, 0x5c],
      [0xa5, 0x5c],
    ]) {
      const text = [...bytesOf("select E'"), ...pair, ...bytesOf("' as x; drop table victim; --'")];
      expect(reasonOf(Uint8Array.from(text))).toBe('it is not UTF-8');
    }
  });
});

describe('the pieces of a text', () => {
  it('begin at a first token and end at a last one, without comments around them', () => {
    const text = "/* a */ select 1 -- b\n ; ; /* c; */ select ';' ;";
    const scanned = preScan(bytesOf(text));
    const pieces = scanned.kind === 'scanned' ? scanned.pieces : [];
    expect(pieces.map(({ from, to }) => text.slice(from, to))).toEqual(['select 1', "select ';'"]);
  });
});

describe('the end of a name', () => {
  it.each([
    ['t where', 't'],
    ['a . b.c where', 'a . b.c'],
    ['"a;b"."c""d" x', '"a;b"."c""d"'],
    ['a/* . */.\n--\nb, c', 'a/* . */.\n--\nb'],
    ['a.* from', 'a'],
    ['é(1)', 'é'],
    ['U&"a" (', 'U&"a"'],
  ])('of %j is %j', (text, name) => {
    const bytes = bytesOf(text);
    expect(decoder.decode(bytes.subarray(0, endOfName(bytes, 0)))).toBe(name);
  });
});

const PIECES = (
  `'|''|E'|e'|\\|\\'|"|""|$$|$a$|$ab$|$1|$|a|b1|1|12 |-- |--|/*|*/|/|*|-|;|U&'|U&"|u&|N'|B'|X'|b'01'|é|(|)|+|.|,|=|` +
  `a$b$|x$|?|@-|#|$1a|uescape|'a'|'b' |E'a\\'b'|"q"|/* c */|-- l\n|$a$ x $a$`
).split('|');

/** L for a literal, C for a comment, Q for a quoted name, O for another token, and a blank for none. */
function ourMask(bytes: Uint8Array): string[] {
  const mask = Array.from(bytes, () => ' ');
  const cursor = new TokenCursor(bytes);
  while (cursor.next()) {
    const kind = cursor.kind;
    const letter = kind.endsWith('literal')
      ? 'L'
      : kind === 'comment'
        ? 'C'
        : kind.endsWith('-name')
          ? 'Q'
          : 'O';
    mask.fill(letter, cursor.from, cursor.to);
    // To PostgreSQL the N of N'' is a word.
    if (letter === 'L' && /n/i.test(String.fromCharCode(bytes[cursor.from] ?? 0))) mask[cursor.from] = 'O';
  }
  return mask;
}

function theirMask(text: string, bytes: Uint8Array): string[] | undefined {
  let tokens;
  try {
    ({ tokens } = scanSync(text));
  } catch {
    // It does not end, or is refused: there is nothing to compare.
    return undefined;
  }
  const mask = Array.from(bytes, () => ' ');
  for (const { start, end, tokenName, text: token } of tokens) {
    const letter = tokenName.endsWith('COMMENT')
      ? 'C'
      : /^(?:(?:[bxe]|u&)?'|\$\D*\$)/i.test(token)
        ? 'L'
        : /^(?:u&)?"/i.test(token)
          ? 'Q'
          : 'O';
    mask.fill(letter, start, end);
  }
  return mask;
}

describe('boundaries of tokens', () => {
  beforeAll(() => loadModule());

  it("are those of PostgreSQL's scanner, for texts made of what is tricky", () => {
    const seed = Number(process.env['FUZZ_SEED'] ?? 20_261_127);
    process.stdout.write(`seed ${seed}\n`);
    let compared = 0;
    const texts = fc
      .array(fc.tuple(fc.constantFrom(...PIECES), fc.constantFrom('', '', ' ', '\n', '\r', '\t\n')), {
        maxLength: 14,
      })
      .map((parts) => parts.map(([piece, gap]) => piece + gap).join(''));
    fc.assert(
      fc.property(texts, (text) => {
        const bytes = bytesOf(text);
        const ours = ourMask(bytes);
        const theirs = theirMask(text, bytes);
        // libpg_query hands out comments as tokens, which ends a literal that goes on behind one.
        if (theirs === undefined || preScan(bytes).kind !== 'scanned') return;
        compared += 1;
        // What they count as a literal and we do not is white space between two of its parts.
        const differs = ours.flatMap((letter, at) =>
          letter === theirs[at] || (letter === ' ' && theirs[at] === 'L') ? [] : [[at, letter, theirs[at]]],
        );
        expect(differs).toEqual([]);
      }),
      { numRuns: 20_000, seed },
    );
    process.stdout.write(`${compared} of 20000 compared\n`);
    expect(compared).toBeGreaterThan(2_000);
  });

  it('are found in garbage without an exception, and never outside of it', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        preScan(bytes);
        const cursor = new TokenCursor(bytes);
        let before = 0;
        while (cursor.next()) {
          expect(cursor.from).toBeGreaterThanOrEqual(before);
          expect(cursor.to).toBeGreaterThan(cursor.from);
          expect(cursor.to).toBeLessThanOrEqual(bytes.length);
          before = cursor.to;
        }
      }),
      { numRuns: 5_000 },
    );
  });
});
