import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CountersignError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { encodeBackend, encodeErrorResponse, encodeFrontend } from '../protocols/postgres/encode.ts';
import type { BackendMessage, FrontendMessage, RowField } from '../protocols/postgres/messages.ts';
import type { RecordedEntry } from './recording-reader.ts';
import type { ReplayedItem, ReplayedStatement } from './replayed-statement.ts';
import { readTranscript } from './transcript.ts';

type Step = { channel: 0 | 1 | 2 | 3; bytes: Uint8Array };

const utf8 = (text: string): Uint8Array => Buffer.from(text);

/** Everything that an iterable gives. */
async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

function client(...messages: FrontendMessage[]): Step {
  return { channel: 0, bytes: Buffer.concat(messages.map((message) => encodeFrontend(message))) };
}
function server(...messages: BackendMessage[]): Step {
  return { channel: 1, bytes: Buffer.concat(messages.map((message) => encodeBackend(message))) };
}

function entries(steps: readonly Step[], cut = Number.MAX_SAFE_INTEGER): RecordedEntry[] {
  const all: RecordedEntry[] = [];
  for (const [index, { channel, bytes }] of steps.entries()) {
    for (let at = 0; at < bytes.length; at += cut) {
      const piece = bytes.subarray(at, at + cut);
      all.push({ kind: 'bytes', segment: 0, block: 0, timeUs: 100 * (index + 1), channel, bytes: piece });
    }
  }
  return all;
}

function replay(steps: readonly Step[], cut?: number): Promise<ReplayedItem[]> {
  return collect(readTranscript(entries(steps, cut)));
}

async function statements(steps: readonly Step[]): Promise<ReplayedStatement[]> {
  return (await replay(steps)).filter((item) => item.kind === 'statement');
}

function field(name: string, typeOid = 25, format: 0 | 1 = 0): RowField {
  return {
    nameBytes: utf8(name),
    tableOid: 0,
    columnNumber: 0,
    typeOid,
    typeLength: -1,
    typeModifier: -1,
    format,
  };
}

const query = (text: string): FrontendMessage => ({ kind: 'Query', textBytes: utf8(text) });
const parse = (statement: string, text: string): FrontendMessage => ({
  kind: 'Parse',
  statement,
  textBytes: utf8(text),
  parameterTypeOids: [],
});
const bind = (
  statement: string,
  values: (Uint8Array | null)[],
  valueFormats: (0 | 1)[] = [],
): FrontendMessage => ({
  kind: 'Bind',
  portal: '',
  statement,
  valueFormats,
  values,
  resultFormats: [1],
});
const execute: FrontendMessage = { kind: 'Execute', portal: '', rowsMax: 0 };
const sync: FrontendMessage = { kind: 'Sync' };
const ready: BackendMessage = { kind: 'ReadyForQuery', status: 'I' };
const complete = (tag: string): BackendMessage => ({ kind: 'CommandComplete', tag });
const row = (...values: (string | null)[]): BackendMessage => ({
  kind: 'DataRow',
  values: values.map((value) => (value === null ? null : utf8(value))),
});
const error = (code: string, message: string): BackendMessage => ({
  kind: 'ErrorResponse',
  fields: [
    { code: 'S', valueBytes: utf8('ERROR') },
    { code: 'C', valueBytes: utf8(code) },
    { code: 'M', valueBytes: utf8(message) },
  ],
});

const raw = (type: string, body: string): Step => ({
  channel: 0,
  bytes: Buffer.concat([Buffer.from(type), Buffer.of(0, 0, 0, body.length + 4), Buffer.from(body)]),
});

const MIXED: Step[] = [
  server(ready),
  client(query('select 1; select null')),
  server({ kind: 'RowDescription', fields: [field('a')] }, row('1'), complete('SELECT 1')),
  server({ kind: 'RowDescription', fields: [field('b')] }, row(null), complete('SELECT 1'), ready),
  client(parse('s', 'select $1::int'), { kind: 'Describe', target: 'S', name: 's' }, sync),
  server({ kind: 'ParseComplete' }, { kind: 'ParameterDescription', typeOids: [23] }),
  server({ kind: 'RowDescription', fields: [field('n', 23)] }, ready),
  client(bind('s', [utf8('7')]), execute, bind('s', [Buffer.of(0, 0, 0, 9)], [1]), execute, sync),
  server(
    { kind: 'BindComplete' },
    { kind: 'DataRow', values: [Buffer.of(0, 0, 0, 7)] },
    complete('SELECT 1'),
  ),
  server(
    { kind: 'BindComplete' },
    { kind: 'DataRow', values: [Buffer.of(0, 0, 0, 9)] },
    complete('SELECT 1'),
    ready,
  ),
];

function summary({ sql, outcome, parameters, error: failure, results }: ReplayedStatement): string {
  const shown = results.map(
    ({ columns, rows, commandTag, copy }) =>
      `${columns.join('/')}=${rows.map((values) => values.join('/')).join(',')} ${commandTag ?? 'no end'}${copy === undefined ? '' : ` ${copy.direction} ${copy.bytes}`}`,
  );
  return [
    sql,
    outcome,
    parameters.join(','),
    ...(failure === undefined ? [] : [failure.sqlstate]),
    ...shown,
  ].join(' | ');
}

const CLIENTS: readonly string[] = [
  '# psql 15: queries, an error, COPY both ways',
  "select 1 as one, 'ä' as two; | completed |  | one/two=1/ä SELECT 1",
  'select 1/0; | failed |  | 22012',
  'begin; | completed |  | = BEGIN',
  'select 2; select 3; | completed |  | ?column?=2 SELECT 1 | ?column?=3 SELECT 1',
  'rollback; | completed |  | = ROLLBACK',
  'copy t from stdin; | completed |  | = COPY 2 in 7',
  'copy (select 5 union all select 6) to stdout; | completed |  | = COPY 2 out 4',
  'copy t from stdin; | failed |  | 22P02 | = no end in 5',
  "do $$ begin raise notice 'hello'; end $$; | completed |  | = DO",
  '# pgbench 15 with prepared statements',
  'SELECT abalance FROM pgbench_accounts WHERE aid = 7; | completed |  | abalance= SELECT 0',
  'SELECT 1; | completed |  | ?column?=1 SELECT 1',
  'SELECT abalance FROM pgbench_accounts WHERE aid = 7; | completed |  | abalance= SELECT 0',
  'SELECT 1; | completed |  | ?column?=1 SELECT 1',
  '# node-postgres 8: parameters, a named statement, an error',
  'select $1::text as a, $2::int as b | completed | hello, | a/b=hello/ SELECT 1',
  'select $1::int + 1 as c | completed | 41 | c=42 SELECT 1',
  'select $1::int + 1 as c | completed | 1 | c=2 SELECT 1',
  'select 1/$1::int | failed | 0 | 22012',
  'select 1; select 2 | completed |  | ?column?=1 SELECT 1 | ?column?=2 SELECT 1',
  '# postgres.js 3: pipelined statements',
  'select 1/$1::int | failed | 0 | 22012',
  'select 1 as a | completed |  | a=1 SELECT 1',
  'select $1::int as b | completed | 2 | b=2 SELECT 1',
  'select $1::int as c | completed | 3 | c=3 SELECT 1',
  'select generate_series(1,3) | completed |  | generate_series=1,2 no end',
  'select generate_series(1,3) | completed |  | generate_series=3 SELECT 1',
];

describe('a transcript', () => {
  it('shows statements with their results, simple and extended', async () => {
    const all = await statements(MIXED);
    expect(all.map(({ sql }) => sql)).toEqual(['select 1; select null', 'select $1::int', 'select $1::int']);
    const [simple, first, second] = all;
    expect(simple).toMatchObject({ startedUs: 200, endedUs: 400, outcome: 'completed', protocol: 'simple' });
    expect(simple?.results).toEqual([
      { columns: ['a'], rows: [['1']], rowsCount: 1, commandTag: 'SELECT 1', suspended: false },
      { columns: ['b'], rows: [[null]], rowsCount: 1, commandTag: 'SELECT 1', suspended: false },
    ]);
    expect(first).toMatchObject({ parameters: ['7'], results: [{ columns: ['n'], rows: [['7']] }] });
    expect(second).toMatchObject({
      parameters: ['\\x00000009'],
      results: [{ columns: ['n'], rows: [['9']] }],
    });
  });

  it('is the same wherever the bytes were cut', async () => {
    const whole = await replay(MIXED);
    for (let cut = 1; cut < 40; cut++) expect(await replay(MIXED, cut)).toEqual(whole);
  });

  it('gives an error to its statement and skips up to Sync', async () => {
    const all = await replay([
      client(parse('', 'selec'), bind('', []), execute, parse('', 'select 2'), bind('', []), execute),
      server(error('42601', 'syntax error')),
      client(parse('', 'select 3'), bind('', []), execute, sync, query('select 4')),
      server(ready, complete('SELECT 0'), ready),
    ]);
    expect(all).toMatchObject([
      {
        sql: 'selec',
        outcome: 'failed',
        error: { sqlstate: '42601', message: 'syntax error', fromGateway: false },
      },
      { sql: 'select 2', outcome: 'skipped' },
      { sql: 'select 3', outcome: 'skipped' },
      { sql: 'select 4', outcome: 'completed' },
    ]);
  });

  it('shows a malformed message with its error, and reads on behind it', async () => {
    const all = await replay([
      raw('B', 'x'),
      client(execute, sync),
      server(error('08P01', 'invalid string in message'), ready),
      raw('Q', 'select 1'),
      server(error('08P01', 'invalid string in message'), ready),
      raw('S', 'x'),
      server(error('08P01', 'invalid message format'), ready),
      client(query('select 4')),
      server(complete('SELECT 0'), ready),
    ]);
    expect(all).toMatchObject([
      { sql: expect.stringContaining('malformed'), outcome: 'failed', error: { sqlstate: '08P01' } },
      { outcome: 'skipped' },
      { sql: expect.stringContaining('malformed'), outcome: 'failed', error: { sqlstate: '08P01' } },
      { kind: 'note', text: 'ERROR 08P01: invalid message format' },
      { sql: 'select 4', outcome: 'completed' },
    ]);
  });

  it('says when the gateway refused', async () => {
    const refusal = encodeErrorResponse(
      new CountersignError('ACCESS_DENIED', { principal: 'ana', connection: 'db' }),
      'ERROR',
    );
    const all = await statements([
      client(query('drop table t')),
      { channel: 2, bytes: Buffer.concat([refusal, encodeBackend(ready)]) },
    ]);
    expect(all).toMatchObject([
      {
        outcome: 'failed',
        error: { sqlstate: '42501', hint: expect.stringContaining('Ask'), fromGateway: true },
      },
    ]);
  });

  it('counts COPY both ways, and a Sync that COPY swallowed does not shift answers', async () => {
    const copyIn: BackendMessage = { kind: 'CopyInResponse', format: 0, columnFormats: [0] };
    const all = await statements([
      client(parse('', 'copy t from stdin'), bind('', []), execute, sync),
      server({ kind: 'ParseComplete' }, { kind: 'BindComplete' }, copyIn),
      client({ kind: 'CopyData', data: utf8('abc\n') }, { kind: 'CopyData', data: utf8('de\n') }),
      client({ kind: 'CopyDone' }, sync, query('copy t to stdout')),
      server(complete('COPY 2'), ready, { kind: 'CopyOutResponse', format: 0, columnFormats: [0] }),
      server({ kind: 'CopyData', data: utf8('abc\n') }, { kind: 'CopyDone' }, complete('COPY 1'), ready),
    ]);
    expect(all).toMatchObject([
      { sql: 'copy t from stdin', results: [{ commandTag: 'COPY 2', copy: { direction: 'in', bytes: 7 } }] },
      { sql: 'copy t to stdout', results: [{ commandTag: 'COPY 1', copy: { direction: 'out', bytes: 4 } }] },
    ]);
  });

  it('keeps the first rows and counts all', async () => {
    const many = Array.from({ length: 5_000 }, (_, i) => row(String(i)));
    const [statement] = await statements([
      client(query('select i')),
      server({ kind: 'RowDescription', fields: [field('i')] }, ...many, complete('SELECT 5000'), ready),
    ]);
    expect(statement?.results[0]?.rowsCount).toBe(5_000);
    expect(statement?.results[0]?.rows.length).toBe(LIMITS.recording.replayRowsMax);
  });

  it('shows the beginning of a spooled message, and that a statement has no answer', async () => {
    const text = `select '${'x'.repeat(2_000_000)}'`;
    const frame = encodeFrontend(query(text));
    const [statement] = await replay([{ channel: 3, bytes: frame }], 65_536);
    expect(statement).toMatchObject({ sqlCut: true, outcome: 'unanswered' });
    expect(statement?.kind === 'statement' && text.startsWith(statement.sql)).toBe(true);
  });

  it('notes events, cuts, unknown channels and bytes that are no protocol', async () => {
    const place = { segment: 0, block: 0 };
    const items: RecordedEntry[] = [
      { kind: 'event', ...place, timeUs: 1, json: '{}' },
      { kind: 'unknown channel', ...place, timeUs: 2, channel: 9, length: 3 },
      { kind: 'bytes', ...place, timeUs: 3, channel: 0, bytes: Buffer.of(0x51, 0, 0, 0, 1) },
      { kind: 'truncated', ...place },
    ];
    const all = await collect(readTranscript(items));
    expect(all.map(({ kind }) => kind)).toEqual(['event', 'note', 'note', 'note']);
  });

  it('reads what real clients and servers said to each other', async () => {
    const recorded = new URL('../../../../vectors/postgres/recorded-clients.txt', import.meta.url);
    const shown: string[] = [];
    for (const text of readFileSync(recorded, 'utf8').split('\ncase: ').slice(1)) {
      const [title = '', , ...lines] = text.trimEnd().split('\n');
      const steps: Step[] = lines.map((line) => ({
        channel: line.startsWith('>') ? 0 : 1,
        bytes: Buffer.from(line.slice(2), 'hex'),
      }));
      // The recording begins after the start-up packet.
      const start = steps.findIndex(
        ({ bytes }) => Buffer.from(bytes).subarray(4, 8).toString('hex') === '00030000',
      );
      shown.push(`# ${title}`);
      for (const item of await replay(steps.slice(start + 1))) {
        shown.push(item.kind === 'statement' ? summary(item) : item.kind);
      }
    }
    expect(shown).toEqual(CLIENTS);
  });

  it('never throws, whatever the bytes are', async () => {
    const step = fc.record({
      channel: fc.constantFrom<0 | 1 | 2 | 3>(0, 1, 2, 3),
      bytes: fc.oneof(fc.uint8Array({ maxLength: 60 }), fc.constantFrom(...MIXED.map(({ bytes }) => bytes))),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        for (const item of await replay(steps)) expect(item.kind).toBeTypeOf('string');
      }),
    );
  });
});
