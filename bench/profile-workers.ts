/**
 * Preloaded where the gateway is profiled: every worker gets the profiler, also one that is started
 * with options of its own.
 */

import { syncBuiltinESMExports } from 'node:module';
import threads, { type WorkerOptions } from 'node:worker_threads';

const PROFILING = process.execArgv.filter((option) => option.startsWith('--cpu-prof'));

class ProfiledWorker extends threads.Worker {
  constructor(program: string | URL, options: WorkerOptions = {}) {
    const { execArgv } = options;
    super(program, execArgv === undefined ? options : { ...options, execArgv: [...execArgv, ...PROFILING] });
  }
}

threads.Worker = ProfiledWorker;
syncBuiltinESMExports();
