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
import { compressBlock, sealBlock } from '../packages/gateway/src/recording/segment-format.ts';
import { recordAll, type RecordingCost, sampleRows } from './measure/sample-recording.ts';

const MEGABYTE = 1_000_000;
const KEY = randomBytes(32);
const HEADER_SHA256 = new Uint8Array(32);

function path(data: Buffer, directory: string, blockBytes: number, level: number | 'none'): RecordingCost {
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

function median(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (index: number): number => sorted[index] ?? 0;
  const digits = at(0) < 100 ? 2 : 0;
  return `${at(Math.floor(sorted.length / 2)).toFixed(digits)} (${at(0).toFixed(digits)}–${at(sorted.length - 1).toFixed(digits)})`;
}

function line(name: string, all: readonly RecordingCost[]): string {
  const speed = median(all.map(({ mbPerS }) => mbPerS));
  const cpu = median(all.map(({ cpuMsPerMb }) => cpuMsPerMb));
  return `| ${name} | ${speed} | ${cpu} | ${all[0]?.ratio.toFixed(2)} |`;
}

const [, , parent = tmpdir(), megabytes = '200', repeats = '5'] = process.argv;
const directory = mkdtempSync(join(parent, 'recording-spike-'));
try {
  const data = sampleRows(Number(megabytes) * MEGABYTE);
  const cases = [64, 128, 256].flatMap((kib) =>
    ([1, 3, 'none'] as const).map((level) => ({ kib, level, all: [] as RecordingCost[] })),
  );
  const rooms: (RecordingCost & { readonly mainMsPerMb: number })[] = [];
  // Interleaved, so that a slow moment of the machine is not one case's alone.
  for (let repeat = 0; repeat < Number(repeats); repeat++) {
    for (const { kib, level, all } of cases) all.push(path(data, directory, kib * 1024, level));
    rooms.push(await recordAll(data, directory));
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
