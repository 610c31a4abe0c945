/** Whoever is not known yet costs little, for a bounded time, and is in nobody's way. */

import { connect, createServer, type Server } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PostgresServer, startPostgres } from '../../examples/demo/postgres-server.ts';
import { LIMITS } from '../../packages/gateway/src/core/limits.ts';
import {
  encodeBackend,
  encodeSASLInitialResponse,
} from '../../packages/gateway/src/protocols/postgres/encode.ts';
import { encodeStartupPacket } from '../../packages/gateway/src/protocols/postgres/startup.ts';
import { startVictim, type Victim } from './victim-process.ts';
import { RefusedError, startup, Wire } from './wire.ts';

const SOAK = process.env['COUNTERSIGN_SOAK'] !== undefined;
/** For a machine that is busy with other things. */
const SLACK_MS = 12_000;

let server: PostgresServer;
let victim: Victim;

beforeAll(async () => {
  server = await startPostgres();
  victim = await startVictim({
    targetPort: server.port,
    password: server.password,
    connections: ['db'],
    database: 'postgres',
  });
}, 60_000);

afterAll(async () => {
  await victim[Symbol.asyncDispose]();
  await server.stop();
});

async function login(localAddress?: string): Promise<Wire> {
  const wire = await Wire.open(victim.port, localAddress);
  await wire.login({ user: 'ana', password: victim.token, database: 'db' });
  return wire;
}

/** How long the gateway puts up with somebody. */
async function patience(wire: Wire): Promise<number> {
  const started = performance.now();
  await wire.over;
  wire.destroy();
  return performance.now() - started;
}

/** One byte a second, for as long as it is taken. */
function dribble(
  wire: {
    readonly socket: {
      writable: boolean;
      write(bytes: Uint8Array): unknown;
      once(event: 'close', listener: () => void): unknown;
    };
  },
  bytes: Uint8Array,
): void {
  let at = 0;
  const timer = setInterval(() => {
    if (wire.socket.writable && at < bytes.length) wire.socket.write(bytes.subarray(at, ++at));
    else clearInterval(timer);
  }, 1_000);
  wire.socket.once('close', () => clearInterval(timer));
}

const SSL_REQUEST = encodeStartupPacket({ kind: 'SSLRequest' });
const LONG = Buffer.alloc(4_000, 0x61);

/** Each opens a connection and then is slow, or silent, in its own phase. */
const SLOW: Record<string, () => Promise<Wire>> = {
  'silent from the start': () => Wire.open(victim.port),
  'slow with its SSLRequest': async () => {
    const wire = await Wire.open(victim.port);
    dribble(wire, Buffer.concat([SSL_REQUEST.subarray(0, 7), LONG]).subarray(0, 7));
    return wire;
  },
  'slow in the TLS handshake': async () => {
    const wire = await Wire.open(victim.port);
    wire.send(SSL_REQUEST);
    await wire.bytes(1);
    dribble(wire, Buffer.concat([Buffer.from('1603010fa0', 'hex'), LONG]));
    return wire;
  },
  'slow in the TLS handshake without being asked': async () => {
    const wire = await Wire.open(victim.port);
    dribble(wire, Buffer.concat([Buffer.from('1603010fa0', 'hex'), LONG]));
    return wire;
  },
  'slow with its start-up packet': async () => {
    const wire = await Wire.open(victim.port);
    dribble(wire, Buffer.concat([Buffer.from('00000fa000030000', 'hex'), LONG]));
    return wire;
  },
  'silent when it is asked for its password': async () => {
    const wire = await Wire.open(victim.port);
    wire.send(startup({ user: 'ana', database: 'db' }));
    await wire.frame();
    return wire;
  },
  'slow with its SASL message': async () => {
    const wire = await Wire.open(victim.port);
    wire.send(startup({ user: 'ana', database: 'db' }));
    await wire.frame();
    dribble(wire, Buffer.concat([Buffer.from('7000000fa0', 'hex'), LONG]));
    return wire;
  },
  'silent in the middle of SASL': async () => {
    const wire = await Wire.open(victim.port);
    wire.send(startup({ user: 'ana', database: 'db' }));
    await wire.frame();
    wire.send(encodeSASLInitialResponse('SCRAM-SHA-256', Buffer.from('n,,n=,r=abcdefghijklmnopqr')));
    await wire.frame();
    return wire;
  },
};

/** These get an answer, and do not close their side. */
const REFUSED: Record<string, Uint8Array> = {
  'a start-up packet that is too large': Buffer.from('0000271100030000', 'hex'),
  'a start-up packet of four bytes': Buffer.from('00000004', 'hex'),
  'a length of 2^32 - 1': Buffer.from('ffffffff', 'hex'),
  'a length that is negative': Buffer.from('80000000', 'hex'),
  'another major version': Buffer.from('0000000800020000', 'hex'),
  'a start-up packet without a user': startup({ user: '' }),
  'bytes before TLS': Buffer.concat([SSL_REQUEST, startup({ user: 'ana' })]),
  'a second SSLRequest behind a GSSENCRequest': Buffer.concat([
    encodeStartupPacket({ kind: 'GSSENCRequest' }),
    encodeStartupPacket({ kind: 'GSSENCRequest' }),
  ]),
  HTTP: Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
  'a cancel request with a key of nobody': encodeStartupPacket({
    kind: 'CancelRequest',
    processId: 7,
    secretKey: new Uint8Array(4),
  }),
  'a cancel request with a long key of nobody': encodeStartupPacket({
    kind: 'CancelRequest',
    processId: 7,
    secretKey: new Uint8Array(256),
  }),
};

/** How long each is put up with, ms: all at once, because each takes as long as it may. */
async function patienceWith(
  whom: Readonly<Record<string, () => Promise<number>>>,
): Promise<Readonly<Record<string, number>>> {
  const waited = Object.entries(whom).map(async ([how, wait]) => [how, await wait()] as const);
  return Object.fromEntries(await Promise.all(waited));
}

/** A TLS connection that is established, and then silent. */
function silentInsideTls(): Promise<number> {
  return new Promise((resolve) => {
    const socket = connect({ port: victim.port, host: '127.0.0.1' }, () => socket.write(SSL_REQUEST));
    socket.on('error', () => undefined);
    socket.once('data', () => {
      const started = performance.now();
      const secure = connectTls({ socket, rejectUnauthorized: false });
      const end = (): void => resolve(performance.now() - started);
      secure
        .on('error', () => undefined)
        .once('end', end)
        .once('close', end)
        .resume();
    });
  });
}

/** A target whose login never ends; and the error that the client is told. */
async function endlessLogin(): Promise<number> {
  await using target = await nightmare();
  await using gateway = await startVictim({ targetPort: target.port, password: 'x', connections: ['never'] });
  const wire = await Wire.open(gateway.port);
  const started = performance.now();
  const end = await wire
    .login({ user: 'ana', password: gateway.token, database: 'never' })
    .catch((error: unknown) => error);
  const waited = performance.now() - started;
  const { live, counts } = await gateway.finishedLog();
  expect(end).toMatchObject({ sqlstate: '08001' });
  expect([live, counts['session.start'] ?? 0, counts['session.refused']]).toEqual([0, 0, 1]);
  wire.destroy();
  return waited;
}

async function slowHttp(head: string): Promise<number> {
  const wire = await Wire.open(victim.apiPort);
  wire.send(Buffer.from(head));
  if (head !== '') dribble(wire, LONG);
  return patience(wire);
}

const BODY_HEAD =
  'POST /v1/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 4000\r\n\r\n';

// These two wait beside one another: each for what the gateway gives who does nothing.
describe.concurrent('somebody who is slow', () => {
  it('is closed in time, whatever they are slow with', { timeout: 120_000 }, async () => {
    const { loginTimeoutMs } = LIMITS.postgres;
    const { headersTimeoutMs, timeoutCheckMs, requestTimeoutMs } = LIMITS.api;
    const slow = Object.entries(SLOW).map(([how, open]) => [how, async () => patience(await open())]);
    const waited = await patienceWith({
      ...Object.fromEntries(slow),
      'silent after the TLS handshake': silentInsideTls,
      'a target whose login never ends': endlessLogin,
      'silent on the API': () => slowHttp(''),
      'slow with the head of a request': () => slowHttp('GET /v1/whoami HTTP/1.1\r\nHost: x\r\nX-Long: '),
      ...(SOAK ? { 'slow with the body of a request': () => slowHttp(BODY_HEAD) } : {}),
    });
    const { 'slow with the body of a request': body = 0, ...others } = waited;
    const longest = Math.max(loginTimeoutMs, headersTimeoutMs + timeoutCheckMs) + SLACK_MS;
    expect(Object.entries(others).filter(([, ms]) => ms > longest || ms < loginTimeoutMs / 3)).toEqual([]);
    expect(body).toBeLessThan(requestTimeoutMs + timeoutCheckMs + SLACK_MS);
  });
});

describe.concurrent('somebody who is refused', () => {
  it('hears of it at once, and cannot stay', async () => {
    const refused = Object.entries(REFUSED).map(async ([what, bytes]) => {
      const wire = await Wire.open(victim.port);
      wire.send(bytes);
      await wire.over;
      // The gateway has closed its side; this side stays open until the gateway gives up on it.
      const closed = new Promise((resolve) => wire.socket.once('close', resolve));
      const poke = setInterval(() => wire.send(Buffer.of(0)), 500);
      await closed;
      clearInterval(poke);
      return what;
    });
    expect(await Promise.all(refused)).toEqual(Object.keys(REFUSED));
  });
});

describe('the API', () => {
  it('answers although more sockets are silent than it takes', async () => {
    const silent = await Promise.all(
      Array.from({ length: LIMITS.api.connectionsMax + 50 }, () => Wire.open(victim.apiPort)),
    );
    const whoami = await fetch(`http://127.0.0.1:${victim.apiPort}/v1/whoami`, {
      headers: { authorization: `Bearer ${victim.rootToken}` },
    });
    expect(await whoami.json()).toMatchObject({ name: 'root' });
    for (const wire of silent) wire.destroy();
  });
});

describe('a login', () => {
  it('is not delayed by 1,000 silent sockets', async () => {
    const silent = await Promise.all(Array.from({ length: 1_000 }, () => Wire.open(victim.port)));
    const tookMs: number[] = [];
    for (let i = 0; i < 40; i++) {
      const started = performance.now();
      // oxlint-disable-next-line no-await-in-loop -- Each by itself, so that its time is its own.
      const wire = await login();
      tookMs.push(performance.now() - started);
      wire.destroy();
    }
    const sorted = tookMs.toSorted((a, b) => a - b);
    console.info(
      `login with 1,000 silent sockets: median ${sorted[20]?.toFixed(1)} ms, p99 ${sorted.at(-1)?.toFixed(1)} ms`,
    );
    // All logins were through while every silent socket was still being waited for.
    expect(silent.filter(({ ended }) => ended)).toEqual([]);
    for (const wire of silent) wire.destroy();
  });

  it('gets through where every place is taken, and is not pushed out by who floods', {
    timeout: 60_000,
  }, async () => {
    const early = await Wire.open(victim.port, '127.0.0.2');
    early.send(startup({ user: 'ana', database: 'db' }));
    await early.frame();
    const flood: Wire[] = [];
    for (let opened = 0; opened < LIMITS.postgres.unauthenticatedSocketsMax + 200; opened += 100) {
      // oxlint-disable-next-line no-await-in-loop -- In batches, as the backlog of a socket is short.
      flood.push(...(await Promise.all(Array.from({ length: 100 }, () => Wire.open(victim.port)))));
    }
    const late = await login();
    // The oldest of the address that floods gave way, and nobody else.
    await flood[0]!.over;
    expect(early.ended).toBe(false);
    early.send(encodeSASLInitialResponse('SCRAM-SHA-256', Buffer.from('n,,n=,r=abcdefghijklmnopqr')));
    expect((await early.until('R')).body.toString('latin1')).toContain('r=abcdefghijklmnopqr');
    for (const wire of [...flood, early, late]) wire.destroy();
  });

  it('with a wrong password is counted right in parallel, and locks out nobody elsewhere', async () => {
    const attempt = async (user: string, localAddress: string): Promise<string> => {
      const wire = await Wire.open(victim.port, localAddress);
      try {
        await wire.login({ user, password: 'cs_wrong', database: 'db' });
        return 'let in';
      } catch (error) {
        return error instanceof RefusedError ? error.message.replaceAll(user, 'NAME') : String(error);
      } finally {
        wire.destroy();
      }
    };
    const known = await Promise.all(Array.from({ length: 30 }, () => attempt('ana', '127.0.0.3')));
    const unknown = await Promise.all(Array.from({ length: 30 }, () => attempt('nobody', '127.0.0.4')));
    for (const answers of [known, unknown]) {
      expect(count(answers, '28P01')).toBe(LIMITS.identity.failuresMax);
      expect(count(answers, '28000')).toBe(30 - LIMITS.identity.failuresMax);
    }
    // Nothing but the name that was typed tells a person from nobody.
    expect(kinds(known)).toEqual(kinds(unknown));
    (await login('127.0.0.5')).destroy();
    const wire = await Wire.open(victim.port, '127.0.0.3');
    await expect(wire.login({ user: 'ana', password: victim.token, database: 'db' })).rejects.toMatchObject({
      sqlstate: '28000',
    });
    wire.destroy();
  });

  it('is over after a goodbye: what follows it reaches nobody', async () => {
    const wire = await login();
    const query = Buffer.from('5100000018637265617465207461626c652067686f73742829', 'hex');
    wire.send(Buffer.from('5800000004', 'hex'), query, Buffer.alloc(100_000, 0x51));
    await wire.over;
    wire.destroy();
    const log = await victim.finishedLog();
    expect([log.live, log.unanswered, log.open]).toEqual([0, [], []]);
    expect(log.counts['statement.intent'] ?? 0).toBe(0);
    expect(log.errors.filter((error) => error.includes('INTERNAL'))).toEqual([]);
  });
});

/** A target that says one notice a second, and never that it is ready. */
async function nightmare(): Promise<AsyncDisposable & { readonly port: number }> {
  const timers = new Set<NodeJS.Timeout>();
  const target: Server = createServer((socket) => {
    socket.on('error', () => undefined).resume();
    socket.write(encodeBackend({ kind: 'AuthenticationOk' }));
    const notice = encodeBackend({
      kind: 'NoticeResponse',
      fields: [{ code: 'M', valueBytes: Buffer.from('wait') }],
    });
    timers.add(setInterval(() => socket.writable && socket.write(notice), 1_000));
  });
  await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', () => resolve()));
  const address = target.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    async [Symbol.asyncDispose]() {
      for (const timer of timers) clearInterval(timer);
      await new Promise((resolve) => target.close(resolve));
    },
  };
}

function count(answers: readonly string[], sqlstate: string): number {
  return answers.filter((text) => text.includes(`C${sqlstate}`)).length;
}

function kinds(answers: readonly string[]): string[] {
  return [...new Set(answers.map((text) => text.replace(/\d+ s/, 'N s')))].toSorted();
}
