import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { copyInFields } from './copy-in.ts';
import { copyInFormat, type CopyInFormat, type CopyOption } from './copy-options.ts';

type Rows = readonly (readonly string[])[];

function format(...options: readonly CopyOption[]): CopyInFormat {
  const read = copyInFormat(options, 'UTF8');
  if (read.kind === 'refused') throw new Error(read.reason);
  return read;
}

const TEXT = format();
const CSV = format(['format', 'csv']);
const ODD_CSV = format(['format', 'csv'], ['delimiter', '_'], ['quote', "'"], ['escape', '!']);
const BINARY = format(['format', 'binary']);

/** What becomes of options, refused or not. */
function optionsIn(...options: readonly CopyOption[]): unknown {
  return copyInFormat(options, 'UTF8');
}

function bytesOf(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

/** The fields of these pieces, each of which is gone when the next comes. */
function rowsOf(of: CopyInFormat, pieces: readonly Uint8Array[]): Rows {
  const rows: string[][] = [[]];
  let field = '';
  const fields = copyInFields(of, {
    part: (bytes) => (field += Buffer.from(bytes).toString('latin1')),
    end: (endsRow) => {
      rows.at(-1)?.push(field);
      field = '';
      if (endsRow) rows.push([]);
    },
  });
  for (const piece of pieces) {
    const own = new Uint8Array(piece);
    fields.push(own);
    own.fill(0xee);
  }
  fields.end();
  return rows.slice(0, -1);
}

/** As somebody may write it: any character may have an escape. */
function textWritten(value: string, how: readonly number[]): string {
  const letters: Readonly<Record<string, string>> = {
    '\b': 'b',
    '\f': 'f',
    '\n': 'n',
    '\r': 'r',
    '\t': 't',
    '\v': 'v',
  };
  return value
    .split('')
    .map((character, at) => {
      const code = character.charCodeAt(0);
      const way = how[at % Math.max(1, how.length)] ?? 0;
      if (way === 1) return `\\${code.toString(8).padStart(3, '0')}`;
      if (way === 2) return `\\x${code.toString(16).padStart(2, '0')}`;
      if (letters[character] !== undefined) return way === 3 ? `\\${character}` : `\\${letters[character]}`;
      return character === '\\' ? '\\\\' : character;
    })
    .join('');
}

function csvWritten(value: string, quote: string, escape: string): string {
  return `${quote}${value
    .split('')
    .map((one) => (one === quote || one === escape ? `${escape}${one}` : one))
    .join('')}${quote}`;
}

function number(value: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  bytes.writeIntBE(value, 0, length);
  return bytes;
}

function binaryWritten(rows: readonly (readonly (string | null)[])[]): Buffer {
  const parts: Buffer[] = [bytesOf('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\x03abc')];
  for (const row of rows) {
    parts.push(number(row.length, 2));
    for (const value of row) {
      parts.push(number(value === null ? -1 : value.length, 4), bytesOf(value ?? ''));
    }
  }
  return Buffer.concat([...parts, number(-1, 2)]);
}

const VALUE = fc.string({
  unit: fc.constantFrom('a', '7', '"', "'", '!', '_', ',', '\\', '\n', '\r', '\t', 'x', 'é'),
  maxLength: 12,
});
const ROWS = fc.array(fc.array(VALUE, { minLength: 2, maxLength: 3 }), { minLength: 1, maxLength: 4 });

/** Every cut into two. */
function* cuts(bytes: Uint8Array): Generator<readonly Uint8Array[]> {
  for (let at = 0; at <= bytes.length; at += 1) yield [bytes.subarray(0, at), bytes.subarray(at)];
  yield [...bytes].map((byte) => Uint8Array.of(byte));
}

/** What is read otherwise, of each way to cut the bytes. */
function otherwise(of: CopyInFormat, bytes: Buffer, rows: Rows): readonly Rows[] {
  const wanted = JSON.stringify(rows);
  return [...cuts(bytes)]
    .map((pieces) => rowsOf(of, pieces))
    .filter((read) => JSON.stringify(read) !== wanted);
}

describe('what a client copies in', () => {
  it('is the same fields in the text format, however it is escaped and cut', () => {
    fc.assert(
      fc.property(ROWS, fc.array(fc.nat(3), { maxLength: 5 }), (rows, how) => {
        const lines = rows.map((row) => `${row.map((value) => textWritten(value, how)).join('\t')}\n`);
        expect(otherwise(TEXT, bytesOf(`${lines.join('')}\\.`), [...rows, ['.']])).toEqual([]);
      }),
      { numRuns: 80 },
    );
  });

  it.each([
    ['CSV', CSV, ',', '"', '"'],
    ['CSV with marks of its own', ODD_CSV, '_', "'", '!'],
  ])('is the same fields in %s', (_, of, delimiter, quote, escape) => {
    fc.assert(
      fc.property(ROWS, (rows) => {
        const lines = rows.map(
          (row) => `${row.map((value) => csvWritten(value, quote, escape)).join(delimiter)}\r`,
        );
        expect(otherwise(of, bytesOf(lines.join('')), [...rows, ['']])).toEqual([]);
      }),
      { numRuns: 80 },
    );
  });

  it('is the same fields in binary, and NULL is an empty one', () => {
    const nullable = fc.array(fc.array(fc.option(VALUE), { maxLength: 3 }), { maxLength: 4 });
    fc.assert(
      fc.property(nullable, (rows) => {
        const values = rows.filter((row) => row.length > 0).map((row) => row.map((value) => value ?? ''));
        expect(otherwise(BINARY, binaryWritten(rows), values)).toEqual([]);
      }),
      { numRuns: 80 },
    );
  });

  it.each([
    [TEXT, 'a\\x4\\12\\8\\xg\\q\\\n\tb', [['a\x04\n8xgq\n', 'b']]],
    [TEXT, '\\x747\\1234', [['t7S4']]],
    [TEXT, 'a\\', [['a']]],
    [TEXT, 'a\rb\nc', [['a'], ['b'], ['c']]],
    [TEXT, 'a\tb\rc\td\r\n\n\\\r\ne', [['a', 'b'], ['c', 'd'], [''], ['\r'], ['e']]],
    [CSV, 'a,b\r\n"c\r\n",d\r\n', [['a', 'b'], ['c\r\n', 'd'], ['']]],
    [
      CSV,
      'a"b,"c,d\n"",""',
      [
        ['ab,c', 'd'],
        ['', ''],
      ],
    ],
    [CSV, '"a""b"\n"c"', [['a"b'], ['c']]],
    [ODD_CSV, "'a!'b!c'!d_e", [["a'b!c!d", 'e']]],
    [ODD_CSV, "'a!", [['a!']]],
  ] as const)('reads odd forms as the server does: %#', (of, text, rows) => {
    expect(otherwise(of, bytesOf(text), [...rows])).toEqual([]);
  });

  it.each([
    'PGCOPX\n\xff\r\n\0\0\0\0\0\0\0\0\0\xff\xff',
    'PGCOPY\n\xff\r\n\0\0\0\0\0\xff\0\0\0\xff\xff',
    'PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\xff\xfe',
    'PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\0\x01\xff\xff\xff\xfe',
    'PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\xff\xffmore',
  ])('refuses what is not of the binary format: %#', (text) => {
    expect(() => rowsOf(BINARY, [bytesOf(text)])).toThrow(/COPY data/);
  });

  it('knows the options of COPY FROM, and refuses what could not be read', () => {
    expect(
      optionsIn(
        ['freeze', true],
        ['null', '[NULL]'],
        ['default', '\\D'],
        ['header', 'match'],
        ['on_error', 'ignore'],
      ),
    ).toMatchObject({ kind: 'text', delimiter: 9 });
    expect(optionsIn(['format', 'csv'], ['force_null', ['a']], ['escape', '!'])).toMatchObject({
      kind: 'csv',
      escape: 33,
    });
    for (const refused of [
      optionsIn(['delimiter', 'ab']),
      optionsIn(['encoding', 'SJIS']),
      optionsIn(['format', 'json']),
      optionsIn(['program', 'x']),
      optionsIn(['format', 'csv'], ['force_quote', ['a']]),
      copyInFormat([], 'GB18030'),
    ]) {
      expect(refused).toMatchObject({ kind: 'refused' });
    }
  });
});
