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
}
