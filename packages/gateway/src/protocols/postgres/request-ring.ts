/** Requests in their order, in a ring of places: first in, first out, and nothing is moved. */

import { CountersignError } from '../../core/errors.ts';
import type { RequestKind } from './states.ts';

/** A request, and whose it is. */
export interface Entry<T> {
  readonly kind: RequestKind;
  readonly tag: T;
}

/** Owned by a response queue, which bounds it. */
export class RequestRing<E> {
  /** A power of two of places; #first is the head's. */
  #places: (E | undefined)[] = Array.from({ length: 16 });
  #first = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** @param index 0 is the oldest */
  at(index: number): E {
    const entry = this.#places[(this.#first + index) & (this.#places.length - 1)];
    if (entry === undefined)
      throw new CountersignError('INTERNAL', {}, { cause: 'an empty place in the queue' });
    return entry;
  }

  append(entry: E): void {
    if (this.#length === this.#places.length) this.#grow();
    this.#places[(this.#first + this.#length) & (this.#places.length - 1)] = entry;
    this.#length++;
  }

  removeFirst(): void {
    this.#places[this.#first] = undefined;
    this.#first = (this.#first + 1) & (this.#places.length - 1);
    this.#length--;
  }

  /** Removes so many behind the oldest, and gives them. */
  removeBehindFirst(count: number): E[] {
    const oldest = this.at(0);
    const removed: E[] = [];
    while (removed.length < count) {
      this.removeFirst();
      removed.push(this.at(0));
    }
    this.#places[this.#first] = oldest;
    return removed;
  }

  #grow(): void {
    const larger: (E | undefined)[] = Array.from({ length: this.#places.length * 2 });
    for (let i = 0; i < this.#length; i++) larger[i] = this.at(i);
    this.#places = larger;
    this.#first = 0;
  }
}
