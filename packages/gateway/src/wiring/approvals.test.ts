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
import type { Changer } from '../resources/change-events.ts';
import { parseResources } from '../resources/parse.ts';

const RESOURCES = `
{ kind: Group, name: search, members: [ana] }
---
{ kind: Group, name: others, members: [] }
---
kind: Connection
name: db
protocol: postgres
target: { host: db, database: rerank }
credential: { user: app }
labels: { class: reranking }
---
{ kind: Connection, name: other, protocol: postgres, target: { host: db, database: x }, credential: { user: app } }
---
{ kind: Access, name: search, who: [group:search], to: [db] }
---
{ kind: Rule, name: bulk, on: ['label:class=reranking'], when: { effects: [update] }, then: { hold: { approvers: [group:owners] } } }
---
{ kind: Rule, name: others-rule, who: [group:others], when: { effects: [drop] }, then: block }
`;

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
  told.length = 0;
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
      ...parseResources(RESOURCES),
    ],
    by(),
  );
});
afterEach(async () => {
  await gateway.close('test');
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(directory, { recursive: true });
});

function by(): Changer {
  return { name: 'test', kind: 'system', keyId: gateway.rooms.bootId };
}

async function start(): Promise<void> {
  const HOOK = `whsec_${Buffer.alloc(32, 3).toString('base64')}`;
  gateway = await startGateway(config, { env: { HOOK }, onNotice: (line) => lines.push(line) });
}

async function idOf(name: string): Promise<PrincipalId> {
  const record = await gateway.rooms.identity.principals.findByName(name);
  if (record === undefined) throw new Error(`no ${name}`);
  return record.id;
}

async function ask(policy: string = gateway.rooms.resources.bundleDigest()): Promise<Hold> {
  const { rooms, approvals } = gateway;
  const record = await rooms.identity.principals.findByName('ana');
  if (record === undefined) throw new Error('no ana');
  const sessionId = makeId('session', Date.now(), randomBytes(10));
  await rooms.keys.create(sessionId);
  const request = testingOnlyRequest({ ...record, groups: [] }, { policy });
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

/** Resources that are laid over those of the test, and whether what was approved under them stands. */
const CHANGES: readonly (readonly [string, string, 'granted' | 'withdrawn'])[] = [
  ['a group that nobody of the hold is in', '{ kind: Group, name: others, members: [bo] }', 'granted'],
  ['a new approver', '{ kind: Group, name: owners, members: [bo, cleo] }', 'granted'],
  ['a person', '{ kind: Person, name: dan, displayName: Dan }', 'granted'],
  [
    'another connection',
    '{ kind: Connection, name: other, protocol: postgres, target: { host: x, database: x }, credential: { user: app } }',
    'granted',
  ],
  ['access of others', '{ kind: Access, name: others, who: [group:others], to: [db, other] }', 'granted'],
  [
    'a rule that does not reach the requester',
    '{ kind: Rule, name: others-rule, who: [group:others], when: {}, then: block }',
    'granted',
  ],
  [
    'the rule',
    '{ kind: Rule, name: bulk, when: {}, then: { hold: { approvers: [group:owners] } } }',
    'withdrawn',
  ],
  [
    'another rule that reaches the requester',
    '{ kind: Rule, name: new, when: { effects: [drop] }, then: block }',
    'withdrawn',
  ],
  [
    'what the requester may do',
    '{ kind: Access, name: search, who: [group:search], to: [db], may: [read, write] }',
    'withdrawn',
  ],
  ['that the requester may come in', '{ kind: Group, name: search, members: [] }', 'withdrawn'],
  ["the requester's groups", '{ kind: Group, name: others, members: [ana] }', 'withdrawn'],
  [
    'the connection',
    '{ kind: Connection, name: db, protocol: postgres, target: { host: elsewhere, database: x }, credential: { user: app } }',
    'withdrawn',
  ],
];

describe('what was approved', () => {
  it.each(CHANGES)('after a change of %s', async (_what, text, state) => {
    await gateway.rooms.resources.apply(parseResources('{ kind: Person, name: cleo, displayName: C }'), by());
    const hold = await ask();
    const vote = { decision: 'approve', comment: undefined } as const;
    await gateway.approvals.vote(hold.id, await idOf('bo'), vote);
    await gateway.rooms.resources.apply(parseResources(text), by());
    await gateway.approvals.sweep();
    expect(await stateOf(hold)).toBe(state);
    const sessionId = makeId('session', Date.now(), randomBytes(10));
    await gateway.rooms.keys.create(sessionId);
    const taken = await gateway.approvals.take(hold.id, hold.digest, sessionId);
    expect(taken.kind).toBe(state === 'granted' ? 'taken' : 'refused');
  });

  it('by somebody who left the group of approvers is not used', async () => {
    const hold = await ask();
    const vote = { decision: 'approve', comment: undefined } as const;
    await gateway.approvals.vote(hold.id, await idOf('bo'), vote);
    const { resources, keys } = gateway.rooms;
    await resources.apply(parseResources('{ kind: Group, name: owners, members: [] }'), by());
    const sessionId = makeId('session', Date.now(), randomBytes(10));
    await keys.create(sessionId);
    const taken = await gateway.approvals.take(hold.id, hold.digest, sessionId);
    expect(taken).toEqual({ kind: 'refused', why: 'approvers-gone' });
  });

  it('stands where what was judged a moment ago is asked for after a change of something else', async () => {
    const judged = gateway.rooms.resources.bundleDigest();
    await gateway.rooms.resources.apply(parseResources('{ kind: Group, name: others, members: [bo] }'), by());
    expect(gateway.rooms.resources.bundleDigest()).not.toBe(judged);
    const hold = await ask(judged);
    await gateway.approvals.sweep();
    expect(await stateOf(hold)).toBe('asked');
    const late = await ask('f'.repeat(64));
    await gateway.approvals.sweep();
    expect(await stateOf(late)).toBe('withdrawn');
  });
});

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
    expect(await gateway.approvals.texts.votes(record)).toMatchObject([{ name: 'bo', comment: 'not today' }]);
  });
});
