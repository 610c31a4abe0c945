// Tests are compiled without this folder's declarations, and an import cannot name this one.
// oxlint-disable-next-line typescript/triple-slash-reference
/// <reference path="./yazl.d.ts" />

/**
 * A finished bag as a zip whose bytes follow from the bag alone.
 *
 * DOS times are local times, so the date is made from local parts: another time zone gives the same
 * bytes. Spec: spec/evidence.md, section 4, "Zip".
 */

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { ZipFile } from 'yazl';
import { CountersignError, reasonOf } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import type { Bag } from './bag.ts';

const MODE = 0o100644;

export interface ZipWritten {
  readonly bytes: number;
  /** Hex. */
  readonly sha256: string;
}

/** Writes the zip to a new file; the directory inside has this name. */
export async function writeZip(bag: Bag, directory: string, file: string): Promise<ZipWritten> {
  const output = await open(file, 'wx', 0o600).catch((cause: unknown) => {
    throw new CountersignError('REQUEST_INVALID', { reason: reasonOf(cause) }, { cause });
  });
  try {
    const zip = zipOf(bag, directory);
    const failed = new Promise<never>((_, reject) => zip.on('error', reject));
    // The race below may be over before an error comes; then nobody waits for it.
    failed.catch(() => undefined);
    const written = await Promise.race([drain(zip.outputStream, output), failed]);
    await output.datasync();
    return written;
  } finally {
    await output.close();
  }
}

function zipOf(bag: Bag, directory: string): ZipFile {
  const zip = new ZipFile();
  const mtime = new Date(1980, 0, 1, 0, 0, 0);
  for (const { path, bytes } of bag.entries) {
    const options = {
      mtime,
      mode: MODE,
      compressionLevel: LIMITS.evidence.compressionLevel,
      forceDosTimestamp: true,
      size: bytes,
    };
    zip.addReadStreamLazy(`${directory}/${path}`, options, (callback) => {
      callback(
        null,
        createReadStream(bag.locate(path)).on('error', (error) => zip.emit('error', error)),
      );
    });
  }
  zip.end();
  return zip;
}

async function drain(
  source: NodeJS.ReadableStream,
  output: { readonly writeFile: (bytes: Uint8Array) => Promise<void> },
): Promise<ZipWritten> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of source) {
    const piece = Buffer.from(chunk);
    hash.update(piece);
    bytes += piece.length;
    await output.writeFile(piece);
  }
  return { bytes, sha256: hash.digest('hex') };
}
