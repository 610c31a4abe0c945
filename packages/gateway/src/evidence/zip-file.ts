/**
 * A finished bag as a zip whose bytes follow from the bag alone.
 *
 * Spec: spec/evidence.md, section 4, "Zip"; headers are those of zip-form.ts, which the verifier
 * compares with. Entries are deflated one after the other, so that memory is that of one chunk; the
 * signature comes last, because it is over how the others lie in the zip.
 */

import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { constants, crc32, createDeflateRaw, deflateRawSync } from 'node:zlib';
import { packedLine } from '@countersign/ledger/evidence';
import {
  centralHeader,
  dataDescriptor,
  endRecords,
  localHeader,
  type ZipMember,
} from '@countersign/ledger/zip-form';
import { CountersignError, reasonOf } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import type { Bag, BagEntry } from './bag.ts';

export interface ZipWritten {
  readonly bytes: number;
  /** Hex. */
  readonly sha256: string;
}

const { compressionLevel, compressAtOnceBytes, writeBufferBytes } = LIMITS.evidence;
const DEFLATE = { level: compressionLevel, memLevel: 8, windowBits: constants.Z_MAX_WINDOWBITS } as const;

interface Output {
  readonly writeFile: (bytes: Uint8Array) => Promise<void>;
}

/**
 * Writes the zip to a new file; the directory inside has this name.
 *
 * @param makeSignature the last file of the zip: its path, and its content by the SHA-256 over how the others lie in it
 */
export async function writeZip(
  bag: Bag,
  directory: string,
  file: string,
  makeSignature: (packedSha256: string) => Promise<{ readonly path: string; readonly bytes: Uint8Array }>,
): Promise<ZipWritten> {
  const output = await open(file, 'wx', 0o600).catch((cause: unknown) => {
    throw new CountersignError('REQUEST_INVALID', { reason: reasonOf(cause) }, { cause });
  });
  try {
    const writer = new ZipWriter(output, directory);
    for (const entry of bag.entries) await writer.deflate(entry, bag.locate(entry.path));
    const { path, bytes } = await makeSignature(writer.packedSha256());
    await writer.store(path, bytes);
    const written = await writer.end();
    await output.datasync();
    return written;
  } finally {
    await output.close();
  }
}

class ZipWriter {
  readonly #output: Output;
  readonly #directory: string;
  readonly #hash: Hash = createHash('sha256');
  readonly #packed: Hash = createHash('sha256');
  /** Headers of the directory. */
  readonly #central: Uint8Array[] = [];
  #bytes = 0;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;

  constructor(output: Output, directory: string) {
    this.#output = output;
    this.#directory = directory;
  }

  /** Adds a file from where it lies. */
  async deflate({ path, bytes }: BagEntry, location: string): Promise<void> {
    const hash = createHash('sha256');
    const begun = { name: `${this.#directory}/${path}`, bytes, offset: this.#bytes, stored: false };
    await this.#write(localHeader({ ...begun, crc: 0, compressedBytes: 0 }));
    const dataOffset = this.#bytes;
    let crc = 0;
    const pieces = deflated(location, bytes, (content) => {
      crc = crc32(content, crc);
    });
    for await (const piece of pieces) {
      hash.update(piece);
      await this.#write(piece);
    }
    const member = { ...begun, crc, compressedBytes: this.#bytes - dataOffset };
    await this.#write(dataDescriptor(member));
    this.#central.push(centralHeader(member));
    this.#packed.update(packedLine(path, hash.digest('hex')));
  }

  /** Over all files so far; asked once. */
  packedSha256(): string {
    return this.#packed.digest('hex');
  }

  /** Adds a file as it is. */
  async store(path: string, content: Uint8Array): Promise<void> {
    const member: ZipMember = {
      name: `${this.#directory}/${path}`,
      bytes: content.length,
      compressedBytes: content.length,
      crc: crc32(content),
      offset: this.#bytes,
      stored: true,
    };
    await this.#write(localHeader(member));
    await this.#write(content);
    this.#central.push(centralHeader(member));
  }

  /** Writes the directory. */
  async end(): Promise<ZipWritten> {
    const offset = this.#bytes;
    for (const header of this.#central) await this.#write(header);
    await this.#write(endRecords(this.#central.length, offset, this.#bytes - offset));
    await this.#flush();
    return { bytes: this.#bytes, sha256: this.#hash.digest('hex') };
  }

  async #write(bytes: Uint8Array): Promise<void> {
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
    this.#bytes += bytes.length;
    if (this.#pendingBytes >= writeBufferBytes) await this.#flush();
  }

  async #flush(): Promise<void> {
    const bytes = Buffer.concat(this.#pending);
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#hash.update(bytes);
    await this.#output.writeFile(bytes);
  }
}

/** A file, deflated; most are small, and a stream for each would cost more than its work. */
async function* deflated(
  location: string,
  bytes: number,
  onContent: (piece: Uint8Array) => void,
): AsyncGenerator<Uint8Array> {
  if (bytes <= compressAtOnceBytes) {
    const content = await readFile(location);
    onContent(content);
    yield deflateRawSync(content, DEFLATE);
    return;
  }
  const source = createReadStream(location, { highWaterMark: compressAtOnceBytes });
  source.on('data', (piece) => {
    onContent(Buffer.from(piece));
  });
  const deflate = createDeflateRaw(DEFLATE);
  source.on('error', (error) => deflate.destroy(error));
  for await (const piece of source.pipe(deflate)) yield Buffer.from(piece);
}
