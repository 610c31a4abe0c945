/** What a process costs, from /proc: CPU time of all its threads, and memory. */

import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** proc(5): times are in clock ticks, which Linux fixes at 100 a second for programs. */
const TICK_US = 10_000;
/** Positions of utime and stime after the name, which may itself hold spaces and brackets. */
const UTIME = 11;
const STIME = 12;
/** What is recorded is compressed and written after it was delivered; its cost counts. */
const SETTLE_POLL_MS = 60;
const SETTLE_TRIES_MAX = 40;

/** Microseconds of user and system time in a line of /proc/PID/stat. */
export function parseStatCpuUs(text: string): number {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[UTIME]) + Number(fields[STIME]);
  if (!Number.isInteger(ticks))
    throw new Error(`expected a line of /proc/PID/stat, got ${text.slice(0, 80)}`);
  return ticks * TICK_US;
}

/** CPU time of the process: all threads, those that have ended too. */
export function cpuUsOf(pid: number): number {
  return parseStatCpuUs(readFileSync(`/proc/${pid}/stat`, 'utf8'));
}

/** CPU time of a process that has nothing more to do. */
export async function settledCpuUs(pid: number): Promise<number> {
  let last = cpuUsOf(pid);
  for (let tries = 0; tries < SETTLE_TRIES_MAX; tries++) {
    await delay(SETTLE_POLL_MS);
    const now = cpuUsOf(pid);
    if (now === last) return now;
    last = now;
  }
  return last;
}

/** CPU time by the names of the threads that live; threads of one name are added up. */
export function threadCpuUs(pid: number): ReadonlyMap<string, number> {
  const times = new Map<string, number>();
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const path = `/proc/${pid}/task/${thread}`;
    const name = readFileSync(`${path}/comm`, 'utf8').trim();
    times.set(name, (times.get(name) ?? 0) + parseStatCpuUs(readFileSync(`${path}/stat`, 'utf8')));
  }
  return times;
}

/** Bytes in memory now, and at most since the process began. */
export function memoryOf(pid: number): { readonly bytes: number; readonly peakBytes: number } {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  return { bytes: parseStatusBytes(text, 'VmRSS'), peakBytes: parseStatusBytes(text, 'VmHWM') };
}

export function parseStatusBytes(text: string, name: string): number {
  const match = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text);
  if (match === null) throw new Error(`expected ${name} in /proc/PID/status`);
  return Number(match[1]) * 1_024;
}

export interface Sample {
  readonly timeMs: number;
  readonly cpuUs: number;
}

/** CPU time at moments of the past: logins before a run and what comes after it stay out of the figures. */
export class CpuSampler {
  readonly #pid: number;
  readonly #samples: Sample[] = [];
  readonly #timer: NodeJS.Timeout;

  constructor(pid: number, intervalMs: number = 25) {
    this.#pid = pid;
    this.#take();
    this.#timer = setInterval(() => this.#take(), intervalMs);
  }

  /** Takes the last sample. */
  stop(): void {
    clearInterval(this.#timer);
    this.#take();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  /** CPU time between two moments of performance.now(). */
  between(fromMs: number, toMs: number): number {
    return interpolate(this.#samples, toMs) - interpolate(this.#samples, fromMs);
  }

  #take(): void {
    this.#samples.push({ timeMs: performance.now(), cpuUs: cpuUsOf(this.#pid) });
  }
}

/** The same for each thread, by its name; reading them all takes longer, so that it is done seldom. */
export class ThreadSampler {
  readonly #pid: number;
  readonly #samples = new Map<string, Sample[]>();
  readonly #timer: NodeJS.Timeout;

  constructor(pid: number, intervalMs: number = 100) {
    this.#pid = pid;
    this.#take();
    this.#timer = setInterval(() => this.#take(), intervalMs);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#take();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  between(fromMs: number, toMs: number): ReadonlyMap<string, number> {
    return new Map(
      [...this.#samples].map(([name, samples]) => [
        name,
        interpolate(samples, toMs) - interpolate(samples, fromMs),
      ]),
    );
  }

  #take(): void {
    const timeMs = performance.now();
    for (const [name, cpuUs] of threadCpuUs(this.#pid)) {
      const samples = this.#samples.get(name);
      if (samples === undefined) this.#samples.set(name, [{ timeMs, cpuUs }]);
      else samples.push({ timeMs, cpuUs });
    }
  }
}

/** The line between the samples around a moment; the nearest sample outside of them. */
export function interpolate(samples: readonly Sample[], timeMs: number): number {
  const after = samples.findIndex((sample) => sample.timeMs >= timeMs);
  const next = samples[after === -1 ? samples.length - 1 : after];
  const before = samples[after - 1];
  if (next === undefined) throw new Error('expected a sample');
  if (before === undefined) return next.cpuUs;
  const share = (timeMs - before.timeMs) / (next.timeMs - before.timeMs);
  return before.cpuUs + share * (next.cpuUs - before.cpuUs);
}
