import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatTimeUs } from '../core/clock.ts';
import type { ErrorAnswer, PolicyReplayAnswer } from './answers.ts';
import { type TestingApi, type TestingPerson, testingOnlyApi } from './testing-api.ts';

const RESOURCES = `kind: Connection
name: db
protocol: postgres
target: { host: db.internal, database: rerank }
credential: { user: app }
---
{ kind: Access, name: all, who: [ana], to: [db] }
---
{ kind: Rule, name: no-truncate, when: { effects: [truncate] }, then: block }
`;

/** What changes. */
const CHANGE = `kind: Rule
name: no-drops
when: { effects: [drop] }
then: block
---
kind: Rule
name: bulk
when: { writes: [rr.scores], rows: '>= 100' }
then: { hold: { approvers: [group:administrators] } }
---
kind: Rule
name: deletes
when: { effects: [delete] }
then: { hold: { approvers: [group:administrators] } }
`;

const NOTHING_UNDECIDABLE = {
  shredded: 0,
  spooled: 0,
  'no-text': 0,
  'prepared-before': 0,
  'rows-unknown': 0,
  'unknown-session': 0,
};

let api: TestingApi;

beforeAll(async () => {
  api = await testingOnlyApi();
  const response = await post('/v1/resources/apply', api.people.admin, { text: RESOURCES });
  if (!response.ok) throw new Error(await response.text());
});
afterAll(async () => {
  await api[Symbol.asyncDispose]();
});

function post(path: string, who: TestingPerson, body: object): Promise<Response> {
  return fetch(`${api.url}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${who.token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}

/** One page, from this moment on. */
async function replay(since: string, body: object, who = api.people.auditor): Promise<PolicyReplayAnswer> {
  const response = await post('/v1/policy/replay', who, { since, ...body });
  expect(response.status).toBe(200);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The assertions that follow check it.
  return (await response.json()) as PolicyReplayAnswer;
}

/** A moment after everything so far. */
function now(): string {
  return formatTimeUs(api.rooms.clock.nowUs());
}

async function viewed(): Promise<readonly string[]> {
  const targets: string[] = [];
  for await (const { leaf } of api.rooms.reader.leaves(0)) {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- A leaf is one.
    const { type, target } = JSON.parse(Buffer.from(leaf).toString()) as { type: string; target?: string };
    if (type === 'recording.view') targets.push(target ?? '');
  }
  return targets;
}

describe('a changed policy, replayed', () => {
  it('says what differs, decided for who sent it with the rows that its answer told', async () => {
    const since = now();
    const session = await api.makeOperations('ana', [
      { intent: { sql: 'select 1' }, tags: ['SELECT 1'] },
      { intent: { sql: 'drop table à.b' }, tags: ['DROP TABLE'] },
      { intent: { sql: 'update rr.scores set a = 1 where b = 2' }, tags: ['UPDATE 150'] },
      { intent: { sql: 'update rr.scores set a = 1 where b = 3' }, tags: ['UPDATE 99'] },
      { intent: { sql: 'truncate x' }, decision: 'block', status: 'blocked' },
      { intent: { sql: 'prepare p as delete from x where y = 1' }, tags: ['PREPARE'] },
      { intent: { sql: 'execute p' }, tags: ['DELETE 1'] },
      { intent: { sql: 'update rr.scores set a = 2' }, held: true, tags: ['UPDATE 300'] },
      { intent: { sql: 'update rr.scores set a = 3' }, status: 'error' },
      { intent: { sql: { base64: Buffer.from('drop table c').toString('base64') } } },
    ]);
    const before = (await viewed()).length;
    const answer = await replay(since, { text: CHANGE, reason: 'a look' });
    expect(answer).toMatchObject({ statements: 10, same: 5, undecidable: NOTHING_UNDECIDABLE });
    expect(answer.next).toBeUndefined();
    const found = answer.different.map(({ sql, recorded, decided, causes }) => [
      sql,
      recorded,
      decided,
      causes.map(({ rule, version, what }) => `${rule} ${version} ${what}`),
    ]);
    expect(found).toEqual([
      ['drop table à.b', 'allow', 'block', ['no-drops 1 drop of à.b']],
      [
        'update rr.scores set a = 1 where b = 2',
        'allow',
        'hold',
        ['bulk 1 150 rows are written, and up to 99 are not held up by it'],
      ],
      ['prepare p as delete from x where y = 1', 'allow', 'hold', ['deletes 1 delete of x']],
      ['execute p', 'allow', 'hold', ['deletes 1 delete of x']],
      ['drop table c', 'allow', 'block', ['no-drops 1 drop of c']],
    ]);
    expect(answer.different[0]).toMatchObject({ session, name: 'ana', connection: 'db' });
    expect((await viewed()).slice(before)).toEqual(['db']);
    // Nothing was applied.
    expect(api.rooms.resources.get('Rule')).toHaveLength(1);
    expect(answer.policy).not.toBe(api.rooms.resources.bundleDigest());
  });

  it('knows when the login of each session had a second factor', async () => {
    const since = now();
    const intent = { sql: 'delete from x where y = 1' };
    const proved = await api.makeOperations('ana', [{ intent, tags: ['DELETE 1'] }]);
    const mfa_us = api.rooms.clock.nowUs() - 3_600_000_000;
    await api.rooms.store.db.updateTable('sessions').set({ mfa_us }).where('id', '=', proved).execute();
    const unproved = await api.makeOperations('ana', [{ intent, tags: ['DELETE 1'] }]);
    const sessionsOf = async (age: string): Promise<readonly string[]> => {
      const text = `{ kind: Rule, name: proved, when: { effects: [delete], mfa: { notWithin: ${age} } }, then: block }`;
      return (await replay(since, { text })).different.map(({ session }) => session);
    };
    expect(await sessionsOf('8h')).toEqual([unproved]);
    expect(await sessionsOf('30m')).toEqual([proved, unproved]);
  });

  it('is the current policy where nothing is given, and shows nothing where nothing differs', async () => {
    const since = now();
    await api.makeOperations('ana', [{ intent: { sql: 'drop table a' }, tags: ['DROP TABLE'] }]);
    const before = (await viewed()).length;
    const answer = await replay(since, {});
    expect(answer).toMatchObject({
      policy: api.rooms.resources.bundleDigest(),
      statements: 1,
      same: 1,
      different: [],
    });
    expect((await viewed()).length).toBe(before);
  });

  it('does not guess: what is spooled, shredded or without a text is counted', async () => {
    const since = now();
    const gone = await api.makeOperations('ana', [{ intent: { sql: 'drop table gone' } }]);
    await api.makeOperations('ana', [
      { intent: { sql: { spooled: { bytes: 2_000_000, sha256: 'a'.repeat(64) } } } },
      { intent: { protocol_message: 'Execute' } },
      { intent: { sql: 'update rr.scores set a = 1' }, status: 'unknown' },
      { intent: { sql: 'update rr.scores set a = 1' }, status: 'blocked' },
      { intent: { function_oid: 1, protocol_message: 'FunctionCall' } },
    ]);
    const shred = await post('/v1/ledger/shred', api.people.admin, { session: gone, reason: 'asked' });
    expect(shred.status).toBe(200);
    const answer = await replay(since, { text: CHANGE });
    expect(answer.undecidable).toEqual({
      ...NOTHING_UNDECIDABLE,
      shredded: 1,
      spooled: 1,
      'no-text': 1,
      'rows-unknown': 2,
    });
    // A call by OID is no text, and no policy needs one to say no.
    expect(answer.different).toMatchObject([{ recorded: 'allow', decided: 'block' }]);
    expect(answer.different[0]).not.toHaveProperty('sql');
  });

  it('goes on page after page, and knows which names it cannot know', async () => {
    const since = now();
    await api.makeOperations('ana', [
      { intent: { sql: 'prepare q as select 1' } },
      { intent: { sql: 'drop table a' } },
      { intent: { sql: 'execute q' } },
    ]);
    const until = now();
    await api.makeOperations('ana', [{ intent: { sql: 'drop table after' } }]);
    const whole = await replay(since, { text: CHANGE, until });
    expect(whole).toMatchObject({ statements: 3, same: 2, undecidable: NOTHING_UNDECIDABLE });
    const pages: PolicyReplayAnswer[] = [];
    for (let from: number | undefined, at = 0; at === 0 || from !== undefined; at += 1) {
      const page = await replay(since, {
        text: CHANGE,
        until,
        limit: 1,
        ...(from === undefined ? {} : { from }),
      });
      pages.push(page);
      from = page.next;
    }
    expect(pages.map(({ statements }) => statements)).toEqual([1, 1, 1]);
    expect(pages.flatMap(({ different }) => different.map(({ sql }) => sql))).toEqual(['drop table a']);
    expect(pages[2]?.undecidable['prepared-before']).toBe(1);
    expect((await replay(since, { connection: 'other' })).statements).toBe(0);
  });

  it('shuts somebody out where no Access resource lets them in', async () => {
    const since = now();
    await api.makeOperations('root', [{ intent: { sql: 'select 1' } }]);
    const answer = await replay(since, {});
    expect(answer.different).toMatchObject([
      { recorded: 'allow', decided: 'block', causes: [{ what: 'no Access resource lets root use db' }] },
    ]);
  });

  it.each([
    ['a policy that apply would refuse', { since: '2026-01-01', text: 'kind: Rule\nname: x\n' }, 400],
    ['a period that ends before it begins', { since: '2026-02-01', until: '2026-01-01' }, 400],
    ['more rows than a page has', { since: '2026-01-01', limit: 1_001 }, 413],
  ])('refuses %s', async (_, body, status) => {
    const refused = await post('/v1/policy/replay', api.people.admin, body);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The assertion checks it.
    const answer = (await refused.json()) as ErrorAnswer;
    expect([refused.status, answer.message]).toEqual([status, expect.any(String)]);
  });
});
