/** What the text of a conducted statement says about its transaction, and about the rows that its tags tell. */

import type { ReadText, TransactionVerb } from '../../core/effects.ts';
import type { ObservedTable } from '../../policy/observed.ts';

type Read = Extract<ReadText, { readonly kind: 'read' }>;

/** What keeps a transaction, or makes it ready to be kept, and what ends one. */
export const KEEPS: ReadonlySet<TransactionVerb> = new Set<TransactionVerb>([
  'commit',
  'prepare-transaction',
]);
export const ENDS: ReadonlySet<TransactionVerb> = new Set<TransactionVerb>([...KEEPS, 'rollback']);

/** Statements that are planned when they are bound, so that functions in them may run then. */
const PLANNED: ReadonlySet<string> = new Set([
  'SelectStmt',
  'InsertStmt',
  'UpdateStmt',
  'DeleteStmt',
  'MergeStmt',
]);

/** The verbs about transactions of a text, in order; none where nobody has read it. */
export function verbsOf(read: ReadText): readonly TransactionVerb[] {
  if (read.kind !== 'read') return [];
  return read.statements.flatMap(({ transaction }) => (transaction === undefined ? [] : [transaction]));
}

/** Whether a Bind plans it: what nobody has read may be anything. */
export function isPlannedByBind(read: ReadText): boolean {
  return read.kind !== 'read' || read.statements.some(({ node }) => PLANNED.has(node));
}

/** Whether all that it does can be in a transaction that is rolled back. */
export function isUndoable(read: ReadText): boolean {
  return read.kind === 'read' && read.statements.every(({ undoable }) => undoable);
}

/** A text that ends a transaction in its middle cannot be undone as a whole; nor one that nobody has read. */
export function endsTransactions(read: ReadText, kind: string): boolean {
  if (read.kind !== 'read') return kind === 'Query';
  return read.statements.length > 1 && verbsOf(read).length > 0;
}

/** What a cursor selects is computed at COMMIT where it outlives its transaction. */
export function runsAtCommit(read: ReadText, textBytes: Uint8Array): boolean {
  if (read.kind !== 'read') return false;
  return read.statements.some(
    ({ node, from, to }) =>
      node === 'DeclareCursorStmt' && /\bhold\b/i.test(Buffer.from(textBytes.subarray(from, to)).toString()),
  );
}

/**
 * What each statement itself names and says that it wrote; a table that it names twice has its rows once.
 *
 * @param rows of the tags of its answer, in order
 */
export function taggedTables(read: ReadText, rows: readonly number[]): readonly ObservedTable[] {
  if (read.kind !== 'read') return [];
  return read.statements.flatMap((statement, at) => tablesOf(statement, rows[at] ?? 0));
}

function tablesOf({ writes }: Read['statements'][number], count: number): readonly ObservedTable[] {
  const tables = new Map<string, ObservedTable>();
  for (const { schema, name, verb } of writes) {
    const key = JSON.stringify([schema, name]);
    if (tables.has(key)) continue;
    tables.set(key, {
      schema,
      name,
      inserted: verb === 'update' || verb === 'delete' ? 0 : count,
      updated: verb === 'update' ? count : 0,
      deleted: verb === 'delete' ? count : 0,
    });
  }
  return [...tables.values()];
}
