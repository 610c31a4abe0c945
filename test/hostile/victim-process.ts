/** The other end of victim.ts: starts it, asks it, measures it. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface VictimOptions {
  readonly data: string;
  readonly targetPort: number;
  readonly password: string;
  readonly connections: readonly string[];
  /** The database of all connections; their own names otherwise. */
  readonly database?: string;
}

export interface VictimReady {
  readonly port: number;
  readonly apiPort: number;
  readonly token: string;
  readonly rootToken: string;
}

export interface VictimLog {
  /** Intents without an outcome. */
  readonly unanswered: readonly number[];
  /** Sessions that began and did not end. */
  readonly open: readonly string[];
  /** Leaves by type and status. */
  readonly counts: Readonly<Record<string, number>>;
  readonly live: number;
  readonly errors: readonly string[];
}

export interface Victim extends VictimReady {
  /** Whether it still runs. */
  readonly alive: () => boolean;
  /** The log once no session is open any more. */
  finishedLog(): Promise<VictimLog>;
  memory(): Promise<{ readonly nowBytes: number; readonly peakBytes: number }>;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function startVictim(options: Omit<VictimOptions, 'data'>): Promise<Victim> {
  const directory = await mkdtemp(join(tmpdir(), 'countersign-victim-'));
  const script = fileURLToPath(new URL('./victim.ts', import.meta.url));
  const all: VictimOptions = { ...options, data: join(directory, 'gateway') };
  const child = spawn(process.execPath, ['--conditions=source', script, JSON.stringify(all)], {
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
  });
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const died = once(child, 'exit').then(([code]: unknown[]) => {
    throw new Error(`the gateway ended with ${String(code)}: ${said}`);
  });
  died.catch(() => undefined);
  const answer = async <T>(ask?: string): Promise<T> => {
    const answered = once(child, 'message');
    if (ask !== undefined) child.send(ask);
    const [message] = (await Promise.race([answered, died])) as unknown[];
    return message as T;
  };
  const ready = await answer<VictimReady>();
  return {
    ...ready,
    alive: () => child.exitCode === null && child.signalCode === null && said === '',
    async finishedLog() {
      const deadline = Date.now() + 20_000;
      while ((await answer<{ live: number }>('live')).live > 0 && Date.now() < deadline) {
        // oxlint-disable-next-line no-await-in-loop -- A session ends in its own time; this asks again.
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      return answer<VictimLog>('log');
    },
    memory: () => memoryOf(child),
    async [Symbol.asyncDispose]() {
      const ended = once(child, 'exit');
      if (child.exitCode === null && child.signalCode === null) {
        child.send('stop');
        await ended;
      }
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function memoryOf(child: ChildProcess): Promise<{ nowBytes: number; peakBytes: number }> {
  const status = await readFile(`/proc/${child.pid}/status`, 'utf8');
  const bytes = (name: string): number =>
    Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1]) * 1024;
  return { nowBytes: bytes('VmRSS'), peakBytes: bytes('VmHWM') };
}
