/**
 * What a tree of the server's own costs: reading it, and taking its facts.
 *
 * `node --conditions=source bench/server-trees.ts`; trees of vectors/sql/server-trees. CPU time of the process,
 * collection of garbage included, so that a busy machine changes little.
 */

import { readFileSync } from 'node:fs';
import { FactsReader } from '../packages/gateway/src/sql/server-tree/facts.ts';
import { TreeReader } from '../packages/gateway/src/sql/server-tree/read-nodes.ts';
import { formatSpread } from './measure/statistics.ts';
import { formatTable } from './report.ts';

const VECTORS = new URL('../vectors/sql/server-trees/', import.meta.url);
const SAMPLES = ['point-select', 'view-join', 'wide-join'].flatMap((name) => [`15-${name}`, `18-${name}`]);
const RUNS = 7;
/** Bytes of trees in a run. */
const RUN_BYTES = 16_000_000;

const trees = new TreeReader();
const facts = new FactsReader();

function microsecondsEach(times: number, once: () => void): number {
  const before = process.cpuUsage();
  for (let i = 0; i < times; i += 1) once();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / times;
}

function measure(name: string): readonly string[] {
  const bytes = new Uint8Array(readFileSync(new URL(`${name}.txt`, VECTORS)));
  const tree = trees.read(bytes);
  if (tree.kind === 'refused') throw new Error(`${name}: ${tree.reason}`);
  const times = Math.ceil(RUN_BYTES / bytes.length);
  const reading: number[] = [];
  const both: number[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    reading.push(microsecondsEach(times, () => trees.read(bytes)));
    both.push(
      microsecondsEach(times, () => {
        const again = trees.read(bytes);
        if (again.kind === 'tree') facts.read([again.root]);
      }),
    );
  }
  return [name, String(bytes.length), formatSpread(reading, 1), formatSpread(both, 1)];
}

// The first one warms up.
measure('18-view-join');
const columns = ['tree', 'bytes', 'read, µs of CPU', 'read and facts, µs of CPU'];
console.info(formatTable({ title: '', columns, rows: SAMPLES.map(measure) }));
