/** What reads bytes of a peer before anything is known of their order: frames, messages, logins. */

import { equal } from 'node:assert/strict';
import { CountersignError } from '../../packages/gateway/src/core/errors.ts';
import { ByteQueue } from '../../packages/gateway/src/core/byte-queue.ts';
import {
  decodePasswordMessage,
  decodeSASLInitialResponse,
} from '../../packages/gateway/src/protocols/postgres/authentication.ts';
import { decodeBackend, decodeFrontend } from '../../packages/gateway/src/protocols/postgres/decode.ts';
import {
  encodeBackend,
  encodeFrontend,
  encodeSASLInitialResponse,
} from '../../packages/gateway/src/protocols/postgres/encode.ts';
import {
  BACKEND_FRAMES,
  FRAME,
  FrameReader,
  type FrameReaderOptions,
  FRONTEND_FRAMES,
  startupPacketLength,
} from '../../packages/gateway/src/protocols/postgres/frames.ts';
import { commandRows } from '../../packages/gateway/src/protocols/postgres/operation.ts';
import { saslPrep } from '../../packages/gateway/src/protocols/postgres/saslprep.ts';
import {
  makeVerifier,
  ScramClient,
  ScramServer,
} from '../../packages/gateway/src/protocols/postgres/scram.ts';
import {
  decodeStartupPacket,
  encodeStartupPacket,
} from '../../packages/gateway/src/protocols/postgres/startup.ts';
import { copiesIn, isCopyIn, nameEffects } from '../../packages/gateway/src/session/postgres/sql-names.ts';
import type { Target } from './target.ts';
import { mutate, split } from './random.ts';
import {
  frameOf,
  liarFrame,
  randomBackend,
  randomFrontend,
  randomStartup,
  randomText,
  recordedFrames,
  recordedSessions,
} from './wire-inputs.ts';

const sessions = recordedSessions();
const RECORDED = { client: recordedFrames(sessions, true), server: recordedFrames(sessions, false) };

const REFUSALS: ReadonlySet<string> = new Set([
  'PROTOCOL_VIOLATION',
  'LIMIT_EXCEEDED',
  'STARTUP_INVALID',
  'PROTOCOL_UNSUPPORTED',
  'REPLICATION_INVALID',
  'USER_MISSING',
]);

/** Only what says that the peer is wrong; INTERNAL would say that we are. */
function isRefusal(thrown: unknown): boolean {
  return thrown instanceof CountersignError && REFUSALS.has(thrown.code);
}

function sameBytes(actual: Uint8Array, expected: Uint8Array): void {
  if (Buffer.compare(actual, expected) !== 0) {
    equal(Buffer.from(actual).toString('hex'), Buffer.from(expected).toString('hex'));
  }
}

/** What is not refused encodes to itself: there is one encoding of a message, but for names that are cut. */
function decodesToItself(frame: Uint8Array, from: 'client' | 'server'): void {
  const type = frame[0] ?? 0;
  const body = frame.subarray(5);
  if (from === 'server') {
    sameBytes(encodeBackend(decodeBackend(type, body)), frame);
    return;
  }
  const message = decodeFrontend(type, body);
  if (!hasInexactName(message)) sameBytes(encodeFrontend(message), frame);
}

/** A name in another encoding than UTF-8, or one that the server would cut. */
function hasInexactName(message: object): boolean {
  return Object.values(message).some(
    (value) => typeof value === 'string' && (value.includes('\ufffd') || Buffer.byteLength(value) >= 60),
  );
}

function messageTarget(from: 'client' | 'server'): Target {
  const make = from === 'client' ? randomFrontend : randomBackend;
  return {
    name: `messages of a ${from}`,
    weight: 30,
    refusal: isRefusal,
    run(random) {
      const frame = random.oneIn(2) ? random.pick(RECORDED[from]) : make(random);
      if (random.oneIn(4)) decodesToItself(frame, from);
      const type = random.oneIn(8) ? random.below(256) : (frame[0] ?? 0);
      decodesToItself(frameOf(type, mutate(frame.subarray(5), random)), from);
    },
  };
}

/** Frames as they come out, pieces put together again; and why it ended. */
function readAll(chunks: readonly Uint8Array[], options: FrameReaderOptions): string[] {
  const reader = new FrameReader(options);
  const found: string[] = [];
  let pieces = 0;
  const hex = (): string => Buffer.from(reader.bytes.subarray(reader.start, reader.end)).toString('latin1');
  let open = '';
  try {
    for (const chunk of chunks) {
      reader.push(chunk);
      for (let event = reader.next(); event !== FRAME.needMore; event = reader.next()) {
        if (++pieces > 100_000) throw new Error('the reader does not come to an end');
        open += hex();
        if (event === FRAME.whole || (event === FRAME.piece && reader.last)) {
          found.push(open);
          open = '';
        }
      }
    }
    found.push(`open ${open}`, String(reader.atBoundary));
  } catch (error) {
    if (!(error instanceof CountersignError)) throw error;
    found.push(`open ${open}`, error.code);
  }
  return found;
}

function framesTarget(from: 'client' | 'server'): Target {
  const options = from === 'client' ? FRONTEND_FRAMES : BACKEND_FRAMES;
  const make = from === 'client' ? randomFrontend : randomBackend;
  return {
    name: `frames of a ${from}, split anywhere`,
    weight: 12,
    refusal: isRefusal,
    run(random) {
      const frames: Uint8Array[] = [];
      for (let i = 1 + random.below(4); i > 0; i--) {
        const frame = random.oneIn(2) ? random.pick(RECORDED[from]) : make(random);
        frames.push(random.oneIn(4) ? liarFrame(frame, random) : frame);
      }
      const bytes = Buffer.concat(frames);
      const whole = readAll([bytes], options);
      const pieces = readAll(split(bytes, random), options);
      // What is open of a frame that comes in pieces may be its header alone.
      if (whole.join('|') !== pieces.join('|')) {
        equal(pieces.at(-1), whole.at(-1));
        equal(pieces.slice(0, -2).join('|'), whole.slice(0, -2).join('|'));
        const [a = '', b = ''] = [pieces.at(-2), whole.at(-2)];
        equal(a.startsWith(b) || b.startsWith(a), true);
      }
    },
  };
}

const startup: Target = {
  name: 'start-up packets',
  weight: 8,
  refusal: isRefusal,
  run(random) {
    const packet = encodeStartupPacket(randomStartup(random));
    sameBytes(encodeStartupPacket(decodeStartupPacket(packet)), packet);
    const wrong = mutate(packet, random);
    const length = startupPacketLength(wrong);
    if (random.oneIn(2)) new DataView(wrong.buffer, wrong.byteOffset).setUint32(0, wrong.length);
    else if (length > 10_004) throw new Error(`${length} bytes would be awaited`);
    const decoded = decodeStartupPacket(wrong);
    // PostgreSQL does not look at what follows the code of a request for encryption.
    if (decoded.kind === 'SSLRequest' || decoded.kind === 'GSSENCRequest') return;
    sameBytes(encodeStartupPacket(decoded), wrong);
  },
};

const passwords: Target = {
  name: 'bodies of authentication',
  weight: 4,
  refusal: isRefusal,
  run(random) {
    const frame = encodeSASLInitialResponse('SCRAM-SHA-256', random.bytes(random.length(100)));
    const body = mutate(frame.subarray(5), random);
    if (random.oneIn(2)) decodePasswordMessage(body);
    else {
      const { mechanism, data } = decodeSASLInitialResponse(body);
      sameBytes(encodeSASLInitialResponse(mechanism, data).subarray(5), body);
    }
  },
};

const SALT = new Uint8Array(16);
const VERIFIER = makeVerifier('right', SALT, 4096);
const SALTED = Buffer.from('c4a49510323ab4f952cac1fa99441939e78ea74d6be81ddf7096e87513dc615d', 'hex');

const scram: Target = {
  name: 'SCRAM, both sides',
  weight: 3,
  refusal: isRefusal,
  run(random) {
    const server = new ScramServer({ ...VERIFIER, candidates: [VERIFIER] }, 'c2VydmVybm9uY2Vub25jZQ');
    const options = { channelBinding: { kind: 'none' }, saltedPassword: () => SALTED } as const;
    const client = new ScramClient('wrong', 'Y2xpZW50bm9uY2Vub25jZQ', options);
    const place = random.below(3);
    const at = (step: number, bytes: Uint8Array): Uint8Array =>
      place === step ? mutate(bytes, random) : bytes;
    const challenge = server.first(at(0, client.start()));
    const response = client.continue(at(1, challenge));
    equal(server.final(at(2, response)), undefined, 'a wrong password was taken for the right one');
    if (random.oneIn(2)) client.finish(random.bytes(random.length(60)));
    else server.finalMessage();
    throw new Error('a login without a password');
  },
};

const texts: Target = {
  name: 'texts of SQL',
  weight: 8,
  refusal: () => false,
  run(random) {
    const one = randomText(random);
    const text = Buffer.concat([
      one,
      Buffer.from(random.pick([';', ' ', '--\n', '/*', '*/', "'", '"', '$$'])),
      randomText(random),
    ]);
    const effects = nameEffects(text);
    // More text never has less of an effect, but for what makes it one plain query.
    const alone = nameEffects(Buffer.concat([Buffer.from(';'), one]));
    const behind = nameEffects(Buffer.concat([Buffer.from(';'), text]));
    equal(behind.statements || !alone.statements, true);
    equal(behind.portals || !alone.portals, true);
    if (isCopyIn(text)) equal(copiesIn(text), true);
    equal(typeof effects.statements, 'boolean');
  },
};

const small: Target = {
  name: 'tags and passwords as text',
  weight: 5,
  refusal: isRefusal,
  run(random) {
    const bytes = mutate(
      Buffer.from(random.pick(['INSERT 0 5', 'SELECT 18446744073709551615', 'päss wörd'])),
      random,
    );
    const rows = commandRows(Buffer.from(bytes).toString('utf8'));
    equal(rows === undefined || Number.isSafeInteger(rows), true);
    saslPrep(random.oneIn(2) ? bytes : Buffer.from(bytes).toString('latin1'));
  },
};

const queue: Target = {
  name: 'bytes that are read one by one',
  weight: 4,
  refusal: isRefusal,
  async run(random) {
    const bytes = random.bytes(random.length(200));
    const queued = new ByteQueue(128);
    const read: Uint8Array[] = [];
    const wanted = async (): Promise<void> => {
      for (let left = bytes.length; left > 0; ) {
        const count = Math.min(left, 1 + random.below(16));
        // oxlint-disable-next-line no-await-in-loop -- A dialogue.
        read.push((await queued.read(count)).slice());
        left -= count;
      }
    };
    const reading = wanted();
    reading.catch(() => undefined);
    for (const piece of split(bytes, random)) queued.push(piece);
    queued.fail(new CountersignError('PROTOCOL_VIOLATION', { reason: 'over' }));
    await reading;
    sameBytes(Buffer.concat(read), bytes);
  },
};

export const WIRE_TARGETS: readonly Target[] = [
  messageTarget('client'),
  messageTarget('server'),
  framesTarget('client'),
  framesTarget('server'),
  startup,
  passwords,
  scram,
  texts,
  small,
  queue,
];
