/**
 * Reads one segment's frame: header and sealed blocks, hashed as they pass. No key is needed here.
 *
 * Spec: spec/recording.md, sections 1, 4 and 5. Untrusted: the whole file.
 * Memory: one block.
 */

import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { giveBack } from '../core/give-back.ts';
import { isMissing } from './files.ts';
import {
  HEADER_BYTES,
  invalid,
  isInvalid,
  LENGTH_BYTES,
  parseHeader,
  parseLength,
  type SegmentHeader,
  segmentName,
  sha256,
} from './segment-format.ts';

/** A block that is not opened yet. */
export interface SealedBlock {
  readonly number: number;
  readonly last: boolean;
  /** Nonce, ciphertext and tag. */
  readonly sealed: Uint8Array;
}

/** One segment, read from its beginning to its end, once. */
export class SegmentFile implements AsyncDisposable {
  readonly #handle: FileHandle;
  readonly #session: string;
  readonly #hash = createHash('sha256');
  readonly number: number;
  /** Absent where the file ends inside its header, or a crash left something else there. */
  readonly header: SegmentHeader | undefined;
  readonly headerSha256: Uint8Array;
  #bytes = 0;
  #blocks = 0;
  #ended = false;

  private constructor(
    handle: FileHandle,
    session: string,
    number: number,
    header: Uint8Array,
    torn: boolean,
  ) {
    this.#handle = handle;
    this.#session = session;
    this.number = number;
    this.#count(header);
    this.header = readHeader(header, session, number, torn);
    this.headerSha256 = sha256(header);
  }

  /**
   * Opens a segment; undefined where there is none of that number.
   *
   * @param torn it was being written when the machine stopped: not even its header need be whole
   */
  static async open(
    directory: string,
    session: string,
    number: number,
    torn = false,
  ): Promise<SegmentFile | undefined> {
    const handle = await openOrNot(join(directory, session, segmentName(number)));
    if (handle === undefined) return undefined;
    try {
      const header = await readUpTo(handle, HEADER_BYTES);
      return new SegmentFile(handle, session, number, header, torn);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Length of what was read. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whole blocks that were read. */
  get blocks(): number {
    return this.#blocks;
  }

  /** Whether the last block was read. */
  get ended(): boolean {
    return this.#ended;
  }

  /** The next block; undefined at the end, which {@link SegmentFile.ended} tells from a cut. */
  async next(): Promise<SealedBlock | undefined> {
    if (this.header === undefined) {
      await this.drain();
      return undefined;
    }
    const head = await this.#read(LENGTH_BYTES);
    if (this.#ended) {
      if (head.length > 0)
        throw invalid(this.#session, `bytes follow the last block of segment ${this.number}`);
      return undefined;
    }
    if (head.length < LENGTH_BYTES) return undefined;
    const { length, last } = parseLength(head, this.#session);
    const sealed = await this.#read(length);
    if (sealed.length < length) return undefined;
    this.#ended = last;
    return { number: this.#blocks++, last, sealed };
  }

  /** Reads what is left without looking at it, so that the digest is of the whole file. */
  async drain(): Promise<void> {
    for (;;) {
      const bytes = await this.#read(262_144);
      if (bytes.length === 0) return;
      giveBack(bytes);
    }
  }

  /** SHA-256 of the file, once `next` has given undefined. */
  digest(): Uint8Array {
    return this.#hash.digest();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }

  async #read(length: number): Promise<Uint8Array> {
    const bytes = await readUpTo(this.#handle, length);
    this.#count(bytes);
    return bytes;
  }

  #count(bytes: Uint8Array): void {
    this.#hash.update(bytes);
    this.#bytes += bytes.length;
  }
}

function readHeader(
  bytes: Uint8Array,
  session: string,
  number: number,
  torn: boolean,
): SegmentHeader | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  try {
    const header = parseHeader(bytes, session);
    if (header.number === number) return header;
    throw invalid(session, `segment ${number} calls itself ${header.number}`);
  } catch (error) {
    if (torn && isInvalid(error)) return undefined;
    throw error;
  }
}

/** SHA-256 of a whole segment, hex, as its leaf states it; undefined where there is no such file. */
export async function segmentDigest(path: string): Promise<string | undefined> {
  const handle = await openOrNot(path);
  if (handle === undefined) return undefined;
  const digest = createHash('sha256');
  try {
    for (;;) {
      const bytes = await readUpTo(handle, 262_144);
      if (bytes.length === 0) return digest.digest('hex');
      digest.update(bytes);
      giveBack(bytes);
    }
  } finally {
    await handle.close();
  }
}

async function openOrNot(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** So many bytes, or fewer where the file ends. */
async function readUpTo(handle: FileHandle, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await handle.read(bytes, filled, length - filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}
