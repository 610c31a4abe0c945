/**
 * The official client of Pinecone is told a name by the control plane, and goes there: at the gate. The store is a
 * stand-in made from the documented API (stores/pinecone.ts); its control plane and its index have two host names
 * here, as those of the service have.
 */

import { Pinecone } from '@pinecone-database/pinecone';
import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { type HttpHarness, PEOPLE, SECRET, startHttpHarness } from './http-harness.ts';
import type { FakeStore } from './stores/fake-http.ts';
import { startFakePinecone } from './stores/pinecone.ts';

let harness: HttpHarness;
let store: FakeStore;
let control: Server;
let token: string;
let storePort: string;
/** In the place of what the control plane of the stand-in says. */
let said:
  | { readonly status: number; readonly fields: Record<string, string>; readonly body: Buffer }
  | undefined;

/** What the control plane was asked for. */
const encodings: string[] = [];

const CREDENTIAL = '{ scheme: header, name: api-key, password: { env: API_SECRET } }';

beforeAll(async () => {
  store = await startFakePinecone({ apiKey: SECRET });
  storePort = new URL(store.url).port;
  // What a client is told leads to `localhost`; the control plane is somewhere else.
  control = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      encodings.push(String(incoming.headers['accept-encoding']));
      if (said !== undefined) {
        response.writeHead(said.status, said.fields);
        response.end(said.body);
        return;
      }
      const key = incoming.headers['api-key'];
      const headers = { 'api-key': String(key), 'content-type': 'application/json' };
      const body = chunks.length === 0 ? {} : { body: Buffer.concat(chunks) };
      void fetch(`${store.url}${incoming.url}`, { method: incoming.method ?? 'GET', headers, ...body }).then(
        async (answer) => {
          const text = (await answer.text()).replaceAll(store.url, `http://localhost:${storePort}`);
          response.writeHead(answer.status, { 'content-type': 'application/json', etag: '"x"' });
          response.end(text);
        },
      );
    });
  });
  await new Promise<void>((resolve) => control.listen(0, '127.0.0.1', resolve));
  const address = control.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  harness = await startHttpHarness();
  await harness.apply(`${PEOPLE}
---
kind: Connection
name: pinecone
protocol: http
target: { url: 'http://127.0.0.1:${port}', tls: disable }
credential: ${CREDENTIAL}
dialect: pinecone
hosts: [pinecone.gateway.example]
---
kind: Connection
name: tickets
protocol: http
target: { url: 'http://localhost:${storePort}', tls: disable }
credential: ${CREDENTIAL}
dialect: pinecone
---
kind: Access
name: search-team
who: [group:search]
to: [pinecone, tickets]
may: [read, write, define]`);
  token = await harness.token('ana');
});

afterAll(async () => {
  await harness[Symbol.asyncDispose]();
  control.close();
  await store.close();
});

beforeEach(() => {
  said = undefined;
});

function client(): Pinecone {
  return new Pinecone({ apiKey: token, controllerHostUrl: `${harness.url}/pinecone` });
}

function ask(path: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${harness.url}${path}`, { headers: { 'api-key': token, ...headers } });
}

function says(body: unknown, fields: Record<string, string> = {}, status = 200): void {
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
  said = { status, fields: { 'content-type': 'application/json', ...fields }, body: bytes };
}

it('makes an index, is told where it is, and reads and writes it, all at the gate', async () => {
  const made = await client().createIndex({
    name: 'tickets',
    dimension: 2,
    metric: 'cosine',
    spec: { serverless: { cloud: 'aws', region: 'us-east-1' } },
  });
  expect(made?.host).toBe(`${harness.url}/tickets`);
  expect((await client().describeIndex('tickets')).host).toBe(`${harness.url}/tickets`);
  const index = client().index('tickets');
  const before = store.seen.length;
  await index.upsert({ records: [{ id: 't1', values: [1, 0], metadata: { text: 'refund' } }] });
  const { matches } = await index.query({ vector: [1, 0], topK: 1, includeMetadata: true });
  expect(matches.map(({ id, metadata }) => [id, metadata])).toEqual([['t1', { text: 'refund' }]]);
  expect((await client().listIndexes()).indexes?.map(({ host }) => host)).toEqual([`${harness.url}/tickets`]);
  expect(store.seen.length).toBeGreaterThan(before);
  const log = await harness.finishedLog();
  const intents = log.filter(({ leaf }) => leaf.type === 'http.intent');
  expect(intents.map(({ leaf, body }) => [leaf.target, body['method'], body['path']])).toEqual([
    ['pinecone', 'POST', '/indexes'],
    ['pinecone', 'GET', '/indexes/tickets'],
    ['tickets', 'POST', '/vectors/upsert'],
    ['tickets', 'POST', '/query'],
    ['pinecone', 'GET', '/indexes'],
  ]);
});

it('gives out and records one and the same content, whose digest stands in the outcome', async () => {
  const answer = await ask('/pinecone/indexes/tickets');
  const bytes = Buffer.from(await answer.arrayBuffer());
  expect(answer.headers.get('content-length')).toBe(String(bytes.length));
  expect(answer.headers.get('etag')).toBeNull();
  const outcome = (await harness.finishedLog()).findLast(({ leaf }) => leaf.type === 'http.outcome');
  expect(outcome?.body).toMatchObject({
    body_sha256: createHash('sha256').update(bytes).digest('hex'),
    body_bytes: bytes.length,
    hosts_rewritten: 1,
  });
});

it('takes two names of one index for one, and leaves every other byte', async () => {
  const text = `{ "name":"x", "host" : "localhost:${storePort}","private_host":"x.private.example","n":1.50 }`;
  // Without a scheme a name means https, which is another port here.
  says(Buffer.from(text.replace('"localhost', '"http://localhost')));
  expect(await (await ask('/pinecone/indexes/x')).text()).toBe(
    `{ "name":"x", "host" : "${harness.url}/tickets","private_host":"${harness.url}/tickets","n":1.50 }`,
  );
});

it.each<[string, unknown, Record<string, string>, number]>([
  ['an index to which no Connection leads', { host: 'x-1.svc.pinecone.io' }, {}, 200],
  ['an index at another port', { host: 'http://localhost:1' }, {}, 200],
  ['an address with a user', { host: 'http://ana@localhost' }, {}, 200],
  [
    'a content that is no JSON',
    Buffer.from('host: x-1.svc.pinecone.io'),
    { 'content-type': 'text/yaml' },
    200,
  ],
  ['a content with a key twice', Buffer.from('{"host":"gw","host":"x-1.svc.pinecone.io"}'), {}, 200],
  [
    'an encoding that was not asked for',
    gzipSync('{"host":"x-1.svc.pinecone.io"}'),
    { 'content-encoding': 'gzip' },
    200,
  ],
  ['a part', Buffer.from('{}'), {}, 206],
  ['more than is held', Buffer.from(`{"a":"${'x-1.svc.pinecone.io'.repeat(300_000)}"}`), {}, 200],
])('withholds %s', async (_, body, fields, status) => {
  says(body, fields, status);
  const answer = await ask('/pinecone/indexes/x', { 'accept-encoding': 'gzip' });
  expect(answer.status).toBeGreaterThanOrEqual(400);
  expect(await answer.text()).not.toContain('svc.pinecone.io');
  expect(encodings.at(-1)).toBe('identity');
});

it('sends whoever lists to nowhere, for the one to which no Connection leads', async () => {
  says({ indexes: [{ host: `http://localhost:${storePort}` }, { host: 'x-1.svc.pinecone.io' }] });
  expect(await (await ask('/pinecone/indexes')).json()).toEqual({
    indexes: [{ host: `${harness.url}/tickets` }, { host: 'no-connection.invalid' }],
  });
});

it('leaves what the target says of an error, and what names nothing', async () => {
  says(Buffer.from('upstream connect error'), { 'content-type': 'text/plain' }, 503);
  const failed = await ask('/pinecone/indexes/x');
  expect([failed.status, await failed.text()]).toEqual([503, 'upstream connect error']);
  says({ error: { code: 'NOT_FOUND' } }, { etag: '"y"' }, 404);
  expect((await ask('/pinecone/indexes/x')).status).toBe(404);
});

it('says nothing of a Connection to who may not use it', async () => {
  await harness.apply(`
kind: Access
name: search-team
who: [group:search]
to: [pinecone]
may: [read]`);
  const answer = await ask('/pinecone/indexes/tickets');
  expect([answer.status, await answer.text()]).toEqual([502, expect.not.stringContaining('/tickets')]);
});
