/** Node's SHA-256 for the ledger package, whose own is several times slower. */

import { hash } from 'node:crypto';
import { useSha256 } from '@countersign/ledger/sha256';

/** For this thread; each thread that hashes calls it. */
export function plugNativeSha256(): void {
  useSha256((data) => hash('sha256', data, 'buffer'));
}
