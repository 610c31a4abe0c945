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
  const { when, on, who, then: consequence } = rule;
  const changes = when.changes ?? [];
  const other = Object.keys(when).find((key) => key !== 'changes');
  if (other !== undefined) {
    // A guard that is off for some callers, or for an hour, is off for whoever waits for that.
    throw new PatternProblem(`when.changes stands alone, and when.${other} stands beside it`);
  }
  if (typeof consequence !== 'object' || !('hold' in consequence)) {
    throw new PatternProblem('a rule on changes holds them: then: { hold: … }');
  }
  checkTerms(consequence.hold);
  if (consequence.hold.inTransaction !== 'refuse') {
    throw new PatternProblem('then.hold.inTransaction means nothing for a change of resources');
  }
  if (on.length > 0 && changes.some((kind) => kind !== 'Connection')) {
    throw new PatternProblem('on goes with when: { changes: [Connection] } only');
  }
  const makesOthers = ['Person', 'ServiceAccount'].every((kind) => changes.includes(kind));
  if (who.length > 0 && !makesOthers) {
    throw new PatternProblem(
      'who goes with changes of Person and ServiceAccount: else whom it names makes another account',
    );
  }
}
