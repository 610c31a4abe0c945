/** A gateway with or without Masks in front of copies of the battery's database, and how to come in. */

import type { Endpoint } from '../differential/wire-client.ts';
import { type Harness, startHarness } from '../e2e/harness.ts';
import { DatabaseCopy, makeTemplate, SERVER_SETTINGS } from './copies.ts';
import { connection, EVERYTHING_MAY } from './masks.ts';

export interface Rig {
  readonly harness: Harness;
  /** By the name of their connections. */
  readonly copies: ReadonlyMap<string, DatabaseCopy>;
  through(name: string): Endpoint;
  directly(name: string): Endpoint;
  [Symbol.asyncDispose](): Promise<void>;
}

interface RigOptions {
  /** As startPostgres takes it. */
  readonly version: string;
  readonly masks: string;
  /** Connections, and the SQL that makes the database of each. */
  readonly databases: Readonly<Record<string, readonly string[]>>;
}

export async function startRig({ version, masks, databases }: RigOptions): Promise<Rig> {
  const harness = await startHarness({ postgres: { version, settings: SERVER_SETTINGS } });
  const { server } = harness;
  const copies = new Map<string, DatabaseCopy>();
  const names = Object.keys(databases);
  for (const [name, texts] of Object.entries(databases)) {
    await makeTemplate(server, `${name}_template`, texts);
    const copy = new DatabaseCopy(server, name, `${name}_template`);
    await copy.renew();
    copies.set(name, copy);
  }
  const connections = names.map((name) => connection(name, server.port, name));
  const access = EVERYTHING_MAY.replace('CONNECTIONS', names.join(', '));
  await harness.apply([...connections, access, ...(masks === '' ? [] : [masks])].join('---\n'));
  const token = await harness.token('ana');
  return {
    harness,
    copies,
    through: (name) => ({
      port: harness.gateway.postgres.port,
      user: 'ana',
      database: name,
      password: token,
    }),
    directly: (name) => ({ port: server.port, user: 'postgres', database: name, password: server.password }),
    async [Symbol.asyncDispose]() {
      for (const copy of copies.values()) await copy.close();
      await harness[Symbol.asyncDispose]();
    },
  };
}

export function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('it is not there');
  return value;
}
