/**
 * Holds that were opened in an emergency, and what was said of that afterwards: spec/evidence.md, section 3,
 * `breakglass` and `breakglass-unreviewed`.
 *
 * A row is complete when it is reviewed. State grows with the uses that nobody has reviewed. Untrusted: bodies.
 */

import type { Row } from './csv.ts';
import { isObject, type Json } from './jcs.ts';
import type { Leaf } from './leaf.ts';

type Values = Readonly<Record<string, Json>>;

interface Use {
  readonly row: Row;
  readonly leaf: Leaf;
  readonly holdId: Json | undefined;
  readonly reviewBy: Json | undefined;
  readonly notified: Json[];
  taken: { readonly leaf: number; readonly statement: Json | undefined } | undefined;
  ended: string | undefined;
}

/** The owner of the uses that nobody has reviewed. */
export class BreakGlassRows {
  readonly #open = new Map<number, Use>();
  /** Leaf times before this one are in the period. */
  readonly #to: string;

  constructor(to: string) {
    this.#to = to;
  }

  /** The row that a leaf completes; `row` is the one that it has by itself. */
  push(leaf: Leaf, values: Values, row: Row, isInPeriod: boolean): Row | undefined {
    switch (leaf.type) {
      case 'breakglass.used':
        if (isInPeriod) this.#open.set(leaf.n, begin(leaf, values, row));
        return undefined;
      case 'breakglass.notified':
        this.#find(leaf.ref)?.notified.push(noticeOf(leaf, values));
        return undefined;
      case 'hold.taken':
      case 'hold.executed':
        this.#used(leaf, values);
        return undefined;
      case 'breakglass.reviewed': {
        const use = this.#find(leaf.ref);
        if (use !== undefined) this.#open.delete(use.leaf.n);
        else if (!isInPeriod) return undefined;
        return reviewed(use, leaf, values, row);
      }
      default:
        return undefined;
    }
  }

  /** After the last leaf: what nobody has reviewed. */
  *rest(): Generator<Row> {
    for (const use of this.#open.values()) {
      const isLate = typeof use.reviewBy === 'string' && use.reviewBy < this.#to;
      yield { ...cells(use), in_time: isLate ? false : undefined };
    }
    this.#open.clear();
  }

  #find(n: number | undefined): Use | undefined {
    return n === undefined ? undefined : this.#open.get(n);
  }

  /** A hold is opened once: its request, or its id where that is in another log, says which use it was. */
  #used(leaf: Leaf, values: Values): void {
    const holdId = valueOf(values, 'hold_id');
    const use = [...this.#open.values()].find(
      (one) =>
        (leaf.ref !== undefined && one.leaf.ref === leaf.ref) ||
        (holdId !== undefined && one.holdId === holdId),
    );
    if (use === undefined) return;
    if (leaf.type === 'hold.executed') use.ended = leaf.status;
    else use.taken = { leaf: leaf.n, statement: valueOf(values, 'intent_leaf') };
  }
}

/** Whether the leaf of a use says that people had not approved it. */
export function saysBroken(values: Values): boolean {
  return isObject(valueOf(values, 'break_glass'));
}

function begin(leaf: Leaf, values: Values, row: Row): Use {
  return {
    row,
    leaf,
    holdId: valueOf(values, 'hold_id'),
    reviewBy: valueOf(values, 'review_by'),
    notified: [],
    taken: undefined,
    ended: undefined,
  };
}

function cells({ row, leaf, notified, taken, ended }: Use): Row {
  return {
    ...row,
    status: ended,
    asked_leaf_index: leaf.ref,
    taken_leaf_index: taken?.leaf,
    statement_leaf_index: taken?.statement,
    notified: notified.length === 0 ? undefined : [...notified],
  };
}

function reviewed(use: Use | undefined, leaf: Leaf, values: Values, row: Row): Row {
  const review = {
    verdict: leaf.status,
    reviewer: valueOf(values, 'reviewer'),
    reviewer_id: leaf.actor,
    reviewer_groups: valueOf(values, 'reviewer_groups'),
    comment: valueOf(values, 'comment'),
    review_leaf_index: leaf.n,
    review_time_utc: leaf.t,
  };
  if (use === undefined) return { ...row, status: undefined, ...review };
  const { reviewBy } = use;
  return {
    ...cells(use),
    ...review,
    same_person: leaf.actor === undefined ? undefined : leaf.actor === use.leaf.actor,
    seconds_to_review: Math.floor((Date.parse(leaf.t) - Date.parse(use.leaf.t)) / 1_000),
    in_time: typeof reviewBy === 'string' ? leaf.t <= reviewBy : undefined,
  };
}

function noticeOf(leaf: Leaf, values: Values): Json {
  const line: Record<string, Json> = { leaf: leaf.n, time: leaf.t };
  if (leaf.status !== undefined) line['status'] = leaf.status;
  for (const field of ['notice', 'receiver', 'reason']) {
    const value = valueOf(values, field);
    if (value !== undefined) line[field] = value;
  }
  return line;
}

// Field names are untrusted, and an object has members that nobody gave it.
function valueOf(values: Values, field: string): Json | undefined {
  return Object.hasOwn(values, field) ? values[field] : undefined;
}
