/**
 * The first pass over a log: which checkpoints bound the period, and where keys were replaced.
 *
 * Spec: spec/evidence.md, section 1.
 */

import type { Period } from '@countersign/ledger/populations';
import type { SignedCheckpoint } from '../audit/checkpoint-history.ts';
import type { LogReader } from '../audit/log-reader.ts';
import { CountersignError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';

const TIME: Buffer = Buffer.from('"t":"');
const TIME_CHARACTERS = 27;
const ROTATION: Buffer = Buffer.from('"type":"ledger.key.rotate"');

export interface Rotation {
  readonly n: number;
  /** The checkpoint of the old key that covers the leaf. */
  readonly checkpoint: SignedCheckpoint;
}

export interface Survey {
  /** Undefined where the range begins with the log. */
  readonly start: SignedCheckpoint | undefined;
  readonly end: SignedCheckpoint;
  readonly rotations: readonly Rotation[];
}

/**
 * Reads the log once.
 *
 * @param checkpointNow signs what is durable, where the history does not reach as far as the period
 */
export async function surveyLog(
  reader: LogReader,
  period: Period,
  checkpointNow: () => Promise<string>,
): Promise<Survey> {
  const seen = await readTimes(reader, period);
  let history = await reader.checkpoints();
  const needed = Math.max(seen.endIndex, 1, ...seen.rotations.map((n) => n + 1));
  if (!history.some(({ size }) => size >= needed)) {
    await checkpointNow();
    history = await reader.checkpoints();
  }
  // A log that was rolled back has a history that goes back; what counts is the newest of each size.
  const bySize = [...new Map(history.map((line) => [line.size, line])).values()].toSorted(
    (a, b) => a.size - b.size,
  );
  const start = bySize.findLast(({ size }) => size <= seen.startIndex && size > 0);
  const end = covering(bySize, Math.max(seen.endIndex, start?.size ?? 0, 1));
  const rotations = seen.rotations.map((n) => ({ n, checkpoint: covering(bySize, n + 1) }));
  return { start, end, rotations };
}

interface Times {
  /** Index of the first leaf of the period, or the one that would be. */
  readonly startIndex: number;
  /** Index after the last leaf of the period; equals startIndex where there is none. */
  readonly endIndex: number;
  readonly rotations: readonly number[];
}

async function readTimes(reader: LogReader, period: Period): Promise<Times> {
  let startIndex = 0;
  let endIndex = 0;
  const rotations: number[] = [];
  for await (const batch of reader.batches(0)) {
    for (const { index, leaf } of batch) {
      const bytes = Buffer.from(leaf.buffer, leaf.byteOffset, leaf.length);
      const t = timeOf(bytes);
      if (t < period.from) startIndex = index + 1;
      if (t < period.to) endIndex = index + 1;
      if (bytes.includes(ROTATION)) rotations.push(index);
    }
    if (rotations.length > LIMITS.evidence.rotationsMax) {
      throw new CountersignError('LIMIT_EXCEEDED', {
        limit: 'evidence.rotationsMax',
        allowed: LIMITS.evidence.rotationsMax,
        actual: rotations.length,
      });
    }
  }
  return { startIndex, endIndex, rotations };
}

/**
 * The time of a leaf of this node's own journal, without parsing it: a quote within a text is escaped,
 * so that these bytes are the member and nothing else.
 */
function timeOf(leaf: Buffer): string {
  const at = leaf.indexOf(TIME);
  if (at < 0) throw new CountersignError('LEDGER_INCONSISTENT', { reason: 'a leaf without a time' });
  return leaf.toString('latin1', at + TIME.length, at + TIME.length + TIME_CHARACTERS);
}

function covering(bySize: readonly SignedCheckpoint[], size: number): SignedCheckpoint {
  const found = bySize.find((line) => line.size >= size);
  if (found !== undefined) return found;
  throw new CountersignError('LEDGER_INCONSISTENT', {
    reason: `no signed checkpoint covers ${size} leaves`,
  });
}
