/** Which grants were used since a time: what else in the house has to know that people had agreed to something. */

import type { Store } from '../store/store.ts';
import { type HoldRecord, parseHold } from './hold-record.ts';

/** Of one gateway; the newest first. */
export interface TakenQuery {
  readonly node: string;
  /** Uses that ended, or go on, after this time. */
  readonly sinceUs: number;
  readonly limit: number;
}

/**
 * Uses that may have had their effect: what goes on, what was done, and what nobody knows the end of. What was opened
 * in an emergency was agreed to by nobody, and is left out.
 */
export async function takenGrants(store: Store, query: TakenQuery): Promise<readonly HoldRecord[]> {
  const { node, sinceUs, limit } = query;
  const rows = await store.db
    .selectFrom('holds')
    .selectAll()
    .where('taken_node', '=', node)
    .where('opening', 'is', null)
    .where('changed_us', '>=', sinceUs)
    .where((eb) =>
      eb.or([
        eb('state', 'in', ['executing', 'executed']),
        eb.and([eb('state', '=', 'failed'), eb('outcome', '=', 'unknown')]),
      ]),
    )
    .orderBy('changed_us', 'desc')
    .limit(limit)
    .execute();
  return rows.map(parseHold);
}
