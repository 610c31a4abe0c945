/** psql, unchanged: what a person types works as it does directly, and each statement is in the log. */

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requirePresent } from '../real/require-present.ts';
import { type Harness, startHarness } from './harness.ts';

const run = promisify(execFile);
const there = requirePresent('psql', existsSync('/usr/bin/psql'));

let harness: Harness;
let token: string;

beforeAll(async () => {
  harness = await startHarness();
  token = await harness.token('ana');
}, 60_000);

afterAll(() => harness?.[Symbol.asyncDispose]());

interface Ran {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}

async function psql(
  script: string,
  options: {
    readonly dbname?: string;
    readonly user?: string;
    readonly password?: string;
    readonly conninfo?: string;
  } = {},
): Promise<Ran> {
  const { port } = harness.gateway.postgres;
  const { dbname = 'db', user = 'ana', password = token, conninfo = 'sslmode=disable' } = options;
  const args = [
    '-X',
    '-A',
    '-t',
    `host=127.0.0.1 port=${port} user=${user} dbname=${dbname} ${conninfo}`,
    '-c',
    script,
  ];
  try {
    const { stdout, stderr } = await run('psql', args, {
      env: { ...process.env, PGPASSWORD: password },
      timeout: 20_000,
    });
    return { stdout, stderr, code: 0 };
  } catch (error) {
    const failed = error as { stdout?: string; stderr?: string; code?: number };
    return { stdout: failed.stdout ?? '', stderr: failed.stderr ?? '', code: failed.code ?? -1 };
  }
}

describe.skipIf(!there)('psql through the gateway', () => {
  it('runs statements and shows their rows, errors and notices', async () => {
    expect((await psql('select 6 * 7')).stdout).toBe('42\n');
    expect((await psql('select 1/0')).stderr).toContain('division by zero');
    expect((await psql("do $$ begin raise notice 'hello'; end $$")).stderr).toContain('hello');
  });

  it('copies in both directions', async () => {
    const made = await psql(
      "create table c(a int, b text); insert into c select g, 'x' || g from generate_series(1, 3) g",
    );
    expect(made.code).toBe(0);
    expect((await psql('copy c to stdout')).stdout).toBe('1\tx1\n2\tx2\n3\tx3\n');
    const copied = await psql("\\copy c from program 'seq 4 9 | sed s/$/\\\\ty/'");
    expect(copied.stdout).toBe('COPY 6\n');
    const outcome = (await harness.finishedLog()).findLast(
      ({ body }) => body['sha256_from_client'] !== undefined,
    );
    expect(outcome?.leaf).toMatchObject({ type: 'statement.outcome', status: 'ok' });
    expect(outcome?.body).toMatchObject({ rows: 6, bytes_from_client: 24, tags: ['COPY 6'] });
  });

  it.each(['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'])(
    'connects with sslmode=%s',
    async (mode) => {
      const root = join(harness.data, 'gateway', 'tls-self-signed.crt');
      const host = mode.startsWith('verify') ? `host=localhost sslrootcert=${root}` : '';
      const shown = await psql('select 1', { conninfo: `sslmode=${mode} ${host}` });
      expect(shown.stderr).toBe('');
      expect(shown.stdout).toBe('1\n');
      const start = (await harness.finishedLog()).findLast(({ leaf }) => leaf.type === 'session.start');
      expect(start?.body['tls']).toBe(mode === 'disable' || mode === 'allow' ? 'none' : 'TLSv1.3');
    },
  );

  it('names the database behind the connection', async () => {
    expect((await psql('select current_database()', { dbname: 'db/template1' })).stdout).toBe('template1\n');
    expect((await psql('select 1', { dbname: 'db/nowhere' })).stderr).toContain(
      'database "nowhere" does not exist',
    );
  });

  it('refuses a wrong token, an unknown name, and whoever has no access, each with a leaf', async () => {
    expect((await psql('select 1', { password: 'cs_wrong' })).stderr).toContain(
      'Authentication failed for "ana"',
    );
    expect((await psql('select 1', { user: 'nobody' })).stderr).toContain(
      'Authentication failed for "nobody"',
    );
    const otto = await psql('select 1', { user: 'otto', password: await harness.token('otto') });
    expect(otto.stderr).toContain('No Access resource lets otto use connection "db"');
    expect(otto.stderr).toContain('HINT');
    expect((await psql('select 1', { dbname: 'elsewhere' })).code).toBe(2);
    const log = await harness.finishedLog();
    const failed = log.filter(({ leaf }) => leaf.type === 'auth.login' && leaf.status === 'failed');
    expect(failed.map(({ body }) => body['name'])).toEqual(['ana', 'nobody']);
    const refused = log.filter(({ leaf }) => leaf.type === 'session.refused').map(({ body }) => body['code']);
    expect(refused).toEqual(['UPSTREAM_FAILED', 'ACCESS_DENIED', 'ACCESS_DENIED']);
  });

  it('refuses replication with a clear error', async () => {
    const { stderr } = await psql('IDENTIFY_SYSTEM', { conninfo: 'sslmode=disable replication=database' });
    expect(stderr).toContain('Replication connections are not carried');
  });

  it('writes one intent and one outcome for each statement, and the text is not in the log in the clear', async () => {
    const before = (await harness.finishedLog()).length;
    await psql("select 'needle in the haystack'; select 2");
    const log = (await harness.finishedLog()).slice(before);
    const intents = log.filter(({ leaf }) => leaf.type === 'statement.intent');
    expect(intents.map(({ body }) => body['sql'])).toEqual(["select 'needle in the haystack'; select 2"]);
    const [intent] = intents;
    const outcome = log.find(({ leaf }) => leaf.type === 'statement.outcome' && leaf.ref === intent?.leaf.n);
    expect(outcome?.leaf.status).toBe('ok');
    expect(outcome?.body).toMatchObject({ rows: 2, tags: ['SELECT 1', 'SELECT 1'] });
    expect(JSON.stringify(log.map(({ leaf }) => leaf))).not.toContain('needle');
    const types = log.map(({ leaf }) => leaf.type);
    expect(types.at(-1)).toBe('session.end');
    expect(types).toContain('recording.segment');
  });
});
