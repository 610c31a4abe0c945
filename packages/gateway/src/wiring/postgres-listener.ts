/** The PostgreSQL listener over the open rooms: each client that has authenticated gets a session. */

import type { Config } from '../config/config.ts';
import type { CountersignError } from '../core/errors.ts';
import { PostgresListener } from '../listeners/postgres-listener.ts';
import { runPostgresSession } from '../session/postgres/open-session.ts';
import type { SessionPorts } from '../session/session-ports.ts';
import { listenerTls } from './listener-tls.ts';
import type { Rooms } from './rooms.ts';

interface Others {
  readonly randomBytes: (length: number) => Uint8Array;
  readonly onError: (error: CountersignError, where: string) => void;
}

/** One that does not listen yet. */
export async function makePostgresListener(
  config: Config,
  rooms: Rooms,
  ports: SessionPorts,
  { randomBytes, onError }: Others,
): Promise<PostgresListener> {
  return new PostgresListener({
    ...config.listen.postgres,
    tls: await listenerTls(config, Math.floor(rooms.clock.nowUs() / 1000), randomBytes),
    identity: rooms.identity.identity,
    sessions: ports.sessions,
    randomBytes,
    onError,
    runSession: (client, who) =>
      runPostgresSession(
        {
          ...who,
          tls: client.tlsVersion ?? 'none',
          socket: client.socket,
          rest: client.release(),
        },
        ports,
      ),
  });
}
