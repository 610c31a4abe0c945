/**
 * What masking by origin costs small statements: the same gateway, without Masks and with Masks on two columns of one
 * table. With them every text is asked about and judged, and the server sends its tree whenever it analyses one.
 */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type PgbenchRun, runPgbench } from '../measure/pgbench.ts';
import { formatSpread, ratios } from '../measure/statistics.ts';
import { rotated, type Stage } from '../stage.ts';
import type { Row, RowResult } from './row.ts';
import { prepareSixteenTables, SIXTEEN_ROWS } from './sixteen-table.ts';

interface Workload {
  readonly id: string;
  readonly says: string;
  readonly args: readonly string[];
  /** What pgbench runs in the place of its own statements. */
  readonly script?: string;
}

const CLIENTS = 16;
const UNMASKED = 'no Mask';
const MASKED = 'with masking by origin';

const WORKLOADS: readonly Workload[] = [
  {
    id: 'masking/elsewhere',
    says: '`-S`, prepared, of a table without masked columns',
    args: ['-S', '-M', 'prepared'],
  },
  {
    id: 'masking/column',
    says: 'a SELECT of one column that is partly masked, prepared',
    args: ['-M', 'prepared'],
    script: `\\set id random(1, ${SIXTEEN_ROWS})\nselect contact from sixteen where id = :id;\n`,
  },
  {
    id: 'masking/simple',
    says: '`-S`, simple: a new text each time, of a table without masked columns',
    args: ['-S', '-M', 'simple'],
  },
];

export const MASKED_SELECT_ROWS: readonly Row[] = WORKLOADS.map((workload) => ({
  id: workload.id,
  run: (stage) => runWorkload(stage, workload),
}));

async function runWorkload(stage: Stage, workload: Workload): Promise<RowResult> {
  const { gateway } = stage;
  if (gateway === undefined) throw new Error('the gateway is not among the ways that are compared');
  await prepareSixteenTables(stage);
  const args = [...workload.args, ...(await scriptOf(stage, workload))];
  const ways = [
    { name: UNMASKED, way: gateway.way },
    { name: MASKED, way: gateway.masked },
  ] as const;
  const runs = new Map<string, PgbenchRun[]>(ways.map(({ name }) => [name, []]));
  for (let round = 0; round < stage.rounds; round += 1) {
    for (const { name, way } of rotated(ways, round)) {
      runs.get(name)?.push(await runPgbench(stage, way, { args, clients: CLIENTS, seconds: stage.seconds }));
    }
  }
  const of = (name: string, value: (run: PgbenchRun) => number | undefined): number[] =>
    (runs.get(name) ?? []).flatMap((run) => value(run) ?? []);
  const tps = (name: string): number[] => of(name, (run) => run.tps);
  const rows = ways.map(({ name }) => [
    name,
    formatSpread(tps(name), 0),
    formatSpread(ratios(tps(name), tps(UNMASKED)), 2),
    formatSpread(
      of(name, (run) => run.latencyMs),
      3,
    ),
    formatSpread(
      of(name, (run) => run.cpuUs),
      1,
    ),
  ]);
  const columns = ['session', 'transactions a second', 'share of no Mask', 'mean ms', 'CPU µs a transaction'];
  const title = `With masking by origin: ${CLIENTS} clients, ${workload.says}`;
  return { tables: [{ title, columns, rows }], goals: [] };
}

/** Arguments with which pgbench runs a script. */
async function scriptOf(stage: Stage, { id, script }: Workload): Promise<readonly string[]> {
  if (script === undefined) return [];
  const file = join(stage.directory, `${id.replace('/', '-')}.sql`);
  await writeFile(file, script);
  return ['-f', file];
}
