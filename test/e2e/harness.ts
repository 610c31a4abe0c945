/** A real gateway in front of a real PostgreSQL, in this process, for tests. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type PostgresOptions,
  type PostgresServer,
  startPostgres,
} from '../../examples/demo/postgres-server.ts';
import { LogReader } from '../../packages/gateway/src/audit/log-reader.ts';
import { openStoredBody } from '../../packages/gateway/src/audit/find-leaf.ts';
import { loadConfig } from '../../packages/gateway/src/config/config.ts';
import { type RunningGateway, startGateway } from '../../packages/gateway/src/main.ts';
import { parseResources } from '../../packages/gateway/src/resources/parse.ts';
import { bodyValues } from '../../packages/ledger/src/body.ts';
import type { Json } from '../../packages/ledger/src/jcs.ts';
import { type Leaf, parseLeaf } from '../../packages/ledger/src/leaf.ts';

export interface Harness {
  readonly gateway: RunningGateway;
  readonly server: PostgresServer;
  readonly data: string;
  /** Errors that the gateway told its operator. */
  readonly errors: string[];
  token(name: string): Promise<string>;
  apply(yaml: string): Promise<void>;
  /** The log once every session is over, with the bodies that can be opened. */
  finishedLog(): Promise<LoggedEvent[]>;
  /** The log so far, with the bodies that can be opened. */
  log(): Promise<LoggedEvent[]>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface LoggedEvent {
  readonly leaf: Leaf;
  readonly body: Readonly<Record<string, Json>>;
}

const PEOPLE = `
kind: Person
name: ana
displayName: Ana Analyst
---
kind: Group
name: search
members: [ana]
---
kind: Person
name: otto
displayName: Otto Outsider
---
kind: Access
name: search-team
who: [group:search]
to: [db]
`;

/** @param config YAML beyond the ports */
export async function startHarness(
  options: { readonly config?: string; readonly postgres?: PostgresOptions; readonly tls?: string } = {},
): Promise<Harness> {
  // The gateway promises that its own files last; what the target has is gone with the test.
  const settings = { fsync: 'off', ...options.postgres?.settings };
  const server = await startPostgres({ ...options.postgres, settings });
  const data = await mkdtemp(join(tmpdir(), 'countersign-e2e-'));
  const errors: string[] = [];
  const config = loadConfig(options.config, { data: join(data, 'gateway'), postgresPort: 0, apiPort: 0 });
  const gateway = await startGateway(config, {
    env: { DB_PASSWORD: server.password },
    onError: (error, where) =>
      errors.push(
        `${where}: ${error.code} ${error.message} ${error.cause instanceof Error ? error.cause.message : ''}`,
      ),
  });
  const { rooms } = gateway;
  const apply = async (yaml: string): Promise<void> => {
    await rooms.resources.apply(parseResources(yaml), { name: 'test', kind: 'system', keyId: rooms.bootId });
  };
  await apply(`
kind: Connection
name: db
protocol: postgres
target: { host: ${options.tls === undefined ? server.host : 'localhost'}, port: ${server.port}, database: postgres, tls: ${options.tls ?? 'disable'} }
credential: { user: postgres, password: { env: DB_PASSWORD } }
---${PEOPLE}`);
  const harness: Harness = {
    gateway,
    server,
    data,
    errors,
    apply,
    async token(name) {
      const owner = await rooms.identity.principals.findByName(name);
      if (owner === undefined) throw new Error(`nobody is called ${name}`);
      const made = await rooms.identity.tokens.createToken(owner, {
        name: 'test',
        lifetimeMs: 3_600_000,
        createdBy: undefined,
      });
      return made.token.reveal();
    },
    async finishedLog() {
      await Promise.all(gateway.sessions.list().map((session) => session.closed));
      return harness.log();
    },
    async log() {
      const reader = new LogReader(config.ledger.directory);
      const events: LoggedEvent[] = [];
      for await (const { leaf, sealed } of reader.leaves(0, rooms.ledger.size)) {
        const parsed = parseLeaf(leaf);
        if (parsed.kind !== 'leaf') throw new Error(`leaf of version ${parsed.v}`);
        const body = await openStoredBody(parsed.leaf, sealed, rooms.keys);
        events.push({ leaf: parsed.leaf, body: body === undefined ? {} : bodyValues(body) });
      }
      return events;
    },
    async [Symbol.asyncDispose]() {
      await gateway.close('the test is over');
      await server.stop();
      await rm(data, { recursive: true, force: true });
    },
  };
  return harness;
}
