/**
 * The HTTP port: sockets → TLS → HTTP/1.1 or HTTP/2 → requests.
 *
 * Spec: RFC 9112, RFC 9113, RFC 7301. TLS and plain HTTP share the port where TLS is optional: a handshake
 * begins with a byte with which no request does. HTTP/2 needs TLS.
 * Untrusted: every byte. Accepting never waits for anybody.
 */

import {
  createServer as createHttp1,
  type IncomingMessage,
  ServerResponse,
  type Server as Http1Server,
} from 'node:http';
import {
  createServer as createHttp2,
  type Http2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from 'node:http2';
import { createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { CountersignError, reasonOf, toCountersignError } from '../core/errors.ts';
import { HTTP_LIMITS as LIMITS } from '../core/http-limits.ts';
import { LIMITS as COMMON } from '../core/limits.ts';
import { Strangers } from '../core/strangers.ts';
import type { ClientRequest, HttpPeer } from '../session/http/http-ports.ts';
import type { HttpGate } from '../session/http/http-gate.ts';
import type { ListenerTls } from './client-socket.ts';
import { http1Answer, http2Answer } from './http-answer.ts';

export interface HttpListenerOptions {
  readonly host: string;
  readonly port: number;
  readonly tls: ListenerTls;
  readonly gate: HttpGate;
  /** What went wrong with a socket, for the log. */
  readonly onError: (error: CountersignError, address: string) => void;
}

/** First byte of a TLS record that holds a handshake, RFC 8446 §5.1. */
const TLS_HANDSHAKE = 0x16;

/** What is known of a socket before its requests. */
interface Origin {
  readonly address: string;
  readonly port: number;
  readonly tls: string;
  readonly serverName: string | undefined;
  readonly known: () => void;
}

/** A listening port. */
export class HttpListener {
  readonly #options: HttpListenerOptions;
  readonly #server: Server;
  readonly #http1: Http1Server;
  readonly #http2: Http2Server;
  readonly #strangers = new Strangers(LIMITS.strangersMax);
  readonly #sockets = new Set<Socket>();
  readonly #http2Sessions = new Set<ServerHttp2Session>();
  readonly #origins = new WeakMap<object, Origin>();
  /** By address and port, for HTTP/2: its sessions do not give out their sockets. */
  readonly #byPeer = new Map<string, Origin>();
  readonly #openStreams = new WeakMap<object, number>();
  /** Sockets that have sent a request. */
  readonly #spoken = new WeakSet<Duplex>();
  #closing = false;

  constructor(options: HttpListenerOptions) {
    this.#options = options;
    const keepAliveInitialDelay = COMMON.postgres.keepAliveDelayMs;
    this.#server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay }, (socket) => {
      this.#accept(socket);
    });
    this.#server.maxConnections = LIMITS.socketsMax;
    this.#http1 = this.#makeHttp1();
    this.#http2 = this.#makeHttp2();
  }

  /** Binds; rejects when the port is taken. */
  listen(): Promise<{ readonly host: string; readonly port: number }> {
    const { host, port } = this.#options;
    return new Promise((resolve, reject) => {
      const refuse = (error: Error): void => {
        const reason = `the HTTP listener cannot listen on ${host}:${port} (${reasonOf(error)})`;
        reject(new CountersignError('CONFIG_INVALID', { reason }, { cause: error }));
      };
      this.#server.once('error', refuse);
      this.#server.listen(port, host, () => {
        this.#server.off('error', refuse);
        this.#server.on('error', (error) => this.#options.onError(toCountersignError(error), ''));
        const address = this.#server.address();
        resolve({ host, port: typeof address === 'object' && address ? address.port : 0 });
      });
    });
  }

  /** Takes no more clients; those that have shown no token are closed. */
  async close(): Promise<void> {
    this.#closing = true;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#strangers.destroy();
    for (const session of this.#http2Sessions) session.close();
    this.#http1.closeIdleConnections();
    await closed;
  }

  /** After the sessions were ended: whatever is still open goes, so that {@link close} comes to its end. */
  dropAll(): void {
    for (const session of this.#http2Sessions) session.destroy();
    for (const socket of this.#sockets) socket.destroy();
  }

  #accept(socket: Socket): void {
    const { tls } = this.#options;
    const { remoteAddress: address } = socket;
    // A socket without a listener for 'error' would end the process.
    socket.on('error', () => undefined);
    // Who has reset has no address any more, and yet what they sent before could be read: no rule would reach them.
    if (address === undefined) {
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    this.#strangers.add(socket, address);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      this.#strangers.remove(socket, address);
    });
    if (this.#closing) {
      socket.destroy();
      return;
    }
    const deadline = setTimeout(() => socket.destroy(), LIMITS.handshakeTimeoutMs);
    socket.once('close', () => clearTimeout(deadline));
    const known = (): void => this.#strangers.remove(socket, address);
    if (tls.mode === 'off') {
      clearTimeout(deadline);
      this.#begin(socket, socket, 'none', known);
      return;
    }
    socket.once('data', (first: Buffer) => {
      socket.pause();
      socket.unshift(first);
      if (first[0] === TLS_HANDSHAKE) this.#handshake(socket, known, deadline);
      else {
        clearTimeout(deadline);
        if (tls.mode === 'required') this.#refusePlain(socket);
        else this.#begin(socket, socket, 'none', known);
      }
    });
  }

  #handshake(socket: Socket, known: () => void, deadline: NodeJS.Timeout): void {
    const { context: secureContext } = this.#options.tls;
    if (secureContext === undefined) {
      socket.destroy();
      return;
    }
    const secure = new TLSSocket(socket, {
      isServer: true,
      secureContext,
      ALPNProtocols: ['h2', 'http/1.1'],
      requestCert: false,
    });
    secure.on('error', () => socket.destroy());
    secure.once('secure', () => {
      clearTimeout(deadline);
      // Node's own servers say so here; HTTP/2 waits for it.
      Reflect.set(secure, 'secureConnecting', false);
      this.#begin(secure, socket, secure.getProtocol() ?? 'TLS', known);
    });
  }

  /** Plain HTTP where TLS is required: one sentence in the clear, and nothing is read. */
  #refusePlain(socket: Socket): void {
    socket.end(rawAnswer(426, 'This port speaks TLS only.', 'Upgrade: TLS/1.3\r\n'));
    socket.resume();
    setTimeout(() => socket.destroy(), COMMON.postgres.farewellMs).unref();
  }

  #begin(stream: Socket | TLSSocket, socket: Socket, tls: string, known: () => void): void {
    const serverName = stream instanceof TLSSocket ? servernameOf(stream) : undefined;
    const origin: Origin = {
      address: socket.remoteAddress ?? '',
      port: socket.remotePort ?? 0,
      tls,
      serverName,
      known,
    };
    this.#origins.set(stream, origin);
    const peer = `${origin.address} ${origin.port}`;
    this.#byPeer.set(peer, origin);
    socket.once('close', () => {
      if (this.#byPeer.get(peer) === origin) this.#byPeer.delete(peer);
    });
    const isHttp2 = stream instanceof TLSSocket && stream.alpnProtocol === 'h2';
    if (isHttp2) this.#http2.emit('connection', stream);
    else {
      this.#http1.emit('connection', stream);
      // It was paused for the look at its first byte.
      if (stream === socket) process.nextTick(() => socket.resume());
    }
  }

  #makeHttp1(): Http1Server {
    const server = createHttp1({
      insecureHTTPParser: false,
      maxHeaderSize: LIMITS.headBytesMax,
      headersTimeout: LIMITS.headTimeoutMs,
      // Contents have deadlines of their own: a large one may take as long as it moves.
      requestTimeout: 0,
      keepAliveTimeout: LIMITS.keepAliveMs,
      connectionsCheckingInterval: LIMITS.timeoutCheckMs,
      shouldUpgradeCallback: isWebSocket,
    });
    // Node drops fields beyond this in silence; more than are allowed are refused (request-head.ts).
    server.maxHeadersCount = 0;
    // Deadlines of heads are kept by a timer that Node starts with listening, and this server never listens itself.
    server.emit('listening');
    const take = (request: IncomingMessage, response: ServerResponse): void => {
      this.#takeHttp1(request, response, undefined, undefined);
    };
    server.on('request', take);
    server.on('checkContinue', (request, response) => {
      this.#takeHttp1(request, response, () => response.writeContinue(), undefined);
    });
    server.on('upgrade', (request, socket, head) => this.#takeUpgrade(request, socket, head));
    server.on('connect', (_request, socket: Duplex) => {
      socket.end(rawAnswer(405, 'The method CONNECT is not taken.'));
    });
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => this.#clientError(error, socket));
    return server;
  }

  #makeHttp2(): Http2Server {
    const server = createHttp2({
      settings: {
        maxConcurrentStreams: LIMITS.streamsMax,
        enableConnectProtocol: false,
        maxHeaderListSize: LIMITS.headBytesMax,
      },
      maxSessionMemory: LIMITS.http2SessionMegabytes,
      // Pseudo-fields are pairs too.
      maxHeaderListPairs: LIMITS.fieldsMax + 8,
      streamResetBurst: LIMITS.resetsBurst,
      streamResetRate: LIMITS.resetsPerSecond,
      unknownProtocolTimeout: LIMITS.handshakeTimeoutMs,
    });
    server.on('session', (session) => {
      this.#http2Sessions.add(session);
      const { remoteAddress = '', remotePort = 0 } = session.socket;
      const origin = this.#byPeer.get(`${remoteAddress} ${remotePort}`);
      session.on('error', () => undefined);
      // It was reset, as in #accept: what it sent is nobody's.
      if (origin === undefined) {
        session.destroy();
        return;
      }
      this.#origins.set(session, origin);
      session.once('close', () => this.#http2Sessions.delete(session));
      session.setTimeout(LIMITS.keepAliveMs, () => {
        // A stream that is quiet for long is not idle: it may wait for people, or be a stream of events.
        if ((this.#openStreams.get(session) ?? 0) === 0) session.close();
      });
    });
    const openStreams = this.#openStreams;
    server.on('stream', (stream) => {
      const { session } = stream;
      stream.on('error', () => undefined);
      if (session === undefined) return;
      openStreams.set(session, (openStreams.get(session) ?? 0) + 1);
      stream.once('close', () => openStreams.set(session, (openStreams.get(session) ?? 1) - 1));
    });
    server.on('request', (request, response) => this.#takeHttp2(request, response, undefined));
    server.on('checkContinue', (request, response) => {
      this.#takeHttp2(request, response, () => response.writeContinue());
    });
    server.on('sessionError', () => undefined);
    return server;
  }

  #takeHttp1(
    request: IncomingMessage,
    response: ServerResponse,
    sayContinue: (() => void) | undefined,
    upgrade: ClientRequest['upgrade'],
  ): void {
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    const origin = this.#originOf(request.socket);
    this.#spoken.add(request.socket);
    this.#take({
      head: {
        version: request.httpVersion,
        method: request.method ?? '',
        target: request.url ?? '',
        rawFields: request.rawHeaders,
      },
      version: '1.1',
      peer: peerOf(origin),
      serverName: origin.serverName,
      content: request,
      endsWithHead: false,
      answer: http1Answer(response),
      rawTrailers: () => request.rawTrailers,
      sayContinue: once(sayContinue),
      upgrade,
      known: origin.known,
      onGone: onGone(response, () => response.writableFinished),
    });
  }

  #takeHttp2(
    request: Http2ServerRequest,
    response: Http2ServerResponse,
    sayContinue: (() => void) | undefined,
  ): void {
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    const { stream } = request;
    const origin = stream.session === undefined ? undefined : this.#origins.get(stream.session);
    if (origin === undefined) {
      stream.destroy();
      return;
    }
    const target = request.headers[':path'] ?? '';
    this.#take({
      head: { version: '2', method: request.method, target, rawFields: request.rawHeaders },
      version: '2',
      peer: peerOf(origin),
      serverName: origin.serverName,
      content: request,
      endsWithHead: stream.endAfterHeaders,
      answer: http2Answer(response),
      rawTrailers: () => request.rawTrailers,
      sayContinue: once(sayContinue),
      upgrade: undefined,
      known: origin.known,
      onGone: onGone(stream, () => stream.writableFinished || response.writableFinished),
    });
  }

  #takeUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => undefined);
    const response = new ServerResponse(request);
    // Anything but a 101 is an ordinary answer, and the connection ends behind it.
    try {
      if (!(socket instanceof TLSSocket || isSocket(socket))) throw new TypeError('no socket of its own');
      // Throws where a request before it on the same connection has no answer yet.
      response.assignSocket(socket);
    } catch {
      socket.destroy();
      return;
    }
    response.shouldKeepAlive = false;
    response.once('finish', () => socket.end());
    this.#takeHttp1(request, response, undefined, { socket, head });
  }

  #take(request: ClientRequest): void {
    if (this.#closing) {
      request.answer.closeAfter();
      request.answer.head(503, [['content-length', '0']], false);
      request.answer.body.end();
      return;
    }
    void this.#options.gate.handle(request);
  }

  #clientError(error: NodeJS.ErrnoException, socket: Duplex): void {
    const { code = '' } = error;
    const status = code === 'HPE_HEADER_OVERFLOW' ? 431 : code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400;
    // A connection that was reset has said nothing that would be worth a leaf.
    if (code !== 'ECONNRESET') {
      this.#options.gate.stranger(peerOf(this.#originOf(socket)), `it is no HTTP/1.1 (${code})`);
    }
    // Behind a request whose answer is its own, a second answer would be taken for that of another.
    if (this.#spoken.has(socket)) socket.end();
    else if (socket.writable && !socket.destroyed)
      socket.end(rawAnswer(status, 'The request is malformed; nothing was forwarded.'));
    else socket.destroy();
    setTimeout(() => socket.destroy(), COMMON.postgres.farewellMs).unref();
  }

  #originOf(stream: Duplex): Origin {
    return this.#origins.get(stream) ?? NOWHERE;
  }
}

const NOWHERE: Origin = { address: '', port: 0, tls: 'none', serverName: undefined, known: () => undefined };

function peerOf({ address, port, tls }: Origin): HttpPeer {
  return { address, port, tls, client: '' };
}

function servernameOf(socket: TLSSocket): string | undefined {
  const name: unknown = Reflect.get(socket, 'servername');
  return typeof name === 'string' && name !== '' ? name.toLowerCase() : undefined;
}

function isSocket(stream: Duplex): stream is Socket {
  return 'remoteAddress' in stream;
}

function once(callback: (() => void) | undefined): (() => void) | undefined {
  let done = false;
  if (callback === undefined) return undefined;
  return () => {
    if (!done) callback();
    done = true;
  };
}

/** The answer's stream closes early, or behind its end. */
function onGone(stream: NodeJS.EventEmitter, isComplete: () => boolean): ClientRequest['onGone'] {
  return (callback) => {
    stream.once('close', () => {
      if (!isComplete()) callback();
    });
  };
}

/** For what has no response of Node's. */
function rawAnswer(status: number, message: string, fields = ''): string {
  const body = JSON.stringify({ message, detail: message, status, error: { type: 'countersign', message } });
  return `HTTP/1.1 ${status} ${REASONS[status] ?? 'Error'}\r\n${fields}Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`;
}

const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  426: 'Upgrade Required',
  431: 'Request Header Fields Too Large',
};

/** RFC 6455 §4.1: a GET without a content; with one it is an ordinary request, and the upgrade is dropped. */
function isWebSocket({ method, headers }: IncomingMessage): boolean {
  return (
    headers.upgrade?.toLowerCase() === 'websocket' &&
    method === 'GET' &&
    headers['content-length'] === undefined &&
    headers['transfer-encoding'] === undefined
  );
}
