import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { Secret } from '../core/secret.ts';
import { Client } from './client.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** A server that answers each request with these, and keeps what came. */
async function answering(
  status: number,
  headers: Record<string, string>,
): Promise<{
  readonly url: string;
  readonly requests: IncomingMessage[];
}> {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    response.writeHead(status, headers).end('{}');
  });
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

describe('the client of the command line', () => {
  it.each([301, 302, 303, 307, 308])(
    'follows no redirect (%i), elsewhere or on the same server, and sends its token nowhere else',
    async (status) => {
      const elsewhere = await answering(200, {});
      const away = await answering(status, { location: `${elsewhere.url}/v1/whoami` });
      const within = await answering(status, { location: '/v1/other' });
      for (const { url } of [away, within]) {
        const client = new Client(url, new Secret('cs_secret'));
        const requests = [client.json('GET', '/v1/whoami'), client.json('POST', '/v1/tokens', { body: {} })];
        // oxlint-disable-next-line no-await-in-loop -- One server behind the other.
        const results = await Promise.allSettled(requests);
        expect(results).toMatchObject([
          { status: 'rejected', reason: { code: 'SERVER_UNREACHABLE' } },
          { status: 'rejected', reason: { code: 'SERVER_UNREACHABLE' } },
        ]);
      }
      expect(away.requests.map(({ headers }) => headers.authorization)).toEqual(
        Array.from({ length: 2 }, () => 'Bearer cs_secret'),
      );
      expect(new Set(within.requests.map(({ url }) => url))).toEqual(new Set(['/v1/tokens', '/v1/whoami']));
      expect(elsewhere.requests).toEqual([]);
    },
  );
});
