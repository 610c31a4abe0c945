/** `inTransaction: wait`: a client waits for people inside of its own transaction, with nothing of the statement kept. */

import { readFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import type { Client, QueryResult } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { HoldId } from '../../packages/gateway/src/core/ids.ts';
import { packet } from './bare-client.ts';
import { directly, failure, holdIn, serverVersions, through, vote, withdrawAll } from './clients.ts';
import { type Harness, startHarness } from './harness.ts';

const RULES = `
kind: Access
name: search-team
who: [group:search]
to: [db]
may: [read, write, define, run, role, setting-risky]
---
kind: Person
name: olga
displayName: Olga Owner
---
kind: Rule
name: bulk
when: { writes: [scores], rows: '>= 100' }
then: { hold: { approvers: [olga], expires: 1m, inTransaction: wait } }
---
kind: Rule
name: models
when: { writes: [models, guarded] }
then: { hold: { approvers: [olga], expires: 1m, inTransaction: wait } }
---
kind: Rule
name: soon-over
when: { writes: [hasty] }
then: { hold: { approvers: [olga], expires: 1s, inTransaction: wait } }
---
kind: Rule
name: impatient
when: { writes: [guarded] }
then: { hold: { approvers: [olga], expires: 1m } }
`;

const SCHEMA = `
  create table scores(id int primary key, score int);
  create table models(id int primary key, stage text);
  create table guarded(id int);
  create table hasty(id int);
  create table other(id int);
  create table parents(id int primary key);
  create function on_models() returns trigger language plpgsql as $$ begin return new; end $$;
  create trigger on_models before update on models for each row execute function on_models();
`;
const ROWS = `
  truncate scores, models, guarded, hasty, other;
  insert into scores select g, 0 from generate_series(1, 500) g;
  insert into models select g, 'staging' from generate_series(1, 3) g;
`;

/** How a statement comes to the server. */
const WAYS = ['simple', 'extended'] as const;
type Way = (typeof WAYS)[number];

describe.each(serverVersions().filter(({ isPresent }) => isPresent))('PostgreSQL $major', ({ version }) => {
  let harness: Harness;
  let direct: Client;
  let token: string;
  const clients: Client[] = [];

  beforeAll(async () => {
    harness = await startHarness({ postgres: { version, settings: { fsync: 'off', log_statement: 'all' } } });
    direct = await directly(harness);
    await direct.query(SCHEMA);
    token = await harness.token('ana');
    await harness.apply(RULES);
  }, 60_000);

  afterAll(async () => {
    await direct?.end();
    await harness?.[Symbol.asyncDispose]();
  });

  beforeEach(async () => {
    await direct.query(ROWS);
  });

  afterEach(async () => {
    await withdrawAll(harness);
    await Promise.all(clients.splice(0).map((client) => client.end().catch(() => undefined)));
    await until(async () => (await inTransaction()) === 0 || undefined);
  });

  interface Connected {
    readonly client: Client;
    /** Ids of what it has waited for. */
    readonly asked: HoldId[];
    readonly notices: string[];
    readonly details: string[];
  }

  async function connect(): Promise<Connected> {
    const client = await through(harness, token);
    const asked: HoldId[] = [];
    const notices: string[] = [];
    const details: string[] = [];
    client.on('notice', ({ message = '', detail = '' }) => {
      const id = holdIn(message);
      if (id === undefined) return;
      asked.push(id);
      notices.push(message);
      details.push(detail);
    });
    clients.push(client);
    return { client, asked, notices, details };
  }

  /** The next that it waits for. */
  function asks({ asked }: Connected, count = 1): Promise<HoldId> {
    return until(() => asked[count - 1]);
  }

  async function decide(id: HoldId, decision: 'approve' | 'deny' = 'approve'): Promise<string> {
    return (await vote(harness, id, 'olga', decision)).kind;
  }

  async function number(of: string): Promise<number> {
    return Number((await direct.query<{ n: string }>(`select count(*) n from ${of}`)).rows[0]?.n);
  }

  /** Sessions at the target that are in a transaction and do nothing. */
  async function inTransaction(): Promise<number> {
    return number(`pg_stat_activity where state like 'idle in transaction%' and pid <> pg_backend_pid()`);
  }

  /** What other sessions hold of a table. */
  async function locksOf(table: string): Promise<readonly string[]> {
    const { rows } = await direct.query<{ mode: string }>(
      `select mode from pg_locks where relation = $1::regclass and pid <> pg_backend_pid() order by mode`,
      [table],
    );
    return rows.map(({ mode }) => mode);
  }

  describe.each(WAYS)('in the %s protocol', (way) => {
    it('a statement over a bound waits, and is kept when it was approved, once', async () => {
      const one = await connect();
      const { client, notices, details } = one;
      await run(client, 'begin', way);
      await run(client, 'insert into other values (1)', way);
      const answer = run(client, 'update scores set score = 1', way);
      const id = await asks(one);
      expect(notices[0]).toMatch(/^Held by rule "bulk" \(version 1\): 500 rows are written/);
      expect(details[0]).toMatch(/Its transaction stays open with its locks for 5 minutes at most/);
      expect(await inTransaction()).toBe(1);
      expect(await decide(id)).toBe('voted');
      expect((await answer).rowCount).toBe(500);
      expect(await number('scores where score = 1')).toBe(0);
      await run(client, 'commit', way);
      expect(await number('scores where score = 1')).toBe(500);
      expect(await number('other')).toBe(1);
      // It was used.
      await run(client, 'begin', way);
      const again = failure(run(client, 'update scores set score = 1', way));
      const second = await asks(one, 2);
      expect(second).not.toBe(id);
      await decide(second, 'deny');
      expect((await again).message).toMatch(/denied by olga/);
    });

    it('nothing of it is locked meanwhile, and what came before it is', async () => {
      const one = await connect();
      await run(one.client, 'begin', way);
      await run(one.client, 'insert into other values (1)', way);
      const answer = failure(run(one.client, 'update scores set score = 1', way));
      const id = await asks(one);
      // PostgreSQL locks the table when it parses a statement for later, and keeps that.
      expect(await locksOf('scores')).toEqual(way === 'simple' ? [] : ['RowExclusiveLock']);
      expect(await locksOf('other')).toEqual(['RowExclusiveLock']);
      await direct.query(`begin; set local lock_timeout = '1s'; update scores set score = 7; commit`);
      await decide(id, 'deny');
      await answer;
    });

    it('one that is held whatever it writes waits before it runs', async () => {
      const one = await connect();
      await run(one.client, 'begin', way);
      await run(one.client, 'insert into other values (1)', way);
      const answer = run(one.client, `update models set stage = 'production'`, way);
      const id = await asks(one);
      expect(await locksOf('models')).toEqual(way === 'simple' ? [] : ['RowExclusiveLock']);
      await direct.query(`insert into models values (4, 'staging')`);
      await decide(id);
      expect((await answer).rowCount).toBe(4);
      await run(one.client, 'commit', way);
      expect(await number(`models where stage = 'production'`)).toBe(4);
      expect(one.asked).toHaveLength(1);
    });

    it('a denial fails the transaction as any error does, and a savepoint of the client’s brings it back', async () => {
      const one = await connect();
      const { client } = one;
      await run(client, 'begin', way);
      await run(client, 'insert into other values (1)', way);
      await run(client, 'savepoint mine', way);
      const denied = failure(run(client, 'update scores set score = 1', way));
      await decide(await asks(one), 'deny');
      expect(await denied).toMatchObject({ code: '42501' });
      expect((await failure(run(client, 'select 1', way))).code).toBe('25P02');
      await run(client, 'rollback to mine', way);
      await run(client, 'insert into other values (2)', way);
      // What was undone is not counted.
      await run(client, 'update scores set score = 2 where id <= 99', way);
      await run(client, 'commit', way);
      expect(await number('other')).toBe(2);
      expect(await number('scores where score = 2')).toBe(99);
      expect(one.asked).toHaveLength(1);
    });

    it('what the transaction wrote before counts, and what was undone does not', async () => {
      const one = await connect();
      const { client, notices } = one;
      await run(client, 'begin', way);
      await run(client, 'update scores set score = 1 where id <= 60', way);
      const answer = run(client, 'update scores set score = 2 where id between 61 and 120', way);
      await decide(await asks(one));
      expect((await answer).rowCount).toBe(60);
      expect(notices[0]).toMatch(/: 120 rows are written/);
      const next = run(client, 'update scores set score = 3 where id = 500', way);
      await decide(await asks(one, 2));
      expect((await next).rowCount).toBe(1);
      expect(notices[1]).toMatch(/: 121 rows are written/);
      await run(client, 'commit', way);
      expect(await number('scores where score > 0')).toBe(121);
    });

    it('more rows by then are asked for again, and fewer are kept', async () => {
      const one = await connect();
      await run(one.client, 'begin', way);
      const answer = run(one.client, 'update scores set score = 3 where score = 0', way);
      const first = await asks(one);
      await direct.query('insert into scores select g, 0 from generate_series(1001, 1010) g');
      await decide(first);
      const second = await asks(one, 2);
      expect(one.notices[1]).toMatch(/: 510 rows are written/);
      await direct.query('delete from scores where id > 1005');
      await decide(second);
      expect((await answer).rowCount).toBe(505);
      await run(one.client, 'commit', way);
      expect(await number('scores where score = 3')).toBe(505);
    });

    it('what it means may not change meanwhile', async () => {
      const one = await connect();
      await run(one.client, 'begin', way);
      const answer = failure(run(one.client, `update models set stage = 'waited'`, way));
      const id = await asks(one);
      await direct.query(
        `create or replace function on_models() returns trigger language plpgsql as $$ begin delete from other; return new; end $$`,
      );
      await decide(id);
      expect((await answer).message).toMatch(/was changed while it waited/);
      await direct.query(
        `create or replace function on_models() returns trigger language plpgsql as $$ begin return new; end $$`,
      );
      expect((await failure(run(one.client, 'select 1', way))).code).toBe('25P02');
    });

    it('a transaction that sees no changes is refused at once', async () => {
      const one = await connect();
      await run(one.client, 'begin isolation level repeatable read', way);
      const error = await failure(run(one.client, 'update scores set score = 1', way));
      expect(error.hint).toMatch(/send exactly the same again/);
      await run(one.client, 'rollback', way);
      const id = holdIn(error.message);
      if (id === undefined) throw error;
      await decide(id);
      await run(one.client, 'begin', way);
      expect((await run(one.client, 'update scores set score = 1', way)).rowCount).toBe(500);
      await run(one.client, 'commit', way);
      expect(await number('scores where score = 1')).toBe(500);
      expect(one.asked).toEqual([]);
    });

    it('where one of the rules says refuse, it is refused at once', async () => {
      const one = await connect();
      await run(one.client, 'begin', way);
      const error = await failure(run(one.client, 'insert into guarded values (1)', way));
      expect(error.hint).toMatch(/send exactly the same again/);
      expect(one.asked).toEqual([]);
    });

    it('the wait ends with the request', async () => {
      const one = await connect();
      await run(one.client, 'begin', way);
      const error = await failure(run(one.client, 'insert into hasty values (1)', way));
      expect(error.message).toMatch(/expired before enough people approved/);
      await run(one.client, 'rollback', way);
      expect(await number('hasty')).toBe(0);
    });

    it('a client that goes takes its transaction along, and its request stays', async () => {
      const one = await connect();
      await run(one.client, 'begin', way);
      await run(one.client, 'insert into other values (1)', way);
      const lost = failure(run(one.client, 'update scores set score = 5', way));
      const id = await asks(one);
      streamOf(one.client).destroy();
      await lost;
      await until(async () => (await inTransaction()) === 0 || undefined);
      await until(() => (harness.gateway.sessions.list().length === 0 ? true : undefined));
      expect(await number('other')).toBe(0);
      await decide(id);
      const two = await connect();
      await run(two.client, 'begin', way);
      expect((await run(two.client, 'update scores set score = 5', way)).rowCount).toBe(500);
      await run(two.client, 'commit', way);
      expect(two.asked).toEqual([]);
      expect(await number('scores where score = 5')).toBe(500);
    });

    it.each([
      ['its own timeout', `set idle_in_transaction_session_timeout = '3s'`, '25P03'],
      ['an administrator', undefined, '57P01'],
    ])('a target that ends the session by %s is heard, and the request stays', async (_, setting, code) => {
      const one = await connect();
      if (setting !== undefined) await run(one.client, setting, way);
      await run(one.client, 'begin', way);
      await run(one.client, 'insert into other values (1)', way);
      const ended = failure(run(one.client, `update models set stage = 'late'`, way));
      const id = await asks(one);
      if (setting === undefined) {
        await direct.query(
          `select pg_terminate_backend(pid) from pg_stat_activity where state = 'idle in transaction'`,
        );
      }
      expect(await ended).toMatchObject({ code });
      await until(() => (harness.gateway.sessions.list().length === 0 ? true : undefined));
      expect(await number('other')).toBe(0);
      expect(await decide(id)).toBe('voted');
    });

    it('cursors that were open before are open behind it', async () => {
      const one = await connect();
      await run(one.client, 'begin', way);
      await run(one.client, 'declare c cursor for select id from scores order by id', way);
      expect((await run(one.client, 'fetch c', way)).rows).toEqual([{ id: 1 }]);
      const answer = run(one.client, 'update scores set score = 1', way);
      await decide(await asks(one));
      await answer;
      expect((await run(one.client, 'fetch c', way)).rows).toEqual([{ id: 2 }]);
      await run(one.client, 'commit', way);
    });

    it('checks that are deferred are of the run that is kept', async () => {
      await direct.query(`create table children(id int references parents deferrable initially deferred);
        create trigger t after insert on children for each row execute function on_models()`);
      await harness.apply(
        `kind: Rule\nname: children\nwhen: { writes: [children], rows: '>= 2' }\nthen: { hold: { approvers: [olga], expires: 1m, inTransaction: wait } }\n`,
      );
      const one = await connect();
      await run(one.client, 'begin', way);
      const answer = run(one.client, 'insert into children select g from generate_series(1, 3) g', way);
      await decide(await asks(one));
      await answer;
      await run(one.client, 'insert into parents select g from generate_series(1, 3) g', way);
      await run(one.client, 'commit', way);
      expect(await number('children')).toBe(3);
      await direct.query('drop table children; truncate parents');
    });
  });

  describe('somebody', () => {
    it('who gives it up has a transaction that has failed, and nothing asked for', async () => {
      const one = await connect();
      const { client } = one;
      await client.query('begin');
      await client.query('insert into other values (1)');
      const given = failure(client.query('update scores set score = 4'));
      const id = await asks(one);
      const { processID, secretKey } = client as unknown as { processID: number; secretKey: number };
      const key = Buffer.alloc(8);
      key.writeInt32BE(processID, 0);
      key.writeInt32BE(secretKey, 4);
      const { host, port } = harness.gateway.postgres;
      const socket = createConnection({ host, port }, () => socket.end(packet(80_877_102, key)));
      expect((await given).message).toMatch(/withdrawn: the client cancelled/);
      expect((await failure(client.query('select 1'))).code).toBe('25P02');
      expect((await client.query('commit')).command).toBe('ROLLBACK');
      expect(await decide(id)).toBe('refused');
      expect(await number('scores where score = 4')).toBe(0);
      expect(await number('other')).toBe(0);
    });

    it('who has a savepoint of our name loses nothing by it, and gains nothing', async () => {
      const one = await connect();
      const { client } = one;
      await client.query('begin');
      const first = failure(client.query('update scores set score = 1'));
      const id = await asks(one);
      // The target's log has it, and so may whoever looks at the activity of the same role.
      const log = await readFile(harness.server.logFile, 'utf8');
      const name = [...log.matchAll(/SAVEPOINT "(countersign [0-9a-f]{32})"/g)].at(-1)?.[1];
      if (name === undefined) throw new Error('there is no savepoint');
      await decide(id, 'deny');
      await first;
      await client.query('rollback');
      await client.query('begin');
      await client.query(`savepoint "${name}"`);
      await client.query('insert into other values (1)');
      const answer = client.query('update scores set score = 2');
      await decide(await asks(one, 2));
      expect((await answer).rowCount).toBe(500);
      await client.query(`rollback to "${name}"`);
      await client.query('commit');
      expect(await number('other')).toBe(0);
      expect(await number('scores where score = 2')).toBe(0);
      // Behind an error of its own it gets back to what was before the statement, and no further.
      await client.query('begin');
      const failed = await failure(client.query('update scores set score = 1 / 0'));
      expect(failed.code).toBe('22012');
      await client.query(`rollback to "${name}"`).catch(() => undefined);
      await client.query('commit');
      expect(await number('scores where score <> 0')).toBe(0);
    });
  });
});

function run(client: Client, text: string, way: Way): Promise<QueryResult> {
  const extended = { text, queryMode: 'extended' };
  return way === 'simple' ? client.query(text) : client.query(extended);
}

function streamOf(client: Client): { destroy(): void } {
  return (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream;
}

async function until<T>(look: () => Promise<T | undefined> | T | undefined): Promise<T> {
  for (let tries = 0; tries < 300; tries += 1) {
    // oxlint-disable-next-line no-await-in-loop -- It is looked at again.
    const found = await look();
    if (found !== undefined) return found;
    // oxlint-disable-next-line no-await-in-loop -- It is looked at again.
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('it did not come');
}
