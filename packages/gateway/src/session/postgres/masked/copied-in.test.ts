import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CommandOption, StatementFacts } from '../../../core/effects.ts';
import { COPY_IN_LIMITS } from '../../../core/masking-more-limits.ts';
import { compactOf } from '../../../masking/operators/tokens.ts';
import type { Operator } from '../../../masking/operators/operator.ts';
import { base, bytesOf, maskedText, RING, TEXT_WIRE } from '../../../masking/operators/testing-masks.ts';
import { CopiedIn } from './copied-in.ts';

const CSV: readonly CommandOption[] = [['format', 'csv']];
const BINARY: readonly CommandOption[] = [['format', 'binary']];
const MASK = { mask: 'people', version: 3 };

function copyOf(options: readonly CommandOption[] | undefined, formatCode = 0): CopiedIn {
  const facts: StatementFacts = {
    node: 'CopyStmt',
    from: 0,
    to: 0,
    effects: [],
    writes: [],
    reads: [],
    functions: [],
    settings: [],
    transaction: undefined,
    prepared: undefined,
    undoable: true,
  };
  const statement = options === undefined ? undefined : { ...facts, copyIn: options };
  return new CopiedIn({ keys: RING, mask: MASK, settings: TEXT_WIRE, statement, formatCode });
}

/** What it says of data that comes in these pieces, each of which is gone when the next comes. */
function saidOf(copy: CopiedIn, pieces: readonly Uint8Array[]): string | undefined {
  for (const piece of pieces) {
    const own = new Uint8Array(piece);
    copy.push(own);
    own.fill(0x5f);
  }
  copy.end();
  return copy.refusal?.error.message;
}

function inPieces(bytes: Uint8Array, length: number): readonly Uint8Array[] {
  return Array.from({ length: Math.ceil(bytes.length / length) }, (_, at) =>
    bytes.subarray(at * length, (at + 1) * length),
  );
}

function maskOf(operator: Operator, type: string, value: string): string {
  return maskedText({ operator, type: base(type) }, value) ?? '';
}

const TOKEN = maskOf({ kind: 'token' }, 'text', 'ana@example.org');
const HASH = maskOf({ kind: 'hash' }, 'text', 'ana@example.org');
const NUMBER = maskOf({ kind: 'token' }, 'int8', '42');
const UUID = maskOf({ kind: 'token' }, 'uuid', '3f2504e0-4f89-41d3-9a0c-0305e82c3301');
const FAKE = maskOf({ kind: 'fake' }, 'text', 'ana@example.org');
const COMPACT = compactOf(RING.current, 'tok', 'EMAIL', bytesOf('ana'));
const MASKS = [TOKEN, HASH, NUMBER, UUID, FAKE, COMPACT, '[REDACTED:EMAIL]', `{"a": ["${TOKEN}"]}`];

function hex(text: string): string {
  return `\\\\x${Buffer.from(text).toString('hex')}`;
}

function octal(text: string): string {
  return text
    .split('')
    .map((one) => `\\${one.charCodeAt(0).toString(8).padStart(3, '0')}`)
    .join('');
}

function number(value: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  bytes.writeIntBE(value, 0, length);
  return bytes;
}

function binary(...rows: readonly (readonly (Uint8Array | null)[])[]): Buffer {
  return Buffer.concat([
    Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1'),
    ...rows.flatMap((row) => [
      number(row.length, 2),
      ...row.flatMap((value) => [number(value?.length ?? -1, 4), value ?? Buffer.alloc(0)]),
    ]),
    number(-1, 2),
  ]);
}

function int8(text: string): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(text));
  return bytes;
}

/** 19 digits, as numeric writes them in binary. */
function numeric(text: string): Buffer {
  const digits = (text.padStart(20, '0').match(/.{4}/g) ?? []).map(Number);
  while (digits.at(-1) === 0) digits.pop();
  const bytes = Buffer.alloc(8 + 2 * digits.length);
  bytes.writeInt16BE(digits.length, 0);
  bytes.writeInt16BE(4, 2);
  for (const [at, digit] of digits.entries()) bytes.writeInt16BE(digit, 8 + 2 * at);
  return bytes;
}

describe('COPY data with a masked value in it', () => {
  it.each(MASKS)('is found in every format, at its place: %s', (mask) => {
    const quoted = `"${mask.replaceAll('"', '""')}"`;
    const place = /people.*field 2 of row 3/;
    expect(saidOf(copyOf([]), [bytesOf(`1\ta\n2\tb\n3\t${mask}\n4\tc\n`)])).toMatch(place);
    expect(saidOf(copyOf([]), [bytesOf(`1\ta\n2\tb\n3\t${octal(mask)}`)])).toMatch(place);
    expect(saidOf(copyOf(CSV), [bytesOf(`1,a\n2,b\n3,${quoted}\n`)])).toMatch(place);
  });

  it.each(MASKS.filter((mask) => mask !== NUMBER && mask !== UUID))(
    'is found as a text in binary, and in the hex of a bytea: %s',
    (mask) => {
      const rows = [1, 2, 3].map((row) => [bytesOf(`${row}x`), bytesOf(row === 3 ? mask : 'a')]);
      expect(saidOf(copyOf(BINARY, 1), [binary(...rows)])).toMatch(/field 2 of row 3/);
      expect(saidOf(copyOf([]), [bytesOf(`1\ta\n2\tb\n3\t${hex(mask)}\n`)])).toMatch(/field 2 of row 3/);
    },
  );

  it('is found in numbers and UUIDs in binary', () => {
    for (const value of [int8(NUMBER), numeric(NUMBER), Buffer.from(UUID.replaceAll('-', ''), 'hex')]) {
      const said = saidOf(copyOf(BINARY, 1), inPieces(binary([int8('7'), null], [null, value]), 5));
      expect(said).toMatch(/field 2 of row 2/);
    }
    expect(
      saidOf(copyOf(BINARY, 1), [
        binary([int8('7'), numeric('4611686018427387905'), int8('4611686018427387905')]),
      ]),
    ).toBeUndefined();
  });

  it('is found however the data is cut', () => {
    const all: [readonly CommandOption[], number, Uint8Array][] = [
      [[], 0, bytesOf(`1\ta\\tb\n2\t x ${octal(TOKEN)}\n`)],
      [[], 0, bytesOf(`1\ta\\tb\n2\t${hex(HASH)}\n`)],
      [CSV, 0, bytesOf(`1,"a\n"\r2,"x ""${TOKEN}"""\r`)],
      [CSV, 0, bytesOf(`1,"a"\r2,${TOKEN.slice(0, 2)}"${TOKEN.slice(2)}"`)],
      [BINARY, 1, binary([int8('1'), null], [int8('2'), bytesOf(TOKEN)])],
    ];
    for (const [options, code, bytes] of all) {
      for (let length = 1; length <= bytes.length; length += 1) {
        expect(saidOf(copyOf(options, code), inPieces(bytes, length))).toMatch(/field 2 of row 2/);
      }
    }
  });

  it('is found in big fields wherever it stands, also where pieces of them meet', () => {
    const { fieldBytesMax, overlapBytes } = COPY_IN_LIMITS;
    const places = [
      0,
      // In hex each byte is two.
      fieldBytesMax / 2 - 20,
      fieldBytesMax / 2 - 21,
      fieldBytesMax - overlapBytes - 5,
      fieldBytesMax - 5,
      2 * fieldBytesMax - overlapBytes - 60,
    ];
    for (const place of [...places, ...places.map((at) => at - 40), 4 * fieldBytesMax]) {
      const before = 'a '.repeat(Math.ceil(Math.max(0, place) / 2)).slice(0, Math.max(0, place));
      const value = `${before} ${TOKEN} ${'b '.repeat(fieldBytesMax)}`;
      for (const [options, text] of [
        [[], `1\t${value}\n`],
        [[], `1\t${hex(value)}\n`],
        [CSV, `1,"${value}"\n`],
      ] as const) {
        expect(saidOf(copyOf(options), inPieces(bytesOf(text), 50_000))).toMatch(/field 2 of row 1/);
      }
      expect(saidOf(copyOf(BINARY, 1), [binary([int8('1'), bytesOf(value)])])).toMatch(/field 2 of row 1/);
    }
  }, 60_000);

  it('is found in what has no end', () => {
    const cut = binary([int8('1'), bytesOf(TOKEN)]).subarray(0, -2);
    expect(saidOf(copyOf(BINARY, 1), [cut])).toMatch(/field 2 of row 1/);
    const within = binary([int8('1'), bytesOf(`${TOKEN} and more`)]).subarray(0, -8);
    expect(saidOf(copyOf(BINARY, 1), [within])).toMatch(/field 2 of row 1/);
    expect(saidOf(copyOf(CSV), [bytesOf(`1,"${TOKEN}`)])).toMatch(/field 2 of row 1/);
  });

  it('is refused where nobody can tell how it is written', () => {
    expect(saidOf(copyOf(undefined), [])).toMatch(/nobody can tell/);
    expect(saidOf(copyOf([['delimiter', 'é']]), [])).toMatch(/nobody can tell/);
    expect(saidOf(copyOf(BINARY, 0), [])).toMatch(/nobody can tell/);
    expect(saidOf(copyOf([], 1), [])).toMatch(/nobody can tell/);
    expect(saidOf(copyOf(BINARY, 1), [bytesOf('1\ta\n')])).toMatch(/not of the form/);
  });

  it('is not found where there is none', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string(), { maxLength: 20 }),
        fc.integer({ min: 1, max: 40 }),
        (values, length) => {
          const bytes = bytesOf(values.join('\t'));
          expect(saidOf(copyOf([]), inPieces(bytes, length))).toBeUndefined();
          expect(saidOf(copyOf(CSV), inPieces(bytes, length))).toBeUndefined();
        },
      ),
      { numRuns: 300 },
    );
    expect(
      saidOf(copyOf([]), [bytesOf('tok_x\thash_\t9223372036854775807\t****\t\\N\t\\\\x746f6b5f\n')]),
    ).toBeUndefined();
  });

  it('holds no more of a field than it says', () => {
    const copy = copyOf([]);
    const chunk = bytesOf('no mask in here, '.repeat(4_096));
    const before = process.memoryUsage().arrayBuffers;
    for (let left = 100; left > 0; left -= 1) copy.push(chunk);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * COPY_IN_LIMITS.fieldBytesMax);
    expect(copy.refusal).toBeUndefined();
  }, 60_000);
});
