/**
 * The history of signed checkpoints, `checkpoints.jsonl`: one line of JSON each, about one a minute.
 *
 * A line is synced before the next is written, so that a crash can spoil only the last one; the next
 * start cuts that off, because a line that is written behind half a line could never be read.
 */

import { join } from 'node:path';
import type { LogFiles } from './file-port.ts';
import { syncedAppend } from './files.ts';

/** A line has about 300 bytes. */
const TAIL_BYTES = 65_536;
const LINE_FEED = 0x0a;

/** A line of the history. */
export interface SignedCheckpoint {
  readonly size: number;
  /** When it was signed, as a leaf's time. */
  readonly t: string;
  readonly note: string;
}

export function historyPath(directory: string): string {
  return join(directory, 'checkpoints.jsonl');
}

/** Adds a line; durable when this returns. */
export function addToHistory(files: LogFiles, directory: string, checkpoint: SignedCheckpoint): void {
  syncedAppend(files, historyPath(directory), Buffer.from(`${JSON.stringify(checkpoint)}\n`));
}

/** Cuts off what a crash left of the last line. */
export function repairHistory(files: LogFiles, directory: string): void {
  const path = historyPath(directory);
  if (!files.exists(path)) return;
  const content = files.read(path);
  const good = goodLength(content);
  if (good === content.length) return;
  const descriptor = files.update(path);
  try {
    files.truncate(descriptor, good);
    files.datasync(descriptor);
  } finally {
    files.close(descriptor);
  }
}

/** A line of the history; undefined where it is none. */
export function parseHistoryLine(text: string): SignedCheckpoint | undefined {
  let line: unknown;
  try {
    line = JSON.parse(text);
  } catch {
    // What a crash or a disk that lies left there is no line.
    return undefined;
  }
  if (typeof line !== 'object' || line === null) return undefined;
  if (!('size' in line) || !('t' in line) || !('note' in line)) return undefined;
  const { size, t, note } = line;
  if (typeof size !== 'number' || typeof t !== 'string' || typeof note !== 'string') return undefined;
  return { size, t, note };
}

/** Up to the end of the last line before the first bad one among the newest. */
function goodLength(content: Uint8Array): number {
  let start = 0;
  if (content.length > TAIL_BYTES) {
    const feed = content.indexOf(LINE_FEED, content.length - TAIL_BYTES);
    start = feed === -1 ? content.length - TAIL_BYTES : feed + 1;
  }
  while (start < content.length) {
    const feed = content.indexOf(LINE_FEED, start);
    if (feed === -1) return start;
    if (parseHistoryLine(Buffer.from(content.subarray(start, feed)).toString('utf8')) === undefined)
      return start;
    start = feed + 1;
  }
  return content.length;
}
