/** The wire itself: bytes in any pieces, slow readers, TLS in front and behind, and what is refused. */

import { rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { Client, type ClientConfig } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { selfSignedCertificate } from '../../packages/gateway/src/listeners/self-signed.ts';
import { encodeFrontend } from '../../packages/gateway/src/protocols/postgres/encode.ts';
import { encodeStartupPacket } from '../../packages/gateway/src/protocols/postgres/startup.ts';
import { randomBytes } from 'node:crypto';
import { type Harness, startHarness } from './harness.ts';

let harness: Harness;
let token: string;
const certificate = selfSignedCertificate({
  names: ['localhost'],
  nowMs: Date.now(),
  randomBytes: (length) => new Uint8Array(randomBytes(length)),
});

beforeAll(async () => {
  harness = await startHarness({ postgres: { ssl: certificate } });
  token = await harness.token('ana');
}, 60_000);

afterAll(() => harness?.[Symbol.asyncDispose]());

async function client(port: number, more: Partial<ClientConfig> = {}): Promise<Client> {
  const made = new Client({
    host: '127.0.0.1',
    port,
    user: 'ana',
    password: token,
    database: 'db',
    ...more,
  });
  await made.connect();
  return made;
}

/** Forwards both ways, the client's bytes one by one, each in a packet of its own. */
async function bytewiseProxy(to: number): Promise<Server> {
  const server = createServer({ noDelay: true }, (socket) => {
    const upstream = connect({ port: to, host: '127.0.0.1', noDelay: true });
    socket.on('data', (chunk: Buffer) => {
      for (const byte of chunk) upstream.write(Buffer.of(byte));
    });
    upstream.on('data', (chunk: Buffer) => socket.write(chunk));
    const close = (): void => {
      socket.destroy();
      upstream.destroy();
    };
    for (const end of [socket, upstream]) end.on('close', close).on('error', close);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  return server;
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Sends bytes and gives all that comes back until the peer closes. */
function exchange(bytes: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket: Socket = connect(harness.gateway.postgres.port, '127.0.0.1', () => socket.write(bytes));
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('close', () => resolve(Buffer.concat(chunks)));
    socket.on('error', reject);
  });
}

function startup(parameters: Record<string, string>, protocolVersion = 0x0003_0000): Uint8Array {
  return encodeStartupPacket({
    kind: 'StartupMessage',
    protocolVersion,
    parameters: new Map(Object.entries(parameters)),
  });
}

describe('the wire', () => {
  it('takes frames split at every byte', async () => {
    const proxy = await bytewiseProxy(harness.gateway.postgres.port);
    const slow = await client(portOf(proxy));
    const { rows } = await slow.query('select $1::text || $2::text as joined', ['a'.repeat(3_000), 'ü']);
    expect(rows).toEqual([{ joined: `${'a'.repeat(3_000)}ü` }]);
    await slow.query('create temporary table bytewise(a int)');
    await slow.query('insert into bytewise select generate_series(1, 100)');
    expect((await slow.query('select count(*)::int as n from bytewise')).rows).toEqual([{ n: 100 }]);
    await slow.end();
    proxy.close();
  });

  it('holds back a target that answers faster than its client reads', async () => {
    const reader = await client(harness.gateway.postgres.port);
    const stream = (reader as unknown as { connection: { stream: Socket } }).connection.stream;
    const before = process.memoryUsage.rss();
    const answer = reader.query("select repeat('x', 1000) as x from generate_series(1, 100000)");
    stream.pause();
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    const grown = process.memoryUsage.rss() - before;
    stream.resume();
    expect((await answer).rows.length).toBe(100_000);
    await reader.end();
    // 100 MB were asked for; what waits is bounded by the buffers of sockets and recorder.
    expect(grown).toBeLessThan(80 * 1024 * 1024);
  });

  it('refuses bytes that come together with the SSLRequest', async () => {
    const both = Buffer.concat([encodeStartupPacket({ kind: 'SSLRequest' }), startup({ user: 'ana' })]);
    expect((await exchange(both)).toString('latin1')).toContain(
      'received unencrypted data after SSL request',
    );
  });

  it('takes direct TLS with ALPN and refuses it without', async () => {
    const { port } = harness.gateway.postgres;
    const direct = connectTls({
      port,
      host: '127.0.0.1',
      rejectUnauthorized: false,
      ALPNProtocols: ['postgresql'],
    });
    await new Promise((resolve, reject) => direct.once('secureConnect', resolve).once('error', reject));
    direct.write(startup({ user: 'ana', database: 'db' }));
    const [answer] = await new Promise<[Buffer]>((resolve) =>
      direct.once('data', (chunk: Buffer) => resolve([chunk])),
    );
    expect(answer.toString('latin1')).toContain('SCRAM-SHA-256');
    direct.destroy();
    const without = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
    without.resume();
    await new Promise((resolve) => without.once('close', resolve).once('error', resolve));
    expect(harness.errors.some((error) => error.includes('ALPN'))).toBe(true);
  });

  it('verifies the certificate of the target, and its name', async () => {
    const ca = JSON.stringify(certificate.cert);
    const { port } = harness.server;
    const connection = (name: string, host: string, trust: string): string =>
      `kind: Connection\nname: ${name}\nprotocol: postgres\ntarget: { host: ${host}, port: ${port}, database: postgres${trust} }\ncredential: { user: postgres, password: { env: DB_PASSWORD } }\n---\nkind: Access\nname: ${name}\nwho: [ana]\nto: [${name}]\n`;
    await harness.apply(connection('verified', 'localhost', `, ca: ${ca}`));
    await harness.apply(connection('untrusted', 'localhost', ''));
    const good = await client(harness.gateway.postgres.port, { database: 'verified' });
    const { rows } = await good.query('select ssl from pg_stat_ssl where pid = pg_backend_pid()');
    expect(rows).toEqual([{ ssl: true }]);
    await good.end();
    await expect(client(harness.gateway.postgres.port, { database: 'untrusted' })).rejects.toThrow(
      /self-signed certificate/,
    );
    const other = selfSignedCertificate({
      names: ['elsewhere'],
      nowMs: Date.now(),
      randomBytes: (n) => new Uint8Array(randomBytes(n)),
    });
    await harness.apply(connection('other-root', 'localhost', `, ca: ${JSON.stringify(other.cert)}`));
    await expect(client(harness.gateway.postgres.port, { database: 'other-root' })).rejects.toThrow(
      /certificate/,
    );
  });

  it('runs what a client sent before it closed its connection, as a server does', async () => {
    const hasty = await client(harness.gateway.postgres.port);
    hasty.on('error', () => undefined);
    await hasty.query('create table hasty(a int)');
    const { stream } = (hasty as unknown as { connection: { stream: Socket } }).connection;
    const insert = encodeFrontend({ kind: 'Query', textBytes: Buffer.from('insert into hasty values (1)') });
    stream.write(Buffer.concat([insert, encodeFrontend({ kind: 'Terminate' })]), () => stream.destroySoon());
    await new Promise((resolve) => stream.once('close', resolve));
    const log = await harness.finishedLog();
    const outcome = log.findLast(({ leaf }) => leaf.type === 'statement.outcome');
    expect(outcome?.leaf.status).toBe('ok');
    expect(log.findLast(({ leaf }) => leaf.type === 'session.end')?.leaf.status).toBe('ok');
    const look = await client(harness.gateway.postgres.port);
    expect((await look.query('select * from hasty')).rows).toEqual([{ a: 1 }]);
    await look.end();
  });

  it('keeps no session of a client that leaves while its session opens', async () => {
    for (const leave of ['destroy', 'resetAndDestroy', 'end'] as const) {
      for (let i = 0; i < 15; i++) {
        const hasty = new Client({
          host: '127.0.0.1',
          port: harness.gateway.postgres.port,
          user: 'ana',
          password: token,
          database: 'db',
        });
        hasty.on('error', () => undefined);
        const { stream } = (hasty as unknown as { connection: { stream: Socket } }).connection;
        const connecting = hasty.connect().catch(() => undefined);
        setTimeout(() => stream[leave](), 5 + i * 2);
        await Promise.race([connecting, new Promise((resolve) => stream.once('close', resolve))]);
      }
    }
    const deadline = Date.now() + 10_000;
    while (harness.gateway.sessions.count > 0 && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(harness.gateway.sessions.count).toBe(0);
  });

  it('survives a target that resets at any moment of its login', async () => {
    const real = harness.server.port;
    let cutAfter = 0;
    const resetting = createServer((socket) => {
      const upstream = connect(real, '127.0.0.1');
      let chunks = 0;
      socket.on('error', () => undefined).on('data', (chunk: Buffer) => upstream.write(chunk));
      upstream
        .on('error', () => undefined)
        .on('data', (chunk: Buffer) => {
          socket.write(chunk, () => {
            chunks += 1;
            if (chunks >= cutAfter) socket.resetAndDestroy();
          });
        });
      socket.on('close', () => upstream.destroy());
    });
    await new Promise<void>((resolve) => resetting.listen(0, '127.0.0.1', () => resolve()));
    await harness.apply(
      `kind: Connection\nname: resetting\nprotocol: postgres\ntarget: { host: 127.0.0.1, port: ${portOf(resetting)}, database: postgres, tls: disable }\ncredential: { user: postgres, password: { env: DB_PASSWORD } }\n---\nkind: Access\nname: resetting\nwho: [ana]\nto: [resetting]\n`,
    );
    for (let i = 0; i < 24; i++) {
      cutAfter = 1 + (i % 6);
      const unlucky = new Client({
        host: '127.0.0.1',
        port: harness.gateway.postgres.port,
        user: 'ana',
        password: token,
        database: 'resetting',
      });
      unlucky.on('error', () => undefined);
      await unlucky.connect().catch(() => undefined);
      await unlucky.end().catch(() => undefined);
    }
    resetting.close();
    const after = await client(harness.gateway.postgres.port);
    expect((await after.query('select 1 as alive')).rows).toEqual([{ alive: 1 }]);
    await after.end();
  });

  it('gives back the place of large messages that are broken off', async () => {
    for (let i = 0; i < 5; i++) {
      const half = await client(harness.gateway.postgres.port);
      half.on('error', () => undefined);
      const { stream } = (half as unknown as { connection: { stream: Socket } }).connection;
      const header = Buffer.from('510020000000', 'hex').subarray(0, 5);
      stream.write(Buffer.concat([header, Buffer.alloc(200_000, 0x20)]), () => stream.destroySoon());
      await new Promise((resolve) => stream.once('close', resolve));
    }
    await harness.finishedLog();
    expect(harness.gateway.rooms.spool.bytes).toBe(0);
  });

  it('refuses a password message in the middle of a session', async () => {
    const normal = await client(harness.gateway.postgres.port);
    const ended = new Promise<string>((resolve) =>
      normal.on('error', (error: Error & { code?: string }) => resolve(error.code ?? '')),
    );
    const { stream } = (normal as unknown as { connection: { stream: Socket } }).connection;
    stream.write(encodeFrontend({ kind: 'AuthenticationResponse', body: Buffer.from('x\0') }));
    expect(await ended).toBe('08P01');
  });

  it('ends a session whose recording cannot be written', async () => {
    const recordings = join(harness.data, 'gateway', 'recordings');
    const doomed = await client(harness.gateway.postgres.port);
    const ended = new Promise<string>((resolve) =>
      doomed.on('error', (error: Error & { code?: string }) => resolve(error.code ?? '')),
    );
    await rm(recordings, { recursive: true, force: true });
    await writeFile(recordings, 'not a directory');
    await doomed.query('select 1').catch(() => undefined);
    expect(await ended).toBe('58030');
    const log = await harness.finishedLog();
    const end = log.findLast(({ leaf }) => leaf.type === 'session.end');
    expect(end?.leaf.status).toBe('failed');
    expect(end?.body['reason']).toBe('RECORDING_FAILED');
  });
});
