/** Clients that sign, as AWS's SDKs do: what the tests of signed requests have in common. */

import { SignatureV4 } from '@smithy/signature-v4';
import { NodeSha256 } from '../conformance/sigv4-referees.ts';
import type { HttpHarness } from './http-harness.ts';
import { REGION } from './stores/aws.ts';

export interface Pair {
  readonly id: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** An access key pair of somebody. */
export async function pairOf(harness: HttpHarness, name: string): Promise<Pair> {
  const { identity } = harness.gateway.rooms;
  const owner = await identity.principals.findByName(name);
  if (owner === undefined) throw new Error(`nobody is called ${name}`);
  const request = { name: 'test', aws: true, lifetimeMs: 3_600_000, createdBy: undefined };
  const { id, accessKeyId = '', token } = await identity.tokens.createToken(owner, request);
  return { id, accessKeyId, secretAccessKey: token.reveal() };
}

export interface ToSign {
  readonly method: string;
  /** Path and query as they go over the wire. */
  readonly target: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | undefined;
}

export interface SigningOptions {
  readonly region?: string;
  readonly service?: string;
  readonly at?: Date;
  /** `X-Amz-Content-Sha256` is not sent, as botocore does. */
  readonly withoutDigest?: boolean;
}

/** The headers of a request that is signed, `host` among them. */
export async function sign(
  pair: Omit<Pair, 'id'>,
  host: string,
  { method, target, headers = {}, body = '' }: ToSign,
  { region = REGION, service = 'bedrock', at = new Date(), withoutDigest = false }: SigningOptions = {},
): Promise<Record<string, string>> {
  const signer = new SignatureV4({
    credentials: pair,
    region,
    service,
    sha256: NodeSha256,
    applyChecksum: !withoutDigest,
  });
  const mark = target.indexOf('?');
  const signed = await signer.sign(
    {
      method,
      protocol: 'http:',
      hostname: host,
      path: mark < 0 ? target : target.slice(0, mark),
      query: queryOf(mark < 0 ? '' : target.slice(mark + 1)),
      headers: { ...headers, host },
      body,
    },
    { signingDate: at },
  );
  return signed.headers;
}

/** A presigned target: path and query. */
export async function presign(
  pair: Omit<Pair, 'id'>,
  host: string,
  { method, target, headers = {}, body = '' }: ToSign,
  {
    service = 'bedrock',
    at = new Date(),
    expiresIn = 900,
  }: SigningOptions & { readonly expiresIn?: number } = {},
): Promise<string> {
  const signer = new SignatureV4({ credentials: pair, region: REGION, service, sha256: NodeSha256 });
  const signed = await signer.presign(
    {
      method,
      protocol: 'http:',
      hostname: host,
      path: target,
      query: {},
      headers: { ...headers, host },
      body,
    },
    { signingDate: at, expiresIn },
  );
  const query = Object.entries(signed.query ?? {}).map(
    ([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`,
  );
  return `${target}?${query.join('&')}`;
}

function queryOf(text: string): Record<string, string[]> {
  const query = new URLSearchParams(text);
  return Object.fromEntries([...new Set(query.keys())].map((name) => [name, query.getAll(name)]));
}
