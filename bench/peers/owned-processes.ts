/** The processes of a run: none outlives it, whatever ends it. */

import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, connect } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import type { Account } from '../../examples/demo/postgres-binaries.ts';

const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 30_000;
const POLL_MS = 20;
/** What is kept of a program's output for an error. */
const SAID_CHARACTERS_MAX = 4_000;

export class OwnedProcesses {
  readonly #live = new Set<ChildProcess>();

  /** A program that runs until it is told to end; the kernel ends it too when this process is gone. */
  start(
    program: string,
    args: readonly string[],
    options: { readonly env?: NodeJS.ProcessEnv; readonly account?: Account | undefined } = {},
  ): ChildProcessWithoutNullStreams {
    const { account } = options;
    const as =
      account === undefined
        ? []
        : ['--reuid', String(account.uid), '--regid', String(account.gid), '--clear-groups'];
    const child = spawn('setpriv', [...as, '--pdeathsig', 'TERM', program, ...args], {
      cwd: '/',
      env: options.env ?? process.env,
    });
    return this.#own(child);
  }

  /** A program that ends by itself: what it wrote. Rejects where it fails. */
  async run(program: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
    const child = this.#own(spawn(program, [...args], { env }));
    child.stdin.end();
    let text = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
    }
    await once(child, 'close');
    if (child.exitCode === 0) return text;
    throw new Error(
      `${program} ended with ${child.signalCode ?? child.exitCode}: ${text.slice(-SAID_CHARACTERS_MAX)}`,
    );
  }

  async stop(child: ChildProcess): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await ended;
    clearTimeout(timer);
  }

  /** For the way out of an interrupted run. */
  killAll(): void {
    for (const child of this.#live) child.kill('SIGKILL');
  }

  #own(child: ChildProcessWithoutNullStreams): ChildProcessWithoutNullStreams {
    this.#live.add(child);
    child.once('exit', () => this.#live.delete(child));
    return child;
  }
}

/**
 * Removes a directory when this process is gone, whatever ended it: a shell that reads a pipe which
 * only this process holds open. Twice, because an interrupted initdb goes on for a moment.
 *
 * @returns what takes the shell's task away, once the directory has been removed
 */
export function removeWhenGone(directory: string): () => void {
  const program =
    'read -r word; [ "$word" = leave ] || { sleep 1; rm -rf -- "$1"; sleep 3; rm -rf -- "$1"; }';
  const shell = spawn('/bin/sh', ['-c', program, 'sh', directory], {
    cwd: '/',
    stdio: ['pipe', 'ignore', 'ignore'],
    // Ctrl-C in the terminal is not for it.
    detached: true,
  });
  shell.unref();
  return () => {
    shell.stdin.end('leave\n');
  };
}

/** The line of JSON that a program of ours prints when it is ready; rejects with what it said where it ends before. */
export async function readyLine(child: ChildProcessWithoutNullStreams, what: string): Promise<string> {
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-SAID_CHARACTERS_MAX);
    process.stderr.write(chunk);
  });
  const lines = createInterface({ input: child.stdout });
  const [line] = await Promise.race([
    once(lines, 'line'),
    once(child, 'exit').then(() => Promise.reject(new Error(`${what} did not start: ${said}`))),
  ]);
  return String(line);
}

/** Waits until a program takes connections; rejects with what it said where it ends before. */
export async function untilListening(child: ChildProcessWithoutNullStreams, port: number): Promise<void> {
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-SAID_CHARACTERS_MAX);
    });
  }
  const deadline = performance.now() + START_TIMEOUT_MS;
  while (performance.now() < deadline) {
    if (child.exitCode !== null || child.signalCode !== null) break;
    if (await accepts(port)) return;
    await delay(POLL_MS);
  }
  throw new Error(`${child.spawnargs.join(' ')} did not start: ${said}`);
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
  }).then((accepted) => {
    socket.destroy();
    return accepted === true;
  });
}

export async function findFreePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  if (address === null || typeof address === 'string') throw new Error('no free port on loopback');
  return address.port;
}
