/** What `mask preview` tells of a real database: what is masked, what samples have, and never a value. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MaskPreviewAnswer } from '../../packages/gateway/src/api/answers.ts';
import { previewLines } from '../../packages/gateway/src/cli/mask-preview-text.ts';
import { directly, serverVersions } from './clients.ts';
import { type Harness, startHarness } from './harness.ts';

const SCHEMA = `
create table customers (id int primary key, name text, email text, phone text, born date,
  lower_email text generated always as (lower(email)) stored);
insert into customers (id, name, email, phone, born)
  select i, 'Ada', 'ada' || i || '@example.org', '+44 7700 900' || (100 + i), '1990-12-10' from generate_series(1, 20) i;
create table vip (level int) inherits (customers);
create materialized view mails as select email as address from customers;
create view shown as select email from customers;
create table leads (id int, contact text, notes text, extra jsonb, card bigint, iban text, password_hash text,
  tags text[], has_email bool);
insert into leads select i, 'lead' || i || '@example.org', case when i % 2 = 0 then 'mail bob' || i || '@example.org' end,
  jsonb_build_object('mail', 'eve' || i || '@example.org'), 4111111111111111, null, null,
  array['x', 'tag' || i || '@example.org'], true from generate_series(1, 50) i;
create schema "My ""Shop""";
create table "My ""Shop""".
  "Tab.le; drop table leads" ("E-Mail" text, "ord""er" text);
insert into "My ""Shop""".
  "Tab.le; drop table leads" values ('quoted@example.org', 'x');
create table secured (contact text);
insert into secured values ('secured@example.org');
create function spy() returns bool language plpgsql as $$ begin raise exception 'canary spied'; end $$;
create view wild as select spy() as x, 'canary@example.org'::text as email;
create table parts (day int, mail text) partition by list (day);
create table parts_1 partition of parts for values in (1);
insert into parts select 1, 'part' || i || '@example.org' from generate_series(1, 30) i;
create table large (id int, mail text, filler text);
insert into large select i, case when i > 60000 then 'late' || i || '@example.org' end, repeat('x', 100)
  from generate_series(1, 80000) i;
analyze;
`;

const MASKS = `
kind: Mask
name: customers
columns: [customers.email, leads.nothing_here, shown.email]
as: partial
entity: EMAIL
unless: [otto]
---
kind: Mask
name: births
columns: [public.customers.born]
as: { kind: generalise, unit: year }
mode: permissive
---
kind: Person
name: root
displayName: Root
groups: [administrators]
`;

const DETECT = `
kind: Mask
name: looks
detect: [email]
as: redact
`;

const CANARY = /example\.org|900\d{3}|12-10|canary|4111/;

describe.each(serverVersions())('PostgreSQL $major', ({ version, isPresent, major }) => {
  if (!isPresent) return;
  let harness: Harness;
  let root: string;
  let answer: MaskPreviewAnswer;

  beforeAll(async () => {
    harness = await startHarness({ postgres: { version } });
    const direct = await directly(harness);
    await direct.query(SCHEMA);
    await direct.end();
    await harness.apply(MASKS);
    root = await harness.token('root');
    answer = await preview({});
  }, 240_000);

  afterAll(async () => {
    await harness[Symbol.asyncDispose]();
  });

  async function ask(body: object, token = root, connection = 'db'): Promise<Response> {
    const { port } = harness.gateway.api;
    return fetch(`http://127.0.0.1:${port}/v1/connections/${connection}/mask-preview`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  }

  async function preview(body: object): Promise<MaskPreviewAnswer> {
    const response = await ask(body);
    const text = await response.text();
    expect([response.status, text.slice(0, 300)]).toEqual([200, expect.any(String)]);
    expect(text).not.toMatch(CANARY);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The assertions that follow check it.
    return JSON.parse(text) as MaskPreviewAnswer;
  }

  function uncovered(name: string, of = answer): MaskPreviewAnswer['uncovered'][number] | undefined {
    return of.uncovered.find(({ schema, table, column }) => `${schema}.${table}.${column}` === name);
  }

  it('lists columns with their Masks, and how they are reached', () => {
    const rows = answer.masked.map(({ schema, table, column, mask, operator, mode, how }) =>
      [`${schema}.${table}.${column}`, mask, operator, mode, how].join(' '),
    );
    expect(rows).toEqual([
      'public.customers.born births generalise permissive named',
      'public.customers.email customers partial strict named',
      'public.customers.lower_email customers partial strict generated',
      'public.mails.address customers partial strict materialized',
      'public.vip.born births generalise permissive inherits',
      'public.vip.email customers partial strict inherits',
      'public.vip.lower_email customers partial strict generated',
    ]);
    expect(answer.serverVersion).toMatch(new RegExp(`^${major}`));
  });

  it('says which patterns mask nothing', () => {
    expect(answer.unreachable).toEqual([
      { pattern: 'leads.nothing_here', masks: ['customers'], kind: 'nothing', views: [] },
      { pattern: 'shown.email', masks: ['customers'], kind: 'view', views: ['public.shown'] },
    ]);
  });

  it('finds what no Mask is for, in texts, JSON, arrays, numbers, partitions and quoted names', () => {
    const found = (name: string): readonly string[] =>
      (uncovered(name)?.found ?? []).map(
        ({ entity, values, covered }) => `${entity} ${values}/${uncovered(name)?.sampled} ${covered}`,
      );
    expect(found('public.leads.contact')).toEqual(['EMAIL 50/50 0']);
    expect(found('public.leads.notes')).toEqual(['EMAIL 25/25 0']);
    expect(found('public.leads.extra')).toEqual(['EMAIL 50/50 0']);
    expect(found('public.leads.tags')).toEqual(['EMAIL 50/50 0']);
    expect(found('public.leads.card')).toEqual(['CREDIT_CARD 50/50 0']);
    expect(found('public.parts.mail')).toEqual(['EMAIL 30/30 0']);
    expect(found('My "Shop".Tab.le; drop table leads.E-Mail')).toEqual(['EMAIL 1/1 0']);
    expect(uncovered('public.parts_1.mail')).toBeUndefined();
    expect(uncovered('public.customers.email')).toBeUndefined();
    expect(uncovered('public.wild.email')).toBeUndefined();
  });

  it('picks pages of a large table, and not its first ones', () => {
    expect(uncovered('public.large.mail')?.found.map(({ entity }) => entity)).toEqual(['EMAIL']);
  });

  it('names columns by what their names say, and takes no truth for a value', () => {
    expect(uncovered('public.leads.password_hash')).toMatchObject({ looksLike: ['AUTH'], found: [] });
    expect(uncovered('public.leads.iban')).toMatchObject({ looksLike: ['BANK'], found: [], sampled: 0 });
    expect(uncovered('public.leads.has_email')).toBeUndefined();
  });

  it('says which detecting Mask would hide what was found, which does not look into numbers', async () => {
    await harness.apply(DETECT);
    const detected = await preview({});
    await harness.gateway.rooms.resources.delete('Mask', 'looks', {
      name: 'test',
      kind: 'system',
      keyId: harness.gateway.rooms.bootId,
    });
    expect(detected.detecting).toMatchObject([{ mask: 'looks', operator: 'redact', entities: ['EMAIL'] }]);
    expect(uncovered('public.leads.notes', detected)?.found).toEqual([
      { entity: 'EMAIL', values: 25, covered: 25, masks: ['looks'] },
    ]);
    expect(uncovered('public.leads.card', detected)?.found).toMatchObject([{ covered: 0, masks: [] }]);
  });

  it('looks for what Detectors find where a Mask does', async () => {
    await harness.apply(`{ kind: Detector, name: leads, pattern: 'lead[0-9]+', ignoreCase: true }
---
{ kind: Mask, name: house, detect: [custom:leads], as: redact }`);
    const detected = await preview({});
    const by = { name: 'test', kind: 'system', keyId: harness.gateway.rooms.bootId } as const;
    await harness.gateway.rooms.resources.delete('Mask', 'house', by);
    await harness.gateway.rooms.resources.delete('Detector', 'leads', by);
    expect(detected.detecting).toMatchObject([{ mask: 'house', entities: ['CUSTOM', 'CUSTOM:leads'] }]);
    expect(uncovered('public.leads.contact', detected)?.found).toEqual([
      { entity: 'CUSTOM', values: 50, covered: 50, masks: ['house'] },
    ]);
  });

  it('is for one person where that is asked, and refuses one who is not there', async () => {
    const otto = await preview({ for: 'otto' });
    expect(otto).toMatchObject({ for: 'otto', letIn: false });
    expect(new Set(otto.masked.map(({ mask }) => mask))).toEqual(new Set(['births']));
    expect(await preview({ for: 'ana' })).toMatchObject({ letIn: true });
    expect((await ask({ for: 'nobody' })).status).toBe(404);
    expect((await ask({}, root, 'nowhere')).status).toBe(404);
  });

  it('lets in administrators and auditors only, and leaves a leaf before it looks', async () => {
    const count = async (): Promise<number> =>
      (await harness.log()).filter(({ leaf }) => leaf.type === 'mask.preview').length;
    const before = await count();
    expect((await ask({}, await harness.token('ana'))).status).toBe(403);
    expect(await count()).toBe(before);
    expect((await ask({ database: 'not there', reason: 'a look', for: 'ana' })).status).toBe(502);
    const last = (await harness.log()).findLast(({ leaf }) => leaf.type === 'mask.preview');
    expect(last?.leaf.target).toBe('db');
    expect(last?.body).toEqual({ database: 'not there', name: 'ana', reason: 'a look' });
  });

  it('leaves no connection open, and nothing changed', async () => {
    const direct = await directly(harness);
    await expect
      .poll(async () => {
        const { rows } = await direct.query(
          "select count(*)::int n from pg_stat_activity where application_name = 'countersign mask preview'",
        );
        return rows[0].n;
      })
      .toBe(0);
    await direct.end();
  });

  it('leaves out what its role may not read, and tables with row security or a lock', async () => {
    const direct = await directly(harness);
    await direct.query(`create role looker login password 'looker';
      grant select on leads, secured, large to looker;
      revoke all on customers from looker; grant select (name) on customers to looker;
      alter table secured enable row level security;
      create function seen() returns bool language sql stable as 'select true';
      create policy seen on secured using (seen())`);
    const { host, port } = harness.server;
    await harness.apply(`kind: Connection
name: little
protocol: postgres
target: { host: ${host}, port: ${port}, database: postgres, tls: disable }
credential: { user: looker, password: { env: DB_PASSWORD } }
`);
    await direct.query(`alter role looker password '${harness.server.password}'`);
    await direct.query('begin; lock table large in access exclusive mode');
    const response = await ask({}, root, 'little');
    const little: unknown = await response.json();
    await direct.query('rollback');
    await direct.end();
    expect(little).toMatchObject({ connection: 'little', columns: { notSampled: { failed: 4 } } });
    expect(JSON.stringify(little)).not.toMatch(CANARY);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- As above.
    const { columns, masked } = little as MaskPreviewAnswer;
    expect(columns.notSampled['no-right']).toBeGreaterThan(3);
    // The catalog tells what is masked, whoever may read it.
    expect(masked).toHaveLength(7);
  });

  it('looks at no more than so many columns, and says how many it left out', async () => {
    const direct = await directly(harness);
    await direct.query('create database wide');
    await direct.end();
    const wide = await directly(harness, 'wide');
    for (const table of ['a', 'b', 'c']) {
      const columns = Array.from({ length: 1_000 }, (_, i) => `c${i} text`).join(', ');
      await wide.query(
        `create table ${table} (${columns}); insert into ${table} (c0, c999) values ('x@example.org', 'y')`,
      );
    }
    await wide.end();
    const bounded = await preview({ database: 'wide' });
    expect(bounded.columns).toEqual({ all: 3_000, sampled: 2_000, notSampled: { limit: 1_000 } });
    expect(bounded.uncovered).toHaveLength(2);
    expect(bounded.masked).toEqual([]);
  }, 120_000);

  it('prints lines that fit a terminal', () => {
    const lines = previewLines(answer);
    expect(lines.filter((line) => line.length > 100)).toEqual([]);
    if (process.env['SHOW_PREVIEW'] !== undefined) process.stdout.write(`${lines.join('\n')}\n`);
    expect(lines).toContain('Masked columns: 7');
    expect(lines.join('\n')).not.toMatch(CANARY);
  });
});

it('says what a target that is not there means, and keeps nothing open', async () => {
  await using harness = await startHarness();
  await harness.apply(`${MASKS}---
kind: Connection
name: gone
protocol: postgres
target: { host: 127.0.0.1, port: 1, database: postgres, tls: disable }
credential: { user: postgres, password: { env: DB_PASSWORD } }
`);
  const response = await fetch(
    `http://127.0.0.1:${harness.gateway.api.port}/v1/connections/gone/mask-preview`,
    {
      method: 'POST',
      headers: { authorization: `Bearer ${await harness.token('root')}`, 'content-type': 'application/json' },
      body: '{}',
    },
  );
  expect(response.status).toBe(502);
  expect(await response.json()).toMatchObject({ code: 'UPSTREAM_FAILED' });
}, 120_000);
