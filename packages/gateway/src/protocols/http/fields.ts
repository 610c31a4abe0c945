/**
 * Field lines: which are well formed, which stay here, and which pass, in both directions.
 *
 * Spec: RFC 9110 §5 and §7.6.1, RFC 9112 §6, RFC 9113 §8.2. One list for every path, upgrades included.
 * Stripped of a request: what is hop-by-hop, what says who somebody is or where they come from, what makes a
 * server see another method or path than was matched, every place in which clients put keys, cookies.
 * Stripped of an answer: what is hop-by-hop, and what would steer a browser or client on the gateway's own
 * origin: cookies, alternative services, transport security.
 * Refused: a name that is no token, a value with NUL, CR or LF, Transfer-Encoding other than one `chunked`,
 * Content-Length beside it, or more than one, or one that is no number; in HTTP/2 every hop-by-hop field.
 * Untrusted: every character.
 */

import type { HttpFields } from '../../core/http-message.ts';

export type FieldsResult =
  | { readonly kind: 'fields'; readonly fields: HttpFields }
  | { readonly kind: 'malformed'; readonly reason: string };

/** RFC 9110 §5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** RFC 9110 §5.5: no NUL, CR or LF; other controls are none of a text either. */
// oxlint-disable-next-line no-control-regex -- What must not stand there.
const BAD_VALUE = /[\u0000-\u0008\u000a-\u001f\u007f]/;

const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);

/** Where a client says who it is; see credentials.ts. */
const CREDENTIALS: ReadonlySet<string> = new Set([
  'authorization',
  'api-key',
  'apikey',
  'x-api-key',
  'x-api-token',
  'x-auth-token',
  'x-goog-api-key',
  'x-amz-security-token',
  'x-amz-date',
  'x-amz-content-sha256',
  'x-amz-s3session-token',
  'cookie',
]);

/** What only a proxy that is trusted may say, and this one says none of it. */
const IDENTITY: ReadonlySet<string> = new Set([
  'forwarded',
  'via',
  'from',
  'remote-user',
  'remote-groups',
  'remote-email',
  'x-real-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'x-original-forwarded-for',
  'x-remote-ip',
  'x-remote-addr',
  'x-remote-user',
  'x-remote-group',
  'x-user',
  'x-groups',
  'x-webauth-user',
  'true-client-ip',
  'cf-connecting-ip',
  'fastly-client-ip',
  'client-ip',
  'ssl-client-cert',
  'x-ssl-client-cert',
  'x-client-cert',
  'client-cert',
  'client-cert-chain',
]);
const IDENTITY_PREFIX = /^(?:x-(?:forwarded|auth-request|countersign|ssl|envoy)|impersonate)-/;

/** What some servers put in the place of the method or the path that was matched. */
const OVERRIDES: ReadonlySet<string> = new Set([
  'x-http-method',
  'x-http-method-override',
  'x-method-override',
  'x-original-url',
  'x-original-uri',
  'x-original-method',
  'x-rewrite-url',
]);

/** Keys of third parties, and where those are reached: `X-Cohere-Api-Key`, `X-Cohere-Baseurl`. */
const VENDOR = /^x-[a-z0-9-]+-(?:api-?key|base-?url)$/;

const ANSWER_STRIPPED: ReadonlySet<string> = new Set([
  'set-cookie',
  'set-cookie2',
  'alt-svc',
  'alt-used',
  'strict-transport-security',
  'public-key-pins',
  'clear-site-data',
  'service-worker-allowed',
  'nel',
  'report-to',
  'reporting-endpoints',
  'refresh',
]);

/** The lines of Node's flat list with names in small letters, or what is wrong with them. */
export function readFields(
  raw: readonly string[],
  where: '1.1' | '2' | 'trailers',
  fieldsMax: number,
): FieldsResult {
  const fields: (readonly [string, string])[] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at] ?? '';
    const value = raw[at + 1] ?? '';
    if (where === '2' && name.startsWith(':')) continue;
    if (!TOKEN.test(name)) return malformed('a field has a name that is no token');
    if (BAD_VALUE.test(value)) return malformed(`the field ${shown(name)} has a control character`);
    fields.push([name.toLowerCase(), value]);
  }
  if (fields.length > fieldsMax) return malformed(`it has more than ${fieldsMax} fields`);
  const wrong = WRONG_IN[where](fields);
  return wrong === undefined ? { kind: 'fields', fields } : malformed(wrong);
}

const NO_VALUES: readonly string[] = Object.freeze([]);

/** Every value of a name, in order. Asked some dozen times of each request, and nearly always there is none. */
export function valuesOf(fields: HttpFields, name: string): readonly string[] {
  let values: string[] | undefined;
  for (const field of fields) {
    if (field[0] !== name) continue;
    if (values === undefined) values = [field[1]];
    else values.push(field[1]);
  }
  return values ?? NO_VALUES;
}

export function valueOf(fields: HttpFields, name: string): string | undefined {
  for (const field of fields) if (field[0] === name) return field[1];
  return undefined;
}

/**
 * What of a client's fields goes to the target.
 *
 * @param also names in small letters that are stripped besides, such as the one of the stored credential
 */
export function requestFieldsFor(fields: HttpFields, also: ReadonlySet<string>): HttpFields {
  const named = namedByConnection(fields);
  return fields.filter(([name]) => {
    // CGI and what descends from it read `X_Real_IP` as `X-Real-IP`.
    const plain = name.includes('_') ? name.replaceAll('_', '-') : name;
    return !isStrippedOfRequest(plain) && !named.has(name) && !also.has(name) && !also.has(plain);
  });
}

/** What of a target's fields goes to the client. */
export function answerFieldsFor(fields: HttpFields): HttpFields {
  const named = namedByConnection(fields);
  return fields.filter(([name]) => !HOP_BY_HOP.has(name) && !ANSWER_STRIPPED.has(name) && !named.has(name));
}

/** What may stand in a trailer: nothing that frames, routes, authenticates or is stripped of a head. */
export function trailersFor(fields: HttpFields): HttpFields {
  return fields.filter(
    ([name]) =>
      !isStrippedOfRequest(name.replaceAll('_', '-')) &&
      !ANSWER_STRIPPED.has(name) &&
      !NEVER_IN_TRAILERS.has(name),
  );
}

/** RFC 9110 §6.5.1. */
const NEVER_IN_TRAILERS: ReadonlySet<string> = new Set([
  'content-length',
  'content-encoding',
  'content-type',
  'content-range',
  'host',
  'cache-control',
  'expect',
  'max-forwards',
  'range',
  'location',
  'www-authenticate',
  'accept',
  'prefer',
  'if-match',
  'if-none-match',
  'x-amz-target',
]);

/** All of a request's by their whole names. */
const STRIPPED_NAMES: ReadonlySet<string> = new Set([
  ...HOP_BY_HOP,
  ...CREDENTIALS,
  ...IDENTITY,
  ...OVERRIDES,
  'host',
  'expect',
]);

function isStrippedOfRequest(name: string): boolean {
  return (
    STRIPPED_NAMES.has(name) || IDENTITY_PREFIX.test(name) || (name.startsWith('x-') && VENDOR.test(name))
  );
}

const NONE: ReadonlySet<string> = new Set();

/** RFC 9110 §7.6.1: `Connection: close, x-foo` makes `x-foo` hop-by-hop. */
function namedByConnection(fields: HttpFields): ReadonlySet<string> {
  const values = valuesOf(fields, 'connection');
  if (values.length === 0) return NONE;
  return new Set(
    values
      .flatMap((value) => value.split(','))
      .map((name) => name.trim().toLowerCase())
      // What frames the content cannot be made to vanish by a client.
      .filter((name) => name !== 'content-length' && name !== 'content-type' && name !== 'content-encoding'),
  );
}

function wrongInHttp1(fields: HttpFields): string | undefined {
  const hosts = valuesOf(fields, 'host');
  if (hosts.length !== 1) return 'expected exactly one Host';
  if (valuesOf(fields, 'content-type').length > 1) return 'it has more than one Content-Type';
  const lengths = valuesOf(fields, 'content-length');
  const encodings = valuesOf(fields, 'transfer-encoding');
  if (lengths.length > 1) return 'it has more than one Content-Length';
  if (lengths.length > 0 && encodings.length > 0) return 'it has Content-Length beside Transfer-Encoding';
  if (lengths.some((length) => !/^[0-9]{1,15}$/.test(length))) return 'its Content-Length is no number';
  if (encodings.length > 1 || encodings.some((encoding) => encoding.toLowerCase() !== 'chunked')) {
    return 'its Transfer-Encoding is not chunked alone';
  }
  return undefined;
}

const WRONG_IN: Readonly<Record<'1.1' | '2' | 'trailers', (fields: HttpFields) => string | undefined>> = {
  '1.1': wrongInHttp1,
  '2': wrongInHttp2,
  trailers: () => undefined,
};

/** RFC 9113 §8.2.2. */
function wrongInHttp2(fields: HttpFields): string | undefined {
  const hop = fields.find(
    ([name, value]) => HOP_BY_HOP.has(name) && !(name === 'te' && value === 'trailers') && name !== 'trailer',
  );
  if (hop !== undefined) return `the field ${shown(hop[0])} has no place in HTTP/2`;
  if (valuesOf(fields, 'content-type').length > 1) return 'it has more than one Content-Type';
  const lengths = valuesOf(fields, 'content-length');
  if (lengths.length > 1) return 'it has more than one Content-Length';
  return lengths.some((length) => !/^[0-9]{1,15}$/.test(length))
    ? 'its Content-Length is no number'
    : undefined;
}

function shown(name: string): string {
  return name.slice(0, 40);
}

function malformed(reason: string): FieldsResult {
  return { kind: 'malformed', reason };
}
