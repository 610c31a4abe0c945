/** A session between a client and a target, each of which may be hostile, and a ledger that takes its time. */

import { deepEqual, equal } from 'node:assert/strict';
import { CountersignError } from '../../packages/gateway/src/core/errors.ts';
import type { LedgerEvent } from '../../packages/gateway/src/core/ledger-port.ts';
import { mutate, type Random, split } from './random.ts';
import { ScriptedTarget } from './scripted-target.ts';
import { SessionRig, settled } from './session-rig.ts';
import type { Target } from './target.ts';
import {
  frameOf,
  liarFrame,
  randomBackend,
  randomFrontend,
  recordedFrames,
  recordedSessions,
} from './wire-inputs.ts';

const RECORDED = recordedFrames(recordedSessions(), true);
const STEPS_MAX = 5_000;

function isRefusal(thrown: unknown): boolean {
  return (
    thrown instanceof CountersignError &&
    (thrown.code === 'PROTOCOL_VIOLATION' || thrown.code === 'LIMIT_EXCEEDED')
  );
}

function randomFrames(random: Random, lies: boolean): Uint8Array[] {
  return Array.from({ length: 1 + random.below(12) }, () => {
    const whole = random.oneIn(3) ? random.pick(RECORDED) : randomFrontend(random);
    const frame = random.oneIn(12)
      ? frameOf(whole[0] ?? 0, mutate(whole.subarray(5), random).subarray(0, 9_000))
      : whole;
    return lies && random.oneIn(12) ? liarFrame(frame, random) : frame;
  });
}

type Answering = (frame: Uint8Array) => Uint8Array[];

/** Client bytes, durable leaves and answers in any order, until nothing moves any more. */
async function play(rig: SessionRig, pieces: Uint8Array[], answer: Answering, random: Random): Promise<void> {
  const waiting = [...pieces];
  const answers: Uint8Array[] = [];
  let answered = 0;
  for (let step = 0, quiet = 0; quiet < 3 && !rig.over; step++) {
    if (step > STEPS_MAX) throw new Error('the session does not come to rest');
    const moves = [
      waiting.length > 0,
      rig.ledger.waiting > 0,
      rig.socket.frames.length > answered,
      answers.length > 0,
    ];
    if (!moves.includes(true)) quiet += 1;
    else quiet = 0;
    const first = random.below(4);
    const choice = [0, 1, 2, 3].map((i) => (first + i) % 4).find((i) => moves[i]);
    if (choice === 0) rig.fromClient(waiting.shift()!);
    if (choice === 1) rig.ledger.flush(1 + random.below(3));
    if (choice === 2) answers.push(...answer(rig.socket.frames[answered++]!));
    if (choice === 3) rig.fromTarget(answers.shift()!);
    // oxlint-disable-next-line no-await-in-loop -- One step after the other.
    if (choice === undefined || random.oneIn(2)) await settled();
  }
}

const FLUSH = Buffer.from('H\0\0\0\x04', 'latin1');

const SYNC = Buffer.from('S\0\0\0\x04', 'latin1');

/** Without Syncs, a message without a body, Sync: the gateway's question to a target that may be in copy-in mode. */
function withoutProbes(frames: readonly Uint8Array[]): Uint8Array[] {
  const left: Uint8Array[] = [];
  for (let i = 0; i < frames.length; i++) {
    const [first, asks, last] = frames.slice(i, i + 3);
    const isProbe = [first, last].every((frame) => frame !== undefined && SYNC.equals(frame));
    if (isProbe && asks?.length === SYNC.length && !SYNC.equals(asks)) {
      i += 2;
      // Some probes begin with several Syncs, which cannot be told from the client's.
      while (SYNC.equals(left.at(-1) ?? FLUSH)) left.pop();
    } else left.push(frames[i]!);
  }
  return left;
}

/** Each intent has one outcome, and what passed is what was sent, in its order; a Flush may be the gateway's. */
function checkEnd(rig: SessionRig, sent: readonly Uint8Array[]): void {
  const answered = new Map<number, number>();
  for (const { type, ref } of rig.ledger.leaves) {
    if (type === 'statement.outcome') answered.set(ref ?? -1, (answered.get(ref ?? -1) ?? 0) + 1);
  }
  const intents = rig.ledger.leaves.flatMap(({ type }, index) =>
    type === 'statement.intent' ? [index] : [],
  );
  deepEqual(
    [...answered.keys()].toSorted((a, b) => a - b),
    intents,
  );
  equal(
    [...answered.values()].every((count) => count === 1),
    true,
  );
  let at = 0;
  for (const frame of withoutProbes(rig.socket.frames)) {
    if (Buffer.compare(frame, FLUSH) === 0) continue;
    while (at < sent.length && Buffer.compare(sent[at]!, frame) !== 0) at += 1;
    if (at === sent.length) throw new Error('a frame passed that the client did not send, or twice');
    at += 1;
  }
}

const hostile: Target = {
  name: 'both peers of a session',
  weight: 3,
  refusal: isRefusal,
  async run(random) {
    const rig = new SessionRig();
    const frames = randomFrames(random, true);
    const bytes = Buffer.concat(frames);
    const honest = new ScriptedTarget();
    const answer = (frame: Uint8Array): Uint8Array[] => {
      if (random.oneIn(16))
        return [random.oneIn(2) ? random.bytes(random.length(40)) : randomBackend(random)];
      const answers = honest.take(frame);
      return random.oneIn(16) ? [mutate(Buffer.concat(answers), random)] : answers;
    };
    try {
      await play(rig, split(bytes, random), answer, random);
    } finally {
      await rig.finish();
    }
    // A lie about a length changes what the frames are, so only their bytes can be compared.
    checkEnd(rig, framesAsRead(bytes));
    if (rig.failure !== undefined) throw rig.failure;
  },
};

/** The frames of a stream, up to the first that is none. */
function framesAsRead(bytes: Uint8Array): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (let at = 0; at + 5 <= bytes.length; ) {
    const end = at + 1 + new DataView(bytes.buffer, bytes.byteOffset + at + 1).getUint32(0);
    if (end > bytes.length) break;
    frames.push(bytes.subarray(at, end));
    at = end;
  }
  return frames;
}

/** What was run, with what came of it; what an error made the target skip is left out. */
function whatRan(leaves: readonly LedgerEvent[]): unknown[] {
  const outcomes = new Map(
    leaves.filter(({ type }) => type === 'statement.outcome').map((leaf) => [leaf.ref, leaf]),
  );
  return leaves.flatMap((leaf, index) => {
    const outcome = outcomes.get(index);
    if (leaf.type !== 'statement.intent' || outcome === undefined || outcome.status === 'skipped') return [];
    const { duration_us: _duration, held_us: _held, ...rest } = outcome.body ?? {};
    // An Execute that was sent before its portal was known to be gone says what the portal was.
    if (outcome.status !== 'error') return [{ ...leaf.body, status: outcome.status, ...rest }];
    // COPY data that is on its way when the error comes is counted, and what comes later is not.
    const { bytes_from_client: _bytes, sha256_from_client: _sha256, ...known } = rest;
    return [{ status: outcome.status, ...known }];
  });
}

const timing: Target = {
  name: 'one session, split and timed differently',
  weight: 3,
  refusal: isRefusal,
  async run(random) {
    const frames = randomFrames(random, false).filter((frame) => frame[0] !== 0x58 && frame[0] !== 0x70);
    const bytes = Buffer.concat(frames);
    const runs: SessionRig[] = [];
    for (const pieces of [[bytes], split(bytes, random)]) {
      const rig = new SessionRig();
      const target = new ScriptedTarget();
      rig.ledger.immediate = pieces.length === 1;
      // oxlint-disable-next-line no-await-in-loop -- One run after the other.
      await play(rig, pieces, (frame) => target.take(frame), random);
      // oxlint-disable-next-line no-await-in-loop -- One run after the other.
      await rig.finish();
      checkEnd(rig, frames);
      if (rig.failure !== undefined) throw rig.failure;
      runs.push(rig);
    }
    const [whole, timed] = runs;
    equal(
      Buffer.concat(timed!.delivered).toString('hex'),
      Buffer.concat(whole!.delivered).toString('hex'),
      'the client was answered otherwise',
    );
    deepEqual(whatRan(timed!.ledger.leaves), whatRan(whole!.ledger.leaves));
  },
};

export const SESSION_TARGETS: readonly Target[] = [hostile, timing];
