/** nginx as a plain proxy: sockets to the target are kept, and each request is a line of its access log. */

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findFreePort, type OwnedProcesses, untilListening } from './owned-processes.ts';

export interface NginxOptions {
  readonly directory: string;
  readonly children: OwnedProcesses;
  readonly targetPort: number;
}

/** A connection of the load is used for the whole run, where nginx would close it behind a thousand requests. */
const REQUESTS_MAX = 1_000_000_000;

export async function startNginx(
  program: string,
  { directory: parent, children, targetPort }: NginxOptions,
): Promise<{ readonly port: number; readonly pid: number | undefined }> {
  const directory = join(parent, 'nginx');
  await mkdir(directory, { mode: 0o700 });
  const port = await findFreePort();
  const file = join(directory, 'nginx.conf');
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `  ${name}_temp_path ${join(directory, name)};\n`,
  );
  await writeFile(
    file,
    `daemon off;
master_process off;
pid ${join(directory, 'nginx.pid')};
events { worker_connections 1024; }
http {
${temporary.join('')}  access_log ${join(directory, 'access.log')};
  client_max_body_size 0;
  upstream target {
    server 127.0.0.1:${targetPort};
    keepalive 64;
    keepalive_requests ${REQUESTS_MAX};
  }
  server {
    listen 127.0.0.1:${port};
    keepalive_requests ${REQUESTS_MAX};
    location / {
      proxy_pass http://target;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }
  }
}
`,
  );
  // -e: it opens the log that was compiled into it before it has read its configuration.
  const child = children.start(program, ['-e', join(directory, 'error.log'), '-c', file]);
  await untilListening(child, port);
  return { port, pid: child.pid };
}
