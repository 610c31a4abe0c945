/** Runs pgbench, and reads what it says. */

import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Stage, Way } from '../stage.ts';
import { CpuSampler, ThreadSampler } from './process-cost.ts';

export interface PgbenchFigures {
  readonly tps: number;
  readonly transactions: number;
  readonly latencyMs: number;
}

export interface PgbenchRun extends PgbenchFigures {
  /** CPU time of the process in the path for one transaction; undefined where nothing is in the path. */
  readonly cpuUs: number | undefined;
  /** Milliseconds of each transaction, where they were asked for. */
  readonly latencies: readonly number[];
}

export interface PgbenchOptions {
  readonly args: readonly string[];
  readonly clients: number;
  readonly seconds: number;
  readonly tls?: boolean;
  readonly latencies?: boolean;
}

/** What is given to pgbench at most, however long logins take. */
const GIVEN_SECONDS_MAX = 60;

/** Undefined where it ended in good order and had no time for a transaction. */
export function parsePgbench(text: string): PgbenchFigures | undefined {
  const figures = {
    tps: /tps = ([\d.]+)/.exec(text)?.[1],
    transactions: /number of transactions actually processed: (\d+)/.exec(text)?.[1],
    latencyMs: /latency average = ([\d.]+) ms/.exec(text)?.[1],
  };
  const { tps, transactions, latencyMs } = figures;
  if (transactions === '0') return undefined;
  if (tps === undefined || transactions === undefined || latencyMs === undefined) {
    throw new Error(`expected the summary of pgbench, got: ${text.slice(-500)}`);
  }
  const failed = /number of failed transactions: (\d+)/.exec(text)?.[1] ?? '0';
  if (failed !== '0') throw new Error(`${failed} transactions failed`);
  return { tps: Number(tps), transactions: Number(transactions), latencyMs: Number(latencyMs) };
}

/** Milliseconds of each transaction in a log of `pgbench --log`: its third column is microseconds. */
export function parsePgbenchLog(text: string): number[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => Number(line.split(' ')[2]) / 1_000);
}

/**
 * Runs it for so many seconds. Logins are part of them: where they leave less than half for
 * transactions, it is run again with more.
 */
export async function runPgbench(stage: Stage, way: Way, options: PgbenchOptions): Promise<PgbenchRun> {
  for (let seconds = options.seconds; seconds <= GIVEN_SECONDS_MAX; seconds = 2 * seconds + 1) {
    const measured = await measureOnce(stage, way, { ...options, seconds });
    const latencies = options.latencies === true ? await takeLatencies(stage.directory) : [];
    if (measured === undefined || measured.endMs - measured.startMs < options.seconds * 500) continue;
    const { startMs, endMs, figures, cpuUs, threadUs } = measured;
    if (threadUs !== undefined) {
      stage.loads.push({ startMs, endMs, count: figures.transactions, unit: 'transaction', threadUs });
    }
    return {
      ...figures,
      cpuUs: cpuUs === undefined ? undefined : cpuUs / figures.transactions,
      latencies,
    };
  }
  throw new Error(
    `${options.clients} logins through ${way.name} took longer than ${GIVEN_SECONDS_MAX / 2} s`,
  );
}

interface Measured {
  readonly figures: PgbenchFigures;
  readonly startMs: number;
  readonly endMs: number;
  readonly cpuUs: number | undefined;
  readonly threadUs: ReadonlyMap<string, number> | undefined;
}

/** Undefined where there was no transaction, because the logins took all of the time. */
async function measureOnce(stage: Stage, way: Way, options: PgbenchOptions): Promise<Measured | undefined> {
  const { args, clients, seconds, tls = false, latencies = false } = options;
  const log = latencies ? ['--log', `--log-prefix=${join(stage.directory, 'latencies')}`] : [];
  const to = ['-h', way.host, '-p', String(way.port), '-U', way.user];
  const { pid } = way;
  using sampler = pid === undefined ? undefined : new CpuSampler(pid);
  const profiled = pid !== undefined && way.name === 'countersign' && stage.profiling;
  using threads = profiled ? new ThreadSampler(pid) : undefined;
  const text = await stage.children.run(
    stage.pgbench,
    ['-n', ...to, '-c', String(clients), '-j', '1', '-T', String(seconds), ...log, ...args, way.database],
    { ...process.env, PGPASSWORD: way.password, PGSSLMODE: tls ? 'require' : 'disable' },
  );
  const endMs = performance.now();
  sampler?.stop();
  threads?.stop();
  const figures = parsePgbench(text);
  if (figures === undefined) return undefined;
  // The transactions are what pgbench does last; before, and within its seconds, it logs in.
  const startMs = endMs - (figures.transactions / figures.tps) * 1_000;
  return {
    figures,
    startMs,
    endMs,
    cpuUs: sampler?.between(startMs, endMs),
    threadUs: threads?.between(startMs, endMs),
  };
}

async function takeLatencies(directory: string): Promise<number[]> {
  const all: number[] = [];
  for (const name of await readdir(directory)) {
    if (!name.startsWith('latencies.')) continue;
    for (const value of parsePgbenchLog(await readFile(join(directory, name), 'utf8'))) all.push(value);
    await rm(join(directory, name));
  }
  return all;
}
