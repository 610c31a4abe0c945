/**
 * No statement reaches the target unless its intent leaf is durable: the gateway is killed under load,
 * again and again, and PostgreSQL's own statement log is the witness.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { createPublicKey, randomBytes, randomInt, verify } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from 'pg';
import { describe, expect, it } from 'vitest';
import { startPostgres } from '../../examples/demo/postgres-server.ts';
import { openStoredBody } from '../../packages/gateway/src/audit/find-leaf.ts';
import { LogReader } from '../../packages/gateway/src/audit/log-reader.ts';
import { loadInstallationKey } from '../../packages/gateway/src/keys/installation-key.ts';
import { StoredScopeKeys } from '../../packages/gateway/src/keys/scope-keys.ts';
import { openStore } from '../../packages/gateway/src/store/store.ts';
import { systemClock } from '../../packages/gateway/src/audit/system-clock.ts';
import { bodyValues } from '../../packages/ledger/src/body.ts';
import { openCheckpoint } from '../../packages/ledger/src/checkpoint.ts';
import { RangeCheck } from '../../packages/ledger/src/completeness.ts';
import { parseLeaf } from '../../packages/ledger/src/leaf.ts';
import { Frontier } from '../../packages/ledger/src/merkle.ts';
import { parseVerifierKey } from '../../packages/ledger/src/note.ts';

const KILLS = process.env['COUNTERSIGN_SOAK'] === undefined ? 6 : 300;
const CLIENTS = 6;

interface Running {
  readonly child: ChildProcess;
  readonly port: number;
  readonly token: string;
  readonly verifierKey: string;
}

async function startProcess(data: string, targetPort: number, password: string): Promise<Running> {
  const script = fileURLToPath(new URL('./gateway-process.ts', import.meta.url));
  const child = spawn(process.execPath, ['--conditions=source', script, data, '0', String(targetPort)], {
    env: { ...process.env, DB_PASSWORD: password },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const line = await new Promise<string>((resolve, reject) => {
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes('\n')) resolve(text);
    });
    child.once('exit', (code) => reject(new Error(`the gateway ended with ${code}: ${said}`)));
  });
  return { child, ...(JSON.parse(line) as { port: number; token: string; verifierKey: string }) };
}

/** Statements with unique marks, simple and extended, until the gateway is gone. */
async function load(running: Running, client: string, sent: Set<string>): Promise<void> {
  const connection = new Client({
    host: '127.0.0.1',
    port: running.port,
    user: 'ana',
    password: running.token,
    database: 'db',
  });
  connection.on('error', () => undefined);
  try {
    await connection.connect();
    for (let i = 0; ; i++) {
      const mark = `mark-${client}-${i}`;
      sent.add(mark);
      if (i % 2 === 0) await connection.query(`select '${mark}'`);
      else await connection.query(`select $1::int, '${mark}'`, [i]);
    }
  } catch {
    // The gateway was killed, which is what ends the load.
    await connection.end().catch(() => undefined);
  }
}

describe('durable before effect', () => {
  it('has an intent leaf for whatever PostgreSQL ran, and an outcome for each intent, after every kill', {
    timeout: KILLS * 10_000 + 60_000,
  }, async () => {
    await using server = await startPostgres({ settings: { log_statement: 'all', fsync: 'off' } });
    const directory = await mkdtemp(join(tmpdir(), 'countersign-kill-'));
    const data = join(directory, 'gateway');
    const seed = Number(process.env['COUNTERSIGN_SEED'] ?? randomInt(2 ** 31));
    console.info(`seed ${seed}, ${KILLS} kills`);
    let state = seed;
    const next = (max: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
      return state % max;
    };
    const sent = new Set<string>();
    for (let kill = 0; kill < KILLS; kill++) {
      const running = await startProcess(data, server.port, server.password);
      const clients = Array.from({ length: CLIENTS }, (_, i) => load(running, `${kill}-${i}`, sent));
      const exited = new Promise((resolve) => running.child.once('exit', resolve));
      await new Promise((resolve) => setTimeout(resolve, 150 + next(500)));
      running.child.kill('SIGKILL');
      await exited;
      await Promise.all(clients);
    }
    // A last start recovers; an orderly end signs everything.
    const last = await startProcess(data, server.port, server.password);
    const ended = new Promise((resolve) => last.child.once('exit', resolve));
    last.child.kill('SIGTERM');
    await ended;

    const witness = new Set((await readFile(server.logFile, 'utf8')).match(/mark-\d+-\d+-\d+/g));
    const { recorded, unanswered, statuses } = await readLog(data, last.verifierKey);
    console.info(
      `sent ${sent.size}, ran ${witness.size}, recorded ${recorded.size}, outcomes ${JSON.stringify(statuses)}`,
    );
    expect(witness.size).toBeGreaterThan(KILLS * 10);
    expect([...witness].filter((mark) => !recorded.has(mark))).toEqual([]);
    expect([...recorded].filter((mark) => !sent.has(mark))).toEqual([]);
    expect(unanswered).toEqual([]);
    await rm(directory, { recursive: true, force: true });
  });
});

/** Checks the whole log against its last checkpoint, and gives the marks in its intents. */
async function readLog(
  data: string,
  vkey: string,
): Promise<{ recorded: Set<string>; unanswered: number[]; statuses: Record<string, number> }> {
  await using store = await openStore({ kind: 'sqlite', file: join(data, 'store.sqlite') });
  const { key } = await loadInstallationKey(
    { file: join(data, 'installation.key') },
    { env: {}, randomBytes: random, firstStart: false },
  );
  const keys = new StoredScopeKeys({
    store,
    installationKey: key,
    clock: systemClock(),
    randomBytes: random,
  });
  const reader = new LogReader(join(data, 'ledger'));
  const checkpoint = await openCheckpoint(
    (await reader.checkpoint()) ?? '',
    [parseVerifierKey(vkey)],
    verifyEd25519,
  );
  const range = new RangeCheck(new Frontier(), checkpoint.origin);
  const recorded = new Set<string>();
  const open = new Set<number>();
  const statuses: Record<string, number> = {};
  for await (const { leaf: bytes, sealed } of reader.leaves(0, checkpoint.size)) {
    range.push(bytes);
    const parsed = parseLeaf(bytes);
    if (parsed.kind !== 'leaf') throw new Error('a leaf of another version');
    const { leaf } = parsed;
    if (leaf.type === 'statement.intent') {
      open.add(leaf.n);
      const body = await openStoredBody(leaf, sealed, keys);
      const mark = /mark-\d+-\d+-\d+/.exec(JSON.stringify(body === undefined ? {} : bodyValues(body)))?.[0];
      if (mark !== undefined) recorded.add(mark);
    }
    if (leaf.type === 'statement.outcome') {
      open.delete(leaf.ref ?? -1);
      statuses[leaf.status ?? ''] = (statuses[leaf.status ?? ''] ?? 0) + 1;
    }
  }
  range.finish(checkpoint.size, checkpoint.root);
  return { recorded, unanswered: [...open], statuses };
}

function verifyEd25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), publicKey]);
  return verify(null, message, createPublicKey({ key: spki, format: 'der', type: 'spki' }), signature);
}

function random(length: number): Uint8Array {
  return new Uint8Array(randomBytes(length));
}
