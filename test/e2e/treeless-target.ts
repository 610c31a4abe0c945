/** A target that sends no notices, and so no trees: bytes pass as they are, NoticeResponse frames do not. */

import { once } from 'node:events';
import { connect, createServer } from 'node:net';

const NOTICE = 'N'.charCodeAt(0);

export interface TreelessTarget {
  readonly port: number;
  close(): void;
}

/** Listens on 127.0.0.1 at a port that the system chooses. */
export async function treelessTarget(host: string, port: number): Promise<TreelessTarget> {
  const server = createServer((client) => {
    const target = connect(port, host);
    let rest = Buffer.alloc(0);
    target.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 5 && rest.length >= 1 + rest.readUInt32BE(1)) {
        const end = 1 + rest.readUInt32BE(1);
        if (rest[0] !== NOTICE) client.write(rest.subarray(0, end));
        rest = rest.subarray(end);
      }
    });
    client.pipe(target);
    target.on('end', () => client.end());
    target.on('error', () => client.destroy());
    client.on('error', () => target.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('it listens at no port');
  return { port: address.port, close: () => server.close() };
}
