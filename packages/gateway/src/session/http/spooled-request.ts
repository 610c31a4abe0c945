/**
 * The content of a request that a target wants to know the digest of before its first byte, and that nobody else reads.
 *
 * Pipeline: forward. A small one waits in memory, a large one on disk, encrypted under a key that is nowhere else
 * (recording/spool.ts). Nothing of it goes to the target before all of it is there.
 */

import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { CountersignError } from '../../core/errors.ts';
import { HTTP_LIMITS } from '../../core/http-limits.ts';
import { SIGV4_LIMITS as LIMITS } from '../../core/sigv4-limits.ts';
import type { Spool, SpooledFile } from '../../recording/spool.ts';
import type { ContentShare } from './content-budget.ts';
import { Stalled } from './pump.ts';
import { readStream } from './read-stream.ts';

export interface SpooledRequest {
  readonly bytes: number;
  /** 64 hex digits. */
  readonly sha256: string;
  /** All of it, once. */
  read(): Readable;
  /** Gives memory or disk back; more than once does nothing. */
  release(): Promise<void>;
}

export interface SpoolingOptions {
  readonly spool: Spool;
  /** Id of the principal, of whose part of the disk it takes. */
  readonly owner: string;
  readonly share: ContentShare;
  readonly signal: AbortSignal;
}

/** Reads all of it; rejects with HTTP_CONTENT_REFUSED, LIMIT_EXCEEDED, SPOOL_FAILED, or why it was aborted. */
export async function spoolRequest(content: Readable, options: SpoolingOptions): Promise<SpooledRequest> {
  const { signal } = options;
  const spooling = new Spooling(options);
  const timer = setTimeout(
    () => content.destroy(new Stalled('source', HTTP_LIMITS.stalledContentMs)),
    HTTP_LIMITS.stalledContentMs,
  );
  const reading = readStream(content, (chunk) => {
    timer.refresh();
    signal.throwIfAborted();
    return spooling.take(chunk);
  }).finally(() => clearTimeout(timer));
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    signal.throwIfAborted();
    await Promise.race([reading, aborted]);
    return await spooling.finish();
  } catch (error) {
    // What is still being written is waited for, and a client that says nothing for as long as it may.
    const release = (): Promise<void> => spooling.release();
    reading.then(release, release).catch(() => undefined);
    signal.throwIfAborted();
    if (error instanceof CountersignError) throw error;
    const reason = error instanceof Stalled ? error.message : 'it ended before it was complete';
    throw new CountersignError('HTTP_CONTENT_REFUSED', { reason }, { cause: error });
  } finally {
    signal.removeEventListener('abort', abort);
    // Nobody waits for it where the reading was first.
    aborted.catch(() => undefined);
  }
}

class Spooling {
  readonly #options: SpoolingOptions;
  readonly #hash = createHash('sha256');
  #chunks: Uint8Array[] = [];
  /** In memory. */
  #held = 0;
  #bytes = 0;
  #file: SpooledFile | undefined;
  /** What is being written; a file that is only being opened has to be there before it can go. */
  #writing: Promise<void> = Promise.resolve();

  constructor(options: SpoolingOptions) {
    this.#options = options;
  }

  take(chunk: Uint8Array): Promise<void> | undefined {
    this.#hash.update(chunk);
    this.#bytes += chunk.length;
    if (this.#file === undefined && this.#fits(chunk.length)) {
      this.#chunks.push(chunk);
      return undefined;
    }
    this.#writing = this.#file === undefined ? this.#toDisk(chunk) : this.#file.write(chunk);
    return this.#writing;
  }

  async finish(): Promise<SpooledRequest> {
    const file = this.#file;
    await file?.finish();
    return {
      bytes: this.#bytes,
      sha256: this.#hash.digest('hex'),
      read: () => Readable.from(file === undefined ? this.#chunks : file.read(), { objectMode: false }),
      release: () => this.release(),
    };
  }

  async release(): Promise<void> {
    // Whoever waits for it hears what went wrong with it.
    await this.#writing.catch(() => undefined);
    this.#giveBack();
    await this.#file?.discard();
  }

  #fits(bytes: number): boolean {
    if (this.#held + bytes > LIMITS.memoryBytesMax) return false;
    try {
      this.#options.share.take(bytes);
    } catch {
      // Where there is no room in memory there is some on disk, or that says why not.
      return false;
    }
    this.#held += bytes;
    return true;
  }

  async #toDisk(chunk: Uint8Array): Promise<void> {
    const { spool, owner } = this.#options;
    const file = await spool.open(owner);
    this.#file = file;
    // In their order: each has to be there before the next.
    // oxlint-disable-next-line no-await-in-loop
    for (const one of this.#chunks) await file.write(one);
    this.#giveBack();
    await file.write(chunk);
  }

  #giveBack(): void {
    this.#chunks = [];
    this.#options.share.give(this.#held);
    this.#held = 0;
  }
}
