/** What verification needs of where it runs: a browser or Node. */

import type { Ed25519Verify } from '@countersign/ledger/note';

/** A file, read where it is needed. */
export interface Source {
  readonly size: number;
  /** Bytes [from, to); both are within the file. */
  read(from: number, to: number): Promise<Uint8Array>;
}

/** SHA-256 of what comes in pieces. */
export interface StreamingHash {
  update(bytes: Uint8Array): void;
  /** Hex; called once. */
  digest(): Promise<string>;
}

export interface Host {
  readonly verifyEd25519: Ed25519Verify;
  makeHash(): StreamingHash;
  /** CRC-32 of ISO 3309 over `before` and these bytes; 0 to begin with. */
  crc32(bytes: Uint8Array, before: number): number;
  /**
   * Inflates at once, where the platform can: undefined where it would be more than `bytesMax`.
   *
   * @throws where the bytes are not exactly one deflate stream
   */
  readonly inflateRaw?: (deflated: Uint8Array, bytesMax: number) => Uint8Array | undefined;
}
