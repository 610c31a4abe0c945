/** What a rule that holds demands, as approvals need it. */

import type { HoldDemand } from '../approvals/holds-port.ts';
import { CountersignError } from '../core/errors.ts';
import type { Cause } from '../policy/decide.ts';
import { parseDurationMs } from '../policy/patterns.ts';
import type { CompiledRule } from '../policy/rule.ts';

export function demandOf(
  { name, version, hold, description }: CompiledRule,
  cause: Cause | undefined,
): HoldDemand {
  if (hold === undefined) throw new CountersignError('INTERNAL', {}, { cause: `rule ${name} does not hold` });
  const reason = [cause?.what, description].filter((part) => part !== undefined).join(': ');
  return {
    rule: { name, version },
    approvers: hold.approvers,
    count: hold.count,
    expiresMs: parseDurationMs(hold.expires),
    useWithinMs: parseDurationMs(hold.within),
    requireReason: hold.reason === 'required',
    ...(hold.mfa === undefined ? {} : { mfaMs: parseDurationMs(hold.mfa) }),
    reason,
  };
}
