/** A target of HTTP, a request to it, and its answer, whatever the version. */

import type { Duplex, Readable, Writable } from 'node:stream';
import { CountersignError } from '../core/errors.ts';
import type { HttpFields } from '../core/http-message.ts';
import type { HttpCredential } from './http-credential.ts';

/** How a target is reached; resolved from a Connection resource. */
export interface HttpTarget {
  /** Name of the connection, for messages. */
  readonly connection: string;
  readonly host: string;
  readonly port: number;
  /** In front of every path; empty, or begins with a slash and ends without one. */
  readonly prefix: string;
  readonly tls: 'verify-full' | 'verify-ca' | 'disable';
  /** PEM certificates to trust instead of the system's. */
  readonly ca: string | undefined;
  /** `auto`: HTTP/2 where the target offers it by ALPN. */
  readonly version: 'auto' | '1.1' | '2';
  readonly credential: HttpCredential;
}

export interface UpstreamRequest {
  readonly method: string;
  /** Path and query as they are sent. */
  readonly path: string;
  /** Without Host, and without what frames the content. */
  readonly fields: HttpFields;
  /** Bytes of the content, `chunked` where nobody knows, `none` where there is none at all. */
  readonly content: number | 'chunked' | 'none';
  /** Asks for another protocol, which only HTTP/1.1 has. */
  readonly upgrade: string | undefined;
}

export interface UpstreamAnswer {
  readonly version: '1.1' | '2';
  readonly status: number;
  /** Every field of the target. */
  readonly fields: HttpFields;
  readonly content: Readable;
  /** There when the content has ended. */
  trailers(): HttpFields;
  /** Where the target has taken up the other protocol. */
  readonly upgraded: { readonly socket: Duplex; readonly head: Uint8Array } | undefined;
}

export interface UpstreamExchange {
  /** Takes the content. */
  readonly content: Writable;
  /** Rejects with UPSTREAM_FAILED. */
  readonly answer: Promise<UpstreamAnswer>;
  /** Behind the content, before it ends. */
  trailers(fields: HttpFields): void;
  destroy(): void;
}

/** `host:port`, without the port that the scheme means anyway. */
export function authorityOf({ host, port, tls }: Pick<HttpTarget, 'host' | 'port' | 'tls'>): string {
  const name = host.includes(':') ? `[${host}]` : host;
  return port === (tls === 'disable' ? 80 : 443) ? name : `${name}:${port}`;
}

export function failed({ connection }: HttpTarget, reason: string, cause?: unknown): CountersignError {
  return new CountersignError('UPSTREAM_FAILED', { connection, reason }, { cause });
}
