/** What the leaves of a counted pipeline say is what the tables have: `ok` only where its rows are kept. */

import type { Client } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { HoldId } from '../../packages/gateway/src/core/ids.ts';
import { ANYTHING, directly, failure, holdIn, rowsOf, serverVersions, through, vote } from './clients.ts';
import { type Harness, startHarness } from './harness.ts';
import { bind, execute, frame, parse, query, type RawSession, rawSession, SYNC } from './raw-session.ts';

const RULES = `
kind: Person
name: olga
displayName: Olga Owner
groups: [owners]
---
kind: Group
name: owners
members: [ana]
---${ANYTHING}---
kind: Rule
name: bulk
when: { writes: [scores, uniques], rows: '>= 100' }
then: block
---
kind: Rule
name: models
when: { writes: [models] }
then: { hold: { approvers: [group:owners], expires: 1m } }
`;

const SCHEMA = `
create table scores(id int, score int);
create table plain(id int);
create table models(id int);
create table uniques(id int unique deferrable initially deferred);
`;

/** Nothing counts it, and so it runs before there is a transaction of the gateway's. */
const UNCOUNTED = `comment on table plain is 'of the pipeline'`;
const FLUSH = frame('H');

function run(text: string): readonly Buffer[] {
  return [parse('', text), bind('', ''), execute()];
}

function insertInto(table: string, from: number, to: number): string {
  return `insert into ${table}(id) select g from generate_series(${from}, ${to}) g`;
}

describe.each(serverVersions())('the leaves of a pipeline, PostgreSQL $major', ({ version, isPresent }) => {
  let harness: Harness;
  let direct: Client;
  let token: string;

  beforeAll(async () => {
    if (!isPresent) return;
    harness = await startHarness({ postgres: { version, settings: { fsync: 'off' } } });
    direct = await directly(harness);
    await direct.query(SCHEMA);
    token = await harness.token('ana');
    await harness.apply(RULES);
  }, 60_000);

  afterEach(() => direct?.query('truncate scores, plain, models, uniques; comment on table plain is null'));

  afterAll(async () => {
    await direct?.end();
    await harness?.[Symbol.asyncDispose]();
  });

  async function comment(): Promise<unknown> {
    return (await direct.query<{ c: unknown }>(`select obj_description('plain'::regclass) c`)).rows[0]?.c;
  }

  /** Text, status and rows of each statement of the session that ended last, in order. */
  async function leaves(): Promise<readonly (readonly [text: unknown, status: unknown, rows: unknown])[]> {
    const log = await harness.finishedLog();
    const last = log.findLast(({ leaf }) => leaf.type === 'session.start')?.leaf.session;
    const mine = log.filter(({ leaf }) => leaf.session === last);
    return mine
      .filter(({ leaf }) => leaf.type === 'statement.intent')
      .map(({ leaf, body }) => {
        const ended = mine.filter(
          (other) => other.leaf.type === 'statement.outcome' && other.leaf.ref === leaf.n,
        );
        expect(ended).toHaveLength(1);
        return [body['sql'], ended[0]?.leaf.status, ended[0]?.body['rows']] as const;
      });
  }

  async function answersOf(turns: readonly (readonly Buffer[])[]): Promise<string> {
    const session = await rawSession(harness, token);
    let ready = 0;
    for (const turn of turns) {
      ready += turn.filter((one) => one[0] === 0x53 || one[0] === 0x51).length;
      await session.send(turn, ready);
    }
    expect(session.over).toBe(false);
    await session.close();
    return session.answers().join('\n');
  }

  it.skipIf(!isPresent)('of one that is kept say ok, with their rows', async () => {
    const texts = [
      UNCOUNTED,
      insertInto('plain', 1, 3),
      insertInto('scores', 1, 40),
      insertInto('scores', 41, 99),
    ];
    await answersOf([[...texts.flatMap(run), SYNC]]);
    expect(await leaves()).toEqual(texts.map((text, at) => [text, 'ok', [0, 3, 40, 59][at]]));
    expect([await rowsOf(direct, 'plain'), await rowsOf(direct, 'scores')]).toEqual([3, 99]);
  });

  it.skipIf(!isPresent).each([
    ['in one flight', []],
    ['with a Flush behind each', [FLUSH]],
  ])('of one that is undone at its Sync do not say ok, from its first Execute on: %s', async (_, behind) => {
    const texts = [UNCOUNTED, insertInto('plain', 1, 3), insertInto('scores', 1, 60), 'select 7'];
    // Of a deferred trigger's rows the Sync knows first.
    await direct.query(`
      create or replace function late() returns trigger language plpgsql as
        $$begin ${insertInto('scores', 1, 50)}; return null; end$$;
      create constraint trigger late after insert on scores deferrable initially deferred
        for each row when (new.id = 60) execute function late()`);
    const answers = await answersOf([[...texts.flatMap((text) => [...run(text), ...behind]), SYNC]]);
    await direct.query('drop trigger late on scores');
    expect(answers).toContain('C42501');
    const said = await leaves();
    expect(said.map(([text]) => text)).toEqual(texts);
    expect(said.map(([, status]) => status)).toEqual(texts.map(() => 'blocked'));
    expect(await comment()).toBeNull();
    expect([await rowsOf(direct, 'plain'), await rowsOf(direct, 'scores')]).toEqual([0, 0]);
  });

  it.skipIf(!isPresent)('of one that is refused in its middle do not say ok', async () => {
    const texts = [UNCOUNTED, insertInto('scores', 1, 60), insertInto('scores', 1, 60)];
    const answers = await answersOf([[...texts.flatMap(run), SYNC]]);
    expect(answers).toContain('C42501');
    expect((await leaves()).map(([, status]) => status)).toEqual(['blocked', 'blocked', 'blocked']);
    expect([await rowsOf(direct, 'plain'), await rowsOf(direct, 'scores')]).toEqual([0, 0]);
  });

  it.skipIf(!isPresent)('of an earlier pipeline in the same flight say ok', async () => {
    const [first, ...others] = [UNCOUNTED, UNCOUNTED, insertInto('scores', 1, 100)] as const;
    await answersOf([[...run(first), SYNC, ...others.flatMap(run), SYNC]]);
    expect((await leaves()).map(([, status]) => status)).toEqual(['ok', 'blocked', 'blocked']);
    expect([await comment(), await rowsOf(direct, 'scores')]).toEqual(['of the pipeline', 0]);
  });

  it.skipIf(!isPresent)('of one whose COMMIT fails at the target say so', async () => {
    const texts = [UNCOUNTED, insertInto('uniques', 1, 2), insertInto('uniques', 2, 3)];
    const answers = await answersOf([[...texts.flatMap(run), SYNC]]);
    expect(answers).toContain('C23505');
    expect((await leaves()).map(([, status]) => status)).toEqual(['error', 'error', 'error']);
    expect([await comment(), await rowsOf(direct, 'uniques')]).toEqual([null, 0]);
  });

  it.skipIf(!isPresent)('of one that its client leaves before the Sync do not say ok', async () => {
    const texts = [UNCOUNTED, insertInto('scores', 1, 60)];
    const session = await rawSession(harness, token);
    await session.send([...texts.flatMap(run), FLUSH], 0);
    await expect
      .poll(async () => (await harness.log()).at(-1)?.body['sql'], { timeout: 5000 })
      .toBe(texts[1]);
    await session.close();
    expect((await leaves()).map(([, status]) => status)).not.toContain('ok');
    expect([await rowsOf(direct, 'plain'), await rowsOf(direct, 'scores')]).toEqual([0, 0]);
  });

  /** Runs it behind another statement, so that it gets its error at once; then it is approved. */
  async function approved(session: RawSession, text: string): Promise<HoldId> {
    await session.send([...run('select 1'), ...run(text), SYNC], 1);
    const id = holdIn(session.answers().at(-1));
    if (id === undefined) throw new Error(session.answers().join('\n'));
    await vote(harness, id, 'olga');
    return id;
  }

  async function executed(id: HoldId): Promise<unknown> {
    const log = await harness.log();
    return log.find(({ leaf, body }) => leaf.type === 'hold.executed' && body['hold_id'] === id)?.leaf.status;
  }

  it.skipIf(!isPresent)('say that an approved statement was executed when it is kept', async () => {
    const session = await rawSession(harness, token);
    const text = insertInto('models', 1, 2);
    const id = await approved(session, text);
    await session.send([...run('select 1'), ...run(text), FLUSH], 1);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(await executed(id)).toBeUndefined();
    await session.send([SYNC], 2);
    await session.close();
    await harness.finishedLog();
    expect(await executed(id)).toBe('ok');
    expect(await rowsOf(direct, 'models')).toBe(2);
  });

  it.skipIf(!isPresent)('say that an approved statement failed where its COMMIT does', async () => {
    const session = await rawSession(harness, token);
    const text = insertInto('models', 3, 4);
    const id = await approved(session, text);
    await session.send(
      [...run(insertInto('uniques', 1, 1)), ...run(insertInto('uniques', 1, 1)), ...run(text), SYNC],
      2,
    );
    expect(session.answers().at(-1)).toContain('C23505');
    await session.send([query('select 1')], 3);
    await session.close();
    await harness.finishedLog();
    expect(await executed(id)).toBe('failed');
    expect(await rowsOf(direct, 'models')).toBe(0);
  });

  it.skipIf(!isPresent)(
    'say of a slip of the pen what it is, and not that a rule has to count it',
    async () => {
      const client = await through(harness, token);
      const typo = 'select 1 selct from';
      const [told, said] = [await failure(client.query(typo)), await failure(direct.query(typo))];
      expect([told.code, told.message, told.position]).toEqual([said.code, said.message, said.position]);
      expect((await client.query('select 2 as two')).rows).toEqual([{ two: 2 }]);
      await client.end();
    },
  );
});
