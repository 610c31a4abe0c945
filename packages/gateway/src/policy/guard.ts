/**
 * Rules on changes of resources: `when: { changes: [Rule, Access] }`. Such a rule is about no statement.
 *
 * Spec: spec/policy.md, "Rules on resources". Whom it concerns, what it stands on, and who approves is
 * decided on all resources together, in resources/guards.ts.
 */

import { PatternProblem } from './patterns.ts';
import { checkTerms, type HoldTerms, type Rule } from './rule.ts';

/** Kinds of which a rule can hold changes: all that this version has. */
export const GUARDED_KINDS: readonly string[] = [
  'Access',
  'Connection',
  'Detector',
  'Group',
  'Mask',
  'Person',
  'Rule',
  'ServiceAccount',
];

/** Whether a rule is about changes of resources, and so about no statement. */
export function isGuard({ when }: Rule): boolean {
  return when.changes !== undefined;
}

/** Whom a guard asks. */
export function termsOf({ name, then: consequence }: Rule): HoldTerms {
  if (typeof consequence === 'object' && 'hold' in consequence) return consequence.hold;
  throw new PatternProblem(`rule ${name} on changes does not hold`);
}

/** Throws a PatternProblem for what would promise more than it holds. */
export function checkGuard(rule: Rule): void {
  const [wrong] = guardProblems(rule);
  if (wrong !== undefined) throw new PatternProblem(wrong);
  checkTerms(termsOf(rule));
}

/** What would promise more than it holds, each in a sentence; durations aside. */
export function guardProblems({ when, on, who, then: consequence }: Rule): readonly string[] {
  const changes = when.changes ?? [];
  const hold = typeof consequence === 'object' && 'hold' in consequence ? consequence.hold : undefined;
  const makesOthers = ['Person', 'ServiceAccount'].every((kind) => changes.includes(kind));
  return [
    // A guard that is off for some callers, or for an hour, is off for whoever waits for that.
    ...Object.keys(when)
      .filter((key) => key !== 'changes')
      .map((other) => `when.changes stands alone, and when.${other} stands beside it`),
    ...(hold === undefined ? ['a rule on changes holds them: then: { hold: … }'] : []),
    ...(hold?.inTransaction === 'wait'
      ? ['then.hold.inTransaction means nothing for a change of resources']
      : []),
    ...(on.length > 0 && changes.some((kind) => kind !== 'Connection')
      ? ['on goes with when: { changes: [Connection] } only']
      : []),
    ...(who.length > 0 && !makesOthers
      ? ['who goes with changes of Person and ServiceAccount: else whom it names makes another account']
      : []),
  ];
}
