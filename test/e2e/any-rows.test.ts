/** `anyRows`: what has no condition, or comes by COPY, waits from its first row on, with the exact number. */

import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  ANYTHING,
  deciding,
  directly,
  failure,
  holdIn,
  rowsOf,
  through,
  vote,
  withdrawAll,
} from './clients.ts';
import { type Harness, startHarness } from './harness.ts';
import { bind, execute, frame, parse, query, rawSession, SYNC } from './raw-session.ts';

const RULES = `${ANYTHING}---
kind: Person
name: olga
displayName: Olga Owner
---
kind: Rule
name: scores
when: { writes: [scores, parted, kin], rows: '>= 100', anyRows: [update-unqualified, copy-in] }
then: { hold: { approvers: [olga], expires: 1m } }
`;

let harness: Harness;
let token: string;
let direct: Client;

beforeAll(async () => {
  harness = await startHarness({ postgres: { settings: { fsync: 'off' } } });
  direct = await directly(harness);
  await direct.query('create table scores(id int primary key, score int default 0)');
  await direct.query('create table others(id int)');
  await direct.query('create view seen as select id, score from scores');
  await direct.query('create table parted(id int, score int) partition by list (id)');
  await direct.query('create table parted_rest partition of parted default');
  await direct.query('create table kin(id int, score int)');
  await direct.query('create table child() inherits (kin)');
  token = await harness.token('ana');
  await harness.apply(RULES);
}, 60_000);

afterEach(() => withdrawAll(harness));

beforeEach(async () => {
  await direct.query('truncate scores, parted, kin');
  await direct.query('insert into scores select g from generate_series(1, 5) g');
  await direct.query('insert into parted select g from generate_series(1, 4) g');
  await direct.query('insert into child select g from generate_series(11, 12) g');
});

afterAll(async () => {
  await direct?.end();
  await harness?.[Symbol.asyncDispose]();
});

/** What was asked while it ran, by rows. */
async function asked(work: (client: Client) => Promise<unknown>): Promise<readonly number[]> {
  const client = await through(harness, token);
  const rows: number[] = [];
  client.on('notice', ({ message = '' }) => {
    const written = /: (\d+) rows are written, by what is stopped from one row on/.exec(message);
    if (written !== null) rows.push(Number(written[1]));
  });
  const running = work(client);
  await deciding(harness, running, (id) => vote(harness, id, 'olga'));
  await running;
  await client.end();
  return rows;
}

function run(text: string): readonly Buffer[] {
  return [parse('', text), bind('', ''), execute()];
}

function copy(lines: string): readonly Buffer[] {
  return [frame('d', Buffer.from(lines)), frame('c')];
}

describe('a few rows', () => {
  it.each([
    ['an UPDATE without a condition', 'update scores set score = 1', [5]],
    ['one that no row can fail', 'update scores set score = 1 where id = id and 1 < 2', [5]],
    ['one of a view', 'update seen set score = 1', [5]],
    ['one of a partition by its own name', 'update parted_rest set score = 1', [4]],
    ['one of a child by its own name', 'update child set score = 1', [2]],
    ['one in a CTE', 'with u as (update scores set score = 1 returning 1) select * from u', [5]],
    ['one beside others', 'select 1; update scores set score = 1', [5]],
    [
      'a MERGE that joins every row',
      'merge into scores using (select 1) o on true when matched then update set score = 1',
      [5],
    ],
    ['one of no row', 'with d as (select 1) update only scores set score = 1 from d where false', []],
    ['one with a condition', 'update scores set score = 1 where id <= 5', []],
    ['an INSERT', 'insert into scores values (9), (10)', []],
  ] as const)('by %s', async (_, text, expected) => {
    expect(await asked((client) => client.query(text))).toEqual(expected);
  });

  it('by a prepared UPDATE, and by EXECUTE', async () => {
    expect(await asked((client) => client.query('update scores set score = $1', [1]))).toEqual([5]);
    const rows = await asked(async (client) => {
      await client.query('prepare p as update scores set score = 2');
      await client.query('execute p');
    });
    expect(rows).toEqual([5]);
  });

  it('by COPY are undone, and named with their number', async () => {
    const session = await rawSession(harness, token);
    await session.send([query('copy scores from stdin'), ...copy('8\t1\n9\t1\n')], 1);
    expect(session.answers().join('\n')).toMatch(
      /Held by rule "scores".*2 rows are written, by what is stopped/s,
    );
    await session.close();
    expect(await rowsOf(direct, 'scores')).toBe(5);
  });

  it('by COPY in the extended protocol, which is answered before its Sync passes', async () => {
    const session = await rawSession(harness, token);
    const frames = [...run('copy others from stdin'), ...copy('8\n9\n'), ...run('select 1'), SYNC];
    await session.send([...frames, ...run('copy others from stdin'), ...copy('10\n'), SYNC], 2);
    expect(await rowsOf(direct, 'others')).toBe(3);
    await session.send([...run('copy scores from stdin'), ...copy('8\t1\n'), SYNC], 3);
    await session.close();
    expect(session.answers().join('\n')).toMatch(/1 rows are written, by what is stopped/);
    expect(await rowsOf(direct, 'scores')).toBe(5);
  });

  it('in a transaction fail it, and what was approved is not asked for again behind it', async () => {
    const client = await through(harness, token);
    await client.query('begin');
    const error = await failure(client.query('update scores set score = 1'));
    expect(error.message).toMatch(/^Held by rule "scores" .*: 5 rows are written, by what is stopped/);
    await client.query('rollback');
    const id = holdIn(error.message);
    if (id === undefined) throw new Error('no hold');
    await vote(harness, id, 'olga');
    await client.query('begin');
    expect((await client.query('update scores set score = 1')).rowCount).toBe(5);
    expect((await client.query('update scores set score = 2 where id < 4')).rowCount).toBe(3);
    await client.query('commit');
    expect(await rowsOf(direct, 'scores where score = 2')).toBe(3);
    await client.end();
  });

  it('behind others of the transaction are all of its rows', async () => {
    const client = await through(harness, token);
    await client.query('begin');
    await client.query('update scores set score = 1 where id = 1');
    const error = await failure(client.query('update scores set score = 1'));
    expect(error.message).toMatch(/6 rows are written/);
    await client.query('rollback');
    await client.end();
  });

  it('in the middle of a pipeline undo it', async () => {
    const session = await rawSession(harness, token);
    const frames = [
      ...run('insert into scores values (20)'),
      ...run('update scores set score = 7'),
      ...run('insert into scores values (21)'),
      SYNC,
    ];
    const sent = session.send(frames, 1);
    await deciding(harness, sent, (id) => vote(harness, id, 'olga', 'deny'));
    await sent;
    await session.close();
    expect(session.answers().join('\n')).toMatch(/42501/);
    expect(await rowsOf(direct, 'scores where score = 7 or id >= 20')).toBe(0);
  });
});
