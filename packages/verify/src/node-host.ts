/** Verification in Node: OpenSSL's SHA-256 and Ed25519, and a file on disk. */

import { createHash, createPublicKey, hash as hashOnce, verify } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { crc32, type InflateRaw, inflateRawSync } from 'node:zlib';
import { useSha256 } from '@countersign/ledger/sha256';
import type { Host, Source, StreamingHash } from './host.ts';

/** RFC 8410: the DER of an Ed25519 public key is this and 32 bytes. */
const PUBLIC_DER_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/** The host, with the ledger's SHA-256 plugged in for this whole process. */
export function nodeHost(): Host {
  useSha256((data) => hashOnce('sha256', data, 'buffer'));
  return { verifyEd25519, makeHash, crc32, inflateRaw };
}

/** A file that is open until it is disposed of. */
export class FileSource implements Source {
  readonly size: number;
  readonly #handle: FileHandle;

  private constructor(handle: FileHandle, size: number) {
    this.#handle = handle;
    this.size = size;
  }

  static async open(path: string): Promise<FileSource> {
    const handle = await open(path, 'r');
    const stat = await handle.stat();
    if (stat.isFile()) return new FileSource(handle, stat.size);
    await handle.close();
    throw new Error(`${path} is not a file`);
  }

  async read(from: number, to: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(to - from);
    let at = 0;
    while (at < bytes.length) {
      const { bytesRead } = await this.#handle.read(bytes, at, bytes.length - at, from + at);
      if (bytesRead === 0) throw new Error('the file has become shorter');
      at += bytesRead;
    }
    return bytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }
}

function verifyEd25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const key = createPublicKey({
    key: Buffer.concat([PUBLIC_DER_PREFIX, publicKey]),
    format: 'der',
    type: 'spki',
  });
  return verify(null, message, key, signature);
}

function inflateRaw(deflated: Uint8Array, bytesMax: number): Uint8Array | undefined {
  try {
    // The types do not know what `info` does.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- With it, this is what is returned.
    const { buffer, engine } = inflateRawSync(deflated, {
      info: true,
      maxOutputLength: Math.max(1, bytesMax),
    }) as unknown as { readonly buffer: Buffer; readonly engine: InflateRaw };
    if (engine.bytesWritten !== deflated.length) throw new Error('bytes follow the deflated data');
    return buffer;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE') return undefined;
    throw error;
  }
}

function makeHash(): StreamingHash {
  const hash = createHash('sha256');
  return {
    update: (bytes) => {
      hash.update(bytes);
    },
    digest: async () => hash.digest('hex'),
  };
}
