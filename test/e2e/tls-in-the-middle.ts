/** Somebody between two ends of a connection: ends TLS with another certificate, and begins it anew. */

import { connect, createServer, type Server, type Socket } from 'node:net';
import { connect as connectTls, createSecureContext, TLSSocket } from 'node:tls';
import { SSL_REQUEST } from './bare-client.ts';

export interface MiddleOptions {
  /** Where the connections really go. */
  readonly port: number;
  readonly cert: string;
  readonly key: string;
  /** Takes SCRAM-SHA-256-PLUS out of what the server offers. */
  readonly hidesPlus: boolean;
}

export interface Middle {
  readonly port: number;
  /** How many connections came through. */
  readonly count: () => number;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function startMiddle(options: MiddleOptions): Promise<Middle> {
  const sockets = new Set<Socket>();
  let count = 0;
  const context = createSecureContext({ cert: options.cert, key: options.key });
  const server: Server = createServer((socket) => {
    count += 1;
    sockets.add(socket);
    relay(socket, context, options, sockets).catch(() => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    count: () => count,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function relay(
  socket: Socket,
  secureContext: ReturnType<typeof createSecureContext>,
  options: MiddleOptions,
  sockets: Set<Socket>,
): Promise<void> {
  socket.on('error', () => undefined);
  const upstream = connect(options.port, '127.0.0.1');
  sockets.add(upstream);
  upstream.on('error', () => socket.destroy());
  socket.on('close', () => upstream.destroy());
  upstream.on('close', () => socket.destroy());
  await firstChunk(socket);
  upstream.write(SSL_REQUEST);
  await firstChunk(upstream);
  const outer = connectTls({ socket: upstream, rejectUnauthorized: false });
  await new Promise((resolve, reject) => outer.once('secureConnect', resolve).once('error', reject));
  socket.write('S');
  const inner = new TLSSocket(socket, { isServer: true, secureContext });
  for (const end of [inner, outer]) {
    end.on('error', () => {
      socket.destroy();
      upstream.destroy();
    });
  }
  inner.on('data', (chunk: Buffer) => outer.write(chunk));
  outer.on('data', (chunk: Buffer) => inner.write(options.hidesPlus ? withoutPlus(chunk) : chunk));
  outer.on('end', () => inner.end());
  inner.on('end', () => outer.end());
}

async function firstChunk(socket: Socket): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    socket.once('data', () => {
      socket.pause();
      resolve();
    });
    socket.once('close', () => reject(new Error('closed')));
  });
}

/** AuthenticationSASL with the shorter list. */
function withoutPlus(chunk: Buffer): Buffer {
  const at = chunk.indexOf('SCRAM-SHA-256-PLUS\0');
  if (at < 0) return chunk;
  const shorter = Buffer.concat([chunk.subarray(0, at), chunk.subarray(at + 'SCRAM-SHA-256-PLUS\0'.length)]);
  const frameAt = chunk.indexOf('R');
  shorter.writeUInt32BE(chunk.readUInt32BE(frameAt + 1) - 'SCRAM-SHA-256-PLUS\0'.length, frameAt + 1);
  return shorter;
}
