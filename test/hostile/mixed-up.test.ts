/**
 * Nothing of one session is ever delivered to, or recorded in, another: sessions share the place that
 * targets are read into, and buffers that are written again. Many read large results at once, at every
 * pace, some break off in the middle; each checks every byte, and the recording is what was delivered.
 */

import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseId } from '../../packages/gateway/src/core/ids.ts';
import { readRecording } from '../../packages/gateway/src/recording/recording-reader.ts';
import { CHANNEL } from '../../packages/gateway/src/recording/segment-format.ts';
import { type Harness, type LoggedEvent, startHarness } from '../e2e/harness.ts';
import { query } from '../e2e/raw-session.ts';
import { Random } from '../fuzz/random.ts';

const SOAK = process.env['COUNTERSIGN_SOAK'] !== undefined;
const SEED = Number(process.env['COUNTERSIGN_SEED'] ?? Date.now() % 2 ** 31);
const SESSIONS = SOAK ? 64 : 16;
const ROUNDS = SOAK ? 40 : 3;

let harness: Harness;
let token: string;

beforeAll(async () => {
  harness = await startHarness({
    config: 'tls: { mode: optional }',
    postgres: { settings: { fsync: 'off' } },
  });
  token = await harness.token('ana');
});
afterAll(() => harness[Symbol.asyncDispose]());

/** One statement's answer as it must be, but for its ReadyForQuery. */
function expectedAnswer(mark: string, width: number, rows: number): Buffer {
  const line = Buffer.from(mark.repeat(Math.ceil(width / mark.length)).slice(0, width));
  const pieces: Buffer[] = [Buffer.from('54000000220001', 'hex'), Buffer.from('repeat\0')];
  pieces.push(Buffer.from('00000000000000000019ffffffffffff0000', 'hex'));
  const description = Buffer.concat(pieces);
  description.writeUInt32BE(description.length - 1, 1);
  const row = Buffer.alloc(11 + line.length);
  row.write('D', 0, 'latin1');
  row.writeUInt32BE(row.length - 1, 1);
  row.writeUInt16BE(1, 5);
  row.writeUInt32BE(line.length, 7);
  line.copy(row, 11);
  const tag = Buffer.from(`C0000SELECT ${rows}\0`);
  tag.writeUInt32BE(tag.length - 1, 1);
  return Buffer.concat([description, ...Array.from({ length: rows }, () => row), tag]);
}

interface Received {
  readonly bytes: number;
  readonly sha256: string;
}

interface Outcome {
  readonly port: number;
  /** All that came after the login, in order. */
  readonly received: Received;
  /** Digests of the answers, in order. */
  readonly digests: readonly string[];
  readonly brokenOff: boolean;
}

const READY_BYTES = 6;
const WIDTHS = [1, 700, 8_000, 8_200, 66_000, 131_000, 1_200_000] as const;

/** A client that reads at no pace in particular. */
class PacedReader {
  readonly stream: Socket;
  /** What came since {@link PacedReader.takeFirst}. */
  #chunks: Buffer[] = [];
  readonly #digest = createHash('sha256');
  #length = 0;
  #wake: (() => void) | undefined;

  constructor(stream: Socket, random: Random) {
    this.stream = stream;
    stream.removeAllListeners('data');
    stream.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#digest.update(chunk);
      this.#length += chunk.length;
      if (random.oneIn(6) && !stream.isPaused()) this.rest(random.below(12));
      this.#wake?.();
    });
    stream.on('close', () => this.#wake?.());
  }

  rest(forMs: number): void {
    this.stream.pause();
    setTimeout(() => this.stream.resume(), forMs);
  }

  async until(bytes: number): Promise<void> {
    while (this.#length < bytes && !this.stream.destroyed) {
      // oxlint-disable-next-line no-await-in-loop -- Until it is there.
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** All that came. */
  received(): Received {
    return { bytes: this.#length, sha256: this.#digest.copy().digest('hex') };
  }

  /** The first bytes of what is kept, which are kept no longer. */
  takeFirst(bytes: number): Buffer {
    const all = Buffer.concat(this.#chunks);
    this.#chunks = [all.subarray(bytes)];
    return all.subarray(0, bytes);
  }
}

async function openReader(id: number, random: Random): Promise<PacedReader> {
  const { port } = harness.gateway.postgres;
  const ssl = id % 3 === 0 ? { rejectUnauthorized: false } : false;
  const client = new Client({ host: '127.0.0.1', port, user: 'ana', password: token, database: 'db', ssl });
  client.on('error', () => undefined);
  await client.connect();
  const { stream } = (client as unknown as { connection: { stream: Socket } }).connection;
  return new PacedReader(stream, random);
}

async function readAtAnyPace(id: number, random: Random): Promise<Outcome> {
  const reader = await openReader(id, random);
  const { stream } = reader;
  const port = stream.localPort ?? 0;
  const digests: string[] = [];
  let expected = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const mark = `<session ${id}, round ${round}>`;
    // More than the kernel takes for a client that does not read for a while: the rest waits in the gateway.
    const isLong = id % 4 === round % 4;
    const width = WIDTHS[isLong ? 4 + random.below(3) : random.below(WIDTHS.length)] ?? 1;
    const rows = Math.ceil((isLong ? 12_000_000 : random.below(1_000_000)) / (width + 300));
    const answer = expectedAnswer(mark, width, rows);
    const value = `repeat('${mark}', ${Math.ceil(width / mark.length)})::varchar(${width})::text`;
    stream.write(query(`select ${value} as repeat from generate_series(1, ${rows})`));
    if (isLong) reader.rest(300 + random.below(300));
    if (id % 5 === 4 && round === ROUNDS - 1) {
      // oxlint-disable-next-line no-await-in-loop -- In the middle of its answer.
      await reader.until(expected + Math.floor(answer.length / 2));
      stream.destroy();
      return { port, received: reader.received(), digests, brokenOff: true };
    }
    // oxlint-disable-next-line no-await-in-loop -- One statement behind the other.
    await reader.until(expected + answer.length + READY_BYTES);
    const got = reader.takeFirst(answer.length + READY_BYTES).subarray(0, answer.length);
    if (!got.equals(answer)) throw new Error(`${mark}: ${firstDifference(got, answer)}`);
    digests.push(createHash('sha256').update(answer).digest('hex'));
    expected += answer.length + READY_BYTES;
  }
  stream.end(Buffer.of(0x58, 0, 0, 0, 4));
  return { port, received: reader.received(), digests, brokenOff: false };
}

function firstDifference(got: Buffer, answer: Buffer): string {
  const at = got.findIndex((byte, index) => byte !== answer[index]);
  const show = (bytes: Buffer): string => bytes.subarray(Math.max(at - 20, 0), at + 40).toString('latin1');
  return `at ${at} of ${answer.length}: got ${show(got)}, expected ${show(answer)}`;
}

async function recordedFor(session: string): Promise<Buffer> {
  const { rooms } = harness.gateway;
  const sessionId = parseId('session', session);
  const scopeKey = await rooms.keys.find(sessionId);
  if (scopeKey === undefined) throw new Error('no key');
  const pieces: Uint8Array[] = [];
  const directory = `${harness.data}/gateway/recordings`;
  for await (const entry of readRecording({ directory, sessionId, scopeKey })) {
    if (entry.kind === 'bytes' && entry.channel === CHANNEL.targetToClient)
      pieces.push(Uint8Array.from(entry.bytes));
  }
  return Buffer.concat(pieces);
}

function ofSession(log: readonly LoggedEvent[], session: string, type: string): LoggedEvent[] {
  return log.filter(({ leaf }) => leaf.session === session && leaf.type === type);
}

describe('sessions that read large results at once', () => {
  it(`get theirs and nothing else, and so do their recordings (COUNTERSIGN_SEED=${SEED})`, {
    timeout: SOAK ? 1_800_000 : 120_000,
  }, async () => {
    const outcomes = await Promise.all(
      Array.from({ length: SESSIONS }, async (_, id) => {
        const random = new Random(SEED, id);
        await delay(random.below(50));
        return readAtAnyPace(id, random);
      }),
    );
    const log = await harness.finishedLog();
    for (const { port, received, digests, brokenOff } of outcomes) {
      const start = log.find(({ leaf, body }) => leaf.type === 'session.start' && body['port'] === port);
      const session = start?.leaf.session ?? '';
      const stated = ofSession(log, session, 'statement.outcome').map(({ body }) => body['sha256']);
      expect(stated.slice(0, digests.length)).toEqual(digests);
      // oxlint-disable-next-line no-await-in-loop -- One recording in memory at a time.
      const recorded = await recordedFor(session);
      // Who left in the middle was not delivered all that was on its way.
      const delivered = brokenOff ? recorded.subarray(0, received.bytes) : recorded;
      const sha256 = createHash('sha256').update(delivered).digest('hex');
      expect({ bytes: delivered.length, sha256 }, `session ${session}`).toEqual(received);
    }
    expect(harness.errors.filter((error) => !error.includes('the client is gone'))).toEqual([]);
  });
});
