/**
 * A rule on rows passes exactly what it says, by whatever path rows are written: with a bound of the number
 * that a direct run has written the statement passes, with one less it is refused and no row is there.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { Client, type DatabaseError } from 'pg';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requirePresent } from '../real/require-present.ts';
import { type Harness, startHarness } from './harness.ts';
import { CASES, type RowCase, type Way } from './row-count-cases.ts';
import { AUDIT, AUDITED, CONTENTS, SCHEMA, WATCHED } from './row-count-schema.ts';

const DEBIAN = '/usr/lib/postgresql/15/bin';
const VERSIONS = [
  { version: 'embedded', major: 18 },
  { version: DEBIAN, major: 15 },
];

/** One session through the gateway, whose bound is in its name. */
interface Session {
  run(text: string, way: 'simple' | 'extended'): Promise<void>;
  copy(text: string, data: Uint8Array): Promise<void>;
  one(): Promise<unknown>;
  end(): Promise<void>;
}

interface Rig {
  readonly harness: Harness;
  readonly direct: Client;
  readonly token: string;
  readonly sessions: Map<string, Session>;
}

async function startRig(version: string): Promise<Rig> {
  const harness = await startHarness({ postgres: { version, settings: { fsync: 'off' } } });
  const { host, port, password } = harness.server;
  const direct = new Client({ host, port, user: 'postgres', password, database: 'postgres' });
  await direct.connect();
  await direct.query(SCHEMA);
  const bounds = new Set(CASES.flatMap(({ rows }) => [rows, rows - 1]).filter((rows) => rows >= 0));
  const rules = [...bounds].map(
    (rows) =>
      `kind: Rule\nname: up-to-${rows}\nwhen: { writes: [${WATCHED.join(', ')}], rows: '> ${rows}', client: ['bound ${rows}'] }\nthen: block\n`,
  );
  const access =
    'kind: Access\nname: search-team\nwho: [group:search]\nto: [db]\nmay: [read, write, export, define, maintain, grant, run, administer, unknown]\n';
  await harness.apply([access, ...rules].join('---\n'));
  return { harness, direct, token: await harness.token('ana'), sessions: new Map() };
}

function addressOf({ harness, token }: Rig): {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
} {
  return { ...harness.gateway.postgres, user: 'ana', password: token, database: 'db' };
}

async function withPg(rig: Rig, bound: number): Promise<Session> {
  const client = new Client({ ...addressOf(rig), application_name: `bound ${bound}` });
  client.on('error', () => undefined);
  await client.connect();
  return {
    async run(text, way) {
      // The driver knows the option, its types do not.
      const extended = { text, queryMode: 'extended' };
      await (way === 'simple' ? client.query(text) : client.query(extended));
    },
    copy: () => Promise.reject(new Error('pg has no COPY of its own')),
    one: async () => (await client.query('select 1 as one')).rows,
    end: () => client.end(),
  };
}

async function withPostgresJs(rig: Rig, bound: number): Promise<Session> {
  const { host, port, user, password, database } = addressOf(rig);
  const sql = postgres({
    host,
    port,
    user,
    password,
    database,
    max: 1,
    fetch_types: false,
    onnotice: () => undefined,
    connection: { application_name: `bound ${bound}` },
  });
  return {
    async run(text, way) {
      await (way === 'simple' ? sql.unsafe(text).simple() : sql.unsafe(text, [], { prepare: true }));
    },
    copy: (text, data) => copyWithPsql(rig, bound, text, data),
    one: async () => [...(await sql.unsafe('select 1 as one'))],
    end: () => sql.end(),
  };
}

/** psql says what a COPY came to; of an error that follows CopyDone postgres.js tells nobody. */
async function copyWithPsql(rig: Rig, bound: number, text: string, data: Uint8Array): Promise<void> {
  const { host, port, user, password, database } = addressOf(rig);
  const child = spawn('psql', ['-X', '-v', 'VERBOSITY=verbose', '-c', text], {
    env: {
      ...process.env,
      PGHOST: host,
      PGPORT: String(port),
      PGUSER: user,
      PGPASSWORD: password,
      PGDATABASE: database,
      PGAPPNAME: `bound ${bound}`,
    },
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(data);
  const [said] = await Promise.all([textOf(child.stderr), once(child, 'close')]);
  const [, code, message] = /^ERROR: {2}(\w{5}): (.*)$/m.exec(said) ?? [];
  if (code !== undefined) throw Object.assign(new Error(message), { code });
  if (said !== '') throw new Error(said);
}

async function session(rig: Rig, { data }: RowCase, way: Way, bound: number): Promise<Session> {
  const isJs = way === 'postgres.js' || data !== undefined;
  const key = `${isJs ? 'js' : 'pg'} ${bound}`;
  const known = rig.sessions.get(key) ?? (await (isJs ? withPostgresJs(rig, bound) : withPg(rig, bound)));
  rig.sessions.set(key, known);
  return known;
}

/** The error that came, and at which text; the transaction is over in any case. */
async function run(
  on: Session,
  { texts, data }: RowCase,
  way: Way,
): Promise<{ readonly error: DatabaseError; readonly atCommit: boolean } | undefined> {
  const block = way === 'in a transaction' || way === 'in an extended transaction';
  const how = way === 'simple' || way === 'in a transaction' ? 'simple' : 'extended';
  const all = block ? ['begin', ...texts, 'commit'] : texts;
  for (const text of all) {
    try {
      await (data === undefined ? on.run(text, how) : on.copy(text, data));
    } catch (error) {
      const atCommit = text === 'commit';
      // As behind any error: a transaction has failed, and is over where its COMMIT has.
      if (block && !atCommit) {
        const state = await on.one().then(
          () => 'it answers',
          (thrown: DatabaseError) => thrown.code,
        );
        if (state !== '25P02') throw new Error(`the transaction has not failed: ${state}`, { cause: error });
        await on.run('rollback', how);
      }
      return { error: error as DatabaseError, atCommit };
    }
  }
  return undefined;
}

async function contentsOf(direct: Client): Promise<unknown> {
  return (await direct.query<{ contents: string }>(CONTENTS)).rows[0]?.contents;
}

/** What it writes without any gateway, and what is there afterwards; then all of it is undone. */
async function directly(
  { direct, harness }: Rig,
  { texts, data }: RowCase,
): Promise<{ readonly rows: number; readonly contents: unknown }> {
  await direct.query('begin');
  try {
    await direct.query(AUDIT);
    for (const text of texts) {
      if (data === undefined) await direct.query(text);
      else await direct.query(await copied(text, data, harness));
    }
    await direct.query('set constraints all immediate');
    const { rows } = await direct.query<{ n: number }>(AUDITED);
    return { rows: rows[0]?.n ?? -1, contents: await contentsOf(direct) };
  } finally {
    await direct.query('rollback');
  }
}

/** The same lines, from a file that the server reads. */
async function copied(text: string, data: Uint8Array, { server }: Harness): Promise<string> {
  const file = join(server.dataDir, 'copied');
  await writeFile(file, data, { mode: 0o644 });
  return text.replace('stdin', `'${file}'`);
}

async function isRefusedWithOneLess(rig: Rig, one: RowCase, way: Way): Promise<void> {
  const bound = one.rows - 1;
  const tight = await session(rig, one, way, bound);
  const refused = await run(tight, one, way);
  expect(refused?.error).toMatchObject({ code: '42501' });
  expect(refused?.error.message).toMatch(new RegExp(`"up-to-${bound}".* rows are written`));
  expect(await tight.one()).toEqual([{ one: 1 }]);
}

describe.each(VERSIONS)('rows written to a watched table, PostgreSQL $major', ({ version, major }) => {
  const present = version !== DEBIAN || requirePresent('PostgreSQL 15', existsSync(join(DEBIAN, 'postgres')));
  let rig: Rig;

  beforeAll(async () => {
    if (present) rig = await startRig(version);
  }, 60_000);

  afterAll(async () => {
    for (const one of rig?.sessions.values() ?? []) await one.end();
    await rig?.direct.end();
    await rig?.harness[Symbol.asyncDispose]();
  });

  const cases = CASES.filter(({ from, everywhere }) => from <= major && (everywhere || major === 18)).flatMap(
    (one) => one.ways.map((way) => ({ ...one, way, what: one.texts.join('; ') })),
  );

  it('are at least 200 cases on the newest server', () => {
    expect(cases.length).toBeGreaterThanOrEqual(major === 18 ? 200 : 50);
  });

  it.skipIf(!present).each(cases)('$rows, $way: $what', async ({ rows, way, ...one }) => {
    const { direct } = rig;
    await direct.query('call reset()');
    const before = await contentsOf(direct);
    const truth = await directly(rig, { ...one, rows });
    expect(truth.rows).toBe(rows);

    if (rows > 0) await isRefusedWithOneLess(rig, { ...one, rows }, way);
    expect(await contentsOf(direct)).toBe(before);
    const enough = await session(rig, { ...one, rows }, way, rows);
    expect(await run(enough, { ...one, rows }, way)).toBeUndefined();
    expect(await enough.one()).toEqual([{ one: 1 }]);
    expect(await contentsOf(direct)).toBe(truth.contents);
  });
});
