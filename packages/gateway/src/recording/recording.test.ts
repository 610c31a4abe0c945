import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Clock } from '../core/clock.ts';
import { makeId, type SessionId } from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';
import { Recorder, type RecorderOptions } from './recorder.ts';
import { type RecordedEntry, readRecording } from './recording-reader.ts';
import { recordedSessions, recoverSegments } from './recovery.ts';
import { segmentDigest } from './segment-file.ts';
import type { ByteChannel } from './segment-format.ts';
import type { SegmentSummary } from './segment-writer.ts';
import type { RecordingSummary, SessionRecording } from './session-recording.ts';

const clock: Clock = { nowUs: () => Date.now() * 1000, monotonicUs: () => performance.now() * 1000 };
const KEY = randomBytes(32);
const START_US = 1_790_000_000_000_000;
let directory = '';

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'recording-'));
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

/** Everything that an iterable gives. */
async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

function newSession(): SessionId {
  return makeId('session', Date.now(), randomBytes(10));
}

function makeRecorder(options: Partial<RecorderOptions> = {}): Recorder {
  return new Recorder({ directory, clock, randomBytes, ...options });
}

interface Copied {
  readonly kind: string;
  readonly text: string;
  readonly channel?: number;
  readonly timeUs?: number;
}

async function readAll(sessionId: SessionId, scopeKey: Uint8Array = KEY): Promise<Copied[]> {
  const all: Copied[] = [];
  for await (const entry of readRecording({ directory, sessionId, scopeKey })) all.push(copied(entry));
  return all;
}

function copied(entry: RecordedEntry): Copied {
  if (entry.kind === 'bytes') {
    const { kind, channel, timeUs } = entry;
    return { kind, channel, timeUs, text: Buffer.from(entry.bytes).toString('latin1') };
  }
  if (entry.kind === 'event') return { kind: entry.kind, timeUs: entry.timeUs, text: entry.json };
  return { kind: entry.kind, text: `${entry.segment}/${entry.block}` };
}

/** One small session; what it wrote. */
async function recordOne(
  write: (recording: SessionRecording) => void | Promise<void>,
  options: Partial<RecorderOptions> = {},
): Promise<{ id: SessionId; summary: RecordingSummary; segments: SegmentSummary[] }> {
  await using recorder = makeRecorder(options);
  const id = newSession();
  const recording = recorder.open(id, KEY);
  const segments: SegmentSummary[] = [];
  recording.onSegment((segment) => segments.push(segment));
  await write(recording);
  return { id, summary: await recording.close(), segments };
}

async function small(): Promise<{ id: SessionId; file: string; whole: Buffer; entries: Copied[] }> {
  const { id } = await recordOne(async (recording) => {
    recording.record(0, Buffer.from('select 1'), START_US);
    await recording.flush();
    recording.record(1, Buffer.from('one'), START_US + 10);
    await recording.flush();
    recording.record(1, Buffer.from('two'), START_US + 20);
  });
  const file = join(directory, id, '000000.csr');
  return { id, file, whole: await readFile(file), entries: await readAll(id) };
}

function nothing(): void {}

describe('a recording', () => {
  it('gives back what was recorded, with channels, times and events', async () => {
    const { id, summary, segments } = await recordOne((recording) => {
      recording.record(0, Buffer.from('select 1'), START_US);
      recording.record(1, Buffer.from('1'), START_US + 5);
      recording.event('{"rows":1}', START_US + 5);
      recording.record(2, Buffer.from('no'), START_US - 100);
    });
    expect(await readAll(id)).toEqual([
      { kind: 'bytes', channel: 0, timeUs: START_US, text: 'select 1' },
      { kind: 'bytes', channel: 1, timeUs: START_US + 5, text: '1' },
      { kind: 'event', timeUs: START_US + 5, text: '{"rows":1}' },
      { kind: 'bytes', channel: 2, timeUs: START_US + 5, text: 'no' },
    ]);
    const file = join(directory, id, '000000.csr');
    const digest = await segmentDigest(file);
    expect(segments).toMatchObject([
      { number: 0, sha256: digest, blocks: 1, firstUs: START_US, status: 'ok' },
    ]);
    expect(summary).toMatchObject({ segments: 1, sha256: digest, bytes: (await stat(file)).size });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await readFile(file)).includes('select 1')).toBe(false);
  });

  it('makes no file where nothing was recorded', async () => {
    const { id, summary } = await recordOne(() => undefined);
    expect(summary).toEqual({ segments: 0, bytes: 0, plainBytes: 0, blocks: 0 });
    expect(await readdir(directory)).toEqual([]);
    expect(await readAll(id)).toEqual([]);
  });

  it('is on disk when flush resolves, before the session ends', async () => {
    await recordOne(async (recording) => {
      recording.record(0, Buffer.from('abc'), START_US);
      await recording.flush();
      const all = await readAll(recording.sessionId);
      expect(all).toEqual([
        { kind: 'bytes', channel: 0, timeUs: START_US, text: 'abc' },
        { kind: 'truncated', text: '0/1' },
      ]);
    });
  });

  it('writes a block that is old without being asked', async () => {
    await using recorder = makeRecorder();
    const recording = recorder.open(newSession(), KEY);
    recording.record(0, Buffer.from('abc'), START_US);
    await expect.poll(async () => (await readAll(recording.sessionId)).length, { timeout: 5_000 }).toBe(2);
  });

  it('survives any sequence of writes, in any number of segments', async () => {
    const write = fc.record({
      channel: fc.constantFrom<ByteChannel>(0, 1, 2, 3),
      length: fc.oneof(fc.nat(40), fc.nat(700_000)),
      deltaUs: fc.oneof(fc.nat(1_000), fc.nat(10_000_000_000)),
      flush: fc.boolean(),
    });
    const property = fc.asyncProperty(fc.array(write, { maxLength: 20 }), async (writes) => {
      const expected = new Map<number, Buffer[]>();
      let timeUs = START_US;
      const { id, summary } = await recordOne(
        async (recording) => {
          for (const { channel, length, deltaUs, flush } of writes) {
            timeUs += deltaUs;
            const bytes = randomBytes(length);
            recording.record(channel, bytes, timeUs);
            expected.set(channel, [...(expected.get(channel) ?? []), bytes]);
            if (flush) await recording.flush();
          }
        },
        { testingOnlySegmentBytesMax: 400_000, testingOnlyOpenFilesMax: 1 },
      );
      const found = new Map<number, Buffer[]>();
      let last = 0;
      for await (const entry of readRecording({ directory, sessionId: id, scopeKey: KEY })) {
        if (entry.kind !== 'bytes') throw new Error(`unexpected ${entry.kind}`);
        expect(entry.timeUs).toBeGreaterThanOrEqual(last);
        last = entry.timeUs;
        found.set(entry.channel, [...(found.get(entry.channel) ?? []), Buffer.from(entry.bytes)]);
      }
      for (const [channel, pieces] of expected) {
        const same = Buffer.concat(pieces).equals(Buffer.concat(found.get(channel) ?? []));
        expect(same).toBe(true);
      }
      const total = writes.reduce((sum, { length }) => sum + length, 0);
      expect(summary.segments).toBeGreaterThanOrEqual(Math.floor(total / 700_000));
    });
    await fc.assert(property, { numRuns: 15 });
  });
});

describe('a damaged recording', () => {
  it('is readable up to its last whole block wherever it is cut, and says that it is truncated', async () => {
    const { id, file, whole, entries } = await small();
    for (let length = 0; length < whole.length; length++) {
      await writeFile(file, whole.subarray(0, length));
      const found = await readAll(id);
      const marker = found.pop();
      expect(marker?.kind).toBe('truncated');
      expect(found).toEqual(entries.slice(0, found.length));
      expect(found.length).toBeLessThan(entries.length);
    }
  });

  it('never gives other entries when any byte is flipped', async () => {
    const { id, file, whole, entries } = await small();
    const sha256 = (await segmentDigest(file)) ?? '';
    for (let at = 0; at < whole.length; at++) {
      const flipped = Buffer.from(whole);
      flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8));
      await writeFile(file, flipped);
      const found: Copied[] = [];
      const reading = (async () => {
        const expected = new Map([[0, { sha256, status: 'ok' as const }]]);
        for await (const entry of readRecording({ directory, sessionId: id, scopeKey: KEY, expected })) {
          found.push(copied(entry));
        }
      })();
      await expect(reading).rejects.toMatchObject({ code: 'RECORDING_INVALID' });
      expect(found).toEqual(entries.slice(0, found.length));
    }
  });

  it('does not open under another key', async () => {
    const { id } = await small();
    await expect(readAll(id, randomBytes(32))).rejects.toMatchObject({ code: 'RECORDING_INVALID' });
  });

  it('is refused by name where its version is unknown', async () => {
    const { id, file, whole } = await small();
    whole.write('CSREC002', 'latin1');
    await writeFile(file, whole);
    await expect(readAll(id)).rejects.toThrow('CSREC002');
  });

  it('is noticed where a segment is missing, exchanged or not the newest and cut', async () => {
    const options = { testingOnlySegmentBytesMax: 1_000 };
    const { id, segments } = await recordOne(async (recording) => {
      for (let i = 0; i < 4; i++) {
        recording.record(0, randomBytes(2_000), START_US + i);
        await recording.flush();
      }
    }, options);
    expect(segments.map(({ number }) => number)).toEqual([0, 1, 2, 3]);
    const path = (n: number): string => join(directory, id, `00000${n}.csr`);
    const second = await readFile(path(1));
    await writeFile(path(1), await readFile(path(2)));
    await expect(readAll(id)).rejects.toThrow('calls itself 2');
    await writeFile(path(1), second.subarray(0, second.length - 1));
    await expect(readAll(id)).rejects.toThrow('not the newest');
    await writeFile(path(1), second);
    await rm(path(3));
    const expected = new Map(segments.map(({ number, sha256, status }) => [number, { sha256, status }]));
    const reading = collect(readRecording({ directory, sessionId: id, scopeKey: KEY, expected }));
    await expect(reading).rejects.toThrow('segment 3 is missing');
  });

  it('is described for its leaf after a crash, with and without its key, whatever its end is', async () => {
    const { id, file, whole } = await small();
    expect(await recordedSessions(directory)).toEqual([id]);
    await writeFile(file, Buffer.concat([whole.subarray(0, whole.length - 20), Buffer.alloc(500)]));
    const sessions = [{ sessionId: id, segmentsKnown: 0, scopeKey: KEY }];
    const [segment] = await collect(recoverSegments(directory, sessions));
    const sha256 = (await segmentDigest(file)) ?? '';
    expect(segment).toMatchObject({
      sessionId: id,
      number: 0,
      sha256,
      bytes: (await stat(file)).size,
      blocks: 2,
      lastUs: START_US + 10,
      status: 'truncated',
    });
    const expected = new Map([[0, { sha256, status: 'truncated' as const }]]);
    const read = await collect(readRecording({ directory, sessionId: id, scopeKey: KEY, expected }));
    expect(read.map(({ kind }) => kind)).toEqual(['bytes', 'bytes', 'truncated']);
    const [blind] = await collect(recoverSegments(directory, [{ sessionId: id, segmentsKnown: 0 }]));
    expect(blind).toMatchObject({ sha256, status: 'truncated' });
    expect(blind).not.toHaveProperty('plainBytes');
    expect(
      await collect(recoverSegments(directory, [{ ...sessions[0], sessionId: id, segmentsKnown: 1 }])),
    ).toEqual([]);
  });
});

describe('the recorder', () => {
  it('fails the session for good where its file is there already, and no other session', async () => {
    await using recorder = makeRecorder();
    const id = newSession();
    await mkdir(join(directory, id), { recursive: true });
    await writeFile(join(directory, id, '000000.csr'), 'not ours');
    const recording = recorder.open(id, KEY);
    const failures: string[] = [];
    recording.onFailure((error) => failures.push(error.code));
    recording.record(0, Buffer.from('x'), START_US);
    await expect(recording.flush()).rejects.toMatchObject({ code: 'RECORDING_FAILED' });
    expect(failures).toEqual(['RECORDING_FAILED']);
    expect(() => recording.record(0, Buffer.from('x'), START_US)).toThrow('cannot be written');
    await expect(recording.close()).rejects.toMatchObject({ code: 'RECORDING_FAILED' });
    expect(recorder.queuedBytes).toBe(0);
    const other = recorder.open(newSession(), KEY);
    other.record(0, Buffer.from('x'), START_US);
    await expect(other.close()).resolves.toMatchObject({ segments: 1 });
  });

  it('keeps 100 MB in bounded memory: full is said, drain comes, and all is recorded', async () => {
    let queuedMax = 0;
    const { id, summary } = await recordOne(async (recording) => {
      let drain = nothing;
      recording.onDrain(() => drain());
      for (let i = 0; i < 1_600; i++) {
        recording.record(1, randomBytes(65_536), START_US + i);
        queuedMax = Math.max(queuedMax, recording.queuedBytes);
        if (recording.full) await new Promise<void>((resolve) => (drain = resolve));
      }
    });
    expect(queuedMax).toBeLessThanOrEqual(
      LIMITS.recording.queueBytesMax + 2 * LIMITS.recording.blockBytesMax,
    );
    expect(summary.segments).toBe(2);
    const before = process.memoryUsage().rss;
    let bytes = 0;
    for await (const entry of readRecording({ directory, sessionId: id, scopeKey: KEY })) {
      if (entry.kind === 'bytes') bytes += entry.bytes.length;
    }
    expect(bytes).toBe(1_600 * 65_536);
    expect(process.memoryUsage().rss - before).toBeLessThan(100_000_000);
  });

  it('fails a session that records on although it is full', async () => {
    await using recorder = makeRecorder();
    const recording = recorder.open(newSession(), KEY);
    const piece = randomBytes(1_048_576);
    expect(() => {
      for (let i = 0; i < 70; i++) recording.record(1, piece, START_US);
    }).toThrow('nobody waited');
    expect(recorder.queuedBytes).toBe(0);
  });

  it('holds no large buffer for each of many sessions, and few descriptors', async () => {
    await using recorder = makeRecorder({ testingOnlyOpenFilesMax: 16 });
    const sessions = Array.from({ length: 300 }, () => recorder.open(newSession(), KEY));
    for (let round = 0; round < 2; round++) {
      for (const session of sessions) session.record(0, Buffer.from(`round ${round}`), START_US + round);
      await Promise.all(sessions.map((session) => session.flush()));
    }
    const summaries = await Promise.all(sessions.map((session) => session.close()));
    expect(summaries.every(({ segments }) => segments === 1)).toBe(true);
    const last = sessions.at(-1);
    expect((await readAll(last?.sessionId ?? newSession())).map(({ text }) => text)).toEqual([
      'round 0',
      'round 1',
    ]);
  });

  it('fails every session where its thread cannot start', async () => {
    await writeFile(join(directory, 'file'), '');
    const recorder = makeRecorder({ directory: join(directory, 'file') });
    const recording = recorder.open(newSession(), KEY);
    await new Promise<void>((resolve) => recording.onFailure(() => resolve()));
    expect(() => recorder.open(newSession(), KEY)).toThrow('cannot be written');
    await recorder.close();
  });
});
