/**
 * What may become of a hold: state × event → next state, or why not. Pure.
 *
 * Spec: spec/policy.md, "Holds". `approve` is an approval that is not enough yet, `grant` the one that
 * is. `lost` is a process that ended between taking a grant and saying how it went.
 */

/** Every state, in the order in which a hold can be in them. */
export const HOLD_STATES = [
  'asked',
  'granted',
  'denied',
  'expired',
  'withdrawn',
  'executing',
  'executed',
  'failed',
] as const;
export type HoldState = (typeof HOLD_STATES)[number];

/** Everything that can happen to a hold. */
export const HOLD_EVENTS = [
  'approve',
  'grant',
  'deny',
  'expire',
  'withdraw',
  'take',
  'succeed',
  'fail',
  'lost',
] as const;
export type HoldEvent = (typeof HOLD_EVENTS)[number];

/** Why an event does not fit a state. */
export type StateRefusal = 'closed' | 'not-granted' | 'used' | 'not-taken';

export type Next = { readonly to: HoldState } | { readonly refused: StateRefusal };

/** Whether the hold can still become an execution. */
export function isOpen(state: HoldState): boolean {
  return state === 'asked' || state === 'granted';
}

/** The row of a state. */
export function next(state: HoldState, event: HoldEvent): Next {
  return TABLE[state][event];
}

function to(state: HoldState): Next {
  return { to: state };
}

function refused(why: StateRefusal): Next {
  return { refused: why };
}

/** Nothing leads out of it. */
function over(take: StateRefusal): Readonly<Record<HoldEvent, Next>> {
  return {
    approve: refused('closed'),
    grant: refused('closed'),
    deny: refused('closed'),
    expire: refused('closed'),
    withdraw: refused('closed'),
    take: refused(take),
    succeed: refused('not-taken'),
    fail: refused('not-taken'),
    lost: refused('not-taken'),
  };
}

const TABLE: Readonly<Record<HoldState, Readonly<Record<HoldEvent, Next>>>> = {
  asked: {
    approve: to('asked'),
    grant: to('granted'),
    deny: to('denied'),
    expire: to('expired'),
    withdraw: to('withdrawn'),
    take: refused('not-granted'),
    succeed: refused('not-taken'),
    fail: refused('not-taken'),
    lost: refused('not-taken'),
  },
  granted: {
    approve: refused('closed'),
    grant: refused('closed'),
    deny: refused('closed'),
    expire: to('expired'),
    withdraw: to('withdrawn'),
    take: to('executing'),
    succeed: refused('not-taken'),
    fail: refused('not-taken'),
    lost: refused('not-taken'),
  },
  executing: {
    ...over('used'),
    succeed: to('executed'),
    fail: to('failed'),
    lost: to('failed'),
  },
  denied: over('not-granted'),
  expired: over('not-granted'),
  withdrawn: over('not-granted'),
  executed: over('used'),
  failed: over('used'),
};
