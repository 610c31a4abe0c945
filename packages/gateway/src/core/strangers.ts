/**
 * Sockets whose owner is not known, or is being told goodbye: how many there are, and who gives way.
 *
 * A socket is one of them from accept until it belongs to a session or is closed, so that nobody holds
 * a descriptor by not closing their side.
 */

/** A socket, as far as this goes. */
interface Closable {
  destroy(): unknown;
}

/** Owned by one listener, which says when a socket has closed. */
export class Strangers {
  readonly #socketsMax: number;
  /** By address, oldest first. */
  readonly #byAddress = new Map<string, Set<Closable>>();
  #count = 0;

  constructor(socketsMax: number) {
    this.#socketsMax = socketsMax;
  }

  get count(): number {
    return this.#count;
  }

  /**
   * Takes one more. Where there are too many, the oldest of the address that has most of them gives way:
   * whoever means to log in does so at once, and a flood from one address pushes out nobody but itself.
   */
  add(socket: Closable, address: string): void {
    if (this.#count >= this.#socketsMax) this.#pushOut();
    const known = this.#byAddress.get(address);
    if (known === undefined) this.#byAddress.set(address, new Set([socket]));
    else known.add(socket);
    this.#count += 1;
  }

  /** The socket belongs to somebody now, or has closed. */
  remove(socket: Closable, address: string): void {
    const known = this.#byAddress.get(address);
    if (known === undefined || !known.delete(socket)) return;
    if (known.size === 0) this.#byAddress.delete(address);
    this.#count -= 1;
  }

  /** Closes all of them. */
  destroy(): void {
    for (const sockets of this.#byAddress.values()) for (const socket of sockets) socket.destroy();
  }

  #pushOut(): void {
    let most: [string, Set<Closable>] | undefined;
    for (const entry of this.#byAddress) {
      if (most === undefined || entry[1].size > most[1].size) most = entry;
    }
    if (most === undefined) return;
    const [address, [oldest]] = most;
    if (oldest === undefined) return;
    this.remove(oldest, address);
    oldest.destroy();
  }
}
