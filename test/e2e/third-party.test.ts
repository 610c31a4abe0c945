/**
 * A package of a live gateway, exported while a session is at work, is good for tools that this project
 * did not write: unzip, sha256sum, openssl (the commands of its own VERIFY.md), Go's note and tlog; and
 * for our program.
 */

import { execFile, spawnSync } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { verifyWithGo, whyNoGo } from '../conformance/go-log.ts';
import { requirePresent } from '../real/require-present.ts';
import { type Harness, startHarness } from './harness.ts';

const run = promisify(execFile);
const PROGRAM = join(import.meta.dirname, '../../packages/verify/bin/countersign-verify.js');
const GO = requirePresent(whyNoGo() ?? 'Go', whyNoGo() === undefined);

let harness: Harness;
let zip: string;
/** The bag, unpacked. */
let bag: string;
/** Statements that were answered while the package was made. */
let meanwhile = 0;

beforeAll(async () => {
  harness = await startHarness();
  await harness.apply('kind: Person\nname: root\ndisplayName: Root\ngroups: [administrators]\n');
  const over = await connect();
  await over.query('select 1; select 2');
  await over.query('select $1::int + 1', [41]);
  await over.query('create table notes (id int primary key, note text)');
  await over.query("insert into notes select i, 'note ' || i from generate_series(1, 500) i");
  // An error is an outcome too.
  await over.query('select * from nowhere').catch(() => undefined);
  await over.query('begin');
  await over.query('update notes set note = $1 where id < $2', ['changed', 10]);
  await over.query('rollback');
  await over.end();
  await harness.finishedLog();
  const open = await connect();
  const exporting = new AbortController();
  const working = (async () => {
    while (!exporting.signal.aborted) {
      await open.query('select count(*) from notes');
      meanwhile += 1;
    }
  })();
  const exported = await exportPackage();
  exporting.abort();
  await working;
  await open.end();
  zip = join(harness.data, 'package.zip');
  await writeFile(zip, exported);
  await run('unzip', ['-q', zip, '-d', join(harness.data, 'unzipped')]);
  const [directory = ''] = await readdir(join(harness.data, 'unzipped'));
  bag = join(harness.data, 'unzipped', directory);
}, 120_000);
afterAll(() => harness?.[Symbol.asyncDispose]());

async function connect(): Promise<Client> {
  const { host, port } = harness.gateway.postgres;
  const client = new Client({
    host,
    port,
    user: 'ana',
    password: await harness.token('ana'),
    database: 'db',
  });
  await client.connect();
  return client;
}

async function exportPackage(): Promise<Uint8Array> {
  const { host, port } = harness.gateway.api;
  const answer = await fetch(`http://${host}:${port}/v1/evidence/export`, {
    method: 'POST',
    headers: { authorization: `Bearer ${await harness.token('root')}`, 'content-type': 'application/json' },
    body: JSON.stringify({ from: '2020-01-01T00:00:00Z', to: '2100-01-01T00:00:00Z', reason: 'audit' }),
  });
  if (answer.status !== 200) throw new Error(await answer.text());
  return new Uint8Array(await answer.arrayBuffer());
}

describe('a package of a live gateway', () => {
  it('was made while a session went on', () => {
    expect(meanwhile).toBeGreaterThan(3);
  });

  it('is a zip for unzip, and a bag for sha256sum', async () => {
    expect((await run('unzip', ['-t', zip])).stdout).toContain('No errors detected');
    for (const manifest of ['manifest-sha256.txt', 'tagmanifest-sha256.txt']) {
      await run('sha256sum', ['--check', '--quiet', '--strict', manifest], { cwd: bag });
    }
  });

  it('is signed for openssl, by the commands of its own VERIFY.md', async () => {
    const text = await readFile(join(bag, 'data/VERIFY.md'), 'utf8');
    const commands = text
      .split('\n')
      .filter((line) => line.startsWith('    ') && !/countersign|fingerprint|go run/.test(line))
      .map((line) => line.slice(4).replaceAll('/tmp/', `${harness.data}/`));
    const { status, stdout } = spawnSync('bash', ['-e', '-c', commands.join('\n')], {
      cwd: bag,
      encoding: 'utf8',
    });
    expect(stdout.match(/Signature Verified Successfully/g)).toHaveLength(2);
    expect(status).toBe(0);
  });

  it.skipIf(!GO)(
    'has a log that Go’s sumdb/note and sumdb/tlog accept',
    async () => {
      const [node = ''] = await readdir(join(bag, 'data/ledger'));
      const { verifierKey } = harness.gateway.rooms.ledger;
      const verdict = await verifyWithGo(join(bag, 'data/ledger', node), verifierKey);
      expect(verdict).toMatch(/^ok: [0-9]+ leaves$/);
    },
    180_000,
  );

  it('is verified by countersign-verify, session by session', async () => {
    const { verifierKey } = harness.gateway.rooms.ledger;
    const args = ['--conditions=source', PROGRAM, '--vkey', verifierKey, zip];
    const { stdout } = await run(process.execPath, args);
    expect(stdout).toContain('VERIFIED');
    expect(stdout).toContain('sessions that are open at the end of the range: 1');
  });
});
