/**
 * The fields by which a target of AWS knows that a request is the gateway's: signed anew, over what is sent.
 *
 * Spec: as protocols/http/sigv4/canonical-request.ts. Signed are Host, every `x-amz-` field, and what says how the
 * content is to be read; AWS wants no more, and what lies between may change the rest.
 */

import type { HttpFields } from '../core/http-message.ts';
import type { Secret } from '../core/secret.ts';
import { ALGORITHM, scopeText } from '../protocols/http/sigv4/canonical-request.ts';
import { signParts } from '../protocols/http/sigv4/signature.ts';
import { authorityOf, type HttpTarget, type UpstreamRequest } from './http-exchange.ts';

/** Keys of an account of AWS, and what they are for. */
export interface SigV4Credential {
  readonly scheme: 'sigv4';
  readonly accessKeyId: string;
  readonly secret: Secret<string>;
  /** Beside keys that end soon. */
  readonly sessionToken: Secret<string> | undefined;
  readonly region: string;
  readonly service: string;
}

const SIGNED: ReadonlySet<string> = new Set(['host', 'content-type', 'content-encoding', 'content-md5']);

/**
 * What is added to a request. It is about these fields, this path and this content, and no other.
 *
 * @param contentSha256 of the content as it is sent, 64 hex digits
 */
export function signatureFields(
  target: HttpTarget,
  credential: SigV4Credential,
  request: Pick<UpstreamRequest, 'method' | 'path' | 'fields'>,
  contentSha256: string,
  nowUs: number,
): HttpFields {
  const { accessKeyId, secret, sessionToken, region, service } = credential;
  const time = new Date(nowUs / 1_000).toISOString().replaceAll(/[-:]|\.\d+/g, '');
  const scope = { date: time.slice(0, 8), region, service };
  const own: HttpFields = [
    ['x-amz-content-sha256', contentSha256],
    ['x-amz-date', time],
    ...(sessionToken === undefined ? [] : [['x-amz-security-token', sessionToken.reveal()] as const]),
  ];
  const fields: HttpFields = [...request.fields, ...own, ['host', authorityOf(target)]];
  const names = fields.map(([name]) => name).filter((name) => SIGNED.has(name) || name.startsWith('x-amz-'));
  const signedNames = [...new Set(names)].toSorted();
  const mark = request.path.indexOf('?');
  const signature = signParts(secret, scope, time, {
    method: request.method,
    path: mark < 0 ? request.path : request.path.slice(0, mark),
    query: mark < 0 ? '' : request.path.slice(mark + 1),
    fields,
    signedNames,
    contentSha256,
  });
  const said = `Credential=${accessKeyId}/${scopeText(scope)}, SignedHeaders=${signedNames.join(';')}, Signature=${signature}`;
  return [...own, ['authorization', `${ALGORITHM} ${said}`]];
}
