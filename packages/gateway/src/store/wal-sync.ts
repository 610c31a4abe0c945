/**
 * Makes commits durable without holding up the thread: SQLite itself writes the write-ahead log and does
 * not flush it (`synchronous = normal`), and this flushes it in the thread pool before a commit is
 * acknowledged. What commits meanwhile shares the next flush.
 *
 * Spec: https://www.sqlite.org/wal.html; with `full` SQLite would do the same, within the call.
 */

import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CountersignError, reasonOf } from '../core/errors.ts';

/** What a flush is made of; a test gives another. */
export interface WalFile {
  datasync(): Promise<void>;
  close(): Promise<void>;
}

/** Owned by the one driver of a file. */
export class WalSync {
  readonly #open: () => Promise<WalFile>;
  #file: Promise<WalFile> | undefined;
  #running: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;
  #failure: CountersignError | undefined;

  /** @param openFile opens the log, which is there since the first commit */
  constructor(openFile: () => Promise<WalFile>) {
    this.#open = openFile;
  }

  /**
   * Why nothing can be stored any more. After a flush that failed nobody knows what is on disk, and a later
   * one may succeed without what this one should have written: what follows a hole in the log is lost.
   */
  get failure(): CountersignError | undefined {
    return this.#failure;
  }

  /** Resolves when all that was committed before the call is durable; throws STORE_FAILED. */
  durable(): Promise<void> {
    // A flush that runs already may have begun before the commit.
    this.#next ??= this.#running.then(async () => {
      this.#next = undefined;
      await (this.#running = this.#flush());
    });
    return this.#next;
  }

  async close(): Promise<void> {
    await this.#next?.catch(() => undefined);
    await this.#running.catch(() => undefined);
    const file = await this.#file?.catch(() => undefined);
    await file?.close();
  }

  async #flush(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      this.#file ??= this.#open();
      await (await this.#file).datasync();
    } catch (error) {
      const reason = `its log could not be flushed: ${reasonOf(error)}`;
      this.#failure = new CountersignError('STORE_FAILED', { reason }, { cause: error });
      throw this.#failure;
    }
  }
}

/** The write-ahead log of a SQLite file; its name is made durable too. */
export async function openWal(file: string): Promise<FileHandle> {
  const log = await open(`${file}-wal`, 'r+');
  try {
    const directory = await open(dirname(file), 'r');
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
    return log;
  } catch (error) {
    await log.close();
    throw error;
  }
}
