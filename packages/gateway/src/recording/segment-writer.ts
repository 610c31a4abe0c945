/**
 * The segments of one session as they are written: compress, seal, hash, append.
 *
 * Spec: spec/recording.md, sections 1 and 2. Runs in the recorder's thread; synchronous, so that the
 * order of blocks is the order of calls. An error of the disk is final: nothing is tried again, since
 * after a failed write or flush nobody knows what is on disk.
 */

import { createHash, type Hash } from 'node:crypto';
import { join } from 'node:path';
import { CountersignError } from '../core/errors.ts';
import { giveBack, giveBackWhole } from '../core/give-back.ts';
import { LIMITS } from '../core/limits.ts';
import type { FilePort } from './file-port.ts';
import type { OpenFiles } from './open-files.ts';
import {
  BASE_BYTES,
  compressBlock,
  encodeHeader,
  LEVEL,
  LEVEL_HURRIED,
  NO_PREVIOUS,
  sealBlock,
  segmentName,
  sha256,
} from './segment-format.ts';

/** A segment as its leaf states it. */
export interface SegmentSummary {
  readonly number: number;
  /** Hex. */
  readonly sha256: string;
  /** Length of the file. */
  readonly bytes: number;
  readonly blocks: number;
  /** Plaintext of the blocks before compression. */
  readonly plainBytes: number;
  readonly firstUs: number;
  readonly lastUs: number;
  readonly status: 'ok' | 'truncated';
}

/** One block's content, as it comes from the main thread. */
export interface Block {
  /** Base time and entries. */
  readonly plain: Uint8Array;
  readonly nonce: Uint8Array;
  readonly firstUs: number;
  readonly lastUs: number;
  /** The recording ends with this block. */
  readonly final: boolean;
  /** More wait behind it than the disk has taken. */
  readonly hurried: boolean;
}

interface OpenSegment {
  readonly number: number;
  readonly path: string;
  readonly headerSha256: Uint8Array;
  readonly hash: Hash;
  readonly firstUs: number;
  bytes: number;
  blocks: number;
  plainBytes: number;
  lastUs: number;
}

export interface SegmentWriterOptions {
  readonly directory: string;
  readonly sessionId: string;
  readonly key: Uint8Array;
  readonly files: FilePort;
  readonly open: OpenFiles;
  readonly segmentBytesMax: number;
}

/** Writes one session; state is owned by the recorder's thread. */
export class SegmentWriter {
  readonly #options: SegmentWriterOptions;
  readonly #sessionDirectory: string;
  #segment: OpenSegment | undefined;
  #number = 0;
  #previous: Uint8Array = NO_PREVIOUS;
  /** A name was made that is not durable yet. */
  #namesDirty = false;

  constructor(options: SegmentWriterOptions) {
    this.#options = options;
    this.#sessionDirectory = join(options.directory, options.sessionId);
  }

  /** Appends a block; gives the segment's summary where the block was its last. */
  write(block: Block): SegmentSummary | undefined {
    if (block.final && this.#segment === undefined && block.plain.length <= BASE_BYTES) return undefined;
    const compressed = compressBlock(block.plain, block.hurried ? LEVEL_HURRIED : LEVEL);
    const segment = this.#segment ?? this.#begin(block.firstUs);
    const last = block.final || segment.bytes + compressed.length >= this.#options.segmentBytesMax;
    const place = { headerSha256: segment.headerSha256, number: segment.blocks, last };
    const sealed = sealBlock(this.#options.key, block.nonce, compressed, place);
    this.#append(segment, sealed);
    giveBackWhole(compressed);
    giveBack(sealed);
    segment.blocks += 1;
    segment.plainBytes += block.plain.length;
    segment.lastUs = block.lastUs;
    return last ? this.#end(segment) : undefined;
  }

  /** Everything that was written is on disk when this returns. */
  flush(): void {
    if (this.#segment !== undefined) this.#options.open.flush(this.#segment.path);
    this.#syncNames();
  }

  /** After a failure, or at the end: gives back the descriptor and forgets the key. */
  release(): void {
    if (this.#segment !== undefined) this.#options.open.abandon(this.#segment.path);
    this.#segment = undefined;
    this.#options.key.fill(0);
  }

  #begin(startUs: number): OpenSegment {
    const { sessionId, files, open } = this.#options;
    if (this.#number >= LIMITS.recording.segmentsMax) {
      const limit = 'segments of a recording';
      throw new CountersignError('LIMIT_EXCEEDED', {
        limit,
        allowed: LIMITS.recording.segmentsMax,
        actual: this.#number + 1,
      });
    }
    if (this.#number === 0) files.makeDirectory(this.#sessionDirectory);
    const path = join(this.#sessionDirectory, segmentName(this.#number));
    const header = encodeHeader({ sessionId, number: this.#number, previous: this.#previous, startUs });
    open.create(path);
    this.#namesDirty = true;
    const segment: OpenSegment = {
      number: this.#number,
      path,
      headerSha256: sha256(header),
      hash: createHash('sha256'),
      firstUs: startUs,
      bytes: 0,
      blocks: 0,
      plainBytes: 0,
      lastUs: startUs,
    };
    this.#segment = segment;
    this.#append(segment, header);
    return segment;
  }

  #append(segment: OpenSegment, bytes: Uint8Array): void {
    this.#options.open.write(segment.path, bytes);
    segment.hash.update(bytes);
    segment.bytes += bytes.length;
  }

  #end(segment: OpenSegment): SegmentSummary {
    this.#options.open.finish(segment.path);
    this.#syncNames();
    this.#segment = undefined;
    this.#previous = segment.hash.digest();
    this.#number += 1;
    const { number, bytes, blocks, plainBytes, firstUs, lastUs } = segment;
    const digest = Buffer.from(this.#previous).toString('hex');
    return { number, sha256: digest, bytes, blocks, plainBytes, firstUs, lastUs, status: 'ok' };
  }

  #syncNames(): void {
    if (!this.#namesDirty) return;
    this.#options.files.syncDirectory(this.#sessionDirectory);
    if (this.#number === 0) this.#options.files.syncDirectory(this.#options.directory);
    this.#namesDirty = false;
  }
}
