/** Tries to get more rows than a bound allows: by statements, by cursors, by the protocol, by time. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text as textOf } from 'node:stream/consumers';
import type { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { directly, through } from './clients.ts';
import {
  errorIn,
  type FrameClient,
  frameClient,
  type ReceivedFrame,
  rowsIn,
  statusIn,
} from './frame-client.ts';
import { type Harness, startHarness } from './harness.ts';
import { bind, execute, parse, query, SYNC } from './raw-session.ts';
import { DOCUMENTS } from './returned-cases.ts';
import { ALL, FLIGHTS, TEXTS } from './returned-tries.ts';

const BOUND = 10;
const RULES = `
kind: Access
name: search-team
who: [group:search]
to: [db, db-asked]
may: [read, write, export, define, run, unknown]
---
kind: Rule
name: few
when: { reads: [documents], returned: '> ${BOUND}' }
then: block
---
kind: Rule
name: bulk
when: { writes: [notes], rows: '>= 100' }
then: block
---
kind: Person
name: root
displayName: Root
groups: [administrators]
`;

let harness: Harness;
let token: string;
let direct: Client;

beforeAll(async () => {
  harness = await startHarness();
  token = await harness.token('ana');
  const { host, port } = harness.server;
  direct = await directly(harness);
  await direct.query(DOCUMENTS);
  await harness.apply(`
kind: Connection
name: db-asked
protocol: postgres
target: { host: ${host}, port: ${port}, database: postgres, tls: disable }
credential: { user: postgres, password: { env: DB_PASSWORD } }
---
kind: Connection
name: db
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

function address(database = 'db') {
  return { ...harness.gateway.postgres, user: 'ana', password: token, database };
}

async function withClient(use: (client: FrameClient) => Promise<void>, database?: string): Promise<void> {
  const client = await frameClient(address(database));
  try {
    await use(client);
    await client.query('rollback');
    expect(rowsIn(await client.query('select 1'))).toBe(1);
  } finally {
    await client.close();
  }
}

/** Query after query, whatever comes. */
async function texts(client: FrameClient, all: readonly string[]): Promise<readonly ReceivedFrame[]> {
  const frames: ReceivedFrame[] = [];
  for (const text of all) frames.push(...(await client.query(text)));
  return frames;
}

describe('more rows than a bound allows are not got', () => {
  it.each(TEXTS)('%s', async (_, all) => {
    await direct.query('call reset()');
    await withClient(async (client) => {
      const frames = await texts(client, all);
      expect(rowsIn(frames)).toBeLessThanOrEqual(BOUND);
      expect(frames.map((one) => errorIn([one])?.message).join()).toContain(
        `"few" (version 1): more than ${BOUND} rows are returned`,
      );
    });
  });

  it.each(FLIGHTS)('%s', async (_, flights) => {
    await direct.query('call reset()');
    await withClient(async (client) => {
      let most = 0;
      for (const flight of flights) {
        const readies = flight.filter(([type]) => type === 0x51 || type === 0x53).length;
        most += rowsIn(await client.send(flight, readies));
      }
      // The two statements of the last but one are two transactions.
      expect(most).toBeLessThanOrEqual(BOUND + 1);
    });
  });

  it('of two Queries in one flight the second is its own transaction, and is answered', async () => {
    await withClient(async (client) => {
      const frames = await client.send([query(ALL), query('select 7 as seven')], 2);
      expect(rowsIn(frames)).toBe(BOUND + 1);
      expect(frames.map(({ type }) => type).join('')).toBe(`T${'D'.repeat(BOUND)}EZTDCZ`);
    });
  });

  it('what a pipeline did before is undone, and says so in the ledger', async () => {
    await direct.query('call reset()');
    await withClient(async (client) => {
      const frames = await client.send([
        parse('', 'insert into notes values (70)'),
        bind('', ''),
        execute(),
        parse('', ALL),
        bind('', ''),
        execute(),
        parse('', 'insert into notes values (71)'),
        bind('', ''),
        execute(),
        SYNC,
      ]);
      expect(errorIn(frames)?.code).toBe('42501');
      expect(statusIn(frames)).toBe('I');
      expect((await direct.query('select * from notes')).rows).toEqual([]);
    });
  });

  it('what a pipeline has counted before is undone too, and the next one begins anew', async () => {
    await direct.query('call reset()');
    await withClient(async (client) => {
      const insert = [parse('', 'insert into notes values (80)'), bind('', ''), execute()];
      const few = [parse('', 'select id from documents where id <= 6'), bind('', ''), execute()];
      const frames = await client.send([...insert, ...few, ...insert, ...few, ...insert, SYNC]);
      expect(frames.map(({ type }) => type).join('')).toBe(`12C12${'D'.repeat(6)}C12C12${'D'.repeat(4)}EZ`);
      expect(errorIn(frames)?.message).toMatch(/"few"/);
      expect((await direct.query('select * from notes')).rows).toEqual([]);
      const again = await client.send([...insert, ...few, SYNC]);
      expect(errorIn(again)).toBeUndefined();
      expect(rowsIn(again)).toBe(6);
      expect((await direct.query('select * from notes')).rows).toEqual([{ id: 80 }]);
    });
  });

  it('a result without end is cancelled at the target, outside and inside of a transaction', async () => {
    const endless = 'select d.*, generate_series(1, 100000000) from documents d';
    await withClient(async (client) => {
      for (const before of ['select 1', 'begin']) {
        await client.query(before);
        const frames = await client.query(endless);
        expect(rowsIn(frames)).toBe(BOUND);
        expect(errorIn(frames)?.message).toMatch(/^Blocked by rule "few"/);
        expect(statusIn(frames)).toBe(before === 'begin' ? 'E' : 'I');
        await client.query('rollback');
      }
      const frames = await client.send([parse('', endless), bind('', ''), execute(), SYNC]);
      expect(rowsIn(frames)).toBe(BOUND);
      expect(statusIn(frames)).toBe('I');
    });
    const { rows } = await direct.query(
      `select count(*)::int n from pg_stat_activity where query like '%generate_series(1, 1000%' and state = 'active' and pid <> pg_backend_pid()`,
    );
    expect(rows).toEqual([{ n: 0 }]);
  }, 60_000);

  it('nor by a text that is too long to be inspected', async () => {
    const long = `select * from documents order by id -- ${'x'.repeat(1_100_000)}`;
    await withClient(async (client) => {
      const simple = await client.query(long);
      expect(rowsIn(simple)).toBe(0);
      expect(errorIn(simple)).toMatchObject({ code: '42501' });
      const extended = await client.send([parse('', long), bind('', ''), execute(), SYNC]);
      expect(rowsIn(extended)).toBe(0);
      expect(errorIn(extended)?.message).toMatch(/"few" .* more than 10 rows are returned/);
    });
  });

  it('a row of many megabytes beyond the bound is withheld as a whole, and one within it is not', async () => {
    await withClient(async (client) => {
      const large = `select repeat('x', case when id in (3, ${BOUND + 1}) then 30000000 else 1 end) from documents order by id`;
      const frames = await client.query(large);
      expect(rowsIn(frames)).toBe(BOUND);
      expect(frames.filter(({ body }) => body.length > 1_000_000)).toHaveLength(1);
      expect(errorIn(frames)?.code).toBe('42501');
    });
  }, 60_000);

  it('neither psql nor pg sees the row that is one too many', async () => {
    const { host, port } = harness.gateway.postgres;
    const run = async (args: readonly string[]): Promise<readonly [string, string]> => {
      const child = spawn('psql', ['-X', '-A', '-t', ...args], {
        env: {
          ...process.env,
          PGHOST: host,
          PGPORT: String(port),
          PGUSER: 'ana',
          PGPASSWORD: token,
          PGDATABASE: 'db',
        },
      });
      const [out, said] = await Promise.all([
        textOf(child.stdout),
        textOf(child.stderr),
        once(child, 'close'),
      ]);
      return [out, said];
    };
    for (const args of [
      ['-c', 'select title from documents order by id'],
      ['-v', 'FETCH_COUNT=4', '-c', 'select title from documents order by id'],
      ['-c', '\\copy (select title from documents order by id) to stdout'],
    ]) {
      const [out, said] = await run(args);
      expect(out).not.toContain(`title ${BOUND + 1}`);
      expect(said).toMatch(/ERROR: {2}Blocked by rule "few" \(version 1\): more than 10 rows are returned/);
      expect(said).toMatch(/HINT: {2}The rows beyond are withheld/);
    }
    const client = await through(harness, token);
    for (const parameters of [undefined, [40]]) {
      const seen: unknown[] = [];
      const text = parameters === undefined ? ALL : 'select * from documents where id <= $1 order by id';
      const failed = client.query(text, parameters).then((result) => seen.push(...result.rows));
      await expect(failed).rejects.toMatchObject({ code: '42501' });
      expect(seen).toEqual([]);
      expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    }
    await client.end();
  });

  it('the recording has what was delivered, and nothing beyond', async () => {
    const client = await frameClient(address());
    await client.query(`select 'recorded ' || id from documents order by id`);
    await client.send([
      parse('', `select 'extended ' || id from documents order by id`),
      bind('', ''),
      execute(),
      SYNC,
    ]);
    await client.query(`update documents set body = body returning 'returned ' || id`);
    await client.close();
    const log = await harness.finishedLog();
    const session = log.findLast(({ leaf }) => leaf.type === 'session.end')?.leaf.session ?? '';
    const { host, port } = harness.gateway.api;
    const replay = await fetch(`http://${host}:${port}/v1/sessions/${session}/replay?reason=test`, {
      headers: { authorization: `Bearer ${await harness.token('root')}` },
    });
    const shown = await replay.text();
    expect(replay.status).toBe(200);
    expect(shown).toContain(`recorded ${BOUND}"`);
    expect(shown).toContain(`extended ${BOUND}"`);
    expect(shown).not.toMatch(new RegExp(`(?:recorded|extended) ${BOUND + 1}"`));
    expect(shown).not.toMatch(/returned \d/);
    const outcomes = log.filter(({ leaf }) => leaf.session === session && leaf.type === 'statement.outcome');
    expect(outcomes.map(({ leaf, body }) => [leaf.status, body['rows']])).toEqual([
      ['blocked', BOUND],
      ['blocked', BOUND],
      ['blocked', 0],
    ]);
  });
});

describe('what is not counted', () => {
  it.each([
    ['another table', 'select * from other'],
    ['a view, where nobody asks the server', 'select * from shown'],
    ['rows that a query packs into one', `select json_agg(d) from documents d`],
    ['rows that go to another table', 'insert into notes select id from documents'],
    ['a plan', 'explain (costs off) select * from documents'],
  ])('%s', async (_, text) => {
    await withClient(async (client) => {
      expect(errorIn(await client.query(text))).toBeUndefined();
    });
    await direct.query('call reset()');
  });

  it('a view is seen through where the server is asked', async () => {
    await withClient(async (client) => {
      for (const flight of [
        [query('select * from shown order by id')],
        [parse('', 'select * from shown order by id'), bind('', ''), execute(), SYNC],
      ]) {
        const frames = await client.send(flight);
        expect(rowsIn(frames)).toBe(BOUND);
        expect(errorIn(frames)?.message).toMatch(/"few"/);
      }
    }, 'db-asked');
  });

  it('a cursor on another table', async () => {
    await withClient(async (client) => {
      const frames = await texts(client, [
        'begin',
        'declare o cursor for select * from other',
        'fetch 90 from o',
        'commit',
      ]);
      expect(rowsIn(frames)).toBe(90);
      expect(errorIn(frames)).toBeUndefined();
    });
  });

  it('a cursor that is declared again begins again', async () => {
    await withClient(async (client) => {
      for (let run = 0; run < 3; run += 1) {
        const frames = await texts(client, [
          'begin',
          `declare c cursor with hold for ${ALL}`,
          'commit',
          'fetch 8 from c',
          'close c',
        ]);
        expect(errorIn(frames)).toBeUndefined();
        expect(rowsIn(frames)).toBe(8);
      }
    });
  });
});
