/**
 * What Masks hide and somebody was shown, and who had agreed: spec/evidence.md, section 3, `reveals`.
 *
 * State grows with the grants that are being used. Untrusted: bodies.
 */

import type { Row } from './csv.ts';
import { isObject, type Json } from './jcs.ts';
import type { Leaf } from './leaf.ts';

type Values = Readonly<Record<string, Json>>;

/** A grant that is being used. */
interface Used {
  readonly holdId: Json | undefined;
  readonly approvers: readonly string[];
}

/** The owner of the grants that are being used. */
export class RevealRows {
  /** By the index of their `hold.taken`. */
  readonly #used = new Map<number, Used>();

  /** A grant is taken, or how that went is written. */
  used(leaf: Leaf, values: Values): void {
    const holdId = valueOf(values, 'hold_id');
    if (leaf.type === 'hold.taken') this.#used.set(leaf.n, { holdId, approvers: approversOf(values) });
    if (leaf.type !== 'hold.executed' || holdId === undefined) return;
    for (const [n, used] of this.#used) if (used.holdId === holdId) this.#used.delete(n);
  }

  /** @param row the one that it has by itself */
  row(leaf: Leaf, values: Values, row: Row): Row {
    const holdIds = valueOf(values, 'hold_ids');
    const uses = Array.isArray(holdIds)
      ? holdIds.map((id) => [...this.#used.values()].find(({ holdId }) => holdId === id))
      : [leaf.ref === undefined ? undefined : this.#used.get(leaf.ref)];
    const approvers = [...new Set(uses.flatMap((use) => use?.approvers ?? []))];
    const name = valueOf(values, 'name');
    return {
      ...row,
      approvers: approvers.length === 0 ? undefined : approvers,
      approved_before_shown:
        uses.length > 0 && uses.every((use) => use !== undefined && use.approvers.length > 0),
      same_person: typeof name === 'string' ? approvers.includes(name) : undefined,
    };
  }
}

/** Names of those whose votes let it be used. */
function approversOf(values: Values): readonly string[] {
  const votes = valueOf(values, 'votes');
  if (!Array.isArray(votes)) return [];
  return votes.flatMap((vote) => {
    const name = isObject(vote) ? valueOf(vote, 'approver') : undefined;
    return typeof name === 'string' ? [name] : [];
  });
}

// Field names are untrusted, and an object has members that nobody gave it.
function valueOf(values: Values, field: string): Json | undefined {
  return Object.hasOwn(values, field) ? values[field] : undefined;
}
