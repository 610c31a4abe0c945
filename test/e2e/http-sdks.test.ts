/**
 * Official clients, pointed at the HTTP gate by base URL and key alone: what they get is what they get without it;
 * what is refused is one attempt with a text that can be read; what is held passes once it is approved.
 */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Reranker, startReranker } from '../../examples/demo/reranker/server.ts';
import { HTTP_CLIENTS, type HttpClientCase, type Target } from './http-clients.ts';
import { type HttpHarness, type LoggedEvent, PEOPLE, SECRET, startHttpHarness } from './http-harness.ts';
import type { FakeStore } from './stores/fake-http.ts';
import { startFakePinecone } from './stores/pinecone.ts';
import { startFakeQdrant } from './stores/qdrant.ts';
import { startFakeSearchEngine } from './stores/search-engine.ts';

type Mode = 'open' | 'blocked' | 'held';

const MODES: readonly Mode[] = ['open', 'blocked', 'held'];
const CASES = Object.entries(HTTP_CLIENTS);

let harness: HttpHarness;
let reranker: Reranker;
let stores: Readonly<Record<Exclude<Target, 'reranker'>, FakeStore>>;
let token: string;
let boss: string;

beforeAll(async () => {
  reranker = await startReranker({ port: 0, apiKey: SECRET });
  stores = {
    qdrant: await startFakeQdrant({ apiKey: SECRET }),
    pinecone: await startFakePinecone({ apiKey: SECRET }),
    elasticsearch: await startFakeSearchEngine({ product: 'elasticsearch', key: SECRET }),
    opensearch: await startFakeSearchEngine({ product: 'opensearch', key: basic(SECRET) }),
  };
  await fill();
  harness = await startHttpHarness();
  const connections = CASES.flatMap(([name, one]) => MODES.map((mode) => connection(name, one, mode)));
  await harness.apply([...connections, PEOPLE, ACCESS_AND_RULES].join('\n---\n'));
  token = await harness.token('ana');
  boss = await harness.token('boss');
});

afterAll(async () => {
  await harness[Symbol.asyncDispose]();
  await Promise.all([reranker, ...Object.values(stores)].map((one) => one.close()));
});

const ACCESS_AND_RULES = `
kind: Access
name: search-team
who: [group:search]
to: ['label:class=sdk']
may: [read, write, rerank, unknown]
---
kind: Rule
name: nothing-passes
on: ['label:mode=blocked']
when: { effects: [read, write, rerank, unknown] }
then: block
---
kind: Rule
name: somebody-agrees
on: ['label:mode=held']
when: { effects: [read, write, rerank, unknown] }
then: { hold: { approvers: [group:owners] } }
`;

function connection(name: string, { target, path, credential }: HttpClientCase, mode: Mode): string {
  return `
kind: Connection
name: ${name}-${mode}
protocol: http
target: { url: '${urlOf(target)}${path}', tls: disable }
credential: ${credential}
labels: { class: sdk, mode: ${mode} }`;
}

function urlOf(target: Target): string {
  return target === 'reranker' ? reranker.url : stores[target].url;
}

function basic(password: string): string {
  return Buffer.from(`gateway:${password}`).toString('base64');
}

/** The same tickets in every store. */
async function fill(): Promise<void> {
  const tickets = [
    { id: 1, vector: [1, 0], text: 'refund for my kettle', email: 'ada@example.com' },
    { id: 2, vector: [0, 1], text: 'a lamp', email: 'emil@example.com' },
  ];
  const points = tickets.map(({ id, vector, ...payload }) => ({ id, vector, payload }));
  await send('qdrant', 'PUT', '/collections/tickets', { vectors: { size: 2, distance: 'Cosine' } });
  await send('qdrant', 'PUT', '/collections/tickets/points', { points });
  const vectors = points.map(({ id, vector, payload }) => ({
    id: `t${id}`,
    values: vector,
    metadata: payload,
  }));
  await send('pinecone', 'POST', '/indexes', { name: 'tickets', dimension: 2 });
  await send('pinecone', 'POST', '/vectors/upsert', { vectors });
  for (const { id, payload } of points) {
    await Promise.all(
      (['elasticsearch', 'opensearch'] as const).map((store) =>
        send(store, 'PUT', `/tickets/_doc/${id}`, payload),
      ),
    );
  }
}

async function send(store: keyof typeof stores, method: string, path: string, body: object): Promise<void> {
  const authorization = store === 'opensearch' ? `Basic ${basic(SECRET)}` : `ApiKey ${SECRET}`;
  const headers = { authorization, 'api-key': SECRET, 'content-type': 'application/json' };
  const answer = await fetch(`${stores[store].url}${path}`, { method, headers, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
}

/** Requests that reached a target, whatever became of them. */
function reached(target: Target): number {
  return target === 'reranker' ? reranker.asked() : stores[target].seen.length;
}

function gate(name: string, mode: Mode): string {
  return `${harness.url}/${name}-${mode}`;
}

/** What came at one connection, in the log. */
async function intentsAt(name: string, mode: Mode): Promise<readonly LoggedEvent[]> {
  const log = await harness.log();
  return log.filter(({ leaf }) => leaf.type === 'http.intent' && leaf.target === `${name}-${mode}`);
}

/** Everything that an application can see of an error. */
function readable(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const more = ['data', 'body', 'meta', 'responseBody', 'statusCode', 'status'].map((member) =>
    JSON.stringify(Reflect.get(error, member)),
  );
  return [error.message, ...more].join(' ');
}

async function failureOf(asking: Promise<unknown>): Promise<string> {
  return asking.then(
    (answer) => {
      throw new Error(`Expected a refusal, got ${JSON.stringify(answer)}.`);
    },
    (error: unknown) => readable(error),
  );
}

/** The gateway's API, as somebody who decides. */
async function api(path: string, body?: object): Promise<unknown> {
  const answer = await fetch(`http://${harness.gateway.api.host}:${harness.gateway.api.port}${path}`, {
    headers: { authorization: `Bearer ${boss}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
  });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

describe.each(CASES)('%s', (name, { target, path, ask }) => {
  it('gets through the gate what it gets without it', async () => {
    const direct = await ask(`${urlOf(target)}${path}`, SECRET);
    const before = reached(target);
    expect(await ask(gate(name, 'open'), token)).toEqual(direct);
    expect(reached(target)).toBe(before + 1);
    expect((await intentsAt(name, 'open')).map(({ leaf }) => leaf.decision)).toEqual(['allow']);
  });

  it('is told why it is blocked, after one attempt, and nothing reaches the target', async () => {
    const before = reached(target);
    expect(await failureOf(ask(gate(name, 'blocked'), token))).toContain('nothing-passes');
    expect(reached(target)).toBe(before);
    expect((await intentsAt(name, 'blocked')).map(({ leaf }) => leaf.decision)).toEqual(['block']);
  });

  it('is refused with a key that nobody has', async () => {
    const before = reached(target);
    await failureOf(ask(gate(name, 'open'), 'csg_wrong'));
    expect(reached(target)).toBe(before);
  });
});

describe('what is held', () => {
  it('is 423 for every client after one attempt, and passes, unchanged, when it is approved', async () => {
    const before = CASES.map(([, { target }]) => reached(target));
    const refused = await Promise.all(
      CASES.map(([name, { ask }]) => failureOf(ask(gate(name, 'held'), token))),
    );
    const unread = CASES.filter((_, index) => !/hld_[0-9a-z]+/.test(refused[index] ?? ''));
    expect(unread.map(([name]) => name)).toEqual([]);
    const intents = await Promise.all(CASES.map(([name]) => intentsAt(name, 'held')));
    expect(intents.map(({ length }) => length)).toEqual(CASES.map(() => 1));
    expect(CASES.map(([, { target }]) => reached(target))).toEqual(before);

    const { approvals } = (await api('/v1/approvals')) as { approvals: { id: string; state: string }[] };
    const asked = approvals.filter(({ state }) => state === 'asked');
    expect(asked).toHaveLength(CASES.length);
    await Promise.all(asked.map(({ id }) => api(`/v1/approvals/${id}/approve`, { reason: 'seen' })));

    for (const [name, { ask, target, path }] of CASES) {
      // oxlint-disable-next-line no-await-in-loop -- One after the other, so that a count is of one client.
      const answers = [await ask(gate(name, 'held'), token), await ask(`${urlOf(target)}${path}`, SECRET)];
      expect({ name, answer: answers[0] }).toEqual({ name, answer: answers[1] });
    }
  }, 120_000);
});

describe('the credential', () => {
  it('is the gateway’s at every target, and the token is at none', () => {
    const seen = Object.values(stores).flatMap((store) => store.seen);
    expect(seen.length).toBeGreaterThan(0);
    const all = seen
      .map(({ headers, url, bytes }) => JSON.stringify(headers) + url + bytes.toString())
      .join('\n');
    expect(all).not.toContain(token);
  });
});
