import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { testingOnlyRequest } from '../approvals/testing-room.ts';
import type { Hold } from '../approvals/holds-port.ts';
import { type Config, loadConfig } from '../config/config.ts';
import { makeId, type PrincipalId } from '../core/ids.ts';
import { type RunningGateway, startGateway } from '../main.ts';

let directory: string;
let config: Config;
let gateway: RunningGateway;
const lines: string[] = [];
const told: string[] = [];
const server = createServer((request, response) => {
  request.on('data', (chunk: Uint8Array) => told.push(Buffer.from(chunk).toString()));
  request.on('end', () => response.writeHead(200).end());
});

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holds-'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- It listens on TCP.
  const { port } = server.address() as AddressInfo;
  const text = `notify: { baseUrl: https://gw.example, webhooks: [{ url: "http://127.0.0.1:${port}/", secret: { env: HOOK } }] }`;
  config = loadConfig(text, { data: join(directory, 'data'), apiPort: 0, postgresPort: 0 });
  await start();
  const person = { kind: 'Person', disabled: false } as const;
  await gateway.rooms.resources.apply(
    [
      { kind: 'Group', name: 'owners', members: ['bo'] },
      { ...person, name: 'ana', displayName: 'Ana', groups: ['administrators'] },
      { ...person, name: 'bo', displayName: 'Bo', groups: [] },
    ],
    { name: 'test', kind: 'system', keyId: gateway.rooms.bootId },
  );
});
afterEach(async () => {
  await gateway.close('test');
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(directory, { recursive: true });
});

async function start(): Promise<void> {
  const HOOK = `whsec_${Buffer.alloc(32, 3).toString('base64')}`;
  gateway = await startGateway(config, { env: { HOOK }, onNotice: (line) => lines.push(line) });
}

async function idOf(name: string): Promise<PrincipalId> {
  const record = await gateway.rooms.identity.principals.findByName(name);
  if (record === undefined) throw new Error(`no ${name}`);
  return record.id;
}

async function ask(): Promise<Hold> {
  const { rooms, approvals } = gateway;
  const record = await rooms.identity.principals.findByName('ana');
  if (record === undefined) throw new Error('no ana');
  const sessionId = makeId('session', Date.now(), randomBytes(10));
  await rooms.keys.create(sessionId);
  const request = testingOnlyRequest({ ...record, groups: [] }, { policy: rooms.resources.bundleDigest() });
  return approvals.ask({ ...request, sessionId });
}

/** Leaves about holds with their status. */
async function leaves(): Promise<string[]> {
  const found: string[] = [];
  for await (const { leaf } of gateway.rooms.reader.leaves(0)) {
    const { type, status, kind } = JSON.parse(Buffer.from(leaf).toString());
    if (/^(hold|approval)\./.test(type)) found.push([type, kind, status].join(' ').trim());
  }
  return found;
}

async function stateOf(hold: Hold): Promise<string | undefined> {
  return (await gateway.approvals.find(hold.id))?.state;
}

describe('a gateway', () => {
  it('tells approvers of a hold at once, with where to decide on it and nothing of the statement', async () => {
    const hold = await ask();
    await expect.poll(() => lines.join('\n')).toContain(`notice of ${hold.id} to webhook 127.0.0.1`);
    expect(JSON.parse(told.join(''))).toMatchObject({
      type: 'hold.asked',
      data: { hold: hold.id, requester: 'ana', link: `https://gw.example/v1/approvals/${hold.id}` },
    });
    expect(told.join('')).not.toContain('update scores');
  });

  it('that ended while an approved operation ran says that nobody knows, once, and never uses it again', async () => {
    const hold = await ask();
    await gateway.approvals.vote(hold.id, await idOf('bo'), { decision: 'approve', comment: undefined });
    const sessionId = makeId('session', Date.now(), randomBytes(10));
    await gateway.rooms.keys.create(sessionId);
    expect(await gateway.approvals.take(hold.id, hold.digest, sessionId)).toMatchObject({ kind: 'taken' });
    for (let i = 0; i < 2; i++) {
      // oxlint-disable no-await-in-loop -- One start after the other.
      await gateway.close('crash');
      await start();
      expect(await stateOf(hold)).toBe('failed');
      expect(await gateway.approvals.take(hold.id, hold.digest, sessionId)).toEqual({
        kind: 'refused',
        why: 'used',
      });
      // oxlint-enable no-await-in-loop
    }
    expect(await leaves()).toEqual([
      'hold.asked user',
      'approval.granted user',
      'hold.taken user',
      'hold.executed system unknown',
    ]);
  });

  it('finds the leaf of a change that a crash left half done, and finishes it; without the leaf it gives it up', async () => {
    const hold = await ask();
    const bo = await idOf('bo');
    const { db } = gateway.rooms.store;
    const before = await db.selectFrom('holds').selectAll().executeTakeFirstOrThrow();
    const voter = { id: bo, name: 'bo', groups: ['owners'], issuer: 'local', subject: 'bo' };
    const pending = JSON.stringify({ kind: 'vote', event: 'deny', voter, votedUs: before.asked_us });
    const half = { pending, pending_node: 'gw1', pending_us: before.asked_us };
    await db
      .updateTable('holds')
      .set({ ...half, pending_leaf: gateway.rooms.ledger.size })
      .execute();
    await gateway.close('crash');
    await start();
    expect(await stateOf(hold)).toBe('asked');
    const size = gateway.rooms.ledger.size;
    await gateway.approvals.vote(hold.id, bo, { decision: 'deny', comment: 'not today' });
    const store = gateway.rooms.store.db;
    await store.deleteFrom('hold_votes').execute();
    await store
      .updateTable('holds')
      .set({ ...half, state: 'asked', open_key: before.open_key, ended_by: null, pending_leaf: size })
      .execute();
    await gateway.close('crash');
    await start();
    const record = await gateway.approvals.find(hold.id);
    expect(record).toMatchObject({ state: 'denied', endedBy: 'bo', pending: undefined });
    if (record === undefined) throw new Error('no hold');
    expect(await gateway.approvals.votes(record)).toMatchObject([{ name: 'bo', comment: 'not today' }]);
  });
});
