/**
 * Requests to an HTTP target: verified TLS, HTTP/1.1 or HTTP/2 as the target prefers, sockets that are kept.
 *
 * Spec: RFC 9112, RFC 9113, RFC 7301 (ALPN). Redirects are answers like any other: nothing follows them.
 * A request is sent once: what breaks off is never sent again, because nobody knows whether it was done.
 * Untrusted: every byte from the target.
 */

import {
  Agent as PlainAgent,
  type ClientRequest,
  type IncomingMessage,
  request as requestPlain,
} from 'node:http';
import type { ClientHttp2Session } from 'node:http2';
import { Agent as TlsAgent, request as requestTls } from 'node:https';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { CountersignError, reasonOf } from '../core/errors.ts';
import { HTTP_INTERIM_LIMITS as INTERIM } from '../core/http-interim-limits.ts';
import { HTTP_LIMITS as LIMITS } from '../core/http-limits.ts';
import type { HttpFields } from '../core/http-message.ts';
import {
  authorityOf,
  failed,
  type HttpTarget,
  type UpstreamAnswer,
  type UpstreamExchange,
  type UpstreamRequest,
} from './http-exchange.ts';
import { connectTlsTarget, requestOverHttp2, sessionOver } from './http2-target.ts';

/** What is kept for one target. */
interface Kept {
  readonly agent: PlainAgent;
  /** Only of TLS. */
  readonly seeded: SeededAgent | undefined;
  session: ClientHttp2Session | undefined;
  /** What the target chose the last time. */
  protocol: 'h2' | 'http/1.1' | undefined;
  connecting: Promise<void> | undefined;
  /** Requests that have begun and not ended. */
  running: number;
}

/** Sockets to all targets; owned by the gateway. */
export class UpstreamPool {
  readonly #kept = new Map<string, Kept>();
  readonly #targetsMax: number;
  #closed = false;

  constructor(targetsMax: number = LIMITS.upstreamTargetsMax) {
    this.#targetsMax = targetsMax;
  }

  /**
   * Begins a request; rejects with UPSTREAM_FAILED where no connection can be had, and with TOO_MANY_CONNECTIONS
   * where requests run to as many other targets as there may be.
   */
  async begin(target: HttpTarget, request: UpstreamRequest): Promise<UpstreamExchange> {
    if (this.#closed) throw new CountersignError('SHUTTING_DOWN');
    const kept = this.#keptFor(target);
    kept.running += 1;
    try {
      const exchange = await this.#begin(target, kept, request);
      exchange.content.once('close', () => {
        kept.running -= 1;
      });
      return exchange;
    } catch (error) {
      kept.running -= 1;
      throw error;
    }
  }

  async #begin(target: HttpTarget, kept: Kept, request: UpstreamRequest): Promise<UpstreamExchange> {
    if (request.upgrade === undefined && (await this.#speaksHttp2(target, kept))) {
      const { session } = kept;
      if (session !== undefined) return requestOverHttp2(session, target, request);
    }
    return requestOverHttp1(target, request, kept.agent);
  }

  close(): void {
    this.#closed = true;
    for (const { agent, session } of this.#kept.values()) {
      agent.destroy();
      session?.destroy();
    }
    this.#kept.clear();
  }

  #keptFor(target: HttpTarget): Kept {
    const { host, port, tls, ca, version } = target;
    const key = JSON.stringify([host, port, tls, ca ?? '', version]);
    const known = this.#kept.get(key);
    if (known !== undefined) {
      // The first of the map is the one that was not used for longest.
      this.#kept.delete(key);
      this.#kept.set(key, known);
      return known;
    }
    if (this.#kept.size >= this.#targetsMax) this.#forgetOldest();
    const options = {
      keepAlive: true,
      maxSockets: LIMITS.upstreamSocketsMax,
      maxFreeSockets: LIMITS.upstreamIdleSocketsMax,
      scheduling: 'lifo' as const,
      timeout: LIMITS.upstreamIdleMs,
    };
    const seeded = tls === 'disable' ? undefined : new SeededAgent(target, options);
    const agent = seeded ?? new PlainAgent(options);
    const made: Kept = {
      agent,
      seeded,
      session: undefined,
      protocol: undefined,
      connecting: undefined,
      running: 0,
    };
    this.#kept.set(key, made);
    return made;
  }

  /** Of those to which nothing runs; what runs is never cut off for another target's sake. */
  #forgetOldest(): void {
    const oldest = [...this.#kept].find(([, { running }]) => running === 0);
    if (oldest === undefined) {
      const what = 'targets to which requests run';
      throw new CountersignError('TOO_MANY_CONNECTIONS', { allowed: this.#targetsMax, what });
    }
    const [key, { agent, seeded, session }] = oldest;
    this.#kept.delete(key);
    agent.destroy();
    seeded?.forgetSeed();
    session?.close();
  }

  /** ALPN says so, of a socket that is then used. */
  async #speaksHttp2(target: HttpTarget, kept: Kept): Promise<boolean> {
    if (target.tls === 'disable' || target.version === '1.1') return false;
    if (kept.protocol === 'http/1.1') return false;
    if (kept.session !== undefined && !kept.session.closed && !kept.session.destroyed) return true;
    kept.connecting ??= this.#choose(target, kept).finally(() => {
      kept.connecting = undefined;
    });
    await kept.connecting;
    return kept.session !== undefined;
  }

  async #choose(target: HttpTarget, kept: Kept): Promise<void> {
    const protocols = target.version === '2' ? ['h2'] : ['h2', 'http/1.1'];
    const socket = await connectTlsTarget(target, protocols);
    if (socket.alpnProtocol === 'h2') {
      const session = sessionOver(socket, target);
      kept.protocol = 'h2';
      kept.session = session;
      session.once('close', () => {
        if (kept.session === session) kept.session = undefined;
      });
      session.once('goaway', () => {
        if (kept.session === session) kept.session = undefined;
      });
      return;
    }
    if (target.version === '2') {
      socket.destroy();
      throw failed(target, 'it does not offer HTTP/2, and the connection asks for it');
    }
    kept.protocol = 'http/1.1';
    kept.seeded?.seed(socket);
  }
}

interface AgentOptions {
  readonly keepAlive: boolean;
  readonly maxSockets: number;
  readonly maxFreeSockets: number;
  readonly scheduling: 'lifo';
  readonly timeout: number;
}

/** An agent whose sockets are verified as the connection says, and whose first one may be there already. */
class SeededAgent extends TlsAgent {
  readonly #target: HttpTarget;
  #seed: TLSSocket | undefined;

  constructor(target: HttpTarget, options: AgentOptions) {
    super(options);
    this.#target = target;
  }

  seed(socket: TLSSocket): void {
    this.#seed = socket;
    socket.once('close', () => {
      if (this.#seed === socket) this.#seed = undefined;
    });
  }

  /** Nobody will use it. */
  forgetSeed(): void {
    this.#seed?.destroy();
  }

  override createConnection(
    _options: unknown,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): Duplex | null | undefined {
    const seed = this.#seed;
    this.#seed = undefined;
    if (seed !== undefined && !seed.destroyed) return seed;
    connectTlsTarget(this.#target, ['http/1.1']).then(
      (socket) => callback?.(null, socket),
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Node's own type knows no failure.
      (error: unknown) => callback?.(asError(error), undefined as unknown as Duplex),
    );
    return undefined;
  }
}

function requestOverHttp1(target: HttpTarget, request: UpstreamRequest, agent: PlainAgent): UpstreamExchange {
  const { method, path, content, upgrade } = request;
  const framing: [string, string][] =
    content === 'chunked'
      ? [['transfer-encoding', 'chunked']]
      : content === 'none'
        ? []
        : [['content-length', String(content)]];
  const headers: [string, string][] = [
    ['host', authorityOf(target)],
    ...request.fields.map(([name, value]): [string, string] => [name, value]),
    ...framing,
    ...(upgrade === undefined
      ? []
      : ([
          ['connection', 'Upgrade'],
          ['upgrade', upgrade],
        ] as [string, string][])),
  ];
  // POST without any content says so, or its target waits for some.
  if (content === 'none' && method !== 'GET' && method !== 'HEAD') headers.push(['content-length', '0']);
  const make = target.tls === 'disable' ? requestPlain : requestTls;
  const outgoing = make({
    host: target.host,
    port: target.port,
    method,
    path,
    agent,
    headers: headers.flat(),
    setHost: false,
    // From the first moment on: until it is connected, a socket would have the deadline of idle ones.
    timeout: LIMITS.upstreamSilenceMs,
    maxHeaderSize: LIMITS.answerHeadBytesMax,
    insecureHTTPParser: false,
  });
  outgoing.setNoDelay(true);
  watchConnecting(outgoing, target);
  const answer = answerOf(outgoing, target);
  answer.catch(() => undefined);
  return {
    content: outgoing,
    answer,
    trailers: (fields) => {
      if (content === 'chunked')
        outgoing.addTrailers(fields.map(([name, value]): [string, string] => [name, value]));
    },
    destroy: () => outgoing.destroy(),
  };
}

function answerOf(outgoing: ClientRequest, target: HttpTarget): Promise<UpstreamAnswer> {
  return new Promise((resolve, reject) => {
    outgoing.once('timeout', () => {
      outgoing.destroy(new Error(`it said nothing for ${LIMITS.upstreamSilenceMs / 1_000} s`));
    });
    let interim = 0;
    outgoing.on('information', () => {
      interim += 1;
      if (interim > INTERIM.answersMax) outgoing.destroy(new Error('it says 1xx without an end'));
    });
    // An error that nobody gets costs more than the rest of a small request.
    let isAnswered = false;
    const answered = (incoming: IncomingMessage, upgraded: UpstreamAnswer['upgraded']): void => {
      isAnswered = true;
      resolve(fromIncoming(incoming, upgraded));
    };
    outgoing.once('response', (incoming) => answered(incoming, undefined));
    outgoing.once('upgrade', (incoming, socket, head) => answered(incoming, { socket, head }));
    outgoing.on('error', (error) => {
      if (!isAnswered) reject(failed(target, reasonOf(error), error));
    });
    outgoing.once('close', () => {
      if (!isAnswered) reject(failed(target, 'it closed the connection without an answer'));
    });
  });
}

function fromIncoming(incoming: IncomingMessage, upgraded: UpstreamAnswer['upgraded']): UpstreamAnswer {
  // A broken answer is told by whoever reads it; nobody reads one that was given up.
  incoming.on('error', () => undefined);
  // Node takes its own listener off; without one, a reset would end the process.
  upgraded?.socket.on('error', () => undefined);
  return {
    version: '1.1',
    status: incoming.statusCode ?? 502,
    fields: pairs(incoming.rawHeaders),
    content: incoming,
    trailers: () => pairs(incoming.rawTrailers),
    upgraded,
  };
}

/** Node gives a flat list in the spelling of the wire. */
function pairs(raw: readonly string[]): HttpFields {
  const fields: (readonly [string, string])[] = [];
  for (let at = 0; at < raw.length; at += 2) fields.push([(raw[at] ?? '').toLowerCase(), raw[at + 1] ?? '']);
  return fields;
}

/** TLS has its own deadline, which begins with its socket. */
function watchConnecting(outgoing: ClientRequest, target: HttpTarget): void {
  if (target.tls !== 'disable') return;
  outgoing.once('socket', (socket) => {
    if (!socket.connecting) return;
    const late = setTimeout(
      () => outgoing.destroy(new Error(`no connection within ${LIMITS.upstreamConnectTimeoutMs} ms`)),
      LIMITS.upstreamConnectTimeoutMs,
    );
    const done = (): void => clearTimeout(late);
    socket.once('connect', done);
    socket.once('close', done);
  });
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
