/**
 * A command that is told: an argument vector, run without a shell, with the notice as JSON on its standard
 * input. Its environment is PATH, HOME, LANG and TZ: what holds the gateway's secrets is not among them.
 */

import { spawn } from 'node:child_process';
import { LIMITS } from '../core/limits.ts';
import type { Attempt, Notice, Target } from './notice.ts';

const ENVIRONMENT = ['PATH', 'HOME', 'LANG', 'TZ'] as const;

export function commandTarget(
  command: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Target {
  const [program = '', ...parameters] = command;
  const own = Object.fromEntries(ENVIRONMENT.map((name) => [name, env[name]]));
  return {
    name: `command ${program}`,
    send: (_notice: Notice, body: string, signal: AbortSignal) => run(program, parameters, own, body, signal),
  };
}

function run(
  program: string,
  parameters: readonly string[],
  env: Record<string, string | undefined>,
  body: string,
  signal: AbortSignal,
): Promise<Attempt | undefined> {
  const { promise, resolve } = Promise.withResolvers<Attempt | undefined>();
  // A process group of its own, so that what it starts ends with it.
  const child = spawn(program, parameters, { env, detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
  let printed = 0;
  let why: string | undefined;
  let isOver = false;
  const stop = (reason: string): void => {
    why ??= reason;
    if (!isOver) killGroup(child.pid);
  };
  const onAbort = (): void => stop('it took too long');
  signal.addEventListener('abort', onAbort, { once: true });
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Uint8Array) => {
      printed += chunk.length;
      if (printed > LIMITS.notify.commandOutputBytesMax) stop('it printed too much');
    });
  }
  child.stdin.on('error', () => {
    // It need not read what it is told; its exit status says how it went.
  });
  child.stdin.end(body);
  const end = (attempt: Attempt | undefined): void => {
    isOver = true;
    signal.removeEventListener('abort', onAbort);
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
    resolve(attempt);
  };
  child.on('error', (error) => end({ reason: error.message, again: false }));
  child.on('exit', (code, ended) => {
    // What it left running would outlive the time that it was given.
    killGroup(child.pid);
    const reason = why ?? `it ended with ${code ?? ended ?? 'an error'}`;
    end(code === 0 && why === undefined ? undefined : { reason, again: true });
  });
  if (signal.aborted) onAbort();
  return promise;
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended by itself, and all that it started.
  }
}
