/** Looks at models, with services, clock, log and people of the test's own. */

import type { Json } from '@countersign/ledger/jcs';
import type { Leaf } from '@countersign/ledger/leaf';
import { SETTLE_SECONDS } from '@countersign/ledger/model-compare';
import { ModelRows } from '@countersign/ledger/model-rows';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatTimeUs } from '../core/clock.ts';
import { CountersignError } from '../core/errors.ts';
import type { LedgerEvent } from '../core/ledger-port.ts';
import { PROBE_LIMITS } from '../core/probe-limits.ts';
import { parseJson } from '../protocols/http/json/parse-json.ts';
import type { Answered, Question, Unanswered } from './ask-upstream.ts';
import { type FoundChange, ModelProbes, type ProbedConnection } from './model-probes.ts';
import type { ProbeLeaf, ProbeState } from './probe-state.ts';

const MINUTE_US = 60_000_000;
const START_US = 1_800_000_000_000_000;

interface World {
  readonly probes: ModelProbes;
  readonly events: { readonly event: LedgerEvent; readonly timeUs: number }[];
  readonly found: FoundChange[];
  readonly errors: string[];
  readonly states: Map<string, ProbeState>;
  readonly asked: Question[];
  /** Microseconds since the start. */
  nowUs: number;
  /** What the service says, by path. */
  says: Record<string, unknown>;
  /** In place of an answer, once it is there. */
  answer: (() => Promise<Answered | Unanswered>) | undefined;
  connections: ProbedConnection[];
  approval: (connection: string, sinceUs: number, behind: number) => Promise<number | undefined>;
  /** What the log has at its end. */
  last: ProbeLeaf[];
  failing: 'store' | 'log' | undefined;
}

const RERANKER: ProbedConnection = {
  name: 'reranker',
  identity: 'tei',
  canary: 'cohere-v2',
  model: 'm',
  everyMs: 900_000,
  tolerance: '0.001',
  reviewers: ['group:owners'],
};

const RANKED = (first: number): unknown => ({
  results: [
    { index: 1, relevance_score: first },
    { index: 0, relevance_score: 0.1 },
  ],
});

function startWorld(change: Partial<World> = {}): World {
  const world: World = {
    events: [],
    found: [],
    errors: [],
    states: new Map(),
    asked: [],
    nowUs: 0,
    says: { '/info': { model_id: 'a', model_sha: '1' }, '/v2/rerank': RANKED(0.9) },
    answer: undefined,
    connections: [RERANKER],
    approval: async () => undefined,
    last: [],
    failing: undefined,
    ...change,
    probes: new ModelProbes({
      clock: { nowUs: () => START_US + world.nowUs, monotonicUs: () => world.nowUs },
      connections: () => world.connections,
      ask: async (_, question) => {
        world.asked.push(question);
        return world.answer === undefined ? answerTo(world.says[question.path]) : world.answer();
      },
      append: async (event) => {
        if (world.failing === 'log') throw new CountersignError('LEDGER_HALTED', { reason: 'full' });
        const timeUs = START_US + world.nowUs;
        world.events.push({ event, timeUs });
        return { index: world.events.length - 1, timeUs };
      },
      system: { kind: 'system', keyId: 'bot_1' },
      states: {
        load: async (name, kind) => {
          if (world.failing === 'store') throw new CountersignError('STORE_FAILED', { reason: 'gone' });
          return world.states.get(`${kind} ${name}`);
        },
        save: async (name, kind, state) => {
          world.states.set(`${kind} ${name}`, structuredClone(state));
        },
      },
      lastLeaves: async () => new Map([['reranker', world.last]]),
      approvedChange: (name, sinceUs, behind) => world.approval(name, sinceUs, behind),
      onFound: (found) => world.found.push(found),
      onError: (error, where) => world.errors.push(`${where}: ${error.code}`),
    }),
  };
  return world;
}

function answerTo(said: unknown): Answered | Unanswered {
  if (said === undefined) return { failure: 'answered 404', status: 404 };
  const bytes = new TextEncoder().encode(JSON.stringify(said));
  const parsed = parseJson(bytes);
  return { status: 200, fields: [], body: { bytes, root: parsed.kind === 'json' ? parsed.root : undefined } };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

const asker = { kind: 'user', actor: 'ab'.repeat(16) } as const;

async function look(world: World): Promise<string> {
  const reports = await world.probes.probe('reranker', asker);
  return reports
    .map(
      ({ kind, status, finding, first }) => `${kind} ${status}${finding ? '!' : ''}${first ? ' first' : ''}`,
    )
    .join(', ');
}

/** So many models, each with as much of a name as a leaf takes. */
function models(count: number): unknown {
  const long = 'x'.repeat(2_000);
  return {
    data: Array.from({ length: count }, (_, at) => ({ id: `m${at}`, model_name: long, model_type: long })),
  };
}

describe('a look at a model', () => {
  it('begins with a baseline, and is the same until something is not', async () => {
    const world = startWorld();
    expect(await look(world)).toBe('identity same first, canary same first');
    expect(await look(world)).toBe('identity same, canary same');
    world.says['/info'] = { model_id: 'a', model_sha: '2' };
    expect(await look(world)).toBe('identity changed!, canary same');
    world.says['/v2/rerank'] = RANKED(0.8);
    expect(await look(world)).toBe('identity same, canary changed!');
    expect(await look(world)).toBe('identity same, canary same');
    expect(world.found.map(({ report }) => [report.kind, report.leaf])).toEqual([
      ['identity', 4],
      ['canary', 7],
    ]);
    const bodies = world.events.map(({ event }) => event.body ?? {});
    expect(bodies[0]).toEqual({
      connection: 'reranker',
      model: 'm',
      why: 'demand',
      source: 'tei GET /info',
      model_identity: expect.stringMatching(/^[0-9a-f]{64}$/),
      identity: { '/info': { '/model_id': '"a"', '/model_sha': '"1"' } },
    });
    expect(bodies[3]).toEqual({
      connection: 'reranker',
      model: 'm',
      why: 'demand',
      source: 'cohere-v2 canary/1',
      fingerprint: bodies[1]?.['fingerprint'],
      order: [1, 0],
      scores: ['0.9', '0.1'],
      tolerance: '0.001',
      previous: { leaf: 1, fingerprint: bodies[1]?.['fingerprint'] },
    });
    expect(world.events[0]?.event).toMatchObject({
      type: 'model.identity',
      status: 'same',
      target: 'reranker',
      kind: 'user',
      actor: asker.actor,
      keyId: 'bot_1',
    });
  });

  it('is let by what people agreed to, of which it is asked once it differs, from 15 minutes before the look before', async () => {
    const asked: (readonly [string, number, number])[] = [];
    const world = startWorld({
      approval: async (name, sinceUs, behind) => {
        asked.push([name, sinceUs, behind]);
        return behind < 77 ? 77 : undefined;
      },
    });
    await look(world);
    world.nowUs = 60 * MINUTE_US;
    await look(world);
    expect(asked).toEqual([]);
    world.nowUs = 120 * MINUTE_US;
    world.says['/info'] = { model_id: 'b' };
    expect(await look(world)).toBe('identity changed, canary same');
    expect(asked).toEqual([['reranker', START_US + 60 * MINUTE_US - SETTLE_SECONDS * 1_000_000, -1]]);
    expect(world.events.at(-2)?.event.body).toMatchObject({ approval: 77, previous: { leaf: 0 } });
    expect(world.found).toEqual([]);
    expect((await world.probes.show('reranker')).probes[0]?.state?.findings).toEqual([]);
    // The same grant lets nothing else.
    world.says['/info'] = { model_id: 'c' };
    expect(await look(world)).toBe('identity changed!, canary same');
    expect(asked.at(-1)?.[2]).toBe(77);
  });

  it('is unknown where the service fails, and nothing is forgotten by that', async () => {
    const world = startWorld();
    await look(world);
    world.answer = async () => ({ failure: `x\ud800${'y'.repeat(999)}`, status: 500 });
    expect(await look(world)).toBe('identity unknown, canary unknown');
    expect(world.found).toEqual([]);
    const failure = textOf(world.events.at(-1)?.event.body?.['failure']);
    expect([failure.length, failure.isWellFormed()]).toEqual([PROBE_LIMITS.failureCharactersMax, true]);
    expect(world.events.at(-1)?.event.status).toBe('unknown');
    expect((await world.probes.list())[0]?.probes.map((one) => one.failure?.slice(2, 4))).toEqual([
      'yy',
      'yy',
    ]);
    world.answer = undefined;
    world.says['/info'] = { model_id: 'z' };
    expect(await look(world)).toBe('identity changed!, canary same');
    expect((await world.probes.list())[0]?.probes.map((one) => one.failure)).toEqual([undefined, undefined]);
  });

  it('is unknown where nobody can tell whether people had agreed, and a finding by the next', async () => {
    const world = startWorld();
    await look(world);
    world.approval = async () => {
      throw new CountersignError('STORE_FAILED', { reason: 'gone' });
    };
    world.says['/info'] = { model_id: 'z' };
    expect(await look(world)).toBe('identity unknown, canary same');
    world.approval = async () => undefined;
    expect(await look(world)).toBe('identity changed!, canary same');
    world.failing = 'store';
    expect(await look(world)).toBe('identity unknown, canary unknown');
    expect(world.errors).toEqual(Array.from({ length: 3 }, () => 'model of reranker: STORE_FAILED'));
  });

  it('is nothing where it cannot be written down', async () => {
    const world = startWorld();
    await look(world);
    world.says['/info'] = { model_id: 'z' };
    world.failing = 'log';
    await expect(look(world)).rejects.toThrow('full');
    expect(world.found).toEqual([]);
    world.failing = undefined;
    expect(await look(world)).toBe('identity changed!, canary same');
  });

  it('is of the service’s version too, where that is at a path of its own; a path that is gone is no failure', async () => {
    const world = startWorld({ connections: [{ ...RERANKER, identity: 'vllm', canary: undefined }] });
    world.says = { '/v1/models': { data: [{ id: 'm' }] }, '/version': { version: '1' } };
    expect(await look(world)).toBe('identity same first');
    world.says['/version'] = { version: '2' };
    expect(await look(world)).toBe('identity changed!');
    delete world.says['/version'];
    expect(await look(world)).toBe('identity changed!');
    delete world.says['/v1/models'];
    expect(await look(world)).toBe('identity unknown');
    world.says = { '/v1/models': { data: [{ id: 'other' }] } };
    expect(await look(world)).toBe('identity unknown');
    world.says = { '/v1/models': { data: [{ id: 'm' }] } };
    const first = world.asked.length;
    world.answer = async () =>
      world.asked.length === first + 1
        ? answerTo(world.says['/v1/models'])
        : { failure: 'answered 500', status: 500 };
    expect(await look(world)).toBe('identity unknown');
  });

  it('is unknown where a service says more of its models than a leaf should have', async () => {
    const world = startWorld({
      connections: [{ ...RERANKER, identity: 'xinference', model: undefined, canary: undefined }],
    });
    world.says = { '/v1/models': models(20) };
    expect(await look(world)).toBe('identity same first');
    world.says = { '/v1/models': models(64) };
    expect(await look(world)).toBe('identity unknown');
    expect(JSON.stringify(world.events.map(({ event }) => event)).length).toBeLessThan(40_000);
  });

  it('goes on after a start where the store has not heard of the last leaf', async () => {
    const world = startWorld();
    await look(world);
    const before = structuredClone(world.states);
    world.says['/info'] = { model_id: 'z' };
    await look(world);
    const last = world.events.map(({ event, timeUs }, n): ProbeLeaf => {
      const leaf: Leaf = {
        v: 1,
        log: 'l',
        n,
        t: formatTimeUs(timeUs),
        boot: 'bot_1',
        type: event.type,
        kind: 'system',
        ...(event.status === undefined ? {} : { status: event.status }),
      };
      return { leaf, values: event.body ?? {}, timeUs };
    });
    const later = startWorld({ states: before, last, says: world.says });
    later.events.push(...world.events);
    expect(await look(later)).toBe('identity same, canary same');
    expect((await later.probes.show('reranker')).probes[0]?.state?.findings).toHaveLength(1);
    // Without a store, the end of the log is enough.
    const alone = startWorld({ last, says: world.says });
    alone.events.push(...world.events);
    expect(await look(alone)).toBe('identity same, canary same');
    expect(alone.events.at(-2)?.event.body).toMatchObject({ previous: { leaf: 2 } });
  });
});

/** So many leaves are there, and what was begun with them is over. */
async function settled(world: World, count: number): Promise<void> {
  while (world.events.length < count) await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
}

describe('the schedule', () => {
  it('looks at what is new at once, and then by the clock', async () => {
    const world = startWorld();
    world.probes.tick();
    await settled(world, 2);
    expect(world.events.map(({ event }) => [event.type, event.kind, event.body?.['why']])).toEqual([
      ['model.identity', 'system', 'schedule'],
      ['model.canary', 'system', 'schedule'],
    ]);
    world.nowUs = 15 * MINUTE_US - 1;
    world.probes.tick();
    await settled(world, 2);
    world.nowUs += 1;
    world.probes.tick();
    world.probes.tick();
    await settled(world, 4);
    // A look that somebody asked for is as good as one of the schedule.
    world.nowUs += 14 * MINUTE_US;
    await look(world);
    world.nowUs += 14 * MINUTE_US;
    world.probes.tick();
    await settled(world, 6);
    expect(world.events).toHaveLength(6);
    world.connections = [];
    world.nowUs += 60 * MINUTE_US;
    world.probes.tick();
    await settled(world, 6);
    expect(world.events).toHaveLength(6);
  });

  it('asks one service once at a time, and a few services at once', async () => {
    const names = Array.from({ length: PROBE_LIMITS.atOnceMax + 3 }, (_, at) => `c${at}`);
    const gate = Promise.withResolvers<void>();
    const world = startWorld({
      connections: names.map((name) => ({ ...RERANKER, name, canary: undefined })),
    });
    world.answer = async () => {
      await gate.promise;
      return answerTo({ model_id: 'a' });
    };
    world.probes.tick();
    world.probes.tick();
    await settled(world, 0);
    expect(world.asked).toHaveLength(PROBE_LIMITS.atOnceMax);
    gate.resolve();
    await settled(world, PROBE_LIMITS.atOnceMax);
    world.probes.tick();
    await settled(world, names.length);
    expect(new Set(world.events.map(({ event }) => event.target)).size).toBe(names.length);
  });

  it('lets a few people wait for one service, and no more', async () => {
    const gate = Promise.withResolvers<void>();
    const world = startWorld({ connections: [{ ...RERANKER, canary: undefined }] });
    world.answer = async () => {
      await gate.promise;
      return answerTo({ model_id: 'a' });
    };
    const waiting = Array.from({ length: PROBE_LIMITS.waitingMax }, () => look(world));
    await expect(look(world)).rejects.toMatchObject({ code: 'TOO_MANY_CONNECTIONS' });
    gate.resolve();
    expect(await Promise.all(waiting)).toEqual([
      'identity same first',
      ...waiting.slice(1).map(() => 'identity same'),
    ]);
    expect(await look(world)).toBe('identity same');
  });

  it('says so where nobody looks at a connection', async () => {
    const world = startWorld({ connections: [] });
    await expect(look(world)).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
    await expect(world.probes.show('reranker')).rejects.toThrow('has no probes');
    expect(await world.probes.list()).toEqual([]);
  });

  it('writes nothing of a look that the end of the gateway cut off, and ends', async () => {
    const world = startWorld();
    const gate = Promise.withResolvers<Unanswered>();
    world.answer = () => gate.promise;
    const asked = look(world);
    await settled(world, 0);
    const closing = world.probes.close();
    gate.resolve({ failure: 'the gateway shuts down' });
    await closing;
    expect(await asked).toBe('');
    expect(world.events).toEqual([]);
  });

  it('tells the operator where the log is full', async () => {
    const world = startWorld({ failing: 'log' });
    world.probes.tick();
    while (world.errors.length === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(world.errors).toEqual(['model of reranker: LEDGER_HALTED']);
  });
});

describe('any history of a model', () => {
  it('has the findings that its own leaves give to whoever reads them', async () => {
    const step = fc.record({
      minutes: fc.integer({ min: 1, max: 40 }),
      model: fc.constantFrom('a', 'b', 'c'),
      score: fc.constantFrom(0.9, 0.9004, 0.9008, 0.5),
      agreed: fc.boolean(),
      fails: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const world = startWorld();
        const rows = new ModelRows();
        const grants: { readonly n: number; readonly us: number }[] = [];
        world.approval = async (_, sinceUs, behind) =>
          grants.findLast(({ us, n }) => us > sinceUs && n > behind)?.n;
        const found: number[] = [];
        const leafOf = (n: number): Leaf => {
          const { event, timeUs } = world.events[n] ?? { event: undefined, timeUs: 0 };
          if (event === undefined) throw new Error('no leaf');
          const { type, status, target } = event;
          return {
            v: 1,
            log: 'l',
            n,
            t: formatTimeUs(timeUs),
            boot: 'b',
            kind: 'system',
            type,
            ...(status === undefined ? {} : { status }),
            ...(target === undefined ? {} : { target }),
          };
        };
        for (const { minutes, model, score, agreed, fails } of steps) {
          world.nowUs += minutes * MINUTE_US;
          if (agreed) {
            world.events.push({
              event: { type: 'hold.taken', kind: 'user', keyId: 'x', target: 'reranker' },
              timeUs: START_US + world.nowUs,
            });
            const n = world.events.length - 1;
            grants.push({ n, us: START_US + world.nowUs });
            rows.see(leafOf(n));
            rows.taken(leafOf(n), {}, { isGranted: true, isModel: true });
          }
          world.says = fails ? {} : { '/info': { model_id: model }, '/v2/rerank': RANKED(score) };
          const from = world.events.length;
          await look(world);
          for (let n = from; n < world.events.length; n += 1) {
            const values = (world.events[n]?.event.body ?? {}) as Readonly<Record<string, Json>>;
            const { isFinding, contradicts } = rows.probe(leafOf(n), values);
            expect(contradicts).toBeUndefined();
            if (isFinding) found.push(n);
          }
        }
        expect(world.found.map(({ report }) => report.leaf)).toEqual(found);
      }),
      { numRuns: 200 },
    );
  });
});
