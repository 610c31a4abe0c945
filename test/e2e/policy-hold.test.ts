/** A risky statement waits for somebody else, bound to exactly what will run, and runs once. */

import { spawn } from 'node:child_process';
import { Client, type DatabaseError } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HoldId, parseId } from '../../packages/gateway/src/core/ids.ts';
import { type Harness, startHarness } from './harness.ts';

let harness: Harness;
let token: string;

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
kind: Group
name: owners
members: [ana]
---
kind: Rule
name: bulk
when: { writes: [scores], rows: '>= 100' }
then: { hold: { approvers: [group:owners], expires: 1m } }
---
kind: Rule
name: models
when: { writes: [models] }
then: { hold: { approvers: [group:owners] } }
---
kind: Rule
name: definitions
when: { effects: [define] }
then: { hold: { approvers: [group:owners], count: 2 } }
`;

beforeAll(async () => {
  harness = await startHarness();
  token = await harness.token('ana');
  const direct = await directly();
  await direct.query(`
    create table scores(id int primary key, score int);
    insert into scores select g, 0 from generate_series(1, 500) g;
    create table models(id int primary key, stage text);
    insert into models values (1, 'staging');
    create schema other;
    create table other.scores(id int primary key, score int);
  `);
  await direct.end();
  await harness.apply(RULES);
}, 60_000);

afterAll(() => harness?.[Symbol.asyncDispose]());

async function directly(): Promise<Client> {
  const { host, port, password } = harness.server;
  const client = new Client({ host, port, user: 'postgres', password, database: 'postgres' });
  await client.connect();
  return client;
}

interface Waiting {
  readonly client: Client;
  /** Each notice. */
  readonly notices: string[];
  /** Of each. */
  readonly details: string[];
}

async function connect(): Promise<Waiting> {
  const { host, port } = harness.gateway.postgres;
  const client = new Client({ host, port, user: 'ana', password: token, database: 'db' });
  const notices: string[] = [];
  const details: string[] = [];
  client.on('error', () => undefined);
  client.on('notice', (notice) => {
    notices.push(notice.message ?? '');
    details.push(notice.detail ?? '');
  });
  await client.connect();
  return { client, notices, details };
}

async function one<T>(look: () => Promise<T | undefined> | T | undefined): Promise<T> {
  for (let tries = 0; tries < 200; tries += 1) {
    const found = await look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('it did not come');
}

function idIn(text: string): HoldId | undefined {
  const found = /hld_[0-9a-z]+/i.exec(text)?.[0];
  return found === undefined ? undefined : parseId('hold', found);
}

async function principalId(name: string) {
  const principal = await harness.gateway.rooms.identity.principals.findByName(name);
  if (principal === undefined) throw new Error(`nobody is called ${name}`);
  return principal.id;
}

async function vote(id: HoldId, name: string, decision: 'approve' | 'deny' = 'approve') {
  return harness.gateway.approvals.vote(id, await principalId(name), { decision, comment: 'looked at' });
}

async function count(where: string): Promise<number> {
  const direct = await directly();
  const { rows } = await direct.query<{ n: string }>(`select count(*) n from scores where ${where}`);
  await direct.end();
  return Number(rows[0]?.n);
}

async function failure(promise: Promise<unknown>): Promise<DatabaseError> {
  return promise.then(
    () => {
      throw new Error('it ran');
    },
    (error: DatabaseError) => error,
  );
}

describe('a client that waits', () => {
  it.each([
    ['in a simple query', undefined],
    ['in the extended protocol', [1]],
  ])('gets its answer when somebody else has approved, once: %s', async (_, values) => {
    const { client, notices, details } = await connect();
    const text = values === undefined ? 'update scores set score = 1' : 'update scores set score = $1';
    const answer = values === undefined ? client.query(text) : client.query(text, values);
    const id = await one(() => idIn(notices.at(-1) ?? ''));
    expect(notices.at(-1)).toMatch(/^Held by rule "bulk" \(version 1\): 500 rows are written/);
    expect(details.at(-1)).toMatch(new RegExp(`^It waits for 1 of: .*/v1/approvals/${id}$`));
    expect(await count('score = 1')).toBe(0);
    expect(await vote(id, 'ana')).toMatchObject({ kind: 'refused' });
    expect(await count('score = 1')).toBe(0);
    await vote(id, 'olga');
    expect((await answer).rowCount).toBe(500);
    expect(await count('score = 1')).toBe(500);
    // It was used: the same again is asked again.
    const again = failure(values === undefined ? client.query(text) : client.query(text, values));
    const second = await one(() => (notices.length > 1 ? idIn(notices.at(-1) ?? '') : undefined));
    expect(second).not.toBe(id);
    await vote(second, 'olga', 'deny');
    expect((await again).message).toMatch(/denied by olga/);
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    await client.end();
    const direct = await directly();
    await direct.query('update scores set score = 0');
    await direct.end();
  });

  it('holds no locks meanwhile', async () => {
    const { client, notices } = await connect();
    const answer = failure(client.query('update scores set score = $1', [2]));
    const id = await one(() => idIn(notices.at(-1) ?? ''));
    const direct = await directly();
    const { rows } = await direct.query(
      `select mode from pg_locks where relation = 'scores'::regclass and pid <> pg_backend_pid()`,
    );
    expect(rows).toEqual([]);
    const { rows: states } = await direct.query(
      `select state from pg_stat_activity where pid <> pg_backend_pid() and backend_type = 'client backend' and usename = 'postgres'`,
    );
    expect(states.map(({ state }) => state)).not.toContain('idle in transaction');
    await direct.end();
    await vote(id, 'olga', 'deny');
    await answer;
    await client.end();
  });

  it('needs as many distinct people as the rule says', async () => {
    const { client, notices } = await connect();
    let done = false;
    const answer = client.query('create table needs_two(a int)').then(() => (done = true));
    const id = await one(() => idIn(notices.at(-1) ?? ''));
    await vote(id, 'olga');
    await vote(id, 'olga');
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(done).toBe(false);
    await vote(id, 'oskar');
    await answer;
    await client.query('select * from needs_two');
    await client.end();
  });

  it('asks once for a statement that a rule without a bound holds', async () => {
    const { client, notices } = await connect();
    const answer = client.query(`update models set stage = 'production'`);
    const id = await one(() => idIn(notices.at(-1) ?? ''));
    await vote(id, 'olga');
    expect((await answer).rowCount).toBe(1);
    expect(notices).toHaveLength(1);
    await client.end();
  });

  it('runs nothing where it writes more than was approved by then', async () => {
    const { client, notices } = await connect();
    const answer = client.query('update scores set score = 3 where score = 0');
    const id = await one(() => idIn(notices.at(-1) ?? ''));
    const direct = await directly();
    await direct.query('insert into scores select g, 0 from generate_series(2001, 2010) g');
    await vote(id, 'olga');
    // Ten rows more than was approved: it is asked again, with the new number.
    const second = await one(() => (notices.length > 1 ? idIn(notices.at(-1) ?? '') : undefined));
    expect(notices.at(-1)).toMatch(/510 rows/);
    expect(await count('score = 3')).toBe(0);
    await vote(second, 'olga', 'deny');
    expect((await failure(answer)).code).toBe('42501');
    expect(await count('score = 3')).toBe(0);
    await direct.query('delete from scores where id > 2000');
    await direct.end();
    await client.end();
  });

  it('gives it up with Ctrl-C', async () => {
    const { host, port } = harness.gateway.postgres;
    const env = {
      ...process.env,
      PGHOST: host,
      PGPORT: String(port),
      PGUSER: 'ana',
      PGPASSWORD: token,
      PGDATABASE: 'db',
    };
    const psql = spawn('psql', ['-X', '-c', 'update scores set score = 4'], { env });
    let stderr = '';
    psql.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const id = await one(() => idIn(stderr));
    expect(stderr).toMatch(/NOTICE: {2}Held by rule "bulk"/);
    psql.kill('SIGINT');
    await one(() => (psql.exitCode === null ? undefined : psql.exitCode));
    expect(stderr).toMatch(/withdrawn: the client cancelled/);
    expect(await vote(id, 'olga')).toMatchObject({ kind: 'refused' });
    expect(await count('score = 4')).toBe(0);
  });

  it('may come back after its connection broke, and then passes once', async () => {
    const { client, notices } = await connect();
    const lost = failure(client.query('update scores set score = 5'));
    const id = await one(() => idIn(notices.at(-1) ?? ''));
    const { stream } = (client as unknown as { connection: { stream: { destroy(): void } } }).connection;
    stream.destroy();
    await lost;
    await one(() => (harness.gateway.sessions.list().length === 0 ? true : undefined));
    await vote(id, 'olga');
    expect(await count('score = 5')).toBe(0);
    const { client: second } = await connect();
    expect((await second.query('update scores set score = 5')).rowCount).toBe(500);
    const third = await connect();
    const asked = failure(third.client.query('update scores set score = 5'));
    const other = await one(() => idIn(third.notices.at(-1) ?? ''));
    expect(other).not.toBe(id);
    await vote(other, 'olga', 'deny');
    await asked;
    await second.end();
    await third.client.end();
  });
});

describe('an approval', () => {
  it('is for this text, these values, this role and this search_path only', async () => {
    const { client, notices } = await connect();
    const answer = failure(client.query('update scores set score = 6 where id > 0'));
    const id = await one(() => idIn(notices.at(-1) ?? ''));
    const { stream } = (client as unknown as { connection: { stream: { destroy(): void } } }).connection;
    stream.destroy();
    await answer;
    await one(() => (harness.gateway.sessions.list().length === 0 ? true : undefined));
    await vote(id, 'olga');
    const elsewhere = await connect();
    await elsewhere.client.query('set search_path = other, public');
    await elsewhere.client.query('insert into other.scores select g, 0 from generate_series(1, 5) g');
    expect((await elsewhere.client.query('update scores set score = 6 where id > 0')).rowCount).toBe(5);
    await elsewhere.client.end();
    const inTokyo = await connect();
    await inTokyo.client.query(`set timezone = 'Asia/Tokyo'`);
    const asked = failure(inTokyo.client.query('update scores set score = 6 where id > 0'));
    const another = await one(() => idIn(inTokyo.notices.at(-1) ?? ''));
    expect(another).not.toBe(id);
    await vote(another, 'olga', 'deny');
    await asked;
    await inTokyo.client.end();
    expect(await count('score = 6')).toBe(0);
  });

  it('ends with the policy that asked for it', async () => {
    const { client, notices } = await connect();
    const answer = failure(client.query('update scores set score = 7'));
    const id = await one(() => idIn(notices.at(-1) ?? ''));
    await harness.apply(`
kind: Rule
name: another
when: { effects: [truncate] }
then: block
`);
    expect((await answer).message).toMatch(/policy changed/);
    expect(await vote(id, 'olga')).toMatchObject({ kind: 'refused' });
    await client.end();
  });
});

describe('inside of a transaction of the client’s', () => {
  it('a statement gets an error at once, and the same passes once when it was approved', async () => {
    const { client } = await connect();
    await client.query('begin');
    const error = await failure(client.query('update scores set score = 8'));
    expect(error.code).toBe('42501');
    expect(error.hint).toMatch(/send exactly the same again/);
    expect((await failure(client.query('select 1'))).code).toBe('25P02');
    await client.query('rollback');
    const id = idIn(error.message);
    if (id === undefined) throw new Error(error.message);
    await vote(id, 'olga');
    await client.query('begin');
    expect((await client.query('update scores set score = 8')).rowCount).toBe(500);
    await client.query('commit');
    expect(await count('score = 8')).toBe(500);
    await client.end();
  });
});

describe('the log', () => {
  it('has who asked, who approved, and that it was used', async () => {
    const log = await harness.finishedLog();
    const types = log.map(({ leaf }) => leaf.type);
    for (const type of [
      'hold.asked',
      'approval.granted',
      'approval.denied',
      'approval.withdrawn',
      'hold.executed',
    ]) {
      expect(types).toContain(type);
    }
    const executed = log.filter(({ leaf }) => leaf.type === 'hold.executed');
    const ids = executed.map(({ body }) => body['hold_id']);
    expect(new Set(ids).size).toBe(ids.length);
    const blocked = log.filter(({ leaf }) => leaf.type === 'statement.outcome' && leaf.status === 'blocked');
    expect(blocked.length).toBeGreaterThan(3);
    expect(harness.errors).toEqual([]);
  });
});
