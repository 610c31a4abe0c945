/**
 * What durability takes, in one place, on the calls of {@link LogFiles}.
 *
 * A file that is created or renamed is durable only when its directory is, too.
 */

import { dirname } from 'node:path';
import type { LogFiles } from './file-port.ts';

/** Writes all of it, at the end or at `position`; a short write goes on where it stopped. */
export function writeAll(files: LogFiles, descriptor: number, bytes: Uint8Array, position?: number): void {
  let at = files.write(descriptor, bytes, position);
  while (at < bytes.length) {
    const next = position === undefined ? undefined : position + at;
    at += files.write(descriptor, bytes.subarray(at), next);
  }
}

/** Replaces a file: whoever reads it sees the old one or the new one, also after a crash. */
export function replaceFile(
  files: LogFiles,
  path: string,
  bytes: Uint8Array | string,
  durable: boolean,
): void {
  const temporary = `${path}.new`;
  const descriptor = files.rewrite(temporary);
  try {
    writeAll(files, descriptor, typeof bytes === 'string' ? Buffer.from(bytes) : bytes);
    if (durable) files.datasync(descriptor);
  } finally {
    files.close(descriptor);
  }
  files.rename(temporary, path);
  if (durable) files.syncDirectory(dirname(path));
}

/** Appends to a file, which is made where it is missing; the bytes are durable when this returns. */
export function syncedAppend(files: LogFiles, path: string, bytes: Uint8Array): void {
  const isNew = !files.exists(path);
  const descriptor = files.appendOrCreate(path);
  try {
    writeAll(files, descriptor, bytes);
    files.datasync(descriptor);
  } finally {
    files.close(descriptor);
  }
  if (isNew) files.syncDirectory(dirname(path));
}
