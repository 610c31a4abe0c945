/**
 * Two gateways, people that come and go, clocks that jump, processes that end anywhere: whatever the order,
 * what is used was approved by enough distinct people who may approve, in time, once, and is in a log.
 */

import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HoldId, parseId } from '../core/ids.ts';
import { openStore, type Store } from '../store/store.ts';
import { type Action, BATCHES, HISTORY_NAMES } from './testing-history.ts';
import { Life, type TestingGateway, type TestingHuman, TestingLog } from './testing-room.ts';
import {
  TESTING_OPENER,
  TestingPeople,
  testingOnlyEmpty,
  testingOnlyGateway,
  testingOnlyId,
  testingOnlyRequest,
  testingOnlyWorld,
  type TestingWorld,
} from './testing-room.ts';

const numRuns = process.env['COUNTERSIGN_SOAK'] === undefined ? 300 : 100_000;
/** The same histories again: COUNTERSIGN_SEED=… */
const seed = Number(process.env['COUNTERSIGN_SEED'] ?? Date.now() % 2 ** 31);
const EXPIRES_MS = 900_000;
const USE_WITHIN_MS = 600_000;
const SLACK_US = 1_000_000;
const NODES = ['gw1', 'gw2'] as const;

let store: Store;
/** How often what has to be possible came about, so that the properties are not about nothing. */
const seen = { taken: 0, granted: 0, opened: 0, reviewed: 0, crashes: 0, refused: new Map<string, number>() };

beforeAll(async () => {
  process.stdout.write(`holds: COUNTERSIGN_SEED=${seed}\n`);
  store = await openStore({ kind: 'sqlite', file: ':memory:' });
});
afterAll(() => store.close());

/** The world, what happens in it, and what is looked at. */
class Run {
  readonly world: TestingWorld;
  readonly logs = NODES.map(() => new TestingLog());
  readonly holds: { readonly id: HoldId; readonly digest: string }[] = [];
  readonly used = new Map<HoldId, number>();
  readonly problems: string[] = [];
  #gateways: TestingGateway[] = [];

  constructor() {
    const people = new TestingPeople();
    people.add('ana', ['owners']);
    for (const name of ['bo', 'cleo', 'dan']) people.add(name, ['owners', 'leads']);
    people.add('ana2', ['owners'], { subject: 'ana' });
    people.add('robot', ['owners'], { kind: 'service' });
    people.add('eve', []);
    this.world = testingOnlyWorld(store, people);
  }

  async start(): Promise<void> {
    this.#gateways = await Promise.all(
      NODES.map((node, i) => testingOnlyGateway(this.world, node, this.log(i))),
    );
  }

  log(i: number): TestingLog {
    return this.logs[i] ?? new TestingLog();
  }

  async batch(together: readonly Action[]): Promise<void> {
    // A process that ends begins again at once: what another gateway makes of one that does not is elsewhere.
    const crashes = together.some(({ kind }) => kind === 'crash');
    const actions = together.filter(({ kind }) => !crashes || kind !== 'pass');
    const lives = this.#gateways.map(({ life }) => life);
    this.world.clock.begunUs = this.world.clock.elapsedUs;
    for (const action of actions) {
      const life = action.kind === 'crash' ? lives[action.gateway] : undefined;
      if (action.kind === 'crash' && life !== undefined) life.left = action.after;
    }
    const running = actions.map((action) => {
      const life = 'gateway' in action ? lives[action.gateway] : undefined;
      // What an ended process was doing has no answer.
      return Promise.race([this.#do(action), ...(life === undefined ? [] : [life.ended])]);
    });
    for (const result of await Promise.allSettled(running)) {
      if (result.status === 'rejected') this.#expected(result.reason);
    }
    await this.#restart(lives);
  }

  async #restart(lives: readonly Life[]): Promise<void> {
    for (const [i, life] of lives.entries()) {
      if (life.left === Number.POSITIVE_INFINITY) continue;
      life.left = 0;
      seen.crashes += 1;
      // What was on its way to the disk arrives there or not before the next process begins.
      for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
      await store.transaction(async () => undefined);
      this.#gateways[i] = await testingOnlyGateway(this.world, NODES[i] ?? '', this.log(i));
    }
  }

  /** Every process ends and begins again. */
  async restartAll(): Promise<void> {
    for (const { life } of this.#gateways) life.left = 0;
    await this.#restart(this.#gateways.map(({ life }) => life));
  }

  async #do(action: Action): Promise<void> {
    const { world } = this;
    switch (action.kind) {
      case 'ask':
        return this.#ask(action);
      case 'vote': {
        const held = this.#hold(action.hold);
        if (held === undefined) return undefined;
        const vote = { decision: action.deny ? 'deny' : 'approve', comment: undefined } as const;
        const answer = await this.#at(action.gateway).vote(held.id, this.#human(action.who), vote);
        if (answer.kind === 'refused') count(answer.why);
        else if (answer.record.state === 'granted') seen.granted += 1;
        return undefined;
      }
      case 'take':
        return this.#take(action);
      case 'withdraw': {
        const held = this.#hold(action.hold);
        if (held !== undefined)
          await this.#at(action.gateway).withdraw(held.id, this.#human(action.who), 'not needed');
        return undefined;
      }
      case 'break': {
        const held = this.#hold(action.hold);
        if (held === undefined) return undefined;
        const answer = await this.#at(action.gateway).breakGlass(
          held.id,
          this.#human(action.who),
          'it burns',
        );
        if (answer.kind === 'refused') count(`break ${answer.why}`);
        else seen.opened += 1;
        return undefined;
      }
      case 'review': {
        const held = this.#hold(action.hold);
        if (held === undefined) return undefined;
        const given = { verdict: 'justified', comment: 'it did' } as const;
        const answer = await this.#at(action.gateway).review(held.id, this.#human(action.who), given);
        if (answer.kind === 'refused') count(`review ${answer.why}`);
        else seen.reviewed += 1;
        return undefined;
      }
      case 'opener':
        world.opener = action.isThere ? TESTING_OPENER : undefined;
        return undefined;
      case 'groups': {
        const id = this.#human(action.who);
        const human = world.people.all.get(id);
        if (human !== undefined)
          world.people.all.set(id, { ...human, groups: action.isIn ? ['owners'] : [] });
        return undefined;
      }
      case 'disable':
        world.people.all.delete(this.#human(action.who));
        return undefined;
      case 'pass':
        // In steps, as the gateways' own looks would come.
        world.clock.pass(action.ms);
        return this.#lookAround();
      case 'jump':
        world.clock.wallUs += action.ms * 1_000;
        return this.#lookAround();
      case 'policy':
        world.policy = action.to;
        return undefined;
      case 'sweep':
        return this.#at(action.gateway).sweep();
      case 'crash':
        return undefined;
      default:
        return action satisfies never;
    }
  }

  /** A gateway looks at its clock twice a second, and its log has a heartbeat. */
  async #lookAround(): Promise<void> {
    await Promise.all(
      this.#gateways.map(async ({ approvals, life, log }) => {
        log.beat(this.world.clock);
        await Promise.race([approvals.sweep(), life.ended]);
      }),
    );
  }

  async #ask(action: Extract<Action, { kind: 'ask' }>): Promise<void> {
    const { world } = this;
    const requester = world.people.all.get(this.#human(action.who));
    if (requester === undefined) return;
    const hold = await this.#at(action.gateway).ask(
      testingOnlyRequest(requester, {
        statement: `update ${action.text}`,
        session: `s${action.gateway}`,
        policy: world.policy,
        bindToSession: action.bind,
        demand: { count: action.count, expiresMs: EXPIRES_MS, useWithinMs: USE_WITHIN_MS },
      }),
    );
    hold.release();
    if (!this.holds.some(({ id }) => id === hold.id)) this.holds.push({ id: hold.id, digest: hold.digest });
  }

  async #take(action: Extract<Action, { kind: 'take' }>): Promise<void> {
    const held = this.#hold(action.hold);
    if (held === undefined) return;
    const session = testingOnlyId('session', `s${action.session}`);
    const taken = await this.#at(action.gateway).take(held.id, held.digest, session);
    if (taken.kind === 'refused') {
      count(taken.why);
      return;
    }
    seen.taken += 1;
    this.used.set(held.id, (this.used.get(held.id) ?? 0) + 1);
    this.#checkUse(held.id);
    if (action.end !== 'never') await taken.done(action.end);
  }

  /** At the moment at which the caller hears that it may go on. */
  #checkUse(id: HoldId): void {
    const { world } = this;
    const leaves = this.leavesOf(id);
    const asked = leaves.find(({ type }) => type === 'hold.asked');
    const granted = leaves.filter(({ type }) => type === 'approval.granted');
    const names = new Set(granted.map(({ body }) => body?.['approver']));
    const approvers = [...world.people.all.values()].filter(
      (human) => names.has(human.name) && human.kind === 'user' && human.groups.includes('owners'),
    );
    const requester = asked?.body?.['requester'];
    const asker = [...world.people.all.values()].find(({ name }) => name === requester);
    const own = requester === 'ana' ? ['ana', 'ana2'] : [requester];
    const types = leaves.map(({ type }) => type);
    const opened = leaves.find(({ type }) => type === 'breakglass.used');
    const grant = opened ?? granted.find(({ body }) => body?.['until'] !== undefined);
    const grantUs = grant?.elapsedUs;
    const withinMs = opened === undefined ? USE_WITHIN_MS : TESTING_OPENER.withinMs;
    const usedAfterUs = world.clock.elapsedUs - (grantUs ?? 0);
    // Who decided in time has, however long the log took.
    const grantedAfterUs = (grant?.begunUs ?? 0) - (asked?.elapsedUs ?? 0);
    const distinct = new Set(approvers.map(({ subject }) => subject)).size;
    this.#must('nobody approves their own', !approvers.some(({ name }) => own.includes(name)));
    if (opened === undefined) {
      this.#must('enough distinct people approved', distinct >= Number(asked?.body?.['count']));
    } else {
      this.#must(
        'who opened it asked',
        opened.body?.['requester'] === requester && opened.keyId === asker?.id,
      );
      this.#must('who opened it is a person who is there', asker?.kind === 'user');
      this.#must('it was opened once', types.filter((type) => type === 'breakglass.used').length === 1);
      const taken = leaves.find(({ type }) => type === 'hold.taken');
      this.#must('the use says that it was opened', taken?.body?.['break_glass'] !== undefined);
    }
    this.#must('the grant is in the log', grantUs !== undefined);
    this.#must('the grant is used in time', usedAfterUs <= withinMs * 1_000 + SLACK_US);
    this.#must('the request is granted in time', grantedAfterUs <= EXPIRES_MS * 1_000 + SLACK_US);
    this.#must('the use is in the log', types.filter((type) => type === 'hold.taken').length === 1);
    this.#must('nothing that is over is used', !types.some((type) => ENDS.has(type)));
    this.#must('it is used once', this.used.get(id) === 1);
  }

  /** At the end: what was opened is said and shown, and reviewed by one of its reviewers at most once. */
  checkOpening(
    id: HoldId,
    row: {
      readonly opening: string | null;
      readonly review: string | null;
      readonly review_by_us: number | null;
    },
  ): void {
    const leaves = this.leavesOf(id);
    const of = (wanted: string) => leaves.filter(({ type }) => type === wanted);
    const asked = of('hold.asked').at(0)?.body?.['requester'];
    const reviews = of('breakglass.reviewed');
    const isOpened = row.opening !== null;
    const isReviewed = row.review !== null;
    this.#must('an opening is a leaf and a row', of('breakglass.used').length === (isOpened ? 1 : 0));
    this.#must('a review is a leaf and a row', reviews.length === (isReviewed ? 1 : 0));
    this.#must('what is reviewed was opened', isOpened || !isReviewed);
    this.#must('what nobody has reviewed is due', (row.review_by_us !== null) === (isOpened && !isReviewed));
    // Before the process ended, or by the one after it.
    this.#must('reviewers were told', !isOpened || this.world.told.includes(`used ${id}`));
    const others = [...(asked === 'ana' ? ['ana', 'ana2'] : [asked]), 'robot', 'eve'];
    const ends = leaves.filter(({ type }) => ENDS.has(type)).map(({ elapsedUs }) => elapsedUs);
    for (const { body, elapsedUs } of reviews) {
      this.#must('a reviewer is somebody else', !others.includes(body?.['reviewer']));
      this.#must('a review comes when it is over', Math.min(...ends) <= elapsedUs);
    }
  }

  #must(what: string, holds: boolean): void {
    if (!holds) this.problems.push(what);
  }

  /** Leaves of both logs about a hold. */
  leavesOf(
    id: HoldId,
  ): (TestingLog['events'][number] & { readonly elapsedUs: number; readonly begunUs: number })[] {
    return this.logs.flatMap((log) =>
      log.events
        .map((event, i) => ({ ...event, elapsedUs: log.elapsedUs[i] ?? 0, begunUs: log.begunUs[i] ?? 0 }))
        .filter(({ body }) => body?.['hold_id'] === id),
    );
  }

  #at(i: number): TestingGateway['approvals'] {
    const found = this.#gateways[i];
    if (found === undefined) throw new Error(`no gateway ${i}`);
    return found.approvals;
  }

  #hold(i: number): { readonly id: HoldId; readonly digest: string } | undefined {
    return this.holds.at(-1 - i);
  }

  #human(i: number): TestingHuman['id'] {
    return testingOnlyId('principal', HISTORY_NAMES[i] ?? '');
  }

  /** What may be refused aloud: limits, somebody else's hold, somebody who was faster. */
  #expected(error: unknown): void {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (!['NOT_FOUND', 'STATE_CONFLICT'].includes(code)) throw error;
    count(code);
  }
}

function count(what: string): void {
  seen.refused.set(what, (seen.refused.get(what) ?? 0) + 1);
}

/** The leaf that stands behind each state in the store. */
const LEAF_OF: Readonly<Record<string, string>> = {
  asked: 'hold.asked',
  denied: 'approval.denied',
  expired: 'approval.expired',
  withdrawn: 'approval.withdrawn',
  executed: 'hold.executed',
  failed: 'hold.executed',
};

const ENDS: ReadonlySet<string> = new Set([
  'approval.denied',
  'approval.expired',
  'approval.withdrawn',
  'hold.executed',
]);

describe('holds', () => {
  it('are used once, in time, with enough people, in whatever order things happen', {
    timeout: 3_600_000,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(BATCHES, async (batches) => {
        await testingOnlyEmpty(store);
        const run = new Run();
        await run.start();
        for (const batch of batches) await run.batch(batch);
        await run.restartAll();
        const rows = await store.db.selectFrom('holds').selectAll().execute();
        for (const { id, state, pending, opening, review, review_by_us } of rows) {
          const types = run.leavesOf(testingHold(id)).map(({ type }) => type);
          const leaf =
            state === 'granted'
              ? opening === null
                ? 'approval.granted'
                : 'breakglass.used'
              : LEAF_OF[state];
          expect([state, pending, types]).toEqual([state, null, expect.arrayContaining([leaf])]);
          run.checkOpening(testingHold(id), { opening, review, review_by_us });
          expect(types.filter((type) => type === 'hold.executed').length).toBeLessThanOrEqual(1);
          expect(types.filter((type) => type === 'hold.taken').length).toBeLessThanOrEqual(1);
          // Whatever is in a log came into effect: it says no two ends of one hold.
          expect(types.filter((type) => ENDS.has(type)).length).toBeLessThanOrEqual(1);
        }
        expect(run.problems).toEqual([]);
        for (const id of run.used.keys()) {
          expect(rows.find((row) => row.id === id)?.state).toMatch(/^(executed|failed)$/);
          expect(run.leavesOf(id).filter(({ type }) => type === 'hold.executed')).toHaveLength(1);
        }
      }),
      { numRuns, seed },
    );
    // The properties are about something.
    expect(seen.taken).toBeGreaterThan(numRuns / 4);
    expect(seen.granted).toBeGreaterThan(numRuns / 3);
    expect(seen.crashes).toBeGreaterThan(numRuns / 4);
    expect(seen.opened).toBeGreaterThan(numRuns / 8);
    expect(seen.reviewed).toBeGreaterThan(numRuns / 20);
    for (const why of [
      'own-request',
      'not-an-approver',
      'not-a-person',
      'voted-already',
      'used',
      'expired',
      'break not-own',
      'break closed',
      'break no-rule',
      'review own-request',
      'review not-over',
      'review reviewed-already',
      'review not-an-approver',
    ]) {
      expect([why, seen.refused.get(why) ?? 0]).not.toEqual([why, 0]);
    }
  });
});

function testingHold(id: string): HoldId {
  return parseId('hold', id);
}
