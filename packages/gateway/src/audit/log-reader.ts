/**
 * The log, read: leaves with their sealed bodies, tiles, checkpoints. Never writes.
 *
 * It reads beside the writer: the files only grow, and nobody reads beyond what is durable.
 */

import { createReadStream, existsSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseTilePath } from '@countersign/ledger/tiles';
import { Frontier, leafHash } from '@countersign/ledger/merkle';
import { CountersignError } from '../core/errors.ts';
import { historyPath, parseHistoryLine, type SignedCheckpoint } from './checkpoint-history.ts';
import { plugNativeSha256 } from './native-sha256.ts';
import {
  checkSegmentHeader,
  firstIndexOf,
  type JournalRecord,
  readRecords,
  SEGMENT_HEADER_BYTES,
  segmentName,
} from './journal.ts';

/** One entry of the journal; the bytes are the reader's. */
export interface StoredLeaf {
  readonly index: number;
  readonly leaf: Uint8Array;
  /** Empty where the leaf has no body. */
  readonly sealed: Uint8Array;
}

/** Reads one log directory. */
export class LogReader {
  readonly #directory: string;

  constructor(directory: string) {
    plugNativeSha256();
    this.#directory = directory;
  }

  /** The newest signed checkpoint. */
  async checkpoint(): Promise<string | undefined> {
    const path = join(this.#directory, 'checkpoint');
    return existsSync(path) ? readFile(path, 'utf8') : undefined;
  }

  /**
   * Signed checkpoints in order: about one a minute, and each that was asked for. What is no line is
   * left out: each was signed, and whoever uses one checks that.
   */
  async checkpoints(): Promise<SignedCheckpoint[]> {
    const path = historyPath(this.#directory);
    if (!existsSync(path)) return [];
    const text = await readFile(path, 'utf8');
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    return whole
      .split('\n')
      .slice(0, -1)
      .map((line) => parseHistoryLine(line))
      .filter((line) => line !== undefined);
  }

  /** A tile or bundle by its path under the log; undefined where the log does not have it. */
  async tile(path: string): Promise<Uint8Array | undefined> {
    // Parsing refuses everything that is not a tile's path, `..` included.
    parseTilePath(path);
    const file = join(this.#directory, path);
    return existsSync(file) ? readFile(file) : undefined;
  }

  /** Leaves [from, to) in order; ends early where the journal ends. */
  async *leaves(from: number, to: number = Number.POSITIVE_INFINITY): AsyncGenerator<StoredLeaf> {
    for await (const batch of this.batches(from, to)) {
      for (const { index, leaf, sealed } of batch) {
        yield { index, leaf: leaf.slice(), sealed: sealed.slice() };
      }
    }
  }

  /**
   * The same, a chunk of the journal at a time: for whoever reads very many. The bytes are views of the
   * chunk, so that what outlives the batch must be copied.
   */
  async *batches(from: number, to: number = Number.POSITIVE_INFINITY): AsyncGenerator<readonly StoredLeaf[]> {
    const journal = join(this.#directory, 'journal');
    const segments = segmentIndexes(journal);
    for (const [position, firstIndex] of segments.entries()) {
      const nextFirst = segments[position + 1] ?? Number.POSITIVE_INFINITY;
      if (nextFirst <= from || firstIndex >= to) continue;
      let index = firstIndex;
      for await (const records of segmentRecords(join(journal, segmentName(firstIndex)), firstIndex)) {
        const batch: StoredLeaf[] = [];
        for (const { leaf, sealed } of records) {
          if (index >= from && index < to) batch.push({ index, leaf, sealed });
          index += 1;
        }
        if (batch.length > 0) yield batch;
        if (index >= to) return;
      }
    }
  }

  /** One leaf; undefined where the log is shorter. */
  async leaf(index: number): Promise<StoredLeaf | undefined> {
    for await (const stored of this.leaves(index, index + 1)) return stored;
    return undefined;
  }

  /** The frontier of the first `size` leaves. */
  async frontier(size: number): Promise<Frontier> {
    const frontier = new Frontier();
    for await (const { leaf } of this.leaves(0, size)) frontier.push(leafHash(leaf));
    if (frontier.size !== size) {
      throw new CountersignError('LEDGER_INCONSISTENT', {
        reason: `expected ${size} leaves, got ${frontier.size}`,
      });
    }
    return frontier;
  }
}

function segmentIndexes(journal: string): number[] {
  if (!existsSync(journal)) return [];
  return readdirSync(journal)
    .map(firstIndexOf)
    .filter((index) => index !== undefined)
    .toSorted((a, b) => a - b);
}

/** Whole records of a segment, chunk by chunk; a tail that is still being written is left alone. */
async function* segmentRecords(path: string, firstIndex: number): AsyncGenerator<readonly JournalRecord[]> {
  let rest = new Uint8Array(0);
  let offset = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1_048_576 })) {
    let bytes = new Uint8Array(Buffer.concat([rest, chunk]));
    if (offset === 0) {
      if (bytes.length < SEGMENT_HEADER_BYTES) {
        rest = bytes;
        continue;
      }
      checkSegmentHeader(bytes, firstIndex);
      bytes = bytes.subarray(SEGMENT_HEADER_BYTES);
      offset = SEGMENT_HEADER_BYTES;
    }
    const start = offset;
    const records = [...readRecords(bytes, start)];
    offset = records.at(-1)?.end ?? offset;
    yield records;
    rest = bytes.subarray(offset - start);
  }
}
