/**
 * What reading every statement and deciding about it costs: the same gateway, without rules and with, and with rules
 * where the target is not asked for its own tree (`serverTree: off`).
 */

import { type PgbenchRun, runPgbench } from '../measure/pgbench.ts';
import { formatSpread, ratios, spreadOf } from '../measure/statistics.ts';
import { rotated, type Stage, type Way } from '../stage.ts';
import { type Goal, metIf, type Row, type RowResult, type Table } from './row.ts';

interface Workload {
  readonly says: string;
  readonly clients: number;
  readonly args: readonly string[];
}

/** The goal is about the first. */
const PREPARED: Workload = {
  says: '`-S`, 16 clients, prepared',
  clients: 16,
  args: ['-S', '-M', 'prepared'],
};
const WORKLOADS: readonly Workload[] = [
  PREPARED,
  { says: '`-S`, 16 clients, simple', clients: 16, args: ['-S', '-M', 'simple'] },
  {
    says: 'TPC-B-like, 8 clients, prepared: every write is counted before COMMIT',
    clients: 8,
    args: ['-M', 'prepared'],
  },
];

export const POLICY_ROW: Row = {
  id: 'policy',
  async run(stage) {
    const gateway = stage.gateway;
    if (gateway === undefined) throw new Error('the gateway is not among the ways that are compared');
    const results: RowResult[] = [];
    for (const workload of WORKLOADS) results.push(await runWorkload(stage, gateway, workload));
    return {
      tables: results.flatMap(({ tables }) => tables),
      goals: results.flatMap(({ goals }) => goals),
    };
  },
};

async function runWorkload(
  stage: Stage,
  { way, ruled, ruledByText }: { readonly way: Way; readonly ruled: Way; readonly ruledByText: Way },
  workload: Workload,
): Promise<RowResult> {
  const ways = [
    { name: 'no rule', way },
    { name: 'with policy', way: ruled },
    { name: 'with policy, serverTree: off', way: ruledByText },
  ] as const;
  const runs = new Map<string, PgbenchRun[]>(ways.map(({ name }) => [name, []]));
  for (let round = 0; round < stage.rounds; round += 1) {
    for (const { name, way: through } of rotated(ways, round)) {
      runs.get(name)?.push(await runPgbench(stage, through, { ...workload, seconds: stage.seconds }));
    }
  }
  const of = (name: string): readonly PgbenchRun[] => runs.get(name) ?? [];
  const tps = (name: string): number[] => of(name).map((run) => run.tps);
  const share = ratios(tps('with policy'), tps('no rule'));
  const table: Table = {
    title: `With policy: ${workload.says}`,
    columns: ['connection', 'transactions a second', 'share of no rule', 'mean ms', 'CPU µs a transaction'],
    rows: ways.map(({ name }) => [
      name,
      formatSpread(tps(name), 0),
      formatSpread(ratios(tps(name), tps('no rule')), 2),
      formatSpread(
        of(name).map((run) => run.latencyMs),
        3,
      ),
      formatSpread(
        of(name).flatMap((run) => run.cpuUs ?? []),
        1,
      ),
    ]),
  };
  const asked: Table = {
    title: `What asking the target costs: ${workload.says}`,
    columns: ['share of the same with serverTree: off'],
    rows: [[formatSpread(ratios(tps('with policy'), tps('with policy, serverTree: off')), 2)]],
  };
  return { tables: [table, asked], goals: workload === PREPARED ? [goalOf(share)] : [] };
}

function goalOf(share: readonly number[]): Goal {
  return {
    what: '`-S` 16 clients, prepared, with policy',
    goal: '≥ 0.95 of the same without rules',
    measured: formatSpread(share, 2),
    met: metIf(spreadOf(share).median, (value) => value >= 0.95),
  };
}
