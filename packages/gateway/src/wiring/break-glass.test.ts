import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bodyValues } from '@countersign/ledger/body';
import type { HoldRecord } from '../approvals/hold-record.ts';
import type { Hold } from '../approvals/holds-port.ts';
import { testingOnlyRequest } from '../approvals/testing-room.ts';
import { openStoredBody } from '../audit/find-leaf.ts';
import { parseOwnLeaf } from '../audit/own-leaf.ts';
import { loadConfig } from '../config/config.ts';
import { makeId, type PrincipalId } from '../core/ids.ts';
import { type RunningGateway, startGateway } from '../main.ts';
import { parseResources } from '../resources/parse.ts';

const RESOURCES = `
{ kind: Person, name: ana, displayName: Ana, groups: [administrators] }
---
{ kind: Person, name: lea, displayName: Lea }
---
{ kind: Connection, name: db, protocol: postgres, target: { host: db, database: rerank }, credential: { user: app } }
---
{ kind: Access, name: all, who: [ana], to: [db] }
---
{ kind: Rule, name: night, who: [ana], when: {}, then: { breakGlass: { reviewers: [lea] } } }
`;
const JUSTIFIED = { verdict: 'justified', comment: 'canary-said' } as const;

let directory: string;
let gateway: RunningGateway;
let lines: string[];

beforeEach(async () => {
  lines = [];
  directory = await mkdtemp(join(tmpdir(), 'glass-'));
  await start();
  const by = { name: 'test', kind: 'system', keyId: gateway.rooms.bootId } as const;
  await gateway.rooms.resources.apply(parseResources(RESOURCES), by);
});
afterEach(async () => {
  await gateway.close('test');
  await rm(directory, { recursive: true });
});

async function start(): Promise<void> {
  const config = loadConfig('', { data: join(directory, 'data'), apiPort: 0, postgresPort: 0 });
  gateway = await startGateway(config, { env: {}, onNotice: (line) => lines.push(line) });
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
  const version = rooms.resources.get('Rule', 'night')[0]?.version ?? 0;
  const demand = { openers: [{ name: 'night', version }] };
  const policy = rooms.resources.bundleDigest();
  const request = testingOnlyRequest({ ...record, groups: [] }, { policy, demand });
  return approvals.ask({ ...request, sessionId });
}

async function open(hold: Hold): Promise<void> {
  const answer = await gateway.approvals.breakGlass(hold.id, await idOf('ana'), 'canary-why');
  expect(answer.kind).toBe('done');
}

async function recordOf(hold: Hold): Promise<HoldRecord> {
  const record = await gateway.approvals.find(hold.id);
  if (record === undefined) throw new Error('no hold');
  return record;
}

/** Leaves of break-glass, with what can be read of their bodies. */
async function leaves() {
  const found = [];
  for await (const { index, leaf: bytes, sealed } of gateway.rooms.reader.leaves(0)) {
    const leaf = parseOwnLeaf(bytes, index);
    const { type, status } = leaf;
    if (!type.startsWith('breakglass.')) continue;
    const body = await openStoredBody(leaf, sealed, gateway.rooms.keys);
    found.push({ index, type, status, body: body === undefined ? undefined : bodyValues(body) });
  }
  return found;
}

describe('a gateway', () => {
  it('that has nobody to tell says so in its log, and to its operator', async () => {
    const hold = await ask();
    await open(hold);
    await expect.poll(async () => (await leaves()).map(({ type }) => type)).toContain('breakglass.notified');
    expect((await leaves()).at(-1)).toMatchObject({
      status: 'failed',
      body: { hold_id: hold.id, notice: 'breakglass.used', receiver: 'none', tries: 0 },
    });
    expect(lines.join('\n')).toContain(`notice of ${hold.id}, which was opened by break-glass: told nobody`);
  });

  it('keeps why it was opened, and what was said of that, where the session is shredded: in the log only', async () => {
    const hold = await ask();
    await open(hold);
    await gateway.approvals.withdraw(hold.id, await idOf('ana'), 'no');
    expect((await gateway.approvals.review(hold.id, await idOf('lea'), JUSTIFIED)).kind).toBe('done');
    const record = await recordOf(hold);
    await gateway.rooms.keys.destroy(record.scope);
    expect(await gateway.approvals.texts.opening(record)).toBeUndefined();
    expect(await gateway.approvals.texts.review(record)).toBeUndefined();
    const bodies = (await leaves()).map(({ type, body }) => [type, body?.['reason'] ?? body?.['comment']]);
    expect(bodies).toEqual(
      expect.arrayContaining([
        ['breakglass.used', 'canary-why'],
        ['breakglass.reviewed', 'canary-said'],
      ]),
    );
  });

  it('finishes an opening and a review of which a crash left the leaf, and gives up those without', async () => {
    const hold = await ask();
    const before = await gateway.rooms.store.db.selectFrom('holds').selectAll().executeTakeFirstOrThrow();
    const { size } = gateway.rooms.ledger;
    await open(hold);
    const { leaf: _, ...opening } = (await recordOf(hold)).opening ?? { leaf: 0 };
    const half = { pending_node: 'gw1', pending_us: before.asked_us };
    const breaking = { ...half, pending: JSON.stringify({ kind: 'break', opening }) };
    const nothing = { state: 'asked', opening: null, sealed_opening: null, review_by_us: null };
    // As before the effect, with the leaf; then as before the leaf.
    for (const [pending_leaf, state] of [
      [size, 'granted'],
      [1_000_000, 'asked'],
    ] as const) {
      // oxlint-disable no-await-in-loop -- One start after the other.
      const row = { ...nothing, ...breaking, pending_leaf, open_key: before.open_key, use_until_us: null };
      await gateway.rooms.store.db.updateTable('holds').set(row).execute();
      await gateway.close('crash');
      await start();
      const record = await recordOf(hold);
      expect(record).toMatchObject({ state, pending: undefined });
      expect(record.opening === undefined).toBe(state === 'asked');
      expect(await gateway.approvals.texts.opening(record)).toBe(
        state === 'granted' ? 'canary-why' : undefined,
      );
      // oxlint-enable no-await-in-loop
    }
    await open(hold);
    await gateway.approvals.withdraw(hold.id, await idOf('ana'), 'no');
    const end = gateway.rooms.ledger.size;
    await gateway.approvals.review(hold.id, await idOf('lea'), JUSTIFIED);
    const { leaf: __, ...review } = (await recordOf(hold)).review ?? { leaf: 0 };
    const pending = JSON.stringify({ kind: 'review', review });
    for (const [pending_leaf, verdict] of [
      [end, 'justified'],
      [1_000_000, undefined],
    ] as const) {
      // oxlint-disable no-await-in-loop -- One start after the other.
      const row = { ...half, pending, pending_leaf, review: null, sealed_review: null };
      await gateway.rooms.store.db.updateTable('holds').set(row).execute();
      await gateway.close('crash');
      await start();
      const record = await recordOf(hold);
      expect([record.review?.verdict, record.pending]).toEqual([verdict, undefined]);
      const said = verdict === undefined ? undefined : 'canary-said';
      expect(await gateway.approvals.texts.review(record)).toBe(said);
      // oxlint-enable no-await-in-loop
    }
  });
});
