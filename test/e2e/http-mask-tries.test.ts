/**
 * Ways to make a target hear what a Mask hides from it, each tried: it hears nothing of the value, in any spelling,
 * or nothing at all.
 */

import { type OutgoingHttpHeaders, request as requestHttp1 } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { deflateRawSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type HttpHarness,
  PEOPLE,
  plainConnection,
  rawExchange,
  startHttpHarness,
  startUpstream,
  type Upstream,
} from './http-harness.ts';

const CANARY = 'ana.kanarie@example.org';
const CARD = '4111111111111111';
const JSON_TYPE = 'application/json';
/** A call of a reranker with a text of everything in it. */
const CALL = `{"model":"m","query":"to ${CANARY}","documents":["a"]}`;

let harness: HttpHarness;
let upstream: Upstream;
let token: string;
let port: number;
/** Everything that the target was told, request by request. */
const heard: string[] = [];

beforeAll(async () => {
  upstream = await startUpstream((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const { method, url, rawHeaders, rawTrailers } = incoming;
      const told = [method, url, ...rawHeaders, ...rawTrailers, Buffer.concat(chunks).toString()];
      heard.push(told.join('\n'));
      response.setHeader('content-type', JSON_TYPE);
      response.end('{}');
    });
  });
  harness = await startHttpHarness();
  port = Number(new URL(harness.url).port);
  const names = ['plain', 'safe', 'everything', 'late'];
  const connections = names.map((name) =>
    plainConnection(upstream.url).replace('name: api', `name: ${name}`),
  );
  await harness.apply(`${connections.join('\n---\n')}\n---${PEOPLE}\n---
kind: Access
name: everything
who: [ana]
to: [plain, safe, everything, late]
may: [read, write, unknown, rerank]
---
kind: Mask
name: leaves-nothing
on: [plain]
detect: [email, card]
direction: [request]
as: redact
---
kind: Mask
name: ranks
on: [safe]
detect: [email, card, custom]
direction: [request]
mode: rerank-safe
as: redact
---
kind: Mask
name: everything
on: [everything]
detect: [all]
direction: [request]
as: redact
---
kind: Detector
name: projects
exact: [Tangerine Dawn]`);
  token = await harness.token('ana');
});

afterAll(async () => {
  await harness[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
});

interface Try {
  readonly body?: string | Uint8Array;
  readonly path?: string;
  readonly type?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly trailers?: Readonly<Record<string, string>>;
  readonly connection?: 'plain' | 'safe' | 'everything';
}

/** The status; what is sent is sent as it is. */
function send({
  body,
  path = '/things',
  type = JSON_TYPE,
  headers = {},
  trailers,
  connection = 'plain',
}: Try): Promise<number> {
  return new Promise((resolve, reject) => {
    const sending = requestHttp1(
      {
        port,
        method: 'POST',
        path: `/${connection}${path}`,
        headers: {
          authorization: `Bearer ${token}`,
          'content-type': type,
          ...(trailers === undefined ? {} : { trailer: Object.keys(trailers).join(', ') }),
          ...headers,
        },
      },
      (answer) => {
        answer.resume();
        answer.on('end', () => resolve(answer.statusCode ?? 0));
      },
    );
    sending.on('error', reject);
    if (trailers !== undefined) {
      sending.write(body ?? '{}');
      sending.addTrailers(trailers);
      sending.end();
    } else sending.end(body ?? '{}');
  });
}

/** Whether something of a value can be made out. */
function tells(text: string): boolean {
  const spellings = [text, percentDecoded(text), unescaped(text), unescaped(unescaped(text))];
  return spellings.some((spelling) => /kanarie|4111 ?1111/i.test(spelling.normalize('NFKC')));
}

function percentDecoded(text: string): string {
  return text.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

function unescaped(text: string): string {
  return text.replaceAll(/\\u([0-9a-f]{4})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

/** What came of a try: what the target heard without the value, or the status without anything. */
async function outcome(one: Try): Promise<string> {
  const before = heard.length;
  const status = await send(one);
  const told = heard.slice(before);
  for (const text of told) expect(tells(text) ? text : '').toBe('');
  return told.length === 0 ? String(status) : 'heard';
}

const FULL_WIDTH = Buffer.from('４１１１１１１１１１１１１１１１').toString('latin1');

describe('by content', () => {
  it.each<readonly [string, Try]>([
    [
      'two members of gzip',
      { body: Buffer.concat([gzipSync('{"a":"ana.kan'), gzipSync('arie@example.org"}')]) },
    ],
    ['what stands behind gzip', { body: Buffer.concat([gzipSync('{"a":1}'), Buffer.from(`\0\0${CANARY}`)]) }],
  ])('%s', async (_, one) => {
    expect(await outcome({ ...one, headers: { 'content-encoding': 'gzip' } })).toMatch(/heard|400/);
  });

  it.each<readonly [string, Try, string]>([
    [
      'raw deflate',
      { body: deflateRawSync(`{"a":"${CANARY}"}`), headers: { 'content-encoding': 'deflate' } },
      '400',
    ],
    [
      'an encoding that is said twice',
      { body: gzipSync('{}'), headers: { 'content-encoding': 'gzip, gzip' } },
      '400',
    ],
    ['a name twice', { body: `{"a":"${CANARY}","a":1,"a":"${CANARY}"}` }, '400'],
    [
      'a name twice in a call',
      { body: CALL.replace('{', `{"query":"${CANARY}",`), path: '/v2/rerank' },
      '400',
    ],
    [
      'names of a call in capitals',
      { body: CALL.replace('"query"', '"Query"').replace('"documents"', '"DOCUMENTS"'), path: '/v2/rerank' },
      'heard',
    ],
    ['JSON within JSON', { body: JSON.stringify({ a: JSON.stringify({ b: CANARY }) }) }, 'heard'],
    ['escapes of every letter', { body: `{"a":"${escaped(CANARY)}","${escaped(CANARY)}":1}` }, 'heard'],
    ['a lone surrogate before it', { body: `{"a":"\\ud800${CANARY}"}` }, 'heard'],
    ['a byte order mark', { body: `\ufeff{"a":"${CANARY}"}` }, 'heard'],
    [
      'lines of JSON',
      { body: `{}\r\n\n{"a":"${escaped(CANARY)}"}\n`, type: 'application/x-ndjson' },
      'heard',
    ],
    ['lines of JSON that are said to be one', { body: `{}\n{"a":"${CANARY}"}\n` }, '400'],
    [
      'a name of a form',
      {
        body: `${encodeURIComponent(CANARY)}=1&a%5B%5D=%41na.kanarie%40example.org`,
        type: 'application/x-www-form-urlencoded',
      },
      'heard',
    ],
    [
      'events',
      { body: `event: x\ndata: {"a":"${escaped(CANARY)}"}\nid: ${CANARY}\n\n`, type: 'text/event-stream' },
      'heard',
    ],
    ['zero-width spaces', { body: `{"card":"4111\u200b1111\u200b1111\u200b1111"}` }, 'heard'],
    ['a number with a point', { body: `{"card":4111111111111111.0}` }, 'heard'],
    [
      'a type in another charset',
      { body: `{"a":"${CANARY}"}`, type: 'application/json; charset=utf-16' },
      '400',
    ],
    ['trailers', { body: '{"a":1}', trailers: { 'x-note': CANARY } }, 'heard'],
  ])('%s', async (_, one, expected) => {
    expect(await outcome(one)).toBe(expected);
  });

  it.each(['text/plain', 'text/csv', 'application/x-www-form-urlencoded', 'text/event-stream'])(
    'what a lenient reader takes for JSON, said to be %s',
    async (type) => {
      const text = `{"a":"${escaped(CANARY)}"}`;
      const near = [
        `\ufeff${text}`,
        `{}\n${text}\n`,
        `1\n${text}`,
        text.replace('}', ',"b":NaN}'),
        text.replace('}', ',}'),
      ];
      for (const body of near) {
        // oxlint-disable-next-line no-await-in-loop -- What was heard is of one try.
        expect(await outcome({ body, type })).toMatch(/heard|400/);
      }
    },
  );

  it('extensions of chunks', async () => {
    const before = heard.length;
    const head = `POST /plain/things HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Type: ${JSON_TYPE}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n`;
    await rawExchange(harness.url, `${head}2;a="${CANARY}"\r\n{}\r\n0\r\n\r\n`);
    for (const text of heard.slice(before)) expect(tells(text)).toBe(false);
  });
});

describe('by its head', () => {
  it.each<readonly [string, Try]>([
    ['what is accepted', { headers: { accept: `a/b;c="${CANARY}"`, 'accept-language': CANARY } }],
    ['a parameter of the type', { type: `application/json; a="${CANARY}"` }],
    ['a date that is none', { headers: { 'if-modified-since': CANARY, date: CANARY, expires: CANARY } }],
    ['a trace that is none', { headers: { traceparent: `00-${CANARY}-01`, tracestate: `a=${CANARY}` } }],
    ['how long it may be kept', { headers: { 'cache-control': `private="${CANARY}"` } }],
    ['a page that led here', { headers: { referer: `https://x/?a=ana.kanarie%40example.org` } }],
    [
      'one that is plain and one that is not',
      { headers: { referer: `/?a=b@example.org&c=ana.kanarie%40example.org` } },
    ],
    ['cookies', { headers: { cookie: ['a=1', `b=${CANARY}`] } }],
    ['digits of another script', { headers: { 'x-card': FULL_WIDTH } }],
    ['a name', { headers: { [CARD]: '1', 'x-a': 'b' } }],
    ['two lines of one name', { headers: { 'x-to': ['b', CANARY] } }],
    ['a name in the query', { path: `/things?${CANARY}=1&%61na.kanarie%40example.org` }],
    ['a path of escapes', { path: `/things?a=1&b=%EF%BC%94111111111111111` }],
  ])('%s', async (_, one) => {
    expect(await outcome(one)).toBe('heard');
  });

  it.each<readonly [string, string]>([
    ['an address', `/people/${CANARY}`],
    ['escapes', '/people/%61na%2Ekanarie%40example.org'],
    ['a card', `/cards/${CARD}?a=1`],
  ])('has no value in its path: %s', async (_, path) => {
    expect(await outcome({ path })).toBe('400');
  });

  it('passes as it is where nothing is in it, whatever is looked for', async () => {
    const headers = {
      accept: 'application/json, text/*;q=0.5, */*;q=0.1',
      'accept-language': 'de-DE, en;q=0.8',
      'cache-control': 'max-age=31536000, no-transform',
      'if-modified-since': 'Sat, 28 Nov 1998 08:00:00 GMT',
      traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
      'x-request-id': '0190c0de-0000-7000-8000-000000000001',
      'user-agent': 'a-client/1.2',
    };
    expect(await outcome({ headers, connection: 'everything' })).toBe('heard');
    const said = heard.at(-1)?.split('\n') ?? [];
    for (const [name, value] of Object.entries(headers)) expect(said[said.indexOf(name) + 1]).toBe(value);
  });
});

describe('over HTTP/2', () => {
  it('is masked as it is over HTTP/1.1', async () => {
    const before = heard.length;
    const client = connectHttp2(harness.url.replace('http:', 'https:'), { rejectUnauthorized: false });
    const stream = client.request(
      {
        ':method': 'POST',
        ':path': `/plain/things?a=${CANARY}`,
        authorization: `Bearer ${token}`,
        'content-type': JSON_TYPE,
        'x-to': CANARY,
        cookie: ['a=1', `b=${CANARY}`],
      },
      { endStream: false },
    );
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-note': CANARY }));
    stream.end(`{"a":"${CANARY}"}`);
    stream.resume();
    await new Promise((resolve) => stream.on('close', resolve));
    client.close();
    const told = heard.slice(before);
    expect(told).toHaveLength(1);
    expect(told[0]).toContain('{"a":"[REDACTED:EMAIL]"}');
    for (const text of told) expect(tells(text) ? text : '').toBe('');
  });
});

describe('while it is on its way', () => {
  it.each<readonly [string, string, string]>([
    [
      'a Mask comes',
      CANARY,
      '{ kind: Mask, name: late, on: [late], detect: [email], direction: [request], as: redact }',
    ],
    [
      'a Detector has more to find',
      'Violet Kanarie',
      '{ kind: Detector, name: projects, exact: [Tangerine Dawn, Violet Kanarie] }',
    ],
  ])('%s', async (_, value, resource) => {
    const before = heard.length;
    const connection = value === CANARY ? 'late' : 'safe';
    const open = harness.gateway.sessions.list().length;
    const agent = `${connection}-client`;
    const status = await new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${token}`, 'content-type': JSON_TYPE, 'user-agent': agent };
      const sending = requestHttp1(
        { port, method: 'POST', path: `/${connection}/v2/rerank`, headers },
        (answer) => {
          answer.resume();
          answer.on('end', () => resolve(answer.statusCode));
        },
      );
      sending.on('error', reject);
      sending.write(`{"model":"m","documents":["a"],"query":`);
      void sessionsBeyond(open)
        .then(() => harness.apply(resource))
        .then(() => sending.end(`"about ${value}"}`));
    });
    expect([200, 400]).toContain(status);
    for (const text of heard.slice(before)) expect(tells(text) ? text : '').toBe('');
  });
});

describe('by a call of a reranker', () => {
  const path = '/v2/rerank';

  it('is heard under pseudonyms', async () => {
    expect(await outcome({ body: CALL, path, connection: 'safe' })).toBe('heard');
    expect(heard.at(-1)).toMatch(/"query":"to [a-z]{12}\.[a-z]{12}@[a-z]{12}\.[a-z]{12}"/);
  });

  it.each<readonly [string, Try, string]>([
    ['in UTF-16, as it says', { body: CALL, type: 'application/json; charset=utf-16' }, '400'],
    ['as XML, as it says', { body: CALL, type: 'application/xml' }, '400'],
    ['in parts, as it says', { body: CALL, type: 'multipart/form-data; boundary=x' }, '403'],
    ['as text', { body: CALL, type: 'text/plain' }, 'heard'],
    ['of which a name stands twice', { body: CALL.replace('{', `{"query":"${CANARY}",`) }, '400'],
    ['with another query, in capitals', { body: CALL.replace('{', `{"QUERY":"${CANARY}",`) }, 'heard'],
    ['that brings an instruction', { body: CALL.replace('{', `{"instruction":"${CANARY}",`) }, 'heard'],
    [
      'with members that nobody knows',
      { body: CALL.replace('{', `{"x":[{"${CANARY}":"${CANARY}"}],`) },
      'heard',
    ],
    ['of another model', { body: CALL.replace('"m"', `"${CANARY}"`) }, '400'],
    ['as lines', { body: `{"index":{}}\n${CALL}\n`, type: 'application/x-ndjson' }, '403'],
    ['as a search', { body: CALL, path: '/things/_search' }, 'heard'],
    ['with a text that nobody ranks', { body: CALL.replace('["a"]', `["${'1 '.repeat(600_000)}"]`) }, '413'],
    ['that is too long when it is masked', { body: longCall() }, '413'],
  ])('%s', async (_, one, expected) => {
    expect(await outcome({ path, connection: 'safe', ...one })).toBe(expected);
  });

  it('hides what Detectors find, and what they have in common with something else', async () => {
    const query = 'about tangerine-less Tangerine Dawn, dawn';
    expect(await outcome({ body: CALL.replace(`to ${CANARY}`, query), path, connection: 'safe' })).toBe(
      'heard',
    );
    expect(heard.at(-1)).not.toMatch(/tangerine|dawn/i);
    expect(heard.at(-1)).toMatch(/"query":"about [a-z]{12}-less [A-Z][a-z]{11} [A-Z][a-z]{11}, [a-z]{12}"/);
  });
});

function escaped(text: string): string {
  return Array.from(text, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`).join('');
}

/** Forty texts of a megabyte each when they are masked: a pseudonym is longer than a letter. */
function longCall(): string {
  const documents = Array.from({ length: 40 }, () => 'b '.repeat(70_000));
  return JSON.stringify({ model: 'm', query: `${CANARY} b@example.org`, documents });
}

/** A request has its session before its content is read. */
async function sessionsBeyond(count: number): Promise<void> {
  while (harness.gateway.sessions.list().length <= count) {
    // oxlint-disable-next-line no-await-in-loop -- Asked again until it is there.
    await new Promise((resolve) => setImmediate(resolve));
  }
}
