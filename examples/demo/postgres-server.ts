/**
 * A real PostgreSQL of its own for the demo and for tests: on loopback, with SCRAM passwords.
 *
 * Who ends it: `stop()`; or, when this process ends in any way (SIGKILL too), a watchdog: a shell
 * that reads a pipe which only this process holds open. It ends the server and removes what is
 * temporary, so that neither a process nor a directory is left behind.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmod, chown, mkdir, mkdtemp, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Account, type PostgresBinaries, preparePostgres, serverAccount } from './postgres-binaries.ts';

export interface PostgresOptions {
  /**
   * Kept when the server stops; without it, the data is in a temporary directory. Started by root, the
   * server is another user, who must be able to enter the directories above (mode 0711 is enough).
   */
  readonly dataDir?: string;
  /** `embedded`, `embedded-16`, `embedded-17`, or the directory of an installed one: /usr/lib/postgresql/15/bin. */
  readonly version?: string;
  /** Lines of postgresql.conf. `fsync: 'off'` is for data that may be lost. */
  readonly settings?: Readonly<Record<string, string>>;
  /** PEM texts; with them the server accepts TLS. */
  readonly ssl?: { readonly cert: string; readonly key: string };
}

export interface PostgresServer {
  readonly host: '127.0.0.1';
  readonly port: number;
  readonly superuser: 'postgres';
  readonly password: string;
  /** The server's own log: with `settings: { log_statement: 'all' }` a witness of what it ran. */
  readonly logFile: string;
  readonly dataDir: string;
  /** The server's process, for tests that kill it. */
  readonly pid: number;
  /** Ends every session and the server; what is temporary is gone afterwards. */
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Starts are tried again where somebody took the port between our look and the server's bind. */
const PORT_TRIES_MAX = 5;
/** A first start with fsync on a slow disk takes seconds. */
const START_TIMEOUT_MS = 60_000;
/** A fast shutdown writes a checkpoint; beyond this the server is killed. */
const STOP_TIMEOUT_MS = 20_000;
const POLL_MS = 20;

/** Makes a database cluster where there is none, and starts a server on it. */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const account = await serverAccount();
  const workDir = await mkdtemp(join(tmpdir(), 'countersign-postgres-'));
  try {
    await chmod(workDir, 0o755);
    await own(workDir, account);
    const binaries = await preparePostgres(options.version ?? 'embedded', workDir, account);
    const place: Place = { workDir, dataDir: options.dataDir ?? join(workDir, 'data'), account, binaries };
    const password = await initialise(place, options);
    await configure(place, options);
    return await launch(place, password);
  } catch (error) {
    await rm(workDir, { recursive: true, force: true });
    throw error;
  }
}

interface Place {
  readonly workDir: string;
  readonly dataDir: string;
  readonly account: Account | undefined;
  readonly binaries: PostgresBinaries;
}

async function own(path: string, account: Account | undefined): Promise<void> {
  if (account !== undefined) await chown(path, account.uid, account.gid);
}

/** Gives the superuser's password: a new one, or that of the cluster that is there. */
async function initialise(place: Place, options: PostgresOptions): Promise<string> {
  const passwordFile = join(place.dataDir, 'countersign-superuser.password');
  const known = await readFile(passwordFile, 'utf8').catch(() => undefined);
  if (known !== undefined) return known;

  await mkdir(place.dataDir, { recursive: true, mode: 0o700 });
  await own(place.dataDir, place.account);
  const password = randomBytes(24).toString('base64url');
  const handOver = join(place.workDir, 'password');
  await writePrivate(handOver, password, place.account);
  const sync = options.settings?.['fsync'] === 'off' ? ['--no-sync'] : [];
  const cluster = ['-D', place.dataDir, '-U', 'postgres', '-E', 'UTF8', '--locale=C', '-A', 'scram-sha-256'];
  await run(place, place.binaries.initdb, [...cluster, `--pwfile=${handOver}`, '--no-instructions', ...sync]);
  await rm(handOver);
  await writePrivate(passwordFile, password, place.account);
  return password;
}

async function writePrivate(file: string, text: string, account: Account | undefined): Promise<void> {
  await writeFile(file, text, { mode: 0o600 });
  await own(file, account);
}

async function configure(place: Place, options: PostgresOptions): Promise<void> {
  const settings: Record<string, string> = {
    listen_addresses: '127.0.0.1',
    // Everybody comes by TCP, and the path of a socket may have 107 bytes only.
    unix_socket_directories: '',
    password_encryption: 'scram-sha-256',
    logging_collector: 'off',
    timezone: 'UTC',
    log_timezone: 'UTC',
    // A small machine's share; the demo's tables are a few megabytes.
    shared_buffers: '32MB',
    ...options.settings,
  };
  if (options.ssl !== undefined) {
    await writePrivate(join(place.workDir, 'server.crt'), options.ssl.cert, place.account);
    await writePrivate(join(place.workDir, 'server.key'), options.ssl.key, place.account);
    settings['ssl'] = 'on';
    settings['ssl_cert_file'] = join(place.workDir, 'server.crt');
    settings['ssl_key_file'] = join(place.workDir, 'server.key');
  }
  const lines = Object.entries(settings).map(
    ([name, value]) => `${name} = '${value.replaceAll("'", "''")}'\n`,
  );
  // PostgreSQL reads this file last; the whole of it is ours.
  await writePrivate(join(place.dataDir, 'postgresql.auto.conf'), lines.join(''), place.account);
  const hba = 'local all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n';
  await writePrivate(join(place.dataDir, 'pg_hba.conf'), hba, place.account);
}

async function launch(place: Place, password: string): Promise<PostgresServer> {
  const logFile = join(place.workDir, 'postgres.log');
  for (let attempt = 1; ; attempt += 1) {
    const port = await findFreePort();
    const child = await startOnce(place, port, logFile);
    const failure = await waitUntilReady(place, child);
    if (failure === undefined) return serverOf(place, child, port, password, logFile);
    await child.watchdog.end('leave\n');
    const log = await readFile(logFile, 'utf8');
    const portTaken = log.includes('could not create any TCP/IP sockets');
    if (!portTaken || attempt === PORT_TRIES_MAX) {
      throw new Error(`PostgreSQL did not start: ${failure}\n${log.slice(-2_000)}`);
    }
  }
}

interface Running {
  readonly process: ChildProcess;
  readonly pid: number;
  readonly watchdog: { end(word: string): Promise<void> };
}

/**
 * The watchdog's program. First line: the server's process id. Then the pipe ends (this process is
 * gone: end the server, remove the directory) or says `leave` (the server was stopped already).
 */
const WATCHDOG = `read -r pid || exit 0
read -r word
[ "$word" = leave ] && exit 0
kill -INT "$pid"
for i in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
kill -KILL "$pid" 2>/dev/null
rm -rf -- "$1"`;

async function startOnce(place: Place, port: number, logFile: string): Promise<Running> {
  // A session of its own (`detached`): Ctrl-C in the terminal is ours to handle, not the server's.
  const watchdog = spawn('/bin/sh', ['-c', WATCHDOG, 'sh', place.workDir], {
    cwd: '/',
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  const watchdogEnded = once(watchdog, 'exit');
  const log = await open(logFile, 'w');
  try {
    await own(logFile, place.account);
    const child = spawn(place.binaries.postgres, ['-D', place.dataDir, '-p', String(port)], {
      ...place.account,
      cwd: place.workDir,
      env: { ...place.binaries.env, TZ: 'UTC' },
      // To the file itself: a line is there before the client hears of the statement.
      stdio: ['ignore', log.fd, log.fd],
      detached: true,
    });
    await once(child, 'spawn');
    watchdog.stdin.write(`${child.pid}\n`);
    return {
      process: child,
      pid: child.pid ?? 0,
      watchdog: {
        async end(word) {
          watchdog.stdin.end(word);
          await watchdogEnded;
        },
      },
    };
  } catch (error) {
    watchdog.stdin.end();
    throw error;
  } finally {
    await log.close();
  }
}

/** `undefined` when the server takes connections; otherwise what happened. */
async function waitUntilReady(place: Place, running: Running): Promise<string | undefined> {
  const pidFile = join(place.dataDir, 'postmaster.pid');
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (Date.now() < deadline) {
    const { exitCode, signalCode } = running.process;
    if (exitCode !== null || signalCode !== null)
      return `it ended with ${signalCode ?? `status ${exitCode}`}.`;
    // The first line is the process id, the eighth the state; both are of this start only when equal.
    const lines = (await readFile(pidFile, 'utf8').catch(() => '')).split('\n');
    if (Number(lines[0]) === running.pid && lines[7]?.trim() === 'ready') return undefined;
    await delay(POLL_MS);
  }
  await stopProcess(running.process);
  return `it was not ready after ${START_TIMEOUT_MS} ms.`;
}

function serverOf(
  place: Place,
  running: Running,
  port: number,
  password: string,
  logFile: string,
): PostgresServer {
  let stopping: Promise<void> | undefined;
  async function end(): Promise<void> {
    await stopProcess(running.process);
    await running.watchdog.end('leave\n');
    await rm(place.workDir, { recursive: true, force: true });
  }
  function stop(): Promise<void> {
    stopping ??= end();
    return stopping;
  }
  return {
    host: '127.0.0.1',
    port,
    superuser: 'postgres',
    password,
    logFile,
    dataDir: place.dataDir,
    pid: running.pid,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

async function stopProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  // SIGINT is PostgreSQL's "fast shutdown": it ends the sessions and writes a checkpoint.
  child.kill('SIGINT');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await ended;
  clearTimeout(timer);
}

async function run(place: Place, file: string, args: readonly string[]): Promise<void> {
  await stat(file).catch((cause: unknown) => {
    throw new Error(`PostgreSQL is not where it was expected: ${file}`, { cause });
  });
  const child = spawn(file, args, {
    ...place.account,
    cwd: place.workDir,
    env: { ...place.binaries.env, TZ: 'UTC', PATH: process.env['PATH'] ?? '' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  await once(child, 'close');
  if (child.exitCode !== 0) {
    throw new Error(`${file} ended with status ${child.exitCode}:\n${said.slice(-2_000)}`);
  }
}

async function findFreePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  if (address === null || typeof address === 'string') throw new Error('No free port on loopback.');
  return address.port;
}
