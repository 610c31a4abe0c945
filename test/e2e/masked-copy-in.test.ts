/** Masked values that come back in COPY data: the COPY fails, nothing of it is stored, and the session goes on. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Client } from 'pg';
import { COPY_DONE, copyData, copyFail, query, run, SYNC, TERMINATE } from '../differential/frames.ts';
import { WireClient } from '../differential/wire-client.ts';
import { ANYTHING, directly, rowsOf, serverVersions } from './clients.ts';
import { type Harness, startHarness } from './harness.ts';

const SCHEMA = `
create table tagged (id int primary key, email text, tag text);
insert into tagged values (1, 'ada@example.org', 'ada-900123');
create table notes (id int, note text);
create table counted (id int, note text);
`;

const RESOURCES = `
kind: Mask
name: tags
columns: [tagged.tag]
as: token
---
kind: Person
name: bo
displayName: Bo
---
kind: Group
name: owners
members: [bo]
---
kind: Rule
name: counted
when: { writes: [counted], rows: '>= 1000' }
then: { hold: { approvers: [group:owners] } }
`;

const [NEWEST] = serverVersions();

describe('COPY FROM STDIN', () => {
  let harness: Harness;
  let direct: Client;
  let token = '';
  let mask = '';

  beforeAll(async () => {
    harness = await startHarness({ postgres: { version: NEWEST?.version ?? '' } });
    direct = await directly(harness);
    await direct.query(SCHEMA);
    await harness.apply(`${ANYTHING}---${RESOURCES}`);
    token = await harness.token('ana');
    const client = await login();
    client.send(query('select tag from tagged'));
    await client.wait('Z', 1);
    mask =
      client.frames
        .find(({ type }) => type === 'D')
        ?.body.subarray(6)
        .toString() ?? '';
    await over(client);
    if (!mask.startsWith('tok_')) throw new Error('nothing masks it');
  }, 120_000);

  afterAll(async () => {
    await direct?.end();
    await harness?.[Symbol.asyncDispose]();
  });

  function login(pieces?: number): Promise<WireClient> {
    const endpoint = { port: harness.gateway.postgres.port, user: 'ana', database: 'db', password: token };
    return WireClient.login(endpoint, {}, pieces === undefined ? undefined : (bytes) => cut(bytes, pieces));
  }

  /** What is answered to these frames, and to a query behind them. */
  async function answers(
    frames: readonly Buffer[],
    readies = 1,
    pieces?: number,
  ): Promise<readonly string[]> {
    const client = await login(pieces);
    const from = client.frames.length;
    client.send(Buffer.concat(frames));
    await client.wait('Z', readies);
    client.send(query('select 41 + 1'));
    await client.wait('Z', 1);
    await over(client);
    return client.frames.slice(from).map(({ type, body }) => {
      if (type === 'E') return `E ${field(body, 'C')} ${field(body, 'M')}`;
      return type === 'D' || type === 'C'
        ? `${type} ${body.toString('latin1').replaceAll(/[^ -~]+/g, '')}`
        : type;
    });
  }

  const REFUSED = expect.stringMatching(/^E 42501 .*row \d+ of its COPY data is a masked value/);
  const GOES_ON = ['T', 'D 42', 'C SELECT 1', 'Z'];

  it.each([1_000_000, 3])(
    'refuses text, CSV and binary, and stores nothing: pieces of %i bytes',
    async (pieces) => {
      for (const [text, data] of [
        ['copy notes from stdin', `1\ta\n2\t${mask}\n`],
        ['copy notes (note, id) from stdin', `a\t1\n${mask.replace('_', '\\x5f')}\t2\n`],
        ["copy notes from stdin (format csv, delimiter ';')", `1;a\n2;"${mask}"\n`],
        ['copy notes from stdin csv', `1,a\n2,${mask}`],
        ['copy notes from stdin (format binary)', binary([Buffer.from([0, 0, 0, 1]), Buffer.from(mask)])],
      ] as const) {
        expect(await answers([query(text), copyData(data), COPY_DONE], 1, pieces)).toEqual([
          'G',
          REFUSED,
          'Z',
          ...GOES_ON,
        ]);
      }
      expect(await rowsOf(direct, 'notes')).toBe(0);
    },
  );

  it('refuses in the extended protocol, and reads over what follows up to Sync', async () => {
    const frames = [
      run('copy notes from stdin'),
      copyData(`1\t${mask}\n`),
      copyData('2\tb\n'),
      COPY_DONE,
      SYNC,
    ];
    expect(await answers(frames)).toEqual(['1', '2', 'n', 'G', REFUSED, 'Z', ...GOES_ON]);
    expect(await rowsOf(direct, 'notes')).toBe(0);
  });

  it('undoes what came before in the transaction, and of a text', async () => {
    const data = [copyData('1\ta\n'), COPY_DONE, copyData(`2\t${mask}\n`), COPY_DONE];
    const text = 'copy notes from stdin; copy notes from stdin';
    const told = await answers([query(text), ...data]);
    // A text that is counted is answered when all of it is known.
    expect(told.filter((one) => one !== 'G')).toEqual(['C COPY 1', REFUSED, 'Z', ...GOES_ON]);
    const client = await login();
    for (const [sql, ...sent] of [
      ['begin'],
      ['copy notes from stdin', copyData('1\ta\n'), COPY_DONE],
      ['copy notes from stdin', copyData(`2\t${mask}\n`), COPY_DONE],
      ['commit'],
    ] as const) {
      client.send(Buffer.concat([query(sql), ...sent]));
      await client.wait('Z', 1);
    }
    const tags = client.frames.filter(({ type }) => type === 'C').map(({ body }) => body.toString());
    await over(client);
    expect(tags).toEqual(['BEGIN\0', 'COPY 1\0', 'ROLLBACK\0']);
    expect(await rowsOf(direct, 'notes')).toBe(0);
  });

  it('refuses in the middle of a frame that the target has a part of', async () => {
    const filler = 'x'.repeat(300_000);
    const data = `1\t${filler}\n2\t${mask}\n${`3\t${filler}\n`.repeat(8)}`;
    for (const pieces of [1_000_000, 70_001]) {
      const frames = [query('copy notes from stdin'), copyData(data), copyData('4\tb\n'), COPY_DONE];
      expect(await answers(frames, 1, pieces)).toEqual(['G', REFUSED, 'Z', ...GOES_ON]);
    }
    expect(await rowsOf(direct, 'notes')).toBe(0);
  });

  it('refuses what is counted, and a COPY that its client gives up says what it says', async () => {
    const frames = [query('copy counted from stdin'), copyData(`1\t${mask}\n`), COPY_DONE];
    expect(await answers(frames)).toEqual(['G', REFUSED, 'Z', ...GOES_ON]);
    const given = [query('copy counted from stdin'), copyData('1\ta\n'), copyFail('no more')];
    expect(await answers(given)).toEqual(['G', expect.stringMatching(/^E 57014 /), 'Z', ...GOES_ON]);
    const kept = [query('copy counted from stdin'), copyData('1\ta\n2\tb\n'), COPY_DONE];
    expect(await answers(kept)).toEqual(['G', 'C COPY 2', 'Z', ...GOES_ON]);
    expect(await rowsOf(direct, 'counted')).toBe(2);
  });

  it('stores what has no mask in it, byte for byte', async () => {
    const data = '1\ta\\tb\\\\ tok_ \\x41\n2\t\\N\n';
    expect(await answers([query('copy notes from stdin'), copyData(data), COPY_DONE])).toEqual([
      'G',
      'C COPY 2',
      'Z',
      ...GOES_ON,
    ]);
    const { rows } = await direct.query<{ note: string | null }>('select note from notes order by id');
    expect(rows.map(({ note }) => note)).toEqual(['a\tb\\ tok_ A', null]);
    await direct.query('delete from notes');
  });

  it('is refused before it begins where nobody could read its data', async () => {
    const text = "copy notes from stdin (encoding 'SJIS')";
    expect(await answers([query(text)])).toEqual([
      expect.stringMatching(/^E 42501 .*looked through/),
      'Z',
      ...GOES_ON,
    ]);
  });

  it('says in the outcome how it ended, and holds no value', async () => {
    await answers([query('copy notes from stdin'), copyData(`1\t${mask}\n`), COPY_DONE]);
    const said = (await harness.finishedLog())
      .map(({ body }) => body)
      .filter((body) => body['sqlstate'] === '42501');
    expect(said.length).toBeGreaterThan(0);
    expect(JSON.stringify(said)).toContain('of its COPY data is a masked value');
    expect(JSON.stringify(said)).not.toContain(mask);
  });
});

function* cut(bytes: Buffer, length: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

function field(body: Buffer, code: string): string {
  return (
    body
      .toString('utf8')
      .split('\0')
      .find((one) => one.startsWith(code))
      ?.slice(1) ?? ''
  );
}

function number(value: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  bytes.writeIntBE(value, 0, length);
  return bytes;
}

function binary(row: readonly Buffer[]): Buffer {
  return Buffer.concat([
    Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1'),
    number(row.length, 2),
    ...row.flatMap((value) => [number(value.length, 4), value]),
    number(-1, 2),
  ]);
}

async function over(client: WireClient): Promise<void> {
  client.send(TERMINATE);
  client.endWriting();
  await client.waitClosed();
}
