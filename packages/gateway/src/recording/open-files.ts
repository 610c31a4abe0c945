/**
 * The descriptors of the segments that are being written, at most so many at once.
 *
 * A session that writes seldom does not hold one: the least recently written is flushed, closed, and
 * opened again for its next block. It is flushed first because an error of the disk that comes after
 * the close would be told to nobody.
 */

import type { FilePort } from './file-port.ts';

interface OpenFile {
  descriptor: number;
  dirty: boolean;
}

/** State is owned by the recorder's thread. */
export class OpenFiles {
  readonly #files: FilePort;
  readonly #countMax: number;
  /** By path, least recently written first. */
  readonly #open = new Map<string, OpenFile>();
  /** Files that could not be flushed when room was made: their own session is told, not the one that came. */
  readonly #broken = new Map<string, unknown>();

  constructor(files: FilePort, countMax: number) {
    this.#files = files;
    this.#countMax = countMax;
  }

  get count(): number {
    return this.#open.size;
  }

  create(path: string): void {
    this.#makeRoom();
    this.#open.set(path, { descriptor: this.#files.create(path), dirty: true });
  }

  /** Writes all of the bytes, or throws. */
  write(path: string, bytes: Uint8Array): void {
    const file = this.#use(path);
    file.dirty = true;
    let written = 0;
    while (written < bytes.length) {
      const count = this.#files.write(file.descriptor, bytes.subarray(written));
      if (count <= 0) throw new Error('the disk took no bytes');
      written += count;
    }
  }

  /** What was written is on disk. A file that was closed to make room is so already. */
  flush(path: string): void {
    this.#refuseBroken(path);
    const file = this.#open.get(path);
    if (file === undefined || !file.dirty) return;
    this.#files.datasync(file.descriptor);
    file.dirty = false;
  }

  /** Flushes and closes. */
  finish(path: string): void {
    this.flush(path);
    this.abandon(path);
  }

  /** Closes without a flush. */
  abandon(path: string): void {
    this.#broken.delete(path);
    const file = this.#open.get(path);
    if (file === undefined) return;
    this.#open.delete(path);
    this.#files.close(file.descriptor);
  }

  #refuseBroken(path: string): void {
    if (this.#broken.has(path)) throw this.#broken.get(path);
  }

  #use(path: string): OpenFile {
    this.#refuseBroken(path);
    const found = this.#open.get(path);
    if (found !== undefined) {
      this.#open.delete(path);
      this.#open.set(path, found);
      return found;
    }
    this.#makeRoom();
    const file = { descriptor: this.#files.append(path), dirty: false };
    this.#open.set(path, file);
    return file;
  }

  #makeRoom(): void {
    while (this.#open.size >= this.#countMax) {
      const [oldest] = this.#open.keys();
      if (oldest === undefined) return;
      try {
        this.finish(oldest);
      } catch (error) {
        this.abandon(oldest);
        this.#broken.set(oldest, error);
      }
    }
  }
}
