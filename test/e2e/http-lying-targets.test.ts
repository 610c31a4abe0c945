/** Targets that lie about their answers, or never come to an end of them: nothing of one is given out as another. */

import { connect, createServer, type Server, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type HttpHarness, PEOPLE, plainConnection, startHttpHarness } from './http-harness.ts';

type Answers = (socket: Socket, request: string) => void;

let harness: HttpHarness;
let target: Server;
let token: string;
let answers: Answers;
const sockets = new Set<Socket>();

/** Speaks HTTP/1.1 as it is told, and not as it should. */
beforeAll(async () => {
  target = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      if (!text.includes('\r\n\r\n')) return;
      const request = text;
      text = '';
      if (request.startsWith('GET /alive '))
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nalive');
      else answers(socket, request);
    });
  });
  await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
  const address = target.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  harness = await startHttpHarness();
  await harness.apply(`${plainConnection(`http://127.0.0.1:${port}`, 'dialect: http')}\n---${PEOPLE}
---
kind: Access
name: search-team
who: [group:search]
to: [api]
may: [read, write, unknown]`);
  token = await harness.token('ana');
});

afterAll(async () => {
  await harness[Symbol.asyncDispose]();
  for (const socket of sockets) socket.destroy();
  target.close();
});

beforeEach(() => {
  answers = (socket) => socket.end();
});

function ask(path: string, init: RequestInit = {}): Promise<Response> {
  return fetch(`${harness.url}/api${path}`, {
    redirect: 'manual',
    ...init,
    headers: { authorization: `Bearer ${token}` },
  });
}

/** The status and content that a client gets, or that it was broken off. */
async function told(path = '/lie', init: RequestInit = {}): Promise<string> {
  try {
    const answer = await ask(path, init);
    return `${answer.status} ${await answer.text()}`;
  } catch {
    return 'broken off';
  }
}

async function alive(): Promise<void> {
  expect(await told('/alive')).toBe('200 alive');
}

function says(text: string | Uint8Array, end: 'close' | 'keep' = 'keep'): void {
  answers = (socket) => {
    socket.write(typeof text === 'string' ? Buffer.from(text, 'latin1') : text);
    if (end === 'close') socket.end();
  };
}

const HEAD = 'HTTP/1.1 200 OK\r\n';
const EVIL = `${HEAD}Content-Length: 4\r\n\r\nevil`;

describe('a head that is none', () => {
  it.each<[string, string]>([
    ['two Content-Lengths', `${HEAD}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!`],
    ['a list of Content-Lengths', `${HEAD}Content-Length: 5, 5\r\n\r\nhello`],
    [
      'Content-Length beside Transfer-Encoding',
      `${HEAD}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    ['a negative Content-Length', `${HEAD}Content-Length: -5\r\n\r\nhello`],
    ['a Content-Length that overflows', `${HEAD}Content-Length: 99999999999999999999999\r\n\r\nhello`],
    ['words', 'hello, client\r\n\r\n'],
    ['HTTP/0.9', '<html>hello</html>'],
    ['a version that nobody speaks', 'HTTP/7.3 200 OK\r\n\r\n'],
    ['a status of four digits', 'HTTP/1.1 2000 OK\r\n\r\n'],
    ['a space before a colon', `${HEAD}Content-Length : 5\r\n\r\nhello`],
    ['NUL in a value', `${HEAD}X-A: b\u0000c\r\nContent-Length: 5\r\n\r\nhello`],
    ['a bare carriage return in a value', `${HEAD}X-A: b\rX-B: c\r\nContent-Length: 5\r\n\r\nhello`],
    ['a bare line feed', `${HEAD}X-A: b\nX-B: c\r\nContent-Length: 5\r\n\r\nhello`],
    [
      '100 KB of fields',
      `${HEAD}${`X-A: ${'b'.repeat(1_000)}\r\n`.repeat(100)}Content-Length: 5\r\n\r\nhello`,
    ],
    ['a coding that nobody knows', `${HEAD}Transfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`],
    [
      'an upgrade that nobody asked for',
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nhello',
    ],
    ['nothing', ''],
  ])('is 502: %s', async (_, text) => {
    says(text, 'close');
    const got = await told();
    expect(got).toMatch(/^502 /);
    expect(got).not.toContain('hello');
    await alive();
  });
});

describe('a content that is another than was said', () => {
  it.each<[string, string]>([
    ['shorter than its Content-Length', `${HEAD}Content-Length: 50\r\n\r\nhello`],
    ['without its last chunk', `${HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`],
    ['in a chunk that is cut off', `${HEAD}Transfer-Encoding: chunked\r\n\r\n50\r\nhello`],
    ['in chunks of no size', `${HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n`],
    ['in a chunk longer than its size', `${HEAD}Transfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n`],
  ])('is broken off, so that the client sees it: %s', async (_, text) => {
    says(text, 'close');
    expect(await told()).toMatch(/^broken off$|^502 /);
    await alive();
  });

  it.each<[string, string, RequestInit]>([
    ['behind its Content-Length', `${HEAD}Content-Length: 4\r\n\r\ngood${EVIL}`, {}],
    ['behind its last chunk', `${HEAD}Transfer-Encoding: chunked\r\n\r\n4\r\ngood\r\n0\r\n\r\n${EVIL}`, {}],
    [
      'behind the answer to a HEAD',
      `${HEAD}Content-Length: ${EVIL.length}\r\n\r\n${EVIL}`,
      { method: 'HEAD' },
    ],
    ['behind a 204', `HTTP/1.1 204 No Content\r\n\r\n${EVIL}`, {}],
    ['behind a 304', `HTTP/1.1 304 Not Modified\r\n\r\n${EVIL}`, {}],
  ])('is in no other answer: %s', async (_, text, init) => {
    says(text);
    expect(await told('/lie', init)).not.toContain('evil');
    for (let at = 0; at < 5; at += 1) {
      // oxlint-disable-next-line no-await-in-loop -- One behind the other, on sockets that were kept.
      await alive();
    }
    expect(sockets.size).toBeLessThan(20);
  });
});

describe('an answer without an end', () => {
  it('is written down as what nobody knows the end of', async () => {
    says(`${HEAD}Content-Length: 50\r\n\r\nhello`, 'close');
    await told();
    const outcome = (await harness.finishedLog()).findLast(({ leaf }) => leaf.type === 'http.outcome');
    expect([outcome?.leaf.status, outcome?.body['error']]).toEqual(['unknown', expect.any(String)]);
  });

  it('is not held in memory, and ends with its client', async () => {
    let sent = 0;
    answers = (socket) => {
      socket.write(`${HEAD}Transfer-Encoding: chunked\r\n\r\n`);
      const piece = Buffer.concat([Buffer.from('10000\r\n'), Buffer.alloc(0x10000, 1), Buffer.from('\r\n')]);
      const more = (): void => {
        while (!socket.destroyed && socket.write(piece)) sent += 0x10000;
        sent += 0x10000;
      };
      socket.on('drain', more);
      more();
    };
    const before = process.memoryUsage().rss;
    const { hostname, port } = new URL(harness.url);
    const client = connect(Number(port), hostname);
    client.on('error', () => undefined);
    client.write(`GET /api/endless HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`);
    await new Promise((resolve) => client.once('readable', resolve));
    // It reads nothing of what comes.
    await new Promise((resolve) => setTimeout(resolve, 500));
    const stood = sent;
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(sent - stood).toBeLessThan(10_000_000);
    expect(process.memoryUsage().rss - before).toBeLessThan(150_000_000);
    await alive();
    client.destroy();
    await expect.poll(() => [...sockets].filter((socket) => socket.writableLength > 0).length).toBe(0);
  });

  it('is not waited for in words between', async () => {
    answers = (socket) => {
      const hint = Buffer.from(`HTTP/1.1 103 Early Hints\r\nLink: <${'a'.repeat(1_000)}>\r\n\r\n`.repeat(50));
      const more = (): void => {
        while (!socket.destroyed && socket.write(hint));
      };
      socket.on('drain', more);
      more();
    };
    const before = process.memoryUsage().rss;
    expect(await told('/hints')).toMatch(/^502 .*1xx without an end/s);
    expect(process.memoryUsage().rss - before).toBeLessThan(150_000_000);
    await alive();
    await expect.poll(() => [...sockets].filter((socket) => socket.writableLength > 0).length).toBe(0);
  });
});

describe('an answer before its request', () => {
  it('is given out while the client still sends, and nothing more of that is read', async () => {
    answers = (socket, request) => {
      if (request.startsWith('PUT'))
        socket.write('HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig');
    };
    const { hostname, port } = new URL(harness.url);
    const client = connect(Number(port), hostname);
    client.on('error', () => undefined);
    let got = '';
    client.on('data', (chunk) => (got += chunk.toString('latin1')));
    client.write(
      `PUT /api/large HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Length: 100000000\r\n\r\n${'a'.repeat(1_000)}`,
    );
    await expect.poll(() => got).toContain('big');
    expect(got).toMatch(/^HTTP\/1\.1 413 /);
    client.destroy();
    await alive();
  });

  it('is none where the target closes after half of the request', async () => {
    answers = (socket) => socket.destroy();
    const got = await told('/large', { method: 'PUT', body: 'a'.repeat(3_000_000) });
    expect(got).toMatch(/^502 /);
    await alive();
  });
});

it('a content is withheld where a Mask reaches it and it does not decode', async () => {
  const coded = gzipSync('{"mail":"ana@example.org"}'.repeat(200));
  const cut = coded.subarray(0, coded.length - 12);
  const head = `${HEAD}Content-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: ${cut.length}\r\n\r\n`;
  says(Buffer.concat([Buffer.from(head), cut]), 'close');
  await harness.apply('{ kind: Mask, name: mails, on: [api], detect: [email], as: redact }');
  const got = await told();
  expect(got).not.toContain('ana@example.org');
  expect(got).toMatch(/^502 |^broken off$/);
});
