import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HoldId } from '../core/ids.ts';
import { openStore, type Store } from '../store/store.ts';
import type { Approvals } from './approvals.ts';
import type { ReviewGiven } from './break-glass.ts';
import type { Hold } from './holds-port.ts';
import {
  testingOnlyGateway,
  testingOnlyId,
  testingOnlyRequest,
  testingOnlyWorld,
  TestingLog,
  TestingPeople,
  type TestingWorld,
} from './testing-room.ts';
import { maySee } from './visibility.ts';

let store: Store;
let world: TestingWorld;
let log: TestingLog;
let approvals: Approvals;

const SESSION = testingOnlyId('session', 'one');
const JUSTIFIED: ReviewGiven = { verdict: 'justified', comment: 'the index was down' };

beforeEach(async () => {
  store = await openStore({ kind: 'sqlite', file: ':memory:' });
  const people = new TestingPeople();
  people.add('ana', ['owners', 'leads']);
  people.add('ana2', ['owners', 'leads'], { subject: 'ana' });
  people.add('bo', ['owners']);
  people.add('lea', ['leads']);
  people.add('robot', ['owners', 'leads'], { kind: 'service' });
  people.add('eve', []);
  world = testingOnlyWorld(store, people);
  log = new TestingLog();
  ({ approvals } = await testingOnlyGateway(world, 'gw1', log));
});
afterEach(async () => {
  const [error] = world.errors;
  if (error !== undefined) throw error;
  await approvals.close();
  await store.close();
});

function human(name: string): Parameters<typeof testingOnlyRequest>[0] {
  const found = world.people.all.get(testingOnlyId('principal', name));
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
}

function ask(change: Parameters<typeof testingOnlyRequest>[1] = {}, name = 'ana'): Promise<Hold> {
  return approvals.ask(testingOnlyRequest(human(name), change));
}

async function open(
  hold: { readonly id: HoldId },
  name = 'ana',
  reason = 'the shop is down',
): Promise<string> {
  const answer = await approvals.breakGlass(hold.id, testingOnlyId('principal', name), reason);
  return answer.kind === 'refused' ? answer.why : answer.record.state;
}

async function review(hold: { readonly id: HoldId }, name: string, given = JUSTIFIED): Promise<string> {
  const answer = await approvals.review(hold.id, testingOnlyId('principal', name), given);
  return answer.kind === 'refused' ? answer.why : (answer.record.review?.verdict ?? '');
}

async function take(hold: Hold, digest = hold.digest): Promise<string> {
  const taken = await approvals.take(hold.id, digest, SESSION);
  if (taken.kind === 'refused') return taken.why;
  await taken.done('ok');
  return taken.kind;
}

/** Opened and used. */
async function usedHold(): Promise<Hold> {
  const hold = await ask();
  await open(hold);
  await take(hold);
  return hold;
}

function viewer(name: string): Parameters<typeof maySee>[0] {
  return { ...human(name), displayName: name };
}

function leaves(): string[] {
  return log.events.map(({ type, status }) => (status === undefined ? type : `${type} ${status}`));
}

describe('a hold that its requester opens', () => {
  it('goes on at once, once, with a leaf before it and one when it is reviewed', async () => {
    const hold = await ask();
    let toldWhen: readonly string[] = [];
    void hold.settled.then(() => (toldWhen = leaves()));
    expect(await open(hold)).toBe('granted');
    const settled = await hold.settled;
    expect(settled).toEqual({
      state: 'granted',
      approvers: [],
      useUntilUs: world.clock.wallUs + 300_000_000,
      openedBy: 'night',
    });
    expect(toldWhen).toEqual(['hold.asked', 'breakglass.used']);
    await Promise.all([approvals.sweep(), approvals.sweep()]);
    expect(world.told).toEqual([`used ${hold.id}`]);
    expect(await take(hold)).toBe('taken');
    expect(await take(hold)).toBe('used');
    expect(await review(hold, 'lea')).toBe('justified');
    expect(leaves()).toEqual([
      'hold.asked',
      'breakglass.used',
      'hold.taken',
      'hold.executed ok',
      'breakglass.reviewed justified',
    ]);
    const [, used, taken, , reviewed] = log.events;
    expect(used).toMatchObject({
      ref: 0,
      keyId: human('ana').id,
      body: {
        hold_id: hold.id,
        digest: hold.digest,
        rule: 'night',
        rule_version: 4,
        requester: 'ana',
        reason: 'the shop is down',
        reviewers: ['group:leads'],
      },
    });
    expect(taken?.body).toMatchObject({ votes: [], break_glass: { rule: 'night', node: 'gw1', leaf: 1 } });
    expect(reviewed).toMatchObject({ ref: 1, body: { reviewer: 'lea', comment: 'the index was down' } });
    const record = await approvals.find(hold.id);
    if (record === undefined) throw new Error('no record');
    expect(await approvals.texts.opening(record)).toBe('the shop is down');
    expect(await approvals.texts.review(record)).toBe('the index was down');
  });

  it.each([
    ['bo', 'who may approve', 'not-own'],
    ['ana2', 'another account of the same person', 'not-own'],
    ['lea', 'a reviewer', 'not-own'],
    ['nobody', 'who is not there', 'not-found'],
  ])('is not opened by %s: %s', async (name, _, why) => {
    const hold = await ask();
    expect(await open(hold, name)).toBe(why);
    expect(leaves()).toEqual(['hold.asked']);
  });

  it('is a person’s: no service account opens its own', async () => {
    expect(await open(await ask({}, 'robot'), 'robot')).toBe('not-a-person');
  });

  it.each([['', ' \n\t ', '\u200B\u200D', '…', '\uFEFF']].flat())(
    'needs a reason, and %j is none',
    async (reason) => {
      const hold = await ask();
      expect(await open(hold, 'ana', reason)).toBe('reason-required');
      expect(await take(hold)).toBe('not-granted');
    },
  );

  it('is opened once, and neither approved nor denied afterwards', async () => {
    const hold = await ask();
    await open(hold);
    expect(await open(hold)).toBe('closed');
    for (const decision of ['approve', 'deny'] as const) {
      const voted = await approvals.vote(hold.id, human('bo').id, { decision, comment: undefined });
      expect(voted).toEqual({ kind: 'refused', why: 'closed' });
    }
  });

  it('is not opened by two at the same time', async () => {
    const hold = await ask();
    const answers = await Promise.all([open(hold), open(hold), open(hold)]);
    expect(answers.toSorted()).toEqual(['closed', 'closed', 'granted']);
    await approvals.sweep();
    expect(world.told).toHaveLength(1);
  });

  it('is not opened where somebody has denied it, or it is over', async () => {
    const denied = await ask();
    await approvals.vote(denied.id, human('bo').id, { decision: 'deny', comment: undefined });
    expect(await open(denied)).toBe('closed');
    const withdrawn = await ask();
    await withdrawn.withdraw('no');
    expect(await open(withdrawn)).toBe('closed');
    const late = await ask();
    world.clock.pass(900_000);
    expect(await open(late)).toBe('closed');
  });

  it.each([
    ['no rule covers what it does', () => ({ demand: { openers: [] } })],
    ['it was asked before there were such rules', () => ({ demand: { openers: undefined } })],
    [
      'the rule is not in force now, or nobody could review it',
      () => {
        world.opener = undefined;
        return {};
      },
    ],
  ])('is not opened where %s', async (_, change) => {
    const hold = await ask(change());
    expect(await open(hold)).toBe('no-rule');
    expect(await take(hold)).toBe('not-granted');
  });

  it('ends to the second, to be asked again', async () => {
    const hold = await ask();
    await open(hold);
    world.clock.pass(299_999);
    expect((await approvals.find(hold.id))?.state).toBe('granted');
    world.clock.pass(1);
    expect(await take(hold)).toBe('expired');
    expect((await ask()).id).not.toBe(hold.id);
  });

  it('ends while the leaf of its use is signed', async () => {
    const hold = await ask();
    await open(hold);
    log.meanwhile = ({ type }) => {
      if (type === 'hold.taken') world.clock.pass(300_000);
    };
    expect(await take(hold)).toBe('expired');
    expect(leaves()).toContain('hold.executed failed');
  });

  it('is for nothing else', async () => {
    const hold = await ask();
    await open(hold);
    expect(await take(hold, 'f'.repeat(64))).toBe('other-digest');
    expect((await ask({ statement: 'delete from scores' })).state).toBe('asked');
  });

  it('is void where what decides about it changes between its opening and its use', async () => {
    const hold = await ask();
    await open(hold);
    world.policy = 'p2';
    expect(await take(hold)).toBe('policy-changed');
    expect((await approvals.find(hold.id))?.state).toBe('withdrawn');
    expect(await review(hold, 'lea')).toBe('justified');
  });

  it('is void where that changes while it is opened', async () => {
    const hold = await ask();
    world.policy = 'p2';
    expect(await open(hold)).toBe('closed');
    expect(leaves()).toEqual(['hold.asked', 'approval.withdrawn']);
  });

  it('is not used where who opened it is not there any more', async () => {
    const hold = await ask();
    await open(hold);
    world.people.all.delete(human('ana').id);
    expect(await take(hold)).toBe('approvers-gone');
  });

  it('takes no vote along that was not enough', async () => {
    const hold = await ask({ demand: { count: 2 } });
    await approvals.vote(hold.id, human('bo').id, { decision: 'approve', comment: undefined });
    expect(await open(hold)).toBe('granted');
    expect(await take(hold)).toBe('taken');
    const taken = log.events.find(({ type }) => type === 'hold.taken');
    expect(taken?.body).toMatchObject({ votes: [{ approver: 'bo' }], break_glass: { rule: 'night' } });
  });

  it('is told although telling fails, and used', async () => {
    world.told.push = () => {
      throw new Error('no notice');
    };
    const hold = await ask();
    expect(await open(hold)).toBe('granted');
    expect(await take(hold)).toBe('taken');
    await approvals.sweep();
    expect(world.errors).toMatchObject([{ cause: { message: 'no notice' } }]);
    world.errors.length = 0;
  });

  it('that a process before this one had opened is told by the next', async () => {
    const gateway = await testingOnlyGateway(world, 'gw1', log);
    const hold = await gateway.approvals.ask(testingOnlyRequest(human('ana')));
    // It ends when the leaf is durable and the store has not heard of it.
    log.meanwhile = ({ type }) => {
      if (type === 'breakglass.used') gateway.life.left = 1;
    };
    void gateway.approvals.breakGlass(hold.id, human('ana').id, 'the shop is down');
    await gateway.life.ended;
    expect(world.told).toEqual([]);
    log.meanwhile = () => undefined;
    const after = await testingOnlyGateway(world, 'gw1', log);
    expect((await after.approvals.find(hold.id))?.opening).toMatchObject({
      leaf: 1,
      rule: { name: 'night' },
    });
    expect(world.told).toEqual([`used ${hold.id}`]);
    await after.approvals.close();
  });
});

describe('a review', () => {
  it.each([
    ['ana', 'own-request'],
    ['ana2', 'own-request'],
    ['bo', 'not-an-approver'],
    ['eve', 'not-an-approver'],
    ['robot', 'not-a-person'],
    ['nobody', 'not-found'],
  ])('of %s is refused: %s', async (name, why) => {
    const hold = await usedHold();
    expect(await review(hold, name)).toBe(why);
    expect((await approvals.find(hold.id))?.review).toBeUndefined();
  });

  it('says what was found, and is given once', async () => {
    const hold = await usedHold();
    expect(await review(hold, 'lea', { verdict: 'not-justified', comment: ' \u200B ' })).toBe(
      'reason-required',
    );
    const both = [
      review(hold, 'lea', { verdict: 'not-justified', comment: 'it could have waited' }),
      review(hold, 'lea'),
    ];
    expect((await Promise.all(both)).toSorted()).toEqual(['not-justified', 'reviewed-already']);
    expect(leaves().filter((type) => type.startsWith('breakglass.reviewed'))).toEqual([
      'breakglass.reviewed not_justified',
    ]);
  });

  it('comes when it is over, also where it was never used', async () => {
    const hold = await ask();
    expect(await review(hold, 'bo')).toBe('not-broken');
    await open(hold);
    expect(await review(hold, 'lea')).toBe('not-over');
    const taken = await approvals.take(hold.id, hold.digest, SESSION);
    expect(await review(hold, 'lea')).toBe('not-over');
    if (taken.kind === 'taken') await taken.done('failed');
    expect(await review(hold, 'lea')).toBe('justified');
    const unused = await ask();
    await open(unused);
    world.clock.pass(300_000);
    await approvals.sweep();
    expect(await review(unused, 'lea')).toBe('justified');
  });

  it('is not of what was approved', async () => {
    const hold = await ask();
    await approvals.vote(hold.id, human('bo').id, { decision: 'approve', comment: undefined });
    await take(hold);
    expect(await review(hold, 'bo')).toBe('not-broken');
    expect(await review(hold, 'lea')).toBe('not-an-approver');
  });

  it('that is missing is listed, and told once more when it is late, by one gateway', async () => {
    const hold = await usedHold();
    const reviewed = await usedHold();
    await review(reviewed, 'lea');
    const list = async (): Promise<string[]> =>
      (await approvals.page(undefined, 'unreviewed', 10)).map(({ id }) => id);
    expect(await list()).toEqual([hold.id]);
    const second = await testingOnlyGateway(world, 'gw2', new TestingLog());
    world.clock.pass(3_599_999);
    await Promise.all([approvals.sweep(), second.approvals.sweep()]);
    const late = (): string[] => world.told.filter((told) => told.startsWith('overdue'));
    expect(late()).toEqual([]);
    world.clock.pass(1);
    await Promise.all([approvals.sweep(), second.approvals.sweep()]);
    await Promise.all([approvals.sweep(), second.approvals.sweep()]);
    expect(late()).toEqual([`overdue ${hold.id}`]);
    expect(await list()).toEqual([hold.id]);
    expect(await review(hold, 'lea')).toBe('justified');
    expect(await list()).toEqual([]);
    await second.approvals.close();
  });

  it('is given by those who see it', async () => {
    const hold = await ask();
    const before = await approvals.find(hold.id);
    if (before === undefined) throw new Error('no record');
    expect(maySee(viewer('lea'), before)).toBe(false);
    await open(hold);
    const after = await approvals.find(hold.id);
    if (after === undefined) throw new Error('no record');
    expect(maySee(viewer('lea'), after)).toBe(true);
    expect(maySee(viewer('eve'), after)).toBe(false);
  });
});
