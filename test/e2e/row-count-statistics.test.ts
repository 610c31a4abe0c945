/**
 * What the planner believes of a table makes no difference to how many rows are counted: statistics that are not
 * there, stale, skewed or made up, with plans that come from them.
 */

import type { Client, DatabaseError } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ANYTHING, directly, failure, through } from './clients.ts';
import { type Harness, startHarness } from './harness.ts';

/** 300 rows: one kind has all but three of them, and what its tag is says its kind. */
const FILL =
  'insert into scores select g, case when g > 297 then g else 7 end, case when g > 297 then g else 7 end from generate_series(1, 300) g';

/** How a table came to its statistics, in a schema of its own. */
const BELIEFS: readonly (readonly [name: string, ready: string])[] = [
  ['none', FILL],
  ['of an empty table', `analyze scores; ${FILL}`],
  [
    'of a table that was thirty times as large',
    `insert into scores select g, g, g from generate_series(1001, 10000) g; analyze scores; delete from scores; ${FILL}`,
  ],
  [
    'of other values',
    `insert into scores select g, 1, 1 from generate_series(1001, 1300) g; analyze scores; delete from scores; ${FILL}`,
  ],
  [
    'of one sample, with one value',
    `alter table scores alter kind set statistics 1, alter tag set (n_distinct = 300), alter tag set statistics 1; ${FILL}; analyze scores`,
  ],
  [
    'that say there is one row',
    `${FILL}; analyze scores; update pg_class set reltuples = 1, relpages = 1 where oid = 'scores'::regclass; delete from pg_statistic where starelid = 'scores'::regclass`,
  ],
  [
    'that say there are a billion',
    `${FILL}; analyze scores; update pg_class set reltuples = 1e9, relpages = 1 where oid = 'scores'::regclass`,
  ],
  [
    'that say every value is NULL',
    `${FILL}; analyze scores; update pg_statistic set stanullfrac = 1, stadistinct = 1 where starelid = 'scores'::regclass`,
  ],
  [
    'that are right',
    `${FILL}; create statistics (dependencies, mcv) on kind, tag from scores; analyze scores`,
  ],
];

/** By every kind of plan. */
const TEXTS: readonly string[] = [
  'update scores set tag = 0',
  'update scores set tag = 0 where kind = 7 and tag = 7',
  'update scores set tag = 0 where kind = 298 or tag = 299',
  'update scores set tag = 0 where kind % 7 = 0 and id::text like $$%1%$$',
  'delete from scores where id in (select id from scores where kind = 7 offset 10)',
  'delete from scores s using scores t where s.kind = t.kind and t.id < 250',
  'insert into scores select id + 20000, kind, tag from scores where tag = 7',
  'merge into scores s using (select distinct kind from scores) k on s.kind = k.kind when matched then update set tag = 1',
  'with recursive r(n) as (select 1 union all select n + 1 from r where n < 120) update scores set tag = n from r where id = n',
];

let harness: Harness;
let direct: Client;
let token: string;
/** Of rows that one statement changes, by belief. */
const guesses: number[] = [];
const sessions = new Map<number, Client>();

function schemaOf(belief: number): string {
  return `b${belief}`;
}

/** What it writes, of the server’s own; then it is undone. */
async function written(schema: string, text: string): Promise<number> {
  await direct.query(`begin; set local search_path = ${schema}`);
  try {
    return (await direct.query(text)).rowCount ?? -1;
  } finally {
    await direct.query('rollback');
  }
}

/** What the planner says that an UPDATE of 297 rows would change. */
async function guessed(): Promise<number> {
  const { rows } = await direct.query<{
    'QUERY PLAN': readonly { Plan: { Plans: readonly { 'Plan Rows': number }[] } }[];
  }>('explain (format json) update scores set tag = 0 where kind = 7 and tag = 7');
  return rows[0]?.['QUERY PLAN'][0]?.Plan.Plans[0]?.['Plan Rows'] ?? -1;
}

/** A session that may write so many rows. */
async function bounded(bound: number): Promise<Client> {
  const open = sessions.get(bound);
  if (open !== undefined) return open;
  const client = await through(harness, token, { application_name: `bound ${bound}` });
  sessions.set(bound, client);
  return client;
}

beforeAll(async () => {
  harness = await startHarness({
    postgres: { settings: { fsync: 'off', autovacuum: 'off', allow_system_table_mods: 'on' } },
  });
  direct = await directly(harness);
  const bounds = new Set<number>();
  for (const [index, [, ready]] of BELIEFS.entries()) {
    const schema = schemaOf(index);
    await direct.query(`create schema ${schema}; set search_path = ${schema}`);
    await direct.query(
      'create table scores(id int primary key, kind int, tag int); create index on scores(kind)',
    );
    for (const text of ready.split('; ')) await direct.query(text);
    guesses.push(await guessed());
    await direct.query('reset search_path');
    for (const text of TEXTS) {
      const rows = await written(schema, text);
      bounds.add(rows).add(rows - 1);
    }
  }
  const rules = [...bounds].map(
    (rows) =>
      `kind: Rule\nname: up-to-${rows}\nwhen: { writes: [scores], rows: '> ${rows}', client: ['bound ${rows}'] }\nthen: block\n`,
  );
  await harness.apply([ANYTHING, ...rules].join('---\n'));
  token = await harness.token('ana');
}, 60_000);

afterAll(async () => {
  for (const client of sessions.values()) await client.end();
  await direct?.end();
  await harness?.[Symbol.asyncDispose]();
});

describe.each(BELIEFS.map(([name], index) => ({ name, schema: schemaOf(index) })))(
  'statistics $name',
  ({ schema }) => {
    it.each(TEXTS.map((text, index) => ({ text, values: index % 2 === 0 ? [] : undefined })))(
      '$text',
      async ({ text, values }) => {
        const rows = await written(schema, text);
        expect(rows).toBeGreaterThan(1);
        const tight = await bounded(rows - 1);
        await tight.query(`set search_path = ${schema}`);
        const error: DatabaseError = await failure(tight.query(text, values));
        expect(error.message).toMatch(new RegExp(`up-to-${rows - 1}".*: ${rows} rows are written`));
        const loose = await bounded(rows);
        await loose.query(`set search_path = ${schema}`);
        await loose.query('begin');
        expect((await loose.query(text)).rowCount).toBe(rows);
        await loose.query('rollback');
      },
    );
  },
);

it('are believed: the planner guesses otherwise than it is', () => {
  expect(Math.min(...guesses)).toBeLessThan(10);
  expect(Math.max(...guesses)).toBeGreaterThan(1000);
  expect(guesses.at(-1)).toBe(297);
});
