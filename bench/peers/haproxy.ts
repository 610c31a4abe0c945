/** HAProxy in TCP mode: it looks at no byte, and TLS goes through it to PostgreSQL. */

import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PeerOptions, Way } from '../stage.ts';
import { findFreePort, untilListening } from './owned-processes.ts';

export async function startHaproxy(program: string, options: PeerOptions): Promise<Way> {
  const { server, account, children, directory } = options;
  const port = await findFreePort();
  const file = join(directory, 'haproxy.cfg');
  await writeFile(
    file,
    `global
  maxconn 4000
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
listen postgres
  bind 127.0.0.1:${port}
  server target 127.0.0.1:${server.port}
`,
  );
  await chmod(file, 0o644);
  // -db: one process, in the foreground.
  const child = children.start(program, ['-db', '-f', file], { account });
  await untilListening(child, port);
  const { superuser: user, password } = server;
  return { name: 'haproxy', host: '127.0.0.1', port, user, password, database: 'postgres', pid: child.pid };
}
