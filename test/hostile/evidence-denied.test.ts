/**
 * A user cannot spoil the evidence: whatever texts, names and values a session has, and whatever the
 * ledger refuses of it, a package of the period is verified, and an answer of the API is bounded.
 */

import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bind, execute, frame, parse, query, rawSession, SYNC } from '../e2e/raw-session.ts';
import { type Harness, type LoggedEvent, startHarness } from '../e2e/harness.ts';

const PROGRAM = join(import.meta.dirname, '../../packages/verify/bin/countersign-verify.js');
const ZERO = Buffer.of(0);
/** What a body may hold of one Operation, and what makes six bytes of each in JSON. */
const INLINE_BYTES_MAX = 524_288;

interface Page {
  readonly statements: readonly { readonly status: string; readonly intent?: { readonly sql: string } }[];
  readonly next?: number;
}

let harness: Harness;

beforeAll(async () => {
  harness = await startHarness({ postgres: { settings: { fsync: 'off' } } });
  await harness.apply('kind: Person\nname: root\ndisplayName: Root\ngroups: [administrators]\n');
});
afterAll(() => harness[Symbol.asyncDispose]());

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

/** A Bind with text values. */
function bindValues(portal: string, statement: string, values: readonly (Uint8Array | null)[]): Buffer {
  const fields = values.map((value) => {
    const length = Buffer.alloc(4);
    length.writeInt32BE(value?.length ?? -1);
    return Buffer.concat([length, value ?? Buffer.alloc(0)]);
  });
  return frame(
    'B',
    Buffer.from(portal),
    ZERO,
    Buffer.from(statement),
    ZERO,
    int16(0),
    int16(values.length),
    ...fields,
    int16(0),
  );
}

function queryBytes(...bytes: readonly Uint8Array[]): Buffer {
  return frame('Q', ...bytes, ZERO);
}

async function verified(): Promise<{ readonly status: number | null; readonly output: string }> {
  const { host, port } = harness.gateway.api;
  const answer = await fetch(`http://${host}:${port}/v1/evidence/export`, {
    method: 'POST',
    headers: { authorization: `Bearer ${await harness.token('root')}`, 'content-type': 'application/json' },
    body: JSON.stringify({ from: '2020-01-01T00:00:00Z', to: '2100-01-01T00:00:00Z', reason: 'audit' }),
  });
  if (answer.status !== 200) throw new Error(await answer.text());
  const zip = join(harness.data, 'package.zip');
  await writeFile(zip, new Uint8Array(await answer.arrayBuffer()));
  const args = ['--conditions=source', PROGRAM, '--vkey', harness.gateway.rooms.ledger.verifierKey, zip];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  return { status, output: stdout + stderr };
}

function sessionEvents(log: readonly LoggedEvent[], type: string): LoggedEvent[] {
  return log.filter(({ leaf }) => leaf.type === type);
}

describe('a package', () => {
  it('is verified although the ledger refused one statement of a pipeline', async () => {
    const session = await rawSession(harness, await harness.token('ana'));
    const values = Array.from({ length: 15_000 }, () => Buffer.alloc(64, 1));
    const text = `select 1 /*${'\u0001'.repeat(INLINE_BYTES_MAX - 13)}*/`;
    await session.send(
      [
        parse('big', text),
        bindValues('big', 'big', values),
        parse('', 'select 42'),
        bind('', ''),
        execute(),
        execute('big'),
        SYNC,
      ],
      1,
    );
    expect(session.answers().at(-1)).toMatch(/ledger\.bodyBytesMax/);
    const log = await harness.finishedLog();
    const [end] = sessionEvents(log, 'session.end');
    const intents = sessionEvents(log, 'statement.intent');
    const outcomes = sessionEvents(log, 'statement.outcome');
    expect(end?.body['statements']).toBe(intents.length);
    expect(outcomes.map(({ leaf }) => leaf.ref)).toEqual(intents.map(({ leaf }) => leaf.n));
    const { status, output } = await verified();
    expect(output).toMatch(/verified/i);
    expect(status).toBe(0);
  });

  it('is verified whatever texts, names and values a session has', async () => {
    const session = await rawSession(harness, await harness.token('ana'));
    const odd = [
      Buffer.from("select '\u2028\u2029\ufeff\uffff\u{10ffff}\u0001\u001f\u007f\u0085\\u0000'", 'utf8'),
      Buffer.from('\ufeffselect 1', 'utf8'),
      // A surrogate in UTF-8, an overlong NUL, a byte that no text has, and a cut character.
      Buffer.from("select '\xed\xa0\x80'", 'latin1'),
      Buffer.from("select '\xc0\x80'", 'latin1'),
      Buffer.from("select '\xff\xfe'", 'latin1'),
      Buffer.from("select '\xf0\x9f\x98'", 'latin1'),
      Buffer.from('select 1 as "__proto__", 2 as "constructor", -0 as "toString", 1e400::numeric'),
      Buffer.from("set client_encoding = 'LATIN1'"),
      Buffer.from('select \'\xe9\x81\' as "\xfc"', 'latin1'),
      Buffer.from('select "\xfc\xfd"', 'latin1'),
      Buffer.from("set client_encoding = 'SJIS'"),
      Buffer.from("select '\x83\x5c'", 'latin1'),
      Buffer.from("do $$ begin raise exception '%', repeat(chr(128512), 3000); end $$"),
      Buffer.from("set client_encoding = 'UTF8'"),
      Buffer.from("do $$ begin raise exception '%', repeat(chr(128512), 3000); end $$"),
      Buffer.from(`select 1 /*${'\u0001'.repeat(INLINE_BYTES_MAX - 13)}*/`),
      Buffer.from(`select 1 /*${'\u2028'.repeat(INLINE_BYTES_MAX / 3)}*/`),
    ];
    await session.send(
      odd.map((text) => queryBytes(text)),
      odd.length,
    );
    const names = ['__proto__', 'constructor', 'a\u2028b', '\ud83d\ude00'];
    for (const [index, name] of names.entries()) {
      // oxlint-disable-next-line no-await-in-loop -- One behind the other, as a client would.
      await session.send(
        [
          parse(name, 'select $1::text, $2::text'),
          bindValues(name, name, [Buffer.from('__proto__'), null]),
          execute(name),
          parse(Buffer.from([0xff, 0xfe]), 'select $1::text'),
          bindValues('', '', [Buffer.from([0xed, 0xa0, 0x80])]),
          execute(),
          SYNC,
        ],
        odd.length + index + 1,
      );
    }
    await session.send([query('select 1')], odd.length + names.length + 1);
    expect(session.over).toBe(false);
    await session.close();
    await harness.finishedLog();
    const { status, output } = await verified();
    expect(output).toMatch(/verified/i);
    expect(status).toBe(0);
  });
});

describe('an answer about a session', () => {
  it('has as many statements as fit, however large each of them is, and says where to go on', async () => {
    const token = await harness.token('ana');
    const session = await rawSession(harness, token);
    const texts = Array.from(
      { length: 9 },
      (_, i) => `select ${i} /*${'\u0001'.repeat(INLINE_BYTES_MAX - 20)}*/`,
    );
    await session.send(texts.map(query), texts.length);
    await session.close();
    const log = await harness.finishedLog();
    const id = sessionEvents(log, 'session.end').at(-1)?.leaf.session ?? '';
    const { host, port } = harness.gateway.api;
    const pages: number[] = [];
    const shown: unknown[] = [];
    for (let from: string | undefined = '0'; from !== undefined; ) {
      const url: string = `http://${host}:${port}/v1/sessions/${id}?limit=1000&reason=test&from=${from}`;
      // oxlint-disable-next-line no-await-in-loop -- One page behind the other.
      const answer = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
      // oxlint-disable-next-line no-await-in-loop -- The same.
      const page = (await answer.json()) as Page;
      pages.push(page.statements.length);
      shown.push(...page.statements.map(({ intent, status }) => `${status} ${intent?.sql.slice(0, 9)}`));
      from = page.next === undefined ? undefined : String(page.next);
    }
    expect(shown).toEqual(texts.map((text) => `ok ${text.slice(0, 9)}`));
    expect(pages).toEqual([6, 3]);
  });
});
