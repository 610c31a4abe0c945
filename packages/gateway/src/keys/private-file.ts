/** Files that only the owner may read, replaced as a whole or not at all. */

import { constants } from 'node:fs';
import { type FileHandle, link, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Creates a file with mode 0600; fails where it exists. Durable, with its name, when this resolves; a
 * crash leaves all of it or nothing, so that a start never meets half a key.
 */
export async function createPrivateFile(file: string, bytes: Uint8Array): Promise<void> {
  const next = await writeBeside(file, bytes);
  try {
    // A hard link fails where there is a file already; a rename would replace it.
    await link(next, file);
  } finally {
    await rm(next, { force: true });
  }
  await syncDirectory(dirname(file));
}

/** Replaces a file; a crash leaves the old one or the new one. */
export async function replacePrivateFile(file: string, bytes: Uint8Array): Promise<void> {
  await rename(await writeBeside(file, bytes), file);
  await syncDirectory(dirname(file));
}

async function writeBeside(file: string, bytes: Uint8Array): Promise<string> {
  const next = `${file}.new`;
  // What a crash left behind was never the file.
  await rm(next, { force: true });
  const handle = await open(next, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  await writeAndSync(handle, bytes);
  return next;
}

async function writeAndSync(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
