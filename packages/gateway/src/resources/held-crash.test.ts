/** A change that a rule holds, in processes that end, stores that fail, and two gateways on one store. */

import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  Life,
  TestingClock,
  type TestingGateway,
  TestingLog,
  TestingPeople,
  testingOnlyGateway,
} from '../approvals/testing-room.ts';
import { CountersignError, type ErrorCode } from '../core/errors.ts';
import type { LedgerEvent } from '../core/ledger-port.ts';
import { Secret } from '../core/secret.ts';
import { parseId } from '../core/ids.ts';
import { openStore, type Store } from '../store/store.ts';
import type { Changer } from './change-events.ts';
import { parseResources } from './parse.ts';
import { Resources } from './resources.ts';

const WORLD = `
{ kind: Person, name: root, displayName: Root, groups: [administrators] }
---
{ kind: Person, name: bo, displayName: Bo }
---
{ kind: Connection, name: db, protocol: postgres, target: { host: h, database: d }, credential: { user: u, password: { sealed: true } } }
---
{ kind: Access, name: search, who: [bo], to: [db] }
---
{ kind: Rule, name: guard, when: { changes: [Access, Rule, Connection] }, then: { hold: { approvers: [bo] } } }
`;
const OPENED = '{ kind: Access, name: search, who: [bo, root], to: [db] }';

const installationKey = new Secret(new Uint8Array(32).fill(5));
const people = new TestingPeople();
const root = people.add('root', ['administrators']);
const bo = people.add('bo', []);
const BY: Changer = {
  name: 'root',
  kind: 'user',
  actor: '0'.repeat(32),
  keyId: root.id,
  asker: { principal: { ...root, displayName: 'Root' }, address: '127.0.0.1' },
};

let store: Store;
let clock: TestingClock;

beforeEach(async () => {
  store = await openStore({ kind: 'sqlite', file: ':memory:' });
  clock = new TestingClock();
});
afterEach(() => store.close());

interface Process extends TestingGateway {
  readonly resources: Resources;
}

/** A transaction is two places to end at: before it, and after it and before anybody hears. */
function gated(life: Life): Store {
  return new Proxy(store, {
    get(target, key) {
      if (key !== 'transaction') return Reflect.get(target, key);
      return async (work: Parameters<Store['transaction']>[0]): Promise<unknown> => {
        await life.gate();
        const result = await target.transaction(work);
        await life.gate();
        return result;
      };
    },
  });
}

async function start(log: TestingLog, life: Life = new Life(), node = 'gw1'): Promise<Process> {
  const resources = await Resources.open({
    store: gated(life),
    ledger: log.ledger(life, clock),
    principals: { upsert: async () => undefined },
    written: {
      wasWritten: async ({ kind, name, version }) =>
        log.events.some(
          ({ body }) =>
            body?.['resource_kind'] === kind && body['name'] === name && body['version'] === version,
        ),
    },
    installationKey,
    clock: { nowUs: () => clock.nowUs(), monotonicUs: () => clock.monotonicUs() },
    randomBytes: (length) => new Uint8Array(randomBytes(length)),
    node,
  });
  const world = { store, people, clock, policy: '', errors: [], asked: [], told: [], opener: undefined };
  const policyDigest = resources.decidingDigest.bind(resources);
  const gateway = await testingOnlyGateway({ ...world, policyDigest }, node, log, life);
  resources.holdWith(gateway.approvals);
  return { ...gateway, resources };
}

/** The world before anything is held. */
async function founded(): Promise<TestingLog> {
  const log = new TestingLog();
  const { resources } = await start(log);
  await resources.apply(parseResources(WORLD), BY);
  return log;
}

type Ending = ErrorCode | 'done';

/** What a change ends with; the holds that it waits for are approved by bo where `votes`. */
async function tryOnce({ resources, approvals }: Process, votes: boolean, text = OPENED): Promise<Ending> {
  try {
    await resources.apply(parseResources(text), BY);
    return 'done';
  } catch (error) {
    if (!(error instanceof CountersignError)) throw error;
    if (error.code === 'POLICY_HELD' && votes) {
      await approvals.vote(parseId('hold', String(error.details['id'])), bo.id, {
        decision: 'approve',
        comment: undefined,
      });
    }
    return error.code;
  }
}

/** Sends it until it is done; a person approves what is asked for. */
async function tell(process: Process): Promise<void> {
  const endings: string[] = [];
  for (let tries = 0; tries < 6; tries++) {
    // oxlint-disable-next-line no-await-in-loop -- One try behind the other.
    const ending = await tryOnce(process, true).catch((error: unknown) => {
      if (error instanceof CountersignError) return error.message;
      throw error;
    });
    if (ending === 'done') return;
    endings.push(ending);
  }
  throw new Error(`it never came to an end: ${endings.join(' ')}`);
}

function applied({ events }: TestingLog): readonly (readonly [LedgerEvent, number])[] {
  return events
    .map((event, index) => [event, index] as const)
    .filter(
      ([{ type, body }]) => type === 'resource.apply' && body?.['name'] === 'search' && body['version'] !== 1,
    );
}

/** What is in effect is in the log, once, behind a grant that was taken for it. */
async function expectTrue(log: TestingLog, { resources }: Process): Promise<void> {
  const found = applied(log);
  expect(found.length).toBeLessThanOrEqual(1);
  const version = resources.get('Access', 'search')[0]?.version;
  expect(version).toBe(found.length === 0 ? 1 : 2);
  for (const [{ ref = -1, body }, at] of found) {
    const id = log.events[ref]?.body?.['hold_id'];
    expect(body?.['hold_ids']).toEqual([id]);
    expect(log.events[ref]).toMatchObject({ type: 'hold.taken' });
    expect(ref).toBeLessThan(at);
    const granted = log.events.findIndex(
      ({ type, body: said }) => type === 'approval.granted' && said?.['hold_id'] === id,
    );
    expect(granted).toBeGreaterThan(-1);
    expect(granted).toBeLessThan(ref);
  }
  const taken = log.events.filter(({ type }) => type === 'hold.taken').map(({ body }) => body?.['hold_id']);
  expect(new Set(taken).size).toBe(taken.length);
  const rows = await store.db.selectFrom('resource_changes').selectAll().execute();
  expect(rows).toEqual([]);
  const executing = await store.db
    .selectFrom('holds')
    .select('id')
    .where('state', '=', 'executing')
    .execute();
  expect(executing).toEqual([]);
}

async function awaitsOfTheStory(): Promise<number> {
  const log = await founded();
  const life = new Life();
  const process = await start(log, life);
  const before = life.awaits;
  await tell(process);
  expect(process.resources.get('Access', 'search')[0]?.version).toBe(2);
  const { awaits } = life;
  await store.close();
  store = await openStore({ kind: 'sqlite', file: ':memory:' });
  return awaits - before;
}

describe('a process that ends at any await of a held change', () => {
  it('leaves it in effect once, behind its approval, or not at all; and it can be told to its end', async () => {
    const count = await awaitsOfTheStory();
    expect(count).toBeGreaterThan(20);
    for (let at = 1; at <= count; at++) {
      const log = await founded();
      const life = new Life();
      const process = await start(log, life);
      life.left = at;
      await Promise.race([tell(process), life.ended]);
      const next = await start(log);
      await expectTrue(log, next);
      await tell(next);
      await expectTrue(log, next);
      expect(next.resources.get('Access', 'search')[0]?.version).toBe(2);
      await store.close();
      store = await openStore({ kind: 'sqlite', file: ':memory:' });
    }
  });

  it('and one in which an await fails goes on without a second effect', async () => {
    const count = await awaitsOfTheStory();
    for (let at = 1; at <= count; at++) {
      const log = await founded();
      const life = new Life();
      const process = await start(log, life);
      life.failAt = life.awaits + at;
      await tell(process);
      const next = await start(log);
      await expectTrue(log, next);
      expect(next.resources.get('Access', 'search')[0]?.version).toBe(2);
      await store.close();
      store = await openStore({ kind: 'sqlite', file: ':memory:' });
    }
  });
});

describe('two gateways on one store', () => {
  it('use an approval once, whoever sends the change first', async () => {
    const log = await founded();
    const one = await start(log);
    const otherLog = new TestingLog();
    const other = await start(otherLog, new Life(), 'gw2');
    expect(await tryOnce(one, true)).toBe('POLICY_HELD');
    const endings = await Promise.all([tryOnce(one, false), tryOnce(other, false)]);
    expect(endings.filter((ending) => ending === 'done')).toHaveLength(1);
    expect(applied(log).length + applied(otherLog).length).toBe(1);
  });

  it('let nothing through that a rule holds of which the other one has not heard', async () => {
    const log = new TestingLog();
    const one = await start(log);
    await one.resources.apply(parseResources(WORLD.replace(/---\n{ kind: Rule[^\n]*\n/, '')), BY);
    const other = await start(new TestingLog(), new Life(), 'gw2');
    const guard = WORLD.slice(WORLD.indexOf('{ kind: Rule'));
    await one.resources.apply(parseResources(guard), BY);
    expect(await tryOnce(other, false)).toBe('STATE_CONFLICT');
    expect(await tryOnce(other, false)).toBe('POLICY_HELD');
    await expect(other.resources.setPassword('db', new Secret('x'), BY)).rejects.toMatchObject({
      code: 'POLICY_HELD',
    });
  });

  it('know it at a password and a token too', async () => {
    const log = new TestingLog();
    const one = await start(log);
    await one.resources.apply(parseResources(WORLD.replace(/---\n{ kind: Rule[^\n]*\n/, '')), BY);
    const other = await start(new TestingLog(), new Life(), 'gw2');
    await one.resources.apply(parseResources(WORLD.slice(WORLD.indexOf('{ kind: Rule'))), BY);
    await expect(other.resources.setPassword('db', new Secret('x'), BY)).rejects.toMatchObject({
      code: 'STATE_CONFLICT',
    });
    const third = await start(new TestingLog(), new Life(), 'gw3');
    let made = 0;
    const act = { kind: 'Person', name: 'bo', action: 'token' } as const;
    const attempt = third.resources.letIn(act, {}, BY, async () => (made += 1));
    await expect(attempt).rejects.toMatchObject({ code: 'POLICY_HELD' });
    expect(made).toBe(0);
  });
});
