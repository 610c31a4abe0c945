/** Signers that others wrote, to hold ours against: @smithy/signature-v4 of AWS's own SDK, and aws4. */

import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto';
import { createRequire } from 'node:module';
import { SignatureV4 } from '@smithy/signature-v4';
import { Secret } from '../../packages/gateway/src/core/secret.ts';
import type {
  SignatureScope,
  SignedParts,
} from '../../packages/gateway/src/protocols/http/sigv4/canonical-request.ts';

/** A request before it is signed; segments and query are not escaped. */
export interface RefereeRequest {
  readonly method: string;
  readonly segments: readonly string[];
  readonly query: Readonly<Record<string, string>>;
  readonly fields: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface RefereeSignature {
  readonly time: string;
  readonly signature: string;
  /** What it was signed over, as it would be on the wire. */
  readonly parts: SignedParts;
}

const HOST = 'service.example';
const SECRET = 'csaws_0123456789abcdefghjkmnpqrstvwxyz';
const ID = 'CSAK0123456789ABCDEF';
const DATE = new Date('2026-11-28T12:00:00Z');

export const REFEREE_KEY: Secret<string> = new Secret(SECRET);
export const REFEREE_SCOPE: SignatureScope = { date: '20261128', region: 'eu-central-1', service: 'bedrock' };

/** As Smithy wants a hash. */
export class NodeSha256 {
  readonly #secret: string | Uint8Array | undefined;
  #hash: Hash | Hmac;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#secret = secret === undefined ? undefined : bytesOf(secret);
    this.#hash = this.#make();
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(bytesOf(data));
  }

  async digest(): Promise<Uint8Array> {
    return new Uint8Array(this.#hash.digest());
  }

  reset(): void {
    this.#hash = this.#make();
  }

  #make(): Hash | Hmac {
    return this.#secret === undefined ? createHash('sha256') : createHmac('sha256', this.#secret);
  }
}

function bytesOf(data: string | ArrayBuffer | ArrayBufferView): Uint8Array {
  if (typeof data === 'string') return Buffer.from(data, 'utf8');
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
}

export async function smithySignature(request: RefereeRequest): Promise<RefereeSignature> {
  const signer = new SignatureV4({
    credentials: { accessKeyId: ID, secretAccessKey: SECRET },
    region: REFEREE_SCOPE.region,
    service: REFEREE_SCOPE.service,
    sha256: NodeSha256,
  });
  const signed = await signer.sign(
    {
      method: request.method,
      protocol: 'https:',
      hostname: HOST,
      path: pathOf(request),
      query: { ...request.query },
      headers: { ...request.fields, host: HOST },
      body: request.body,
    },
    { signingDate: DATE },
  );
  return fromFields(request, signed.headers);
}

interface Aws4 {
  sign(request: object, credentials: object): { readonly headers: Readonly<Record<string, string | number>> };
}

const require: NodeJS.Require = createRequire(import.meta.url);
// oxlint-disable-next-line typescript/no-unsafe-assignment -- It has no types.
const aws4: Aws4 = require('aws4');

export function awsFour(request: RefereeRequest): RefereeSignature {
  const query = queryOf(request);
  const sha256 = createHash('sha256').update(request.body).digest('hex');
  const { headers } = aws4.sign(
    {
      method: request.method,
      host: HOST,
      path: query === '' ? pathOf(request) : `${pathOf(request)}?${query}`,
      headers: {
        ...request.fields,
        'x-amz-date': '20261128T120000Z',
        'x-amz-content-sha256': sha256,
        // It makes one up where there is a body and none is given.
        'content-type': request.fields['content-type'] || 'text/plain',
      },
      body: request.body,
      region: REFEREE_SCOPE.region,
      service: REFEREE_SCOPE.service,
    },
    { accessKeyId: ID, secretAccessKey: SECRET },
  );
  return fromFields(request, headers);
}

function fromFields(
  request: RefereeRequest,
  headers: Readonly<Record<string, string | number>>,
): RefereeSignature {
  const fields = Object.entries(headers).map(([name, value]): [string, string] => [
    name.toLowerCase(),
    String(value),
  ]);
  const valueOf = (name: string): string => fields.find(([one]) => one === name)?.[1] ?? '';
  const said = /SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/.exec(valueOf('authorization'));
  return {
    time: valueOf('x-amz-date'),
    signature: said?.[2] ?? '',
    parts: {
      method: request.method,
      path: pathOf(request),
      query: queryOf(request),
      fields,
      signedNames: (said?.[1] ?? '').split(';'),
      contentSha256: createHash('sha256').update(request.body).digest('hex'),
    },
  };
}

/** On the wire, as SDKs of AWS escape it. */
function pathOf({ segments }: RefereeRequest): string {
  return `/${segments.map(escaped).join('/')}`;
}

function queryOf({ query }: RefereeRequest): string {
  return Object.entries(query)
    .map(([name, value]) => `${escaped(name)}=${escaped(value)}`)
    .join('&');
}

function escaped(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
