/** Shapes of requests that two servers could read differently: refused, recorded, and nothing of them forwarded. */

import { connect as connectHttp2 } from 'node:http2';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ACCESS,
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
const seen: string[] = [];
const names: string[][] = [];

beforeAll(async () => {
  upstream = await startUpstream((incoming, response) => {
    seen.push(`${incoming.method} ${incoming.url}`);
    names.push(incoming.rawHeaders.flatMap((name) => name.split(/[\r\n:]/)));
    incoming.resume();
    incoming.on('end', () => response.end('reached'));
  });
  harness = await startHttpHarness();
  await harness.apply(
    `${plainConnection(upstream.url, 'hosts: [api.gateway.example]')}\n---${PEOPLE}\n---${ACCESS}`,
  );
  token = await harness.token('ana');
});

afterAll(async () => {
  await harness[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
});

const HEAD = (): string => `Host: localhost\r\nAuthorization: Bearer ${token}\r\n`;

/** What stands between the request line's end and the content; `H` is Host and Authorization. */
const REFUSED: readonly (readonly [name: string, bytes: string])[] = [
  [
    'Content-Length beside Transfer-Encoding',
    'POST /api/x HTTP/1.1\r\nH\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /api/smuggled HTTP/1.1\r\nH\r\n\r\n',
  ],
  [
    'two equal Content-Lengths',
    'POST /api/x HTTP/1.1\r\nH\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na',
  ],
  [
    'two different Content-Lengths',
    'POST /api/x HTTP/1.1\r\nH\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
  ],
  ['a list of Content-Lengths', 'POST /api/x HTTP/1.1\r\nH\r\nContent-Length: 1, 1\r\n\r\na'],
  ['a negative Content-Length', 'POST /api/x HTTP/1.1\r\nH\r\nContent-Length: -1\r\n\r\n'],
  ['a Content-Length with a sign', 'POST /api/x HTTP/1.1\r\nH\r\nContent-Length: +1\r\n\r\na'],
  ['a Content-Length in hex', 'POST /api/x HTTP/1.1\r\nH\r\nContent-Length: 0x1\r\n\r\na'],
  [
    'an enormous Content-Length',
    'POST /api/x HTTP/1.1\r\nH\r\nContent-Length: 99999999999999999999999\r\n\r\na',
  ],
  ['a folded field', 'POST /api/x HTTP/1.1\r\nH\r\nX-A: b\r\n c\r\nContent-Length: 0\r\n\r\n'],
  [
    'a folded Transfer-Encoding',
    'POST /api/x HTTP/1.1\r\nH\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n',
  ],
  ['bare line feeds in the head', 'GET /api/x HTTP/1.1\nHost: localhost\nAuthorization: Bearer TOKEN\n\n'],
  ['a bare line feed behind one field', 'GET /api/x HTTP/1.1\r\nX-A: b\nH\r\n\r\n'],
  ['a bare carriage return in a value', 'GET /api/x HTTP/1.1\r\nX-A: b\rX-B: c\r\nH\r\n\r\n'],
  ['NUL in a value', 'GET /api/x HTTP/1.1\r\nX-A: b\u0000c\r\nH\r\n\r\n'],
  ['NUL in a name', 'GET /api/x HTTP/1.1\r\nX\u0000A: b\r\nH\r\n\r\n'],
  ['a space before the colon', 'POST /api/x HTTP/1.1\r\nH\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n'],
  ['a field without a name', 'GET /api/x HTTP/1.1\r\n: b\r\nH\r\n\r\n'],
  [
    'Transfer-Encoding: gzip, chunked',
    'POST /api/x HTTP/1.1\r\nH\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
  ],
  ['Transfer-Encoding: identity', 'POST /api/x HTTP/1.1\r\nH\r\nTransfer-Encoding: identity\r\n\r\nabc'],
  [
    'Transfer-Encoding: xchunked',
    'POST /api/x HTTP/1.1\r\nH\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n',
  ],
  [
    'Transfer-Encoding twice',
    'POST /api/x HTTP/1.1\r\nH\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
  [
    'a control character in Transfer-Encoding',
    'POST /api/x HTTP/1.1\r\nH\r\nTransfer-Encoding: \u000bchunked\r\n\r\n0\r\n\r\n',
  ],
  ['an absolute-form target', 'GET http://localhost/api/x HTTP/1.1\r\nH\r\n\r\n'],
  ['an absolute-form target of another host', 'GET http://evil.example/api/x HTTP/1.1\r\nH\r\n\r\n'],
  ['CONNECT', 'CONNECT 127.0.0.1:80 HTTP/1.1\r\nH\r\n\r\n'],
  ['TRACE', 'TRACE /api/x HTTP/1.1\r\nH\r\n\r\n'],
  ['an asterisk', 'OPTIONS * HTTP/1.1\r\nH\r\n\r\n'],
  ['no Host', 'GET /api/x HTTP/1.1\r\nAuthorization: Bearer TOKEN\r\n\r\n'],
  ['two Hosts', 'GET /api/x HTTP/1.1\r\nHost: other\r\nH\r\n\r\n'],
  ['a Host with a path', 'GET /api/x HTTP/1.1\r\nHost: localhost/x\r\nAuthorization: Bearer TOKEN\r\n\r\n'],
  [
    'a Host with user information',
    'GET /api/x HTTP/1.1\r\nHost: a@localhost\r\nAuthorization: Bearer TOKEN\r\n\r\n',
  ],
  ['HTTP/1.0', 'GET /api/x HTTP/1.0\r\nH\r\n\r\n'],
  ['HTTP/0.9', 'GET /api/x\r\n\r\n'],
  ['the preface of HTTP/2 in the clear', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['an encoded slash', 'GET /api/a%2Fb HTTP/1.1\r\nH\r\n\r\n'],
  ['an encoded slash in small letters', 'GET /api/a%2fb HTTP/1.1\r\nH\r\n\r\n'],
  ['an encoded backslash', 'GET /api/a%5cb HTTP/1.1\r\nH\r\n\r\n'],
  ['a backslash', 'GET /api/a\\..\\b HTTP/1.1\r\nH\r\n\r\n'],
  ['an encoded NUL', 'GET /api/a%00b HTTP/1.1\r\nH\r\n\r\n'],
  ['an encoded line feed', 'GET /api/a%0d%0aX:y HTTP/1.1\r\nH\r\n\r\n'],
  ['dots above the root', 'GET /../../x HTTP/1.1\r\nH\r\n\r\n'],
  ['encoded dots above the root', 'GET /%2e%2e/%2E./x HTTP/1.1\r\nH\r\n\r\n'],
  ['dots with path parameters', 'GET /api/x/..;/admin HTTP/1.1\r\nH\r\n\r\n'],
  ['a percent sign alone', 'GET /api/%zz HTTP/1.1\r\nH\r\n\r\n'],
  ['a fragment', 'GET /api/x#/y HTTP/1.1\r\nH\r\n\r\n'],
  ['a space in the target', 'GET /api/a b HTTP/1.1\r\nH\r\n\r\n'],
  ['a byte above 127 in the target', 'GET /api/\u00e4 HTTP/1.1\r\nH\r\n\r\n'],
  ['more than a hundred fields', `GET /api/x HTTP/1.1\r\nH\r\n${'X-A: b\r\n'.repeat(101)}\r\n`],
  ['a head of 40 KB', `GET /api/x HTTP/1.1\r\nH\r\nX-A: ${'b'.repeat(40_000)}\r\n\r\n`],
];

/** Their head is fine, so that the target hears of it; nothing of what follows may pass as a request of its own. */
const BROKEN_OFF: readonly (readonly [name: string, bytes: string])[] = [
  [
    'a chunk size in words',
    'POST /api/x HTTP/1.1\r\nH\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n',
  ],
  ['a negative chunk size', 'POST /api/x HTTP/1.1\r\nH\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n'],
  [
    'a chunk size that overflows',
    'POST /api/x HTTP/1.1\r\nH\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\na\r\n0\r\n\r\n',
  ],
  [
    'a chunk size with 0x',
    'POST /api/x HTTP/1.1\r\nH\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n',
  ],
  [
    'a chunk that is longer than its size',
    'POST /api/x HTTP/1.1\r\nH\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\nGET /api/smuggled HTTP/1.1\r\nH\r\n\r\n',
  ],
  [
    'a bare line feed behind a chunk size',
    'POST /api/x HTTP/1.1\r\nH\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n',
  ],
  [
    'a bare line feed behind a chunk',
    'POST /api/x HTTP/1.1\r\nH\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\n0\r\n\r\n',
  ],
];

function filled(bytes: string): string {
  return bytes
    .replaceAll('H\r\n', (match, at: number) => (bytes[at - 1] === '\n' ? HEAD() : match))
    .replaceAll('TOKEN', token);
}

describe('the HTTP gate', () => {
  it.each(REFUSED)('refuses %s and forwards nothing', async (_name, bytes) => {
    const before = seen.length;
    const answer = await rawExchange(harness.url, Buffer.from(filled(bytes), 'latin1'), 1_500);
    expect(answer).toMatch(/^HTTP\/1\.1 4\d\d |^HTTP\/1\.1 505 /);
    expect(answer).not.toContain('reached');
    expect(answer.match(/^HTTP\/1\.1 /gm)).toHaveLength(1);
    expect(seen.slice(before)).toEqual([]);
  });

  it.each(BROKEN_OFF)('breaks off at %s', async (_name, bytes) => {
    const before = seen.length;
    const answer = await rawExchange(harness.url, Buffer.from(filled(bytes), 'latin1'), 1_500);
    expect(answer).not.toContain('reached');
    expect(answer).not.toMatch(/^HTTP\/1\.1 2/);
    expect(seen.slice(before).filter((one) => one.includes('smuggled'))).toEqual([]);
  });

  it('writes down who sent what is no request', async () => {
    const log = await harness.log();
    const refused = log.filter(({ leaf }) => leaf.type === 'session.refused');
    expect(refused.length).toBeGreaterThan(5);
    expect(refused[0]?.body).toMatchObject({ address: '127.0.0.1', code: 'HTTP_MALFORMED' });
  });

  it.each<[string, string]>([
    ['/api/a/./b', '/a/b'],
    ['/api//a///b', '/a/b'],
    ['/api/a/../b', '/b'],
    ['/api/%61%2D%7e', '/a-~'],
    ['/api/x/%2e%2e/b', '/b'],
    ['/api/%c3%a4%3b', '/%C3%A4%3B'],
    ['/api/a/', '/a'],
    ['/api', '/'],
    ['/api/?q=%2f..', '/?q=%2f..'],
    ['/x/../api/a', '/a'],
  ])('forwards %s as %s', async (given, forwarded) => {
    const answer = await rawExchange(
      harness.url,
      filled(`GET ${given} HTTP/1.1\r\nH\r\nConnection: close\r\n\r\n`).replace(
        '\r\n\r\nConnection',
        '\r\nConnection',
      ),
    );
    expect(answer).toContain('reached');
    expect(seen.at(-1)).toBe(`GET ${forwarded}`);
  });

  it('finds a connection by its host name', async () => {
    const answer = await rawExchange(
      harness.url,
      `GET /api/y HTTP/1.1\r\nHost: API.gateway.example:8441\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\n\r\n`,
    );
    expect(answer).toContain('reached');
    expect(seen.at(-1)).toBe('GET /api/y');
  });

  it('answers two requests of one connection in their order, and none in the place of the other', async () => {
    const before = seen.length;
    const answer = await rawExchange(
      harness.url,
      `GET /api/1 HTTP/1.1\r\n${HEAD()}\r\nGET /api/2 HTTP/1.1\r\n${HEAD()}Connection: close\r\n\r\n`,
    );
    expect(answer.match(/HTTP\/1\.1 200/g)).toHaveLength(2);
    expect(seen.slice(before)).toEqual(['GET /1', 'GET /2']);
  });

  it.each<[string, Record<string, string>]>([
    ['Connection', { connection: 'close' }],
    ['Transfer-Encoding', { 'transfer-encoding': 'chunked' }],
    ['another Host', { ':authority': 'localhost', host: 'other.example' }],
    ['a fragment in :path', { ':path': '/api/x#y' }],
    ['an absolute :path', { ':path': 'http://evil/api/x' }],
    ['another scheme', { ':scheme': 'http' }],
  ])('refuses %s in HTTP/2', async (_name, fields) => {
    const before = seen.length;
    const status = await overHttp2({
      ':method': 'GET',
      ':path': '/api/x',
      authorization: `Bearer ${token}`,
      ...fields,
    });
    expect(status).not.toBe(200);
    expect(seen.slice(before)).toEqual([]);
  });

  it('lets no line feed of an HTTP/2 value become a field of HTTP/1.1', async () => {
    const fields = { ':method': 'GET', ':path': '/api/x', authorization: `Bearer ${token}` };
    await overHttp2({ ...fields, 'x-a': 'b\r\nx-injected: c' });
    expect(names.flat().map((name) => name.toLowerCase())).not.toContain('x-injected');
  });

  it('takes HTTP/2 over TLS', async () => {
    expect(await overHttp2({ ':method': 'GET', ':path': '/api/h2', authorization: `Bearer ${token}` })).toBe(
      200,
    );
    expect(seen.at(-1)).toBe('GET /h2');
  });

  it('refuses a request for a host other than the one of its TLS connection', async () => {
    const { hostname, port } = new URL(harness.url);
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connectTls({
        host: hostname,
        port: Number(port),
        servername: 'api.gateway.example',
        rejectUnauthorized: false,
        ALPNProtocols: ['http/1.1'],
      });
      let got = '';
      socket.on('data', (chunk: Buffer) => (got += chunk.toString('latin1')));
      socket.on('close', () => resolve(got));
      socket.on('error', reject);
      socket.write(`GET /x HTTP/1.1\r\n${HEAD()}Connection: close\r\n\r\n`);
    });
    expect(answer).toMatch(/^HTTP\/1\.1 421 /);
  });
});

/** The status, or 0 where the stream was refused. */
function overHttp2(fields: Record<string, string>): Promise<number> {
  const { host } = new URL(harness.url);
  return new Promise((resolve) => {
    const session = connectHttp2(`https://${host}`, { rejectUnauthorized: false });
    const done = (status: number): void => {
      session.destroy();
      resolve(status);
    };
    session.on('error', () => done(0));
    try {
      const stream = session.request(fields);
      stream.on('response', (head) => done(head[':status'] ?? 0));
      stream.on('error', () => done(0));
      stream.on('close', () => done(0));
      stream.end();
    } catch {
      done(0);
    }
  });
}
