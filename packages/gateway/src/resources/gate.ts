/**
 * Holds a change until other people agree: asks for each guard, and uses what they granted, once.
 *
 * Spec: spec/policy.md, "Rules on resources"; docs/decisions/0012-rules-on-resources.md for the order. Called
 * inside of the queue of changes, so that nothing comes between what was judged and its effect.
 */

import { type Json, jcs } from '@countersign/ledger/jcs';
import type { Hold, HoldDemand, HoldsPort, Taken, TakeStatus } from '../approvals/holds-port.ts';
import { CountersignError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { parseDurationMs } from '../policy/patterns.ts';
import type { Asker, Changer } from './change-events.ts';
import type { ChangeSet } from './change-set.ts';
import type { Holding } from './guards.ts';

/** What everybody agreed to, and nobody has used yet. */
export interface Granted {
  /** Uses every grant; none is left half used where one cannot be. */
  take(): Promise<Passage>;
}

/** What let a change pass. */
export interface Passage {
  readonly holdIds: readonly string[];
  /** Index of the first `hold.taken`. */
  readonly approval: number;
  /** Says how it went, once. */
  done(status: TakeStatus, outcomeLeaf?: number): Promise<void>;
}

/** Owned by the resources. */
export class ChangeGate {
  #holds: HoldsPort | undefined;

  /** Until then everything that a rule holds is refused. */
  open(holds: HoldsPort): void {
    this.#holds = holds;
  }

  /**
   * Undefined where nothing holds it. POLICY_HELD where somebody has to agree first: then it is asked for.
   *
   * @param bundle digest of the whole policy
   */
  async ask(
    holding: readonly Holding[],
    set: ChangeSet,
    by: Changer,
    bundle: string,
  ): Promise<Granted | undefined> {
    const [first] = holding;
    if (first === undefined) return undefined;
    const { asker } = by;
    const holds = this.#holds;
    // Nobody can be told apart from the gateway itself, which is nobody who could ask.
    if (asker === undefined || holds === undefined) {
      const action = `change what rule "${first.rule.name}" holds (${first.what})`;
      throw new CountersignError('PERMISSION_DENIED', { principal: by.name, action });
    }
    const asked: { readonly one: Holding; readonly hold: Hold }[] = [];
    for (const one of holding) {
      const hold = await holds.ask(requestOf(one, set, asker, bundle));
      hold.release();
      asked.push({ one, hold });
    }
    const open = asked.filter(({ hold }) => hold.state !== 'granted');
    if (open.length > 0) throw heldError(open);
    const grants = asked.map(({ hold }) => hold);
    return { take: () => takeAll(holds, grants) };
  }
}

async function takeAll(holds: HoldsPort, grants: readonly Hold[]): Promise<Passage> {
  const taken: Taken[] = [];
  for (const { id, digest } of grants) {
    const one = await holds.take(id, digest, undefined);
    if (one.kind === 'refused') {
      for (const other of taken) await other.done('failed');
      throw new CountersignError('HOLD_NOT_USABLE', { id, why: one.why });
    }
    taken.push(one);
  }
  return {
    holdIds: grants.map(({ id }) => id),
    approval: taken[0]?.leaf ?? 0,
    async done(status, outcomeLeaf) {
      for (const one of taken) await one.done(status, { outcomeLeaf });
    },
  };
}

function requestOf(
  holding: Holding,
  { message, items, resources }: ChangeSet,
  { principal, address }: Asker,
  policy: string,
): Parameters<HoldsPort['ask']>[0] {
  const changes = Buffer.from(jcs([...items] as Json), 'utf8');
  const { statementBytesMax: allowed } = LIMITS.approvals;
  // Nobody agrees to what they are not shown: what is longer would be cut.
  if (changes.length > allowed) {
    const actual = changes.length;
    throw new CountersignError('LIMIT_EXCEEDED', { limit: 'approvals.statementBytesMax', allowed, actual });
  }
  const { rule, version } = holding;
  return {
    binding: {
      protocol: 'resources',
      message,
      changes,
      resources,
      principal: principal.id,
      policy,
      rule: { name: rule.name, version },
    },
    demand: demandOf(holding),
    requester: principal,
    bindToSession: false,
    facts: { effects: [], tables: [], affectedKeys: [] },
    address,
  };
}

function demandOf({ rule, version, terms, what }: Holding): HoldDemand {
  const { approvers, count, expires, within, reason, mfa } = terms;
  return {
    rule: { name: rule.name, version },
    approvers,
    count,
    expiresMs: parseDurationMs(expires),
    useWithinMs: parseDurationMs(within),
    requireReason: reason === 'required',
    ...(mfa === undefined ? {} : { mfaMs: parseDurationMs(mfa) }),
    reason: [what, rule.description].filter((part) => part !== undefined).join(': '),
  };
}

function heldError(open: readonly { readonly one: Holding; readonly hold: Hold }[]): CountersignError {
  const [first, ...others] = open;
  if (first === undefined) throw new CountersignError('INTERNAL');
  const { one, hold } = first;
  const also = others.map(
    (other) =>
      `; rule "${other.one.rule.name}" (version ${other.one.version}) holds it too, ${waitOf(other.one, other.hold)}, as ${other.hold.id}`,
  );
  return new CountersignError('POLICY_HELD', {
    rule: one.rule.name,
    version: one.version,
    what: `${one.what}, ${waitOf(one, hold)}${also.join('')}`,
    id: hold.id,
  });
}

/** Who has to agree, and by when. */
function waitOf({ terms }: Holding, { expiresUs }: Hold): string {
  const { approvers, count } = terms;
  const until = new Date(expiresUs / 1_000).toISOString().slice(0, 19);
  return `and it waits for ${count} of ${approvers.join(', ')} until ${until} UTC`;
}
