/** What a gateway prints as a process of its own, and what it tells a webhook: no credential is in it. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type PostgresServer, startPostgres } from '../../examples/demo/postgres-server.ts';

const BIN = join(import.meta.dirname, '../../packages/gateway/bin/countersign.js');
const WEBHOOK_SECRET = Buffer.alloc(32, 'canary of a webhook').toString('base64');
const WRONG_PASSWORD = 'canary-of-a-wrong-password-91be';
const OWN_PASSWORD = 'canary-of-an-administrator-4a17';
const NO_TOKEN = 'canary-of-what-is-no-token-77aa';
/** Long enough for a loaded machine; what it waits for is there at once. */
const TRIES = 600;

let server: PostgresServer;
let home: string;
let child: ChildProcess | undefined;
let out = '';
let err = '';
const told: string[] = [];
const hook = createServer((request, response) => {
  const chunks: Uint8Array[] = [];
  request.on('data', (chunk: Uint8Array) => chunks.push(chunk));
  request.on('end', () => {
    const body = Buffer.concat(chunks).toString();
    told.push(JSON.stringify(request.headers) + body);
    // It repeats what it was told, which goes into no log.
    response.writeHead(500).end(`${JSON.stringify(request.headers)} ${WEBHOOK_SECRET}`);
  });
});

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'countersign-printed-'));
  server = await startPostgres({ settings: { fsync: 'off' } });
  hook.listen(0, '127.0.0.1');
  await once(hook, 'listening');
}, 60_000);
afterAll(async () => {
  child?.kill('SIGKILL');
  hook.closeAllConnections();
  hook.close();
  await server?.stop();
  await rm(home, { recursive: true, force: true });
});

interface Ready {
  readonly firstCode: string;
  readonly api: { readonly url: string };
  readonly postgres: { readonly host: string; readonly port: number };
}

async function start(): Promise<Ready> {
  const secret = join(home, 'webhook');
  await writeFile(secret, `whsec_${WEBHOOK_SECRET}`, { mode: 0o600 });
  const config = join(home, 'config.yaml');
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- It listens on TCP.
  const { port } = hook.address() as AddressInfo;
  await writeFile(
    config,
    `listen: { postgres: { port: 0 }, http: { port: 0 }, api: { port: 0 } }
tls: { mode: optional }
notify:
  webhooks: [{ url: 'http://127.0.0.1:${port}/', secret: { file: ${secret} } }]
  commands: [['sh', '-c', 'cat; exit 3']]
`,
  );
  child = spawn(process.execPath, [BIN, 'up', '--config', config, '--data', join(home, 'data'), '--json'], {
    env: { PATH: process.env['PATH'], HOME: home, DB_PASSWORD: server.password, WRONG_PASSWORD },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stdout?.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (err += chunk.toString()));
  await seen(() => out.includes('\n'));
  return JSON.parse(out.slice(0, out.indexOf('\n')));
}

async function seen(look: () => boolean): Promise<void> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    if (look()) return;
    // oxlint-disable-next-line no-await-in-loop -- It is looked at again and again.
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`it did not come: ${out} ${err}`);
}

async function post(url: string, body: unknown, token?: string): Promise<Record<string, unknown>> {
  const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) };
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  const text = await answer.text();
  expect([answer.ok, text]).toEqual([true, text]);
  return JSON.parse(text);
}

function client(ready: Ready, password: string, database: string): Client {
  const { host, port } = ready.postgres;
  const opened = new Client({ host, port, user: 'root', password, database });
  opened.on('error', () => undefined);
  return opened;
}

/** Connects, says all, ends; gives what went wrong. */
async function say(opened: Client, ...texts: string[]): Promise<string[]> {
  const wrong: string[] = [];
  try {
    await opened.connect();
    // oxlint-disable-next-line no-await-in-loop -- One after the other.
    for (const text of texts) await opened.query(text).catch((error: Error) => wrong.push(error.message));
    await opened.end();
  } catch (error) {
    wrong.push(error instanceof Error ? error.message : '');
  }
  return wrong;
}

const RESOURCES = `
{ kind: Connection, name: db, protocol: postgres, target: { host: 127.0.0.1, port: PORT, database: postgres, tls: disable }, credential: { user: postgres, password: { env: DB_PASSWORD } } }
---
{ kind: Connection, name: wrong, protocol: postgres, target: { host: 127.0.0.1, port: PORT, database: postgres, tls: disable }, credential: { user: postgres, password: { env: WRONG_PASSWORD } } }
---
{ kind: Connection, name: gone, protocol: postgres, target: { host: 127.0.0.1, port: 1, database: x, tls: disable }, credential: { user: postgres, password: { env: DB_PASSWORD } } }
---
{ kind: Group, name: owners, members: [] }
---
{ kind: Access, name: root, who: [root], to: [db, wrong, gone] }
---
{ kind: Rule, name: drops, on: [db], when: { effects: [drop] }, then: { hold: { approvers: [group:owners] } } }
---
{ kind: Rule, name: others, on: [db], when: { effects: [read] }, then: allow }
`;

it('no credential is printed or told, whatever goes wrong', { timeout: 120_000 }, async () => {
  const ready = await start();
  const base = ready.api.url;
  const person = { name: 'root', displayName: 'Root', password: OWN_PASSWORD };
  const { token } = await post(`${base}/v1/enrol`, { code: ready.firstCode, ...person });
  if (typeof token !== 'string') throw new Error('there is no token');
  await post(
    `${base}/v1/resources/apply`,
    { text: RESOURCES.replaceAll('PORT', String(server.port)) },
    token,
  );

  expect(await say(client(ready, token, 'db'), 'select 1', 'select nothing')).toHaveLength(1);
  const held = client(ready, token, 'db');
  const holding = say(held, 'drop table x');
  await seen(() => told.length > 0);
  await held.end();
  expect(await holding).toHaveLength(1);
  const refused = [
    await say(client(ready, token, 'wrong')),
    await say(client(ready, token, 'gone')),
    await say(client(ready, NO_TOKEN, 'db')),
    await say(client(ready, token.slice(0, -1), 'db')),
  ];
  expect(refused.map(({ length }) => length)).toEqual([1, 1, 1, 1]);
  for (const bearer of [NO_TOKEN, token.slice(0, -1)]) {
    // oxlint-disable-next-line no-await-in-loop -- One after the other.
    const answer = await fetch(`${base}/v1/tokens`, { headers: { authorization: `Bearer ${bearer}` } });
    expect(answer.status).toBe(401);
  }
  const login = { name: 'root', password: `${OWN_PASSWORD}-not` };
  const answer = await fetch(`${base}/v1/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(login),
  });
  expect(answer.status).toBe(401);
  // The output is a stream of its own.
  await seen(() => err.split('AUTHENTICATION_FAILED').length > 2);
  child?.kill('SIGTERM');
  await once(child ?? hook, 'exit');

  const first = out.slice(0, out.indexOf('\n'));
  const printed = { 'standard output': out.slice(first.length), 'standard error': err };
  const canaries = {
    'the password of the target': server.password,
    'a password that the target refuses': WRONG_PASSWORD,
    'the password of a person': OWN_PASSWORD,
    'what is no token': NO_TOKEN,
    'a token': token.slice(0, -1),
    'the first code': ready.firstCode,
    'the secret of the webhook': WEBHOOK_SECRET,
  };
  const found = Object.entries({ ...printed, 'the webhook': told.join('\n') }).flatMap(([where, text]) =>
    Object.entries(canaries)
      .filter(([, canary]) => text.includes(canary))
      .map(([what]) => `${where}: ${what}`),
  );
  expect(found).toEqual([]);
  // What is looked through is there.
  expect(err).toContain('connection "wrong" cannot be reached');
  expect(told.join('')).toContain('hold.asked');
});
