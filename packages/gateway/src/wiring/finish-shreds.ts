/**
 * A shred whose leaf was signed and whose key is still there: the process ended between the two. The
 * leaf is true only when the key is gone, so a start destroys it before anybody is let in.
 */

import { parseLeaf } from '@countersign/ledger/leaf';
import { bodyValues } from '@countersign/ledger/body';
import { openStoredBody } from '../audit/find-leaf.ts';
import type { Ledger } from '../audit/ledger.ts';
import type { LogReader } from '../audit/log-reader.ts';
import type { ScopeKeys } from '../core/ledger-port.ts';

export async function finishShreds(ledger: Ledger, reader: LogReader, keys: ScopeKeys): Promise<void> {
  const scopes = new Set<string>();
  for (const index of ledger.shreds) {
    const stored = await reader.leaf(index);
    if (stored === undefined) continue;
    const parsed = parseLeaf(stored.leaf);
    if (parsed.kind !== 'leaf') continue;
    const body = await openStoredBody(parsed.leaf, stored.sealed, keys);
    const scope = body === undefined ? undefined : bodyValues(body)['scope'];
    if (typeof scope !== 'string') continue;
    // A second leaf takes the first one back: its key could not be destroyed, and who asked was told.
    if (parsed.leaf.status === 'ok') scopes.add(scope);
    else scopes.delete(scope);
  }
  for (const scope of scopes) await keys.destroy(scope);
}
