/** The leaves of administrative changes. Spec: spec/events.md. */

import type { BodyValue, LedgerEvent } from '../core/ledger-port.ts';
import type { ActorKind, Principal } from '../core/principal.ts';
import type { Passage } from './gate.ts';
import type { DiffEntry, PlannedChange } from './plan.ts';

/** Who changes something; a Principal with its pseudonym and the scope that seals its bodies. */
export interface Changer {
  readonly name: string;
  readonly kind: ActorKind;
  /** Pseudonym; absent where kind is `system`. */
  readonly actor?: string;
  /** `prn_…`, or `bot_…` where kind is `system`. */
  readonly keyId: string;
  /** Who asks where a rule holds the change; without, it is refused then. */
  readonly asker?: Asker;
}

/** Somebody who can be told when others have agreed. */
export interface Asker {
  readonly principal: Principal;
  /** Of their client. */
  readonly address: string;
}

/** The leaf of one change. */
export function eventOf(change: PlannedChange, by: Changer, passage?: Passage): LedgerEvent {
  const { kind, name, version, previous, digest, action } = change;
  const common = {
    resource_kind: kind,
    name,
    version,
    diff: change.diff.map(diffBody),
    changed_by: by.name,
    ...bodyOf(passage),
    ...(previous === undefined ? {} : { from_digest: previous.digest }),
  };
  if (action === 'deleted')
    return { ...actorOf(by), ...refOf(passage), type: 'resource.delete', body: common };
  return {
    ...actorOf(by),
    ...refOf(passage),
    type: 'resource.apply',
    status: previous === undefined ? 'created' : 'updated',
    body: {
      ...common,
      ...(previous === undefined ? {} : { previous_version: previous.version }),
      to_digest: digest,
    },
  };
}

/** The leaf that names the new digest which decisions will carry. */
export function bundleEvent(
  bundle: { readonly digest: string; readonly previous: string; readonly resources: number },
  by: Changer,
): LedgerEvent {
  const { digest, previous, resources } = bundle;
  return {
    ...actorOf(by),
    type: 'policy.bundle',
    body: { digest, previous_digest: previous, resources, changed_by: by.name },
  };
}

/** The leaf of a password that was set; nothing of the password is in it. */
export function passwordEvent(connection: string, by: Changer, passage?: Passage): LedgerEvent {
  return {
    ...actorOf(by),
    ...refOf(passage),
    type: 'credential.change',
    target: connection,
    body: {
      connection,
      credential_kind: 'sealed',
      reference: 'store',
      changed_by: by.name,
      ...bodyOf(passage),
    },
  };
}

/** What let it pass: the `hold.taken`, and the holds, of which each guard has one. */
function bodyOf(passage: Passage | undefined): Readonly<Record<string, BodyValue>> {
  return passage === undefined ? {} : { approval: passage.approval, hold_ids: [...passage.holdIds] };
}

function refOf(passage: Passage | undefined): { readonly ref?: number } {
  return passage === undefined ? {} : { ref: passage.approval };
}

function actorOf(by: Changer): Pick<LedgerEvent, 'kind' | 'actor' | 'keyId'> {
  return { kind: by.kind, keyId: by.keyId, ...(by.actor === undefined ? {} : { actor: by.actor }) };
}

/** One place where two versions differ, as a body has it. */
export function diffBody(entry: DiffEntry): BodyValue {
  return {
    path: entry.path,
    ...(entry.from === undefined ? {} : { from: entry.from }),
    ...(entry.to === undefined ? {} : { to: entry.to }),
  };
}
