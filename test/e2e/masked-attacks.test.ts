/** Ways to a masked value that once were open, and ways beside them: what is prepared and analysed anew where nobody looks. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Client } from 'pg';
import { bind, close, describe as described, execute, parse, query, SYNC } from '../differential/frames.ts';
import { ANYTHING, directly, serverVersions } from './clients.ts';
import { errorIn, type FrameClient, frameClient } from './frame-client.ts';
import { type Harness, startHarness } from './harness.ts';

const SCHEMA = `
create table customers (id int primary key, name text, email text);
insert into customers values (1, 'Ada', 'ada@example.org'), (2, 'Bob', 'bob@example.org');
create view mails as select id as no, email as address from customers;
`;

/** What definitions lead to. */
const BEHIND = `
create schema shop;
create table shop.customers (id int, email text);
create table orders (id int, note text);
create table parts (id int, x text) partition by list (x);
create table tickets (id int);
create policy own on tickets using (true);
create domain word as text;
create view classes as select * from pg_class;
create function email_of(int) returns text language sql stable as 'select email from customers where id = $1';
`;

/** What the same kinds of statements are for. */
const HARMLESS: readonly string[] = [
  "create table made (id int primary key, at timestamptz default now(), x text default lower('X') check (length(x) < 9))",
  'alter table made add column y int default 7, add check (y > length(x))',
  'create domain told as text check (length(value) > 0)',
  'create index on made (lower(x))',
  'create view seen as select email_of(id) as x from orders',
  'alter table made rename to called',
  "execute given(lower('X'))",
];

const MASKS = `
kind: Mask
name: customers
columns: [customers.email]
as: redact
`;

const CANARY = /ada@|bob@/;

/** What a view shows before, and behind. */
const PLAIN = "create or replace view w as select no, 'plain'::text as x from mails";
const MASKED = 'create or replace view w as select no, address::text as x from mails';

type Steps = readonly (string | readonly Buffer[])[];

describe.each(serverVersions())('PostgreSQL $major', ({ version, isPresent }) => {
  if (!isPresent) return;
  let harness: Harness;
  let direct: Client;
  let token: string;

  beforeAll(async () => {
    harness = await startHarness({ postgres: { version } });
    direct = await directly(harness);
    await direct.query(SCHEMA);
    await harness.apply(`${ANYTHING}---${MASKS}`);
    token = await harness.token('ana');
  }, 120_000);

  afterAll(async () => {
    await direct.end();
    await harness[Symbol.asyncDispose]();
  });

  async function started(): Promise<FrameClient> {
    const { host, port } = harness.gateway.postgres;
    return frameClient({ host, port, user: 'ana', password: token, database: 'db' });
  }

  /** A view is replaced between two steps, by somebody else. */
  const REPLACED = '-- the view is replaced';

  /** All that came of the steps, as text. */
  async function ran(steps: Steps): Promise<string> {
    await direct.query('drop view if exists w');
    await direct.query(PLAIN);
    const client = await started();
    let all = '';
    for (const step of steps) {
      if (step === REPLACED) {
        // oxlint-disable-next-line no-await-in-loop -- One behind the other.
        await direct.query(MASKED);
        continue;
      }
      const frames = typeof step === 'string' ? [query(step)] : step;
      // oxlint-disable-next-line no-await-in-loop -- One behind the other.
      const received = await client.send(frames, 1);
      all += received.map(({ type, body }) => `${type} ${body.toString('latin1')}\n`).join('');
    }
    await client.close();
    return all;
  }

  const S = 'select x from w order by no';
  const RUN = [bind('', 's'), execute(), SYNC];
  const CASES: readonly (readonly [string, Steps])[] = [
    ['Bind twice', [[parse('s', S), SYNC], RUN, REPLACED, RUN, RUN]],
    ['Describe before Bind', [[parse('s', S), SYNC], REPLACED, [described('S', 's'), SYNC], RUN]],
    ['EXECUTE twice', [`prepare s as ${S}`, REPLACED, 'execute s', 'execute s']],
    ['EXECUTE behind Bind', [[parse('s', S), SYNC], REPLACED, RUN, 'execute s']],
    ['Bind behind EXECUTE', [[parse('s', S), SYNC], REPLACED, 'execute s', RUN]],
    [
      'EXECUTE behind one that fails',
      ['prepare s(int) as select x, 1 / $1 from w order by no', REPLACED, 'execute s(0)', 'execute s(1)'],
    ],
    [
      'Bind behind one that fails',
      [
        [parse('s', 'select x, 1 / $1 from w order by no', [23]), SYNC],
        REPLACED,
        [bind('', 's', { values: ['0'] }), execute(), SYNC],
        [bind('', 's', { values: ['1'] }), execute(), SYNC],
      ],
    ],
    [
      'disarmed Describe',
      [
        [parse('s', S), SYNC],
        REPLACED,
        "select set_config('client_min_messages', 'error', false)",
        [described('S', 's'), SYNC],
        RUN,
      ],
    ],
    [
      'disarmed Describe in a pipeline',
      [
        [parse('s', S), parse('d', 'set debug_print_rewritten = off'), SYNC],
        REPLACED,
        [bind('', 'd'), execute(), described('S', 's'), SYNC],
        RUN,
      ],
    ],
    [
      'Describe in a pipeline that fails',
      [[parse('s', S), SYNC], REPLACED, [described('S', 's'), parse('', 'selec'), SYNC], RUN],
    ],
    [
      'EXECUTE in a pipeline behind Describe',
      [[parse('s', S), SYNC], REPLACED, [described('S', 's'), SYNC], 'execute s'],
    ],
    [
      'names cut to the same',
      [
        [parse(`${'n'.repeat(63)}x`, 'select name from customers'), SYNC],
        [close('S', `${'n'.repeat(63)}y`), SYNC],
        [parse(`${'n'.repeat(63)}z`, 'select email from customers'), SYNC],
        [bind('', `${'n'.repeat(63)}x`), execute(), SYNC],
      ],
    ],
    ['EXPLAIN EXECUTE before', [`prepare s as ${S}`, REPLACED, 'explain execute s', 'execute s']],
    ['by herself', [`prepare s as ${S}`, MASKED, 'execute s', 'execute s']],
    [
      'EXECUTE behind SET in one text',
      [`prepare s as ${S}`, REPLACED, 'set debug_print_rewritten = off; execute s', 'execute s'],
    ],
    [
      'EXECUTE behind a COMMIT that is none',
      [
        `prepare s as ${S}`,
        REPLACED,
        'set debug_print_rewritten = off; begin',
        'select 1 / 0',
        'commit; execute s',
        'execute s',
      ],
    ],
    [
      'Bind behind a COMMIT that is none',
      [
        [parse('s', S), parse('c', 'commit'), SYNC],
        REPLACED,
        'set debug_print_rewritten = off; begin',
        'select 1 / 0',
        [bind('', 'c'), execute(), bind('', 's'), execute(), SYNC],
      ],
    ],
    [
      'Bind of one behind Describe of another',
      [
        [parse('s', S), parse('m', 'select address as x from mails'), SYNC],
        'create or replace view w as select no, $$other$$::text as x from mails',
        [described('S', 's'), bind('', 'm'), execute(), SYNC],
      ],
    ],
    ['EXECUTE behind Bind of what SQL prepared', [`prepare s as ${S}`, REPLACED, RUN, 'execute s']],
    [
      'EXECUTE of EXECUTE',
      [
        `prepare s as ${S}`,
        [parse('e', 'execute s'), SYNC],
        REPLACED,
        [bind('', 'e'), execute(), SYNC],
        'execute s',
      ],
    ],
    [
      'CREATE TABLE AS EXECUTE',
      [`prepare s as ${S}`, REPLACED, 'create temp table t as execute s', 'execute s'],
    ],
  ];

  it.each(CASES)('does not show what a prepared statement has come to mean: %s', async (_, steps) => {
    const all = await ran(steps);
    expect(all).not.toMatch(CANARY);
  });

  const READS = `query_to_xml('select address from mails', true, false, '')::text`;
  const DEFINING: readonly string[] = [
    `alter table orders add column leak text default ${READS}`,
    'alter table orders add column leak text default email_of(1)',
    'alter table orders alter column note type text using email_of(id)',
    `alter table orders alter column note set default ${READS}`,
    "alter table orders add constraint c check (email_of(id) not like 'ada%')",
    `create table made (id int, x text default ${READS})`,
    `create table part partition of parts for values in (${READS})`,
    `create domain told as text check (value <> ${READS})`,
    'alter domain word add constraint c check (value <> email_of(1))',
    'create domain kept as text default email_of(1)',
    'create index on orders ((email_of(id)))',
    'create schema more create table t (id int, x text default email_of(1))',
    "alter policy own on tickets using (exists (select 1 from mails where address like 'ada%'))",
    'alter schema shop rename to other',
    'execute given(email_of(1))',
    `execute given(${READS})`,
    "copy orders (id) from stdin where email_of(1) like 'ada%'",
    "update pg_attribute set attname = 'other' where attname = 'email'",
    "update pg_catalog.pg_class set relname = 'other' where relname = 'customers'",
    'delete from pg_inherits',
    'delete from classes',
    "merge into pg_class c using (values ('customers')) v (n) on c.relname = v.n when matched then update set relname = 'other'",
    "insert into pg_proc select * from pg_proc where proname = 'query_to_xml'",
  ];

  it('stops what keeps or tells values by a definition, a parameter or a catalog', async () => {
    await direct.query(BEHIND);
    const client = await started();
    await client.query('prepare given(text) as select $1 as x');
    const passed: string[] = [];
    for (const text of DEFINING) {
      // oxlint-disable-next-line no-await-in-loop -- One behind the other.
      const received = await client.query(text);
      if (errorIn(received)?.code !== '42501') passed.push(text);
    }
    expect(passed).toEqual([]);
    for (const text of HARMLESS) {
      // oxlint-disable-next-line no-await-in-loop -- One behind the other.
      expect(errorIn(await client.query(text))).toBeUndefined();
    }
    await client.close();
  });
});
