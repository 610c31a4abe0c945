/**
 * The head of a request as Node gives it → target, authority and fields; or why it is refused.
 *
 * Spec: RFC 9112 §3 and §7, RFC 9113 §8.3. What of smuggling Node's parser refuses by itself, and what is
 * refused here, is in spec/http.md §3 with a test of each.
 * Untrusted: everything.
 */

import { HTTP_LIMITS } from '../../core/http-limits.ts';
import type { HttpFields } from '../../core/http-message.ts';
import { readFields, valueOf, valuesOf } from './fields.ts';
import { normaliseTarget } from './target.ts';

export type HttpVersion = '1.1' | '2';

export interface RawHead {
  readonly version: string;
  readonly method: string;
  readonly target: string;
  /** Name, value, name, value … in the order and spelling of the wire; of HTTP/2 with its pseudo-fields. */
  readonly rawFields: readonly string[];
}

export interface ReadHead {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  /** In small letters, without a port. */
  readonly hostName: string;
  /** As it came: host and port. */
  readonly authority: string;
  /** Every field of the client. */
  readonly fields: HttpFields;
}

export type HeadResult =
  | ({ readonly kind: 'head' } & ReadHead)
  | { readonly kind: 'malformed'; readonly reason: string; readonly status: 400 | 405 | 414 | 431 | 505 };

const METHOD = /^[A-Z][A-Z-]{0,31}$/;
/** TRACE shows credentials to scripts, CONNECT makes a tunnel, PRI is HTTP/2's preface. */
const METHODS_REFUSED: ReadonlySet<string> = new Set(['CONNECT', 'TRACE', 'TRACK', 'PRI']);
/** RFC 3986 §3.2.2: a name, an IPv4 address, or an IPv6 address in brackets; and a port. */
const AUTHORITY = /^(?<host>[A-Za-z0-9._~-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?$/;

/** Reads a head; the connection and its prefix are still part of the path. */
export function readRequestHead(raw: RawHead): HeadResult {
  const { method, target, rawFields } = raw;
  if (raw.version !== '1.1' && raw.version !== '2') return malformed('expected HTTP/1.1 or HTTP/2', 505);
  if (METHODS_REFUSED.has(method)) return malformed(`the method ${method} is not taken`, 405);
  if (!METHOD.test(method)) return malformed('its method is no token in capital letters');
  if (target.length > HTTP_LIMITS.targetBytesMax) return malformed('its target is too long', 414);
  const read = readFields(rawFields, raw.version, HTTP_LIMITS.fieldsMax);
  if (read.kind === 'malformed') {
    return malformed(read.reason, rawFields.length / 2 > HTTP_LIMITS.fieldsMax ? 431 : 400);
  }
  const { fields } = read;
  const authority = raw.version === '2' ? authorityOfHttp2(rawFields, fields) : valueOf(fields, 'host');
  const host = authority === undefined ? undefined : AUTHORITY.exec(authority)?.groups?.['host'];
  if (authority === undefined || host === undefined) return malformed('its authority is none, or not one');
  const normalised = normaliseTarget(target);
  if (normalised.kind === 'malformed') return malformed(normalised.reason);
  const { path, query } = normalised;
  return { kind: 'head', method, path, query, hostName: host.toLowerCase(), authority, fields };
}

/** `:authority` is needed, `:scheme` is the one of the connection, and a Host beside it says the same. */
function authorityOfHttp2(raw: readonly string[], fields: HttpFields): string | undefined {
  const pseudo = new Map<string, string>();
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at] ?? '';
    if (!name.startsWith(':')) continue;
    if (pseudo.has(name) || !PSEUDO_FIELDS.has(name)) return undefined;
    pseudo.set(name, raw[at + 1] ?? '');
  }
  if (pseudo.get(':scheme') !== 'https') return undefined;
  const hosts = valuesOf(fields, 'host');
  const authority = pseudo.get(':authority') ?? (hosts.length === 1 ? hosts[0] : undefined);
  return hosts.every((host) => host === authority) ? authority : undefined;
}

/** Without `:protocol`: extended CONNECT is not offered. */
const PSEUDO_FIELDS: ReadonlySet<string> = new Set([':method', ':scheme', ':authority', ':path']);

function malformed(
  reason: string,
  status: Extract<HeadResult, { readonly kind: 'malformed' }>['status'] = 400,
): HeadResult {
  return { kind: 'malformed', reason, status };
}
