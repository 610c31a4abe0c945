/**
 * Contents that lie, inflate, or can be read in two ways: 4xx in the words of the service, a record, nothing
 * forwarded, and the gate goes on.
 */

import { connect } from 'node:net';
import { brotliCompressSync, constants, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  type HttpHarness,
  PEOPLE,
  plainConnection,
  rawExchange,
  startHttpHarness,
  startUpstream,
  type Upstream,
} from './http-harness.ts';

let harness: HttpHarness;
let upstream: Upstream;
let token: string;
let seen: { readonly line: string; readonly content: string }[] = [];

beforeAll(async () => {
  upstream = await startUpstream((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('error', () => undefined);
    incoming.on('end', () => {
      seen.push({ line: `${incoming.method} ${incoming.url}`, content: Buffer.concat(chunks).toString() });
      response.end('{"result":[],"status":"ok","time":0}');
    });
  });
  harness = await startHttpHarness();
  await harness.apply(`${plainConnection(upstream.url, 'dialect: qdrant')}\n---${PEOPLE}
---
kind: Access
name: search-team
who: [group:search]
to: [api]
may: [read, write, define, administer, unknown]`);
  token = await harness.token('ana');
});

afterAll(async () => {
  await harness[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
});

beforeEach(() => {
  seen = [];
});

const PATH = '/api/collections/docs/points/query';

function ask(content: Uint8Array | string, fields: Record<string, string> = {}): Promise<Response> {
  return fetch(`${harness.url}${PATH}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...fields },
    body: typeof content === 'string' ? content : new Uint8Array(content),
  });
}

function headOf(fields: string): string {
  return `POST ${PATH} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\n${fields}\r\n`;
}

/** The service is asked by somebody else meanwhile, and answers. */
async function serves(): Promise<void> {
  expect((await ask('{"query":[1,0],"limit":1}')).status).toBe(200);
}

/** JSON of 4 MB, which any of these encodes in far less than a hundredth. */
const BOMB = Buffer.from(`{"query":[1,0],"filter":"${'a'.repeat(4_000_000)}"}`);
const SMALL = Buffer.from('{"query":[1,0],"limit":1}');

const REFUSED: [name: string, content: () => Uint8Array, encoding?: string][] = [
  ['a key twice', () => Buffer.from('{"limit":1,"limit":100000}')],
  ['a key twice, once in escapes', () => Buffer.from('{"limit":1,"l\\u0069mit":100000}')],
  ['a key twice, deep inside', () => Buffer.from('{"filter":{"must":[{"key":"a","key":"b"}]}}')],
  ['10,000 arrays in each other', () => Buffer.from('['.repeat(10_000) + ']'.repeat(10_000))],
  ['10,000 objects in each other', () => Buffer.from('{"a":'.repeat(10_000) + '1' + '}'.repeat(10_000))],
  ['100,000 arrays that never end', () => Buffer.from('['.repeat(100_000))],
  ['bytes that are not UTF-8', () => Buffer.from([0x7b, 0x22, 0x61, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
  ['a letter in more bytes than it needs', () => Buffer.from([0x22, 0xc0, 0xaf, 0x22])],
  ['half of a pair of surrogates', () => Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])],
  ['a bomb of gzip', () => gzipSync(BOMB), 'gzip'],
  ['a bomb of deflate', () => deflateSync(BOMB), 'deflate'],
  [
    'a bomb of brotli',
    () => brotliCompressSync(BOMB, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } }),
    'br',
  ],
  ['a bomb of zstd', () => zstdCompressSync(BOMB), 'zstd'],
  ['a bomb in a bomb', () => gzipSync(gzipSync(BOMB)), 'gzip, gzip'],
  ['gzip that is cut off', () => gzipSync(SMALL).subarray(0, 12), 'gzip'],
  ['gzip with a wrong sum', () => Buffer.concat([gzipSync(SMALL).subarray(0, -8), Buffer.alloc(8)]), 'gzip'],
  ['words said to be zstd', () => SMALL, 'zstd'],
  ['an encoding that nobody knows', () => SMALL, 'x-made-up'],
];

describe('the HTTP gate', () => {
  it.each<[name: string, content: () => Uint8Array, encoding?: string]>(REFUSED)(
    'refuses %s in the words of the service',
    async (_, make, encoding) => {
      const answer = await ask(make(), encoding === undefined ? {} : { 'content-encoding': encoding });
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.status).toBeLessThan(500);
      expect(await answer.json()).toMatchObject({ result: null, status: { error: expect.any(String) } });
      expect(seen).toEqual([]);
      await serves();
    },
  );

  it('has written down each of them', async () => {
    const log = await harness.finishedLog();
    const blocked = log.filter(({ leaf }) => leaf.type === 'http.intent' && leaf.decision === 'block');
    expect(blocked).toHaveLength(REFUSED.length);
    const outcomes = log.filter(({ leaf }) => leaf.type === 'http.outcome' && leaf.status === 'blocked');
    expect(outcomes.map(({ leaf }) => leaf.ref)).toEqual(blocked.map(({ leaf }) => leaf.n));
    for (const { body } of outcomes) expect(body['error']).toMatch(/^HTTP_CONTENT_REFUSED: /);
  });

  it('inflates twenty bombs at once without holding what they hold', async () => {
    const bomb = gzipSync(Buffer.alloc(30_000_000, 0x61));
    const before = process.memoryUsage().rss;
    let most = 0;
    const timer = setInterval(() => (most = Math.max(most, process.memoryUsage().rss)), 5);
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => ask(bomb, { 'content-encoding': 'gzip' })),
    );
    clearInterval(timer);
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 400));
    // Twenty times 30 MB are 600 MB; client, gateway and target are one process here.
    expect(most - before).toBeLessThan(250_000_000);
    await serves();
  });

  it('forwards nothing of a content that is shorter than it says, and writes it down', async () => {
    const before = (await harness.finishedLog()).length;
    const [answer] = await Promise.all([
      halfClosed(`${headOf('Content-Length: 400\r\n')}{"query":[1,0]`),
      serves(),
    ]);
    expect(answer).not.toMatch(/^HTTP\/1\.1 2/);
    expect(seen.map(({ content }) => content)).toEqual(['{"query":[1,0],"limit":1}']);
    const log = await harness.finishedLog();
    const since = log.slice(before);
    expect(since.filter(({ leaf }) => leaf.type === 'http.intent').map(({ leaf }) => leaf.decision)).toEqual(
      expect.arrayContaining(['allow', 'block']),
    );
    expect(since.map(({ body }) => body['error'])).toContainEqual(
      expect.stringContaining('it ended before it was complete'),
    );
  });

  it('takes what is behind a content that is longer than it says for nothing', async () => {
    const smuggled = 'DELETE /api/collections/docs HTTP/1.1\r\nHost: x\r\nX: ';
    const said = headOf('Content-Length: 25\r\n');
    const answer = await rawExchange(harness.url, `${said}{"query":[1,0],"limit":1}}${smuggled}`, 1_500);
    expect((answer.match(/HTTP\/1\.1 2\d\d/g) ?? []).length).toBeLessThan(2);
    // What was whole before may have reached the target.
    expect(seen.filter(({ content }) => content !== '{"query":[1,0],"limit":1}')).toEqual([]);
    await serves();
  });

  it('takes a client that closes its half for one that has left', async () => {
    const held = `${headOf('Content-Length: 25\r\nConnection: close\r\n')}{"query":[1,0],"limit":1}`;
    expect(await halfClosed(held)).not.toMatch(/^HTTP\/1\.1 2\d\d .*HTTP/s);
    await serves();
  });

  it.each<[string, string, 'forwarded' | 'refused']>([
    ['a chunk with an extension', '19;name="value"\r\n{"query":[1,0],"limit":1}\r\n0\r\n\r\n', 'forwarded'],
    [
      'an extension of 20 KB',
      `19;a=${'b'.repeat(20_000)}\r\n{"query":[1,0],"limit":1}\r\n0\r\n\r\n`,
      'refused',
    ],
    ['a bare line feed in an extension', '19;a\n{"query":[1,0],"limit":1}\r\n0\r\n\r\n', 'refused'],
    [
      'a bare carriage return in an extension',
      '19;a\rb\r\n{"query":[1,0],"limit":1}\r\n0\r\n\r\n',
      'refused',
    ],
    ['a space before a size', ' 19\r\n{"query":[1,0],"limit":1}\r\n0\r\n\r\n', 'refused'],
    ['an underscore in a size', '1_9\r\n{"query":[1,0],"limit":1}\r\n0\r\n\r\n', 'refused'],
    ['a last chunk that never comes', '19\r\n{"query":[1,0],"limit":1}\r\n', 'refused'],
    ['trailers that frame', '19\r\n{"query":[1,0],"limit":1}\r\n0\r\nContent-Length: 4\r\n\r\n', 'refused'],
    ['a folded trailer', '19\r\n{"query":[1,0],"limit":1}\r\n0\r\nx-a: b\r\n c\r\n\r\n', 'refused'],
  ])('%s', async (_, chunks, outcome) => {
    const text = `${headOf('Transfer-Encoding: chunked\r\nConnection: close\r\n')}${chunks}`;
    const answer = await (chunks.includes('0\r\n')
      ? rawExchange(harness.url, text, 1_500)
      : halfClosed(text));
    const isForwarded = outcome === 'forwarded';
    expect(answer.startsWith('HTTP/1.1 200 ')).toBe(isForwarded);
    expect(seen.map(({ content }) => content)).toEqual(isForwarded ? ['{"query":[1,0],"limit":1}'] : []);
    await serves();
  });

  it.each<[string, string]>([
    ['chunked, chunked', 'Transfer-Encoding: chunked, chunked\r\n'],
    ['chunked, identity', 'Transfer-Encoding: chunked, identity\r\n'],
    ['identity and chunked in two lines', 'Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n'],
    ['chunked and another in two lines', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: cow\r\n'],
    ['chunked behind a Content-Length', 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n'],
    ['chunked before a Content-Length', 'Transfer-Encoding: chunked\r\nContent-Length: 5\r\n'],
    ['chunked in quotes', 'Transfer-Encoding: "chunked"\r\n'],
    ['chunked with a parameter', 'Transfer-Encoding: chunked;q=1\r\n'],
    ['nothing', 'Transfer-Encoding: \r\nContent-Length: 5\r\n'],
  ])('refuses a Transfer-Encoding of %s', async (_, fields) => {
    const answer = await rawExchange(
      harness.url,
      `${headOf(fields)}0\r\n\r\nGET /api/x HTTP/1.1\r\n\r\n`,
      1_500,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
    expect(answer.match(/^HTTP\/1\.1 /gm)).toHaveLength(1);
    expect(seen).toEqual([]);
  });

  it('lets go of a client that resets in the middle, however often', async () => {
    await Promise.all(
      Array.from({ length: 200 }, async (_, at) => {
        const { hostname, port } = new URL(harness.url);
        const socket = connect(Number(port), hostname);
        socket.on('error', () => undefined);
        await new Promise((resolve) => socket.once('connect', resolve));
        socket.write(`${headOf('Content-Length: 1000\r\n')}${'{'.repeat(at)}`);
        await new Promise((resolve) => setTimeout(resolve, at % 20));
        socket.resetAndDestroy();
        await new Promise((resolve) => socket.once('close', resolve));
      }),
    );
    expect(seen).toEqual([]);
    await serves();
    const log = await harness.finishedLog();
    const started = log.filter(({ leaf }) => leaf.type === 'session.start' || leaf.type === 'auth.ok');
    expect(started.map(({ body }) => body['address']).filter((address) => address !== '127.0.0.1')).toEqual(
      [],
    );
  });

  it('hears nothing of whoever has reset before they were accepted', async () => {
    const said = `${headOf('Content-Length: 25\r\n')}{"query":[1,0],"limit":1}`;
    await Promise.all(
      Array.from({ length: 200 }, async () => {
        const { hostname, port } = new URL(harness.url);
        const socket = connect(Number(port), hostname);
        socket.on('error', () => undefined);
        await new Promise((resolve) => socket.once('connect', resolve));
        socket.write(said, () => socket.resetAndDestroy());
        await new Promise((resolve) => socket.once('close', resolve));
      }),
    );
    await serves();
    const log = await harness.finishedLog();
    const addresses = log
      .filter(({ leaf }) => leaf.type.startsWith('session.'))
      .map(({ body }) => body['address']);
    expect(addresses).not.toContain('');
  });
});

/** Says all of it, closes its half, and reads to the end. */
function halfClosed(text: string): Promise<string> {
  const { hostname, port } = new URL(harness.url);
  return new Promise((resolve, reject) => {
    const socket = connect({ port: Number(port), host: hostname, allowHalfOpen: true });
    const received: Buffer[] = [];
    socket.on('data', (chunk) => received.push(chunk));
    socket.on('error', (error) => (received.length > 0 ? undefined : reject(error)));
    socket.on('close', () => resolve(Buffer.concat(received).toString('latin1')));
    socket.on('end', () => socket.destroy());
    socket.end(text);
  });
}
