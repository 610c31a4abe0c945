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

if (process.env[HANDED_OVER] === undefined && (major < NODE_MAJOR || (fromSource && !hasCondition))) {
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

/** Runs the same words under another Node, and ends as it ends. */
function handOver(node) {
  const flags = fromSource ? ['--conditions=source'] : [];
  const child = spawn(node, [...flags, own, ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, [HANDED_OVER]: '1' },
  });
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
