/** Documents of rerank calls, found again in the rows and hits that their principal was given before. */

import { gzipSync } from 'node:zlib';
import { CohereClientV2 } from 'cohere-ai';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Reranker, startReranker } from '../../examples/demo/reranker/server.ts';
import { directly, through } from './clients.ts';
import { type Harness, type LoggedEvent, startHarness } from './harness.ts';
import { startUpstream, type Upstream } from './http-harness.ts';

const TEXTS: readonly string[] = [
  'The kettle leaks since Tuesday, and I want a refund.',
  'A lamp that somebody sent to ana@example.com by mistake.',
  'My bike helmet is too small for my head.',
];
const ELSEWHERE = 'A text that nobody has retrieved from anywhere.';

let harness: Harness;
let reranker: Reranker;
let store: Upstream;
let token: string;

beforeAll(async () => {
  reranker = await startReranker({ port: 0 });
  store = await startUpstream((incoming, response) => {
    incoming.resume();
    const points = TEXTS.map((text, id) => ({ id, payload: { text, lang: 'en' } }));
    const body = JSON.stringify({ result: { points }, status: 'ok' });
    const isCoded = incoming.url?.includes('coded') === true;
    response.setHeader('content-type', 'application/json');
    if (isCoded) response.setHeader('content-encoding', 'gzip');
    response.end(isCoded ? gzipSync(body) : body);
  });
  harness = await startHarness();
  const { host, port } = harness.server;
  const database = (name: string, more: string): string => `
kind: Connection
name: ${name}
protocol: postgres
target: { host: ${host}, port: ${port}, database: postgres, tls: disable }
credential: { user: postgres, password: { env: DB_PASSWORD } }
${more}
labels: { class: sources }`;
  await harness.apply(
    [
      database('remembered', 'lineage: true'),
      database('masked', 'lineage: true'),
      service('store', store.url, 'lineage: true\ndialect: qdrant'),
      service('forgetful-store', store.url, 'dialect: qdrant'),
      service('reranker', `${reranker.url}/cohere`, 'dialect: cohere-v2'),
      `
kind: Access
name: all-of-them
who: [group:search, otto]
to: ['label:class=sources']
may: [read, write, rerank]
---
kind: Mask
name: addresses
on: [masked]
detect: [email]
as: redact`,
    ].join('\n---\n'),
  );
  token = await harness.token('ana');
  const admin = await directly(harness);
  await admin.query('create table texts (id int, body text)');
  for (const [id, text] of TEXTS.entries()) {
    // oxlint-disable-next-line no-await-in-loop -- One connection.
    await admin.query('insert into texts values ($1, $2)', [id, text]);
  }
  await admin.end();
});

function service(name: string, url: string, more: string): string {
  return `
kind: Connection
name: ${name}
protocol: http
target: { url: '${url}', tls: disable }
credential: { scheme: none }
${more}
labels: { class: sources }`;
}

afterAll(async () => {
  await harness[Symbol.asyncDispose]();
  await Promise.all([reranker.close(), store[Symbol.asyncDispose]()]);
});

/** What a client gets of a database, by a statement of each kind of protocol. */
async function rows(database: string, values: readonly unknown[] = [], user = 'ana'): Promise<string[]> {
  const own = user === 'ana' ? token : await harness.token(user);
  const client = await through(harness, own, { user, database });
  const where = values.length === 0 ? '' : 'where id = $1';
  const sql = `select id, body from texts ${where} order by id`;
  const { rows: found } = await client.query<{ body: string }>(sql, [...values]);
  await client.end();
  return found.map(({ body }) => body);
}

async function hits(connection: string, path = '/collections/texts/points/query'): Promise<string[]> {
  const { host, port } = harness.gateway.http;
  const answer = await fetch(`http://${host}:${port}/${connection}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: '{"query":[1,0],"limit":3}',
  });
  const { result } = (await answer.json()) as { result: { points: { payload: { text: string } }[] } };
  return result.points.map(({ payload }) => payload.text);
}

/** Ranks, and gives the lineage of the call. */
async function lineageOf(documents: readonly string[]): Promise<unknown> {
  const { host, port } = harness.gateway.http;
  const client = new CohereClientV2({ token, environment: `http://${host}:${port}/reranker` });
  await client.rerank({ model: 'lexical-blend', query: 'refund', documents: [...documents] });
  const call = (await harness.log()).findLast(({ leaf }) => leaf.type === 'rerank.call');
  return call?.body['lineage'];
}

async function lastOf(type: string, target: string): Promise<LoggedEvent | undefined> {
  return (await harness.log()).findLast(({ leaf }) => leaf.type === type && leaf.target === target);
}

it('is said of no call before a connection asks for it', async () => {
  await rows('db');
  expect(await lineageOf(TEXTS)).toBeUndefined();
});

it('leads to the statement whose rows were ranked, in both protocols of a query', async () => {
  const found = await rows('remembered');
  const simple = await lastOf('statement.intent', 'remembered');
  const [one = ''] = await rows('remembered', [2]);
  const extended = await lastOf('statement.intent', 'remembered');
  expect(await lineageOf([ELSEWHERE, ...found.slice(0, 2), one])).toEqual({
    of: 4,
    matched: 3,
    sources: [
      { leaf: simple?.leaf.n, documents: [1, 2] },
      { leaf: extended?.leaf.n, documents: [3] },
    ],
  });
});

it('is of what was delivered: a masked text is found as it is masked, and not as it was', async () => {
  const found = await rows('masked');
  expect(found[1]).toBe('A lamp that somebody sent to [REDACTED:EMAIL] by mistake.');
  const intent = await lastOf('statement.intent', 'masked');
  const masked = found[1] ?? '';
  expect(await lineageOf([masked])).toEqual({
    of: 1,
    matched: 1,
    sources: [{ leaf: intent?.leaf.n, documents: [0] }],
  });
});

it('leads to the search whose hits were ranked, whatever their encoding, where its connection asks for it', async () => {
  const plain = await hits('store');
  const search = await lastOf('http.intent', 'store');
  expect(await lineageOf(plain)).toEqual({
    of: 3,
    matched: 3,
    sources: [{ leaf: search?.leaf.n, documents: [0, 1, 2] }],
  });
  await hits('store', '/collections/coded/points/query');
  const coded = await lastOf('http.intent', 'store');
  await hits('forgetful-store');
  expect(await lineageOf(plain.slice(0, 1))).toMatchObject({ sources: [{ leaf: coded?.leaf.n }] });
});

it('is of who retrieved it alone, and no text is in the log', async () => {
  const admin = await directly(harness);
  await admin.query("insert into texts values (9, 'A text that otto alone has ever been given.')");
  await admin.end();
  const [text = ''] = await rows('remembered', [9], 'otto');
  expect(text).toContain('otto alone');
  expect(await lineageOf([text])).toEqual({ of: 1, matched: 0, sources: [] });
  const calls = (await harness.log()).filter(({ leaf }) => /^(rerank|http)\./.test(leaf.type));
  for (const each of [...TEXTS, text]) expect(JSON.stringify(calls)).not.toContain(each);
  expect(harness.errors).toEqual([]);
});
