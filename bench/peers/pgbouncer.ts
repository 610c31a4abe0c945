/** PgBouncer in session mode, with SCRAM on both legs, as the gateway has it. */

import { chown, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PeerOptions, Way } from '../stage.ts';
import { findFreePort, untilListening } from './owned-processes.ts';

export async function startPgbouncer(program: string, options: PeerOptions): Promise<Way> {
  const { server, account, children, tls } = options;
  const directory = join(options.directory, 'pgbouncer');
  await mkdir(directory, { mode: 0o700 });
  const port = await findFreePort();
  const { superuser: user, password } = server;
  const files = {
    'users.txt': `"${user}" "${password}"\n`,
    'server.crt': tls.cert,
    'server.key': tls.key,
    'pgbouncer.ini': `[databases]
postgres = host=127.0.0.1 port=${server.port} dbname=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${directory}/users.txt
pool_mode = session
max_client_conn = 2000
default_pool_size = 1500
client_tls_sslmode = allow
client_tls_cert_file = ${directory}/server.crt
client_tls_key_file = ${directory}/server.key
server_tls_sslmode = disable
log_connections = 0
log_disconnections = 0
`,
  };
  for (const [name, text] of Object.entries(files)) {
    await writeFile(join(directory, name), text, { mode: 0o600 });
    if (account !== undefined) await chown(join(directory, name), account.uid, account.gid);
  }
  if (account !== undefined) await chown(directory, account.uid, account.gid);
  // It refuses to run as root.
  const child = children.start(program, [join(directory, 'pgbouncer.ini')], { account });
  await untilListening(child, port);
  return { name: 'pgbouncer', host: '127.0.0.1', port, user, password, database: 'postgres', pid: child.pid };
}
