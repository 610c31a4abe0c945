/** The machine's clock with microseconds: the system time, refined by the monotonic counter between its ticks. */

import type { Clock } from '../core/clock.ts';

/** Beyond this the system clock was set, and it is the one that counts. */
const DRIFT_MAX_US = 2_000;

export function systemClock(): Clock {
  let baseUs = Date.now() * 1000;
  let baseMonotonic = process.hrtime.bigint();
  return {
    nowUs(): number {
      const monotonic = process.hrtime.bigint();
      const now = baseUs + Number((monotonic - baseMonotonic) / 1000n);
      const system = Date.now() * 1000;
      if (Math.abs(system - now) <= DRIFT_MAX_US) return now;
      baseUs = system;
      baseMonotonic = monotonic;
      return system;
    },
    monotonicUs(): number {
      return Number(process.hrtime.bigint() / 1000n);
    },
  };
}
