/**
 * The sessions that are open now: who may be ended, and which cancel key belongs to whom.
 *
 * The one owner of cancel keys. A key is the gateway's own (PostgreSQL 18, "Canceling Requests in
 * Progress"), never the target's, so that a client cannot cancel on a backend that is not its own.
 */

import { timingSafeEqual } from 'node:crypto';
import { CountersignError } from '../core/errors.ts';
import type { SessionId } from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';
import type { Principal } from '../core/principal.ts';

/** What ended a session from outside. */
export interface EndReason {
  /** For people and for the leaf, for example `disabled by ana`. */
  readonly reason: string;
  /** What went wrong in the gateway, where that is why: its client hears of that error. */
  readonly error?: CountersignError;
}

export interface LiveSession {
  readonly id: SessionId;
  readonly principal: Principal;
  readonly tokenId: string;
  readonly connection: string;
  /** Name of the Access resource that let it in. */
  readonly access: string;
  readonly database: string;
  readonly address: string;
  readonly startedUs: number;
  /** Ends the session at once: the client gets an error, both sockets close, the leaf is written. */
  end(reason: EndReason): void;
  /** Ends the session when nothing that it was asked for is running or waiting any more. */
  endWhenIdle(reason: EndReason): void;
  /** Cancels the statement that is running, if one is. */
  cancel(address: string): void;
  /** Resolves when the last leaf of the session is durable. */
  readonly closed: Promise<void>;
}

export interface CancelKey {
  readonly processId: number;
  readonly secret: Uint8Array;
}

interface Entry {
  readonly session: LiveSession;
  readonly key: CancelKey;
}

/** The registry of open sessions. */
export class LiveSessions {
  readonly #byId = new Map<SessionId, Entry>();
  readonly #byProcessId = new Map<number, Entry>();
  /** Process ids handed out to sessions that are still being set up. */
  readonly #reserved = new Set<number>();
  #closed = false;

  get count(): number {
    return this.#byId.size;
  }

  /**
   * A cancel key that no open session has.
   *
   * @param randomBytes gives so many random bytes
   */
  makeCancelKey(randomBytes: (length: number) => Uint8Array): CancelKey {
    if (this.#reserved.size >= LIMITS.postgres.sessionsMax) {
      throw new CountersignError('TOO_MANY_CONNECTIONS', {
        allowed: LIMITS.postgres.sessionsMax,
        what: 'sessions',
      });
    }
    for (;;) {
      const bytes = randomBytes(8);
      const view = new DataView(bytes.buffer, bytes.byteOffset, 8);
      // Clients read the process id as a signed integer; some take 0 for "none".
      const processId = view.getUint32(0) & 0x7fff_ffff;
      if (processId === 0 || this.#reserved.has(processId)) continue;
      this.#reserved.add(processId);
      return { processId, secret: bytes.slice(4, 8) };
    }
  }

  /** Takes no more sessions: one that is being opened when the gateway shuts down is refused at its end. */
  close(): void {
    this.#closed = true;
  }

  add(session: LiveSession, key: CancelKey): void {
    if (this.#closed) throw new CountersignError('SHUTTING_DOWN');
    const entry = { session, key };
    this.#byId.set(session.id, entry);
    this.#byProcessId.set(key.processId, entry);
  }

  /** Forgets a session, or a key whose session never came to be. */
  remove(key: CancelKey): void {
    const entry = this.#byProcessId.get(key.processId);
    this.#reserved.delete(key.processId);
    this.#byProcessId.delete(key.processId);
    if (entry !== undefined) this.#byId.delete(entry.session.id);
  }

  get(id: SessionId): LiveSession | undefined {
    return this.#byId.get(id)?.session;
  }

  list(): LiveSession[] {
    return [...this.#byId.values()].map((entry) => entry.session);
  }

  /** Ends every session that the predicate names; returns them. */
  endWhere(predicate: (session: LiveSession) => boolean, reason: EndReason): LiveSession[] {
    const ended = this.list().filter(predicate);
    for (const session of ended) session.end(reason);
    return ended;
  }

  /** The session of a cancel key, compared in constant time; nothing when the key is wrong. */
  findByCancelKey(processId: number, secret: Uint8Array): LiveSession | undefined {
    const entry = this.#byProcessId.get(processId);
    if (entry === undefined || entry.key.secret.length !== secret.length) return undefined;
    return timingSafeEqual(entry.key.secret, secret) ? entry.session : undefined;
  }
}
