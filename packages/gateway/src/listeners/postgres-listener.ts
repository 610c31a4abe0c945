/**
 * The PostgreSQL port: sockets → TLS → login → session.
 *
 * Accepting never waits for anybody: each socket has its own dialogue with its own deadline, so that
 * a thousand silent sockets delay no login.
 */

import { createServer, type Server, type Socket } from 'node:net';
import { CountersignError, reasonOf, toCountersignError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { Strangers } from '../core/strangers.ts';
import { encodeErrorResponse } from '../protocols/postgres/encode.ts';
import { encodeProtocol2Error, isBeforeProtocol3 } from '../protocols/postgres/startup.ts';
import type { LiveSessions } from '../session/live-sessions.ts';
import { ClientLeft, ClientSocket, ClosedInSilence, type ListenerTls } from './client-socket.ts';
import { login, type LoggedIn, type WireIdentity } from './postgres-login.ts';

export interface PostgresListenerOptions {
  readonly host: string;
  readonly port: number;
  readonly tls: ListenerTls;
  readonly identity: WireIdentity;
  readonly sessions: LiveSessions;
  readonly randomBytes: (length: number) => Uint8Array;
  /** Runs a session on a client that is known; resolves when the session is over. */
  readonly runSession: (client: ClientSocket, who: LoggedIn) => Promise<void>;
  /** What went wrong with a socket, for the log. */
  readonly onError: (error: CountersignError, address: string) => void;
}

/** A listening port. */
export class PostgresListener {
  readonly #options: PostgresListenerOptions;
  readonly #server: Server;
  readonly #strangers = new Strangers(LIMITS.postgres.unauthenticatedSocketsMax);
  readonly #sockets = new Set<Socket>();
  #closing = false;

  constructor(options: PostgresListenerOptions) {
    this.#options = options;
    const keepAliveInitialDelay = LIMITS.postgres.keepAliveDelayMs;
    const sockets = { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay };
    this.#server = createServer(sockets, (socket) => {
      void this.#accept(socket);
    });
  }

  /** Binds; rejects when the port is taken. */
  listen(): Promise<{ readonly host: string; readonly port: number }> {
    const { host, port } = this.#options;
    return new Promise((resolve, reject) => {
      const refuse = (error: Error): void => {
        const reason = `the PostgreSQL listener cannot listen on ${host}:${port} (${reasonOf(error)})`;
        reject(new CountersignError('CONFIG_INVALID', { reason }, { cause: error }));
      };
      this.#server.once('error', refuse);
      this.#server.listen(port, host, () => {
        this.#server.off('error', refuse);
        this.#server.on('error', (error) => this.#options.onError(toCountersignError(error), ''));
        const address = this.#server.address();
        resolve({
          host,
          port: typeof address === 'object' && address ? address.port : 0,
        });
      });
    });
  }

  /** Takes no more clients; those that have not logged in are closed. */
  async close(): Promise<void> {
    this.#closing = true;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#strangers.destroy();
    await closed;
  }

  /** After the sessions were ended: whatever is still open goes, so that {@link close} comes to its end. */
  dropAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async #accept(socket: Socket): Promise<void> {
    // A socket without a listener for 'error' would end the process.
    socket.on('error', () => undefined);
    const { remoteAddress: address } = socket;
    // Who has reset has no address any more, and yet what they sent before could be read: no rule would reach them.
    if (address === undefined) {
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    this.#strangers.add(socket, address);
    socket.once('close', () => this.#strangers.remove(socket, address));
    const client = new ClientSocket(socket);
    const deadline = setTimeout(() => socket.destroy(), LIMITS.postgres.loginTimeoutMs);
    try {
      const who = await this.#introduce(client);
      clearTimeout(deadline);
      if (who === undefined) {
        this.#sayGoodbye(client.socket, undefined);
        return;
      }
      this.#strangers.remove(socket, address);
      await this.#options.runSession(client, who);
    } catch (thrown) {
      this.#refuse(client, toCountersignError(thrown), address);
    } finally {
      clearTimeout(deadline);
    }
  }

  /** Who the client is; nothing when it only came to cancel. */
  async #introduce(client: ClientSocket): Promise<LoggedIn | undefined> {
    const { tls, identity, sessions, randomBytes } = this.#options;
    const packet = await client.negotiate(tls);
    if (packet.kind === 'CancelRequest') {
      // PostgreSQL gives no answer to a cancel request, so that guessing learns nothing.
      sessions.findByCancelKey(packet.processId, packet.secretKey)?.cancel(client.socket.remoteAddress ?? '');
      return undefined;
    }
    if (packet.kind !== 'StartupMessage') return undefined;
    if (tls.mode === 'required' && client.tlsVersion === undefined) {
      throw new CountersignError('TLS_REQUIRED');
    }
    if (this.#closing) throw new CountersignError('SHUTTING_DOWN');
    return login(client, packet, identity, randomBytes);
  }

  #refuse(client: ClientSocket, error: CountersignError, address: string): void {
    if (!(error instanceof ClientLeft)) this.#options.onError(error, address);
    const { socket } = client;
    if (socket.destroyed) return;
    if (error instanceof ClosedInSilence) this.#sayGoodbye(socket, undefined);
    else {
      const lastWords = isBeforeProtocol3(error)
        ? encodeProtocol2Error(error)
        : encodeErrorResponse(error, 'FATAL');
      this.#sayGoodbye(socket, lastWords);
    }
  }

  /** The peer may never close its side. */
  #sayGoodbye(socket: Socket, lastWords: Uint8Array | undefined): void {
    if (socket.writable) {
      if (lastWords === undefined) socket.end();
      else socket.end(lastWords);
    }
    socket.resume();
    setTimeout(() => socket.destroy(), LIMITS.postgres.farewellMs).unref();
  }
}
