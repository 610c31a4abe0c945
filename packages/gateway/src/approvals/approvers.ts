/**
 * Who may decide on a hold, and how many have: distinct people, as they are now. Pure.
 *
 * Spec: spec/policy.md, "Holds". A rule's `approvers` is the only source: nobody hands their part on.
 * One person is one vote however many groups they are in; who asked has none, under no account.
 */

import type { ActorKind } from '../core/principal.ts';

/** Somebody as they are at this moment. */
export interface Human {
  readonly id: string;
  readonly name: string;
  readonly kind: ActorKind;
  readonly groups: readonly string[];
  readonly issuer: string;
  readonly subject: string;
}

/** What identifies who asked. */
export type Asker = Pick<Human, 'id' | 'issuer' | 'subject'>;

export type ApproverRefusal = 'own-request' | 'not-a-person' | 'not-an-approver';

/** Why somebody may not decide; undefined where they may. */
export function refusalOf(
  human: Human,
  asker: Asker,
  approvers: readonly string[],
): ApproverRefusal | undefined {
  if (isSame(human, asker)) return 'own-request';
  if (human.kind !== 'user') return 'not-a-person';
  const named = approvers.some((approver) =>
    approver.startsWith('group:')
      ? human.groups.includes(approver.slice('group:'.length))
      : approver === human.name,
  );
  return named ? undefined : 'not-an-approver';
}

/** How many distinct people among these may decide: one identity under two accounts is one. */
export function countApprovers(humans: readonly Human[], asker: Asker, approvers: readonly string[]): number {
  const distinct: Human[] = [];
  for (const human of humans) {
    if (refusalOf(human, asker, approvers) !== undefined) continue;
    if (!distinct.some((other) => isSame(other, human))) distinct.push(human);
  }
  return distinct.length;
}

function isSame(one: Asker, other: Asker): boolean {
  return one.id === other.id || (one.issuer === other.issuer && one.subject === other.subject);
}
