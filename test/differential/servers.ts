/** One PostgreSQL with the gateway in front of it, as two endpoints that must behave alike. */

import { type Harness, startHarness } from '../e2e/harness.ts';
import type { Endpoint } from './wire-client.ts';

export interface Pair {
  readonly direct: Endpoint;
  readonly through: Endpoint;
  readonly harness: Harness;
}

/** @param version as startPostgres takes it */
export async function startPair(version: string): Promise<Pair> {
  const harness = await startHarness({
    config: 'tls: { mode: off }',
    postgres: {
      version,
      settings: { fsync: 'off', max_prepared_transactions: '5', log_min_messages: 'fatal' },
    },
  });
  const { port, password } = harness.server;
  return {
    harness,
    direct: { port, user: 'postgres', database: 'postgres', password },
    through: {
      port: harness.gateway.postgres.port,
      user: 'ana',
      database: 'db',
      password: await harness.token('ana'),
    },
  };
}
