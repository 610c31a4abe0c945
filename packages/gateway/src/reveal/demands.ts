/**
 * Who has to agree before something that Masks hide is shown: for each of these Masks those whom its `reveal` names.
 *
 * Spec: spec/masking.md, section 17. A Mask that says nothing, and one that is no longer there, lets nobody be shown
 * anything: so do Masks that are deleted to get around them.
 */

import { type Json, jcs } from '@countersign/ledger/jcs';
import type { HoldRequest, Requester } from '../approvals/holds-port.ts';
import { CountersignError } from '../core/errors.ts';
import type { Mask } from '../masking/plan/mask.ts';
import { parseDurationMs } from '../policy/patterns.ts';
import type { Resources } from '../resources/resources.ts';

/** A Mask as it is now, that lets what it hides be revealed. */
export interface RevealingMask {
  readonly mask: string;
  readonly version: number;
  readonly reveal: NonNullable<Mask['reveal']>;
}

/** Who asks, from where, and why. */
export interface Asking {
  readonly requester: Requester;
  readonly address: string;
  readonly reason: string;
}

/** What would be shown: the same words are bound, shown to approvers and in the leaf. */
export interface Subject {
  readonly message: 'literals' | 'value';
  /** `literals of statement 4711 of ses_…`. */
  readonly what: string;
}

/** REVEAL_REFUSED where one of them lets nobody. */
export function revealingMasks(
  resources: Pick<Resources, 'get'>,
  names: readonly string[],
): readonly RevealingMask[] {
  if (names.length === 0) throw refused('nobody knows which Masks hide it');
  return [...new Set(names)].map((mask) => {
    const [found] = resources.get('Mask', mask);
    if (found?.document.kind !== 'Mask') throw refused(`Mask "${mask}" is no longer there`);
    const { reveal } = found.document;
    if (reveal === undefined) throw refused(`Mask "${mask}" names nobody who could agree`);
    return { mask, version: found.version, reveal };
  });
}

/** @param policy digest of the whole policy */
export function revealRequest(
  { mask, version, reveal }: RevealingMask,
  { message, what }: Subject,
  { requester, address, reason }: Asking,
  policy: string,
): HoldRequest {
  const expiresMs = parseDurationMs(reveal.expires);
  const item: Json = {
    action: 'reveal',
    diff: [
      { path: 'shows', to: what },
      { path: 'because', to: reason },
    ],
    kind: 'Mask',
    name: mask,
    previous_version: version,
  };
  return {
    binding: {
      protocol: 'reveal',
      message,
      changes: Buffer.from(jcs([item]), 'utf8'),
      resources: [['Mask', mask]],
      principal: requester.id,
      policy,
      rule: { name: mask, version },
    },
    demand: {
      rule: { name: mask, version },
      approvers: reveal.approvers,
      count: reveal.count,
      expiresMs,
      useWithinMs: expiresMs,
      requireReason: false,
      reason: `${what}: ${reason}`,
    },
    requester,
    bindToSession: false,
    facts: { effects: [], tables: [], affectedKeys: [] },
    address,
  };
}

export function refused(reason: string): CountersignError {
  return new CountersignError('REVEAL_REFUSED', { reason });
}
