/** The ports of the gateway over the open rooms: PostgreSQL, and HTTP. */

import type { Config } from '../config/config.ts';
import type { CountersignError } from '../core/errors.ts';
import { HttpListener } from '../listeners/http-listener.ts';
import { HttpGate } from '../session/http/http-gate.ts';
import type { SessionPorts } from '../session/session-ports.ts';
import { httpPorts } from './http-ports.ts';
import { listenerTls } from './listener-tls.ts';
import { makePostgresListener } from './postgres-listener.ts';
import type { Rooms, RoomsOptions } from './rooms.ts';

interface Others extends Pick<RoomsOptions, 'env'> {
  readonly randomBytes: (length: number) => Uint8Array;
  readonly onError: (error: CountersignError, where: string) => void;
}

export interface Listeners {
  readonly postgres: { readonly host: string; readonly port: number };
  readonly http: { readonly host: string; readonly port: number };
  /** Takes no more clients. */
  close(): Promise<void>;
  /** After the sessions were ended: whatever is still open goes. */
  dropAll(): void;
}

/** Both listen when it resolves; none does when it rejects. */
export async function startListeners(
  config: Config,
  rooms: Rooms,
  ports: SessionPorts,
  others: Others,
): Promise<Listeners> {
  const { onError, randomBytes, env } = others;
  const postgres = await makePostgresListener(config, rooms, ports, others);
  const forHttp = httpPorts(config, rooms, ports, env);
  const http = new HttpListener({
    ...config.listen.http,
    tls: await listenerTls(config, Math.floor(rooms.clock.nowUs() / 1000), randomBytes),
    gate: new HttpGate(forHttp),
    onError,
  });
  const postgresAt = await postgres.listen();
  try {
    const httpAt = await http.listen();
    return {
      postgres: postgresAt,
      http: httpAt,
      close: async () => {
        await Promise.all([postgres.close(), http.close()]);
      },
      dropAll: () => {
        postgres.dropAll();
        http.dropAll();
        forHttp.upstream.close();
      },
    };
  } catch (error) {
    await postgres.close();
    throw error;
  }
}
