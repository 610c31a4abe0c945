/**
 * A target that does not do what TLS asks of it hears one SSLRequest and nothing else: no name, no
 * password, no cancel key in the clear, whatever it answers.
 */

import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { LIMITS } from '../../packages/gateway/src/core/limits.ts';
import { Secret } from '../../packages/gateway/src/core/secret.ts';
import { encodeBackend } from '../../packages/gateway/src/protocols/postgres/encode.ts';
import { cancelOnTarget, type PostgresTarget } from '../../packages/gateway/src/upstream/postgres-target.ts';
import { SSL_REQUEST } from './bare-client.ts';
import { failure, through } from './clients.ts';
import { type Harness, startHarness } from './harness.ts';

/** What somebody says who would like to be taken for a server without TLS. */
const GREETING = Buffer.concat([
  encodeBackend({ kind: 'AuthenticationOk' }),
  encodeBackend({ kind: 'BackendKeyData', processId: 7, secretKey: new Uint8Array(4) }),
  encodeBackend({ kind: 'ReadyForQuery', status: 'I' }),
]);
const ERROR = encodeBackend({
  kind: 'ErrorResponse',
  fields: [{ code: 'M', valueBytes: Buffer.from('unsupported frontend protocol') }],
});

/** Its answer to an SSLRequest, and what the client is told. */
const ANSWERS: readonly (readonly [what: string, answer: Uint8Array | 'closes', says: RegExp])[] = [
  ['that it has none', Buffer.from('N'), /does not offer TLS/],
  [
    'that it has none, and lets everybody in',
    Buffer.concat([Buffer.from('N'), GREETING]),
    /does not offer TLS/,
  ],
  ['that it has, and bytes before TLS', Buffer.concat([Buffer.from('S'), GREETING]), /sent bytes before TLS/],
  ['that it has, and one byte before TLS', Buffer.from('SN'), /sent bytes before TLS/],
  ['that GSSAPI may be used', Buffer.from('G'), /does not offer TLS/],
  ['an error in the clear', ERROR, /does not offer TLS/],
  ['a login in the clear', GREETING, /does not offer TLS/],
  ['nothing, and closes', 'closes', /closed the connection/],
  ['nothing at all', new Uint8Array(0), /took too long to answer/],
];

/** Listens for one gateway, and keeps all that it hears. */
class Liar {
  readonly #server: Server;
  readonly #sockets: Socket[] = [];
  readonly #heard: Buffer[] = [];

  constructor(answer: Uint8Array | 'closes') {
    this.#server = createServer((socket) => {
      this.#sockets.push(socket);
      socket.on('error', () => undefined);
      socket.on('data', (chunk: Buffer) => {
        const isFirst = this.#heard.length === 0;
        this.#heard.push(chunk);
        if (!isFirst) return;
        if (answer === 'closes') socket.end();
        else if (answer.length > 0) socket.write(answer);
      });
    });
  }

  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** All of it, once the gateway has gone. */
  async heard(): Promise<Buffer> {
    await Promise.all(this.#sockets.filter(({ closed }) => !closed).map((socket) => once(socket, 'close')));
    return Buffer.concat(this.#heard);
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}

let harness: Harness;
let token: string;
let liar: Liar | undefined;

beforeAll(async () => {
  harness = await startHarness({ postgres: { settings: { fsync: 'off' } } });
  token = await harness.token('ana');
}, 60_000);

const { upstreamConnectTimeoutMs } = LIMITS.postgres;

/** One who is silent is waited for as long as a target may take: that is too long for a test. */
function lessPatientWith(answer: Uint8Array | 'closes'): void {
  if (answer.length === 0) Object.assign(LIMITS.postgres, { upstreamConnectTimeoutMs: 1_000 });
}

afterEach(() => {
  liar?.close();
  Object.assign(LIMITS.postgres, { upstreamConnectTimeoutMs });
});
afterAll(() => harness?.[Symbol.asyncDispose]());

describe.each(['', ', tls: verify-full', ', tls: verify-ca'])('where TLS is asked for (target%s)', (tls) => {
  it.each(ANSWERS)('a target that says %s is refused, and hears nothing more', async (_, answer, says) => {
    lessPatientWith(answer);
    liar = new Liar(answer);
    const port = await liar.listen();
    await harness.apply(
      `kind: Connection\nname: liar\nprotocol: postgres\ntarget: { host: 127.0.0.1, port: ${port}, database: postgres${tls} }\ncredential: { user: postgres, password: { env: DB_PASSWORD } }\n---\nkind: Access\nname: liar\nwho: [ana]\nto: [liar]\n`,
    );
    const refused = await failure(through(harness, token, { database: 'liar' }));
    expect(refused).toMatchObject({ code: '08001', message: expect.stringMatching(says) });
    expect(await liar.heard()).toEqual(SSL_REQUEST);
    const leaf = (await harness.finishedLog()).at(-1);
    expect([leaf?.leaf.type, leaf?.body['code']]).toEqual(['session.refused', 'UPSTREAM_FAILED']);
  });
});

describe('a request to cancel', () => {
  it.each(ANSWERS)('is not sent to a target that says %s', async (_, answer, says) => {
    lessPatientWith(answer);
    liar = new Liar(answer);
    const target: PostgresTarget = {
      connection: 'liar',
      host: '127.0.0.1',
      port: await liar.listen(),
      database: 'd',
      user: 'u',
      password: new Secret('p'),
      tls: 'verify-full',
      tlsNegotiation: 'postgres',
      channelBinding: 'prefer',
      protocolVersion: '3.2',
      ca: undefined,
    };
    await expect(cancelOnTarget(target, 7, new Uint8Array(32))).rejects.toThrow(says);
    expect(await liar.heard()).toEqual(SSL_REQUEST);
  });
});
