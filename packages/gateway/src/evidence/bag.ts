/**
 * A bag in the making: files below one temporary directory, hashed while they are written. Synchronous,
 * because an export has a thread of its own and millions of small writes.
 *
 * Spec: spec/evidence.md; RFC 8493 (https://www.rfc-editor.org/rfc/rfc8493).
 */

import { createHash, hash, type Hash } from 'node:crypto';
import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CountersignError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { makeDirectorySync } from '../files/make-directory.ts';

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
  readonly #descriptor: number;
  readonly #hash: Hash = createHash('sha256');
  readonly #buffer: Buffer = Buffer.allocUnsafe(LIMITS.evidence.writeBufferBytes);
  #buffered = 0;
  #bytes = 0;

  constructor(path: string, descriptor: number) {
    this.path = path;
    this.#descriptor = descriptor;
  }

  write(bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    if (this.#buffered + bytes.length > this.#buffer.length) this.#flush();
    if (bytes.length > this.#buffer.length) {
      this.#write(bytes);
      return;
    }
    this.#buffer.set(bytes, this.#buffered);
    this.#buffered += bytes.length;
  }

  close(): BagEntry {
    this.#flush();
    closeSync(this.#descriptor);
    return { path: this.path, bytes: this.#bytes, sha256: this.#hash.digest('hex') };
  }

  /** For a bag that is given up. */
  abandon(): void {
    closeSync(this.#descriptor);
  }

  #flush(): void {
    this.#write(this.#buffer.subarray(0, this.#buffered));
    this.#buffered = 0;
  }

  #write(bytes: Uint8Array): void {
    this.#hash.update(bytes);
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#descriptor, bytes, at);
  }
}

/** The owner of the directory's content; whoever made the directory removes it. */
export class Bag {
  readonly #directory: string;
  readonly #entries = new Map<string, BagEntry>();
  readonly #open = new Map<string, BagFile>();
  readonly #directories = new Set<string>();
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
  put(path: string, content: string | Uint8Array): BagEntry {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    writeFileSync(this.#place(path), bytes, { flag: 'wx', mode: 0o600 });
    return this.#add({ path, bytes: bytes.length, sha256: hash('sha256', bytes) });
  }

  /** The next bytes of a file, which the first call makes. */
  append(path: string, bytes: Uint8Array): void {
    let file = this.#open.get(path);
    if (file === undefined) {
      file = new BagFile(path, openSync(this.#place(path), 'wx', 0o600));
      this.#open.set(path, file);
    }
    file.write(bytes);
  }

  /** Ends a file; it is part of the bag from now on. */
  finish(path: string): BagEntry {
    const file = this.#open.get(path);
    if (file === undefined) throw new CountersignError('INTERNAL');
    const entry = file.close();
    this.#open.delete(path);
    return this.#add(entry);
  }

  finishAll(): void {
    for (const path of this.#open.keys()) this.finish(path);
  }

  /** Closes what is open, after an error. */
  abandon(): void {
    for (const file of this.#open.values()) file.abandon();
    this.#open.clear();
  }

  /** Where a new file goes. */
  #place(path: string): string {
    if (this.#entries.has(path) || this.#open.has(path)) throw new CountersignError('INTERNAL');
    const location = this.locate(path);
    const directory = dirname(location);
    if (!this.#directories.has(directory)) {
      makeDirectorySync(directory);
      this.#directories.add(directory);
    }
    return location;
  }

  #add(entry: BagEntry): BagEntry {
    this.#entries.set(entry.path, entry);
    if (entry.path.startsWith('data/')) this.#payloadBytes += entry.bytes;
    return entry;
  }
}

/** Lines of a manifest (RFC 8493, section 2.1.3). */
export function formatManifest(entries: readonly BagEntry[]): string {
  return entries.map(({ sha256, path }) => `${sha256}  ${path}\n`).join('');
}
