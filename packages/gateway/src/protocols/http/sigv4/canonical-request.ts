/**
 * AWS Signature Version 4: a request → its canonical form → the text that is signed.
 *
 * Spec: "Create a signed AWS API request", IAM User Guide
 * (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html).
 * Grammar: Method LF CanonicalURI LF CanonicalQuery LF 1*( name ":" value LF ) LF SignedHeaders LF hex-sha256.
 * Bytes are taken as they are on the wire: of a path what is escaped is escaped once more, of a query each escape is
 * decoded and made again, so that neither has to be UTF-8.
 * Refused: nothing; what two sides do not make the same of has another signature.
 */

import { createHash } from 'node:crypto';
import type { HttpFields } from '../../../core/http-message.ts';

export const ALGORITHM = 'AWS4-HMAC-SHA256';

/** What a request is signed over. */
export interface SignedParts {
  readonly method: string;
  /** As it is sent, with its escapes and without a query. */
  readonly path: string;
  /** As it is sent, without its `?`, and of a presigned URL without its signature. */
  readonly query: string;
  /** In the order of the wire, names in small letters; `host` is one of them. */
  readonly fields: HttpFields;
  /** Names of those that are signed, sorted. */
  readonly signedNames: readonly string[];
  /** Of the content, 64 hex digits, or one of AWS's words for a content that is not signed. */
  readonly contentSha256: string;
}

/** Date, region and service that a signature is good for. */
export interface SignatureScope {
  /** `20150830`. */
  readonly date: string;
  readonly region: string;
  readonly service: string;
}

/** Services whose keys are paths: they are signed as they are sent. */
const AS_SENT: ReadonlySet<string> = new Set(['s3', 's3express', 's3-object-lambda', 's3-outposts']);
const PLAIN = /^[A-Za-z0-9\-._~/]*$/;

export function canonicalRequest(parts: SignedParts, service: string): string {
  const { method, path, query, fields, signedNames, contentSha256 } = parts;
  return [
    method,
    AS_SENT.has(service) ? path : escapePath(resolvePath(path)),
    canonicalQuery(query),
    ...signedNames.map((name) => `${name}:${canonicalValue(fields, name)}`),
    '',
    signedNames.join(';'),
    contentSha256,
  ].join('\n');
}

/** @param time `20150830T123600Z` */
export function stringToSign(time: string, scope: SignatureScope, canonical: string): string {
  const digest = createHash('sha256').update(canonical, 'utf8').digest('hex');
  return [ALGORITHM, time, scopeText(scope), digest].join('\n');
}

/** What stands behind the id of a key in a credential. */
export function scopeText({ date, region, service }: SignatureScope): string {
  return `${date}/${region}/${service}/aws4_request`;
}

/** Each name and value with the one escape that it may have, sorted by both. */
export function canonicalQuery(query: string): string {
  return query
    .split('&')
    .filter((piece) => piece !== '')
    .map((piece) => {
      const equals = piece.indexOf('=');
      const name = equals < 0 ? piece : piece.slice(0, equals);
      return [escapeAgain(name), equals < 0 ? '' : escapeAgain(piece.slice(equals + 1))] as const;
    })
    .toSorted(([a, x], [b, y]) => compare(a, b) || compare(x, y))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

/** Dot segments and empty ones are gone; a slash at the end stays. */
function resolvePath(path: string): string {
  const segments: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '' || segment === '.') continue;
    if (segment === '..') segments.pop();
    else segments.push(segment);
  }
  return `/${segments.join('/')}${segments.length > 0 && path.endsWith('/') ? '/' : ''}`;
}

/** All but slashes, with the percent signs that are there. */
function escapePath(path: string): string {
  return PLAIN.test(path) ? path : path.replaceAll(/[^A-Za-z0-9\-._~/]/gu, escapeCharacter);
}

function escapeAgain(text: string): string {
  return text.replaceAll(/%[0-9A-Fa-f]{2}|[^A-Za-z0-9\-._~]/gu, (one) => {
    if (one.length !== 3 || !one.startsWith('%')) return escapeCharacter(one);
    const character = String.fromCodePoint(Number.parseInt(one.slice(1), 16));
    return /[A-Za-z0-9\-._~]/.test(character) ? character : one.toUpperCase();
  });
}

function escapeCharacter(character: string): string {
  const escaped = encodeURIComponent(character.toWellFormed());
  // It leaves five characters alone that RFC 3986 reserves.
  return escaped.length === 1 ? `%${escaped.charCodeAt(0).toString(16).toUpperCase()}` : escaped;
}

/** Every value of a name, without the blanks around it and with one in the place of several. */
function canonicalValue(fields: HttpFields, name: string): string {
  return fields
    .filter(([one]) => one === name)
    .map(([, value]) => value.replaceAll(/[ \t]+/g, ' ').replaceAll(/^ | $/g, ''))
    .join(',');
}

/** By code units, which of escaped texts are bytes. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
