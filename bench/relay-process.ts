/**
 * A relay in Node that looks at no byte: the floor of what handles both sockets of a session in one thread of it.
 *
 * Argument: the target's port. It reads and writes with the gateway's own means. Prints its port when it listens.
 */

import { connect, createServer, type Socket } from 'node:net';
import { writeCopy } from '../packages/gateway/src/session/postgres/write-copy.ts';

const READ_BYTES = 131_072;
const targetPort = Number(process.argv[2]);
/** What a target sends is read into this one place, and written on before the next read. */
const buffer = Buffer.allocUnsafeSlow(READ_BYTES);

const server = createServer({ noDelay: true }, (client) => {
  const callback = (length: number): boolean => {
    if (!writeCopy(client, buffer.subarray(0, length))) target.pause();
    return true;
  };
  const target = connect({
    host: '127.0.0.1',
    port: targetPort,
    noDelay: true,
    onread: { buffer, callback },
  });
  client.on('data', (bytes) => {
    if (!target.write(bytes)) client.pause();
  });
  endTogether(client, target);
  endTogether(target, client);
});

function endTogether(one: Socket, other: Socket): void {
  one.on('drain', () => other.resume());
  one.on('error', () => other.destroy());
  one.on('end', () => other.end());
  one.on('close', () => other.destroy());
}

server.listen(0, '127.0.0.1', () => process.stdout.write(`${JSON.stringify(server.address())}\n`));
