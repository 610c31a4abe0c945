/** That the table of PostgreSQL's functions says what a real PostgreSQL says of itself. */

import { expect, it } from 'vitest';
import { startPostgres } from '../../examples/demo/postgres-server.ts';
import {
  FUNCTION_EFFECTS,
  HARMLESS_FUNCTIONS,
  INFORMATION_SCHEMA_FUNCTIONS,
} from '../../packages/gateway/src/sql/functions-table.ts';
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
