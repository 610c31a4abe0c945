/** An orderly end: what runs gets its time, everything is written down, and nothing is left. */

import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PostgresServer, startPostgres } from '../../examples/demo/postgres-server.ts';
import { LIMITS } from '../../packages/gateway/src/core/limits.ts';
import { LogReader } from '../../packages/gateway/src/audit/log-reader.ts';
import { type GatewayProcess, type Ready, startProcess } from './processes.ts';

let server: PostgresServer;
let directory: string;

beforeAll(async () => {
  server = await startPostgres({ settings: { log_statement: 'all', fsync: 'off' } });
  directory = await mkdtemp(join(tmpdir(), 'countersign-shutdown-'));
}, 60_000);

afterAll(async () => {
  await server?.stop();
  await rm(directory, { recursive: true, force: true });
});

async function start(name: string): Promise<{ gateway: GatewayProcess; ready: Ready; data: string }> {
  const data = join(directory, name);
  const gateway = startProcess({ data, targetPort: server.port, password: server.password });
  return { gateway, data, ready: await gateway.ready };
}

interface Connected {
  readonly client: Client;
  /** SQLSTATE of what ended it. */
  readonly ended: Promise<string>;
}

async function login(ready: Ready): Promise<Connected> {
  const client = new Client({
    host: '127.0.0.1',
    port: ready.port,
    user: 'ana',
    password: ready.tokens['ana'] ?? '',
    database: 'db',
  });
  const ended = new Promise<string>((resolve) =>
    client.on('error', (error: Error & { code?: string }) => resolve(error.code ?? '')),
  );
  await client.connect();
  return { client, ended };
}

/** Types and statuses of all leaves. */
async function leavesOf(data: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { leaf } of new LogReader(join(data, 'ledger')).leaves(0)) {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The gateway wrote it.
    const { type, status } = JSON.parse(Buffer.from(leaf).toString()) as { type: string; status?: string };
    found.push(status === undefined ? type : `${type} ${status}`);
  }
  return found;
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

describe('an orderly shutdown', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)(
    'by %s lets what runs come to its end, and ends who is idle',
    async (signal) => {
      const { gateway, ready, data } = await start(signal);
      const idle = await login(ready);
      const busy = await login(ready);
      await idle.client.query('select 1');
      const running = busy.client.query("select pg_sleep(1), 'finished' as what");
      await untilRuns('pg_sleep(1)');
      gateway.child.kill(signal);
      expect(await idle.ended).toBe('57P01');
      expect(await canConnect(ready.port)).toBe(false);
      expect((await running).rows).toMatchObject([{ what: 'finished' }]);
      expect(await busy.ended).toBe('57P01');
      expect(await gateway.exited).toBe(0);
      const leaves = await leavesOf(data);
      expect(leaves.at(-1)).toBe('ledger.shutdown');
      expect(leaves.filter((leaf) => leaf === 'statement.outcome ok').length).toBe(2);
      expect(leaves.filter((leaf) => leaf === 'session.end ended').length).toBe(2);
      expect(leaves.filter((leaf) => leaf === 'recording.segment ok').length).toBe(2);
    },
  );

  it('stops a statement that does not end in its time, on the target too, however often it is asked', async () => {
    const { gateway, ready, data } = await start('late');
    const { client } = await login(ready);
    const late = client.query("select pg_sleep(600), 'late'");
    const refused = late.then(
      () => 'it ran',
      (error: Error & { code?: string }) => error.code,
    );
    await untilRuns("'late'");
    const started = performance.now();
    for (let i = 0; i < 3; i++) gateway.child.kill('SIGTERM');
    expect(await refused).toBe('57P01');
    expect(await gateway.exited).toBe(0);
    expect(performance.now() - started).toBeGreaterThan(LIMITS.shutdown.statementsMs - 100);
    expect(await untilGone("'late'")).toBe(true);
    const leaves = await leavesOf(data);
    expect(leaves.at(-1)).toBe('ledger.shutdown');
    expect(leaves).toContain('statement.outcome unknown');
  });
});

async function activity(): Promise<string> {
  const client = new Client({ ...server, user: 'postgres', database: 'postgres' });
  await client.connect();
  const text = "select query from pg_stat_activity where state = 'active' and pid <> pg_backend_pid()";
  const { rows } = await client.query<{ query: string }>(text);
  await client.end();
  return rows.map(({ query }) => query).join('\n');
}

async function untilRuns(what: string): Promise<void> {
  while (!(await activity()).includes(what));
}

async function untilGone(what: string): Promise<boolean> {
  const deadline = performance.now() + 5_000;
  while ((await activity()).includes(what)) if (performance.now() > deadline) return false;
  return true;
}
