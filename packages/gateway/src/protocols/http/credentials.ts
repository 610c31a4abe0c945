/**
 * Where clients put their one key: the places from which a gateway token is taken.
 *
 * Spec: spec/http.md §4. RFC 6750 §2.1, RFC 7617; the other places are those of SDKs. Every one of these
 * fields stays here, whatever stands in it (fields.ts).
 * Refused: two different keys, and a key in the query. What is signed with AWS Signature Version 4 shows no key: that is
 * read in sigv4/.
 * Untrusted: every character.
 */

import type { HttpFields } from '../../core/http-message.ts';
import { valuesOf } from './fields.ts';
import { saysItIsSigned } from './sigv4/read-signature.ts';

export type FoundCredential =
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'signature' }
  | { readonly kind: 'none' }
  | { readonly kind: 'refused'; readonly reason: string };

/** Besides Authorization. */
const KEY_FIELDS = ['api-key', 'apikey', 'x-api-key', 'x-api-token', 'x-auth-token', 'x-goog-api-key'];
/** Of a query, in small letters and without `-` and `_`. */
const KEY_PARAMETERS: ReadonlySet<string> = new Set([
  'apikey',
  'xapikey',
  'accesstoken',
  'authorization',
  // Of AWS's Signature Version 2.
  'awsaccesskeyid',
]);
/** What a gateway token looks like, wherever it stands. */
const GATEWAY_TOKEN = /(?:^|[^A-Za-z0-9])cs_[0-9a-z]{16,}/;
const TOKEN = /^[\x21-\x7e]{1,512}$/;

/** The one key of a request. */
export function findCredential(fields: HttpFields, query: string): FoundCredential {
  if (hasKeyInQuery(query)) {
    return { kind: 'refused', reason: 'a key does not belong into a URL; send it as Authorization: Bearer' };
  }
  const authorization = valuesOf(fields, 'authorization');
  if (saysItIsSigned(fields, query)) {
    const beside = KEY_FIELDS.some((name) =>
      valuesOf(fields, name).some((value) => GATEWAY_TOKEN.test(value)),
    );
    return beside
      ? { kind: 'refused', reason: 'it is signed, and has a token beside that' }
      : { kind: 'signature' };
  }
  const found = new Set<string>();
  for (const value of authorization) {
    const token = fromAuthorization(value);
    if (token === undefined) return { kind: 'refused', reason: 'its Authorization cannot be read' };
    found.add(token);
  }
  for (const name of KEY_FIELDS) for (const value of valuesOf(fields, name)) found.add(value.trim());
  const tokens = [...found].filter((token) => token !== '');
  // Where one of them is the gateway's, the others are left over from what the client had before.
  const own = tokens.filter((token) => GATEWAY_TOKEN.test(token));
  const [token, second] = own.length > 0 ? own : tokens;
  if (token === undefined) return { kind: 'none' };
  if (second !== undefined) return { kind: 'refused', reason: 'it has two different keys' };
  return TOKEN.test(token) ? { kind: 'token', token } : { kind: 'refused', reason: 'its key cannot be read' };
}

/** `Bearer t`, `ApiKey t`, `Basic base64(user:t)`, `Token t`, or the token itself. */
function fromAuthorization(value: string): string | undefined {
  const match = /^(?:(?<scheme>[A-Za-z]+) +)?(?<rest>\S+)$/.exec(value.trim());
  const rest = match?.groups?.['rest'];
  if (rest === undefined) return undefined;
  const scheme = match?.groups?.['scheme']?.toLowerCase();
  switch (scheme) {
    case undefined:
    case 'bearer':
    case 'token':
      return rest;
    case 'basic':
      return passwordOf(rest);
    case 'apikey':
      // Elasticsearch sends base64(id:key) where it was given both, and the key as it is otherwise.
      return GATEWAY_TOKEN.test(rest) ? rest : (passwordOf(rest) ?? rest);
    default:
      return undefined;
  }
}

function passwordOf(base64: string): string | undefined {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return undefined;
  const text = Buffer.from(base64, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon < 0 ? undefined : text.slice(colon + 1);
}

function hasKeyInQuery(query: string): boolean {
  if (query === '') return false;
  const parameters = [...new URLSearchParams(query)];
  return parameters.some(
    ([name, value]) =>
      KEY_PARAMETERS.has(name.toLowerCase().replaceAll(/[-_]/g, '')) || GATEWAY_TOKEN.test(value),
  );
}
