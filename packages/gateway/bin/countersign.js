#!/usr/bin/env node
/**
 * Starts the command line: from `dist` where it was built, else from the source, which Node 24 runs as
 * it is. An older Node hands over to the one that npm has installed above this file.
 */

import { spawn } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const NODE_MAJOR = 24;
const HANDED_OVER = 'COUNTERSIGN_HANDED_OVER';

const own = realpathSync(fileURLToPath(import.meta.url));
const home = dirname(dirname(own));
const source = join(home, 'src', 'command-line.ts');
const built = join(home, 'dist', 'command-line.js');
const major = Number(process.versions.node.split('.')[0]);
// In the repository both are there, and the source is what was edited last.
const fromSource = existsSync(source) && (existsSync(join(home, 'tsconfig.json')) || !existsSync(built));
const hasCondition = process.execArgv.includes('--conditions=source');

/**
 * V8 lets the young generation of a thread grow to 100 MB where it is filled fast; with this, throughput
 * and CPU time were the same and the resident memory under load two thirds. The gateway's own threads have
 * the same bound (`limits.threads`).
 */
const SEMI_SPACE = '--max-semi-space-size=8';
const runsGateway = process.argv[2] === 'up' || process.argv[2] === 'demo';
const hasFlags = (!fromSource || hasCondition) && (!runsGateway || process.execArgv.includes(SEMI_SPACE));

if (process.env[HANDED_OVER] === undefined && (major < NODE_MAJOR || !hasFlags)) {
  handOver(major < NODE_MAJOR ? newerNode() : process.execPath);
} else if (major < NODE_MAJOR) {
  process.stderr.write(`countersign needs Node ${NODE_MAJOR}; this is ${process.versions.node}\n`);
  process.exitCode = 2;
} else {
  // What this process starts has a Node of its own to choose.
  delete process.env[HANDED_OVER];
  const { runProcess } = await import(pathToFileURL(fromSource ? source : built).href);
  process.exitCode = await runProcess(process.argv.slice(2));
  // Connections that are kept alive for the next request must not keep the process.
  process.exit();
}

/** Runs the same words under another Node, in the place of this process where the system can. */
function handOver(node) {
  const flags = [...(fromSource ? ['--conditions=source'] : []), ...(runsGateway ? [SEMI_SPACE] : [])];
  const args = [...process.execArgv.filter((flag) => !flags.includes(flag)), ...flags, own];
  const words = [...args, ...process.argv.slice(2)];
  const env = { ...process.env, [HANDED_OVER]: '1' };
  // What has no such call is a Node before 22, or Windows: there this process stays and ends as the other does.
  if (process.platform !== 'win32' && process.execve !== undefined) {
    process.execve(realpathSync(node), [node, ...words], env);
  }
  const child = spawn(node, words, { stdio: 'inherit', env });
  // A terminal signals both; other senders know only this process.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    process.stderr.write(`countersign: ${error.message}\n`);
    process.exitCode = 2;
  });
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? (signal === null ? 1 : 128);
  });
}

/** `node_modules/.bin/node` above this file, which npm has installed; else the Node of this process. */
function newerNode() {
  for (let directory = home; ; directory = dirname(directory)) {
    const candidate = join(directory, 'node_modules', '.bin', 'node');
    if (existsSync(candidate)) return candidate;
    if (directory === dirname(directory)) return process.execPath;
  }
}
