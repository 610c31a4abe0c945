/** Approvals over the open rooms: people and groups from identity and resources, leaves from the log. */

import { setTimeout as delay } from 'node:timers/promises';
import { parseLeaf } from '@countersign/ledger/leaf';
import { Approvals } from '../approvals/approvals.ts';
import { holdLog } from '../approvals/hold-leaves.ts';
import { HoldStore } from '../approvals/hold-store.ts';
import type { ApprovalPeople, ApprovalsOptions } from '../approvals/options.ts';
import type { Config } from '../config/config.ts';
import type { CountersignError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { parseDurationMs, withinHours } from '../policy/patterns.ts';
import type { Notifier } from '../notify/notifier.ts';
import type { Resources } from '../resources/resources.ts';
import { noticeOf, openNotifier, type NotifyWiring, tellOfOpening } from './notify.ts';
import type { Rooms } from './rooms.ts';

export interface ApprovalsWiring extends NotifyWiring {
  readonly randomBytes: (length: number) => Uint8Array;
  readonly onError: (error: CountersignError, where: string) => void;
}

/** The room; whoever opened it closes it before the rooms. */
export interface OpenApprovals {
  readonly approvals: Approvals;
  /** Ends with them. */
  readonly notifier: Notifier;
  close(): Promise<void>;
}

export async function openApprovals(
  config: Config,
  rooms: Rooms,
  wiring: ApprovalsWiring,
): Promise<OpenApprovals> {
  const { store, ledger, reader, keys, clock, resources, bootId } = rooms;
  const { node } = config;
  const notifier = await openNotifier(config, rooms, wiring);
  const approvals = await Approvals.open({
    ...wiring,
    node,
    onAsked: (record) => notifier.tell(noticeOf(config, record)),
    onOpened: tellOfOpening(config, rooms, notifier, wiring),
    opener: openerOf(resources),
    holds: new HoldStore(store, node),
    ledger,
    log: holdLog(ledger, reader, keys),
    keys,
    people: peopleOf(rooms),
    policyDigest: (about, bundle) => resources.decidingDigest(about, bundle),
    system: { kind: 'system', keyId: bootId },
    clock,
    notBeforeUs: await lastLeafUs(rooms),
    pause: (ms) => delay(ms),
  });
  resources.holdWith(approvals);
  const timer = setInterval(() => void approvals.sweep(), LIMITS.approvals.sweepMs);
  const leave = resources.onChange(() => {
    void approvals.sweep();
  });
  return {
    approvals,
    notifier,
    async close() {
      clearInterval(timer);
      leave();
      await approvals.close();
      await notifier.close();
    },
  };
}

/** Who somebody is now, and in which groups. */
function peopleOf({ identity, resources }: Rooms): ApprovalPeople {
  const { principals } = identity;
  return {
    async find(id) {
      const record = await principals.findById(id);
      if (record === undefined || record.disabled) return undefined;
      const { name, kind, issuer, subject } = record;
      return { id, name, kind, issuer, subject, groups: resources.groupsOf(name) };
    },
    leafActor: (principal) => principals.leafActor(principal),
  };
}

/** What the rules say at this moment; the first by name. */
function openerOf(resources: Resources): ApprovalsOptions['opener'] {
  return (rules, about, nowUs) => {
    // Nothing opens what holds a change of resources.
    if ('resources' in about) return undefined;
    const found = resources
      .breakGlass(about.requester, about.connection)
      .find(
        ({ name, version, hours }) =>
          rules.some((rule) => rule.name === name && rule.version === version) &&
          (hours === undefined || withinHours(hours, nowUs)),
      );
    if (found === undefined) return undefined;
    const { name, version, terms } = found;
    return {
      rule: { name, version },
      reviewers: terms.reviewers,
      withinMs: parseDurationMs(terms.within),
      reviewMs: parseDurationMs(terms.review),
    };
  };
}

/** The log's own time never goes back, and this process has written a leaf. */
async function lastLeafUs({ ledger, reader }: Rooms): Promise<number> {
  const stored = await reader.leaf(ledger.size - 1);
  const parsed = stored === undefined ? undefined : parseLeaf(stored.leaf);
  if (parsed?.kind !== 'leaf') return 0;
  const { t } = parsed.leaf;
  return Date.parse(`${t.slice(0, 23)}Z`) * 1_000 + Number(t.slice(23, 26));
}
