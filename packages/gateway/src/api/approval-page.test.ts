import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testingOnlyRequest } from '../approvals/testing-room.ts';
import { parseResources } from '../resources/parse.ts';
import { approvalPage, wantsPage } from './approval-page.ts';
import { type TestingApi, testingOnlyApi } from './testing-api.ts';

const ID = `hld_${'0'.repeat(26)}`;
/** As Chromium sends it. */
const BROWSER =
  'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7';

const REACHABLE = `
{ kind: Connection, name: db, protocol: postgres, target: { host: db, database: rerank }, credential: { user: app } }
---
{ kind: Access, name: search, who: [ana], to: [db] }
`;

let api: TestingApi;

beforeAll(async () => {
  api = await testingOnlyApi();
});
afterAll(async () => {
  await api[Symbol.asyncDispose]();
});

function ask(path: string, headers: Readonly<Record<string, string>>, method = 'GET'): Promise<Response> {
  return fetch(`${api.url}${path}`, { method, headers });
}

/** A hold that is open. */
async function askedFor(statement: string): Promise<string> {
  const { resources, bootId, identity } = api.rooms;
  await resources.apply(parseResources(REACHABLE), { name: 'countersign', kind: 'system', keyId: bootId });
  const ana = await identity.principals.findByName('ana');
  if (ana === undefined) throw new Error('there is no ana');
  const policy = resources.bundleDigest();
  const request = testingOnlyRequest({ ...ana, groups: [] }, { policy, statement });
  const { id: sessionId } = await api.openSession('ana');
  return (await api.approvals.ask({ ...request, sessionId })).id;
}

describe('the address of a hold in a browser', () => {
  it('is a page that says what to type, with 401, and what it needs is in it', async () => {
    const got = await ask(`/v1/approvals/${ID}`, { accept: BROWSER });
    const html = await got.text();
    expect([got.status, got.headers.get('content-type')]).toEqual([401, 'text/html; charset=utf-8']);
    for (const command of [
      `countersign login --server ${api.url} --name YOUR-NAME`,
      `countersign approvals show ${ID}`,
      `countersign approvals approve ${ID} --reason &quot;why&quot;`,
    ]) {
      expect(html).toContain(`<pre>${command}</pre>`);
    }
    expect(html).not.toMatch(/<script|<img|<link|<form|<iframe| on[a-z]+=|style=|https?:\/\/(?!127\.)/i);
    expect(got.headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; style-src 'sha256-[^']+'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'$/,
    );
    expect(Object.fromEntries(got.headers)).toMatchObject({
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      'www-authenticate': 'Bearer',
      'x-content-type-options': 'nosniff',
      vary: 'accept, authorization',
    });
  });

  it('is the same whether the hold is there or not, but for its number', async () => {
    const held = await askedFor('update secret_table set a = 1');
    const [here, away] = await Promise.all(
      [held, ID].map(async (id) =>
        (await (await ask(`/v1/approvals/${id}`, { accept: BROWSER })).text()).replaceAll(id, 'ID'),
      ),
    );
    expect(here).toBe(away);
    expect(here).not.toMatch(/secret_table|bulk|ana/);
    const asked = await ask(`/v1/approvals/${held}`, { authorization: `Bearer ${api.people.ana.token}` });
    expect(await asked.text()).toContain('secret_table');
  });

  it('is JSON for programs, for whoever shows a token, for another method, and for what is no id', async () => {
    const path = `/v1/approvals/${ID}`;
    const authorization = `Bearer ${api.people.ana.token}`;
    for (const [status, got] of [
      [401, await ask(path, {})],
      [401, await ask(path, { accept: '*/*' })],
      [401, await ask(path, { accept: 'application/json, text/html' })],
      [401, await ask(path, { accept: BROWSER, authorization: 'Basic eDp5' })],
      [404, await ask(path, { accept: BROWSER, authorization })],
      [401, await ask(`${path}/approve`, { accept: BROWSER }, 'POST')],
      [401, await ask('/v1/approvals', { accept: BROWSER })],
      [401, await ask('/v1/approvals/%3Cscript%3E', { accept: BROWSER })],
      [401, await ask(`/v1/approvals/${ID.toUpperCase()}`, { accept: BROWSER })],
    ] as const) {
      expect([got.status, got.headers.get('content-type')]).toEqual([status, expect.stringMatching(/json/)]);
      expect(await got.text()).not.toContain('<');
    }
  });

  it('names the address under which people know the gateway, and writes it as text', async () => {
    await using other = await testingOnlyApi({ baseUrl: 'https://countersign.example/below' });
    const got = await fetch(`${other.url}/v1/approvals/${ID}`, {
      headers: { accept: BROWSER, host: 'evil' },
    });
    const html = await got.text();
    expect(html).toContain('--server https://countersign.example --name');
    expect(html).not.toContain('evil');
    expect(approvalPage('hld_"><script>', "x'<b>&").html).not.toMatch(
      /<script>|<b>|'<|&(?!amp|lt|gt|quot|#39)/,
    );
  });
});

describe('who wants a page', () => {
  it.each([
    [BROWSER, true],
    ['TEXT/HTML', true],
    ['text/html;q=0.5', true],
    ['text/html;q=0', false],
    ['text/html;q=0.000, */*', false],
    ['*/*', false],
    ['text/*', false],
    ['application/json', false],
    ['text/html, application/json', false],
    [undefined, false],
  ])('%s: %s', (accept, expected) => {
    expect(wantsPage(accept)).toBe(expected);
  });
});
