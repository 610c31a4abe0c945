/**
 * PostgreSQL's own regression and isolation tests, directly and through the gateway: their results compared.
 *
 * Usage: node --conditions=source test/differential/postgres-suite.ts SOURCE [VERSION] [SCHEDULE …]
 * SOURCE is a source tree of PostgreSQL in which src/test/regress and src/test/isolation were built (see
 * docs/guides/postgres-suite.md), VERSION a directory of programs of the same version,
 * /usr/lib/postgresql/15/bin for one; SCHEDULE is `regress` or `isolation`, both unless given.
 * Ends with status 0 when each test printed the same both times, whether or not PostgreSQL expected it.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, cp, mkdir, mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Pair, startPair } from './servers.ts';

interface Suite {
  readonly name: 'regress' | 'isolation';
  readonly program: string;
  readonly schedule: string;
  readonly database: string;
}

const SUITES: readonly Suite[] = [
  { name: 'regress', program: 'pg_regress', schedule: 'parallel_schedule', database: 'regression' },
  {
    name: 'isolation',
    program: 'pg_isolation_regress',
    schedule: 'isolation_schedule',
    database: 'isolation_regression',
  },
];

const [source, version = '/usr/lib/postgresql/15/bin', ...chosen] = process.argv.slice(2);
if (source === undefined) throw new Error('usage: postgres-suite.ts SOURCE [VERSION] [regress|isolation]');

const work = await mkdtemp(join(tmpdir(), 'countersign-suite-'));
let differences = 0;
try {
  await chmod(work, 0o755);
  for (const suite of SUITES) {
    if (chosen.length > 0 && !chosen.includes(suite.name)) continue;
    const directory = join(work, suite.name);
    // The server's user reads the data and writes results.
    await cp(join(resolve(source), 'src/test', suite.name), directory, { recursive: true });
    for (const way of ['direct', 'through'] as const) await runSuite(suite, directory, way);
    differences += await compare(suite, directory);
  }
} finally {
  if (process.env['KEEP'] === undefined) await rm(work, { recursive: true, force: true });
  else process.stdout.write(`kept: ${work}\n`);
}
process.exitCode = differences === 0 ? 0 : 1;

/** Each way has a server of its own, because the tests expect a new one. */
async function runSuite(suite: Suite, directory: string, way: 'direct' | 'through'): Promise<void> {
  const pair = await startPair(version);
  try {
    const endpoint = way === 'direct' ? pair.direct : await asSuperuser(pair, suite.database);
    const output = join(directory, way);
    const results = join(output, 'results');
    await mkdir(results, { recursive: true });
    await chmod(results, 0o777);
    const args = [
      `--host=127.0.0.1`,
      `--port=${endpoint.port}`,
      '--user=postgres',
      `--bindir=${version}`,
      `--dlpath=${directory}`,
      `--inputdir=${directory}`,
      `--outputdir=${output}`,
      `--schedule=${join(directory, suite.schedule)}`,
      '--max-connections=8',
    ];
    const env = { ...process.env, PGPASSWORD: endpoint.password, PGSSLMODE: 'disable' };
    const child = spawn(join(directory, suite.program), args, {
      cwd: directory,
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    await once(child, 'close');
    const summary = said
      .trimEnd()
      .split('\n')
      .filter((line) => /FAILED|passed|failed/.test(line));
    process.stdout.write(`${suite.name}, ${way}:\n  ${summary.join('\n  ')}\n`);
    for (const error of new Set(pair.harness.errors)) process.stdout.write(`  gateway: ${error}\n`);
  } finally {
    await pair.harness[Symbol.asyncDispose]();
  }
}

/** Connections are named like the databases and the person like the superuser, so that `\c` works. */
async function asSuperuser(pair: Pair, database: string): Promise<Pair['through']> {
  const connection = (name: string): string => `kind: Connection
name: ${name}
protocol: postgres
target: { host: 127.0.0.1, port: ${pair.direct.port}, database: ${name}, tls: disable }
credential: { user: postgres, password: { env: DB_PASSWORD } }
---
`;
  await pair.harness.apply(`${connection('postgres')}${connection('template1')}${connection(database)}kind: Person
name: postgres
displayName: Superuser
---
kind: Access
name: suite
who: [postgres]
to: [postgres, template1, ${database}]
`);
  return { ...pair.through, user: 'postgres', password: await pair.harness.token('postgres') };
}

async function compare(suite: Suite, directory: string): Promise<number> {
  const direct = join(directory, 'direct', 'results');
  const through = join(directory, 'through', 'results');
  const names = new Set([...(await readdir(direct)), ...(await readdir(through))]);
  const different: string[] = [];
  for (const name of [...names].filter((file) => file.endsWith('.out')).toSorted()) {
    const [one, other] = await Promise.all(
      [direct, through].map((place) => readFile(join(place, name), 'latin1').catch(() => 'missing')),
    );
    if (one?.replaceAll('/direct/', '/#/') !== other?.replaceAll('/through/', '/#/')) different.push(name);
  }
  process.stdout.write(
    `${suite.name}: ${names.size} results, ${different.length} differ: ${different.join(' ')}\n`,
  );
  return different.length;
}
