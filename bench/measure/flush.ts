/** The disk's own time for making 4 KiB durable: what no durable ledger can be faster than. */

import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { percentile } from './statistics.ts';

const BYTES = 4_096;

export interface FlushTimes {
  /** Milliseconds of write and fdatasync at the end of a growing file. */
  readonly append: { readonly p50: number; readonly p99: number };
  /** The same inside a file whose blocks are written already. */
  readonly overwrite: { readonly p50: number; readonly p99: number };
}

/** Blocks this thread: nothing else of the run may be under way. */
export function measureFlush(directory: string, count: number = 200): FlushTimes {
  const place = mkdtempSync(join(directory, 'flush-'));
  try {
    const descriptor = openSync(join(place, 'file'), 'w+');
    const append = times(descriptor, count);
    const overwrite = times(descriptor, count);
    closeSync(descriptor);
    return { append: quantiles(append), overwrite: quantiles(overwrite) };
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

function times(descriptor: number, count: number): number[] {
  const bytes = Buffer.alloc(BYTES, 0x5a);
  return Array.from({ length: count }, (_, index) => {
    const before = performance.now();
    writeSync(descriptor, bytes, 0, BYTES, index * BYTES);
    fdatasyncSync(descriptor);
    return performance.now() - before;
  });
}

function quantiles(values: readonly number[]): { readonly p50: number; readonly p99: number } {
  return { p50: percentile(values, 0.5), p99: percentile(values, 0.99) };
}
