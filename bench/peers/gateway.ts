/** The gateway in a process of its own, so that its CPU time and memory are its own. */

import { once } from 'node:events';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { PeerOptions, Way } from '../stage.ts';

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
  /** Ends it in good order, and removes its data. */
  stop(): Promise<void>;
}

export interface GatewayProcessOptions extends PeerOptions {
  /** Name of its data directory. */
  readonly label: string;
  /** Where its CPU profiles go. */
  readonly profile?: string | undefined;
}

const PROFILE_WORKERS = fileURLToPath(new URL('../profile-workers.ts', import.meta.url));
const PROGRAM = fileURLToPath(new URL('../gateway-process.ts', import.meta.url));

export async function startGatewayProcess(options: GatewayProcessOptions): Promise<GatewayProcess> {
  const { server, children, label, profile, tls } = options;
  const data = join(options.directory, label);
  await mkdir(data, { mode: 0o700 });
  const profiling =
    profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`, '--import', PROFILE_WORKERS];
  // Installed, it is JavaScript: what stripping types takes of time and memory is not the gateway's.
  const compiled = { NODE_COMPILE_CACHE: join(options.directory, 'compiled') };
  const child = children.start(
    process.execPath,
    ['--conditions=source', '--max-semi-space-size=8', ...profiling, PROGRAM, data, String(server.port)],
    { env: { ...process.env, ...compiled, DB_PASSWORD: server.password, DB_CA: tls.cert } },
  );
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-4_000);
    process.stderr.write(chunk);
  });
  const lines = createInterface({ input: child.stdout });
  const [line] = await Promise.race([
    once(lines, 'line'),
    once(child, 'exit').then(() => Promise.reject(new Error(`the gateway did not start: ${said}`))),
  ]);
  const { port, token }: { port: number; token: string } = JSON.parse(line);
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
    pid,
    async stop() {
      await children.stop(child);
      await rm(data, { recursive: true, force: true });
    },
  };
}
