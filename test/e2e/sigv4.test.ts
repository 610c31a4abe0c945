/**
 * Clients that sign, through the gate to a target that checks signatures: AWS's own SDK by its endpoint alone, the
 * same call with a token, held and approved, masked, large, over HTTP/2.
 */

import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { connect as connectHttp2 } from 'node:http2';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import {
  BedrockAgentRuntimeClient,
  RerankCommand,
  type RerankCommandInput,
} from '@aws-sdk/client-bedrock-agent-runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { selfSignedCertificate } from '../../packages/gateway/src/listeners/self-signed.ts';
import { ACCESS, type HttpHarness, type LoggedEvent, PEOPLE, startHttpHarness } from './http-harness.ts';
import { type Pair, pairOf, presign, sign, type ToSign } from './sigv4-rig.ts';
import { ACCOUNT, type FakeAws, REGION, startFakeAws } from './stores/aws.ts';

let harness: HttpHarness;
let aws: FakeAws;
let s3: FakeAws;
let secure: FakeAws;
let pair: Pair;
let token: string;
let boss: string;
let host: string;

beforeAll(async () => {
  const tls = selfSignedCertificate({
    names: ['localhost'],
    nowMs: Date.now(),
    randomBytes: (length) => new Uint8Array(randomBytes(length)),
  });
  aws = await startFakeAws('bedrock');
  s3 = await startFakeAws('s3');
  secure = await startFakeAws('bedrock', tls);
  harness = await startHttpHarness();
  await harness.apply(
    [
      connection('bedrock', aws.url, 'dialect: bedrock'),
      connection('held', aws.url, 'dialect: bedrock'),
      connection('masked', aws.url, 'dialect: bedrock'),
      connection('plain', aws.url, 'dialect: http'),
      connection('s3', s3.url, 'dialect: http').replace('service: bedrock', 'service: s3'),
      connection('secure', secure.url, 'dialect: http').replace(
        ', tls: disable',
        `, ca: ${JSON.stringify(tls.cert)}`,
      ),
      PEOPLE,
      ACCESS.replace('[api]', '[bedrock, held, masked, plain, s3, secure]'),
      RULES,
    ].join('\n---\n'),
  );
  pair = await pairOf(harness, 'ana');
  token = await harness.token('ana');
  boss = await harness.token('boss');
  host = new URL(harness.url).host;
  // As NODE_EXTRA_CA_CERTS would do it for a program.
  const own = await readFile(join(harness.data, 'gateway', 'tls-self-signed.crt'), 'utf8');
  setDefaultCACertificates([...getCACertificates('default'), own]);
});

afterAll(async () => {
  await harness[Symbol.asyncDispose]();
  await Promise.all([aws, s3, secure].map((one) => one[Symbol.asyncDispose]()));
});

const RULES = `
kind: Rule
name: somebody-agrees
on: [held]
when: { effects: [rerank] }
then: { hold: { approvers: [group:owners] } }
---
kind: Mask
name: no-addresses
on: [masked]
detect: [email]
direction: [request]
as: redact
`;

function connection(name: string, url: string, more: string): string {
  return `
kind: Connection
name: ${name}
protocol: http
target: { url: '${url}', tls: disable }
credential: { scheme: sigv4, accessKeyId: ${ACCOUNT.accessKeyId}, password: { env: API_SECRET }, region: ${REGION}, service: bedrock }
${more}`;
}

function client(name: string, secretAccessKey = pair.secretAccessKey): BedrockAgentRuntimeClient {
  const { accessKeyId } = pair;
  return new BedrockAgentRuntimeClient({
    region: REGION,
    // It speaks HTTP/2, which needs TLS here.
    endpoint: `https://localhost:${harness.gateway.http.port}/${name}`,
    credentials: { accessKeyId, secretAccessKey },
  });
}

function call(texts: readonly string[], query = 'refund for the kettle'): RerankCommandInput {
  return {
    queries: [{ type: 'TEXT', textQuery: { text: query } }],
    sources: texts.map((text) => ({
      type: 'INLINE',
      inlineDocumentSource: { type: 'TEXT', textDocument: { text } },
    })),
    rerankingConfiguration: {
      type: 'BEDROCK_RERANKING_MODEL',
      bedrockRerankingConfiguration: {
        numberOfResults: texts.length,
        modelConfiguration: {
          modelArn: 'arn:aws:bedrock:eu-central-1::foundation-model/cohere.rerank-v3-5:0',
        },
      },
    },
  };
}

const TEXTS = ['A bike helmet.', 'Refund for my kettle.', 'The kettle is fine.'];

async function send(request: ToSign, headers: Readonly<Record<string, string>>): Promise<Response> {
  const { host: _, ...rest } = headers;
  const { method, target, body } = request;
  const init = body === undefined ? {} : { body: typeof body === 'string' ? body : Buffer.from(body) };
  return fetch(`${harness.url}${target}`, { method, headers: rest, ...init });
}

async function logOf(type: string, name: string): Promise<readonly LoggedEvent[]> {
  return (await harness.log()).filter(({ leaf }) => leaf.type === type && leaf.target === name);
}

function last({ seen }: FakeAws): FakeAws['seen'][number] {
  const one = seen.at(-1);
  if (one === undefined) throw new Error('nothing came');
  return one;
}

describe('the SDK of AWS', () => {
  it('reranks through the gate by its endpoint alone, and the target sees the gateway', async () => {
    const { results } = await client('bedrock').send(new RerankCommand(call(TEXTS)));
    expect(results?.map(({ index }) => index)).toEqual([1, 2, 0]);
    const { problem, url, headers } = last(aws);
    expect({ problem, url }).toEqual({ problem: undefined, url: '/rerank' });
    const text = JSON.stringify(headers);
    expect(text).toContain(`Credential=${ACCOUNT.accessKeyId}/`);
    expect(text).not.toContain(pair.accessKeyId);
    expect(headers['host']).toBe(`127.0.0.1:${aws.port}`);
    // And the log has whose it was, what it was, and with what the gateway went on.
    const [start] = await logOf('session.start', 'bedrock');
    expect(start?.body).toMatchObject({
      name: 'ana',
      method: 'sigv4',
      target_user: ACCOUNT.accessKeyId,
      token_id: pair.id,
    });
    const [intent] = await logOf('http.intent', 'bedrock');
    const [rerank] = await logOf('rerank.call', 'bedrock');
    expect(intent?.leaf.decision).toBe('allow');
    expect(rerank?.leaf.ref).toBe(intent?.leaf.n);
    expect(JSON.stringify(await harness.log())).not.toContain(pair.secretAccessKey);
  });

  it('is told with AWS’s own error that its key is wrong, after one attempt', async () => {
    const before = aws.seen.length;
    const failure: unknown = await client('bedrock', 'csaws_wrong')
      .send(new RerankCommand(call(TEXTS)))
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({
      name: 'InvalidSignatureException',
      $metadata: { httpStatusCode: 403, attempts: 1 },
    });
    expect(aws.seen.length).toBe(before);
  });

  it('is held, and passes when somebody has agreed, with whatever signature it comes', async () => {
    const asking = client('held').send(new RerankCommand(call(TEXTS)));
    // Where it was not decided in time it is 423, and the same request, signed anew, passes.
    const answered = asking.catch(() => undefined);
    await expect.poll(pendingHold, { timeout: 120_000 }).toMatch(/^hld_/);
    await api(`/v1/approvals/${await pendingHold()}/approve`, { reason: 'seen' });
    const { results } = (await answered) ?? (await client('held').send(new RerankCommand(call(TEXTS))));
    expect(results?.length).toBe(3);
    expect(last(aws).problem).toBeUndefined();
  });

  it('sends what Masks leave of it, signed by the gateway as it is sent', async () => {
    await client('masked').send(new RerankCommand(call([...TEXTS, 'Write to ana@example.com'])));
    const { problem, bytes } = last(aws);
    expect(problem).toBeUndefined();
    expect(bytes.toString()).not.toContain('ana@example.com');
    expect(bytes.toString()).toContain('Refund for my kettle.');
  });
});

async function pendingHold(): Promise<string> {
  const answer = await api('/v1/approvals');
  return /hld_[0-9a-z]+/.exec(JSON.stringify(answer))?.[0] ?? '';
}

/** The gateway's API, as somebody who decides. */
async function api(path: string, body?: object): Promise<unknown> {
  const answer = await fetch(`http://${harness.gateway.api.host}:${harness.gateway.api.port}${path}`, {
    headers: { authorization: `Bearer ${boss}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
  });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

const JSON_TYPE = { 'content-type': 'application/json' };
const INVOKE = JSON.stringify({ query: 'kettle', documents: TEXTS, top_n: 3, api_version: 2 });
const MODEL = '/model/cohere.rerank-v3-5%3A0/invoke';

describe('a request that is signed', () => {
  it('invokes a model, named in the path', async () => {
    const request = { method: 'POST', target: `/bedrock${MODEL}`, headers: JSON_TYPE, body: INVOKE };
    const answer = await send(request, await sign(pair, host, request));
    expect(await answer.json()).toMatchObject({ results: [{ index: 1 }, { index: 2 }, { index: 0 }] });
    expect(last(aws)).toMatchObject({ url: MODEL, problem: undefined });
    expect((await logOf('rerank.call', 'bedrock')).at(-1)?.body).toMatchObject({
      model: 'cohere.rerank-v3-5:0',
    });
  });

  it('may say nothing of its content but by its signature, as botocore does', async () => {
    const request = { method: 'POST', target: `/bedrock${MODEL}`, headers: JSON_TYPE, body: INVOKE };
    const headers = await sign(pair, host, request, { withoutDigest: true });
    expect(headers).not.toHaveProperty('x-amz-content-sha256');
    expect((await send(request, headers)).status).toBe(200);
    expect(last(aws).problem).toBeUndefined();
    expect((await send({ ...request, body: INVOKE.replace('kettle', 'bottle') }, headers)).status).toBe(403);
  });

  it('is signed anew with every byte of path, query and content as it is sent', async () => {
    const body = randomBytes(3_000_000);
    const headers = { 'content-type': 'application/octet-stream', 'x-amz-meta-a': 'b  c', 'x-more': 'seen' };
    const request = {
      method: 'PUT',
      target: "/plain/echo/a%20b%3A(c)'/d?z=1&a=%2f&a=&b=x%20y",
      headers,
      body,
    };
    const answer = await send(request, await sign(pair, host, request));
    expect(await answer.json()).toEqual({ bytes: body.length });
    const { problem, bytes, url, headers: seen } = last(aws);
    expect(problem).toBeUndefined();
    expect(url).toBe("/echo/a%20b%3A(c)'/d?z=1&a=%2f&a=&b=x%20y");
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(
      createHash('sha256').update(body).digest('hex'),
    );
    expect(seen).toMatchObject({ 'x-amz-meta-a': 'b  c', 'x-more': 'seen', 'content-length': '3000000' });
    // The answer may be there before it.
    await expect
      .poll(async () => (await logOf('http.outcome', 'plain')).at(-1)?.body, { timeout: 30_000 })
      .toMatchObject({ bytes_from_client: 3_000_000 });
  });

  it('may be a presigned URL, of which nothing is forwarded', async () => {
    const target = await presign(pair, host, { method: 'GET', target: '/plain/objects' });
    const answer = await send({ method: 'GET', target }, {});
    expect(await answer.json()).toEqual({ bytes: 0 });
    expect(last(aws)).toMatchObject({ url: '/objects', problem: undefined });
  });

  it('to S3 may be a presigned upload, over TLS alone', async () => {
    const request = {
      method: 'PUT',
      target: '/s3/echo/a',
      headers: { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' },
      body: 'text',
    };
    const target = await presign(pair, host, request, { service: 's3' });
    const answer = await send({ method: 'PUT', target, body: 'text' }, {});
    expect([answer.status, await answer.text()]).toEqual([
      403,
      expect.stringContaining('did not come over TLS'),
    ]);
    const got = await overHttp2(new URL(`https://${host}${target}`), 'PUT', {}, 'text');
    expect(got).toEqual({ status: 200, body: '{"bytes":4}' });
    expect(last(s3).problem).toBeUndefined();
  });

  it('may come over HTTP/2 and go over HTTP/2', async () => {
    const request = { method: 'POST', target: '/secure/echo', headers: JSON_TYPE, body: '{"a":1}' };
    const { host: _, ...headers } = await sign(pair, host, request);
    const got = await overHttp2(new URL(`https://${host}/secure/echo`), 'POST', headers, request.body);
    expect(got).toEqual({ status: 200, body: '{"bytes":7}' });
    expect(last(secure)).toMatchObject({ version: '2.0', problem: undefined });
  });

  it('is not needed of who shows a token: the gateway signs all the same', async () => {
    const body = randomBytes(2_000_000);
    const init: RequestInit & { readonly duplex: 'half' } = {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/octet-stream' },
      body: new Blob([body]).stream(),
      duplex: 'half',
    };
    const answer = await fetch(`${harness.url}/plain/echo`, init);
    expect(await answer.json()).toEqual({ bytes: body.length });
    expect(last(aws)).toMatchObject({ problem: undefined, headers: { 'content-length': '2000000' } });
    expect((await logOf('session.start', 'plain')).map(({ body: said }) => said['method'])).toContain(
      'bearer',
    );
  });
});

function overHttp2(
  url: URL,
  method: string,
  headers: Readonly<Record<string, string>>,
  body: string,
): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const session = connectHttp2(url.origin, { rejectUnauthorized: false });
    session.on('error', reject);
    const stream = session.request({
      ...headers,
      ':method': method,
      ':path': `${url.pathname}${url.search}`,
    });
    let status = 0;
    let text = '';
    stream.on('response', (head) => {
      status = head[':status'] ?? 0;
    });
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    stream.on('end', () => {
      session.close();
      resolve({ status, body: text });
    });
    stream.on('error', reject);
    stream.end(body);
  });
}
