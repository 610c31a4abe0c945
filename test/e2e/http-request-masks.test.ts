/** What is personal is hidden from the target too: nothing of it leaves, and what cannot be masked is not forwarded. */

import { request as httpRequest } from 'node:http';
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  type HttpHarness,
  PEOPLE,
  plainConnection,
  rawExchange,
  sha256,
  startHttpHarness,
  startUpstream,
  type Upstream,
} from './http-harness.ts';

interface Seen {
  readonly line: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

const CANARY = 'ana.canary@example.org';
const CARD = '4111111111111111';

const RESOURCES = `
kind: Access
name: everything
who: [group:search]
to: [api, plain]
may: [read, write, unknown, rerank]
---
kind: Person
name: root
displayName: Root
groups: [administrators]
---
kind: Mask
name: leaves-nothing
on: [api, plain]
detect: [email, card]
direction: [request]
as: redact
---
kind: Rule
name: puts-wait
on: [api]
when: { methods: [PUT] }
then: { hold: { approvers: [group:owners] } }
---
kind: Rule
name: deletes-are-blocked
on: [api]
when: { methods: [DELETE] }
then: block
`;

let harness: HttpHarness;
let upstream: Upstream;
let token: string;
let boss: string;
let root: string;
const seen: Seen[] = [];

beforeAll(async () => {
  upstream = await startUpstream((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const { method, url, headers } = incoming;
      seen.push({ line: `${method} ${url}`, headers, body: Buffer.concat(chunks) });
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ said: CANARY }));
    });
  });
  harness = await startHttpHarness();
  const api = plainConnection(upstream.url);
  const plain = api.replace('name: api', 'name: plain\ndialect: http');
  await harness.apply(`${api}\n---\n${plain}\n---${PEOPLE}\n---${RESOURCES}`);
  token = await harness.token('ana');
  boss = await harness.token('boss');
  root = await harness.token('root');
});

afterAll(async () => {
  await harness[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
});

beforeEach(() => {
  seen.length = 0;
});

interface Sent {
  readonly path?: string;
  readonly method?: string;
  readonly type?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly to?: 'api' | 'plain';
}

function send(body: string | Uint8Array | undefined, more: Sent = {}): Promise<Response> {
  const { path = '/things', method = 'POST', type = 'application/json', headers = {}, to = 'api' } = more;
  return fetch(`${harness.url}/${to}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': type, ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : Uint8Array.from(body) }),
  });
}

/** What the target got, as text. */
async function got(body: string | Uint8Array, more: Sent = {}): Promise<string> {
  const answer = await send(body, more);
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${answer.status} ${text}`);
  return seen.at(-1)?.body.toString() ?? '';
}

/** The status and error of one that is refused. */
async function refused(body: string | Uint8Array | undefined, more: Sent = {}): Promise<string> {
  const before = seen.length;
  const answer = await send(body, more);
  const text = await answer.text();
  expect(seen.length, 'something was forwarded').toBe(before);
  expect(text, 'the refusal repeats a value').not.toContain('canary');
  return `${answer.status} ${answer.headers.get('x-countersign-error') ?? ''}`;
}

const REFUSED = '400 MASK_REQUEST_REFUSED';

describe('a Mask on requests', () => {
  it('hides what looks personal, and leaves every other byte as it came', async () => {
    const body = `{ "id":18446744073709551615 ,"n":1.50,"a":"x ${CANARY} y", "u":"\\u00e9", "card":${CARD}}`;
    expect(await got(body)).toBe(
      '{ "id":18446744073709551615 ,"n":1.50,"a":"x [REDACTED:EMAIL] y", "u":"\\u00e9", "card":0}',
    );
    expect(seen[0]?.headers['content-length']).toBe(String(seen[0]?.body.length));
  });

  it('lets the answer pass as it came', async () => {
    const answer = await send('{"a":1}');
    expect(await answer.text()).toBe(JSON.stringify({ said: CANARY }));
  });

  it('forwards a content with nothing in it byte for byte', async () => {
    const body = '\ufeff {"a" : [1e400, -0, "\\/"],\r\n "b":{} }\n';
    expect(await got(body, { to: 'plain' })).toBe(body);
  });

  it.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
    ['zstd', zstdCompressSync],
  ] as const)('decodes %s, masks, and sends it without an encoding', async (coding, encode) => {
    const body = `{"a":"${CANARY}","b":"kept"}`;
    const sent = await got(encode(Buffer.from(body)), { headers: { 'content-encoding': coding } });
    expect(sent).toBe('{"a":"[REDACTED:EMAIL]","b":"kept"}');
    expect(seen[0]?.headers['content-encoding']).toBeUndefined();
  });

  it('reads chunks however they are cut, and sends no trailers about another content', async () => {
    const body = `{"a":"${CANARY}"}`;
    const chunks = body
      .split('')
      .map((one) => `1\r\n${one}\r\n`)
      .join('');
    const head = `POST /api/things HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nContent-MD5: 1B2M2Y8AsgTpgAmY7PhCfg==\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\nConnection: close\r\n\r\n`;
    const answer = await rawExchange(harness.url, `${head}${chunks}0\r\nX-Sum: ${CANARY}\r\n\r\n`);
    expect(answer).toContain('200 OK');
    expect(seen[0]?.body.toString()).toBe('{"a":"[REDACTED:EMAIL]"}');
    expect([seen[0]?.headers['content-md5'], seen[0]?.headers['transfer-encoding']]).toEqual([
      undefined,
      undefined,
    ]);
  });

  it.each([
    ['a form', 'application/x-www-form-urlencoded', `q=${encodeURIComponent(CANARY)}&n=1`],
    ['a form that hides letters', 'application/x-www-form-urlencoded', `q=%61na.canary%40example%2Eorg`],
    ['NDJSON', 'application/x-ndjson', `{"index":{}}\n{"a":"${CANARY}"}\n`],
    ['text', 'text/plain', `write to ${CANARY} now`],
    ['CSV', 'text/csv', `a,b\n1,${CANARY}\n`],
    ['escapes', 'application/json', `{"a":"\\u0061na.canary\\u0040example\\u002eorg"}`],
    ['escapes in a name', 'application/json', `{"ana.canar\\u0079@example.org":1}`],
    ['JSON that is sent as text', 'text/plain', `{"a":"\\u0061na.canary\\u0040example\\u002eorg"}`],
    [
      'JSON that is sent as a form',
      'application/x-www-form-urlencoded',
      `{"a":"ana.canar\\u0079@example.org"}`,
    ],
    ['a text at the root', 'application/json', `"${CANARY}"`],
    ['a name twice', 'application/json', `{"a":"${CANARY}","a":"${CANARY}"}`],
    ['deep within', 'application/json', `${'['.repeat(400)}"${CANARY}"${']'.repeat(400)}`],
    ['no type', '', `{"a":"${CANARY}"}`],
  ])('finds it in %s', async (_, type, body) => {
    const sent = await got(body, { type, to: 'plain' });
    expect(sent).toContain('REDACTED');
    expect(sent.toLowerCase()).not.toContain('canar');
    expect(decodeURIComponent(sent)).not.toContain('@example.org');
  });

  it.each([
    ['full-width digits', '４１１１１１１１１１１１１１１１'],
    ['Arabic digits', '٤١١١١١١١١١١١١١١١'],
    ['with spaces between', '4111 1111 1111 1111'],
  ])('finds a card in %s', async (_, card) => {
    expect(await got(JSON.stringify({ card }))).toBe('{"card":"[REDACTED:CREDIT_CARD]"}');
  });

  it('masks the query and fields of the head', async () => {
    const headers = { 'x-on-behalf-of': `Ana <${CANARY}>`, 'x-other': 'kept' };
    await got('{}', { path: `/things?q=${encodeURIComponent(CANARY)}&n=1&raw=${CANARY}`, headers });
    expect(seen[0]?.line).toBe('POST /things?q=%5BREDACTED%3AEMAIL%5D&n=1&raw=%5BREDACTED%3AEMAIL%5D');
    expect(seen[0]?.headers['x-on-behalf-of']).toBe('Ana <[REDACTED:EMAIL]>');
    expect(seen[0]?.headers['x-other']).toBe('kept');
    expect(JSON.stringify(seen[0]?.headers)).not.toContain('@example');
  });

  it('masks the head of a request that has no content', async () => {
    const answer = await fetch(`${harness.url}/api/things?q=${CANARY}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(answer.status).toBe(200);
    expect(seen[0]?.line).toBe('GET /things?q=%5BREDACTED%3AEMAIL%5D');
  });
});

describe('what cannot be masked', () => {
  it.each<readonly [string, string | Uint8Array, Sent]>([
    ['what is no JSON', `{"a":"${CANARY}"`, {}],
    ['more behind it', `{"a":1} "${CANARY}"`, { to: 'plain' }],
    ['bytes that are no UTF-8', Buffer.from(`{"a":"\xff${CANARY}"}`, 'latin1'), { to: 'plain' }],
    ['a number that is too long', `{"a":${'4'.repeat(5_000)}}`, { to: 'plain' }],
    ['too many levels', `${'['.repeat(600)}${']'.repeat(600)}`, { to: 'plain' }],
    ['a type that nobody reads', `<a>${CANARY}</a>`, { type: 'application/xml' }],
    ['another charset', `{"a":"${CANARY}"}`, { type: 'application/json; charset=utf-16' }],
    ['parts', `--x\r\n\r\n${CANARY}\r\n--x--`, { type: 'multipart/form-data; boundary=x' }],
    ['bytes', CANARY, { type: 'application/octet-stream', to: 'plain' }],
    ['a part', `{"a":1}`, { headers: { 'content-range': 'bytes 0-6/100' }, to: 'plain' }],
    ['a path that has it', '{}', { path: `/people/${CANARY}` }],
    ['a path that hides it', '{}', { path: '/people/%61na.canary%40example.org%FF' }],
  ])('is refused and not forwarded: %s', async (_, body, more) => {
    expect(await refused(body, more)).toBe(REFUSED);
  });

  it.each<readonly [string, Uint8Array, string]>([
    ['an encoding that breaks off', gzipSync(`{"a":"${CANARY}"}`).subarray(0, 20), 'gzip'],
    ['two encodings', gzipSync(gzipSync('{}')), 'gzip, gzip'],
    ['one that nobody knows', Buffer.from('{}'), 'lzma'],
    ['a bomb', gzipSync(Buffer.alloc(64_000_000)), 'gzip'],
  ])('is refused and not forwarded: %s', async (_, body, coding) => {
    const more: Sent = { headers: { 'content-encoding': coding }, to: 'plain' };
    expect(await refused(body, more)).toBe('400 HTTP_CONTENT_REFUSED');
  });

  it('is refused in the form of the service that it was for', async () => {
    const headers = { 'content-range': 'bytes 0-99/100' };
    const body = `{"model":"m","query":"q","documents":["${CANARY}"]}`;
    const answer = await send(body, { path: '/v2/rerank', headers });
    expect([answer.status, seen.length]).toEqual([400, 0]);
    expect(await answer.json()).toMatchObject({ message: expect.stringContaining('cannot be masked') });
  });

  it('is refused where another protocol would follow', async () => {
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const { hostname, port } = new URL(harness.url);
      const asking = httpRequest({
        hostname,
        port,
        path: '/api/socket',
        headers: {
          authorization: `Bearer ${token}`,
          connection: 'Upgrade',
          upgrade: 'websocket',
          'sec-websocket-version': '13',
          'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
        },
      });
      asking.on('response', ({ statusCode }) => resolve(statusCode));
      asking.on('upgrade', () => resolve(101));
      asking.on('error', reject);
      asking.end();
    });
    expect([status, seen.length]).toEqual([403, 0]);
  });
});

describe('what is written down', () => {
  it('has what came and what was forwarded, by digest, and no value', async () => {
    const body = `{"a":"${CANARY}","b":"${CANARY}"}`;
    const sent = await got(body, { path: `/things?q=${CANARY}`, headers: { 'x-request-id': CANARY } });
    await refused(`{"a":"${CANARY}"`, { path: `/things?q=${CANARY}` });
    await refused(`{"a":"${CANARY}"}`, { path: `/things/${CANARY}`, method: 'DELETE' });
    const log = await harness.finishedLog();
    const intent = log.find(
      ({ leaf, body: said }) => leaf.type === 'http.intent' && said['body_sha256'] === sha256(body),
    );
    const outcome = log.find(({ leaf }) => leaf.type === 'http.outcome' && leaf.ref === intent?.leaf.n);
    const forwarded = { forwarded_bytes: sent.length, forwarded_sha256: sha256(sent) };
    expect(intent?.body).toMatchObject({
      body_bytes: body.length,
      ...forwarded,
      masked: expect.arrayContaining([
        expect.objectContaining({ mask: 'leaves-nothing', column: 'content', entity: 'EMAIL', values: 2 }),
      ]),
    });
    expect(outcome?.body).toMatchObject({ sha256_from_client: sha256(body), ...forwarded });
    expect(JSON.stringify(log)).not.toContain('canary');
    const session = intent?.leaf.session ?? '';
    const { host, port } = harness.gateway.api;
    const replay = await fetch(`http://${host}:${port}/v1/sessions/${session}/replay?reason=audit`, {
      headers: { authorization: `Bearer ${root}` },
    });
    const lines = await replay.text();
    expect(lines).toContain('[REDACTED:EMAIL]');
    // What the target said was delivered as it came.
    expect(lines.replaceAll(JSON.stringify(JSON.stringify({ said: CANARY })), '')).not.toContain('canary');
  });

  it('is what approvers see; what came is what they approve', async () => {
    const known = new Set((await holds()).map(({ id }) => id));
    const first = put(CANARY);
    const id = await newHold(known);
    const shown = await (await approvals(`/${id}`)).text();
    expect(shown).toContain('[REDACTED:EMAIL]');
    expect(shown).not.toContain('canary');
    // Shown the same, and another request.
    const other = put('bob.canary@example.org');
    const second = await newHold(new Set([...known, id]));
    await approvals(`/${id}/approve`, { reason: 'seen' });
    expect((await first).status).toBe(200);
    await approvals(`/${second}/deny`, { reason: 'no' });
    expect((await other).status).toBe(403);
    expect(seen.map(({ body }) => body.toString())).toEqual(['{"a":"[REDACTED:EMAIL]"}']);
  });

  it('is not what was approved where the Masks have changed meanwhile', async () => {
    const known = new Set((await holds()).map(({ id }) => id));
    const asking = send('{"a":"Iban DE89370400440532013000"}', { method: 'PUT' });
    const id = await newHold(known);
    await harness.apply(MORE);
    await approvals(`/${id}/approve`, { reason: 'seen' });
    const answer = await asking;
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(seen).toEqual([]);
  });
});

const MORE = `
kind: Mask
name: accounts-too
on: [api]
detect: [iban]
direction: [request]
as: redact`;

describe('a Mask that names fields', () => {
  beforeAll(async () => {
    await harness.apply(`
kind: Mask
name: named
on: [api]
fields: ['/people/*/name', '/**/ssn', '/points']
direction: [request, response]
as: drop
---
kind: Mask
name: conditions
on: [api]
fields: ['/query/term']
direction: [request]
as: drop`);
  });

  it('hides those of the request, and of the query as of a form', async () => {
    const sent = await got('{"people":[{"name":"Ana","n":1}],"x":{"ssn":"123"}}', { path: '/things?ssn=9' });
    expect(sent).toBe('{"people":[{"n":1}],"x":{}}');
    expect(seen[0]?.line).toBe('POST /things?ssn=');
  });

  it('makes no other request of it than policy has decided on', async () => {
    const body = '{"query":{"term":{"lang":"de"}}}';
    const path = '/docs/_delete_by_query';
    expect(await refused(body, { path })).toBe(REFUSED);
    expect(await refused('{"points":[1,2]}', { path: '/collections/a/points/delete' })).toBe(REFUSED);
  });

  it('refuses a text, which has none', async () => {
    expect(await refused('words', { type: 'text/plain' })).toBe(REFUSED);
  });
});

function put(address: string): Promise<Response> {
  return send(`{"a":"${address}"}`, { method: 'PUT', path: `/things/7?q=${address}` });
}

async function holds(): Promise<readonly { id: string; state: string }[]> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The gateway's own answer.
  return ((await (await approvals('')).json()) as { approvals: { id: string; state: string }[] }).approvals;
}

async function newHold(known: ReadonlySet<string>): Promise<string> {
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- Asked again until it is there.
    const found = (await holds()).find(({ id, state }) => state === 'asked' && !known.has(id));
    if (found !== undefined) return found.id;
    // oxlint-disable-next-line no-await-in-loop -- As above.
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function approvals(path: string, body?: object): Promise<Response> {
  const { host, port } = harness.gateway.api;
  return fetch(`http://${host}:${port}/v1/approvals${path}`, {
    headers: { authorization: `Bearer ${boss}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
  });
}
