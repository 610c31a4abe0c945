/** How many targets sockets are kept to, and what becomes of one that has to go. */

import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { HTTP_LIMITS } from '../core/http-limits.ts';
import type { HttpTarget } from './http-exchange.ts';
import { UpstreamPool } from './http-pool.ts';

let server: Server;
let port: number;
let pool: UpstreamPool;
let waiting: ServerResponse[];

beforeEach(async () => {
  waiting = [];
  server = createServer((incoming, response) => {
    incoming.resume();
    if (incoming.url === '/wait') {
      response.write('begun ');
      waiting.push(response);
    } else response.end('done');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  port = typeof address === 'object' && address !== null ? address.port : 0;
  pool = new UpstreamPool(3);
});

afterEach(() => {
  pool.close();
  server.closeAllConnections();
  server.close();
});

/** The same server under different names, so that each has sockets of its own. */
function target(at: number): HttpTarget {
  return {
    connection: `c${at}`,
    host: '127.0.0.1',
    port,
    prefix: '',
    tls: 'disable',
    ca: String(at),
    version: 'auto',
    credential: { scheme: 'none' },
  };
}

async function ask(at: number, path: string): Promise<() => Promise<string>> {
  const request = { method: 'GET', path, fields: [], content: 'none', upgrade: undefined } as const;
  const exchange = await pool.begin(target(at), request);
  exchange.content.end();
  const answer = await exchange.answer;
  return () => text(answer.content);
}

it('a target to which a request runs is not given up for others', async () => {
  const running = await ask(0, '/wait');
  for (const at of [1, 2, 3, 4, 5, 6]) {
    // oxlint-disable-next-line no-await-in-loop -- One after the other, so that each has to make room.
    const rest = await ask(at, '/');
    // oxlint-disable-next-line no-await-in-loop -- As above.
    expect(await rest()).toBe('done');
  }
  waiting[0]?.end('and ended');
  expect(await running()).toBe('begun and ended');
});

it('where requests run to as many targets as there may be, one more is refused, and none is cut off', async () => {
  const running = await Promise.all([0, 1, 2].map((at) => ask(at, '/wait')));
  await expect(ask(3, '/')).rejects.toMatchObject({ code: 'TOO_MANY_CONNECTIONS' });
  for (const response of waiting) response.end('and ended');
  expect(await Promise.all(running.map((rest) => rest()))).toEqual(Array(3).fill('begun and ended'));
  await expect.poll(() => ask(3, '/').then((rest) => rest())).toBe('done');
});

it('a request that fails counts no longer', async () => {
  const dead = { ...target(0), port: 1 };
  const request = { method: 'GET', path: '/', fields: [], content: 'none', upgrade: undefined } as const;
  for (const ca of ['a', 'b', 'c', 'd', 'e']) {
    // oxlint-disable-next-line no-await-in-loop -- One after the other.
    const exchange = await pool.begin({ ...dead, ca }, request);
    exchange.content.end();
    // oxlint-disable-next-line no-await-in-loop -- As above.
    await expect(exchange.answer).rejects.toMatchObject({ code: 'UPSTREAM_FAILED' });
  }
});

it('a target that is slow to connect has the time of one that is silent, and not of a socket that is idle', async () => {
  const request = { method: 'GET', path: '/', fields: [], content: 'none', upgrade: undefined } as const;
  const times: (number | undefined)[] = [];
  for (const _ of ['a new socket', 'one that was kept']) {
    // oxlint-disable-next-line no-await-in-loop -- The second has the socket of the first.
    const { content, answer } = await pool.begin(target(0), request);
    // oxlint-disable-next-line no-await-in-loop -- The second has the socket of the first.
    const [socket]: unknown[] = await once(content, 'socket');
    times.push(socket instanceof Socket ? socket.timeout : undefined);
    content.end();
    // oxlint-disable-next-line no-await-in-loop -- The second has the socket of the first.
    await text((await answer).content);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(times).toEqual([HTTP_LIMITS.upstreamSilenceMs, HTTP_LIMITS.upstreamSilenceMs]);
});
