import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { createServer as createTlsServer } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { selfSignedCertificate } from '../listeners/self-signed.ts';
import { openTargetSocket, type PostgresTarget } from './postgres-target.ts';

const { cert, key } = selfSignedCertificate({ names: ['target'], nowMs: Date.now(), randomBytes });

const PLAIN: PostgresTarget = {
  connection: 'fake',
  host: '127.0.0.1',
  port: 0,
  database: 'd',
  user: 'u',
  password: undefined,
  tls: 'disable',
  tlsNegotiation: 'direct',
  channelBinding: 'disable',
  protocolVersion: '3.2',
  ca: cert,
};

/** The two ends of a connection to a target, and the target's socket below its TLS. */
async function connected(
  server: Server,
  secured: 'connection' | 'secureConnection',
  target: PostgresTarget,
): Promise<{ readonly near: Socket; readonly far: Socket; readonly below: Socket }> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const below = new Promise<Socket>((resolve) => server.once('connection', resolve));
  const far = new Promise<Socket>((resolve) => server.once(secured, resolve));
  const opened = await openTargetSocket({ ...target, port });
  opened.release();
  return { near: opened.socket, far: await far, below: await below };
}

describe('what a target has said before it closed is read, although it takes nothing more', () => {
  const tls = { cert, key, ALPNProtocols: ['postgresql'] };
  test.each([
    ['on a plain connection', () => createServer(), 'connection', PLAIN],
    ['on TLS', () => createTlsServer(tls), 'secureConnection', { ...PLAIN, tls: 'verify-ca' }],
  ] as const)('%s', async (_name, listen, secured, target) => {
    const server = listen();
    const { near, far, below } = await connected(server, secured, target);
    for (const socket of [far, below]) socket.on('error', () => undefined);
    // Behind an exchange TLS has done what belongs to the handshake, and writes what it is given at once.
    near.write('hello');
    await once(far, 'data');
    far.write('hello');
    near.resume();
    await once(near, 'data');
    near.pause();
    await setImmediate();
    far.write('its last words');
    below.resetAndDestroy();
    // The connection is reset by now, and nothing of it was read.
    near.cork();
    near.write('a request');
    near.write('and another');
    near.uncork();
    near.write('and one more');
    const said: string[] = [];
    near.on('data', (chunk: Uint8Array) => said.push(Buffer.from(chunk).toString()));
    const over = new Promise<void>((resolve) => {
      near.once('end', resolve);
      near.once('close', () => resolve());
    });
    near.resume();
    await over;
    expect(said.join('')).toBe('its last words');
    near.destroy();
    server.close();
  });
});
