/** Large results and COPY in both directions, recorded by the gateway, nothing to mask. */

import { settledCpuUs, ThreadSampler } from '../measure/process-cost.ts';
import { formatSpread, ratios, spreadOf } from '../measure/statistics.ts';
import { type Answer, frame, WireClient } from '../measure/wire-client.ts';
import type { Stage, Way, WayName } from '../stage.ts';
import { type Goal, metIf, type Row, type RowResult } from './row.ts';
import { prepareSampleTable, ROWS_COUNT, type SampleTable } from './sample-table.ts';

interface Workload {
  readonly id: string;
  readonly says: string;
  readonly table: SampleTable;
  /** Asked so often for one measurement: small answers are over too soon. */
  readonly times: number;
  readonly tls?: boolean;
  /** @returns how the work is done once; its bytes are what is counted */
  readonly prepare: (stage: Stage, client: WireClient) => Promise<() => Promise<Answer>>;
  readonly goal?: string;
}

interface Measured {
  readonly mbPerS: number;
  readonly cpuMsPerMb: number | undefined;
}

const MEGABYTE = 1_000_000;
/** CopyData of this size is what libpq's clients send. */
const COPY_FRAME_BYTES = 8_192;

const WORKLOADS: readonly Workload[] = [
  {
    id: 'result/wide',
    says: `Result of ${ROWS_COUNT} wide rows`,
    table: 'wide',
    times: 1,
    goal: '100,000 wide rows, nothing to mask, recorded',
    prepare: async (_, client) => () => client.query('select * from wide'),
  },
  {
    id: 'result/narrow',
    says: `Result of ${ROWS_COUNT} narrow rows`,
    table: 'narrow',
    times: 20,
    goal: '100,000 narrow rows, nothing to mask, recorded',
    prepare: async (_, client) => () => client.query('select * from narrow'),
  },
  {
    id: 'result/tls',
    says: `Result of ${ROWS_COUNT} wide rows, TLS to the client (HAProxy hands it on to PostgreSQL)`,
    table: 'wide',
    times: 1,
    tls: true,
    prepare: async (_, client) => () => client.query('select * from wide'),
  },
  {
    id: 'copy/out',
    says: `COPY of ${ROWS_COUNT} wide rows to the client`,
    table: 'wide',
    times: 1,
    goal: 'COPY out, recorded',
    prepare: async (_, client) => () => client.query('copy wide to stdout'),
  },
  {
    id: 'copy/in',
    says: `COPY of ${ROWS_COUNT} wide rows from the client`,
    table: 'wide',
    times: 1,
    prepare: async (stage, client) => {
      const frames = copyFrames();
      const bytes = frames.reduce((sum, { length }) => sum + length, 0);
      const direct = await WireClient.open(stage.direct);
      await direct.query('truncate copied');
      await direct.close();
      return async () => ({ ...(await client.copyIn('copy copied from stdin', frames)), bytes });
    },
  },
];

export const LARGE_RESULT_ROWS: readonly Row[] = WORKLOADS.map((workload) => ({
  id: workload.id,
  run: (stage) => runWorkload(stage, workload),
}));

async function runWorkload(stage: Stage, workload: Workload): Promise<RowResult> {
  await prepareSampleTable(stage, workload.table);
  const runs = await stage.interleave((way) => measureOnce(stage, way, workload));
  const speed = (name: WayName): number[] => (runs.get(name) ?? []).map(({ mbPerS }) => mbPerS);
  const share = ratios(speed('countersign'), speed('direct'));
  const table = {
    title: workload.says,
    columns: ['in the path', 'MB/s', 'share of direct', 'share of PgBouncer', 'CPU ms a MB'],
    rows: stage.ways.map(({ name }) => [
      name,
      formatSpread(speed(name), 0),
      formatSpread(ratios(speed(name), speed('direct')), 2),
      formatSpread(ratios(speed(name), speed('pgbouncer')), 2),
      formatSpread(
        (runs.get(name) ?? []).flatMap(({ cpuMsPerMb }) => cpuMsPerMb ?? []),
        2,
      ),
    ]),
  };
  return { tables: [table], goals: workload.goal === undefined ? [] : [goalOf(workload.goal, share)] };
}

function goalOf(what: string, share: readonly number[]): Goal {
  return {
    what,
    goal: '≥ 0.85 of direct',
    measured: formatSpread(share, 2),
    met: metIf(spreadOf(share).median, (value) => value >= 0.85),
  };
}

async function measureOnce(stage: Stage, way: Way, workload: Workload): Promise<Measured> {
  const client = await WireClient.open(way, workload.tls ?? false);
  const once = await workload.prepare(stage, client);
  const cpuBefore = way.pid === undefined ? 0 : await settledCpuUs(way.pid);
  const { pid } = way;
  const profiled = pid !== undefined && way.name === 'countersign' && stage.profiling;
  using threads = profiled ? new ThreadSampler(pid) : undefined;
  const startMs = performance.now();
  let bytes = 0;
  let ms = 0;
  for (let time = 0; time < workload.times; time++) {
    const answer = await once();
    bytes += answer.bytes;
    ms += answer.ms;
  }
  const cpuUs = way.pid === undefined ? undefined : (await settledCpuUs(way.pid)) - cpuBefore;
  await client.close();
  const mb = bytes / MEGABYTE;
  if (threads !== undefined) {
    const endMs = performance.now();
    threads.stop();
    stage.loads.push({ startMs, endMs, count: mb, unit: 'MB', threadUs: threads.between(startMs, endMs) });
  }
  return {
    mbPerS: mb / (ms / 1_000),
    cpuMsPerMb: cpuUs === undefined ? undefined : cpuUs / 1_000 / mb,
  };
}

/** Lines of the table `wide` as a client of COPY sends them. */
function copyFrames(): Buffer[] {
  const body = 'ranking model document query score passage relevance index vector candidate answer '.repeat(
    9,
  );
  const lines = Array.from(
    { length: ROWS_COUNT },
    (_, i) =>
      `${i}\t0.${i}25\t${i.toString(16).padStart(32, 'a5')}\t2026-11-25 10:00:00+00\t${body}\t${'f0'.repeat(32)}\n`,
  );
  const bytes = Buffer.from(lines.join(''));
  const frames: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += COPY_FRAME_BYTES) {
    frames.push(frame('d', bytes.subarray(at, at + COPY_FRAME_BYTES)));
  }
  return frames;
}
