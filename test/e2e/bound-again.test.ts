/** What is bound again after it was approved is what was approved, whatever has its name by then. */

import type { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deciding, directly, vote } from './clients.ts';
import { type Harness, startHarness } from './harness.ts';
import { bind, execute, parse, type RawSession, rawSession, query, SYNC } from './raw-session.ts';

const RULES = `
kind: Access
name: search-team
who: [group:search]
to: [db]
may: [read, write, define, run, setting-risky]
---
kind: Person
name: olga
displayName: Olga Owner
---
kind: Rule
name: models
when: { writes: [models] }
then: { hold: { approvers: [olga], expires: 1m } }
---
kind: Rule
name: bulk
when: { writes: [scores], rows: '>= 3' }
then: { hold: { approvers: [olga], expires: 1m } }
`;

const SCHEMA = `
  create table models(id int primary key, stage text);
  create table scores(id int primary key, score int);
  create function evil() returns int language plpgsql as $$ begin
    update scores set score = 1 where id <= 3;
    execute 'deallocate s';
    execute 'prepare s as update scores set score = 666 where id > 17';
    return 1;
  end $$;
`;

let harness: Harness;
let direct: Client;
let token: string;

beforeAll(async () => {
  harness = await startHarness();
  direct = await directly(harness);
  await direct.query(SCHEMA);
  token = await harness.token('ana');
  await harness.apply(RULES);
}, 60_000);

afterAll(async () => {
  await direct?.end();
  await harness?.[Symbol.asyncDispose]();
});

async function run(frames: readonly Uint8Array[], readies = 1): Promise<RawSession> {
  await direct.query(`truncate models, scores;
    insert into models select g, 'staging' from generate_series(1, 20) g;
    insert into scores select g, 0 from generate_series(1, 20) g`);
  const session = await rawSession(harness, token);
  const answered = session.send(frames, readies);
  expect(await deciding(harness, answered, (id) => vote(harness, id, 'olga'))).toBeGreaterThan(0);
  await session.close();
  return session;
}

describe('a statement that was approved', () => {
  it('is not the one that has its name when it is bound again', async () => {
    await run([
      parse('', `update models set stage = 'approved' where id = 1`),
      bind('', ''),
      parse('', 'delete from models'),
      execute(),
      SYNC,
    ]);
    const { rows } = await direct.query(
      `select count(*)::int n, count(*) filter (where stage = 'approved')::int a from models`,
    );
    expect(rows).toEqual([{ n: 20, a: 1 }]);
  });

  it('is not what its own function has prepared under its name', async () => {
    await run([parse('s', 'select evil()'), bind('', 's'), execute(), SYNC]);
    const { rows } = await direct.query('select count(*)::int n from scores where score = 666');
    expect(rows).toEqual([{ n: 0 }]);
  });

  it.each([
    ['with characters that are not ASCII', `update models set stage = 'geprüft' where id = 1`, 'geprüft'],
    ['with a backslash', `update models set stage = 'a\\b' where id = 1`, 'a\\b'],
  ])('runs %s', async (_, text, stage) => {
    await run([parse('', text), bind('', ''), execute(), SYNC]);
    expect((await direct.query('select stage from models where id = 1')).rows).toEqual([{ stage }]);
  });

  it('is refused where its text would be read otherwise by now', async () => {
    const session = await run(
      [
        parse('s', `update models set stage = 'a\\b' where id = 1`),
        SYNC,
        query('set standard_conforming_strings = off'),
        bind('', 's'),
        execute(),
        SYNC,
      ],
      3,
    );
    expect(session.answers().join(' ')).toContain('it cannot be bound again');
    expect((await direct.query(`select stage from models where id = 1`)).rows).toEqual([
      { stage: 'staging' },
    ]);
  });
});
