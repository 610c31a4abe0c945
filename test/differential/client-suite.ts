/**
 * A client's own tests, directly and through the gateway: what they print side by side.
 *
 * Usage: node --conditions=source test/differential/client-suite.ts VERSION DATABASES OUTPUT COMMAND …
 * VERSION as postgres-suite.ts takes it, or `embedded`; DATABASES by commas, the first is PGDATABASE and
 * all are connections; OUTPUT a directory for direct.txt and through.txt; COMMAND finds the server by the
 * PG… variables, as the superuser `postgres`. Each way has a server of its own. What differs is for the
 * reader to judge: suites print times and ports. See docs/guides/client-suites.md.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';
import { type Pair, startPair } from './servers.ts';
import type { Endpoint } from './wire-client.ts';

const [version, list, output, program, ...args] = process.argv.slice(2);
if (version === undefined || list === undefined || output === undefined || program === undefined) {
  throw new Error('usage: client-suite.ts VERSION DATABASES OUTPUT COMMAND …');
}
const databases = list.split(',');

await mkdir(output, { recursive: true });
for (const way of ['direct', 'through'] as const) {
  const pair = await startPair(version);
  try {
    for (const database of databases) await createDatabase(pair.direct, database);
    const through = await asSuperuser(pair);
    const status = await run(way === 'direct' ? pair.direct : through, join(output, `${way}.txt`));
    process.stdout.write(`${way}: status ${status}, ${join(output, `${way}.txt`)}\n`);
    for (const error of new Set(pair.harness.errors)) process.stdout.write(`  gateway: ${error}\n`);
  } finally {
    await pair.harness[Symbol.asyncDispose]();
  }
}

async function createDatabase(direct: Endpoint, database: string): Promise<void> {
  if (database === 'postgres' || database === 'template1') return;
  const client = new Client({ ...direct, host: '127.0.0.1' });
  await client.connect();
  await client.query(`create database ${client.escapeIdentifier(database)}`);
  await client.end();
}

/** Connections are named like the databases and the person like the superuser. */
async function asSuperuser(pair: Pair): Promise<Endpoint> {
  const connections = databases.map(
    (name) => `kind: Connection
name: ${name}
protocol: postgres
target: { host: 127.0.0.1, port: ${pair.direct.port}, database: ${name}, tls: disable }
credential: { user: postgres, password: { env: DB_PASSWORD } }
---
`,
  );
  await pair.harness.apply(`${connections.join('')}kind: Person
name: postgres
displayName: Superuser
---
kind: Access
name: suite
who: [postgres]
to: [${databases.join(', ')}]
`);
  return { ...pair.through, user: 'postgres', password: await pair.harness.token('postgres') };
}

async function run(endpoint: Endpoint, file: string): Promise<number | null> {
  const env = {
    ...process.env,
    PGHOST: '127.0.0.1',
    PGPORT: String(endpoint.port),
    PGUSER: 'postgres',
    PGPASSWORD: endpoint.password,
    PGDATABASE: databases[0],
    PGSSLMODE: 'disable',
  };
  const child = spawn(program ?? '', args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const printed = createWriteStream(file);
  child.stdout.pipe(printed, { end: false });
  child.stderr.pipe(printed, { end: false });
  await once(child, 'close');
  printed.end();
  return child.exitCode;
}
