/** What tests with a real client begin with: clients, versions of the server, and what people say to a hold. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Client, type ClientConfig, type DatabaseError } from 'pg';
import { type HoldId, parseId } from '../../packages/gateway/src/core/ids.ts';
import { requirePresent } from '../real/require-present.ts';
import type { Harness } from './harness.ts';

const DEBIAN = '/usr/lib/postgresql/15/bin';

/** Rules see everything that ana does, and stop nothing of it. */
export const ANYTHING = `
kind: Access
name: search-team
who: [group:search]
to: [db]
may: [read, write, export, define, maintain, grant, run, administer, unknown]
`;

export interface ServerVersion {
  /** As startHarness takes it. */
  readonly version: string;
  readonly major: number;
  readonly isPresent: boolean;
}

/** The newest server, and the oldest. */
export function serverVersions(): readonly ServerVersion[] {
  const isPresent = requirePresent('PostgreSQL 15', existsSync(join(DEBIAN, 'postgres')));
  return [
    { version: 'embedded', major: 18, isPresent: true },
    { version: DEBIAN, major: 15, isPresent },
  ];
}

/** Those, and the two between them, which the private root brings along. */
export function everyServerVersion(): readonly ServerVersion[] {
  const between = [17, 16].map((major) => ({ version: `embedded-${major}`, major, isPresent: true }));
  return [...serverVersions(), ...between];
}

/** Past the gateway, as the superuser. */
export async function directly({ server }: Harness, database = 'postgres'): Promise<Client> {
  const { host, port, password } = server;
  const client = new Client({ host, port, user: 'postgres', password, database });
  await client.connect();
  return client;
}

/** As ana, where nothing else is said. */
export async function through({ gateway }: Harness, token: string, more: ClientConfig = {}): Promise<Client> {
  const { host, port } = gateway.postgres;
  const client = new Client({ host, port, user: 'ana', password: token, database: 'db', ...more });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** The error that it must end with. */
export async function failure(promise: Promise<unknown>): Promise<DatabaseError> {
  return promise.then(
    () => {
      throw new Error('it ran');
    },
    (error: DatabaseError) => error,
  );
}

export async function rowsOf(client: Client, table: string): Promise<number> {
  const found = await client.query<{ n: number }>(`select count(*)::int n from ${table}`);
  return found.rows[0]?.n ?? -1;
}

/** The hold that a notice or an error names. */
export function holdIn(text: string | undefined): HoldId | undefined {
  const found = /hld_[0-9a-z]+/i.exec(text ?? '')?.[0];
  return found === undefined ? undefined : parseId('hold', found);
}

export async function vote(
  { gateway }: Harness,
  id: HoldId,
  name: string,
  decision: 'approve' | 'deny' = 'approve',
): ReturnType<Harness['gateway']['approvals']['vote']> {
  const voter = await gateway.rooms.identity.principals.findByName(name);
  if (voter === undefined) throw new Error(`nobody is called ${name}`);
  return gateway.approvals.vote(id, voter.id, { decision, comment: 'looked at' });
}

/** Decides about what is asked by clients that wait, one after the other, until this one has its answers: how many those were. */
export async function deciding(
  { gateway }: Harness,
  answered: Promise<unknown>,
  decide: (id: HoldId) => Promise<unknown>,
): Promise<number> {
  const seen = new Set<HoldId>();
  const state = { over: false };
  void answered.then(() => (state.over = true));
  for (;;) {
    // What is refused while it asks is over before anybody has looked.
    const { over } = state;
    // oxlint-disable-next-line no-await-in-loop -- It is looked at again.
    for (const { id } of await gateway.approvals.page(undefined, 'open', 100)) {
      if (seen.has(id)) continue;
      seen.add(id);
      // oxlint-disable-next-line no-await-in-loop -- One behind the other.
      await decide(id);
    }
    if (over) return seen.size;
    // oxlint-disable-next-line no-await-in-loop -- It is looked at again.
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** What was approved in one test is not for the next. */
export async function withdrawAll({ gateway: { approvals } }: Harness): Promise<void> {
  for (const { id, principalId } of await approvals.page(undefined, 'open', 100)) {
    // oxlint-disable-next-line no-await-in-loop -- One behind the other.
    await approvals.withdraw(id, principalId, 'the test is over');
  }
}
