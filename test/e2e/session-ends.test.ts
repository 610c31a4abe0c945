/** What was taken away ends what is live, within a second; and what cannot be recorded does not go on. */

import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Harness, startHarness } from './harness.ts';

let harness: Harness;

beforeAll(async () => {
  harness = await startHarness();
}, 60_000);

afterAll(() => harness?.[Symbol.asyncDispose]());

async function connect(name: string, password: string): Promise<{ client: Client; ended: Promise<string> }> {
  const { host, port } = harness.gateway.postgres;
  const client = new Client({ host, port, user: name, password, database: 'db' });
  const ended = new Promise<string>((resolve) =>
    client.on('error', (error: Error & { code?: string }) => resolve(error.code ?? '')),
  );
  await client.connect();
  await client.query('select 1');
  return { client, ended };
}

async function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  const started = performance.now();
  const result = await promise;
  expect(performance.now() - started).toBeLessThan(ms);
  return result;
}

const person = (name: string, more: string): string =>
  `kind: Person\nname: ${name}\ndisplayName: ${name}\n${more}`;
const access = (name: string): string => `---\nkind: Access\nname: for-${name}\nwho: [${name}]\nto: [db]\n`;

describe('a live session', () => {
  it('ends when its token is revoked', async () => {
    await harness.apply(person('rita', '') + access('rita'));
    const { identity } = harness.gateway.rooms;
    const { ended } = await connect('rita', await harness.token('rita'));
    const rita = await identity.principals.findByName('rita');
    const [token] = rita === undefined ? [] : await identity.tokens.list(rita.id);
    if (token === undefined) throw new Error('no token');
    await identity.tokens.revoke(token.id, { reason: 'lost', revokedBy: undefined });
    expect(await within(1_000, ended)).toBe('57P01');
  });

  it('ends when its principal is disabled', async () => {
    await harness.apply(person('dora', '') + access('dora'));
    const password = await harness.token('dora');
    const { ended } = await connect('dora', password);
    await harness.apply(person('dora', 'disabled: true\n'));
    expect(await within(1_000, ended)).toBe('57P01');
    await expect(connect('dora', password)).rejects.toMatchObject({ code: '28P01' });
  });

  it('ends when its access is deleted, with an open transaction rolled back', async () => {
    await harness.apply(person('gus', '') + access('gus'));
    const { client, ended } = await connect('gus', await harness.token('gus'));
    await client.query('create table gone(a int)');
    await client.query('begin; insert into gone values (1)');
    const { rooms } = harness.gateway;
    await rooms.resources.delete('Access', 'for-gus', { name: 'test', kind: 'system', keyId: rooms.bootId });
    expect(await within(1_000, ended)).toBe('57P01');
    const log = await harness.finishedLog();
    const end = log.findLast(({ leaf }) => leaf.type === 'session.end');
    expect(end?.leaf.status).toBe('ended');
    expect(end?.body).toMatchObject({
      reason: 'SESSION_ENDED',
      error: expect.stringContaining('its access has ended'),
    });
  });

  it('goes on when something else changes', async () => {
    const { client } = await connect('ana', await harness.token('ana'));
    await harness.apply(person('unrelated', ''));
    expect((await client.query('select 2 as still')).rows).toEqual([{ still: 2 }]);
    await client.end();
    await harness.finishedLog();
    expect(harness.errors.filter((error) => !error.includes('AUTHENTICATION_FAILED'))).toEqual([]);
  });
});
