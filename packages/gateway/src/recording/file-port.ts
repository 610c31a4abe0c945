/**
 * The few calls of a file system that writing a recording takes, as a port, so that a full or broken
 * disk can be put in its place. Synchronous: the recorder has a thread of its own.
 */

import { closeSync, constants, fdatasyncSync, fsyncSync, openSync, statSync, writeSync } from 'node:fs';
import { makeDirectorySync } from '../files/make-directory.ts';

export interface FilePort {
  /** Makes a directory with mode 0700 and those above it; nothing where it is there. */
  makeDirectory(path: string): void;
  /** A new file with mode 0600; throws where there is one already. */
  create(path: string): number;
  /** An existing file, for appending. */
  append(path: string): number;
  /** May write fewer bytes than were given. */
  write(descriptor: number, bytes: Uint8Array): number;
  datasync(descriptor: number): void;
  close(descriptor: number): void;
  /** Makes the names in a directory durable. */
  syncDirectory(path: string): void;
}

/** The real file system. */
export const FILES: FilePort = {
  makeDirectory(path) {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return;
    makeDirectorySync(path);
  },
  create(path) {
    const { O_WRONLY, O_CREAT, O_EXCL, O_APPEND, O_NOFOLLOW } = constants;
    return openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW, 0o600);
  },
  append(path) {
    return openSync(path, constants.O_WRONLY | constants.O_APPEND | constants.O_NOFOLLOW);
  },
  write: (descriptor, bytes) => writeSync(descriptor, bytes),
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
};
