/** What policy lets through the HTTP gate, blocks, and holds until somebody else agrees. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HTTP_LIMITS } from '../../packages/gateway/src/core/http-limits.ts';
import {
  type HttpHarness,
  PEOPLE,
  plainConnection,
  startHttpHarness,
  startUpstream,
  type Upstream,
} from './http-harness.ts';

let harness: HttpHarness;
let upstream: Upstream;
let token: string;
let boss: string;
const seen: string[] = [];
let content: readonly [type: string, text: string] = ['text/plain', 'reached'];

const RULES = `
kind: Access
name: readers
who: [group:search]
to: [api]
may: [read]
---
kind: Rule
name: what-nobody-knows
description: a person reads what is new
on: [api]
when: { effects: [unknown] }
then: { hold: { approvers: [group:owners] } }
`;

beforeAll(async () => {
  upstream = await startUpstream((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      seen.push(`${incoming.method} ${incoming.url} ${Buffer.concat(chunks).toString()}`);
      response.setHeader('content-type', content[0]);
      response.end(content[1]);
    });
  });
  harness = await startHttpHarness();
  await harness.apply(`${plainConnection(upstream.url)}\n---${PEOPLE}\n---${RULES}`);
  token = await harness.token('ana');
  boss = await harness.token('boss');
});

afterAll(async () => {
  await harness[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
});

function ask(method: string, path: string, body?: string, signal?: AbortSignal): Promise<Response> {
  return fetch(`${harness.url}/api${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body }),
    ...(signal === undefined ? {} : { signal }),
  });
}

/** The open holds, oldest first. */
async function holds(): Promise<{ id: string; state: string }[]> {
  const got = await fetch(`http://${harness.gateway.api.host}:${harness.gateway.api.port}/v1/approvals`, {
    headers: { authorization: `Bearer ${boss}` },
  });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The gateway's own answer.
  return ((await got.json()) as { approvals: { id: string; state: string }[] }).approvals;
}

async function decide(id: string, verb: 'approve' | 'deny'): Promise<void> {
  const got = await fetch(
    `http://${harness.gateway.api.host}:${harness.gateway.api.port}/v1/approvals/${id}/${verb}`,
    {
      method: 'POST',
      headers: { authorization: `Bearer ${boss}`, 'content-type': 'application/json' },
      body: JSON.stringify({ reason: 'seen' }),
    },
  );
  if (!got.ok) throw new Error(`${verb}: ${got.status} ${await got.text()}`);
}

async function waitFor<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const newHold = (known: readonly string[]): Promise<string> =>
  waitFor(async () => (await holds()).find(({ id, state }) => state === 'asked' && !known.includes(id))?.id);

describe('policy at the HTTP gate', () => {
  it('lets a read pass', async () => {
    expect(await (await ask('GET', '/collections')).text()).toBe('reached');
  });

  it('holds what nobody knows, and lets it pass when somebody else has approved it while it waits', async () => {
    const before = seen.length;
    const asking = ask('POST', '/things', '{"a":1}');
    const id = await newHold([]);
    expect(seen.length).toBe(before);
    await decide(id, 'approve');
    const got = await asking;
    expect([got.status, await got.text()]).toEqual([200, 'reached']);
    expect(seen.slice(before)).toEqual(['POST /things {"a":1}']);
    const again = ask('POST', '/things', '{"a":1}');
    const second = await newHold([id]);
    await decide(second, 'deny');
    const denied = await again;
    expect(denied.status).toBe(403);
    expect(await denied.text()).not.toMatch(/statement|identical request/);
    expect(seen.length).toBe(before + 1);
  });

  it('says 423 with the approval after its wait, and lets the identical request pass once after that', async () => {
    const before = seen.length;
    const { holdWaitMs } = HTTP_LIMITS;
    // The clients of http-sdks.test.ts wait all of it.
    expect(holdWaitMs).toBe(25_000);
    const beganMs = performance.now();
    Object.assign(HTTP_LIMITS, { holdWaitMs: 2_000 });
    const held = await ask('PUT', '/things/1?x=2', '{"b":2}').finally(() =>
      Object.assign(HTTP_LIMITS, { holdWaitMs }),
    );
    expect(held.status).toBe(423);
    const tookMs = performance.now() - beganMs;
    expect([tookMs >= 1_999, tookMs < holdWaitMs]).toEqual([true, true]);
    const id = held.headers.get('x-countersign-approval') ?? '';
    expect(id).toMatch(/^hld_/);
    expect(held.headers.get('retry-after')).toMatch(/^[0-9]+$/);
    expect(await held.json()).toMatchObject({
      message: expect.stringMatching(
        new RegExp(`\\(a person reads what is new\\)\\. Approval ${id} .*send the identical request again`),
      ),
      approval: { id, url: expect.stringContaining(id) },
    });
    await decide(id, 'approve');
    // Another content, path, query or method is another request, and is held for itself.
    for (const [method, path, body] of [
      ['PUT', '/things/1?x=2', '{"b":3}'],
      ['PUT', '/things/1?x=3', '{"b":2}'],
      ['PUT', '/things/2?x=2', '{"b":2}'],
      ['POST', '/things/1?x=2', '{"b":2}'],
    ] as const) {
      const controller = new AbortController();
      const other = ask(method, path, body, controller.signal).catch(() => undefined);
      const one = await newHold([id]);
      expect(one).not.toBe(id);
      controller.abort();
      await other;
      await waitFor(async () =>
        (await holds()).some((hold) => hold.id === one && hold.state === 'asked') ? undefined : true,
      );
    }
    expect(seen.length).toBe(before);
    expect((await ask('PUT', '/things/%31?x=2', '{"b":2}')).status).toBe(200);
    expect(seen.slice(before)).toEqual(['PUT /things/1?x=2 {"b":2}']);
    const controller = new AbortController();
    const again = ask('PUT', '/things/1?x=2', '{"b":2}', controller.signal).catch(() => undefined);
    await newHold([id]);
    controller.abort();
    await again;
    expect(seen.length).toBe(before + 1);
  }, 90_000);

  it('withdraws what was asked for when the client leaves, and says so in the log', async () => {
    const controller = new AbortController();
    const asking = ask('DELETE', '/things/9', undefined, controller.signal).catch(() => undefined);
    const id = await newHold([]);
    controller.abort();
    await asking;
    await waitFor(async () =>
      (await holds()).some((hold) => hold.id === id && hold.state === 'asked') ? undefined : true,
    );
    const log = await harness.finishedLog();
    expect(log.some(({ leaf, body }) => leaf.type === 'approval.withdrawn' && body['hold_id'] === id)).toBe(
      true,
    );
    expect(seen.some((one) => one.startsWith('DELETE'))).toBe(false);
  });

  it('blocks what a rule blocks, and what no Access resource lets through', async () => {
    const before = seen.length;
    const rules = RULES.replace('then: { hold: { approvers: [group:owners] } }', 'then: block');
    await harness.apply(rules.replace('may: [read]', 'may: [read, unknown]'));
    const blocked = await ask('POST', '/things', '{}');
    expect(blocked.status).toBe(403);
    expect(await blocked.json()).toMatchObject({
      status: 403,
      message: expect.stringMatching(
        /^Blocked by rule "what-nobody-knows" \(version 2\): .* \(a person reads what is new\)\. The target has not seen this request\./,
      ),
    });
    expect(seen.length).toBe(before);
    const log = await harness.finishedLog();
    const intent = log.findLast(({ leaf }) => leaf.type === 'http.intent');
    expect(intent?.leaf.decision).toBe('block');
    expect(
      log.some(
        ({ leaf }) =>
          leaf.type === 'http.outcome' && leaf.ref === intent?.leaf.n && leaf.status === 'blocked',
      ),
    ).toBe(true);
  });

  it('masks what comes back where a Mask reaches the client, and withholds what cannot be read', async () => {
    await harness.apply(`
kind: Mask
name: personal
on: [api]
detect: [email]
as: redact`);
    content = ['application/json', '{"id":18446744073709551615,"mail":"ana@example.org","n":1.50}'];
    const masked = await (await ask('GET', '/collections')).text();
    expect(masked).not.toContain('ana@example.org');
    expect(masked).toContain('"id":18446744073709551615');
    expect(masked).toContain('"n":1.50');
    content = ['application/json', '{"mail":"ana@example.org"'];
    // What was masked before may have been given out; the client sees that something is missing.
    const cut = await ask('GET', '/collections');
    const broken = await cut.text().catch(() => 'broken off');
    expect(broken).toBe('broken off');
    expect(broken).not.toContain('ana@example.org');
    content = ['application/pdf', 'ana@example.org'];
    const opaque = await ask('GET', '/collections');
    expect(opaque.status).toBe(502);
    expect(await opaque.text()).not.toContain('ana@example.org');
    const outcome = (await harness.finishedLog()).findLast(
      ({ leaf, body }) => leaf.type === 'http.outcome' && body['masked'] !== undefined,
    );
    expect(outcome?.body['masked']).toMatchObject([{ mask: 'personal', entity: 'EMAIL', values: 1 }]);
  });

  it('refuses content that two readers could understand in two ways, and forwards nothing', async () => {
    const before = seen.length;
    for (const body of ['{"a":1,"a":2}', '['.repeat(10_000) + ']'.repeat(10_000)]) {
      const got = await ask('POST', '/things', body);
      expect(got.status).toBe(400);
      expect(await got.json()).toMatchObject({ status: 400 });
    }
    expect(seen.length).toBe(before);
  });
});
