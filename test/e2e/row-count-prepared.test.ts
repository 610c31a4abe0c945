/** The count stays prepared at the target, under a name that anybody can read, and is believed only as itself. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { close, parse, query, SYNC } from '../differential/frames.ts';
import { WireClient } from '../differential/wire-client.ts';
import { requirePresent } from '../real/require-present.ts';
import { type Harness, startHarness } from './harness.ts';

const DEBIAN = '/usr/lib/postgresql/15/bin';
const VERSIONS = [
  { version: 'embedded', major: 18 },
  { version: DEBIAN, major: 15 },
];

const RULES = `
kind: Access
name: search-team
who: [group:search]
to: [db]
may: [read, write, export, define, maintain, grant, run, administer, unknown]
---
kind: Rule
name: bulk
when: { writes: [scores], rows: '>= 100' }
then: block
---
kind: Rule
name: nothing-much
when: { rows: '>= 1000' }
then: block
`;

/** Puts an answer in the place of the count that says that nothing was written. */
const SCHEMA = `
create table scores(id int, score int);
create table other(id int);
create function drop_count() returns void language plpgsql as $$
declare n text;
begin
  for n in select name from pg_prepared_statements where name like '%count' loop
    execute format('deallocate %I', n);
  end loop;
end$$;
create function forge() returns void language plpgsql as $$
declare n text;
begin
  for n in select name from pg_prepared_statements where name like '%count' loop
    execute format('deallocate %I', n);
    execute format('prepare %I(oid[]) as select ''state'', ''on'', transaction_timestamp()::text, null, null, null', n);
  end loop;
end$$;
create function forging() returns trigger language plpgsql as $$begin perform forge(); return null; end$$;
create table forged(id int);
create trigger forging after insert on forged execute function forging();
`;

const WRITES = 'insert into scores select g, 9 from generate_series(1, 5000) g';
const SMALL = 'insert into scores values (1, 1)';

const PROTOCOLS = ['simple', 'extended'] as const;

describe.each(VERSIONS)('the prepared count, PostgreSQL $major', ({ version }) => {
  const present = version !== DEBIAN || requirePresent('PostgreSQL 15', existsSync(join(DEBIAN, 'postgres')));
  let harness: Harness;
  let direct: Client;
  let client: Client;
  let token: string;

  beforeAll(async () => {
    if (!present) return;
    harness = await startHarness({ postgres: { version, settings: { fsync: 'off' } } });
    const { host, port, password } = harness.server;
    direct = new Client({ host, port, user: 'postgres', password, database: 'postgres' });
    await direct.connect();
    await direct.query(SCHEMA);
    token = await harness.token('ana');
    await harness.apply(RULES);
  }, 180_000);

  beforeEach(async () => {
    if (!present) return;
    const { host, port } = harness.gateway.postgres;
    client = new Client({ host, port, user: 'ana', password: token, database: 'db' });
    await client.connect();
  });

  afterEach(async () => {
    await client?.end();
    await direct?.query('truncate scores');
  });

  afterAll(async () => {
    await direct?.end();
    await harness?.[Symbol.asyncDispose]();
  });

  async function rows(): Promise<number> {
    const found = await direct.query<{ n: number }>('select count(*)::int n from scores');
    return found.rows[0]?.n ?? -1;
  }

  function run(how: (typeof PROTOCOLS)[number], text: string): Promise<unknown> {
    return client.query({ text, ...(how === 'extended' ? { queryMode: 'extended' } : {}) });
  }

  async function nameOfCount(): Promise<string> {
    const found = await client.query<{ name: string }>(
      `select name from pg_prepared_statements where name like '%count'`,
    );
    return found.rows[0]?.name ?? '';
  }

  describe.each(PROTOCOLS)('%s', (how) => {
    it.skipIf(!present)('is prepared once', async () => {
      await run(how, SMALL);
      const timeOf = `select prepare_time::text t from pg_prepared_statements where name like '%count'`;
      const first = await client.query<{ t: string }>(timeOf);
      await run(how, SMALL);
      await run('simple', 'begin');
      await run(how, SMALL);
      await run('simple', 'commit');
      const second = await client.query<{ t: string }>(timeOf);
      expect(first.rows).toHaveLength(1);
      expect(second.rows).toEqual(first.rows);
      expect(await rows()).toBe(3);
    });

    it.skipIf(!present).each(['deallocate all', 'discard all'])('comes again after %s', async (text) => {
      await run(how, SMALL);
      await run(how, text);
      await run(how, SMALL);
      await run(how, text);
      await expect(run(how, WRITES)).rejects.toMatchObject({ code: '42501' });
      expect(await rows()).toBe(2);
    });

    it.skipIf(!present)('comes again where a transaction drops all names', async () => {
      await run(how, SMALL);
      await run('simple', 'begin');
      await run(how, SMALL);
      await run(how, 'deallocate all');
      await run(how, SMALL);
      await run('simple', 'commit');
      expect(await rows()).toBe(3);
    });

    it.skipIf(!present)('stops one statement where a function has dropped it', async () => {
      await run(how, SMALL);
      await expect(run(how, 'select drop_count()')).rejects.toMatchObject({ code: '26000' });
      await run(how, SMALL);
      await expect(run(how, WRITES)).rejects.toMatchObject({ code: '42501' });
      expect(await rows()).toBe(2);
    });

    it.skipIf(!present).each([
      ['a function', 'select forge()'],
      ['a trigger', 'insert into forged values (1)'],
      ['a DO', 'do $$begin perform forge(); end$$'],
    ])('is not believed where %s has put another in its place', async (_, text) => {
      await run(how, SMALL);
      await run('simple', 'begin');
      await expect(run(how, text)).rejects.toMatchObject({ code: '58030' });
      await run('simple', 'rollback');
      await run(how, SMALL);
      await run('simple', 'begin');
      await run(how, WRITES.replace('5000', '50'));
      await expect(run(how, text)).rejects.toMatchObject({ code: '58030' });
      await run('simple', 'commit');
      expect(await rows()).toBe(2);
    });

    it.skipIf(!present)('is not believed where the one in its place comes with what it hides', async () => {
      await run(how, SMALL);
      const hidden = `do $$begin perform forge(); ${WRITES}; end$$`;
      await expect(run(how, hidden)).rejects.toMatchObject({ code: '58030' });
      expect(await rows()).toBe(1);
    });

    it.skipIf(!present)('is not believed where SQL has put another in its place', async () => {
      await run(how, SMALL);
      const name = await nameOfCount();
      expect(name).not.toBe('');
      await run(how, `deallocate "${name}"`);
      await run(
        how,
        `prepare "${name}" as select 'state', 'on', transaction_timestamp()::text, null, null, null`,
      );
      await run(how, WRITES).catch(() => undefined);
      expect(await rows()).toBe(1);
    });

    it.skipIf(!present)('is not believed where the protocol has put another in its place', async () => {
      await run(how, SMALL);
      const name = await nameOfCount();
      await run(how, `deallocate "${name}"`);
      await client.query({
        name,
        text: `select 'state', 'on', transaction_timestamp()::text, null, null, null::text[] where $1::oid[] is not null`,
        values: ['{}'],
      });
      await run(how, WRITES).catch(() => undefined);
      await run(how, WRITES).catch(() => undefined);
      expect(await rows()).toBe(1);
    });
  });

  it.skipIf(!present)('is not believed where its own text stands there with other types', async () => {
    const { port } = harness.gateway.postgres;
    const peer = await WireClient.login({ port, user: 'ana', database: 'db', password: token });
    const send = async (...bytes: readonly Uint8Array[]): Promise<readonly string[]> => {
      const before = peer.frames.length;
      peer.send(Buffer.concat(bytes));
      await peer.wait('Z', 1);
      const came = peer.frames.slice(before);
      return came.filter(({ type }) => 'ED'.includes(type)).map(({ body }) => body.toString());
    };
    expect(await send(query(SMALL))).toEqual([]);
    const [row = ''] = await send(
      query(`select name, '|', statement from pg_prepared_statements where name like '%count'`),
    );
    const [, name = '', text = ''] = /(countersign .* count)\W+\|[^W]+(WITH .*)$/s.exec(row) ?? [];
    const types = [25];
    expect(await send(close('S', name), parse(name, text, types), SYNC)).toEqual([]);
    const [error] = await send(query(SMALL));
    expect(error).toContain('another statement stands in the place of the count');
    expect(await rows()).toBe(1);
    expect(await send(query(SMALL))).toEqual([]);
    expect(await rows()).toBe(2);
    peer.endWriting();
    await peer.waitClosed();
  });
});
