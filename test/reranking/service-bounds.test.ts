/** Keys, bounds, bodies that are none, and the end of the service. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { type Reranker, startReranker } from '../../examples/demo/reranker/server.ts';
import { ask } from './post.ts';

const MODEL = 'lexical-blend';
const CALL = { model: MODEL, query: 'a', documents: ['a'] };
const MAIN = fileURLToPath(new URL('../../examples/demo/reranker/main.ts', import.meta.url));

async function started(reranker: Reranker): Promise<Socket> {
  const socket = connect(reranker.port, reranker.host);
  await once(socket, 'connect');
  return socket;
}

/** All that a connection says until its end. */
async function rest(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  await once(socket, 'close');
  return text;
}

describe('a key', () => {
  const KEY = 'k-123';

  it.each([
    [{ authorization: `Bearer ${KEY}` }],
    [{ authorization: `bearer ${KEY}` }],
    [{ authorization: KEY }],
    [{ 'api-key': KEY }],
    [{ 'x-api-key': KEY }],
  ])('is taken in %j', async (headers) => {
    await using reranker = await startReranker({ port: 0, apiKey: KEY });
    expect((await ask(`${reranker.url}/v2/rerank`, { body: CALL, headers })).status).toBe(200);
  });

  it.each([
    ['/cohere/v2/rerank', { message: 'invalid api token' }],
    ['/jina/v1/rerank', { detail: 'The API key is missing or wrong.' }],
    ['/tei/rerank', { error_type: 'Validation' }],
    ['/infinity/rerank', { detail: 'Unauthorized' }],
    ['/pinecone/rerank', { status: 401, error: { code: 'UNAUTHENTICATED' } }],
    ['/cohere/v9/nothing', { message: 'invalid api token' }],
  ])('that is missing or wrong is refused at %s', async (path, shows) => {
    await using reranker = await startReranker({ port: 0, apiKey: KEY });
    for (const authorization of ['', 'Bearer', `Bearer ${KEY}x`, `Basic ${KEY}`]) {
      const came = await ask(`${reranker.url}${path}`, { body: CALL, headers: { authorization } });
      expect(came).toMatchObject({ status: 401, body: shows });
    }
    expect(reranker.answered()).toBe(0);
  });

  it('is asked for what is read, too, and not for health', async () => {
    await using reranker = await startReranker({ port: 0, apiKey: KEY });
    for (const path of ['/info', '/models', '/cohere/v1/models', '/admin/models']) {
      expect((await ask(`${reranker.url}${path}`, { method: 'GET' })).status).toBe(401);
    }
    expect((await ask(`${reranker.url}/health`, { method: 'GET' })).status).toBe(200);
  });

  it('of the admin API is another one where it is given, and the one does not do for the other', async () => {
    await using reranker = await startReranker({ port: 0, apiKey: KEY, adminKey: 'admin' });
    const path = `${reranker.url}/admin/models/${MODEL}/activate`;
    const body = { version: '1.3.0' };
    expect((await ask(path, { body, headers: { authorization: `Bearer ${KEY}` } })).status).toBe(401);
    expect(reranker.models()[0]?.active.version).toBe('1.4.0');
    expect((await ask(path, { body, headers: { authorization: 'Bearer admin' } })).status).toBe(200);
    const call = { body: CALL, headers: { authorization: 'Bearer admin' } };
    expect((await ask(`${reranker.url}/v2/rerank`, call)).status).toBe(401);
  });
});

describe('a bound', () => {
  it.each([
    [
      '/cohere/v2/rerank',
      'documents',
      1_001,
      400,
      { message: expect.stringContaining('one call may have 1000') },
    ],
    ['/jina/v1/rerank', 'documents', 2_049, 422, { detail: expect.any(String) }],
    ['/voyage/v1/rerank', 'documents', 1_001, 400, { detail: expect.any(String) }],
    ['/mixedbread/v1/reranking', 'input', 1_001, 422, { detail: expect.any(String) }],
    ['/tei/rerank', 'texts', 129, 422, { error_type: 'Validation' }],
    ['/infinity/rerank', 'documents', 2_049, 422, { detail: [{ loc: ['body', 'documents'] }] }],
    ['/pinecone/rerank', 'documents', 1_001, 400, { error: { code: 'INVALID_ARGUMENT' } }],
  ])('of documents at %s is refused in its form', async (path, member, count, status, shows) => {
    await using reranker = await startReranker({ port: 0 });
    const one = path.startsWith('/pinecone') ? { text: 'a' } : 'a';
    const body = (length: number): object => ({
      model: MODEL,
      query: 'a',
      [member]: Array.from({ length }, () => one),
    });
    expect(await ask(`${reranker.url}${path}`, { body: body(count) })).toMatchObject({ status, body: shows });
    expect((await ask(`${reranker.url}${path}`, { body: body(count - 1) })).status).toBe(200);
  });

  it('of a body is refused by its declared length before it comes', async () => {
    await using reranker = await startReranker({ port: 0, limits: { bodyBytesMax: 1_000 } });
    const socket = await started(reranker);
    socket.write('POST /cohere/v2/rerank HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n');
    const said = await rest(socket);
    expect(said).toContain('HTTP/1.1 413');
    expect(said).toContain('{"message":"The body has more than 1000 bytes."}');
  });

  it('of a body is refused while it comes, where no length was declared', async () => {
    await using reranker = await startReranker({ port: 0, limits: { bodyBytesMax: 1_000 } });
    const socket = await started(reranker);
    socket.write('POST /pinecone/rerank HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
    socket.write(`3e9\r\n${'a'.repeat(1_001)}\r\n`);
    expect(await rest(socket)).toContain('"code":"OUT_OF_RANGE"');
  });

  it('of TEI’s bodies is TEI’s own', async () => {
    await using reranker = await startReranker({ port: 0 });
    const body = { query: 'a', texts: ['a'.repeat(2_000_000)] };
    const came = await ask(`${reranker.url}/tei/rerank`, { body });
    expect(came).toMatchObject({ status: 413, body: { error_type: 'Validation' } });
  });

  it('of calls at once is 429 with Retry-After in the form of the dialect', async () => {
    await using reranker = await startReranker({ port: 0, limits: { callsMax: 1 } });
    const socket = await started(reranker);
    socket.write('POST /v2/rerank HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n');
    const other = await untilBusy(reranker);
    expect(other).toMatchObject({
      status: 429,
      body: { error: 'The model is overloaded.', error_type: 'Overloaded' },
    });
    expect(other.headers.get('retry-after')).toBe('1');
    socket.destroy();
    await once(socket, 'close');
    expect((await untilFree(reranker)).status).toBe(200);
  });

  it('of an upload is that of a parameter file', async () => {
    await using reranker = await startReranker({ port: 0 });
    const path = `${reranker.url}/admin/models/${MODEL}/versions/2.0.0`;
    expect((await ask(path, { method: 'PUT', body: ' '.repeat(16_385) })).status).toBe(413);
  });

  it('is not reached by 1,000 documents of 5,000 words', async () => {
    await using reranker = await startReranker({ port: 0 });
    const documents = Array.from({ length: 1_000 }, (_, index) => `${'word '.repeat(5_000)}${index}`);
    const { status, body } = await ask(`${reranker.url}/v2/rerank`, {
      body: { ...CALL, documents, top_n: 3 },
    });
    expect(status).toBe(200);
    expect(body).toMatchObject({ results: [{ index: 0 }, { index: 1 }, { index: 2 }] });
  });
});

const TEI_CALL = { body: { query: 'a', texts: ['a'] } };

async function until(reranker: Reranker, status: number): ReturnType<typeof ask> {
  for (;;) {
    const came = await ask(`${reranker.url}/tei/rerank`, TEI_CALL);
    if (came.status === status) return came;
  }
}

function untilBusy(reranker: Reranker): ReturnType<typeof ask> {
  return until(reranker, 429);
}

function untilFree(reranker: Reranker): ReturnType<typeof ask> {
  return until(reranker, 200);
}

describe('a body', () => {
  it.each([
    ['nothing', ''],
    ['half', '{"model":"lexical-blend","query":"a","documents":["a"'],
    ['a list', '[]'],
    ['null', 'null'],
    ['a text', '"a"'],
    ['bytes that are no UTF-8', Buffer.from([...Buffer.from('{"query":"'), 0xff, ...Buffer.from('"}')])],
    ['10,000 lists in each other', `{"query":${'['.repeat(10_000)}${']'.repeat(10_000)}}`],
    ['lists that do not end', '['.repeat(1_000_000)],
  ])('that is %s is refused', async (_, body) => {
    await using reranker = await startReranker({ port: 0 });
    const came = await ask(`${reranker.url}/v2/rerank`, { body });
    expect(came).toMatchObject({
      status: 400,
      body: { message: expect.stringContaining('invalid request') },
    });
  });

  it('that is compressed is refused', async () => {
    await using reranker = await startReranker({ port: 0 });
    const body = gzipSync(JSON.stringify(CALL));
    const headers = { 'content-encoding': 'gzip' };
    expect((await ask(`${reranker.url}/v2/rerank`, { body, headers })).status).toBe(415);
  });

  it('whose client leaves does not end the service', async () => {
    await using reranker = await startReranker({ port: 0 });
    const socket = await started(reranker);
    socket.write('POST /v2/rerank HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{');
    socket.destroy();
    await once(socket, 'close');
    expect((await ask(`${reranker.url}/v2/rerank`, { body: CALL })).status).toBe(200);
  });

  it('with names that objects have anyway is ranked as it is', async () => {
    await using reranker = await startReranker({ port: 0 });
    const body =
      '{"__proto__":{"query":"b"},"query":"constructor","documents":["toString","constructor"],"model":"lexical-blend"}';
    expect((await ask(`${reranker.url}/v2/rerank`, { body })).body).toMatchObject({
      results: [{ index: 1 }, { index: 0 }],
    });
  });
});

describe('the end', () => {
  it('lets a call that began finish, and takes no other', async () => {
    const reranker = await startReranker({ port: 0 });
    const socket = await started(reranker);
    const body = JSON.stringify(CALL);
    socket.write(
      `POST /v2/rerank HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body.slice(0, 5)}`,
    );
    await ask(`${reranker.url}/health`, { method: 'GET' });
    const closed = reranker.close();
    socket.write(body.slice(5));
    expect(await rest(socket)).toContain('HTTP/1.1 200');
    await closed;
    await expect(ask(`${reranker.url}/health`, { method: 'GET' })).rejects.toThrow('fetch failed');
  });

  it('does not wait for a body that never comes', async () => {
    const reranker = await startReranker({ port: 0, limits: { closeTimeoutMs: 50 } });
    const socket = await started(reranker);
    socket.on('error', () => undefined);
    socket.write('POST /v2/rerank HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{');
    await ask(`${reranker.url}/health`, { method: 'GET' });
    const ended = once(socket, 'close');
    await reranker.close();
    await ended;
    // Who closes twice waits for the same end.
    await expect(reranker.close()).resolves.toBeUndefined();
  });

  it('of the command line comes with SIGTERM, and is clean', async () => {
    const child = spawn(process.execPath, ['--conditions=source', MAIN, '--port', '0', '--service', 'tei'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const came = await ask(`${line.toString().trim()}/rerank`, TEI_CALL);
    expect(came.body).toEqual([{ index: 0, score: expect.any(Number) }]);
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
  });

  it.each(['--port x', '--port 70000', '--service nobody', '--unheard-of'])(
    'comes with status 2 for %s',
    async (line) => {
      const args = line.split(' ');
      const child = spawn(process.execPath, ['--conditions=source', MAIN, ...args], {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      const [said] = (await once(child.stderr, 'data')) as [Buffer];
      expect(said.toString()).toContain('Usage:');
      expect(await once(child, 'exit')).toEqual([2, null]);
    },
  );
});
