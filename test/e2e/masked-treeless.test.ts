/**
 * Masks where the target sends no trees, because it is another server or the role may not ask for them: nobody can
 * tell which columns a statement shows, so everything of it is stopped, or NULL.
 */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Client } from 'pg';
import postgres from 'postgres';
import { directly, failure, through } from './clients.ts';
import { type Harness, startHarness } from './harness.ts';
import { type TreelessTarget, treelessTarget } from './treeless-target.ts';

const CANARY = /ada@|900123|ADA@|4111/;

const RESOURCES = `
kind: Access
name: search-team
who: [group:search]
to: [silent]
may: [read, write, export, define, maintain, grant, run, administer, code, call, host, remote, admin, sleep, setting-risky, two-phase, large-object, function-unknown, notify, unknown]
---
kind: Mask
name: customers
columns: [customers.email, customers.phone]
as: partial
`;

let harness: Harness;
let silent: TreelessTarget;
let client: Client;
let sql: postgres.Sql;

beforeAll(async () => {
  harness = await startHarness({ postgres: { settings: { fsync: 'off' } } });
  const { host, port } = harness.server;
  const direct = await directly(harness);
  await direct.query(`
    create table customers (id int primary key, email text, phone text, note text);
    insert into customers values (1, 'ada@example.org', '+44 7700 900123', 'plain');
    create view mails as select email as address from customers;
    create function peek() returns text language sql stable as $$ select email from customers limit 1 $$;
  `);
  await direct.end();
  silent = await treelessTarget(host, port);
  await harness.apply(`
kind: Connection
name: silent
protocol: postgres
target: { host: 127.0.0.1, port: ${silent.port}, database: postgres, tls: disable }
credential: { user: postgres, password: { env: DB_PASSWORD } }
---${RESOURCES}`);
  const token = await harness.token('ana');
  client = await through(harness, token, { database: 'silent' });
  const to = harness.gateway.postgres;
  sql = postgres({
    ...to,
    username: 'ana',
    password: token,
    database: 'silent',
    max: 1,
    fetch_types: false,
    onnotice: () => undefined,
  });
}, 120_000);

afterAll(async () => {
  await client.end();
  await sql.end();
  silent.close();
  await harness[Symbol.asyncDispose]();
});

/** What a client sees of a text, rows or error. */
async function seen(run: Promise<unknown>): Promise<string> {
  return run.then(
    (got) => JSON.stringify(got),
    (error: Error) => `${error.message} ${JSON.stringify(error)}`,
  );
}

const TRIES: readonly string[] = [
  'select email from customers',
  'select * from customers',
  'select address as id from mails',
  'select upper(email) from customers',
  'select peek()',
  'select c from customers c',
  'table customers',
  'select phone from customers union select email from customers',
  "select query_to_xml('select * from customers', true, false, '')",
  'select most_common_vals::text from pg_stats',
  'update customers set note = email returning note',
  'insert into customers select 2, phone, email, phone from customers returning *',
  'delete from customers where id = 0 returning email',
  'explain select * from customers where email = $$ada@example.org$$',
  'select email::int from customers',
  'select 1 / (select count(*) from customers where email like $$ada%$$) - 1',
  'begin; declare c cursor for select email from customers; fetch all from c; commit',
  'prepare p as select email from customers; execute p',
  'do $$ begin raise notice $r$%$r$, (select email from customers); end $$',
  'create temp table copied as select * from customers; select * from copied',
  'create temp view seen as select email from customers; select * from seen',
  'set debug_print_rewritten = off; select email from customers',
  'show application_name; select email from customers',
];

describe('a target that sends no trees', () => {
  it.each(TRIES)('shows nothing masked of %s', async (text) => {
    expect(await seen(client.query(text))).not.toMatch(CANARY);
    await client.query('rollback').catch(() => undefined);
    if (text.includes(';')) return;
    expect(await seen(client.query({ text, name: `try ${TRIES.indexOf(text)}` }))).not.toMatch(CANARY);
  });

  it.each(['copy customers to stdout', 'copy (select email from customers) to stdout (format csv)'])(
    'shows nothing masked of %s',
    async (text) => {
      const copied = async (): Promise<string> => {
        let all = '';
        for await (const chunk of await sql.unsafe(text).readable()) all += String(chunk);
        return all;
      };
      expect(await seen(copied())).not.toMatch(CANARY);
    },
  );

  it('says why a statement is stopped, and has not written anything', async () => {
    const error = await failure(client.query('update customers set note = email'));
    expect(error).toMatchObject({ code: '42501' });
    expect(error.message).toContain('nobody can tell what it does');
    const direct = await directly(harness);
    const { rows } = await direct.query('select id, note from customers');
    await direct.end();
    expect(rows).toEqual([{ id: 1, note: 'plain' }]);
  });

  it('goes on with what has no columns of anybody', async () => {
    await client.query('begin');
    await client.query('commit');
    expect(await seen(client.query('show server_version'))).toMatch(/\d/);
  });
});
