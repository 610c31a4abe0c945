/** What is written down of rerank calls: by official clients of a real service, and of answers of every kind. */

import { execFile } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { CohereClientV2 } from 'cohere-ai';
import { VoyageAIClient } from 'voyageai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Reranker, startReranker } from '../../examples/demo/reranker/server.ts';
import { contentHash } from '../../packages/gateway/src/keys/content-hash.ts';
import { parseCsv } from '../../packages/ledger/src/csv.ts';
import { FileSource, nodeHost } from '../../packages/verify/src/node-host.ts';
import { verifyPackage } from '../../packages/verify/src/verify-package.ts';
import {
  type HttpHarness,
  type LoggedEvent,
  PEOPLE,
  plainConnection,
  SECRET,
  startHttpHarness,
  startUpstream,
  type Upstream,
} from './http-harness.ts';

const run = promisify(execFile);

const MODEL = 'lexical-blend';
const QUERY = 'refund for the kettle of ana@example.com';
const TEXTS: readonly string[] = ['A bike helmet.', 'Refund for my kettle.', 'The kettle is fine.'];
const BODY = JSON.stringify({ model: 'm-1', query: QUERY, documents: TEXTS, top_n: 2 });
const ANSWER =
  '{"id":"r1","results":[{"index":1,"relevance_score":0.70},{"index":0,"relevance_score":1.0e-3}],"meta":{"billed_units":{"search_units":1}}}';

const RULES = `
kind: Person
name: root
displayName: Root
groups: [administrators]
---
kind: Access
name: search-team
who: [group:search]
to: ['label:class=rerank', api]
may: [read, rerank, unknown]
---
kind: Rule
name: nothing-passes
on: ['label:mode=blocked']
when: { effects: [rerank] }
then: block
---
kind: Mask
name: addresses
on: ['label:mode=masked']
detect: [email]
as: redact
`;

let harness: HttpHarness;
let reranker: Reranker;
let upstream: Upstream;
let token: string;
let hashOf: (text: string) => string;
let answer: (response: ServerResponse) => void;
let reached = 0;

beforeAll(async () => {
  reranker = await startReranker({ port: 0, apiKey: SECRET });
  upstream = await startUpstream((incoming, response) => {
    incoming.resume();
    incoming.on('end', () => {
      reached += 1;
      response.setHeader('content-type', 'application/json');
      answer(response);
    });
  });
  harness = await startHttpHarness();
  await harness.apply(
    [
      rerankConnection('cohere', `${reranker.url}/cohere`, 'open', 'cohere-v2'),
      rerankConnection('voyage', `${reranker.url}/voyage`, 'open', 'voyage'),
      rerankConnection('blocked', upstream.url, 'blocked'),
      rerankConnection('masked', upstream.url, 'masked'),
      plainConnection(upstream.url),
      PEOPLE,
      RULES,
    ].join('\n---\n'),
  );
  token = await harness.token('ana');
  const hash = contentHash(harness.gateway.rooms.installationKey);
  hashOf = (text) => hash(Buffer.from(text));
});

function rerankConnection(name: string, url: string, mode: string, dialect = 'auto'): string {
  return `
kind: Connection
name: ${name}
protocol: http
target: { url: '${url}', tls: disable }
credential: { scheme: bearer, password: { env: API_SECRET } }
dialect: ${dialect}
labels: { class: rerank, mode: ${mode} }`;
}

afterAll(async () => {
  await harness[Symbol.asyncDispose]();
  await Promise.all([reranker.close(), upstream[Symbol.asyncDispose]()]);
});

interface Call {
  readonly intent: LoggedEvent;
  readonly call: LoggedEvent;
  readonly outcome: LoggedEvent;
  readonly result: LoggedEvent;
}

/** The newest call on a connection, with the four leaves that it has; the last two come behind the answer. */
async function lastCall(target: string): Promise<Call> {
  const found = callIn(await harness.log(), target);
  if (found !== undefined) return found;
  await new Promise((resolve) => setTimeout(resolve, 20));
  return lastCall(target);
}

function callIn(log: readonly LoggedEvent[], target: string): Call | undefined {
  const only = (type: string, ref: number | undefined): LoggedEvent | undefined => {
    const found = log.filter(({ leaf }) => leaf.type === type && leaf.ref === ref);
    if (found.length > 1) throw new Error(`${found.length} leaves ${type}`);
    return found[0];
  };
  const call = log.findLast(({ leaf }) => leaf.type === 'rerank.call' && leaf.target === target);
  const intent = log.find(({ leaf }) => leaf.n === call?.leaf.ref);
  const outcome = only('http.outcome', intent?.leaf.n);
  const result = only('rerank.result', call?.leaf.n);
  if (call === undefined || intent === undefined) throw new Error('no call');
  return outcome === undefined || result === undefined ? undefined : { intent, call, outcome, result };
}

async function post(
  connection: string,
  body = BODY,
  fields: Readonly<Record<string, string>> = {},
): Promise<Response> {
  return fetch(`${harness.url}/${connection}/v2/rerank`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...fields },
    body,
  });
}

describe('an official client', () => {
  it('of Cohere has its call in the log: what it asked for, by hashes, and the order that it got', async () => {
    const client = new CohereClientV2({ token, environment: `${harness.url}/cohere` });
    const { results } = await client.rerank({ model: MODEL, query: QUERY, documents: [...TEXTS], topN: 2 });
    const { intent, call, outcome, result } = await lastCall('cohere');
    expect(intent.leaf.n).toBeLessThan(call.leaf.n);
    expect(call.leaf.n).toBeLessThan(outcome.leaf.n);
    expect([outcome.leaf.status, result.leaf.status, result.leaf.n]).toEqual([
      'ok',
      'ok',
      outcome.leaf.n + 1,
    ]);
    expect(call.body).toEqual({
      dialect: 'cohere-v2',
      operation: 'rerank',
      endpoint: '/v2/rerank',
      model: MODEL,
      model_known_from: 'request',
      query_hash: hashOf(QUERY),
      query_length: QUERY.length,
      documents_count: 3,
      documents: TEXTS.map((text) => ({ hash: hashOf(text), bytes: Buffer.byteLength(text) })),
      top_n: '2',
      returns_text: 'default',
    });
    expect(result.body['results_count']).toBe(2);
    expect(
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The gateway's own leaf.
      (result.body['results'] as { document: number; score: string }[]).map(({ document, score }) => ({
        index: document,
        relevanceScore: Number(score),
      })),
    ).toEqual(results);
    expect(result.body).toMatchObject({ http_status: 200, sorted: true, usage: expect.any(Array) });
  });

  it('of Voyage has it too, with the model that the answer names', async () => {
    const client = new VoyageAIClient({ apiKey: token, environment: `${harness.url}/voyage/v1` });
    const call = { model: MODEL, query: QUERY, documents: [...TEXTS], returnDocuments: true };
    const { data } = await client.rerank(call);
    const found = await lastCall('voyage');
    expect(found.call.body).toMatchObject({ dialect: 'voyage', model: MODEL, query_hash: hashOf(QUERY) });
    expect(found.result.body).toMatchObject({
      model_effective: MODEL,
      model_known_from: 'response',
      results: (data ?? []).map(({ index }) => ({ document: index })),
    });
    const leaves = JSON.stringify([found.call.body, found.result.body]);
    for (const text of [QUERY, ...TEXTS]) expect(leaves).not.toContain(text);
  });
});

describe('an answer', () => {
  it('keeps the bytes of its scores, in pieces and with an encoding', async () => {
    answer = (response) => {
      response.setHeader('content-encoding', 'gzip');
      const bytes = gzipSync(ANSWER);
      for (const byte of bytes) response.write(Buffer.of(byte));
      response.end();
    };
    expect(await (await post('api')).text()).toBe(ANSWER);
    const { call, result } = await lastCall('api');
    // Which of the services with this path it is, nobody has said.
    expect(call.body['dialect']).toBe('rerank');
    expect(result.body).toEqual({
      http_status: 200,
      model_known_from: 'request',
      results_count: 2,
      results: [
        { document: 1, score: '0.70' },
        { document: 0, score: '1.0e-3' },
      ],
      sorted: true,
      usage: [{ name: 'search_units', value: '1' }],
      upstream_request_id: 'r1',
    });
  });

  it.each<[string, (response: ServerResponse) => void, string, object]>([
    ['an error', (response) => response.writeHead(500).end('{}'), 'error', { http_status: 500 }],
    [
      'HTML',
      (response) => response.end('<html>'),
      'ok',
      { http_status: 200, unread: 'it is no JSON: syntax' },
    ],
    [
      'another shape',
      (response) => response.end('{"results":{}}'),
      'ok',
      { http_status: 200, unread: 'it is no answer of its dialect' },
    ],
    [
      'a name twice',
      (response) => response.end('{"results":[],"results":[]}'),
      'ok',
      { http_status: 200, unread: 'it is no JSON: duplicate-key' },
    ],
    [
      'an encoding that nobody knows',
      (response) => response.writeHead(200, { 'content-encoding': 'zzz' }).end(ANSWER),
      'ok',
      { http_status: 200, unread: expect.stringContaining('Content-Encoding') },
    ],
    ['nothing', (response) => response.end(), 'ok', { http_status: 200, unread: 'it is no JSON: syntax' }],
    [
      'more than is kept',
      (response) => {
        response.write('{"results":[],"more":"');
        for (let piece = 0; piece < 9; piece += 1) response.write('x'.repeat(1_000_000));
        response.end('"}');
      },
      'ok',
      { http_status: 200, unread: 'it has more than 8388608 bytes' },
    ],
  ])('that is %s has its outcome all the same', async (_, give, status, body) => {
    answer = give;
    await (await post('api')).arrayBuffer();
    const { outcome, result } = await lastCall('api');
    expect([outcome.leaf.status, result.leaf.status]).toEqual([status, status]);
    expect(result.body).toEqual({ model_known_from: 'request', ...body });
  });

  it('that breaks off says so, and what was not kept is no order', async () => {
    answer = (response) => {
      response.write(ANSWER.slice(0, 60));
      setTimeout(() => response.destroy(), 30);
    };
    const got = await post('api');
    await expect(got.text()).rejects.toThrow(/terminated|aborted|closed/);
    const { outcome, result } = await lastCall('api');
    expect([outcome.leaf.status, result.leaf.status]).toEqual(['unknown', 'unknown']);
    expect(result.body).toMatchObject({
      unread: 'it was cut off',
      error: expect.stringContaining('UPSTREAM_FAILED'),
    });
  });
});

describe('a request', () => {
  it('that is blocked has its call, and its result says that nothing was ranked', async () => {
    const before = reached;
    expect((await post('blocked')).status).toBe(403);
    expect(reached).toBe(before);
    const { intent, call, outcome, result } = await lastCall('blocked');
    expect([intent.leaf.decision, outcome.leaf.status, result.leaf.status]).toEqual([
      'block',
      'blocked',
      'cancelled',
    ]);
    expect(call.leaf.decision).toBeUndefined();
    expect(call.body).toMatchObject({ model: 'm-1', query_hash: hashOf(QUERY), documents_count: 3 });
    expect(result.body).toEqual({
      model_known_from: 'request',
      error: expect.stringContaining('POLICY_BLOCKED'),
    });
  });

  it('whose content is none of reranking says that nobody could read it', async () => {
    // It may be anything then, which nothing lets through here.
    expect((await post('api', 'query=kettle', { 'content-type': 'text/plain' })).status).toBe(403);
    const { call, result } = await lastCall('api');
    expect(call.body).toEqual({
      dialect: expect.any(String),
      endpoint: '/v2/rerank',
      model_known_from: 'unknown',
      unread: 'nobody could read its content',
    });
    expect(result.leaf.status).toBe('cancelled');
  });

  it('that is no rerank call has no leaves of one', async () => {
    answer = (response) => response.end('{}');
    const calls = async (): Promise<number> =>
      (await harness.log()).filter(({ leaf }) => leaf.type === 'rerank.call').length;
    const before = await calls();
    const got = await fetch(`${harness.url}/api/v1/models`, {
      headers: { authorization: `Bearer ${token}` },
    });
    await got.text();
    expect(await calls()).toBe(before);
  });
});

describe('where Masks are', () => {
  it('the leaf shows the query as they leave it, and hashes are of what was said', async () => {
    const said = '{"id":"r-ana@example.com","results":[{"index":0,"relevance_score":0.50}]}';
    answer = (response) => response.end(said);
    const text = await (await post('masked')).text();
    expect(text).not.toContain('ana@example.com');
    const { call, result } = await lastCall('masked');
    expect(call.body['query']).toBe('refund for the kettle of [REDACTED:EMAIL]');
    expect(call.body['query_hash']).toBe(hashOf(QUERY));
    expect(result.body).toMatchObject({
      results: [{ document: 0, score: '0.50' }],
      upstream_request_id: expect.not.stringContaining('ana@'),
    });
    expect(JSON.stringify([call.body, result.body])).not.toContain('ana@');
  });
});

describe('a package', () => {
  it('verifies, and has a row for each call, with the order that came', async () => {
    await harness.finishedLog();
    const { host, port } = harness.gateway.api;
    const exported = await fetch(`http://${host}:${port}/v1/evidence/export`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${await harness.token('root')}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify({ from: '2020-01-01T00:00:00Z', to: '2100-01-01T00:00:00Z', reason: 'audit' }),
    });
    const file = join(harness.data, 'package.zip');
    await writeFile(file, new Uint8Array(await exported.arrayBuffer()));
    await using source = await FileSource.open(file);
    const report = await verifyPackage(source, {
      host: nodeHost(),
      vkey: harness.gateway.rooms.ledger.verifierKey,
    });
    expect(report.checks.filter(({ status }) => status !== 'passed')).toEqual([]);
    const { stdout } = await run('unzip', ['-p', file, '*/data/populations/rerank-requests.csv']);
    const [header = [], ...rows] = parseCsv(stdout);
    const calls = (await harness.log()).filter(({ leaf }) => leaf.type === 'rerank.call');
    const cell = (row: readonly string[], column: string): string => row[header.indexOf(column)] ?? '';
    expect(rows.map((row) => Number(cell(row, 'leaf_index'))).toSorted((a, b) => a - b)).toEqual(
      calls.map(({ leaf }) => leaf.n),
    );
    const [first = []] = rows.filter((row) => cell(row, 'target') === 'api');
    expect([cell(first, 'order'), cell(first, 'actor_name'), cell(first, 'status')]).toEqual([
      '1:0.70 0:1.0e-3',
      'ana',
      'ok',
    ]);
    expect(stdout).not.toContain('ana@example.com');
    expect(report.rows['http-requests']).toBe(calls.length + 1);
  });
});

describe('the keyed hash', () => {
  it('is HMAC-SHA-256, and not of the installation key itself', () => {
    const key = harness.gateway.rooms.installationKey.reveal();
    expect(hashOf('a')).toMatch(/^[0-9a-f]{64}$/);
    expect(hashOf('a')).not.toBe(createHmac('sha256', key).update('a').digest('hex'));
  });
});
