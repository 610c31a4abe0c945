import { afterEach, describe, expect, it } from 'vitest';
import { CountersignError } from '../core/errors.ts';
import type { ScopeKeys } from '../core/ledger-port.ts';
import type { ApiPorts } from './ports.ts';
import { type TestingApi, type TestingPerson, testingOnlyApi } from './testing-api.ts';

let api: TestingApi | undefined;

afterEach(async () => {
  await api?.[Symbol.asyncDispose]();
});

async function open(change: Partial<ApiPorts>): Promise<TestingApi> {
  api = await testingOnlyApi(change);
  return api;
}

async function post(
  { url }: TestingApi,
  path: string,
  who: TestingPerson,
  body: unknown,
): Promise<{ readonly status: number; readonly text: string }> {
  const response = await fetch(`${url}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${who.token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.status, text: await response.text() };
}

async function lastLeaves({ rooms }: TestingApi, count: number): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const { leaf } of rooms.reader.leaves(0)) all.push(JSON.parse(Buffer.from(leaf).toString()));
  return all.slice(-count);
}

const PERIOD = { from: '2026-01-01', to: '2027-01-01', reason: 'audit' };

describe('what fails', () => {
  it('is taken back by a second leaf where a key could not be destroyed', async () => {
    let keys: ScopeKeys | undefined;
    const broken: ScopeKeys = {
      create: async (scope) => keys?.create(scope) ?? new Uint8Array(),
      find: async (scope) => keys?.find(scope),
      destroy: async () => {
        throw new CountersignError('STORE_FAILED', { reason: 'disk' });
      },
    };
    const opened = await open({ scopeKeys: broken });
    keys = opened.rooms.keys;
    const session = await opened.makeSession('ana', 'select 1');
    const answer = await post(opened, '/v1/ledger/shred', opened.people.admin, { session, reason: 'asked' });
    expect(answer.status).toBe(503);
    expect(await lastLeaves(opened, 2)).toMatchObject([
      { type: 'ledger.shred', status: 'ok' },
      { type: 'ledger.shred', status: 'failed' },
    ]);
    expect(opened.errors.map(({ error }) => error.code)).toEqual(['STORE_FAILED']);
  });

  it('is an export that a leaf says failed, and the client hears no cause', async () => {
    const opened = await open({
      exportEvidence: async () => {
        throw new Error('canary-cause-5');
      },
    });
    const answer = await post(opened, '/v1/evidence/export', opened.people.auditor, PERIOD);
    expect([answer.status, JSON.parse(answer.text).code]).toEqual([500, 'INTERNAL']);
    expect(answer.text).not.toContain('canary-cause-5');
    expect(await lastLeaves(opened, 1)).toMatchObject([{ type: 'evidence.export', status: 'failed' }]);
  });

  it('is a second export while one is being built', async () => {
    const { promise: started, resolve: start } = Promise.withResolvers<void>();
    const { promise: go, resolve: finish } = Promise.withResolvers<void>();
    const opened = await open({
      exportEvidence: async () => {
        start();
        await go;
        throw new CountersignError('SHUTTING_DOWN');
      },
    });
    const first = post(opened, '/v1/evidence/export', opened.people.auditor, PERIOD);
    await started;
    const second = await post(opened, '/v1/evidence/export', opened.people.auditor, PERIOD);
    expect(JSON.parse(second.text).code).toBe('TOO_MANY_CONNECTIONS');
    finish();
    expect((await first).status).toBe(503);
  });

  it('is every request with a token once the ledger cannot be written', async () => {
    const opened = await open({});
    await opened.rooms.ledger.close('test');
    const answer = await post(opened, '/v1/tokens', opened.people.ana, { name: 'x' });
    expect(answer.status).toBe(503);
    expect((await fetch(`${opened.url}/healthz`)).status).toBe(503);
  });
});
