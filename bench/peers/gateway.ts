/** The gateway in a process of its own, so that its CPU time and memory are its own. */

import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { PeerOptions, Way } from '../stage.ts';
import { readyLine } from './owned-processes.ts';

export interface GatewayProcess {
  readonly way: Way;
  readonly pid: number;
  /** The same gateway, with TLS to the target too. */
  readonly tlsTarget: Way;
  /** The same gateway and target, with rules. */
  readonly ruled: Way;
  /** With the same rules, and the target is not asked what a statement means. */
  readonly ruledByText: Way;
  /** With Masks on two columns of the table `sixteen`. */
  readonly masked: Way;
  /** With a Mask that looks through every text. */
  readonly detecting: Way;
  /** The HTTP port, and the token; connections are those of gateway-process.ts. */
  readonly http: { readonly port: number; readonly token: string };
  /** Ends it in good order, and removes its data. */
  stop(): Promise<void>;
}

/** What the program prints. */
interface Ready {
  readonly port: number;
  readonly httpPort: number;
  readonly token: string;
}

export interface GatewayProcessOptions extends Pick<PeerOptions, 'directory' | 'children'> {
  /** The target of the PostgreSQL connections. */
  readonly server: Pick<PeerOptions['server'], 'port' | 'password'>;
  readonly tls: Pick<PeerOptions['tls'], 'cert'>;
  /** Name of its data directory. */
  readonly label: string;
  /** Where its CPU profiles go. */
  readonly profile?: string | undefined;
  /** Of the target of the HTTP connections, which nobody uses without. */
  readonly httpTarget?: number | undefined;
}

const PROFILE_WORKERS = fileURLToPath(new URL('../profile-workers.ts', import.meta.url));
/** Where nobody listens. */
const DISCARD_PORT = 9;
const PROGRAM = fileURLToPath(new URL('../gateway-process.ts', import.meta.url));

export async function startGatewayProcess(options: GatewayProcessOptions): Promise<GatewayProcess> {
  const { server, children, label, profile, tls, httpTarget = DISCARD_PORT } = options;
  const data = join(options.directory, label);
  await mkdir(data, { mode: 0o700 });
  const profiling =
    profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`, '--import', PROFILE_WORKERS];
  // Installed, it is JavaScript: what stripping types takes of time and memory is not the gateway's.
  const compiled = { NODE_COMPILE_CACHE: join(options.directory, 'compiled') };
  const child = children.start(
    process.execPath,
    [
      '--conditions=source',
      '--max-semi-space-size=8',
      ...profiling,
      PROGRAM,
      data,
      String(server.port),
      String(httpTarget),
    ],
    { env: { ...process.env, ...compiled, DB_PASSWORD: server.password, DB_CA: tls.cert } },
  );
  const line = await readyLine(child, 'the gateway');
  const { port, httpPort, token }: Ready = JSON.parse(line);
  const { pid } = child;
  if (pid === undefined) throw new Error('the gateway has no process id');
  const to = (database: string): Way => ({
    name: 'countersign',
    host: '127.0.0.1',
    port,
    user: 'ana',
    password: token,
    database,
    pid,
  });
  return {
    way: to('db'),
    tlsTarget: to('db-tls'),
    ruled: to('db-ruled'),
    ruledByText: to('db-ruled-by-text'),
    masked: to('db-masked'),
    detecting: to('db-detecting'),
    http: { port: httpPort, token },
    pid,
    async stop() {
      await children.stop(child);
      await rm(data, { recursive: true, force: true });
    },
  };
}
