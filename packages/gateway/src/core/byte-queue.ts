/**
 * Bytes that arrive in any pieces, read in the pieces that a protocol needs.
 *
 * For the phases of a connection that are a dialogue (start-up, login); the hot path works on the
 * chunks themselves. Bounded: what arrives beyond the limit before it is read is a violation.
 */

import { CountersignError } from './errors.ts';
import { withoutMethods } from './without-methods.ts';

interface Waiter {
  readonly count: number;
  readonly resolve: (bytes: Uint8Array) => void;
  readonly reject: (reason: unknown) => void;
}

/** One reader, one writer. */
export class ByteQueue {
  readonly #bytesMax: number;
  #chunks: Uint8Array[] = [];
  #length = 0;
  #waiter: Waiter | undefined;
  #failure: unknown;
  #failed = false;

  /** @param bytesMax how many unread bytes may wait */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Unread bytes. */
  get length(): number {
    return this.#length;
  }

  /** Takes untrusted bytes from the peer. */
  push(chunk: Uint8Array): void {
    if (this.#failed || chunk.length === 0) return;
    this.#chunks.push(withoutMethods(chunk));
    this.#length += chunk.length;
    if (this.#length > this.#bytesMax) {
      this.fail(
        new CountersignError('PROTOCOL_VIOLATION', { reason: 'too many bytes before they were asked for' }),
      );
      return;
    }
    this.#settle();
  }

  /** Every read from now on rejects with the reason. */
  fail(reason: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#failure = reason;
    const waiter = this.#waiter;
    this.#waiter = undefined;
    waiter?.reject(reason);
  }

  /** Exactly `count` bytes, as soon as they are there. */
  async read(count: number): Promise<Uint8Array> {
    if (this.#failed && this.#length < count) throw this.#failure;
    if (this.#length >= count) return this.#take(count);
    return new Promise<Uint8Array>((resolve, reject) => {
      this.#waiter = { count, resolve, reject };
    });
  }

  /** What is left, for the next owner of the connection. */
  takeRest(): Uint8Array {
    return this.#take(this.#length);
  }

  #settle(): void {
    const waiter = this.#waiter;
    if (waiter === undefined || this.#length < waiter.count) return;
    this.#waiter = undefined;
    waiter.resolve(this.#take(waiter.count));
  }

  #take(count: number): Uint8Array {
    const whole = concat(this.#chunks, this.#length);
    const rest = whole.subarray(count);
    this.#chunks = rest.length === 0 ? [] : [rest];
    this.#length = rest.length;
    return whole.subarray(0, count);
  }
}

function concat(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const [first] = chunks;
  if (chunks.length === 1 && first !== undefined) return first;
  const whole = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.length;
  }
  return whole;
}
