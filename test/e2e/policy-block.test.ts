/** Dangerous statements never reach the target, by any path that a client has; and it says why. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text as textOf } from 'node:stream/consumers';
import { Client, type DatabaseError } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeFrontend } from '../../packages/gateway/src/protocols/postgres/encode.ts';
import type { FrontendMessage } from '../../packages/gateway/src/protocols/postgres/messages.ts';
import { type Harness, startHarness } from './harness.ts';
import { rawSession } from './raw-session.ts';

let harness: Harness;
let token: string;

const RULES = `
kind: Access
name: search-team
who: [group:search]
to: [db]
may: [read, write, export, define, maintain, grant, code, call, sleep, setting-risky, two-phase]
---
kind: Rule
name: nothing-is-destroyed
description: ask the owners of the data
on: [db]
when: { effects: [drop, truncate, delete-unqualified] }
then: block
---
kind: Rule
name: log-is-append-only
when: { writes: [log], effects: [update, delete] }
then: block
---
kind: Rule
name: bulk
when: { writes: [scores], rows: '>= 100' }
then: block
`;

beforeAll(async () => {
  harness = await startHarness();
  token = await harness.token('ana');
  const direct = await directly();
  await direct.query(`
    create table victim(id int primary key, note text);
    insert into victim select g, 'n' from generate_series(1, 500) g;
    create table scores(id int primary key, score int);
    insert into scores select g, 0 from generate_series(1, 500) g;
    create table log(id int, what text);
    insert into log values (1, 'a');
    create table trap(id int);
    create function spring() returns trigger language plpgsql as
      $$begin update scores set score = score + 1; return new; end$$;
    create trigger spring after insert on trap for each row execute function spring();
    create table parts(id int) partition by range (id);
    create table parts_1 partition of parts for values from (0) to (1000);
  `);
  await direct.end();
  await harness.apply(RULES);
}, 60_000);

afterAll(() => harness?.[Symbol.asyncDispose]());

async function directly(): Promise<Client> {
  const { host, port, password } = harness.server;
  const client = new Client({ host, port, user: 'postgres', password, database: 'postgres' });
  await client.connect();
  return client;
}

async function connect(): Promise<Client> {
  const { host, port } = harness.gateway.postgres;
  const client = new Client({ host, port, user: 'ana', password: token, database: 'db' });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** A Parse under a name that was another's. */
function parsed(name: string, text: string): FrontendMessage[] {
  return [
    { kind: 'Close', target: 'S', name },
    { kind: 'Parse', statement: name, textBytes: Buffer.from(text), parameterTypeOids: [] },
    { kind: 'Sync' },
  ];
}

function simpleQuery(text: string): Uint8Array {
  return encodeFrontend({ kind: 'Query', textBytes: Buffer.from(text) });
}

/** A real psql; the gateway is in this process, which must not stand still meanwhile. */
async function psql(
  command: string,
  input = '',
): Promise<{ stdout: string; stderr: string; status: unknown }> {
  const { host, port } = harness.gateway.postgres;
  const env = {
    ...process.env,
    PGHOST: host,
    PGPORT: String(port),
    PGUSER: 'ana',
    PGPASSWORD: token,
    PGDATABASE: 'db',
  };
  const child = spawn('psql', ['-X', '-c', command], { env });
  const closed = once(child, 'close');
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const [stdout, stderr] = await Promise.all([textOf(child.stdout), textOf(child.stderr)]);
  const [status] = await closed;
  return { stdout, stderr, status };
}

function statement(text: string): FrontendMessage[] {
  return [
    { kind: 'Parse', statement: '', textBytes: Buffer.from(text), parameterTypeOids: [] },
    { kind: 'Bind', portal: '', statement: '', valueFormats: [], values: [], resultFormats: [] },
    { kind: 'Execute', portal: '', rowsMax: 0 },
  ];
}

function lines(from: number, to: number): string {
  return Array.from({ length: to - from }, (_, at) => `${from + at}\t9\n`).join('');
}

async function count(table: string): Promise<number> {
  const direct = await directly();
  const { rows } = await direct.query<{ n: string }>(`select count(*) n from ${table}`);
  await direct.end();
  return Number(rows[0]?.n);
}

async function refused(client: Client, text: string, values?: readonly unknown[]): Promise<DatabaseError> {
  const query = values === undefined ? client.query(text) : client.query(text, [...values]);
  return query.then(
    () => {
      throw new Error(`it ran: ${text}`);
    },
    (error: DatabaseError) => error,
  );
}

describe('a statement that a rule blocks', () => {
  it.each([
    'drop table victim',
    'DROP /* really */ TABLE IF EXISTS "victim" CASCADE',
    'truncate victim',
    'delete from victim',
    'delete from victim where 1 = 1',
    'select 1; drop table victim',
    'begin; delete from victim; commit',
    'explain analyze delete from victim',
    'with gone as (delete from victim returning *) select count(*) from gone',
    'prepare p as delete from victim',
  ])('is refused as a simple query: %s', async (text) => {
    const client = await connect();
    const error = await refused(client, text);
    expect(error.code).toBe('42501');
    expect(error.message).toMatch(
      /^Blocked by rule "nothing-is-destroyed" \(version 1\): .* \(ask the owners of the data\)\.$/,
    );
    expect(error.hint).toMatch(/target has not seen/);
    await client.query('rollback');
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    await client.end();
    expect(await count('victim')).toBe(500);
  });

  it.each([
    ['delete from victim where $1', [true]],
    ['truncate victim', []],
  ])('is refused in the extended protocol: %s', async (text, values) => {
    const client = await connect();
    expect((await refused(client, text, values)).code).toBe('42501');
    expect((await client.query('select $1::int as one', [1])).rows).toEqual([{ one: 1 }]);
    await client.end();
    expect(await count('victim')).toBe(500);
  });

  it('makes the transaction fail, as an error of the target does', async () => {
    const client = await connect();
    await client.query('begin');
    await client.query(`insert into victim values (1001, 'x')`);
    expect((await refused(client, 'drop table victim')).code).toBe('42501');
    expect((await refused(client, 'select 1')).code).toBe('25P02');
    await client.query('commit');
    await client.end();
    expect(await count('victim')).toBe(500);
  });

  it('undoes what stands before it in its pipeline, and skips what stands behind it', async () => {
    const session = await rawSession(harness, token);
    const messages: readonly FrontendMessage[] = [
      ...statement(`insert into victim values (2001, 'x')`),
      ...statement('drop table victim'),
      ...statement(`insert into victim values (2002, 'y')`),
      { kind: 'Sync' },
      ...statement(`select 'after'`),
      { kind: 'Sync' },
    ];
    await session.send(messages.map(encodeFrontend), 2);
    const answers = session.answers();
    expect(answers.filter((answer) => answer.includes('42501'))).toHaveLength(1);
    expect(answers.some((answer) => answer.includes('after'))).toBe(true);
    await session.close();
    expect(await count('victim')).toBe(500);
  });

  it('points to the token in psql', async () => {
    const { stderr, status } = await psql('select 1; drop table victim');
    expect(stderr).toMatch(/ERROR: {2}Blocked by rule "nothing-is-destroyed"/);
    expect(stderr).toMatch(/LINE 1: select 1; drop table victim\n +\^/);
    expect(status).not.toBe(0);
  });

  it('is in the log with its rule and its outcome, and its text', async () => {
    const client = await connect();
    await refused(client, 'drop table victim -- logged');
    await client.end();
    const log = await harness.finishedLog();
    const intent = log.find(({ body }) => body['sql'] === 'drop table victim -- logged');
    expect(intent?.leaf).toMatchObject({ type: 'statement.intent', decision: 'block' });
    expect(intent?.body).toMatchObject({
      effects: ['drop'],
      rules: [{ rule: 'nothing-is-destroyed', version: 1, verdict: 'block' }],
    });
    const outcome = log.find(({ leaf }) => leaf.ref === intent?.leaf.n && leaf.type === 'statement.outcome');
    expect(outcome?.leaf.status).toBe('blocked');
    expect(outcome?.body).toMatchObject({ sqlstate: '42501' });
  });
});

describe('a name that SQL has prepared, and a Parse prepares anew', () => {
  const long = 'n'.repeat(63);

  it.each<readonly [string, string, string, readonly FrontendMessage[]]>([
    ['plainly', 's', 's', parsed('s', 'delete from victim')],
    [
      'with a text that lies in the spool',
      's',
      's',
      parsed('s', `delete from victim -- ${'x'.repeat(1_100_000)}`),
    ],
    ['with a name that the server cuts', long, long, parsed(`${long}more`, 'delete from victim')],
    ['with a name that is not ASCII', 'é', 'é', parsed('é', 'delete from victim')],
  ])('is run by EXECUTE as what it is now: %s', async (_, prepared, executed, messages) => {
    const before = await count('victim');
    const session = await rawSession(harness, token);
    await session.send([simpleQuery(`prepare "${prepared}" as select 1`)], 1);
    await session.send([simpleQuery(`execute "${executed}"`)], 2);
    await session.send(messages.map(encodeFrontend), 3);
    await session.send([simpleQuery(`execute "${executed}"`)], 4);
    const answers = session.answers();
    await session.close();
    expect(await count('victim')).toBe(before);
    expect(answers.at(0)).toBe('1');
    expect(answers.at(-1)).toMatch(/42501/);
  });
});

describe('what the parser and the server could read differently', () => {
  it('is refused where standard_conforming_strings was switched off', async () => {
    const client = await connect();
    await client.query('set standard_conforming_strings = off');
    const error = await refused(client, `select 'a\\'' ; drop table victim; --'`);
    expect(error.code).toBe('42501');
    expect(error.message).toMatch(/standard_conforming_strings/);
    await client.query('set standard_conforming_strings = on');
    expect((await client.query(`select 'a\\b' as x`)).rows).toEqual([{ x: 'a\\b' }]);
    await client.end();
    expect(await count('victim')).toBe(500);
  });

  it('is refused in a pipeline that switches it off on its way', async () => {
    const session = await rawSession(harness, token);
    const messages = [
      ...statement(`select set_config('standard_conforming_strings', 'off', false)`),
      ...statement(`select 'a\\', 'b'`),
      { kind: 'Sync' } as const,
    ];
    await session.send(messages.map(encodeFrontend), 1);
    expect(session.answers().at(-1)).toMatch(/42501|no Sync/);
    await session.close();
  });

  it('is refused in a multi-byte encoding whose bytes look like ASCII', async () => {
    const client = await connect();
    await client.query(`set client_encoding = 'SJIS'`);
    const session = await rawSession(harness, token);
    await session.send(
      [encodeFrontend({ kind: 'Query', textBytes: Buffer.from(`set client_encoding = 'SJIS'`) })],
      1,
    );
    const bytes = Buffer.concat([
      Buffer.from(`select E'`),
      Buffer.from([0x95, 0x5c]),
      Buffer.from(`' as x; drop table victim; --'`),
    ]);
    await session.send([encodeFrontend({ kind: 'Query', textBytes: bytes })], 2);
    expect(session.answers().at(-1)).toMatch(/42501/);
    await session.close();
    await client.end();
    expect(await count('victim')).toBe(500);
  });

  it('gets PostgreSQL’s own words where it is no SQL', async () => {
    const client = await connect();
    const direct = await directly();
    const through = await refused(client, 'selct 1');
    const there = await refused(direct, 'selct 1');
    expect([through.code, through.message, through.position]).toEqual([
      there.code,
      there.message,
      there.position,
    ]);
    await client.end();
    await direct.end();
  });
});

describe('rows that are counted before COMMIT', () => {
  it('lets through what is within the bound, and keeps it', async () => {
    const client = await connect();
    const { rowCount } = await client.query('update scores set score = 7 where id <= 99');
    expect(rowCount).toBe(99);
    expect((await client.query('update scores set score = $1 where id <= 50', [8])).rowCount).toBe(50);
    await client.end();
    expect(await count('scores where score in (7, 8)')).toBe(99);
  });

  it.each([
    ['update scores set score = 9', undefined],
    ['update scores set score = $1', [9]],
    ['insert into scores select g, 9 from generate_series(1001, 1100) g', undefined],
    ['insert into trap values (1)', undefined],
    ['insert into trap values ($1)', [1]],
    [`do $$begin update scores set score = 9; end$$`, undefined],
    ['with u as (update scores set score = 9 returning 1) select count(*) from u', undefined],
    [
      'merge into scores s using generate_series(1, 200) g on s.id = g when matched then update set score = 9',
      undefined,
    ],
    ['update scores set score = 9 returning id', undefined],
  ])('undoes what is over it: %s', async (text, values) => {
    const client = await connect();
    const error = await refused(client, text, values);
    expect(error.message).toMatch(/Blocked by rule "bulk".*rows are written/);
    expect(error.hint).toMatch(/has run it and rolled it back/);
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    await client.end();
    expect(await count('scores where score = 9')).toBe(0);
    expect(await count('trap')).toBe(0);
  });

  it('adds up what a transaction has written', async () => {
    const client = await connect();
    await client.query('begin');
    await client.query('update scores set score = 9 where id <= 60');
    const error = await refused(client, 'update scores set score = 9 where id between 61 and 120');
    expect(error.message).toMatch(/120 rows/);
    expect((await refused(client, 'select 1')).code).toBe('25P02');
    await client.query('commit');
    await client.end();
    expect(await count('scores where score = 9')).toBe(0);
  });

  it('gives the error of a statement that fails by itself', async () => {
    const client = await connect();
    expect((await refused(client, 'insert into scores values (1, 1)')).code).toBe('23505');
    expect((await refused(client, 'insert into scores values ($1, 1)', [1])).code).toBe('23505');
    expect((await client.query('insert into scores values (5000, 1)')).rowCount).toBe(1);
    expect((await client.query('delete from scores where id = $1', [5000])).rowCount).toBe(1);
    await client.end();
  });

  it('counts COPY', async () => {
    expect(await psql('copy scores from stdin', lines(9_000, 9_010))).toMatchObject({
      stdout: 'COPY 10\n',
      status: 0,
    });
    const many = await psql('copy scores from stdin', lines(10_000, 10_200));
    expect(many.stderr).toMatch(/Blocked by rule "bulk".*200 rows/);
    expect(await count('scores where id >= 9000')).toBe(10);
    await psql('delete from scores where id >= 9000');
  });

  it.each([
    `do $$begin execute 'dr' || 'op table victim'; end$$`,
    `do $$begin execute 'trun' || 'cate victim'; end$$`,
  ])('sees what code has destroyed: %s', async (text) => {
    const client = await connect();
    expect((await refused(client, text)).message).toMatch(/nothing-is-destroyed.*definitions/);
    await client.end();
    expect(await count('victim')).toBe(500);
  });

  it('lets no procedure COMMIT before its rows are counted, in a pipeline either', async () => {
    const direct = await directly();
    await direct.query(`create procedure sweep() language plpgsql as
      $$begin update scores set score = 9; commit; end$$`);
    await direct.end();
    await harness.apply(`
kind: Rule
name: sweep-may-run
when: { functions: [sweep] }
then: allow
`);
    const client = await connect();
    const extended = { text: 'call sweep()', queryMode: 'extended' };
    const error = await client.query(extended).catch((thrown: DatabaseError) => thrown);
    expect(error).toMatchObject({ code: '2D000' });
    expect((await refused(client, 'call sweep()')).code).toBe('2D000');
    await client.end();
    expect(await count('scores where score = 9')).toBe(0);
  });

  it('sees a write to an append-only table through a function', async () => {
    const direct = await directly();
    await direct.query(`create function tidy() returns void language sql as $$ delete from log $$`);
    await direct.end();
    await harness.apply(`
kind: Rule
name: tidy-may-run
when: { functions: [tidy] }
then: allow
`);
    const client = await connect();
    const error = await refused(client, 'select tidy()');
    expect(error.message).toMatch(/log-is-append-only/);
    await client.end();
    expect(await count('log')).toBe(1);
  });
});

describe('rules that change', () => {
  it('hold for the next statement of a session that is open', async () => {
    const client = await connect();
    await client.query('create table short_lived(a int)');
    await client.query('insert into short_lived values (1)');
    await harness.apply(`
kind: Rule
name: no-updates-now
when: { effects: [update] }
then: block
`);
    expect((await refused(client, 'update short_lived set a = 2')).message).toMatch(/no-updates-now/);
    const { rooms } = harness.gateway;
    await rooms.resources.delete('Rule', 'no-updates-now', {
      name: 'test',
      kind: 'system',
      keyId: rooms.bootId,
    });
    expect((await client.query('update short_lived set a = 2')).rowCount).toBe(1);
    await client.end();
  });

  it('leave a statement that was prepared before them decided on when it runs', async () => {
    const client = await connect();
    const query = { name: 'kept', text: 'update short_lived set a = $1', values: [3] };
    expect((await client.query(query)).rowCount).toBe(1);
    await harness.apply(`
kind: Rule
name: no-updates-now
when: { effects: [update] }
then: block
`);
    const error = await client.query(query).catch((thrown: DatabaseError) => thrown);
    expect(error).toMatchObject({ code: '42501' });
    await client.end();
  });
});
