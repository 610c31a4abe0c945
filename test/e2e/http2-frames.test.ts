/** Frames that no client of HTTP/2 sends, by RFC 9113: floods, and heads that two servers could read in two ways. */

import { connect, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  ACCESS,
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
let seen: string[] = [];
/** Of fields that reached the target. */
let names: string[] = [];

beforeAll(async () => {
  upstream = await startUpstream((incoming, response) => {
    seen.push(`${incoming.method} ${incoming.url}`);
    names.push(...Object.keys(incoming.headers));
    incoming.resume();
    incoming.on('error', () => undefined);
    incoming.on('end', () => response.end('reached'));
  });
  harness = await startHttpHarness();
  await harness.apply(`${plainConnection(upstream.url, 'dialect: http')}\n---${PEOPLE}\n---${ACCESS}`);
  token = await harness.token('ana');
});

afterAll(async () => {
  await harness[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
});

beforeEach(() => {
  seen = [];
  names = [];
});

const FRAME = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, window: 8, continuation: 9 } as const;
const END_STREAM = 0x1;
const END_HEADERS = 0x4;

/** RFC 9113, section 4.1. */
function frame(type: number, flags: number, stream: number, payload: Uint8Array = new Uint8Array(0)): Buffer {
  const prefix = Buffer.alloc(9);
  prefix.writeUIntBE(payload.length, 0, 3);
  prefix.writeUInt8(type, 3);
  prefix.writeUInt8(flags, 4);
  prefix.writeUInt32BE(stream, 5);
  return Buffer.concat([prefix, payload]);
}

/** RFC 7541, section 6.2.2: without indexing, with a new name, neither of them in Huffman's code. */
function fieldsOf(fields: readonly (readonly [name: string, value: string])[]): Buffer {
  return Buffer.concat(
    fields.flatMap(([name, value]) => [Buffer.of(0), lengthOf(name), lengthOf(value)].flat()),
  );
}

function lengthOf(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  if (bytes.length < 127) return Buffer.concat([Buffer.of(bytes.length), bytes]);
  const rest: number[] = [];
  let left = bytes.length - 127;
  for (; left >= 128; left = Math.floor(left / 128)) rest.push((left % 128) + 128);
  return Buffer.concat([Buffer.of(127, ...rest, left), bytes]);
}

interface Spoken {
  readonly socket: TLSSocket;
  /** Types of the frames that came, in their order. */
  readonly types: number[];
  readonly closed: Promise<void>;
}

/** A connection of HTTP/2 behind its preface. */
async function speak(): Promise<Spoken> {
  const { hostname, port } = new URL(harness.url);
  const socket = connect({
    host: hostname,
    port: Number(port),
    rejectUnauthorized: false,
    ALPNProtocols: ['h2'],
  });
  const types: number[] = [];
  let rest = Buffer.alloc(0);
  socket.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
      types.push(rest.readUInt8(3));
      rest = rest.subarray(9 + rest.readUIntBE(0, 3));
    }
  });
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  await new Promise<void>((resolve) => socket.once('secureConnect', () => resolve()));
  socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  socket.write(frame(FRAME.settings, 0, 0));
  return { socket, types, closed };
}

function head(more: readonly (readonly [string, string])[] = [], path = '/api/flood'): [string, string][] {
  return [
    [':method', 'POST'],
    [':scheme', 'https'],
    [':authority', 'localhost'],
    [':path', path],
    ['authorization', `Bearer ${token}`],
    ...more.map(([name, value]): [string, string] => [name, value]),
  ];
}

async function alive(): Promise<void> {
  const answer = await fetch(`${harness.url}/api/alive`, { headers: { authorization: `Bearer ${token}` } });
  expect([answer.status, await answer.text()]).toEqual([200, 'reached']);
}

/** Sends until the gate closes or all is sent; bytes of memory that were taken meanwhile. */
async function flood(
  piece: Buffer,
  times: number,
  begin?: Buffer,
): Promise<{ grew: number; closed: boolean }> {
  const { socket, closed } = await speak();
  const before = process.memoryUsage().rss;
  let grew = 0;
  if (begin !== undefined) socket.write(begin);
  for (let at = 0; at < times && socket.writable; at += 1) {
    // oxlint-disable-next-line no-await-in-loop -- As fast as it is taken.
    if (!socket.write(piece)) await Promise.race([closed, new Promise((room) => socket.once('drain', room))]);
    grew = Math.max(grew, process.memoryUsage().rss - before);
  }
  const late = new Promise((resolve) => setTimeout(resolve, 1_000));
  const isClosed = await Promise.race([closed.then(() => true), late.then(() => false)]);
  socket.destroy();
  return { grew, closed: isClosed };
}

/** The first frame that says what became of a stream: HEADERS, RST_STREAM, GOAWAY; or that it was closed. */
async function became(payload: Buffer, content?: Buffer): Promise<{ readonly types: readonly number[] }> {
  const { socket, types, closed } = await speak();
  const isWhole = content === undefined;
  socket.write(frame(FRAME.headers, END_HEADERS | (isWhole ? END_STREAM : 0), 1, payload));
  if (!isWhole) socket.write(frame(FRAME.data, END_STREAM, 1, content));
  const isOver = (): boolean => types.some((type) => type === 1 || type === 3 || type === 7);
  await new Promise<void>((resolve) => {
    socket.on('data', () => {
      if (isOver()) resolve();
    });
    void closed.then(resolve);
  });
  socket.destroy();
  return { types };
}

/** What reached the target of the tests of heads. */
function heads(): readonly string[] {
  return seen.filter((one) => !one.endsWith('/alive'));
}

function own(change: (fields: [string, string][]) => [string, string][]): () => Buffer {
  return () => fieldsOf(change(head([], '/api/head')));
}

describe('a head', () => {
  it('that is right reaches the target', async () => {
    await became(fieldsOf(head([], '/api/head')));
    expect(heads()).toEqual(['POST /head']);
  });

  it.each<[string, () => Buffer]>([
    ['with two :path', own((fields) => [...fields.slice(0, 4), [':path', '/api/y'], ...fields.slice(4)])],
    ['with two :method', own((fields) => [[':method', 'GET'], ...fields])],
    ['with two :authority', own((fields) => [[':authority', 'other'], ...fields])],
    ['with a pseudo-field behind a field', own((fields) => [...fields.slice(1), [':method', 'POST']])],
    ['with a pseudo-field of answers', own((fields) => [[':status', '200'], ...fields])],
    ['with a pseudo-field that nobody knows', own((fields) => [[':x', 'y'], ...fields])],
    ['with :protocol', own((fields) => [[':protocol', 'websocket'], ...fields])],
    ['without :path', own((fields) => fields.filter(([name]) => name !== ':path'))],
    ['without :method', own((fields) => fields.filter(([name]) => name !== ':method'))],
    ['without :scheme', own((fields) => fields.filter(([name]) => name !== ':scheme'))],
    [
      'with an empty :path',
      own((fields) => fields.map(([name, value]) => [name, name === ':path' ? '' : value])),
    ],
    ['with a name in capitals', own((fields) => [...fields, ['X-A', 'b']])],
    [
      'with a line feed in :path',
      own((fields) =>
        fields.map(([name, value]) => [name, name === ':path' ? '/api/x HTTP/1.1\r\nx: y' : value]),
      ),
    ],
    [
      'with a line feed in :method',
      own((fields) =>
        fields.map(([name, value]) => [name, name === ':method' ? 'GET /api/y HTTP/1.1\r\nx: y' : value]),
      ),
    ],
    ['with Transfer-Encoding', own((fields) => [...fields, ['transfer-encoding', 'chunked']])],
    ['with Connection', own((fields) => [...fields, ['connection', 'x-a']])],
    ['with TE of another coding', own((fields) => [...fields, ['te', 'gzip']])],
    [
      'with two Content-Lengths',
      own((fields) => [...fields, ['content-length', '0'], ['content-length', '5']]),
    ],
    [
      'with user information',
      own((fields) => fields.map(([name, value]) => [name, name === ':authority' ? 'ana@localhost' : value])),
    ],
    [
      'of CONNECT',
      own((fields) => fields.map(([name, value]) => [name, name === ':method' ? 'CONNECT' : value])),
    ],
  ])('%s reaches nobody', async (_, make) => {
    await became(make());
    expect(heads()).toEqual([]);
    await alive();
  });

  it.each<[string, () => Buffer]>([
    ['a colon in its name', own((fields) => [...fields, ['transfer-encoding:', 'chunked']])],
    ['a space in its name', own((fields) => [...fields, ['x a', 'b']])],
    ['a line feed in its name', own((fields) => [...fields, ['x\r\ny', 'b']])],
    ['no name', own((fields) => [...fields, ['', 'b']])],
    ['a line feed in its value', own((fields) => [...fields, ['x-a', 'b\r\nx-b: c']])],
    ['NUL in its value', own((fields) => [...fields, ['x-a', 'b\u0000c']])],
  ])('loses a field with %s', async (_, make) => {
    await became(make());
    expect(heads().filter((one) => one !== 'POST /head')).toEqual([]);
    expect(names.filter((name) => !/^[a-z-]+$/.test(name) || /^x|^transfer/.test(name))).toEqual([]);
    await alive();
  });

  it.each<[string, string]>([
    ['shorter', '50'],
    ['longer', '3'],
  ])('whose content is %s than its Content-Length is broken off', async (_, length) => {
    const { types } = await became(
      fieldsOf(head([['content-length', length]], '/api/length')),
      Buffer.from('hello'),
    );
    // RST_STREAM or GOAWAY, and no answer of the target's.
    expect(types.some((type) => type === 3 || type === 7)).toBe(true);
    await alive();
  });
});

describe('a flood', () => {
  it('of CONTINUATION frames ends its connection', async () => {
    const begin = frame(FRAME.headers, END_STREAM, 1, fieldsOf(head()));
    const piece = frame(FRAME.continuation, 0, 1, fieldsOf([['x-a', 'b'.repeat(16_000)]]));
    const { grew, closed } = await flood(piece, 2_000, begin);
    expect(closed).toBe(true);
    expect(grew).toBeLessThan(100_000_000);
    expect(heads()).toEqual([]);
    await alive();
  });

  it('of empty CONTINUATION frames ends its connection', async () => {
    const begin = frame(FRAME.headers, END_STREAM, 1, fieldsOf(head()));
    const piece = Buffer.concat(Array.from({ length: 100 }, () => frame(FRAME.continuation, 0, 1)));
    const { closed } = await flood(piece, 500, begin);
    expect(closed).toBe(true);
    expect(heads()).toEqual([]);
    await alive();
  });

  it.each<[string, Buffer]>([
    ['SETTINGS', frame(FRAME.settings, 0, 0, Buffer.from([0, 4, 0, 0, 255, 255]))],
    ['PING', frame(FRAME.ping, 0, 0, Buffer.alloc(8))],
  ])('of %s takes no memory, and holds up nobody', async (_, piece) => {
    const { grew } = await flood(Buffer.concat(Array.from({ length: 1_000 }, () => piece)), 100);
    expect(grew).toBeLessThan(100_000_000);
    await alive();
  });

  it('of requests that are reset at once reaches the target some times', async () => {
    const { socket, closed } = await speak();
    for (let at = 0; at < 3_000 && socket.writable; at += 1) {
      const stream = at * 2 + 1;
      socket.write(frame(FRAME.headers, END_HEADERS | END_STREAM, stream, fieldsOf(head())));
      socket.write(frame(FRAME.reset, 0, stream, Buffer.from([0, 0, 0, 8])));
    }
    // Of 3,000 no more than the burst, and what some seconds add.
    await closed;
    expect(seen.length).toBeLessThan(1_000);
    await alive();
  });

  it('of windows of one byte holds up nobody', async () => {
    const { socket } = await speak();
    socket.write(frame(FRAME.settings, 0, 0, Buffer.from([0, 4, 0, 0, 0, 0])));
    for (let at = 0; at < 100; at += 1) {
      socket.write(frame(FRAME.headers, END_HEADERS | END_STREAM, at * 2 + 1, fieldsOf(head())));
      socket.write(frame(FRAME.window, 0, at * 2 + 1, Buffer.from([0, 0, 0, 1])));
    }
    await alive();
    socket.destroy();
    expect(harness.errors).toEqual([]);
  });
});
