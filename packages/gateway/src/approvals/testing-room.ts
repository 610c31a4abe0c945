/** For tests of this room: gateways that share a store, with logs in memory, people that change, and crashes. */

import { randomBytes as cryptoRandomBytes } from 'node:crypto';
import { sql } from 'kysely';
import { CountersignError } from '../core/errors.ts';
import { type HoldId, makeId, type PrincipalId, type SessionId } from '../core/ids.ts';
import type { Appended, LedgerEvent, LedgerPort } from '../core/ledger-port.ts';
import type { ActorKind } from '../core/principal.ts';
import type { Store } from '../store/store.ts';
import { Approvals } from './approvals.ts';
import type { Human } from './approvers.ts';
import type { HoldLeaf, HoldLog } from './hold-leaves.ts';
import type { HoldRecord } from './hold-record.ts';
import { HoldStore } from './hold-store.ts';
import type { HoldRequest } from './holds-port.ts';
import type { ApprovalPeople, Opener, PolicyAbout } from './options.ts';

const TESTING_START_US: number = 1_795_000_000_000_000;

/** Monotonic time and wall time, each of which a test moves by itself. */
export class TestingClock {
  wallUs: number = TESTING_START_US;
  elapsedUs = 0;
  /** Monotonic time at which what goes on now was begun: time may pass while somebody waits for a log. */
  begunUs = 0;

  nowUs(): number {
    return this.wallUs;
  }

  monotonicUs(): number {
    return this.elapsedUs;
  }

  /** Both go on. */
  pass(ms: number): void {
    this.wallUs += ms * 1_000;
    this.elapsedUs += ms * 1_000;
  }
}

export type TestingHuman = Human & { readonly id: PrincipalId };

export class TestingPeople implements ApprovalPeople {
  readonly all: Map<PrincipalId, TestingHuman> = new Map();

  add(
    name: string,
    groups: readonly string[],
    more: Partial<Human> & { kind?: ActorKind } = {},
  ): TestingHuman {
    const id = testingOnlyId('principal', name);
    const human = { name, kind: 'user' as const, issuer: 'local', subject: name, ...more, id, groups };
    this.all.set(id, human);
    return human;
  }

  async find(id: PrincipalId): Promise<TestingHuman | undefined> {
    return this.all.get(id);
  }

  async leafActor(principal: { readonly id: PrincipalId; readonly kind: ActorKind }): Promise<{
    readonly kind: string;
    readonly actor: string;
    readonly keyId: string;
  }> {
    return { kind: principal.kind, actor: 'a'.repeat(32), keyId: principal.id };
  }
}

const FAILURE = new CountersignError('STORE_FAILED', { reason: 'as the test says' });

/** Ends a simulated process: whatever it waits for never comes. */
export class Life {
  /** Awaits until the end; not a number of them that comes. */
  left: number = Number.POSITIVE_INFINITY;
  /** Fails at this await instead of ending. */
  failAt = 0;
  awaits = 0;
  readonly ended: Promise<void>;
  #end: () => void;

  constructor() {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    this.#end = resolve;
  }

  async gate(failure: CountersignError | 'never' = FAILURE): Promise<void> {
    this.awaits += 1;
    this.left -= 1;
    if (this.left <= 0) {
      this.#end();
      await new Promise(() => undefined);
    }
    if (this.awaits === this.failAt && failure !== 'never') throw failure;
  }

  get isOver(): boolean {
    return this.left <= 0;
  }
}

/** A log of one gateway, which outlives its processes. */
export class TestingLog implements HoldLog {
  readonly events: LedgerEvent[] = [];
  /** Monotonic time of each leaf, which a gateway does not know. */
  readonly elapsedUs: number[] = [];
  /** Monotonic time at which what each leaf is about was begun. */
  readonly begunUs: number[] = [];
  /** Leaf time of the last leaf, which never goes back. */
  lastUs = 0;
  /** What leaves are given instead of being written. */
  refusal: CountersignError | undefined;
  /** And are written all the same, of which nobody hears. */
  writesAllTheSame = false;
  /** What happens while a leaf is signed. */
  meanwhile: (event: LedgerEvent) => void = () => undefined;

  size(): number {
    return this.events.length;
  }

  async leavesOf(ids: ReadonlySet<string>, from: number): Promise<readonly HoldLeaf[]> {
    return this.events.flatMap(({ type, status, body = {} }, index) => {
      const holdId = textOf(body['hold_id']) ?? '';
      if (index < from || !ids.has(holdId)) return [];
      const text = textOf(body['comment']) ?? textOf(body['reason']);
      return [{ index, type, status, holdId, approver: textOf(body['approver']), text }];
    });
  }

  /** A leaf of the ledger itself. */
  beat(clock: TestingClock): number {
    this.lastUs = Math.max(this.lastUs, clock.wallUs);
    return this.lastUs;
  }

  ledger(life: Life, clock: TestingClock): LedgerPort {
    const appendMany = async (events: readonly LedgerEvent[]): Promise<readonly Appended[]> => {
      if (this.refusal !== undefined) {
        if (this.writesAllTheSame) this.events.push(...events);
        throw this.refusal;
      }
      await life.gate(new CountersignError('LIMIT_EXCEEDED', { limit: 'x', allowed: 1, actual: 2 }));
      const first = this.events.length;
      this.events.push(...events);
      for (const _ of events) {
        this.elapsedUs.push(clock.elapsedUs);
        this.begunUs.push(clock.begunUs);
      }
      this.beat(clock);
      for (const event of events) this.meanwhile(event);
      // Here it is durable, and perhaps nobody hears of it.
      await life.gate('never');
      return events.map((_, i) => ({ index: first + i, timeUs: TESTING_START_US }));
    };
    return {
      appendMany,
      append: async (event) => (await appendMany([event]))[0] ?? { index: -1, timeUs: 0 },
    };
  }
}

/** What gateways share. */
export interface TestingWorld {
  readonly store: Store;
  readonly people: TestingPeople;
  readonly clock: TestingClock;
  policy: string;
  /** In the place of `policy`. */
  readonly policyDigest?: (about: PolicyAbout, bundle?: string) => string | undefined;
  readonly errors: unknown[];
  readonly asked: HoldRecord[];
  /** Notices of holds that were opened in an emergency. */
  readonly told: string[];
  /** The rule by which that is done; undefined where there is none. */
  opener: Opener | undefined;
}

/** At the beginning, under the policy `p1`. */
export function testingOnlyWorld(store: Store, people: TestingPeople): TestingWorld {
  const nothing = { errors: [], asked: [], told: [] };
  return { store, people, clock: new TestingClock(), policy: 'p1', opener: TESTING_OPENER, ...nothing };
}

/** By the rule of {@link testingOnlyRequest}, at any time. */
export const TESTING_OPENER: Opener = {
  rule: { name: 'night', version: 4 },
  reviewers: ['group:leads'],
  withinMs: 300_000,
  reviewMs: 3_600_000,
};

export interface TestingGateway {
  readonly approvals: Approvals;
  readonly life: Life;
  readonly log: TestingLog;
}

/** A process of a gateway; an earlier one of the same node has ended. */
export async function testingOnlyGateway(
  world: TestingWorld,
  node: string,
  log: TestingLog,
  life: Life = new Life(),
): Promise<TestingGateway> {
  const holds = gated(new HoldStore(world.store, node), life);
  const approvals = await Approvals.open({
    holds,
    ledger: log.ledger(life, world.clock),
    log,
    keys: { find: async () => new Uint8Array(32).fill(7) },
    people: world.people,
    policyDigest: world.policyDigest ?? ((_about, bundle) => bundle ?? world.policy),
    node,
    system: { kind: 'system', keyId: 'bot_x' },
    clock: world.clock,
    notBeforeUs: log.beat(world.clock),
    randomBytes: (length) => new Uint8Array(cryptoRandomBytes(length)),
    pause: () => Promise.resolve(),
    opener: (rules) =>
      rules.some(({ name }) => name === world.opener?.rule.name) ? world.opener : undefined,
    onAsked: (record) => world.asked.push(record),
    onOpened: (record, what) => world.told.push(`${what} ${record.id}`),
    onError: (error) => world.errors.push(error),
  });
  return { approvals, life, log };
}

/** Every call of the store is two places to end at: before it, and after it and before anybody hears. */
function gated(holds: HoldStore, life: Life): HoldStore {
  return new Proxy(holds, {
    get(target, key) {
      const method: unknown = Reflect.get(target, key);
      if (typeof method !== 'function') return method;
      return async (...args: unknown[]): Promise<unknown> => {
        await life.gate();
        const result: unknown = await Reflect.apply(method, target, args);
        await life.gate();
        return result;
      };
    },
  });
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

export async function testingOnlyEmpty(store: Store): Promise<void> {
  for (const table of ['holds', 'hold_votes', 'sessions']) {
    // oxlint-disable-next-line no-await-in-loop -- One statement behind the other.
    await sql`delete from ${sql.table(table)}`.execute(store.db);
  }
}

/** An id that says what it is of. */
export function testingOnlyId(kind: 'principal', name: string): PrincipalId;
export function testingOnlyId(kind: 'session', name: string): SessionId;
export function testingOnlyId(kind: 'hold', name: string): HoldId;
export function testingOnlyId(kind: 'principal' | 'session' | 'hold', name: string): string {
  return makeId(kind, 1, Buffer.from(name.padEnd(10, '.')).subarray(0, 10));
}

/** A request of somebody; what is not said is as in most tests. */
export function testingOnlyRequest(
  requester: TestingHuman,
  change: {
    readonly statement?: string;
    readonly session?: string;
    readonly policy?: string;
    readonly bindToSession?: boolean;
    readonly demand?: Partial<HoldRequest['demand']>;
  } = {},
): HoldRequest {
  const rule = { name: 'bulk', version: 3 };
  const { statement = 'update scores set value = 1', session = 'one', policy = 'p1' } = change;
  return {
    binding: {
      protocol: 'postgres',
      message: 'Query',
      statement: Buffer.from(statement),
      parameters: [],
      principal: requester.id,
      connection: 'db',
      database: 'rerank',
      role: 'app',
      state: { search_path: 'public' },
      policy,
      rule,
      rows: 120,
    },
    demand: {
      rule,
      approvers: ['group:owners'],
      count: 1,
      expiresMs: 900_000,
      useWithinMs: 600_000,
      requireReason: false,
      openers: [TESTING_OPENER.rule],
      ...change.demand,
    },
    requester,
    sessionId: testingOnlyId('session', session),
    bindToSession: change.bindToSession ?? false,
    intentLeaf: 0,
    facts: {
      effects: ['update'],
      tables: ['scores'],
      exactRows: 120,
      estimatedRows: 7,
      affectedKeys: ['id=1', 'id=2'],
    },
    address: '127.0.0.1',
  };
}
