/** A way to a target on which its answers come in pieces, each by itself. */

import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import type { Pair } from './servers.ts';
import type { Endpoint, Pieces } from './wire-client.ts';

/** The connection `pieces` of the pair's gateway, as an endpoint; ends with the test. */
export async function targetInPieces(
  { harness, direct, through }: Pair,
  pieces: Pieces,
): Promise<Endpoint & AsyncDisposable> {
  const sockets = new Set<Socket>();
  // Half open: whoever has said everything may still be answered.
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (gateway) => {
    const target = connect({ port: direct.port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    for (const socket of [gateway, target]) {
      sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    }
    gateway.pipe(target);
    gateway.on('close', () => target.destroy());
    void pass(target, gateway, pieces);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  await harness.apply(`kind: Connection
name: pieces
protocol: postgres
target: { host: 127.0.0.1, port: ${port}, database: postgres, tls: disable }
credential: { user: postgres, password: { env: DB_PASSWORD } }
---
kind: Access
name: pieces
who: [ana]
to: [pieces]
`);
  return {
    ...through,
    database: 'pieces',
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

async function pass(from: Socket, to: Socket, pieces: Pieces): Promise<void> {
  try {
    for await (const chunk of from) {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- A socket without an encoding gives Buffers.
      for (const piece of pieces(chunk as Buffer)) {
        to.write(piece);
        // Long enough for the gateway to read it by itself.
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    to.end();
  } catch {
    // Whoever reset the one side has the other one reset.
    to.destroy();
  }
}
