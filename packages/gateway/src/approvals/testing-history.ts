/** For tests of this room: random histories of two gateways. */

import * as fc from 'fast-check';

/** Who does what: people, one of them twice, a service account, and somebody in no group. */
export const HISTORY_NAMES = ['ana', 'bo', 'cleo', 'dan', 'ana2', 'robot', 'eve'] as const;

export type Action =
  | {
      readonly kind: 'ask';
      readonly gateway: number;
      readonly who: number;
      readonly count: number;
      readonly text: number;
      readonly bind: boolean;
    }
  | {
      readonly kind: 'vote';
      readonly gateway: number;
      readonly who: number;
      readonly hold: number;
      readonly deny: boolean;
    }
  | {
      readonly kind: 'take';
      readonly gateway: number;
      readonly hold: number;
      readonly session: number;
      readonly end: 'ok' | 'failed' | 'never';
    }
  | { readonly kind: 'withdraw'; readonly gateway: number; readonly who: number; readonly hold: number }
  | { readonly kind: 'break'; readonly gateway: number; readonly who: number; readonly hold: number }
  | { readonly kind: 'review'; readonly gateway: number; readonly who: number; readonly hold: number }
  | { readonly kind: 'opener'; readonly isThere: boolean }
  | { readonly kind: 'groups'; readonly who: number; readonly isIn: boolean }
  | { readonly kind: 'disable'; readonly who: number }
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'jump'; readonly ms: number }
  | { readonly kind: 'policy'; readonly to: string }
  | { readonly kind: 'sweep'; readonly gateway: number }
  | { readonly kind: 'crash'; readonly gateway: number; readonly after: number };

const gateway = fc.constantFrom(0, 1);
const who = fc.nat(HISTORY_NAMES.length - 1);
const nthHold = fc.constantFrom(0, 0, 0, 1, 2);
const ACTION: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('ask' as const),
      gateway,
      who: fc.constantFrom(0, 0, 1),
      count: fc.constantFrom(1, 1, 2, 3),
      text: fc.nat(1),
      bind: fc.boolean(),
    }),
  },
  {
    weight: 9,
    arbitrary: fc.record({
      kind: fc.constant('vote' as const),
      gateway,
      who,
      hold: nthHold,
      deny: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('take' as const),
      gateway,
      hold: nthHold,
      session: fc.nat(1),
      end: fc.constantFrom('ok' as const, 'failed' as const, 'never' as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('withdraw' as const), gateway, who, hold: nthHold }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('break' as const),
      gateway,
      who: fc.constantFrom(0, 0, 0, 1, 1, 4, 5),
      hold: nthHold,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('review' as const), gateway, who, hold: nthHold }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('opener' as const), isThere: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('groups' as const), who, isIn: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('disable' as const), who }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('pass' as const),
      ms: fc.constantFrom(1, 1_000, 300_000, 599_000, 601_000),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('jump' as const),
      ms: fc.constantFrom(-3_600_000, -600_000, -900, 5_000, 500_000),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('policy' as const), to: fc.constantFrom('p1', 'p2') }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('sweep' as const), gateway }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('crash' as const), gateway, after: fc.nat(14) }),
  },
);
/** People who may approve vote at both gateways, */
const VOTES = fc
  .tuple(fc.shuffledSubarray([1, 2, 3], { minLength: 1 }), nthHold, gateway)
  .map(([voters, on, first]) =>
    voters.map(
      (voter, i): Action => ({ kind: 'vote', gateway: (first + i) % 2, who: voter, hold: on, deny: false }),
    ),
  );
/** and both gateways are asked to use the same grant. */
const RACE = fc
  .tuple(nthHold, fc.constantFrom('ok' as const, 'failed' as const, 'never' as const), ACTION)
  .map(([on, end, other]): Action[] => [
    { kind: 'take', gateway: 0, hold: on, session: 0, end },
    { kind: 'take', gateway: 1, hold: on, session: 1, end },
    other,
  ]);
/** The glass is broken, by both gateways or beside votes and uses, and looked at. */
const BROKEN = fc
  .tuple(nthHold, fc.constantFrom(0, 0, 1), fc.constantFrom(1, 2, 3, 4), gateway, ACTION)
  .map(([on, asker, reviewer, first, other]): Action[][] => [
    [
      { kind: 'break', gateway: first, who: asker, hold: on },
      { kind: 'break', gateway: 1 - first, who: asker, hold: on },
      other,
    ],
    [{ kind: 'take', gateway: first, hold: on, session: 0, end: 'ok' }],
    [
      { kind: 'review', gateway: first, who: reviewer, hold: on },
      { kind: 'review', gateway: 1 - first, who: 2, hold: on },
    ],
  ]);
/** What is in one batch happens at the same time. */
export const BATCHES: fc.Arbitrary<readonly (readonly Action[])[]> = fc
  .array(
    fc.oneof(
      { weight: 4, arbitrary: fc.array(ACTION, { minLength: 1, maxLength: 3 }).map((batch) => [batch]) },
      { weight: 2, arbitrary: VOTES.map((batch) => [batch]) },
      { weight: 2, arbitrary: RACE.map((batch) => [batch]) },
      { weight: 1, arbitrary: BROKEN },
    ),
    { minLength: 8, maxLength: 28, size: 'max' },
  )
  .map((batches) => batches.flat());
