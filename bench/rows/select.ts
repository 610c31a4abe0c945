/** Small statements by pgbench: throughput, beside the others', and the CPU time of one transaction. */

import { type PgbenchRun, runPgbench } from '../measure/pgbench.ts';
import { formatSpread, ratios, spreadOf } from '../measure/statistics.ts';
import { type Stage, WARM_UP_RUNS, WARM_UP_SECONDS_MAX, type WayName } from '../stage.ts';
import { type Goal, metIf, type Row, type RowResult, type Table } from './row.ts';

interface Workload {
  readonly id: string;
  readonly says: string;
  readonly clients: number;
  readonly args: readonly string[];
  readonly tls?: boolean;
}

const SELECT = ['-S', '-M'] as const;

const WORKLOADS: readonly Workload[] = [
  {
    id: 'select/16/prepared',
    says: '`-S`, 16 clients, prepared',
    clients: 16,
    args: [...SELECT, 'prepared'],
  },
  { id: 'select/16/simple', says: '`-S`, 16 clients, simple', clients: 16, args: [...SELECT, 'simple'] },
  { id: 'select/1/prepared', says: '`-S`, 1 client, prepared', clients: 1, args: [...SELECT, 'prepared'] },
  { id: 'select/8/prepared', says: '`-S`, 8 clients, prepared', clients: 8, args: [...SELECT, 'prepared'] },
  {
    id: 'select/64/prepared',
    says: '`-S`, 64 clients, prepared',
    clients: 64,
    args: [...SELECT, 'prepared'],
  },
  {
    id: 'select/16/tls',
    says: '`-S`, 16 clients, prepared, TLS to the client (HAProxy hands it on to PostgreSQL)',
    clients: 16,
    args: [...SELECT, 'prepared'],
    tls: true,
  },
  { id: 'tpcb/8/prepared', says: 'TPC-B-like, 8 clients, prepared', clients: 8, args: ['-M', 'prepared'] },
  {
    id: 'churn',
    says: '`-S -C`, 8 clients: a connection for every statement',
    clients: 8,
    args: ['-S', '-C', '-M', 'simple'],
  },
];

/** What the goals are about. */
const GOAL_WORKLOAD = 'select/16/prepared';

export const SELECT_ROWS: readonly Row[] = WORKLOADS.map((workload) => ({
  id: workload.id,
  run: (stage) => runWorkload(stage, workload),
}));

/** What pgbench reads; with the processes warm that it is read through. */
export async function prepareTables(stage: Stage): Promise<void> {
  const { direct } = stage;
  const env = { ...process.env, PGPASSWORD: direct.password, PGSSLMODE: 'disable' };
  const to = ['-h', direct.host, '-p', String(direct.port), '-U', direct.user];
  await stage.children.run(stage.pgbench, ['-i', '-s', '5', '-q', ...to, direct.database], env);
  for (const way of stage.ways) {
    const own = way.name === 'countersign';
    const seconds = own ? Math.min(WARM_UP_SECONDS_MAX, WARM_UP_RUNS * stage.seconds) : 1;
    await runPgbench(stage, way, { args: ['-S', '-M', 'prepared'], clients: own ? 16 : 2, seconds });
  }
}

async function runWorkload(stage: Stage, workload: Workload): Promise<RowResult> {
  const runs = await stage.interleave((way) =>
    runPgbench(stage, way, { ...workload, seconds: stage.seconds + loginSeconds(workload.clients) }),
  );
  const of = (name: WayName): readonly PgbenchRun[] => runs.get(name) ?? [];
  const tps = (name: WayName): number[] => of(name).map((run) => run.tps);
  const cpu = (name: WayName): number[] => of(name).flatMap((run) => run.cpuUs ?? []);
  const table: Table = {
    title: workload.says,
    columns: [
      'in the path',
      'transactions a second',
      'share of direct',
      'share of PgBouncer',
      'mean ms',
      'CPU µs a transaction',
    ],
    rows: stage.ways.map(({ name }) => [
      name,
      formatSpread(tps(name), 0),
      formatSpread(ratios(tps(name), tps('direct')), 2),
      formatSpread(ratios(tps(name), tps('pgbouncer')), 2),
      formatSpread(
        of(name).map((run) => run.latencyMs),
        3,
      ),
      formatSpread(cpu(name), 1),
    ]),
  };
  const share = ratios(tps('countersign'), tps('pgbouncer'));
  return {
    tables: [table],
    goals: workload.id === GOAL_WORKLOAD ? goalsOf(share, cpu('countersign')) : [],
  };
}

/** Logins are part of the seconds that pgbench is given. */
function loginSeconds(clients: number): number {
  return Math.floor(clients / 32);
}

function goalsOf(share: readonly number[], cpu: readonly number[]): Goal[] {
  const what = '`-S` 16 clients, prepared, durable before forwarding';
  return [
    {
      what: `${what}: throughput`,
      goal: '≥ 0.55 of PgBouncer',
      measured: formatSpread(share, 2),
      met: metIf(spreadOf(share).median, (value) => value >= 0.55),
    },
    {
      what: `${what}: CPU`,
      goal: '≤ 75 µs',
      measured: formatSpread(cpu, 1),
      met: metIf(spreadOf(cpu).median, (value) => value <= 75),
    },
  ];
}
