/** Where rows cannot be counted, or a client goes in the middle of a count, nothing of it is written. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, DatabaseError } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ANYTHING, directly, failure, rowsOf, through } from './clients.ts';
import { type Harness, startHarness } from './harness.ts';
import { bind, execute, frame, parse, query, rawSession, SYNC } from './raw-session.ts';

const RULES = `${ANYTHING}---
kind: Rule
name: bulk
when: { writes: [scores], rows: '>= 100' }
then: block
`;

let harness: Harness;
let direct: Client;
let token: string;

beforeAll(async () => {
  harness = await startHarness({ postgres: { settings: { fsync: 'off' } } });
  direct = await directly(harness);
  await direct.query('create table scores(id int)');
  token = await harness.token('ana');
  await harness.apply(RULES);
}, 60_000);

afterEach(() => direct?.query('truncate scores'));

afterAll(async () => {
  await direct?.end();
  await harness?.[Symbol.asyncDispose]();
});

const INSERT = 'insert into scores values (1)';

/** Simple, extended, and in a transaction: each is refused, says why, and the session goes on. */
async function isRefused(client: Client): Promise<void> {
  const extended = { text: INSERT, queryMode: 'extended' };
  for (const statement of [INSERT, extended]) {
    expect((await failure(client.query(statement as string))).message).toMatch(/track_counts is off/);
  }
  await client.query('begin');
  expect((await failure(client.query(INSERT))).message).toMatch(/track_counts is off/);
  await client.query('rollback');
  expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
  expect(await rowsOf(direct, 'scores')).toBe(0);
}

describe('a session that does not count', () => {
  it('because of ALTER ROLE writes nothing that is counted', async () => {
    await direct.query('alter role postgres set track_counts = off');
    try {
      const client = await through(harness, token);
      await isRefused(client);
      expect(await rowsOf(direct, 'scores')).toBe(0);
      await client.end();
    } finally {
      await direct.query('alter role postgres reset track_counts');
    }
  });

  it('because of its start-up options writes nothing that is counted', async () => {
    const refused = await through(harness, token, { options: '-c track_counts=off' }).then(
      async (client) => {
        await isRefused(client);
        await client.end();
        return 'with this option it writes nothing';
      },
      (error: DatabaseError) => error.message,
    );
    // The gateway may as well refuse the option.
    expect(refused).toMatch(/option|track_counts/);
    expect(await rowsOf(direct, 'scores')).toBe(0);
  });

  it.each([
    'set track_counts = off',
    'set local track_counts to off',
    `select set_config('track_counts', 'off', false)`,
    `update pg_settings set setting = 'off' where name = 'track_counts'`,
    `do $$begin execute 'set track_counts = off'; end$$`,
  ])('because of %s writes nothing that is counted', async (text) => {
    const client = await through(harness, token);
    await client.query(text).catch(() => undefined);
    const { rows: shown } = await client.query<{ track_counts: string }>('show track_counts');
    if (shown[0]?.track_counts === 'off') await isRefused(client);
    const error = await failure(client.query('insert into scores select generate_series(1, 100)'));
    expect(error.message).toMatch(/track_counts is off|100 rows/);
    expect(await rowsOf(direct, 'scores')).toBe(0);
    await client.end();
  });
});

describe('a client that goes in the middle of a counted COPY', () => {
  it.each([
    ['in a simple query', [query('copy scores from stdin')], 'end'],
    ['in a simple query', [query('copy scores from stdin')], 'destroy'],
    ['in the extended protocol', [parse('', 'copy scores from stdin'), bind('', ''), execute(), SYNC], 'end'],
    [
      'in a pipeline',
      [
        parse('', INSERT),
        bind('', ''),
        execute(),
        parse('', 'copy scores from stdin'),
        bind('', ''),
        execute(),
        SYNC,
      ],
      'destroy',
    ],
  ] as const)('writes nothing, and has its leaves: %s, by %s', async (_, frames, how) => {
    const other = await through(harness, token);
    const before = new Set(harness.gateway.sessions.list());
    const session = await rawSession(harness, token);
    const mine = harness.gateway.sessions.list().filter((one) => !before.has(one));
    expect(mine).toHaveLength(1);
    await session.send([...frames, frame('d', Buffer.from('1\n2\n'))], 0);
    await sleep(300);
    await session.send([frame('d', Buffer.from('3\n'))], 0);
    session.leave(how);
    const ended = await Promise.race([mine[0]?.closed.then(() => 'ended'), sleep(5000, 'still there')]);
    expect(ended).toBe('ended');
    expect(await rowsOf(direct, 'scores')).toBe(0);
    await other.query(INSERT);
    expect(await rowsOf(direct, 'scores')).toBe(1);
    await other.end();
    const log = await harness.finishedLog();
    const id = log.findLast(({ leaf }) => leaf.type === 'statement.intent' && leaf.session === mine[0]?.id)
      ?.leaf.session;
    const leaves = log.filter(({ leaf }) => leaf.session === id).map(({ leaf }) => leaf);
    const intents = leaves.filter(({ type }) => type === 'statement.intent').map(({ n }) => n);
    const outcomes = leaves.filter(({ type }) => type === 'statement.outcome');
    expect(outcomes).toHaveLength(intents.length);
    expect(new Set(outcomes.map(({ ref }) => ref))).toEqual(new Set(intents));
    expect(outcomes.map(({ status }) => status)).not.toContain('ok');
    expect(leaves.at(-1)?.type).toBe('session.end');
  });
});
