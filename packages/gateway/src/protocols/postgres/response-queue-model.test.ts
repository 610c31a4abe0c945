import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CountersignError } from '../../core/errors.ts';
import { SIMPLE, SYNCS } from './answer-tables.ts';
import type { CopyProbe } from './copy-probe.ts';
import { BACKEND, FRONTEND } from './messages.ts';
import { ResponseQueue } from './response-queue.ts';
import type { Outcome, RequestKind } from './states.ts';

const numRuns = process.env['COUNTERSIGN_SOAK'] === undefined ? 1_000 : 100_000;

/** What a statement does in the model. `copyInThenFail` fails before it reads, `…Late` at the first data. */
type Script =
  | 'rows'
  | 'none'
  | 'empty'
  | 'fail'
  | 'rowsThenFail'
  | 'suspend'
  | 'copyOut'
  | 'copyIn'
  | 'copyInFail'
  | 'copyInFailLate';

type Sent =
  | { readonly kind: RequestKind; readonly id: number; readonly scripts: readonly Script[] }
  | {
      readonly kind: 'CopyData' | 'CopyDone' | 'CopyFail' | 'ProbeSync' | 'ProbeSimple' | 'ProbeExtended';
      readonly id: -1;
      readonly scripts: readonly [];
    };

interface Answer {
  readonly type: number;
  readonly owner: number | undefined;
}

/** FATAL: terminating connection because protocol synchronization was lost. */
class ServerEndsSession extends Error {}

/** PostgresMain and CopyGetData, reduced to what they read and what they answer. */
class ModelServer {
  readonly inbox: Sent[] = [];
  readonly outbox: Answer[] = [];
  readonly ran = new Set<number>();
  readonly failed = new Set<number>();
  ended = false;
  /** Work of the extended protocol that a Sync would commit, and so can fail to. */
  #work = false;
  #skip = false;
  #steps: Generator<undefined, void> | undefined;

  step(): void {
    if (this.#steps === undefined) {
      const message = this.inbox.shift();
      if (message === undefined) return;
      this.#steps = this.#run(message);
    }
    if (this.#steps.next().done === true) this.#steps = undefined;
  }

  *#run(message: Sent): Generator<undefined, void> {
    const { kind, id } = message;
    if (kind === 'CopyData' || kind === 'CopyDone' || kind === 'CopyFail' || kind === 'Flush') return;
    if (kind === 'ProbeSync' || kind === 'ProbeSimple' || kind === 'ProbeExtended') {
      this.#probed(kind);
      return;
    }
    const scripts = kind === 'Sync' && (this.#skip || !this.#work) ? [] : message.scripts;
    if (SYNCS.has(kind)) this.#skip = false;
    if (this.#skip) return;
    this.ran.add(id);
    const simple = SIMPLE.has(kind);
    let failed = false;
    for (const script of scripts) {
      const verdict = yield* this.#statement(kind, id, script);
      if (verdict === 'failed') {
        failed = true;
        this.failed.add(id);
        this.#out('ErrorResponse', id);
        break;
      }
    }
    if (failed && !simple) this.#skip = true;
    this.#work = !simple;
    if (simple) this.#out('ReadyForQuery', id);
  }

  #probed(kind: 'ProbeSync' | 'ProbeSimple' | 'ProbeExtended'): void {
    if (kind === 'ProbeSync') this.#skip = false;
    if (this.#skip) return;
    this.#work = false;
    if (kind !== 'ProbeSync') this.#out('ErrorResponse', undefined);
    if (kind === 'ProbeExtended') this.#skip = true;
    else this.#out('ReadyForQuery', undefined);
  }

  *#statement(kind: RequestKind, id: number, script: Script): Generator<undefined, 'ok' | 'failed'> {
    if (script === 'fail' && kind !== 'Query' && kind !== 'Execute') return 'failed';
    if (kind === 'Parse') this.#out('ParseComplete', id);
    else if (kind === 'Bind') this.#out('BindComplete', id);
    else if (kind === 'Close') this.#out('CloseComplete', id);
    else if (kind === 'FunctionCall') this.#out('FunctionCallResponse', id);
    else if (kind === 'DescribePortal') this.#out(script === 'none' ? 'NoData' : 'RowDescription', id);
    else if (kind === 'DescribeStatement') {
      this.#out('ParameterDescription', id);
      this.#out(script === 'none' ? 'NoData' : 'RowDescription', id);
    } else if (kind === 'Query' || kind === 'Execute') return yield* this.#execute(kind, id, script);
    return 'ok';
  }

  *#execute(kind: RequestKind, id: number, script: Script): Generator<undefined, 'ok' | 'failed'> {
    const simple = kind === 'Query';
    switch (script) {
      case 'empty':
        this.#out('EmptyQueryResponse', id);
        return 'ok';
      case 'none':
        break;
      case 'rows':
      case 'suspend':
      case 'rowsThenFail':
        if (simple) this.#out('RowDescription', id);
        this.#out('DataRow', id);
        this.#out('NoticeResponse', undefined);
        this.#out('DataRow', id);
        if (script === 'rowsThenFail') return 'failed';
        if (script === 'suspend' && !simple) {
          this.#out('PortalSuspended', id);
          return 'ok';
        }
        break;
      case 'copyOut':
        for (const name of ['CopyOutResponse', 'CopyData', 'CopyData', 'CopyDone'] as const)
          this.#out(name, id);
        break;
      case 'fail':
        return 'failed';
      case 'copyIn':
      case 'copyInFail':
      case 'copyInFailLate':
        this.#out('CopyInResponse', id);
        if (script === 'copyInFail') return 'failed';
        if ((yield* this.#readCopy(script)) === 'failed') return 'failed';
        break;
      default:
        script satisfies never;
    }
    this.#out('CommandComplete', id);
    return 'ok';
  }

  *#readCopy(script: Script): Generator<undefined, 'ok' | 'failed'> {
    for (;;) {
      const message = this.inbox.shift();
      if (message === undefined) {
        yield undefined;
        continue;
      }
      if (message.kind === 'CopyDone') return 'ok';
      if (message.kind === 'CopyFail') return 'failed';
      if (message.kind === 'CopyData' && script === 'copyInFailLate') return 'failed';
      if (message.kind === 'CopyData' || IGNORED.has(message.kind)) continue;
      this.ended = true;
      throw new ServerEndsSession(`${message.kind} in copy-in mode`);
    }
  }

  #out(name: keyof typeof BACKEND, owner: number | undefined): void {
    this.outbox.push({ type: BACKEND[name], owner });
  }
}

const IGNORED: ReadonlySet<string> = new Set([
  'Sync',
  'MalformedSync',
  'Flush',
  'MalformedFlush',
  'ProbeSync',
]);
const MALFORMED: ReadonlySet<string> = new Set(['MalformedSync', 'MalformedFlush']);
const COPY_IN: ReadonlySet<Script> = new Set(['copyIn', 'copyInFail', 'copyInFailLate']);

/** Type byte and length, as far as they matter. */
function headerOf(kind: RequestKind): [type: number, length: number] {
  if (SYNCS.has(kind)) return [FRONTEND.Sync, 4];
  if (kind === 'Flush') return [FRONTEND.Flush, 4];
  return [kind === 'MalformedFlush' ? FRONTEND.Flush : FRONTEND.Parse, 5];
}

function entersCopyIn(sent: { readonly kind: RequestKind; readonly scripts: readonly Script[] }): boolean {
  return (
    (sent.kind === 'Query' || sent.kind === 'Execute') && sent.scripts.some((script) => COPY_IN.has(script))
  );
}

const script = fc.constantFrom<Script>('rows', 'none', 'empty', 'fail', 'rowsThenFail', 'suspend', 'copyOut');
const copyScript = fc.constantFrom<Script>('copyIn', 'copyIn', 'copyInFail', 'copyInFailLate');
const request = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom<RequestKind>(
        'Parse',
        'Bind',
        'DescribeStatement',
        'DescribePortal',
        'Execute',
        'Close',
        'FunctionCall',
      ),
      scripts: fc.tuple(script),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom<RequestKind>('Sync', 'Sync', 'Flush'),
      scripts: fc.constant([]),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant<RequestKind>('Sync'),
      scripts: fc.tuple(fc.constant<Script>('fail')),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom<RequestKind>('MalformedSync', 'MalformedFlush'),
      scripts: fc.tuple(fc.constant<Script>('fail')),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant<RequestKind>('Query'),
      scripts: fc.array(fc.oneof(script, copyScript), { minLength: 1, maxLength: 3 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant<RequestKind>('Execute'), scripts: fc.tuple(copyScript) }),
  },
);
const malformedSync: Planned = { kind: 'MalformedSync', scripts: ['fail'] };
const malformedFlush: Planned = { kind: 'MalformedFlush', scripts: ['fail'] };
const copyMessage = fc.record({
  kind: fc.constantFrom('CopyData' as const, 'CopyData' as const, 'CopyDone' as const, 'CopyFail' as const),
});
type Planned =
  | { readonly kind: RequestKind; readonly scripts: readonly Script[] }
  | { readonly kind: 'CopyData' | 'CopyDone' | 'CopyFail' };

/** The one place where the server must be asked what it did with a Sync. */
const syncInCopyIn = fc.tuple(
  fc.record({
    kind: fc.constantFrom<RequestKind>('Execute', 'Execute', 'Query'),
    scripts: fc.tuple(copyScript),
  }),
  fc.constantFrom<Planned>({ kind: 'CopyData' }, { kind: 'Sync', scripts: [] }, malformedFlush),
  fc.constantFrom<Planned>({ kind: 'Sync', scripts: [] }, malformedSync, malformedFlush),
  fc.constantFrom<Planned>({ kind: 'CopyData' }, { kind: 'Sync', scripts: [] }, { kind: 'CopyDone' }),
  request,
);
const client = fc
  .array(
    fc.oneof(
      { weight: 8, arbitrary: request.map((one) => [one]) },
      { weight: 6, arbitrary: copyMessage.map((one) => [one]) },
      { weight: 1, arbitrary: syncInCopyIn },
    ),
    { maxLength: 25 },
  )
  .map((groups): readonly Planned[] => groups.flat());

/** Client, queue and model server, interleaved as the turns say. */
class Simulation {
  readonly outcomes = new Map<number, Outcome>();
  readonly mismatches: string[] = [];
  readonly server = new ModelServer();
  readonly queue: ResponseQueue<number>;
  readonly #declareCopy: boolean;
  /** A Flush has no answer; a Sync behind an unforeseen COPY may or may not have been read by it. */
  readonly #vague = new Set<number>();
  /** A Sync was sent in copy-in mode: the server answers it where the COPY had failed before. */
  unsureSyncs = false;
  /** Malformed ones that a COPY may have read, of which nothing tells two apart. */
  readonly #twins = new Set<number>();
  /** Probes that were answered to the end. */
  probed = 0;
  #held: Answer[] = [];
  #answeredSyncs = 0;
  #nextId = 0;

  constructor(declareCopy: boolean) {
    this.#declareCopy = declareCopy;
    this.queue = new ResponseQueue<number>((id, outcome) => {
      if (this.outcomes.has(id)) this.mismatches.push(`${id} settled twice`);
      this.outcomes.set(id, outcome);
    });
  }

  run(plan: readonly Planned[], turns: readonly number[]): void {
    const rest = [...plan];
    for (const turn of turns) this.#turn(turn, rest);
    for (let idle = 0; idle < 8; idle++) {
      const before = `${rest.length} ${this.server.inbox.length} ${this.server.outbox.length}`;
      for (let turn = 0; turn < 3; turn++) this.#turn(turn, rest);
      if (before !== `${rest.length} ${this.server.inbox.length} ${this.server.outbox.length}`) idle = 0;
      if (rest.length === 0 && this.queue.inCopyIn) rest.push({ kind: 'CopyDone' });
    }
  }

  #turn(turn: number, rest: Planned[]): void {
    if (turn === 0) this.#send(rest);
    else if (turn === 1) this.server.step();
    else this.#deliver();
  }

  #send(rest: Planned[]): void {
    const next = rest[0];
    if (next === undefined) return;
    if (!('scripts' in next)) {
      const advice = this.queue.copy(FRONTEND[next.kind]);
      if (advice === 'wait') return;
      if (advice === 'forward') this.server.inbox.push({ ...next, id: -1, scripts: [] });
    } else if (!this.queue.inCopyIn || this.queue.mustProbe || IGNORED.has(next.kind)) {
      if (this.queue.isAskedFor(...headerOf(next.kind))) {
        if (this.queue.mustFlush) return;
        if (this.queue.mustProbe) this.#probe(next.kind);
      }
      if (this.queue.mustWait) return;
      const sent = { ...next, id: this.#nextId++ };
      const unsure = !this.#declareCopy || this.queue.inCopyIn || this.unsureSyncs;
      if ((SYNCS.has(sent.kind) || MALFORMED.has(sent.kind)) && this.queue.inCopyIn) this.unsureSyncs = true;
      const isRead = this.queue.inCopyIn || !this.#declareCopy;
      if (MALFORMED.has(sent.kind) && isRead) this.#twins.add(sent.id);
      if (sent.kind === 'Flush' || (sent.kind === 'Sync' && unsure)) this.#vague.add(sent.id);
      const advice = this.queue.push(sent.kind, sent.id, this.#declareCopy && entersCopyIn(sent));
      // What is said to be skipped may as well be sent: the server ignores it.
      const certain = this.#declareCopy && !this.unsureSyncs;
      const skipped = certain && this.outcomes.get(sent.id) === 'skipped';
      if (advice === 'forward' || skipped) this.server.inbox.push(sent);
    }
    rest.shift();
  }

  #probe(kind: RequestKind): void {
    const simple = kind === 'Query' || kind === 'FunctionCall';
    const { heldMax } = this.queue.beginProbe(simple ? FRONTEND.Query : FRONTEND.Parse);
    const syncs = Array.from({ length: heldMax }, () => 'ProbeSync' as const);
    for (const part of [...syncs, simple ? 'ProbeSimple' : 'ProbeExtended', 'ProbeSync'] as const) {
      this.server.inbox.push({ kind: part, id: -1, scripts: [] });
    }
  }

  /** As target-side.ts does it: an answer to the probe is nobody's. */
  #takeProbed(probe: CopyProbe, answer: Answer): boolean {
    if (answer.type === BACKEND.NoticeResponse) return false;
    const step = probe.take(answer.type);
    if (step === 'pass') {
      this.#passHeld(0);
      if (answer.type === BACKEND.ErrorResponse) this.#answeredSyncs = 0;
      return false;
    }
    if (step === 'hold') {
      this.#held.push(answer);
      this.#passHeld(probe.heldMax);
      return true;
    }
    for (const { owner } of [...this.#held, answer]) {
      if (owner !== undefined) this.mismatches.push(`an answer of ${owner} was taken for the probe's`);
    }
    this.#held = [];
    if (step !== 'over') return true;
    this.probed += 1;
    this.queue.endProbe(this.#answeredSyncs);
    this.#answeredSyncs = 0;
    return true;
  }

  #passHeld(left: number): void {
    for (const { type, owner } of this.#held.splice(0, Math.max(0, this.#held.length - left))) {
      if (owner === undefined) this.mismatches.push('an answer to the probe was passed');
      this.#answeredSyncs += 1;
      this.queue.accept(type);
    }
  }

  #deliver(): void {
    const answer = this.server.outbox.shift();
    if (answer === undefined) return;
    if (this.queue.probe !== undefined && this.#takeProbed(this.queue.probe, answer)) return;
    const owner = this.queue.accept(answer.type);
    const unsure = !this.#declareCopy || this.unsureSyncs;
    if (unsure && answer.type === BACKEND.ReadyForQuery) return;
    const isTwins = this.#twins.size > 1 && answer.owner !== undefined && this.#twins.has(answer.owner);
    if (isTwins && owner !== undefined && this.#twins.has(owner)) return;
    if (owner !== answer.owner) {
      this.mismatches.push(`0x${answer.type.toString(16)} of ${answer.owner} given to ${owner}`);
    }
  }

  /** What the queue says about each request against what the server did. */
  compare(): string[] {
    const wrong = [...this.mismatches];
    for (const [id, outcome] of this.outcomes) {
      if (this.#vague.has(id) || (this.#twins.size > 1 && this.#twins.has(id))) continue;
      const ran = this.server.ran.has(id);
      const expected = !ran ? 'not run' : this.server.failed.has(id) ? 'failed' : 'run';
      const said =
        outcome === 'skipped' || outcome === 'swallowed'
          ? 'not run'
          : outcome === 'failed'
            ? 'failed'
            : 'run';
      if (said !== expected) wrong.push(`${id} is ${outcome}, the server: ${expected}`);
    }
    const twins = [...this.#twins];
    const failed = twins.filter((id) => this.outcomes.get(id) === 'failed').length;
    const answered = twins.filter((id) => this.server.failed.has(id)).length;
    if (failed !== answered) wrong.push(`${failed} of the malformed Syncs failed, the server: ${answered}`);
    if (this.queue.length > 0) wrong.push(`${this.queue.length} are left`);
    if (this.outcomes.size !== this.#nextId) wrong.push('not all are settled');
    return wrong;
  }
}

/** False where the queue refuses the client, or the server would end the session. */
function runToTheEnd(run: () => void): boolean {
  try {
    run();
    return true;
  } catch (error) {
    if (error instanceof CountersignError || error instanceof ServerEndsSession) return false;
    throw error;
  }
}

const turns = fc.array(fc.integer({ min: 0, max: 2 }), { maxLength: 200 });
const endSync: Planned = { kind: 'Sync', scripts: [] };
/** Whatever came before, the next request is answered as if nothing had been. */
const probe: Planned = { kind: 'Query', scripts: ['rows'] };

describe('ResponseQueue', () => {
  test('each answer belongs to the request that the server answers, whatever the timing', () => {
    let probed = 0;
    const property = fc.property(client, turns, (plan, order) => {
      const simulation = new Simulation(true);
      const ended = runToTheEnd(() => {
        simulation.run([...plan, endSync, endSync], order);
        simulation.run([endSync, probe], []);
      });
      // The server itself ends the session where a request comes in copy-in mode; the queue never refuses.
      expect(ended || simulation.server.ended).toBe(true);
      probed += simulation.probed;
      expect(ended ? simulation.compare() : simulation.mismatches).toEqual([]);
    });
    expect(() => fc.assert(property, { numRuns })).not.toThrow();
    expect(probed).toBeGreaterThan(numRuns / 100);
  });

  test('rows are never given to another request, where COPY FROM STDIN is not foreseen', () => {
    let finished = 0;
    const property = fc.property(client, turns, (plan, order) => {
      const simulation = new Simulation(false);
      const ended = runToTheEnd(() => {
        simulation.run([...plan, endSync, endSync], order);
        simulation.run([endSync, probe], []);
      });
      finished += Number(ended);
      expect(ended ? simulation.compare() : simulation.mismatches).toEqual([]);
    });
    expect(() => fc.assert(property, { numRuns })).not.toThrow();
    expect(finished).toBeGreaterThan(numRuns / 4);
  });
});
