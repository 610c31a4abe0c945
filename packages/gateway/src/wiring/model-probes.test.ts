/** Looks at models by a whole gateway: what people agree to in it, whom it tells, and what it knows after a start. */

import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bodyValues } from '@countersign/ledger/body';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStoredBody } from '../audit/find-leaf.ts';
import { parseOwnLeaf } from '../audit/own-leaf.ts';
import type { ModelsAnswer } from '../api/answers.ts';
import { testingOnlyCall } from '../api/testing-call.ts';
import { loadConfig } from '../config/config.ts';
import { type RunningGateway, startGateway } from '../main.ts';
import { parseResources } from '../resources/parse.ts';

let directory: string;
let service: Server;
let gateway: RunningGateway;
let sha = '1';
const tokens = new Map<string, string>();
const lines: string[] = [];

beforeAll(async () => {
  service = createServer((_, response) => response.end(JSON.stringify({ model_id: 'm', model_sha: sha })));
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
  directory = await mkdtemp(join(tmpdir(), 'models-'));
  await start();
  const { identity, resources, bootId } = gateway.rooms;
  const by = { name: 'test', kind: 'system', keyId: bootId } as const;
  await resources.apply(parseResources(`${PEOPLE}---\n${connection('first')}`), by);
  for (const name of ['root', 'bo', 'cleo']) {
    const owner = await identity.principals.findByName(name);
    if (owner === undefined) throw new Error(`no ${name}`);
    const request = { name: 'test', lifetimeMs: 3_600_000, createdBy: undefined };
    tokens.set(name, (await identity.tokens.createToken(owner, request)).token.reveal());
  }
});

afterAll(async () => {
  await gateway.close('test');
  service.closeAllConnections();
  await new Promise((resolve) => service.close(resolve));
  await rm(directory, { recursive: true });
});

async function start(): Promise<void> {
  const config = loadConfig('', { data: join(directory, 'data'), apiPort: 0, postgresPort: 0 });
  gateway = await startGateway(config, { env: {}, onNotice: (line) => lines.push(line) });
}

const PEOPLE = `
{ kind: Person, name: root, displayName: Root, groups: [administrators] }
---
{ kind: Person, name: bo, displayName: Bo, groups: [owners] }
---
{ kind: Person, name: cleo, displayName: Cleo }
---
{ kind: Group, name: owners, members: [] }
---
{ kind: Rule, name: guard, when: { changes: [Connection] }, then: { hold: { approvers: ['group:owners'] } } }
`;

/** With a label that says which model people have agreed to. */
function connection(release: string): string {
  const address = service.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return `
kind: Connection
name: reranker
protocol: http
target: { url: 'http://127.0.0.1:${port}', tls: disable }
credential: { scheme: none }
labels: { release: ${release} }
probes: { identity: tei, reviewers: ['group:owners', cleo] }
`;
}

interface Answer {
  readonly looks: readonly Record<string, unknown>[];
  readonly models: ModelsAnswer['models'];
  readonly message: string;
}

function call(who: string, key: string, body?: unknown): ReturnType<typeof testingOnlyCall<Answer>> {
  return testingOnlyCall<Answer>(`http://127.0.0.1:${gateway.api.port}`, tokens.get(who), key, body);
}

async function look(): Promise<Record<string, unknown>> {
  const { status, json } = await call('root', 'POST /v1/models/reranker/probe', {});
  expect(status).toBe(200);
  return json.looks[0] ?? {};
}

/** Root asks, Bo agrees, root does it. */
async function agreeTo(release: string): Promise<void> {
  const apply = (): ReturnType<typeof call> =>
    call('root', 'POST /v1/resources/apply', { text: connection(release) });
  const held = await apply();
  expect(held.status).toBe(423);
  const [id = ''] = /hld_[0-9a-z]{26}/.exec(held.json.message) ?? [];
  expect((await call('bo', `POST /v1/approvals/${id}/approve`, {})).status).toBe(200);
  expect((await apply()).status).toBe(200);
}

async function leavesOf(type: string): Promise<readonly Record<string, unknown>[]> {
  const { reader, ledger, keys } = gateway.rooms;
  const found: Record<string, unknown>[] = [];
  for await (const { index, leaf: bytes, sealed } of reader.leaves(0, ledger.size)) {
    const leaf = parseOwnLeaf(bytes, index);
    if (leaf.type !== type) continue;
    const body = await openStoredBody(leaf, sealed, keys);
    found.push({
      n: leaf.n,
      ref: leaf.ref,
      status: leaf.status,
      ...(body === undefined ? {} : bodyValues(body)),
    });
  }
  return found;
}

/** Baselines and findings, which another look of the same changes nothing of. */
async function known(): Promise<unknown> {
  const { models } = (await call('root', 'GET /v1/models')).json;
  return models.flatMap(({ probes }) => probes.map(({ baseline, findings }) => [baseline, findings]));
}

describe('a gateway', () => {
  it('takes a change of the Connection that others agreed to for an agreement, once', async () => {
    await look();
    expect(await look()).toMatchObject({ status: 'same', first: false });
    sha = '2';
    await agreeTo('second');
    const [taken] = await leavesOf('hold.taken');
    expect(await look()).toMatchObject({ status: 'changed', finding: false, approval: taken?.['n'] });
    sha = '3';
    const found = await look();
    expect(found).toMatchObject({ status: 'changed', finding: true });
    expect(await look()).toMatchObject({ status: 'same', finding: false });
    // Nobody is configured who could be told, and that is written down.
    expect(await leavesOf('model.notified')).toMatchObject([
      {
        ref: found['leaf'],
        status: 'failed',
        notice: 'model.changed',
        receiver: 'none',
        reviewers: ['group:owners', 'cleo'],
        tries: 0,
      },
    ]);
    expect(lines).toEqual([expect.stringMatching(/^notice of another model behind reranker: told nobody/)]);
  });

  it('takes what nobody had agreed to for nothing: a change that is denied, or only asked for', async () => {
    const held = await call('root', 'POST /v1/resources/apply', { text: connection('third') });
    expect(held.status).toBe(423);
    sha = '4';
    expect(await look()).toMatchObject({ finding: true });
    const [id = ''] = /hld_[0-9a-z]{26}/.exec(held.json.message) ?? [];
    expect((await call('bo', `POST /v1/approvals/${id}/deny`, { reason: 'no' })).status).toBe(200);
    sha = '5';
    expect(await look()).toMatchObject({ finding: true });
  });

  it('knows after a start what it knew before', async () => {
    const before = await known();
    await gateway.close('again');
    await start();
    // A look of the schedule may have been there already: it found the same.
    expect(await known()).toEqual(before);
    expect(await look()).toMatchObject({ status: 'same', first: false });
    sha = '6';
    expect(await look()).toMatchObject({ status: 'changed', finding: true });
  });

  it('is asked by administrators and auditors, about connections that there are and that have probes', async () => {
    expect((await call('bo', 'GET /v1/models')).status).toBe(403);
    expect((await call('bo', 'POST /v1/models/reranker/probe', {})).status).toBe(403);
    expect((await call('root', 'GET /v1/models')).json.models).toHaveLength(1);
    expect((await call('root', 'GET /v1/models/nowhere')).status).toBe(404);
    expect((await call('root', 'POST /v1/models/nowhere/probe', {})).status).toBe(404);
    await agreeTo('fourth');
    const without = connection('fourth').replace(/probes: .*\n/, '');
    const held = await call('root', 'POST /v1/resources/apply', { text: without });
    const [id = ''] = /hld_[0-9a-z]{26}/.exec(held.json.message) ?? [];
    await call('bo', `POST /v1/approvals/${id}/approve`, {});
    expect((await call('root', 'POST /v1/resources/apply', { text: without })).status).toBe(200);
    expect((await call('root', 'GET /v1/models')).json.models).toEqual([]);
    const refused = await call('root', 'POST /v1/models/reranker/probe', {});
    expect([refused.status, refused.json.message]).toEqual([400, expect.stringContaining('has no probes')]);
  });
});
