/** The recording alone: what its room costs for DataRow messages as a table of ranked documents gives them. */

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { makeId } from '../../packages/gateway/src/core/ids.ts';
import { Recorder } from '../../packages/gateway/src/recording/recorder.ts';

const MEGABYTE = 1_000_000;

export interface RecordingCost {
  readonly mbPerS: number;
  readonly cpuMsPerMb: number;
  /** Bytes that came for one that was written. */
  readonly ratio: number;
}

/** Rows with ids, scores, titles and a digest. */
export function sampleRows(bytes: number): Buffer {
  const words =
    'ranking model document query score passage relevance index vector candidate answer the of and in'.split(
      ' ',
    );
  const pieces: Buffer[] = [];
  let length = 0;
  let seed = 1;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
  while (length < bytes) {
    const title = Array.from({ length: 8 + random(12) }, () => words[random(words.length)]).join(' ');
    const values = [
      String(random(1_000_000)),
      (random(1e9) / 1e9).toFixed(7),
      title,
      randomBytes(8).toString('hex'),
    ];
    const row = Buffer.concat([
      Buffer.of(0x44, 0, 0, 0, 0, 0, values.length),
      ...values.flatMap((value) => [Buffer.of(0, 0, 0, value.length), Buffer.from(value)]),
    ]);
    row.writeInt32BE(row.length - 1, 1);
    pieces.push(row);
    length += row.length;
  }
  return Buffer.concat(pieces);
}

/** The whole room: record() on this thread, the rest in the recorder's. */
export async function recordAll(
  data: Buffer,
  directory: string,
): Promise<RecordingCost & { readonly mainMsPerMb: number }> {
  const clock = { nowUs: () => Date.now() * 1000, monotonicUs: () => performance.now() * 1000 };
  const recorder = new Recorder({ directory: join(directory, 'recordings'), clock, randomBytes });
  const recording = recorder.open(makeId('session', Date.now(), randomBytes(10)), randomBytes(32));
  await recording.flush();
  let drained = nothing;
  recording.onDrain(() => drained());
  const cpu = process.cpuUsage();
  const start = performance.now();
  let mainMs = 0;
  for (let at = 0; at < data.length; at += 65_536) {
    const before = performance.now();
    recording.record(1, data.subarray(at, at + 65_536), 1_790_000_000_000_000 + at);
    mainMs += performance.now() - before;
    if (recording.full) await new Promise<void>((resolve) => (drained = resolve));
  }
  const { bytes } = await recording.close();
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  await recorder.close();
  const mb = data.length / MEGABYTE;
  return {
    mbPerS: mb / seconds,
    cpuMsPerMb: (user + system) / 1000 / mb,
    ratio: data.length / bytes,
    mainMsPerMb: mainMs / mb,
  };
}

function nothing(): void {}
