/**
 * How many rows the target guesses that a held statement would write, for approvers to see as a guess.
 *
 * Spec: spec/policy.md, "Holds". The target is asked to plan it, never to run it: EXPLAIN without ANALYZE, in a
 * transaction that can only read and is undone. Planning calls functions that say they are immutable, so only
 * texts are planned in which no function stands but PostgreSQL's own. Nothing that goes wrong here decides
 * anything: then there is no estimate, and the statement is held all the same.
 */

import type { Effect, StatementFacts } from '../../core/effects.ts';
import { type Exchange, rowsOf } from './exchange.ts';
import type { Ground } from './ground.ts';
import type { Piece } from './piece.ts';
import { inReadOnly } from './read-only.ts';
import { stopsOneStatement } from './refusal.ts';

/** What is planned as one, and writes rows. */
const PLANNED: ReadonlySet<string> = new Set(['InsertStmt', 'UpdateStmt', 'DeleteStmt', 'MergeStmt']);
/** What it does besides is nothing that planning could begin. */
const PLAIN: ReadonlySet<Effect> = new Set<Effect>([
  'read',
  'lock',
  'sequence',
  'insert',
  'update',
  'update-unqualified',
  'delete',
  'delete-unqualified',
  'merge',
]);
/** Relations of a ModifyTable node to what gives it its rows; `Member` before PostgreSQL 14. */
const SOURCES: ReadonlySet<unknown> = new Set(['Outer', 'Member']);

const EXPLAIN = new TextEncoder().encode('EXPLAIN (FORMAT JSON) ');

/** Where nothing of the session is open at the target; undefined where there is none. */
export async function estimatedRows(
  { judgement: { read }, textBytes, portal }: Piece,
  ground: Pick<Ground, 'ask'>,
  { exchange, name }: { readonly exchange: Exchange; readonly name: string },
): Promise<number | undefined> {
  if (read.kind !== 'read' || read.statements.length !== 1 || !read.statements.every(isPlain))
    return undefined;
  if (portal?.spooled !== undefined) return undefined;
  const { values = [], statement: prepared } = portal?.portal ?? {};
  try {
    return await inReadOnly(ground, async () => {
      const answers = exchange.extended([
        { kind: 'Close', target: 'S', name },
        {
          kind: 'Parse',
          statement: name,
          // A text of several statements is none that can be prepared.
          textBytes: Buffer.concat([EXPLAIN, textBytes]),
          parameterTypeOids: prepared?.parameterTypeOids ?? [],
        },
        {
          kind: 'Bind',
          portal: name,
          statement: name,
          valueFormats: values.map(({ format }) => (format === 'binary' ? 1 : 0)),
          values: values.map(({ bytes }) => bytes),
          resultFormats: [],
        },
        { kind: 'Execute', portal: name, rowsMax: 0 },
        { kind: 'Close', target: 'P', name },
        { kind: 'Close', target: 'S', name },
      ]);
      await exchange.sync();
      const rows = (await answers).flatMap(rowsOf);
      return writtenBy(rows.map(([line]) => line ?? '').join('\n'));
    });
  } catch (error) {
    if (!stopsOneStatement(error)) throw error;
    return undefined;
  }
}

function isPlain({ node, effects }: StatementFacts): boolean {
  return PLANNED.has(node) && effects.every(({ effect }) => PLAIN.has(effect));
}

/**
 * The rows that all its nodes that write are given.
 *
 * @param plan as EXPLAIN writes it; untrusted
 */
export function writtenBy(plan: string): number | undefined {
  let rows: number | undefined;
  const nodes = [parsed(plan)];
  for (let node = nodes.pop(); node !== undefined; node = nodes.pop()) {
    if (typeof node !== 'object' || node === null) continue;
    const children = Object.values(node);
    nodes.push(...children);
    if (fieldOf(node, 'Node Type') !== 'ModifyTable') continue;
    for (const source of asList(fieldOf(node, 'Plans'))) {
      if (!SOURCES.has(fieldOf(source, 'Parent Relationship'))) continue;
      const guess = fieldOf(source, 'Plan Rows');
      if (typeof guess !== 'number' || guess < 0) return undefined;
      rows = (rows ?? 0) + Math.round(guess);
    }
  }
  return Number.isSafeInteger(rows) ? rows : undefined;
}

/**
 * The rows that it writes, or those that it returns, whichever are more.
 *
 * @param plan as EXPLAIN writes it; untrusted
 */
export function guessedRows(plan: string): number | undefined {
  const explained = asList(parsed(plan));
  const returned = explained.map((one) => fieldOf(fieldOf(one, 'Plan'), 'Plan Rows'));
  let rows = 0;
  for (const guess of returned) {
    if (typeof guess !== 'number' || !(guess >= 0)) return undefined;
    rows += Math.round(guess);
  }
  if (returned.length === 0 || !Number.isSafeInteger(rows)) return undefined;
  if (!plan.includes('"ModifyTable"')) return rows;
  const written = writtenBy(plan);
  return written === undefined ? undefined : Math.max(written, rows);
}

function parsed(plan: string): unknown {
  try {
    return JSON.parse(plan);
  } catch {
    // It was too long to be kept, or there is an error in its place.
    return undefined;
  }
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function fieldOf(node: unknown, name: string): unknown {
  if (typeof node !== 'object' || node === null) return undefined;
  return Object.entries(node).find(([key]) => key === name)?.[1];
}
