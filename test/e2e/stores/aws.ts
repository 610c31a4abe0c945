/**
 * A stand-in for services of AWS: it checks each signature with AWS's own signer, and answers two operations of
 * Bedrock in the form of their API reference (Rerank of the agents' runtime, InvokeModel of a Cohere reranker).
 *
 * What is not signed as it has to be is InvalidSignatureException, and what it does not know UnknownOperation.
 */

import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import { SignatureV4 } from '@smithy/signature-v4';
import { NodeSha256 } from '../../conformance/sigv4-referees.ts';

/** The account's keys, which only the gateway has. */
export const ACCOUNT = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'upstream-secret-canary-4711',
} as const;
export const REGION = 'eu-central-1';

export interface SeenByAws {
  readonly version: string;
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: Buffer;
  /** Undefined where the signature was right. */
  readonly problem: string | undefined;
}

export interface FakeAws extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly seen: readonly SeenByAws[];
}

/** @param tls with it, HTTP/2 and HTTP/1.1 by ALPN */
export async function startFakeAws(
  service: string,
  tls?: { readonly cert: string; readonly key: string },
): Promise<FakeAws> {
  const seen: SeenByAws[] = [];
  const take = (
    incoming: IncomingMessage | Http2ServerRequest,
    response: ServerResponse | Http2ServerResponse,
  ): void => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      void answer(incoming, Buffer.concat(chunks), service).then(({ one, status, body, type }) => {
        seen.push(one);
        response.statusCode = status;
        response.setHeader('content-type', 'application/json');
        if (type !== undefined) response.setHeader('x-amzn-errortype', type);
        response.end(JSON.stringify(body));
      });
    });
  };
  const server =
    tls === undefined ? createServer(take) : createSecureServer({ ...tls, allowHTTP1: true }, take);
  const host = tls === undefined ? '127.0.0.1' : 'localhost';
  await new Promise<void>((resolve) => server.listen(0, host, () => resolve()));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `${tls === undefined ? 'http' : 'https'}://${host}:${port}`,
    port,
    seen,
    async [Symbol.asyncDispose]() {
      if ('closeAllConnections' in server) server.closeAllConnections();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}

interface Answered {
  readonly one: SeenByAws;
  readonly status: number;
  readonly body: unknown;
  readonly type?: string;
}

async function answer(
  incoming: IncomingMessage | Http2ServerRequest,
  bytes: Buffer,
  service: string,
): Promise<Answered> {
  const { method = '', url = '', httpVersion: version } = incoming;
  const headers = Object.fromEntries(
    Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]),
  );
  const problem = await signatureProblem(method, url, headers, bytes, service);
  const one = { version, method, url, headers, bytes, problem };
  if (problem !== undefined) {
    return { one, status: 403, type: 'InvalidSignatureException', body: { message: problem } };
  }
  const [path = ''] = url.split('?');
  const body = operation(method, path, bytes);
  return body === undefined
    ? { one, status: 404, type: 'UnknownOperationException', body: { message: 'no such operation' } }
    : { one, status: 200, body };
}

async function signatureProblem(
  method: string,
  url: string,
  headers: Readonly<Record<string, string>>,
  bytes: Buffer,
  service: string,
): Promise<string | undefined> {
  const { authorization = '', 'x-amz-date': time = '', 'x-amz-content-sha256': sha256 } = headers;
  if (createHash('sha256').update(bytes).digest('hex') !== sha256) return 'the content has another digest';
  const signed = /SignedHeaders=([^,]+),/.exec(authorization)?.[1]?.split(';') ?? [];
  const host = headers[':authority'] ?? headers['host'] ?? '';
  const all: Record<string, string> = { ...headers, host };
  const unsigned = Object.keys(all).filter((name) => name.startsWith('x-amz-') && !signed.includes(name));
  if (unsigned.length > 0 || !signed.includes('host')) return `not signed: host or ${unsigned.join(' ')}`;
  const mark = url.indexOf('?');
  const query = new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1));
  const again = await new SignatureV4({
    credentials: { ...ACCOUNT, ...sessionOf(headers) },
    region: REGION,
    service,
    sha256: NodeSha256,
  }).sign(
    {
      method,
      protocol: 'https:',
      hostname: host,
      path: mark < 0 ? url : url.slice(0, mark),
      query: Object.fromEntries([...new Set(query.keys())].map((name) => [name, query.getAll(name)])),
      headers: Object.fromEntries(signed.map((name) => [name, all[name] ?? ''])),
      body: bytes,
    },
    { signingDate: dateOf(time), signableHeaders: new Set(signed) },
  );
  return again.headers['authorization'] === authorization ? undefined : 'the signature does not match';
}

function sessionOf(headers: Readonly<Record<string, string>>): { readonly sessionToken?: string } {
  const sessionToken = headers['x-amz-security-token'];
  return sessionToken === undefined ? {} : { sessionToken };
}

function dateOf(time: string): Date {
  return new Date(time.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
}

/** Texts that have more words of the query come first. */
function operation(method: string, path: string, bytes: Buffer): unknown {
  if (method === 'POST' && path === '/rerank') {
    const call: unknown = JSON.parse(bytes.toString());
    const texts = strings(call, ['sources'], ['inlineDocumentSource', 'textDocument', 'text']);
    const [query = ''] = strings(call, ['queries'], ['textQuery', 'text']);
    const results = ranked(query, texts).map(({ index, score }) => ({
      index,
      relevanceScore: score,
      document: { type: 'TEXT', textDocument: { text: texts[index] } },
    }));
    return { results };
  }
  if (method === 'POST' && /^\/model\/[^/]+\/invoke$/.test(path)) {
    const call: unknown = JSON.parse(bytes.toString());
    const query = at(call, ['query']);
    const results = ranked(String(query), strings(call, ['documents'], []));
    return { results: results.map(({ index, score }) => ({ index, relevance_score: score })) };
  }
  if (path === '/objects' || path.startsWith('/echo')) return { bytes: bytes.length };
  return undefined;
}

function ranked(
  query: string,
  texts: readonly string[],
): { readonly index: number; readonly score: number }[] {
  const words = query.toLowerCase().split(/\W+/);
  return texts
    .map((text, index) => {
      const found = words.filter((word) => text.toLowerCase().includes(word)).length;
      return { index, score: found / words.length };
    })
    .toSorted((a, b) => b.score - a.score || a.index - b.index);
}

function strings(value: unknown, list: readonly string[], within: readonly string[]): readonly string[] {
  const found = at(value, list);
  return Array.isArray(found) ? found.map((one) => String(at(one, within))) : [];
}

function at(value: unknown, path: readonly string[]): unknown {
  let here = value;
  for (const name of path) {
    here = typeof here === 'object' && here !== null ? Reflect.get(here, name) : undefined;
  }
  return here;
}
