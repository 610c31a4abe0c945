/**
 * What was taken away ends what is live, within a second: a revoked token, a disabled person, a grant
 * or a connection that is gone.
 */

import { LIMITS } from '../core/limits.ts';
import type { IdentityRoom } from '../identity/identity.ts';
import type { Resources } from '../resources/resources.ts';
import type { LiveSessions } from '../session/live-sessions.ts';

export function endWhatLostItsGround(sessions: LiveSessions, room: IdentityRoom, resources: Resources): void {
  room.tokens.onRevoked((id) => {
    sessions.endWhere((session) => session.tokenId === id, { reason: 'its token was revoked' });
  });
  room.principals.onDisabled((id) => {
    sessions.endWhere((session) => session.principal.id === id, { reason: 'its principal was disabled' });
  });
  resources.onChange(() => {
    const gone = { reason: 'its access has ended' };
    sessions.endWhere(
      (session) =>
        !resources.stillAllowed(currentPrincipal(session.principal, resources), session.connection),
      gone,
    );
  });
}

/** Groups may have changed since the login. */
function currentPrincipal<P extends { readonly name: string }>(principal: P, resources: Resources): P {
  return { ...principal, groups: resources.groupsOf(principal.name) };
}

/**
 * Ends every session: one that is idle at once, one whose statement runs when it is over, or after the
 * time that statements are given. Then waits for their last leaves.
 */
export async function drain(sessions: LiveSessions, reason: string): Promise<void> {
  const why = { reason: `the gateway is shutting down: ${reason}` };
  sessions.close();
  for (const session of sessions.list()) session.endWhenIdle(why);
  await allClosed(sessions, LIMITS.shutdown.statementsMs);
  for (const session of sessions.list()) session.end(why);
  await allClosed(sessions, LIMITS.shutdown.drainMs);
}

async function allClosed(sessions: LiveSessions, timeoutMs: number): Promise<void> {
  const closed = Promise.all(sessions.list().map((session) => session.closed));
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, timeoutMs);
  await Promise.race([closed, late]);
  clearTimeout(timer);
}

/** Writes down what was held back of refused logins, from time to time; gives what stops it. */
export function keepFlushing(room: IdentityRoom): () => void {
  const timer = setInterval(
    () => void room.attempts.flush('due').catch(() => undefined),
    LIMITS.identity.lockMs,
  );
  return () => clearInterval(timer);
}
