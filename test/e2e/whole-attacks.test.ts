/** Ways past policy that lie between its parts: rows that are counted, that are returned, that wait, that are opened. */

import type { Client } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { HoldId } from '../../packages/gateway/src/core/ids.ts';
import { deciding, directly, vote, withdrawAll } from './clients.ts';
import { type Harness, startHarness } from './harness.ts';
import { bind, execute, parse, query, rawSession, SYNC } from './raw-session.ts';

const RULES = `
kind: Access
name: search-team
who: [group:search]
to: [db]
may: [read, write, export, define, run, setting-risky, unknown]
---
{ kind: Person, name: olga, displayName: Olga Owner }
---
{ kind: Person, name: lea, displayName: Lea Lead }
---
{ kind: Rule, name: few, when: { reads: [documents], returned: '> 10' }, then: block }
---
{ kind: Rule, name: bulk, when: { writes: [documents], rows: '>= 5' }, then: { hold: { approvers: [olga], expires: 1m, inTransaction: wait } } }
---
{ kind: Rule, name: elsewhere, when: { writes: [elsewhere], rows: '>= 100' }, then: block }
---
{ kind: Rule, name: models, when: { writes: [models, hidden] }, then: { hold: { approvers: [olga], expires: 1m } } }
---
{ kind: Rule, name: night, who: [ana], on: [db], when: { effects: [update], writes: [models] }, then: { breakGlass: { reviewers: [lea] } } }
`;

const SCHEMA = `
  create table documents(id int primary key, title text);
  create table parents(id int primary key);
  create table children(id int primary key, parent int references parents deferrable initially deferred);
  create table models(id int primary key, stage text);
  create table hidden(id int primary key, n int);
  create function harmless(n int) returns int language plpgsql as $$ begin return n; end $$;
  create function also_hidden() returns trigger language plpgsql as
    $$ begin update hidden set n = n + 1; return new; end $$;
  create trigger also_hidden after update on models for each statement execute function also_hidden();
  create table asked(id int primary key);
  create view elsewhere as select 1 as n;
  create function sent() returns trigger language plpgsql as $$ begin return new; end $$;
  create trigger sent instead of insert on elsewhere for each row execute function sent();
  create rule asked_too as on insert to asked do also select id, title from documents;
`;
const ROWS = `
  truncate documents, parents, children, models, hidden, asked;
  insert into documents select g, 'title ' || g from generate_series(1, 100) g;
  insert into models values (1, 'staging');
  insert into hidden select g, 0 from generate_series(1, 50) g;
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

beforeEach(async () => {
  await direct.query(ROWS);
});

afterEach(() => withdrawAll(harness));

async function rows(text: string): Promise<readonly unknown[]> {
  return (await direct.query({ text, rowMode: 'array' })).rows.flat();
}

async function personId(name: string) {
  const found = await harness.gateway.rooms.identity.principals.findByName(name);
  if (found === undefined) throw new Error(`nobody is called ${name}`);
  return found.id;
}

function approve(id: HoldId): Promise<unknown> {
  return vote(harness, id, 'olga');
}

async function open(id: HoldId): Promise<string> {
  const answer = await harness.gateway.approvals.breakGlass(id, await personId('ana'), 'nothing is ranked');
  return answer.kind === 'done' ? 'opened' : answer.why;
}

interface Ran {
  readonly asked: number;
  readonly answers: readonly string[];
  /** Answers that are rows of documents. */
  readonly titles: number;
}

/** Each group is sent at once, and waits for so many ReadyForQuery in all. */
async function run(
  groups: readonly (readonly [readonly Uint8Array[], number])[],
  decide: (id: HoldId) => Promise<unknown> = approve,
): Promise<Ran> {
  const session = await rawSession(harness, token);
  let asked = 0;
  for (const [frames, readies] of groups) {
    // oxlint-disable-next-line no-await-in-loop -- One behind the other.
    asked += await deciding(harness, session.send(frames, readies), decide);
  }
  await session.close();
  const answers = session.answers();
  return { asked, answers, titles: answers.filter((one) => one.includes('title ')).length };
}

const BEGIN = query('begin');
const COMMIT = query('commit');

describe('rows that are returned, of a statement whose answer is kept back', () => {
  const fails = 'select title, 1 / (id - 50) from documents where harmless(id) > 0';

  it('are not given out beyond the bound where the statement itself fails at its end', async () => {
    const { titles, answers } = await run([[[query(fails)], 1]]);
    expect(answers.at(-1)).toMatch(/42501|22012/);
    expect(titles).toBe(0);
  });

  it('are not given out beyond the bound where it fails in a pipeline, or in a transaction', async () => {
    const piped = await run([[[parse('', fails), bind('', ''), execute(), SYNC], 1]]);
    const inside = await run([[[BEGIN, query(fails), query('rollback')], 3]]);
    expect([piped.titles, inside.titles]).toEqual([0, 0]);
  });

  it('are not given out beyond the bound where what is deferred fails', async () => {
    const text = `with broken as (insert into children values (1, 666) returning id)
      select title from documents, broken`;
    const { titles } = await run([[[query(text)], 1]]);
    expect(titles).toBe(0);
  });

  it('are not counted for a run that was undone, and that nobody got', async () => {
    const update = `update documents set title = title || '!' where id <= 8 returning title`;
    const { asked, titles, answers } = await run([[[BEGIN, query(update), COMMIT], 3]]);
    expect(answers.filter((one) => one.includes('42501'))).toEqual([]);
    expect([asked, titles]).toEqual([1, 8]);
    expect(await rows(`select count(*)::int from documents where title like '%!'`)).toEqual([8]);
  });

  it('are counted where they come from what a rule of the table adds', async () => {
    const { titles } = await run([[[query('insert into asked values (1)')], 1]]);
    expect(titles).toBe(0);
  });
});

describe('rows that only the tag of a statement tells of', () => {
  it('are counted together in one transaction', async () => {
    const insert = query('insert into elsewhere select generate_series(1, 60)');
    const { answers } = await run([[[BEGIN, insert, insert, COMMIT], 4]]);
    expect(answers).toHaveLength(1);
    expect(answers[0]).toContain('120 rows are written');
    const apart = await run([[[insert, insert, BEGIN, insert, query('select 1'), COMMIT], 6]]);
    expect(apart.answers).toHaveLength(1);
  });
});

describe('a hold that was opened in an emergency', () => {
  const update = [query(`update models set stage = 'opened' where id = 1`)];

  it('lets through no rows that the rule which opened it does not cover', async () => {
    const opened: string[] = [];
    const { answers } = await run([[update, 1]], async (id) => {
      opened.push(await open(id));
      if (opened.length > 1)
        await harness.gateway.approvals.withdraw(id, await personId('ana'), 'it cannot be opened');
    });
    expect(opened).toEqual(['opened', 'no-rule']);
    expect(answers.join('\n')).toContain('was withdrawn: it cannot be opened');
    expect(await rows('select sum(n)::int from hidden')).toEqual([0]);
  });

  it('lets them through where somebody else approves these', async () => {
    const done: string[] = [];
    const { answers } = await run([[update, 1]], async (id) => {
      done.push(await open(id));
      if (done.length > 1) await approve(id);
    });
    expect(done).toEqual(['opened', 'no-rule']);
    expect(answers.join('\n')).not.toContain('ERROR');
    expect(await rows('select sum(n)::int from hidden')).toEqual([50]);
  });
});

describe('a client that goes while people are being asked for it', () => {
  const text = 'update models set stage = stage';
  const counted = 'update documents set title = title where id <= 8';
  const bound = [parse('', counted), bind('', ''), execute(), SYNC];

  it.each([
    { what: 'outside of a transaction', frames: [query(text)] },
    { what: 'in its transaction', frames: [BEGIN, query(counted)] },
    { what: 'in its transaction, by a pipeline', frames: [BEGIN, ...bound] },
  ])('leaves nothing open at the target: $what', async ({ frames }) => {
    for (const how of ['end', 'destroy'] as const) {
      // oxlint-disable-next-line no-await-in-loop -- One behind the other.
      const session = await rawSession(harness, token);
      const sent = session.send(frames, 9);
      session.leave(how);
      const left = harness.gateway.sessions.list();
      const over = Promise.all(left.map(({ closed }) => closed)).then(() => 'over');
      const late = new Promise((resolve) => setTimeout(resolve, 8_000, 'still there'));
      // oxlint-disable-next-line no-await-in-loop -- One behind the other.
      expect(await Promise.race([over, late])).toBe('over');
      // oxlint-disable-next-line no-await-in-loop -- One behind the other.
      await sent;
    }
  });
});
