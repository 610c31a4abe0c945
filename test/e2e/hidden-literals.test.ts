/** What people type is planted, and then looked for: in recordings, leaves, holds, packages, answers, errors and files. */

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client, QueryConfig } from 'pg';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { literalKeyOf, openLiterals } from '../../packages/gateway/src/keys/literal-key.ts';
import { parseId, type SessionId } from '../../packages/gateway/src/core/ids.ts';
import { readRecording } from '../../packages/gateway/src/recording/recording-reader.ts';
import { ANYTHING, deciding, directly, serverVersions, through, vote } from './clients.ts';
import { type Harness, startHarness } from './harness.ts';

const SCHEMA = `
create table customers (id int primary key, name text, email text, born date);
insert into customers values (1, 'Ada', 'ada@example.org', '1990-12-10');
create table scores (id int primary key, val text, card_no text);
insert into scores values (1, 'plain', null);
create view people as select id as no, name as who from customers;
`;

const RESOURCES = `
kind: Person
name: bo
displayName: Bo
---
kind: Person
name: aud
displayName: Aud
groups: [auditors]
---
kind: Group
name: dpo
members: [bo, ana]
---
kind: Access
name: otto
who: [otto]
to: [db]
---
kind: Mask
name: names
columns: [customers.name, customers.born]
as: token
unless: [otto]
reveal: { approvers: [group:dpo], count: 1, expires: 15m }
---
kind: Mask
name: mails
columns: [customers.email]
as: token
entity: EMAIL
unless: [otto]
reveal: { approvers: [group:dpo], count: 1, expires: 15m }
`;

const RULE = `
kind: Rule
name: counted
when: { writes: [customers], rows: '>= 2' }
then: { hold: { approvers: [bo] } }
`;

/** Each is in one place only; the lower case finds what a server folds. */
const CANARY = /kanarie|canary/i;

const LARGE = 'x'.repeat(1_100_000);

interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

function excerpts(where: string, content: string): string[] {
  const all = content.matchAll(new RegExp(`.{0,60}(?:${CANARY.source}).{0,40}`, 'gis'));
  return [...all].slice(0, 5).map(([found]) => `${where}: ${found}`);
}

describe.each(serverVersions())('PostgreSQL $major', ({ version, isPresent }) => {
  if (!isPresent) return;
  let harness: Harness;
  let session: SessionId;
  const tokens = new Map<string, string>();
  const holdTexts: string[] = [];
  /** What ana was told. */
  const heard: string[] = [];

  async function call(name: string, method: 'GET' | 'POST', path: string, body?: object): Promise<Answer> {
    const { host, port } = harness.gateway.api;
    const answer = await fetch(`http://${host}:${port}${path}`, {
      method,
      headers: { authorization: `Bearer ${tokens.get(name) ?? ''}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    return {
      status: answer.status,
      body: text.startsWith('{') ? JSON.parse(text.split('\n')[0] ?? '') : { text },
    };
  }

  async function answerText(name: string, path: string): Promise<string> {
    const { host, port } = harness.gateway.api;
    const headers = { authorization: `Bearer ${tokens.get(name) ?? ''}` };
    return (await fetch(`http://${host}:${port}${path}`, { headers })).text();
  }

  /** Everything that ana types has a canary in it, in all the ways there are. */
  async function typeAll(client: Client): Promise<void> {
    /** Some run and some are refused: they are written down all the same. */
    const say = async (sql: string | QueryConfig, values: unknown[] = []): Promise<void> => {
      const asked = typeof sql === 'string' ? client.query(sql, values) : client.query(sql);
      await asked.catch((error: unknown) => heard.push(String(error)));
    };
    await say("insert into customers (id, name, email) values (9, 'Kanarie Alpha', null)");
    await say('insert into customers (id, name, born) values ($1, $2, $3)', [
      10,
      'Kanarie Beta',
      '1977-07-07',
    ]);
    await say("update customers set name = E'Kanarie\\x42' where id = 9");
    await say("select id from customers where name = 'Kanarie Gamma'");
    await say("select who = 'Kanarie Gamma2' from people");
    await say("select no from people where who like 'Kanarie Delta%'");
    await say("select 1 from scores where val = 'canary.delta@example.org'");
    await say('select 1 from scores where val = $1', ['canary.eps@example.org']);
    await say("select 1 from scores where val = 'canary.delta@example.org' -- for canary.zeta@example.org");
    await say({
      name: 'again',
      text: 'insert into customers (id, name) values ($1, $2)',
      values: [11, 'Kanarie Eta'],
    });
    await say({
      name: 'again',
      text: 'insert into customers (id, name) values ($1, $2)',
      values: [12, 'Kanarie Theta'],
    });
    await say("begin; insert into customers (id, name) values (13, 'Kanarie Iota'); commit");
    await say("select 'Kanarie Kappa'::int");
    await say("select 1 from scores where 'Kanarie Lambda");
    await say('select $1::int', ['canary.my@example.org']);
    await say("do $$ begin raise notice 'Kanarie Ny'; end $$");
    await say('prepare p(text) as insert into customers (id, name) values (14, $1)');
    await say("execute p('Kanarie Xi')");
    await say('insert into nowhere values ($1)', ['canary.omikron@example.org']);
    await say('insert into customers (id, name) values ($1, $2)', [15, `Kanarie Pi ${LARGE}`]);
    await say(`insert into customers (id, name) values (16, 'Kanarie Rho ${LARGE}')`);
    await say("copy customers (id, name) from stdin where name <> 'Kanarie Chi'");
    await say("select 1 from customers where name = 'a\\' and name <> ' Kanarie Psi");
    await say("select set_config('application_name', 'nobody', false)");
    await say("select count(*) from scores where val = 'canary.sigma@example.org'");
  }

  /** What bo is shown of a hold, as soon as its first leaf is signed: before, there is none for anybody. */
  async function keepHold(id: string): Promise<void> {
    const shown = await vi.waitFor(
      async () => {
        const answer = await call('bo', 'GET', `/v1/approvals/${id}`);
        if (answer.status !== 200) throw new Error(`${answer.status}`);
        return answer;
      },
      { timeout: 20_000 },
    );
    holdTexts.push(JSON.stringify(shown));
  }

  async function copy(token: string): Promise<void> {
    const { host, port } = harness.gateway.postgres;
    const options = {
      host,
      port,
      username: 'ana',
      password: token,
      database: 'db',
      max: 1,
      onnotice: () => undefined,
    };
    const sql = postgres(options);
    const writable = await sql`copy customers (id, name) from stdin`.writable();
    writable.write('20\tKanarie Tau\n');
    writable.end('21\tKanarie Ypsilon\n');
    await new Promise((resolve, reject) => writable.on('finish', resolve).on('error', reject)).catch(
      () => undefined,
    );
    await sql.end();
  }

  beforeAll(async () => {
    harness = await startHarness({ postgres: { version } });
    const direct = await directly(harness);
    await direct.query(SCHEMA);
    await direct.end();
    await harness.apply(`${ANYTHING}---${RESOURCES}`);
    for (const name of ['ana', 'bo', 'aud', 'otto']) tokens.set(name, await harness.token(name));
    const token = tokens.get('ana') ?? '';
    const client = await through(harness, token);
    session = parseId('session', harness.gateway.sessions.list()[0]?.id ?? '');
    await typeAll(client);
    await copy(token);
    await harness.apply(RULE);
    // Held, and approved by somebody who sees it hidden.
    const held = client.query("update customers set name = 'Kanarie Phi' where id in (9, 10)");
    await deciding(harness, held, async (id) => {
      await keepHold(id);
      await vote(harness, id, 'bo');
    });
    await held;
    // Too large to be stated in each leaf: that of the second time only names it, and bo has it from nowhere else.
    const text = `update customers set name = 'Kanarie Omega', email = $1 where id in ($2, $3) -- ${LARGE.slice(0, 100_000)}`;
    await client.query({ name: 'large', text, values: ['Kanarie Sampi', 9, 9] });
    const large = client.query({ name: 'large', text, values: ['Kanarie Sampi', 9, 10] });
    await deciding(harness, large, async (id) => {
      await keepHold(id);
      await vote(harness, id, 'bo');
    });
    await large;
    await client.end();
    await harness.finishedLog();
  }, 280_000);

  afterAll(() => harness?.[Symbol.asyncDispose]());

  async function recordings(): Promise<{ shown: string; sealed: string; sealedCount: number }[]> {
    const directory = join(harness.data, 'gateway', 'recordings');
    const all: { shown: string; sealed: string; sealedCount: number }[] = [];
    for (const name of (await readdir(directory)).toSorted()) {
      const sessionId = parseId('session', name);
      const scopeKey = await harness.gateway.rooms.keys.find(sessionId);
      if (scopeKey === undefined) throw new Error('no key');
      const literalKey = literalKeyOf(scopeKey);
      const shown: Buffer[] = [];
      const sealed: Buffer[] = [];
      for await (const entry of readRecording({ directory, sessionId, scopeKey })) {
        if (entry.kind === 'bytes') shown.push(Buffer.from(entry.bytes));
        if (entry.kind === 'sealed') sealed.push(Buffer.from(entry.bytes));
        if (entry.kind === 'event') shown.push(Buffer.from(entry.json));
      }
      const stream = Buffer.concat(sealed);
      const opened: Buffer[] = [];
      for (let at = 0; at < stream.length; ) {
        const length = stream.readUInt32BE(at);
        const place = { session: sessionId, what: `client ${opened.length}` } as const;
        opened.push(Buffer.from(openLiterals(literalKey, place, stream.subarray(at + 4, at + 4 + length))));
        at += 4 + length;
      }
      all.push({
        shown: Buffer.concat(shown).toString('latin1'),
        sealed: Buffer.concat(opened).toString('latin1'),
        sealedCount: opened.length,
      });
    }
    return all;
  }

  it('hides them in recordings, where the exact bytes are sealed beside', async () => {
    const found = await recordings();
    expect(found).toHaveLength(2);
    expect(found.flatMap(({ shown }, at) => excerpts(`recording ${at}`, shown))).toEqual([]);
    const typed = found.map(({ sealed }) => sealed).join('');
    for (const name of ['Alpha', 'Beta', 'Gamma', 'Eta', 'Xi', 'Pi', 'Rho', 'Phi', 'Tau', 'Ypsilon']) {
      expect(typed).toContain(`Kanarie ${name}`);
    }
    // Still statements.
    expect(found[0]?.shown).toContain(
      "insert into customers (id, name, email) values (0, '[REDACTED]', null)",
    );
  });

  it('hides them in leaves, and keeps what has to do with nothing', async () => {
    const log = await harness.log();
    expect(
      log.flatMap(({ leaf, body }) => excerpts(`leaf ${leaf.n} ${leaf.type}`, JSON.stringify(body))),
    ).toEqual([]);
    const texts = log.map(({ body }) => body['sql']);
    expect(texts).toContain("insert into customers (id, name, email) values (0, '[REDACTED]', null)");
    expect(texts).toContain("select 1 from scores where val = '[REDACTED]'");
    const intents = log.filter(({ leaf }) => leaf.type === 'statement.intent');
    expect(intents.length).toBeGreaterThan(20);
    const unnamed = intents.filter(
      ({ body }) => body['sealed_literals'] !== undefined && !JSON.stringify(body['masks']).includes('names'),
    );
    expect(unnamed).toEqual([]);
  });

  it('hides them in holds, answers, errors, files and packages', async () => {
    const found = excerpts('holds', holdTexts.join('\n'));
    expect(holdTexts.join('')).toContain("update customers set name = '[REDACTED]' where id in (0, 0)");
    expect(holdTexts).toHaveLength(2);
    expect(holdTexts[1]?.length).toBeLessThan(20_000);
    for (const path of [
      `/v1/sessions/${session}`,
      `/v1/sessions/${session}/replay`,
      '/v1/approvals?state=all',
    ]) {
      const answer = await answerText('aud', path);
      expect(answer.length).toBeGreaterThan(100);
      found.push(...excerpts(path, answer));
    }
    found.push(...excerpts('errors', harness.errors.join('\n')));
    const directory = join(harness.data, 'gateway');
    for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      found.push(...excerpts(path, (await readFile(path)).toString('latin1')));
    }
    expect(found).toEqual([]);
  });

  it('finds the leaf of a recorded statement, and shows its text', async () => {
    const lines = (await answerText('aud', `/v1/sessions/${session}/replay`)).trim().split('\n');
    const items = lines.map((line) => JSON.parse(line) as { kind: string; sql?: string; leaf?: number });
    const statements = items.filter(({ kind }) => kind === 'statement');
    const known = statements.filter(({ leaf }) => leaf !== undefined);
    expect(known.length).toBeGreaterThan(15);
    expect(known.map(({ sql }) => sql)).toContain("select 1 from scores where val = '[REDACTED]'");
  });

  it('shows them once, to whom others have let see them', async () => {
    const log = await harness.log();
    const leaf = log.find(({ body }) =>
      JSON.stringify(body['sql'] ?? '').startsWith('"insert into customers (id, name, email)'),
    )?.leaf.n;
    const path = `/v1/sessions/${session}/reveal`;
    const request = { leaf, reason: 'complaint 4711' };
    const asked = await call('aud', 'POST', path, request);
    expect(asked).toMatchObject({ status: 423, body: { code: 'REVEAL_HELD' } });
    // Nobody sees it meanwhile, and asking again asks nobody anew.
    const again = await call('aud', 'POST', path, request);
    expect(again.body['message']).toBe(asked.body['message']);
    for (let mask = 0; mask < 2; mask += 1) {
      const answer = await call('aud', 'POST', path, request);
      const id = /hld_[0-9a-z]{26}/.exec(String(answer.body['message']))?.[0] ?? '';
      expect(await call('aud', 'POST', `/v1/approvals/${id}/approve`, {})).toMatchObject({ status: 403 });
      expect((await call('bo', 'GET', `/v1/approvals/${id}`)).status).toBe(200);
      expect((await call('bo', 'POST', `/v1/approvals/${id}/approve`, {})).status).toBe(200);
    }
    const shown = await call('aud', 'POST', path, request);
    expect(shown).toMatchObject({
      status: 200,
      body: { sql: "insert into customers (id, name, email) values (9, 'Kanarie Alpha', null)" },
    });
    // Once.
    expect(await call('aud', 'POST', path, request)).toMatchObject({ status: 423 });
    const after = await harness.log();
    expect(after.flatMap(({ body }) => excerpts('leaf', JSON.stringify(body)))).toEqual([]);
    const types = after.slice(log.length).map(({ leaf: { type } }) => type);
    const at = types.indexOf('literal.reveal');
    expect(types.slice(at - 2, at + 3)).toEqual([
      'hold.taken',
      'hold.taken',
      'literal.reveal',
      'hold.executed',
      'hold.executed',
    ]);
    expect(after.find(({ leaf: { type } }) => type === 'literal.reveal')?.body).toMatchObject({
      viewed_session: session,
      leaf,
      name: 'aud',
      reason: 'complaint 4711',
      masks: [
        { mask: 'mails', version: 1 },
        { mask: 'names', version: 1 },
      ],
    });
  });

  it('shows what a token stands for, once, and never to who asked alone', async () => {
    const client = await through(harness, tokens.get('ana') ?? '');
    const { rows } = await client.query('select name from customers where id = 1');
    await client.end();
    const request = { value: rows[0]?.name, reason: 'a call' };
    expect(String(request.value)).toMatch(/^tok_column_/);
    const asked = await call('ana', 'POST', '/v1/masking/reveal', request);
    expect(asked.status).toBe(423);
    const id = /hld_[0-9a-z]{26}/.exec(String(asked.body['message']))?.[0] ?? '';
    // She is one of the group.
    expect((await call('ana', 'POST', `/v1/approvals/${id}/approve`, {})).status).toBe(403);
    expect((await call('bo', 'POST', `/v1/approvals/${id}/approve`, {})).status).toBe(200);
    // Somebody else has to ask for themselves.
    expect((await call('aud', 'POST', '/v1/masking/reveal', request)).status).toBe(423);
    expect(await call('ana', 'POST', '/v1/masking/reveal', request)).toMatchObject({
      status: 200,
      body: { value: 'Ada' },
    });
    expect((await call('ana', 'POST', '/v1/masking/reveal', request)).status).toBe(423);
    expect(
      await call('ana', 'POST', '/v1/masking/reveal', { value: 'tok_column_aaaa', reason: 'x' }),
    ).toMatchObject({
      status: 400,
    });
  });

  it('leaves a session that no Mask reaches as it was', async () => {
    const client = await through(harness, tokens.get('otto') ?? '', { user: 'otto' });
    const before = (await recordings()).length;
    await client.query("select 'in the clear' as a where 1 = $1", [1]);
    await client.end();
    const log = await harness.finishedLog();
    const intent = log.findLast(({ leaf: { type } }) => type === 'statement.intent');
    expect(intent?.body).toMatchObject({ sql: "select 'in the clear' as a where 1 = $1" });
    expect(intent?.body).not.toHaveProperty('sealed_literals');
    // Which Masks that is, it says itself; of whom they reach nothing is said.
    expect(intent?.body['masks_exempt']).toEqual([
      { mask: 'mails', version: 1 },
      { mask: 'names', version: expect.any(Number) },
    ]);
    const exempt = log.filter(({ body }) => 'masks_exempt' in body);
    expect(new Set(exempt.map(({ leaf }) => leaf.actor))).toEqual(new Set([intent?.leaf.actor]));
    const found = await recordings();
    expect(found.length).toBeGreaterThanOrEqual(before);
    const own = found.find(({ shown }) => shown.includes("select 'in the clear'"));
    expect(own?.sealedCount).toBe(0);
  });
});
