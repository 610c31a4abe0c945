/** The other end of gateway-process.ts: starts it, asks it, and measures it from /proc. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { PostgresServer } from '../../examples/demo/postgres-server.ts';
import { memoryOf } from '../../bench/measure/process-cost.ts';

export interface BigReady {
  readonly port: number;
  readonly apiPort: number;
  readonly token: string;
  readonly rootToken: string;
}

export interface BigLog {
  /** Leaves by type and status. */
  readonly counts: Readonly<Record<string, number>>;
  /** Intents without an outcome. */
  readonly unanswered: number;
}

/** What the newest session's recording holds; reading it has verified it. */
export interface BigRecording {
  readonly segments: number;
  /** By channel. */
  readonly bytes: readonly number[];
  readonly truncated: boolean;
}

export interface BigGateway extends BigReady {
  memory(): { readonly bytes: number; readonly peakBytes: number };
  /** What the heap of its main thread holds after a collection. */
  liveBytes(): Promise<number>;
  descriptors(): number;
  /** Resolves when no session is open any more. */
  quiet(): Promise<void>;
  log(): Promise<BigLog>;
  recording(): Promise<BigRecording>;
  /** What it has said on standard error: warnings of Node, and errors. */
  said(): string;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function startBigGateway(server: PostgresServer): Promise<BigGateway> {
  const directory = await mkdtemp(join(tmpdir(), 'countersign-big-'));
  const script = fileURLToPath(new URL('./gateway-process.ts', import.meta.url));
  const data = join(directory, 'gateway');
  const child = spawn(
    process.execPath,
    ['--conditions=source', '--max-semi-space-size=8', script, data, String(server.port)],
    {
      env: { ...process.env, DB_PASSWORD: server.password },
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    },
  );
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const died = once(child, 'exit').then(([code]: unknown[]) => {
    throw new Error(`the gateway ended with ${String(code)}: ${said}`);
  });
  died.catch(() => undefined);
  const answer = async <T>(question?: string): Promise<T> => {
    const answered = once(child, 'message');
    if (question !== undefined) child.send(question);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The program beside this file wrote it.
    const [message] = (await Promise.race([answered, died])) as [{ value: T; error?: string }];
    if (message.error !== undefined) throw new Error(message.error);
    return message.value;
  };
  const ready = await answer<BigReady>();
  const pid = child.pid ?? 0;
  return {
    ...ready,
    memory: () => memoryOf(pid),
    liveBytes: async () => (await answer<{ bytes: number }>('live bytes')).bytes,
    descriptors: () => readdirSync(`/proc/${pid}/fd`).length,
    async quiet() {
      // A session ends in its own time; the bound is the test's time limit.
      while ((await answer<{ live: number }>('live')).live > 0) await delay(20);
    },
    log: () => answer<BigLog>('log'),
    recording: () => answer<BigRecording>('recording'),
    said: () => said,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) {
        const ended = once(child, 'exit');
        child.send('stop');
        await ended;
      }
      await rm(directory, { recursive: true, force: true });
    },
  };
}
