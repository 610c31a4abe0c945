/** Recordings on a disk that loses its power at any moment: readable up to the last whole block. */

import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { makeId, type SessionId } from '../../packages/gateway/src/core/ids.ts';
import type { FromRecorder } from '../../packages/gateway/src/recording/recorder-messages.ts';
import {
  type ExpectedSegment,
  readRecording,
} from '../../packages/gateway/src/recording/recording-reader.ts';
import { RecordingThread } from '../../packages/gateway/src/recording/recording-thread.ts';
import { recoverSegments } from '../../packages/gateway/src/recording/recovery.ts';
import {
  BASE_BYTES,
  NONCE_BYTES,
  recordingKey,
  writeEntryHeader,
} from '../../packages/gateway/src/recording/segment-format.ts';
import { Dice, seedOfRun } from './dice.ts';
import { SimulatedDisk } from './simulated-disk.ts';

const SOAK = process.env['COUNTERSIGN_SOAK'] !== undefined;
const DIRECTORY = '/data/recordings';
const START_US = 1_764_000_000_000_000;

/** What was recorded of a session, and how much of it was promised to be on disk. */
class Told {
  readonly id: SessionId;
  readonly scopeKey: Uint8Array = new Uint8Array(randomBytes(32));
  bytes = Buffer.alloc(0);
  /** Bytes that a flush, or the end of a segment, has made durable. */
  durable = 0;
  /** Segments that were reported, for which a leaf stands in the ledger. */
  readonly known = new Map<number, ExpectedSegment>();

  constructor(number: number) {
    this.id = makeId('session', number, new Uint8Array(10));
  }
}

/** Some sessions in turn, with flushes and small segments; throws nothing when the disk is off. */
function record(disk: SimulatedDisk, dice: Dice, steps: number): Told[] {
  const sessions = [0, 1, 2].map((number) => new Told(number));
  const written = new Map<Told, number>();
  const reply = (message: FromRecorder): void => {
    const told = sessions[message.session];
    if (told === undefined) return;
    if (message.kind === 'written') written.set(told, told.bytes.length);
    if (message.kind === 'flushed') told.durable = written.get(told) ?? 0;
    if (message.kind !== 'segment') return;
    told.durable = written.get(told) ?? 0;
    told.known.set(message.segment.number, message.segment);
  };
  const thread = new RecordingThread(
    { directory: DIRECTORY, segmentBytesMax: 4_000, openFilesMax: 2 },
    disk,
    reply,
  );
  sessions.forEach(({ id, scopeKey }, session) => {
    thread.take({ kind: 'open', session, sessionId: id, key: recordingKey(scopeKey) });
  });
  for (let step = 0; step < steps && !disk.isOff; step++) {
    const session = dice.below(sessions.length);
    const told = sessions[session];
    if (told === undefined) continue;
    if (dice.chance(0.2)) {
      thread.take({ kind: 'flush', session, flush: step });
      continue;
    }
    const piece = Buffer.from(dice.bytes(1 + dice.below(1_500)));
    told.bytes = Buffer.concat([told.bytes, piece]);
    thread.take({
      kind: 'block',
      session,
      ...blockOf(piece, START_US + step),
      final: dice.chance(0.03),
      hurried: dice.chance(0.3),
    });
  }
  return sessions;
}

function blockOf(
  piece: Buffer,
  timeUs: number,
): { buffer: ArrayBuffer; length: number; nonce: Uint8Array; firstUs: number; lastUs: number } {
  const plain = Buffer.alloc(BASE_BYTES + 20 + piece.length);
  plain.writeBigUInt64BE(BigInt(timeUs));
  const at = writeEntryHeader(plain, BASE_BYTES, 0, 1, piece.length);
  plain.set(piece, at);
  const buffer = new ArrayBuffer(at + piece.length);
  new Uint8Array(buffer).set(plain.subarray(0, buffer.byteLength));
  const nonce = new Uint8Array(randomBytes(NONCE_BYTES));
  return { buffer, length: buffer.byteLength, nonce, firstUs: timeUs, lastUs: timeUs };
}

/** Puts the files of a simulated disk into a real directory. */
function materialise(disk: SimulatedDisk): string {
  const directory = mkdtempSync(join(tmpdir(), 'countersign-recordings-'));
  for (const [path, content] of disk.files()) {
    const file = join(directory, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  }
  return directory;
}

/** Recovers and reads one session as a start and a reader do; what is wrong with it. */
async function check(directory: string, told: Told): Promise<string[]> {
  const { id: sessionId, scopeKey, known } = told;
  const expected = new Map(known);
  const interrupted = { sessionId, segmentsKnown: known.size, scopeKey };
  for await (const segment of recoverSegments(directory, [interrupted]))
    expected.set(segment.number, segment);
  const pieces: Uint8Array[] = [];
  for await (const entry of readRecording({ directory, sessionId, scopeKey, expected })) {
    if (entry.kind === 'bytes') pieces.push(Uint8Array.from(entry.bytes));
  }
  const read = Buffer.concat(pieces);
  const problems: string[] = [];
  if (Buffer.compare(read, told.bytes.subarray(0, read.length)) !== 0)
    problems.push('other bytes than were recorded');
  if (read.length < told.durable)
    problems.push(`${told.durable} bytes were on disk, ${read.length} are left`);
  return problems;
}

describe('recordings on a disk that loses its power', () => {
  it('are read up to the last whole block, with all that was flushed, after a loss at any operation', {
    timeout: 3_600_000,
  }, async () => {
    const seed = seedOfRun('recordings and loss of power');
    for (let run = 0; run < (SOAK ? 5_000 : 150); run++) {
      const dice = new Dice(seed + run);
      const disk = new SimulatedDisk();
      disk.makeDirectory(DIRECTORY);
      disk.syncDirectory('/data');
      disk.breakWith({ crashAt: dice.below(120) });
      const sessions = record(disk, dice, 80);
      const left = dice.chance(0.9) ? disk.afterPowerLoss(dice) : disk.afterKill();
      const directory = materialise(left);
      try {
        for (const told of sessions) {
          const problems = await check(join(directory, DIRECTORY), told).catch((error: unknown) => [
            String(error),
          ]);
          expect({ seed: seed + run, problems }).toEqual({ seed: seed + run, problems: [] });
        }
      } finally {
        rmSync(directory, { recursive: true });
      }
    }
  });
});
