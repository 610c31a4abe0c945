/**
 * What programs send every day passes where the server is asked, as it passes where it is not: the corpora of
 * vectors/sql, psql and pg_dump themselves, migrations in one Query, and what applications send.
 */

import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Client, type DatabaseError } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requirePresent } from '../real/require-present.ts';
import { ENDLESS } from '../leaks/harmless/harmless.ts';
import { type Harness, startHarness } from './harness.ts';

const DEBIAN = '/usr/lib/postgresql/15/bin';
const VERSIONS = [
  { version: 'embedded', major: 18 },
  { version: DEBIAN, major: 15 },
];
const run = promisify(execFile);

const SCHEMA = `
create table customers (id bigserial primary key, email text unique, name varchar(80) not null default '', created timestamptz default now(), data jsonb default '{}', tags text[]);
create table orders (id uuid primary key default gen_random_uuid(), customer bigint references customers, total numeric(12, 2), state text check (state in ('new', 'paid')));
create type mood as enum ('fine', 'bad');
create table feelings (id integer generated always as identity, mood mood default 'fine', doubled integer generated always as (id * 2) stored);
create view paid as select c.email, sum(o.total) as total from customers c join orders o on o.customer = c.id where o.state = 'paid' group by c.email;
create materialized view emails as select email from customers;
create table measured (at date, value integer) partition by range (at);
create table measured_2026 partition of measured for values from ('2026-01-01') to ('2027-01-01');
insert into customers (email, name) values ('a@example.org', 'A'), ('b@example.org', 'B');
insert into orders (customer, total, state) select id, id * 10, 'paid' from customers;
`;

/** What migrations and scripts send as one simple Query. */
const TEXTS = [
  'begin; create temp table t (a integer, b text); insert into t values (1, $$x$$); select * from t; commit',
  "create table users (id serial primary key, email varchar(255) not null unique, born date default current_date); create index users_email on users (lower(email)); insert into users (email) values ('x@example.org'), ('y@example.org'); select setval('users_id_seq', 10)",
  "alter table users add column active boolean not null default true; update users set active = false where email like 'x%'; comment on column users.active is 'whether'",
  'alter table users rename column active to enabled; select id, enabled from users where enabled is not null order by 1',
  "create type size as enum ('s', 'm'); create table shirts (id integer, size size default 's'); insert into shirts values (1, 'm'); select size, count(*) from shirts group by size",
  'create schema shop; set search_path = shop, public; create table items (id integer primary key, name text); insert into items values (1, $$one$$); select i.*, c.email from items i cross join customers c; reset search_path',
  'create view shop.names as select name from shop.items; select * from shop.names',
  "set statement_timeout = '5s'; select count(*) from customers; reset statement_timeout",
  "create temp table staging as select * from customers with no data; insert into staging select * from customers; insert into customers (email, name) select 's' || email, name from staging on conflict (email) do update set name = excluded.name",
  "create table if not exists feelings_old (like feelings including all); insert into feelings_old (mood) values ('bad'); select mood from feelings_old where mood = any (array['bad', 'fine']::mood[])",
  'begin isolation level repeatable read; select count(*) from orders; select sum(total) from orders; commit',
  'grant select on users to public; select * from users',
  "truncate users; insert into users (email) values ('z@example.org'); delete from users where email = 'z@example.org'",
];

/** What applications send: text, values. */
const STATEMENTS: readonly (readonly [string, ...unknown[]])[] = [
  ['select * from customers where id = $1', 1],
  ['select * from customers where email ilike $1 order by created desc limit $2 offset $3', '%a%', 10, 0],
  [
    'insert into customers (email, name, data, tags) values ($1, $2, $3, $4) returning *',
    'n@example.org',
    'N',
    '{}',
    ['x'],
  ],
  ['update customers set name = $1, data = data || $2::jsonb where id = $3 returning id', 'M', '{"a":1}', 1],
  [
    "select data->>'a', tags[1], tags @> array['x'], jsonb_array_length('[]') from customers where data @> '{}'",
  ],
  ['select * from paid where total > $1', 5],
  ['select * from emails'],
  ['with recursive n(i) as (select 1 union all select i + 1 from n where i < 5) select * from n'],
  [
    'select c.id, row_number() over (partition by o.state order by o.total) from customers c left join orders o on o.customer = c.id',
  ],
  ['insert into feelings (mood) values ($1)', 'bad'],
  ['select mood::text, doubled from feelings where mood = $1', 'bad'],
  ['insert into measured values ($1, $2)', '2026-05-05', 1],
  ['select date_trunc($1, at), avg(value) from measured group by 1', 'month'],
  ['delete from orders where id = $1', '00000000-0000-0000-0000-000000000000'],
  ['select exists (select 1 from customers where email = $1)', 'x'],
  ["select to_tsvector('english', name) @@ plainto_tsquery($1) from customers", 'x'],
  ['explain select * from paid'],
  ['select * from customers for update skip locked'],
  ['select pg_advisory_xact_lock(1)'],
  ['select 1'],
];

interface Ran {
  readonly code: string;
  readonly message: string;
}

/** As an application would: a text with parameters goes in the extended protocol, with NULLs. */
async function outcome(client: Client, text: string): Promise<Ran> {
  const numbers = [...text.matchAll(/\$(\d+)/g)].map(([, number]) => Number(number));
  const values = numbers.length === 0 ? undefined : Array.from({ length: Math.max(...numbers) }, () => null);
  try {
    await client.query({ text, ...(values === undefined ? {} : { values }) });
    return { code: '', message: '' };
  } catch (error) {
    const { code = '', message } = error as DatabaseError;
    return { code, message };
  } finally {
    // What reads leaves nothing behind.
    if (!/^\s*(?:select|with|show|explain)\b/i.test(text)) {
      await client.query('rollback').catch(() => undefined);
    }
  }
}

/** One of them joins everything with everything, and is stopped in any case: it is not waited for as long. */
async function setPatience(clients: readonly Client[], text: string): Promise<void> {
  for (const client of clients) await outcome(client, text);
}

describe.each(VERSIONS)('PostgreSQL $major', ({ version, major }) => {
  const present = version !== DEBIAN || requirePresent('PostgreSQL 15', existsSync(`${DEBIAN}/postgres`));
  let harness: Harness;
  let direct: Client;
  let token: string;

  beforeAll(async () => {
    if (!present) return;
    harness = await startHarness({ postgres: { version, settings: { fsync: 'off' } } });
    const { host, port, password } = harness.server;
    const login = { host, port, user: 'postgres', password, database: 'postgres' };
    const first = new Client(login);
    await first.connect();
    await first.query("alter role postgres set statement_timeout = '3s'");
    await first.query(SCHEMA);
    await first.end();
    direct = new Client(login);
    direct.on('error', () => undefined);
    await direct.connect();
    await harness.apply(`
kind: Rule
name: nothing-is-lost
when: { effects: [delete-unqualified, update-unqualified, drop] }
then: block
`);
    token = await harness.token('ana');
  });

  afterAll(async () => {
    await direct?.end();
    await harness?.[Symbol.asyncDispose]();
  });

  async function connected(): Promise<Client> {
    const { host, port } = harness.gateway.postgres;
    const client = new Client({ host, port, user: 'ana', password: token, database: 'db' });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  }

  it.runIf(present)(
    'of the corpora at most one of a hundred that pass directly is stopped',
    async () => {
      const stopped: string[] = [];
      let passed = 0;
      for (const name of ['harmless', 'psql', 'pg-dump']) {
        const client = await connected();
        for (const { title, text } of corpus(name)) {
          // It waits for data, which this driver does not send.
          if (/\bfrom stdin\b/i.test(text)) continue;
          const sessions = ENDLESS.has(title) ? [direct, client] : [];
          await setPatience(sessions, "set statement_timeout = '300ms'");
          const wanted = await outcome(direct, text);
          const got = await outcome(client, text);
          await setPatience(sessions, 'reset statement_timeout');
          if (wanted.code !== '') continue;
          if (got.code === '') passed += 1;
          else stopped.push(`${title}: ${got.code} ${got.message}`);
        }
        await client.end();
        await direct.query('discard all');
      }
      process.stdout.write(`${passed} pass; stopped: ${stopped.join(', ')}\n`);
      expect(passed).toBeGreaterThan(300);
      expect(stopped.length / (passed + stopped.length)).toBeLessThanOrEqual(0.01);
    },
    300_000,
  );

  it.runIf(present).each(TEXTS)('passes in one Query: %s', async (text) => {
    const client = await connected();
    try {
      await expect(client.query(text)).resolves.toBeDefined();
    } finally {
      await client.end();
    }
  });

  it.runIf(present)('passes what applications send', async () => {
    const client = await connected();
    let passed = 0;
    for (const [at, [text, ...values]] of STATEMENTS.entries()) {
      for (let time = 0; time < 3; time += 1) {
        await client.query('begin');
        await client.query({ name: `s${at}`, text, values });
        await client.query('rollback');
        passed += 1;
      }
    }
    expect(passed).toBe(3 * STATEMENTS.length);
    await client.end();
  });

  it.runIf(present && existsSync(`${DEBIAN}/psql`))('psql describes, and pg_dump dumps', async () => {
    const { host, port } = harness.gateway.postgres;
    const env = {
      ...process.env,
      PGHOST: host,
      PGPORT: String(port),
      PGUSER: 'ana',
      PGPASSWORD: token,
      PGDATABASE: 'db',
    };
    const commands = ['\\d+', '\\d+ customers', '\\dv+', '\\df', '\\dT+', '\\dn+', '\\du', '\\dp', '\\di+'];
    const shown = await run(
      `${DEBIAN}/psql`,
      ['-X', '-v', 'ON_ERROR_STOP=1', ...commands.flatMap((one) => ['-c', one])],
      { env },
    );
    expect(shown.stdout).toContain('customers');
    if (major > 15) return;
    const dumped = await run(`${DEBIAN}/pg_dump`, ['--no-owner'], { env, maxBuffer: 64 * 1024 * 1024 });
    expect(dumped.stdout).toContain('PostgreSQL database dump complete');
  });
});

function corpus(name: string): readonly { readonly title: string; readonly text: string }[] {
  const file = fileURLToPath(new URL(`../../vectors/sql/${name}.txt`, import.meta.url));
  const [, ...blocks] = readFileSync(file, 'utf8').split(/^case: /m);
  return blocks.map((block) => {
    const [title = '', ...lines] = block.split('\n');
    const text = lines.filter((line) => line.startsWith('>')).map((line) => line.slice(2));
    return { title, text: text.join('\n') };
  });
}
