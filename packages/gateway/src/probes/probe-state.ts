/**
 * What the last looks found, by connection and kind: kept in the store, so that a start goes on where the last one ended.
 *
 * The log is the truth: each state is of leaves, and names them. A leaf that a crash kept from the store is found again
 * at the end of the log.
 */

import { isObject, type Json, jcs } from '@countersign/ledger/jcs';
import type { Leaf } from '@countersign/ledger/leaf';
import { answerOf } from '@countersign/ledger/model-rows';
import { CountersignError } from '../core/errors.ts';
import { PROBE_LIMITS as LIMITS } from '../core/probe-limits.ts';
import type { Store } from '../store/store.ts';
import type { ProbeKind, Seen } from './look.ts';

/** A change that nobody had agreed to. */
export interface Finding {
  /** Index of its leaf. */
  readonly leaf: number;
  readonly at: string;
  /** Digests. */
  readonly was: string;
  readonly is: string;
}

export interface ProbeState {
  /** What later answers are compared with. */
  readonly baseline: { readonly leaf: number; readonly at: string; readonly seen: Seen };
  /** The last look that was answered. */
  readonly answered: { readonly leaf: number; readonly at: string; readonly us: number };
  /** The last grant that let a change: neither it nor one before it lets another. */
  readonly usedApproval?: number;
  /** The newest at the end. */
  readonly findings: readonly Finding[];
}

/** Who keeps states; {@link storedProbeStates} does. */
export interface ProbeStates {
  /** Rejects with STORE_FAILED where what is kept cannot be read. */
  load(connection: string, kind: ProbeKind): Promise<ProbeState | undefined>;
  save(connection: string, kind: ProbeKind, state: ProbeState): Promise<void>;
}

/** A leaf of a look, with what is in its body. */
export interface ProbeLeaf {
  readonly leaf: Leaf;
  readonly values: Readonly<Record<string, Json>>;
  readonly timeUs: number;
}

/** What is new by a leaf. */
interface News {
  /** Undefined where it was as before. */
  readonly seen: Seen | undefined;
  readonly isChanged: boolean;
  /** The grant that let it. */
  readonly approval: number | undefined;
}

/** What a leaf that was answered makes of the state before it. */
export function advanced(
  before: ProbeState | undefined,
  leaf: { readonly index: number; readonly at: string; readonly us: number },
  { seen, isChanged, approval }: News,
): ProbeState | undefined {
  const answered = { leaf: leaf.index, at: leaf.at, us: leaf.us };
  if (seen === undefined) return before === undefined ? undefined : { ...before, answered };
  const found =
    isChanged && approval === undefined && before !== undefined
      ? [{ leaf: leaf.index, at: leaf.at, was: before.baseline.seen.digest, is: seen.digest }]
      : [];
  const usedApproval = approval ?? before?.usedApproval;
  return {
    baseline: { leaf: leaf.index, at: leaf.at, seen },
    answered,
    ...(usedApproval === undefined ? {} : { usedApproval }),
    findings: [...(before?.findings ?? []), ...found].slice(-LIMITS.findingsKeptMax),
  };
}

/** The state behind leaves that the store has not heard of. */
export function recovered(
  state: ProbeState | undefined,
  kind: ProbeKind,
  leaves: readonly ProbeLeaf[],
): ProbeState | undefined {
  return leaves
    .filter(({ leaf }) => leaf.type === `model.${kind}` && leaf.n > (state?.answered.leaf ?? -1))
    .reduce<ProbeState | undefined>((before, { leaf, values, timeUs }) => {
      if (leaf.status === 'unknown') return before;
      const { approval, previous } = values;
      const isChanged = leaf.status === 'changed';
      const isNew = isChanged || (before === undefined && previous === undefined);
      const at = { index: leaf.n, at: leaf.t, us: timeUs };
      return advanced(before, at, {
        seen: isNew ? seenIn(leaf, values) : undefined,
        isChanged,
        approval: typeof approval === 'number' ? approval : undefined,
      });
    }, state);
}

function seenIn(leaf: Leaf, values: ProbeLeaf['values']): Seen | undefined {
  const answer = answerOf(leaf.type, values);
  const { identity, fingerprint } = values;
  if (answer?.kind === 'identity' && identity !== undefined && isObject(identity)) {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Written by this room.
    return { kind: 'identity', digest: answer.digest, identity } as Seen;
  }
  if (answer?.kind !== 'canary' || typeof fingerprint !== 'string') return undefined;
  return { kind: 'canary', digest: fingerprint, order: answer.answer.order, scores: answer.answer.scores };
}

/** States of one gateway: baselines are leaves of its own log. */
export function storedProbeStates(store: Store, node: string): ProbeStates {
  const keyOf = (connection: string, kind: ProbeKind): string => `model_probe/${node}/${kind}/${connection}`;
  return {
    async load(connection, kind) {
      const row = await store.db
        .selectFrom('meta')
        .select('value')
        .where('key', '=', keyOf(connection, kind))
        .executeTakeFirst();
      return row === undefined ? undefined : parseState(row.value, kind);
    },
    async save(connection, kind, state) {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- It is made of JSON alone.
      const value = jcs(state as unknown as Json);
      await store.db
        .insertInto('meta')
        .values({ key: keyOf(connection, kind), value })
        .onConflict((conflict) => conflict.column('key').doUpdateSet({ value }))
        .execute();
    },
  };
}

function parseState(text: string, kind: ProbeKind): ProbeState {
  const value = jsonOf(text);
  const baseline = isObject(value) ? value['baseline'] : undefined;
  const seen = baseline !== undefined && isObject(baseline) ? baseline['seen'] : undefined;
  if (seen !== undefined && isObject(seen) && seen['kind'] === kind) {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- This is the parse function of what save wrote.
    return value as unknown as ProbeState;
  }
  throw new CountersignError('STORE_FAILED', { reason: 'what is kept of a look at a model cannot be read' });
}

function jsonOf(text: string): Json {
  try {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- JSON.parse gives JSON.
    return JSON.parse(text) as Json;
  } catch {
    // What is no JSON has not the form of a state either, which is said by the caller.
    return null;
  }
}
