/** Ways to have something else kept than was approved, by a client that waits inside of its transaction. */

import type { Client } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { HoldId } from '../../packages/gateway/src/core/ids.ts';
import { deciding, directly, vote, withdrawAll } from './clients.ts';
import { type Harness, startHarness } from './harness.ts';
import { bind, execute, frame, parse, query, rawSession, SYNC } from './raw-session.ts';

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
then: { hold: { approvers: [olga], expires: 1m, inTransaction: wait } }
---
kind: Rule
name: bulk
when: { writes: [scores], rows: '>= 3' }
then: { hold: { approvers: [olga], expires: 1m, inTransaction: wait } }
`;

const SCHEMA = `
  create table models(id int primary key, stage text);
  create table scores(id int primary key, score int);
  create table seen(n int);
  create function evil() returns int language plpgsql as $$ begin
    execute 'deallocate s';
    execute 'prepare s as update scores set score = 666 where id > 17';
    return 1;
  end $$;
  create function writer() returns void language plpgsql as
    $$ begin update scores set score = 5 where id <= 2; end $$;
  create function planned(n int) returns int language plpgsql immutable as
    $$ begin perform writer(); return n; end $$;
`;
const ROWS = `
  truncate models, scores, seen;
  insert into models select g, 'staging' from generate_series(1, 20) g;
  insert into scores select g, 0 from generate_series(1, 20) g;
`;
const BEGIN = query('begin');
const COMMIT = query('commit');

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

/** Each group is sent at once, and waits for so many ReadyForQuery in all. */
async function run(
  ...groups: readonly (readonly [readonly Uint8Array[], number])[]
): Promise<{ readonly asked: number; readonly answers: string }> {
  return runWith((id) => vote(harness, id, 'olga'), groups);
}

async function runWith(
  decide: (id: HoldId) => Promise<unknown>,
  groups: readonly (readonly [readonly Uint8Array[], number])[],
): Promise<{ readonly asked: number; readonly answers: string }> {
  const session = await rawSession(harness, token);
  let asked = 0;
  for (const [frames, readies] of groups) {
    // oxlint-disable-next-line no-await-in-loop -- One behind the other.
    asked += await deciding(harness, session.send(frames, readies), decide);
  }
  await session.close();
  return { asked, answers: session.answers().join('\n') };
}

const AT_ONCE = /send exactly the same again/;

describe('inside of a transaction of the client’s', () => {
  it('what is bound again is the text that was approved, whatever has its name by then', async () => {
    const { asked } = await run([
      [
        BEGIN,
        parse('', `update models set stage = 'approved' where id = 1`),
        bind('', ''),
        parse('', 'delete from models'),
        execute(),
        SYNC,
        COMMIT,
      ],
      3,
    ]);
    expect(asked).toBe(1);
    expect(
      await rows(`select count(*)::int, count(*) filter (where stage = 'approved')::int from models`),
    ).toEqual([20, 1]);
  });

  it('a function that prepares another text under its name is refused at once', async () => {
    const { answers } = await run(
      [
        [BEGIN, parse('s', 'select evil(), (select count(*) from scores)'), bind('', 's'), execute(), SYNC],
        2,
      ],
      [[parse('t', 'update scores set score = 1'), bind('', 't'), execute(), SYNC, COMMIT], 4],
    );
    expect(answers).not.toContain('666');
    expect(await rows('select count(*)::int from scores where score = 666')).toEqual([0]);
  });

  it.each([
    [
      'a second Execute of a pipeline',
      [parse('a', 'insert into seen values (1)'), bind('', 'a'), execute()],
      [],
    ],
    ['another portal that is bound behind it', [], [parse('b', 'select 1'), bind('p', 'b')]],
  ])('%s makes it refused at once, and nothing is kept', async (_, before, behind) => {
    const text = parse('x', 'delete from models');
    const { answers } = await run([
      [BEGIN, ...before, text, bind('q', 'x'), ...behind, execute('q'), SYNC, COMMIT],
      3,
    ]);
    expect(answers).toMatch(AT_ONCE);
    expect(await rows('select count(*)::int from models')).toEqual([20]);
    expect(await rows('select count(*)::int from seen')).toEqual([0]);
  });

  it('a portal of an earlier pipeline is refused at once', async () => {
    const { answers } = await run(
      [[BEGIN, parse('x', 'delete from models'), bind('q', 'x'), SYNC], 2],
      [[execute('q'), SYNC, COMMIT], 4],
    );
    expect(answers).toMatch(AT_ONCE);
    expect(await rows('select count(*)::int from models')).toEqual([20]);
  });

  it('a portal that was suspended does not begin anew', async () => {
    const limited = frame('E', Buffer.from('q\0'), Buffer.from([0, 0, 0, 2]));
    const text = `update models set stage = stage || '!' returning id`;
    const { answers } = await run(
      [[BEGIN, parse('x', text), bind('q', 'x'), limited, SYNC], 2],
      [[execute('q'), SYNC, COMMIT], 4],
    );
    expect(answers).toMatch(AT_ONCE);
    expect(await rows(`select distinct stage from models`)).toEqual(['staging']);
  });

  it('what planning has written at its Bind is not kept where nobody has approved it', async () => {
    const { asked } = await run([
      [
        BEGIN,
        parse('x', 'update scores set score = planned(7) where id = 20'),
        bind('', 'x'),
        execute(),
        SYNC,
        COMMIT,
      ],
      3,
    ]);
    // It is not undoable: who knows what a function does.
    expect(asked).toBe(1);
    expect(await rows('select count(*)::int from scores where score <> 0')).toEqual([0]);
  });

  it('what the client sends meanwhile comes behind it', async () => {
    const { asked, answers } = await run([
      [
        BEGIN,
        query('update scores set score = 1'),
        query('select count(*) from scores where score = 1'),
        COMMIT,
      ],
      4,
    ]);
    expect(asked).toBe(1);
    expect(answers).toContain('20');
    expect(await rows('select count(*)::int from scores where score = 1')).toEqual([20]);
  });

  it('a run that fails when it was approved leaves its error, and nothing else', async () => {
    await direct.query('insert into seen values (1)');
    const text = 'update scores set score = 1 / (select n from seen)';
    const session = await rawSession(harness, token);
    const answered = session.send([BEGIN, query(text), COMMIT], 3);
    for (let tries = 0; tries < 300; tries += 1) {
      // oxlint-disable-next-line no-await-in-loop -- It is looked at again.
      if ((await harness.gateway.approvals.page(undefined, 'open', 100)).length > 0) break;
      // oxlint-disable-next-line no-await-in-loop -- It is looked at again.
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await direct.query('update seen set n = 0');
    expect(await deciding(harness, answered, (id) => vote(harness, id, 'olga'))).toBe(1);
    await session.close();
    expect(session.answers().join()).toContain('division by zero');
    expect(await rows('select count(*)::int from scores where score <> 0')).toEqual([0]);
  });

  it('an answer that is too long is undone', async () => {
    const { asked, answers } = await run([
      [BEGIN, query(`update scores set score = 1 returning repeat('x', 100000)`), COMMIT],
      3,
    ]);
    expect(asked).toBe(1);
    expect(answers).toContain('keptAnswerBytesMax');
    expect(await rows('select count(*)::int from scores where score <> 0')).toEqual([0]);
  });

  it('one approval is for one of two transactions that wait for it', async () => {
    const group = [[BEGIN, query('update scores set score = score + 1'), COMMIT], 3] as const;
    let approved: HoldId | undefined;
    // Both wait for one, or the second asks when the first is through: it gets no other.
    const decide = (id: HoldId): Promise<unknown> =>
      vote(harness, id, 'olga', (approved ??= id) === id ? 'approve' : 'deny');
    const [one, two] = await Promise.all([runWith(decide, [group]), runWith(decide, [group])]);
    expect(`${one.answers}${two.answers}`).toMatch(/used|denied/);
    expect(await rows('select distinct score from scores')).toEqual([1]);
  });

  it('says in the log what was asked, used and refused', async () => {
    const log = await harness.finishedLog();
    const taken = log.filter(({ leaf }) => leaf.type === 'hold.executed').map(({ body }) => body['hold_id']);
    expect(taken.length).toBeGreaterThan(2);
    expect(new Set(taken).size).toBe(taken.length);
    const intents = log.filter(({ leaf }) => leaf.type === 'statement.intent').length;
    expect(log.filter(({ leaf }) => leaf.type === 'statement.outcome')).toHaveLength(intents);
    expect(harness.errors).toEqual([]);
  });
});
