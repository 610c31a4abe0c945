/** What of a session is open at the target while people are asked, and what may be done then. */

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

/** What may be done about a statement that is held. */
export interface MayDo {
  /** Its client may wait. */
  readonly wait: boolean;
  /** An approval may be used: whether it is for what the statement means now can be asked. */
  readonly use: boolean;
}

/**
 * Inside of a transaction a client waits where every rule that holds the statement says so. Not where the
 * transaction sees the database as it was when it began, and then nothing that was approved is used in it
 * either: whether a table, a trigger or a function is another by now could not be asked in it.
 */
export async function mayDo(
  open: OpenAtTarget,
  held: readonly Pick<Held, 'rule'>[],
  ground: Pick<Ground, 'ask'>,
): Promise<MayDo> {
  if (open === 'nothing') return { wait: true, use: true };
  const [isolation] = rowsOf(await ground.ask(ISOLATION));
  const use = SEES_CHANGES.has(isolation?.[0]);
  const isLet = held.every(({ rule }) => rule.hold?.inTransaction === 'wait');
  return { wait: use && isLet && open === 'transaction', use };
}
