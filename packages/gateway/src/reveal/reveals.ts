/**
 * Shows somebody what Masks hide, when others have agreed: asks, waits for the same request again, uses what was
 * granted once, and says so in the log before the value goes out.
 *
 * Spec: spec/masking.md, section 17. The order is: what it stands for (so that nothing that cannot be shown uses a
 * grant up), every grant taken, the leaf signed, the value. A crash in between shows nothing, and the log says more
 * than was shown, never less.
 */

import type { Json } from '@countersign/ledger/jcs';
import type { Hold, HoldsPort, Taken } from '../approvals/holds-port.ts';
import type { LogReader } from '../audit/log-reader.ts';
import { CountersignError } from '../core/errors.ts';
import type { BodyValue, LedgerEvent, LedgerPort, ScopeKeys } from '../core/ledger-port.ts';
import type { MaskingKeyRing } from '../masking/operators/key-ring.ts';
import type { Resources } from '../resources/resources.ts';
import { type Asking, type RevealingMask, revealingMasks, revealRequest, type Subject } from './demands.ts';
import { clearValueOf, type MaskedValue } from './masked-value.ts';
import { sealedLiterals } from './sealed-literals.ts';

export interface RevealsOptions {
  readonly holds: Pick<HoldsPort, 'ask' | 'take'>;
  readonly resources: Pick<Resources, 'get' | 'bundleDigest'>;
  readonly ledger: LedgerPort;
  readonly reader: Pick<LogReader, 'leaf'>;
  readonly keys: Pick<ScopeKeys, 'find'>;
  readonly maskingKeys: () => Promise<MaskingKeyRing>;
}

/** Who asks, and who the leaf is by. */
export interface RevealAsking extends Asking {
  readonly actor: Pick<LedgerEvent, 'kind' | 'actor' | 'keyId'>;
}

/** A leaf of a session that the caller may see. */
export interface LiteralsOf {
  readonly session: string;
  readonly connection: string;
  readonly leaf: number;
}

export interface Revealed<T> {
  readonly value: T;
  /** Index of the leaf that says so. */
  readonly leaf: number;
}

/** What a leaf says beside who asked, and by whose leave. */
interface RevealEvent {
  readonly type: 'literal.reveal' | 'mask.reveal';
  readonly target?: string;
  readonly body: Readonly<Record<string, BodyValue>>;
}

export class Reveals {
  readonly #options: RevealsOptions;

  constructor(options: RevealsOptions) {
    this.#options = options;
  }

  /** The text and the values of a statement as they came. REVEAL_HELD until others have agreed. */
  async literals(of: LiteralsOf, asking: RevealAsking): Promise<Revealed<Readonly<Record<string, Json>>>> {
    const { session, connection, leaf } = of;
    const { reader, keys, resources } = this.#options;
    const key = await keys.find(session);
    if (key === undefined) throw new CountersignError('SHREDDED', { session });
    const sealed = await sealedLiterals(reader, session, leaf, key);
    const masks = revealingMasks(resources, sealed.masks);
    const subject: Subject = { message: 'literals', what: `literals of statement ${leaf} of ${session}` };
    const holds = await this.#granted(masks, subject, asking);
    const value = sealed.open();
    const event = {
      type: 'literal.reveal',
      target: connection,
      body: { leaf, viewed_session: session },
    } as const;
    return { value, leaf: await this.#write(event, masks, holds, asking) };
  }

  /** What a masked value stands for. REVEAL_HELD until others have agreed. */
  async value(masked: MaskedValue, asking: RevealAsking): Promise<Revealed<string>> {
    const { resources, maskingKeys } = this.#options;
    const ring = await maskingKeys();
    const known = clearValueOf(ring, resources, masked);
    const masks = revealingMasks(resources, known.masks);
    const what = `what ${JSON.stringify(masked.value)} stands for, a mask of ${known.entity} by ${masked.operator}`;
    const holds = await this.#granted(masks, { message: 'value', what }, asking);
    const [first] = masks;
    const body = { rule: first?.mask ?? '', entity: known.entity, count: 1 };
    return {
      value: known.clear,
      leaf: await this.#write({ type: 'mask.reveal', body }, masks, holds, asking),
    };
  }

  /** A grant of each Mask; REVEAL_HELD where one is missing, which is asked for. */
  async #granted(
    masks: readonly RevealingMask[],
    subject: Subject,
    asking: RevealAsking,
  ): Promise<readonly Hold[]> {
    const policy = this.#options.resources.bundleDigest();
    const holds: Hold[] = [];
    for (const mask of masks) {
      // oxlint-disable-next-line no-await-in-loop -- One after the other: each is a signed leaf.
      const hold = await this.#options.holds.ask(revealRequest(mask, subject, asking, policy));
      hold.release();
      holds.push(hold);
    }
    const at = holds.findIndex(({ state }) => state !== 'granted');
    const open = holds[at];
    const mask = masks[at];
    if (open === undefined || mask === undefined) return holds;
    const { approvers, count } = mask.reveal;
    throw new CountersignError('REVEAL_HELD', {
      mask: mask.mask,
      version: mask.version,
      count,
      approvers: approvers.join(', '),
      until: new Date(open.expiresUs / 1_000).toISOString().slice(0, 19),
      id: open.id,
    });
  }

  /** Uses every grant; none is left half used. The index of the leaf, which is signed. */
  async #write(
    { type, target, body }: RevealEvent,
    masks: readonly RevealingMask[],
    holds: readonly Hold[],
    { requester, reason, actor }: RevealAsking,
  ): Promise<number> {
    const taken = await this.#take(holds);
    const approval = taken[0]?.leaf ?? 0;
    let index: number;
    try {
      const written = await this.#options.ledger.append({
        ...actor,
        type,
        ...(target === undefined ? {} : { target }),
        ref: approval,
        body: {
          ...body,
          name: requester.name,
          reason,
          approval,
          hold_ids: holds.map(({ id }) => id),
          masks: masks.map(({ mask, version }) => ({ mask, version })),
        },
      });
      index = written.index;
    } catch (error) {
      for (const one of taken) await one.done('failed').catch(() => undefined);
      throw error;
    }
    for (const one of taken) await one.done('ok', { outcomeLeaf: index });
    return index;
  }

  async #take(holds: readonly Hold[]): Promise<readonly Taken[]> {
    const taken: Taken[] = [];
    try {
      for (const { id, digest } of holds) {
        const one = await this.#options.holds.take(id, digest, undefined);
        if (one.kind === 'refused') throw new CountersignError('HOLD_NOT_USABLE', { id, why: one.why });
        taken.push(one);
      }
      return taken;
    } catch (error) {
      // What cannot be written now is `unknown` at the next start.
      for (const other of taken) await other.done('failed').catch(() => undefined);
      throw error;
    }
  }
}
