/**
 * What may become of a hold: state × event → next state, or why not. Pure.
 *
 * Spec: spec/policy.md, "Holds". `approve` is an approval that is not enough yet, `grant` the one that
 * is; `break` is the requester's own word in an emergency. `review` is what somebody else says of that
 * afterwards: it changes nothing of the hold. `lost` is a process that ended between taking a grant and saying how it went.
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
  'break',
  'expire',
  'withdraw',
  'take',
  'succeed',
  'fail',
  'lost',
  'review',
] as const;
export type HoldEvent = (typeof HOLD_EVENTS)[number];

/** Why an event does not fit a state. */
export type StateRefusal = 'closed' | 'not-granted' | 'used' | 'not-taken' | 'not-over' | 'not-broken';

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
function over(state: HoldState, take: StateRefusal): Readonly<Record<HoldEvent, Next>> {
  return {
    approve: refused('closed'),
    grant: refused('closed'),
    deny: refused('closed'),
    break: refused('closed'),
    expire: refused('closed'),
    withdraw: refused('closed'),
    take: refused(take),
    succeed: refused('not-taken'),
    fail: refused('not-taken'),
    lost: refused('not-taken'),
    review: to(state),
  };
}

const TABLE: Readonly<Record<HoldState, Readonly<Record<HoldEvent, Next>>>> = {
  asked: {
    approve: to('asked'),
    grant: to('granted'),
    deny: to('denied'),
    break: to('granted'),
    expire: to('expired'),
    withdraw: to('withdrawn'),
    take: refused('not-granted'),
    succeed: refused('not-taken'),
    fail: refused('not-taken'),
    lost: refused('not-taken'),
    review: refused('not-over'),
  },
  granted: {
    approve: refused('closed'),
    grant: refused('closed'),
    deny: refused('closed'),
    break: refused('closed'),
    expire: to('expired'),
    withdraw: to('withdrawn'),
    take: to('executing'),
    succeed: refused('not-taken'),
    fail: refused('not-taken'),
    lost: refused('not-taken'),
    review: refused('not-over'),
  },
  executing: {
    ...over('executing', 'used'),
    review: refused('not-over'),
    succeed: to('executed'),
    fail: to('failed'),
    lost: to('failed'),
  },
  // Nobody denies what was opened.
  denied: { ...over('denied', 'not-granted'), review: refused('not-broken') },
  expired: over('expired', 'not-granted'),
  withdrawn: over('withdrawn', 'not-granted'),
  executed: over('executed', 'used'),
  failed: over('failed', 'used'),
};
