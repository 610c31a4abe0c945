import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Hold } from '../approvals/holds-port.ts';
import { testingOnlyRequest } from '../approvals/testing-room.ts';
import { type TestingRun, testingOnlyRun } from '../cli/testing-command.ts';
import { type AuthenticationMethod, BY_PASSWORD, BY_SECOND_FACTOR } from '../core/authentication.ts';
import type { SessionId } from '../core/ids.ts';
import { parseResources } from '../resources/parse.ts';
import type { ApprovalAnswer, ApprovalsAnswer, ErrorAnswer } from './answers.ts';
import { type TestingApi, type TestingPerson, testingOnlyApi } from './testing-api.ts';
import { type TestingAnswer, testingOnlyCall } from './testing-call.ts';

const REACHABLE = `
{ kind: Connection, name: db, protocol: postgres, target: { host: db, database: rerank }, credential: { user: app } }
---
{ kind: Access, name: search, who: [ana], to: [db] }
`;

let api: TestingApi;
let session: SessionId;
const people = new Map<string, TestingPerson>();
let statements = 0;

beforeAll(async () => {
  api = await testingOnlyApi();
  const { rooms } = api;
  const person = { kind: 'Person', disabled: false } as const;
  const by = { name: 'test', kind: 'system', keyId: rooms.bootId } as const;
  await rooms.resources.apply(
    [
      { kind: 'Group', name: 'owners', members: [] },
      ...parseResources(REACHABLE),
      ...['bo', 'cleo'].map((name) => ({ ...person, name, displayName: name, groups: ['owners'] })),
      { ...person, name: 'eve', displayName: 'eve', groups: [] },
      {
        kind: 'ServiceAccount',
        type: 'ci',
        name: 'robot',
        displayName: 'Robot',
        groups: ['owners'],
        disabled: false,
      },
    ],
    by,
  );
  for (const name of ['bo', 'cleo', 'eve', 'robot', 'ana', 'root', 'aud']) {
    // oxlint-disable-next-line no-await-in-loop -- One after the other.
    const record = await rooms.identity.principals.findByName(name);
    if (record === undefined) throw new Error(`no ${name}`);
    const request = { name: 'test', lifetimeMs: 3_600_000, createdBy: undefined };
    // oxlint-disable-next-line no-await-in-loop -- One after the other.
    const { token } = await rooms.identity.tokens.createToken(record, request);
    people.set(name, { name, token: token.reveal() });
  }
  session = (await api.openSession('ana')).id;
});
afterAll(() => api[Symbol.asyncDispose]());

async function ask(change: Parameters<typeof testingOnlyRequest>[1] = {}): Promise<Hold> {
  const ana = await api.rooms.identity.principals.findByName('ana');
  if (ana === undefined) throw new Error('no ana');
  statements += 1;
  const request = testingOnlyRequest(
    { ...ana, groups: ['search'] },
    { statement: `update p${statements} set x = 1`, policy: api.rooms.resources.bundleDigest(), ...change },
  );
  return api.approvals.ask({ ...request, sessionId: session });
}

function call<T = ErrorAnswer>(key: string, who: string, body?: unknown): Promise<TestingAnswer<T>> {
  return testingOnlyCall(api.url, people.get(who)?.token, key, body);
}

async function leafTypes(): Promise<string[]> {
  const types: string[] = [];
  for await (const { leaf } of api.rooms.reader.leaves(0))
    types.push(JSON.parse(Buffer.from(leaf).toString()).type);
  return types;
}

describe('what is held', () => {
  it('is shown to approvers, to who asked and to those who see everything, and is not there for others', async () => {
    const hold = await ask({ statement: 'update canary set x = 1' });
    const seen: Record<string, number> = {};
    for (const name of people.keys()) {
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      seen[name] = (await call(`GET /v1/approvals/${hold.id}`, name)).status;
    }
    expect(seen).toEqual({ ana: 200, bo: 200, cleo: 200, root: 200, aud: 200, eve: 404, robot: 404 });
    const listed = await Promise.all(
      ['ana', 'bo', 'root', 'aud', 'eve', 'robot'].map(async (name) => {
        const { json } = await call<ApprovalsAnswer>('GET /v1/approvals', name);
        return [name, json.approvals.some(({ id }) => id === hold.id)];
      }),
    );
    expect(Object.fromEntries(listed)).toEqual({
      ana: true,
      bo: true,
      root: true,
      aud: true,
      eve: false,
      robot: false,
    });
  });

  it('is shown with what counts, a guess by its name, and keys of rows only; a leaf says so', async () => {
    const hold = await ask();
    const before = (await leafTypes()).length;
    const { json } = await call<ApprovalAnswer>(`GET /v1/approvals/${hold.id}`, 'bo');
    expect(json.approval).toMatchObject({
      id: hold.id,
      digest: hold.digest,
      state: 'asked',
      rule: 'bulk',
      ruleVersion: 3,
      requester: 'ana',
      requesterGroups: ['search'],
      session,
      statement: `update p${statements} set x = 1`,
      statementTruncated: false,
      exactRows: 120,
      boundRows: 120,
      estimatedRows: 7,
      affectedKeys: ['id=1', 'id=2'],
      count: 1,
      approved: 0,
      votes: [],
      shredded: false,
    });
    expect((await leafTypes()).slice(before)).toContain('recording.view');
    const own = (await leafTypes()).length;
    await call(`GET /v1/approvals/${hold.id}`, 'ana');
    expect((await leafTypes()).slice(own)).not.toContain('recording.view');
  });

  it('is listed page by page, what is over only where it is asked for', async () => {
    const [one, two] = [await ask(), await ask()];
    await call(`POST /v1/approvals/${two.id}/deny`, 'bo', {});
    const open = await call<ApprovalsAnswer>('GET /v1/approvals?limit=1', 'ana');
    expect(open.json.approvals.map(({ id }) => id)).toEqual([one.id]);
    const all = await call<ApprovalsAnswer>('GET /v1/approvals?state=all&limit=1', 'ana');
    expect(all.json.approvals.map(({ id, state }) => [id, state])).toEqual([[two.id, 'denied']]);
    const next = await call<ApprovalsAnswer>(
      `GET /v1/approvals?state=all&limit=1&before=${all.json.next}`,
      'ana',
    );
    expect(next.json.approvals.map(({ id }) => id)).toEqual([one.id]);
    expect((await call('GET /v1/approvals?limit=1001', 'ana')).json.code).toBe('LIMIT_EXCEEDED');
  });
});

describe('a decision', () => {
  it('of an approver counts, with its reason, and lets who asked go on', async () => {
    const hold = await ask({ demand: { count: 2, requireReason: true } });
    expect((await call(`POST /v1/approvals/${hold.id}/approve`, 'bo', {})).json.code).toBe('REQUEST_INVALID');
    const first = await call<ApprovalAnswer>(`POST /v1/approvals/${hold.id}/approve`, 'bo', {
      reason: 'checked',
    });
    expect(first.json.approval).toMatchObject({ state: 'asked', approved: 1 });
    expect((await call(`POST /v1/approvals/${hold.id}/approve`, 'bo', { reason: 'again' })).json.code).toBe(
      'STATE_CONFLICT',
    );
    const second = await call<ApprovalAnswer>(`POST /v1/approvals/${hold.id}/approve`, 'cleo', {
      reason: 'me too',
    });
    expect(second.json.approval).toMatchObject({
      state: 'granted',
      approved: 2,
      votes: [
        { name: 'bo', groups: ['owners'], comment: 'checked' },
        { name: 'cleo', comment: 'me too' },
      ],
    });
    expect((await hold.settled).state).toBe('granted');
  });

  it.each([
    ['ana', 403, 'PERMISSION_DENIED', 'asked for themselves'],
    ['root', 403, 'PERMISSION_DENIED', 'does not name them'],
    ['aud', 403, 'PERMISSION_DENIED', 'does not name them'],
    ['eve', 404, 'NOT_FOUND', 'no hold'],
    ['robot', 404, 'NOT_FOUND', 'no hold'],
  ])('of %s is refused: %s %s', async (name, status, code, says) => {
    const hold = await ask();
    for (const what of ['approve', 'deny']) {
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      const refused = await call(`POST /v1/approvals/${hold.id}/${what}`, name, {});
      expect([refused.status, refused.json.code, refused.json.message]).toEqual([
        status,
        code,
        expect.stringContaining(says),
      ]);
    }
  });

  it('is taken back by who asked, and by nobody else', async () => {
    const hold = await ask();
    for (const name of ['bo', 'root', 'aud', 'eve']) {
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      const refused = await call(`POST /v1/approvals/${hold.id}/withdraw`, name, {});
      expect([name, refused.status]).toEqual([name, 404]);
    }
    const done = await call<ApprovalAnswer>(`POST /v1/approvals/${hold.id}/withdraw`, 'ana', {
      reason: 'not needed',
    });
    expect(done.json.approval).toMatchObject({ state: 'withdrawn', endedBy: 'ana', endReason: 'not needed' });
    expect((await call(`POST /v1/approvals/${hold.id}/withdraw`, 'ana', {})).json.code).toBe(
      'STATE_CONFLICT',
    );
  });

  it('is void where what decides about it changes, within a second', async () => {
    const hold = await ask();
    const rule = parseResources('{ kind: Rule, name: new, when: { effects: [drop] }, then: block }');
    await api.rooms.resources.apply(rule, { name: 'test', kind: 'system', keyId: api.rooms.bootId });
    expect(await hold.settled).toMatchObject({ state: 'withdrawn', reason: 'the policy changed' });
  });
});

function run(who: string, ...words: string[]): Promise<TestingRun> {
  return testingOnlyRun(words, {
    HOME: '/nonexistent',
    COUNTERSIGN_SERVER: api.url,
    COUNTERSIGN_TOKEN: people.get(who)?.token,
  });
}

/** A login of cleo's, by password or by both. */
async function login(methods: readonly AuthenticationMethod[], ageMs: number): Promise<void> {
  const { principals, identity, tokens } = api.rooms.identity;
  const record = await principals.findByName('cleo');
  if (record === undefined) throw new Error('no cleo');
  const atUs = api.approvals.nowUs() - ageMs * 1_000;
  const { token } = await tokens.createLoginToken(record, identity.principalOf(record), { methods, atUs });
  people.set('cleo by login', { name: 'cleo', token: token.reveal() });
}

describe('an approval with a second factor', () => {
  it('is by the login of the token that it is given with', async () => {
    const hold = await ask({ demand: { mfaMs: 900_000 } });
    const approve = `POST /v1/approvals/${hold.id}/approve`;
    const shown = await call<ApprovalAnswer>(`GET /v1/approvals/${hold.id}`, 'bo');
    expect(shown.json.approval.mfaSeconds).toBe(900);
    expect((await run('bo', 'approvals', 'show', hold.id)).out).toMatch(
      /login .*second factor of the last 900 s/,
    );
    const refused = await call(approve, 'cleo', {});
    expect([refused.status, refused.json.code]).toEqual([403, 'PERMISSION_DENIED']);
    expect(refused.json.message).toMatch(
      /rule "bulk" asks for a login with a second factor of the last 900 s/,
    );
    await login(BY_PASSWORD, 0);
    expect((await call(approve, 'cleo by login', {})).status).toBe(403);
    await login(BY_SECOND_FACTOR, 3_600_000);
    expect((await call(approve, 'cleo by login', {})).status).toBe(403);
    await login(BY_SECOND_FACTOR, 60_000);
    const granted = await call<ApprovalAnswer>(approve, 'cleo by login', {});
    expect(granted.json.approval).toMatchObject({ state: 'granted', approved: 1 });
  });

  it('is asked for of a change of resources too', async () => {
    const apply = (text: string): Promise<TestingAnswer<ErrorAnswer>> =>
      call('POST /v1/resources/apply', 'root', { text });
    const guard = `{ kind: Rule, name: guard, when: { changes: [Mask] }, then: { hold: { approvers: [group:owners], mfa: 15m } } }`;
    expect((await apply(guard)).status).toBe(200);
    const held = await apply('{ kind: Mask, name: m, columns: [a.b], as: redact }');
    const holdId = /hld_[0-9a-z]+/.exec(held.json.message)?.[0];
    expect([held.json.code, holdId]).toEqual(['POLICY_HELD', expect.any(String)]);
    const refused = await call(`POST /v1/approvals/${holdId}/approve`, 'cleo', {});
    expect(refused.json.message).toMatch(/rule "guard" asks for a login with a second factor/);
    await login(BY_SECOND_FACTOR, 0);
    expect((await call(`POST /v1/approvals/${holdId}/approve`, 'cleo by login', {})).status).toBe(200);
  });
});

describe('the commands', () => {
  it('list, show, approve, deny and withdraw, with nothing that drives a terminal', async () => {
    const hold = await ask({
      statement: 'update p\n  set x = \u001b[2J1',
      demand: { reason: 'it is \u001b[2J much' },
    });
    expect((await run('bo', 'approvals', 'list')).out).toMatch(
      new RegExp(`${hold.id.slice(0, 16)}  asked .*0 of 1 .*ana`),
    );
    const shown = await run('bo', 'approvals', 'show', hold.id);
    expect(shown.out).toContain('120 rows, counted');
    expect(shown.out).toContain('7 rows, guessed by the target');
    expect(shown.out).toContain('covers');
    expect(shown.out).toContain('\n  set x = \\x1b[2J1');
    expect(shown.out).not.toContain('\u001b');
    const approved = await run('bo', 'approvals', 'approve', hold.id, '--reason', 'ticket 7');
    expect([approved.status, approved.out]).toEqual([0, `${hold.id}: granted, 1 of 1 approved\n`]);
    expect((await run('ana', 'approvals', 'show', hold.id)).out).toMatch(/bo .*approve .*ticket 7/);
    const own = await run('ana', 'approvals', 'withdraw', hold.id, '--reason', 'no');
    expect(own.out).toContain('withdrawn');
    const other = await ask();
    const refused = await run('root', 'approvals', 'deny', other.id);
    expect([refused.status, refused.err]).toEqual([3, expect.stringContaining('does not name them')]);
    expect((await run('cleo', 'approvals', 'deny', other.id)).out).toContain('denied');
    const json = await run('ana', 'approvals', 'list', '--all', '--json');
    expect(JSON.parse(json.out).approvals.length).toBeGreaterThan(1);
    expect((await run('eve', 'approvals', 'show', other.id)).status).toBe(6);
    expect((await run('eve', 'approvals', 'show', 'hld_1')).status).toBe(2);
  });
});
