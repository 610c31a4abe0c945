/**
 * The beginning of a connection, byte for byte: the same packets to PostgreSQL and to the gateway, and
 * the same answers from both.
 */

import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BareClient, GSSENC_REQUEST, packet, SSL_REQUEST, startupMessage } from './bare-client.ts';
import { startHarness } from './harness.ts';
import { type Pair, type Side, startTwoSides, told, type TwoSides } from './two-sides.ts';

const CANCEL = 80_877_102;

let sides: TwoSides;
let direct: Side;
let through: Side;

beforeAll(async () => {
  sides = await startTwoSides();
  ({ direct, through } = sides);
}, 60_000);

afterAll(() => sides?.[Symbol.asyncDispose]());

/** All that a side answers to these bytes until it closes or has asked for a password. */
async function answer(side: Side, bytes: Uint8Array): Promise<string[]> {
  const client = await BareClient.open(side.port);
  client.send(bytes);
  const texts: string[] = [];
  for (;;) {
    const frame = await client.frame();
    if (frame === undefined) break;
    texts.push(told(frame));
    if (frame.type === 'R') break;
  }
  client.destroy();
  return texts;
}

function startup(version: number, ...parameters: readonly Pair[]): Buffer {
  return startupMessage(version, [['user', 'postgres'], ...parameters]);
}

function ofLength(length: number): Buffer {
  return startup(0x30000, ['options', ' '.repeat(length - startup(0x30000, ['options', '']).length)]);
}

describe('a start-up packet is answered as PostgreSQL answers it', () => {
  it.each<[string, Uint8Array]>([
    ['protocol 1', packet(0x10000)],
    ['protocol 2', startup(0x20000)],
    ['protocol 4', startup(0x40000)],
    ['protocol 0', packet(0)],
    ['no user', startupMessage(0x30000, [['database', 'x']])],
    [
      'an empty user at a newer version with an option',
      startupMessage(0x30009, [
        ['user', ''],
        ['_pq_.x', '1'],
      ]),
    ],
    ['the last of two users empty', startup(0x30000, ['user', ''])],
    ['nothing but a version', packet(0x30000)],
    ['no terminator', packet(0x30000, Buffer.from('user\0postgres\0'))],
    ['no value', packet(0x30000, Buffer.from('user\0postgres\0geqo\0'))],
    ['bytes after the terminator', packet(0x30000, Buffer.from('user\0postgres\0\0x\0'))],
    ['the longest packet', ofLength(10_004)],
    ['one byte more', ofLength(10_005)],
    ['a length of 7', Buffer.from('00000007000000', 'hex')],
    ['a negative length', Buffer.from('ffffffff00030000', 'hex')],
    ['the largest length', Buffer.from('7fffffff00030000', 'hex')],
    ['a request of HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['a cancel request without a process', packet(CANCEL)],
    ['a cancel request without a key', packet(CANCEL, Buffer.alloc(4))],
    ['a cancel request with a key of one byte', packet(CANCEL, Buffer.alloc(5))],
    ['a cancel request with a key of 32 bytes', packet(CANCEL, Buffer.alloc(36))],
    ['a cancel request with a key of 257 bytes', packet(CANCEL, Buffer.alloc(261))],
    ['replication that is none', startup(0x30000, ['replication', 'maybe'], ['replication', 'off'])],
    ['replication that is off', startup(0x30000, ['replication', 'of'])],
  ])('%s', async (_, bytes) => {
    expect(await answer(through, bytes)).toEqual(await answer(direct, bytes));
  });

  const vectors = readFileSync(
    new URL('../../vectors/postgres/negotiate-version.txt', import.meta.url),
    'utf8',
  );
  const packets = [...vectors.matchAll(/case: (.*)\npacket: (.*)\nanswer: (.*)\n/g)];

  it.each(packets.map(([, title = '', hex = '', expected = '']) => ({ title, hex, expected })))(
    'version $title',
    async ({ hex, expected }) => {
      const bytes = Buffer.from(hex, 'hex');
      const gated = await answer(through, bytes);
      expect(gated).toEqual(await answer(direct, bytes));
      expect(gated[0]?.startsWith('v')).toBe(expected !== 'none');
    },
  );
});

/** Steps of one dialogue: bytes to send, or TLS to begin. */
type Step = Uint8Array | { readonly alpn: readonly string[] | undefined };

/** One byte for each request, a frame for a start-up message; `closed`, `tls` or the alert for TLS. */
async function dialogue(side: Side, steps: readonly Step[]): Promise<string[]> {
  const client = await BareClient.open(side.port);
  const said: string[] = [];
  for (const step of steps) {
    if (step instanceof Uint8Array) {
      client.send(step);
      const first = await client.read(1);
      const letter = first.toString('latin1');
      if (letter !== 'R' && letter !== 'E') {
        said.push(letter === '' ? 'closed' : letter);
        continue;
      }
      const length = await client.read(4);
      const body = await client.read(length.readUInt32BE(0) - 4);
      said.push(told({ type: letter, body }));
    } else {
      const options = step.alpn === undefined ? {} : { ALPNProtocols: [...step.alpn] };
      said.push(
        await client.startTls(options).then(
          () => 'tls',
          (error: Error & { code?: string }) => error.code ?? error.message,
        ),
      );
    }
  }
  client.destroy();
  return said;
}

describe('encryption is negotiated as PostgreSQL does', () => {
  const plain = startup(0x30000);
  const tls = { alpn: undefined };
  const alpn = { alpn: ['postgresql'] };
  it.each<[string, readonly Step[], string]>([
    ['SSLRequest', [SSL_REQUEST, tls, plain], 'SCRAM-SHA-256-PLUS'],
    ['SSLRequest with ALPN', [SSL_REQUEST, alpn, plain], 'SCRAM-SHA-256-PLUS'],
    ['SSLRequest with another ALPN', [SSL_REQUEST, { alpn: ['http/1.1'] }], 'NO_APPLICATION_PROTOCOL'],
    ['GSSENCRequest, then none', [GSSENC_REQUEST, plain], 'SCRAM-SHA-256'],
    ['GSSENCRequest, then SSLRequest', [GSSENC_REQUEST, SSL_REQUEST, tls, plain], 'SCRAM-SHA-256-PLUS'],
    ['GSSENCRequest twice', [GSSENC_REQUEST, GSSENC_REQUEST], '1234.5680'],
    ['SSLRequest twice', [SSL_REQUEST, tls, SSL_REQUEST], '1234.5679'],
    ['GSSENCRequest inside TLS', [SSL_REQUEST, tls, GSSENC_REQUEST], '1234.5680'],
    ['GSSENC, SSL, GSSENC', [GSSENC_REQUEST, SSL_REQUEST, tls, GSSENC_REQUEST], '1234.5680'],
    ['direct TLS', [alpn, plain], 'SCRAM-SHA-256-PLUS'],
    ['direct TLS among others', [{ alpn: ['h2', 'postgresql'] }, plain], 'SCRAM-SHA-256-PLUS'],
    ['requests inside direct TLS', [alpn, GSSENC_REQUEST, SSL_REQUEST, plain], 'SCRAM-SHA-256-PLUS'],
    ['direct TLS without ALPN', [tls, plain], 'closed'],
    ['direct TLS with another ALPN', [{ alpn: ['http/1.1'] }], 'NO_APPLICATION_PROTOCOL'],
  ])('%s', async (_, steps, last) => {
    const gated = await dialogue(through, steps);
    expect(gated).toEqual(await dialogue(direct, steps));
    expect(gated.at(-1)).toContain(last);
  });

  it('refuses bytes that come with a GSSENCRequest', async () => {
    const both = Buffer.concat([GSSENC_REQUEST, plain]);
    const read = async ({ port }: Side): Promise<string> => {
      const client = await BareClient.open(port);
      client.send(both);
      return (await client.rest()).toString('latin1');
    };
    expect(await read(through)).toContain('received unencrypted data after GSSAPI encryption request');
    expect(await read(direct)).toContain('received unencrypted data after GSSAPI encryption request');
  });

  it('says nothing where TLS is off and the client begins with it', async () => {
    await using off = await startHarness({
      config: 'tls: { mode: off }',
      postgres: { settings: { fsync: 'off' } },
    });
    const { port } = off.gateway.postgres;
    const socket = connect(port, '127.0.0.1', () => socket.write(Buffer.from('160301000501000001', 'hex')));
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    await new Promise((resolve) => socket.once('close', resolve));
    expect(Buffer.concat(chunks).length).toBe(0);
    for (const steps of [
      [SSL_REQUEST, GSSENC_REQUEST, SSL_REQUEST, startup(0x30000)],
      [SSL_REQUEST, SSL_REQUEST],
      [GSSENC_REQUEST, SSL_REQUEST, GSSENC_REQUEST],
      [SSL_REQUEST, GSSENC_REQUEST, startup(0x30000)],
      [GSSENC_REQUEST, SSL_REQUEST, startup(0x30000)],
    ]) {
      const gated = await dialogue({ ...through, port }, steps);
      expect(gated).toEqual(await dialogue({ ...direct, port: off.server.port }, steps));
    }
  });
});
