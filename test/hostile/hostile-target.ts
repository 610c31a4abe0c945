/** A target on a bare socket: it does what the database that is asked for is called. */

import { createServer, type Socket } from 'node:net';
import { encodeBackend } from '../../packages/gateway/src/protocols/postgres/encode.ts';
import type { BackendMessage } from '../../packages/gateway/src/protocols/postgres/messages.ts';

export interface HostileTarget extends AsyncDisposable {
  readonly port: number;
  /** Bytes that went out to the gateway. */
  sent(): number;
  /** Whether a flood had to wait for the gateway. */
  heldBack(): boolean;
}

/** What is done with a socket: before the login is over, or with the first query. */
export interface Behaviour {
  readonly when: 'login' | 'query';
  /** The bytes to send, over and over, until the bytes of the flood are out. */
  readonly first?: Uint8Array;
  readonly again: Uint8Array;
}

function message(backend: BackendMessage): Uint8Array {
  return encodeBackend(backend);
}

function header(type: string, length: number): Uint8Array {
  const bytes = Buffer.alloc(5);
  bytes.write(type, 0, 'latin1');
  bytes.writeUInt32BE(length, 1);
  return bytes;
}

const NOISE = Buffer.alloc(65_536, 0x61);
const ROW_BEGINS = Buffer.from([0, 1, 0x3f, 0xff, 0xf0, 0]);
const notice = message({
  kind: 'NoticeResponse',
  fields: [{ code: 'M', valueBytes: NOISE.subarray(0, 1_000) }],
});
const parameter = message({ kind: 'ParameterStatus', name: 'x', valueBytes: NOISE.subarray(0, 1_000) });
const row = message({ kind: 'DataRow', values: [NOISE.subarray(0, 8_000)] });
const description = message({ kind: 'RowDescription', fields: [] });

/** Each is endless. */
export const BEHAVIOURS: Readonly<Record<string, Behaviour>> = {
  'login-notices': { when: 'login', again: notice },
  'login-parameters': { when: 'login', again: parameter },
  'login-sasl': {
    when: 'login',
    again: message({ kind: 'AuthenticationSASLContinue', data: NOISE.subarray(0, 1_000) }),
  },
  'login-error': { when: 'login', first: header('E', 0x3fff_ffff), again: NOISE },
  'login-length': { when: 'login', first: header('N', 0xffff_ffff), again: NOISE },
  'login-noise': { when: 'login', again: NOISE },
  rows: { when: 'query', first: description, again: row },
  row: {
    when: 'query',
    first: Buffer.concat([description, header('D', 0x3fff_fff0), ROW_BEGINS]),
    again: NOISE,
  },
  notices: { when: 'query', again: notice },
  parameters: { when: 'query', again: parameter },
  error: { when: 'query', first: header('E', 0x3fff_fff0), again: NOISE },
  notice: { when: 'query', first: Buffer.concat([header('N', 0x3fff_fff0), Buffer.from('M')]), again: NOISE },
  copy: {
    when: 'query',
    first: message({ kind: 'CopyOutResponse', format: 0, columnFormats: [] }),
    again: message({ kind: 'CopyData', data: NOISE }),
  },
  length: { when: 'query', first: header('D', 0xffff_ffff), again: NOISE },
  'negative-length': { when: 'query', first: header('T', 0x8000_0000), again: NOISE },
  'long-tag': { when: 'query', first: header('C', 0x3fff_fff0), again: NOISE },
  'unasked-rows': { when: 'query', again: row },
  ready: { when: 'query', again: message({ kind: 'ReadyForQuery', status: 'I' }) },
  'empty-messages': { when: 'query', again: Buffer.from('4e0000000500'.repeat(10_000), 'hex') },
  zeros: { when: 'query', again: Buffer.alloc(65_536) },
};

const GREETING = Buffer.concat([
  message({ kind: 'AuthenticationOk' }),
  message({ kind: 'BackendKeyData', processId: 1, secretKey: new Uint8Array(4) }),
  message({ kind: 'ReadyForQuery', status: 'I' }),
]);

/** Before the name of a flood: the client will not read, so that there can be much of it. */
export const UNREAD = 'unread-';
const UNREAD_BYTES = 2 ** 31;

/** @param floodBytes how much of a flood each connection gets before it is closed */
export async function startHostileTarget(floodBytes: number): Promise<HostileTarget> {
  const sockets = new Set<Socket>();
  let sent = 0;
  let heldBack = false;

  function flood(socket: Socket, { first, again }: Behaviour, bytes: number): void {
    const big =
      again.length < 65_536
        ? Buffer.concat(Array.from({ length: Math.ceil(65_536 / again.length) }, () => again))
        : again;
    let left = bytes;
    if (first !== undefined) socket.write(first);
    const more = (): void => {
      while (left > 0 && socket.writable) {
        left -= big.length;
        if (!socket.write(big)) {
          heldBack = true;
          socket.once('drain', more);
          return;
        }
      }
      socket.end();
    };
    more();
  }

  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => {
      sent += socket.bytesWritten - socket.writableLength;
      sockets.delete(socket);
    });
    socket.on('error', () => undefined);
    socket.once('data', (packet: Buffer) => {
      const database = /\0database\0([^\0]*)\0/.exec(`\0${packet.toString('latin1', 8)}`)?.[1] ?? '';
      const behaviour = BEHAVIOURS[database.replace(UNREAD, '')];
      const bytes = database.startsWith(UNREAD) ? UNREAD_BYTES : floodBytes;
      if (behaviour === undefined) socket.destroy();
      else if (behaviour.when === 'login') {
        if (database !== 'login-sasl') socket.write(message({ kind: 'AuthenticationOk' }));
        flood(socket, behaviour, bytes);
      } else {
        socket.write(GREETING);
        socket.once('data', () => flood(socket, behaviour, bytes));
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    sent: () =>
      [...sockets].reduce(
        (sum, { bytesWritten, writableLength }) => sum + bytesWritten - writableLength,
        sent,
      ),
    heldBack: () => heldBack,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
