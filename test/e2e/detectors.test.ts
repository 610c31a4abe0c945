/** What an installation's own Detectors find is masked in every way in which a session or a request shows it. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseResources } from '../../packages/gateway/src/resources/parse.ts';
import type { Client } from 'pg';
import postgres from 'postgres';
import { ANYTHING, directly, failure, through } from './clients.ts';
import { type Harness, startHarness } from './harness.ts';
import { PEOPLE, plainConnection, startHttpHarness, startUpstream } from './http-harness.ts';

const CANARY = /EMP.?\d{3}.?\d{3}|bluebird|heron/i;

const DETECTORS = `
kind: Detector
name: staff
pattern: 'EMP-\\d{6}'
ignoreCase: true
---
kind: Detector
name: projects
dictionary: [bluebird, project heron]
---
kind: Mask
name: house
detect: [custom]
as: redact
`;

describe('in a PostgreSQL session', () => {
  let harness: Harness;
  let client: Client;
  let sql: postgres.Sql;

  beforeAll(async () => {
    harness = await startHarness();
    const direct = await directly(harness);
    await direct.query(`
      create table people (id int, email text);
      create table notes (id int primary key, body text, extra jsonb, tags text[]);
      insert into notes values
        (1, 'asked emp-123456 about Bluebird', '{"by": "EMP-123456", "on": ["Project  Heron"]}', '{EMP-654321,plain}'),
        (2, 'nothing of that', '{"n": 1}', '{plain}');
    `);
    await direct.end();
    await harness.apply(`${ANYTHING}---${DETECTORS}`);
    const token = await harness.token('ana');
    client = await through(harness, token);
    const { host, port } = harness.gateway.postgres;
    sql = postgres({ host, port, username: 'ana', password: token, database: 'db', max: 1 });
  }, 120_000);

  afterAll(async () => {
    await harness[Symbol.asyncDispose]();
  });

  it('masks texts, members of json, elements of arrays, prepared, in COPY and in cursors', async () => {
    const { rows } = await client.query('select body, extra, tags from notes order by id');
    expect(rows[0]).toEqual({
      body: 'asked [REDACTED:CUSTOM] about [REDACTED:CUSTOM]',
      extra: { by: '[REDACTED:CUSTOM]', on: ['[REDACTED:CUSTOM]'] },
      tags: ['[REDACTED:CUSTOM]', 'plain'],
    });
    expect(rows[1]).toEqual({ body: 'nothing of that', extra: { n: 1 }, tags: ['plain'] });
    const named = await client.query({ name: 'p', text: 'select * from notes where id = $1', values: [1] });
    expect(JSON.stringify(named.rows)).not.toMatch(CANARY);
    await client.query('begin');
    await client.query('declare c cursor for select lower(body), row(body, tags), to_json(n) from notes n');
    expect(JSON.stringify((await client.query('fetch all c')).rows)).not.toMatch(CANARY);
    await client.query('commit');
    for (const options of ['', 'with (format csv)']) {
      let copied = '';
      for await (const chunk of await sql
        .unsafe(`copy (select * from notes) to stdout ${options}`)
        .readable())
        copied += String(chunk);
      expect(copied).toContain('nothing of that');
      expect(copied).not.toMatch(CANARY);
    }
  });

  it('says nothing in errors and notices', async () => {
    for (const text of [
      'select body::int from notes where id = 1',
      "insert into notes values (1, 'EMP-123456')",
      "do $$ begin raise exception '%', (select body from notes where id = 1); end $$",
      "do $$ begin raise notice 'Bluebird'; perform 1/0; end $$",
    ]) {
      const error = await failure(client.query(text));
      expect(`${error.message} ${JSON.stringify(error)}`).not.toMatch(CANARY);
    }
  });

  it('is in force for open sessions when it changes, and away when the last Mask is', async () => {
    const body = async (): Promise<string> =>
      (await client.query('select body from notes where id = 2')).rows[0].body;
    expect(await body()).toBe('nothing of that');
    await harness.apply('{ kind: Detector, name: nothing, exact: [nothing] }');
    expect(await body()).toBe('[REDACTED:CUSTOM] of that');
    const removed = harness.gateway.rooms.resources.delete('Detector', 'staff', {
      name: 'test',
      kind: 'system',
      keyId: harness.gateway.rooms.bootId,
    });
    await removed;
    const { rows } = await client.query('select body from notes where id = 1');
    expect(rows[0].body).toBe('asked emp-123456 about [REDACTED:CUSTOM]');
    await harness.apply(DETECTORS);
    expect((await client.query('select body from notes where id = 1')).rows[0].body).not.toMatch(CANARY);
  });

  it('refuses a Mask that looks for a Detector that is not there, and a pattern that is not linear', async () => {
    await expect(harness.apply('{ kind: Mask, name: m, detect: [custom:none], as: redact }')).rejects.toThrow(
      'there is no Detector "none"',
    );
    expect(() => parseResources("{ kind: Detector, name: d, pattern: '(a)\\1' }")).toThrow('references back');
  });

  it('leaves no literal of a statement in a leaf, and counts what it hid', async () => {
    // Beside a Mask on columns, literals of what has nothing to do with them are looked at one by one.
    await harness.apply('{ kind: Mask, name: people, columns: [people.email], as: redact }');
    await client.query("select id as looked_for from notes where body = 'bluebird'");
    await client.query('select body from notes where id = 1');
    await client.end();
    await sql.end();
    const leaves = await harness.finishedLog();
    const intents = leaves.filter(({ body }) => JSON.stringify(body).includes('looked_for'));
    expect(intents).toHaveLength(1);
    expect(JSON.stringify(intents)).not.toMatch(CANARY);
    const outcome = leaves.findLast(({ body }) => body['masked'] !== undefined);
    expect(outcome?.body['masked']).toMatchObject([{ mask: 'house', entity: 'CUSTOM', values: 2 }]);
  });
});

describe('in contents of HTTP', () => {
  it('masks what they find in JSON, in text however it is cut, and in events', async () => {
    let content: readonly [type: string, pieces: readonly string[]] = ['text/plain', []];
    await using upstream = await startUpstream((_, response) => {
      response.setHeader('content-type', content[0]);
      for (const piece of content[1]) response.write(piece);
      response.end();
    });
    await using harness = await startHttpHarness();
    const access = '{ kind: Access, name: readers, who: [group:search], to: [api], may: [read] }';
    await harness.apply(`${plainConnection(upstream.url)}\n---${PEOPLE}\n---\n${access}\n---${DETECTORS}`);
    const token = await harness.token('ana');
    const got = async (type: string, ...pieces: readonly string[]): Promise<string> => {
      content = [type, pieces];
      const answer = await fetch(`${harness.url}/api/collections`, {
        headers: { authorization: `Bearer ${token}` },
      });
      return answer.text();
    };
    expect(await got('application/json', '{"a":"see emp-1', '23456","EMP-222222":[1,"project heron"]}')).toBe(
      '{"a":"see [REDACTED:CUSTOM]","[REDACTED:CUSTOM]":[1,"[REDACTED:CUSTOM]"]}',
    );
    expect(await got('text/plain', 'on EMP', '-12', '3456 and blue', 'bird.')).toBe(
      'on [REDACTED:CUSTOM] and [REDACTED:CUSTOM].',
    );
    expect(
      await got('text/event-stream', 'data: {"x":"\\u0045MP-123456"}\n\n', 'data: bluebird\n\n'),
    ).not.toMatch(CANARY);
  });
});
