/**
 * The memory that held requests take together, and what of it one principal and one connection may have.
 *
 * Whoever holds little may always have a little more: a part of all is kept for them, so that others who hold
 * much do not turn them away. What a request needs alone and never gets is refused for good.
 */

import { CountersignError } from '../../core/errors.ts';
import { HTTP_LIMITS as LIMITS } from '../../core/http-limits.ts';
import { HTTP_SHARE_LIMITS as SHARES } from '../../core/http-share-limits.ts';

/** What one request takes from and gives back to. */
export interface ContentShare {
  /** Throws HTTP_CONTENT_SHARE, or LIMIT_EXCEEDED for what would never fit; then nothing was taken. */
  take(bytes: number): void;
  give(bytes: number): void;
}

/** Bytes of all requests that are held at once. Owned by the gate. */
export class ContentBudget {
  #bytes = 0;
  readonly #perPrincipal = new Map<string, number>();
  readonly #perConnection = new Map<string, number>();

  get bytes(): number {
    return this.#bytes;
  }

  /** Principals and connections that hold something; nothing is kept of any other. */
  get owners(): number {
    return this.#perPrincipal.size + this.#perConnection.size;
  }

  /** @param principal its id */
  shareOf(principal: string, connection: string): ContentShare {
    return {
      take: (bytes) => this.#take(principal, connection, bytes),
      give: (bytes) => {
        this.#bytes -= bytes;
        add(this.#perPrincipal, principal, -bytes);
        add(this.#perConnection, connection, -bytes);
      },
    };
  }

  #take(principal: string, connection: string, bytes: number): void {
    const own = this.#perPrincipal.get(principal) ?? 0;
    checkShare(own, bytes, SHARES.principalBytesMax, 'you');
    const isSmall = own + bytes <= SHARES.smallBytesMax;
    const ofConnection = this.#perConnection.get(connection) ?? 0;
    // Two who hold much on a connection must not turn away who holds little on it.
    if (!isSmall) checkShare(ofConnection, bytes, SHARES.connectionBytesMax, `connection "${connection}"`);
    const allowed = LIMITS.heldContentTotalBytesMax - (isSmall ? 0 : SHARES.reservedBytes);
    checkShare(this.#bytes, bytes, allowed, 'everybody');
    this.#bytes += bytes;
    add(this.#perPrincipal, principal, bytes);
    add(this.#perConnection, connection, bytes);
  }
}

function checkShare(held: number, bytes: number, allowed: number, whose: string): void {
  if (held + bytes <= allowed) return;
  if (bytes > allowed) {
    const limit = 'http.heldContent';
    throw new CountersignError('LIMIT_EXCEEDED', { limit, allowed, actual: bytes });
  }
  throw new CountersignError('HTTP_CONTENT_SHARE', { whose, held, allowed, needed: bytes });
}

function add(counts: Map<string, number>, key: string, bytes: number): void {
  const left = (counts.get(key) ?? 0) + bytes;
  if (left === 0) counts.delete(key);
  else counts.set(key, left);
}
