/**
 * Settings of a start-up packet under which the server would cut a text into other tokens than the gateway: what
 * they would hide is refused, and the server never sees it.
 */

import type { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BareClient, fieldsOf, type Frame, type ScramChoice, startupMessage } from './bare-client.ts';
import { ANYTHING, directly, rowsOf, serverVersions } from './clients.ts';
import { type Harness, startHarness } from './harness.ts';
import { bind, execute, frame, SYNC } from './raw-session.ts';

const RULES = `${ANYTHING}---
kind: Rule
name: nothing-is-destroyed
when: { effects: [drop, truncate, delete] }
then: block
`;

type Pair = readonly [name: string, value: string];

/** A literal that ends elsewhere where a backslash escapes, and what is then behind it. */
function backslash(hidden: string): Buffer {
  return Buffer.from(`select 'a\\''${hidden} --'`);
}

/** A character of two bytes whose second is a backslash, then the quote that ends the literal. */
function multibyte(...character: readonly number[]): (hidden: string) => Buffer {
  return (hidden) =>
    Buffer.concat([Buffer.from(`select E'`), Buffer.of(...character), Buffer.from(`'${hidden} --'`)]);
}

const ATTACKS: readonly (readonly [string, readonly Pair[], (hidden: string) => Buffer])[] = [
  ['options -c', [['options', '-c standard_conforming_strings=off']], backslash],
  ['options --name', [['options', '--standard-conforming-strings=off']], backslash],
  ['options with escapes', [['options', String.raw`-c standard_conforming_strings=\off`]], backslash],
  [
    'options among others',
    [['options', '-c geqo=off -cstandard_conforming_strings=0 -c work_mem=77kB']],
    backslash,
  ],
  ['a parameter of its own', [['standard_conforming_strings', 'off']], backslash],
  ['one in other letters', [['Standard_Conforming_Strings', 'OFF']], backslash],
  [
    'the last of several',
    [
      ['options', '-c standard_conforming_strings=on'],
      ['standard_conforming_strings', 'no'],
    ],
    backslash,
  ],
  ['SJIS', [['client_encoding', 'SJIS']], multibyte(0x95, 0x5c)],
  ['SJIS among options', [['options', '-c client_encoding=sjis']], multibyte(0x95, 0x5c)],
  ['Shift_JIS_2004', [['client_encoding', 'SHIFT_JIS_2004']], multibyte(0x95, 0x5c)],
  ['GBK', [['client_encoding', 'gbk']], multibyte(0x81, 0x5c)],
  ['BIG5', [['client_encoding', 'Big5']], multibyte(0xa5, 0x5c)],
  ['GB18030', [['client_encoding', 'GB18030']], multibyte(0x81, 0x5c)],
];

function errorOf(frames: readonly Frame[]): Readonly<Record<string, string>> {
  const found = frames.find(({ type }) => type === 'E');
  return found === undefined ? {} : fieldsOf(found);
}

function queryOf(text: Uint8Array): Buffer {
  return frame('Q', text, Buffer.of(0));
}

let harness: Harness;
let direct: Client;
let scram: ScramChoice;

/** Everything that is said from the login to the ReadyForQuery of these messages. */
async function answers(parameters: readonly Pair[], messages: readonly Buffer[]): Promise<readonly Frame[]> {
  const client = await BareClient.open(harness.gateway.postgres.port);
  client.send(startupMessage(0x30000, [['user', 'ana'], ['database', 'db'], ...parameters]));
  const login = await client.login(scram);
  expect(login.at(-1)?.type).toBe('Z');
  client.send(Buffer.concat(messages));
  const frames = await client.login();
  client.destroy();
  return frames;
}

describe.each(serverVersions())('PostgreSQL $major', ({ version, major, isPresent }) => {
  if (!isPresent) return;
  // Of the oldest server some: options, a parameter and an encoding.
  const attacks = major === 18 ? ATTACKS : ATTACKS.filter((_, index) => index % 5 === 0);

  beforeAll(async () => {
    harness = await startHarness({ postgres: { version, settings: { fsync: 'off' } } });
    direct = await directly(harness);
    await direct.query('create table victim as select g id from generate_series(1, 5) g');
    await direct.query(
      `create function emptied() returns int language plpgsql as
        $$ begin raise notice 'emptied'; delete from victim; return 1; end $$`,
    );
    const password = await harness.token('ana');
    scram = { mechanism: 'SCRAM-SHA-256', channelBinding: { kind: 'none' }, password };
    await harness.apply(RULES);
  }, 60_000);

  afterAll(async () => {
    await direct?.end();
    await harness?.[Symbol.asyncDispose]();
  });

  describe('what start-up options would hide is refused', () => {
    it.each(attacks)('%s', async (_, parameters, textWith) => {
      const query = errorOf(await answers(parameters, [queryOf(textWith('; drop table victim;'))]));
      expect(query).toMatchObject({ C: '42501' });
      const zero = Buffer.of(0);
      const parsed = frame('P', zero, textWith(', emptied()'), zero, Buffer.alloc(2));
      const extended = errorOf(await answers(parameters, [parsed, bind('', ''), execute(), SYNC]));
      expect(extended).toMatchObject({ C: '42501' });
      expect(await rowsOf(direct, 'victim')).toBe(5);
    });

    it.each(attacks)('%s, and the server alone would have run it', async (_, parameters, textWith) => {
      for (const hidden of ['; drop table victim;', ', emptied();']) {
        const client = await BareClient.open(harness.server.port);
        client.send(startupMessage(0x30000, [['user', 'postgres'], ['database', 'postgres'], ...parameters]));
        await client.login({ ...scram, password: harness.server.password });
        // Nothing commits it.
        client.send(queryOf(Buffer.from('begin')));
        await client.login();
        client.send(queryOf(textWith(hidden)));
        const frames = await client.login();
        client.destroy();
        expect(errorOf(frames)).toEqual({});
        const tags = frames.filter(({ type }) => type === 'C').map(({ body }) => body.toString('latin1'));
        const notices = frames.filter(({ type }) => type === 'N').map((notice) => fieldsOf(notice)['M']);
        expect(hidden.startsWith(';') ? tags : notices).toContain(
          hidden.startsWith(';') ? 'DROP TABLE\0' : 'emptied',
        );
      }
      expect(await rowsOf(direct, 'victim')).toBe(5);
    });
  });

  it('lets through what they cannot change, and what is said behind a setting back', async () => {
    const off: readonly Pair[] = [['options', '-c standard_conforming_strings=off']];
    const plain = await answers(off, [queryOf(Buffer.from("select 'a' as x"))]);
    expect(plain.map(({ type }) => type).join('')).toBe('TDCZ');
    const client = await BareClient.open(harness.gateway.postgres.port);
    client.send(startupMessage(0x30000, [['user', 'ana'], ['database', 'db'], ...off]));
    await client.login(scram);
    client.send(queryOf(Buffer.from('set standard_conforming_strings = on')));
    await client.login();
    client.send(queryOf(Buffer.from(String.raw`select 'a\b' as x`)));
    const frames = await client.login();
    client.destroy();
    expect(frames.map(({ type }) => type).join('')).toBe('TDCZ');
  });
});
