/** No way of writing 5,000 rows to a watched table gets past a bound of 99: the table itself says so. */

import type { Client } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { encodeFrontend } from '../../packages/gateway/src/protocols/postgres/encode.ts';
import type { FrontendMessage } from '../../packages/gateway/src/protocols/postgres/messages.ts';
import { ANYTHING, directly, rowsOf, serverVersions } from './clients.ts';
import { type Harness, startHarness } from './harness.ts';
import { rawSession } from './raw-session.ts';

const RULES = `${ANYTHING}---
kind: Rule
name: bulk
when: { writes: [scores], rows: '>= 100' }
then: block
---
kind: Rule
name: never
when: { functions: [planned_blocked] }
then: block
`;

const WRITES = 'insert into scores select g, 9 from generate_series(1, 5000) g';
const SCHEMA = `
create table scores(id int, score int);
create function writer() returns void language plpgsql as $$begin ${WRITES}; end$$;
-- PostgreSQL lets no IMMUTABLE function write itself, and each call one that does.
create function planned(n int) returns int language plpgsql immutable as $$begin perform writer(); return n; end$$;
create function planned_blocked(n int) returns int language plpgsql immutable as
  $$begin perform writer(); return n; end$$;
create procedure sweep() language plpgsql as $$begin ${WRITES}; commit; end$$;
`;

type Message = FrontendMessage;

function parse(text: string): Message {
  return { kind: 'Parse', statement: '', textBytes: Buffer.from(text), parameterTypeOids: [] };
}
const BIND: Message = {
  kind: 'Bind',
  portal: '',
  statement: '',
  valueFormats: [],
  values: [],
  resultFormats: [],
};
const EXECUTE: Message = { kind: 'Execute', portal: '', rowsMax: 0 };
const SYNC: Message = { kind: 'Sync' };
function run(text: string): readonly Message[] {
  return [parse(text), BIND, EXECUTE];
}
function query(text: string): Message {
  return { kind: 'Query', textBytes: Buffer.from(text) };
}

/** What is sent, in turns that each wait for so many ReadyForQuery in all. */
const ATTACKS: readonly (readonly [string, readonly (readonly Message[])[]])[] = [
  ['a function that is run by planning', [[parse('select planned(1)'), BIND, EXECUTE, SYNC]]],
  ['a function that is run by planning, and never executed', [[parse('select planned(1)'), BIND, SYNC]]],
  ['a blocked function that is run by planning', [[parse('select planned_blocked(1)'), BIND, SYNC]]],
  [
    'planning in a transaction block',
    [[query('begin')], [parse('select planned(1)'), BIND, SYNC], [query('commit')]],
  ],
  ['planning by EXPLAIN', [[...run('explain select planned(1)'), SYNC]]],
  ['planning in a simple query', [[query('select planned(1)')]]],
  ['a procedure that commits', [[...run('call sweep()'), SYNC]]],
  ['a procedure behind another statement', [[...run('select 1'), ...run('call sweep()'), SYNC]]],
  ['a DO that commits', [[...run(`do $$begin ${WRITES}; commit; end$$`), SYNC]]],
  [
    'many statements in one pipeline',
    [[...Array.from({ length: 50 }, () => run(WRITES.replace('5000', '100'))).flat(), SYNC]],
  ],
  [
    'a pipeline that begins with the ROLLBACK of a failed transaction',
    [[query('begin')], [query('select 1 / 0')], [...run('rollback'), ...run(WRITES), SYNC]],
  ],
  [
    'a pipeline that goes back to a savepoint of a failed transaction',
    [
      [query('begin')],
      [query('savepoint s')],
      [query('select 1 / 0')],
      [...run('rollback to s'), ...run(WRITES), SYNC],
      [query('commit')],
    ],
  ],
  [
    'a COMMIT in a pipeline, and a Query behind it without a Sync',
    [[query('begin')], [...run('commit'), query(WRITES)]],
  ],
  [
    'a BEGIN in the middle of a pipeline',
    [[...run('insert into scores values (1, 1)'), ...run('begin'), ...run(WRITES), SYNC], [query('commit')]],
  ],
];

describe.each(serverVersions())('past a bound of 99 rows, PostgreSQL $major', ({ version, isPresent }) => {
  let harness: Harness;
  let direct: Client;
  let token: string;

  beforeAll(async () => {
    if (!isPresent) return;
    harness = await startHarness({ postgres: { version, settings: { fsync: 'off' } } });
    direct = await directly(harness);
    await direct.query(SCHEMA);
    token = await harness.token('ana');
    await harness.apply(RULES);
  }, 60_000);

  afterEach(() => direct?.query('truncate scores'));

  afterAll(async () => {
    await direct?.end();
    await harness?.[Symbol.asyncDispose]();
  });

  it.skipIf(!isPresent).each(ATTACKS)('%s gets nothing there', async (_, turns) => {
    const session = await rawSession(harness, token);
    let ready = 0;
    for (const turn of turns) {
      ready += turn.filter(({ kind }) => kind === 'Sync' || kind === 'Query').length;
      await session.send(turn.map(encodeFrontend), ready);
    }
    await session.send([encodeFrontend(query(`select 'it answers'`))], ready + 1);
    expect(session.over).toBe(false);
    expect(session.answers().at(-1)).toContain('it answers');
    await session.close();
    expect(await rowsOf(direct, 'scores')).toBeLessThan(100);
  });

  it.skipIf(!isPresent)('a pipeline within the bound is kept', async () => {
    const session = await rawSession(harness, token);
    const messages = [
      ...run('insert into scores values (1, 1)'),
      ...run('insert into scores values (2, 2)'),
      SYNC,
    ];
    await session.send(messages.map(encodeFrontend), 1);
    await session.close();
    expect(await rowsOf(direct, 'scores')).toBe(2);
  });
});
