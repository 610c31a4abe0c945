/**
 * The durable path, piece by piece and whole: JCS, commitment, AES-GCM, CRC, group commit.
 *
 * Run: node --conditions=source bench/durable-path-spike.ts
 */

import { createHash, createSecretKey, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { sealBody } from '../packages/gateway/src/audit/sealed-body.ts';
import { makeId } from '../packages/gateway/src/core/ids.ts';
import { formatBody, openBody, SALT_BYTES } from '../packages/ledger/src/body.ts';
import { formatLeaf, type Leaf } from '../packages/ledger/src/leaf.ts';
import { sha256Portable, useSha256 } from '../packages/ledger/src/sha256.ts';
import { INTENT_BODY, OwnLedger } from './measure/own-ledger.ts';

const REPEATS = 5;
const session = makeId('session', Date.now(), randomBytes(10));
const key = randomBytes(32);
const sealingKey = createSecretKey(key);

function leaf(n: number): Leaf {
  return {
    v: 1,
    log: 'countersign.local/ledger/gw1',
    n,
    t: '2026-11-24T14:00:00.000000Z',
    boot: makeId('boot', 0, new Uint8Array(10)),
    type: 'statement.intent',
    kind: 'user',
    actor: 'a'.repeat(32),
    session,
    seq: n,
    target: 'reranker-db',
    decision: 'allow',
    policy: 'b'.repeat(64),
    body: 'c'.repeat(64),
  };
}

/** Microseconds for one call: the median of the repeats, with the smallest and the largest. */
function measure(name: string, count: number, work: (i: number) => unknown): void {
  const results: number[] = [];
  for (let repeat = 0; repeat < REPEATS + 1; repeat++) {
    const started = process.hrtime.bigint();
    for (let i = 0; i < count; i++) work(i);
    const us = Number(process.hrtime.bigint() - started) / 1000 / count;
    // The first one warms up.
    if (repeat > 0) results.push(us);
  }
  print(name, results, 'µs');
}

function print(name: string, results: readonly number[], unit: string): void {
  const sorted = results.toSorted((a, b) => a - b);
  const text = [sorted[Math.floor(sorted.length / 2)], sorted[0], sorted.at(-1)].map((value) =>
    (value ?? 0).toFixed(unit === 'µs' ? 2 : 0),
  );
  console.info(`${name.padEnd(46)} ${text[0]} ${unit} (${text[1]}–${text[2]})`);
}

function pieces(): void {
  const salts = randomBytes(SALT_BYTES * 5);
  const { opened, commitment } = openBody(INTENT_BODY, salts);
  const text = formatBody(opened);
  const record = randomBytes(1_200);
  measure('leaf: JCS', 20_000, (i) => formatLeaf(leaf(i)));
  measure('body: salted fields and commitment, native', 10_000, () => openBody(INTENT_BODY, salts));
  measure('body: JCS of the opened body', 20_000, () => formatBody(opened));
  measure('body: AES-256-GCM', 10_000, () =>
    sealBody(text, commitment, session, sealingKey, randomBytes(12)),
  );
  measure('record: CRC-32 of 1,200 bytes', 50_000, () => crc32(record));
  measure('SHA-256 of 400 bytes, native', 50_000, () =>
    createHash('sha256').update(record.subarray(0, 400)).digest(),
  );
  measure('SHA-256 of 400 bytes, portable', 10_000, () => sha256Portable(record.subarray(0, 400)));
}

async function whole(writers: number, count: number): Promise<void> {
  const rates: number[] = [];
  const latencies: number[] = [];
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const directory = mkdtempSync(join(tmpdir(), 'countersign-spike-'));
    const own = await OwnLedger.open(directory);
    const scope = await own.startSession();
    const started = performance.now();
    let left = count;
    await Promise.all(
      Array.from({ length: writers }, async () => {
        while (left > 0) {
          left -= 1;
          const before = performance.now();
          await own.intent(scope);
          if (repeat === REPEATS - 1) latencies.push(performance.now() - before);
        }
      }),
    );
    rates.push((count / (performance.now() - started)) * 1000);
    await own.ledger.close('measured');
    rmSync(directory, { recursive: true, force: true });
  }
  const sorted = latencies.toSorted((a, b) => a - b);
  const at = (share: number): string => (sorted[Math.floor(sorted.length * share)] ?? 0).toFixed(2);
  print(`${writers} writers, durable leaves a second`, rates, '/s');
  console.info(`${''.padEnd(46)} p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`);
}

console.info(`${cpus()[0]?.model ?? 'unknown'}, ${cpus().length} cores, Node ${process.versions.node}`);
useSha256((data) => createHash('sha256').update(data).digest());
pieces();
await whole(1, 1_000);
await whole(64, 20_000);
await whole(1_024, 40_000);
