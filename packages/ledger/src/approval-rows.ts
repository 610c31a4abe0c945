/**
 * Requests for approval with their votes and their end: spec/evidence.md, section 3, `approvals`.
 *
 * A request and what becomes of it are joined by `ref`, which the leaf has also where its body was shredded.
 * What answers no request of this fold (it was asked before the range, or is in another gateway's log) has a
 * row of its own, so that nothing is left out.
 */

import type { AskedFor } from './change-rows.ts';
import type { Row } from './csv.ts';
import type { Json } from './jcs.ts';
import type { Leaf } from './leaf.ts';

/** How a request ended, by the type of the leaf that says so. */
const ENDS: Readonly<Record<string, string>> = {
  'approval.denied': 'denied',
  'approval.expired': 'expired',
  'approval.withdrawn': 'withdrawn',
  'hold.executed': 'executed',
};

type Values = Readonly<Record<string, Json>>;

interface Vote {
  readonly decision: 'approve' | 'deny';
  readonly actor: string | undefined;
  readonly line: Json;
}

interface Request {
  readonly row: Row;
  readonly asker: string | undefined;
  readonly votes: Vote[];
  granted: { readonly at: string; readonly until: Json | undefined } | undefined;
  /** Index of the leaf by which who asked opened it in an emergency. */
  opened: number | undefined;
  isTaken: boolean;
}

/** The owner of the requests that are open. */
export class ApprovalRows {
  readonly #open = new Map<number, Request>();

  /** The row that a leaf completes; `row` is the one that it has by itself. */
  push(leaf: Leaf, values: Values, row: Row, isInPeriod: boolean): Row | undefined {
    if (leaf.type === 'hold.asked') {
      if (isInPeriod) this.#open.set(leaf.n, begin({ ...row, asked_leaf: leaf.ref }, leaf.actor));
      return undefined;
    }
    const request = leaf.ref === undefined ? undefined : this.#open.get(leaf.ref);
    if (request === undefined) {
      if (!isInPeriod) return undefined;
      const alone = begin(row, undefined);
      take(alone, leaf, values);
      return finish(alone, leaf, values);
    }
    take(request, leaf, values);
    if (ENDS[leaf.type] === undefined) return undefined;
    this.#open.delete(leaf.ref ?? leaf.n);
    return finish(request, leaf, values);
  }

  /** The request that a leaf is about, while it is open. */
  requestOf(leaf: Leaf): Row | undefined {
    return leaf.ref === undefined ? undefined : this.#open.get(leaf.ref)?.row;
  }

  /** The same as `changes` needs it. */
  askedFor(leaf: Leaf): AskedFor | undefined {
    const request = leaf.ref === undefined ? undefined : this.#open.get(leaf.ref);
    if (request === undefined) return undefined;
    const { row, asker, granted, opened } = request;
    const people = approversOf(request);
    const { rule, rule_version: version, count } = row;
    const isEnough = people.size >= (typeof count === 'number' ? count : 1);
    const isOpened = opened !== undefined;
    const isOwn = asker !== undefined && people.has(asker);
    return { rule, version, isGranted: granted !== undefined && isEnough && !isOwn && !isOpened, isOpened };
  }

  /** After the last leaf: what nothing ended. */
  *rest(): Generator<Row> {
    for (const request of this.#open.values()) yield cells(request);
    this.#open.clear();
  }
}

function begin(row: Row, asker: string | undefined): Request {
  return { row, asker, votes: [], granted: undefined, opened: undefined, isTaken: false };
}

function take(request: Request, leaf: Leaf, values: Values): void {
  if (leaf.type === 'hold.taken') request.isTaken = true;
  if (leaf.type === 'breakglass.used') {
    request.opened = leaf.n;
    request.granted = { at: leaf.t, until: valueOf(values, 'until') };
  }
  if (leaf.type !== 'approval.granted' && leaf.type !== 'approval.denied') return;
  const decision = leaf.type === 'approval.granted' ? 'approve' : 'deny';
  const line: Record<string, Json> = { decision, leaf: leaf.n, time: leaf.t };
  if (leaf.actor !== undefined) line['actor'] = leaf.actor;
  for (const field of ['approver', 'approver_groups', 'comment', 'signature_kind']) {
    const value = valueOf(values, field);
    if (value !== undefined) line[field] = value;
  }
  request.votes.push({ decision, actor: leaf.actor, line });
  const until = valueOf(values, 'until');
  if (decision === 'approve' && until !== undefined) request.granted = { at: leaf.t, until };
}

function finish(request: Request, leaf: Leaf, values: Values): Row {
  return {
    ...cells(request),
    status: leaf.status,
    outcome: ENDS[leaf.type] ?? outcomeOf(request),
    outcome_leaf_index: leaf.n,
    outcome_time_utc: leaf.t,
    outcome_reason: leaf.type === 'approval.denied' ? valueOf(values, 'comment') : valueOf(values, 'reason'),
    rows: valueOf(values, 'rows'),
  };
}

function cells(request: Request): Row {
  const { row, asker, votes, granted, opened } = request;
  const people = approversOf(request);
  return {
    ...row,
    votes: votes.map(({ line }) => line),
    approved: people.size,
    break_glass: opened,
    granted_at: granted?.at,
    until: granted?.until,
    same_person: asker === undefined ? undefined : people.has(asker),
    outcome: outcomeOf(request),
  };
}

/** Pseudonyms of who approved. */
function approversOf({ votes }: Request): ReadonlySet<string> {
  const approved = votes.filter(({ decision }) => decision === 'approve');
  return new Set(approved.flatMap(({ actor }) => actor ?? []));
}

function outcomeOf({ granted, isTaken }: Request): string {
  if (isTaken) return 'taken';
  return granted === undefined ? 'open' : 'granted';
}

// Field names are untrusted, and an object has members that nobody gave it.
function valueOf(values: Values, field: string): Json | undefined {
  return Object.hasOwn(values, field) ? values[field] : undefined;
}
