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

/** Ends every session, and waits for their last leaves as long as a shutdown may take. */
export async function drain(sessions: LiveSessions, reason: string): Promise<void> {
  for (const session of sessions.list()) session.end({ reason: `the gateway is shutting down: ${reason}` });
  const closed = Promise.all(sessions.list().map((session) => session.closed));
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, LIMITS.shutdown.drainMs);
  await Promise.race([closed, late]);
  clearTimeout(timer);
}
