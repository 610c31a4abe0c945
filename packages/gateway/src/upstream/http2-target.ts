/**
 * A target over TLS, and requests to it over HTTP/2.
 *
 * Spec: RFC 9113 §8, RFC 7301. Refused: server push; a certificate that does not verify.
 * Untrusted: every byte from the target.
 */

import {
  connect as connectHttp2,
  constants,
  type ClientHttp2Session,
  type OutgoingHttpHeaders,
} from 'node:http2';
import { connect as connectTls, type PeerCertificate, type TLSSocket } from 'node:tls';
import { HTTP_LIMITS as LIMITS } from '../core/http-limits.ts';
import { reasonOf } from '../core/errors.ts';
import type { HttpFields } from '../core/http-message.ts';
import {
  authorityOf,
  failed,
  type HttpTarget,
  type UpstreamAnswer,
  type UpstreamExchange,
  type UpstreamRequest,
} from './http-exchange.ts';

/** A socket whose certificate is verified; rejects with UPSTREAM_FAILED. */
export function connectTlsTarget(target: HttpTarget, protocols: string[]): Promise<TLSSocket> {
  const { host, port, tls, ca } = target;
  return new Promise((resolve, reject) => {
    const socket = connectTls({
      host,
      port,
      ...(isAddress(host) ? {} : { servername: host }),
      ...(ca === undefined ? {} : { ca }),
      minVersion: 'TLSv1.2',
      ALPNProtocols: protocols,
      rejectUnauthorized: true,
      ...(tls === 'verify-ca' ? { checkServerIdentity: acceptAnyName } : {}),
    });
    const late = setTimeout(() => {
      socket.destroy(new Error(`no connection within ${LIMITS.upstreamConnectTimeoutMs} ms`));
    }, LIMITS.upstreamConnectTimeoutMs);
    // Who owns the socket changes; an error between two owners must not end the process.
    socket.on('error', (error) => {
      clearTimeout(late);
      reject(failed(target, reasonOf(error), error));
    });
    socket.once('close', () => {
      clearTimeout(late);
      reject(failed(target, 'it closed the connection'));
    });
    socket.once('secureConnect', () => {
      clearTimeout(late);
      socket.setNoDelay(true);
      resolve(socket);
    });
  });
}

/** HTTP/2 on a socket for which ALPN has chosen it. */
export function sessionOver(socket: TLSSocket, target: HttpTarget): ClientHttp2Session {
  const session = connectHttp2(`https://${authorityOf(target)}`, {
    createConnection: () => socket,
    settings: { enablePush: false },
    maxHeaderListPairs: LIMITS.fieldsMax * 2,
  });
  // What it fails with, each of its streams says too.
  session.on('error', () => undefined);
  session.setTimeout(LIMITS.upstreamSilenceMs, () => session.close());
  // One that nobody uses must not keep the process alive.
  session.unref();
  return session;
}

/** Begins a request on a session. */
export function requestOverHttp2(
  session: ClientHttp2Session,
  target: HttpTarget,
  request: UpstreamRequest,
): UpstreamExchange {
  const headers: OutgoingHttpHeaders = {
    ':method': request.method,
    ':path': request.path,
    ':scheme': 'https',
    ':authority': authorityOf(target),
  };
  for (const [name, value] of request.fields) addField(headers, name, value);
  if (typeof request.content === 'number') headers['content-length'] = String(request.content);
  const hasContent = request.content !== 'none';
  const stream = session.request(headers, { endStream: !hasContent, waitForTrailers: hasContent });
  let trailers: HttpFields = [];
  stream.on('wantTrailers', () => stream.sendTrailers(Object.fromEntries(trailers)));
  stream.setTimeout(LIMITS.upstreamSilenceMs, () => stream.close(constants.NGHTTP2_CANCEL));
  const answer = new Promise<UpstreamAnswer>((resolve, reject) => {
    let received: HttpFields = [];
    stream.on('trailers', (_headers, _flags, raw: string[]) => {
      received = pairsWithoutPseudo(raw);
    });
    stream.once('response', (head, _flags, raw: string[]) => {
      resolve({
        version: '2',
        status: head[':status'] ?? 502,
        fields: pairsWithoutPseudo(raw),
        content: stream,
        trailers: () => received,
        upgraded: undefined,
      });
    });
    stream.on('error', (error) => reject(failed(target, reasonOf(error), error)));
    stream.once('close', () => reject(failed(target, 'it closed the stream without an answer')));
  });
  answer.catch(() => undefined);
  return {
    content: stream,
    answer,
    trailers: (fields) => {
      trailers = fields;
    },
    destroy: () => {
      if (!stream.destroyed) stream.close(constants.NGHTTP2_CANCEL);
    },
  };
}

function addField(headers: OutgoingHttpHeaders, name: string, value: string): void {
  const before = headers[name];
  if (before === undefined) headers[name] = value;
  else headers[name] = [...(Array.isArray(before) ? before : [String(before)]), value];
}

function pairsWithoutPseudo(raw: readonly string[]): HttpFields {
  return raw.flatMap((name, at): (readonly [string, string])[] =>
    at % 2 === 0 && !name.startsWith(':') ? [[name.toLowerCase(), raw[at + 1] ?? '']] : [],
  );
}

/** `verify-ca` checks the chain and not the name. */
function acceptAnyName(_host: string, _certificate: PeerCertificate): undefined {
  return undefined;
}

function isAddress(host: string): boolean {
  return /^[0-9.]+$/.test(host) || host.includes(':');
}
