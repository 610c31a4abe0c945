/** Runs the load of the HTTP rows through one of the ways, and reads what it says. */

import { fileURLToPath } from 'node:url';
import type { OwnedProcesses } from '../peers/owned-processes.ts';
import type { Load } from './profile.ts';
import { CpuSampler, ThreadSampler } from './process-cost.ts';

/** What http-load.ts is told. */
export interface HttpLoad {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly token: string;
  /** JSON. */
  readonly body: string;
  /** Sockets, each with one call at a time. */
  readonly callers: number;
  readonly seconds: number;
}

/** What it says; moments are those of the machine's monotonic clock. */
export interface HttpLoadResult {
  readonly calls: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** How much of a core it took itself, 0 to 1 and a little more: near 1, it is what was measured. */
  readonly busy: number;
}

export interface HttpCalls {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly busy: number;
  /** CPU time of the process in the path for one call; undefined where nothing is in the path. */
  readonly cpuUs: number | undefined;
}

export interface HttpCallsOptions {
  readonly children: OwnedProcesses;
  /** Of the process in the path. */
  readonly pid: number | undefined;
  /** Takes what its threads cost, where they are profiled. */
  readonly loads?: Load[] | undefined;
}

const PROGRAM = fileURLToPath(new URL('../http-load.ts', import.meta.url));

/** Rejects where a call fails. */
export async function runHttpCalls(load: HttpLoad, options: HttpCallsOptions): Promise<HttpCalls> {
  const { children, pid, loads } = options;
  using sampler = pid === undefined ? undefined : new CpuSampler(pid);
  using threads = pid === undefined || loads === undefined ? undefined : new ThreadSampler(pid);
  const env = { ...process.env, HTTP_LOAD: JSON.stringify(load) };
  const result = parseLoadResult(await children.run(process.execPath, [PROGRAM], env));
  sampler?.stop();
  threads?.stop();
  const originMs = Number(process.hrtime.bigint()) / 1e6 - performance.now();
  const startMs = result.startMs - originMs;
  const endMs = result.endMs - originMs;
  const { calls, p50Ms, p99Ms, busy } = result;
  if (threads !== undefined) {
    const threadUs = threads.between(startMs, endMs);
    loads?.push({ startMs, endMs, count: calls, unit: 'call', threadUs });
  }
  const cpuUs = sampler === undefined ? undefined : sampler.between(startMs, endMs) / calls;
  return { perSecond: (calls / (endMs - startMs)) * 1_000, p50Ms, p99Ms, busy, cpuUs };
}

/** The last line of its output; what programs say about themselves stands before it. */
export function parseLoadResult(text: string): HttpLoadResult {
  const line = text.trimEnd().split('\n').at(-1) ?? '';
  const result: Partial<HttpLoadResult> = line.startsWith('{') ? JSON.parse(line) : {};
  const { calls, startMs, endMs, p50Ms, p99Ms, busy } = result;
  if (
    calls === undefined ||
    startMs === undefined ||
    endMs === undefined ||
    p50Ms === undefined ||
    p99Ms === undefined ||
    busy === undefined
  ) {
    throw new Error(`expected what the load has to say, got: ${text.slice(-500)}`);
  }
  if (calls === 0) throw new Error('the load has made no call');
  return { calls, startMs, endMs, p50Ms, p99Ms, busy };
}
