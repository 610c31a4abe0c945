/**
 * The sessions that are open now: who may be ended, and which cancel key belongs to whom.
 *
 * The one owner of cancel keys. A key (PostgreSQL 18, "Canceling Requests in Progress") has the process
 * id that the target gave, which clients compare with pg_backend_pid() and with notifications, and a
 * secret of the gateway's own: the target's would cancel past the gateway. Two targets may give the
 * same process id; the secret tells their sessions apart.
 */

import { timingSafeEqual } from 'node:crypto';
import { CountersignError } from '../core/errors.ts';
import type { SessionId } from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';
import type { Principal } from '../core/principal.ts';
import { PROTOCOL_3_2 } from '../protocols/postgres/messages.ts';

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

/** A place among the sessions that may be open at once, from before the target is asked. */
export interface SessionPlace {
  /** Set when the session is in the registry. */
  entry: Entry | undefined;
}

interface Entry {
  readonly session: LiveSession;
  readonly key: CancelKey;
}

/** The registry of open sessions. */
export class LiveSessions {
  readonly #byId = new Map<SessionId, Entry>();
  readonly #byProcessId = new Map<number, Set<Entry>>();
  readonly #places = new Set<SessionPlace>();
  #closed = false;

  get count(): number {
    return this.#byId.size;
  }

  /** Throws TOO_MANY_CONNECTIONS where no place is left. */
  takePlace(): SessionPlace {
    if (this.#places.size >= LIMITS.postgres.sessionsMax) {
      throw new CountersignError('TOO_MANY_CONNECTIONS', {
        allowed: LIMITS.postgres.sessionsMax,
        what: 'sessions',
      });
    }
    const place = { entry: undefined };
    this.#places.add(place);
    return place;
  }

  /** Takes no more sessions: one that is being opened when the gateway shuts down is refused at its end. */
  close(): void {
    this.#closed = true;
  }

  add(place: SessionPlace, session: LiveSession, key: CancelKey): void {
    if (this.#closed) throw new CountersignError('SHUTTING_DOWN');
    const entry = { session, key };
    place.entry = entry;
    this.#byId.set(session.id, entry);
    const same = this.#byProcessId.get(key.processId);
    if (same === undefined) this.#byProcessId.set(key.processId, new Set([entry]));
    else same.add(entry);
  }

  /** Forgets a session, or a place whose session never came to be. */
  remove(place: SessionPlace): void {
    this.#places.delete(place);
    const { entry } = place;
    if (entry === undefined) return;
    const { key, session } = entry;
    this.#byId.delete(session.id);
    const same = this.#byProcessId.get(key.processId);
    same?.delete(entry);
    if (same?.size === 0) this.#byProcessId.delete(key.processId);
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
    let found: LiveSession | undefined;
    // Every session of the process id is looked at, so that the time does not tell which one it was.
    for (const { session, key } of this.#byProcessId.get(processId) ?? []) {
      if (key.secret.length === secret.length && timingSafeEqual(key.secret, secret)) found = session;
    }
    return found;
  }
}

/**
 * The key that a client is shown.
 *
 * @param processId of the target's process; undefined where the target gave none
 * @param protocolVersion decides how long the secret is
 * @param randomBytes gives so many random bytes
 */
export function makeCancelKey(
  processId: number | undefined,
  protocolVersion: number,
  randomBytes: (length: number) => Uint8Array,
): CancelKey {
  const { cancelKeyBytes, cancelKeyBytesShort } = LIMITS.postgres;
  const length = protocolVersion >= PROTOCOL_3_2 ? cancelKeyBytes : cancelKeyBytesShort;
  return { processId: processId ?? mintProcessId(randomBytes), secret: randomBytes(length).slice() };
}

/** Clients read the process id as a signed integer; some take 0 for "none". */
function mintProcessId(randomBytes: (length: number) => Uint8Array): number {
  const bytes = randomBytes(4);
  const view = new DataView(bytes.buffer, bytes.byteOffset, 4);
  return (view.getUint32(0) & 0x7fff_ffff) | 1;
}
