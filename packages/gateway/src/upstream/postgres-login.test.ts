/** Targets that do not keep to the protocol: what a login takes, and what it refuses. */

import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { Secret } from '../core/secret.ts';
import { encodeBackend } from '../protocols/postgres/encode.ts';
import type { BackendMessage } from '../protocols/postgres/messages.ts';
import { loginToTarget, type ReadyTarget, TargetRefused } from './postgres-login.ts';
import type { PostgresTarget } from './postgres-target.ts';

const OK: BackendMessage = { kind: 'AuthenticationOk' };
const READY: BackendMessage = { kind: 'ReadyForQuery', status: 'I' };

/** A target that says this to whatever is asked; the version that it was asked for comes back too. */
async function loginTo(
  messages: readonly (BackendMessage | Uint8Array)[],
  options: Partial<PostgresTarget> = {},
): Promise<{ readonly ready: ReadyTarget; readonly asked: number }> {
  let asked = 0;
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.once('data', (chunk: Buffer) => {
      asked = chunk.readUInt32BE(4);
      socket.write(
        Buffer.concat(messages.map((one) => (one instanceof Uint8Array ? one : encodeBackend(one)))),
      );
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const target: PostgresTarget = {
    connection: 'fake',
    host: '127.0.0.1',
    port: typeof address === 'object' && address !== null ? address.port : 0,
    database: 'd',
    user: 'u',
    password: new Secret('p'),
    tls: 'disable',
    tlsNegotiation: 'postgres',
    channelBinding: 'prefer',
    protocolVersion: '3.2',
    ca: undefined,
    ...options,
  };
  try {
    const ready = await loginToTarget(target, [], (length) => new Uint8Array(length));
    ready.socket.destroy();
    return { ready, asked };
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

function key(length: number): BackendMessage {
  return { kind: 'BackendKeyData', processId: 7, secretKey: new Uint8Array(length).fill(1) };
}

function negotiate(newestVersion: number, ...options: readonly string[]): BackendMessage {
  const unrecognizedOptions = options.map((option) => Buffer.from(option));
  return { kind: 'NegotiateProtocolVersion', newestVersion, unrecognizedOptions };
}

function notice(text: string): BackendMessage {
  return { kind: 'NoticeResponse', fields: [{ code: 'M', valueBytes: Buffer.from(text) }] };
}

describe('a target', () => {
  it.each<[string, readonly BackendMessage[], Partial<PostgresTarget>, number, number | undefined]>([
    ['that speaks 3.2', [OK, key(32), READY], {}, 0x30002, 32],
    ['that gives the longest key', [OK, key(256), READY], {}, 0x30002, 256],
    ['that speaks 3.0 only', [negotiate(0x30000), OK, key(4), READY], {}, 0x30002, 4],
    ['that is not asked for more than 3.0', [OK, key(4), READY], { protocolVersion: '3.0' }, 0x30000, 4],
    ['that gives no key', [OK, READY], {}, 0x30002, undefined],
  ])('%s is taken', async (_, messages, options, version, keyLength) => {
    const { ready, asked } = await loginTo(messages, options);
    expect(asked).toBe(version);
    expect(ready.cancelSecret?.length).toBe(keyLength);
  });

  it.each<[string, readonly (BackendMessage | Uint8Array)[], Partial<PostgresTarget>]>([
    ['answers with the version that was asked for', [negotiate(0x30002), OK, READY], {}],
    ['answers with a newer version', [negotiate(0x30003), OK, READY], {}],
    ['answers with protocol 2', [negotiate(0x20000), OK, READY], {}],
    ['negotiates below 3.0', [negotiate(0x30000), OK, READY], { protocolVersion: '3.0' }],
    ['refuses options that nobody sent', [negotiate(0x30000, '_pq_.x'), OK, READY], {}],
    ['negotiates twice', [negotiate(0x30000), negotiate(0x30000), OK, READY], {}],
    ['negotiates when it is over', [OK, negotiate(0x30000), READY], {}],
    ['gives a long key at 3.0', [negotiate(0x30000), OK, key(32), READY], {}],
    ['gives a key of three bytes', [OK, Buffer.from('4b0000000b00000007010101', 'hex'), READY], {}],
    ['gives a key of 257 bytes', [OK, key(257), READY], {}],
    ['gives two keys', [OK, key(32), key(32), READY], {}],
    [
      'lets us in without the end of SCRAM',
      [{ kind: 'AuthenticationSASL', mechanisms: ['SCRAM-SHA-256'] }, OK, READY],
      {},
    ],
    [
      'starts SASL twice',
      [
        { kind: 'AuthenticationSASL', mechanisms: ['SCRAM-SHA-256'] },
        { kind: 'AuthenticationSASL', mechanisms: ['SCRAM-SHA-256'] },
      ],
      {},
    ],
    [
      'offers channel binding without TLS',
      [{ kind: 'AuthenticationSASL', mechanisms: ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256'] }],
      {},
    ],
    ['asks for the password in the clear', [{ kind: 'AuthenticationCleartextPassword' }, OK, READY], {}],
    ['sends a row', [OK, { kind: 'DataRow', values: [] }, READY], {}],
    [
      'never stops greeting',
      [OK, ...Array.from({ length: 20 }, () => notice('x'.repeat(60_000))), READY],
      {},
    ],
    ['sends one message that is too long', [OK, notice('x'.repeat(1_100_000)), READY], {}],
  ])('that %s is refused', async (_, messages, options) => {
    await expect(loginTo(messages, options)).rejects.toThrow(
      expect.objectContaining({ code: 'UPSTREAM_FAILED' }),
    );
  });

  it.each<[string, readonly BackendMessage[]]>([
    ['trust', [OK, READY]],
    ['MD5', [{ kind: 'AuthenticationMD5Password', salt: new Uint8Array(4) }, OK, READY]],
    ['a password in the clear', [{ kind: 'AuthenticationCleartextPassword' }, OK, READY]],
    ['SCRAM without it', [{ kind: 'AuthenticationSASL', mechanisms: ['SCRAM-SHA-256'] }]],
  ])('with %s is refused where channel binding is required', async (_, messages) => {
    await expect(loginTo(messages, { channelBinding: 'require' })).rejects.toThrow(
      /requires channel binding/,
    );
  });

  it('that refuses gives its frame, and all that it said since it let us in', async () => {
    const error: BackendMessage = {
      kind: 'ErrorResponse',
      fields: [{ code: 'M', valueBytes: Buffer.from('no') }],
    };
    const early = await loginTo([notice('early'), error]).catch((thrown: unknown) => thrown);
    expect(early).toBeInstanceOf(TargetRefused);
    expect(early).toMatchObject({ greeting: undefined, frame: new Uint8Array(encodeBackend(error)) });
    const late = await loginTo([OK, notice('late'), key(4), error]).catch((thrown: unknown) => thrown);
    expect(late).toMatchObject({
      greeting: [{ isCancelKey: false }, { isCancelKey: true }],
    });
  });
});
