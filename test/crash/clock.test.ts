/**
 * A clock that jumps, back and forth, under a gateway that lives, and while it is down: statements run and are
 * in the ledger, time in it never goes back, the jump is said, what has expired is refused, and a package verifies.
 */

import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { expect, it } from 'vitest';
import { type PostgresServer, startPostgres } from '../../examples/demo/postgres-server.ts';
import { loadConfig } from '../../packages/gateway/src/config/config.ts';
import { type RunningGateway, startGateway } from '../../packages/gateway/src/main.ts';
import { parseLeaf } from '../../packages/ledger/src/leaf.ts';
import { type GatewayProcess, type Ready, startProcess } from './processes.ts';
import { exportAndVerify, marksIn, readLedger, readRecordings } from './witness.ts';

const HOUR_MS = 3_600_000;
/** Tokens of gateway-process.ts live for a day. */
const TWO_DAYS_MS = 48 * HOUR_MS;

class Place {
  readonly #server: PostgresServer;
  readonly #directory: string;
  #marks = 0;

  constructor(server: PostgresServer, directory: string) {
    this.#server = server;
    this.#directory = directory;
  }

  get data(): string {
    return join(this.#directory, 'gateway');
  }

  get #clock(): string {
    return join(this.#directory, 'clock');
  }

  /** By so much is the clock wrong from now on. */
  async setClock(ms: number): Promise<void> {
    await writeFile(`${this.#clock}.new`, String(ms));
    await rename(`${this.#clock}.new`, this.#clock);
  }

  async start(): Promise<{ readonly gateway: GatewayProcess; readonly ready: Ready }> {
    const { port, password } = this.#server;
    const preload = new URL('./set-clock.ts', import.meta.url).href;
    const env = { COUNTERSIGN_CLOCK: this.#clock, NODE_OPTIONS: `--import=${preload}` };
    const gateway = startProcess({ data: this.data, targetPort: port, password, env });
    return { gateway, ready: await gateway.ready };
  }

  /** A statement with a mark of its own, answered. */
  async mark(client: Client): Promise<void> {
    const text = `mark-c-0-${this.#marks++}`;
    const { rows } = await client.query<{ mark: string }>(`select '${text}' as mark`);
    if (rows[0]?.mark !== text) throw new Error(`${text} was answered otherwise`);
  }

  get marks(): number {
    return this.#marks;
  }
}

async function login(ready: Ready): Promise<Client> {
  const client = new Client({
    host: '127.0.0.1',
    port: ready.port,
    user: 'ana',
    password: ready.tokens['ana'] ?? '',
    database: 'db',
  });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** Type and time of each leaf. */
async function timesOf({ rooms }: RunningGateway): Promise<{ readonly type: string; readonly t: string }[]> {
  const found: { type: string; t: string }[] = [];
  for await (const { leaf } of rooms.reader.leaves(0, rooms.ledger.size)) {
    const parsed = parseLeaf(leaf);
    if (parsed.kind !== 'leaf') throw new Error('a leaf of another version');
    found.push({ type: parsed.leaf.type, t: parsed.leaf.t });
  }
  return found;
}

it('a clock that jumps loses nothing, goes on, and is said', { timeout: 300_000 }, async () => {
  await using server = await startPostgres({ settings: { log_statement: 'all', fsync: 'off' } });
  const directory = await mkdtemp(join(tmpdir(), 'countersign-clock-'));
  const at = new Place(server, directory);
  await at.setClock(0);
  const first = await at.start();
  const inside = await login(first.ready);
  await at.mark(inside);

  // Back, under a session that lives, and a new one.
  await at.setClock(-HOUR_MS);
  await at.mark(inside);
  const another = await login(first.ready);
  await at.mark(another);

  // Forth, beyond what the tokens are good for: nobody gets in with them.
  await at.setClock(TWO_DAYS_MS);
  await expect(login(first.ready)).rejects.toMatchObject({ code: '28P01' });

  // Right again.
  await at.setClock(0);
  const later = await login(first.ready);
  await at.mark(later);

  // The process ends with the machine, whose clock is wrong when it comes back.
  first.gateway.child.kill('SIGKILL');
  await first.gateway.exited;
  await at.setClock(-24 * HOUR_MS);
  const second = await at.start();
  const behind = await login(second.ready);
  await at.mark(behind);
  await at.setClock(0);
  await at.mark(behind);
  await behind.end();
  second.gateway.child.kill('SIGTERM');
  expect(await second.gateway.exited).toBe(0);
  // Of nothing but the one who came with an expired token.
  expect(first.gateway.said().trim().split('\n')).toEqual([expect.stringContaining('AUTHENTICATION_FAILED')]);
  expect(second.gateway.said()).toBe('');

  const config = loadConfig('tls: { mode: off }', { data: at.data, postgresPort: 0, apiPort: 0 });
  const gateway = await startGateway(config, { env: { DB_PASSWORD: server.password } });
  try {
    const ledger = await readLedger(gateway);
    const ran = new Set(marksIn(await readFile(server.logFile, 'utf8')));
    expect(ran.size).toBe(at.marks);
    expect([...ran].filter((mark) => !ledger.recorded.has(mark))).toEqual([]);
    expect([ledger.unanswered, ledger.unended]).toEqual([[], []]);
    const leaves = await timesOf(gateway);
    const times = leaves.map(({ t }) => t);
    expect(times).toEqual(times.toSorted());
    expect(leaves.filter(({ type }) => type === 'clock.step').length).toBeGreaterThan(1);
    expect(await readRecordings(gateway, config, ledger)).toEqual([]);
    expect(await exportAndVerify(gateway, config, join(directory, 'package.zip'))).toBe('verified');
  } finally {
    await gateway.close('the test is over');
    await rm(directory, { recursive: true, force: true });
  }
});
