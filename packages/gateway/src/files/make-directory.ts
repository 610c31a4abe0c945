/**
 * Directories with those above them.
 *
 * Not `mkdir` with `recursive`: where a file system refuses a name with ENOENT, as /proc does, Node tries
 * its parent and the name again for ever (nodejs/node, `MKDirp`).
 */

import { mkdirSync, statSync } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Only we may enter what is made. Throws what `mkdir` throws. */
const MODE = 0o700;

/** Makes a directory, and those above it that are missing; nothing where it is there. */
export async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, MODE);
  } catch (error) {
    if (codeOf(error) === 'EEXIST' && (await stat(path)).isDirectory()) return;
    if (codeOf(error) !== 'ENOENT' || dirname(path) === path) throw error;
    await makeDirectory(dirname(path));
    await mkdir(path, MODE).catch((again: unknown) => {
      if (codeOf(again) !== 'EEXIST') throw again;
    });
  }
}

/** The same, within the call. */
export function makeDirectorySync(path: string): void {
  try {
    mkdirSync(path, MODE);
  } catch (error) {
    if (codeOf(error) === 'EEXIST' && statSync(path).isDirectory()) return;
    if (codeOf(error) !== 'ENOENT' || dirname(path) === path) throw error;
    makeDirectorySync(dirname(path));
    if (statSync(path, { throwIfNoEntry: false }) === undefined) mkdirSync(path, MODE);
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
