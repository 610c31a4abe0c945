import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Hold } from '../approvals/holds-port.ts';
import { testingOnlyRequest } from '../approvals/testing-room.ts';
import { type TestingRun, testingOnlyRun } from '../cli/testing-command.ts';
import type { SessionId } from '../core/ids.ts';
import { parseResources } from '../resources/parse.ts';
import type { ApprovalAnswer, ApprovalsAnswer, ErrorAnswer } from './answers.ts';
import { type TestingApi, testingOnlyApi } from './testing-api.ts';
import { type TestingAnswer, testingOnlyCall } from './testing-call.ts';

const RESOURCES = `
{ kind: Connection, name: db, protocol: postgres, target: { host: db, database: rerank }, credential: { user: app } }
---
{ kind: Connection, name: other, protocol: postgres, target: { host: db, database: rerank }, credential: { user: app } }
---
{ kind: Access, name: search, who: [ana, bo], to: [db, other] }
---
{ kind: Group, name: owners, members: [bo] }
---
{ kind: Group, name: leads, members: [lea] }
---
{ kind: Person, name: bo, displayName: Bo }
---
{ kind: Person, name: lea, displayName: Lea }
---
{ kind: Person, name: eve, displayName: Eve }
---
{ kind: Rule, name: night, on: [db], who: [ana], when: {}, then: { breakGlass: { reviewers: [group:leads] } } }
---
kind: Rule
name: never-now
on: [db]
who: [ana]
when: { hours: { from: '00:00', to: '00:01', days: [sun] } }
then: { breakGlass: { reviewers: [group:leads] } }
`;

let api: TestingApi;
let session: SessionId;
const tokens = new Map<string, string>();
let statements = 0;

beforeAll(async () => {
  api = await testingOnlyApi();
  const { rooms } = api;
  await rooms.resources.apply(parseResources(RESOURCES), {
    name: 'test',
    kind: 'system',
    keyId: rooms.bootId,
  });
  for (const name of ['ana', 'bo', 'lea', 'eve', 'root', 'aud']) {
    // oxlint-disable-next-line no-await-in-loop -- One after the other.
    const record = await rooms.identity.principals.findByName(name);
    if (record === undefined) throw new Error(`no ${name}`);
    const request = { name: 'test', lifetimeMs: 3_600_000, createdBy: undefined };
    // oxlint-disable-next-line no-await-in-loop -- One after the other.
    tokens.set(name, (await rooms.identity.tokens.createToken(record, request)).token.reveal());
  }
  session = (await api.openSession('ana')).id;
});
afterAll(() => api[Symbol.asyncDispose]());

/** The version of the rule that is in force. */
function night(name = 'night'): { readonly name: string; readonly version: number } {
  const version = api.rooms.resources.get('Rule', name)[0]?.version;
  if (version === undefined) throw new Error('no rule');
  return { name, version };
}

async function ask(openers = [night()], name = 'ana', connection = 'db'): Promise<Hold> {
  const asker = await api.rooms.identity.principals.findByName(name);
  if (asker === undefined) throw new Error(`no ${name}`);
  statements += 1;
  const request = testingOnlyRequest(
    { ...asker, groups: ['search'] },
    {
      statement: `update p${statements} set x = 1`,
      policy: api.rooms.resources.bundleDigest(),
      demand: { openers },
    },
  );
  return api.approvals.ask({
    ...request,
    binding: { ...request.binding, connection },
    sessionId: session,
  });
}

function call<T = ErrorAnswer>(key: string, who: string, body?: unknown): Promise<TestingAnswer<T>> {
  return testingOnlyCall(api.url, tokens.get(who), key, body);
}

function opens(hold: Hold, who: string, body: unknown = { reason: 'the shop is down' }) {
  return call(`POST /v1/approvals/${hold.id}/break-glass`, who, body);
}

async function use(hold: Hold): Promise<void> {
  const taken = await api.approvals.take(hold.id, hold.digest, session);
  if (taken.kind === 'refused') throw new Error(taken.why);
  await taken.done('ok');
}

describe('breaking the glass', () => {
  it('lets who asked go on, and shows who did it, why, and who reviews it', async () => {
    const hold = await ask();
    expect((await call('GET /v1/approvals/' + hold.id, 'lea')).status).toBe(404);
    const shown = await call<ApprovalAnswer>(`GET /v1/approvals/${hold.id}`, 'ana');
    expect(shown.json.approval.openers).toEqual(['night']);
    const { status, json } = await call<ApprovalAnswer>(`POST /v1/approvals/${hold.id}/break-glass`, 'ana', {
      reason: 'the shop is down',
    });
    expect([status, json.approval]).toMatchObject([
      200,
      {
        state: 'granted',
        approved: 0,
        review: 'unreviewed',
        breakGlass: { rule: 'night', reason: 'the shop is down', reviewers: ['group:leads'] },
      },
    ]);
    expect((await hold.settled).state).toBe('granted');
    expect((await call('GET /v1/approvals/' + hold.id, 'lea')).status).toBe(200);
  });

  it.each([
    ['bo', 403, 'only who asked'],
    ['root', 403, 'only who asked'],
    ['aud', 403, 'only who asked'],
    ['lea', 404, 'no hold'],
    ['eve', 404, 'no hold'],
  ])('is not for %s: %s', async (name, status, says) => {
    const hold = await ask();
    const refused = await opens(hold, name);
    expect([refused.status, refused.json.message]).toEqual([status, expect.stringContaining(says)]);
    expect((await api.approvals.find(hold.id))?.state).toBe('asked');
  });

  it.each([
    [{}],
    [{ reason: '' }],
    [{ reason: '  ' }],
    [{ reason: '\u200b' }],
    [{ reason: 7 }],
    [{ reason: 'x', rule: 'night' }],
  ])('needs a reason: %j', async (body) => {
    const hold = await ask();
    const refused = await opens(hold, 'ana', body);
    expect([refused.status, refused.json.code]).toEqual([400, 'REQUEST_INVALID']);
  });

  it('is by a rule that is in force, as it is now, at this hour, where and whom it reaches', async () => {
    const night2 = { ...night(), version: night().version + 1 };
    const holds = [
      await ask([]),
      await ask([night2]),
      await ask([night('never-now')]),
      await ask([night()], 'ana', 'other'),
      await ask([night()], 'bo'),
    ];
    for (const [i, hold] of holds.entries()) {
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      const refused = await opens(hold, i === 4 ? 'bo' : 'ana');
      expect([refused.status, refused.json.message]).toEqual([403, expect.stringContaining('no rule')]);
    }
  });

  it('is not there where nobody else could review it', async () => {
    const hold = await ask();
    const by = { name: 'test', kind: 'system', keyId: api.rooms.bootId } as const;
    await api.rooms.resources.apply(
      parseResources('{ kind: Person, name: lea, displayName: Lea, disabled: true }'),
      by,
    );
    expect((await opens(hold, 'ana')).json.message).toContain('no rule');
    await api.rooms.resources.apply(parseResources('{ kind: Person, name: lea, displayName: Lea }'), by);
    expect((await opens(hold, 'ana')).status).toBe(200);
  });
});

describe('a review', () => {
  it('is by somebody whom the rule names, once, when it is over', async () => {
    const hold = await ask();
    await opens(hold, 'ana');
    const path = `POST /v1/approvals/${hold.id}/review`;
    const body = { verdict: 'not-justified', comment: 'it could have waited' };
    expect((await call(path, 'lea', body)).json.message).toContain('can still be used');
    await use(hold);
    const statuses: Record<string, number> = {};
    for (const name of ['ana', 'bo', 'root', 'aud', 'eve']) {
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      statuses[name] = (await call(path, name, body)).status;
    }
    expect(statuses).toEqual({ ana: 403, bo: 403, root: 403, aud: 403, eve: 404 });
    for (const wrong of [
      {},
      { verdict: 'fine', comment: 'x' },
      { ...body, comment: ' ' },
      { verdict: 'justified' },
    ]) {
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      expect((await call(path, 'lea', wrong)).json.code).toBe('REQUEST_INVALID');
    }
    const list = async (who: string): Promise<boolean> => {
      const { json } = await call<ApprovalsAnswer>('GET /v1/approvals?state=unreviewed', who);
      return json.approvals.some(({ id }) => id === hold.id);
    };
    expect([await list('lea'), await list('aud'), await list('ana'), await list('eve')]).toEqual([
      true,
      true,
      true,
      false,
    ]);
    const { json } = await call<ApprovalAnswer>(path, 'lea', body);
    expect(json.approval).toMatchObject({
      state: 'executed',
      review: 'not-justified',
      breakGlass: { reviewer: 'lea', reviewerGroups: ['leads'], comment: 'it could have waited' },
    });
    expect(await list('lea')).toBe(false);
    expect((await call(path, 'lea', body)).json.code).toBe('STATE_CONFLICT');
  });

  it('is of nothing else', async () => {
    const hold = await ask();
    await api.approvals.withdraw(hold.id, (await principal('ana')).id, 'no');
    const path = `POST /v1/approvals/${hold.id}/review`;
    const refused = await call(path, 'bo', { verdict: 'justified', comment: 'x' });
    expect(refused.json.message).toContain('was not opened by break-glass');
  });
});

async function principal(name: string) {
  const found = await api.rooms.identity.principals.findByName(name);
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
}

function run(who: string, ...words: string[]): Promise<TestingRun> {
  return testingOnlyRun(words, {
    HOME: '/nonexistent',
    COUNTERSIGN_SERVER: api.url,
    COUNTERSIGN_TOKEN: tokens.get(who),
  });
}

describe('the commands', () => {
  it('break the glass, list what nobody has reviewed, and review it', async () => {
    const hold = await ask();
    expect((await run('ana', 'approvals', 'show', hold.id)).out).toMatch(/break-glass +by rule night/);
    expect((await run('ana', 'approvals', 'break-glass', hold.id)).err).toContain('it needs --reason');
    const opened = await run('ana', 'approvals', 'break-glass', hold.id, '--reason', 'it is \u001b[2J down');
    expect(opened.out).toContain(`${hold.id}: granted by break-glass, to be used once, until`);
    expect(opened.out).toContain('group:leads will review it');
    await use(hold);
    const listed = await run('lea', 'approvals', 'list', '--state', 'unreviewed');
    expect(listed.out).toContain(hold.id.slice(0, 16));
    expect(listed.out).toMatch(/review by \d{4}/);
    const shown = await run('lea', 'approvals', 'show', hold.id);
    expect(shown.out).toContain('it is \\x1b[2J down');
    expect(shown.out).not.toContain('\u001b');
    const without = await run('lea', 'approvals', 'review', hold.id, '--verdict', 'justified');
    expect(without.err).toContain('it needs --comment');
    const words = ['--verdict', 'justified', '--comment', 'I was called'];
    const reviewed = await run('lea', 'approvals', 'review', hold.id, ...words);
    expect([reviewed.status, reviewed.out]).toEqual([0, `${hold.id}: justified\n`]);
    expect((await run('ana', 'approvals', 'show', hold.id)).out).toContain('by lea: I was called');
    expect((await run('lea', 'approvals', 'list', '--state', 'lost')).status).toBe(2);
  });
});
