/** Looks for a grant without asking anybody. */

import type { PrincipalId } from '../core/ids.ts';
import { type HoldRecord, isOverdue } from './hold-record.ts';
import { aboutOf, checkRequest } from './hold-request.ts';
import type { HoldRequest } from './holds-port.ts';
import type { ApprovalsOptions } from './options.ts';

/** What is granted and in time; whether it may still be used is looked at when it is taken. */
export async function findGrant(
  { holds, policyDigest }: Pick<ApprovalsOptions, 'holds' | 'policyDigest'>,
  nowUs: number,
  principal: PrincipalId,
  rule: string,
  request: () => Promise<HoldRequest>,
): Promise<{ readonly record: HoldRecord; readonly request: HoldRequest } | undefined> {
  const granted = await holds.grantedTo(principal);
  if (!granted.some(({ demand }) => demand.rule.name === rule)) return undefined;
  const made = await request();
  const { policy } = made.binding;
  const { openKey } = checkRequest(made, policyDigest(aboutOf(made), policy) ?? policy);
  const record = await holds.findOpen(openKey);
  const isGranted = record?.state === 'granted' && !isOverdue(record, nowUs);
  return isGranted ? { record, request: made } : undefined;
}
