import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HoldId } from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';
import { openStore, type Store } from '../store/store.ts';
import type { Approvals } from './approvals.ts';
import type { Hold, HoldRequest } from './holds-port.ts';
import {
  TestingClock,
  testingOnlyGateway,
  testingOnlyId,
  testingOnlyRequest,
  testingOnlyWorld,
  TestingLog,
  TestingPeople,
  type TestingWorld,
} from './testing-room.ts';
import type { Vote } from './votes.ts';

let directory: string;
let store: Store;
let world: TestingWorld;
let log: TestingLog;
let approvals: Approvals;

const APPROVE: Vote = { decision: 'approve', comment: undefined };
const DENY: Vote = { decision: 'deny', comment: 'not on a Friday' };
const SESSION = testingOnlyId('session', 'one');
const OTHER = testingOnlyId('session', 'two');

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'approvals-'));
  store = await openStore({ kind: 'sqlite', file: join(directory, 'store.sqlite') });
  const people = new TestingPeople();
  people.add('ana', ['owners']);
  for (const name of ['bo', 'cleo', 'dan']) people.add(name, ['owners', 'leads']);
  people.add('robot', ['owners'], { kind: 'service' });
  people.add('eve', ['administrators']);
  world = testingOnlyWorld(store, people);
  log = new TestingLog();
  ({ approvals } = await testingOnlyGateway(world, 'gw1', log));
});
afterEach(async () => {
  const [error] = world.errors;
  if (error !== undefined) throw error;
  await approvals.close();
  await store.close();
  await rm(directory, { recursive: true });
});

function requestOf(change: Parameters<typeof testingOnlyRequest>[1] = {}, name = 'ana'): HoldRequest {
  return testingOnlyRequest(human(name), change);
}

function human(name: string): Parameters<typeof testingOnlyRequest>[0] {
  const found = world.people.all.get(testingOnlyId('principal', name));
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
}

function setGroups(name: string, groups: readonly string[]): void {
  world.people.all.set(human(name).id, { ...human(name), groups });
}

async function vote(
  hold: { readonly id: HoldId },
  name: string,
  how = APPROVE,
  at = approvals,
): Promise<string> {
  const answer = await at.vote(hold.id, testingOnlyId('principal', name), how);
  return answer.kind === 'refused' ? answer.why : answer.record.state;
}

async function take(hold: Hold, session = SESSION, at = approvals): Promise<string> {
  const taken = await at.take(hold.id, hold.digest, session);
  return taken.kind === 'refused' ? taken.why : taken.kind;
}

async function granted(change: Parameters<typeof testingOnlyRequest>[1] = {}): Promise<Hold> {
  const hold = await approvals.ask(requestOf(change));
  expect(await vote(hold, 'bo')).toBe('granted');
  return hold;
}

function leaves(): string[] {
  return log.events.map(({ type, status }) => (status === undefined ? type : `${type} ${status}`));
}

describe('a hold', () => {
  it('is asked, granted, taken and executed, each in the log first', async () => {
    const hold = await approvals.ask(requestOf({ demand: { count: 2 } }));
    expect(hold.state).toBe('asked');
    expect(world.asked.map(({ id }) => id)).toEqual([hold.id]);
    expect(await vote(hold, 'bo')).toBe('asked');
    expect(await take(hold)).toBe('not-granted');
    expect(await vote(hold, 'cleo', { decision: 'approve', comment: 'checked' })).toBe('granted');
    expect(await hold.settled).toEqual({
      state: 'granted',
      approvers: ['bo', 'cleo'],
      useUntilUs: world.clock.wallUs + 600_000_000,
    });
    const taken = await approvals.take(hold.id, hold.digest, SESSION);
    if (taken.kind === 'refused') throw new Error(taken.why);
    await taken.done('ok', { rows: 120, outcomeLeaf: 9 });
    await expect(taken.done('ok')).rejects.toMatchObject({ code: 'STATE_CONFLICT' });
    expect(await take(hold)).toBe('used');
    expect(leaves()).toEqual([
      'hold.asked',
      'approval.granted',
      'approval.granted',
      'hold.taken',
      'hold.executed ok',
    ]);
    const [asked, first, second, use, end] = log.events;
    expect(asked).toMatchObject({
      decision: 'hold',
      policy: 'p1',
      ref: 0,
      keyId: SESSION,
      body: {
        digest: hold.digest,
        rule: 'bulk',
        rule_version: 3,
        count: 2,
        exact_rows: 120,
        estimated_rows: 7,
      },
    });
    expect(first).toMatchObject({
      ref: 0,
      keyId: human('bo').id,
      body: { approver: 'bo', signature_kind: 'none' },
    });
    expect(first?.body).not.toHaveProperty('until');
    expect(second?.body).toMatchObject({ comment: 'checked', until: expect.stringMatching(/Z$/) });
    expect(use?.body).toMatchObject({
      approvals: [1, 2],
      votes: [
        { approver: 'bo', node: 'gw1', leaf: 1 },
        { approver: 'cleo', node: 'gw1', leaf: 2 },
      ],
    });
    expect(end?.body).toMatchObject({ rows: 120, outcome_leaf: 9 });
  });

  it('keeps nothing of the statement, its keys, comments or reasons in plain text in the store', async () => {
    const hold = await approvals.ask(requestOf({ statement: "update p set x = 'canary-4711'" }));
    await vote(hold, 'bo', { decision: 'deny', comment: 'canary-4712' });
    const other = await approvals.ask(requestOf({ statement: 'canary-4713' }));
    await other.withdraw('canary-4714');
    expect(await hold.settled).toEqual({ state: 'denied', by: 'bo', comment: 'canary-4712' });
    expect(await other.settled).toEqual({ state: 'withdrawn', by: 'ana', reason: 'canary-4714' });
    const names = await readdir(directory);
    expect(names.length).toBeGreaterThan(0);
    const files = await Promise.all(names.map((name) => readFile(join(directory, name), 'latin1')));
    expect(files.join('')).toContain(hold.id);
    expect(files.join('')).not.toMatch(/canary-471|id=1/);
  });

  it('is joined where the same thing is open, and used again where it is granted; never asked twice', async () => {
    const first = await approvals.ask(requestOf());
    const same = await approvals.ask(requestOf({ session: 'two' }));
    expect(same.id).toBe(first.id);
    await vote(first, 'bo');
    expect((await Promise.all([first.settled, same.settled])).map(({ state }) => state)).toEqual([
      'granted',
      'granted',
    ]);
    const later = await approvals.ask(requestOf());
    expect([later.id, later.state, (await later.settled).state]).toEqual([first.id, 'granted', 'granted']);
    expect(await take(later)).toBe('taken');
    expect(leaves().filter((type) => type === 'hold.asked')).toHaveLength(1);
    expect((await approvals.ask(requestOf())).id).not.toBe(first.id);
  });

  it.each([
    ['another statement', { statement: 'update scores set value = 2' }],
    ['another policy', { policy: 'p2' }],
  ])('is another one for %s', async (_, change) => {
    const first = await approvals.ask(requestOf());
    expect((await approvals.ask(requestOf(change))).id).not.toBe(first.id);
  });

  it('is another one for another principal', async () => {
    const first = await approvals.ask(requestOf());
    expect((await approvals.ask(requestOf({}, 'dan'))).id).not.toBe(first.id);
  });

  it('that waits for its session is of that session until it ends', async () => {
    const hold = await granted({ bindToSession: true });
    const row = {
      id: SESSION,
      principal_id: human('ana').id,
      name: 'ana',
      connection: 'db',
      database: 'rerank',
      address: '::1',
      client: '',
      started_us: 1,
      ended_us: null,
      status: null,
      statements: 0,
      first_leaf: 0,
      last_leaf: null,
    };
    await store.db.insertInto('sessions').values(row).execute();
    expect(await take(hold, OTHER)).toBe('other-session');
    await store.db.updateTable('sessions').set({ ended_us: 2 }).where('id', '=', SESSION).execute();
    expect(await take(hold, OTHER)).toBe('taken');
  });

  it('is taken by nobody who has another digest', async () => {
    const hold = await granted();
    expect(await take({ ...hold, digest: 'f'.repeat(64) })).toBe('other-digest');
  });

  it('is denied by one, for good', async () => {
    const hold = await approvals.ask(requestOf({ demand: { count: 2 } }));
    await vote(hold, 'bo');
    expect(await vote(hold, 'cleo', DENY)).toBe('denied');
    expect(await vote(hold, 'dan')).toBe('closed');
    expect(await take(hold)).toBe('not-granted');
    // Who approved and changed their mind denies too.
    const again = await approvals.ask(requestOf({ demand: { count: 2 } }));
    await vote(again, 'bo');
    expect(await vote(again, 'bo', DENY)).toBe('denied');
  });
});

describe('a vote', () => {
  it.each([
    ['ana', 'own-request'],
    ['robot', 'not-a-person'],
    ['eve', 'not-an-approver'],
    ['nobody', 'not-found'],
  ])('of %s is refused: %s', async (name, why) => {
    const hold = await approvals.ask(requestOf());
    expect(await vote(hold, name)).toBe(why);
    expect(await vote(hold, name, DENY)).toBe(why);
    expect(leaves()).toEqual(['hold.asked']);
  });

  it('counts once for each person, also one who is in two groups and votes at two gateways', async () => {
    const hold = await approvals.ask(
      requestOf({ demand: { count: 2, approvers: ['group:owners', 'group:leads', 'bo'] } }),
    );
    const other = await testingOnlyGateway(world, 'gw2', new TestingLog());
    expect(await vote(hold, 'bo')).toBe('asked');
    expect(await vote(hold, 'bo')).toBe('voted-already');
    expect(await vote(hold, 'bo', APPROVE, other.approvals)).toBe('voted-already');
    expect(await vote(hold, 'cleo', APPROVE, other.approvals)).toBe('granted');
    // The leaf of another log is not an index of this one.
    expect(other.log.events[0]).not.toHaveProperty('ref');
    await approvals.sweep();
    expect((await hold.settled).state).toBe('granted');
  });

  it('of somebody who left the group meanwhile does not count, at the last vote and when it is used', async () => {
    const hold = await approvals.ask(requestOf({ demand: { count: 2 } }));
    await vote(hold, 'bo');
    setGroups('bo', []);
    expect(await vote(hold, 'cleo')).toBe('asked');
    expect(await vote(hold, 'dan')).toBe('granted');
    world.people.all.delete(human('dan').id);
    expect(await take(hold)).toBe('approvers-gone');
    expect((await approvals.ask(requestOf({ demand: { count: 2 } }))).id).not.toBe(hold.id);
    expect(leaves()).toContain('approval.withdrawn');
  });

  it('is enough where more than enough people have voted: some were not in their group for a while', async () => {
    const hold = await approvals.ask(requestOf({ demand: { count: 2 } }));
    await vote(hold, 'bo');
    setGroups('bo', []);
    expect(await vote(hold, 'cleo')).toBe('asked');
    setGroups('bo', ['owners']);
    expect(await vote(hold, 'dan')).toBe('granted');
    expect(await take(hold)).toBe('taken');
  });

  it('needs a reason where the rule says so', async () => {
    const hold = await approvals.ask(requestOf({ demand: { requireReason: true } }));
    expect(await vote(hold, 'bo')).toBe('reason-required');
    expect(await vote(hold, 'bo', { decision: 'approve', comment: '  ' })).toBe('reason-required');
    expect(await vote(hold, 'bo', { decision: 'approve', comment: 'ticket 7' })).toBe('granted');
  });

  it('of many at once gives one grant', async () => {
    const hold = await approvals.ask(requestOf());
    const all = await Promise.all(['bo', 'cleo', 'dan'].map((name) => vote(hold, name)));
    expect(all.toSorted()).toEqual(['closed', 'closed', 'granted']);
    expect(leaves().filter((type) => type === 'approval.granted')).toHaveLength(1);
  });
});

describe('time', () => {
  it('ends a request, and a grant, to the second', async () => {
    const hold = await approvals.ask(requestOf());
    world.clock.pass(899_999);
    await approvals.sweep();
    expect(await vote(hold, 'bo')).toBe('granted');
    world.clock.pass(599_999);
    await approvals.sweep();
    const [row] = await store.db.selectFrom('holds').select('state').execute();
    expect(row).toEqual({ state: 'granted' });
    world.clock.pass(1);
    expect(await take(hold)).toBe('expired');
    await approvals.sweep();
    expect(await take(hold)).toBe('expired');
    const late = await approvals.ask(requestOf());
    world.clock.pass(900_000);
    expect(await vote(late, 'bo')).toBe('closed');
    await approvals.sweep();
    expect((await late.settled).state).toBe('expired');
    expect(
      log.events.filter(({ type }) => type === 'approval.expired').map(({ body }) => body?.['reason']),
    ).toEqual(['the grant was not used in time', 'nobody answered in time']);
  });

  it.each([
    ['goes back', -3_600_000],
    ['stands still', -600_000],
  ])('that %s on the wall widens nothing', async (_, jumpMs) => {
    const hold = await granted();
    world.clock.pass(600_000);
    world.clock.wallUs += jumpMs * 1_000;
    expect(await take(hold)).toBe('expired');
  });

  it('that goes back does not widen what a start finds, whenever it went back', async () => {
    for (const isBefore of [true, false]) {
      // oxlint-disable no-await-in-loop -- One after the other.
      const hold = await granted({ statement: `update ${isBefore}` });
      world.clock.pass(300_000);
      log.beat(world.clock);
      if (isBefore) {
        world.clock.wallUs -= 3_600_000_000;
        world.clock.pass(3_900_000);
        await approvals.sweep();
      } else world.clock.wallUs -= 3_600_000_000;
      ({ approvals } = await testingOnlyGateway(world, 'gw1', log));
      expect(await take(hold)).not.toBe('taken');
      // oxlint-enable no-await-in-loop
    }
  });

  it('that is behind that of another gateway does not widen what that one granted', async () => {
    const hold = await granted();
    const clock = new TestingClock();
    clock.wallUs = world.clock.wallUs - 3_600_000_000;
    const other = await testingOnlyGateway({ ...world, clock }, 'gw2', new TestingLog());
    await other.approvals.sweep();
    expect(await vote(hold, 'cleo', APPROVE, other.approvals)).toBe('closed');
    clock.pass(600_000);
    expect(await take(hold, SESSION, other.approvals)).toBe('expired');
  });
});

describe('a grant', () => {
  it.each([
    ['its time ends', 'expired', () => world.clock.pass(600_000)],
    ['an approver leaves', 'approvers-gone', () => setGroups('bo', [])],
    ['the policy changes', 'policy-changed', (): void => void (world.policy = 'p2')],
  ] as const)('is not used where %s while the leaf of the use is signed', async (_, why, change) => {
    const hold = await granted();
    log.meanwhile = ({ type }) => {
      if (type === 'hold.taken') change();
    };
    expect(await take(hold)).toBe(why);
    expect(await take(hold)).toBe('used');
    expect(leaves().slice(-2)).toEqual(['hold.taken', 'hold.executed failed']);
  });
});

describe('a policy that changes', () => {
  it('ends what was asked and granted under another one', async () => {
    const hold = await granted();
    const asked = await approvals.ask(requestOf({ statement: 'delete' }));
    world.policy = 'p2';
    expect(await vote(asked, 'bo')).toBe('closed');
    expect(await take(hold)).toBe('policy-changed');
    expect((await asked.settled).state).toBe('withdrawn');
    await approvals.voidOutdated();
    const rows = await store.db.selectFrom('holds').select(['state', 'open_key']).execute();
    expect(rows).toEqual([
      { state: 'withdrawn', open_key: null },
      { state: 'withdrawn', open_key: null },
    ]);
  });
});

describe('limits', () => {
  it.each([
    ['no approvers', { approvers: [] }],
    ['nobody to approve', { count: 0 }],
    ['half a person', { count: 1.5 }],
    ['no time', { expiresMs: 0 }],
    ['too many people', { count: 17 }],
    ['too much time', { useWithinMs: 86_400_001 }],
  ])('refuse a demand of %s', async (_, demand) => {
    await expect(approvals.ask(requestOf({ demand }))).rejects.toMatchObject({
      code: expect.stringMatching(/^(REQUEST_INVALID|LIMIT_EXCEEDED)$/),
    });
    expect(leaves()).toEqual([]);
  });

  it('hold for one principal, for all, and for what is overdue no longer', async () => {
    const { openPerPrincipalMax } = LIMITS.approvals;
    for (let i = 0; i < openPerPrincipalMax; i++) {
      // oxlint-disable-next-line no-await-in-loop -- One behind the other.
      await approvals.ask(requestOf({ statement: `update ${i}` }));
    }
    await expect(approvals.ask(requestOf({ statement: 'more' }))).rejects.toMatchObject({
      code: 'LIMIT_EXCEEDED',
    });
    await expect(approvals.ask(requestOf({ statement: 'more' }, 'dan'))).resolves.toBeDefined();
    world.clock.pass(900_000);
    await expect(approvals.ask(requestOf({ statement: 'more' }))).resolves.toBeDefined();
    const { open_key: key, ...row } = await store.db
      .selectFrom('holds')
      .selectAll()
      .where('principal_id', '=', human('dan').id)
      .executeTakeFirstOrThrow();
    const many = Array.from({ length: LIMITS.approvals.openMax }, (_, i) => ({
      ...row,
      id: testingOnlyId('hold', `h${i}`),
      open_key: `${key} ${i}`,
      principal_id: `prn_${i}`,
      expires_us: world.clock.wallUs + 9_000_000_000,
    }));
    await store.transaction(async (tx) => {
      for (const one of many) {
        // oxlint-disable-next-line no-await-in-loop -- One connection.
        await tx.insertInto('holds').values(one).execute();
      }
    });
    await expect(approvals.ask(requestOf({ statement: 'one more' }))).rejects.toMatchObject({
      code: 'LIMIT_EXCEEDED',
      details: { limit: 'approvals.openMax' },
    });
  });

  it('cut a long statement where a character ends, with its length and SHA-256', async () => {
    const statement = `${'x'.repeat(LIMITS.approvals.statementBytesMax - 1)}ü${'y'.repeat(100)}`;
    const hold = await approvals.ask(requestOf({ statement }));
    const content = await approvals.texts.content(await record(hold));
    expect(content).toMatchObject({
      statement: 'x'.repeat(LIMITS.approvals.statementBytesMax - 1),
      statementBytes: Buffer.byteLength(statement),
      truncated: true,
    });
  });
});

async function record(hold: Hold): Promise<NonNullable<Awaited<ReturnType<Approvals['find']>>>> {
  const found = await approvals.find(hold.id);
  if (found === undefined) throw new Error('no hold');
  return found;
}

describe('two gateways on one store', () => {
  it('in two connections use a grant once, and ask the same thing once', async () => {
    await using second = await openStore({ kind: 'sqlite', file: join(directory, 'store.sqlite') });
    const other = await testingOnlyGateway({ ...world, store: second }, 'gw2', new TestingLog());
    for (let i = 0; i < 20; i++) {
      // oxlint-disable no-await-in-loop -- One race after the other.
      const request = requestOf({ statement: `update ${i}` });
      const [one, two] = await Promise.all([approvals.ask(request), other.approvals.ask(request)]);
      expect(one.id).toBe(two.id);
      const votes = await Promise.all([vote(one, 'bo'), vote(one, 'cleo', APPROVE, other.approvals)]);
      expect(votes.filter((state) => state === 'granted')).toHaveLength(1);
      const takes = await Promise.all([take(one), take(one, OTHER, other.approvals), take(one), take(one)]);
      expect(takes.filter((what) => what === 'taken')).toHaveLength(1);
      // oxlint-enable no-await-in-loop
    }
  });

  it('go on where one of them ended in the middle of a change, when it is overdue', async () => {
    const hold = await granted();
    await store.db
      .updateTable('holds')
      .set({
        pending: '{"kind":"withdraw"}',
        pending_node: 'gw9',
        pending_us: world.clock.wallUs,
        pending_leaf: 0,
      })
      .execute();
    expect(await take(hold)).toBe('busy');
    world.clock.pass(601_000);
    await approvals.sweep();
    expect(leaves()).toContain('approval.expired');
    expect((await approvals.ask(requestOf())).id).not.toBe(hold.id);
  });
});
