/** Threads of ours: the file beside their owner, from the source or built as the owner is. */

import { setFlagsFromString } from 'node:v8';
import { type ResourceLimits, Worker } from 'node:worker_threads';
import { LIMITS } from '../core/limits.ts';

export interface ThreadOptions {
  readonly name: string;
  readonly workerData: unknown;
  readonly resourceLimits?: ResourceLimits;
}

/**
 * Starts a thread.
 *
 * @param entry without its extension, beside `owner`: `./writer-worker`
 * @param owner the `import.meta.url` of the module that starts it
 */
export function startThread(entry: string, owner: string, options: ThreadOptions): Worker {
  const source = owner.endsWith('.ts');
  leaveImportsAlone();
  return new Worker(new URL(`${entry}${source ? '.ts' : '.js'}`, owner), {
    ...options,
    resourceLimits: {
      maxYoungGenerationSizeMb: LIMITS.threads.youngGenerationMegabytes,
      ...options.resourceLimits,
    },
    // The thread needs nothing from the environment, which may hold secrets.
    env: {},
    execArgv: source ? ['--conditions=source'] : [],
  });
}

/**
 * PostgreSQL's parser is WebAssembly, and so is what Node takes the types off TypeScript with, in each thread.
 * Where V8 compiles an often used import of it anew while another thread starts or ends, it may end the
 * process with "Check failed: jit_page.has_value()" (nodejs/node#64500; one run in ten of a test that starts
 * many threads). With this it never does.
 */
function leaveImportsAlone(): void {
  setFlagsFromString('--wasm-wrapper-tiering-budget=1000000000');
}
