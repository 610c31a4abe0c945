/** Rows beyond a bound that holds: they are withheld, people are asked, and the identical statement passes once. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text as textOf } from 'node:stream/consumers';
import { Client, type DatabaseError } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HoldId, parseId } from '../../packages/gateway/src/core/ids.ts';
import { errorIn, type FrameClient, frameClient, rowsIn, statusIn } from './frame-client.ts';
import { type Harness, startHarness } from './harness.ts';
import { DOCUMENTS, flightsOf } from './returned-cases.ts';

const RULES = `
kind: Access
name: search-team
who: [group:search]
to: [db]
may: [read, write, export, define, run, unknown]
---
kind: Person
name: olga
displayName: Olga Owner
groups: [owners]
---
kind: Group
name: owners
members: []
---
kind: Rule
name: rr-export
when: { reads: [documents], returned: '> 10' }
then: { hold: { approvers: [group:owners], reason: required } }
---
kind: Rule
name: never
when: { reads: [other], returned: '> 50' }
then: block
`;

let harness: Harness;
let token: string;
let direct: Client;

beforeAll(async () => {
  harness = await startHarness();
  token = await harness.token('ana');
  const { host, port, password } = harness.server;
  direct = new Client({ host, port, user: 'postgres', password, database: 'postgres' });
  await direct.connect();
  await direct.query(DOCUMENTS);
  await harness.apply(RULES);
}, 60_000);

afterAll(async () => {
  await direct?.end();
  await harness?.[Symbol.asyncDispose]();
});

function address() {
  return { ...harness.gateway.postgres, user: 'ana', password: token, database: 'db' };
}

function idIn(text: string | undefined): HoldId {
  const found = /hld_[0-9a-z]+/i.exec(text ?? '')?.[0] ?? '';
  const id = parseId('hold', found);
  if (id === undefined) throw new Error(`no hold in "${text}"`);
  return id;
}

async function approve(id: HoldId): Promise<void> {
  const olga = await harness.gateway.rooms.identity.principals.findByName('olga');
  if (olga === undefined) throw new Error('nobody is called olga');
  const vote = { decision: 'approve', comment: 'for the yearly audit' } as const;
  expect(await harness.gateway.approvals.vote(id, olga.id, vote)).toMatchObject({ kind: 'voted' });
}

async function holdsAsked(): Promise<number> {
  return (await harness.log()).filter(({ leaf }) => leaf.type === 'hold.asked').length;
}

async function withClient(use: (client: FrameClient) => Promise<void>): Promise<void> {
  const client = await frameClient(address());
  try {
    await use(client);
  } finally {
    await client.close();
  }
}

const ALL = 'select * from documents order by id';

describe('a bound that holds', () => {
  it.each([
    ['simple', ALL],
    ['extended', ALL],
    ['in portions', ALL],
    ['in one pipeline', ALL],
    ['simple', 'copy documents to stdout'],
    ['extended', 'copy documents to stdout (format binary)'],
    ['simple', `${ALL}; select 1`],
  ] as const)('%s: %s', async (way, text) => {
    await withClient(async (client) => {
      const [flight = []] = flightsOf([text], way);
      const first = await client.send(flight);
      expect(rowsIn(first)).toBe(10);
      expect(errorIn(first)).toMatchObject({ code: '42501' });
      expect(errorIn(first)?.message).toMatch(
        /^Held by rule "rr-export" \(version 1\): more than 10 rows are returned. Approval hld_\w+ is asked for.$/,
      );
      expect(errorIn(first)?.hint).toContain('send exactly the same again');
      expect(statusIn(first)).toBe('I');
      const id = idIn(errorIn(first)?.message);

      // Nobody has approved it: the same again is bounded again, and is no second request.
      const asked = await holdsAsked();
      const again = await client.send(flight);
      expect(rowsIn(again)).toBe(10);
      expect(idIn(errorIn(again)?.message)).toBe(id);
      expect(await holdsAsked()).toBe(asked);

      await approve(id);
      const granted = await client.send(flight);
      expect(errorIn(granted)).toBeUndefined();
      expect(rowsIn(granted)).toBe(text.includes(';') ? 41 : 40);

      // It was used.
      const later = await client.send(flight);
      expect(rowsIn(later)).toBe(10);
      const next = idIn(errorIn(later)?.message);
      expect(next).not.toBe(id);
    });
  });

  it('is for the statement that was approved, and for no other', async () => {
    await withClient(async (client) => {
      const id = idIn(errorIn(await client.query('select id from documents order by id'))?.message);
      await approve(id);
      const other = await client.query('select body from documents order by id');
      expect(rowsIn(other)).toBe(10);
      expect(idIn(errorIn(other)?.message)).not.toBe(id);
      expect(rowsIn(await client.query('select id from documents order by id'))).toBe(40);
    });
  });

  it("fails the client's transaction, and passes in one when it was approved", async () => {
    await withClient(async (client) => {
      const text = 'select title from documents order by id';
      await client.query('begin');
      await client.query('insert into notes values (7)');
      const first = await client.query(text);
      expect(rowsIn(first)).toBe(10);
      expect(statusIn(first)).toBe('E');
      expect(errorIn(await client.query('select 1'))?.code).toBe('25P02');
      expect(statusIn(await client.query('commit'))).toBe('I');
      expect((await direct.query('select * from notes')).rows).toEqual([]);
      await approve(idIn(errorIn(first)?.message));
      await client.query('begin');
      const granted = await client.query(text);
      expect(errorIn(granted)).toBeUndefined();
      expect(rowsIn(granted)).toBe(40);
      expect(statusIn(granted)).toBe('T');
      // What was granted is one statement, and not the rest of the transaction.
      expect(rowsIn(await client.query('select body from documents order by id'))).toBe(10);
      await client.query('rollback');
    });
  });

  it('has a client wait where its rows would have to be undone, and nothing of it is open', async () => {
    const client = new Client(address());
    const notices: string[] = [];
    client.on('notice', ({ message }) => notices.push(message ?? ''));
    await client.connect();
    const answer = client.query(`update documents set title = 'new' where id <= 12 returning id`);
    while (notices.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(notices[0]).toMatch(/^Held by rule "rr-export" \(version 1\): more than 10 rows are returned/);
    expect((await direct.query(`select count(*)::int n from documents where title = 'new'`)).rows).toEqual([
      { n: 0 },
    ]);
    await approve(idIn(notices[0]));
    expect((await answer).rows).toHaveLength(12);
    expect((await direct.query(`select count(*)::int n from documents where title = 'new'`)).rows).toEqual([
      { n: 12 },
    ]);
    await client.end();
    await direct.query('call reset()');
  });

  it('is beaten by a rule that blocks', async () => {
    await withClient(async (client) => {
      const asked = await holdsAsked();
      const frames = await client.query(
        'select o.id from other o left join documents d using (id) order by 1',
      );
      // Eleven rows are too many for the one that holds, before the one that blocks has a say.
      expect(errorIn(frames)?.message).toMatch(/^Held by rule "rr-export"/);
      await approve(idIn(errorIn(frames)?.message));
      const granted = await client.query(
        'select o.id from other o left join documents d using (id) order by 1',
      );
      expect(rowsIn(granted)).toBe(50);
      expect(errorIn(granted)?.message).toMatch(
        /^Blocked by rule "never" \(version 1\): more than 50 rows are returned. Those up to there were delivered.$/,
      );
      expect(await holdsAsked()).toBe(asked + 1);
    });
  });

  it('says in the ledger what was delivered, and of a used grant how that went', async () => {
    await withClient(async (client) => {
      const text = 'select id, 1 as marked from documents order by id';
      const first = await client.query(text);
      await approve(idIn(errorIn(first)?.message));
      await client.query(text);
    });
    const log = await harness.log();
    const intents = log.filter(
      ({ leaf, body }) =>
        leaf.type === 'statement.intent' && JSON.stringify(body['sql'] ?? '').includes('marked'),
    );
    const outcomes = intents.map(({ leaf }) =>
      log.find((other) => other.leaf.type === 'statement.outcome' && other.leaf.ref === leaf.n),
    );
    expect(outcomes.map((one) => one?.leaf.status)).toEqual(['blocked', 'ok']);
    expect(outcomes[0]?.body).toMatchObject({
      rows: 10,
      sqlstate: '42501',
      rows_withheld: { rule: 'rr-export', version: 1, allowed: 10 },
    });
    expect(outcomes[0]?.body['tags']).toBeUndefined();
    expect(outcomes[1]?.body).toMatchObject({ rows: 40, tags: ['SELECT 40'] });
    expect(outcomes[1]?.body['rows_withheld']).toBeUndefined();
    const taken = log.findLast(({ leaf }) => leaf.type === 'hold.taken');
    expect(taken?.body['intent_leaf']).toBe(intents[1]?.leaf.n);
    expect(log.findLast(({ leaf }) => leaf.type === 'hold.executed')?.leaf.status).toBe('ok');
  });

  it('names itself in psql, which shows no row beyond', async () => {
    const { host, port } = harness.gateway.postgres;
    const child = spawn('psql', ['-X', '-A', '-t', '-c', `select 'mark ' || id from documents order by id`], {
      env: {
        ...process.env,
        PGHOST: host,
        PGPORT: String(port),
        PGUSER: 'ana',
        PGPASSWORD: token,
        PGDATABASE: 'db',
      },
    });
    const [out, said] = await Promise.all([textOf(child.stdout), textOf(child.stderr), once(child, 'close')]);
    expect(said).toMatch(/^ERROR: {2}Held by rule "rr-export"/m);
    expect(said).toMatch(/^HINT: /m);
    expect(out).not.toContain('mark 11');
  });

  it('says nothing to a statement within it, and asks nobody', async () => {
    const client = new Client(address());
    await client.connect();
    const asked = await holdsAsked();
    expect((await client.query('select * from documents where id <= $1', [10])).rows).toHaveLength(10);
    expect((await client.query('select * from documents limit 10')).rows).toHaveLength(10);
    const error = await client
      .query('select * from documents where id <= $1', [11])
      .catch((thrown: DatabaseError) => thrown);
    expect(error).toMatchObject({ code: '42501' });
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    expect(await holdsAsked()).toBe(asked + 1);
    await client.end();
  });
});
