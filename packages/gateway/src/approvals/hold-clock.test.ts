import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HoldClock } from './hold-clock.ts';
import { TestingClock } from './testing-room.ts';

describe('the clock of holds', () => {
  it('never runs slower than the monotonic clock and never goes back, whatever the wall clock does', () => {
    const step = fc.record({ passUs: fc.nat(10_000_000), jumpUs: fc.integer({ min: -1e10, max: 1e10 }) });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const clock = new TestingClock();
        const holds = new HoldClock(clock, 0);
        const startUs = holds.nowUs();
        let passedUs = 0;
        let beforeUs = startUs;
        for (const { passUs, jumpUs } of steps) {
          clock.elapsedUs += passUs;
          clock.wallUs += passUs + jumpUs;
          passedUs += passUs;
          const nowUs = holds.nowUs();
          expect(nowUs).toBeGreaterThanOrEqual(startUs + passedUs);
          expect(nowUs).toBeGreaterThanOrEqual(beforeUs + passUs);
          beforeUs = nowUs;
        }
      }),
    );
  });

  it('begins where a leaf says, and takes the time that others saw', () => {
    const clock = new TestingClock();
    const holds = new HoldClock(clock, clock.wallUs + 5_000_000);
    expect(holds.nowUs()).toBe(clock.wallUs + 5_000_000);
    holds.observe(clock.wallUs + 9_000_000);
    holds.observe(clock.wallUs);
    clock.pass(1_000);
    expect(holds.nowUs()).toBe(clock.wallUs + 9_000_000);
  });
});
