/** Approvers see the keys of rows that a statement would write, no other value of them, and nothing else happens. */

import { Client, type DatabaseError } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HoldId, parseId } from '../../packages/gateway/src/core/ids.ts';
import { type Harness, startHarness } from './harness.ts';

let harness: Harness;
let token: string;

const RULES = `
kind: Access
name: search-team
who: [group:search]
to: [db]
may: [read, write, define, run, role, setting-risky]
---
kind: Person
name: olga
displayName: Olga Owner
---
kind: Rule
name: bulk
when: { writes: [scores, 'other.pairs', parts, guarded, nokey, moods, broken, kept, trees, '"Odd name"'], rows: '>= 3' }
then: { hold: { approvers: [olga], expires: 1m } }
`;

const SCHEMA = `
  create table scores(id int primary key, secret text);
  insert into scores select g, 'secret ' || g from generate_series(1, 500) g;
  create schema other;
  create table other.pairs(a int, b text, c text, primary key (b, a));
  create table parts(id int primary key, n int) partition by range (id);
  create table parts_1 partition of parts for values from (0) to (1000);
  create table guarded(id int primary key, n int);
  insert into guarded select g, 0 from generate_series(1, 9) g;
  alter table guarded enable row level security;
  create table nokey(id int);
  create type mood as enum ('good', 'bad');
  create table moods(m mood, id int, primary key (m, id));
  create table broken(id int primary key);
  create table kept(id int primary key);
  insert into kept select generate_series(1, 9);
  create function keep() returns trigger language plpgsql as $$ begin
    return case when old.id = 1 then null else old end;
  end $$;
  create trigger keep before delete on kept for each row execute function keep();
  create table trees(id int primary key, parent int references trees on delete cascade);
  insert into trees values (1, null), (2, 1), (3, 2), (4, null);
  create table "Odd name"("Odd ""key" text primary key);
`;

beforeAll(async () => {
  harness = await startHarness();
  token = await harness.token('ana');
  await harness.apply(RULES);
  await directly(SCHEMA);
}, 60_000);

afterAll(() => harness?.[Symbol.asyncDispose]());

async function directly(text: string): Promise<readonly Record<string, unknown>[]> {
  const { host, port, password } = harness.server;
  const client = new Client({ host, port, user: 'postgres', password, database: 'postgres' });
  await client.connect();
  const { rows } = await client.query<Record<string, unknown>>(text);
  await client.end();
  return rows;
}

/** What is asked about a statement, which is denied then. */
async function asked(text: string, values?: readonly unknown[], before?: string): Promise<readonly string[]> {
  const { host, port } = harness.gateway.postgres;
  const client = new Client({ host, port, user: 'ana', password: token, database: 'db' });
  client.on('error', () => undefined);
  const waiting = new Promise<HoldId>((resolve) => {
    client.on('notice', ({ message = '' }) => {
      const found = /hld_[0-9a-z]+/i.exec(message)?.[0];
      if (found !== undefined) resolve(parseId('hold', found));
    });
  });
  await client.connect();
  if (before !== undefined) await client.query(before);
  const answer = (values === undefined ? client.query(text) : client.query(text, [...values])).then(
    () => 'ran',
    ({ code }: DatabaseError) => code,
  );
  const id = await waiting;
  const { approvals } = harness.gateway;
  const record = await approvals.find(id);
  const content = record === undefined ? undefined : await approvals.texts.content(record);
  const olga = await harness.gateway.rooms.identity.principals.findByName('olga');
  if (content === undefined || olga === undefined) throw new Error('nobody was asked');
  expect(JSON.stringify(content.affectedKeys)).not.toContain('secret');
  await approvals.vote(id, olga.id, { decision: 'deny', comment: 'looked at' });
  expect(await answer).toBe('42501');
  // The session goes on, with nothing open at the target.
  expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
  await client.end();
  return content.affectedKeys;
}

describe('keys of rows', () => {
  it.each([
    ['in a simple query', undefined, `update scores set secret = secret || '!' where id between 40 and 42`],
    ['in the extended protocol', [42], `update scores set secret = secret || '!' where id between 40 and $1`],
  ])('are shown: %s', async (_, values, text) => {
    expect([...(await asked(text, values))].toSorted()).toEqual(['id=40', 'id=41', 'id=42']);
    expect(await directly(`select count(*)::int as n from scores where secret like '%!'`)).toEqual([
      { n: 0 },
    ]);
  });

  it('are five at most', async () => {
    expect(await asked(`update scores set secret = 'x'`)).toHaveLength(5);
    expect(await asked('delete from scores')).toHaveLength(5);
  });

  it.each([
    ['in a simple query', undefined, 'delete from scores where id between 40 and 42', undefined],
    ['in the extended protocol', [42], 'delete from scores where id between 40 and $1', undefined],
    [
      'by other tables',
      undefined,
      'delete from scores s using generate_series(40, 42) g where s.id = g',
      undefined,
    ],
    [
      'under another default of transactions',
      undefined,
      'delete from scores where id between 40 and 42',
      'set default_transaction_isolation = serializable; set default_transaction_deferrable = on; set default_transaction_read_only = off',
    ],
  ])('are those of what is deleted: %s', async (_, values, text, before) => {
    expect([...(await asked(text, values, before))].toSorted()).toEqual(['id=40', 'id=41', 'id=42']);
    // Whatever is asked behind it, nothing is gone.
    expect(await directly('select count(*)::int as n from scores')).toEqual([{ n: 500 }]);
  });

  it('are those of what is deleted, in partitions and with what goes along', async () => {
    await directly('insert into parts select g, 0 from generate_series(1, 9) g');
    expect([...(await asked('delete from parts where id > 6'))].toSorted()).toEqual(['id=7', 'id=8', 'id=9']);
    await directly('delete from parts');
    expect([...(await asked('delete from trees where id = 1'))].toSorted()).toEqual(['id=1', 'id=2', 'id=3']);
  });

  it('are not those of an earlier statement that was undone', async () => {
    await asked('delete from scores where id between 40 and 42');
    expect([...(await asked('delete from scores where id between 42 and 44'))].toSorted()).toEqual([
      'id=42',
      'id=43',
      'id=44',
    ]);
  });

  it('have every column of the key, also through a partition and search_path', async () => {
    expect(
      await asked(`insert into other.pairs select g, 'k' || g, 'secret 4' from generate_series(1, 3) g`),
    ).toEqual(['a=1, b=k1', 'a=2, b=k2', 'a=3, b=k3']);
    expect(
      await asked(
        `insert into pairs select g, 'k', 'secret 4' from generate_series(1, 3) g`,
        undefined,
        'set search_path = other',
      ),
    ).toEqual(['a=1, b=k', 'a=2, b=k', 'a=3, b=k']);
    expect(await asked('insert into parts select g, 0 from generate_series(7, 9) g')).toEqual([
      'id=7',
      'id=8',
      'id=9',
    ]);
  });

  it('are of names that somebody has chosen', async () => {
    expect(await asked(`insert into "Odd name" select 'it''s ' || g from generate_series(1, 3) g`)).toEqual(
      [1, 2, 3].map((n) => `Odd "key=it's ${n}`),
    );
  });

  it.each([
    ['a policy chooses which rows are deleted', 'delete from guarded where id < 4'],
    [
      'a row that is not deleted is locked with those that are',
      'delete from scores where id in (select id from scores where id between 40 and 43 for update) and id <> 43',
    ],
    ['a trigger keeps a row from being deleted', 'delete from kept where id between 1 and 4'],
    ['a policy chooses the rows', 'update guarded set n = 1 where id < 4'],
    ['there is no key', 'insert into nokey select generate_series(1, 3)'],
    ['a type is not PostgreSQL’s own', `insert into moods select 'good', g from generate_series(1, 3) g`],
    [
      'two tables are written',
      'with a as (insert into nokey values (1)) insert into scores select g, $$$$ from generate_series(901, 903) g',
    ],
  ])('are not shown where %s', async (_, text) => {
    expect(await asked(text)).toEqual([]);
  });

  it.each([undefined, []])(
    'are not shown where they cannot be read, and that changes nothing',
    async (values) => {
      await directly(
        `create role writer; grant insert on broken to writer; grant usage on schema public to writer`,
      );
      const keys = await asked('insert into broken select generate_series(1, 3)', values, 'set role writer');
      await directly(
        'revoke all on broken from writer; revoke all on schema public from writer; drop role writer',
      );
      expect(keys).toEqual([]);
    },
  );
});
