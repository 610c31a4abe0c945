/** Ways around the mode server-role: each is found before a session begins, or ends the sessions that are open. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { failure, serverVersions } from './clients.ts';
import { CANARY, ROLE, type RoleRig, startRoleRig } from './server-role-rig.ts';

/** What an administrator may do wrong: what is done, what the refusal names, and how it is taken back. */
const WAYS: readonly (readonly [title: string, done: string, named: RegExp, undone: string])[] = [
  ['a superuser', `alter role ${ROLE} superuser`, /superuser/, `alter role ${ROLE} nosuperuser`],
  [
    'row security that is bypassed',
    `alter role ${ROLE} bypassrls`,
    /bypass/,
    `alter role ${ROLE} nobypassrls`,
  ],
  ['roles that it makes', `alter role ${ROLE} createrole`, /create roles/, `alter role ${ROLE} nocreaterole`],
  ['replication', `alter role ${ROLE} replication`, /replicate/, `alter role ${ROLE} noreplication`],
  [
    'a column',
    `grant select (email) on customers to ${ROLE}`,
    /read public\.customers\.email/,
    `revoke select (email) on customers from ${ROLE}`,
  ],
  [
    'a column for everybody',
    'grant select (phone) on customers to public',
    /read public\.customers\.phone/,
    'revoke select (phone) on customers from public',
  ],
  [
    'a table for everybody',
    'grant select on events_1 to public',
    /events_1\.payload/,
    'revoke select on events_1 from public',
  ],
  [
    'a partition',
    `grant select on events_1 to ${ROLE}`,
    /events_1\.payload/,
    `revoke select on events_1 from ${ROLE}`,
  ],
  ['an heir', `grant select on vip to ${ROLE}`, /vip\.email/, `revoke select on vip from ${ROLE}`],
  [
    'a view',
    `grant select on mails to ${ROLE}`,
    /mails\.address/,
    `revoke select on mails from ${ROLE}; grant select (id, city) on mails to ${ROLE}`,
  ],
  [
    'a new view of a view',
    `create view far as select upper(address) as a from mails; grant select on far to ${ROLE}`,
    /far\.a/,
    'drop view far',
  ],
  [
    'a view that compares',
    `create view rich as select id from customers where email like 'a%'; grant select on rich to ${ROLE}`,
    /rich\.id/,
    'drop view rich',
  ],
  [
    'a view of whole rows',
    `create view rows as select c from customers c; grant select on rows to ${ROLE}`,
    /rows\.c/,
    'drop view rows',
  ],
  [
    'a materialized view',
    `grant select on contacts to ${ROLE}`,
    /contacts\.phone/,
    `revoke select on contacts from ${ROLE}; grant select (id) on contacts to ${ROLE}`,
  ],
  [
    'a generated column',
    `grant select (mail_key) on customers to ${ROLE}`,
    /mail_key/,
    `revoke select (mail_key) on customers from ${ROLE}`,
  ],
  [
    'a group',
    `create role readers; grant select on customers to readers; grant readers to ${ROLE}`,
    /readers may read/,
    `drop owned by readers; drop role readers`,
  ],
  [
    'a group behind SET ROLE',
    `alter role ${ROLE} noinherit; create role readers; grant select on customers to readers; grant readers to ${ROLE}`,
    /readers may read/,
    `drop owned by readers; drop role readers; alter role ${ROLE} inherit`,
  ],
  [
    'the right to read all data',
    `grant pg_read_all_data to ${ROLE}`,
    /pg_read_all_data/,
    `revoke pg_read_all_data from ${ROLE}`,
  ],
  [
    'statistics of all sessions',
    `grant pg_monitor to ${ROLE}`,
    /pg_monitor/,
    `revoke pg_monitor from ${ROLE}`,
  ],
  [
    'files of the server',
    `grant pg_read_server_files to ${ROLE}`,
    /pg_read_server_files/,
    `revoke pg_read_server_files from ${ROLE}`,
  ],
  [
    'a function that reads files',
    `grant execute on function pg_read_file(text) to ${ROLE}`,
    /pg_read_file/,
    `revoke execute on function pg_read_file(text) from ${ROLE}`,
  ],
  [
    'the catalog of statistics',
    `grant select on pg_statistic to ${ROLE}`,
    /pg_statistic/,
    `revoke select on pg_statistic from ${ROLE}`,
  ],
  [
    'the catalog of large objects',
    `grant select on pg_largeobject to ${ROLE}`,
    /pg_largeobject/,
    `revoke select on pg_largeobject from ${ROLE}`,
  ],
  [
    'a function with the rights of its owner',
    `create function peek() returns text language sql security definer as 'select email from public.customers limit 1'`,
    /public\.peek\(\)/,
    'drop function peek()',
  ],
  [
    'a rule',
    `create table inbox (id int); create table outbox (word text); create rule forward as on insert to inbox do also insert into outbox select email from customers; grant insert on inbox to ${ROLE}; grant select on outbox to ${ROLE}`,
    /rule forward/,
    'drop table inbox, outbox',
  ],
  [
    'a trigger that it makes',
    `grant trigger on customers to ${ROLE}`,
    /triggers on public\.customers/,
    `revoke trigger on customers from ${ROLE}`,
  ],
  [
    'a foreign key that it makes',
    `grant references (email) on customers to ${ROLE}`,
    /foreign keys/,
    `revoke references (email) on customers from ${ROLE}`,
  ],
  [
    'a unique column that it writes',
    `grant update (email) on customers to ${ROLE}`,
    /write public\.customers\.email/,
    `revoke update (email) on customers from ${ROLE}`,
  ],
  [
    'a foreign key that it writes',
    `grant insert (mail) on orders to ${ROLE}`,
    /write public\.orders\.mail/,
    `revoke insert (mail) on orders from ${ROLE}`,
  ],
  [
    'the owner',
    `alter table events_1 owner to ${ROLE}`,
    /owns public\.events_1/,
    'alter table events_1 owner to postgres',
  ],
  [
    'a policy that chooses rows by a masked column',
    `alter table orders enable row level security; create policy guess on orders using (mail like current_setting('my.guess', true))`,
    /policy guess on (public\.)?orders chooses rows by public\.orders\.mail/,
    'drop policy guess on orders; alter table orders disable row level security',
  ],
  [
    'a masking view made before row security',
    'alter table orders enable row level security; create policy everybody on orders using (true)',
    /shopper_masked_public\.orders is not the one/,
    'drop policy everybody on orders; alter table orders disable row level security',
  ],
  [
    'another masking view',
    'create or replace view shopper_masked_public.contacts with (security_barrier = true) as select id, phone from public.contacts',
    /contacts is not the one/,
    '',
  ],
];

/** All of them on the newest server, and everywhere in a soak. */
function someWays(major: number): typeof WAYS {
  return WAYS.filter((_, at) => major === 18 || process.env['COUNTERSIGN_SOAK'] === '1' || at % 3 === 0);
}

describe.each(serverVersions())('PostgreSQL $major', ({ version, major, isPresent }) => {
  if (!isPresent) return;
  let rig: RoleRig;

  beforeAll(async () => {
    rig = await startRoleRig(version);
    await rig.direct.query((await rig.ddl()).sql);
  }, 120_000);

  afterAll(() => rig[Symbol.asyncDispose]());

  it.each(someWays(major))('lets no session begin with %s', async (_, done, named, undone) => {
    await rig.direct.query(done);
    try {
      const error = await failure(rig.session());
      expect([error.code, error.message]).toEqual(['42501', expect.stringMatching(named)]);
      expect(error.message).not.toMatch(CANARY);
    } finally {
      if (undone === '') await rig.direct.query((await rig.ddl()).sql);
      else await rig.direct.query(undone);
    }
    const client = await rig.session();
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    await client.end();
  });

  it('lets no session begin with a masking view that has a trigger, a rule, or is of its own making', async () => {
    await rig.direct.query(`create function peek() returns trigger language plpgsql as $$ begin return new; end $$;
      create trigger t instead of insert on shopper_masked_public.contacts for each row execute function peek()`);
    expect((await failure(rig.session())).message).toMatch(/contacts is not the one/);
    await rig.direct.query(
      'drop function peek() cascade; grant create on schema shopper_masked_public to shopper',
    );
    expect((await failure(rig.session())).message).toMatch(/may make objects in shopper_masked_public/);
    await rig.direct.query('revoke create on schema shopper_masked_public from shopper');
    await rig.direct.query('alter view shopper_masked_public.contacts reset (security_barrier)');
    expect((await failure(rig.session())).message).toMatch(/contacts is not the one/);
    await rig.direct.query('alter view shopper_masked_public.contacts set (security_barrier = true)');
    await (await rig.session()).end();
  });

  it('lets a session begin with a function of somebody who may read nothing, and a view without masked columns', async () => {
    await rig.direct.query(`create role poor; create function harmless() returns int language sql security definer as 'select 1';
      alter function harmless() owner to poor; grant select on names to ${ROLE}`);
    const client = await rig.session();
    expect((await client.query('select harmless() as one, name from names where id = 1')).rows).toEqual([
      { one: 1, name: 'Ada' },
    ]);
    await client.end();
    await rig.direct.query('drop function harmless(); drop role poor');
  });

  it('shows nothing of a column that came later, and takes it into the view with the next script', async () => {
    await rig.direct.query(
      'alter table customers add extra_mail text; update customers set extra_mail = email',
    );
    const client = await rig.session();
    expect(await failure(client.query('select extra_mail from customers'))).toMatchObject({ code: '42703' });
    expect(await failure(client.query('select extra_mail from public.customers'))).toMatchObject({
      code: '42501',
    });
    await client.end();
    await rig.direct.query('alter table customers drop extra_mail');
  });

  it('is not fooled by names that are found before the views', async () => {
    const client = await rig.session();
    await client.query('create temp table customers (id int, email text)');
    expect((await client.query('select email from customers')).rows).toEqual([]);
    await client.query('drop table pg_temp.customers; set search_path = public');
    expect(await failure(client.query('select email from customers'))).toMatchObject({ code: '42501' });
    await client.query('set search_path = pg_temp');
    expect(
      (await client.query('select email from shopper_masked_public.customers where id = 1')).rows,
    ).toEqual([{ email: 'a***@example.org' }]);
    await client.end();
  });

  const MEANWHILE: readonly (readonly [title: string, done: string, undone: string])[] = [
    [
      'GRANT',
      `grant select (email) on customers to ${ROLE}`,
      `revoke select (email) on customers from ${ROLE}`,
    ],
    ['another owner', `alter table events_1 owner to ${ROLE}`, 'alter table events_1 owner to postgres'],
    [
      'another partition that everybody may read',
      `alter default privileges grant select on tables to public;
      create table events_2 partition of events for values from ('2026-02-01') to ('2026-03-01')`,
      `drop table events_2;
      alter default privileges revoke select on tables from public`,
    ],
  ];
  it.each(MEANWHILE)(
    'ends a session that is open within seconds of %s',
    async (_, done, undone) => {
      const client = await rig.session();
      const ended = new Promise<string>((resolve) => client.once('error', (error) => resolve(error.message)));
      await client.query('select 1');
      await rig.direct.query(done);
      expect(await ended).toMatch(/does not hold the Masks of mode server-role/);
      await rig.direct.query(undone);
      const log = await rig.harness.finishedLog();
      const leaf = log.findLast(({ leaf: { type } }) => type === 'mask.role');
      expect(leaf).toMatchObject({ leaf: { status: 'failed' }, body: { why: 'age' } });
    },
    30_000,
  );

  it('ends a session whose Masks have changed until somebody has looked again', async () => {
    const client = await rig.session();
    const ended = new Promise<string>((resolve) => client.once('error', (error) => resolve(error.message)));
    await rig.harness.apply(
      'kind: Mask\nname: cities\ncolumns: [customers.city]\nas: redact\nmode: server-role\n',
    );
    expect(await ended).toMatch(/may read public\.customers\.city/);
    await rig.direct.query((await rig.ddl()).sql);
    const again = await rig.session();
    expect((await again.query('select distinct city from customers')).rows).toEqual([
      { city: '[REDACTED:COLUMN]' },
    ]);
    await again.end();
  }, 30_000);

  it('works beside a strict Mask and one that looks, each for its own columns', async () => {
    await rig.harness.apply(
      'kind: Mask\nname: strict\ncolumns: [customers.name]\nas: redact\n---\nkind: Mask\nname: looks\ndetect: [email]\nas: redact\n',
    );
    const client = await rig.session();
    const { rows } = await client.query(
      `select id, name, email, phone, 'to zoe@example.com'::text as found from customers where id = 1`,
    );
    expect(rows).toEqual([
      {
        id: 1,
        name: '[REDACTED:COLUMN]',
        email: 'a***@example.org',
        phone: '+** **** ******',
        found: 'to [REDACTED:EMAIL]',
      },
    ]);
    expect(await failure(client.query(`select id from customers where name = 'Ada'`))).toMatchObject({
      code: '42501',
    });
    await client.end();
  });
});
