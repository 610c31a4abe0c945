/** A COMMIT whose answer never comes: nobody knows whether it was done, and the log says so. */

import { Client } from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Harness, startHarness } from './harness.ts';

const RULES = `
kind: Person
name: olga
displayName: Olga Owner
---
kind: Rule
name: bulk
when: { writes: [scores], rows: '>= 3' }
then: { hold: { approvers: [olga], expires: 1m } }
`;

let harness: Harness;
let direct: Client;

beforeAll(async () => {
  // Where a session asks for it, a COMMIT waits for a standby that never comes.
  const settings = { synchronous_standby_names: 'nobody', synchronous_commit: 'local' };
  harness = await startHarness({ postgres: { settings } });
  const { host, port, password } = harness.server;
  direct = new Client({ host, port, user: 'postgres', password, database: 'postgres' });
  await direct.connect();
  await direct.query(
    'create table scores(id int, score int); insert into scores select g, 0 from generate_series(1, 5) g',
  );
  await harness.apply(RULES);
}, 60_000);

afterAll(async () => {
  await direct?.end();
  await harness?.[Symbol.asyncDispose]();
});

async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (let tries = 0; tries < 500; tries += 1) {
    // oxlint-disable-next-line no-await-in-loop -- It is looked at again.
    const found = await look();
    if (found !== undefined) return found;
    // oxlint-disable-next-line no-await-in-loop -- It is looked at again.
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('it did not come');
}

it('is unknown, and so is what became of the approval', async () => {
  const { host, port } = harness.gateway.postgres;
  const password = await harness.token('ana');
  const client = new Client({ host, port, user: 'ana', password, database: 'db' });
  client.on('error', () => undefined);
  await client.connect();
  await client.query('set synchronous_commit = on');
  const answer = client.query('update scores set score = 1').then(
    () => 'it was answered',
    () => 'it was lost',
  );
  const { approvals, rooms } = harness.gateway;
  const asked = await until(async () => (await approvals.page(undefined, 'open', 10))[0]);
  const olga = await rooms.identity.principals.findByName('olga');
  if (olga === undefined) throw new Error('nobody is called olga');
  await approvals.vote(asked.id, olga.id, { decision: 'approve', comment: 'looked at' });
  const pid = await until(async () => {
    const { rows } = await direct.query<{ pid: number }>(
      `select pid from pg_stat_activity where wait_event = 'SyncRep'`,
    );
    return rows[0]?.pid;
  });
  // It has committed by itself, and says nothing more.
  await direct.query('select pg_terminate_backend($1)', [pid]);
  expect(await answer).toBe('it was lost');
  const log = await harness.finishedLog();
  const update = log.find(({ body }) => body['sql'] === 'update scores set score = 1');
  const outcome = log.find(({ leaf }) => leaf.type === 'statement.outcome' && leaf.ref === update?.leaf.n);
  const executed = log.find(({ leaf }) => leaf.type === 'hold.executed');
  expect(outcome?.leaf.status).toBe('unknown');
  expect(executed?.leaf.status).toBe('unknown');
});
