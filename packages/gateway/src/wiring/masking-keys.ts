/**
 * The masking keys of this installation: made at first use, replaced when somebody asks, each time with a leaf.
 *
 * Spec: spec/masking.md, section 9. The next key is in the store before its leaf, and in force after it, so that
 * no mask is ever made with a key of which the log knows nothing. A crash in between is finished at the next start.
 * A start without keys that there should be is refused: new ones in their place would hide that they were lost.
 */

import { findLeaf } from '../audit/find-leaf.ts';
import type { LogReader } from '../audit/log-reader.ts';
import type { Clock } from '../core/clock.ts';
import { CountersignError } from '../core/errors.ts';
import type { BootId } from '../core/ids.ts';
import type { LedgerPort, ScopeKeys } from '../core/ledger-port.ts';
import {
  dropNextMaskingKey,
  keptAfter,
  loadMaskingRing,
  type MaskingKeyStore,
  prepareMaskingKey,
  promoteMaskingKey,
  type StoredMaskingRing,
} from '../keys/masking-keys.ts';
import { MaskingKeyRing } from '../masking/operators/key-ring.ts';

export interface MaskingKeysOptions extends MaskingKeyStore {
  readonly ledger: LedgerPort;
  readonly reader: LogReader;
  readonly keys: ScopeKeys;
  readonly clock: Clock;
  readonly bootId: BootId;
}

/** Why, and who asked. */
export interface RotationReason {
  readonly reason: string;
  readonly requestedBy: string;
}

/** Ids of masking keys after a rotation. */
export interface RotatedKeys {
  readonly current: number;
  readonly former: readonly number[];
}

const EVENT = 'mask.key.rotate';
const FIRST_USE: RotationReason = { reason: 'first use', requestedBy: 'countersign' };

export class MaskingKeys {
  readonly #options: MaskingKeysOptions;
  #known: { readonly version: number; readonly ring: MaskingKeyRing } | undefined;
  #making: Promise<RotatedKeys> | undefined;

  private constructor(options: MaskingKeysOptions) {
    this.#options = options;
  }

  /** Refused where keys cannot be read, or are not there though some Mask is or was. */
  static async open(options: MaskingKeysOptions): Promise<MaskingKeys> {
    const keys = new MaskingKeys(options);
    const stored = await loadMaskingRing(options);
    if (stored?.next !== undefined) await keys.#finish(stored);
    if (await hadMasks(options)) await keys.ring();
    return keys;
  }

  /** As the store has them now: another gateway may have replaced one. Made here where there are none. */
  async ring(): Promise<MaskingKeyRing> {
    const stored = await loadMaskingRing(this.#options);
    if (stored === undefined || stored.keys.length === 0) {
      this.#making ??= this.#makeFirst(stored).finally(() => {
        this.#making = undefined;
      });
      await this.#making;
      return this.ring();
    }
    if (this.#known?.version === stored.version) return this.#known.ring;
    const [current, ...former] = stored.keys;
    if (current === undefined) throw lost();
    this.#known = { version: stored.version, ring: new MaskingKeyRing(current, former) };
    return this.#known.ring;
  }

  /** Masks are made with a new key from now on. */
  async rotate(why: RotationReason): Promise<RotatedKeys> {
    await this.ring();
    return this.#make(why);
  }

  async #makeFirst(stored: StoredMaskingRing | undefined): Promise<RotatedKeys> {
    const { reader, keys } = this.#options;
    const made = await findLeaf(reader, keys, { types: new Set([EVENT]), sinceUs: 0, matches: () => true });
    if (stored === undefined && made !== undefined) throw lost();
    return this.#make(FIRST_USE);
  }

  async #make({ reason, requestedBy }: RotationReason): Promise<RotatedKeys> {
    const { ledger, clock, bootId } = this.#options;
    const prepared = await prepareMaskingKey(this.#options, clock.nowUs());
    const [from] = prepared.keys;
    const former = keptAfter(prepared);
    const current = prepared.next?.id ?? 0;
    await ledger.append({
      type: EVENT,
      kind: 'system',
      keyId: bootId,
      body: {
        ...(from === undefined ? {} : { from_key: from.id }),
        to_key: current,
        former_keys: former,
        reason,
        requested_by: requestedBy,
      },
    });
    await promoteMaskingKey(this.#options, prepared, clock.nowUs());
    return { current, former };
  }

  /** Brings in force a key whose leaf is in the log, and forgets one whose leaf is not. */
  async #finish(stored: StoredMaskingRing): Promise<void> {
    const { reader, keys, clock } = this.#options;
    const announced = await findLeaf(reader, keys, {
      types: new Set([EVENT]),
      sinceUs: stored.changedUs,
      matches: (body) => body['to_key'] === stored.next?.id,
    });
    if (announced === undefined) await dropNextMaskingKey(this.#options, stored, clock.nowUs());
    else await promoteMaskingKey(this.#options, stored, clock.nowUs());
  }
}

/** A resource that was deleted keeps its row. */
async function hadMasks({ store }: MaskingKeysOptions): Promise<boolean> {
  const row = await store.db
    .selectFrom('resources')
    .select('name')
    .where('kind', '=', 'Mask')
    .executeTakeFirst();
  return row !== undefined;
}

function lost(): CountersignError {
  return new CountersignError('STORE_FAILED', {
    reason:
      'the log says that masking keys were made, and the store has none: restore the store from a backup; new keys would make masks that nobody recognises',
  });
}
