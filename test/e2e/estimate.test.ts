/** Approvers see how many rows the target guesses that a held statement would write, and planning it does nothing. */

import { readFile } from 'node:fs/promises';
import type { Client, DatabaseError } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HoldId } from '../../packages/gateway/src/core/ids.ts';
import { directly, holdIn, serverVersions, through, vote } from './clients.ts';
import { type Harness, startHarness } from './harness.ts';

const RULES = `
kind: Access
name: search-team
who: [group:search]
to: [db, db-text]
may: [read, write, define, run, setting-risky]
---
kind: Person
name: olga
displayName: Olga Owner
---
kind: Rule
name: held
when: { writes: [models, parts, missing] }
then: { hold: { approvers: [olga], expires: 1m, inTransaction: wait } }
---
kind: Rule
name: definitions
when: { effects: [define] }
then: { hold: { approvers: [olga], expires: 1m } }
`;

const SCHEMA = `
  create table models(id int primary key, stage text);
  insert into models select g, 'staging' from generate_series(1, 500) g;
  create table parts(id int primary key, n int) partition by range (id);
  create table parts_1 partition of parts for values from (0) to (300);
  create table parts_2 partition of parts for values from (300) to (600);
  insert into parts select g, 0 from generate_series(1, 500) g;
  create table called(n int);
  create function mine(n int) returns int language plpgsql immutable as
    $$ begin raise log 'mine was called'; return n; end $$;
  -- No text shows what an operator calls. What a sequence gives is not taken back by a ROLLBACK.
  create sequence taken;
  create function take() returns int language sql as $$ select nextval('taken')::int $$;
  create function hidden(a int, b int) returns int language plpgsql immutable as
    $$ begin perform take(); return a + b; end $$;
  create operator <~> (leftarg = int, rightarg = int, function = hidden);
  analyze;
`;

describe.each(serverVersions().filter(({ isPresent }) => isPresent))('PostgreSQL $major', ({ version }) => {
  let harness: Harness;
  let direct: Client;
  let token: string;

  beforeAll(async () => {
    harness = await startHarness({ postgres: { version, settings: { fsync: 'off', log_statement: 'all' } } });
    const { host, port } = harness.server;
    direct = await directly(harness);
    await direct.query(SCHEMA);
    token = await harness.token('ana');
    await harness.apply(`
kind: Connection
name: db-text
protocol: postgres
target: { host: ${host}, port: ${port}, database: postgres, tls: disable }
credential: { user: postgres, password: { env: DB_PASSWORD } }
serverTree: off
---${RULES}`);
  }, 60_000);

  afterAll(async () => {
    await direct?.end();
    await harness?.[Symbol.asyncDispose]();
  });

  /** What approvers see of a statement, which is denied then. */
  async function estimateOf(
    text: string,
    values?: unknown[],
    { before = [], database = 'db' }: { before?: readonly string[]; database?: string } = {},
  ): Promise<number | undefined> {
    const client = await through(harness, token, { database });
    const waiting = new Promise<HoldId>((resolve) => {
      client.on('notice', ({ message }) => {
        const found = holdIn(message);
        if (found !== undefined) resolve(found);
      });
    });
    for (const first of before) {
      // oxlint-disable-next-line no-await-in-loop -- One behind the other.
      await client.query(first);
    }
    const answer = client.query(text, values).then(
      () => 'ran',
      ({ code }: DatabaseError) => code,
    );
    const id = await waiting;
    const { approvals } = harness.gateway;
    const record = await approvals.find(id);
    const content = record === undefined ? undefined : await approvals.texts.content(record);
    if (content === undefined) throw new Error('nobody was asked');
    await vote(harness, id, 'olga', 'deny');
    expect(await answer).toBe('42501');
    if (before.includes('begin')) await client.query('rollback');
    // The session goes on, with nothing open at the target.
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    await client.end();
    expect(content.exactRows).toBeUndefined();
    return content.estimatedRows;
  }

  it.each([
    ['an UPDATE', `update models set stage = 'x'`, undefined, 500],
    ['one with RETURNING', `update models set stage = 'x' where id = 1 returning *`, undefined, 1],
    ['values of the extended protocol', `update models set stage = $2 where id = $1`, [3, 'y'], 1],
    ['a DELETE', 'delete from models', undefined, 500],
    ['an INSERT', `insert into models select g, 'x' from generate_series(1001, 1007) g`, undefined, 7],
    ['one row', `insert into models values (1000, 'x')`, undefined, 1],
    [
      'a MERGE',
      `merge into models m using generate_series(1, 4) g on m.id = g when matched then delete`,
      undefined,
      4,
    ],
    ['partitions', 'update parts set n = 1', undefined, 500],
    [
      'several writes',
      `with d as (delete from models where id = 1 returning id) update parts set n = 1 where id = 2`,
      undefined,
      2,
    ],
    ['a text that ends in a semicolon and a comment', 'delete from models; -- all', undefined, 500],
  ])('guesses the rows of %s', async (_, text, values, rows) => {
    expect(await estimateOf(text, values)).toBe(rows);
    expect((await direct.query('select count(*)::int n from models')).rows).toEqual([{ n: 500 }]);
  });

  it.each([
    [
      'a function that PostgreSQL does not come with',
      'update models set id = mine(3) where id = 3',
      undefined,
    ],
    ['several statements', 'delete from models; select 1', undefined],
    ['a definition', 'create table another(a int)', undefined],
    ['a table that is not there', 'delete from missing', undefined],
    ['a parameter that nothing has been bound to', 'delete from models where id = $1', undefined],
    ['a TRUNCATE', 'truncate models', undefined],
  ])('has no guess for %s, and it is held all the same', async (_, text, values) => {
    // A server that is asked what the text means refuses the first.
    expect(await estimateOf(text, values, { database: 'db-text' })).toBeUndefined();
    expect((await direct.query('select count(*)::int n from models')).rows).toEqual([{ n: 500 }]);
    expect((await direct.query(`select to_regclass('another') r`)).rows).toEqual([{ r: null }]);
  });

  it('writes nothing in planning, whatever is hidden in the text', async () => {
    expect(await estimateOf('delete from models where id = 3 <~> 1')).toBeUndefined();
    expect((await direct.query('select is_called from taken')).rows).toEqual([{ is_called: false }]);
  });

  it('has no guess inside of a transaction of the client’s', async () => {
    expect(await estimateOf('delete from models', undefined, { before: ['begin'] })).toBeUndefined();
  });

  it('waits no longer than a second for a table that somebody has locked', async () => {
    const other = await directly(harness);
    await other.query('begin; lock table models in access exclusive mode');
    // A server that is asked what the text means waits for the lock, as for the statement itself.
    expect(await estimateOf('delete from models', [], { database: 'db-text' })).toBeUndefined();
    await other.query('rollback');
    await other.end();
  });

  it('never runs anything, and the leaf says what was guessed', async () => {
    await estimateOf('delete from models');
    const log = await readFile(harness.server.logFile, 'utf8');
    const explained = log.split('\n').filter((line) => /explain/i.test(line));
    expect(explained.some((line) => line.includes('EXPLAIN (FORMAT JSON) delete from models'))).toBe(true);
    expect(explained.filter((line) => /analyze/i.test(line))).toEqual([]);
    expect(log.includes('LOG:  mine was called')).toBe(false);
    const asked = (await harness.finishedLog()).filter(({ leaf }) => leaf.type === 'hold.asked');
    expect(asked.map(({ body }) => body['estimated_rows'])).toContain(500);
    expect(harness.errors).toEqual([]);
  });
});
