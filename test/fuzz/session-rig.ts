/**
 * Both sides of a session with their gate, and nothing real around them: a ledger whose leaves become
 * durable when the test says so, and a socket that only remembers.
 */

import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { CountersignError } from '../../packages/gateway/src/core/errors.ts';
import type { Appended, LedgerEvent, LedgerPort } from '../../packages/gateway/src/core/ledger-port.ts';
import { NO_MASKS } from '../../packages/gateway/src/masking/plan/session-masks.ts';
import type { SessionPolicy } from '../../packages/gateway/src/policy/decide.ts';
import {
  FRAME,
  type FrameEvent,
  FrameReader,
  FRONTEND_FRAMES,
} from '../../packages/gateway/src/protocols/postgres/frames.ts';
import { readFrontend } from '../../packages/gateway/src/protocols/postgres/decode.ts';
import { FRONTEND } from '../../packages/gateway/src/protocols/postgres/messages.ts';
import { ResponseQueue } from '../../packages/gateway/src/protocols/postgres/response-queue.ts';
import { ClientSide } from '../../packages/gateway/src/session/postgres/client-side.ts';
import type { ConductorPort } from '../../packages/gateway/src/session/postgres/client-side-ports.ts';
import { Gate } from '../../packages/gateway/src/session/postgres/gate.ts';
import { Inspection } from '../../packages/gateway/src/session/postgres/inspection.ts';
import { Intents } from '../../packages/gateway/src/session/postgres/intents.ts';
import { largeMessages, type SpoolFile } from '../../packages/gateway/src/session/postgres/large-message.ts';
import type { Request } from '../../packages/gateway/src/session/postgres/request.ts';
import { SessionLeaves } from '../../packages/gateway/src/session/postgres/session-leaves.ts';
import { TargetSide } from '../../packages/gateway/src/session/postgres/target-side.ts';
import type { SqlReader } from '../../packages/gateway/src/session/sql-reader.ts';

/** Everything that is waiting for its turn runs. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

interface Group {
  readonly events: readonly LedgerEvent[];
  readonly from: number;
  readonly resolve: (appended: Appended[]) => void;
}

class TestLedger implements LedgerPort {
  /** In the order of their indexes. */
  readonly leaves: LedgerEvent[] = [];
  readonly #waiting: Group[] = [];
  /** Leaves that are durable. */
  durable = 0;
  /** Intents among them. */
  durableIntents = 0;
  /** Whether leaves are durable at once. */
  immediate = false;

  get waiting(): number {
    return this.#waiting.length;
  }

  async append(event: LedgerEvent): Promise<Appended> {
    const [appended] = await this.appendMany([event]);
    return appended!;
  }

  appendMany(events: readonly LedgerEvent[]): Promise<readonly Appended[]> {
    const from = this.leaves.length;
    this.leaves.push(...events);
    return new Promise((resolve) => {
      this.#waiting.push({ events, from, resolve });
      if (this.immediate) this.flush();
    });
  }

  /** The next groups become durable, in order. */
  flush(groups = Number.POSITIVE_INFINITY): void {
    for (let left = groups; left > 0; left--) {
      const group = this.#waiting.shift();
      if (group === undefined) return;
      this.durable += group.events.length;
      this.durableIntents += group.events.filter(({ type }) => type === 'statement.intent').length;
      group.resolve(group.events.map((_, i) => ({ index: group.from + i, timeUs: 0 })));
    }
  }
}

const RUNS: ReadonlySet<number> = new Set([FRONTEND.Query, FRONTEND.Execute, FRONTEND.FunctionCall]);
/** PostgreSQL does not look at the bodies of these, or takes any. */
const ANY_BODY: ReadonlySet<number> = new Set([
  FRONTEND.CopyData,
  FRONTEND.CopyDone,
  FRONTEND.CopyFail,
  FRONTEND.Terminate,
]);

/** Whether the frame needs an intent: it runs something, or the gateway could not read it. */
function needsIntent(type: number, body: Uint8Array): boolean {
  // A probe of the gateway's own, which says nothing.
  if (body.length === 0) return false;
  if (RUNS.has(type)) return true;
  return !ANY_BODY.has(type) && readFrontend(type, body).kind === 'Malformed';
}

/** The target's socket: what was written, frame by frame, and whether it was allowed to be. */
class TargetSocket extends EventEmitter {
  readonly frames: Uint8Array[] = [];
  readonly #reader = new FrameReader({
    ...FRONTEND_FRAMES,
    except: [],
    heldBytesMax: Number.POSITIVE_INFINITY,
  });
  readonly #ledger: TestLedger;
  runs = 0;
  #lost = false;
  #written = 0;
  /** Bytes of whole frames. */
  #read = 0;
  writableNeedDrain = false;

  constructor(ledger: TestLedger) {
    super();
    this.#ledger = ledger;
  }

  cork(): void {}
  uncork(): void {}

  write(bytes: Uint8Array): boolean {
    if (this.#lost) throw new Error('something passed behind what is no message');
    this.#reader.push(bytes.slice());
    this.#written += bytes.length;
    while (this.#next() === FRAME.whole) {
      const { type, start, end } = this.#reader;
      this.frames.push(this.#reader.bytes.slice(start, end));
      this.#read += end - start;
      if (needsIntent(type, this.#reader.body())) this.runs += 1;
    }
    if (this.runs > this.#ledger.durableIntents)
      throw new Error('a statement passed before its leaf was durable');
    return true;
  }

  /** The header of what is no message may come, and nothing behind it. */
  #next(): FrameEvent {
    try {
      return this.#reader.next();
    } catch (error) {
      if (!(error instanceof CountersignError) || error.code === 'INTERNAL') throw error;
      this.#lost = true;
      if (this.#written !== this.#read + this.#reader.refusedHeader.length)
        throw new Error('more passed than a header that breaks the protocol', { cause: error });
      return FRAME.needMore;
    }
  }

  get atBoundary(): boolean {
    return this.#reader.atBoundary;
  }
}

/** A spool in memory. */
async function openSpool(): Promise<SpoolFile> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  return {
    async write(piece) {
      pieces.push(piece.slice());
      bytes += piece.length;
    },
    finish: async () => ({ bytes, sha256: 'a'.repeat(64) }),
    async forwardTo(target) {
      for (const piece of pieces) target.write(piece);
    },
    discard: async () => undefined,
  };
}

/** For sessions that no policy reaches. */
const UNREAD: SqlReader = {
  read: () => {
    throw new Error('a text was read that nothing decides about');
  },
};

/** No rule holds or counts. */
const NOTHING_CONDUCTED: ConductorPort = {
  alone: () => undefined,
  watched: () => undefined,
  bind: () => Promise.reject(new Error('nothing is conducted here')),
  mustSettle: () => false,
  mustAsk: false,
  ask: () => Promise.resolve(),
  settle: () => Promise.reject(new Error('nothing is counted here')),
};

/** The parts of one session, wired as session.ts wires them. */
export class SessionRig {
  readonly ledger = new TestLedger();
  readonly socket: TargetSocket = new TargetSocket(this.ledger);
  readonly responses: ResponseQueue<Request>;
  readonly gate: Gate;
  /** What the client got. */
  readonly delivered: Uint8Array[] = [];
  failure: unknown;
  /** Why the client's bytes are no messages. */
  broken: unknown;
  terminated = false;
  over = false;
  readonly #intents: Intents;
  readonly #client: ClientSide;
  readonly #target: TargetSide;

  /** @param policy what decides about its statements; nothing, unless given */
  constructor(policy?: SessionPolicy, reader: SqlReader = UNREAD) {
    const failed = (error: unknown): void => this.fail(error);
    const context = { session: 'ses_x', kind: 'user', actor: 'a', target: 'db', policy: 'p' };
    const leaves = new SessionLeaves(context);
    let us = 0;
    const clock = { nowUs: () => ++us, monotonicUs: () => ++us };
    const random = new Uint8Array(16);
    const { ledger } = this;
    const inspection = new Inspection({
      policyNow: () => ({ digest: 'p', policy, masks: NO_MASKS }),
      reader,
      nowUs: clock.nowUs,
      settled: () => this.responses.length === 0,
      mayBeUnflushed: () => this.responses.mayBeUnflushed,
      resumed: () => this.#client.resume(),
    });
    this.#intents = new Intents({ ledger, leaves, clock, random, inspection, failed });
    const unlike = new Set<Request>();
    this.responses = new ResponseQueue((request, outcome) => {
      unlike.delete(request);
      this.#intents.settle(request, outcome);
    });
    this.gate = new Gate(this.socket as unknown as Socket, { failed, drained: () => undefined });
    const openLarge = largeMessages(openSpool);
    this.#client = new ClientSide(
      this.responses,
      this.#intents,
      this.gate,
      openLarge,
      unlike,
      NOTHING_CONDUCTED,
      {
        failed,
        targetIsBetweenFrames: () => this.#target.atBoundary,
        drained: () => undefined,
        terminated: () => {
          this.terminated = true;
        },
        broken: (error) => {
          this.terminated = true;
          this.broken = error;
        },
      },
    );
    this.#target = new TargetSide(this.responses, unlike, {
      transactionEnded: () => this.#intents.transactionEnded(),
      idle: () => inspection.idle(),
      parameterStatus: (name, value) => inspection.parameterStatus(name, value),
    });
  }

  get stalled(): boolean {
    return this.#client.stalled;
  }

  get idle(): boolean {
    return this.#client.idle;
  }

  /** Operations so far. */
  get count(): number {
    return this.#intents.count;
  }

  fromClient(chunk: Uint8Array): void {
    if (!this.over) this.#client.push(chunk);
  }

  fromTarget(chunk: Uint8Array): void {
    if (this.over || chunk.length === 0) return;
    try {
      this.delivered.push(...this.#target.push(chunk));
    } catch (error) {
      this.fail(error);
      return;
    }
    this.#client.resume();
  }

  fail(error: unknown): void {
    this.failure ??= error;
    this.end();
  }

  end(): void {
    if (this.over) return;
    this.over = true;
    this.#client.close();
    this.gate.close();
  }

  /** As the end of a session does it: every intent gets its outcome. */
  async finish(): Promise<void> {
    this.end();
    this.ledger.immediate = true;
    this.ledger.flush();
    this.responses.close();
    await this.#intents.finish();
  }
}
