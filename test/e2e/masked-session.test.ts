/** What a client gets of columns that are masked, with real clients and servers: messages, formats, states. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Client } from 'pg';
import postgres from 'postgres';
import { ANYTHING, deciding, directly, failure, serverVersions, through, vote } from './clients.ts';
import { type Harness, startHarness } from './harness.ts';

const SCHEMA = `
create table customers (id int primary key, name text, email text unique, phone text, born date, extra jsonb);
insert into customers values
  (1, 'Ada', 'ada@example.org', '+44 7700 900123', '1990-12-10', '{"mail": "ada@example.org", "n": 7}'),
  (2, 'Bob', 'bob@example.org', '+44 7700 900456', '1985-06-01', null);
create table orders (id int primary key, customer int references customers, total numeric);
insert into orders values (10, 1, 99.5), (11, 2, 12.25);
create table tagged (id int primary key, email text, tag text);
insert into tagged values (1, 'ada@example.org', 'ada-900123');
create view shown as select 'plain'::text as x;
create view mails as select id as no, email as address from customers;
create function shout(text) returns text language sql stable as $$ select upper($1) $$;
create function spy() returns text language plpgsql stable as $$ begin return (select email from customers limit 1); end $$;
create function keeps() returns int language plpgsql volatile as $$ begin return 1; end $$;
`;

const MASKS = `
kind: Mask
name: customers
columns: [customers.email, customers.phone]
as: partial
entity: EMAIL
---
kind: Mask
name: tags
columns: [tagged.tag]
as: token
---
kind: Mask
name: birthdays
columns: [public.customers.born]
as: { kind: generalise, unit: year }
`;

const HOLD = `
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
when: { writes: [orders], rows: '>= 1' }
then: { hold: { approvers: [group:owners] } }
`;

const CANARY = /ada@|bob@|900123|900456|12-10|06-01/;

describe.each(serverVersions())('PostgreSQL $major', ({ version, isPresent }) => {
  if (!isPresent) return;
  let harness: Harness;
  let client: Client;
  let sql: postgres.Sql;

  beforeAll(async () => {
    harness = await startHarness({ postgres: { version } });
    const direct = await directly(harness);
    await direct.query(SCHEMA);
    await direct.end();
    await harness.apply(`${ANYTHING}---${MASKS}`);
    const token = await harness.token('ana');
    client = await through(harness, token);
    const { host, port } = harness.gateway.postgres;
    sql = postgres({
      host,
      port,
      username: 'ana',
      password: token,
      database: 'db',
      max: 1,
      onnotice: () => undefined,
    });
  }, 120_000);

  afterAll(async () => {
    await client.end();
    await sql.end();
    await harness[Symbol.asyncDispose]();
  });

  it('masks what is shown, and leaves the rest', async () => {
    const { rows } = await client.query('select id, name, email, born from customers order by id');
    expect(JSON.stringify(rows)).not.toMatch(CANARY);
    expect(rows[0]).toMatchObject({ id: 1, name: 'Ada' });
    expect(rows[0].email).toMatch(/@example\.org$/);
  });

  it('masks through views, sub-selects and prepared statements', async () => {
    for (const text of [
      'select * from mails order by no',
      'with m as (select email as x from customers) select x, 1 as one from m',
      'select (select email from customers c where c.id = o.customer) from orders o',
    ]) {
      const plain = await client.query(text);
      const prepared = await client.query({ text, name: `p ${text}`, values: [] });
      const again = await client.query({ text, name: `p ${text}`, values: [] });
      for (const { rows } of [plain, prepared, again]) {
        expect(rows.length).toBeGreaterThan(0);
        expect(JSON.stringify(rows)).not.toMatch(CANARY);
      }
    }
  });

  it('masks what is made of a value as a whole', async () => {
    const { rows } = await client.query('select upper(email) u, md5(email) h, id from customers');
    expect(rows.map(({ u, h }) => [u, h])).toEqual([
      ['[REDACTED:EMAIL]', '[REDACTED:EMAIL]'],
      ['[REDACTED:EMAIL]', '[REDACTED:EMAIL]'],
    ]);
  });

  it.each([
    "select id from customers where email = 'ada@example.org'",
    'select id from customers order by email',
    'select c.id from customers c join customers d on c.email = d.email',
    'update customers set name = email',
    'create table copy as select email from customers',
    'explain select * from customers where email = $$x$$',
    "select pg_notify('x', email) from customers",
    "select encode(email::bytea, 'hex') from customers",
    "select case when email like 'a%' then pg_sleep(1) end from customers",
    'select 1 / (length(email) - 15) from customers',
    "select email like 'a%' and pg_sleep(1) is null from customers",
    'do $$ begin perform 1; end $$',
    'select keeps()',
    'alter table customers rename email to note',
    'create function f() returns int language sql as $$ select 1 $$',
  ])('stops %s', async (text) => {
    const error = await failure(client.query(text));
    expect(error.code).toBe('42501');
    expect(`${error.message} ${error.detail ?? ''}`).toMatch(/customers|birthdays/);
  });

  it('shows nothing of what a function of a user gives', async () => {
    const { rows } = await client.query('select spy() as s, id from orders order by id');
    expect(rows).toEqual([
      { s: null, id: 10 },
      { s: null, id: 11 },
    ]);
  });

  it('masks the rows of COPY', async () => {
    for (const options of ['', 'with (format csv, header)', 'with (format csv, force_quote *)']) {
      const text = await copyOut(sql, `copy customers (id, email, name) to stdout ${options}`);
      expect(text).toContain('Ada');
      expect(text).not.toMatch(CANARY);
      expect(await copyOut(sql, `copy (select email from customers) to stdout ${options}`)).not.toMatch(
        CANARY,
      );
    }
  });

  it('masks what cursors give', async () => {
    await client.query('begin');
    await client.query('declare c cursor for select id, email from customers order by id');
    const { rows } = await client.query('fetch all from c');
    await client.query('rollback');
    expect(rows).toHaveLength(2);
    expect(rows[0].id).toBe(1);
    expect(JSON.stringify(rows)).not.toMatch(CANARY);
  });

  it('goes on to mask where the client turns the messages off', async () => {
    for (const text of [
      'set client_min_messages = error',
      "select set_config('debug_print_rewritten', 'off', false)",
      'discard all',
      'reset all',
    ]) {
      await client.query(text);
      const { rows } = await client.query('select id, email from customers order by id');
      expect(rows[0].id).toBe(1);
      expect(JSON.stringify(rows)).not.toMatch(CANARY);
    }
    await client.query('reset client_min_messages');
    const both = await client.query("set client_min_messages = error; select email, 'x' as x from customers");
    expect(JSON.stringify(both)).not.toMatch(CANARY);
  });

  it('never shows the client a tree', async () => {
    const notices: string[] = [];
    client.on('notice', (notice) => notices.push(notice.message ?? ''));
    await client.query('select email from customers');
    await client.query("set client_min_messages = 'debug1'");
    await client.query('select email from customers');
    await client.query('reset client_min_messages');
    expect(notices.filter((text) => text.includes('parse tree'))).toEqual([]);
  });

  it('masks what a held statement gives when people have agreed to it, by what its names mean then', async () => {
    await harness.apply(HOLD);
    const direct = await directly(harness);
    for (const values of [undefined, [1]]) {
      const text = `update orders set total = total + ${values === undefined ? '1' : '$1'} returning id, (select max(x::text) from shown) x`;
      const ran = client.query({ text, values: values ?? [] }).then(
        ({ rows }) => JSON.stringify(rows),
        (error: Error) => error.message,
      );
      const seen = await deciding(harness, ran, async (id) => {
        await direct.query('create or replace view shown as select email as x from customers');
        await vote(harness, id, 'bo');
      });
      expect(seen).toBeGreaterThan(0);
      expect(await ran).not.toMatch(CANARY);
      await direct.query("create or replace view shown as select 'plain'::text as x");
    }
    await direct.end();
    const asked = client.query({ text: 'update orders set total = $1 returning id, total', values: [5] });
    await deciding(harness, asked, (id) => vote(harness, id, 'bo'));
    expect((await asked).rows).toEqual([
      { id: 10, total: '5' },
      { id: 11, total: '5' },
    ]);
    await harness.apply(HOLD.replace('orders]', 'nothing]'));
  });

  it('refuses to write back what it has masked', async () => {
    const { rows } = await client.query('select email, tag from tagged');
    const [{ tag }] = rows;
    expect(tag).toMatch(/^tok_/);
    const text = 'insert into tagged (id, tag) values (2, $1)';
    for (const written of [
      client.query(`insert into tagged (id, tag) values (2, '${tag}')`),
      client.query(`update tagged set tag = $1 where id = 1`, [tag]),
      client.query({ name: 'write', text, values: [tag] }),
      client.query({ name: 'write', text, values: ['[REDACTED:EMAIL]'] }),
    ]) {
      const error = await failure(written);
      expect([error.code, error.message]).toEqual(['42501', expect.stringContaining('written back')]);
    }
    await client.query({ name: 'write', text, values: ['new'] });
    await client.query('delete from tagged where id = 2');
  });

  it('says nothing of values in errors', async () => {
    for (const text of [
      'select email::int from customers',
      'select 1 / (id - 1), email::date from customers',
    ]) {
      const error = await failure(client.query(text));
      expect(JSON.stringify(error) + error.message).not.toMatch(CANARY);
    }
    const own = await failure(client.query("select 'abc'::int"));
    // The server's words stay; the literal in them does not, because the message is recorded.
    expect(own.message).toBe('invalid input syntax for type integer: "[REDACTED]"');
  });

  it('lets a permissive Mask be compared, and nothing of it be kept elsewhere', async () => {
    const strict = MASKS;
    await harness.apply(strict.replaceAll('as: partial', 'mode: permissive\nas: partial'));
    const { rows } = await client.query("select id, email from customers where email = 'ada@example.org'");
    expect(rows).toHaveLength(1);
    expect(JSON.stringify(rows)).not.toMatch(CANARY);
    const intent = (await harness.log()).findLast(({ body }) => body['predicate_on_masked'] !== undefined);
    expect(intent?.body['predicate_on_masked']).toEqual([
      { mask: 'customers', version: 2, column: 'public.customers.email', use: 'predicate' },
    ]);
    for (const text of [
      'update customers set name = email',
      'alter table customers rename email to note',
      'do $$ begin perform 1; end $$',
      'create table copied as select email from customers',
      "select set_config('app.x', email, false) from customers",
    ]) {
      expect((await failure(client.query(text))).code).toBe('42501');
    }
    await harness.apply(strict);
  });

  it('records what was delivered', async () => {
    const log = await harness.log();
    const outcomes = log.filter(({ leaf }) => leaf.type === 'statement.outcome' && leaf !== undefined);
    const masked = outcomes.flatMap(({ body }) => (Array.isArray(body['masked']) ? body['masked'] : []));
    expect(masked.length).toBeGreaterThan(0);
    expect(masked[0]).toMatchObject({ mask: 'customers', version: 1, column: 'public.customers.email' });
  });
});

/** What COPY sends, by postgres.js, which reads it. */
async function copyOut(sql: postgres.Sql, text: string): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of await sql.unsafe(text).readable()) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
