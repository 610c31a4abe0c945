/** Gateways in processes of their own: started, killed at any moment, started again. */

import { type ChildProcess, spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Who may connect to the target. */
export const PEOPLE: readonly string[] = ['ana', 'bo', 'cy', 'shred'];

/** What a gateway says when it is ready. */
export interface Ready {
  readonly port: number;
  readonly apiPort: number;
  readonly httpPort: number;
  readonly tokens: Readonly<Record<string, string>>;
  readonly verifierKey: string;
}

export interface GatewayProcess {
  readonly child: ChildProcess;
  /** Rejects with what it said where it ends before. */
  readonly ready: Promise<Ready>;
  /** Exit status, or the signal that ended it. */
  readonly exited: Promise<number | string>;
  /** Resolves when so many chores have begun, or it has ended. */
  chores(count: number): Promise<void>;
  /** What it has said on standard error so far. */
  said(): string;
}

export interface ProcessOptions {
  readonly data: string;
  readonly targetPort: number;
  readonly password: string;
  readonly env?: Readonly<Record<string, string>>;
}

export function startProcess({ data, targetPort, password, env }: ProcessOptions): GatewayProcess {
  const script = fileURLToPath(new URL('./gateway-process.ts', import.meta.url));
  const child = spawn(process.execPath, ['--conditions=source', script, data, String(targetPort)], {
    env: {
      ...process.env,
      DB_PASSWORD: password,
      // Compiling dozens of modules is most of a start.
      NODE_COMPILE_CACHE: join(tmpdir(), 'countersign-crash-compile-cache'),
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const exited = new Promise<number | string>((resolve) => {
    child.once('close', (code, signal) => resolve(code ?? signal ?? 'nothing'));
  });
  let text = '';
  const ready = new Promise<Ready>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const [first = ''] = text.split('\n', 1);
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The program beside this file wrote it.
      if (first.length < text.length) resolve(JSON.parse(first) as Ready);
    });
    void exited.then((how) => reject(new Error(`the gateway ended with ${how}: ${said}`)));
  });
  // Whoever kills it before it is ready does not wait for it.
  ready.catch(() => undefined);
  const chores = async (count: number): Promise<void> => {
    const begun = new Promise<void>((resolve) => {
      const look = (): void => {
        if (text.split('\n').filter((line) => line === 'chore').length >= count) resolve();
      };
      child.stdout.on('data', look);
      look();
    });
    await Promise.race([begun, exited]);
  };
  return { child, ready, exited, chores, said: () => said };
}
