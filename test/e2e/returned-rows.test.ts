/**
 * A bound on rows that are returned lets pass exactly what it says: with a bound of the true number a client
 * gets what it gets directly, frame by frame; with one less it never gets the row that is one too many.
 */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Client, type ClientConfig } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requirePresent } from '../real/require-present.ts';
import {
  errorIn,
  type FrameClient,
  frameClient,
  type ReceivedFrame,
  rowsIn,
  statusIn,
} from './frame-client.ts';
import { type Harness, startHarness } from './harness.ts';
import {
  DOCUMENTS,
  flightsOf,
  RETURN_CASES,
  type ReturnCase,
  type ReturnWay,
  shown,
} from './returned-cases.ts';

const DEBIAN = '/usr/lib/postgresql/15/bin';
const VERSIONS = [
  { version: 'embedded', major: 18 },
  { version: DEBIAN, major: 15 },
];

interface Rig {
  readonly harness: Harness;
  readonly direct: Client;
  readonly token: string;
  /** Without a gateway. */
  readonly bare: FrameClient;
  readonly clients: Map<number, FrameClient>;
}

async function startRig(version: string): Promise<Rig> {
  const harness = await startHarness({ postgres: { version, settings: { fsync: 'off' } } });
  const config = directly(harness);
  const direct = new Client(config);
  await direct.connect();
  await direct.query(DOCUMENTS);
  const bounds = new Set(RETURN_CASES.flatMap(({ rows }) => [rows, rows - 1]).filter((rows) => rows >= 0));
  const rules = [...bounds].map(
    (rows) =>
      `kind: Rule\nname: up-to-${rows}\nwhen: { reads: [documents], returned: '> ${rows}', client: ['bound ${rows}'] }\nthen: block\n`,
  );
  const access =
    'kind: Access\nname: search-team\nwho: [group:search]\nto: [db]\nmay: [read, write, export, define, run, unknown]\n';
  await harness.apply([access, ...rules].join('---\n'));
  const bare = await frameClient(config);
  return { harness, direct, token: await harness.token('ana'), bare, clients: new Map() };
}

function directly({ server: { host, port, password } }: Harness): ClientConfig {
  return { host, port, user: 'postgres', password, database: 'postgres' };
}

async function bounded({ harness, token, clients }: Rig, bound: number): Promise<FrameClient> {
  const { host, port } = harness.gateway.postgres;
  const config = { host, port, user: 'ana', password: token, database: 'db' };
  const known = clients.get(bound) ?? (await frameClient({ ...config, application_name: `bound ${bound}` }));
  clients.set(bound, known);
  return known;
}

/** Flight by flight, up to the first error. */
async function run(
  client: FrameClient,
  texts: readonly string[],
  way: ReturnWay,
): Promise<readonly ReceivedFrame[]> {
  const all: ReceivedFrame[] = [];
  for (const flight of flightsOf(texts, way)) {
    const frames = await client.send(flight);
    all.push(...frames);
    if (errorIn(frames) !== undefined) break;
  }
  return all;
}

const CONTENTS = `select md5(string_agg(t, '|' order by t)) as contents from (
  select 'd' || d::text as t from documents d union all select 'n' || n::text from notes n) x`;

async function contentsOf({ direct }: Rig): Promise<string | undefined> {
  return (await direct.query<{ contents: string }>(CONTENTS)).rows[0]?.contents;
}

/** It answers, outside of a transaction that the test has left open. */
async function isUsable(client: FrameClient, status: string): Promise<void> {
  expect(errorIn(await client.query('select 1'))?.code).toBe(status === 'E' ? '25P02' : undefined);
  expect(statusIn(await client.query('rollback'))).toBe('I');
  // What outlives a transaction that fails, as it does without a gateway.
  await client.query('deallocate all');
  await client.query('close all');
  const frames = await client.query('select 1 as one');
  expect(shown(frames).at(-1)).toBe('Z I');
  expect(rowsIn(frames)).toBe(1);
}

async function isWithheldWithOneLess(
  rig: Rig,
  { rows, texts, way, kept }: Omit<ReturnCase, 'ways'> & { readonly way: ReturnWay },
  truth: readonly ReceivedFrame[],
): Promise<void> {
  const bound = rows - 1;
  const tight = await bounded(rig, bound);
  const withheld = await run(tight, texts, way);
  expect(errorIn(withheld)).toMatchObject({ code: '42501' });
  expect(errorIn(withheld)?.message).toContain(
    `rule "up-to-${bound}" (version 1): more than ${bound} rows are returned`,
  );
  // Rows of other tables are no part of it.
  expect(rowsIn(withheld)).toBe(rowsIn(truth) - rows + (kept ? 0 : bound));
  const tags = withheld.filter(({ type }) => type === 'C').map(({ body }) => body.toString());
  expect(tags.join()).not.toContain(` ${rows}\0`);
  await isUsable(tight, statusIn(withheld));
}

describe.each(VERSIONS)('rows that are returned, PostgreSQL $major', ({ version }) => {
  const present = version !== DEBIAN || requirePresent('PostgreSQL 15', existsSync(join(DEBIAN, 'postgres')));
  let rig: Rig;

  beforeAll(async () => {
    if (present) rig = await startRig(version);
  }, 60_000);

  afterAll(async () => {
    await rig?.bare.close();
    for (const client of rig?.clients.values() ?? []) await client.close();
    await rig?.direct.end();
    await rig?.harness[Symbol.asyncDispose]();
  });

  const cases = RETURN_CASES.flatMap((one) =>
    one.ways.map((way) => ({ ...one, way, what: one.texts.join('; ') })),
  );

  it.skipIf(!present).each(cases)('$rows, $way: $what', async ({ rows, texts, way, kept }) => {
    await rig.direct.query('call reset()');
    const before = await contentsOf(rig);
    const truth = await run(rig.bare, texts, way);
    const after = await contentsOf(rig);
    expect(errorIn(truth)).toBeUndefined();

    await rig.direct.query('call reset()');
    if (rows > 0) await isWithheldWithOneLess(rig, { rows, texts, way, kept }, truth);
    expect(await contentsOf(rig)).toBe(before);

    const enough = await bounded(rig, rows);
    expect(shown(await run(enough, texts, way))).toEqual(shown(truth));
    expect(await contentsOf(rig)).toBe(after);
    await isUsable(enough, 'I');
  });
});
