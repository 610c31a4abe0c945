/**
 * The PostgreSQL port: sockets → TLS → login → session.
 *
 * Accepting never waits for anybody: each socket has its own dialogue with its own deadline, so that
 * a thousand silent sockets delay no login.
 */

import { createServer, type Server, type Socket } from 'node:net';
import { CountersignError, toCountersignError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { encodeErrorResponse } from '../protocols/postgres/encode.ts';
import type { LiveSessions } from '../session/live-sessions.ts';
import { ClientLeft, ClientSocket, type ListenerTls } from './client-socket.ts';
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
  /** Sockets that have not logged in yet. */
  readonly #strangers = new Set<Socket>();
  readonly #sockets = new Set<Socket>();
  #closing = false;

  constructor(options: PostgresListenerOptions) {
    this.#options = options;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      void this.#accept(socket);
    });
  }

  /** Binds; rejects when the port is taken. */
  listen(): Promise<{ readonly host: string; readonly port: number }> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#options.port, this.#options.host, () => {
        this.#server.off('error', reject);
        this.#server.on('error', (error) => this.#options.onError(toCountersignError(error), ''));
        const address = this.#server.address();
        resolve({
          host: this.#options.host,
          port: typeof address === 'object' && address ? address.port : 0,
        });
      });
    });
  }

  /** Takes no more clients; those that have not logged in are closed. */
  async close(): Promise<void> {
    this.#closing = true;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#strangers) socket.destroy();
    await closed;
  }

  /** After the sessions were ended: whatever is still open goes, so that {@link close} comes to its end. */
  dropAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async #accept(socket: Socket): Promise<void> {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    const address = socket.remoteAddress ?? '';
    // A socket without a listener for 'error' would end the process.
    socket.on('error', () => undefined);
    // The oldest gives way: whoever means to log in does so at once, and silence is no reason to stay.
    const [oldest] = this.#strangers;
    if (oldest !== undefined && this.#strangers.size >= LIMITS.postgres.unauthenticatedSocketsMax) {
      this.#strangers.delete(oldest);
      oldest.destroy();
    }
    this.#strangers.add(socket);
    const client = new ClientSocket(socket);
    const deadline = setTimeout(() => socket.destroy(), LIMITS.postgres.loginTimeoutMs);
    try {
      const who = await this.#introduce(client);
      clearTimeout(deadline);
      this.#strangers.delete(socket);
      if (who !== undefined) await this.#options.runSession(client, who);
    } catch (thrown) {
      this.#refuse(client, toCountersignError(thrown), address);
    } finally {
      clearTimeout(deadline);
      this.#strangers.delete(socket);
    }
  }

  /** Who the client is; nothing when it only came to cancel. */
  async #introduce(client: ClientSocket): Promise<LoggedIn | undefined> {
    const { tls, identity, sessions, randomBytes } = this.#options;
    const packet = await client.negotiate(tls);
    if (packet.kind === 'CancelRequest') {
      // PostgreSQL gives no answer to a cancel request, so that guessing learns nothing.
      sessions.findByCancelKey(packet.processId, packet.secretKey)?.cancel(client.socket.remoteAddress ?? '');
      client.socket.end();
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
    if (socket.writable) socket.end(encodeErrorResponse(error, 'FATAL'));
    // The peer may never close its side.
    socket.resume();
    setTimeout(() => socket.destroy(), LIMITS.postgres.farewellMs).unref();
  }
}
