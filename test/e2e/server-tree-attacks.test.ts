/** Ways round the server's own tree: what runs without being seen, what is asked and runs, what is taken for an answer. */

import type { Client } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { bind, execute, FLUSH, parse, query, SYNC } from '../differential/frames.ts';
import { WireClient } from '../differential/wire-client.ts';
import { directly, serverVersions, through } from './clients.ts';
import { type Harness, startHarness } from './harness.ts';
import { HIDING_SCHEMA, victims } from './server-tree-schema.ts';

/** Their tree has more than twice as many bytes as are read. */
const COPIES = 4;

/** Or because the question only reads, and code that writes ran in it. */
const STOPPED = { code: expect.stringMatching(/^(?:42501|25006)$/) };

/** One text each, as a simple Query and, where it is one statement, in the extended protocol. */
const HIDDEN = [
  ['a literal of a type with a domain in it', "select '(1)'::pair"],
  ['a literal of a range of a domain', "select '[1,2]'::checked_range"],
  ['EXPLAIN that hides its ANALYZE', 'explain (U&"\\0061nalyze") insert into ruled values (1)'],
  ['functional notation of a column', 'select plain.purge from plain'],
  [
    'an operator behind a table of the same text',
    "create temp table x (a text); insert into x values ('a'); select a @@@ 'b' from x",
  ],
  ['a view behind a table of the same text', 'create temp table x (a text); select * from purging, x'],
  [
    'a default behind a table of the same text',
    "create temp table x (a integer, b boolean default ('a' @@@ 'b')); insert into x (a) values (1)",
  ],
  ['a cast into a column of the same text', 'create temp table x (a cents); insert into x values (1)'],
  ['a domain of the same text', 'create temp table x (a checked); insert into x values (1)'],
  [
    'functional notation in a table of the same text',
    'create temp table x (a plain); insert into x select p from plain p; select (a).purge from x',
  ],
  ['a name of Unicode escapes', 'create temp table x (a text); select * from U&"\\0070urging", x'],
  ['a search_path of the same text', 'set search_path = evil, public; select * from plain'],
  ["a function of PostgreSQL's name", "set search_path = evil, public, pg_catalog; select lower('X')"],
  [
    'a view that is renamed',
    'create temp table x (a text); alter view if exists evil.plain rename to nice; select * from nice',
  ],
  ['a view of the same text', 'create temp view w as select * from purging; select * from w'],
] as const;

describe.each(serverVersions())('PostgreSQL $major', ({ version, isPresent: present }) => {
  let harness: Harness;
  let direct: Client;
  let token: string;
  const open: Client[] = [];

  beforeAll(async () => {
    if (!present) return;
    harness = await startHarness({ postgres: { version, settings: { fsync: 'off' } } });
    const { host, port, password } = harness.server;
    direct = await directly(harness);
    await direct.query(HIDING_SCHEMA);
    await direct.query(`alter role reader password '${password}'`);
    await harness.apply(`
kind: Connection
name: db
protocol: postgres
target: { host: ${host}, port: ${port}, database: postgres, tls: disable }
credential: { user: reader, password: { env: DB_PASSWORD } }
serverTree: ask
---
kind: Rule
name: no-bulk-delete
when: { effects: [delete], rows: '> 99' }
then: block
---
kind: Rule
name: nothing-of-plain-is-updated
when: { effects: [update] }
then: { hold: { approvers: [group:search] } }
---
kind: Rule
name: no-deletes-of-victims
when: { writes: [victims] }
then: block
`);
    token = await harness.token('ana');
  });

  afterEach(async () => {
    for (const client of open.splice(0)) await client.end();
    if (!present || (await victims(direct)) === 5000) return;
    await direct.query('truncate victims; insert into victims select generate_series(1, 5000)');
  });

  afterAll(async () => {
    await direct?.end();
    await harness?.[Symbol.asyncDispose]();
  });

  async function connected(): Promise<Client> {
    const client = await through(harness, token);
    open.push(client);
    return client;
  }

  function wire(): Promise<WireClient> {
    const { port } = harness.gateway.postgres;
    return WireClient.login({ port, user: 'ana', database: 'db', password: token });
  }

  it.runIf(present).each(HIDDEN)('a simple Query is stopped with %s', async (_, text) => {
    const client = await connected();
    await expect(client.query(text)).rejects.toMatchObject(STOPPED);
    expect(await victims(direct)).toBe(5000);
  });

  it.runIf(present).each(HIDDEN.filter(([, text]) => !text.includes(';')))(
    'a prepared statement is stopped with %s',
    async (_, text) => {
      const client = await connected();
      await expect(client.query({ name: 's', text })).rejects.toMatchObject(STOPPED);
      expect(await victims(direct)).toBe(5000);
    },
  );

  it.runIf(present)('runs nothing for good while it asks', async () => {
    const client = await connected();
    const text = "select '(1)'::pair from purging";
    await expect(client.query(text)).rejects.toMatchObject(STOPPED);
    expect(await victims(direct)).toBe(5000);
    const held = "update plain set label = 'x' where '(1)'::pair is not null";
    await client.query('begin');
    await expect(client.query(held)).rejects.toMatchObject(STOPPED);
    await client.query('commit');
    expect(await victims(direct)).toBe(5000);
  });

  const PREPARED = 'select id from plain';
  const RUN = Buffer.concat([bind('', 's'), execute(), SYNC]);

  async function prepared(): Promise<WireClient> {
    const peer = await wire();
    for (const bytes of [
      Buffer.concat([parse('s', PREPARED), bind('', 's'), execute(), SYNC]),
      query('set search_path = evil, public'),
    ]) {
      peer.send(bytes);
      await peer.wait('Z', 1);
    }
    expect(peer.frames.filter(({ type }) => type === 'E')).toEqual([]);
    return peer;
  }

  /** SQLSTATEs of its errors. */
  async function ran(peer: WireClient): Promise<readonly (string | undefined)[]> {
    const before = peer.frames.length;
    peer.send(RUN);
    await peer.wait('Z', 1);
    peer.endWriting();
    await peer.waitClosed();
    const errors = peer.frames.slice(before).filter(({ type }) => type === 'E');
    return errors.map(({ body }) => /\0C(\w{5})/.exec(body.toString('latin1'))?.[1]);
  }

  it.runIf(present)('does not let the target parse what runs code then', async () => {
    const peer = await wire();
    for (const text of ["select '(1)'::pair", "select '(1)'::quiet_pair"]) {
      peer.send(Buffer.concat([parse('', text), SYNC]));
      await peer.wait('Z', 1);
    }
    expect(peer.frames.filter(({ type }) => type === 'E')).toHaveLength(2);
    expect(await victims(direct)).toBe(5000);
    peer.endWriting();
    await peer.waitClosed();
  });

  it.runIf(present)('knows nothing of what it could not ask in a transaction that has failed', async () => {
    const peer = await prepared();
    for (const bytes of [query('begin'), query('select 1/0'), RUN, query('rollback')]) {
      peer.send(bytes);
      await peer.wait('Z', 1);
    }
    expect(await ran(peer)).toEqual(['42501']);
    expect(await victims(direct)).toBe(5000);
  });

  it.runIf(present)('knows nothing of what it could not ask in a pipeline that has failed', async () => {
    const peer = await prepared();
    peer.send(Buffer.concat([parse('', 'select 1/0'), bind('', ''), execute(), FLUSH]));
    await peer.wait('E', 1);
    peer.send(RUN);
    await peer.wait('Z', 1);
    expect(await ran(peer)).toEqual(['42501']);
    expect(await victims(direct)).toBe(5000);
  });

  it.runIf(present)('knows that a transaction that ends gives names back', async () => {
    const client = await connected();
    await client.query('set search_path = evil, public');
    await client.query('begin');
    await client.query('set local search_path = public');
    await client.query(`prepare p as ${PREPARED}`);
    await expect(client.query('rollback; execute p')).rejects.toMatchObject({ code: '42501' });
    await client.query('rollback');
    await client.query('begin');
    await client.query('set local search_path = public');
    await client.query(PREPARED);
    await expect(client.query(`rollback; ${PREPARED}`)).rejects.toMatchObject({ code: '42501' });
    expect(await victims(direct)).toBe(5000);
  });

  it.runIf(present)('asks again behind a transaction that gave names back', async () => {
    const client = await connected();
    await client.query('set search_path = evil, public');
    await client.query('begin');
    await client.query('set local search_path = public');
    await client.query(PREPARED);
    await client.query('rollback');
    await expect(client.query(PREPARED)).rejects.toMatchObject({ code: '42501' });
    expect(await victims(direct)).toBe(5000);
  });

  it.runIf(present)('sees what EXECUTE computes before it runs', async () => {
    const client = await connected();
    await client.query('prepare p (boolean) as select $1');
    await expect(client.query("execute p ('a' @@@ 'b')")).rejects.toMatchObject({ code: '42501' });
    await expect(client.query("explain execute p ('a' @@@ 'b')")).rejects.toMatchObject({ code: '42501' });
    await expect(client.query('prepare q (cents) as select 1')).rejects.toMatchObject({ code: '42501' });
    await client.query('execute p (1 < 2)');
    expect(await victims(direct)).toBe(5000);
  });

  it.runIf(present)('sees the type of a parameter that nothing uses', async () => {
    const { rows } = await direct.query<{ oid: number }>("select 'pair'::regtype::oid");
    const peer = await wire();
    peer.send(
      Buffer.concat([
        parse('', 'select 1 from plain', [rows[0]?.oid ?? 0]),
        bind('', '', { values: ['(1)'] }),
        execute(),
        SYNC,
      ]),
    );
    await peer.wait('Z', 1);
    expect(peer.frames.filter(({ type }) => type === 'E')).toHaveLength(1);
    expect(await victims(direct)).toBe(5000);
    peer.endWriting();
    await peer.waitClosed();
  });

  it.runIf(present)('asks about a statement that is bound to more than is held in memory', async () => {
    const client = await connected();
    const named = { name: 's', text: 'select id from plain where label = $1' };
    await client.query({ ...named, values: ['one'] });
    await client.query('set search_path = public');
    await expect(client.query({ ...named, values: ['x'.repeat(2_097_152)] })).resolves.toMatchObject({
      rows: [],
    });
    await client.query('set search_path = evil, public');
    await expect(client.query({ ...named, values: ['x'.repeat(2_097_152)] })).rejects.toMatchObject({
      code: '42703',
    });
    expect(await victims(direct)).toBe(5000);
  });

  it.runIf(present)('knows nothing of a statement whose tree is too long, and goes on', async () => {
    const client = await connected();
    await direct.query(
      `create view dozens as ${Array.from({ length: 60 }, () => 'select id from plain').join(' union all ')}`,
    );
    await direct.query(
      `create view many as ${Array.from({ length: 60 }, () => 'select id from dozens').join(' union all ')}`,
    );
    await direct.query('grant select on dozens, many to reader');
    const text = `select count(*) from ${Array.from({ length: COPIES }, (_, at) => `many m${at}`).join()}`;
    await expect(client.query(text)).rejects.toThrow(/too long/);
    // Each of these by itself is not.
    const each = 'select count(*) from dozens';
    await expect(client.query(each)).resolves.toBeDefined();
    await expect(client.query(Array.from({ length: 200 }, () => each).join(';'))).rejects.toThrow(/too long/);
    await expect(client.query('select id from plain')).resolves.toMatchObject({ rows: [{ id: 1 }] });
  });

  it.runIf(present)('takes a name in another encoding for no name', async () => {
    await harness.apply(`
kind: Rule
name: nobody-reads-it
when: { reads: [größe] }
then: block
`);
    const client = await connected();
    await expect(client.query('select * from umlaut')).rejects.toMatchObject({ code: '42501' });
    await client.query("set client_encoding = 'LATIN1'");
    await expect(client.query('select * from umlaut')).rejects.toMatchObject({ code: '42501' });
  });
});
