/**
 * No statement reaches the target unless its intent leaf is durable: the gateway is killed under load,
 * during its start, while it recovers, and while it rotates keys, backs up, shreds and exports; and
 * PostgreSQL's own log and table are the witnesses.
 */

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { describe, expect, it } from 'vitest';
import { type PostgresServer, startPostgres } from '../../examples/demo/postgres-server.ts';
import { loadConfig } from '../../packages/gateway/src/config/config.ts';
import { startGateway } from '../../packages/gateway/src/main.ts';
import { Dice, seedOfRun } from '../simulation/dice.ts';
import { load, Sent } from './load.ts';
import { startProcess } from './processes.ts';
import { exportAndVerify, marksIn, readLedger, readRecordings } from './witness.ts';

/** Every third is a start that is killed: in a soak, 300 are under load. */
const KILLS = process.env['COUNTERSIGN_SOAK'] === undefined ? 30 : 450;

/** Of each session beside a chore: exports read the whole log, which grows meanwhile. */
const CHORES_MARKS = 100;

type Kind = 'start' | 'load' | 'chores';

/** One life of a gateway after the other, each ended by SIGKILL at a moment of chance. */
class Lives {
  readonly sent = new Sent();
  readonly #server: PostgresServer;
  readonly #data: string;
  readonly #dice: Dice;
  /** Of the last whole start: a kill during a start falls somewhere in such a time. */
  #startMs = 1_000;

  constructor(server: PostgresServer, data: string, dice: Dice) {
    this.#server = server;
    this.#data = data;
    this.#dice = dice;
  }

  async live(kind: Kind, name: string): Promise<void> {
    const { port: targetPort, password } = this.#server;
    const dice = this.#dice;
    const env: Record<string, string> =
      kind === 'chores' ? { COUNTERSIGN_CHORES: String(dice.below(4)) } : {};
    const started = performance.now();
    const gateway = startProcess({ data: this.#data, targetPort, password, env });
    let loading: Promise<void> | undefined;
    if (kind === 'start') await delay(dice.below(this.#startMs * 1.1));
    else {
      const ready = await gateway.ready;
      this.#startMs = performance.now() - started;
      loading = load(ready, name, this.sent, kind === 'chores' ? CHORES_MARKS : undefined);
      if (kind === 'load') await Promise.race([this.sent.more(10 + dice.below(150)), loading]);
      else await gateway.chores(1 + dice.below(3));
      // The moment is the point of this test: anywhere in what is going on now.
      await delay(dice.below(60));
    }
    gateway.child.kill('SIGKILL');
    await gateway.exited;
    await loading;
  }
}

async function tableMarks({ host, port, password }: PostgresServer): Promise<string[]> {
  const client = new Client({ host, port, user: 'postgres', password, database: 'postgres' });
  await client.connect();
  const { rows } = await client.query<{ mark: string }>('select mark from marks');
  await client.end();
  return rows.map(({ mark }) => mark);
}

async function makeTable({ host, port, password }: PostgresServer): Promise<void> {
  const client = new Client({ host, port, user: 'postgres', password, database: 'postgres' });
  await client.connect();
  await client.query('create table marks (mark text)');
  await client.end();
}

describe('durable before effect', () => {
  it('has an intent leaf for whatever PostgreSQL ran, an outcome for each intent, recordings and a package that verify, after every kill', {
    timeout: KILLS * 10_000 + 60_000,
  }, async () => {
    const seed = seedOfRun(`${KILLS} kills`);
    await using server = await startPostgres({ settings: { log_statement: 'all', fsync: 'off' } });
    await makeTable(server);
    const directory = await mkdtemp(join(tmpdir(), 'countersign-kill-'));
    const data = join(directory, 'gateway');
    const lives = new Lives(server, data, new Dice(seed));
    const kinds = ['load', 'start', 'chores'] as const;
    await lives.live('load', 'first');
    for (let kill = 1; kill < KILLS; kill++) await lives.live(kinds[kill % 3] ?? 'load', String(kill));

    const config = loadConfig('tls: { mode: off }', { data, postgresPort: 0, apiPort: 0 });
    const gateway = await startGateway(config, { env: { DB_PASSWORD: server.password } });
    try {
      const ledger = await readLedger(gateway);
      const ran = new Set([
        ...marksIn(await readFile(server.logFile, 'utf8')),
        ...(await tableMarks(server)),
      ]);
      const facts = { sent: lives.sent.marks.size, ran: ran.size, recorded: ledger.recorded.size };
      console.info(JSON.stringify({ ...facts, outcomes: ledger.statuses, leaves: ledger.counts }));
      expect(ran.size).toBeGreaterThan(KILLS * 10);
      expect([...ran].filter((mark) => !ledger.recorded.has(mark))).toEqual([]);
      expect([...ledger.recorded].filter((mark) => !lives.sent.marks.has(mark))).toEqual([]);
      expect(ledger.unanswered).toEqual([]);
      expect(ledger.unended).toEqual([]);
      expect(await readRecordings(gateway, config, ledger)).toEqual([]);
      expect(await exportAndVerify(gateway, config, join(directory, 'package.zip'))).toBe('verified');
    } finally {
      await gateway.close('the test is over');
    }
    await rm(directory, { recursive: true, force: true });
  });
});
