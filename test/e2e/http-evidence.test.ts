/** What went over HTTP can be replayed, and stands in a package that verifies. */

import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { replayText } from '../../packages/gateway/src/cli/replay-text.ts';
import type { ReplayLine } from '../../packages/gateway/src/cli/replay-text.ts';
import { parseCsv } from '../../packages/ledger/src/csv.ts';
import { FileSource, nodeHost } from '../../packages/verify/src/node-host.ts';
import { verifyPackage } from '../../packages/verify/src/verify-package.ts';
import {
  type HttpHarness,
  PEOPLE,
  plainConnection,
  SECRET,
  startHttpHarness,
  startUpstream,
  type Upstream,
} from './http-harness.ts';

const run = promisify(execFile);

const RULES = `
kind: Access
name: readers
who: [group:search]
to: [api]
may: [read, unknown]
---
kind: Person
name: root
displayName: Root
groups: [administrators]
---
kind: Rule
name: nothing-is-deleted
on: [api]
when: { methods: [DELETE] }
then: block
`;

let harness: HttpHarness;
let upstream: Upstream;
let token: string;
let root: string;

beforeAll(async () => {
  upstream = await startUpstream((incoming, response) => {
    incoming.resume();
    incoming.on('end', () => {
      if (incoming.url === '/coded') {
        response.setHeader('content-encoding', 'gzip');
        response.end(gzipSync('coded words'));
      } else if (incoming.url === '/broken') {
        response.write('half');
        setTimeout(() => response.destroy(), 50);
      } else response.end(`answer to ${incoming.url}`);
    });
  });
  harness = await startHttpHarness();
  await harness.apply(`${plainConnection(upstream.url)}\n---${PEOPLE}\n---${RULES}`);
  token = await harness.token('ana');
  root = await harness.token('root');
  await ask('POST', '/words?x=1', 'a question\u001b[31m');
  await ask('GET', '/coded');
  await ask('DELETE', '/gone');
  await ask('GET', '/broken').catch(() => undefined);
  await harness.finishedLog();
});

afterAll(async () => {
  await harness[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
});

async function ask(method: string, path: string, body?: string): Promise<string> {
  const answer = await fetch(`${harness.url}/api${path}`, {
    method,
    headers: { authorization: `Bearer ${token}` },
    ...(body === undefined ? {} : { body }),
  });
  return answer.text();
}

function api(path: string, init: RequestInit = {}): Promise<Response> {
  const { host, port } = harness.gateway.api;
  const headers = { authorization: `Bearer ${root}`, 'content-type': 'application/json' };
  return fetch(`http://${host}:${port}${path}`, { ...init, headers });
}

it('is listed with its leaves', async () => {
  const started = (await harness.log()).find(({ leaf }) => leaf.type === 'session.start');
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The gateway's own answer.
  const { statements } = (await (await api(`/v1/sessions/${started?.leaf.session}`)).json()) as {
    statements: { status: string; intent: { method: string; path: string } }[];
  };
  expect(statements.map(({ status, intent }) => [intent.method, intent.path, status])).toEqual([
    ['POST', '/words', 'ok'],
    ['GET', '/coded', 'ok'],
    ['DELETE', '/gone', 'blocked'],
    ['GET', '/broken', 'unknown'],
  ]);
});

it('is replayed as requests with their answers, and drives no terminal', async () => {
  const started = (await harness.log()).find(({ leaf }) => leaf.type === 'session.start');
  const answer = await api(`/v1/sessions/${started?.leaf.session}/replay?reason=audit`);
  const text = await answer.text();
  expect([answer.status, text]).toEqual([200, expect.any(String)]);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The gateway's own lines.
  const lines = text
    .trim()
    .split('\n')
    .map((one) => JSON.parse(one) as ReplayLine);
  const requests = lines.filter((one) => one.kind === 'request');
  expect(requests.map(({ method, path, status, outcome }) => [method, path, status, outcome])).toEqual([
    ['POST', '/words?x=1', 200, 'answered'],
    ['GET', '/coded', 200, 'answered'],
    ['DELETE', '/gone', 403, 'answered'],
    ['GET', '/broken', 200, 'broken off'],
  ]);
  const [first, second, third] = requests;
  expect([first?.request.text, first?.answer.text]).toEqual(['a question\u001b[31m', 'answer to /words?x=1']);
  expect([second?.answer.text, third?.fromGateway]).toEqual([undefined, true]);
  const intents = (await harness.log()).filter(({ leaf }) => leaf.type === 'http.intent');
  expect(requests.map(({ leaf }) => leaf)).toEqual(intents.map(({ leaf }) => leaf.n));
  // In the words in which the session is listed.
  expect(requests.map(({ leafStatus }) => leafStatus)).toEqual(['ok', 'ok', 'blocked', 'unknown']);
  const shown = lines.map(replayText).join('');
  expect(shown).toMatch(/leaf \d+ {2}blocked {2}.*\n {2}DELETE \/gone/);
  expect(shown).toContain('POST /words?x=1');
  expect(shown).not.toContain('\u001b');
  expect(text).not.toContain(SECRET);
  expect(text).not.toContain(token);
});

it('is in a package that verifies: the session, and what was denied', async () => {
  const answer = await api('/v1/evidence/export', {
    method: 'POST',
    body: JSON.stringify({ from: '2020-01-01T00:00:00Z', to: '2100-01-01T00:00:00Z', reason: 'audit' }),
  });
  expect(answer.status).toBe(200);
  const file = join(harness.data, 'package.zip');
  await writeFile(file, new Uint8Array(await answer.arrayBuffer()));
  await using source = await FileSource.open(file);
  const report = await verifyPackage(source, {
    host: nodeHost(),
    vkey: harness.gateway.rooms.ledger.verifierKey,
  });
  expect(report.checks.filter(({ status }) => status !== 'passed')).toEqual([]);
  const [sessions, denied, scan] = [await table('sessions'), await table('denied'), await scanned(file)];
  expect(sessions.map((row) => row['connection'] ?? row['target'])).toEqual(['api']);
  expect(denied.map(({ method, path }) => [method, path])).toEqual([['DELETE', '/gone']]);
  expect(scan).toContain('contents of HTTP are not looked at');

  async function table(name: string): Promise<Record<string, string>[]> {
    const { stdout } = await run('unzip', ['-p', file, `*/data/populations/${name}.csv`]);
    const [header = [], ...rows] = parseCsv(stdout);
    return rows.map((row) => Object.fromEntries(header.map((column, at) => [column, row[at] ?? ''])));
  }
});

async function scanned(file: string): Promise<string> {
  return (await run('unzip', ['-p', file, '*masking-second-scan.csv'])).stdout;
}
