/** Changes of resources wait for other people: through the real API and the real command line. */

import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type TestingRun, testingOnlyRun } from '../cli/testing-command.ts';
import { parseResources } from '../resources/parse.ts';
import type { ApprovalAnswer, ChangesAnswer, DiffAnswer, ErrorAnswer } from './answers.ts';
import { type TestingApi, testingOnlyApi } from './testing-api.ts';
import { type TestingAnswer, testingOnlyCall } from './testing-call.ts';

/** root and rae are administrators, bo and cleo approve, bo is an administrator too. */
const WORLD = `
{ kind: Person, name: rae, displayName: Rae, groups: [administrators] }
---
{ kind: Person, name: bo, displayName: Bo, groups: [administrators, owners] }
---
{ kind: Person, name: cleo, displayName: Cleo, groups: [owners] }
---
{ kind: Person, name: eve, displayName: Eve }
---
{ kind: Group, name: owners, members: [] }
---
{ kind: Group, name: deployers, members: [] }
---
{ kind: ServiceAccount, name: ci, type: ci, groups: [administrators] }
---
{ kind: Connection, name: db, protocol: postgres, target: { host: db, database: x }, credential: { user: app, password: { sealed: true } } }
---
{ kind: Access, name: search, who: [ana], to: [db] }
`;
const GUARD = `
{ kind: Rule, name: guard, description: Two look at access., unless: [group:deployers], when: { changes: [Access, Rule, Connection] }, then: { hold: { approvers: [group:owners] } } }
`;
const OPENED = '{ kind: Access, name: search, who: [ana, eve], to: [db] }';

let api: TestingApi;
let directory: string;
const tokens = new Map<string, string>();

async function open(): Promise<void> {
  api = await testingOnlyApi();
  directory = await mkdtemp(join(tmpdir(), 'held-changes-'));
  const { rooms } = api;
  const by = { name: 'test', kind: 'system', keyId: rooms.bootId } as const;
  await rooms.resources.apply(parseResources(WORLD), by);
  for (const name of ['root', 'rae', 'bo', 'cleo', 'eve', 'ci']) tokens.set(name, await tokenOf(name));
  expect((await apply('root', GUARD)).status).toBe(200);
}

async function close(): Promise<void> {
  await api[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
}

async function tokenOf(name: string): Promise<string> {
  const { principals, tokens: made } = api.rooms.identity;
  const record = await principals.findByName(name);
  if (record === undefined) throw new Error(`no ${name}`);
  const request = { name: 'test', lifetimeMs: 3_600_000, createdBy: undefined };
  return (await made.createToken(record, request)).token.reveal();
}

function call<T = ErrorAnswer>(who: string, key: string, body?: unknown): Promise<TestingAnswer<T>> {
  return testingOnlyCall(api.url, tokens.get(who), key, body);
}

function apply(who: string, text: string): Promise<TestingAnswer<ErrorAnswer & ChangesAnswer>> {
  return call(who, 'POST /v1/resources/apply', { text });
}

function remove(who: string, kind: string, name: string): Promise<TestingAnswer<ErrorAnswer>> {
  return call(who, `DELETE /v1/resources/${kind}/${name}`);
}

function idsIn({ json }: TestingAnswer<ErrorAnswer>): string[] {
  return json.message?.match(/hld_[0-9a-z]{26}/g) ?? [];
}

/** The one hold that an answer of 423 is about. */
function heldAs(answer: TestingAnswer<ErrorAnswer>): string {
  expect([answer.status, answer.json.code]).toEqual([423, 'POLICY_HELD']);
  const ids = idsIn(answer);
  expect(ids).toHaveLength(1);
  return ids[0] ?? '';
}

function approve(who: string, id: string): Promise<TestingAnswer<ApprovalAnswer & ErrorAnswer>> {
  return call(who, `POST /v1/approvals/${id}/approve`, {});
}

async function stateOf(id: string): Promise<string> {
  const { json } = await call<ApprovalAnswer>('root', `GET /v1/approvals/${id}`);
  return json.approval.state;
}

function documentOf(kind: 'Access' | 'Rule' | 'Group' | 'Person', name: string): unknown {
  return api.rooms.resources.get(kind, name)[0]?.document;
}

interface Line {
  readonly n: number;
  readonly type: string;
  readonly ref: number | undefined;
  readonly status: string | undefined;
}

async function leaves(): Promise<Line[]> {
  const found: Line[] = [];
  for await (const { leaf } of api.rooms.reader.leaves(0)) {
    found.push(JSON.parse(Buffer.from(leaf).toString('utf8')));
  }
  return found;
}

function cli(who: string, ...words: string[]): Promise<TestingRun> {
  return testingOnlyRun(words, {
    HOME: directory,
    COUNTERSIGN_SERVER: api.url,
    COUNTERSIGN_TOKEN: tokens.get(who),
  });
}

describe('a change that a rule holds', () => {
  beforeEach(open);
  afterEach(close);

  it('waits, is shown to approvers as it would be, and passes exactly once', async () => {
    const held = await apply('root', OPENED);
    const id = heldAs(held);
    expect(held.json.message).toMatch(
      /^Held by rule "guard" \(version 1\): Access "search" is updated, and it waits for 1 of group:owners until 20/,
    );
    expect(heldAs(await apply('root', OPENED))).toBe(id);
    const { approval } = (await call<ApprovalAnswer>('cleo', `GET /v1/approvals/${id}`)).json;
    expect(approval).toMatchObject({
      protocol: 'resources',
      requester: 'root',
      state: 'asked',
      rule: 'guard',
    });
    expect(approval).not.toHaveProperty('connection');
    expect(approval).not.toHaveProperty('session');
    expect(approval.changes).toEqual([
      {
        action: 'updated',
        kind: 'Access',
        name: 'search',
        previousVersion: 1,
        diff: [{ path: 'who', from: ['ana'], to: ['ana', 'eve'] }],
      },
    ]);
    expect((await approve('root', id)).status).toBe(403);
    expect((await approve('eve', id)).status).toBe(404);
    expect((await approve('cleo', id)).json.approval.state).toBe('granted');
    // Approved, and nothing has an effect before it is sent again.
    expect(documentOf('Access', 'search')).toMatchObject({ who: ['ana'] });
    expect((await apply('root', OPENED)).json.changes).toMatchObject([{ action: 'updated', version: 2 }]);
    expect(documentOf('Access', 'search')).toMatchObject({ who: ['ana', 'eve'] });
    expect(await stateOf(id)).toBe('executed');
    expect((await apply('root', OPENED)).json.changes).toMatchObject([{ action: 'unchanged' }]);
    // Back, and there again: that is another change, on another version.
    const back = OPENED.replace(', eve', '');
    const second = heldAs(await apply('root', back));
    await approve('bo', second);
    expect((await apply('root', back)).status).toBe(200);
    expect(heldAs(await apply('root', OPENED))).not.toBe(id);
  });

  it('stands in the log before it has an effect, joined to its approval', async () => {
    const before = (await leaves()).length;
    const id = heldAs(await apply('root', OPENED));
    await approve('cleo', id);
    await apply('root', OPENED);
    const log = (await leaves()).slice(before);
    const types = log.map(({ type }) => type).filter((type) => /^(hold|approval|resource)\./.test(type));
    expect(types).toEqual([
      'hold.asked',
      'approval.granted',
      'hold.taken',
      'resource.apply',
      'hold.executed',
    ]);
    const taken = log.find(({ type }) => type === 'hold.taken');
    expect(log.find(({ type }) => type === 'resource.apply')?.ref).toBe(taken?.n);
    expect(log.find(({ type }) => type === 'hold.executed')?.status).toBe('ok');
  });

  it('is one whole with what nothing holds, in whatever order it is sent', async () => {
    const eve = '{ kind: Person, name: eve, displayName: Evelyn }';
    const id = heldAs(await apply('root', `${eve}\n---\n${OPENED}`));
    expect(documentOf('Person', 'eve')).toMatchObject({ displayName: 'Eve' });
    await approve('cleo', id);
    expect((await apply('root', OPENED)).status).toBe(423);
    expect((await apply('root', `${OPENED}\n---\n${eve}`)).status).toBe(200);
    expect(documentOf('Person', 'eve')).toMatchObject({ displayName: 'Evelyn' });
  });

  it('is void where anything of it, or a guard, changed meanwhile', async () => {
    const id = heldAs(await apply('root', OPENED));
    const other = '{ kind: Access, name: search, who: [ana, eve], to: [db], may: [read] }';
    const second = heldAs(await apply('rae', other));
    await approve('cleo', id);
    await approve('cleo', second);
    expect((await apply('rae', other)).status).toBe(200);
    await expect.poll(() => stateOf(id)).toBe('withdrawn');
    const third = heldAs(await apply('root', OPENED));
    expect(third).not.toBe(id);
    const stricter = GUARD.replace('[Access,', '[Group, Access,');
    await approve('cleo', heldAs(await apply('rae', stricter)));
    expect((await apply('rae', stricter)).status).toBe(200);
    await expect.poll(() => stateOf(third)).toBe('withdrawn');
  });

  it('is refused where nobody could be shown all of it', async () => {
    const access = Array.from(
      { length: 500 },
      (_, i) => `{ kind: Access, name: a${i}, who: [ana], to: [db] }`,
    );
    const answer = await apply('root', access.join('\n---\n'));
    expect([answer.status, answer.json.code]).toEqual([413, 'LIMIT_EXCEEDED']);
    expect(documentOf('Access', 'a0')).toBeUndefined();
  });

  it('is shown in whole where it is as large as it may be', async () => {
    const access = Array.from(
      { length: 220 },
      (_, i) => `{ kind: Access, name: a${i}, who: [ana], to: [db] }`,
    );
    const id = heldAs(await apply('root', access.join('\n---\n')));
    const { approval } = (await call<ApprovalAnswer>('cleo', `GET /v1/approvals/${id}`)).json;
    expect(approval.changes).toHaveLength(220);
    expect(approval.statementTruncated).toBe(false);
    const said = createHash('sha256').update(approval.statement ?? '');
    expect(said.digest('hex')).toBe(approval.statementSha256);
    await approve('cleo', id);
    expect((await apply('root', access.toReversed().join('\n---\n'))).status).toBe(200);
  });

  it('is denied by one, for good, and asked anew when it is sent again', async () => {
    const id = heldAs(await apply('root', OPENED));
    await call('cleo', `POST /v1/approvals/${id}/deny`, { reason: 'no' });
    expect(await stateOf(id)).toBe('denied');
    expect(heldAs(await apply('root', OPENED))).not.toBe(id);
    expect(documentOf('Access', 'search')).toMatchObject({ who: ['ana'] });
  });

  it('is not let through by who may not approve any more', async () => {
    const id = heldAs(await apply('root', OPENED));
    await approve('bo', id);
    const without =
      '{ kind: Person, name: bo, displayName: Bo, groups: [administrators] }\n---\n{ kind: Person, name: eve, displayName: Eve, groups: [owners] }';
    await approve('cleo', heldAs(await apply('rae', without)));
    expect((await apply('rae', without)).status).toBe(200);
    const late = await apply('root', OPENED);
    expect([late.status, late.json.code]).toEqual([409, 'HOLD_NOT_USABLE']);
    expect(documentOf('Access', 'search')).toMatchObject({ who: ['ana'] });
    expect(heldAs(await apply('root', OPENED))).not.toBe(id);
  });

  it('is nothing that somebody else may send', async () => {
    const id = heldAs(await apply('root', OPENED));
    await approve('cleo', id);
    expect(heldAs(await apply('rae', OPENED))).not.toBe(id);
    expect(heldAs(await apply('ci', OPENED))).not.toBe(id);
    expect(documentOf('Access', 'search')).toMatchObject({ who: ['ana'] });
  });

  it('waits for each rule that holds it', async () => {
    const more =
      '{ kind: Rule, name: second, when: { changes: [Access] }, then: { hold: { approvers: [rae, bo], count: 1 } } }';
    await approve('cleo', heldAs(await apply('root', more)));
    expect((await apply('root', more)).status).toBe(200);
    const both = await apply('root', OPENED);
    const [second = '', first = ''] = idsIn(both);
    expect(both.json.message).toMatch(/rule "second" \(version 1\) holds it too/);
    await approve('cleo', first);
    expect(heldAs(await apply('root', OPENED))).toBe(second);
    await approve('rae', second);
    expect((await apply('root', OPENED)).status).toBe(200);
    expect([await stateOf(first), await stateOf(second)]).toEqual(['executed', 'executed']);
  });

  it('passes once where two send it at once', async () => {
    await approve('cleo', heldAs(await apply('root', OPENED)));
    const answers = await Promise.all([apply('root', OPENED), apply('root', OPENED)]);
    expect(answers.map(({ json }) => json.changes?.[0]?.action)).toEqual(['updated', 'unchanged']);
    const executed = (await leaves()).filter(({ type }) => type === 'hold.executed');
    expect(executed).toHaveLength(1);
    const gone = await Promise.all([remove('root', 'Access', 'search'), remove('root', 'Access', 'search')]);
    expect(gone.map(heldAs)[0]).toBe(gone.map(heldAs)[1]);
  });
});

describe('ways round a guard', () => {
  // Nothing that is held has an effect, so that one world is enough.
  beforeAll(open);
  afterAll(close);

  const ATTACKS: readonly (readonly [string, string])[] = [
    [
      'weaker, with what it guards',
      `${GUARD.replace('[Access, Rule, Connection]', '[Connection]')}---\n${OPENED}`,
    ],
    ['another approver', GUARD.replace('group:owners', 'rae')],
    ['an exception for oneself', GUARD.replace('[group:deployers]', '[group:deployers, root]')],
    [
      'no guard any more',
      '{ kind: Rule, name: guard, when: {}, then: allow }'.replace('{}', '{ effects: [read] }'),
    ],
    ['an approver, by the group', '{ kind: Group, name: owners, members: [eve] }'],
    ['an approver, by the person', '{ kind: Person, name: eve, displayName: Eve, groups: [owners] }'],
    ['an approver who did not exist', '{ kind: Person, name: mal, displayName: Mal, groups: [owners] }'],
    [
      'one approver less',
      '{ kind: Person, name: cleo, displayName: Cleo, groups: [owners], disabled: true }',
    ],
    ['into the group of exceptions', '{ kind: Group, name: deployers, members: [root] }'],
    [
      'a second administrator of one’s own',
      '{ kind: Person, name: mal, displayName: Mal, groups: [administrators] }',
    ],
    ['an administrator by the group', '{ kind: Group, name: administrators, members: [eve] }'],
    ['a service account that is one', '{ kind: ServiceAccount, name: bot, groups: [administrators] }'],
    ['a guarded thing among others', `{ kind: Person, name: eve, displayName: Ev }\n---\n${OPENED}`],
    [
      'a new rule that lets more through',
      '{ kind: Rule, name: a, when: { effects: [unknown] }, then: allow }',
    ],
  ];
  it.each(ATTACKS)('are held: %s', async (_, text) => {
    const before = api.rooms.resources.all;
    heldAs(await apply('root', text));
    expect(api.rooms.resources.all).toEqual(before);
  });

  it('by the gateway itself are refused', async () => {
    const by = { name: 'countersign', kind: 'system', keyId: api.rooms.bootId } as const;
    const attempt = api.rooms.resources.apply(parseResources(OPENED), by);
    await expect(attempt).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
  });

  it('by deleting are held: the guard, what it guards, a group it names', async () => {
    heldAs(await remove('root', 'Rule', 'guard'));
    heldAs(await remove('root', 'Access', 'search'));
    heldAs(await remove('root', 'Person', 'cleo'));
    expect((await remove('root', 'Group', 'owners')).json.code).toBe('RESOURCE_INVALID');
    expect((await remove('root', 'Person', 'eve')).status).toBe(200);
  });
});

describe('credentials', () => {
  beforeEach(open);
  afterEach(close);

  it('that the gateway has for a target wait too, bound to exactly that password', async () => {
    const path = 'PUT /v1/connections/db/password';
    const first = await call('root', path, { password: 'canary-one' });
    const id = heldAs(first);
    expect(heldAs(await call('root', path, { password: 'canary-two' }))).not.toBe(id);
    const shown = await call<ApprovalAnswer>('cleo', `GET /v1/approvals/${id}`);
    expect(JSON.stringify(shown.json)).not.toContain('canary');
    expect(shown.json.approval.changes).toMatchObject([{ action: 'password', name: 'db' }]);
    await approve('cleo', id);
    heldAs(await call('root', path, { password: 'canary-three' }));
    expect((await call('root', path, { password: 'canary-one' })).status).toBe(200);
    expect(heldAs(await call('root', path, { password: 'canary-one' }))).not.toBe(id);
    // An approval is for the password in the place of the one that was there.
    const late = heldAs(await call('root', path, { password: 'canary-four' }));
    await approve('cleo', late);
    await approve('cleo', heldAs(await call('rae', path, { password: 'canary-five' })));
    expect((await call('rae', path, { password: 'canary-five' })).status).toBe(200);
    expect(heldAs(await call('root', path, { password: 'canary-four' }))).not.toBe(late);
    const change = (await leaves()).findLast(({ type }) => type === 'credential.change');
    expect(change?.ref).toEqual(expect.any(Number));
  });

  it('that let somebody in as an approver or an administrator wait too: tokens and invitations', async () => {
    for (const owner of ['cleo', 'bo', 'rae', 'ci']) {
      // oxlint-disable-next-line no-await-in-loop -- One behind the other.
      heldAs(await call('root', 'POST /v1/tokens', { name: 'x', owner }));
    }
    for (const name of ['cleo', 'rae']) {
      // oxlint-disable-next-line no-await-in-loop -- One behind the other.
      heldAs(await call('root', 'POST /v1/invitations', { name }));
    }
    expect((await call('root', 'POST /v1/tokens', { name: 'x' })).status).toBe(201);
    expect((await call('root', 'POST /v1/tokens', { name: 'x', owner: 'eve' })).status).toBe(201);
    expect((await call('root', 'POST /v1/invitations', { name: 'eve' })).status).toBe(201);
    const id = heldAs(await call('root', 'POST /v1/invitations', { name: 'rae' }));
    expect((await approve('rae', id)).status).toBe(403);
    expect((await approve('cleo', id)).status).toBe(200);
    expect((await call('root', 'POST /v1/invitations', { name: 'rae' })).status).toBe(201);
    expect((await call('root', 'POST /v1/invitations', { name: 'rae' })).status).toBe(423);
  });

  it('and resources pass for whom the rule excepts', async () => {
    const excepted = '{ kind: Group, name: deployers, members: [rae] }';
    await approve('cleo', heldAs(await apply('root', excepted)));
    expect((await apply('root', excepted)).status).toBe(200);
    expect((await apply('rae', OPENED)).status).toBe(200);
  });
});

describe('the command line', () => {
  beforeEach(open);
  afterEach(close);

  it('says who holds it, what it waits for and what to do, and shows approvers the difference', async () => {
    const file = join(directory, 'change.yaml');
    await writeFile(file, OPENED);
    const diff = await cli('root', 'diff', '-f', file);
    expect([diff.status, diff.err]).toEqual([0, '']);
    expect(diff.out).toContain(
      'apply would be held by rule "guard" (version 1): Access "search" is updated; it waits for 1 of group:owners',
    );
    const json = (await call<DiffAnswer>('root', 'POST /v1/resources/diff', { text: OPENED })).json;
    expect(json.heldBy).toMatchObject([{ rule: 'guard', count: 1, approvers: ['group:owners'] }]);
    const held = await cli('root', 'apply', '-f', file);
    expect(held.status).toBe(7);
    expect(held.err).toMatch(/it waits for 1 of group:owners until .* Approval (hld_\w+) is asked for\./);
    expect(held.err).toMatch(/send exactly the same again: it passes once/);
    const id = /hld_[0-9a-z]{26}/.exec(held.err)?.[0] ?? '';
    expect((await cli('cleo', 'approvals', 'list')).out).toMatch(/root +resources +guard/);
    const shown = await cli('cleo', 'approvals', 'show', id);
    expect(shown.out).toContain('Access/search updated, on version 1');
    expect(shown.out).toContain('who: - ["ana"] + ["ana","eve"]');
    expect((await cli('cleo', 'approvals', 'approve', id)).status).toBe(0);
    const done = await cli('root', 'apply', '-f', file);
    expect([done.status, done.out]).toEqual([0, expect.stringContaining('Access/search updated, version 2')]);
  });
});
