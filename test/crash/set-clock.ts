/**
 * Loaded before a gateway (`node --import`): the clock of a machine that somebody sets, in each of its threads.
 *
 * The file that COUNTERSIGN_CLOCK names has the milliseconds by which it is wrong, and is read at each look.
 */

import { readFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { isMainThread, Worker, type WorkerOptions } from 'node:worker_threads';

const file = process.env['COUNTERSIGN_CLOCK'];
if (file === undefined) throw new Error('COUNTERSIGN_CLOCK is not set');
const { now } = Date;
Date.now = () => now() + Number(readFileSync(file, 'utf8'));

/** The gateway gives its threads neither its environment nor its options. */
class ClockedWorker extends Worker {
  constructor(entry: string | URL, options: WorkerOptions = {}) {
    const execArgv = [...(options.execArgv ?? []), `--import=${import.meta.url}`];
    super(entry, { ...options, env: { COUNTERSIGN_CLOCK: file }, execArgv });
  }
}

if (isMainThread) {
  Object.assign(process.getBuiltinModule('node:worker_threads'), { Worker: ClockedWorker });
  syncBuiltinESMExports();
}
