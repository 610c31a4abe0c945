/** A rule on what the target guesses decides before anything runs, and nothing of it runs while it guesses. */

import { readFile } from 'node:fs/promises';
import type { Client } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { directly, failure, serverVersions, through } from './clients.ts';
import { type Harness, startHarness } from './harness.ts';

const SCHEMA = `
create table scores(id int primary key, score int);
insert into scores select g, 0 from generate_series(1, 5000) g;
create table other(id int);
create view many as select * from scores;
create sequence taken;
create function hidden(int) returns int language plpgsql immutable as
  $$ begin perform nextval('taken'); return $1; end $$;
create operator ?+ (rightarg = int, function = hidden);
create role reader login;
grant all on scores, other, many to reader;
analyze;
`;

const RULES = `
kind: Person
name: olga
displayName: Olga Owner
---
kind: Access
name: search-team
who: [group:search]
to: [db, text]
may: [read, write, export, define, run]
---
kind: Rule
name: bulk-writes
when: { writes: [scores], estimated: '>= 1000' }
then: block
---
kind: Rule
name: bulk-reads
when: { reads: [scores], estimated: '> 4000' }
then: block
`;

const MANY = 'update scores set score = 1 where id > 0';

/** Texts, values, and the guess; undefined: there is none. */
const STOPPED: readonly (readonly [string, readonly unknown[], number | undefined])[] = [
  [MANY, [], 5000],
  ['delete from scores where id <> $1', [7], 4999],
  ['insert into scores select id + 10000, 1 from scores', [], 5000],
  ['with w as (update scores set score = 2 returning id) select count(*) from w', [], 5000],
  ['select * from scores', [], 5000],
  ['select * from many', [], 5000],
  ['select * from scores limit $1', [4500], 4500],
  ['explain analyze update scores set score = 3 where score = 0', [], 5000],
  ['create temp table copied as select * from scores', [], 5000],
  ['declare c cursor with hold for select * from scores', [], 5000],
  ['select id from scores where score = ?+ 7', [], undefined],
  ['truncate scores', [], undefined],
  ['update other set id = 1; update scores set score = 1 where id = 1', [], undefined],
];

const PASSED: readonly (readonly [string, readonly unknown[], number | undefined])[] = [
  ['update scores set score = 1 where id = 1', [], 1],
  ['update scores set score = 1 where id < $1', [500], 499],
  ['select * from scores limit 4000', [], 4000],
  ['select count(*) from scores', [], 1],
  ['update other set id = 1', [], undefined],
  ['select 7', [], undefined],
];

/** Of text and values the driver makes a Parse; without either it is a Query. */
function run(client: Client, text: string, values: readonly unknown[], how: string): Promise<unknown> {
  const named = how === 'prepared' ? { name: 's' } : {};
  return client.query({ text, values: [...values], ...named });
}

describe.each(serverVersions())('PostgreSQL $major', ({ version, isPresent }) => {
  let harness: Harness;
  let direct: Client;
  let token: string;
  const open: Client[] = [];

  beforeAll(async () => {
    if (!isPresent) return;
    harness = await startHarness({ postgres: { version, settings: { fsync: 'off', log_statement: 'all' } } });
    direct = await directly(harness);
    await direct.query(SCHEMA);
    const { host, port } = harness.server;
    await harness.apply(`
kind: Connection
name: text
protocol: postgres
target: { host: ${host}, port: ${port}, database: postgres, tls: disable }
credential: { user: postgres, password: { env: DB_PASSWORD } }
serverTree: off
---${RULES}`);
    token = await harness.token('ana');
  });

  afterEach(async () => {
    for (const client of open.splice(0)) await client.end();
    // What was rolled back lies in the table, and the planner guesses by its size.
    if (isPresent) await direct.query('vacuum analyze scores');
  });

  afterAll(async () => {
    await direct?.end();
    await harness?.[Symbol.asyncDispose]();
  });

  async function connected(database = 'db'): Promise<Client> {
    const client = await through(harness, token, { database });
    open.push(client);
    return client;
  }

  /** What the leaf of the last statement with that text says: decision and guess. */
  async function leafOf(text: string): Promise<readonly unknown[]> {
    const log = await harness.log();
    const found = log.findLast(({ leaf, body }) => leaf.type === 'statement.intent' && body['sql'] === text);
    return [found?.leaf.decision, found?.body['estimated_rows']];
  }

  async function score(): Promise<unknown> {
    const { rows } = await direct.query('select count(*)::int n, sum(score)::int s from scores');
    return rows[0];
  }

  const HOW = ['Query', 'prepared', 'in a transaction'];
  const STOPPED_EACH = HOW.flatMap((how) =>
    STOPPED.filter(([text]) => how !== 'prepared' || !text.includes(';')).map(
      (one) => [how, ...one] as const,
    ),
  );
  const PASSED_EACH = HOW.flatMap((how) => PASSED.map((one) => [how, ...one] as const));

  it.runIf(isPresent).each(STOPPED_EACH)('%s: %s is stopped', async (how, text, values, rows) => {
    const client = await connected();
    if (how === 'in a transaction') await client.query('begin');
    const before = await score();
    const error = await failure(run(client, text, values, how));
    expect(error.code).toBe('42501');
    expect(error.message).toContain(rows === undefined ? 'no estimate' : `estimates ${rows} rows`);
    if (how === 'in a transaction') await client.query('rollback');
    await client.query('select 7');
    expect(await leafOf(text)).toEqual(['block', rows]);
    expect(await score()).toEqual(before);
  });

  it.runIf(isPresent).each(PASSED_EACH)('%s: %s passes', async (how, text, values, rows) => {
    const client = await connected();
    await client.query('begin');
    await run(client, text, values, how);
    expect(await leafOf(text)).toEqual(['allow', rows]);
    await client.query('rollback');
  });

  it.runIf(isPresent)('guesses for each value that is bound', async () => {
    const client = await connected();
    await client.query('begin');
    const named = { name: 'p', text: 'update scores set score = 4 where id < $1' };
    await client.query({ ...named, values: [10] });
    expect(await leafOf(named.text)).toEqual(['allow', 9]);
    expect(await failure(client.query({ ...named, values: [4000] }))).toMatchObject({ code: '42501' });
    await client.query('rollback');
    await client.query({ ...named, values: [-1] });
    expect(await failure(client.query({ ...named, values: [4000] }))).toMatchObject({ code: '42501' });
    // Values that are not kept in memory.
    const large = { name: 'l', text: 'update scores set score = 4 where id::text = $1' };
    await client.query({ ...large, values: ['x'] });
    const error = await failure(client.query({ ...large, values: ['x'.repeat(2_097_152)] }));
    expect(error.message).toContain('no estimate');
  });

  it.runIf(isPresent)('runs nothing while it guesses', async () => {
    const log = await readFile(harness.server.logFile, 'utf8');
    expect(log).toContain('EXPLAIN (FORMAT JSON) update scores set score = 1 where id > 0');
    // What is never asked about where no rule says so, or where code of users is in it.
    expect(log).not.toContain('EXPLAIN (FORMAT JSON) update other');
    expect(log).not.toMatch(/EXPLAIN \(FORMAT JSON\) .*\?\+/);
    expect((await direct.query('select is_called from taken')).rows).toEqual([{ is_called: false }]);
  });

  it.runIf(isPresent)('knows nothing where the target is not asked for its tree', async () => {
    const client = await connected('text');
    const error = await failure(client.query('update scores set score = 1 where id = 1'));
    expect(error.message).toContain('no estimate');
    await client.query('update other set id = 1');
    expect(harness.errors).toEqual([]);
  });
});
