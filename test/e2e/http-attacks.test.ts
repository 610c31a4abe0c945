/** Ways round the HTTP gate, or to end it, that somebody found by reading: each is closed, and tried again here. */

import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { HTTP_LIMITS } from '../../packages/gateway/src/core/http-limits.ts';
import {
  type HttpHarness,
  PEOPLE,
  plainConnection,
  rawExchange,
  SECRET,
  startHttpHarness,
  startUpstream,
  type Upstream,
} from './http-harness.ts';

let harness: HttpHarness;
let upstream: Upstream;
let token: string;
let boss: string;
/** What people and slow clients have is too long for a test that is about neither. */
const SHORTER = { holdWaitMs: 1_500, headTimeoutMs: 6_000, timeoutCheckMs: 500 };
const seen: string[] = [];

const MORE = `
kind: Access
name: readers
who: [group:search]
to: [api, keyed]
may: [read]
---
kind: Connection
name: keyed
protocol: http
target: { url: 'URL', tls: disable }
credential: { scheme: query, name: api_key, password: { env: API_SECRET } }
dialect: http
---
kind: Rule
name: what-nobody-knows
on: [api]
when: { effects: [unknown] }
then: { hold: { approvers: [group:owners] } }
`;

beforeAll(async () => {
  Object.assign(HTTP_LIMITS, SHORTER);
  upstream = await startUpstream((incoming, response) => {
    incoming.resume();
    incoming.on('end', () => {
      const { prefer } = incoming.headers;
      seen.push(`${incoming.method} ${incoming.url} ${typeof prefer === 'string' ? prefer : ''}`);
      if (incoming.url?.startsWith('/items') === true) {
        response.statusCode = 307;
        response.setHeader('location', incoming.url.replace('?', '/?'));
        response.setHeader('link', `<${incoming.url}&page=2>; rel="next"`);
        response.end();
      } else if (incoming.url === '/part') {
        response.writeHead(206, { 'content-type': 'text/csv', 'content-range': 'bytes 9-30/31' });
        response.end('ana@example.org\n');
      } else if (incoming.url === '/unasked') {
        response.socket?.write(
          'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n',
        );
        setTimeout(() => response.socket?.resetAndDestroy(), 20);
      } else response.end('reached');
    });
  });
  harness = await startHttpHarness();
  await harness.apply(
    `${plainConnection(upstream.url, 'dialect: http')}\n---${PEOPLE}\n---${MORE.replace('URL', upstream.url)}`,
  );
  token = await harness.token('ana');
  boss = await harness.token('boss');
});

afterAll(async () => {
  await harness[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
});

function ask(path: string, client = 'tries'): Promise<Response> {
  const headers = { authorization: `Bearer ${token}`, 'user-agent': client };
  return fetch(`${harness.url}${path}`, { redirect: 'manual', headers });
}

/** With lines of one name, as fetch never sends them. */
async function askWith(
  path: string,
  prefer: readonly string[],
  more: Readonly<Record<string, string>> = {},
): Promise<{ status: number; hold: string }> {
  const outgoing = httpRequest(`${harness.url}${path}`, {
    method: 'POST',
    headers: {
      ...more,
      authorization: `Bearer ${token}`,
      prefer: [...prefer],
      'content-type': 'application/json',
    },
  });
  outgoing.end('{"a":1}');
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- What the event gives.
  const [incoming] = (await once(outgoing, 'response')) as [import('node:http').IncomingMessage];
  incoming.resume();
  const hold = incoming.headers['x-countersign-approval'];
  return { status: incoming.statusCode ?? 0, hold: typeof hold === 'string' ? hold : '' };
}

async function approve(id: string): Promise<void> {
  const { host, port } = harness.gateway.api;
  const answer = await fetch(`http://${host}:${port}/v1/approvals/${id}/approve`, {
    method: 'POST',
    headers: { authorization: `Bearer ${boss}`, 'content-type': 'application/json' },
    body: JSON.stringify({ reason: 'seen' }),
  });
  expect(answer.status).toBe(200);
}

async function alive(): Promise<string> {
  return (await ask('/api/alive')).text();
}

it('an upgrade behind a request without an answer ends nothing', async () => {
  const upgrade = 'GET /b HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
  await rawExchange(harness.url, `GET /a HTTP/1.1\r\nHost: x\r\n\r\n${upgrade}`, 1_000);
  await rawExchange(harness.url, `GET /a HTTP/1.1\r\nHost: x\r\n\r\n${upgrade}${upgrade}`, 1_000);
  expect(await alive()).toBe('reached');
});

it('a target that switches protocols unasked, and resets, ends nothing', async () => {
  expect((await ask('/api/unasked')).status).toBe(502);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(await alive()).toBe('reached');
});

it('a credential in the query does not come back in a redirect, a recording or a leaf', async () => {
  const answer = await ask('/keyed/items?x=1');
  expect(answer.status).toBe(307);
  expect(answer.headers.get('location')).toContain('x=1');
  expect(JSON.stringify([...answer.headers])).not.toContain(SECRET);
  expect(JSON.stringify(await harness.log())).not.toContain(SECRET);
  expect(seen.at(-1)).toContain(SECRET);
});

it('a second line of a field is another request than the one that was approved', async () => {
  const first = await askWith('/api/things', ['tx=rollback']);
  expect(first.status).toBe(423);
  await approve(first.hold);
  const before = seen.length;
  const second = await askWith('/api/things', ['tx=rollback', 'tx=commit']);
  expect([second.status, seen.length]).toEqual([423, before]);
  expect(second.hold).not.toBe(first.hold);
  expect((await askWith('/api/things', ['tx=rollback'])).status).toBe(200);
  expect(seen.at(-1)).toBe('POST /things tx=rollback');
}, 90_000);

it.each(['db-name', 'x-tenant', 'x-merge-mode'])(
  'what %s says, which nobody knows, is approved too',
  async (name) => {
    const path = `/api/tenants-${name}`;
    const first = await askWith(path, [], { [name]: 'test', 'x-request-id': '1', 'user-agent': 'a' });
    expect(first.status).toBe(423);
    await approve(first.hold);
    const before = seen.length;
    for (const other of [{}, { [name]: 'production' }]) {
      // oxlint-disable-next-line no-await-in-loop -- One behind the other.
      const second = await askWith(path, [], other);
      expect([second.status, seen.length]).toEqual([423, before]);
      expect(second.hold).not.toBe(first.hold);
    }
    const again = { [name]: 'test', 'x-request-id': '2', 'x-stainless-retry-count': '1', 'user-agent': 'b' };
    expect((await askWith(path, [], again)).status).toBe(200);
  },
  90_000,
);

it('another database of Milvus is another request than the one that was approved', async () => {
  const first = await askWith('/api/databases', []);
  expect(first.status).toBe(423);
  await approve(first.hold);
  const before = seen.length;
  const second = await askWith('/api/databases', [], { 'db-name': 'production' });
  expect([second.status, seen.length]).toEqual([423, before]);
  expect(second.hold).not.toBe(first.hold);
  expect((await askWith('/api/databases', [])).status).toBe(200);
}, 90_000);

it('a WebSocket is nothing that is read, and is held', async () => {
  const head = `GET /api/socket HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n`;
  const before = seen.length;
  const answer = await rawExchange(harness.url, head, 27_000);
  expect(answer).toMatch(/^HTTP\/1\.1 423 /);
  expect(seen.length).toBe(before);
}, 60_000);

it('an upgrade with a content is an ordinary request', async () => {
  const head = `POST /api/things HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\nContent-Length: 5\r\n\r\nhello`;
  const waiting = rawExchange(harness.url, head, 2_000);
  expect(await waiting).not.toMatch(/^HTTP\/1\.1 (101|200) /);
  expect(await alive()).toBe('reached');
});

it('a part of a content is withheld where a Mask reaches it', async () => {
  await harness.apply('{ kind: Mask, name: mails, on: [api], detect: [email], as: redact }');
  const answer = await ask('/api/part');
  expect([answer.status, await answer.text()]).toEqual([502, expect.not.stringContaining('ana@example.org')]);
});

it('who sends half a head is let go', async () => {
  const { hostname, port } = new URL(harness.url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  socket.resume();
  const beganMs = performance.now();
  socket.write(`GET /keyed/alive HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`);
  await once(socket, 'data');
  socket.write('GET / HTTP/1.1\r\nX: ');
  await once(socket, 'close');
  expect(performance.now() - beganMs).toBeGreaterThan(5_000);
}, 60_000);

it('one token takes no more sessions than its own', async () => {
  const statuses = new Map<number, number>();
  for (let at = 0; at < 270; at += 30) {
    const some = Array.from({ length: 30 }, (_, more) =>
      ask('/api/alive', `client ${at + more}`).then(({ status }) => status),
    );
    for (const status of await Promise.all(some)) statuses.set(status, (statuses.get(status) ?? 0) + 1);
  }
  const refused = statuses.get(503) ?? 0;
  expect(refused).toBeGreaterThan(0);
  expect(270 - refused).toBeLessThanOrEqual(256);
}, 90_000);
