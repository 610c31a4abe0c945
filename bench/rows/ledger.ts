/** Durable intents a second by the gateway's ledger alone, and how long one waits. */

import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type FlushTimes, measureFlush } from '../measure/flush.ts';
import { OwnLedger } from '../measure/own-ledger.ts';
import { formatSpread, percentile, spreadOf } from '../measure/statistics.ts';
import type { Stage } from '../stage.ts';
import { type Goal, metIf, type Row, type RowResult } from './row.ts';

interface Measured {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly cpuUs: number;
}

const WRITERS = [1, 64, 1_024] as const;
/** So many sessions share the writers: each has a key of its own, as a gateway's sessions have. */
const SESSIONS_MAX = 64;
/** A fresh ledger has its first segment and its code to warm. */
const WARM_UP_MS = 300;

export const LEDGER_ROW: Row = { id: 'ledger', run: measure };

async function measure(stage: Stage): Promise<RowResult> {
  const flushes: FlushTimes[] = [];
  const all = new Map<number, Measured[]>(WRITERS.map((writers) => [writers, []]));
  for (let round = 0; round < stage.rounds; round++) {
    flushes.push(measureFlush(stage.directory));
    for (const writers of WRITERS) all.get(writers)?.push(await measureOnce(stage, writers));
  }
  const of = (writers: number, key: keyof Measured): number[] =>
    (all.get(writers) ?? []).map((one) => one[key]);
  const flush = flushes.map(({ append }) => append.p50);
  const table = {
    title: 'The ledger alone: durable intents',
    columns: ['writers', 'intents a second', 'p50 ms', 'p99 ms', 'CPU µs an intent, both threads'],
    rows: WRITERS.map((writers) => [
      String(writers),
      formatSpread(of(writers, 'perSecond'), 0),
      formatSpread(of(writers, 'p50'), 3),
      formatSpread(of(writers, 'p99'), 3),
      formatSpread(of(writers, 'cpuUs'), 1),
    ]),
    notes: [`The disk's own flush (growing file, p50) in the same rounds: ${formatSpread(flush, 3)} ms.`],
  };
  const own = of(1, 'p50').map((value, round) => value - (flush[round] ?? Number.NaN));
  return { tables: [table], goals: goalsOf(of(64, 'perSecond'), own, flush) };
}

function goalsOf(rate: readonly number[], own: readonly number[], flush: readonly number[]): Goal[] {
  return [
    {
      what: `ledger: durable intents, 64 writers (flush here ${formatSpread(flush, 3)} ms)`,
      goal: '≥ 15,000 a second on a disk with 0.5 ms flush',
      measured: formatSpread(rate, 0),
      met: metIf(spreadOf(rate).median, (value) => value >= 15_000),
    },
    {
      what: 'ledger: p50 at one writer without the flush',
      goal: '≤ 0.2 ms',
      measured: `${formatSpread(own, 3)} ms`,
      met: metIf(spreadOf(own).median, (value) => value <= 0.2),
    },
  ];
}

async function measureOnce(stage: Stage, writers: number): Promise<Measured> {
  const parent = join(stage.directory, 'own-ledger');
  await mkdir(parent);
  try {
    const own = await OwnLedger.open(parent);
    try {
      const sessions = await Promise.all(
        Array.from({ length: Math.min(writers, SESSIONS_MAX) }, () => own.startSession()),
      );
      await appendFor(own, sessions, writers, WARM_UP_MS);
      const cpu = process.cpuUsage();
      const started = performance.now();
      const latencies = await appendFor(own, sessions, writers, stage.seconds * 1_000);
      const seconds = (performance.now() - started) / 1_000;
      const { user, system } = process.cpuUsage(cpu);
      return {
        perSecond: latencies.length / seconds,
        p50: percentile(latencies, 0.5),
        p99: percentile(latencies, 0.99),
        cpuUs: (user + system) / latencies.length,
      };
    } finally {
      await own.ledger.close('measured');
    }
  } finally {
    await rm(parent, { recursive: true, force: true });
  }
}

/** Each writer waits for its intent before it writes the next; milliseconds of each. */
async function appendFor(
  own: OwnLedger,
  sessions: readonly string[],
  writers: number,
  forMs: number,
): Promise<number[]> {
  const latencies: number[] = [];
  const until = performance.now() + forMs;
  await Promise.all(
    Array.from({ length: writers }, async (_, writer) => {
      const session = sessions[writer % sessions.length] ?? '';
      while (performance.now() < until) {
        const before = performance.now();
        await own.intent(session);
        latencies.push(performance.now() - before);
      }
    }),
  );
  return latencies;
}
