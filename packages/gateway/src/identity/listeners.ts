/** Who is told when a token or a person ends: a bounded list, called in order. */

import { CountersignError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';

/** A set of functions that take the same value. */
export class Listeners<T> {
  readonly #listeners = new Set<(value: T) => void>();

  /** The function that it returns takes the listener off again. */
  add(listener: (value: T) => void): () => void {
    const allowed = LIMITS.identity.listenersMax;
    if (this.#listeners.size >= allowed) {
      const limit = 'identity.listenersMax';
      throw new CountersignError('LIMIT_EXCEEDED', { limit, allowed, actual: allowed + 1 });
    }
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** Calls every one, also when one throws; the first error is thrown at the end. */
  tell(value: T): void {
    const errors: unknown[] = [];
    for (const listener of this.#listeners) {
      try {
        listener(value);
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw new CountersignError('INTERNAL', {}, { cause: errors[0] });
  }
}
