/** What a text does not show, the server does: a view, an operator, a cast, a default, a rule, a policy, a shadowed name. */

import { readFile } from 'node:fs/promises';
import type { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { directly, serverVersions, through } from './clients.ts';
import { type Harness, startHarness } from './harness.ts';
import { type TreelessTarget, treelessTarget } from './treeless-target.ts';

const SCHEMA = `
create table victims (id integer);
insert into victims select generate_series(1, 5000);
create table plain (id integer, label text);
insert into plain values (1, 'one');
create view plain_view as select id, label from plain;
create function purge() returns integer language plpgsql as 'begin delete from victims; return 1; end';
create function purge(text, text) returns boolean language plpgsql as 'begin delete from victims; return true; end';
create function purge_text(text) returns integer language plpgsql as 'begin delete from victims; return 1; end';
create view purging as select purge() as one;
create view nested as select * from purging;
create operator @@@ (leftarg = text, rightarg = text, procedure = purge);
create type cents as (amount integer);
create function to_cents(integer) returns cents language plpgsql as 'begin delete from victims; return row($1)::cents; end';
create cast (integer as cents) with function to_cents(integer);
create table defaulted (id integer default purge(), label text);
create table ruled (id integer);
create rule ruled_rule as on insert to ruled do also delete from victims;
create schema evil;
create function evil.lower(text) returns text language plpgsql as 'begin delete from public.victims; return $1; end';
create view evil.plain as select public.purge() as id;
create table serials (id serial, label text);
create table secrets (id integer, owner text);
create function may_see(text) returns boolean language plpgsql as 'begin delete from victims; return true; end';
create policy secrets_policy on secrets using (may_see(owner));
alter table secrets enable row level security;
insert into secrets values (1, 'x');
create role reader login password 'reader';
grant usage on schema public, evil to reader;
grant all on all tables in schema public, evil to reader;
grant all on all sequences in schema public to reader;
`;

const HIDDEN = [
  ['a view', 'select * from purging'],
  ['a view over a view', 'select * from nested'],
  ['a user operator', "select 'a' @@@ 'b'"],
  ['a user cast', 'select 1::cents'],
  ['a column default', "insert into defaulted (label) values ('x')"],
  ['row security', 'select * from secrets'],
  ['a rule', 'insert into ruled values (1)'],
  ['explain analyze', 'explain analyze select * from purging'],
  ['a cursor', 'declare c cursor with hold for select * from purging'],
  ['prepare', 'prepare p as select * from purging'],
  ['create table as', 'create temp table made as select * from purging'],
  ['select into', 'select * into temp table made from purging'],
  ['copy of a query', 'copy (select * from purging) to stdout'],
  ['two statements', 'select 1; select * from purging'],
] as const;

const HARMLESS = [
  'select * from plain_view',
  "select lower('X')",
  "insert into serials (label) values ('x')",
  "update plain set label = 'two' where id = 1",
  'select count(*) from pg_stat_activity',
  'explain analyze select * from plain_view',
  "select set_config('work_mem', '4MB', false)",
  'begin; select * from plain_view; commit',
] as const;

describe.each(serverVersions())('PostgreSQL $major', ({ version, isPresent: present }) => {
  let harness: Harness;
  let direct: Client;
  let token: string;
  let silent: TreelessTarget;

  beforeAll(async () => {
    if (!present) return;
    harness = await startHarness({ postgres: { version, settings: { fsync: 'off' } } });
    const { host, port, password } = harness.server;
    direct = await directly(harness);
    await direct.query(SCHEMA);
    await direct.query(`alter role reader password '${password}'`);
    silent = await treelessTarget(host, port);
    await harness.apply(`
kind: Connection
name: db
protocol: postgres
target: { host: ${host}, port: ${port}, database: postgres, tls: disable }
credential: { user: reader, password: { env: DB_PASSWORD } }
serverTree: ask
---
kind: Connection
name: unasked
protocol: postgres
target: { host: ${host}, port: ${port}, database: postgres, tls: disable }
credential: { user: reader, password: { env: DB_PASSWORD } }
serverTree: off
---
kind: Connection
name: silent
protocol: postgres
target: { host: 127.0.0.1, port: ${silent.port}, database: postgres, tls: disable }
credential: { user: reader, password: { env: DB_PASSWORD } }
serverTree: ask
---
kind: Connection
name: auto
protocol: postgres
target: { host: ${host}, port: ${port}, database: postgres, tls: disable }
credential: { user: reader, password: { env: DB_PASSWORD } }
---
kind: Connection
name: unruled
protocol: postgres
target: { host: ${host}, port: ${port}, database: postgres, tls: disable }
credential: { user: reader, password: { env: DB_PASSWORD } }
---
kind: Connection
name: everything
protocol: postgres
target: { host: ${host}, port: ${port}, database: postgres, tls: disable }
credential: { user: reader, password: { env: DB_PASSWORD } }
---
kind: Access
name: others
who: [group:search]
to: [unasked, silent, auto, unruled]
---
kind: Access
name: all-of-it
who: [group:search]
to: [everything]
may: [read, write, export, define, maintain, grant, run, administer, unknown]
---
kind: Rule
name: no-bulk-delete
on: [db, unasked, silent, auto]
when: { effects: [delete], rows: '> 99' }
then: block
`);
    token = await harness.token('ana');
  });

  afterAll(async () => {
    silent?.close();
    await direct?.end();
    await harness?.[Symbol.asyncDispose]();
  });

  /** Trees that the target was asked for; it writes each to its log. */
  async function questions(): Promise<number> {
    return (await readFile(harness.server.logFile, 'utf8')).split('rewritten parse tree').length;
  }

  function connected(database = 'db'): Promise<Client> {
    return through(harness, token, { database });
  }

  async function victims(): Promise<number> {
    const { rows } = await direct.query<{ count: number }>('select count(*)::int from victims');
    return rows[0]?.count ?? 0;
  }

  const ways = ['simple', 'extended'] as const;
  const run = (client: Client, text: string, way: (typeof ways)[number]): Promise<unknown> => {
    // The driver knows the option, its types do not.
    const extended = { text, queryMode: 'extended' };
    return way === 'simple' ? client.query(text) : client.query(extended);
  };

  describe.each(ways)('%s', (way) => {
    it.runIf(present).each(HIDDEN)('stops what is behind %s', async (name, text) => {
      if (way === 'extended' && name === 'two statements') return;
      const client = await connected();
      try {
        await expect(run(client, text, way)).rejects.toMatchObject({ code: '42501' });
        expect(await victims()).toBe(5000);
        await expect(client.query('select 1 as one')).resolves.toMatchObject({ rows: [{ one: 1 }] });
      } finally {
        await client.end();
      }
    });

    it.runIf(present).each(HARMLESS)('lets %s pass', async (text) => {
      if (way === 'extended' && text.includes(';')) return;
      const client = await connected();
      try {
        await expect(run(client, text, way)).resolves.toBeDefined();
      } finally {
        await client.end();
      }
    });

    it.runIf(present)('sees a name that search_path leads elsewhere, in a transaction too', async () => {
      const client = await connected();
      try {
        await client.query('set search_path = evil, public, pg_catalog');
        await expect(run(client, "select lower('X')", way)).rejects.toMatchObject({ code: '42501' });
        await client.query('begin');
        await expect(run(client, 'select * from plain', way)).rejects.toMatchObject({ code: '42501' });
        await client.query('rollback');
        expect(await victims()).toBe(5000);
      } finally {
        await client.end();
      }
    });
  });

  it.runIf(present)(
    'asks again about a prepared statement when its names may mean something else',
    async () => {
      const client = await connected();
      try {
        const named = { name: 's', text: 'select id from plain' };
        await client.query(named);
        await client.query('set search_path = evil, public');
        await expect(client.query(named)).rejects.toMatchObject({ code: '42501' });
        expect(await victims()).toBe(5000);
      } finally {
        await client.end();
      }
    },
  );

  it.runIf(present)('asks what EXECUTE runs once more when its names may mean something else', async () => {
    const client = await connected();
    try {
      await client.query('prepare p as select id from plain');
      await client.query('execute p');
      await client.query('execute p');
      await expect(client.query('set search_path = evil, public; execute p')).rejects.toMatchObject({
        code: '42501',
      });
      await client.query('set search_path = evil, public');
      await expect(client.query('execute p')).rejects.toMatchObject({ code: '42501' });
      expect(await victims()).toBe(5000);
    } finally {
      await client.end();
    }
  });

  it.runIf(present)('knows nothing of a statement for which no tree came', async () => {
    const client = await connected('silent');
    try {
      await expect(client.query('select * from plain_view')).rejects.toMatchObject({
        code: '42501',
        message: expect.stringContaining('what the server did not tell'),
      });
      await client.query('begin');
      await client.query('rollback');
    } finally {
      await client.end();
    }
  });

  it.runIf(present)('asks nothing where the connection says so', async () => {
    const before = await questions();
    const client = await connected('unasked');
    try {
      await client.query('select * from plain_view');
      await client.query({ text: 'select * from plain_view where id = $1', values: [1] });
      expect(await questions()).toBe(before);
      const asking = await connected();
      await asking.query('select * from plain_view');
      await asking.end();
      expect(await questions()).toBeGreaterThan(before);
    } finally {
      await client.end();
    }
  });

  async function asked(database: string, text: string): Promise<number> {
    const client = await connected(database);
    const before = await questions();
    await client.query(text).catch(() => undefined);
    await client.end();
    return (await questions()) - before;
  }

  it.runIf(present)('asks by default where the answer can change what is decided', async () => {
    const text = 'select * from plain_view';
    expect(await asked('auto', text)).toBeGreaterThan(0);
    // Nothing of these can be decided otherwise.
    expect(await asked('unruled', text)).toBe(0);
    expect(await asked('everything', text)).toBe(0);
    expect(await asked('auto', 'select 1')).toBe(0);
    expect(await asked('auto', 'show search_path')).toBe(0);
    expect(await asked('auto', `do 'begin end'; ${text}`)).toBe(0);
  });

  it.runIf(present)('asks about the same text once, until names may mean something else', async () => {
    const client = await connected('auto');
    const askedAbout = async (...texts: readonly string[]): Promise<number> => {
      const before = await questions();
      for (const text of texts) await client.query(text);
      return (await questions()) - before;
    };
    const text = 'select * from plain_view where id > 0';
    try {
      const first = await askedAbout(text);
      expect(first).toBeGreaterThan(0);
      // Within ten seconds, which a machine with other things to do may not be.
      const again = await askedAbout(...Array.from({ length: 10 }, () => text));
      expect(again).toBeLessThan(10 * first);
      await client.query('create temp table something (id integer)');
      expect(await askedAbout(text)).toBe(first);
    } finally {
      await client.end();
    }
  });

  it.runIf(present)('leaves the settings of the client and its notices as they are', async () => {
    const client = await connected();
    const notices: string[] = [];
    client.on('notice', ({ message }) => notices.push(message ?? ''));
    try {
      await client.query('set client_min_messages = warning');
      await client.query('begin');
      await client.query('select * from plain_view');
      await client.query({ text: 'select * from plain_view where id = $1', values: [1] });
      const { rows } = await client.query('show client_min_messages');
      expect(rows).toEqual([{ client_min_messages: 'warning' }]);
      expect((await client.query('show debug_print_rewritten')).rows).toEqual([
        { debug_print_rewritten: 'off' },
      ]);
      await client.query('commit');
      await client.query('discard all');
      await expect(client.query('select * from purging')).rejects.toMatchObject({ code: '42501' });
      expect(notices).toEqual([]);
    } finally {
      await client.end();
    }
  });

  it.runIf(present)("gives the server's own error for what it does not take", async () => {
    const client = await connected();
    try {
      await expect(client.query('select * from nowhere')).rejects.toMatchObject({
        code: '42P01',
        position: '15',
      });
      await client.query('begin');
      await expect(client.query('select * from nowhere')).rejects.toMatchObject({ code: '42P01' });
      await expect(client.query('select 1')).rejects.toMatchObject({ code: '25P02' });
      await client.query('rollback');
      await expect(
        client.query({ text: 'select * from nowhere where id = $1', values: [1] }),
      ).rejects.toMatchObject({
        code: '42P01',
      });
    } finally {
      await client.end();
    }
  });
});
