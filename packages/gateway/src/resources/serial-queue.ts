/** One thing after the other, in the order in which they came, and not too many waiting. */

import { CountersignError } from '../core/errors.ts';

export class SerialQueue {
  readonly #waitingMax: number;
  #waitingCount = 0;
  #last: Promise<void> = Promise.resolve();

  constructor(waitingMax: number) {
    this.#waitingMax = waitingMax;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#waitingCount >= this.#waitingMax) {
      throw new CountersignError('LIMIT_EXCEEDED', {
        limit: 'resources.waitingChangesMax',
        allowed: this.#waitingMax,
        actual: this.#waitingCount + 1,
      });
    }
    this.#waitingCount += 1;
    const before = this.#last;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#last = promise;
    await before;
    try {
      return await work();
    } finally {
      this.#waitingCount -= 1;
      resolve();
    }
  }
}
