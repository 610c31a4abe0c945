/**
 * A bag in the making: files below one temporary directory, hashed while they are written.
 *
 * Spec: spec/evidence.md; RFC 8493 (https://www.rfc-editor.org/rfc/rfc8493).
 */

import { createHash, type Hash } from 'node:crypto';
import { mkdir, open, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CountersignError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';

export interface BagEntry {
  /** From the bag's own directory, with `/`. */
  readonly path: string;
  readonly bytes: number;
  /** Hex. */
  readonly sha256: string;
}

/** One file that is being written; bytes are collected so that a line is not a write. */
class BagFile {
  readonly path: string;
  readonly #handle: FileHandle;
  readonly #hash: Hash = createHash('sha256');
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #bytes = 0;

  constructor(path: string, handle: FileHandle) {
    this.path = path;
    this.#handle = handle;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#hash.update(bytes);
    this.#bytes += bytes.length;
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
    if (this.#pendingBytes >= LIMITS.evidence.writeBufferBytes) await this.#flush();
  }

  async close(): Promise<BagEntry> {
    await this.#flush();
    await this.#handle.close();
    return { path: this.path, bytes: this.#bytes, sha256: this.#hash.digest('hex') };
  }

  /** For a bag that is given up. */
  async abandon(): Promise<void> {
    await this.#handle.close();
  }

  async #flush(): Promise<void> {
    const bytes = Buffer.concat(this.#pending);
    this.#pending = [];
    this.#pendingBytes = 0;
    await this.#handle.writeFile(bytes);
  }
}

/** The owner of the directory's content; whoever made the directory removes it. */
export class Bag {
  readonly #directory: string;
  readonly #entries = new Map<string, BagEntry>();
  readonly #open = new Map<string, BagFile>();
  #payloadBytes = 0;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Finished files, in the order of their paths' code units. */
  get entries(): readonly BagEntry[] {
    return [...this.#entries.values()].toSorted((a, b) => (a.path < b.path ? -1 : 1));
  }

  /** Bytes of the files below data/, */
  get payloadBytes(): number {
    return this.#payloadBytes;
  }

  /** and those files. */
  get payload(): readonly BagEntry[] {
    return this.entries.filter(({ path }) => path.startsWith('data/'));
  }

  locate(path: string): string {
    return join(this.#directory, path);
  }

  /** A whole file. */
  async put(path: string, content: string | Uint8Array): Promise<BagEntry> {
    await this.append(path, typeof content === 'string' ? Buffer.from(content) : content);
    return this.finish(path);
  }

  /** The next bytes of a file, which the first call makes. */
  async append(path: string, bytes: Uint8Array): Promise<void> {
    let file = this.#open.get(path);
    if (file === undefined) {
      if (this.#entries.has(path)) throw new CountersignError('INTERNAL');
      const location = this.locate(path);
      await mkdir(dirname(location), { recursive: true, mode: 0o700 });
      file = new BagFile(path, await open(location, 'wx', 0o600));
      this.#open.set(path, file);
    }
    await file.write(bytes);
  }

  /** Ends a file; it is part of the bag from now on. */
  async finish(path: string): Promise<BagEntry> {
    const file = this.#open.get(path);
    if (file === undefined) throw new CountersignError('INTERNAL');
    const entry = await file.close();
    this.#open.delete(path);
    this.#entries.set(path, entry);
    if (path.startsWith('data/')) this.#payloadBytes += entry.bytes;
    return entry;
  }

  async finishAll(): Promise<void> {
    for (const path of this.#open.keys()) await this.finish(path);
  }

  /** Closes what is open, after an error. */
  async abandon(): Promise<void> {
    await Promise.allSettled([...this.#open.values()].map((file) => file.abandon()));
    this.#open.clear();
  }
}

/** Lines of a manifest (RFC 8493, section 2.1.3). */
export function formatManifest(entries: readonly BagEntry[]): string {
  return entries.map(({ sha256, path }) => `${sha256}  ${path}\n`).join('');
}
