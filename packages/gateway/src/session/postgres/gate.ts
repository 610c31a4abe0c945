/**
 * The gate in front of the target: bytes pass in order, and only when their leaves are durable.
 *
 * This is the one place where the promise "no statement reaches the target unless its intent leaf
 * is durable" is kept: nothing else in the session writes to the target's socket.
 */

import type { Socket } from 'node:net';
import { LIMITS } from '../../core/limits.ts';

/** A message that lies in the spool. */
export interface SpooledSource {
  /** Streams it to the target at the target's pace, then deletes it. */
  forwardTo(target: Socket): Promise<void>;
  discard(): Promise<void>;
}

/** What passes together. */
export interface Cargo {
  readonly bytes: readonly Uint8Array[];
  /** Of the leaves that the bytes wait for, which wait as they do. */
  readonly bodyBytes: number;
  /** Behind the bytes. */
  readonly spooled?: SpooledSource | undefined;
  /** Called when the target's socket has let go of the bytes; never where the connection breaks before. */
  readonly written?: (() => void) | undefined;
}

interface Passage extends Cargo {
  readonly length: number;
  readonly onForward: (() => void) | undefined;
  ready: boolean;
}

export interface GateEvents {
  /** A leaf could not be written, or a spool not read: the session must end. */
  failed(error: unknown): void;
  /** Bytes wait no longer: the client may be read again. */
  drained(): void;
}

/** Owned by one session. */
export class Gate {
  readonly #target: Socket;
  readonly #events: GateEvents;
  #queue: Passage[] = [];
  #waitingBytes = 0;
  #waitingBodyBytes = 0;
  #holds = 0;
  #busy = false;
  #closed = false;
  #afterLast: (() => void) | undefined;

  constructor(target: Socket, events: GateEvents) {
    this.#target = target;
    this.#events = events;
    target.on('drain', () => {
      this.#flush();
      if (!this.full) this.#events.drained();
    });
  }

  /** The client should not be read further: too much waits here, or in the target's socket. */
  get full(): boolean {
    return (
      this.#waitingBytes > LIMITS.postgres.socketBufferBytesMax ||
      this.#waitingBodyBytes > LIMITS.postgres.waitingBodyBytesMax ||
      this.#queue.length > LIMITS.postgres.waitingPassagesMax ||
      this.#target.writableNeedDrain
    );
  }

  /**
   * Lets bytes pass behind everything that came before.
   *
   * @param durable resolves when the leaves that these bytes need are durable; absent where they need none
   * @param onForward called at the moment at which the bytes go out
   */
  pass(cargo: Cargo, durable?: Promise<unknown>, onForward?: () => void): void {
    const { bytes, bodyBytes, spooled } = cargo;
    if (this.#closed) {
      spooled?.discard().catch(() => undefined);
      return;
    }
    let length = 0;
    for (const piece of bytes) length += piece.length;
    const passage: Passage = { ...cargo, length, onForward, ready: durable === undefined };
    this.#queue.push(passage);
    this.#waitingBytes += length;
    this.#waitingBodyBytes += bodyBytes;
    if (durable !== undefined) {
      durable.then(
        () => {
          passage.ready = true;
          this.#flush();
        },
        (error: unknown) => this.#fail(error),
      );
    }
    this.#flush();
  }

  /** Nothing passes until the promise settles; for a cancel request that is on its way. */
  holdUntil(settled: Promise<unknown>): void {
    this.#holds += 1;
    const release = (): void => {
      this.#holds -= 1;
      this.#flush();
    };
    settled.then(release, release);
  }

  /** Calls back once everything that was let in has gone out. */
  whenEmpty(callback: () => void): void {
    this.#afterLast = callback;
    this.#flush();
  }

  /** Drops what waits; nothing passes any more. */
  close(): void {
    this.#closed = true;
    for (const { spooled } of this.#queue) {
      // Its space is given back when its descriptor closes; nothing depends on when.
      spooled?.discard().catch(() => undefined);
    }
    this.#queue = [];
    this.#waitingBytes = 0;
    this.#waitingBodyBytes = 0;
    this.#afterLast = undefined;
  }

  #flush(): void {
    if (this.#busy || this.#closed) return;
    const wasFull = this.full;
    const [first] = this.#queue;
    // What goes out together goes out in one write; one piece alone needs no cork.
    const corked = this.#queue.length > 1 || (first !== undefined && first.bytes.length > 1);
    if (corked) this.#target.cork();
    while (this.#holds === 0 && !this.#busy) {
      const [passage] = this.#queue;
      if (passage === undefined || !passage.ready) break;
      this.#queue.shift();
      this.#waitingBytes -= passage.length;
      this.#waitingBodyBytes -= passage.bodyBytes;
      passage.onForward?.();
      this.#write(passage);
      if (passage.spooled !== undefined) this.#forwardSpooled(passage.spooled);
    }
    if (corked) this.#target.uncork();
    if (wasFull && !this.full) this.#events.drained();
    if (this.#queue.length === 0 && !this.#busy && this.#afterLast !== undefined) {
      const callback = this.#afterLast;
      this.#afterLast = undefined;
      callback();
    }
  }

  #write({ bytes, written }: Passage): void {
    const last = bytes.length - 1;
    for (const [at, piece] of bytes.entries()) {
      if (at < last || written === undefined) this.#target.write(piece);
      else this.#target.write(piece, (error) => (error ? undefined : written()));
    }
  }

  #forwardSpooled(spooled: SpooledSource): void {
    this.#busy = true;
    spooled.forwardTo(this.#target).then(
      () => {
        this.#busy = false;
        this.#flush();
        if (!this.full) this.#events.drained();
      },
      (error: unknown) => this.#fail(error),
    );
  }

  #fail(error: unknown): void {
    if (this.#closed) return;
    this.close();
    this.#events.failed(error);
  }
}
