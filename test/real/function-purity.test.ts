/** That the table of what functions show says what real PostgreSQLs have, and that nothing that leaks is pure. */

import { existsSync } from 'node:fs';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PostgresServer, startPostgres } from '../../examples/demo/postgres-server.ts';
import { FUNCTION_EFFECTS } from '../../packages/gateway/src/sql/functions-table.ts';
import { functionKnowledge } from '../../packages/gateway/src/sql/purity/built-in-functions.ts';
import { FUNCTION_RANGES } from '../../packages/gateway/src/sql/purity/functions-table.ts';
import {
  PURITY_VERSIONS,
  purityRow,
  reviewedKind,
  type ServerFunction,
  serverFunctions,
} from '../generate/function-purity.ts';
import { requirePresent } from './require-present.ts';

/** Each put a masked value on the wire, or kept it, when somebody tried. */
const LEAKS =
  /^(?:\w+_to_xml\w*|ts_stat|lo_\w+|loread|lowrite|set_config|pg_notify|setval|setseed|pg_logical_\w+|pg_read_\w+|pg_ls_\w+|pg_stat_file|pg_stat_get_(?:backend_)?activity|pg_cursor|pg_prepared_statement|pg_(?:try_)?advisory_\w+|pg_sleep\w*|pg_(?:cancel|terminate)_backend|binary_upgrade_\w+)$/;

/** Of those, immutable ones compute: they take a value, and no name of a table. */
const COMPUTES = /^ts_rewrite$/;

/** Withheld from everybody, and showing the server's own counters only. */
const WITHHELD_COUNTERS = /^pg_(?:get_shmem_allocations\w*|stat_have_stats)$/;

describe.each(Object.entries(PURITY_VERSIONS))('PostgreSQL %s', (major, version) => {
  const isDebian = version.startsWith('/');
  const present = !isDebian || requirePresent('PostgreSQL 15', existsSync(`${version}/postgres`));
  let server: PostgresServer;
  let client: Client;
  let functions: readonly ServerFunction[];
  const known = functionKnowledge(Number(major) * 10_000);

  beforeAll(async () => {
    if (!present) return;
    server = await startPostgres({ version, settings: { fsync: 'off' } });
    client = new Client({ ...server, user: server.superuser, database: 'postgres' });
    await client.connect();
    functions = await serverFunctions(server);
  }, 120_000);

  afterAll(async () => {
    await client?.end();
    await server?.stop();
  });

  it.runIf(present)('has the functions of the table, and nobody has overlooked one', () => {
    expect(functions.length).toBeGreaterThan(2_500);
    expect(functions.filter((one) => reviewedKind(one) === undefined).map(({ name }) => name)).toEqual([]);
    // A minor release may have a function more than the one before it: what the table has too much is not here.
    const table = FUNCTION_RANGES[Number(major)];
    const row = purityRow(functions);
    const here = new Set(functions.map(({ oid }) => oid));
    for (const kind of ['pure', 'reader', 'sink', 'polymorphic'] as const) {
      const stated = oidsIn(table?.[kind] ?? '').filter((oid) => here.has(oid));
      expect(stated).toEqual(oidsIn(row[kind]));
      expect(oidsIn(table?.[kind] ?? '').length - stated.length).toBeLessThanOrEqual(3);
    }
  });

  it.runIf(present)('says of each function by its oid what was found by its name', () => {
    for (const one of functions) expect(known.of(one.oid)).toBe(reviewedKind(one));
  });

  it.runIf(present)('calls nothing pure that has leaked', () => {
    const leaking = functions.filter(({ name }) => LEAKS.test(name));
    expect(leaking.length).toBeGreaterThan(90);
    expect(leaking.filter(({ oid }) => known.of(oid) === 'pure').map(({ name }) => name)).toEqual([]);
    const text = functions.filter(({ name, immutable }) => COMPUTES.test(name) && !immutable);
    expect(text.map(({ oid }) => known.of(oid))).toEqual(['opaque']);
  });

  it.runIf(present)('calls nothing pure that does something, or that is withheld from everybody', () => {
    const doing = functions.filter(({ oid, name }) => {
      return known.of(oid) === 'pure' && FUNCTION_EFFECTS.has(name);
    });
    // A number that nobody chose; and the one that computes.
    expect(new Set(doing.map(({ name }) => name))).toEqual(new Set(['pg_export_snapshot', 'ts_rewrite']));
    const withheld = functions.filter(({ oid, withheld: is, name }) => {
      return is && known.of(oid) === 'pure' && !WITHHELD_COUNTERS.test(name);
    });
    expect(withheld.map(({ name }) => name)).toEqual([]);
  });

  it.runIf(present)('knows what is behind every operator, cast and aggregate of PostgreSQL', async () => {
    const { rows } = await client.query<{ oid: string; name: string }>(`
      select p.oid::int8::text as oid, p.proname as name from pg_proc p where p.oid < 12000 and (
        p.oid in (select oprcode from pg_operator union all select castfunc from pg_cast)
        or p.prokind in ('a', 'w'))`);
    expect(rows.length).toBeGreaterThan(1_000);
    expect(rows.filter(({ oid }) => known.of(Number(oid)) !== 'pure')).toEqual([]);
  });
});

function oidsIn(ranges: string): number[] {
  return ranges
    .trim()
    .split(/\s+/)
    .flatMap((range) => {
      const [first = 0, last = first] = range.split('-').map(Number);
      return Array.from({ length: last - first + 1 }, (_, at) => first + at);
    });
}
