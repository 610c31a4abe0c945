/** What services may answer to a question of the gateway's own: real servers, and none that can do harm. */

import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createPlain } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { PROBE_LIMITS } from '../core/probe-limits.ts';
import { Secret } from '../core/secret.ts';
import type { HttpCredential } from '../upstream/http-credential.ts';
import type { HttpTarget } from '../upstream/http-exchange.ts';
import { UpstreamPool } from '../upstream/http-pool.ts';
import { type Answered, askUpstream, type Unanswered } from './ask-upstream.ts';

const SECRET = 'probe-secret-canary-"7"';
/** The same, each character as an escape of JSON. */
const ESCAPED = Array.from(SECRET, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`).join('');

let pool: UpstreamPool;
let server: Server;
let listener: RequestListener;
let port = 0;
let seen: IncomingMessage[] = [];

beforeAll(async () => {
  pool = new UpstreamPool();
  server = createServer((incoming, response) => {
    seen.push(incoming);
    listener(incoming, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = portOf(server.address());
});

afterAll(async () => {
  pool.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function portOf(address: ReturnType<Server['address']>): number {
  return typeof address === 'object' && address !== null ? address.port : 0;
}

interface Asking {
  readonly credential?: HttpCredential;
  readonly signal?: AbortSignal;
  readonly to?: number;
  readonly content?: Uint8Array;
}

async function ask(answer: RequestListener, asking: Asking = {}): Promise<Answered | Unanswered> {
  listener = answer;
  seen = [];
  const target: HttpTarget = {
    connection: 'reranker',
    host: '127.0.0.1',
    port: asking.to ?? port,
    prefix: '/models',
    tls: 'disable',
    ca: undefined,
    version: 'auto',
    credential: asking.credential ?? { scheme: 'bearer', secret: new Secret(SECRET) },
  };
  const { content } = asking;
  const question = {
    method: content === undefined ? 'GET' : 'POST',
    path: '/info',
    fields: [],
    content,
  } as const;
  return askUpstream(pool, target, question, asking.signal ?? new AbortController().signal);
}

function saying(
  status: number,
  content: string | Uint8Array,
  fields: Record<string, string> = {},
): RequestListener {
  return (_, response) => {
    response.writeHead(status, fields);
    response.end(content);
  };
}

const silent: RequestListener = () => undefined;
const dripping: RequestListener = (_, response) => {
  response.writeHead(200);
  const timer = setInterval(() => response.write(' '), 5);
  response.on('close', () => clearInterval(timer));
};

describe('a question of the gateway', () => {
  it('goes below the prefix, with the stored credential, and asks for nothing to be packed', async () => {
    const answer = await ask(saying(200, '{"a":1}'));
    expect(answer).toMatchObject({ status: 200, body: { root: { kind: 'object' } } });
    expect(seen[0]).toMatchObject({
      method: 'GET',
      url: '/models/info',
      headers: {
        authorization: `Bearer ${SECRET}`,
        'accept-encoding': 'identity',
        accept: 'application/json',
      },
    });
    const basic = { scheme: 'basic', user: 'u', secret: new Secret('p') } as const;
    await ask(saying(200, '{}'), { credential: basic });
    expect(seen[0]?.headers.authorization).toBe('Basic dTpw');
    await ask(saying(200, '{}'), { credential: { scheme: 'query', name: 'key', secret: new Secret('a b') } });
    expect(seen[0]?.url).toBe('/models/info?key=a%20b');
  });

  it('has its content whole', async () => {
    let got = '';
    const answer = await ask(
      (incoming, response) => {
        incoming.on('data', (chunk: Buffer) => {
          got += chunk.toString();
        });
        incoming.on('end', () => response.end('{}'));
      },
      { content: new TextEncoder().encode('{"query":"x"}') },
    );
    expect([got, 'failure' in answer]).toEqual(['{"query":"x"}', false]);
    expect(seen[0]).toMatchObject({ method: 'POST', headers: { 'content-length': '13' } });
  });

  it.each<[string, RequestListener, RegExp]>([
    ['an error', saying(503, '{"error":"busy"}'), /^\/info answered 503$/],
    ['no right', saying(401, '{}'), /answered 401/],
    [
      'a redirect',
      saying(302, '', { location: 'http://127.0.0.1:1/' }),
      /redirects \(302\), which is not followed/,
    ],
    ['a redirect for good', saying(308, '{}', { location: '/models/other' }), /redirects \(308\)/],
    ['HTML', saying(200, '<html>'), /no JSON that is read \(syntax\)/],
    ['nothing', saying(200, ''), /no JSON/],
    ['no content at all', saying(204, ''), /no JSON/],
    ['a name twice', saying(200, '{"a":1,"a":2}'), /\(duplicate-key\)/],
    ['what is no UTF-8', saying(200, Uint8Array.of(0x22, 0xff, 0x22)), /\(utf8\)/],
    ['depth', saying(200, '['.repeat(10_000)), /\(too-deep\)/],
    ['very many values', saying(200, `[${'0,'.repeat(PROBE_LIMITS.answerValuesMax)}0]`), /\(too-many\)/],
    ['a bomb', saying(200, 'x', { 'content-encoding': 'gzip' }), /a coding that nobody asked for/],
    ['too much', saying(200, 'x'.repeat(PROBE_LIMITS.answerBytesMax + 1)), /more than 1048576 bytes/],
    [
      'a length that it does not keep',
      (_, response) => {
        response.writeHead(200, { 'content-length': '50' });
        response.write('{"a":');
        setTimeout(() => response.destroy(), 10);
      },
      /aborted|closed|reset/i,
    ],
    ['a head and no more', (incoming) => incoming.socket.destroy(), /socket hang up|reset/i],
    [
      'another protocol',
      (incoming) =>
        incoming.socket.end('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'),
      /another protocol|hang up|reset|101/i,
    ],
    ['the credential', saying(200, JSON.stringify({ model_id: `x${SECRET}` })), /repeats the credential/],
    ['the credential in escapes', saying(200, `{"model_id":"${ESCAPED}"}`), /repeats the credential/],
    ['the credential without escapes', saying(200, `{"a":${SECRET}}`), /repeats the credential/],
  ])('is not answered by %s', async (_, answer, failure) => {
    const got = await ask(answer);
    expect('failure' in got ? got.failure : 'an answer').toMatch(failure);
    expect(JSON.stringify(got)).not.toContain('probe-secret');
  });

  it('follows no redirect', async () => {
    await ask(saying(302, '', { location: '/models/info' }));
    expect(seen).toHaveLength(1);
  });

  it('reads no more of an endless answer than it may', async () => {
    let sent = 0;
    const endless: RequestListener = (_, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write('x'.repeat(65_536))) sent += 65_536;
        if (!response.destroyed) response.once('drain', more);
      };
      more();
    };
    expect(await ask(endless)).toMatchObject({ failure: expect.stringContaining('more than') });
    // What the sockets of both sides hold comes on top.
    expect(sent).toBeLessThan(PROBE_LIMITS.answerBytesMax * 16);
  });

  it('is given up when its time is over, whatever came until then', async () => {
    const timeout = vi.spyOn(AbortSignal, 'timeout').mockImplementation((ms) => {
      expect(ms).toBe(PROBE_LIMITS.requestMs);
      const early = new AbortController();
      setTimeout(() => early.abort(), 40);
      return early.signal;
    });
    for (const slow of [silent, dripping]) {
      expect(await ask(slow)).toEqual({ failure: 'no answer within 30 s' });
    }
    timeout.mockRestore();
  });

  it('is given up when the gateway ends', async () => {
    const ended = new AbortController();
    const asked = ask(() => ended.abort(), { signal: ended.signal });
    expect(await asked).toEqual({ failure: 'the gateway shuts down' });
    expect(await ask(saying(200, '{}'), { signal: AbortSignal.abort() })).toEqual({
      failure: 'the gateway shuts down',
    });
  });

  it('is not answered where nobody listens, or something that is no HTTP', async () => {
    const other = createPlain((socket) => {
      socket.on('error', () => undefined);
      socket.resume();
      socket.end('SSH-2.0-x\r\n');
    });
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const otherPort = portOf(other.address());
    expect(await ask(saying(200, '{}'), { to: otherPort })).toHaveProperty('failure');
    await new Promise((resolve) => other.close(resolve));
    expect(await ask(saying(200, '{}'), { to: otherPort })).toMatchObject({
      failure: expect.stringMatching(/ECONNREFUSED/),
    });
  });
});
