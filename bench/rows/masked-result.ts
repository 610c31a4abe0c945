/**
 * What masking costs large results: rows of sixteen columns through the same gateway, without Masks, with two columns
 * masked by origin, with Masks that do not concern them, and with every text looked through.
 */

import { settledCpuUs, ThreadSampler } from '../measure/process-cost.ts';
import { formatSpread, ratios, spreadOf } from '../measure/statistics.ts';
import { WireClient } from '../measure/wire-client.ts';
import type { GatewayProcess } from '../peers/gateway.ts';
import { rotated, type Stage, type Way } from '../stage.ts';
import { type Goal, metIf, type Row, type RowResult } from './row.ts';
import { prepareSixteenTables, SIXTEEN_ROWS } from './sixteen-table.ts';

interface Workload {
  readonly id: string;
  readonly says: string;
  readonly text: string;
  readonly way: (gateway: GatewayProcess) => Way;
  readonly hasGoal: boolean;
}

interface Measured {
  readonly rowsPerS: number;
  readonly mbPerS: number;
  readonly cpuUsPerRow: number | undefined;
}

const MEGABYTE = 1_000_000;
const DIRECT = 'direct';
const UNMASKED = 'no Mask';
const MASKED = 'with the Mask';

const WORKLOADS: readonly Workload[] = [
  {
    id: 'masking/result/clear',
    says: 'masking by origin, no column of the result is masked',
    text: 'select * from sixteen_clear',
    way: ({ masked }) => masked,
    hasGoal: false,
  },
  {
    id: 'masking/result/two',
    says: 'masking by origin, one column partly masked and one redacted',
    text: 'select * from sixteen',
    way: ({ masked }) => masked,
    hasGoal: true,
  },
  {
    id: 'masking/result/scanned',
    says: 'scanning: every text is looked through',
    text: 'select * from sixteen',
    way: ({ detecting }) => detecting,
    hasGoal: false,
  },
];

export const MASKED_RESULT_ROWS: readonly Row[] = WORKLOADS.map((workload) => ({
  id: workload.id,
  run: (stage) => runWorkload(stage, workload),
}));

async function runWorkload(stage: Stage, workload: Workload): Promise<RowResult> {
  const { gateway, direct } = stage;
  if (gateway === undefined) throw new Error('the gateway is not among the ways that are compared');
  await prepareSixteenTables(stage);
  const ways = [
    { name: DIRECT, way: direct },
    { name: UNMASKED, way: gateway.way },
    { name: MASKED, way: workload.way(gateway) },
  ] as const;
  const runs = new Map<string, Measured[]>(ways.map(({ name }) => [name, []]));
  for (let round = 0; round < stage.rounds; round += 1) {
    for (const { name, way } of rotated(ways, round)) {
      runs.get(name)?.push(await measureOnce(stage, way, workload.text, name === MASKED));
    }
  }
  const of = (name: string, key: keyof Measured): number[] =>
    (runs.get(name) ?? []).flatMap((run) => run[key] ?? []);
  const rows = ways.map(({ name }) => [
    name,
    formatSpread(of(name, 'rowsPerS'), 0),
    formatSpread(of(name, 'mbPerS'), 0),
    formatSpread(ratios(of(name, 'rowsPerS'), of(DIRECT, 'rowsPerS')), 2),
    formatSpread(ratios(of(name, 'rowsPerS'), of(UNMASKED, 'rowsPerS')), 2),
    formatSpread(of(name, 'cpuUsPerRow'), 2),
  ]);
  const columns = [
    'session',
    'rows a second',
    'MB/s',
    'share of direct',
    'share of no Mask',
    'CPU µs a row, recording included',
  ];
  const title = `Result of ${SIXTEEN_ROWS} rows of sixteen columns, ${workload.says}`;
  const share = ratios(of(MASKED, 'rowsPerS'), of(DIRECT, 'rowsPerS'));
  return { tables: [{ title, columns, rows }], goals: workload.hasGoal ? [goalOf(share)] : [] };
}

function goalOf(share: readonly number[]): Goal {
  return {
    what: `${SIXTEEN_ROWS} rows of sixteen columns, two masked by origin, recorded`,
    goal: '≥ 0.6 of direct',
    measured: formatSpread(share, 2),
    met: metIf(spreadOf(share).median, (value) => value >= 0.6),
  };
}

async function measureOnce(stage: Stage, way: Way, text: string, isMasked: boolean): Promise<Measured> {
  const { pid } = way;
  const client = await WireClient.open(way);
  // What a session asks before its first statement is not of a result's size.
  await client.query(`${text} limit 1`);
  const cpuBefore = pid === undefined ? 0 : await settledCpuUs(pid);
  using threads = pid !== undefined && isMasked && stage.profiling ? new ThreadSampler(pid) : undefined;
  const startMs = performance.now();
  const { bytes, rows, ms } = await client.query(text);
  if (rows !== SIXTEEN_ROWS) throw new Error(`expected ${SIXTEEN_ROWS} rows, got ${rows}`);
  const cpuUs = pid === undefined ? undefined : (await settledCpuUs(pid)) - cpuBefore;
  await client.close();
  const mb = bytes / MEGABYTE;
  if (threads !== undefined) {
    const endMs = performance.now();
    threads.stop();
    stage.loads.push({ startMs, endMs, count: mb, unit: 'MB', threadUs: threads.between(startMs, endMs) });
  }
  return {
    rowsPerS: rows / (ms / 1_000),
    mbPerS: mb / (ms / 1_000),
    cpuUsPerRow: cpuUs === undefined ? undefined : cpuUs / rows,
  };
}
