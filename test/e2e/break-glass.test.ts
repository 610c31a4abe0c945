/** Who asked opens their own hold in an emergency: real clients, the API, notices, a package that verifies. */

import { execFile, spawn } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client, type DatabaseError } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseCsv } from '../../packages/ledger/src/csv.ts';
import { type Harness, startHarness } from './harness.ts';

const run = promisify(execFile);
const PROGRAM = join(import.meta.dirname, '../../packages/verify/bin/countersign-verify.js');
const SECRET = `whsec_${Buffer.alloc(32, 3).toString('base64')}`;

const RULES = `
{ kind: Person, name: olga, displayName: Olga Owner, groups: [owners] }
---
{ kind: Person, name: lea, displayName: Lea Lead, groups: [leads] }
---
{ kind: Person, name: root, displayName: Root, groups: [administrators] }
---
{ kind: Group, name: owners, members: [] }
---
{ kind: Group, name: leads, members: [] }
---
{ kind: Rule, name: bulk, when: { writes: [scores], rows: '>= 100' }, then: { hold: { approvers: [group:owners] } } }
---
{ kind: Rule, name: models, when: { writes: [models] }, then: { hold: { approvers: [group:owners] } } }
---
{ kind: Rule, name: keys, when: { writes: [keys] }, then: { hold: { approvers: [group:owners], breakGlass: never } } }
---
{ kind: Rule, name: no-drops, when: { effects: [drop] }, then: block }
---
{ kind: Rule, name: night, who: [ana], on: [db], when: { effects: [update, update-unqualified] }, then: { breakGlass: { reviewers: [group:leads], within: 6s, review: 1s } } }
`;

let harness: Harness;
const told: { readonly type: string; readonly data: Record<string, unknown> }[] = [];
const hook = createServer((request, response) => {
  const chunks: Uint8Array[] = [];
  request.on('data', (chunk: Uint8Array) => chunks.push(chunk));
  request.on('end', () => {
    told.push(JSON.parse(Buffer.concat(chunks).toString()));
    response.writeHead(204).end();
  });
});

beforeAll(async () => {
  await new Promise<void>((resolve) => hook.listen(0, '127.0.0.1', resolve));
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- It listens on TCP.
  const { port } = hook.address() as AddressInfo;
  const config = `notify:
  webhooks: [{ url: "http://127.0.0.1:${port}/", secret: { command: [printf, "${SECRET}"] } }]
  commands: [["false"]]`;
  harness = await startHarness({ config });
  await harness.apply(RULES);
  const direct = await directly();
  await direct.query(`
    create table scores(id int primary key, score int);
    insert into scores select g, 0 from generate_series(1, 500) g;
    create table models(id int primary key, stage text);
    insert into models values (1, 'staging');
    create table keys(id int primary key, value text);
    insert into keys values (1, 'x');
  `);
  await direct.end();
}, 60_000);
afterAll(async () => {
  await harness?.[Symbol.asyncDispose]();
  hook.closeAllConnections();
  hook.close();
});

async function directly(): Promise<Client> {
  const { host, port, password } = harness.server;
  const client = new Client({ host, port, user: 'postgres', password, database: 'postgres' });
  await client.connect();
  return client;
}

async function one<T>(look: () => Promise<T | undefined> | T | undefined, triesMax = 300): Promise<T> {
  for (let tries = 0; tries < triesMax; tries += 1) {
    const found = await look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('it did not come');
}

function idIn(text: string | undefined): string | undefined {
  return /hld_[0-9a-z]+/i.exec(text ?? '')?.[0];
}

const tokens = new Map<string, Promise<string>>();

function tokenOf(name: string): Promise<string> {
  const token = tokens.get(name) ?? harness.token(name);
  tokens.set(name, token);
  return token;
}

async function connect(): Promise<{ readonly client: Client; readonly notices: string[] }> {
  const { host, port } = harness.gateway.postgres;
  const client = new Client({ host, port, user: 'ana', password: await tokenOf('ana'), database: 'db' });
  const notices: string[] = [];
  client.on('error', () => undefined);
  client.on('notice', (notice) => notices.push(notice.message ?? ''));
  await client.connect();
  return { client, notices };
}

async function failure(promise: Promise<unknown>): Promise<DatabaseError> {
  return promise.then(
    () => {
      throw new Error('it ran');
    },
    (error: DatabaseError) => error,
  );
}

interface Answer {
  readonly status: number;
  readonly message?: string;
  readonly approval?: { readonly state: string; readonly review?: string };
  readonly approvals?: readonly { readonly id: string }[];
}

async function call(key: string, who: string, body?: unknown): Promise<Answer> {
  const [method = '', path = ''] = key.split(' ');
  const { host, port } = harness.gateway.api;
  const response = await fetch(`http://${host}:${port}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${await tokenOf(who)}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { ...(await response.json()), status: response.status };
}

function breakGlass(id: string, who = 'ana', reason = 'the shop is down'): Promise<Answer> {
  return call(`POST /v1/approvals/${id}/break-glass`, who, { reason });
}

async function stateOf(id: string): Promise<string | undefined> {
  return (await call(`GET /v1/approvals/${id}`, 'ana')).approval?.state;
}

async function count(where: string): Promise<number> {
  const direct = await directly();
  const { rows } = await direct.query<{ n: string }>(`select count(*) n from scores where ${where}`);
  await direct.end();
  return Number(rows[0]?.n);
}

/** Outside of a transaction it waits; what it asked for is given up when the test is over. */
async function held(text: string): Promise<{ id: string; client: Client; answer: Promise<unknown> }> {
  const { client, notices } = await connect();
  const answer = client.query(text);
  answer.catch(() => undefined);
  return { id: await one(() => idIn(notices.at(-1))), client, answer };
}

async function giveUp({ id, client }: { readonly id: string; readonly client: Client }): Promise<void> {
  await call(`POST /v1/approvals/${id}/withdraw`, 'ana', {});
  await client.end();
}

describe('a psql that waits', () => {
  it('goes on at once when who runs it breaks the glass, once, and reviewers hear of it', async () => {
    const { host, port } = harness.gateway.postgres;
    const password = await tokenOf('ana');
    const env = { ...process.env, PGHOST: host, PGPORT: String(port), PGUSER: 'ana', PGPASSWORD: password };
    const psql = spawn('psql', ['-X', '-d', 'db', '-c', 'update scores set score = 1'], { env });
    let output = '';
    for (const stream of [psql.stdout, psql.stderr]) stream.on('data', (chunk) => (output += String(chunk)));
    const id = await one(() => idIn(output));
    expect(await count('score = 1')).toBe(0);
    expect((await breakGlass(id)).approval).toMatchObject({ state: 'granted', review: 'unreviewed' });
    expect(await one(() => psql.exitCode ?? undefined)).toBe(0);
    expect(output).toMatch(/UPDATE 500/);
    expect(await count('score = 1')).toBe(500);
    const notice = await one(() =>
      told.find(({ type, data }) => type === 'breakglass.used' && data['hold'] === id),
    );
    expect(notice.data).toMatchObject({
      rule: 'night',
      held_by: 'bulk',
      requester: 'ana',
      reviewers: ['group:leads'],
    });
    expect(JSON.stringify(notice)).not.toContain('shop');
    expect((await breakGlass(id)).status).toBe(409);
    // It was used: the same again is asked again.
    const again = await held('update scores set score = 1');
    expect(again.id).not.toBe(id);
    await giveUp(again);
    const types = (await harness.log())
      .filter(({ body }) => body['hold_id'] === id)
      .map(({ leaf }) => [leaf.type, leaf.status].join(' ').trim())
      // Who is told is told beside it.
      .filter((type) => !type.startsWith('breakglass.notified'));
    expect(types.slice(0, 3)).toEqual(['hold.asked', 'breakglass.used', 'hold.taken']);
    expect(types).toContain('hold.executed ok');
  });

  it('is told although one of two cannot be told, and each is a leaf', async () => {
    const hold = await held('update scores set score = 2');
    await breakGlass(hold.id);
    await hold.answer;
    await hold.client.end();
    const leaves = await one(async () => {
      const found = (await harness.log()).filter(
        ({ leaf, body }) =>
          leaf.type === 'breakglass.notified' &&
          body['hold_id'] === hold.id &&
          body['notice'] === 'breakglass.used',
      );
      return found.some(({ leaf }) => leaf.status === 'ok') ? found : undefined;
    });
    expect(leaves[0]?.body).toMatchObject({
      receiver: expect.stringMatching(/^webhook 127\.0\.0\.1/),
      tries: 1,
    });
  });
});

describe('a hold stays closed', () => {
  it.each([
    ['olga', 403],
    ['root', 403],
    ['lea', 404],
  ])('for %s, who did not ask', async (name, status) => {
    const hold = await held('update scores set score = 3');
    expect((await breakGlass(hold.id, name)).status).toBe(status);
    expect(await stateOf(hold.id)).toBe('asked');
    expect(await count('score = 3')).toBe(0);
    await giveUp(hold);
  });

  it.each([
    ['another effect', `insert into models values (2, 'x')`],
    ['another effect beside it', `update models set stage = 'x'; delete from models where id = 1`],
    ['reading beside it', `update models set stage = 'x' returning *`],
    ['a function that nobody knows', `update models set stage = 'x' where id = 1 or pg_sleep(0) is null`],
    ['a rule that says never', `update keys set value = 'y'`],
    [
      'writing what a rule that says never holds, beside it',
      `update keys set value = 'y'; update models set stage = 'x'`,
    ],
  ])('for what no rule covers: %s', async (_, text) => {
    const hold = await held(text);
    const refused = await breakGlass(hold.id);
    expect([refused.status, refused.message]).toEqual([403, expect.stringContaining('no rule')]);
    const direct = await directly();
    const { rows } = await direct.query(
      'select (select stage from models where id = 1), (select value from keys)',
    );
    expect(rows).toEqual([{ stage: 'staging', value: 'x' }]);
    expect((await direct.query('select count(*)::int n from models')).rows).toEqual([{ n: 1 }]);
    await direct.end();
    await hold.client.end();
    for (const { id } of (await call('GET /v1/approvals', 'ana')).approvals ?? []) {
      await call(`POST /v1/approvals/${id}/withdraw`, 'ana', {});
    }
  });

  it('where there is none: what is blocked stays blocked', async () => {
    const { client, notices } = await connect();
    const error = await failure(client.query('drop table models'));
    expect(error.message).toMatch(/Blocked by rule "no-drops"/);
    expect(notices).toEqual([]);
    expect(idIn(error.message)).toBeUndefined();
    await client.end();
  });

  it('without a reason', async () => {
    const hold = await held('update scores set score = 4');
    for (const reason of ['', ' ', '\u200b'])
      expect((await breakGlass(hold.id, 'ana', reason)).status).toBe(400);
    expect(await stateOf(hold.id)).toBe('asked');
    await giveUp(hold);
  });

  it('after its time', async () => {
    const { client } = await connect();
    await client.query('begin');
    const error = await failure(client.query('update scores set score = 5'));
    await client.query('rollback');
    const id = idIn(error.message) ?? '';
    expect((await breakGlass(id)).approval?.state).toBe('granted');
    await one(async () => ((await stateOf(id)) === 'expired' ? true : undefined), 600);
    await client.query('begin');
    const again = await failure(client.query('update scores set score = 5'));
    expect(idIn(again.message)).not.toBe(id);
    await client.query('rollback');
    expect(await count('score = 5')).toBe(0);
    await client.end();
    await call(`POST /v1/approvals/${idIn(again.message)}/withdraw`, 'ana', {});
  });

  it('where more rows are written than were counted', async () => {
    const { client } = await connect();
    await client.query('begin');
    const text = 'update scores set score = 6 where score = 2';
    const id = idIn((await failure(client.query(text))).message) ?? '';
    await client.query('rollback');
    await breakGlass(id);
    const direct = await directly();
    await direct.query('insert into scores select g, 2 from generate_series(1001, 1010) g');
    await client.query('begin');
    const again = await failure(client.query(text));
    expect(again.message).toMatch(/510 rows/);
    expect(idIn(again.message)).not.toBe(id);
    await client.query('rollback');
    expect(await count('score = 6')).toBe(0);
    await direct.query('delete from scores where id > 1000');
    await direct.end();
    await client.end();
  });

  it('where the rule by which it was opened has changed', async () => {
    const { client } = await connect();
    await client.query('begin');
    const id = idIn((await failure(client.query('update scores set score = 7'))).message) ?? '';
    await client.query('rollback');
    expect((await breakGlass(id)).approval?.state).toBe('granted');
    await harness.apply(RULES.split('---').at(-1)?.replace('within: 6s', 'within: 7s') ?? '');
    await one(async () => ((await stateOf(id)) === 'withdrawn' ? true : undefined));
    await client.query('begin');
    expect(idIn((await failure(client.query('update scores set score = 7'))).message)).not.toBe(id);
    await client.query('rollback');
    expect(await count('score = 7')).toBe(0);
    await client.end();
    await harness.apply(RULES.split('---').at(-1) ?? '');
  });
});

describe('inside of a transaction of the client’s', () => {
  it('the same passes once when it was opened', async () => {
    const { client } = await connect();
    await client.query('begin');
    const id = idIn((await failure(client.query('update scores set score = 8'))).message) ?? '';
    await client.query('rollback');
    await breakGlass(id);
    await client.query('begin');
    expect((await client.query('update scores set score = 8')).rowCount).toBe(500);
    await client.query('commit');
    expect(await count('score = 8')).toBe(500);
    await client.end();
  });
});

describe('afterwards', () => {
  it('comes a review by a reviewer, never by who opened it, and a notice where nobody has', async () => {
    const hold = await held('update scores set score = 9');
    await breakGlass(hold.id);
    await hold.answer;
    await hold.client.end();
    const verdict = { verdict: 'justified', comment: 'I was called' };
    await one(async () => ((await stateOf(hold.id)) === 'executed' ? true : undefined));
    for (const name of ['ana', 'olga', 'root']) {
      expect([name, (await call(`POST /v1/approvals/${hold.id}/review`, name, verdict)).status]).toEqual([
        name,
        403,
      ]);
    }
    const isListed = async (): Promise<boolean> =>
      ((await call('GET /v1/approvals?state=unreviewed', 'lea')).approvals ?? []).some(
        ({ id }) => id === hold.id,
      );
    expect(await isListed()).toBe(true);
    await one(() => told.find(({ type, data }) => type === 'breakglass.overdue' && data['hold'] === hold.id));
    const reviewed = await call(`POST /v1/approvals/${hold.id}/review`, 'lea', verdict);
    expect(reviewed.approval).toMatchObject({ state: 'executed', review: 'justified' });
    expect(await isListed()).toBe(false);
  });

  it('a package says all of it, and verifies', async () => {
    await harness.finishedLog();
    const { host, port } = harness.gateway.api;
    const period = { from: '2020-01-01T00:00:00Z', to: '2100-01-01T00:00:00Z', reason: 'audit' };
    const answer = await fetch(`http://${host}:${port}/v1/evidence/export`, {
      method: 'POST',
      headers: { authorization: `Bearer ${await tokenOf('root')}`, 'content-type': 'application/json' },
      body: JSON.stringify(period),
    });
    expect(answer.status).toBe(200);
    const zip = join(harness.data, 'package.zip');
    await writeFile(zip, new Uint8Array(await answer.arrayBuffer()));
    const { stdout } = await run(process.execPath, ['--conditions=source', PROGRAM, zip]);
    expect(stdout).toMatch(/opened by break-glass and not reviewed in the range: \d/);
    await run('unzip', ['-q', zip, '-d', join(harness.data, 'unzipped')]);
    const [directory = ''] = await readdir(join(harness.data, 'unzipped'));
    const rows = async (name: string): Promise<Record<string, string>[]> => {
      const path = join(harness.data, 'unzipped', directory, 'data/populations', name);
      const [header = [], ...cells] = parseCsv(await readFile(path, 'utf8'));
      return cells.map((row) => Object.fromEntries(header.map((column, i) => [column, row[i] ?? ''])));
    };
    const broken = await rows('breakglass.csv');
    const unreviewed = await rows('breakglass-unreviewed.csv');
    expect(broken.length).toBe(unreviewed.length + 1);
    expect(broken.find(({ verdict }) => verdict !== '')).toMatchObject({
      actor_name: 'ana',
      rule: 'night',
      reason: 'the shop is down',
      status: 'ok',
      verdict: 'justified',
      reviewer: 'lea',
      comment: 'I was called',
      same_person: 'false',
      in_time: 'false',
    });
    const unapproved = (await rows('changes-unapproved.csv')).filter(({ why }) => why === 'break-glass');
    const used = broken.filter((row) => row['statement_leaf_index'] !== '');
    const leaves = used.map((row) => row['statement_leaf_index']);
    expect(unapproved.map((row) => row['leaf_index'])).toEqual(expect.arrayContaining(leaves));
    expect(unapproved).toHaveLength(leaves.length);
    expect(used.length).toBeGreaterThan(2);
  });
});
