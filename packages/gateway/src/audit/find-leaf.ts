/** Looks for a leaf by its type, time and body; for start-up and for single questions, not for reports. */

import { bodyValues, type OpenedBody } from '@countersign/ledger/body';
import { type Leaf, parseLeaf } from '@countersign/ledger/leaf';
import { formatTimeUs } from '../core/clock.ts';
import type { ScopeKeys } from '../core/ledger-port.ts';
import type { LogReader } from './log-reader.ts';
import { keyIdOf, unsealBody } from './sealed-body.ts';

export interface LeafQuery {
  readonly types: ReadonlySet<string>;
  readonly sinceUs: number;
  readonly matches: (values: ReturnType<typeof bodyValues>, leaf: Leaf) => boolean;
}

/** The first leaf that matches; a leaf whose body was shredded cannot. */
export async function findLeaf(
  reader: LogReader,
  keys: ScopeKeys,
  query: LeafQuery,
): Promise<Leaf | undefined> {
  const since = formatTimeUs(query.sinceUs);
  for await (const { leaf: bytes, sealed } of reader.leaves(0)) {
    const parsed = parseLeaf(bytes);
    if (parsed.kind !== 'leaf' || parsed.leaf.t < since || !query.types.has(parsed.leaf.type)) continue;
    const body = await openStoredBody(parsed.leaf, sealed, keys);
    if (body !== undefined && query.matches(bodyValues(body), parsed.leaf)) return parsed.leaf;
  }
  return undefined;
}

/** The body of a leaf; undefined where it has none, or its key was destroyed. */
export async function openStoredBody(
  leaf: Leaf,
  sealed: Uint8Array,
  keys: Pick<ScopeKeys, 'find'>,
): Promise<OpenedBody | undefined> {
  if (leaf.body === undefined || sealed.length === 0) return undefined;
  const key = await keys.find(keyIdOf(sealed));
  return key === undefined ? undefined : unsealBody(sealed, leaf.body, key);
}
