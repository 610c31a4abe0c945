/**
 * A process that ends, or a store that fails, at each await between "asked" and "written": what the next
 * process finds is whole, nothing is used twice or unapproved, and what is in effect is in the log.
 */

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CountersignError } from '../core/errors.ts';
import { openStore, type Store } from '../store/store.ts';
import {
  Life,
  testingOnlyEmpty,
  type TestingGateway,
  testingOnlyGateway,
  testingOnlyId,
  testingOnlyRequest,
  testingOnlyWorld,
  TestingLog,
  TestingPeople,
  type TestingWorld,
} from './testing-room.ts';

let store: Store;
let world: TestingWorld;
let log: TestingLog;
/** What the target was given. */
let ran = 0;

beforeAll(async () => {
  store = await openStore({ kind: 'sqlite', file: ':memory:' });
});
afterAll(() => store.close());
beforeEach(begin);

async function begin(): Promise<void> {
  await testingOnlyEmpty(store);
  const people = new TestingPeople();
  people.add('ana', []);
  for (const name of ['bo', 'cleo']) people.add(name, ['owners']);
  people.add('lea', ['leads']);
  world = testingOnlyWorld(store, people);
  log = new TestingLog();
  ran = 0;
}

const SESSION = testingOnlyId('session', 'one');
const PERSON = {
  ana: testingOnlyId('principal', 'ana'),
  bo: testingOnlyId('principal', 'bo'),
  cleo: testingOnlyId('principal', 'cleo'),
  lea: testingOnlyId('principal', 'lea'),
};

function requestOf(): Parameters<TestingGateway['approvals']['ask']>[0] {
  const ana = world.people.all.get(PERSON.ana);
  if (ana === undefined) throw new Error('no ana');
  return testingOnlyRequest(ana, { demand: { count: 2, requireReason: true } });
}

type Story = (approvals: TestingGateway['approvals']) => Promise<void>;

async function askAndVote(
  approvals: TestingGateway['approvals'],
): Promise<Awaited<ReturnType<typeof approvals.ask>>> {
  const hold = await approvals.ask(requestOf());
  hold.release();
  const vote = { decision: 'approve', comment: 'looks right' } as const;
  await approvals.vote(hold.id, PERSON.bo, vote);
  await approvals.vote(hold.id, PERSON.cleo, vote);
  return hold;
}

/** Each can be told again from its beginning: what happened already is refused or joined. */
const STORIES: Readonly<Record<string, { readonly tell: Story; readonly ends: readonly string[] }>> = {
  'approved and used': {
    async tell(approvals) {
      const hold = await askAndVote(approvals);
      const taken = await approvals.take(hold.id, hold.digest, SESSION);
      if (taken.kind === 'refused') return;
      ran += 1;
      await taken.done('ok', { rows: 120 });
    },
    ends: ['executed', 'failed'],
  },
  denied: {
    async tell(approvals) {
      const hold = await approvals.ask(requestOf());
      hold.release();
      await approvals.vote(hold.id, PERSON.bo, { decision: 'deny', comment: 'no' });
    },
    ends: ['denied'],
  },
  withdrawn: {
    async tell(approvals) {
      const hold = await approvals.ask(requestOf());
      hold.release();
      await hold.withdraw('not needed');
    },
    ends: ['withdrawn'],
  },
  expired: {
    async tell(approvals) {
      const hold = await approvals.ask(requestOf());
      hold.release();
      world.clock.pass(901_000);
      await approvals.sweep();
    },
    ends: ['expired'],
  },
  'opened in an emergency, used and reviewed': {
    async tell(approvals) {
      const hold = await approvals.ask(requestOf());
      hold.release();
      await approvals.breakGlass(hold.id, PERSON.ana, 'it burns');
      const taken = await approvals.take(hold.id, hold.digest, SESSION);
      if (taken.kind === 'taken') {
        ran += 1;
        await taken.done('ok', { rows: 120 });
      }
      await approvals.review(hold.id, PERSON.lea, { verdict: 'justified', comment: 'it did' });
    },
    ends: ['executed', 'failed'],
  },
  'granted and never used': {
    async tell(approvals) {
      await askAndVote(approvals);
      world.clock.pass(601_000);
      await approvals.sweep();
    },
    ends: ['expired'],
  },
};

/** How many awaits a story has. */
async function awaitsOf(tell: Story): Promise<number> {
  await begin();
  const { approvals, life } = await testingOnlyGateway(world, 'gw1', log);
  await tell(approvals);
  return life.awaits;
}

/** By id; nothing is half done. */
async function rows(): Promise<ReadonlyMap<string, string>> {
  const found = await store.db.selectFrom('holds').select(['id', 'state', 'pending']).execute();
  expect(found.filter(({ pending }) => pending !== null)).toEqual([]);
  return new Map(found.map(({ id, state }) => [id, state]));
}

async function states(): Promise<string[]> {
  return [...(await rows()).values()];
}

function ownError(error: unknown): void {
  if (!(error instanceof CountersignError)) throw error;
}

function isOpen(state: string): boolean {
  return state === 'asked' || state === 'granted';
}

function types(): string[] {
  return log.events.map(({ type, status }) => (status === undefined ? type : `${type} ${status}`));
}

/** What holds whenever a process has begun. */
async function checkWhole(): Promise<void> {
  const found = await states();
  const leaves = types();
  expect(found.filter((state) => state === 'executing')).toEqual([]);
  expect(leaves.filter((type) => type === 'hold.asked')).toHaveLength(found.length);
  for (const [state, leaf] of [
    ['denied', 'approval.denied'],
    ['expired', 'approval.expired'],
    ['withdrawn', 'approval.withdrawn'],
    ['executed', 'hold.executed ok'],
  ] as const) {
    expect(leaves.filter((type) => type === leaf)).toHaveLength(
      found.filter((other) => other === state).length,
    );
  }
  const opened = await store.db
    .selectFrom('holds')
    .select(['id', 'review'])
    .where('opening', 'is not', null)
    .execute();
  expect(leaves.filter((type) => type === 'breakglass.used')).toHaveLength(opened.length);
  expect(leaves.filter((type) => type === 'breakglass.reviewed justified')).toHaveLength(
    opened.filter(({ review }) => review !== null).length,
  );
  for (const { id } of opened) expect(world.told).toContain(`used ${id}`);
  const used = found.filter((state) => state === 'executed' || state === 'failed').length;
  expect(leaves.filter((type) => type.startsWith('hold.executed'))).toHaveLength(used);
  expect(ran).toBeLessThanOrEqual(leaves.filter((type) => type === 'hold.taken').length);
}

describe.each(Object.entries(STORIES))('a hold that is %s', (_, { tell, ends }) => {
  it('is whole after a process that ends at any await, and its story can be told to the end', async () => {
    const awaits = await awaitsOf(tell);
    expect(awaits).toBeGreaterThan(8);
    for (let at = 1; at <= awaits; at++) {
      // oxlint-disable no-await-in-loop -- One crash after the other.
      await begin();
      const life = new Life();
      life.left = at;
      const first = testingOnlyGateway(world, 'gw1', log, life).then(({ approvals }) => tell(approvals));
      await Promise.race([first, life.ended]);
      await new Promise((resolve) => setImmediate(resolve));
      const ranBefore = ran;
      const { approvals } = await testingOnlyGateway(world, 'gw1', log);
      await checkWhole();
      const before = await rows();
      await tell(approvals);
      await checkWhole();
      // The first process had used it, and may have told nobody: then the second asks anew.
      expect(ran - ranBefore).toBeLessThanOrEqual(1);
      const after = await rows();
      const over = [...before].filter(([, state]) => !isOpen(state));
      expect([...after]).toEqual(expect.arrayContaining(over));
      expect([...after.values()].filter(isOpen)).toEqual([]);
      expect(ends.some((end) => [...after.values()].includes(end))).toBe(true);
      // oxlint-enable no-await-in-loop
    }
  });

  it('is whole after a store or a ledger that fails at any await, in the same process and the next', async () => {
    const awaits = await awaitsOf(tell);
    for (let at = 1; at <= awaits; at++) {
      // oxlint-disable no-await-in-loop -- One failure after the other.
      await begin();
      const gateway = await testingOnlyGateway(world, 'gw1', log);
      gateway.life.failAt = gateway.life.awaits + at;
      for (let time = 0; time < 2; time++) {
        await tell(gateway.approvals).catch(ownError);
      }
      await tell(gateway.approvals);
      await gateway.approvals.sweep();
      gateway.life.left = 0;
      const { approvals } = await testingOnlyGateway(world, 'gw1', log);
      await checkWhole();
      await tell(approvals);
      await checkWhole();
      expect((await states()).filter(isOpen)).toEqual([]);
      // oxlint-enable no-await-in-loop
    }
  });
});

describe('a ledger that halts', () => {
  it('leaves a hold to the next start, which finds the leaf or does not', async () => {
    for (const isWritten of [true, false]) {
      // oxlint-disable no-await-in-loop -- One after the other.
      await begin();
      const gateway = await testingOnlyGateway(world, 'gw1', log);
      const hold = await gateway.approvals.ask(requestOf());
      hold.release();
      log.refusal = new CountersignError('LEDGER_HALTED', { reason: 'as the test says' });
      log.writesAllTheSame = isWritten;
      const vote = { decision: 'deny', comment: 'no' } as const;
      await expect(gateway.approvals.vote(hold.id, PERSON.bo, vote)).rejects.toMatchObject({
        code: 'LEDGER_HALTED',
      });
      await expect(gateway.approvals.vote(hold.id, PERSON.cleo, vote)).rejects.toMatchObject({
        code: 'STATE_CONFLICT',
      });
      gateway.life.left = 0;
      log.refusal = undefined;
      await testingOnlyGateway(world, 'gw1', log);
      expect(await states()).toEqual([isWritten ? 'denied' : 'asked']);
      await checkWhole();
      // oxlint-enable no-await-in-loop
    }
  });
});

describe('a store that fails at every look', () => {
  it('is complained of once in a while', async () => {
    const { approvals, life } = await testingOnlyGateway(world, 'gw1', log);
    for (let i = 0; i < 5; i++) {
      life.failAt = life.awaits + 1;
      // oxlint-disable-next-line no-await-in-loop -- One look after the other.
      await approvals.sweep();
    }
    expect(world.errors).toHaveLength(1);
    world.clock.pass(60_000);
    life.failAt = life.awaits + 1;
    await approvals.sweep();
    expect(world.errors).toHaveLength(2);
  });
});

describe('a ledger that refuses one leaf', () => {
  it('leaves everything as it was', async () => {
    const { approvals } = await testingOnlyGateway(world, 'gw1', log);
    log.refusal = new CountersignError('LIMIT_EXCEEDED', { limit: 'x', allowed: 1, actual: 2 });
    await expect(approvals.ask(requestOf())).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect(await states()).toEqual([]);
    log.refusal = undefined;
    const hold = await askAndVote(approvals);
    log.refusal = new CountersignError('LIMIT_EXCEEDED', { limit: 'x', allowed: 1, actual: 2 });
    await expect(hold.withdraw('no')).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    log.refusal = undefined;
    expect(await states()).toEqual(['granted']);
    expect(await approvals.take(hold.id, hold.digest, SESSION)).toMatchObject({ kind: 'taken' });
  });
});
