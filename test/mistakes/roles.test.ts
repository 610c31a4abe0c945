/**
 * Each route × each role, generated from the router: what the table does not let in is refused, before
 * the request is looked at, and nothing else is a route.
 */

import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROUTES } from '../../packages/gateway/src/api/routes.ts';
import { testingOnlyRequest } from '../../packages/gateway/src/approvals/testing-room.ts';
import { type TestingApi, testingOnlyApi } from '../../packages/gateway/src/api/testing-api.ts';
import { WHO_MAY, type WhoMay } from '../../packages/gateway/src/api/who-may.ts';
import { parseResources } from '../../packages/gateway/src/resources/parse.ts';

type Role =
  | 'nobody'
  | 'garbage'
  | 'revoked'
  | 'disabled'
  | 'machine'
  | 'somebody'
  | 'auditor'
  | 'administrator';

const ROLES: readonly Role[] = [
  'nobody',
  'garbage',
  'revoked',
  'disabled',
  'machine',
  'somebody',
  'auditor',
  'administrator',
];

/** Who gets past the door. Whoever is not in a row is refused: the default is no. */
const PASSES: Readonly<Record<WhoMay, readonly Role[]>> = {
  everyone: ROLES,
  identified: ['machine', 'somebody', 'auditor', 'administrator'],
  administrators: ['administrator'],
  'administrators and auditors': ['auditor', 'administrator'],
  own: ['machine', 'somebody', 'auditor', 'administrator'],
  approvers: ['machine', 'somebody', 'auditor', 'administrator'],
  'own, approvers, or administrators and auditors': ['machine', 'somebody', 'auditor', 'administrator'],
  'own, or administrators': ['machine', 'somebody', 'auditor', 'administrator'],
  'own, or administrators and auditors': ['machine', 'somebody', 'auditor', 'administrator'],
};

/** What is asked for belongs to ana; these may have it. */
const OTHERS: Readonly<Record<string, readonly Role[]>> = {
  'GET /v1/sessions/:id': ['auditor', 'administrator'],
  'GET /v1/sessions/:id/replay': ['auditor', 'administrator'],
  'DELETE /v1/sessions/:id': ['administrator'],
  'DELETE /v1/tokens/:id': ['administrator'],
  // An administrator sees what is held, and decides on it only where the rule names them.
  'GET /v1/approvals/:id': ['auditor', 'administrator'],
  'POST /v1/approvals/:id/approve': [],
  'POST /v1/approvals/:id/deny': [],
  'POST /v1/approvals/:id/withdraw': [],
  'POST /v1/approvals/:id/break-glass': [],
  'POST /v1/approvals/:id/review': [],
  'GET /v1/tokens': ['administrator'],
  'POST /v1/tokens': ['administrator'],
};

/** So that there may be a hold. */
const REACHABLE = `
{ kind: Connection, name: db, protocol: postgres, target: { host: db, database: rerank }, credential: { user: app } }
---
{ kind: Access, name: search, who: [ana], to: [db] }
`;

let api: TestingApi;
const tokens = new Map<Role, string>();
let sessionId = '';
/** One that can still be ended. */
let openId = '';
let tokenId = '';
let holdId = '';

beforeAll(async () => {
  api = await testingOnlyApi();
  const { rooms, people } = api;
  const { principals, tokens: room } = rooms.identity;
  const person = { kind: 'Person', groups: [] } as const;
  const machine = {
    kind: 'ServiceAccount',
    type: 'service',
    name: 'robot',
    displayName: 'Robot',
    groups: [],
    disabled: false,
  } as const;
  const by = { name: 'test', kind: 'system', keyId: rooms.bootId } as const;
  await rooms.resources.apply(
    [
      machine,
      ...parseResources(REACHABLE),
      ...['eve', 'rae', 'dan'].map((name) => ({ ...person, name, displayName: name, disabled: false })),
    ],
    by,
  );
  const make = async (name: string): Promise<{ id: string; text: string }> => {
    const record = await principals.findByName(name);
    if (record === undefined) throw new Error(`no ${name}`);
    const { id, token } = await room.createToken(record, {
      name: 'test',
      lifetimeMs: 3_600_000,
      createdBy: undefined,
    });
    return { id, text: token.reveal() };
  };
  tokens.set('garbage', 'cs_0123456789abcdefghjkmnpqrstvwxyz');
  tokens.set('machine', (await make('robot')).text);
  tokens.set('somebody', (await make('eve')).text);
  tokens.set('auditor', people.auditor.token);
  tokens.set('administrator', people.admin.token);
  const revoked = await make('rae');
  tokens.set('revoked', revoked.text);
  const [row] = await room.list((await principals.findByName('rae'))?.id ?? raise());
  await room.revoke(row?.id ?? raise(), { reason: 'lost', revokedBy: undefined });
  tokens.set('disabled', (await make('dan')).text);
  await rooms.resources.apply([{ ...person, name: 'dan', displayName: 'dan', disabled: true }], by);
  sessionId = await api.makeSession('ana', 'select 1');
  const open = await api.openSession('ana');
  openId = open.id;
  const ana = await principals.findByName('ana');
  const request = testingOnlyRequest(
    { ...(ana ?? raise()), groups: [] },
    { policy: rooms.resources.bundleDigest() },
  );
  holdId = (await api.approvals.ask({ ...request, sessionId: open.id })).id;
  const [anas] = await room.list((await principals.findByName('ana'))?.id ?? raise());
  tokenId = anas?.id ?? '';
});

afterAll(() => api[Symbol.asyncDispose]());

function raise(): never {
  throw new Error('it is missing');
}

/** A path that its route takes; what it names is ana's. */
function pathOf(key: string): string {
  const path = key
    .slice(key.indexOf(' ') + 1)
    .replace('/sessions/:id', `/sessions/${key.startsWith('DELETE') ? openId : sessionId}`)
    .replace('/tokens/:id', `/tokens/${tokenId}`)
    .replace('/approvals/:id', `/approvals/${holdId}`)
    .replace(':kind', 'Person')
    .replace(':name', 'unknown')
    .replace(':index', '0')
    .replace(':node', 'gw1')
    .replace('*', '0/000');
  return key === 'GET /v1/tokens' ? `${path}?owner=ana` : path;
}

const BODIES: Readonly<Record<string, unknown>> = {
  'POST /v1/tokens': { name: 'x', owner: 'ana' },
  'POST /v1/approvals/:id/approve': {},
  'POST /v1/approvals/:id/deny': {},
  'POST /v1/approvals/:id/withdraw': {},
  'POST /v1/approvals/:id/break-glass': { reason: 'x' },
  'POST /v1/approvals/:id/review': { verdict: 'justified', comment: 'x' },
};

async function ask(
  key: string,
  role: Role,
  more: RequestInit = {},
): Promise<{ status: number; code: string | undefined }> {
  const token = tokens.get(role);
  const body = BODIES[key];
  const response = await fetch(api.url + pathOf(key), {
    method: key.slice(0, key.indexOf(' ')),
    redirect: 'error',
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    ...more,
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...Object.fromEntries(new Headers(more.headers)),
    },
  });
  const text = await response.text();
  const code = /"code":"([A-Z_]+)"/.exec(text)?.[1];
  return { status: response.status, code };
}

/** Destroys what the others ask for. */
const LAST: ReadonlySet<string> = new Set(['DELETE /v1/sessions/:id', 'DELETE /v1/tokens/:id']);
const KEYS = ROUTES.map(({ key }) => key).toSorted((a, b) => Number(LAST.has(a)) - Number(LAST.has(b)));

describe('each route', () => {
  it.each(KEYS)('%s lets in whom its row lets in, and nobody else', async (key) => {
    const passes = PASSES[WHO_MAY[key]];
    const wrong: string[] = [];
    for (const role of ROLES) {
      // An address that fails a hundred times is locked: of the tokens that are no good, each route gets two.
      const bad = ['garbage', 'revoked', 'disabled'].indexOf(role);
      if (bad >= 0 && (KEYS.indexOf(key) + bad) % 3 === 0) continue;
      // oxlint-disable-next-line no-await-in-loop -- The last ones destroy what the first ones ask for.
      const { status, code } = await ask(key, role);
      const expected = OTHERS[key]?.includes(role) ?? passes.includes(role);
      const refused = status === 401 || status === 403 || (OTHERS[key] !== undefined && status === 404);
      const unknown = role === 'nobody' || role === 'garbage' || role === 'revoked' || role === 'disabled';
      if (refused === expected) wrong.push(`${role}: ${status} ${code}`);
      if (unknown && WHO_MAY[key] !== 'everyone' && status !== 401 && status !== 429)
        wrong.push(`${role}: ${status}, not 401`);
    }
    expect(wrong).toEqual([]);
  });

  it.each(KEYS)('%s is no other for another method, another spelling or an upgrade', async (key) => {
    const path = pathOf(key).split('?')[0] ?? '';
    const method = key.slice(0, key.indexOf(' '));
    const known = new Set(
      ROUTES.filter((route) => pathOf(route.key).split('?')[0] === path).map((route) =>
        route.key.slice(0, route.key.indexOf(' ')),
      ),
    );
    const authorization = `Bearer ${tokens.get('somebody')}`;
    const wrong: string[] = [];
    const tries: (readonly [string, string, Record<string, string>])[] = [
      ...['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']
        .filter((other) => !known.has(other))
        .map((other) => [other, path, {}] as const),
      [method, `${path}/`, {}],
      [method, `/${path}`, {}],
      [method, path.toUpperCase(), {}],
      [method, `/v1/x/..${path.replaceAll('/', '%2f')}`, {}],
      [method, `${path};a=b`, {}],
    ];
    for (const [tried, where, headers] of tries) {
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      const { status } = await fetch(api.url + where, {
        method: tried,
        redirect: 'error',
        headers: { authorization, ...headers },
      });
      // A tile's path may end in anything, and a parameter may hold what follows it: neither is another route.
      if (status < 400 && WHO_MAY[key] !== 'everyone') wrong.push(`${tried} ${where}: ${status}`);
    }
    expect(wrong).toEqual([]);
  });
});

describe('an identity', () => {
  const SPOOFS: Readonly<Record<string, Record<string, string>>> = {
    'headers of proxies': {
      'x-forwarded-user': 'root',
      'x-remote-user': 'root',
      'x-auth-request-user': 'root',
      remote_user: 'root',
    },
    'a second scheme': { authorization: 'Basic cm9vdDpyb290' },
    'an empty token': { authorization: 'Bearer ' },
    'an empty header': { authorization: '' },
    'a cookie': { cookie: 'token=root; session=root' },
    'a method of another name': { 'x-http-method-override': 'GET' },
  };

  it.each(Object.keys(SPOOFS))('is not taken from %s', async (what) => {
    const { status, code } = await ask('GET /v1/whoami', 'nobody', { headers: SPOOFS[what] ?? {} });
    expect([status, code]).toEqual([401, 'TOKEN_REQUIRED']);
  });

  it.each(KEYS)('is asked for by %s also where the request is an upgrade', async (key) => {
    const upgrade = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' };
    const answered = new Promise<number>((resolve, reject) => {
      const request = httpRequest(api.url + pathOf(key), {
        method: key.slice(0, key.indexOf(' ')),
        headers: { ...upgrade, 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' },
      });
      request.on('response', (response) => resolve(response.resume().statusCode ?? 0));
      request
        .on('upgrade', () => resolve(101))
        .on('error', reject)
        .end();
    });
    const status = await answered;
    expect(status).not.toBe(101);
    expect(WHO_MAY[key] === 'everyone' || status === 401).toBe(true);
  });

  it('is not carried by where a request comes from: no answer names an origin', async () => {
    const response = await fetch(`${api.url}/v1/whoami`, {
      headers: { authorization: `Bearer ${tokens.get('somebody')}`, origin: 'https://evil.example' },
    });
    expect(await response.json()).toMatchObject({ name: 'eve' });
    expect(response.headers.get('access-control-allow-origin')).toBeNull();
    expect(response.headers.get('set-cookie')).toBeNull();
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  });
});
