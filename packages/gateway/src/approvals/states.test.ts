import { describe, expect, it } from 'vitest';
import { HOLD_EVENTS, HOLD_STATES, type HoldEvent, type HoldState, isOpen, next } from './states.ts';

/** Every way from one state to another; everything that is not here is refused. */
const WAYS: readonly (readonly [HoldState, HoldEvent, HoldState])[] = [
  ['asked', 'approve', 'asked'],
  ['asked', 'grant', 'granted'],
  ['asked', 'deny', 'denied'],
  ['asked', 'break', 'granted'],
  ['asked', 'expire', 'expired'],
  ['asked', 'withdraw', 'withdrawn'],
  ['granted', 'expire', 'expired'],
  ['granted', 'withdraw', 'withdrawn'],
  ['granted', 'take', 'executing'],
  ['expired', 'review', 'expired'],
  ['withdrawn', 'review', 'withdrawn'],
  ['executing', 'succeed', 'executed'],
  ['executing', 'fail', 'failed'],
  ['executing', 'lost', 'failed'],
  ['executed', 'review', 'executed'],
  ['failed', 'review', 'failed'],
];

function before(state: HoldState): string[] {
  return [...new Set(WAYS.filter(([from, , to]) => to === state && from !== state).map(([from]) => from))];
}

describe('the states of a hold', () => {
  it('have these ways between them and no others', () => {
    const found = HOLD_STATES.flatMap((state) =>
      HOLD_EVENTS.flatMap((event) => {
        const after = next(state, event);
        return 'to' in after ? [[state, event, after.to]] : [];
      }),
    );
    expect(found).toEqual(WAYS);
  });

  it.each(['denied', 'expired', 'withdrawn', 'executed', 'failed'] as const)('end in %s', (state) => {
    expect(isOpen(state)).toBe(false);
    for (const event of HOLD_EVENTS.filter((other) => other !== 'review')) {
      expect(next(state, event)).toHaveProperty('refused');
    }
  });

  it('are reviewed when they are over, which changes nothing, and never after a denial', () => {
    for (const state of HOLD_STATES) {
      const mayBe = ['expired', 'withdrawn', 'executed', 'failed'].includes(state);
      const why = state === 'denied' ? 'not-broken' : 'not-over';
      expect(next(state, 'review')).toEqual(mayBe ? { to: state } : { refused: why });
    }
  });

  it('lead to an execution by a grant and a take only', () => {
    expect(before('executed')).toEqual(['executing']);
    expect(before('executing')).toEqual(['granted']);
    expect(before('granted')).toEqual(['asked']);
  });

  it.each([
    ['asked', 'not-granted'],
    ['denied', 'not-granted'],
    ['expired', 'not-granted'],
    ['withdrawn', 'not-granted'],
    ['executing', 'used'],
    ['executed', 'used'],
    ['failed', 'used'],
  ] as const)('say of a take in %s that it is %s', (state, why) => {
    expect(next(state, 'take')).toEqual({ refused: why });
  });
});
