/**
 * Ratios, not absolutes: the same pgbench, directly and through the gateway, interleaved in one run.
 *
 * Run: npm run bench. Needs pgbench. Prints medians with the smallest and the largest, and writes
 * bench/results/<date>.md. Nothing here fails a build; a timed test would only test the machine.
 */

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { findSystemPostgres } from '../examples/demo/postgres-binaries.ts';
import { startPostgres } from '../examples/demo/postgres-server.ts';
import { loadConfig } from '../packages/gateway/src/config/config.ts';
import { startGateway } from '../packages/gateway/src/main.ts';
import { parseResources } from '../packages/gateway/src/resources/parse.ts';

const ROUNDS = 5;
const SECONDS = 4;
const CLIENTS = 8;

interface Way {
  readonly name: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

const WORKLOADS: readonly { readonly name: string; readonly args: readonly string[] }[] = [
  { name: 'select, simple', args: ['-S', '-M', 'simple'] },
  { name: 'select, prepared', args: ['-S', '-M', 'prepared'] },
  { name: 'tpcb-like, prepared', args: ['-M', 'prepared'] },
];

async function pgbench(binary: string, way: Way, args: readonly string[]): Promise<string> {
  const all = ['-h', '127.0.0.1', '-p', String(way.port), '-U', way.user, ...args, way.database];
  const env = { ...process.env, PGPASSWORD: way.password, PGSSLMODE: 'disable' };
  const child = spawn(binary, all, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
  }
  const code = await new Promise((resolve) => child.once('exit', resolve));
  if (code !== 0) throw new Error(`pgbench ended with ${String(code)}: ${text}`);
  return text;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

function spread(values: readonly number[], digits: number): string {
  const text = [median(values), Math.min(...values), Math.max(...values)].map((value) =>
    value.toFixed(digits),
  );
  return `${text[0]} (${text[1]}–${text[2]})`;
}

const bin = await findSystemPostgres();
const binary = bin === undefined ? '' : join(bin, 'pgbench');
if (!existsSync(binary)) {
  console.error('pgbench is not there: apt-get install postgresql');
  process.exit(1);
}
const directory = await mkdtemp(join(tmpdir(), 'countersign-bench-'));
const server = await startPostgres({ settings: { fsync: 'off', synchronous_commit: 'off' } });
const gateway = await startGateway(
  loadConfig('tls: { mode: off }', { data: join(directory, 'gateway'), postgresPort: 0, apiPort: 0 }),
  { env: { DB_PASSWORD: server.password }, onError: (error) => console.error(error.message) },
);
const { rooms } = gateway;
await rooms.resources.apply(
  parseResources(`
kind: Connection
name: db
protocol: postgres
target: { host: 127.0.0.1, port: ${server.port}, database: postgres, tls: disable }
credential: { user: postgres, password: { env: DB_PASSWORD } }
---
kind: Person
name: ana
displayName: Ana
---
kind: Access
name: all
who: [ana]
to: [db]
`),
  { name: 'bench', kind: 'system', keyId: rooms.bootId },
);
const ana = await rooms.identity.principals.findByName('ana');
if (ana === undefined) throw new Error('ana is missing');
const token = await rooms.identity.tokens.createToken(ana, {
  name: 'bench',
  lifetimeMs: 3_600_000,
  createdBy: undefined,
});
const direct: Way = {
  name: 'direct',
  port: server.port,
  user: 'postgres',
  password: server.password,
  database: 'postgres',
};
const through: Way = {
  name: 'countersign',
  port: gateway.postgres.port,
  user: 'ana',
  password: token.token.reveal(),
  database: 'db',
};

await pgbench(binary, direct, ['-i', '-s', '5', '-q']);
const lines = [
  `# Throughput and latency, ${new Date().toISOString().slice(0, 10)}`,
  '',
  `\`npm run bench\` · ${cpus()[0]?.model ?? 'unknown'}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.versions.node} · pgbench, ${CLIENTS} clients, ${ROUNDS} interleaved rounds of ${SECONDS} s, everything on one machine; PostgreSQL with fsync off, the gateway with every leaf on disk · median (smallest–largest)`,
  '',
  '| workload | direct, tps | through, tps | ratio | direct, ms | through, ms |',
  '|---|---|---|---|---|---|',
];
for (const workload of WORKLOADS) {
  const tps: Record<string, number[]> = { direct: [], countersign: [] };
  const latency: Record<string, number[]> = { direct: [], countersign: [] };
  for (let round = 0; round < ROUNDS; round++) {
    for (const way of round % 2 === 0 ? [direct, through] : [through, direct]) {
      const text = await pgbench(binary, way, [
        '-n',
        '-c',
        String(CLIENTS),
        '-j',
        '1',
        '-T',
        String(SECONDS),
        ...workload.args,
      ]);
      tps[way.name]?.push(Number(/tps = ([\d.]+)/.exec(text)?.[1] ?? 0));
      latency[way.name]?.push(Number(/latency average = ([\d.]+)/.exec(text)?.[1] ?? 0));
    }
  }
  const ratios = (tps['countersign'] ?? []).map((value, i) => value / (tps['direct']?.[i] ?? 1));
  const line = `| ${workload.name} | ${spread(tps['direct'] ?? [], 0)} | ${spread(tps['countersign'] ?? [], 0)} | ${spread(ratios, 2)} | ${spread(latency['direct'] ?? [], 2)} | ${spread(latency['countersign'] ?? [], 2)} |`;
  console.info(line);
  lines.push(line);
}
await mkdir(new URL('results', import.meta.url), { recursive: true });
await writeFile(
  new URL(`results/${new Date().toISOString().slice(0, 10)}.md`, import.meta.url),
  `${lines.join('\n')}\n`,
);
await gateway.close('measured');
await server.stop();
await rm(directory, { recursive: true, force: true });
