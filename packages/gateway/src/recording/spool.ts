/**
 * Messages that are too large to be held in memory wait here, encrypted, for their leaf to be durable.
 *
 * The key of a message is random and lives in memory only, and its file loses its name as soon as it
 * is open: a crash leaves nothing that could be read, and nothing at all once the process is gone.
 * A chunk: AES-256-GCM, nonce = uint96 counter, AAD = uint8 last flag, so that chunks can neither be
 * exchanged nor left out.
 */

import { createCipheriv, createDecipheriv, createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { CountersignError, reasonOf } from '../core/errors.ts';
import { giveBack } from '../core/give-back.ts';
import { LIMITS } from '../core/limits.ts';
import { makeDirectory } from '../files/make-directory.ts';

const TAG_BYTES = 16;

export interface SpoolOptions {
  /** `<data>/spool`; made where it is missing, and emptied. */
  readonly directory: string;
  readonly randomBytes: (length: number) => Uint8Array;
  readonly testingOnlyBytesMax?: number;
}

/** The spool of one gateway; counts what all messages take on disk. */
export class Spool {
  readonly #directory: string;
  readonly #randomBytes: (length: number) => Uint8Array;
  readonly #bytesMax: number;
  #bytes = 0;
  #messages = 0;
  /** What each owner has of both, so that one who never ends a message leaves a share to the others. */
  readonly #owners = new Map<string, { messages: number; bytes: number }>();

  private constructor(options: SpoolOptions) {
    this.#directory = options.directory;
    this.#randomBytes = options.randomBytes;
    this.#bytesMax = options.testingOnlyBytesMax ?? LIMITS.spool.bytesMax;
  }

  /** Makes the directory ready. A crash can leave an empty file that had not lost its name yet. */
  static async prepare(options: SpoolOptions): Promise<Spool> {
    const { directory } = options;
    await makeDirectory(directory);
    const left = (await readdir(directory)).filter((name) => name.endsWith('.spool'));
    for (const name of left) await unlink(join(directory, name));
    return new Spool(options);
  }

  /** Bytes on disk. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Begins a message; throws LIMIT_EXCEEDED or SPOOL_FAILED.
   *
   * @param owner whose it is: one principal may have three quarters of what there is
   */
  async open(owner: string): Promise<SpooledFile> {
    const own = this.#owners.get(owner) ?? { messages: 0, bytes: 0 };
    const { messagesMax, ownerMessagesMax } = LIMITS.spool;
    refuse('messages that are spooled at once', messagesMax, this.#messages + 1);
    refuse('messages of one user that are spooled at once', ownerMessagesMax, own.messages + 1);
    this.#messages += 1;
    own.messages += 1;
    this.#owners.set(owner, own);
    const release = (bytes: number): void => {
      this.#bytes -= bytes;
      this.#messages -= 1;
      own.bytes -= bytes;
      own.messages -= 1;
      if (own.messages === 0) this.#owners.delete(owner);
    };
    try {
      const name = `${Buffer.from(this.#randomBytes(16)).toString('hex')}.spool`;
      const handle = await openWithoutName(join(this.#directory, name));
      const reserve = (bytes: number): void => {
        const ownerBytesMax = Math.floor(this.#bytesMax * LIMITS.spool.ownerShare);
        refuse('bytes that are spooled at once', this.#bytesMax, this.#bytes + bytes);
        refuse('bytes of one user that are spooled at once', ownerBytesMax, own.bytes + bytes);
        this.#bytes += bytes;
        own.bytes += bytes;
      };
      return new SpooledFile(handle, this.#randomBytes(32), { reserve, release });
    } catch (error) {
      release(0);
      throw failed(error);
    }
  }
}

function refuse(limit: string, allowed: number, actual: number): void {
  if (actual > allowed) throw new CountersignError('LIMIT_EXCEEDED', { limit, allowed, actual });
}

interface Share {
  reserve(bytes: number): void;
  release(bytes: number): void;
}

/** One message: written, finished, then read once or discarded. */
export class SpooledFile implements AsyncDisposable {
  readonly #handle: FileHandle;
  readonly #key: Uint8Array;
  readonly #share: Share;
  readonly #hash = createHash('sha256');
  readonly #buffer = Buffer.alloc(LIMITS.spool.chunkBytes);
  #buffered = 0;
  #chunks = 0;
  #bytes = 0;
  #onDisk = 0;
  #finished: { readonly bytes: number; readonly sha256: string } | undefined;
  #gone = false;

  constructor(handle: FileHandle, key: Uint8Array, share: Share) {
    this.#handle = handle;
    this.#key = key;
    this.#share = share;
  }

  /** Adds bytes; one call at a time. */
  async write(piece: Uint8Array): Promise<void> {
    if (this.#gone || this.#finished !== undefined) throw failed('it is finished');
    this.#hash.update(piece);
    this.#bytes += piece.length;
    let offset = 0;
    while (offset < piece.length) {
      // A chunk is written only when a byte follows it: the last one carries the flag.
      if (this.#buffered === this.#buffer.length) await this.#writeChunk(false);
      const end = Math.min(piece.length, offset + this.#buffer.length - this.#buffered);
      this.#buffer.set(piece.subarray(offset, end), this.#buffered);
      this.#buffered += end - offset;
      offset = end;
    }
  }

  /** No more is written; gives what was. */
  async finish(): Promise<{ readonly bytes: number; readonly sha256: string }> {
    if (this.#gone) throw failed('it was discarded');
    if (this.#finished === undefined) {
      await this.#writeChunk(true);
      this.#finished = { bytes: this.#bytes, sha256: this.#hash.digest('hex') };
    }
    return this.#finished;
  }

  /** All of it, in pieces; the message stays until it is discarded. A piece is the reader's to keep. */
  async *read(): AsyncGenerator<Uint8Array, void> {
    if (this.#gone || this.#finished === undefined) throw failed('it is not there to be read');
    let left = this.#bytes;
    for (let chunk = 0; chunk < this.#chunks; chunk++) {
      const last = chunk === this.#chunks - 1;
      const length = last ? left : this.#buffer.length;
      const sealed = new Uint8Array(length + TAG_BYTES);
      const { bytesRead } = await this.#readAll(sealed, chunk * (this.#buffer.length + TAG_BYTES));
      if (bytesRead < sealed.length) throw failed('the disk lost bytes');
      left -= length;
      yield this.#unseal(sealed, chunk, last);
    }
  }

  /**
   * Streams all of it at the pace of the target, then deletes it.
   *
   * @param passed is given each piece before it is forwarded, for the recording; it is gone afterwards
   */
  async forwardTo(target: Writable, passed?: (piece: Uint8Array) => void): Promise<void> {
    try {
      for await (const piece of this.read()) {
        passed?.(piece);
        await writeAtItsPace(target, piece);
        giveBack(piece);
      }
    } finally {
      await this.discard();
    }
  }

  /** Gives the space on disk back. */
  async discard(): Promise<void> {
    if (this.#gone) return;
    this.#gone = true;
    this.#key.fill(0);
    this.#buffer.fill(0);
    this.#share.release(this.#onDisk);
    await this.#handle.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.discard();
  }

  async #writeChunk(last: boolean): Promise<void> {
    const cipher = createCipheriv('aes-256-gcm', this.#key, counter(this.#chunks), {
      authTagLength: TAG_BYTES,
    });
    cipher.setAAD(Uint8Array.of(last ? 1 : 0));
    const ciphertext = cipher.update(this.#buffer.subarray(0, this.#buffered));
    const sealed = Buffer.concat([ciphertext, cipher.final(), cipher.getAuthTag()]);
    giveBack(ciphertext);
    this.#share.reserve(sealed.length);
    this.#onDisk += sealed.length;
    try {
      let written = 0;
      while (written < sealed.length) {
        written += (await this.#handle.write(sealed, written)).bytesWritten;
      }
    } catch (error) {
      throw failed(error);
    }
    giveBack(sealed);
    this.#chunks += 1;
    this.#buffered = 0;
  }

  async #readAll(into: Uint8Array, position: number): Promise<{ bytesRead: number }> {
    let bytesRead = 0;
    while (bytesRead < into.length) {
      const got = await this.#handle.read(into, bytesRead, into.length - bytesRead, position + bytesRead);
      if (got.bytesRead === 0) break;
      bytesRead += got.bytesRead;
    }
    return { bytesRead };
  }

  #unseal(sealed: Uint8Array, chunk: number, last: boolean): Uint8Array {
    const decipher = createDecipheriv('aes-256-gcm', this.#key, counter(chunk), { authTagLength: TAG_BYTES });
    decipher.setAAD(Uint8Array.of(last ? 1 : 0));
    decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
    const piece = decipher.update(sealed.subarray(0, sealed.length - TAG_BYTES));
    try {
      decipher.final();
    } catch (error) {
      throw failed(error);
    }
    giveBack(sealed);
    return piece;
  }
}

async function openWithoutName(path: string): Promise<FileHandle> {
  const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  const handle = await open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    await unlink(path);
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Resolves when the target wants more; rejects where it has ended. */
async function writeAtItsPace(target: Writable, piece: Uint8Array): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    if (target.destroyed) {
      reject(failed('the target is gone'));
      return;
    }
    // A destroyed stream calls the callback with an error, so that this never waits for ever.
    target.write(piece, (error) => {
      if (error === null || error === undefined) resolve();
      else reject(error);
    });
  });
}

function counter(chunk: number): Uint8Array {
  const nonce = Buffer.alloc(12);
  nonce.writeUIntBE(chunk, 6, 6);
  return nonce;
}

function failed(cause: unknown): CountersignError {
  if (cause instanceof CountersignError) return cause;
  return new CountersignError('SPOOL_FAILED', { reason: reasonOf(cause) }, { cause });
}
