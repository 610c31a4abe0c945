/**
 * Sessions, their cancel keys and a target, step by step: each step is one thing that may happen next.
 *
 * The target is PostgreSQL as far as cancelling goes: a request names a backend, and hits whatever that
 * backend runs at the moment at which it arrives, or nothing. Answers of the extended protocol lie in a
 * buffer until Sync.
 */

import { deepEqual, equal } from 'node:assert/strict';
import type { SessionId } from '../../packages/gateway/src/core/ids.ts';
import { encodeBackend, encodeFrontend } from '../../packages/gateway/src/protocols/postgres/encode.ts';
import { decodeFrontend } from '../../packages/gateway/src/protocols/postgres/decode.ts';
import type { BackendMessage } from '../../packages/gateway/src/protocols/postgres/messages.ts';
import {
  type CancelKey,
  LiveSessions,
  makeCancelKey,
  type SessionPlace,
} from '../../packages/gateway/src/session/live-sessions.ts';
import { PROTOCOL_3_0, PROTOCOL_3_2 } from '../../packages/gateway/src/protocols/postgres/messages.ts';
import { Cancellation, type Delivery } from '../../packages/gateway/src/session/postgres/cancellation.ts';
import type { Random } from '../fuzz/random.ts';
import { SessionRig, settled } from '../fuzz/session-rig.ts';

const SESSIONS = 3;
const STATEMENTS_MAX = 18;
const STEPS_MAX = 400;

/** What was asked, and what became of it. */
interface Statement {
  readonly id: number;
  /** Which frame of its session it is, once it was forwarded. */
  frame: number | undefined;
  cancelled: boolean;
}

/** A request on its way: to one backend, for what had been forwarded when the client asked. */
interface Signal {
  readonly backend: Backend;
  readonly framesCount: number;
  readonly resolve: (delivery: Delivery) => void;
  answered: boolean;
}

const encode = (message: BackendMessage): Uint8Array => encodeBackend(message);
const READY = encode({ kind: 'ReadyForQuery', status: 'I' });

/** One backend process: runs frame after frame, each statement for some steps. */
class Backend {
  readonly #rig: SessionRig;
  readonly #statements: ReadonlyMap<number, Statement>;
  readonly #random: Random;
  readonly outbox: Uint8Array[] = [];
  #buffer: Uint8Array[] = [];
  #next = 0;
  #running: { readonly statement: Statement; readonly simple: boolean; left: number } | undefined;
  #portal = 0;
  #skipping = false;

  constructor(rig: SessionRig, statements: ReadonlyMap<number, Statement>, random: Random) {
    this.#rig = rig;
    this.#statements = statements;
    this.#random = random;
  }

  get busy(): boolean {
    return this.#running !== undefined || this.#next < this.#rig.socket.frames.length;
  }

  step(): void {
    const running = this.#running;
    if (running !== undefined) {
      running.left -= 1;
      if (running.left > 0) return;
      this.#end([
        ...(running.simple ? [encode({ kind: 'RowDescription', fields: [] })] : []),
        encode({ kind: 'DataRow', values: [Buffer.from(String(running.statement.id))] }),
        encode({ kind: 'CommandComplete', tag: `SELECT ${running.statement.id}` }),
      ]);
      return;
    }
    const frame = this.#rig.socket.frames[this.#next];
    if (frame !== undefined) this.#take(frame, this.#next++);
  }

  /** SIGINT: what runs ends with 57014; an idle backend ignores it. */
  interrupt(framesCount: number): void {
    const running = this.#running;
    if (running === undefined) return;
    const { statement } = running;
    equal(
      (statement.frame ?? 0) < framesCount,
      true,
      `statement ${statement.id} was sent after the request that hit it`,
    );
    statement.cancelled = true;
    const fields = [
      { code: 'C', valueBytes: Buffer.from('57014') },
      { code: 'M', valueBytes: Buffer.from(`cancelled ${statement.id}`) },
    ];
    if (!running.simple) this.#skipping = true;
    this.#end([encode({ kind: 'ErrorResponse', fields })]);
  }

  #end(answers: readonly Uint8Array[]): void {
    const simple = this.#running?.simple === true;
    this.#running = undefined;
    this.#buffer.push(...answers);
    if (simple) this.#flush(READY);
  }

  #flush(last: Uint8Array): void {
    this.outbox.push(Buffer.concat([...this.#buffer, last]));
    this.#buffer = [];
  }

  #take(frame: Uint8Array, index: number): void {
    const message = decodeFrontend(frame[0] ?? 0, frame.subarray(5));
    if (message.kind === 'Sync') {
      this.#skipping = false;
      this.#flush(READY);
      return;
    }
    if (this.#skipping) return;
    if (message.kind === 'Query')
      this.#start(Number(Buffer.from(message.textBytes).toString().slice(7)), index, true);
    if (message.kind === 'Parse') {
      this.#portal = Number(Buffer.from(message.textBytes).toString().slice(7));
      this.#buffer.push(encode({ kind: 'ParseComplete' }));
    }
    if (message.kind === 'Bind') this.#buffer.push(encode({ kind: 'BindComplete' }));
    if (message.kind === 'Execute') this.#start(this.#portal, index, false);
  }

  #start(id: number, index: number, simple: boolean): void {
    const statement = this.#statements.get(id);
    if (statement === undefined) throw new Error(`statement ${id} was never sent`);
    statement.frame = index;
    this.#running = { statement, simple, left: 1 + this.#random.below(6) };
  }
}

/** A session as the gateway has it, and its client. */
class Player {
  readonly rig = new SessionRig();
  readonly statements = new Map<number, Statement>();
  readonly backend: Backend;
  readonly cancellation: Cancellation;
  key: CancelKey | undefined;
  place: SessionPlace | undefined;
  readonly id: SessionId;

  constructor(number: number, signals: Signal[], random: Random) {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- A test's own id.
    this.id = `ses_${number}` as SessionId;
    this.backend = new Backend(this.rig, this.statements, random);
    this.cancellation = new Cancellation({
      responses: this.rig.responses,
      gate: this.rig.gate,
      failed: (error) => this.rig.fail(error),
      deliver: () =>
        new Promise((resolve) => {
          const framesCount = this.rig.socket.frames.length;
          signals.push({ backend: this.backend, framesCount, resolve, answered: false });
        }),
    });
  }

  send(id: number, random: Random): void {
    this.statements.set(id, { id, frame: undefined, cancelled: false });
    const textBytes = Buffer.from(`select ${id}`);
    const simple = random.oneIn(2);
    const bytes = simple
      ? encodeFrontend({ kind: 'Query', textBytes })
      : Buffer.concat([
          encodeFrontend({ kind: 'Parse', statement: '', textBytes, parameterTypeOids: [] }),
          encodeFrontend({
            kind: 'Bind',
            portal: '',
            statement: '',
            valueFormats: [],
            values: [],
            resultFormats: [],
          }),
          encodeFrontend({ kind: 'Execute', portal: '', rowsMax: 0 }),
          random.oneIn(4) ? new Uint8Array(0) : encodeFrontend({ kind: 'Sync' }),
        ]);
    this.rig.fromClient(bytes);
  }
}

/** One random interleaving; throws where an invariant does not hold. */
export async function simulate(
  random: Random,
): Promise<{ cancelled: number; signals: number; ended: number }> {
  const sessions = new LiveSessions();
  const signals: Signal[] = [];
  const players = Array.from({ length: SESSIONS }, (_, i) => new Player(i, signals, random));
  const stale: CancelKey[] = [];
  let delivered = 0;
  for (const player of players) register(sessions, player, random);
  let sent = 0;

  function cancelSomething(): void {
    const player = random.pick(players);
    const other = random.pick(players);
    const key = random.oneIn(6) ? random.pick([...stale, player.key]) : player.key;
    if (key === undefined) return;
    // The process id of one session with the secret of another is nobody's key, unless they share the id.
    const secret = random.oneIn(6) ? (other.key?.secret ?? key.secret) : key.secret;
    const found = sessions.findByCancelKey(key.processId, secret);
    const owner = players.find(
      (one) =>
        !one.rig.over && one.key?.processId === key.processId && Buffer.compare(secret, one.key.secret) === 0,
    );
    equal(found?.id, owner?.id, 'a key that is not a session’s found one');
    found?.cancel('127.0.0.1');
  }

  function moveSignal(): void {
    const signal = signals[random.below(signals.length)];
    if (signal === undefined) return;
    const lost = !signal.answered && random.oneIn(20);
    if (lost) {
      // It was never sent, or it is late: the gateway gives up on it, and it may arrive all the same.
      signal.answered = true;
      const never = random.oneIn(2);
      signal.resolve(never ? 'never sent' : 'unknown');
      if (never) signals.splice(signals.indexOf(signal), 1);
      return;
    }
    signals.splice(signals.indexOf(signal), 1);
    delivered += 1;
    signal.backend.interrupt(signal.framesCount);
    if (!signal.answered) signal.resolve('taken');
  }

  const moves = [
    () => {
      if (sent < STATEMENTS_MAX) random.pick(players).send(++sent, random);
    },
    () => random.pick(players).rig.ledger.flush(1),
    () => random.pick(players).backend.step(),
    () => random.pick(players).backend.step(),
    () => {
      const { rig, backend } = random.pick(players);
      const answer = backend.outbox.shift();
      if (answer !== undefined) rig.fromTarget(answer);
    },
    cancelSomething,
    moveSignal,
    () => {
      if (!random.oneIn(60)) return;
      const player = random.pick(players);
      end(sessions, player, stale);
    },
  ];
  for (let step = 0; step < STEPS_MAX; step++) {
    if (sent === STATEMENTS_MAX) break;
    random.pick(moves)();
    // oxlint-disable-next-line no-await-in-loop -- One step after the other.
    if (random.oneIn(3)) await settled();
    for (const player of players) if (player.rig.over) end(sessions, player, stale);
  }
  await settled();
  while (signals.length > 0) {
    moveSignal();
    // oxlint-disable-next-line no-await-in-loop -- Another may stand behind it.
    await settled();
  }
  await drain(players);
  for (const player of players) await check(player);
  const statements = players.flatMap((player) => [...player.statements.values()]);
  return {
    cancelled: statements.filter(({ cancelled }) => cancelled).length,
    signals: delivered,
    ended: players.filter(({ rig }) => rig.over && rig.failure !== undefined).length,
  };
}

function register(sessions: LiveSessions, player: Player, random: Random): void {
  const place = sessions.takePlace();
  // Sessions on different targets may have the same process id.
  const key = makeCancelKey(1 + random.below(3), random.pick([PROTOCOL_3_0, PROTOCOL_3_2]), (length) =>
    random.bytes(length),
  );
  player.key = key;
  player.place = place;
  const principal = {
    id: 'p',
    name: 'ana',
    displayName: 'Ana',
    kind: 'user',
    groups: [],
    issuer: '',
    subject: '',
  };
  sessions.add(
    place,
    {
      id: player.id,
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Nothing here looks at it.
      principal: principal as never,
      tokenId: 't',
      connection: 'db',
      access: 'a',
      database: 'd',
      address: '',
      startedUs: 0,
      end: () => player.rig.end(),
      endWhenIdle: () => player.rig.end(),
      cancel: () => player.cancellation.request(() => undefined),
      closed: Promise.resolve(),
    },
    key,
  );
}

function end(sessions: LiveSessions, player: Player, stale: CancelKey[]): void {
  player.rig.end();
  if (player.key === undefined || player.place === undefined || stale.includes(player.key)) return;
  sessions.remove(player.place);
  stale.push(player.key);
}

/** Everything that was sent is answered, with one Sync more for whoever left it out. */
async function drain(players: readonly Player[]): Promise<void> {
  for (const { rig } of players) rig.fromClient(encodeFrontend({ kind: 'Sync' }));
  for (let quiet = 0; quiet < 3; quiet++) {
    for (const { rig, backend } of players) {
      rig.ledger.flush();
      // oxlint-disable-next-line no-await-in-loop -- One step after the other.
      await settled();
      while (backend.busy) {
        backend.step();
        quiet = 0;
      }
      for (const answer of backend.outbox.splice(0)) {
        rig.fromTarget(answer);
        quiet = 0;
      }
    }
  }
}

/** Outcomes say what happened, each for its own statement, and the session is in step with its target. */
async function check(player: Player): Promise<void> {
  const { rig, statements } = player;
  if (!rig.over) equal(rig.responses.length, 0, 'something is owed although all was answered');
  await rig.finish();
  const { leaves } = rig.ledger;
  const outcomes = new Map(
    leaves.filter(({ type }) => type === 'statement.outcome').map((leaf) => [leaf.ref, leaf]),
  );
  for (const [index, leaf] of leaves.entries()) {
    if (leaf.type !== 'statement.intent') continue;
    const id = Number(JSON.stringify(leaf.body?.['sql']).slice(8, -1));
    const statement = statements.get(id);
    const outcome = outcomes.get(index);
    if (outcome === undefined || statement === undefined)
      throw new Error(`statement ${id} without an outcome`);
    if (outcome.status === 'unknown' || outcome.status === 'skipped') continue;
    equal(outcome.status, statement.cancelled ? 'cancelled' : 'ok', `the outcome of ${id}`);
    if (statement.cancelled) equal(outcome.body?.['message'], `cancelled ${id}`);
    else deepEqual(outcome.body?.['tags'], [`SELECT ${id}`]);
  }
}
