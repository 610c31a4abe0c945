/** Who sees a hold: who asked, whoever may decide on it or review it, and those who see everything. Pure. */

import type { Principal } from '../core/principal.ts';
import { refusalOf } from './approvers.ts';
import { askerOf, type HoldRecord } from './hold-record.ts';

/** Groups whose members see every hold; none of them decides by that. */
const SEE_ALL: readonly string[] = ['administrators', 'auditors'];

export function maySee(viewer: Principal, record: HoldRecord): boolean {
  if (viewer.id === record.principalId) return true;
  if (viewer.groups.some((group) => SEE_ALL.includes(group))) return true;
  const deciders = [record.document.demand.approvers, record.opening?.reviewers ?? []];
  return deciders.some((names) => refusalOf(viewer, askerOf(record), names) === undefined);
}
