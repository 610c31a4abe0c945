/** The parts of one session between a simulated client and a simulated database; what is delivered when is chance. */

import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import type { HoldsPort } from '../../packages/gateway/src/approvals/holds-port.ts';
import type { ReadText, StatementFacts } from '../../packages/gateway/src/core/effects.ts';
import { makeId } from '../../packages/gateway/src/core/ids.ts';
import type { Appended, LedgerEvent, LedgerPort } from '../../packages/gateway/src/core/ledger-port.ts';
import { NO_MASKS } from '../../packages/gateway/src/masking/plan/session-masks.ts';
import { SessionPolicy } from '../../packages/gateway/src/policy/decide.ts';
import type { CompiledRule } from '../../packages/gateway/src/policy/rule.ts';
import { effectsThatMay } from '../../packages/gateway/src/policy/effect-classes.ts';
import { HOLD, rule, statement, text as textOf } from '../../packages/gateway/src/policy/testing-facts.ts';
import { readFrontend } from '../../packages/gateway/src/protocols/postgres/decode.ts';
import { FRAME, FrameReader, FRONTEND_FRAMES } from '../../packages/gateway/src/protocols/postgres/frames.ts';
import { ResponseQueue } from '../../packages/gateway/src/protocols/postgres/response-queue.ts';
import { ClientSide } from '../../packages/gateway/src/session/postgres/client-side.ts';
import { Conducting } from '../../packages/gateway/src/session/postgres/conducting.ts';
import { Gate } from '../../packages/gateway/src/session/postgres/gate.ts';
import { Inspection } from '../../packages/gateway/src/session/postgres/inspection.ts';
import { Intents } from '../../packages/gateway/src/session/postgres/intents.ts';
import { largeMessages } from '../../packages/gateway/src/session/postgres/large-message.ts';
import type { Request } from '../../packages/gateway/src/session/postgres/request.ts';
import { SessionLeaves } from '../../packages/gateway/src/session/postgres/session-leaves.ts';
import { TargetSide } from '../../packages/gateway/src/session/postgres/target-side.ts';
import type { Random } from '../fuzz/random.ts';
import { Backend, type Database } from './held-target.ts';

/** A rule on rows holds from so many on. */
export const BOUND = 10;

function rulesOf(inTransaction: 'refuse' | 'wait'): readonly CompiledRule[] {
  return [
    rule('definitions', { effects: ['create'] }, { ...HOLD, inTransaction }),
    rule('rows', { writes: ['scores'], rows: `>= ${BOUND}` }, { ...HOLD, inTransaction }),
  ];
}

const known = new Map<string, ReadText>();

/** What a text of held-target.ts does. */
function read(bytes: Uint8Array): ReadText {
  const text = Buffer.from(bytes).toString();
  const before = known.get(text);
  if (before !== undefined) return before;
  if (known.size > 10_000) known.clear();
  const facts = textOf(factsOf(text));
  known.set(text, facts);
  return facts;
}

function factsOf(text: string): StatementFacts {
  const [verb] = text.split(' ');
  const effect = (kind: StatementFacts['effects'][number]['effect']): StatementFacts['effects'] => [
    { effect: kind, from: 0, to: text.length, object: undefined },
  ];
  if (verb === 'W') {
    const writes = [{ schema: undefined, name: 'scores', verb: 'update', columns: 'all' }] as const;
    return statement({ node: 'UpdateStmt', effects: effect('update'), writes });
  }
  if (verb === 'D') return statement({ node: 'CreateStmt', effects: effect('create') });
  if (verb === 'BEGIN')
    return statement({ effects: effect('transaction'), transaction: 'begin', undoable: false });
  if (verb === 'COMMIT')
    return statement({ effects: effect('transaction'), transaction: 'commit', undoable: false });
  if (verb === 'SAVEPOINT' || text.startsWith('ROLLBACK TO')) {
    const transaction = verb === 'SAVEPOINT' ? 'savepoint' : 'rollback-to';
    return statement({ effects: effect('transaction'), transaction, undoable: false });
  }
  if (verb === 'ROLLBACK')
    return statement({ effects: effect('transaction'), transaction: 'rollback', undoable: false });
  return statement({ effects: effect('read') });
}

/** Leaves are durable when chance says so. */
class ChanceLedger implements LedgerPort {
  readonly #waiting: (() => void)[] = [];
  #count = 0;

  async append(event: LedgerEvent): Promise<Appended> {
    const [appended] = await this.appendMany([event]);
    if (appended === undefined) throw new Error('nothing was appended');
    return appended;
  }

  appendMany(events: readonly LedgerEvent[]): Promise<readonly Appended[]> {
    const from = this.#count;
    this.#count += events.length;
    const { promise, resolve } = Promise.withResolvers<readonly Appended[]>();
    this.#waiting.push(() => resolve(events.map((_, at) => ({ index: from + at, timeUs: 0 }))));
    return promise;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  flush(): void {
    this.#waiting.shift()?.();
  }
}

/** Takes what the gate writes, whole frame by whole frame. */
class TargetSocket extends EventEmitter {
  readonly #reader = new FrameReader(FRONTEND_FRAMES);
  readonly frames: { type: number; body: Uint8Array }[] = [];
  writableNeedDrain = false;

  cork(): void {}
  uncork(): void {}

  write(bytes: Uint8Array, written?: () => void): boolean {
    this.#reader.push(bytes.slice());
    while (this.#reader.next() === FRAME.whole) {
      this.frames.push({ type: this.#reader.type, body: this.#reader.body().slice() });
    }
    written?.();
    return true;
  }
}

function noSpool(): Promise<never> {
  return Promise.reject(new Error('nothing here is large'));
}

export interface SimulatedOptions {
  readonly holds: HoldsPort;
  readonly database: Database;
  readonly random: Random;
  /** What the rules say of a client in its own transaction. */
  readonly inTransaction: 'refuse' | 'wait';
  readonly principal: Conducting extends never
    ? never
    : ConstructorParameters<typeof Conducting>[0]['session']['principal'];
}

/** One session; everything that waits, waits until {@link SimulatedSession.step}. */
export class SimulatedSession {
  readonly delivered: Uint8Array[] = [];
  failure: unknown;
  over = false;
  readonly #ledger = new ChanceLedger();
  readonly #socket = new TargetSocket();
  readonly #backend: Backend;
  readonly #toGateway: Uint8Array[] = [];
  #fromClient: Uint8Array[] = [];
  readonly #client: ClientSide;
  readonly #target: TargetSide;
  readonly #conducting: Conducting;
  readonly #gate: Gate;
  readonly #responses: ResponseQueue<Request>;

  constructor({ holds, database, random, inTransaction, principal }: SimulatedOptions) {
    let us = 0;
    const clock = { nowUs: () => ++us, monotonicUs: () => ++us };
    const failed = (error: unknown): void => {
      this.failure ??= error;
    };
    const leaves = new SessionLeaves({ session: 's', kind: 'user', actor: 'a', target: 'db', policy: 'p' });
    const allowance = { access: 'all', version: 1, effects: effectsThatMay(undefined) };
    const policy = new SessionPolicy(rulesOf(inTransaction), allowance, {
      kind: 'user',
      address: '10.0.0.1',
      client: '',
    });
    const inspection = new Inspection({
      policyNow: () => ({ digest: 'p', policy, masks: NO_MASKS }),
      reader: { read },
      nowUs: clock.nowUs,
      settled: () => this.#responses.length === 0,
      mayBeUnflushed: () => this.#responses.mayBeUnflushed,
      resumed: () => this.#client.resume(),
    });
    const intents = new Intents({
      ledger: this.#ledger,
      leaves,
      clock,
      random: new Uint8Array(16),
      inspection,
      failed,
    });
    const unlike = new Set<Request>();
    this.#responses = new ResponseQueue((request, outcome) => {
      unlike.delete(request);
      if (request.keeper !== undefined) request.settled?.(outcome);
      else this.#conducting.answered(request, outcome);
    });
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The gate uses no more of a socket.
    this.#gate = new Gate(this.#socket as unknown as Socket, {
      failed,
      drained: () => this.#client.resume(),
    });
    this.#conducting = new Conducting({
      holds,
      holdLink: (hold) => `https://gateway.example/v1/approvals/${hold}`,
      session: {
        id: makeId('session', random.below(1_000_000), random.bytes(10)),
        principal,
        connection: 'db',
        database: 'db',
        address: '10.0.0.1',
      },
      asksForTrees: 'off',
      nowUs: () => 0,
      random: random.bytes(16),
      responses: this.#responses,
      gate: this.#gate,
      unlike,
      intents,
      clientSide: () => this.#client,
      targetSide: () => this.#target,
      stop: () => undefined,
      deliver: (bytes) => {
        if (!this.over) this.delivered.push(bytes.slice());
      },
      failed,
    });
    this.#client = new ClientSide(
      this.#responses,
      intents,
      this.#gate,
      largeMessages(noSpool),
      unlike,
      this.#conducting,
      {
        failed,
        targetIsBetweenFrames: () => this.#target.atBoundary,
        drained: () => undefined,
        terminated: () => undefined,
        broken: failed,
      },
    );
    this.#target = new TargetSide(this.#responses, unlike, {
      transactionEnded: () => {
        intents.transactionEnded();
        this.#conducting.transactionEnded();
      },
      idle: () => inspection.idle(),
      parameterStatus: () => undefined,
    });
    this.#backend = new Backend(database, (bytes) => this.#toGateway.push(bytes));
  }

  send(bytes: Uint8Array): void {
    this.#fromClient.push(bytes);
  }

  cancel(): void {
    this.#conducting.cancel();
  }

  /** The connection breaks on both sides, as where the process is killed. */
  break(): void {
    this.over = true;
    this.#conducting.end();
    this.#client.close();
    this.#gate.close();
    this.#backend.lost();
    this.#responses.close();
  }

  /** One thing happens. False where nothing can. */
  step(random: Random): boolean {
    const choices: (() => void)[] = [];
    if (this.#fromClient.length > 0 && !this.#client.stalled) choices.push(() => this.#clientBytes(random));
    if (this.#ledger.waiting > 0) choices.push(() => this.#ledger.flush());
    if (this.#socket.frames.length > 0) choices.push(() => this.#targetReads());
    if (this.#toGateway.length > 0) choices.push(() => this.#targetBytes(random));
    if (choices.length === 0) return false;
    random.pick(choices)();
    return true;
  }

  #clientBytes(random: Random): void {
    const all = Buffer.concat(this.#fromClient);
    const length = random.oneIn(2) ? all.length : 1 + random.below(all.length);
    this.#fromClient = length === all.length ? [] : [all.subarray(length)];
    this.#client.push(Uint8Array.from(all.subarray(0, length)));
  }

  #targetReads(): void {
    const frame = this.#socket.frames.shift();
    if (frame === undefined) return;
    const message = readFrontend(frame.type, frame.body);
    if (message.kind === 'Malformed') this.#backend.takeMalformed();
    else this.#backend.take(message);
  }

  #targetBytes(random: Random): void {
    const all = Buffer.concat(this.#toGateway);
    const length = random.oneIn(2) ? all.length : 1 + random.below(all.length);
    this.#toGateway.length = 0;
    if (length < all.length) this.#toGateway.push(all.subarray(length));
    try {
      this.delivered.push(
        ...this.#target.push(Uint8Array.from(all.subarray(0, length))).map((piece) => piece.slice()),
      );
    } catch (error) {
      this.failure ??= error;
      return;
    }
    this.#client.resume();
  }
}
