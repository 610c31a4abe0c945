/** In the mode server-role the target itself hides what is masked, and no session begins before that is so. */

import type { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { failure, serverVersions } from './clients.ts';
import { CANARY, MASKS, ROLE, type RoleRig, startRoleRig } from './server-role-rig.ts';

describe.each(serverVersions())('PostgreSQL $major', ({ version, isPresent }) => {
  if (!isPresent) return;
  let rig: RoleRig;
  let script: string;
  let before: unknown;

  beforeAll(async () => {
    rig = await startRoleRig(version);
    before = await rights(rig.direct);
  }, 120_000);

  afterAll(() => rig[Symbol.asyncDispose]());

  it('lets no session begin as long as the role may read a masked column, and says why in a leaf', async () => {
    const error = await failure(rig.session());
    expect([error.code, error.message]).toEqual([
      '42501',
      expect.stringContaining('may read public.customers.card'),
    ]);
    const log = await rig.harness.log();
    const leaf = log.find(({ leaf: { type } }) => type === 'mask.role');
    expect(leaf?.leaf).toMatchObject({ status: 'failed', target: 'db', kind: 'system' });
    expect(leaf?.body).toMatchObject({ target_user: ROLE, database: 'postgres', why: 'session' });
    expect(log.at(-1)).toMatchObject({
      leaf: { type: 'session.refused' },
      body: { code: 'SERVER_ROLE_UNSAFE' },
    });
  });

  it('prints the same script each time, and runs no part of it', async () => {
    const first = await rig.ddl();
    expect((await rig.ddl()).sql).toBe(first.sql);
    expect(first).toMatchObject({ role: ROLE, database: 'postgres', problems: [] });
    expect(await rights(rig.direct)).toEqual(before);
    script = first.sql;
    const leaves = (await rig.harness.log()).filter(({ leaf: { type } }) => type === 'mask.ddl');
    expect(leaves[0]).toMatchObject({ leaf: { target: 'db' }, body: { undo: false } });
  });

  it('names at its head what is not of the role alone', async () => {
    await rig.direct.query(`create function peek() returns text language sql security definer as 'select 1::text';
      create role readers; grant select on customers to readers; grant readers to ${ROLE}; grant select on events to public`);
    const { problems, sql } = await rig.ddl();
    expect(problems).toContain('public: PUBLIC may read public.events');
    expect(problems).toContain('read: readers may read public.customers.email');
    expect(problems).toContain(
      'function: public.peek() runs with the rights of postgres, who may read masked columns',
    );
    for (const problem of problems) expect(sql).toContain(`-- ! ${problem}`);
    await rig.direct.query(
      'drop function peek(); drop owned by readers; drop role readers; revoke select on events from public',
    );
  });

  it('writes down rights on columns that are named as what every object has', async () => {
    await rig.direct.query(`create table plans (id int, constructor text, __proto__ text, payload text);
      grant select (id, constructor, __proto__), update (constructor) on plans to ${ROLE}`);
    try {
      const { sql } = await rig.ddl();
      expect(sql).toContain('GRANT SELECT ("id", "constructor", "__proto__") ON "public"."plans"');
      expect(sql).toMatch(/"plans":\{[^}]*"constructor":\["[A-Z]+","[A-Z]+"\]/);
      expect(sql).toMatch(/"plans":\{[^}]*"__proto__":\["SELECT"\]/);
    } finally {
      await rig.direct.query('drop table plans');
    }
  });

  it('gives a role what the mode needs, once or twice', async () => {
    await rig.direct.query(script);
    const once = await rights(rig.direct);
    const again = await rig.ddl();
    expect(again.sql).toBe(script);
    await rig.direct.query(again.sql);
    expect(await rights(rig.direct)).toEqual(once);
    expect(once).not.toEqual(before);
  });

  it('shows what each operator leaves, under the names that programs use', async () => {
    const client = await rig.session();
    const { rows } = await client.query('select * from customers order by id');
    expect(JSON.stringify(rows)).not.toMatch(CANARY);
    expect(rows.map(({ id, name, city }) => [id, name, city])).toEqual([
      [1, 'Ada', 'London'],
      [2, 'Bob', 'Paris'],
      [3, 'Eve', 'Rome'],
    ]);
    expect(rows[0]).toMatchObject({
      email: 'a***@example.org',
      phone: '+** **** ******',
      card: '**** **** **** 1111',
      salary: '12340.00',
      age: 30,
      notes: '[REDACTED:COLUMN]',
      extra: '[REDACTED]',
      tags: null,
      code: '****  ',
      nick: null,
      home: '0.0.0.0',
    });
    expect(rows[1]).toMatchObject({
      email: '***@example.org',
      card: '****-****-****-5559',
      salary: '-90.00',
      age: 90,
    });
    expect(rows[1]?.born).toBeNull();
    expect(rows[2]).toMatchObject({ email: null, phone: null, card: null, salary: null });
    const days = await client.query(
      `select born::text, (seen at time zone 'UTC')::text as seen from customers where id = 1`,
    );
    expect(days.rows).toEqual([{ born: '1815-12-01', seen: '1852-11-01 00:00:00' }]);
    await client.end();
  });

  it('compares what it shows, and nothing else', async () => {
    const client = await rig.session();
    const { rows } = await client.query(`select id from customers where email = 'ada.lovelace@example.org'`);
    expect(rows).toEqual([]);
    expect((await client.query(`select id from customers where email like 'a***%'`)).rows).toEqual([
      { id: 1 },
    ]);
    await client.end();
  });

  it('goes on writing what is not masked, through the views too', async () => {
    const client = await rig.session();
    await client.query(`update customers set city = 'Turin' where id = 3`);
    await client.query(`insert into orders (id, customer, total) values (9, 3, 1.5)`);
    await client.query('delete from orders where id = 9');
    const { rows } = await rig.direct.query('select city from customers where id = 3');
    expect(rows).toEqual([{ city: 'Turin' }]);
    await client.query(`update customers set city = 'Rome' where id = 3`);
    await client.end();
  });

  const refused: readonly string[] = [
    'select email from public.customers',
    'select c from public.customers c',
    'select * from public.customers',
    'select payload from public.events',
    'select payload from public.events_1',
    'select email from public.vip',
    'select mail_key from public.customers',
    'select phone from public.contacts',
    'select address from public.mails',
    'copy public.customers (email) to stdout',
    'copy public.customers to stdout',
    `insert into public.customers (id, email) values (7, 'ada.lovelace@example.org')`,
    `insert into public.orders (id, mail) values (7, 'ada.lovelace@example.org')`,
    `update public.orders set mail = 'ada.lovelace@example.org'`,
    `update public.customers set city = 'x' returning email`,
    `update public.customers set notes = email`,
    'create table probe (mail text references public.customers (email))',
    'create index probe on public.customers (lower(email))',
    'select * from pg_catalog.pg_statistic',
    'select pg_catalog.pg_read_file($$PG_VERSION$$)',
    'alter view shopper_masked_public.customers set (security_barrier = false)',
    'create or replace view shopper_masked_public.customers as select 1 as id',
    'create view shopper_masked_public.other as select 1',
    'set role postgres',
  ];
  it.each(refused)('is refused by the target itself: %s', async (text) => {
    const client = await rig.session();
    const error = await failure(client.query(text));
    expect(error.code).toMatch(/^(42501|22P02|42809|42P16|55000)$/);
    expect(error.message).not.toMatch(CANARY);
    await client.end();
  });

  it('shows no statistics of masked columns', async () => {
    const client = await rig.session();
    const { rows } = await client.query(
      `select attname from pg_stats where schemaname = 'public' and tablename = 'customers'`,
    );
    expect(rows.map(({ attname }) => String(attname))).not.toContain('email');
    await client.end();
  });

  it('names in its leaves what let it begin', async () => {
    const log = await rig.harness.finishedLog();
    const start = log.findLast(({ leaf: { type } }) => type === 'session.start');
    const leaf = log.find(({ leaf: { n } }) => n === start?.body['server_role_leaf']);
    expect(leaf).toMatchObject({
      leaf: { type: 'mask.role', status: 'ok' },
      body: {
        target_user: ROLE,
        masks: MASKS.match(/kind: Mask/g)?.map(() => expect.objectContaining({ version: 1 })),
      },
    });
    expect(leaf?.body['digest']).toMatch(/^[0-9a-f]{64}$/);
    expect(Number(leaf?.body['masked_columns'])).toBeGreaterThan(20);
    expect(Number(leaf?.body['masking_views'])).toBeGreaterThan(4);
  });

  it('has a script that takes all of it back', async () => {
    const { sql } = await rig.ddl({ undo: true });
    await rig.direct.query(sql);
    expect(await rights(rig.direct)).toEqual(before);
    expect((await rig.ddl({ undo: true })).sql).toContain('there is nothing to take back');
    expect((await failure(rig.session())).code).toBe('42501');
  });
});

/** Every right of the role, its settings, and what schemas there are. */
async function rights(client: Client): Promise<unknown> {
  const { rows } = await client.query(
    `select 'table' as what, c.oid::regclass::text as name, x.privilege_type as value
       from pg_class c cross join lateral aclexplode(c.relacl) x where x.grantee = $1::regrole
     union all
     select 'column', a.attrelid::regclass || '.' || a.attname, x.privilege_type
       from pg_attribute a cross join lateral aclexplode(a.attacl) x where x.grantee = $1::regrole
     union all select 'setting', setdatabase::text, setconfig::text from pg_db_role_setting where setrole = $1::regrole
     union all select 'schema', nspname, coalesce(obj_description(oid, 'pg_namespace'), '') from pg_namespace
       where nspname !~ '^pg_'
     order by 1, 2, 3`,
    [ROLE],
  );
  return rows;
}
