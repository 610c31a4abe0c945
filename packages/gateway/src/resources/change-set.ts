/**
 * What people are asked to agree to: every real change of one apply, each with what it was and would be.
 *
 * Spec: spec/policy.md, "Rules on resources". In the order of kinds and names, so that the same documents in
 * another order are the same change.
 */

import type { ResourceName } from '../approvals/binding.ts';
import type { BodyValue } from '../core/ledger-port.ts';
import { diffBody } from './change-events.ts';
import type { Act } from './guards.ts';
import type { PlannedChange } from './plan.ts';
import { keyOf } from './view.ts';

export interface ChangeSet {
  readonly message: 'apply' | 'delete' | 'password' | 'token' | 'invitation' | 'second-factor';
  readonly items: readonly BodyValue[];
  readonly resources: readonly ResourceName[];
}

/** @param real changes without those that change nothing */
export function changeSetOf(message: 'apply' | 'delete', real: readonly PlannedChange[]): ChangeSet {
  const sorted = real.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  return {
    message,
    items: sorted.map(itemOf),
    resources: sorted.map(({ kind, name }) => [kind, name]),
  };
}

/** What a change does, for those who may hold it. */
export function actsOf(changes: readonly PlannedChange[]): readonly Act[] {
  return changes.flatMap(({ kind, name, action }) =>
    action === 'unchanged' ? [] : [{ kind, name, action }],
  );
}

/** What lets somebody in, or the gateway at a target: the resource stays as it is. */
export function credentialSetOf(
  { kind, name, action }: Act & { readonly action: 'password' | 'token' | 'invitation' | 'second-factor' },
  version: number,
  facts: Readonly<Record<string, BodyValue>>,
): ChangeSet {
  return {
    message: action,
    items: [{ action, diff: [], kind, name, previous_version: version, ...facts }],
    resources: [[kind, name]],
  };
}

function itemOf({ action, kind, name, previous, previousVersion, digest, diff }: PlannedChange): BodyValue {
  return {
    action,
    diff: diff.map(diffBody),
    kind,
    name,
    previous_version: previousVersion,
    ...(previous === undefined ? {} : { from_digest: previous.digest }),
    ...(action === 'deleted' ? {} : { to_digest: digest }),
  };
}
