/** Leaves as they lie in the journal: whoever reads them back finds the log's own, or a broken log. */

import { type Leaf, parseLeaf } from '@countersign/ledger/leaf';
import { CountersignError, reasonOf } from '../core/errors.ts';

/** The leaf of this index; LEDGER_INCONSISTENT where the bytes are not it. */
export function parseOwnLeaf(bytes: Uint8Array, index: number): Leaf {
  let parsed: ReturnType<typeof parseLeaf>;
  try {
    parsed = parseLeaf(bytes);
  } catch (error) {
    throw inconsistent(`leaf ${index}: ${reasonOf(error)}`, error);
  }
  if (parsed.kind !== 'leaf') throw inconsistent(`leaf ${index} is of version ${parsed.v}`);
  if (parsed.leaf.n !== index) throw inconsistent(`leaf ${parsed.leaf.n} at position ${index}`);
  return parsed.leaf;
}

export function inconsistent(reason: string, cause?: unknown): CountersignError {
  return new CountersignError('LEDGER_INCONSISTENT', { reason }, { cause });
}
