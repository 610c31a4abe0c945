/** Time as an argument, so that everything above it can be simulated. */

export interface Clock {
  /** Microseconds since 1970-01-01T00:00:00Z; may go back when the system clock is set. */
  nowUs(): number;
  /** Monotonic microseconds from an arbitrary start; for durations. */
  monotonicUs(): number;
}

/** `2026-11-24T14:00:00.000000Z`: fixed width, UTC, microseconds. */
export function formatTimeUs(us: number): string {
  const ms = Math.floor(us / 1000);
  const rest = us - ms * 1000;
  return `${new Date(ms).toISOString().slice(0, 23)}${String(rest).padStart(3, '0')}Z`;
}
