/** Ways to run what nobody approved, to run it twice, or to run something else on what somebody approved. */

import { Client, type DatabaseError } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type HoldId, parseId } from '../../packages/gateway/src/core/ids.ts';
import { type Harness, startHarness } from './harness.ts';

let harness: Harness;
const tokens = new Map<string, string>();
const clients: Client[] = [];

const RULES = `
kind: Person
name: olga
displayName: Olga Owner
groups: [owners]
---
kind: Person
name: oskar
displayName: Oskar Owner
groups: [owners]
---
kind: Person
name: bert
displayName: Bert Baker
groups: [search]
---
kind: Group
name: owners
members: [ana]
---
kind: Rule
name: models
when: { writes: [models, models_seen, models_copy] }
then: { hold: { approvers: [group:owners], expires: 1m } }
---
kind: Rule
name: functions
when: { functions: [promote] }
then: { hold: { approvers: [group:owners], expires: 1m } }
`;

const SCHEMA = `
  create table models(id int primary key, stage text);
  insert into models select g, 'staging' from generate_series(1, 5) g;
  create table models_copy(id int, stage text);
  create table wanted(stage text);
  insert into wanted values ('asked for');
  create view models_seen as select * from models where id = 1;
  create function promote() returns int language sql as $$ select 1 $$;
  create function on_copy() returns trigger language plpgsql as $$ begin return new; end $$;
  create trigger on_copy before insert on models_copy for each row execute function on_copy();
  create view source as select 1 as id, 'seen'::text as stage;
`;

beforeAll(async () => {
  harness = await startHarness();
  await directly(SCHEMA);
  await harness.apply(RULES);
  for (const name of ['ana', 'bert']) tokens.set(name, await harness.token(name));
}, 60_000);

afterAll(async () => {
  await Promise.all(clients.map((client) => client.end().catch(() => undefined)));
  await harness?.[Symbol.asyncDispose]();
});

/** One person has at most twenty open. */
afterEach(async () => {
  const { approvals } = harness.gateway;
  for (const { id, principalId } of await approvals.page(undefined, 'open', 100)) {
    // oxlint-disable-next-line no-await-in-loop -- One behind the other.
    await approvals.withdraw(id, principalId, 'the test is over');
  }
});

/** As somebody who passes no gateway. */
async function directly(text: string): Promise<readonly Record<string, unknown>[]> {
  const { host, port, password } = harness.server;
  const client = new Client({ host, port, user: 'postgres', password, database: 'postgres' });
  await client.connect();
  const { rows } = await client.query<Record<string, unknown>>(text);
  await client.end();
  return rows;
}

interface Connected {
  readonly client: Client;
  readonly notices: string[];
}

async function connect(user = 'ana'): Promise<Connected> {
  const { host, port } = harness.gateway.postgres;
  const client = new Client({ host, port, user, password: tokens.get(user), database: 'db' });
  clients.push(client);
  const notices: string[] = [];
  client.on('error', () => undefined);
  client.on('notice', ({ message }) => notices.push(message ?? ''));
  await client.connect();
  return { client, notices };
}

function idIn(text: string | undefined): HoldId | undefined {
  const found = /hld_[0-9a-z]+/i.exec(text ?? '')?.[0];
  return found === undefined ? undefined : parseId('hold', found);
}

async function until<T>(look: () => T | undefined): Promise<T> {
  for (let tries = 0; tries < 300; tries += 1) {
    const found = look();
    if (found !== undefined) return found;
    // oxlint-disable-next-line no-await-in-loop -- It is looked at again.
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('it did not come');
}

async function failure(promise: Promise<unknown>): Promise<DatabaseError | undefined> {
  return promise.then(
    () => undefined,
    (error: DatabaseError) => error,
  );
}

async function vote(id: HoldId, name: string, decision: 'approve' | 'deny' = 'approve') {
  const voter = await harness.gateway.rooms.identity.principals.findByName(name);
  if (voter === undefined) throw new Error(`nobody is called ${name}`);
  return harness.gateway.approvals.vote(id, voter.id, { decision, comment: 'looked at' });
}

/** In a block of the client's, where it is told at once; undefined: it ran. */
async function tryIt(client: Client, text: string, values?: unknown[]): Promise<HoldId | undefined> {
  await client.query('begin');
  const error = await client.query(text, values).then(
    () => undefined,
    (thrown: DatabaseError) => thrown,
  );
  await client.query(error === undefined ? 'commit' : 'rollback');
  if (error === undefined) return undefined;
  const id = idIn(error.message);
  if (id === undefined) throw error;
  return id;
}

/** What it is asked as now, approved. */
async function approved(client: Client, text: string, values?: unknown[]): Promise<HoldId> {
  const id = await tryIt(client, text, values);
  if (id === undefined) throw new Error('it ran');
  expect(await vote(id, 'olga')).toMatchObject({ kind: 'voted' });
  return id;
}

/** Whether it is another request than the approved one, and nothing ran. */
async function isAskedAnew(client: Client, id: HoldId, text: string, values?: unknown[]): Promise<boolean> {
  const other = await tryIt(client, text, values);
  return other !== undefined && other !== id;
}

/** PREPARE is asked about too; somebody took it for harmless. */
async function prepare(client: Client, text: string): Promise<void> {
  const id = await tryIt(client, text);
  if (id === undefined) return;
  await vote(id, 'olga');
  expect(await tryIt(client, text)).toBeUndefined();
}

describe('something else under the same text', () => {
  it('is no prepared statement of the same name', async () => {
    const { client } = await connect();
    await prepare(client, `prepare p as update models set stage = 'fine' where id = 1`);
    const id = await approved(client, 'execute p');
    const { client: other } = await connect();
    await prepare(other, 'prepare p as delete from models');
    expect(await isAskedAnew(other, id, 'execute p')).toBe(true);
    expect(await directly('select count(*)::int n from models')).toEqual([{ n: 5 }]);
    expect(await tryIt(client, 'execute p')).toBeUndefined();
  });

  it('is no view that shows other rows', async () => {
    const { client } = await connect();
    const text = `update models_seen set stage = 'through the view'`;
    const id = await approved(client, text);
    await client.query('create or replace view models_seen as select * from models');
    expect(await isAskedAnew(client, id, text)).toBe(true);
    await client.query('create or replace view models_seen as select * from models where id = 1');
  });

  it('is no rewrite rule that does something else', async () => {
    const { client } = await connect();
    await directly('create or replace rule r as on insert to models_copy do also select 1');
    const text = `insert into models_copy values (1, 'rule')`;
    const id = await approved(client, text);
    await directly('create or replace rule r as on insert to models_copy do also delete from wanted');
    expect(await isAskedAnew(client, id, text)).toBe(true);
    await directly('drop rule r on models_copy');
  });

  it('is no trigger function that does something else', async () => {
    const { client } = await connect();
    const text = `insert into models_copy values (1, 'trigger')`;
    const id = await approved(client, text);
    await directly(
      `create or replace function on_copy() returns trigger language plpgsql as $$ begin delete from wanted; return new; end $$`,
    );
    expect(await isAskedAnew(client, id, text)).toBe(true);
    await directly(
      `create or replace function on_copy() returns trigger language plpgsql as $$ begin return new; end $$`,
    );
  });

  it('is no function that does something else', async () => {
    const { client } = await connect();
    const id = await approved(client, 'select promote()');
    await directly(
      'create or replace function promote() returns int language sql as $$ delete from wanted; select 2 $$',
    );
    expect(await isAskedAnew(client, id, 'select promote()')).toBe(true);
    expect(await directly('select count(*)::int n from wanted')).toEqual([{ n: 1 }]);
  });

  it('is no other table that it reads, by a temporary one or another view', async () => {
    const { client } = await connect();
    const text = 'insert into models_copy select id, stage from source';
    const id = await approved(client, text);
    await client.query(`create or replace view source as select 2 as id, 'other'::text as stage`);
    expect(await isAskedAnew(client, id, text)).toBe(true);
    const second = await approved(client, text);
    await client.query(`create temp table source(id int, stage text)`);
    expect(await isAskedAnew(client, second, text)).toBe(true);
  });

  it('is no table beyond those that are looked at', async () => {
    const { client } = await connect();
    const names = Array.from({ length: 40 }, (_, at) => `many_${at}`);
    await directly(names.map((name) => `create table ${name}(a int)`).join(';'));
    const text = `with ${names.map((name) => `w${name} as (insert into ${name} values (1))`).join(', ')} update models set stage = stage where id = 1`;
    const first = await approved(client, text);
    await directly('drop table many_39; create table many_39(a int)');
    expect(await isAskedAnew(client, first, text)).toBe(true);
  });

  it('is none with more tables than can be bound', async () => {
    const { client } = await connect();
    const names = Array.from({ length: 300 }, (_, at) => `none_${at}`);
    // The target is asked what the text means, and would say that they are not there.
    await directly(names.map((name) => `create table ${name} ()`).join(';'));
    const text = `update models set stage = 'x' where exists (select from ${names.join(', ')})`;
    await client.query('begin');
    await expect(client.query(text)).rejects.toThrow(/approvals.contextMax/);
    await client.query('rollback');
  });

  it.each([
    ['search_path', 'set search_path = pg_temp, public'],
    ['a role', 'set role pg_monitor'],
    ['session_authorization', 'set session authorization other_user'],
    ['a time zone', `set timezone = 'Asia/Tokyo'`],
    ['a function that sets it', `select set_config('datestyle', 'SQL, DMY', false)`],
    ['SET LOCAL', `set local intervalstyle = 'iso_8601'`],
  ])('is not one under %s', async (what, change) => {
    await directly(
      `do $$ begin create role other_user superuser; exception when duplicate_object then null; end $$`,
    );
    const { client } = await connect();
    const text = `update models set stage = session_user || now()::text || '${what}' where id = 2`;
    const id = await approved(client, text);
    await client.query('begin');
    await client.query(change);
    const error = await client.query(text).then(
      () => undefined,
      (thrown: DatabaseError) => thrown,
    );
    await client.query('rollback');
    expect(error).toBeDefined();
    expect(idIn(error?.message)).not.toBe(id);
    await client.end();
  });

  it.each([
    [`update models set stage = 'x' where id = 3 `],
    [`update models set stage = 'x' where id = 3 -- more`],
    [`update  models set stage = 'x' where id = 3`],
    [`update models set stage = 'x' where id = 3; select 1`],
  ])('is not one with other bytes: %s', async (changed) => {
    const { client } = await connect();
    const id = await approved(client, `update models set stage = 'x' where id = 3`);
    expect(await isAskedAnew(client, id, changed)).toBe(true);
    await harness.gateway.approvals.withdraw(id, (await principal('ana')).id, 'over');
  });

  it('is not one with other values, or with none, or of the other protocol', async () => {
    const { client } = await connect();
    const text = 'update models set stage = $1 where id = 4';
    const id = await approved(client, text, ['a']);
    expect(await isAskedAnew(client, id, text, ['b'])).toBe(true);
    expect(await isAskedAnew(client, id, text, [null])).toBe(true);
    expect(await isAskedAnew(client, id, text, [Buffer.from('a')])).toBe(true);
    const plain = `update models set stage = 'y' where id = 4`;
    const simple = await approved(client, plain);
    const config = { text: plain, queryMode: 'extended' };
    await client.query('begin');
    const error = await failure(client.query(config));
    await client.query('rollback');
    expect(idIn(error?.message)).toBeDefined();
    expect(idIn(error?.message)).not.toBe(simple);
  });

  it('is no other person with the same text', async () => {
    const { client } = await connect();
    const text = `update models set stage = 'z' where id = 5`;
    const id = await approved(client, text);
    const { client: bert } = await connect('bert');
    expect(await isAskedAnew(bert, id, text)).toBe(true);
  });
});

async function principal(name: string) {
  const found = await harness.gateway.rooms.identity.principals.findByName(name);
  if (found === undefined) throw new Error(`nobody is called ${name}`);
  return found;
}

/** Runs a COPY, and sends the next of these each time that it is asked for data. */
async function copy(client: Client, text: string, data: string[]): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let message = '';
  const request = {
    submit: (connection: { query(sql: string): void }) => connection.query(text),
    handleCopyInResponse: (connection: { sendCopyFromChunk(chunk: Buffer): void; endCopyFrom(): void }) => {
      connection.sendCopyFromChunk(Buffer.from(data.shift() ?? ''));
      connection.endCopyFrom();
    },
    handleError: (error: Error) => {
      message = error.message;
      resolve(message);
    },
    handleCommandComplete: () => undefined,
    handleReadyForQuery: () => resolve(message),
  };
  client.query(request as never);
  return promise;
}

describe('a transaction that sees what was there when it began', () => {
  it.each([
    ['a simple query', false, 'begin isolation level repeatable read'],
    ['the extended protocol', true, 'begin isolation level serializable'],
  ])('uses no approval, since what a text means may be another by now: %s', async (_, extended, begin) => {
    const { client } = await connect();
    const text = `update models set stage = 'stale' where id = 3`;
    const run = (): Promise<unknown> =>
      extended ? client.query({ text, queryMode: 'extended' } as never) : client.query(text);
    await client.query('begin');
    const id = idIn((await failure(run()))?.message);
    if (id === undefined) throw new Error('it ran');
    await client.query('rollback');
    await vote(id, 'olga');
    await client.query(begin);
    await client.query('select 1');
    await directly(`create function stale() returns trigger language plpgsql as
      $$ begin delete from wanted; return new; end $$;
      create trigger stale before update on models for each row execute function stale()`);
    const error = await failure(run());
    await client.query('rollback');
    await directly('drop trigger stale on models; drop function stale()');
    expect(error?.message).toMatch(/cannot be used: its transaction sees/);
    expect(await directly(`select count(*)::int n from wanted`)).toEqual([{ n: 1 }]);
    // It is there still, for what was approved.
    await client.query('begin');
    await run();
    await client.query('rollback');
  });
});

describe('COPY data', () => {
  it.each([
    ['inside of a transaction', true],
    ['outside of one', false],
  ])('that was approved is the data that is kept: %s', async (_, inside) => {
    const { client } = await connect();
    const text = 'copy models_copy from stdin';
    const run = async (data: string[]): Promise<string> => {
      if (inside) await client.query('begin');
      const said = await copy(client, text, data);
      if (inside) await client.query('commit');
      return said;
    };
    const id = idIn(await run(['900\tgood\n', '900\tgood\n']));
    if (id === undefined) throw new Error('it ran');
    await vote(id, 'olga');
    await run(['901\tbad\n', '901\tbad\n']);
    await run(['900\tgood\n', '901\tbad\n']);
    expect(await directly('select * from models_copy where id = 901')).toEqual([]);
    expect(await directly(`delete from models_copy where id = 900 returning stage`)).toEqual([
      { stage: 'good' },
    ]);
  });
});

describe('while it waits', () => {
  it('what it means may not change', async () => {
    const { client, notices } = await connect();
    const answer = client.query(`update models_seen set stage = 'waited'`).then(
      () => undefined,
      (error: DatabaseError) => error,
    );
    const id = await until(() => idIn(notices.at(-1)));
    await directly('create or replace view models_seen as select * from models');
    await vote(id, 'olga');
    expect((await answer)?.code).toBe('42501');
    expect(await directly(`select * from models where stage = 'waited'`)).toEqual([]);
    await directly('create or replace view models_seen as select * from models where id = 1');
  });

  it('somebody who was disabled after the vote does not count', async () => {
    const { client } = await connect();
    const text = `update models set stage = 'by nobody' where id = 1`;
    const id = await tryIt(client, text);
    if (id === undefined) throw new Error('it ran');
    await vote(id, 'oskar');
    await harness.apply(`
kind: Person
name: oskar
displayName: Oskar Owner
groups: []
`);
    const error = await tryIt(client, text).catch((thrown: DatabaseError) => thrown);
    expect(error).toBeDefined();
    expect(await directly(`select * from models where stage = 'by nobody'`)).toEqual([]);
  });

  it('one approval is used once, of two sessions that come at once', async () => {
    const { client } = await connect();
    const text = `insert into models_copy values (77, 'once')`;
    await approved(client, text);
    const others = await Promise.all([connect(), connect(), connect(), connect()]);
    await Promise.all(others.map(async (other) => tryIt(other.client, text).catch(() => undefined)));
    expect(await directly('select count(*)::int n from models_copy where id = 77')).toEqual([{ n: 1 }]);
  });

  it('two who wait for the same get it once', async () => {
    const one = await connect();
    const two = await connect();
    const text = `insert into models_copy values (78, 'once')`;
    const answers = [one, two].map(async ({ client }) =>
      client.query(text).then(
        () => 'ran',
        () => 'refused',
      ),
    );
    const id = await until(() => idIn(one.notices.at(-1)));
    const same = await until(() => idIn(two.notices.at(-1)));
    expect(same).toBe(id);
    await Promise.all([vote(id, 'olga'), vote(id, 'olga'), vote(id, 'ana')]);
    expect((await Promise.all(answers)).toSorted()).toEqual(['ran', 'refused']);
    expect(await directly('select count(*)::int n from models_copy where id = 78')).toEqual([{ n: 1 }]);
  });

  it('a grant that is withdrawn before its use is none', async () => {
    const { client } = await connect();
    const text = `update models set stage = 'withdrawn' where id = 1`;
    const id = await approved(client, text);
    await harness.gateway.approvals.withdraw(id, (await principal('ana')).id, 'no');
    expect(await isAskedAnew(client, id, text)).toBe(true);
  });

  it('what was rolled back has used its approval', async () => {
    const { client } = await connect();
    const text = `insert into models_copy values (79, 'once')`;
    const id = await approved(client, text);
    await client.query('begin');
    await client.query('savepoint s');
    await client.query(text);
    await client.query('rollback to s');
    const error = await failure(client.query(text));
    expect(idIn(error?.message)).not.toBe(id);
    await client.query('rollback');
  });
});
