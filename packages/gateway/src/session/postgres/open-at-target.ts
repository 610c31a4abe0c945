/** What of a session is open at the target while people are asked, and whether its client may wait then. */

import { rowsOf } from './exchange.ts';
import type { Held } from './asking.ts';
import type { Ground } from './ground.ts';

/**
 * `nothing`; the client's own `transaction`, without the statement; or `all`: the statement ran and stands,
 * or what is before it in its pipeline does.
 */
export type OpenAtTarget = 'nothing' | 'transaction' | 'all';

const ISOLATION = `SELECT pg_catalog.current_setting('transaction_isolation')`;

/** Each question sees what others have committed before it. */
const SEES_CHANGES: ReadonlySet<string | undefined> = new Set(['read committed', 'read uncommitted']);

/**
 * Inside of a transaction a client waits where every rule that holds the statement says so. Not where the
 * transaction sees the database as it was when it began: whether a table, a trigger or a function is another
 * by the end of the wait could not be asked in it.
 */
export async function mayWait(
  open: OpenAtTarget,
  held: readonly Pick<Held, 'rule'>[],
  ground: Pick<Ground, 'ask'>,
): Promise<boolean> {
  if (open !== 'transaction') return open === 'nothing';
  if (!held.every(({ rule }) => rule.hold?.inTransaction === 'wait')) return false;
  const [isolation] = rowsOf(await ground.ask(ISOLATION));
  return SEES_CHANGES.has(isolation?.[0]);
}
