/**
 * What recording costs: compress, seal, hash and write, by size of block and level of compression.
 *
 * `node --conditions=source bench/recording-spike.ts [directory] [MB] [repeats]`
 * Writes to a file in the directory and flushes it once at the end; the figures are in
 * docs/decisions/0004-recording.md. `none` seals the plaintext as it is.
 */

import { createHash, randomBytes } from 'node:crypto';
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeId } from '../packages/gateway/src/core/ids.ts';
import { Recorder } from '../packages/gateway/src/recording/recorder.ts';
import { compressBlock, sealBlock } from '../packages/gateway/src/recording/segment-format.ts';

const MEGABYTE = 1_000_000;
const KEY = randomBytes(32);
const HEADER_SHA256 = new Uint8Array(32);

interface Measured {
  readonly mbPerS: number;
  readonly cpuMsPerMb: number;
  readonly ratio: number;
}

/** DataRow messages as a table of ranked documents gives them: ids, scores, titles, a digest. */
function sampleRows(bytes: number): Buffer {
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

function path(data: Buffer, directory: string, blockBytes: number, level: number | 'none'): Measured {
  const descriptor = openSync(join(directory, 'spike'), 'w', 0o600);
  const digest = createHash('sha256');
  const cpu = process.cpuUsage();
  const start = performance.now();
  let written = 0;
  for (let at = 0, number = 0; at < data.length; at += blockBytes, number++) {
    const plain = data.subarray(at, at + blockBytes);
    const compressed = level === 'none' ? plain : compressBlock(plain, level);
    const place = { headerSha256: HEADER_SHA256, number, last: false };
    const block = sealBlock(KEY, randomBytes(12), compressed, place);
    digest.update(block);
    written += writeSync(descriptor, block);
  }
  digest.digest();
  fdatasyncSync(descriptor);
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  closeSync(descriptor);
  const mb = data.length / MEGABYTE;
  return { mbPerS: mb / seconds, cpuMsPerMb: (user + system) / 1000 / mb, ratio: data.length / written };
}

/** The whole room: record() on this thread, the rest in the recorder's. */
async function room(data: Buffer, directory: string): Promise<Measured & { readonly mainMsPerMb: number }> {
  const clock = { nowUs: () => Date.now() * 1000, monotonicUs: () => performance.now() * 1000 };
  const recorder = new Recorder({ directory: join(directory, 'recordings'), clock, randomBytes });
  const recording = recorder.open(makeId('session', Date.now(), randomBytes(10)), KEY);
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

function median(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (index: number): number => sorted[index] ?? 0;
  const digits = at(0) < 100 ? 2 : 0;
  return `${at(Math.floor(sorted.length / 2)).toFixed(digits)} (${at(0).toFixed(digits)}–${at(sorted.length - 1).toFixed(digits)})`;
}

function line(name: string, all: readonly Measured[]): string {
  const speed = median(all.map(({ mbPerS }) => mbPerS));
  const cpu = median(all.map(({ cpuMsPerMb }) => cpuMsPerMb));
  return `| ${name} | ${speed} | ${cpu} | ${all[0]?.ratio.toFixed(2)} |`;
}

const [, , parent = tmpdir(), megabytes = '200', repeats = '5'] = process.argv;
const directory = mkdtempSync(join(parent, 'recording-spike-'));
try {
  const data = sampleRows(Number(megabytes) * MEGABYTE);
  const cases = [64, 128, 256].flatMap((kib) =>
    ([1, 3, 'none'] as const).map((level) => ({ kib, level, all: [] as Measured[] })),
  );
  const rooms: (Measured & { readonly mainMsPerMb: number })[] = [];
  // Interleaved, so that a slow moment of the machine is not one case's alone.
  for (let repeat = 0; repeat < Number(repeats); repeat++) {
    for (const { kib, level, all } of cases) all.push(path(data, directory, kib * 1024, level));
    rooms.push(await room(data, directory));
  }
  console.log('| block, level | MB/s | CPU ms per MB | ratio |\n|---|---|---|---|');
  for (const { kib, level, all } of cases) {
    console.log(line(`${kib} KiB, ${level === 'none' ? 'not compressed' : `zstd ${level}`}`, all));
  }
  console.log(line('the room (Recorder), both threads', rooms));
  console.log(`main thread in record(): ${median(rooms.map(({ mainMsPerMb }) => mainMsPerMb))} ms per MB`);
} finally {
  rmSync(directory, { recursive: true });
}
