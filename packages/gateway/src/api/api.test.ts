import { readFile } from 'node:fs/promises';
import { parseCheckpoint } from '@countersign/ledger/checkpoint';
import { leafHash } from '@countersign/ledger/merkle';
import { decodeBundle } from '@countersign/ledger/tiles';
import { parseTlogProof, verifyTlogProof } from '@countersign/ledger/tlog-proof';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type {
  ChangesAnswer,
  ErrorAnswer,
  InvitationAnswer,
  ResourcesAnswer,
  SessionAnswer,
  SessionsAnswer,
  ShredAnswer,
  TokenAnswer,
  TokensAnswer,
} from './answers.ts';
import { ROUTES } from './routes.ts';
import { openApiDocument } from './server.ts';
import { TESTING_PASSWORD, type TestingApi, type TestingPerson, testingOnlyApi } from './testing-api.ts';
import { WHO_MAY } from './who-may.ts';

let api: TestingApi;
/** Everything that was answered, to look for secrets in. */
const answered: string[] = [];

beforeAll(async () => {
  api = await testingOnlyApi();
});
afterAll(async () => {
  await api[Symbol.asyncDispose]();
});

interface Answer<T> {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly json: T;
}

/** The answer to a request; T is what the test expects of it. */
async function call<T = ErrorAnswer>(key: string, who?: TestingPerson, body?: unknown): Promise<Answer<T>> {
  const [method = '', path = ''] = key.split(' ');
  const response = await fetch(`${api.url}${path}`, {
    method,
    headers: {
      ...(who === undefined ? {} : { authorization: `Bearer ${who.token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  answered.push(text);
  const isJson = response.headers.get('content-type')?.startsWith('application/json;') === true;
  return {
    status: response.status,
    headers: response.headers,
    text,
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The assertions that follow check it.
    json: (isJson ? JSON.parse(text) : undefined) as T,
  };
}

/** Types of the leaves so far with their status. */
async function leaves(): Promise<{ type: string; status?: string }[]> {
  const all: { type: string; status?: string }[] = [];
  for await (const { leaf } of api.rooms.reader.leaves(0)) all.push(JSON.parse(Buffer.from(leaf).toString()));
  return all;
}

/** A path of a route with values that its schema takes. */
function example(key: string): string {
  return key
    .replace(':kind', 'Person')
    .replace('/sessions/:id', `/sessions/ses_${'0'.repeat(26)}`)
    .replace('/tokens/:id', `/tokens/tok_${'0'.repeat(26)}`)
    .replace('/approvals/:id', `/approvals/hld_${'0'.repeat(26)}`)
    .replace(':name', 'nobody')
    .replace(':index', '0')
    .replace(':node', 'gw1')
    .replace('*', '0/000');
}

describe('who may call', () => {
  it('has a row for each route, and a route for each row', () => {
    expect(ROUTES.map(({ key }) => key).toSorted()).toEqual(Object.keys(WHO_MAY).toSorted());
  });

  for (const [key, who] of Object.entries(WHO_MAY)) {
    if (who === 'everyone') continue;
    it(`${key} needs a token`, async () => {
      const without = await call(example(key));
      expect([without.status, without.json?.code]).toEqual([401, 'TOKEN_REQUIRED']);
    });
    if (who === 'identified' || who === 'approvers' || who.startsWith('own')) continue;
    it(`${key} is refused to somebody without a group`, async () => {
      const refused = await call(example(key), api.people.ana);
      expect([refused.status, refused.json?.code]).toEqual([403, 'PERMISSION_DENIED']);
    });
  }

  it('refuses a token that is not one, and says nothing about it', async () => {
    const refused = await call('GET /v1/whoami', { name: 'x', token: 'cs_nobodyhasthistoken' });
    expect([refused.status, refused.json.code]).toEqual([401, 'AUTHENTICATION_FAILED']);
    expect(refused.text).not.toContain('nobodyhasthistoken');
    expect(refused.headers.get('www-authenticate')).toBe('Bearer');
  });
});

describe('people', () => {
  it('makes the first administrator with the code, once, and logs in with the password', async () => {
    const body = {
      code: api.firstCode,
      name: 'first',
      displayName: 'First',
      password: TESTING_PASSWORD.reveal(),
    };
    const enrolled = await call<TokenAnswer>('POST /v1/enrol', undefined, body);
    expect([enrolled.status, enrolled.json.owner]).toEqual([201, 'first']);
    expect((await call('POST /v1/enrol', undefined, body)).status).toBe(401);
    const login = await call<TokenAnswer>('POST /v1/login', undefined, {
      name: 'first',
      password: body.password,
    });
    const first = { name: 'first', token: login.json.token };
    const whoami = await call('GET /v1/whoami', first);
    expect(whoami.json).toMatchObject({ name: 'first', displayName: 'First', groups: ['administrators'] });
    expect(whoami.headers.get('cache-control')).toBe('no-store');
    const wrong = await call('POST /v1/login', undefined, {
      name: 'first',
      password: 'not the password at all',
    });
    expect([wrong.status, wrong.json.code]).toEqual([401, 'AUTHENTICATION_FAILED']);
  });

  it('invites a person to set a password', async () => {
    const invited = await call<InvitationAnswer>('POST /v1/invitations', api.people.admin, { name: 'ana' });
    expect(invited.status).toBe(201);
    const password = TESTING_PASSWORD.reveal();
    const enrolled = await call<TokenAnswer>('POST /v1/enrol', undefined, {
      code: invited.json.code,
      name: 'ana',
      password,
    });
    expect([enrolled.status, enrolled.json.owner]).toEqual([201, 'ana']);
    expect((await call('POST /v1/invitations', api.people.admin, { name: 'nobody' })).status).toBe(404);
  });

  it('lets an administrator choose another password of their own only with a login, not with just any token', async () => {
    const { admin } = api.people;
    const refused = await call('POST /v1/invitations', admin, { name: admin.name });
    expect([refused.status, refused.json.code]).toEqual([403, 'PERMISSION_DENIED']);
    const password = TESTING_PASSWORD.reveal();
    const login = await call<TokenAnswer>('POST /v1/login', undefined, { name: 'first', password });
    const first = { name: 'first', token: login.json.token };
    expect((await call('POST /v1/invitations', first, { name: 'first' })).status).toBe(201);
    const other = await call<TokenAnswer>('POST /v1/tokens', admin, { name: 'x', owner: 'first' });
    const lent = { name: 'first', token: other.json.token };
    expect((await call('POST /v1/invitations', lent, { name: 'first' })).status).toBe(403);
  });

  it('makes, lists and revokes tokens of oneself, and of others for administrators only', async () => {
    const { ana, admin, auditor } = api.people;
    const made = await call<TokenAnswer>('POST /v1/tokens', ana, { name: 'laptop', days: 1 });
    expect(made.status).toBe(201);
    expect((await call('POST /v1/tokens', ana, { name: 'x', owner: 'root' })).json.code).toBe(
      'PERMISSION_DENIED',
    );
    expect((await call('GET /v1/tokens?owner=root', auditor)).json.code).toBe('PERMISSION_DENIED');
    const listed = await call<TokensAnswer>('GET /v1/tokens', ana);
    expect(listed.json.tokens).toContainEqual(expect.objectContaining({ id: made.json.id, state: 'live' }));
    expect(listed.text).not.toContain(made.json.token);
    expect(listed.text).not.toMatch(/storedKey|serverKey|sha256/i);
    expect((await call(`DELETE /v1/tokens/${made.json.id}`, auditor)).status).toBe(404);
    expect((await call(`DELETE /v1/tokens/${made.json.id}`, admin)).json).toEqual({ revoked: true });
    expect((await call('GET /v1/whoami', { name: 'ana', token: made.json.token })).status).toBe(401);
  });

  it('makes access key pairs, which are listed by their ids and are no tokens', async () => {
    const { ana } = api.people;
    const made = await call<TokenAnswer>('POST /v1/tokens', ana, { name: 'bedrock', days: 1, aws: true });
    expect(made.json).toMatchObject({
      accessKeyId: expect.stringMatching(/^CSAK/),
      token: expect.stringMatching(/^csaws_/),
    });
    const listed = await call<TokensAnswer>('GET /v1/tokens', ana);
    const { id, accessKeyId, token } = made.json;
    expect(listed.json.tokens).toContainEqual(expect.objectContaining({ id, accessKeyId, state: 'live' }));
    expect(listed.text).not.toContain(token);
    expect((await call('GET /v1/whoami', { name: 'ana', token })).status).toBe(401);
  });
});

describe('requests', () => {
  const bad: readonly (readonly [string, string, unknown])[] = [
    ['an unknown key', 'POST /v1/tokens', { name: 'x', lifetime: 1 }],
    ['a value of another type', 'POST /v1/tokens', { name: 'x', days: '1' }],
    ['a name that is none', 'GET /v1/resources/Person/UPPER', undefined],
    ['a kind that is none', 'GET /v1/resources/Wizard', undefined],
    ['an id that is none', 'GET /v1/sessions/ses_1', undefined],
    ['a page without rows', 'GET /v1/sessions?limit=-1', undefined],
    ['an unknown filter', 'GET /v1/sessions?who=ana', undefined],
    ['a day that does not exist', 'GET /v1/sessions?from=2026-02-30', undefined],
    [
      'a period that ends before it begins',
      'POST /v1/evidence/export',
      { from: '2026-02-02', to: '2026-02-01', reason: 'x' },
    ],
    ['a relative directory', 'POST /v1/backup', { directory: 'here' }],
    ['a body that is no JSON', 'POST /v1/tokens', '{"name":"secret-canary-99'],
  ];
  for (const [what, key, body] of bad) {
    it(`are refused with ${what}`, async () => {
      const refused = await call(key, api.people.admin, body);
      expect([refused.status, refused.json.code]).toEqual([400, 'REQUEST_INVALID']);
      expect(refused.text).not.toContain('canary');
    });
  }

  it('are refused where they are too large, or too many rows are asked for', async () => {
    const large = await call('POST /v1/resources/apply', api.people.admin, `"${'x'.repeat(5_000_000)}"`);
    expect([large.status, large.json.code]).toEqual([413, 'LIMIT_EXCEEDED']);
    expect((await call('GET /v1/sessions?limit=1001', api.people.admin)).json.code).toBe('LIMIT_EXCEEDED');
  });

  it('are refused where there is no such route', async () => {
    expect((await call('GET /v1/nothing')).json.code).toBe('NOT_FOUND');
    expect((await call('GET /ledger/gw1/../../v1/whoami')).status).toBe(401);
  });
});

describe('resources', () => {
  const text = `kind: Connection
name: db
protocol: postgres
target: { host: db.internal, database: rerank }
credential: { user: app, password: { sealed: true } }
---
kind: Access
name: all
who: [ana]
to: [db]
`;

  it('are compared, applied, read and deleted, each change with its diff', async () => {
    const { admin, auditor } = api.people;
    const planned = await call<ChangesAnswer>('POST /v1/resources/diff', admin, { text });
    expect(planned.json.changes.map(({ action }) => action)).toEqual(['created', 'created']);
    expect((await call<ResourcesAnswer>('GET /v1/resources/Connection', auditor)).json.resources).toEqual([]);
    expect(
      (await call<ChangesAnswer>('POST /v1/resources/apply', admin, { text })).json.changes,
    ).toHaveLength(2);
    const again = await call<ChangesAnswer>('POST /v1/resources/apply', admin, { text });
    expect(again.json.changes[0]).toMatchObject({ action: 'unchanged', diff: [] });
    const read = await call<ResourcesAnswer>('GET /v1/resources/Connection/db', auditor);
    expect(read.json.resources[0]).toMatchObject({
      version: 1,
      changedBy: 'root',
      document: { target: { port: 5432 } },
    });
    const used = await call('DELETE /v1/resources/Connection/db', admin);
    expect(used.status).toBeGreaterThanOrEqual(400);
    expect(
      (await call<ChangesAnswer>('DELETE /v1/resources/Access/all', admin)).json.changes[0]?.action,
    ).toBe('deleted');
    expect((await call('GET /v1/resources/Access/all', auditor)).status).toBe(404);
    const mask = 'kind: Mask\nname: x\ncolumns: [a.b]\nas: token\nmode: server-role\n';
    expect((await call('POST /v1/resources/apply', admin, { text: mask })).json.code).toBe(
      'RESOURCE_INVALID',
    );
  });

  it('take a password that nobody reads back', async () => {
    const set = await call('PUT /v1/connections/db/password', api.people.admin, {
      password: 'canary-pass-1',
    });
    expect([set.status, set.json]).toEqual([200, { connection: 'db' }]);
    expect((await call('GET /v1/resources/Connection', api.people.admin)).text).not.toContain(
      'canary-pass-1',
    );
  });
});

describe('sessions', () => {
  it('are listed newest first, page by page; others’ only for those who may', async () => {
    const ids = [await api.makeSession('ana', 'select 1'), await api.makeSession('root', 'select 2')];
    const page = await call<SessionsAnswer>('GET /v1/sessions?limit=1', api.people.auditor);
    expect(page.json.sessions.map(({ id }) => id)).toEqual([ids[1]]);
    const next = await call<SessionsAnswer>(
      `GET /v1/sessions?limit=1&before=${page.json.next}`,
      api.people.auditor,
    );
    expect(next.json.sessions[0]).toMatchObject({ id: ids[0], name: 'ana', status: 'ok', statements: 1 });
    const own = await call<SessionsAnswer>('GET /v1/sessions', api.people.ana);
    expect(new Set(own.json.sessions.map(({ name }) => name))).toEqual(new Set(['ana']));
    expect(
      (await call<SessionsAnswer>('GET /v1/sessions?name=root&connection=db', api.people.admin)).json
        .sessions,
    ).toHaveLength(1);
    expect((await call(`GET /v1/sessions/${ids[1]}`, api.people.ana)).status).toBe(404);
    expect((await call(`GET /v1/sessions/${ids[1]}/replay`, api.people.ana)).status).toBe(404);
  });

  it('are shown with their statements, and a leaf says so', async () => {
    const id = await api.makeSession('ana', 'select title from documents');
    const shown = await call<SessionAnswer>(`GET /v1/sessions/${id}?reason=audit`, api.people.auditor);
    expect(shown.json.statements).toMatchObject([
      { status: 'ok', intent: { sql: 'select title from documents' }, outcome: { rows: 1 } },
    ]);
    expect((await leaves()).some(({ type }) => type === 'recording.view')).toBe(true);
  });

  it('are replayed with results and leaves, after the leaf that says so', async () => {
    const id = await api.makeSession('ana', 'select title from documents');
    const before = api.rooms.ledger.size;
    const replayed = await call(`GET /v1/sessions/${id}/replay`, api.people.ana);
    const lines = replayed.text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines[0]).toMatchObject({ kind: 'session', session: { id } });
    expect(lines[1]).toMatchObject({
      kind: 'statement',
      sql: 'select title from documents',
      outcome: 'completed',
      leafStatus: 'ok',
    });
    expect(lines[1].results[0].rows).toEqual([['a \u001b[2J book']]);
    const intent = (await leaves())[lines[1].leaf];
    expect(intent).toMatchObject({ type: 'statement.intent', session: id });
    expect((await leaves()).slice(before).map(({ type }) => type)).toEqual(['auth.login', 'recording.view']);
  });

  it('are not replayed while they are open, and are ended by an administrator or their own', async () => {
    const { id, ended } = await api.openSession('ana');
    const open = await call(`GET /v1/sessions/${id}/replay`, api.people.admin);
    expect([open.status, open.json]).toEqual([
      409,
      {
        code: 'SESSION_OPEN',
        message: `Session ${id} is still open: its recording is read when it is over.`,
        hint: expect.stringContaining('countersign sessions end ID'),
      },
    ]);
    expect((await call(`DELETE /v1/sessions/${id}`, api.people.auditor)).status).toBe(404);
    expect((await call(`DELETE /v1/sessions/${id}`, api.people.admin)).json).toEqual({ ended: true });
    expect(ended).toEqual([{ reason: 'ended by root' }]);
    expect((await call(`DELETE /v1/sessions/${id}`, api.people.admin)).status).toBe(404);
  });
});

describe('the ledger', () => {
  it('is served to everybody as tlog-tiles says', async () => {
    const signed = await api.rooms.ledger.checkpoint();
    const checkpoint = await call('GET /ledger/gw1/checkpoint');
    expect(checkpoint.text).toBe(signed);
    expect(checkpoint.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    const { size } = parseCheckpoint(checkpoint.text);
    const response = await fetch(`${api.url}/ledger/gw1/tile/entries/000.p/${size}`);
    expect(response.headers.get('content-type')).toBe('application/octet-stream');
    expect(response.headers.get('cache-control')).toContain('immutable');
    expect(decodeBundle(new Uint8Array(await response.arrayBuffer()), size)).toHaveLength(size);
    for (const path of [
      'gw1/tile/9/000',
      'gw1/tile/../checkpoints.jsonl',
      'gw1/tile/0/%2e%2e',
      'gw2/checkpoint',
    ]) {
      const { status } = await call(`GET /ledger/${path}`);
      expect([path, status]).toEqual([path, 404]);
    }
  });

  it('proves each leaf, the newest too', async () => {
    const status = await call('GET /v1/ledger/status', api.people.ana);
    expect(status.json).toMatchObject({ node: 'gw1', status: 'ok' });
    for (const index of [0, 5, api.rooms.ledger.size - 1]) {
      const proof = await call(`GET /v1/ledger/proof/${index}`, api.people.ana);
      const stored = await api.rooms.reader.leaf(index);
      expect(() => verifyTlogProof(parseTlogProof(proof.text), leafHash(stored!.leaf))).not.toThrow();
    }
    expect((await call('GET /v1/ledger/proof/999999', api.people.ana)).status).toBe(404);
  });

  it('shreds a session for good: the leaf first, never an open one, never twice', async () => {
    const { admin, auditor } = api.people;
    const id = await api.makeSession('ana', 'select canary_shred');
    const open = await api.openSession('ana');
    const body = { session: id, reason: 'request 17 of the data subject' };
    expect((await call('POST /v1/ledger/shred', auditor, body)).status).toBe(403);
    expect((await call('POST /v1/ledger/shred', admin, { ...body, session: open.id })).json).toMatchObject({
      code: 'SESSION_OPEN',
      message: `Session ${open.id} is still open: it is shredded when it is over.`,
    });
    const shredded = await call<ShredAnswer>('POST /v1/ledger/shred', admin, body);
    expect((await leaves())[shredded.json.leaf]).toMatchObject({ type: 'ledger.shred', status: 'ok' });
    expect((await call('POST /v1/ledger/shred', admin, body)).json.code).toBe('SHREDDED');
    const shown = await call<SessionAnswer>(`GET /v1/sessions/${id}`, admin);
    expect(shown.json).toMatchObject({ shredded: true, statements: [{ status: 'ok' }] });
    expect(shown.text).not.toContain('canary_shred');
    expect((await call(`GET /v1/sessions/${id}/replay`, admin)).status).toBe(410);
    await call(`DELETE /v1/sessions/${open.id}`, admin);
  });
});

describe('what is handed over', () => {
  it('is a package whose SHA-256 is in a leaf, and nothing of it stays', async () => {
    const body = { from: '2026-01-01', to: '2027-01-01T00:00:00.5Z', reason: 'audit' };
    const made = await call<TokenAnswer>('POST /v1/evidence/export', api.people.auditor, body);
    expect(made.text).toBe('package 1767225600000000 1798761600500000');
    expect(made.headers.get('content-disposition')).toContain(
      'countersign-evidence-20260101T000000-20270101T000000.zip',
    );
    expect((await leaves()).at(-1)).toMatchObject({ type: 'evidence.export', status: 'ok' });
    const row = await api.rooms.store.db.selectFrom('packages').selectAll().executeTakeFirst();
    expect(row?.sha256).toBe(made.headers.get('x-countersign-sha256'));
  });

  it('is a backup in a directory of the gateway’s machine', async () => {
    const directory = `${api.directory}/backup`;
    const made = await call<TokenAnswer>('POST /v1/backup', api.people.admin, { directory });
    expect(made.json).toMatchObject({ directory, parts: expect.arrayContaining(['ledger', 'store']) });
    expect((await call('POST /v1/backup', api.people.admin, { directory })).status).toBe(400);
    expect((await leaves()).at(-1)).toMatchObject({ type: 'backup.create', status: 'failed' });
    expect((await call('GET /healthz')).json).toEqual({ status: 'ok' });
  });
});

describe('everything', () => {
  it('never answers a password, a token that it was given or a part of a key', () => {
    const all = answered.join('\n');
    for (const secret of [
      TESTING_PASSWORD.reveal(),
      api.firstCode,
      'canary-pass-1',
      'password_hash',
      'wrapped',
    ]) {
      expect(all).not.toContain(secret);
    }
    for (const { token } of Object.values(api.people)) expect(all).not.toContain(token);
  });

  it('is described by spec/api.openapi.json', async () => {
    const file = new URL('../../../../spec/api.openapi.json', import.meta.url);
    const document = await openApiDocument();
    expect(JSON.parse(document).openapi).toBe('3.1.0');
    // Where it differs: packages/gateway/bin/countersign.js openapi > spec/api.openapi.json
    expect(document).toBe(await readFile(file, 'utf8'));
  });
});
