/** Node's SHA-256 for the ledger package, whose own is several times slower. */

import { hash } from 'node:crypto';
import { useSha256 } from '@countersign/ledger/sha256';

/** For this thread; each thread that hashes calls it. */
export function plugNativeSha256(): void {
  // A digest as a string and back takes half the time of one as a buffer, for which Node makes a copy.
  useSha256((data) => Buffer.from(hash('sha256', data, 'binary'), 'binary'));
}
