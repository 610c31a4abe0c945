/** Who waits for the end of which hold. */

import { CountersignError } from '../core/errors.ts';
import type { HoldId } from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';
import type { Settlement } from './holds-port.ts';

interface Waiter {
  readonly resolve: (settlement: Settlement) => void;
  readonly reject: (error: CountersignError) => void;
}

/** The owner of all waiters of this gateway. */
export class Waiters {
  readonly #waiters = new Map<HoldId, Set<Waiter>>();
  #count = 0;

  get ids(): readonly HoldId[] {
    return [...this.#waiters.keys()];
  }

  /** LIMIT_EXCEEDED where too many wait. */
  add(id: HoldId): { readonly settled: Promise<Settlement>; readonly release: () => void } {
    const { waitersMax: allowed } = LIMITS.approvals;
    if (this.#count >= allowed) {
      throw new CountersignError('LIMIT_EXCEEDED', {
        limit: 'approvals.waitersMax',
        allowed,
        actual: allowed + 1,
      });
    }
    const { promise: settled, resolve, reject } = Promise.withResolvers<Settlement>();
    // Whoever does not look at it any more hears nothing of a shutdown.
    settled.catch(() => undefined);
    const waiter = { resolve, reject };
    const waiters = this.#waiters.get(id) ?? new Set();
    waiters.add(waiter);
    this.#waiters.set(id, waiters);
    this.#count += 1;
    return { settled, release: () => this.#remove(id, waiter) };
  }

  tell(id: HoldId, settlement: Settlement): void {
    for (const waiter of this.#waiters.get(id) ?? []) {
      this.#remove(id, waiter);
      waiter.resolve(settlement);
    }
  }

  /** The gateway ends. */
  rejectAll(error: CountersignError): void {
    for (const [id, waiters] of this.#waiters) {
      for (const waiter of waiters) {
        this.#remove(id, waiter);
        waiter.reject(error);
      }
    }
  }

  #remove(id: HoldId, waiter: Waiter): void {
    const waiters = this.#waiters.get(id);
    if (waiters?.delete(waiter) !== true) return;
    this.#count -= 1;
    if (waiters.size === 0) this.#waiters.delete(id);
  }
}
