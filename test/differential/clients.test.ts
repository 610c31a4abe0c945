/** Real clients, unchanged: what they print directly and through the gateway is the same. */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serverVersions } from '../e2e/clients.ts';
import { requirePresent } from '../real/require-present.ts';
import { type Pair, startPair } from './servers.ts';
import type { Endpoint } from './wire-client.ts';

const CLIENTS = join(import.meta.dirname, '..', 'clients');
const DEBIAN = '/usr/lib/postgresql/15/bin';
/** Debian's Python: one that a version manager puts before it has no python3-psycopg. */
const PYTHON = '/usr/bin/python3';
/** Debian's package libpostgresql-jdbc-java. */
const PGJDBC = '/usr/share/java/postgresql.jar';

const hasPsycopg = requirePresent('psycopg 3', runs(PYTHON, ['-c', 'import psycopg']));
const hasGo = requirePresent('Go', runs('go', ['version']));
const hasPgjdbc = requirePresent('pgjdbc', existsSync(PGJDBC) && runs('javac', ['--version']));
const hasDebian = requirePresent('PostgreSQL 15', existsSync(join(DEBIAN, 'pgbench')));

let pair: Pair;
let work: string;

beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), 'countersign-clients-'));
});

afterAll(async () => {
  if (work !== undefined) await rm(work, { recursive: true, force: true });
});

function runs(program: string, args: readonly string[]): boolean {
  return spawnSync(program, args, { stdio: 'ignore' }).status === 0;
}

/** What a program prints on both of its outputs, and its status. */
async function output(program: string, args: readonly string[], endpoint: Endpoint): Promise<string> {
  const { port, user, password, database } = endpoint;
  const child = spawn(program, args, {
    cwd: work,
    env: {
      ...process.env,
      PGHOST: '127.0.0.1',
      PGPORT: String(port),
      PGUSER: user,
      PGPASSWORD: password,
      PGDATABASE: database,
      PGSSLMODE: 'disable',
      PGTZ: 'UTC',
      TZ: 'UTC',
      PYTHONDONTWRITEBYTECODE: '1',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // Each on its own: how two pipes interleave says nothing.
  const printed = ['', ''];
  [child.stdout, child.stderr].forEach((stream, index) => {
    stream.setEncoding('utf8').on('data', (piece: string) => {
      printed[index] += piece;
    });
  });
  await once(child, 'close');
  return `${printed.join('')}status ${child.exitCode}`;
}

/** Runs directly and through the gateway, which must be the same; gives what was printed. */
async function compared(
  program: string,
  args: readonly string[],
  same: (text: string) => string = (text) => text,
): Promise<string> {
  const direct = await output(program, args, pair.direct);
  const through = await output(program, args, pair.through);
  expect(same(through)).toEqual(same(direct));
  return direct;
}

/** What pgbench prints that is no time. */
function counts(text: string): string {
  return (text.match(/^number of .*$|^status.*$/gm) ?? []).join('\n');
}

/** psycopg warns of what it could not end where an error was there before the end of its pipeline: a matter of time. */
function withoutWarnings(text: string): string {
  return text.replaceAll(/^error ignored terminating .*\n/gm, '');
}

const PSQL = `\\set VERBOSITY verbose
\\timing off
select 1 as one, null as nothing \\gx
create temporary table item(id int primary key, name text);
\\d item
copy item from stdin;
1	one
2	\\N
\\.
\\copy item to stdout
copy item from stdin (format csv);
1,duplicate
\\.
\\set FETCH_COUNT 3
select i from generate_series(1, 10) i;
\\set FETCH_COUNT 0
\\set AUTOCOMMIT off
insert into item values (3, 'three');
\\set ON_ERROR_ROLLBACK on
insert into item values (3, 'again');
commit;
\\set AUTOCOMMIT on
select $1::int + $2::int as sum \\bind 1 2 \\g
select 'a' as a \\; select 'b' as b;
select format('select %s', i) from generate_series(1, 3) i \\gexec
select 1 as x, 2 as y \\gset
\\echo :x :y
select id, name from item \\crosstabview
listen channel;
notify channel;
select 1/0;
\\errverbose
\\lo_import /dev/null
\\lo_unlink :LASTOID
\\c
select 'reconnected';
\\l postgres
select pg_terminate_backend(pg_backend_pid());
`;

describe.each(serverVersions())('real clients of PostgreSQL $major', ({ version, isPresent }) => {
  if (!isPresent) return;

  beforeAll(async () => {
    pair = await startPair(version);
  }, 60_000);

  afterAll(() => pair?.harness[Symbol.asyncDispose]());

  it('node-postgres and postgres.js: values, names, pipelines, COPY, cursors, NOTIFY, cancel', async () => {
    const printed = await compared(process.execPath, [
      '--no-deprecation',
      join(CLIENTS, 'node', 'features.ts'),
    ]);
    expect(printed).toMatch(/js cancelled "57014"[^]*end \nstatus 0$/);
  }, 120_000);

  it.skipIf(!hasPsycopg)(
    'psycopg: pipelines, COPY, server cursors, NOTIFY, cancel',
    async () => {
      const printed = await compared(PYTHON, [join(CLIENTS, 'python', 'features.py')], withoutWarnings);
      expect(printed).toMatch(/after cancel \(1,\)\n[^]*status 0$/);
    },
    120_000,
  );

  it.skipIf(!hasGo)(
    'pgx: every mode of execution, batches, CopyFrom, cancel, LISTEN, pipelines, stdlib',
    async () => {
      const program = join(work, 'pgx-features');
      const built = spawnSync('go', ['build', '-o', program, '.'], {
        cwd: join(CLIENTS, 'go'),
        env: { ...process.env, GOFLAGS: '-mod=readonly' },
        encoding: 'utf8',
      });
      expect(built.stderr).toBe(built.status === 0 ? built.stderr : '');
      const printed = await compared(program, []);
      expect(printed).toMatch(/ping <nil>\nstatus 0$/);
    },
    300_000,
  );

  it.skipIf(!hasPgjdbc)(
    'pgjdbc: prepared thresholds, batches, cursors, COPY, large objects, timeouts, binary transfer',
    async () => {
      const printed = await compared(
        'java',
        ['-cp', PGJDBC, join(CLIENTS, 'java', 'Features.java')],
        (text) => text.replaceAll(/large object \d+/g, 'large object #'),
      );
      expect(printed).toMatch(/== binary, at once[^]*status 0$/);
    },
    180_000,
  );

  it.skipIf(!hasDebian)(
    'psql: variables of every kind, COPY, cursors, large objects, reconnections',
    async () => {
      const file = join(work, 'script.sql');
      await writeFile(file, PSQL);
      // The process id is in psql's message of a notification, the role and database in \\c's.
      const printed = await compared(join(DEBIAN, 'psql'), ['-X', '-a', '-f', file], (text) =>
        text
          .replaceAll(/PID \d+/g, 'PID #')
          .replaceAll(/ *"?pg_temp_\d+/g, ' pg_temp_#')
          .replaceAll(/database "\w+" as user "\w+"/g, 'database # as user #')
          .replaceAll(/lo_import \d+|lo_unlink \d+/g, 'lo_#'),
      );
      // Where its connection is lost in a script, psql ends with 2.
      expect(printed).toMatch(/reconnected[^]*status 2$/);
    },
    60_000,
  );

  it.skipIf(!hasDebian).each(['simple', 'extended', 'prepared'])(
    'pgbench: %s protocol, with a pipeline where there is one',
    async (protocol) => {
      const file = join(work, `${protocol}.sql`);
      const inner = "\\set n random(1, 1000)\nselect :n + 1;\nselect repeat('x', :n);\n";
      await writeFile(
        file,
        protocol === 'simple' ? inner : `\\startpipeline\n${inner}${inner}\\endpipeline\n`,
      );
      const args = ['-n', '-M', protocol, '-c', '4', '-t', '50', '-f', file, '--random-seed=1'];
      const printed = await compared(join(DEBIAN, 'pgbench'), args, counts);
      expect(printed).toMatch(/actually processed: 200\/200[^]*status 0$/);
    },
    60_000,
  );
});
