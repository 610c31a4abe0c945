/** HTTP/2 on both sides, verified TLS to the target, WebSockets, and content that is too large to be held. */

import { createHash, randomBytes } from 'node:crypto';
import { type IncomingMessage, request as requestPlain } from 'node:http';
import { connect as connectHttp2, createSecureServer, type Http2SecureServer } from 'node:http2';
import type { Duplex } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { selfSignedCertificate } from '../../packages/gateway/src/listeners/self-signed.ts';
import {
  ACCESS,
  type HttpHarness,
  PEOPLE,
  SECRET,
  startHttpHarness,
  startUpstream,
  type Upstream,
} from './http-harness.ts';

let harness: HttpHarness;
let target: Http2SecureServer;
let http1: Upstream;
let token: string;
let cert: string;
let port: number;
const seen: { version: string; url: string; authorization: string | undefined }[] = [];

beforeAll(async () => {
  const made = selfSignedCertificate({
    names: ['localhost'],
    nowMs: Date.now(),
    randomBytes: (length) => new Uint8Array(randomBytes(length)),
  });
  ({ cert } = made);
  target = createSecureServer({ cert, key: made.key, allowHTTP1: true }, (incoming, response) => {
    const { httpVersion, url, headers } = incoming;
    seen.push({ version: httpVersion, url, authorization: headers.authorization });
    const hash = createHash('sha256');
    let bytes = 0;
    incoming.on('data', (chunk: Buffer) => {
      hash.update(chunk);
      bytes += chunk.length;
    });
    incoming.on('end', () => {
      response.setHeader('x-trailer', String(incoming.trailers['x-sum'] ?? ''));
      response.end(JSON.stringify({ bytes, sha256: hash.digest('hex') }));
    });
  });
  await new Promise<void>((resolve) => target.listen(0, 'localhost', resolve));
  const address = target.address();
  port = typeof address === 'object' && address !== null ? address.port : 0;
  http1 = await startUpstream((_incoming, response) => {
    response.writeHead(404);
    response.end('no');
  });
  http1.server.on('upgrade', (incoming: IncomingMessage, socket: Duplex) => {
    seen.push({ version: '1.1', url: incoming.url ?? '', authorization: incoming.headers.authorization });
    socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\nhello',
    );
    socket.on('data', (chunk: Buffer) => socket.write(chunk.toString().toUpperCase()));
    socket.on('end', () => socket.end());
  });
  harness = await startHttpHarness();
  await harness.apply(`${connection('api', 'auto')}\n---${connection('old', "'1.1'")}\n---${connection('untrusted', 'auto', '')}\n---
kind: Connection
name: ws
protocol: http
target: { url: '${http1.url}', tls: disable }
credential: { scheme: query, name: api_key, password: { env: API_SECRET } }
---${PEOPLE}\n---${ACCESS.replace('[api]', '[api, old, untrusted, ws]')}`);
  token = await harness.token('ana');
});

afterAll(async () => {
  await harness[Symbol.asyncDispose]();
  target.close();
  await http1[Symbol.asyncDispose]();
});

function connection(name: string, version: string, ca = `, ca: ${JSON.stringify(cert)}`): string {
  return `
kind: Connection
name: ${name}
protocol: http
target: { url: 'https://localhost:${port}/base', version: ${version}${ca} }
credential: { scheme: header, name: x-key, prefix: 'Key ', password: { env: API_SECRET } }
dialect: http`;
}

describe('the HTTP gate', () => {
  it.each([
    ['api', '2.0'],
    ['old', '1.1'],
  ])('speaks to %s as HTTP/%s, with the prefix of its URL', async (name, version) => {
    const got = await fetch(`${harness.url}/${name}/a?b=c`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      body: 'x',
    });
    expect(got.status).toBe(200);
    expect(seen.at(-1)).toEqual({ version, url: '/base/a?b=c', authorization: undefined });
  });

  it('does not speak to a target whose certificate does not verify', async () => {
    const before = seen.length;
    const got = await fetch(`${harness.url}/untrusted/a`, { headers: { authorization: `Bearer ${token}` } });
    expect(got.status).toBe(502);
    expect(await got.text()).toContain('cannot be reached (self-signed certificate');
    expect(seen.length).toBe(before);
  });

  it('passes many streams of one HTTP/2 connection at once, with trailers', async () => {
    const session = connectHttp2(harness.url.replace('http:', 'https:'), { rejectUnauthorized: false });
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, at) => overHttp2(session, `/api/${at}`, Buffer.alloc(at * 1_000, at))),
    );
    session.close();
    answers.forEach(({ body, trailer }, at) => {
      expect(body).toEqual({
        bytes: at * 1_000,
        sha256: createHash('sha256')
          .update(Buffer.alloc(at * 1_000, at))
          .digest('hex'),
      });
      expect(trailer).toBe('sum');
    });
  });

  it('survives a client that resets streams as fast as it can', async () => {
    const session = connectHttp2(harness.url.replace('http:', 'https:'), { rejectUnauthorized: false });
    session.on('error', () => undefined);
    for (let at = 0; at < 2_000 && !session.destroyed; at += 1) {
      try {
        const stream = session.request({ ':path': '/api/reset', authorization: `Bearer ${token}` });
        stream.on('error', () => undefined);
        stream.close(8);
      } catch {
        break;
      }
    }
    await new Promise((resolve) => session.close(() => resolve(undefined)));
    const got = await fetch(`${harness.url}/api/after`, { headers: { authorization: `Bearer ${token}` } });
    expect(got.status).toBe(200);
  });

  it('passes 100 MB without holding them', async () => {
    const piece = Buffer.alloc(1_000_000, 7);
    const hash = createHash('sha256');
    const before = process.memoryUsage().rss;
    let most = 0;
    const got = await new Promise<{ bytes: number; sha256: string }>((resolve, reject) => {
      const out = requestPlain(`${harness.url}/api/large`, {
        method: 'PUT',
        headers: { authorization: `Bearer ${token}` },
      });
      out.on('response', (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => (text += chunk.toString()));
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The test's own target.
        response.on('end', () => resolve(JSON.parse(text) as { bytes: number; sha256: string }));
      });
      out.on('error', reject);
      void (async () => {
        for (let at = 0; at < 100; at += 1) {
          hash.update(piece);
          if (!out.write(piece)) await new Promise((room) => out.once('drain', room));
          most = Math.max(most, process.memoryUsage().rss);
        }
        out.end();
      })();
    });
    expect(got).toEqual({ bytes: 100_000_000, sha256: hash.digest('hex') });
    // Client, gateway and target are one process here.
    expect(most - before).toBeLessThan(150_000_000);
  }, 120_000);

  it('joins a WebSocket, strips the same fields, and writes down what passed', async () => {
    const { hostname, port: at } = new URL(harness.url);
    const text = await new Promise<string>((resolve, reject) => {
      const out = requestPlain({
        host: hostname,
        port: at,
        path: '/ws/chat?room=1',
        headers: {
          authorization: `Bearer ${token}`,
          connection: 'Upgrade',
          upgrade: 'websocket',
          'sec-websocket-key': 'x',
          'sec-websocket-version': '13',
          'x-forwarded-for': '1.2.3.4',
        },
      });
      out.on('upgrade', (response, socket, head) => {
        let got = head.toString();
        socket.on('data', (chunk: Buffer) => {
          got += chunk.toString();
          if (got.includes('PING')) socket.end();
        });
        socket.on('close', () => resolve(`${response.statusCode} ${got}`));
        socket.write('ping');
      });
      out.on('response', (response) => reject(new Error(String(response.statusCode))));
      out.on('error', reject);
      out.end();
    });
    expect(text).toBe('101 helloPING');
    expect(seen.at(-1)).toMatchObject({ url: `/chat?room=1&api_key=${SECRET}`, authorization: undefined });
    const log = await harness.finishedLog();
    const intent = log.findLast(({ leaf, body }) => leaf.type === 'http.intent' && body['path'] === '/chat');
    const outcome = log.findLast(({ leaf }) => leaf.type === 'http.outcome' && leaf.ref === intent?.leaf.n);
    expect(outcome?.body).toMatchObject({ http_status: 101, bytes_from_client: 4, body_bytes: 9 });
    expect(JSON.stringify(log)).not.toContain(SECRET);
  });

  it('answers as the target does where that takes no WebSocket', async () => {
    const got = await fetch(`${harness.url}/ws/none`, { headers: { authorization: `Bearer ${token}` } });
    expect([got.status, await got.text()]).toEqual([404, 'no']);
  });
});

function overHttp2(
  session: ReturnType<typeof connectHttp2>,
  path: string,
  bytes: Buffer,
): Promise<{ body: unknown; trailer: unknown }> {
  return new Promise((resolve, reject) => {
    const stream = session.request(
      { ':method': 'POST', ':path': path, authorization: `Bearer ${token}` },
      { endStream: false, waitForTrailers: true },
    );
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': 'sum' }));
    let text = '';
    let trailer: unknown;
    stream.on('response', (head) => {
      trailer = head['x-trailer'];
    });
    stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
    stream.on('end', () => resolve({ body: JSON.parse(text), trailer }));
    stream.on('error', reject);
    stream.end(bytes);
  });
}
