/** That the table of PostgreSQL's functions says what a real PostgreSQL says of itself. */

import { Client } from 'pg';
import { expect, it } from 'vitest';
import { startPostgres } from '../../examples/demo/postgres-server.ts';
import {
  FUNCTION_EFFECTS,
  HARMLESS_FUNCTIONS,
  INFORMATION_SCHEMA_FUNCTIONS,
} from '../../packages/gateway/src/sql/functions-table.ts';
import { functionEffect } from '../../packages/gateway/src/sql/functions.ts';
import { functionTable } from '../generate/sql-functions.ts';

it('knows every function of PostgreSQL 18, and what it does', async () => {
  await using server = await startPostgres({ settings: { fsync: 'off' } });
  const table = await functionTable(server);
  expect([...FUNCTION_EFFECTS]).toEqual(table.effects);
  expect([...HARMLESS_FUNCTIONS]).toEqual(table.harmless);
  expect([...INFORMATION_SCHEMA_FUNCTIONS]).toEqual(table.informationSchema);
});

/** Volatile, or withheld from PUBLIC: 55 names of PostgreSQL 18 have an access list. */
it('calls no function harmless that an older PostgreSQL withholds from PUBLIC', async () => {
  for (const version of ['embedded-16', 'embedded-17']) {
    await using server = await startPostgres({ version, settings: { fsync: 'off' } });
    const { effects } = await functionTable(server);
    expect(effects.filter(([name]) => HARMLESS_FUNCTIONS.has(name))).toEqual([]);
  }
});

const BEHIND_SIGNS = `
select distinct proname as name from pg_proc p
  join pg_namespace n on n.oid = p.pronamespace and n.nspname = 'pg_catalog'
where p.oid in (select oprcode from pg_operator union all select castfunc from pg_cast)
  or p.prokind in ('a', 'w') order by 1`;

/** A server's tree has them by their oids, where no text has their names. */
it('takes no function for unknown that an operator, a cast or an aggregate of PostgreSQL calls', async () => {
  for (const version of ['embedded', 'embedded-17', 'embedded-16']) {
    await using server = await startPostgres({ version, settings: { fsync: 'off' } });
    const client = new Client({ ...server, user: server.superuser, database: 'postgres' });
    await client.connect();
    const { rows } = await client.query<{ name: string }>(BEHIND_SIGNS);
    await client.end();
    expect(rows.length).toBeGreaterThan(800);
    const unknown = rows.filter(({ name }) => {
      return functionEffect({ schema: 'pg_catalog', name }) === 'function-unknown';
    });
    expect(unknown).toEqual([]);
  }
});
