/**
 * The time by which holds expire: it never goes back, and never runs slower than the monotonic clock.
 *
 * So an open window is never longer than said, whatever happens to the system clock while the process
 * lives. A clock that leaps ahead ends windows early. Times that were seen elsewhere (a row that another
 * gateway changed, a leaf of the process before) are a lower bound.
 */

import type { Clock } from '../core/clock.ts';

/** The owner of the last time that was seen. */
export class HoldClock {
  readonly #clock: Clock;
  #baseUs: number;
  #baseMonotonicUs: number;

  constructor(clock: Clock, atLeastUs: number) {
    this.#clock = clock;
    this.#baseUs = atLeastUs;
    this.#baseMonotonicUs = clock.monotonicUs();
  }

  nowUs(): number {
    const monotonicUs = this.#clock.monotonicUs();
    const nowUs = Math.max(this.#baseUs + (monotonicUs - this.#baseMonotonicUs), this.#clock.nowUs());
    this.#baseUs = nowUs;
    this.#baseMonotonicUs = monotonicUs;
    return nowUs;
  }

  /** Somebody saw this time: it is not earlier now. */
  observe(us: number): void {
    if (us > this.nowUs()) this.#baseUs = us;
  }
}
