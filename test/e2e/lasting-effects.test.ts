/**
 * What no ROLLBACK undoes is held before it runs: until somebody has approved it nothing of it has happened at the
 * target, and then it happens once.
 */

import type { Client, DatabaseError } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { HoldId } from '../../packages/gateway/src/core/ids.ts';
import {
  ANYTHING,
  deciding,
  directly,
  holdIn,
  serverVersions,
  through,
  vote,
  withdrawAll,
} from './clients.ts';
import { type Harness, startHarness } from './harness.ts';

const RULES = `${ANYTHING}---
kind: Person
name: olga
displayName: Olga Owner
---
kind: Rule
name: lasting
when: { effects: [maintain, define, run, administer, sequence], client: [lasting] }
then: { hold: { approvers: [olga], expires: 1m } }
---
kind: Rule
name: bulk
when: { writes: [scores], rows: '>= 100', client: [bulk] }
then: { hold: { approvers: [olga], expires: 1m } }
`;

const SCHEMA = `
create table scores(id int primary key, score int);
insert into scores select g, 0 from generate_series(1, 5) g;
create index by_score on scores(score);
create table elsewhere(id int);
create sequence counter;
create procedure in_parts() language plpgsql as $$
  begin insert into elsewhere values (1); commit; insert into elsewhere values (2); end $$;
create function outside() returns int language plpgsql as $$
  begin perform nextval('counter'); return 1; end $$;
`;

const COUNTER = `select last_value || ' ' || is_called as w from counter`;
const ELSEWHERE = 'select count(*)::text as w from elsewhere';
const NODE = `select coalesce(pg_relation_filenode('by_score'), 0)::text as w`;

/** A statement, what shows that it has run, and what that says before and after. */
interface Case {
  readonly what: string;
  readonly text: string;
  readonly witness: string;
  readonly before: string | undefined;
  /** Undefined: another one than before. */
  readonly after: string | undefined;
  readonly ready?: string;
}

const START_COUNTER = 'alter sequence counter restart';
const REMOTE = `select * from dblink(current_setting('test.self'), 'insert into elsewhere values (7) returning 7') as t(id int)`;

const CASES: readonly Case[] = [
  {
    what: 'VACUUM',
    text: 'vacuum scores',
    witness: `select (relallvisible > 0)::text as w from pg_class where relname = 'scores'`,
    before: 'false',
    after: 'true',
    ready: 'truncate scores; insert into scores select g, 0 from generate_series(1, 5) g',
  },
  {
    what: 'CREATE INDEX CONCURRENTLY',
    text: 'create index concurrently by_both on scores(score, id)',
    witness: `select coalesce(to_regclass('by_both')::text, 'none') as w`,
    before: 'none',
    after: 'by_both',
    ready: 'drop index if exists by_both',
  },
  {
    what: 'REINDEX CONCURRENTLY',
    text: 'reindex (concurrently) index by_score',
    witness: NODE,
    before: undefined,
    after: undefined,
  },
  {
    what: 'nextval',
    text: `select nextval('counter')`,
    witness: COUNTER,
    before: '1 false',
    after: '1 true',
    ready: START_COUNTER,
  },
  {
    what: 'setval',
    text: `select setval('counter', 500)`,
    witness: COUNTER,
    before: '1 false',
    after: '500 true',
    ready: START_COUNTER,
  },
  {
    what: 'a function that calls it',
    text: 'select outside()',
    witness: COUNTER,
    before: '1 false',
    after: '1 true',
    ready: START_COUNTER,
  },
  { what: 'dblink', text: REMOTE, witness: ELSEWHERE, before: '0', after: '1', ready: 'truncate elsewhere' },
  {
    what: 'ALTER SYSTEM',
    text: `alter system set geqo_threshold = '17'`,
    witness: `select (pg_read_file('postgresql.auto.conf') like '%geqo_threshold%')::text as w`,
    before: 'false',
    after: 'true',
  },
  {
    what: 'CREATE DATABASE',
    text: 'create database another',
    witness: `select count(*)::text as w from pg_database where datname = 'another'`,
    before: '0',
    after: '1',
  },
];

describe.each(serverVersions())('PostgreSQL $major', ({ version, major, isPresent }) => {
  if (!isPresent) return;
  const ways = major === 18 ? [undefined, []] : [undefined];
  let harness: Harness;
  let direct: Client;
  let token: string;

  beforeAll(async () => {
    harness = await startHarness({
      postgres: { version, settings: { fsync: 'off', autovacuum: 'off' } },
    });
    direct = await directly(harness);
    await direct.query(SCHEMA);
    await direct.query('create extension dblink');
    const { host, port, password } = harness.server;
    const self = `host=${host} port=${port} user=postgres password=${password} dbname=postgres`;
    await direct.query(`alter role postgres set test.self = '${self}'`);
    token = await harness.token('ana');
    await harness.apply(RULES);
  }, 60_000);

  afterEach(() => withdrawAll(harness));

  afterAll(async () => {
    await direct?.end();
    await harness?.[Symbol.asyncDispose]();
  });

  async function seen(witness: string): Promise<string | undefined> {
    return (await direct.query<{ w: string }>(witness)).rows[0]?.w;
  }

  /** What became of it, how often somebody was asked, and what could be seen at the target each time. */
  async function run(
    { text, witness }: Case,
    decision: 'approve' | 'deny',
    values: readonly unknown[] | undefined,
    as = 'lasting',
  ): Promise<{ readonly error: DatabaseError | undefined; readonly askedAt: readonly unknown[] }> {
    const client = await through(harness, token, { application_name: as });
    // The driver knows the option, its types do not.
    const extended = { text, queryMode: 'extended' };
    const answer = (values === undefined ? client.query(text) : client.query(extended)).then(
      () => undefined,
      (error: DatabaseError) => error,
    );
    const askedAt: unknown[] = [];
    await deciding(harness, answer, async (id: HoldId) => {
      askedAt.push(await seen(witness));
      await vote(harness, id, 'olga', decision);
    });
    const error = await answer;
    await client.end();
    return { error, askedAt };
  }

  describe('is held before it runs', () => {
    it.each(CASES.flatMap((one) => ways.map((values) => ({ ...one, values }))))(
      '$what, $values',
      async ({ values, ready, ...one }) => {
        if (ready !== undefined) await direct.query(ready);
        if (one.what === 'ALTER SYSTEM') await direct.query('alter system reset geqo_threshold');
        if (one.what === 'CREATE DATABASE') await direct.query('drop database if exists another');
        const before = one.before ?? (await seen(one.witness));
        expect(await seen(one.witness)).toBe(before);

        const denied = await run(one, 'deny', values);
        expect(denied.error?.code).toBe('42501');
        expect(denied.askedAt).toEqual([before]);
        expect(await seen(one.witness)).toBe(before);

        const approved = await run(one, 'approve', values);
        expect(approved.error).toBeUndefined();
        expect(approved.askedAt).toEqual([before]);
        const after = await seen(one.witness);
        expect(after).toBe(one.after ?? after);
        expect(after).not.toBe(before);
      },
    );
  });

  it('is held by a rule on rows, whatever they are, and is no number of them', async () => {
    await direct.query(START_COUNTER);
    const one: Case = {
      what: 'rows',
      text: `insert into scores select 100 + nextval('counter'), 0`,
      witness: COUNTER,
      before: '1 false',
      after: '1 true',
    };
    const denied = await run(one, 'deny', undefined, 'bulk');
    expect([denied.error?.code, denied.askedAt, await seen(COUNTER)]).toEqual([
      '42501',
      ['1 false'],
      '1 false',
    ]);
    const approved = await run(one, 'approve', undefined, 'bulk');
    expect([approved.error, approved.askedAt, await seen(COUNTER)]).toEqual([
      undefined,
      ['1 false'],
      '1 true',
    ]);
  });

  it('fails where it would commit in its middle, however it was approved, and nothing of it has happened', async () => {
    await direct.query('truncate elsewhere');
    const one: Case = { what: 'CALL', text: 'call in_parts()', witness: ELSEWHERE, before: '0', after: '0' };
    const { error, askedAt } = await run(one, 'approve', undefined);
    expect([error?.code, askedAt, await seen(ELSEWHERE)]).toEqual(['2D000', ['0'], '0']);
  });

  it('in a transaction of the client’s fails it, and nothing of it has happened', async () => {
    await direct.query(START_COUNTER);
    const client = await through(harness, token, { application_name: 'lasting' });
    for (const text of [`select nextval('counter')`, 'select outside()', 'call in_parts()', REMOTE]) {
      await direct.query('truncate elsewhere');
      await client.query('begin');
      const error = await client.query(text).then(
        () => undefined,
        (thrown: DatabaseError) => thrown,
      );
      expect(holdIn(error?.message)).toBeDefined();
      await client.query('rollback');
      expect([await seen(COUNTER), await seen(ELSEWHERE)]).toEqual(['1 false', '0']);
    }
    await client.end();
  });
});
