/**
 * What was found where models were looked at, and whether somebody had agreed to it: spec/evidence.md, section 3,
 * `model-probes`, and the rows of `changes-unapproved` that come of it.
 *
 * State grows with the connections that are looked at, and with grants up to a bound. Untrusted: bodies.
 */

import type { Row } from './csv.ts';
import { isObject, type Json } from './jcs.ts';
import type { Leaf } from './leaf.ts';
import { type CanaryAnswer, likenessOf, SETTLE_SECONDS } from './model-compare.ts';

type Values = Readonly<Record<string, Json>>;

/** The leaves that this is about. */
export const MODEL_PROBES: ReadonlySet<string> = new Set(['model.identity', 'model.canary']);
/** Grants that are remembered; the newest. A period has as many as people can give. */
const USES_MAX = 10_000;

/** What a `hold.taken` is known to be. */
export interface TakenUse {
  readonly isGranted: boolean;
  /** Whether it lets a model be changed; undefined where its request is not at hand. */
  readonly isModel: boolean | undefined;
}

/** What a probe was answered, as far as it is disclosed. */
export type ProbeAnswer =
  | { readonly kind: 'identity'; readonly digest: string }
  | { readonly kind: 'canary'; readonly answer: CanaryAnswer; readonly tolerance: number };

/** What a probe comes to. */
export interface ProbeVerdict {
  /** Another model, or another answer, than the one before, and nobody had agreed to it. */
  readonly isFinding: boolean;
  /** What the leaf says of itself and its log does not bear out, for a verifier. */
  readonly contradicts: 'says-same' | 'other-baseline' | undefined;
}

interface Use {
  readonly t: string;
  target: string | undefined;
  readonly holdId: Json | undefined;
}

/** What probes of one kind on one connection are compared with. */
interface Baseline {
  readonly leaf: number;
  /** Undefined where its leaf is not in the range, or not disclosed. */
  readonly answer: ProbeAnswer | undefined;
  /** Time of the last probe that was answered, */
  lastTime: string;
  /** and the last grant that let a change: neither it nor one before it lets another. */
  usedApproval: number;
}

/** The owner of baselines and of grants that may have changed a model; one for each pass over a range. */
export class ModelRows {
  readonly #baselines = new Map<string, Baseline>();
  readonly #uses = new Map<number, Use>();
  #first: number | undefined;

  /** Every leaf of the range, before the others. */
  see({ n }: Leaf): void {
    this.#first ??= n;
  }

  /** `hold.taken`: a grant is about to be used. */
  taken({ n, t, target }: Leaf, values: Values, { isGranted, isModel }: TakenUse): void {
    if (!isGranted || isModel === false) return;
    this.#uses.set(n, { t, target, holdId: own(values, 'hold_id') });
    if (this.#uses.size <= USES_MAX) return;
    for (const oldest of this.#uses.keys()) {
      this.#uses.delete(oldest);
      return;
    }
  }

  /** `hold.executed`: what failed has changed nothing. */
  executed({ status }: Leaf, values: Values): void {
    if (status !== 'failed') return;
    const holdId = own(values, 'hold_id');
    for (const [n, use] of this.#uses)
      if (holdId !== undefined && use.holdId === holdId) this.#uses.delete(n);
  }

  /** `resource.apply`: whoever changed the connection with the others' consent may have changed what is behind it. */
  applied(values: Values): void {
    const { resource_kind: kind, name, approval } = values;
    if (kind !== 'Connection' || typeof name !== 'string' || typeof approval !== 'number') return;
    const use = this.#uses.get(approval);
    if (use !== undefined) use.target = name;
  }

  /** `model.identity`, `model.canary`. */
  probe(leaf: Leaf, values: Values): ProbeVerdict {
    const { n, t, type, status, target = '' } = leaf;
    // Nobody was answered: nothing is known, and what was known stays.
    if (status !== 'same' && status !== 'changed') return { isFinding: false, contradicts: undefined };
    const key = `${type} ${target}`;
    const before = this.#baselines.get(key);
    const answer = answerOf(type, values);
    const named = leafOf(own(values, 'previous'));
    const differs = before === undefined ? undefined : differ(before.answer, answer);
    const isChanged = differs ?? status === 'changed';
    const approval = own(values, 'approval');
    const isLet = this.#isLet(approval, n, target, before);
    const usedApproval =
      isChanged && isLet && typeof approval === 'number' ? approval : (before?.usedApproval ?? -1);
    const known = { lastTime: t, usedApproval };
    if (before === undefined && !isChanged && named !== undefined) {
      this.#baselines.set(key, { leaf: named, answer: undefined, ...known });
    } else if (before === undefined || isChanged) {
      this.#baselines.set(key, { leaf: n, answer, ...known });
    } else before.lastTime = t;
    const isOther = before !== undefined && named !== before.leaf;
    return {
      isFinding: isChanged && !isLet && (before !== undefined || named !== undefined),
      contradicts: isChanged && status === 'same' ? 'says-same' : isOther ? 'other-baseline' : undefined,
    };
  }

  /** Whether the grant that a leaf names let it, once; of one before the range, by the word of the leaf. */
  #isLet(approval: Json | undefined, n: number, target: string, before: Baseline | undefined): boolean {
    if (typeof approval !== 'number' || approval < 0 || approval >= n) return false;
    if (before !== undefined && approval <= before.usedApproval) return false;
    if (approval < (this.#first ?? 0)) return true;
    const use = this.#uses.get(approval);
    if (use === undefined || use.target !== target) return false;
    return before === undefined || Date.parse(before.lastTime) < Date.parse(use.t) + SETTLE_SECONDS * 1_000;
  }
}

/** Cells of a finding in `changes` and `changes-unapproved`. */
export function findingCells(leaf: Leaf, values: Values, isDisclosed: boolean): Row {
  const what = leaf.type === 'model.identity' ? 'model_identity' : 'fingerprint';
  const previous = own(values, 'previous');
  const was = isObject(previous) ? own(previous, what) : undefined;
  const is = own(values, what);
  return {
    kinds: [isDisclosed ? 'model' : 'undisclosed'],
    operation: leaf.type === 'model.identity' ? 'another model' : 'another answer',
    ...(typeof was === 'string' && typeof is === 'string' ? { reason: `was ${was}, is ${is}` } : {}),
    approved_before_executed: false,
    why: 'unannounced',
  };
}

/** What a leaf says was answered; undefined where it is not disclosed, or says nothing. */
export function answerOf(type: string, values: Values): ProbeAnswer | undefined {
  if (type === 'model.identity') {
    const digest = own(values, 'model_identity');
    return typeof digest === 'string' ? { kind: 'identity', digest } : undefined;
  }
  const order = own(values, 'order');
  const scores = own(values, 'scores');
  if (!Array.isArray(order) || !Array.isArray(scores)) return undefined;
  const places = order.filter((place) => typeof place === 'number');
  const bytes = scores.filter((score) => typeof score === 'string');
  if (places.length !== order.length || bytes.length !== scores.length) return undefined;
  const tolerance = own(values, 'tolerance');
  const answer = { order: places, scores: bytes };
  return { kind: 'canary', answer, tolerance: typeof tolerance === 'string' ? Number(tolerance) : 0 };
}

/** Undefined where one of the two is not known. */
function differ(before: ProbeAnswer | undefined, after: ProbeAnswer | undefined): boolean | undefined {
  if (before === undefined || after === undefined) return undefined;
  if (before.kind === 'identity' || after.kind === 'identity') {
    return (
      before.kind !== after.kind ||
      (after.kind === 'identity' && before.kind === 'identity' && before.digest !== after.digest)
    );
  }
  return likenessOf(before.answer, after.answer, after.tolerance) === 'different';
}

function leafOf(previous: Json | undefined): number | undefined {
  const leaf = isObject(previous) ? own(previous, 'leaf') : undefined;
  return typeof leaf === 'number' ? leaf : undefined;
}

// Field names are untrusted, and an object has members that nobody gave it.
function own(values: Values, field: string): Json | undefined {
  return Object.hasOwn(values, field) ? values[field] : undefined;
}
