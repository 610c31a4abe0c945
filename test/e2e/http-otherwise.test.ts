/** What nothing lets through is held where its Connection says who is asked, named in leaves and in a package. */

import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { parseCsv } from '../../packages/ledger/src/csv.ts';
import { FileSource, nodeHost } from '../../packages/verify/src/node-host.ts';
import { verifyPackage } from '../../packages/verify/src/verify-package.ts';
import {
  type HttpHarness,
  PEOPLE,
  plainConnection,
  startHttpHarness,
  startUpstream,
  type Upstream,
} from './http-harness.ts';

const run = promisify(execFile);

let harness: HttpHarness;
let upstream: Upstream;
const tokens = new Map<string, string>();
let seen: string[] = [];

const RULES = `
kind: Access
name: readers
who: [group:search]
to: [api]
may: [read]
---
kind: Person
name: root
displayName: Root
groups: [administrators]
---
kind: Rule
name: nothing-is-dropped
on: [api]
when: { effects: [drop] }
then: block
`;

beforeAll(async () => {
  upstream = await startUpstream((incoming, response) => {
    incoming.resume();
    incoming.on('end', () => {
      seen.push(`${incoming.method} ${incoming.url}`);
      response.setHeader('content-type', 'application/json');
      response.end('{"result":true,"status":"ok","time":0}');
    });
  });
  harness = await startHttpHarness();
  await harness.apply(`${plainConnection(upstream.url, 'dialect: qdrant')}\n---${PEOPLE}\n---${RULES}`);
  for (const name of ['ana', 'boss', 'root']) tokens.set(name, await harness.token(name));
});

afterAll(async () => {
  await harness[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
});

beforeEach(() => {
  seen = [];
});

function ask(method: string, path: string, body?: unknown): Promise<Response> {
  return fetch(`${harness.url}/api${path}`, {
    method,
    headers: { authorization: `Bearer ${tokens.get('ana')}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

function api(who: string, path: string, body?: unknown): Promise<Response> {
  const { host, port } = harness.gateway.api;
  return fetch(`http://${host}:${port}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${tokens.get(who)}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

/** The first hold that is open, once there is one. */
async function openHold(): Promise<{ id: string; rule: string }> {
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop, typescript/no-unsafe-type-assertion -- Until it is there.
    const { approvals } = (await (await api('boss', '/v1/approvals')).json()) as {
      approvals: { id: string; state: string; rule: string }[];
    };
    const found = approvals.find(({ state }) => state === 'asked');
    if (found !== undefined) return found;
    // oxlint-disable-next-line no-await-in-loop -- Until it is there.
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function withOtherwise(text: string): Promise<void> {
  return harness.apply(plainConnection(upstream.url, `dialect: qdrant\n${text}`));
}

const POINTS = { points: [{ id: 1, vector: [0.5], payload: {} }] };

it('a write that nobody has said anything about is refused, with what would have somebody asked', async () => {
  const answer = await ask('PUT', '/collections/docs/points', POINTS);
  expect(answer.status).toBe(403);
  const { status } = (await answer.json()) as { status: { error: string } };
  expect(status.error).toContain('nothing allows insert of docs');
  expect(status.error).toContain('otherwise on its Connection');
  expect(seen).toEqual([]);
  expect((await ask('GET', '/collections/docs')).status).toBe(200);
});

it('is held for those whom the connection names, passes once they have approved, and is in a package', async () => {
  await withOtherwise('otherwise: { hold: { approvers: [group:owners] } }');
  for (const [method, path, body] of [
    ['PUT', '/collections/docs/points', POINTS],
    // No route of the dialect: nobody knows what it does.
    ['POST', '/no/such/route', { a: 1 }],
  ] as const) {
    const waiting = ask(method, path, body);
    const hold = await openHold();
    expect(hold.rule).toBe('connection:api');
    const before = seen.length;
    expect((await api('boss', `/v1/approvals/${hold.id}/approve`, { reason: 'seen' })).status).toBe(200);
    expect((await waiting).status).toBe(200);
    expect(seen.slice(before)).toEqual([`${method} ${path}`]);
  }
  expect((await ask('GET', '/collections/docs')).status).toBe(200);
  const log = await harness.finishedLog();
  const intents = log.filter(({ leaf }) => leaf.type === 'http.intent' && leaf.decision === 'hold');
  expect(intents.map(({ body }) => body['rules'])).toEqual([
    expect.arrayContaining([expect.objectContaining({ rule: 'connection:api', verdict: 'hold' })]),
    [expect.objectContaining({ rule: 'connection:api', verdict: 'hold' })],
  ]);
  const approvals = await exported('approvals');
  expect(approvals.map((row) => row['rule'])).toEqual(['connection:api', 'connection:api']);
  // Each write is a change, the one that was refused too, and none that had an effect is unapproved.
  const [changes, unapproved] = [await exported('changes'), await exported('changes-unapproved')];
  expect(changes.map(({ method, path }) => [method, path])).toEqual([
    ['PUT', '/collections/docs/points'],
    ['PUT', '/collections/docs/points'],
    ['POST', '/no/such/route'],
  ]);
  expect(unapproved.map(({ why }) => why)).toEqual([]);
});

it('what a rule blocks stays blocked, and nobody is asked', async () => {
  const answer = await ask('DELETE', '/collections/docs');
  expect([answer.status, await answer.text()]).toEqual([403, expect.stringContaining('nothing-is-dropped')]);
  expect(seen).toEqual([]);
});

it('is refused where too few may agree, and says so', async () => {
  await withOtherwise('otherwise: { hold: { approvers: [group:owners, group:search], count: 2 } }');
  const answer = await ask('PUT', '/collections/docs/points', POINTS);
  expect([answer.status, await answer.text()]).toEqual([
    403,
    expect.stringContaining('asks for 2 who agree, and 1 may'),
  ]);
  expect(seen).toEqual([]);
});

/** A population of a package that verifies. */
async function exported(name: string): Promise<Record<string, string>[]> {
  const answer = await api('root', '/v1/evidence/export', {
    from: '2020-01-01T00:00:00Z',
    to: '2100-01-01T00:00:00Z',
    reason: 'audit',
  });
  expect(answer.status).toBe(200);
  const file = join(harness.data, 'package.zip');
  await writeFile(file, new Uint8Array(await answer.arrayBuffer()));
  await using source = await FileSource.open(file);
  const vkey = harness.gateway.rooms.ledger.verifierKey;
  const report = await verifyPackage(source, { host: nodeHost(), vkey });
  expect(report.checks.filter(({ status }) => status !== 'passed')).toEqual([]);
  const { stdout } = await run('unzip', ['-p', file, `*/data/populations/${name}.csv`]);
  const [header = [], ...rows] = parseCsv(stdout);
  return rows.map((row) => Object.fromEntries(header.map((column, at) => [column, row[at] ?? ''])));
}
