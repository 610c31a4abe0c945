/**
 * What reading a text costs: from the cache, anew, and for longer texts; and what the cache holds in memory.
 *
 * node --conditions=source --expose-gc bench/sql.ts
 */

import { LIMITS } from '../packages/gateway/src/core/limits.ts';
import { classify } from '../packages/gateway/src/sql/classify.ts';
import { preScan } from '../packages/gateway/src/sql/pre-scan.ts';
import { readText } from '../packages/gateway/src/sql/read-text.ts';
import { testingOnlyParser } from '../packages/gateway/src/sql/testing-parser.ts';
import { TextCache } from '../packages/gateway/src/sql/text-cache.ts';

const parser = await testingOnlyParser();
const encoder = new TextEncoder();

/** As pgbench writes its statements in simple mode: each has other values. */
function pgbench(run: number): Uint8Array {
  const statements = [
    `UPDATE pgbench_accounts SET abalance = abalance + ${run} WHERE aid = ${run * 7};`,
    `SELECT abalance FROM pgbench_accounts WHERE aid = ${run};`,
    `UPDATE pgbench_tellers SET tbalance = tbalance + ${run} WHERE tid = ${run};`,
    `INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (${run}, 1, ${run}, 5, CURRENT_TIMESTAMP);`,
  ];
  return encoder.encode(statements[run % statements.length]);
}

/** A SELECT of about so many bytes, with joins, conditions and a list. */
function longText(bytes: number): Uint8Array {
  const conditions: string[] = [];
  for (let index = 0; conditions.length * 36 < bytes; index += 1) {
    conditions.push(`(d.column_${index} = ${index} OR s.x IN (1, 2))`);
  }
  return encoder.encode(
    `SELECT d.* FROM documents d JOIN scores s USING (id) WHERE ${conditions.join('\n AND ')}`,
  );
}

/** Microseconds a run: the median of rounds, the first of which warm up. */
function measure(runs: number, run: (index: number) => void): number {
  const rounds: number[] = [];
  let index = 0;
  for (let round = 0; round < 9; round += 1) {
    const began = process.cpuUsage();
    for (let at = 0; at < runs; at += 1) run((index += 1));
    const { user, system } = process.cpuUsage(began);
    rounds.push((user + system) / runs);
  }
  return rounds.slice(2).toSorted((left, right) => left - right)[3] ?? Number.NaN;
}

function print(what: string, microseconds: number): void {
  process.stdout.write(`${what.padEnd(48)} ${microseconds.toFixed(2).padStart(10)} µs CPU\n`);
}

const hot = pgbench(1);
const cache = new TextCache();
print(
  'cached text',
  measure(200_000, () => void cache.read(hot, (text) => readText(text, parser))),
);
print(
  'pre-scan, pgbench',
  measure(20_000, (index) => void preScan(pgbench(index))),
);
print(
  'parse, pgbench',
  measure(5_000, (index) => void parser.parse(pgbench(index))),
);
print(
  'read anew, pgbench',
  measure(5_000, (index) => void readText(pgbench(index), parser)),
);
const misses = new TextCache();
print(
  'read anew through a full cache, pgbench',
  measure(5_000, (index) => void misses.read(pgbench(index), (text) => readText(text, parser))),
);
for (const bytes of [1_000, 10_000, 100_000]) {
  const text = longText(bytes);
  const scanned = preScan(text);
  const parsed = parser.parse(text);
  const runs = Math.ceil(2_000_000 / bytes);
  print(
    `read anew, ${text.length} bytes`,
    measure(runs, () => void readText(text, parser)),
  );
  print(
    '  of which pre-scan',
    measure(runs, () => void preScan(text)),
  );
  if (scanned.kind !== 'scanned' || parsed.kind !== 'tree') continue;
  print(
    '  of which classify',
    measure(runs, () => void classify(parsed.tree, text, scanned.pieces)),
  );
}

const { gc } = globalThis;
if (gc !== undefined) {
  gc();
  const before = process.memoryUsage().heapUsed;
  const full = new TextCache();
  for (let index = 0; index < LIMITS.sql.cachedTextsMax; index += 1) {
    full.read(pgbench(index), (text) => readText(text, parser));
  }
  gc();
  const held = process.memoryUsage().heapUsed - before;
  process.stdout.write(
    `cache of ${full.size} texts: ${Math.round(held / full.size)} bytes each on the heap, ` +
      `${Math.round(full.bytes / full.size)} as estimated\n`,
  );
}
