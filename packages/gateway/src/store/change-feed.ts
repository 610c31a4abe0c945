/** Who wants to know that something changed: in this process, after it is in effect. */

import { CountersignError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';

/** Listeners hear of changes in their order. */
export class ChangeFeed<T> {
  readonly #listeners = new Set<(change: T) => void>();

  /** The function that it returns takes the listener off again. */
  onChange(listener: (change: T) => void): () => void {
    if (this.#listeners.size >= LIMITS.store.listenersMax) {
      throw new CountersignError('LIMIT_EXCEEDED', {
        limit: 'store.listenersMax',
        allowed: LIMITS.store.listenersMax,
        actual: this.#listeners.size + 1,
      });
    }
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** Tells every listener, also when one before it failed: one of them may end sessions. */
  notify(change: T): void {
    const failures: unknown[] = [];
    for (const listener of this.#listeners) {
      try {
        listener(change);
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) {
      throw new CountersignError('INTERNAL', {}, { cause: new AggregateError(failures) });
    }
  }
}
