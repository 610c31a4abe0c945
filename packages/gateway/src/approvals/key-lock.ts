/** One thing after the other for each key, and not too many waiting. */

import { CountersignError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';

interface Line {
  waiting: number;
  last: Promise<void>;
}

/** The owner of the lines; a key without anybody in line takes no memory. */
export class KeyLock {
  readonly #lines = new Map<string, Line>();

  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const line = this.#lines.get(key) ?? { waiting: 0, last: Promise.resolve() };
    const { waitingMax: allowed } = LIMITS.approvals;
    if (line.waiting >= allowed) {
      throw new CountersignError('LIMIT_EXCEEDED', {
        limit: 'approvals.waitingMax',
        allowed,
        actual: allowed + 1,
      });
    }
    line.waiting += 1;
    this.#lines.set(key, line);
    const before = line.last;
    const { promise, resolve } = Promise.withResolvers<void>();
    line.last = promise;
    await before;
    try {
      return await work();
    } finally {
      line.waiting -= 1;
      if (line.waiting === 0) this.#lines.delete(key);
      resolve();
    }
  }
}
