/** What is tried with signed requests, against a real gateway and a target that says what reached it. */

import { request as requestPlain } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ACCESS,
  type HttpHarness,
  PEOPLE,
  plainConnection,
  rawExchange,
  startHttpHarness,
} from './http-harness.ts';
import { type Pair, pairOf, presign, sign, type SigningOptions, type ToSign } from './sigv4-rig.ts';
import { ACCOUNT, type FakeAws, REGION, startFakeAws } from './stores/aws.ts';

let harness: HttpHarness;
let aws: FakeAws;
let pair: Pair;
let host: string;

beforeAll(async () => {
  aws = await startFakeAws('bedrock');
  harness = await startHttpHarness();
  const signing = `credential: { scheme: sigv4, accessKeyId: ${ACCOUNT.accessKeyId}, password: { env: API_SECRET }, region: ${REGION}, service: bedrock }`;
  const target = `protocol: http\ntarget: { url: '${aws.url}', tls: disable }`;
  await harness.apply(
    [
      `kind: Connection\nname: aws\n${target}\n${signing}\ndialect: http`,
      `kind: Connection\nname: read\n${target}\n${signing}\ndialect: bedrock`,
      plainConnection(aws.url),
      PEOPLE,
      ACCESS.replace('[api]', '[api, aws, read]'),
    ].join('\n---\n'),
  );
  pair = await pairOf(harness, 'ana');
  host = new URL(harness.url).host;
});

afterAll(async () => {
  await harness[Symbol.asyncDispose]();
  await aws[Symbol.asyncDispose]();
});

interface Got {
  readonly status: number;
  readonly type: string | undefined;
  readonly text: string;
}

type Headers = Readonly<Record<string, string | readonly string[]>>;

/** As they are, with `host` and with fields that come twice. */
function send({ method, target, body }: ToSign, headers: Headers): Promise<Got> {
  const { hostname, port } = new URL(harness.url);
  return new Promise((resolve, reject) => {
    const list = Object.entries(headers).flatMap(([name, value]) =>
      (typeof value === 'string' ? [value] : value).flatMap((one) => [name, one]),
    );
    if (body !== undefined) list.push('content-length', String(Buffer.byteLength(body)));
    const outgoing = requestPlain(
      { hostname, port, method, path: target, headers: list, setHost: false, agent: false },
      (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.on('end', () => {
          const type = incoming.headers['x-amzn-errortype'];
          resolve({
            status: incoming.statusCode ?? 0,
            type: type === undefined ? undefined : String(type),
            text: Buffer.concat(chunks).toString(),
          });
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

const POST: ToSign = {
  method: 'POST',
  target: '/aws/echo?a=1',
  headers: { 'content-type': 'application/octet-stream', 'x-amz-target': 'Read' },
  body: 'content',
};

interface Try {
  readonly sent?: Partial<ToSign>;
  readonly headers?: (signed: Readonly<Record<string, string>>) => Headers;
  readonly options?: SigningOptions;
  /** From now. */
  readonly atMs?: number;
  readonly as?: () => Omit<Pair, 'id'>;
  readonly says: string;
  readonly status?: number;
  readonly type?: string;
}

function without(headers: Readonly<Record<string, string>>, name: string): Headers {
  return Object.fromEntries(Object.entries(headers).filter(([one]) => one !== name));
}

const INVALID = 'InvalidSignatureException';
const INCOMPLETE = 'IncompleteSignatureException';

const TRIES: Readonly<Record<string, Try>> = {
  'another method': { sent: { method: 'PUT' }, says: 'Authentication failed' },
  'another path': { sent: { target: '/aws/echo/other?a=1' }, says: 'Authentication failed' },
  'another connection': { sent: { target: '/read/echo?a=1' }, says: 'Authentication failed' },
  'a path that is escaped twice': { sent: { target: '/aws/ech%256f?a=1' }, says: 'Authentication failed' },
  'another query': { sent: { target: '/aws/echo?a=2' }, says: 'Authentication failed' },
  'a query more': { sent: { target: '/aws/echo?a=1&b=1' }, says: 'Authentication failed' },
  'another content': { sent: { body: 'Content' }, says: 'its content is not the one that was signed' },
  'no content': {
    headers: (signed) => ({ ...signed, 'content-length': '0' }),
    sent: { body: undefined },
    says: 'its content is not the one that was signed',
  },
  'another host': {
    headers: (signed) => ({ ...signed, host: 'other.example' }),
    says: 'Authentication failed',
  },
  'another date': {
    headers: (signed) => ({
      ...signed,
      'x-amz-date': (signed['x-amz-date'] ?? '').replace(/..Z$/, (end) => (end === '59Z' ? '58Z' : '59Z')),
    }),
    says: 'Authentication failed',
  },
  'another value of a signed field': {
    headers: (signed) => ({ ...signed, 'x-amz-target': 'Write' }),
    says: 'Authentication failed',
  },
  'a signed field twice': {
    headers: (signed) => ({ ...signed, 'x-amz-target': ['Read', 'Write'] }),
    says: 'Authentication failed',
  },
  'a signed field left out': {
    headers: (signed) => without(signed, 'x-amz-target'),
    says: 'signed and not there',
  },
  'a field of AWS more': {
    headers: (signed) => ({ ...signed, 'x-amz-acl': 'public' }),
    says: 'x-amz-acl is not signed',
  },
  'one of its names less': {
    headers: (signed) => ({
      ...signed,
      authorization: (signed['authorization'] ?? '').replace(';x-amz-target', ''),
    }),
    says: 'x-amz-target is not signed',
  },
  'a signed field that is for one hop': {
    headers: (signed) => ({ ...signed, connection: 'close, x-amz-target' }),
    says: 'only for one hop',
  },
  'two Authorizations': {
    headers: (signed) => ({ ...signed, authorization: [signed['authorization'] ?? '', 'Bearer x'] }),
    says: 'more than one Authorization',
    status: 400,
    type: INCOMPLETE,
  },
  'a signature in the query too': {
    sent: { target: '/aws/echo?a=1&X-Amz-Signature=00' },
    says: 'in two places',
    status: 400,
    type: INCOMPLETE,
  },
  'no signature': {
    headers: (signed) => ({
      ...signed,
      authorization: (signed['authorization'] ?? '').replace(/, Signature=.*/, ''),
    }),
    says: '64 hex digits',
    status: 400,
    type: INCOMPLETE,
  },
  'a session token': {
    as: () => ({ ...pair, sessionToken: 'x' }),
    says: 'session token',
    status: 400,
    type: INCOMPLETE,
  },
  'a date of 20 minutes ago': { atMs: -1_200_000, says: 'Signature expired' },
  'a date in 20 minutes': { atMs: 1_200_000, says: 'Signature not yet current' },
  'another region': { options: { region: 'us-east-1' }, says: 'signed for as eu-central-1/bedrock' },
  'another service': { options: { service: 's3' }, says: 'signed for as eu-central-1/bedrock' },
  'another secret': {
    as: () => ({ ...pair, secretAccessKey: `${pair.secretAccessKey}0` }),
    says: 'Authentication failed',
  },
  'a key that there is not': {
    as: () => ({ ...pair, accessKeyId: 'CSAK0000000000000000' }),
    says: 'Authentication failed',
  },
  'the account’s own keys': { as: () => ACCOUNT, says: 'Authentication failed' },
  chunks: { says: 'in chunks' },
  'a content in the clear that is not signed': { says: 'did not come over TLS' },
};

const CONTENT_WORDS: Readonly<Record<string, string>> = {
  chunks: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
  'a content in the clear that is not signed': 'UNSIGNED-PAYLOAD',
};

describe('a signed request with', () => {
  it.each(Object.keys(TRIES))('%s is refused, and nothing of it reaches the target', async (name) => {
    const one = TRIES[name];
    if (one === undefined) throw new Error(name);
    const {
      sent = {},
      headers = (signed) => signed,
      options,
      atMs = 0,
      as = () => pair,
      says,
      status = 403,
      type = INVALID,
    } = one;
    const before = aws.seen.length;
    const word = CONTENT_WORDS[name];
    const toSign =
      word === undefined ? POST : { ...POST, headers: { ...POST.headers, 'x-amz-content-sha256': word } };
    const signed = await sign(as(), host, toSign, { ...options, at: new Date(Date.now() + atMs) });
    const got = await send({ ...POST, ...sent }, headers(signed));
    expect(got).toMatchObject({ status, type, text: expect.stringContaining(says) });
    expect(JSON.parse(got.text)).toMatchObject({ message: expect.stringContaining(says) });
    expect(aws.seen.length).toBe(before);
    // And the gateway is as it was.
    expect((await send(POST, await sign(pair, host, POST))).status).toBe(200);
  });

  it('a body that was changed is refused where policy reads it, too', async () => {
    const request = {
      method: 'POST',
      target: '/read/rerank',
      headers: { 'content-type': 'application/json' },
      body: '{"a":1}',
    };
    const before = aws.seen.length;
    const got = await send({ ...request, body: '{"a":2}' }, await sign(pair, host, request));
    expect(got).toMatchObject({
      status: 403,
      type: INVALID,
      text: expect.stringContaining('not the one that was signed'),
    });
    expect(aws.seen.length).toBe(before);
  });

  it('fields that were not signed goes on without them', async () => {
    const signed = await sign(pair, host, POST);
    const got = await send(POST, {
      ...signed,
      'content-encoding': 'gzip',
      range: 'bytes=0-1',
      'x-amzn-bedrock-guardrailidentifier': 'none',
      'x-other': '1',
      'user-agent': 'test',
    });
    expect(got.status).toBe(200);
    const { headers } = aws.seen.at(-1) ?? { headers: {} };
    expect(Object.keys(headers).toSorted()).toEqual([
      'authorization',
      'connection',
      'content-length',
      'content-type',
      'host',
      'user-agent',
      'x-amz-content-sha256',
      'x-amz-date',
      'x-amz-target',
    ]);
  });

  it('trailers is refused', async () => {
    const { host: own = '', ...signed } = await sign(pair, host, {
      method: 'POST',
      target: '/aws/echo',
      body: 'abc',
    });
    const fields = Object.entries(signed)
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join('');
    const before = aws.seen.length;
    const raw = `POST /aws/echo HTTP/1.1\r\nHost: ${own}\r\n${fields}Transfer-Encoding: chunked\r\nTrailer: x-amz-checksum\r\nConnection: close\r\n\r\n3\r\nabc\r\n0\r\nx-amz-checksum: 1\r\n\r\n`;
    expect(await rawExchange(harness.url, raw)).toMatch(/^HTTP\/1.1 400 [\s\S]*trailers/);
    expect(aws.seen.length).toBe(before);
  });

  it('a connection that takes tokens is told so, with AWS’s own error', async () => {
    const request = { method: 'GET', target: '/api/x' };
    const got = await send(request, await sign(pair, host, request));
    expect(got).toMatchObject({
      status: 403,
      type: INVALID,
      text: expect.stringContaining('takes no signatures'),
    });
  });

  it('a connection that there is not is no other than one that is not for who asks', async () => {
    const otto = await pairOf(harness, 'otto');
    const texts = await Promise.all(
      ['/aws/x', '/nowhere/x'].map(async (target) =>
        send({ method: 'GET', target }, await sign(otto, host, { method: 'GET', target })),
      ),
    );
    expect(texts.map(({ status }) => status)).toEqual([403, 403]);
    expect(new Set(texts.map(({ text }) => text.replaceAll(/aws|nowhere/g, ''))).size).toBe(1);
  });
});

describe('a key', () => {
  it('that is revoked ends what is open, and signs nothing more', async () => {
    const own = await pairOf(harness, 'ana');
    const request = { method: 'GET', target: '/aws/objects' };
    const signed = await sign(own, host, request);
    expect((await send(request, signed)).status).toBe(200);
    // The same again, within its time: an operation of its own.
    expect((await send(request, signed)).status).toBe(200);
    const { sessions, rooms } = harness.gateway;
    const open = sessions.list().filter(({ tokenId }) => tokenId === own.id);
    expect(open.length).toBe(1);
    const record = (await rooms.identity.tokens.findByAccessKeyId(own.accessKeyId))?.id;
    if (record === undefined) throw new Error('no such key');
    await rooms.identity.tokens.revoke(record, { reason: 'test', revokedBy: undefined });
    await Promise.all(open.map(({ closed }) => closed));
    const before = aws.seen.length;
    expect(await send(request, await sign(own, host, request))).toMatchObject({ status: 403, type: INVALID });
    expect(await send(request, signed)).toMatchObject({ status: 403, type: INVALID });
    expect(aws.seen.length).toBe(before);
  });

  it('does not lend its open session to a signature that is wrong', async () => {
    const request = { method: 'GET', target: '/aws/objects' };
    expect((await send(request, await sign(pair, host, request))).status).toBe(200);
    const before = (await harness.log()).length;
    const wrong = await sign({ ...pair, secretAccessKey: 'x' }, host, request);
    expect((await send(request, wrong)).status).toBe(403);
    // The request before it may end as late as it likes.
    const events = (await harness.log()).slice(before).filter(({ leaf }) => leaf.type !== 'http.outcome');
    expect(events.map(({ leaf }) => `${leaf.type} ${leaf.status}`)).toEqual(['auth.login failed']);
    expect(events[0]?.body).toMatchObject({
      method: 'sigv4',
      failure: 'wrong signature',
      token_id: pair.id,
      name: 'ana',
    });
  });

  it('is not read for where it is none: no content of a stranger is waited for', async () => {
    const stranger = { ...pair, accessKeyId: 'CSAK1111111111111111' };
    const toSign = { method: 'POST', target: '/aws/echo', body: 'x' };
    const { host: own = '', ...signed } = await sign(stranger, host, toSign, { withoutDigest: true });
    const fields = Object.entries(signed)
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join('');
    const raw = `POST /aws/echo HTTP/1.1\r\nHost: ${own}\r\n${fields}Content-Length: 1000000\r\nConnection: close\r\n\r\n`;
    expect(await rawExchange(harness.url, raw)).toMatch(/^HTTP\/1.1 403 /);
  });
});

describe('a presigned URL', () => {
  const GET = { method: 'GET', target: '/aws/objects' };

  it.each<[string, (target: string) => string, string, number]>([
    ['with another path', (target) => target.replace('objects', 'echo'), 'Authentication failed', 403],
    ['with a parameter more', (target) => `${target}&acl=public`, 'Authentication failed', 403],
    [
      'that lives longer than it says',
      (target) => target.replace('Expires=900', 'Expires=901'),
      'Authentication failed',
      403,
    ],
    [
      'that lives for days',
      (target) => target.replace('Expires=900', 'Expires=604800'),
      '1 to 3600 seconds',
      400,
    ],
    ['with a parameter twice', (target) => `${target}&X-Amz-Expires=900`, 'twice', 400],
    ['with another spelling', (target) => `${target}&x-amz-expires=900`, 'another spelling', 400],
  ])('%s is refused', async (_name, change, says, status) => {
    const before = aws.seen.length;
    const target = change(await presign(pair, host, GET));
    expect(await send({ method: 'GET', target }, { host })).toMatchObject({
      status,
      text: expect.stringContaining(says),
    });
    expect(aws.seen.length).toBe(before);
  });

  it('that is over is refused, and so is one with a content that was not signed', async () => {
    const old = await presign(pair, host, GET, { at: new Date(Date.now() - 1_000_000) });
    expect(await send({ method: 'GET', target: old }, { host })).toMatchObject({
      status: 403,
      text: expect.stringContaining('Signature expired'),
    });
    const target = await presign(pair, host, { ...GET, method: 'POST' });
    expect(await send({ method: 'POST', target, body: 'x' }, { host })).toMatchObject({
      status: 403,
      text: expect.stringContaining('Authentication failed'),
    });
  });
});
