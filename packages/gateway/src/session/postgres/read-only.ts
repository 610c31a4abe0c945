/** Questions of ours that approvers are shown the answers to, where nothing of the session is open at the target. */

import { LIMITS } from '../../core/limits.ts';
import { CountersignError } from '../../core/errors.ts';
import { errorOf } from './exchange.ts';
import type { Ground } from './ground.ts';

/** Whatever the session's defaults are. */
const BEGIN = 'BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY NOT DEFERRABLE';

/** In a transaction that can write nothing, that is undone, and that is over after a bounded time. */
export async function inReadOnly<T>(ground: Pick<Ground, 'ask'>, questions: () => Promise<T>): Promise<T> {
  await must(ground, BEGIN);
  try {
    await must(
      ground,
      `SELECT pg_catalog.set_config('statement_timeout', '${LIMITS.policy.lookTimeoutMs}', true)`,
    );
    return await questions();
  } finally {
    await end(ground);
  }
}

/** What runs next must not be in it: the session ends where it is still there. */
async function end(ground: Pick<Ground, 'ask'>): Promise<void> {
  try {
    await must(ground, 'ROLLBACK');
  } catch (cause) {
    throw new CountersignError('INTERNAL', {}, { cause });
  }
}

async function must(ground: Pick<Ground, 'ask'>, text: string): Promise<void> {
  const answer = await ground.ask(text);
  const error = errorOf(answer);
  if (error === undefined && answer.outcome === 'completed') return;
  const reason = error === undefined ? answer.outcome : `${error.sqlstate} ${error.message}`;
  throw new CountersignError('GATEWAY_STATEMENT_FAILED', { what: text.slice(0, 40), reason });
}
