/** What passes through the HTTP gate is what was sent, in both directions, and the log says so. */

import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { request } from 'node:http';
import { brotliCompressSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ACCESS,
  type HttpHarness,
  PEOPLE,
  plainConnection,
  SECRET,
  sha256,
  startHttpHarness,
  startUpstream,
  type Upstream,
} from './http-harness.ts';

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly raw: readonly string[];
  readonly body: Buffer;
  readonly trailers: Readonly<Record<string, string | undefined>>;
}

let harness: HttpHarness;
let upstream: Upstream;
let token: string;
const seen: Seen[] = [];
let answer: (seen: Seen, response: ServerResponse) => void | Promise<void> = ({ body }, response) => {
  response.end(body);
};

async function read(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

beforeAll(async () => {
  upstream = await startUpstream((incoming, response) => {
    void read(incoming).then(async (body) => {
      const { method = '', url = '', headers, rawHeaders, trailers } = incoming;
      const one = { method, url, headers, raw: rawHeaders, body, trailers };
      seen.push(one);
      await answer(one, response);
    });
  });
  harness = await startHttpHarness();
  await harness.apply(`${plainConnection(upstream.url)}\n---${PEOPLE}\n---${ACCESS}`);
  token = await harness.token('ana');
});

afterAll(async () => {
  await harness[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
});

function last(): Seen {
  const one = seen.at(-1);
  if (one === undefined) throw new Error('the target has seen nothing');
  return one;
}

const bearer = (): Record<string, string> => ({ authorization: `Bearer ${token}` });

describe('a request through the HTTP gate', () => {
  it('reaches the target with its credential and without the token, and is an Operation with a leaf before and after', async () => {
    answer = ({ body }, response) => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ echoed: body.length }));
    };
    const body = JSON.stringify({ query: 'q', documents: ['a', 'b'] });
    const got = await fetch(`${harness.url}/api/v2/rerank?x=1`, {
      method: 'POST',
      headers: { ...bearer(), 'content-type': 'application/json' },
      body,
    });
    expect(await got.json()).toEqual({ echoed: body.length });
    expect(last()).toMatchObject({ method: 'POST', url: '/v2/rerank?x=1' });
    expect(last().headers['authorization']).toBe(`Bearer ${SECRET}`);
    expect(JSON.stringify(seen)).not.toContain(token);
    const log = await harness.finishedLog();
    const intent = log.find(({ leaf }) => leaf.type === 'http.intent');
    expect(intent?.body).toMatchObject({ method: 'POST', path: '/v2/rerank', query: 'x=1' });
    expect(intent?.leaf.decision).toBe('allow');
    const outcome = log.find(({ leaf }) => leaf.type === 'http.outcome');
    expect(outcome?.leaf).toMatchObject({ status: 'ok', ref: intent?.leaf.n });
    expect(outcome?.body).toMatchObject({
      http_status: 200,
      bytes_from_client: body.length,
      sha256_from_client: sha256(body),
      body_sha256: sha256(JSON.stringify({ echoed: body.length })),
    });
    expect(JSON.stringify(log)).not.toContain(SECRET);
    expect(JSON.stringify(log)).not.toContain(token);
    expect(log.map(({ leaf }) => leaf.type)).toEqual(
      expect.arrayContaining(['auth.login', 'session.start', 'recording.segment', 'session.end']),
    );
    for (const { leaf, body: said } of log.filter((one) => one.leaf.type === 'session.end')) {
      const its = log.filter((one) => one.leaf.session === leaf.session && one.leaf.type === 'http.intent');
      expect(said['statements']).toBe(its.length);
      expect(its.length).toBeGreaterThan(0);
    }
    expect(harness.errors).toEqual([]);
  });

  const large = randomBytes(300_000);
  const text = Buffer.from(
    JSON.stringify({ text: 'ä'.repeat(20_000), id: 18446744073709551615n.toString() }),
  );
  it.each<[string, Buffer, Record<string, string>]>([
    ['nothing', Buffer.alloc(0), {}],
    ['bytes', large, {}],
    ['text', text, {}],
    ['gzip', gzipSync(text), { 'content-encoding': 'gzip' }],
    ['brotli', brotliCompressSync(text), { 'content-encoding': 'br' }],
    ['zstd', zstdCompressSync(text), { 'content-encoding': 'zstd' }],
  ])(
    'passes %s byte by byte in both directions, with Content-Length and in chunks',
    async (_name, bytes, fields) => {
      answer = (one, response) => {
        for (const [name, value] of Object.entries(fields)) response.setHeader(name, value);
        response.write(one.body.subarray(0, 1));
        response.end(one.body.subarray(1));
      };
      for (const pieces of [1, 7]) {
        const got = await send('PUT', '/api/things', bytes, pieces, { ...bearer(), ...fields });
        expect(sha256(last().body)).toBe(sha256(bytes));
        expect(last().headers['content-encoding']).toBe(fields['content-encoding']);
        expect(sha256(got.body)).toBe(sha256(bytes));
        expect(got.headers['content-encoding']).toBe(fields['content-encoding']);
      }
    },
  );

  it('passes trailers of both sides', async () => {
    answer = (one, response) => {
      response.setHeader('trailer', 'x-sum');
      response.write('a');
      response.addTrailers({ 'x-sum': `of ${one.trailers['x-from']}` });
      response.end('b');
    };
    const got = await send(
      'POST',
      '/api/t',
      Buffer.from('abc'),
      3,
      { ...bearer(), trailer: 'x-from' },
      { 'x-from': 'client' },
    );
    expect(got.body.toString()).toBe('ab');
    expect(got.trailers['x-sum']).toBe('of client');
  });

  it('gives out events as they come', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    answer = async (_one, response) => {
      response.setHeader('content-type', 'text/event-stream');
      response.write('data: 1\n\n');
      await promise;
      response.end('data: 2\n\n');
    };
    const got = await fetch(`${harness.url}/api/events`, { headers: bearer() });
    const reader = got.body?.getReader();
    const first = await reader?.read();
    expect(Buffer.from(first?.value ?? []).toString()).toBe('data: 1\n\n');
    resolve();
    const second = await reader?.read();
    expect(Buffer.from(second?.value ?? []).toString()).toBe('data: 2\n\n');
  });

  it('follows no redirect, and leaves Location as it is', async () => {
    answer = (_one, response) => {
      response.writeHead(302, { location: 'http://169.254.169.254/latest' });
      response.end();
    };
    const before = seen.length;
    const got = await fetch(`${harness.url}/api/go`, { headers: bearer(), redirect: 'manual' });
    expect([got.status, got.headers.get('location'), seen.length - before]).toEqual([
      302,
      'http://169.254.169.254/latest',
      1,
    ]);
  });

  it('answers a client that waits for 100 only when its request is let through', async () => {
    answer = (one, response) => {
      response.end(String(one.body.length));
    };
    const got = await new Promise<string>((resolve, reject) => {
      const out = request(`${harness.url}/api/big`, {
        method: 'POST',
        headers: { ...bearer(), expect: '100-continue', 'content-length': '5' },
      });
      out.on('continue', () => out.end('hello'));
      out.on('response', (response) => void read(response).then((body) => resolve(body.toString())));
      out.on('error', reject);
      out.flushHeaders();
    });
    expect(got).toBe('5');
    const refused = await new Promise<number>((resolve, reject) => {
      const out = request(`${harness.url}/api/big`, {
        method: 'POST',
        headers: { authorization: 'Bearer wrong', expect: '100-continue', 'content-length': '5' },
      });
      out.on('continue', () => reject(new Error('it was asked for its content')));
      out.on('response', (response) => resolve(response.statusCode ?? 0));
      out.on('error', reject);
      out.flushHeaders();
    });
    expect(refused).toBe(401);
  });

  it('strips what says who somebody is, and what would lead past the gateway', async () => {
    answer = (_one, response) => {
      response.setHeader('set-cookie', 'a=b');
      response.setHeader('alt-svc', 'h2=":443"');
      response.setHeader('x-own', 'kept');
      response.end('ok');
    };
    const got = await send('GET', '/api/x', Buffer.alloc(0), 1, {
      ...bearer(),
      'x-forwarded-for': '1.2.3.4',
      x_forwarded_for: '1.2.3.4',
      forwarded: 'for=1.2.3.4',
      'x-real-ip': '1.2.3.4',
      cookie: 'session=1',
      'api-key': 'other',
      'x-http-method-override': 'DELETE',
      'x-original-url': '/admin',
      'x-cohere-baseurl': 'http://evil',
      'proxy-authorization': 'Basic eA==',
      connection: 'close, x-hop',
      'x-hop': '1',
      'x-kept': 'yes',
    });
    const names = last()
      .raw.filter((_, at) => at % 2 === 0)
      .map((name) => name.toLowerCase())
      .toSorted();
    expect(names).toEqual(['authorization', 'connection', 'host', 'x-kept']);
    expect(last().headers['host']).toBe(`127.0.0.1:${upstream.port}`);
    expect(got.headers['set-cookie']).toBeUndefined();
    expect(got.headers['alt-svc']).toBeUndefined();
    expect(got.headers['x-own']).toBe('kept');
  });

  it.each<[string, () => Record<string, string>]>([
    ['Bearer', () => ({ authorization: `Bearer ${token}` })],
    ['the token alone', () => ({ authorization: token })],
    ['ApiKey', () => ({ authorization: `ApiKey ${token}` })],
    ['ApiKey id:key', () => ({ authorization: `ApiKey ${Buffer.from(`id:${token}`).toString('base64')}` })],
    ['Basic', () => ({ authorization: `Basic ${Buffer.from(`elastic:${token}`).toString('base64')}` })],
    ['Api-Key', () => ({ 'Api-Key': token })],
    ['api-key', () => ({ 'api-key': token })],
    ['x-api-key', () => ({ 'x-api-key': token })],
  ])('takes the token as %s', async (_name, fields) => {
    answer = (_one, response) => {
      response.end('ok');
    };
    const got = await send('GET', '/api/x', Buffer.alloc(0), 1, fields());
    expect(got.status).toBe(200);
    expect(last().headers['authorization']).toBe(`Bearer ${SECRET}`);
    expect(JSON.stringify(last().raw)).not.toContain(token);
  });

  it.each<[string, string, () => Record<string, string>, number]>([
    ['no token', '/api/x', () => ({}), 401],
    ['a wrong token', '/api/x', () => ({ authorization: 'Bearer cs_0000000000000000' }), 401],
    ['a token in the URL', '/api/x?api_key=TOKEN', () => ({}), 400],
    ['two tokens', '/api/x', () => ({ authorization: 'Bearer a', 'x-api-key': 'b' }), 400],
    ['SigV4', '/api/x', () => ({ authorization: 'AWS4-HMAC-SHA256 Credential=a' }), 400],
    ['another connection', '/other/x', bearer, 403],
  ])('refuses %s, and forwards nothing', async (_name, path, fields, status) => {
    const before = seen.length;
    const got = await send('GET', path.replace('TOKEN', token), Buffer.alloc(0), 1, fields());
    expect(got.status).toBe(status);
    const body: unknown = JSON.parse(got.body.toString());
    expect(body).toMatchObject({ message: expect.any(String), detail: expect.any(String), status });
    expect(seen.length).toBe(before);
  });

  it('ends what runs within a second when access ends', async () => {
    answer = (_one, response) => {
      response.write('first');
    };
    const got = await fetch(`${harness.url}/api/slow`, { headers: bearer() });
    const reader = got.body?.getReader();
    await reader?.read();
    await harness.apply(ACCESS.replace('group:search', 'otto'));
    const beganMs = performance.now();
    await expect(reader?.read()).rejects.toThrow(/terminated|aborted|closed/);
    expect(performance.now() - beganMs).toBeLessThan(1_000);
    expect((await send('GET', '/api/x', Buffer.alloc(0), 1, bearer())).status).toBe(403);
    await harness.apply(ACCESS);
  });
});

interface Got {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly trailers: IncomingMessage['trailers'];
  readonly body: Buffer;
}

/** One piece has a Content-Length, more are chunked. */
function send(
  method: string,
  path: string,
  bytes: Buffer,
  pieces: number,
  headers: Record<string, string>,
  trailers?: Record<string, string>,
): Promise<Got> {
  return new Promise((resolve, reject) => {
    const out = request(`${harness.url}${path}`, { method, headers });
    out.on('response', (response) => {
      read(response).then((body) => {
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          trailers: response.trailers,
          body,
        });
      }, reject);
    });
    out.on('error', reject);
    if (pieces === 1) {
      out.end(bytes.length === 0 ? undefined : bytes);
      return;
    }
    const size = Math.ceil(bytes.length / pieces);
    for (let at = 0; at < bytes.length; at += size) out.write(bytes.subarray(at, at + size));
    if (trailers !== undefined) out.addTrailers(trailers);
    out.end();
  });
}
