/** The leaves of one session with their bodies, out of the log. */

import { bodyValues } from '@countersign/ledger/body';
import type { Json } from '@countersign/ledger/jcs';
import { type Leaf, parseLeaf } from '@countersign/ledger/leaf';
import type { LogReader } from '../audit/log-reader.ts';
import { unsealBody } from '../audit/sealed-body.ts';
import { LIMITS } from '../core/limits.ts';
import type { StatementRow } from './answers.ts';

/** A leaf of the session; the body is absent where it has none or its key is gone. */
export interface SessionLeaf {
  readonly leaf: Leaf;
  readonly body: Readonly<Record<string, Json>> | undefined;
  /** Of the sealed body. */
  readonly bodyBytes: number;
}

/** Where a session stands in the log. */
export interface LeafRange {
  readonly session: string;
  readonly from: number;
  /** The leaf after the last one. */
  readonly to: number;
}

/** The leaves of a session in order; `key` opens their bodies. */
export async function* sessionLeaves(
  reader: LogReader,
  range: LeafRange,
  key: Uint8Array | undefined,
): AsyncGenerator<SessionLeaf, void> {
  for await (const stored of reader.leaves(range.from, range.to)) {
    const parsed = parseLeaf(stored.leaf);
    if (parsed.kind !== 'leaf' || parsed.leaf.session !== range.session) continue;
    const { body } = parsed.leaf;
    const bodyBytes = stored.sealed.length;
    const sealed = body === undefined || key === undefined || bodyBytes === 0;
    const values = sealed ? undefined : bodyValues(unsealBody(stored.sealed, body, key));
    yield { leaf: parsed.leaf, body: values, bodyBytes };
  }
}

export interface StatementPage {
  readonly statements: readonly StatementRow[];
  readonly next: number | undefined;
}

/**
 * Statements with their outcomes: at most `limit`, at most limits.api.leavesScannedMax leaves looked at, and
 * no more than the first of them whose bodies have limits.api.pageBytesMax together.
 */
export async function readStatements(
  reader: LogReader,
  range: LeafRange,
  key: Uint8Array | undefined,
  limit: number,
): Promise<StatementPage> {
  const to = Math.min(range.to, range.from + LIMITS.api.leavesScannedMax);
  const rows = new Map<number, StatementRow>();
  let next = to < range.to ? to : undefined;
  let open = 0;
  let bytes = 0;
  let full = false;
  for await (const { leaf, body, bodyBytes } of sessionLeaves(reader, { ...range, to }, key)) {
    const row = leaf.ref === undefined ? undefined : rows.get(leaf.ref);
    if (INTENTS.has(leaf.type)) {
      full ||= rows.size >= limit || bytes >= LIMITS.api.pageBytesMax;
      if (full) next = Math.min(next ?? leaf.n, leaf.n);
      else {
        bytes += bodyBytes;
        rows.set(leaf.n, statementRow(leaf, body));
        open += 1;
      }
    } else if (isOutcome(leaf) && row !== undefined && leaf.ref !== undefined) {
      rows.set(leaf.ref, withOutcome(row, leaf, body));
      open -= 1;
    }
    if (full && open === 0) break;
  }
  return { statements: [...rows.values()], next };
}

const INTENTS: ReadonlySet<string> = new Set(['statement.intent', 'http.intent']);
const OUTCOMES: ReadonlySet<string> = new Set(['statement.outcome', 'http.outcome']);

/** Whether a leaf says what became of an operation. */
export function isOutcome({ type }: Leaf): boolean {
  return OUTCOMES.has(type);
}

function statementRow(leaf: Leaf, body: SessionLeaf['body']): StatementRow {
  return { leaf: leaf.n, at: leaf.t, status: 'open', ...(body === undefined ? {} : { intent: body }) };
}

function withOutcome(row: StatementRow, leaf: Leaf, body: SessionLeaf['body']): StatementRow {
  return {
    ...row,
    status: leaf.status ?? 'unknown',
    outcomeLeaf: leaf.n,
    ...(body === undefined ? {} : { outcome: body }),
  };
}
