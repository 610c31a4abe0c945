/**
 * A database that is new for each script: made again from its template whenever something has written.
 *
 * Whether something has is told by the server's counter of transactions: who only reads takes no number. The
 * counter is of all the copies of a server: each script is followed by a look, so that what has taken a number
 * since the last one wrote in the copies in which the script ran.
 */

import { Client } from 'pg';
import type { PostgresServer } from '../../examples/demo/postgres-server.ts';
import type { Surroundings } from './session-script.ts';

/** What the battery needs of a server. Nothing runs in it of itself, so that only scripts write. */
export const SERVER_SETTINGS: Readonly<Record<string, string>> = {
  fsync: 'off',
  autovacuum: 'off',
  wal_level: 'logical',
  max_connections: '60',
  // Nothing of it outlives the test.
  full_page_writes: 'off',
};

/** Of each server: its counter when every copy was new. */
const seen = new WeakMap<PostgresServer, string>();

export class DatabaseCopy implements Surroundings {
  readonly #server: PostgresServer;
  readonly #name: string;
  readonly #template: string;
  #admin: Client | undefined;
  #other: Client | undefined;

  constructor(server: PostgresServer, name: string, template: string) {
    this.#server = server;
    this.#name = name;
    this.#template = template;
  }

  get name(): string {
    return this.#name;
  }

  get dataDir(): string {
    return this.#server.dataDir;
  }

  /** Another session in the copy, the same for a whole script. */
  readonly elsewhere = async (): Promise<Client> => {
    this.#other ??= await connected(this.#server, this.#name);
    return this.#other;
  };

  /** Throws away the copy, and makes it again. */
  async renew(): Promise<void> {
    const admin = await this.#connection();
    await this.#endOther();
    // Half the time of a copy by way of the log, which nobody reads here.
    await admin.query(`drop database if exists ${this.#name} with (force)`);
    await admin.query(`create database ${this.#name} template ${this.#template} strategy file_copy`);
    seen.set(this.#server, await this.#next());
  }

  /** Makes it again if anything in the server took the number of a transaction: a script ran in no other copy. */
  async renewIfWritten(): Promise<void> {
    await DatabaseCopy.renewIfWritten([this]);
  }

  /** Makes all of these again if anything in their server did: they are the copies in which a script ran. */
  static async renewIfWritten(copies: readonly DatabaseCopy[]): Promise<void> {
    const [first] = copies;
    if (first === undefined) return;
    const isWritten = (await first.#next()) !== seen.get(first.#server);
    for (const copy of copies) {
      if (isWritten) await copy.renew();
      else await copy.#endOther();
    }
  }

  async #endOther(): Promise<void> {
    await this.#other?.end();
    this.#other = undefined;
  }

  async close(): Promise<void> {
    await this.#endOther();
    await this.#admin?.end();
    this.#admin = undefined;
  }

  async #next(): Promise<string> {
    const admin = await this.#connection();
    const { rows } = await admin.query<{ next: string }>(
      'select pg_snapshot_xmax(pg_current_snapshot())::text as next',
    );
    return rows[0]?.next ?? '';
  }

  async #connection(): Promise<Client> {
    this.#admin ??= await connected(this.#server, 'postgres');
    return this.#admin;
  }
}

/** Makes a template from what SQL says. */
export async function makeTemplate(
  server: PostgresServer,
  name: string,
  texts: readonly string[],
  from = 'template1',
): Promise<void> {
  const admin = await connected(server, 'postgres');
  await admin.query(`create database ${name} template ${from}`);
  await admin.end();
  const client = await connected(server, name);
  for (const text of texts) await client.query(text);
  await client.end();
}

async function connected(server: PostgresServer, database: string): Promise<Client> {
  const { host, port, password } = server;
  const client = new Client({ host, port, user: 'postgres', password, database });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}
