/** What real catalogs say that masks reach: heirs, partitions, generated columns, views upon views, and odd names. */

import { existsSync } from 'node:fs';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PostgresServer, startPostgres } from '../../examples/demo/postgres-server.ts';
import { columnLabel } from '../../packages/gateway/src/core/column-labels.ts';
import {
  closure,
  type MaskedLabels,
  type OutputsOf,
} from '../../packages/gateway/src/sql/mask-catalog/closure.ts';
import { MASK_CATALOG_SQL } from '../../packages/gateway/src/sql/mask-catalog/mask-catalog-sql.ts';
import { parseMaskCatalog } from '../../packages/gateway/src/sql/mask-catalog/mask-catalog.ts';
import {
  type ColumnPattern,
  patternsParameter,
} from '../../packages/gateway/src/sql/mask-catalog/patterns.ts';
import { parseColumnPattern } from '../../packages/gateway/src/masking/plan/column-pattern.ts';
import { LabelsReader } from '../../packages/gateway/src/sql/labels/labels-reader.ts';
import { functionKnowledge } from '../../packages/gateway/src/sql/purity/built-in-functions.ts';
import { MASK_SCHEMA } from './mask-catalog-schema.ts';
import { requirePresent } from './require-present.ts';

const DEBIAN = '/usr/lib/postgresql/15/bin';

const VERSIONS = [
  { major: 15, version: DEBIAN },
  { major: 18, version: 'embedded' },
];

describe.each(VERSIONS)('PostgreSQL $major', ({ major, version }) => {
  const present = version !== DEBIAN || requirePresent('PostgreSQL 15', existsSync(`${DEBIAN}/postgres`));
  let server: PostgresServer;
  let client: Client;
  /** Without rights, and with somebody's operators first. */
  let stranger: Client;

  beforeAll(async () => {
    if (!present) return;
    server = await startPostgres({ version, settings: { fsync: 'off' } });
    client = await connect('postgres', server.password);
    await client.query(MASK_SCHEMA);
    if (major >= 18) {
      await client.query(
        "alter table people add virtual_mail text generated always as (email || '!') virtual",
      );
    }
    stranger = await connect('stranger', 'stranger');
    await stranger.query("set search_path to bad, pg_catalog, public; set client_encoding to 'LATIN1'");
  }, 180_000);

  afterAll(async () => {
    await stranger?.end();
    await client?.end();
    await server?.stop();
  });

  async function connect(user: string, password: string): Promise<Client> {
    const made = new Client({ host: '127.0.0.1', port: server.port, user, password, database: 'postgres' });
    await made.connect();
    return made;
  }

  async function masked(
    texts: readonly string[],
    options: { readonly inForce?: readonly string[]; readonly readsViews?: false } = {},
  ): Promise<MaskedLabels> {
    const patterns = texts.map(pattern);
    const { rows } = await stranger.query<(string | null)[]>({
      text: MASK_CATALOG_SQL,
      values: [patternsParameter(patterns)],
      rowMode: 'array',
    });
    const catalog = parseMaskCatalog(rows);
    const { inForce, readsViews } = options;
    const functions = functionKnowledge(major * 10_000, catalog.informationFunctions);
    const reader = new LabelsReader();
    const outputsOf: OutputsOf = (roots) => reader.read(roots, functions).outputs;
    return closure(catalog, {
      patterns,
      functions,
      ...(inForce === undefined ? {} : { inForce: inForce.map(pattern) }),
      ...(readsViews === false ? {} : { outputsOf }),
    });
  }

  /** What is masked, without whole rows, long values, system columns and what nobody can tell. */
  async function reached(...texts: string[]): Promise<readonly string[]> {
    const all = await masked(texts);
    return names(all).filter((name) => !/^pg_|\.\*$|^public\.(?:unclear|statistics)/.test(name));
  }

  async function oidOf(name: string): Promise<number> {
    const { rows } = await client.query<{ oid: string }>('select $1::regclass::oid::int8::text as oid', [
      name,
    ]);
    return Number(rows[0]?.oid);
  }

  it.runIf(present)('follows heirs, views of views and generated columns', async () => {
    expect(await reached('public.people.email')).toEqual(
      [
        'public.people.email',
        'public.people.mail_length',
        ...(major >= 18
          ? ['public.people.virtual_mail', 'public.staff.virtual_mail', 'public.bosses.virtual_mail']
          : []),
        'public.staff.email',
        'public.staff.mail_length',
        'public.bosses.email',
        'public.bosses.mail_length',
        'public.bosses.own',
        'public.mails.address',
        'public.mails.whole',
        'public.more_mails.address',
        'public.people_view.mail',
      ].toSorted(),
    );
  });

  it.runIf(present)('follows an heir up to its parents, and through what they generate', async () => {
    const found = await reached('bosses.email');
    expect(found).toContain('public.people.email');
    expect(found).toContain('public.staff.mail_length');
    // Only here: a column that its heir alone has.
    expect(await reached('bosses.own')).toEqual(['public.bosses.own']);
  });

  it.runIf(present)('follows partitions by name, whose columns have other numbers', async () => {
    expect(await reached('public.orders.card')).toEqual([
      'public.orders.card',
      'public.orders_1.card',
      'public.orders_2.card',
      'public.orders_2_1.card',
    ]);
    expect(await reached('orders_2_1.card')).toContain('public.orders.card');
    const labels = await masked(['public.orders.card']);
    const { rows } = await client.query<{ oid: string; attnum: number }>(
      "select attrelid::int8::text as oid, attnum from pg_attribute where attname = 'card' and attnum > 0",
    );
    expect(new Set(rows.map(({ attnum }) => attnum)).size).toBeGreaterThan(1);
    for (const { oid, attnum } of rows) {
      expect(labels.of(columnLabel(Number(oid), attnum))?.column).toBe('card');
      expect(labels.of(columnLabel(Number(oid), 0))?.column).toBe('*');
      expect(labels.of(columnLabel(Number(oid), attnum + 1))).toBeUndefined();
    }
  });

  it.runIf(present)('tells schemas apart where a pattern does', async () => {
    expect(await reached('shop.people.email')).toEqual(['shop.people.email']);
    expect(await reached('people.email')).toContain('shop.people.email');
    expect(await reached('people.email')).toContain('public.people.email');
  });

  it.runIf(present)('takes names as they are written', async () => {
    expect(await reached('"Odd Schema"."Ünï ""q"""."E.Mail"')).toEqual(['Odd Schema.Ünï "q".E.Mail']);
    expect(await reached('"Odd Schema"."ünï ""q"""."E.Mail"')).toEqual([]);
    expect(await reached('*.𝒳漢')).toEqual(['Odd Schema.Ünï "q".𝒳漢']);
    expect(await reached('"Odd Schema".*.*')).toHaveLength(3);
  });

  it.runIf(present)('passes over columns that were dropped', async () => {
    expect(await reached('dropped.secret')).toEqual([]);
    expect(await reached('dropped.*')).toEqual(['public.dropped.left']);
    const labels = await masked(['dropped.*']);
    expect(labels.of(columnLabel(await oidOf('dropped'), 3))?.column).toBe('left');
    expect(labels.of(columnLabel(await oidOf('dropped'), 2))).toBeUndefined();
  });

  it.runIf(present)('says what it cannot reach', async () => {
    const { unreachable } = await masked([
      'people_view.mail',
      'nobody.email',
      'people.email',
      '*.mail',
      '*.nothing',
    ]);
    expect(unreachable).toEqual([
      { pattern: 'people_view.mail', kind: 'view', views: ['public.people_view'] },
      { pattern: 'nobody.email', kind: 'nothing', views: [] },
      { pattern: '*.mail', kind: 'view', views: ['public.people_view'] },
      { pattern: '*.nothing', kind: 'nothing', views: [] },
    ]);
  });

  it.runIf(present)('masks what nobody can tell, and all views where nobody reads their trees', async () => {
    const unclear = names(await masked(['shop.people.email'])).filter((name) => name.includes('unclear'));
    expect(unclear).toEqual([
      'public.unclear.*',
      'public.unclear.made',
      'public.unclear_view.*',
      'public.unclear_view.x',
    ]);
    const none = names(await masked(['shop.people.email'], { readsViews: false }));
    for (const name of ['mails.id', 'more_mails.address', 'statistics.values', 'harmless.n']) {
      expect(none).toContain(`public.${name}`);
    }
  });

  it.runIf(present)(
    'masks the system’s columns that show values, and long values, as soon as there is a mask',
    async () => {
      const all = names(await masked(['shop.people.email']));
      for (const name of [
        'pg_statistic.stavalues1',
        'pg_statistic.stavalues5',
        'pg_statistic.stanumbers1',
        'pg_statistic.stanullfrac',
        'pg_statistic_ext_data.stxdmcv',
        'pg_statistic_ext_data.stxdexpr',
        'pg_largeobject.data',
        'pg_attribute.attmissingval',
      ]) {
        expect(all).toContain(`pg_catalog.${name}`);
      }
      expect(all.filter((name) => /starelid|staattnum|stxoid|attname|loid/.test(name))).toEqual([]);
      const toast = await client.query<{ oid: string; name: string }>(
        `select reltoastrelid::int8::text as oid, reltoastrelid::regclass::text as name
       from pg_class where oid = 'shop.people'::regclass`,
      );
      const labels = await masked(['shop.people.email']);
      const found = labels.of(columnLabel(Number(toast.rows[0]?.oid), 3));
      expect(`${found?.schema}.${found?.table}`).toBe(toast.rows[0]?.name);
      expect(found?.column).toBe('chunk_data');
      // A view of statistics that was stored.
      expect(all).toContain('public.statistics.values');
      expect(all).not.toContain('public.statistics.who');
    },
  );

  it.runIf(present)(
    'masks nothing where no mask is in force, and names those that reach a column',
    async () => {
      const patterns = ['public.people.email', '*.email', 'public.orders.card'];
      expect((await masked(patterns, { inForce: [] })).columns).toEqual([]);
      const some = await masked(patterns, { inForce: ['public.orders.card'] });
      expect(some.of(columnLabel(await oidOf('people'), 2))).toBeUndefined();
      const all = await masked(patterns);
      expect(all.of(columnLabel(await oidOf('staff'), 2))?.masks).toEqual(['public.people.email', '*.email']);
      expect(all.of(columnLabel(await oidOf('shop.people'), 2))?.masks).toEqual(['*.email']);
      expect(all.of(columnLabel(2619, 27))?.masks).toEqual(patterns);
    },
  );

  it.runIf(present)('knows what was there, and not what came later', async () => {
    const labels = await masked(['people.email']);
    const people = await oidOf('people');
    expect(labels.knows(people, 2)).toBe(true);
    expect(labels.knows(people, 99)).toBe(false);
    expect(labels.knows(1259)).toBe(true);
    expect(labels.knows(await oidOf('mails'))).toBe(true);
    await client.query('create table later (email text); alter table dropped add added text');
    expect(labels.knows(await oidOf('later'))).toBe(false);
    expect(labels.knows(await oidOf('dropped'), 3)).toBe(true);
    expect(labels.knows(await oidOf('dropped'), 4)).toBe(false);
    await client.query('drop table later; alter table dropped drop added');
  });

  it.runIf(present)('takes whatever a view’s trigger returns for masked', async () => {
    const labels = await masked(['people.email']);
    expect(labels.of(columnLabel(await oidOf('people_view'), 1))?.table).toBe('people_view');
    expect(
      (await masked(['people.email'], { inForce: [] })).of(columnLabel(await oidOf('people_view'), 1)),
    ).toBe(undefined);
  });

  it.runIf(present)(
    'asks about 2,000 tables, 500 partitions and 200 patterns within seconds',
    async () => {
      await client.query(`do $$ begin
      for i in 1..1500 loop
        execute format('create table many_%s (id int, email text, a int, b int, c int)', i);
      end loop;
      create table parted (id int, email text, name text) partition by list (id);
      for i in 1..500 loop
        execute format('create table parted_%s partition of parted for values in (%s)', i, i);
      end loop;
    end $$`);
      const patterns = ['*.email', ...Array.from({ length: 199 }, (_, i) => `many_${i + 1}.a`)];
      const times: number[] = [];
      for (let turn = 0; turn < 3; turn += 1) {
        const start = performance.now();
        const labels = await masked(patterns);
        times.push(Math.round(performance.now() - start));
        expect(labels.columns.filter(({ column }) => column === 'email').length).toBeGreaterThan(2_000);
      }
      console.info(`PostgreSQL ${major}: 2,000 relations, 200 patterns: ${times.join(', ')} ms`);
      expect(Math.min(...times)).toBeLessThan(20_000);
    },
    240_000,
  );
});

function pattern(text: string): ColumnPattern {
  const made = parseColumnPattern(text);
  if (made === undefined) throw new Error(`expected a pattern, got ${text}`);
  return made;
}

function names({ columns }: MaskedLabels): readonly string[] {
  return columns.map(({ schema, table, column }) => `${schema}.${table}.${column}`).toSorted();
}
