/** Rows of COPY TO STDOUT as real servers write them, in every format and with every option. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findSystemPostgres } from '../../examples/demo/postgres-binaries.ts';
import { type PostgresServer, startPostgres } from '../../examples/demo/postgres-server.ts';
import { Scanner } from '../../packages/gateway/src/masking/detect/scanner.ts';
import { RING, TEXT, TEXT_WIRE } from '../../packages/gateway/src/masking/operators/testing-masks.ts';
import { builtInType } from '../../packages/gateway/src/masking/operators/built-in-types.ts';
import type { ColumnPlan } from '../../packages/gateway/src/masking/plan/column-plan.ts';
import { MaskCounts } from '../../packages/gateway/src/masking/rows/mask-counts.ts';
import { MaskMemory } from '../../packages/gateway/src/masking/rows/mask-memory.ts';
import { RowMasker } from '../../packages/gateway/src/masking/rows/row-masker.ts';
import {
  type CopyOption,
  type CopyOutFormat,
  copyOutFormat,
} from '../../packages/gateway/src/protocols/postgres/copy-options.ts';
import { CopyOutStream, type ReplaceField } from '../../packages/gateway/src/protocols/postgres/copy-out.ts';
import { decodeBackend } from '../../packages/gateway/src/protocols/postgres/decode.ts';
import type { CopyResponse } from '../../packages/gateway/src/protocols/postgres/messages.ts';
import { WireClient } from '../differential/wire-client.ts';
import { frame, query } from '../e2e/raw-session.ts';
import { requirePresent } from './require-present.ts';

const systemBin = await findSystemPostgres();
const VERSIONS = [
  ['18, embedded', 'embedded', true],
  ['of the machine', systemBin ?? '', requirePresent('PostgreSQL of the machine', systemBin !== undefined)],
] as const;

/** What has a meaning in some format, and what looks like it. */
const AWKWARD = [
  '',
  ' ',
  'a',
  '\\',
  '\\N',
  '\\.',
  '.',
  '\\\\.',
  'NULL',
  'null',
  '"',
  '""',
  '"a"',
  "'",
  ',',
  '|',
  '\t',
  '\n',
  '\r',
  '\r\n',
  'a\nb',
  '\b\f\v\u0001\u007f',
  'a,"b\n",c',
  '\\t',
  '\\x41',
  '\\101',
  'é ü 漢字 🙂',
  '\u00a0',
  'ana@example.org',
  'x'.repeat(20_000),
];

/** Options as a statement writes them, and as its tree has them. */
const OPTIONS: readonly (readonly [sql: string, options: readonly CopyOption[]])[] = [
  ['', []],
  ['(header)', [['header', undefined]]],
  [
    "(delimiter '|', null '')",
    [
      ['delimiter', '|'],
      ['null', ''],
    ],
  ],
  ["(null 'NULL')", [['null', 'NULL']]],
  [
    "(delimiter 'Z', null '\\n')",
    [
      ['delimiter', 'Z'],
      ['null', '\\n'],
    ],
  ],
  ["(delimiter E'\\x01')", [['delimiter', '\u0001']]],
  ['(format csv)', [['format', 'csv']]],
  [
    '(format csv, header true, force_quote *)',
    [
      ['format', 'csv'],
      ['header', 'true'],
      ['force_quote', ['*']],
    ],
  ],
  [
    "(format csv, null 'NULL', force_quote (v))",
    [
      ['format', 'csv'],
      ['null', 'NULL'],
      ['force_quote', ['v']],
    ],
  ],
  [
    "(format csv, quote '''', escape '\\', delimiter '|')",
    [
      ['format', 'csv'],
      ['quote', "'"],
      ['escape', '\\'],
      ['delimiter', '|'],
    ],
  ],
  [
    "(format csv, delimiter E'\\t', null '\\N')",
    [
      ['format', 'csv'],
      ['delimiter', '\t'],
      ['null', '\\N'],
    ],
  ],
  [
    "(format csv, escape ',')",
    [
      ['format', 'csv'],
      ['escape', ','],
    ],
  ],
  ['(format binary)', [['format', 'binary']]],
];

interface Copied {
  readonly response: CopyResponse;
  readonly data: readonly Buffer[];
}

function formatOf(options: readonly CopyOption[]): CopyOutFormat {
  const format = copyOutFormat(options, 'UTF8');
  if (format.kind === 'refused') throw new Error(format.reason);
  return format;
}

function streamed(copied: Copied, format: CopyOutFormat, replace: ReplaceField): readonly Buffer[] {
  const stream = new CopyOutStream(format, copied.response, replace);
  const given = copied.data.map((data) => Buffer.from(stream.push(data)));
  expect(stream.end()).toHaveLength(0);
  return given;
}

describe.each(VERSIONS.filter(([, , present]) => present))('PostgreSQL %s', (_, version) => {
  let postgres: PostgresServer;
  let client: WireClient;

  async function run(...sent: readonly Buffer[]): Promise<WireClient['frames']> {
    const before = client.frames.length;
    client.send(Buffer.concat(sent));
    if (!(await client.wait('Z', 1))) throw new Error('the server says nothing');
    const frames = client.frames.slice(before);
    const error = frames.find(({ type }) => type === 'E');
    if (error !== undefined) throw new Error(error.body.toString('latin1'));
    return frames;
  }

  async function copyOut(text: string): Promise<Copied> {
    const frames = await run(query(text));
    const started = frames.find(({ type }) => type === 'H');
    const response = decodeBackend(0x48, started?.body ?? Buffer.alloc(0));
    if (response.kind !== 'CopyOutResponse') throw new Error('expected a COPY');
    return { response, data: frames.filter(({ type }) => type === 'd').map(({ body }) => body) };
  }

  /** Rows of a query, a value each, NULL as null. */
  async function rowsOf(text: string): Promise<readonly (string | null)[]> {
    const frames = await run(query(text));
    return frames
      .filter(({ type }) => type === 'D')
      .map(({ body }) => (body.readInt32BE(2) === -1 ? null : body.subarray(6).toString('utf8')));
  }

  beforeAll(async () => {
    postgres = await startPostgres({ version, settings: { fsync: 'off' } });
    client = await WireClient.login(
      { port: postgres.port, user: postgres.superuser, database: 'postgres', password: postgres.password },
      { client_encoding: 'UTF8' },
    );
    const values = AWKWARD.map((value, at) => {
      const bytes = Buffer.from(value).toString('hex');
      return `(${at}, convert_from('\\x${bytes}', 'UTF8'), array[convert_from('\\x${bytes}', 'UTF8'), null])`;
    });
    await run(
      query(`create table kept (id int, v text, many text[]); insert into kept values ${values.join(',')}, (-1, null, null);
        create table one (v text); insert into one select v from kept; create table none (); insert into none default values;
        create table back (id int, v text, many text[]);`),
    );
  });

  afterAll(async () => {
    await postgres.stop();
  });

  it.each(OPTIONS)('writes %s, and every row is given on as it came', async (sql, options) => {
    const format = formatOf(options);
    for (const table of ['kept', 'one', 'none', '(select v, 1 as "a,""b" from kept where false)']) {
      if (table === 'none' && format.kind === 'csv' && sql.includes('(v)')) continue;
      const forced = table === 'none' ? sql.replace(', force_quote *', '') : sql;
      const copied = await copyOut(`copy ${table} to stdout ${forced}`);
      const seen: (Uint8Array | null)[] = [];
      const given = streamed(copied, format, (index, value) => {
        if (index === (table === 'one' ? 0 : 1)) seen.push(value?.slice() ?? null);
        return value;
      });
      expect(given).toEqual(copied.data);
      if (table === 'none' || table.startsWith('(')) continue;
      const isAmbiguous = sql.includes("(null 'NULL')") || sql.includes("null '\\n'");
      const emptyIsNull = format.kind === 'text' && sql.includes("null ''");
      const expected = [...AWKWARD, null].map((value) => {
        if (value === null && isAmbiguous) return sql.includes('NULL') ? 'NULL' : '\n';
        return value === '' && emptyIsNull ? null : value;
      });
      expect(seen.map((value) => (value === null ? null : Buffer.from(value).toString('utf8')))).toEqual(
        expected,
      );
    }
  });

  it.each(OPTIONS)('takes masked rows back: %s', async (sql, options) => {
    const format = formatOf(options);
    const copied = await copyOut(`copy kept to stdout ${sql}`);
    // What a mask may be: the awkward value of the row before, and NULL for each fifth.
    let at = -1;
    const masks = (index: number, value: Uint8Array | null): Uint8Array | null => {
      if (index === 0) at += 1;
      if (index !== 1 || value === null) return value;
      return at % 5 === 4 ? null : new Uint8Array(Buffer.from(AWKWARD.at(at - 1) ?? ''));
    };
    // The header is not one of the rows.
    const given = streamed(copied, format, masks);
    const inSQL = sql.replace(/, force_quote (\*|\(v\))/, '');
    await run(query('truncate back'));
    await run(query(`copy back from stdin ${inSQL}`), ...given.map((data) => frame('d', data)), frame('c'));
    const isEmptyNull = format.kind === 'text' && sql.includes("null ''");
    const isWordNull = format.kind === 'text' && sql.includes("null 'NULL'");
    const expected = AWKWARD.map((_value, index) => {
      const masked = index % 5 === 4 ? null : (AWKWARD.at(index - 1) ?? '');
      if (isEmptyNull && AWKWARD[index] === '') return null;
      return (isEmptyNull && masked === '') || (isWordNull && masked === 'NULL') ? null : masked;
    });
    const back = await rowsOf('select v from back where id >= 0 order by id');
    const isNewline = sql.includes("null '\\n'");
    expect(back).toEqual(isNewline ? expected.map((value) => (value === '\n' ? null : value)) : expected);
    expect(await rowsOf('select many::text from back order by id')).toEqual(
      await rowsOf('select many::text from kept order by id'),
    );
  });

  it('has its rows masked by their plan', async () => {
    const plans: readonly ColumnPlan[] = [
      { kind: 'clear' },
      {
        kind: 'mask',
        operator: { kind: 'partial' },
        entity: 'EMAIL',
        type: TEXT,
        mask: 'm',
        version: 1,
        masks: [{ mask: 'm', version: 1 }],
        column: 'kept.v',
        hidesNull: false,
      },
      {
        kind: 'scan',
        type: builtInType(1009),
        hints: { context: 0, statistics: undefined },
        masks: [{ mask: 'd', version: 1, entities: new Set(['EMAIL']), operator: { kind: 'redact' } }],
        column: 'kept.many',
      },
    ];
    const where = "(select * from kept where v like 'ana%')";
    for (const [sql, options] of OPTIONS) {
      const format = formatOf(options);
      const masker = new RowMasker({
        plans,
        resultFormats: [format.kind === 'binary' ? 1 : 0],
        settings: TEXT_WIRE,
        keys: RING,
        scanner: new Scanner(),
        memory: new MaskMemory(),
        counts: new MaskCounts(),
      });
      const copied = await copyOut(`copy ${where} to stdout ${sql}`);
      const given = streamed(copied, format, (index, value) => masker.maskField(index, value));
      await run(query('truncate back'));
      const inSQL = sql.replace(/, force_quote (\*|\(v\))/, '');
      await run(query(`copy back from stdin ${inSQL}`), ...given.map((data) => frame('d', data)), frame('c'));
      expect(await rowsOf("select v || ' ' || many::text from back")).toEqual([
        '***@example.org {[REDACTED:EMAIL],NULL}',
      ]);
    }
  });
});
