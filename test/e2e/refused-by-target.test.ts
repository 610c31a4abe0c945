/** What the target does not take when it is asked about it has failed, as any statement does: nobody has denied it. */

import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Client } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { parseCsv } from '../../packages/ledger/src/csv.ts';
import { FileSource, nodeHost } from '../../packages/verify/src/node-host.ts';
import { verifyPackage } from '../../packages/verify/src/verify-package.ts';
import { directly, failure, serverVersions, through } from './clients.ts';
import { type Harness, type LoggedEvent, startHarness } from './harness.ts';
import { HIDING_SCHEMA, victims } from './server-tree-schema.ts';

const run = promisify(execFile);

const HELD = 'delete from plain where nowhere = 1';

/** Its text, its SQLSTATE, and what policy says about it. */
const MISTAKES = [
  ['select id from plain where nowhere = 1', '42703', 'allow'],
  ['select * from nothing', '42P01', 'allow'],
  ["update plain set id = 'x'", '22P02', 'allow'],
  ['select id from plain; select * from nothing', '42P01', 'allow'],
  [HELD, '42703', 'hold'],
] as const;

describe.each(serverVersions())('PostgreSQL $major', ({ version, isPresent }) => {
  let harness: Harness;
  let direct: Client;
  let token: string;
  const open: Client[] = [];

  beforeAll(async () => {
    if (!isPresent) return;
    harness = await startHarness({ postgres: { version, settings: { fsync: 'off' } } });
    direct = await directly(harness);
    await direct.query(HIDING_SCHEMA);
    await harness.apply(`
kind: Person
name: olga
displayName: Olga Owner
---
kind: Rule
name: no-bulk-delete
when: { effects: [delete], rows: '> 99' }
then: block
---
kind: Rule
name: deletes-of-plain
when: { writes: [plain], effects: [delete, delete-unqualified] }
then: { hold: { approvers: [olga], expires: 1m } }
`);
    token = await harness.token('ana');
  });

  afterEach(async () => {
    for (const client of open.splice(0)) await client.end();
  });

  afterAll(async () => {
    await direct?.end();
    await harness?.[Symbol.asyncDispose]();
  });

  async function connected(): Promise<Client> {
    const client = await through(harness, token);
    open.push(client);
    return client;
  }

  /** Leaves of the statement with that text, from the last of it that was logged. */
  async function leavesOf(text: string): Promise<{ intent: LoggedEvent; outcome: LoggedEvent | undefined }> {
    const log = await harness.log();
    const intent = log.findLast(({ leaf, body }) => leaf.type === 'statement.intent' && body['sql'] === text);
    if (intent === undefined) throw new Error(`no leaf has ${text}`);
    const outcome = log.find(({ leaf }) => leaf.type === 'statement.outcome' && leaf.ref === intent.leaf.n);
    return { intent, outcome };
  }

  it.runIf(isPresent).each(MISTAKES)('a Query %s is an error of the target', async (text, code, decision) => {
    const client = await connected();
    const error = await failure(client.query(text));
    expect(error.code).toBe(code);
    await client.query('select 7');
    const { intent, outcome } = await leavesOf(text);
    expect(intent.leaf.decision).toBe(decision);
    expect(JSON.stringify(intent.body['rules'] ?? [])).toBe(
      decision === 'hold' ? '[{"rule":"deletes-of-plain","verdict":"hold","version":1}]' : '[]',
    );
    expect(outcome?.leaf.status).toBe('error');
    expect(outcome?.body).toMatchObject({ sqlstate: code, message: error.message, rows: 0 });
    expect(await harness.gateway.approvals.page(undefined, 'open', 10)).toEqual([]);
  });

  it.runIf(isPresent).each(MISTAKES.filter(([text]) => !text.includes(';')))(
    'a prepared statement %s is one too',
    async (text, code) => {
      const client = await connected();
      const before = (await harness.log()).length;
      expect(await failure(client.query({ name: 's', text }))).toMatchObject({ code });
      await client.query('select 7');
      const log = (await harness.log()).slice(before);
      expect(log.filter(({ leaf }) => leaf.decision === 'block')).toEqual([]);
      expect(await harness.gateway.approvals.page(undefined, 'open', 10)).toEqual([]);
    },
  );

  it.runIf(isPresent)('fails the transaction that it is in', async () => {
    const client = await connected();
    await client.query('begin');
    await client.query("update plain set label = 'two'");
    expect(await failure(client.query('select * from nothing'))).toMatchObject({ code: '42P01' });
    expect(await failure(client.query('select id from plain'))).toMatchObject({ code: '25P02' });
    await client.query('commit');
    const { rows } = await direct.query('select label from plain');
    expect(rows).toEqual([{ label: 'one' }]);
  });

  it.runIf(isPresent)(
    'what would have written while it was asked about is blocked all the same',
    async () => {
      const client = await connected();
      const text = "select '(1)'::pair";
      expect(await failure(client.query(text))).toMatchObject({ code: '25006' });
      await client.query('select 7');
      const { intent, outcome } = await leavesOf(text);
      expect([intent.leaf.decision, outcome?.leaf.status]).toEqual(['block', 'blocked']);
      expect(JSON.stringify(intent.body['rules'])).toContain('server-tree');
      expect(await victims(direct)).toBe(5000);
    },
  );

  it.runIf(isPresent)('and only that is in what was denied, in a package that verifies', async () => {
    for (const client of open.splice(0)) await client.end();
    await harness.finishedLog();
    const { host, port } = harness.gateway.api;
    await harness.apply('{ kind: Person, name: root, displayName: Root, groups: [administrators] }');
    const answer = await fetch(`http://${host}:${port}/v1/evidence/export`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${await harness.token('root')}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify({ from: '2020-01-01T00:00:00Z', to: '2100-01-01T00:00:00Z', reason: 'audit' }),
    });
    expect(answer.status).toBe(200);
    const file = join(harness.data, 'package.zip');
    await writeFile(file, new Uint8Array(await answer.arrayBuffer()));
    await using source = await FileSource.open(file);
    const vkey = harness.gateway.rooms.ledger.verifierKey;
    const report = await verifyPackage(source, { host: nodeHost(), vkey });
    expect(report.checks.filter(({ status }) => status !== 'passed')).toEqual([]);
    const { stdout } = await run('unzip', ['-p', file, '*/data/populations/denied.csv']);
    const [header = [], ...rows] = parseCsv(stdout);
    expect(rows.map((row) => row[header.indexOf('sql')])).toEqual(["select '(1)'::pair"]);
  });
});
