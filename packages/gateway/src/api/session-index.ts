/** Sessions out of the store's index: newest first, page by page. The ledger is the truth. */

import { formatTimeUs } from '../core/clock.ts';
import { CountersignError } from '../core/errors.ts';
import type { PrincipalId } from '../core/ids.ts';
import type { SessionsTable } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import type { SessionRow, SessionsAnswer } from './answers.ts';
import { optionalTime } from './moments.ts';
import type { Caller } from './who-may.ts';

export interface SessionFilter {
  /** Only those of this principal. */
  readonly principalId: PrincipalId | undefined;
  readonly name: string | undefined;
  readonly connection: string | undefined;
  /** Started in this period. */
  readonly fromUs: number | undefined;
  readonly toUs: number | undefined;
  readonly open: boolean;
  /** Id of a session; those before it follow. */
  readonly before: string | undefined;
  readonly limit: number;
}

/** One page; ids sort by the time of their session's start. */
export async function listSessions(store: Store, filter: SessionFilter): Promise<SessionsAnswer> {
  const { principalId, name, connection, fromUs, toUs, open, before, limit } = filter;
  let query = store.db.selectFrom('sessions').selectAll();
  if (principalId !== undefined) query = query.where('principal_id', '=', principalId);
  if (name !== undefined) query = query.where('name', '=', name);
  if (connection !== undefined) query = query.where('connection', '=', connection);
  if (fromUs !== undefined) query = query.where('started_us', '>=', fromUs);
  if (toUs !== undefined) query = query.where('started_us', '<', toUs);
  if (open) query = query.where('ended_us', 'is', null);
  if (before !== undefined) query = query.where('id', '<', before);
  // One more than asked for says whether there is a next page.
  const rows = await query
    .orderBy('id', 'desc')
    .limit(limit + 1)
    .execute();
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return {
    sessions: page.map(sessionRow),
    ...(rows.length > limit && last !== undefined ? { next: last.id } : {}),
  };
}

/** A session that the caller may see; others do not exist for them. */
export async function findSession(store: Store, id: string, caller: Caller): Promise<SessionsTable> {
  const row = await store.db.selectFrom('sessions').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined || (row.principal_id !== caller.principal.id && !caller.mayOthers)) {
    throw new CountersignError('NOT_FOUND', { what: `session ${id}` });
  }
  return row;
}

/** The row as it is shown. */
export function sessionRow(row: SessionsTable): SessionRow {
  const { id, name, connection, database, address, client, statements } = row;
  return {
    id,
    name,
    connection,
    database,
    address,
    client,
    statements,
    startedAt: formatTimeUs(row.started_us),
    ...optionalTime('endedAt', row.ended_us),
    status: row.status ?? 'open',
    firstLeaf: row.first_leaf,
    ...(row.last_leaf === null ? {} : { lastLeaf: row.last_leaf }),
  };
}
