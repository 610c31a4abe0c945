/** Second factors through the real API and the real command line. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type TestingRun, testingOnlyRun } from '../cli/testing-command.ts';
import { testingOnlyCode } from '../identity/testing-codes.ts';
import { parseResources } from '../resources/parse.ts';
import type { ErrorAnswer, FactorOfferAnswer, TokenAnswer, WhoamiAnswer } from './answers.ts';
import { type TestingApi, testingOnlyApi } from './testing-api.ts';
import { type TestingAnswer, testingOnlyCall } from './testing-call.ts';

const PASSWORD = 'correct horse battery';
const WORLD = `
{ kind: Person, name: bo, displayName: Bo, groups: [administrators, owners] }
---
{ kind: Person, name: cleo, displayName: Cleo, groups: [owners] }
---
{ kind: Group, name: owners, members: [] }
`;
const GUARD = `
{ kind: Rule, name: guard, when: { changes: [Rule] }, then: { hold: { approvers: [group:owners] } } }
`;

let api: TestingApi;
let home: string;

beforeEach(async () => {
  api = await testingOnlyApi();
  home = await mkdtemp(join(tmpdir(), 'countersign-factor-'));
  await writeFile(join(home, 'password'), `${PASSWORD}\n`);
  const { rooms } = api;
  const by = { name: 'test', kind: 'system', keyId: rooms.bootId } as const;
  await rooms.resources.apply(parseResources(WORLD), by);
});

afterEach(async () => {
  await api[Symbol.asyncDispose]();
  await rm(home, { recursive: true });
});

function call<T = ErrorAnswer>(
  token: string | undefined,
  key: string,
  body?: unknown,
): Promise<TestingAnswer<T>> {
  return testingOnlyCall(api.url, token, key, body);
}

/** Somebody's first login, with a password that they chose by an invitation. */
async function withPassword(name: string): Promise<string> {
  const { code } = await api.rooms.identity.enrolment.invite(name);
  const body = { code: code.reveal(), name, password: PASSWORD };
  return (await call<TokenAnswer>(undefined, 'POST /v1/enrol', body)).json.token;
}

/** The URI of somebody's factor that counts; its next code is one step later. */
async function enrolled(token: string): Promise<string> {
  const { json } = await call<FactorOfferAnswer>(token, 'POST /v1/totp', { password: PASSWORD });
  expect(await call(token, 'POST /v1/totp/confirm', { otp: codeNow(json.uri) })).toMatchObject({
    status: 200,
  });
  return json.uri;
}

function codeNow(uri: string, steps = 0): string {
  return testingOnlyCode(uri, api.rooms.clock.nowUs(), steps);
}

function login(name: string, otp?: string): Promise<TestingAnswer<TokenAnswer & ErrorAnswer>> {
  return call(undefined, 'POST /v1/login', {
    name,
    password: PASSWORD,
    ...(otp === undefined ? {} : { otp }),
  });
}

function run(token: string | undefined, ...words: string[]): Promise<TestingRun> {
  return testingOnlyRun(words, { HOME: home, COUNTERSIGN_SERVER: api.url, COUNTERSIGN_TOKEN: token });
}

describe('the API', () => {
  it('enrols, confirms, and asks for a code from then on', async () => {
    const first = await withPassword('ana');
    const before = await call<WhoamiAnswer>(first, 'GET /v1/whoami');
    expect(before.json).toMatchObject({ amr: ['pwd'], secondFactor: 'none' });
    const wrong = await call(first, 'POST /v1/totp', { password: 'a stolen token only' });
    expect([wrong.status, wrong.json.code]).toEqual([401, 'AUTHENTICATION_FAILED']);
    const uri = await enrolled(first);
    expect(uri).toMatch(/^otpauth:\/\/totp\/Countersign:ana\?secret=[A-Z2-7]{32}&/);
    const without = await login('ana');
    expect([without.status, without.json.code]).toEqual([401, 'AUTHENTICATION_FAILED']);
    const code = codeNow(uri, 1);
    const { status, json } = await login('ana', code);
    expect([status, json.amr]).toEqual([200, ['pwd', 'otp', 'mfa']]);
    expect((await login('ana', code)).status).toBe(401);
    const made = await call<TokenAnswer>(json.token, 'POST /v1/tokens', { name: 'psql' });
    expect(made.json.amr).toEqual(['pwd', 'otp', 'mfa']);
    const who = await call<WhoamiAnswer>(made.json.token, 'GET /v1/whoami');
    expect(who.json).toMatchObject({ amr: ['pwd', 'otp', 'mfa'], secondFactor: 'confirmed' });
    // A token of a login without one says so, however it is used.
    const weak = await call<TokenAnswer>(first, 'POST /v1/tokens', { name: 'weak' });
    expect(weak.json.amr).toEqual(['pwd']);
    // An administrator's own login is not that of the one for whom they make a token.
    const boss = await call<TokenAnswer>(api.people.admin.token, 'POST /v1/tokens', {
      name: 'x',
      owner: 'ana',
    });
    expect(boss.json.amr).toBeUndefined();
  });

  it.each([
    ['POST /v1/totp', { password: PASSWORD }],
    ['POST /v1/totp/confirm', { otp: '123456' }],
    ['POST /v1/totp/remove', { owner: 'ana' }],
  ])('asks %s who it is', async (key, body) => {
    expect((await call(undefined, key, body)).json.code).toBe('TOKEN_REQUIRED');
  });

  it.each([
    ['five digits', { otp: '12345' }],
    ['a number', { otp: 123_456 }],
    ['letters', { otp: 'abcdef' }],
    ['something else beside it', { otp: '123456', admin: true }],
  ])('refuses a code with %s', async (_, body) => {
    const token = await withPassword('ana');
    expect((await call(token, 'POST /v1/totp/confirm', body)).status).toBe(400);
  });

  it('removes one’s own with password and code only', async () => {
    const token = await withPassword('ana');
    const uri = await enrolled(token);
    const tries = [
      {},
      { password: PASSWORD },
      { otp: codeNow(uri, 1) },
      { owner: 'ana' },
      { owner: 'ana', reason: 'I am an administrator' },
    ];
    for (const body of tries) {
      expect((await call(token, 'POST /v1/totp/remove', body)).status).toBe(400);
    }
    // One step back: used, or older than that, wherever in its step the clock stands.
    const used = { password: PASSWORD, otp: codeNow(uri, -1) };
    expect((await call(token, 'POST /v1/totp/remove', used)).status).toBe(401);
    const removed = await call(token, 'POST /v1/totp/remove', { password: PASSWORD, otp: codeNow(uri, 1) });
    expect(removed).toMatchObject({ status: 200, json: { removed: true } });
    expect((await login('ana')).json.amr).toEqual(['pwd']);
    const again = await call(token, 'POST /v1/totp/remove', { password: PASSWORD, otp: codeNow(uri, 1) });
    expect([again.status, again.json.code]).toEqual([404, 'NOT_FOUND']);
  });

  it('lets an administrator remove somebody’s, with a leaf, and ends what it had opened', async () => {
    const uri = await enrolled(await withPassword('ana'));
    const strong = (await login('ana', codeNow(uri, 1))).json.token;
    const other = await call(await withPassword('cleo'), 'POST /v1/totp/remove', { owner: 'ana' });
    expect([other.status, other.json.code]).toEqual([403, 'PERMISSION_DENIED']);
    const nobody = await call(api.people.admin.token, 'POST /v1/totp/remove', { owner: 'cleo' });
    expect(nobody.json.code).toBe('NOT_FOUND');
    const body = { owner: 'ana', reason: 'lost her phone' };
    expect((await call(api.people.admin.token, 'POST /v1/totp/remove', body)).status).toBe(200);
    expect((await call(strong, 'GET /v1/whoami')).json.code).toBe('AUTHENTICATION_FAILED');
    expect((await login('ana')).json.amr).toEqual(['pwd']);
  });

  it('holds that where a rule on resources stands on the person', async () => {
    const admin = api.people.admin.token;
    await enrolled(await withPassword('cleo'));
    await enrolled(await withPassword('ana'));
    const bo = await withPassword('bo');
    const guard = await call(admin, 'POST /v1/resources/apply', { text: GUARD });
    expect(guard.status).toBe(200);
    const held = await call(admin, 'POST /v1/totp/remove', { owner: 'cleo' });
    expect([held.status, held.json.code]).toEqual([423, 'POLICY_HELD']);
    expect(held.json.message).toContain('the second factor of Person "cleo" is removed by somebody else');
    const [id = ''] = /hld_[0-9a-z]{26}/.exec(held.json.message) ?? [];
    expect((await call(bo, `POST /v1/approvals/${id}/approve`, {})).status).toBe(200);
    expect((await call(admin, 'POST /v1/totp/remove', { owner: 'cleo' })).status).toBe(200);
    expect((await login('cleo')).json.amr).toEqual(['pwd']);
    // It stands on nothing of hers.
    expect((await call(admin, 'POST /v1/totp/remove', { owner: 'ana' })).status).toBe(200);
  });
});

describe('the command line', () => {
  it('enrols, confirms, logs in with a code, and removes', async () => {
    const file = ['--password-file', join(home, 'password')];
    const token = await withPassword('ana');
    const offered = await run(token, 'totp', 'enrol', ...file);
    expect([offered.status, offered.err]).toEqual([0, expect.stringContaining('Shown once.')]);
    const uri = offered.out.trim();
    expect(uri).toMatch(/^otpauth:/);
    expect((await run(token, 'totp', 'confirm')).status).toBe(2);
    const spaced = codeNow(uri).replace(/^.../, '$& ');
    expect((await run(token, 'totp', 'confirm', '--otp', spaced)).out).toContain('counts');
    const refused = await run(undefined, 'login', '--name', 'ana', ...file);
    expect([refused.status, refused.err]).toEqual([4, expect.stringContaining('second factor')]);
    const done = await run(undefined, 'login', '--name', 'ana', '--otp', codeNow(uri, 1), ...file);
    expect(done.out).toContain('as ana with a second factor, until');
    expect((await run(undefined, 'whoami')).out).toMatch(
      /login +pwd otp mfa, .*\n.*second factor +confirmed/,
    );
    const other = await run(undefined, 'totp', 'remove', '--of', 'cleo');
    expect(other.status).toBe(3);
    const removed = await run(api.people.admin.token, 'totp', 'remove', '--of', 'ana', '--reason', 'lost');
    expect([removed.status, removed.out]).toEqual([0, 'Removed\n']);
  });
});
