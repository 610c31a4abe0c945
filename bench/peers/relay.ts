/** A relay in Node that looks at no byte, in a process of its own: what the gateway's own work comes on top of. */

import { fileURLToPath } from 'node:url';
import type { PeerOptions, Way } from '../stage.ts';
import { readyLine } from './owned-processes.ts';

const PROGRAM = fileURLToPath(new URL('../relay-process.ts', import.meta.url));

export async function startRelay({ server, children }: PeerOptions): Promise<Way> {
  const args = ['--conditions=source', '--max-semi-space-size=8', PROGRAM, String(server.port)];
  const child = children.start(process.execPath, args);
  const { port }: { readonly port: number } = JSON.parse(await readyLine(child, 'the relay'));
  const { superuser: user, password } = server;
  return { name: 'relay', host: '127.0.0.1', port, user, password, database: 'postgres', pid: child.pid };
}
