/**
 * Where a request says that it is signed with AWS Signature Version 4, and what it says about that.
 *
 * Spec: as canonical-request.ts; spec/http.md §12. In `Authorization`, or in the query of a presigned URL.
 * Grammar: "AWS4-HMAC-SHA256" SP "Credential=" id "/" date "/" region "/" service "/aws4_request" ","
 * "SignedHeaders=" name *( ";" name ) "," "Signature=" 64HEXDIG, in any order; in a query `X-Amz-Credential=` ….
 * Refused: both forms at once; a parameter twice, or spelled in another way; names that are not sorted; `host`, an
 * `x-amz-` field or one that Connection names unsigned; a session token, which the gateway gives to nobody; contents
 * that are signed in chunks (`STREAMING-…`), whose signatures nobody checks here; ECDSA.
 * Untrusted: every character. Nothing of this says who it is before the signature is checked.
 */

import type { HttpFields } from '../../../core/http-message.ts';
import { SIGV4_LIMITS as LIMITS } from '../../../core/sigv4-limits.ts';
import { valuesOf } from '../fields.ts';
import type { HttpVersion } from '../request-head.ts';
import { ALGORITHM, type SignatureScope, type SignedParts } from './canonical-request.ts';

/** A request as it came. */
export interface SignableHead {
  readonly method: string;
  /** Path and query as they were on the wire. */
  readonly target: string;
  /** Of HTTP/1.1 its Host. */
  readonly authority: string;
  /** Clients that speak HTTP/2 sign `:authority` in the place of `host`, or either of them. */
  readonly version: HttpVersion;
  readonly fields: HttpFields;
}

export interface RequestSignature {
  readonly kind: 'signature';
  readonly accessKeyId: string;
  readonly scope: SignatureScope;
  /** `20150830T123600Z`. */
  readonly time: string;
  readonly timeMs: number;
  /** Of a presigned URL. */
  readonly lifetimeMs: number | undefined;
  /** 32 bytes. */
  readonly signature: Uint8Array;
  /** What the signature says of the content: its digest or {@link UNSIGNED}; undefined: nothing but by itself. */
  readonly contentSha256: string | undefined;
  readonly parts: Omit<SignedParts, 'contentSha256'>;
  /** Without what is said here about the signature. */
  readonly query: string;
}

export type SignatureResult =
  | RequestSignature
  | { readonly kind: 'malformed'; readonly reason: string }
  | { readonly kind: 'refused'; readonly reason: string };

/** In the place of a digest: the content is not signed. */
export const UNSIGNED = 'UNSIGNED-PAYLOAD';

const CONTENT = 'X-Amz-Content-Sha256';
/** Of a query, in small letters; spelled like this, and once each. */
const PARAMETERS: ReadonlyMap<string, string> = new Map(
  [
    'X-Amz-Algorithm',
    'X-Amz-Credential',
    'X-Amz-Date',
    'X-Amz-Expires',
    'X-Amz-SignedHeaders',
    'X-Amz-Signature',
    'X-Amz-Security-Token',
    CONTENT,
  ].map((name) => [name.toLowerCase(), name]),
);
const ACCESS_KEY_ID = /^\w{16,128}$/;
const SCOPE_PART = /^[a-z0-9][a-z0-9-]{0,63}$/;
const TIME = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z$/;
const SHA256 = /^[0-9a-f]{64}$/;
const NAME = /^(?::authority|[!#$%&'*+\-.^_`|~0-9a-z]+)$/;

/** What clients add when a request was signed already, or never sign; it says nothing of what is done. */
const MAY_BE_UNSIGNED: ReadonlySet<string> = new Set([
  'accept',
  'accept-charset',
  'accept-encoding',
  'accept-language',
  'b3',
  'baggage',
  'cache-control',
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'max-forwards',
  'pragma',
  'priority',
  'referer',
  'te',
  'traceparent',
  'tracestate',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'user-agent',
  'x-amzn-trace-id',
]);
const MAY_BE_UNSIGNED_PREFIXES = ['sec-', 'x-b3-', 'x-datadog-'];

/** Whether it says that it is signed so, be it in a way that is refused. */
export function saysItIsSigned(fields: HttpFields, query: string): boolean {
  return (
    valuesOf(fields, 'authorization').some((value) => /^\s*AWS4-/i.test(value)) ||
    piecesOf(query).some(({ name }) => PARAMETERS.has(name.toLowerCase()))
  );
}

/** Of a request that {@link saysItIsSigned}. */
export function readSignature(head: SignableHead): SignatureResult {
  const mark = head.target.indexOf('?');
  const path = mark < 0 ? head.target : head.target.slice(0, mark);
  const pieces = piecesOf(mark < 0 ? '' : head.target.slice(mark + 1));
  const own = pieces.filter(({ name }) => PARAMETERS.has(name.toLowerCase()));
  const authorization = valuesOf(head.fields, 'authorization');
  if (own.length > 0 && authorization.length > 0) return malformed('it is signed in two places');
  const said = own.length > 0 ? fromQuery(own) : fromAuthorization(authorization, head.fields);
  if (typeof said === 'string') return malformed(said);
  const read = readSaid(said);
  if (typeof read === 'string') return malformed(read);
  const fields: HttpFields = [
    ...head.fields.filter(([name]) => name !== 'host'),
    ['host', head.authority] as const,
    ...(head.version === '2' ? [[':authority', head.authority] as const] : []),
  ];
  const wrong = wrongNames(read.signedNames, fields);
  if (wrong !== undefined) return { kind: 'refused', reason: wrong };
  const content = contentOf(said, head.fields, read.scope.service);
  if (content.kind !== 'content') return content;
  const { signedNames, ...rest } = read;
  const signedQuery = pieces.filter(({ name }) => name !== 'X-Amz-Signature');
  const query = pieces.filter(({ name }) => !PARAMETERS.has(name.toLowerCase()));
  return {
    kind: 'signature',
    ...rest,
    contentSha256: content.sha256,
    parts: { method: head.method, path, query: joined(signedQuery), fields, signedNames },
    query: joined(query),
  };
}

/** What is wrong with its date; undefined where it is good. */
export function timeProblem(
  { time, timeMs, lifetimeMs = LIMITS.skewMsMax }: RequestSignature,
  nowMs: number,
): string | undefined {
  const now = new Date(nowMs).toISOString().replaceAll(/[-:]|\.\d+/g, '');
  if (timeMs > nowMs + LIMITS.skewMsMax)
    return `Signature not yet current: it is of ${time}, and here it is ${now}`;
  if (nowMs > timeMs + lifetimeMs) return `Signature expired: it is of ${time}, and here it is ${now}`;
  return undefined;
}

/** Those that a signature is about, and those that say nothing of what is done; the rest anybody may have added. */
export function signedFields(fields: HttpFields, { parts }: RequestSignature): HttpFields {
  const signed = new Set(parts.signedNames);
  return fields.filter(
    ([name]) =>
      signed.has(name) ||
      MAY_BE_UNSIGNED.has(name) ||
      MAY_BE_UNSIGNED_PREFIXES.some((prefix) => name.startsWith(prefix)),
  );
}

interface Said {
  readonly algorithm: string;
  readonly credential: string;
  readonly signedHeaders: string;
  readonly signature: string;
  readonly time: string;
  /** Seconds, of a presigned URL. */
  readonly expires: string | undefined;
  readonly contentSha256: string | undefined;
  readonly isPresigned: boolean;
}

interface Piece {
  /** Without its escapes. */
  readonly name: string;
  readonly value: string;
  readonly text: string;
}

function fromAuthorization(values: readonly string[], fields: HttpFields): Said | string {
  const [value = '', second] = values;
  if (second !== undefined) return 'it has more than one Authorization';
  const match = /^(AWS4-[A-Za-z0-9-]+) +(\S.*)$/.exec(value.trim());
  const [, algorithm = '', rest = ''] = match ?? [];
  if (match === null) return 'its Authorization has another form';
  const members = new Map<string, string>();
  for (const member of rest.split(',')) {
    const [, name = '', text = ''] = /^ *(Credential|SignedHeaders|Signature)=(\S+) *$/.exec(member) ?? [];
    if (name === '' || members.has(name)) return 'its Authorization has another form';
    members.set(name, text);
  }
  const times = valuesOf(fields, 'x-amz-date');
  const [time] = times;
  if (time === undefined || times.length > 1) return 'expected one X-Amz-Date';
  return {
    algorithm,
    credential: members.get('Credential') ?? '',
    signedHeaders: members.get('SignedHeaders') ?? '',
    signature: members.get('Signature') ?? '',
    time: time.trim(),
    expires: undefined,
    contentSha256: undefined,
    isPresigned: false,
  };
}

function fromQuery(pieces: readonly Piece[]): Said | string {
  const members = new Map<string, string>();
  for (const { name: spelled, value } of pieces) {
    const name = PARAMETERS.get(spelled.toLowerCase()) ?? spelled;
    // Clients move the field of this name into the query as they spell it; it stays here.
    if (name !== spelled && name !== CONTENT) return `its query has ${name} in another spelling`;
    if (members.has(name)) return `its query has ${name} twice`;
    members.set(name, value);
  }
  if (members.has('X-Amz-Security-Token')) return NO_SESSION_TOKEN;
  return {
    algorithm: members.get('X-Amz-Algorithm') ?? '',
    credential: members.get('X-Amz-Credential') ?? '',
    signedHeaders: members.get('X-Amz-SignedHeaders') ?? '',
    signature: members.get('X-Amz-Signature') ?? '',
    time: members.get('X-Amz-Date') ?? '',
    expires: members.get('X-Amz-Expires') ?? '',
    contentSha256: members.get(CONTENT),
    isPresigned: true,
  };
}

const NO_SESSION_TOKEN = 'it has a session token (X-Amz-Security-Token), and the gateway has issued none';

type Read = Pick<
  RequestSignature,
  'accessKeyId' | 'scope' | 'time' | 'timeMs' | 'lifetimeMs' | 'signature'
> & { readonly signedNames: readonly string[] };

function readSaid(said: Said): Read | string {
  if (said.algorithm !== ALGORITHM) return `expected the algorithm ${ALGORITHM}`;
  const [accessKeyId = '', date = '', region = '', service = '', last, more] = said.credential.split('/');
  if (last !== 'aws4_request' || more !== undefined || !ACCESS_KEY_ID.test(accessKeyId)) {
    return 'expected a credential of KEY/DATE/REGION/SERVICE/aws4_request';
  }
  if (!SCOPE_PART.test(region) || !SCOPE_PART.test(service)) {
    return 'its credential names a region or a service that there cannot be';
  }
  const timeMs = parseTime(said.time);
  if (timeMs === undefined) return 'expected a date as 20150830T123600Z';
  if (date !== said.time.slice(0, 8)) return 'its date is not the one of its credential';
  if (!SHA256.test(said.signature)) return 'expected a signature of 64 hex digits in small letters';
  const signedNames = said.signedHeaders.split(';');
  const isOrdered = signedNames.every((name, at) => at === 0 || (signedNames[at - 1] ?? '') < name);
  if (!isOrdered || !signedNames.every((name) => NAME.test(name))) {
    return 'expected SignedHeaders in small letters, sorted, each once';
  }
  const lifetimeMs = said.expires === undefined ? undefined : parseLifetimeMs(said.expires);
  if (lifetimeMs === null) {
    return `expected X-Amz-Expires of 1 to ${LIMITS.presignedSecondsMax} seconds`;
  }
  const signature = new Uint8Array(Buffer.from(said.signature, 'hex'));
  const scope = { date, region, service };
  return { accessKeyId, scope, time: said.time, timeMs, lifetimeMs, signature, signedNames };
}

function wrongNames(signedNames: readonly string[], fields: HttpFields): string | undefined {
  const signed = new Set(signedNames);
  if (!signed.has('host') && !signed.has(':authority')) return 'the field host is not signed';
  const unsigned = fields.find(([name]) => isAmazons(name) && !signed.has(name));
  if (unsigned !== undefined) return `the field ${unsigned[0].slice(0, 64)} is not signed`;
  const absent = signedNames.find((name) => !fields.some(([one]) => one === name));
  if (absent !== undefined) return `the field ${absent.slice(0, 64)} is signed and not there`;
  // What Connection names stays here, and the target would be asked for something else than was signed.
  const named = valuesOf(fields, 'connection').flatMap((value) => value.toLowerCase().split(','));
  const dropped = named.map((name) => name.trim()).find((name) => signed.has(name));
  return dropped === undefined
    ? undefined
    : `the field ${dropped.slice(0, 64)} is signed, and only for one hop`;
}

/** `x_amz_…` too, which some servers read as the same. */
function isAmazons(name: string): boolean {
  return name.replaceAll('_', '-').startsWith('x-amz-');
}

type Content =
  | { readonly kind: 'content'; readonly sha256: string | undefined }
  | Exclude<SignatureResult, RequestSignature>;

function contentOf(said: Said, fields: HttpFields, service: string): Content {
  if (valuesOf(fields, 'x-amz-security-token').length > 0) return malformed(NO_SESSION_TOKEN);
  const values = valuesOf(fields, 'x-amz-content-sha256');
  if (values.length > 1) return malformed('it has more than one X-Amz-Content-Sha256');
  const value = said.contentSha256 ?? values[0]?.trim();
  // Of a presigned URL to S3 nobody knows the content beforehand.
  if (value === undefined)
    return { kind: 'content', sha256: said.isPresigned && service === 's3' ? UNSIGNED : undefined };
  if (value.startsWith('STREAMING-')) {
    const reason =
      'its content is signed in chunks (STREAMING-…); sign it whole, or as UNSIGNED-PAYLOAD over TLS';
    return { kind: 'refused', reason };
  }
  if (value === UNSIGNED || SHA256.test(value)) return { kind: 'content', sha256: value };
  return malformed('expected X-Amz-Content-Sha256 of 64 hex digits in small letters');
}

/** Undefined where there is no such moment. */
function parseTime(text: string): number | undefined {
  const match = TIME.exec(text);
  if (match === null) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number);
  const ms = Date.UTC(year, month - 1, day, hour, minute, second);
  const again = new Date(ms).toISOString().replaceAll(/[-:]|\.\d+/g, '');
  return again === text ? ms : undefined;
}

/** Null where it is none. */
function parseLifetimeMs(text: string): number | null {
  const seconds = /^[1-9]\d{0,5}$/.test(text) ? Number(text) : 0;
  return seconds > 0 && seconds <= LIMITS.presignedSecondsMax ? seconds * 1_000 : null;
}

function piecesOf(query: string): readonly Piece[] {
  if (query === '') return [];
  return query.split('&').map((text) => {
    const equals = text.indexOf('=');
    const name = equals < 0 ? text : text.slice(0, equals);
    return { name: unescape(name), value: equals < 0 ? '' : unescape(text.slice(equals + 1)), text };
  });
}

function unescape(text: string): string {
  return text.replaceAll(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
    String.fromCodePoint(Number.parseInt(hex, 16)),
  );
}

function joined(pieces: readonly Piece[]): string {
  return pieces.map(({ text }) => text).join('&');
}

function malformed(reason: string): { readonly kind: 'malformed'; readonly reason: string } {
  return { kind: 'malformed', reason };
}
