/** V8's CPU profiles as rankings: which function of which thread took how much time itself. */

import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

interface ProfileNode {
  readonly id: number;
  readonly callFrame: {
    readonly functionName: string;
    readonly url: string;
    readonly lineNumber: number;
  };
  readonly children?: readonly number[];
}

interface CpuProfile {
  /** Microseconds of the monotonic clock, which performance.now() counts too. */
  readonly startTime: number;
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

export interface ThreadProfile {
  readonly thread: string;
  readonly file: string;
  /** Microseconds that the thread was not idle. */
  readonly busyUs: number;
  /** Self time by function, most first. */
  readonly functions: readonly { readonly name: string; readonly selfUs: number }[];
}

const IDLE = new Set(['(idle)']);

/** The gateway under load, from and to moments of performance.now(). */
export interface Load {
  readonly startMs: number;
  readonly endMs: number;
  /** What was done: transactions, calls of HTTP, or megabytes. */
  readonly count: number;
  readonly unit: 'transaction' | 'call' | 'MB';
  /** CPU time by thread, from /proc. */
  readonly threadUs: ReadonlyMap<string, number>;
}

/** The profiles that `--cpu-prof` left in a directory, by thread. */
export function readProfiles(directory: string, loads: readonly Load[]): readonly ThreadProfile[] {
  return readdirSync(directory)
    .filter((name) => name.endsWith('.cpuprofile'))
    .toSorted()
    .map((name) => {
      const file = join(directory, name);
      const profile: CpuProfile = JSON.parse(readFileSync(file, 'utf8'));
      return { file, ...rankFunctions(profile, loads.map(monotonicUs)) };
    });
}

interface Span {
  readonly startUs: number;
  readonly endUs: number;
}

function monotonicUs({ startMs, endMs }: Load): Span {
  const originUs = Number(process.hrtime.bigint() / 1_000n) - performance.now() * 1_000;
  return { startUs: originUs + startMs * 1_000, endUs: originUs + endMs * 1_000 };
}

/** Only what lies in the spans counts: start-up and logins are not what is looked at. */
export function rankFunctions(profile: CpuProfile, spans: readonly Span[]): Omit<ThreadProfile, 'file'> {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const callers = new Map(profile.nodes.flatMap((node) => (node.children ?? []).map((id) => [id, node])));
  const self = new Map<string, number>();
  let busyUs = 0;
  let atUs = profile.startTime;
  for (const [index, id] of profile.samples.entries()) {
    atUs += profile.timeDeltas[index] ?? 0;
    const now = atUs;
    if (!spans.some(({ startUs, endUs }) => startUs <= now && now < endUs)) continue;
    const node = nodes.get(id);
    if (node === undefined || IDLE.has(node.callFrame.functionName)) continue;
    // A sample's node ran until the next sample.
    const us = Math.max(0, profile.timeDeltas[index + 1] ?? 0);
    const name = nameOf(node, callers.get(id));
    self.set(name, (self.get(name) ?? 0) + us);
    busyUs += us;
  }
  return {
    thread: threadOf(profile.nodes),
    busyUs,
    functions: [...self]
      .map(([name, selfUs]) => ({ name, selfUs }))
      .toSorted((one, other) => other.selfUs - one.selfUs),
  };
}

/** A thread is known by the module that it began with. */
function threadOf(nodes: readonly ProfileNode[]): string {
  const files = new Set(nodes.map(({ callFrame }) => basename(callFrame.url)));
  if (files.has('gateway-process.ts')) return 'main';
  if (files.has('writer-worker.ts')) return 'ledger writer';
  if (files.has('recorder-worker.ts')) return 'recorder';
  return 'another worker';
}

/** Native functions have no place of their own; who called them says what they were for. */
function nameOf({ callFrame }: ProfileNode, caller: ProfileNode | undefined): string {
  const { functionName, url, lineNumber } = callFrame;
  const name = functionName === '' ? '(anonymous)' : functionName;
  const native = url === '' && !name.startsWith('(');
  if (native && caller !== undefined) return `${name} ← ${nameOf(caller, undefined)}`;
  if (url === '') return name;
  const path = url.replace(/^file:\/\/.*\/packages\//, '').replace('/src/', '/');
  return `${name} ${path}:${lineNumber + 1}`;
}
