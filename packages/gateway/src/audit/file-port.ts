/**
 * The calls of a file system that writing and opening a log take, as a port, so that a disk that is
 * full, broken or cut off can be put in its place. Synchronous: the writer has a thread of its own.
 */

import {
  closeSync,
  constants,
  existsSync,
  fdatasyncSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { makeDirectorySync } from '../files/make-directory.ts';

export interface LogFiles {
  /** Makes a directory with mode 0700 and those above it; nothing where it is there. */
  makeDirectory(path: string): void;
  /** A new file with mode 0600, for writing at positions; throws where there is one already. */
  create(path: string): number;
  /** An existing file, for appending. */
  append(path: string): number;
  /** A file with mode 0600, for appending; made where it is missing. */
  appendOrCreate(path: string): number;
  /** A file with mode 0600, emptied. */
  rewrite(path: string): number;
  /** An existing file, for reading and for writing at positions. */
  update(path: string): number;
  /** At the end, or at `position`; may write fewer bytes than were given. */
  write(descriptor: number, bytes: Uint8Array, position?: number): number;
  truncate(descriptor: number, length: number): void;
  /** The content and the length of a file are durable when it returns; never called again after it threw. */
  datasync(descriptor: number): void;
  close(descriptor: number): void;
  /** Makes the names in a directory durable. */
  syncDirectory(path: string): void;
  rename(from: string, to: string): void;
  /** Removes a file, or a directory with all that is in it; nothing where it is missing. */
  remove(path: string): void;
  exists(path: string): boolean;
  /** Bytes of a file. */
  length(path: string): number;
  read(path: string): Uint8Array;
  /** Names in a directory; none where it is missing. */
  list(path: string): readonly string[];
}

/** The real file system. */
export const LOG_FILES: LogFiles = {
  makeDirectory(path) {
    if (existsSync(path)) return;
    makeDirectorySync(path);
  },
  create: (path) => openSync(path, 'wx', 0o600),
  append: (path) => openSync(path, constants.O_WRONLY | constants.O_APPEND),
  appendOrCreate: (path) => openSync(path, 'a', 0o600),
  rewrite: (path) => openSync(path, 'w', 0o600),
  update: (path) => openSync(path, 'r+'),
  write: (descriptor, bytes, position) => writeSync(descriptor, bytes, 0, bytes.length, position ?? null),
  truncate: ftruncateSync,
  datasync: fdatasyncSync,
  close: closeSync,
  syncDirectory(path) {
    const descriptor = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  },
  rename: renameSync,
  remove(path) {
    rmSync(path, { recursive: true, force: true });
  },
  exists: existsSync,
  length: (path) => statSync(path).size,
  read: (path) => readFileSync(path),
  list: (path) => (existsSync(path) ? readdirSync(path) : []),
};
