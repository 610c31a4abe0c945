import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CountersignError } from '../../core/errors.ts';
import { COPY_OUT_LIMITS } from '../../core/masking-limits.ts';
import { type CopyOption, type CopyOutFormat, copyOutFormat } from './copy-options.ts';
import { CopyOutStream, type ReplaceField } from './copy-out.ts';
import type { CopyResponse } from './messages.ts';

type Row = readonly (string | null)[];

function format(...options: readonly CopyOption[]): CopyOutFormat {
  const read = copyOutFormat(options, 'UTF8');
  if (read.kind === 'refused') throw new Error(read.reason);
  return read;
}

const TEXT = format();
const CSV = format(['format', 'csv']);
const BINARY = format(['format', 'binary']);

function response(columns: number, kind: CopyOutFormat['kind']): CopyResponse {
  const code = kind === 'binary' ? 1 : 0;
  return {
    kind: 'CopyOutResponse',
    format: code,
    columnFormats: Array.from({ length: columns }, () => code),
  };
}

/** All of what a stream gives for these pieces. */
function through(
  pieces: readonly Uint8Array[],
  of: CopyOutFormat,
  columns: number,
  replace: ReplaceField = (_, value) => value,
): Buffer {
  const stream = new CopyOutStream(of, response(columns, of.kind), replace);
  // Each piece is gone when the next comes.
  const given = pieces.map((piece) => {
    const own = piece.slice();
    const out = Buffer.from(stream.push(own));
    own.fill(0xee);
    return out;
  });
  return Buffer.concat([...given, Buffer.from(stream.end())]);
}

/** What fields are seen, row by row. */
function fields(bytes: Uint8Array, of: CopyOutFormat, columns: number): readonly Row[] {
  const seen: (string | null)[][] = [];
  through([bytes], of, columns, (index, value) => {
    if (index === 0) seen.push([]);
    seen.at(-1)?.push(value === null ? null : Buffer.from(value).toString('latin1'));
    return value;
  });
  return seen;
}

function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'latin1'));
}

function textRow(row: Row): string {
  const escapes: Readonly<Record<string, string>> = {
    '\\': '\\\\',
    '\t': '\\t',
    '\n': '\\n',
    '\r': '\\r',
    '\b': '\\b',
    '\f': '\\f',
    '\v': '\\v',
  };
  return `${row.map((value) => value?.replace(/[\\\t\n\r\b\f\v]/g, (byte) => escapes[byte] ?? '') ?? '\\N').join('\t')}\n`;
}

function csvRow(row: Row): string {
  const written = row.map((value) => {
    if (value === null) return '';
    const isQuoted = value === '' || /[",\r\n]/.test(value) || (row.length === 1 && value === '\\.');
    return isQuoted ? `"${value.replaceAll('"', '""')}"` : value;
  });
  return `${written.join(',')}\n`;
}

const SIGNATURE = 'PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0';

function binaryRow(row: Row): string {
  const count = Buffer.alloc(2);
  count.writeInt16BE(row.length);
  const values = row.map((value) => {
    const length = Buffer.alloc(4);
    length.writeInt32BE(value?.length ?? -1);
    return length.toString('latin1') + (value ?? '');
  });
  return count.toString('latin1') + values.join('');
}

/** A table as a server sends it, written by these few lines and not by the code that is tested. */
function table(of: CopyOutFormat, rows: readonly Row[]): Uint8Array {
  if (of.kind === 'text') return bytesOf(rows.map(textRow).join(''));
  if (of.kind === 'csv') return bytesOf(rows.map(csvRow).join(''));
  return bytesOf(`${SIGNATURE}${rows.map(binaryRow).join('')}\xff\xff`);
}

const FORMATS = [TEXT, CSV, BINARY] as const;
const CHARACTERS = [
  'a',
  'b',
  ',',
  '"',
  '\\',
  '\n',
  '\r',
  '\t',
  '.',
  'N',
  '\0',
  '\v',
  '\xe9',
  '\xff',
  ' ',
  'x',
  '1',
];
const value = fc.option(
  fc.array(fc.constantFrom(...CHARACTERS), { maxLength: 6 }).map((all) => all.join('')),
  { freq: 5 },
);
const rows = fc
  .integer({ min: 1, max: 3 })
  .chain((columns) =>
    fc.array(fc.array(value, { minLength: columns, maxLength: columns }), { minLength: 1, maxLength: 4 }),
  );

/** The second column becomes what a mask may be: other bytes, longer, none, NULL. */
function masks(index: number, bytes: Uint8Array | null): Uint8Array | null {
  if (index % 2 === 0 || bytes === null) return bytes;
  return bytes.length % 3 === 0 ? null : bytesOf(`"${Buffer.from(bytes).toString('latin1')}\\,\n`);
}

function masked(row: Row): Row {
  return row.map((each, index) => {
    const bytes = masks(index, each === null ? null : bytesOf(each));
    return bytes === null ? null : Buffer.from(bytes).toString('latin1');
  });
}

/** In every one and two places. */
function cutsOf(bytes: Uint8Array): readonly (readonly Uint8Array[])[] {
  const places = Array.from({ length: bytes.length + 1 }, (_, at) => at);
  return places.flatMap((first) =>
    places
      .slice(first)
      .map((second) => [bytes.subarray(0, first), bytes.subarray(first, second), bytes.subarray(second)]),
  );
}

describe.each(FORMATS.map((of) => [of.kind, of] as const))('COPY in %s', (_, of) => {
  it('has the fields that were written, and is given on as it came where none changes', () => {
    fc.assert(
      fc.property(rows, (all) => {
        const bytes = table(of, all);
        const columns = all[0]?.length ?? 0;
        expect(fields(bytes, of, columns)).toEqual(all);
        const stream = new CopyOutStream(of, response(columns, of.kind), (__, each) => each);
        expect(stream.push(bytes)).toBe(bytes);
        expect(stream.end()).toHaveLength(0);
      }),
      { numRuns: 500 },
    );
  });

  it('has fields replaced, and is then what a server would write', () => {
    fc.assert(
      fc.property(rows, (all) => {
        const columns = all[0]?.length ?? 0;
        const result = through([table(of, all)], of, columns, masks);
        expect(result).toEqual(Buffer.from(table(of, all.map(masked))));
      }),
      { numRuns: 500 },
    );
  });

  it('is the same however it is cut in one or two places', () => {
    fc.assert(
      fc.property(rows, (all) => {
        const bytes = table(of, all.slice(0, 2));
        const columns = all[0]?.length ?? 0;
        const whole = through([bytes], of, columns, masks);
        const different = cutsOf(bytes).filter((cut) => !through(cut, of, columns, masks).equals(whole));
        expect(different).toEqual([]);
      }),
      { numRuns: 30 },
    );
  });

  it('is refused or given on, and nothing else, whatever its bytes are', () => {
    const hostile = fc.oneof(
      fc.array(fc.constantFrom(...CHARACTERS), { maxLength: 40 }).map((all) => bytesOf(all.join(''))),
      fc.tuple(rows, fc.nat(), fc.integer({ min: 0, max: 255 })).map(([all, at, byte]) => {
        const bytes = table(of, all);
        bytes[at % bytes.length] = byte;
        return bytes;
      }),
    );
    fc.assert(
      fc.property(hostile, fc.integer({ min: 0, max: 3 }), fc.nat(), (bytes, columns, cut) => {
        const at = cut % (bytes.length + 1);
        const cuts = [bytes.subarray(0, at), bytes.subarray(at)];
        expect(outcome(() => through(cuts, of, columns, masks))).toEqual(
          outcome(() => through([bytes], of, columns, masks)),
        );
      }),
      { numRuns: 1_000 },
    );
  });

  it('is refused with another number of fields than were told', () => {
    const bytes = table(of, [['a', 'b']]);
    for (const columns of [0, 1, 3]) expect(outcome(() => through([bytes], of, columns))).toMatch(/fields/);
  });

  it('is refused where it is answered in another format', () => {
    const other = of.kind === 'binary' ? 'text' : 'binary';
    expect(outcome(() => new CopyOutStream(of, response(1, other), masks))).toMatch(/another format/);
  });

  it('is refused where a row is longer than the limit, with what is held of it bounded', () => {
    const piece = new Uint8Array(COPY_OUT_LIMITS.rowBytesMax / 4).fill(0x61);
    const stream = new CopyOutStream(of, response(2, of.kind), masks);
    const started = of.kind === 'binary' ? `${SIGNATURE}\0\x02\x03\0\0\0` : '';
    const said = outcome(() => {
      stream.push(bytesOf(started));
      for (let at = 0; at < 5; at += 1) stream.push(piece);
    });
    const field = outcome(() => through([bytesOf(`${SIGNATURE}\0\x02\x7f\xff\xff\xff`)], BINARY, 2));
    expect(field).toMatch(/too long/);
    expect(said).toMatch(/longer than|too long/);
  });
});

function outcome(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    if (error instanceof CountersignError && error.code === 'PROTOCOL_VIOLATION') return error.message;
    throw error;
  }
}

describe('headers', () => {
  it('are given on, however they look', () => {
    const options: readonly CopyOption[] = [['header', undefined]];
    expect(through([bytesOf('a\tb,\n1\t2\n')], format(...options), 2, () => null).toString()).toBe(
      'a\tb,\n\\N\t\\N\n',
    );
    const csv = format(['format', 'csv'], ...options);
    expect(through([bytesOf('"a\n""b",c\n1,2\n')], csv, 2, () => null).toString()).toBe('"a\n""b",c\n,\n');
  });

  it('of the binary format may be longer, and may have no flags', () => {
    const longer = `${SIGNATURE.slice(0, -1)}\x03abc\xff\xff`;
    expect(through([bytesOf(longer)], BINARY, 1).toString('latin1')).toBe(longer);
    const flagged = bytesOf(`${SIGNATURE}\xff\xff`);
    flagged[12] = 1;
    expect(outcome(() => through([flagged], BINARY, 1))).toMatch(/flags/);
    expect(outcome(() => through([bytesOf(`X${SIGNATURE}`)], BINARY, 1))).toMatch(/header/);
    expect(outcome(() => through([bytesOf(`${SIGNATURE}\xff\xffx`)], BINARY, 1))).toMatch(/behind its end/);
    expect(outcome(() => through([bytesOf(SIGNATURE)], BINARY, 1))).toMatch(/before its end/);
  });
});

function seenWithNull(nulls: string, field: string): unknown {
  return fields(bytesOf(`${field}\n`), format(['null', nulls]), 1)[0]?.[0];
}

describe('NULL', () => {
  it('in text is what no value looks like, or nothing', () => {
    expect(seenWithNull('\\N', '\\N')).toBeNull();
    expect(seenWithNull('\\N', '\\\\N')).toBe('\\N');
    expect(seenWithNull('', '')).toBeNull();
    expect(seenWithNull('\\x', '\\x')).toBeNull();
    // A value could be just that, and would go by if it were taken for NULL.
    expect(seenWithNull('NULL', 'NULL')).toBe('NULL');
    expect(seenWithNull('\\n', '\\n')).toBe('\n');
    expect(seenWithNull('\\\\', '\\\\')).toBe('\\');
  });

  it('in csv has no quotes', () => {
    const csv = format(['format', 'csv'], ['null', 'NULL']);
    expect(fields(bytesOf('NULL,"NULL","",\n'), csv, 4)).toEqual([[null, 'NULL', '', '']]);
    expect(through([bytesOf('a,NULL\n')], csv, 2, (_, each) => each && bytesOf('NULL')).toString()).toBe(
      '"NULL",NULL\n',
    );
  });
});

describe('csv', () => {
  it('has an escape of its own, quotes where they came, and quotes round the end of data', () => {
    const csv = format(
      ['format', 'csv'],
      ['escape', '\\'],
      ['quote', "'"],
      ['delimiter', '|'],
      ['force_quote', ['a']],
    );
    const bytes = bytesOf("'a\\'\\\\|\n'|b\n");
    expect(fields(bytes, csv, 2)).toEqual([["a'\\|\n", 'b']]);
    // An escape that is escaped is none for the quote behind it.
    expect(fields(bytesOf("'\\\\'|b\nc|d\n"), csv, 2)).toEqual([
      ['\\', 'b'],
      ['c', 'd'],
    ]);
    const plain: ReplaceField = (_, each) => each && bytesOf('x');
    expect(through([bytes], csv, 2, plain).toString()).toBe("'x'|x\n");
    const one: ReplaceField = (_, each) => each && bytesOf('\\.');
    expect(through([bytesOf('x\n')], CSV, 1, one).toString()).toBe('"\\."\n');
    expect(through([bytesOf('x,y\n')], CSV, 2, one).toString()).toBe('\\.,\\.\n');
  });

  it('is refused where it ends between quotes', () => {
    expect(outcome(() => through([bytesOf('"a\n')], CSV, 1))).toMatch(/inside a quoted field/);
  });
});

describe('text', () => {
  it('reads escapes that the server does not write', () => {
    expect(fields(bytesOf('\\x4a\\112\\xg\\q\\\n.\n'), TEXT, 1)).toEqual([['JJxgq\n.']]);
  });

  it('has delimiters of its own', () => {
    const of = format(['delimiter', '|']);
    expect(fields(bytesOf('a\\|b|c\td\n'), of, 2)).toEqual([['a|b', 'c\td']]);
    expect(through([bytesOf('x\n')], of, 1, () => bytesOf('|\t')).toString()).toBe('\\|\\t\n');
  });

  it('and csv have rows without columns, and an end', () => {
    for (const of of [TEXT, CSV]) {
      expect(through([bytesOf('\n\n')], of, 0).toString()).toBe('\n\n');
      expect(through([bytesOf('a\n\\.\n')], of, 1, () => null).toString()).toMatch(/^(\\N)?\n\\\.\n$/);
      expect(through([bytesOf('a')], of, 1, () => bytesOf('b')).toString()).toBe('b');
    }
  });
});

describe('options', () => {
  it('are read as the server reads them', () => {
    expect(format()).toEqual({
      kind: 'text',
      delimiter: 9,
      nullBytes: bytesOf('\\N'),
      hasHeader: false,
      encoding: 'UTF8',
    });
    expect(format(['format', 'csv'], ['quote', "'"])).toMatchObject({ quote: 39, escape: 39, delimiter: 44 });
    for (const on of [undefined, true, 'on', 'TRUE', '1', 1])
      expect(format(['header', on])).toMatchObject({ hasHeader: true });
    for (const off of [false, 'off', 'False', 0])
      expect(format(['header', off])).toMatchObject({ hasHeader: false });
    for (const [name, is] of [
      ['utf-8', 'UTF8'],
      ['latin1', 'LATIN1'],
      ['ISO-8859-15', 'LATIN9'],
      ['iso_8859_5', 'ISO_8859_5'],
      ['windows-1252', 'WIN1252'],
      ['EUC_JP', 'EUC_JP'],
    ] as const) {
      expect(format(['encoding', name])).toMatchObject({ encoding: is });
    }
    expect(format(['format', 'binary'], ['encoding', 'SJIS'])).toEqual({ kind: 'binary', encoding: 'SJIS' });
  });

  const refused: readonly (readonly CopyOption[])[] = [
    [['freeze', true]],
    [['on_error', 'stop']],
    [['format', 'xml']],
    [['format', 'CSV']],
    [
      ['format', 'csv'],
      ['format', 'csv'],
    ],
    [['quote', '"']],
    [['escape', '"']],
    [['force_quote', ['a']]],
    [
      ['format', 'binary'],
      ['delimiter', ','],
    ],
    [
      ['format', 'binary'],
      ['header', true],
    ],
    [['header', 'match']],
    [['header', 2]],
    [['delimiter', 'ab']],
    [['delimiter', '']],
    [['delimiter', 'a']],
    [['delimiter', '\\']],
    [['delimiter', '\n']],
    [['delimiter', 'é']],
    [['delimiter', 'N']],
    [['null', 'é']],
    [['null', 'a\tb']],
    [['null', 'a\n']],
    [
      ['format', 'csv'],
      ['null', 'a,b'],
    ],
    [
      ['format', 'csv'],
      ['null', '"'],
    ],
    [
      ['format', 'csv'],
      ['quote', ','],
    ],
    [
      ['format', 'csv'],
      ['escape', 'ab'],
    ],
    [['encoding', 'SJIS']],
    [['encoding', 'gb18030']],
    [['encoding', 'ebcdic']],
  ];
  it.each(refused.map((options) => [JSON.stringify(options), options] as const))(
    'are refused: %s',
    (_, options) => {
      expect(copyOutFormat(options, 'UTF8')).toMatchObject({ kind: 'refused' });
    },
  );
});
