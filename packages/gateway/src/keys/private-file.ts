/** Files that only the owner may read, replaced as a whole or not at all. */

import { constants } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Creates a file with mode 0600; fails where it exists. Durable, with its name, when this resolves. */
export async function createPrivateFile(file: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(file, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  await writeAndSync(handle, bytes);
  await syncDirectory(dirname(file));
}

/** Replaces a file; a crash leaves the old one or the new one. */
export async function replacePrivateFile(file: string, bytes: Uint8Array): Promise<void> {
  const next = `${file}.new`;
  // What a crash left behind was never the file.
  await rm(next, { force: true });
  await createPrivateFile(next, bytes);
  await rename(next, file);
  await syncDirectory(dirname(file));
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
