/**
 * A change of what people may do waits for somebody else; who works meanwhile notices nothing, and the evidence
 * package has who asked, who agreed, and what became of it.
 */

import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseCsv } from '../../packages/ledger/src/csv.ts';
import { FileSource, nodeHost } from '../../packages/verify/src/node-host.ts';
import { verifyPackage } from '../../packages/verify/src/verify-package.ts';
import { type Harness, startHarness } from './harness.ts';

const run = promisify(execFile);

const RESOURCES = `
{ kind: Person, name: root, displayName: Root, groups: [administrators] }
---
{ kind: Person, name: olga, displayName: Olga, groups: [owners] }
---
{ kind: Group, name: owners, members: [] }
---
{ kind: Rule, name: guard, when: { changes: [Access, Rule] }, then: { hold: { approvers: [group:owners] } } }
`;
const OTTO_TOO = '{ kind: Access, name: search-team, who: [group:search, otto], to: [db] }';

let harness: Harness;
const tokens = new Map<string, string>();

beforeAll(async () => {
  harness = await startHarness();
  await harness.apply(RESOURCES);
  for (const name of ['root', 'olga', 'ana', 'otto']) tokens.set(name, await harness.token(name));
}, 60_000);
afterAll(() => harness?.[Symbol.asyncDispose]());

async function call(who: string, key: string, body: unknown): Promise<Response> {
  const { host, port } = harness.gateway.api;
  const [method = '', path = ''] = key.split(' ');
  return fetch(`http://${host}:${port}${path}`, {
    method,
    headers: { authorization: `Bearer ${tokens.get(who) ?? ''}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}

async function connect(who: string): Promise<Client> {
  const { host, port } = harness.gateway.postgres;
  const client = new Client({ host, port, user: who, password: tokens.get(who) ?? '', database: 'db' });
  await client.connect();
  return client;
}

/** The hold that root's change waits for, approved by olga. */
async function approved(): Promise<string> {
  const held = await call('root', 'POST /v1/resources/apply', { text: OTTO_TOO });
  expect(held.status).toBe(423);
  const [id = ''] = /hld_[0-9a-z]{26}/.exec(await held.text()) ?? [];
  expect((await call('olga', `POST /v1/approvals/${id}/approve`, { reason: 'looked at' })).status).toBe(200);
  return id;
}

describe('a guard', () => {
  it('lets nobody in before somebody agreed, and nobody’s session become a ruled one', async () => {
    const ana = await connect('ana');
    await expect(connect('otto')).rejects.toThrow(/No Access resource/);
    await approved();
    await expect(connect('otto')).rejects.toThrow(/No Access resource/);
    expect((await call('root', 'POST /v1/resources/apply', { text: OTTO_TOO })).status).toBe(200);
    const otto = await connect('otto');
    expect((await otto.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    // What a rule decides about is read, and says so in its intent.
    await ana.query('select 2 as two');
    await ana.end();
    await otto.end();
    const log = await harness.finishedLog();
    const intents = log.filter(({ leaf }) => leaf.type === 'statement.intent');
    expect(intents).toHaveLength(2);
    for (const { body } of intents) expect(body).not.toHaveProperty('effects');
  });

  it('is seen in the evidence package, which verifies', async () => {
    const period = { from: '2020-01-01T00:00:00Z', to: '2100-01-01T00:00:00Z', reason: 'test' };
    const answer = await call('root', 'POST /v1/evidence/export', period);
    const file = join(harness.data, 'package.zip');
    await writeFile(file, new Uint8Array(await answer.arrayBuffer()));
    await using source = await FileSource.open(file);
    const vkey = harness.gateway.rooms.ledger.verifierKey;
    const report = await verifyPackage(source, { host: nodeHost(), vkey });
    expect(report.checks.filter(({ status }) => status !== 'passed')).toEqual([]);
    expect(report.verdict).toBe('verified');
    const directory = join(harness.data, 'unzipped');
    await run('unzip', ['-q', file, '-d', directory]);
    const rows = async (name: string): Promise<Record<string, string>[]> => {
      const found = await run('find', [directory, '-name', name]);
      const [header = [], ...cells] = parseCsv(await readFile(found.stdout.trim(), 'utf8'));
      return cells.map((row) => Object.fromEntries(header.map((column, i) => [column, row[i] ?? ''])));
    };
    const [approval = {}, ...others] = await rows('approvals.csv');
    expect(others).toEqual([]);
    expect(approval).toMatchObject({
      requester: 'root',
      rule: 'guard',
      outcome: 'executed',
      status: 'ok',
      approved: '1',
      same_person: 'false',
      held_session: '',
      database: '',
    });
    expect(approval['changes']).toContain('"name":"search-team"');
    expect(approval['votes']).toContain('"approver":"olga"');
    const changes = await rows('administrative-changes.csv');
    const change = changes.find(({ details = '' }) => details.includes(approval['hold_id'] ?? 'none'));
    expect(change).toMatchObject({ event_type: 'resource.apply', object: 'search-team', actor_name: 'root' });
  });
});
