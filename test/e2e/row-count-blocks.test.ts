/** What a client begins and ends in a counted pipeline ends as it does without a gateway. */

import type { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ANYTHING, directly } from './clients.ts';
import { type Harness, startHarness } from './harness.ts';
import { bind, execute, frame, parse, query, rawSession, SYNC } from './raw-session.ts';

const RULES = `${ANYTHING}---
kind: Rule
name: bulk
when: { writes: [scores], rows: '>= 100' }
then: block
`;

/** A Sync with a body, which the server refuses. */
const MALFORMED_SYNC = frame('S', Buffer.of(0));
const FLUSH = frame('H');

function run(text: string): readonly Buffer[] {
  return [parse('', text), bind('', ''), execute()];
}

function insert(from: number, to: number): readonly Buffer[] {
  return run(`insert into scores select g from generate_series(${from}, ${to}) g`);
}

/** One pipeline, or several. */
const PIPELINES: readonly (readonly [string, readonly Buffer[]])[] = [
  ['BEGIN', [...insert(1, 40), ...run('begin'), ...insert(41, 50), SYNC]],
  ['BEGIN and COMMIT', [...insert(1, 40), ...run('begin'), ...insert(41, 50), ...run('commit'), SYNC]],
  ['BEGIN and ROLLBACK', [...insert(1, 40), ...run('begin'), ...insert(41, 50), ...run('rollback'), SYNC]],
  ['BEGIN twice', [...insert(1, 40), ...run('begin'), ...run('begin'), ...run('commit'), SYNC]],
  ['COMMIT', [...insert(1, 60), ...run('commit'), ...insert(61, 120), SYNC]],
  ['ROLLBACK', [...insert(1, 60), ...run('rollback'), ...insert(61, 120), SYNC]],
  [
    'COMMIT and an error',
    [...insert(1, 60), ...run('commit'), ...insert(61, 120), ...run('select 1 / 0'), SYNC],
  ],
  ['an error and COMMIT', [...insert(1, 60), ...run('select 1 / 0'), ...run('commit'), SYNC]],
  ['an error and ROLLBACK', [...insert(1, 60), ...run('select 1 / 0'), ...run('rollback'), SYNC]],
  [
    'COMMIT, BEGIN and ROLLBACK',
    [...insert(1, 60), ...run('commit'), ...run('begin'), ...insert(61, 99), ...run('rollback'), SYNC],
  ],
  ['ROLLBACK and BEGIN', [...insert(1, 60), ...run('rollback'), ...run('begin'), ...insert(61, 99), SYNC]],
  ['BEGIN behind a Flush', [...insert(1, 40), FLUSH, ...run('begin'), FLUSH, ...insert(41, 50), SYNC]],
  [
    'COMMIT behind a Bind',
    [parse('', 'commit'), bind('c', ''), ...insert(1, 40), execute('c'), ...insert(41, 50), SYNC],
  ],
  ['a malformed Sync', [...insert(1, 40), MALFORMED_SYNC]],
  ['a malformed Sync behind COMMIT', [...insert(1, 40), ...run('commit'), ...insert(41, 50), MALFORMED_SYNC]],
  ['a malformed Sync behind BEGIN', [...insert(1, 40), ...run('begin'), ...insert(41, 50), MALFORMED_SYNC]],
  ['a malformed Sync behind an error', [...insert(1, 40), ...run('select 1 / 0'), MALFORMED_SYNC, SYNC]],
  ['a Sync behind a malformed one', [...insert(1, 40), MALFORMED_SYNC, ...insert(41, 45), SYNC]],
];

let harness: Harness;
let token: string;
const direct: Client[] = [];

beforeAll(async () => {
  harness = await startHarness({ postgres: { settings: { fsync: 'off' } } });
  for (const database of ['postgres', 'db']) {
    const client = await directly(harness, database);
    if (database === 'postgres') await client.query('create database db');
    await client.query('create table scores(id int)');
    direct.push(client);
  }
  token = await harness.token('ana');
  await harness.apply(RULES);
}, 60_000);

afterAll(async () => {
  for (const client of direct) await client.end();
  await harness?.[Symbol.asyncDispose]();
});

/** What the client sees, whether it is in a block afterwards, and what is kept. */
async function seen(through: 'gateway' | 'server', frames: readonly Buffer[]): Promise<readonly string[]> {
  const { server } = harness;
  const session =
    through === 'gateway'
      ? await rawSession(harness, token)
      : await rawSession({ gateway: { postgres: { port: server.port } } }, server.password, 'postgres');
  const ready = frames.filter((one) => one[0] === 0x53).length;
  await session.send(frames, ready);
  const count = query('select count(*)::text || $$ rows$$ from scores');
  await session.send([count], ready + 1);
  await session.send([query('rollback')], ready + 2);
  await session.send([count], ready + 3);
  expect(session.over).toBe(false);
  await session.close();
  return session.answers();
}

describe('a pipeline that is counted ends as without a gateway', () => {
  it.each(PIPELINES)('with %s', async (_, frames) => {
    for (const client of direct) await client.query('truncate scores');
    const expected = await seen('server', frames);
    expect(await seen('gateway', frames)).toEqual(expected);
  });
});
