/** What one client waits longer than directly, and how much of it is the disk's own flush. */

import { type FlushTimes, measureFlush } from '../measure/flush.ts';
import { runPgbench } from '../measure/pgbench.ts';
import { formatSpread, percentile, spreadOf } from '../measure/statistics.ts';
import type { Stage, WayName } from '../stage.ts';
import { type Goal, metIf, type Row, type RowResult } from './row.ts';

interface Quantiles {
  readonly p50: number;
  readonly p99: number;
}

export const ONE_CLIENT_ROW: Row = { id: 'one-client', run: measure };

async function measure(stage: Stage): Promise<RowResult> {
  const flushes: FlushTimes[] = [];
  const runs = await stage.interleave<Quantiles>(async (way, round) => {
    // Beside what it is compared with: the disk of a shared machine is not the same a minute later.
    const before = way.name === 'countersign' ? measureFlush(stage.directory) : undefined;
    const { latencies } = await runPgbench(stage, way, {
      args: ['-S', '-M', 'prepared'],
      clients: 1,
      seconds: stage.seconds,
      latencies: true,
    });
    if (before !== undefined) flushes[round] = quicker(before, measureFlush(stage.directory));
    return { p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99) };
  });
  const added = (name: WayName, key: keyof Quantiles): number[] =>
    (runs.get(name) ?? []).map((run, round) => run[key] - (runs.get('direct')?.[round]?.[key] ?? Number.NaN));
  const own = (key: keyof Quantiles): number[] =>
    added('countersign', key).map((value, round) => value - (flushes[round]?.append[key] ?? Number.NaN));
  const flush = (kind: keyof FlushTimes, key: keyof Quantiles): string =>
    formatSpread(
      flushes.map((times) => times[kind][key]),
      3,
    );
  const rows = stage.ways.map(({ name }) => {
    const all = runs.get(name) ?? [];
    return [
      name,
      formatSpread(
        all.map(({ p50 }) => p50),
        3,
      ),
      formatSpread(
        all.map(({ p99 }) => p99),
        3,
      ),
      formatSpread(added(name, 'p50'), 3),
      formatSpread(added(name, 'p99'), 3),
    ];
  });
  return {
    tables: [
      {
        title: '`-S`, 1 client, prepared: latency of each transaction',
        columns: ['in the path', 'p50 ms', 'p99 ms', 'added p50 ms', 'added p99 ms'],
        rows: [
          ...rows,
          ['countersign without the flush', '', '', formatSpread(own('p50'), 3), formatSpread(own('p99'), 3)],
        ],
        notes: [
          `The disk alone, 4 KiB and fdatasync, measured before and after each run of the gateway, the quicker of the two: growing file p50 ${flush('append', 'p50')} ms, p99 ${flush('append', 'p99')} ms; written blocks p50 ${flush('overwrite', 'p50')} ms, p99 ${flush('overwrite', 'p99')} ms. The p50 (p99) of the growing file is what is taken off.`,
        ],
      },
    ],
    goals: goalsOf(own('p50'), own('p99')),
  };
}

function goalsOf(p50: readonly number[], p99: readonly number[]): Goal[] {
  return [
    {
      what: 'one client: added p50 without the flush',
      goal: '≤ 0.15 ms',
      measured: `${formatSpread(p50, 3)} ms`,
      met: metIf(spreadOf(p50).median, (value) => value <= 0.15),
    },
    {
      what: 'one client: added p99 without the flush',
      goal: '≤ 1 ms',
      measured: `${formatSpread(p99, 3)} ms`,
      met: metIf(spreadOf(p99).median, (value) => value <= 1),
    },
  ];
}

/** Taking off the less leaves the more to us. */
function quicker(one: FlushTimes, other: FlushTimes): FlushTimes {
  const least = (kind: keyof FlushTimes): Quantiles => ({
    p50: Math.min(one[kind].p50, other[kind].p50),
    p99: Math.min(one[kind].p99, other[kind].p99),
  });
  return { append: least('append'), overwrite: least('overwrite') };
}
