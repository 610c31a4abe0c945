/** Verification in Node: OpenSSL's SHA-256 and Ed25519, and a file on disk. */

import { createHash, createPublicKey, verify } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { useSha256 } from '@countersign/ledger/sha256';
import type { Host, Source, StreamingHash } from './host.ts';

/** RFC 8410: the DER of an Ed25519 public key is this and 32 bytes. */
const PUBLIC_DER_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/** The host, with the ledger's SHA-256 plugged in for this whole process. */
export function nodeHost(): Host {
  useSha256((data) => new Uint8Array(createHash('sha256').update(data).digest()));
  return { verifyEd25519, makeHash };
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

function makeHash(): StreamingHash {
  const hash = createHash('sha256');
  return {
    update: (bytes) => {
      hash.update(bytes);
    },
    digest: async () => hash.digest('hex'),
  };
}
