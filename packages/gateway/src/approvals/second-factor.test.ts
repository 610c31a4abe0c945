/** Approvals of rules that ask for a second factor of whoever gives them. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openStore, type Store } from '../store/store.ts';
import type { Approvals } from './approvals.ts';
import type { Hold, HoldRequest } from './holds-port.ts';
import {
  testingOnlyGateway,
  testingOnlyId,
  testingOnlyRequest,
  testingOnlyWorld,
  TestingLog,
  TestingPeople,
} from './testing-room.ts';
import type { Vote } from './votes.ts';

let directory: string;
let store: Store;
let people: TestingPeople;
let approvals: Approvals;

const APPROVE: Vote = { decision: 'approve', comment: undefined };
const DENY: Vote = { decision: 'deny', comment: 'not on a Friday' };
const SESSION = testingOnlyId('session', 'one');

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'approvals-'));
  store = await openStore({ kind: 'sqlite', file: join(directory, 'store.sqlite') });
  people = new TestingPeople();
  for (const name of ['ana', 'bo', 'cleo']) people.add(name, ['owners']);
  const world = testingOnlyWorld(store, people);
  ({ approvals } = await testingOnlyGateway(world, 'gw1', new TestingLog()));
});
afterEach(async () => {
  await approvals.close();
  await store.close();
  await rm(directory, { recursive: true });
});

function requestOf(change: Parameters<typeof testingOnlyRequest>[1] = {}): HoldRequest {
  const ana = people.all.get(testingOnlyId('principal', 'ana'));
  if (ana === undefined) throw new Error('no ana');
  return testingOnlyRequest(ana, change);
}

async function vote({ id }: Hold, name: string, how = APPROVE): Promise<string> {
  const answer = await approvals.vote(id, testingOnlyId('principal', name), how);
  return answer.kind === 'refused' ? answer.why : answer.record.state;
}

describe('an approval', () => {
  it.each<readonly [string, number | undefined, string]>([
    ['none', undefined, 'second-factor-required'],
    ['one of now', 0, 'granted'],
    ['one at the end of its time', 900_000, 'granted'],
    ['one that is a moment too old', 900_001, 'second-factor-required'],
    ['one in the future, as after a clock that went back', -1, 'second-factor-required'],
  ])('needs a second factor where the rule says so: %s', async (_, ageMs, expected) => {
    const hold = await approvals.ask(requestOf({ demand: { mfaMs: 900_000 } }));
    const mfaUs = ageMs === undefined ? undefined : approvals.nowUs() - ageMs * 1_000;
    expect(await vote(hold, 'bo', { ...APPROVE, mfaUs })).toBe(expected);
    const other = await approvals.ask(requestOf({ demand: { mfaMs: 900_000 }, statement: 'denied' }));
    expect(await vote(other, 'cleo', { ...DENY, mfaUs })).toBe('denied');
    const without = await approvals.ask(requestOf({ statement: 'without' }));
    expect(await vote(without, 'bo', { ...APPROVE, mfaUs })).toBe('granted');
  });

  it('needs a second factor of each of several people', async () => {
    const hold = await approvals.ask(requestOf({ demand: { count: 2, mfaMs: 900_000 } }));
    const mfaUs = approvals.nowUs();
    expect(await vote(hold, 'bo', { ...APPROVE, mfaUs })).toBe('asked');
    expect(await vote(hold, 'cleo')).toBe('second-factor-required');
    expect(await vote(hold, 'cleo', { ...APPROVE, mfaUs })).toBe('granted');
    const taken = await approvals.take(hold.id, hold.digest, SESSION);
    expect(taken.kind).toBe('taken');
  });
});
