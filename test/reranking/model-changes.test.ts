/** The admin API really changes which model answers, and says by digests that it did. */

import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseParameters } from '../../examples/demo/reranker/parameters.ts';
import { Problem } from '../../examples/demo/reranker/problem.ts';
import { type Reranker, type RerankerOptions, startReranker } from '../../examples/demo/reranker/server.ts';
import { type Answered, ask } from './post.ts';

const NAME = 'lexical-blend';
const SHIPPED = new URL('../../examples/demo/reranker/models/', import.meta.url);
const NOW = new Date('2026-01-02T03:04:05Z');
/** In 1.3.0 neither titles nor neighbours count. */
const CALL = {
  model: NAME,
  query: 'late order',
  documents: [
    'late the the the the the order',
    'late order\nthe the the the the',
    'order the\nthe late the the',
  ],
};

let folder: string;
let reranker: Reranker;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'countersign-reranker-'));
  reranker = await start();
});
afterEach(async () => {
  await reranker.close();
  await rm(folder, { recursive: true });
});

function start(options: Partial<RerankerOptions> = {}): Promise<Reranker> {
  return startReranker({ port: 0, folder, now: () => NOW, ...options });
}

async function scores(model = NAME): Promise<unknown> {
  const { body } = await ask(`${reranker.url}/v2/rerank`, { body: { ...CALL, model } });
  return (body as { results: unknown }).results;
}

async function info(): Promise<{ model_id: string; model_sha: string; model_version: string }> {
  const { body } = await ask(`${reranker.url}/info`, { method: 'GET' });
  return body as Awaited<ReturnType<typeof info>>;
}

function activate(version: string, more: object = {}, name = NAME): Promise<Answered> {
  return ask(`${reranker.url}/admin/models/${name}/activate`, { body: { version, ...more } });
}

function upload(version: string, file: string, name = NAME): Promise<Answered> {
  return ask(`${reranker.url}/admin/models/${name}/versions/${version}`, { method: 'PUT', body: file });
}

async function shipped(version: string): Promise<Buffer> {
  return readFile(new URL(`${NAME}@${version}.json`, SHIPPED));
}

function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function variant(change: object, from = '1.4.0'): Promise<string> {
  return JSON.stringify({ ...JSON.parse((await shipped(from)).toString()), ...change });
}

describe('activating another version', () => {
  it('changes scores and digest, and back again', async () => {
    const before = { scores: await scores(), info: await info() };
    expect(before.info.model_sha).toBe(sha256(await shipped('1.4.0')));

    const { status, body } = await activate('1.3.0');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      version: '1.3.0',
      digest: `sha256:${sha256(await shipped('1.3.0'))}`,
      previous: { version: '1.4.0', digest: `sha256:${before.info.model_sha}` },
    });
    expect(await info()).toMatchObject({ model_sha: sha256(await shipped('1.3.0')), model_version: '1.3.0' });
    const changed = await scores();
    expect(changed).not.toEqual(before.scores);

    await activate('1.4.0');
    expect(await scores()).toEqual(before.scores);
    expect(await info()).toEqual(before.info);
  });

  it('leaves calls that name a version what they were', async () => {
    const pinned = await scores(`${NAME}@1.4.0`);
    expect(pinned).toEqual(await scores());
    await activate('1.5.0');
    expect(await scores(`${NAME}@1.4.0`)).toEqual(pinned);
    expect(await scores()).not.toEqual(pinned);
  });

  it('outlives a restart', async () => {
    await upload('9.0.0', await variant({ version: '9.0.0', k1: 2 }));
    await activate('9.0.0');
    const kept = { scores: await scores(), info: await info() };
    await reranker.close();
    reranker = await start();
    expect({ scores: await scores(), info: await info() }).toEqual(kept);
  });

  it('happens only to the file that the caller means', async () => {
    const before = await info();
    const wrong = await activate('1.5.0', { digest: `sha256:${sha256('another')}` });
    expect(wrong).toMatchObject({ status: 409, body: { error: { code: 'conflict' } } });
    expect(await info()).toEqual(before);
    const right = await activate('1.5.0', { digest: `sha256:${sha256(await shipped('1.5.0'))}` });
    expect(right.status).toBe(200);
  });

  it.each([
    ['a version that is not there', '7.7.7', NAME, 404],
    ['a model that is not there', '1.3.0', 'nobody', 404],
    ['no version', '', NAME, 422],
  ])('is refused for %s', async (_, version, name, status) => {
    const before = await info();
    expect((await activate(version, {}, name)).status).toBe(status);
    expect(await info()).toEqual(before);
  });

  it('is of the last one where many ask at once', async () => {
    const asked = ['1.3.0', '1.5.0', '1.4.0', '1.3.0', '1.5.0'];
    const answers = await Promise.all(asked.map((version) => activate(version)));
    expect(answers.map(({ status }) => status)).toEqual(asked.map(() => 200));
    const active = reranker.models()[0]?.active.version;
    await reranker.close();
    reranker = await start();
    // What is on disk is what answered last.
    expect(reranker.models()[0]?.active.version).toBe(active);
  });
});

describe('a parameter file', () => {
  it('is taken in, answers nothing until it is activated, and is given back byte for byte', async () => {
    const before = await scores();
    const file = `${await variant({ version: '2.0.0', titleWeight: 50 })}\n`;
    const { status, body } = await upload('2.0.0', file);
    expect(status).toBe(201);
    const digest = `sha256:${sha256(file)}`;
    expect(body).toEqual({ name: NAME, version: '2.0.0', digest, bytes: file.length, shipped: false });
    expect(await scores()).toEqual(before);

    await activate('2.0.0');
    expect(await scores()).not.toEqual(before);
    const path = `${reranker.url}/admin/models/${NAME}/versions/2.0.0`;
    expect((await ask(`${path}/parameters`, { method: 'GET' })).text).toBe(file);
    expect((await ask(path, { method: 'GET' })).body).toMatchObject({
      digest,
      parameters: { titleWeight: 50 },
    });
  });

  it('makes a model of its own, which is there once a version of it is active', async () => {
    await upload('0.1.0', await variant({ name: 'another', version: '0.1.0' }), 'another');
    expect(reranker.models().map(({ name }) => name)).toEqual([NAME]);
    await activate('0.1.0', {}, 'another');
    expect(reranker.models().map(({ name }) => name)).toEqual(['another', NAME]);
    expect(await scores('another')).toEqual(await scores());
  });

  it('never changes: the same version with other bytes is refused, with the same it is known', async () => {
    const file = await variant({ version: '2.0.0' });
    expect((await upload('2.0.0', file)).status).toBe(201);
    expect((await upload('2.0.0', file)).status).toBe(200);
    expect((await upload('2.0.0', `${file} `)).status).toBe(409);
    expect((await upload('1.4.0', await variant({ k1: 3 }))).status).toBe(409);
  });

  it('is removed where it is neither active nor one of the service’s own', async () => {
    const path = (version: string): string => `${reranker.url}/admin/models/${NAME}/versions/${version}`;
    await upload('2.0.0', await variant({ version: '2.0.0' }));
    await activate('2.0.0');
    expect((await ask(path('2.0.0'), { method: 'DELETE' })).status).toBe(409);
    expect((await ask(path('1.3.0'), { method: 'DELETE' })).status).toBe(409);
    await activate('1.4.0');
    expect((await ask(path('2.0.0'), { method: 'DELETE' })).status).toBe(204);
    expect((await ask(path('2.0.0'), { method: 'DELETE' })).status).toBe(404);
    await reranker.close();
    reranker = await start();
    expect(reranker.models()[0]?.versions.map(({ version }) => version)).toEqual(['1.3.0', '1.4.0', '1.5.0']);
  });

  it.each([
    ['of another version', '2.0.1', {}],
    ['of another model', '2.0.0', { name: 'another' }],
  ])('is refused %s than its path', async (_, version, change) => {
    expect((await upload(version, await variant({ version: '2.0.0', ...change }))).status).toBe(422);
  });

  it('is refused beyond the versions that there may be', async () => {
    await reranker.close();
    reranker = await start({ limits: { versionsMax: 4 } });
    expect((await upload('2.0.0', await variant({ version: '2.0.0' }))).status).toBe(201);
    expect((await upload('2.0.1', await variant({ version: '2.0.1' }))).status).toBe(409);
  });

  it('that was changed on disk stops the next start where it is broken', async () => {
    await writeFile(join(folder, `${NAME}@6.0.0.json`), '{');
    await expect(start()).rejects.toThrow(Problem);
  });

  it.each([
    ['no JSON', '{'],
    ['a list', '[]'],
    ['bytes that are no UTF-8', Buffer.from([0x22, 0xff, 0x22])],
  ])('is refused where it is %s', (_, file) => {
    expect(() => parseParameters(Buffer.from(file))).toThrow(Problem);
  });

  it.each([
    [{ format: 'lexical-reranker/2' }, 'format'],
    [{ name: '../escape' }, 'name'],
    [{ name: 'Upper' }, 'name'],
    [{ version: '1.4' }, 'version'],
    [{ version: '01.4.0' }, 'version'],
    [{ k1: -1 }, 'k1'],
    [{ k1: '1.2' }, 'k1'],
    [{ b: 1.1 }, 'b'],
    [{ b: null }, 'b'],
    [{ pivot: 0 }, 'pivot'],
    [{ wordsMax: 16.5 }, 'wordsMax'],
    [{ wordsMax: 1e9 }, 'wordsMax'],
    [{ proximity: { weight: 1 } }, 'proximity.window'],
    [{ proximity: { weight: 1, window: 8, more: 1 } }, 'proximity.more'],
    [{ unheardOf: 1 }, 'unheardOf'],
    [{ toString: 1 }, 'toString'],
  ])('is refused with %j', async (change, member) => {
    const file = Buffer.from(await variant(change));
    expect(() => parseParameters(file)).toThrow(expect.objectContaining({ kind: 'invalid', member }));
  });
});

describe('what is said about models', () => {
  it.each([
    ['/models', { object: 'list', data: [{ id: NAME, revision: expect.any(String), version: '1.4.0' }] }],
    [
      '/infinity/models',
      { object: 'list', data: [{ id: NAME, capabilities: ['rerank'], created: 1_767_323_045 }] },
    ],
    ['/cohere/v1/models', { models: [{ name: NAME, is_deprecated: false, endpoints: ['rerank'] }] }],
    [`/cohere/v1/models/${NAME}`, { name: NAME, finetuned: false }],
    ['/pinecone/models', { models: [{ model: NAME, type: 'rerank' }] }],
    [`/pinecone/models/${NAME}`, { model: NAME, type: 'rerank' }],
    ['/tei/info', { model_id: NAME, model_sha: expect.stringMatching(/^[0-9a-f]{64}$/) }],
    [`/admin/models/${NAME}`, { version: '1.4.0', activated_at: NOW.toISOString() }],
    [`/admin/models/${NAME}/versions`, { versions: [{ version: '1.3.0' }, { version: '1.4.0' }, {}] }],
  ])('at %s', async (path, shows) => {
    expect(await ask(`${reranker.url}${path}`, { method: 'GET' })).toMatchObject({
      status: 200,
      body: shows,
    });
  });

  it.each([
    '/models/nobody',
    '/models/__proto__',
    '/models/a%2fb',
    '/admin/models/nobody',
    '/admin/models/nobody/versions',
    `/admin/models/${NAME}/versions/1.3.1`,
    '/admin/nothing',
  ])('is 404 at %s', async (path) => {
    expect((await ask(`${reranker.url}${path}`, { method: 'GET' })).status).toBe(404);
  });

  it('is 405 for a verb that a place of the admin API does not have', async () => {
    expect((await ask(`${reranker.url}/admin/models`, { body: {} })).status).toBe(405);
    expect((await ask(`${reranker.url}/admin/models/${NAME}/activate`, { method: 'GET' })).status).toBe(405);
  });
});
