/** One client that holds as much as it can takes nothing from the others. */

import { connect, type Socket } from 'node:net';
import { expect, it } from 'vitest';
import { PEOPLE, plainConnection, startHttpHarness, startUpstream } from './http-harness.ts';

const PIECE = Buffer.alloc(1_048_576, 0x20);

/** Sends so many MiB of a content that does not end; what is answered. */
async function holdOpen(url: string, token: string, mebibytes: number): Promise<[Socket, () => string]> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  let answer = '';
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
  socket.on('error', () => undefined);
  socket.write(
    `POST /api/vectors/upsert HTTP/1.1\r\nHost: x\r\nApi-Key: ${token}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`,
  );
  for (let at = 0; at < mebibytes && !socket.destroyed; at += 1) {
    socket.write('100000\r\n');
    const hasRoom = socket.write(PIECE);
    socket.write('\r\n');
    // oxlint-disable-next-line no-await-in-loop -- At the pace of the gateway.
    if (!hasRoom) await drained(socket);
  }
  return [socket, () => answer];
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off('drain', done);
      socket.off('close', done);
      resolve();
    };
    socket.on('drain', done);
    socket.on('close', done);
  });
}

it('a principal who fills their share is told so in the words of the service, and others go on', async () => {
  const seen: string[] = [];
  await using upstream = await startUpstream((incoming, response) => {
    seen.push(`${incoming.method} ${incoming.url}`);
    incoming.resume();
    incoming.on('end', () => response.end('{}'));
  });
  await using harness = await startHttpHarness();
  await harness.apply(`${plainConnection(upstream.url, 'dialect: pinecone')}
---${PEOPLE}
---
kind: Access
name: everybody
who: [ana, boss]
to: [api]
may: [read, write]`);
  const [ana, boss] = [await harness.token('ana'), await harness.token('boss')];
  const sockets = await Promise.all([31, 31, 31, 31].map((size) => holdOpen(harness.url, ana, size)));
  await using cleanUp = new AsyncDisposableStack();
  cleanUp.defer(() => sockets.forEach(([socket]) => socket.destroy()));
  sockets.push(await holdOpen(harness.url, ana, 8));
  // What was written may be on its way still, so that any of them can be the one for which there is no room.
  const answer = (): string => sockets.map(([, answered]) => answered()).find((one) => one !== '') ?? '';
  await expect.poll(answer, { timeout: 20_000 }).toMatch(/^HTTP\/1\.1 503 .*\r\n[^]*\}$/);
  const body: unknown = JSON.parse(answer().slice(answer().indexOf('{')));
  expect(body).toMatchObject({
    status: 503,
    error: { message: expect.stringMatching(/holds \d+ of 134217728 bytes of requests for you/) },
  });
  const others = await fetch(`${harness.url}/api/vectors/upsert`, {
    method: 'POST',
    headers: { 'api-key': boss, 'content-type': 'application/json' },
    body: JSON.stringify({ vectors: [{ id: 'a', values: [1] }] }),
  });
  expect([others.status, seen]).toEqual([200, ['POST /vectors/upsert']]);
  for (const [socket] of sockets) socket.destroy();
  const log = await harness.finishedLog();
  const refused = log.find(
    ({ body: { error } }) => typeof error === 'string' && error.startsWith('HTTP_CONTENT_SHARE'),
  );
  expect(refused?.leaf).toMatchObject({ type: 'http.outcome', status: 'blocked' });
  // Given back, so that the next one has room again.
  const again = await fetch(`${harness.url}/api/vectors/upsert`, {
    method: 'POST',
    headers: { 'api-key': ana, 'content-type': 'application/json' },
    body: JSON.stringify({ vectors: [] }),
  });
  expect(again.status).toBe(200);
}, 60_000);
