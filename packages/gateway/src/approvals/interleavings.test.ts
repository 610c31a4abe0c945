/**
 * Two gateways, people that come and go, clocks that jump, processes that end anywhere: whatever the order,
 * what is used was approved by enough distinct people who may approve, in time, once, and is in a log.
 */

import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HoldId, parseId } from '../core/ids.ts';
import { openStore, type Store } from '../store/store.ts';
import { Life, TestingClock, type TestingGateway, type TestingHuman, TestingLog } from './testing-room.ts';
import {
  TestingPeople,
  testingOnlyEmpty,
  testingOnlyGateway,
  testingOnlyId,
  testingOnlyRequest,
  type TestingWorld,
} from './testing-room.ts';

const numRuns = process.env['COUNTERSIGN_SOAK'] === undefined ? 300 : 100_000;
/** The same histories again: COUNTERSIGN_SEED=… */
const seed = Number(process.env['COUNTERSIGN_SEED'] ?? Date.now() % 2 ** 31);
const EXPIRES_MS = 900_000;
const USE_WITHIN_MS = 600_000;
const SLACK_US = 1_000_000;

const NODES = ['gw1', 'gw2'] as const;
const NAMES = ['ana', 'bo', 'cleo', 'dan', 'ana2', 'robot', 'eve'] as const;

type Action =
  | {
      readonly kind: 'ask';
      readonly gateway: number;
      readonly who: number;
      readonly count: number;
      readonly text: number;
      readonly bind: boolean;
    }
  | {
      readonly kind: 'vote';
      readonly gateway: number;
      readonly who: number;
      readonly hold: number;
      readonly deny: boolean;
    }
  | {
      readonly kind: 'take';
      readonly gateway: number;
      readonly hold: number;
      readonly session: number;
      readonly end: 'ok' | 'failed' | 'never';
    }
  | { readonly kind: 'withdraw'; readonly gateway: number; readonly who: number; readonly hold: number }
  | { readonly kind: 'groups'; readonly who: number; readonly isIn: boolean }
  | { readonly kind: 'disable'; readonly who: number }
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'jump'; readonly ms: number }
  | { readonly kind: 'policy'; readonly to: string }
  | { readonly kind: 'sweep'; readonly gateway: number }
  | { readonly kind: 'crash'; readonly gateway: number; readonly after: number };

const gateway = fc.constantFrom(0, 1);
const who = fc.nat(NAMES.length - 1);
const nthHold = fc.constantFrom(0, 0, 0, 1, 2);
const ACTION: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('ask' as const),
      gateway,
      who: fc.constantFrom(0, 0, 1),
      count: fc.constantFrom(1, 1, 2, 3),
      text: fc.nat(1),
      bind: fc.boolean(),
    }),
  },
  {
    weight: 9,
    arbitrary: fc.record({
      kind: fc.constant('vote' as const),
      gateway,
      who,
      hold: nthHold,
      deny: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('take' as const),
      gateway,
      hold: nthHold,
      session: fc.nat(1),
      end: fc.constantFrom('ok' as const, 'failed' as const, 'never' as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('withdraw' as const), gateway, who, hold: nthHold }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('groups' as const), who, isIn: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('disable' as const), who }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('pass' as const),
      ms: fc.constantFrom(1, 1_000, 300_000, 599_000, 601_000),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('jump' as const),
      ms: fc.constantFrom(-3_600_000, -600_000, -900, 5_000, 500_000),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('policy' as const), to: fc.constantFrom('p1', 'p2') }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('sweep' as const), gateway }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('crash' as const), gateway, after: fc.nat(14) }),
  },
);
/** People who may approve vote at both gateways, */
const VOTES = fc
  .tuple(fc.shuffledSubarray([1, 2, 3], { minLength: 1 }), nthHold, gateway)
  .map(([voters, on, first]) =>
    voters.map(
      (voter, i): Action => ({ kind: 'vote', gateway: (first + i) % 2, who: voter, hold: on, deny: false }),
    ),
  );
/** and both gateways are asked to use the same grant. */
const RACE = fc
  .tuple(nthHold, fc.constantFrom('ok' as const, 'failed' as const, 'never' as const), ACTION)
  .map(([on, end, other]): Action[] => [
    { kind: 'take', gateway: 0, hold: on, session: 0, end },
    { kind: 'take', gateway: 1, hold: on, session: 1, end },
    other,
  ]);
/** What is in one batch happens at the same time. */
const BATCHES = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.array(ACTION, { minLength: 1, maxLength: 3 }) },
    { weight: 2, arbitrary: VOTES },
    { weight: 2, arbitrary: RACE },
  ),
  { minLength: 8, maxLength: 28, size: 'max' },
);

let store: Store;
/** How often what has to be possible came about, so that the properties are not about nothing. */
const seen = { taken: 0, granted: 0, crashes: 0, refused: new Map<string, number>() };

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
    this.world = { store, people, clock: new TestingClock(), policy: 'p1', errors: [], asked: [] };
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
    const own = requester === 'ana' ? ['ana', 'ana2'] : [requester];
    const grantUs = granted.find(({ body }) => body?.['until'] !== undefined)?.elapsedUs;
    const usedAfterUs = world.clock.elapsedUs - (grantUs ?? 0);
    const grantedAfterUs = (grantUs ?? 0) - (asked?.elapsedUs ?? 0);
    const distinct = new Set(approvers.map(({ subject }) => subject)).size;
    const types = leaves.map(({ type }) => type);
    this.#must('nobody approves their own', !approvers.some(({ name }) => own.includes(name)));
    this.#must('enough distinct people approved', distinct >= Number(asked?.body?.['count']));
    this.#must('the grant is in the log', grantUs !== undefined);
    this.#must('the grant is used in time', usedAfterUs <= USE_WITHIN_MS * 1_000 + SLACK_US);
    this.#must('the request is granted in time', grantedAfterUs <= EXPIRES_MS * 1_000 + SLACK_US);
    this.#must('the use is in the log', types.filter((type) => type === 'hold.taken').length === 1);
    this.#must('nothing that is over is used', !types.some((type) => ENDS.has(type)));
    this.#must('it is used once', this.used.get(id) === 1);
  }

  #must(what: string, holds: boolean): void {
    if (!holds) this.problems.push(what);
  }

  /** Leaves of both logs about a hold. */
  leavesOf(id: HoldId): (TestingLog['events'][number] & { readonly elapsedUs: number })[] {
    return this.logs.flatMap((log) =>
      log.events
        .map((event, i) => ({ ...event, elapsedUs: log.elapsedUs[i] ?? 0 }))
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
    return testingOnlyId('principal', NAMES[i] ?? '');
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
  granted: 'approval.granted',
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
        for (const { id, state, pending } of rows) {
          const types = run.leavesOf(testingHold(id)).map(({ type }) => type);
          expect([state, pending, types]).toEqual([state, null, expect.arrayContaining([LEAF_OF[state]])]);
          expect(types.filter((type) => type === 'hold.executed').length).toBeLessThanOrEqual(1);
          expect(types.filter((type) => type === 'hold.taken').length).toBeLessThanOrEqual(1);
          // Whatever is in a log came into effect: it says no two ends of one hold.
          expect(types.filter((type) => ENDS.has(type)).length).toBeLessThanOrEqual(1);
        }
        for (const id of run.used.keys()) {
          expect(rows.find((row) => row.id === id)?.state).toMatch(/^(executed|failed)$/);
          expect(run.leavesOf(id).filter(({ type }) => type === 'hold.executed')).toHaveLength(1);
        }
      }),
      { numRuns, seed },
    );
    // The properties are about something.
    expect(seen.taken).toBeGreaterThan(numRuns / 4);
    expect(seen.granted).toBeGreaterThan(numRuns / 2);
    expect(seen.crashes).toBeGreaterThan(numRuns / 4);
    for (const why of [
      'own-request',
      'not-an-approver',
      'not-a-person',
      'voted-already',
      'used',
      'expired',
    ]) {
      expect([why, seen.refused.get(why) ?? 0]).not.toEqual([why, 0]);
    }
  });
});

function testingHold(id: string): HoldId {
  return parseId('hold', id);
}
