/**
 * What an operation wrote, as far as its answer told: the command tags of a recorded outcome.
 *
 * Spec: spec/policy.md §5. Rows of triggers, functions and cascades are in no tag; a live session counts them.
 */

import type { ReadText, StatementFacts } from '../core/effects.ts';
import type { ObservedTable } from '../policy/observed.ts';

/** Rows by table; undefined where the tags are not those of the statements. */
export function taggedRows(read: ReadText, tags: readonly string[]): readonly ObservedTable[] | undefined {
  if (read.kind !== 'read' || read.statements.length !== tags.length) return undefined;
  return read.statements.flatMap((statement, index) => writtenBy(statement, rowsOf(tags[index] ?? '')));
}

function writtenBy({ writes }: StatementFacts, rows: number): readonly ObservedTable[] {
  return writes.map(({ schema, name, verb }) => ({
    schema,
    name,
    inserted: verb === 'update' || verb === 'delete' ? 0 : rows,
    updated: verb === 'update' ? rows : 0,
    deleted: verb === 'delete' ? rows : 0,
  }));
}

/** `UPDATE 120`, `INSERT 0 1`. */
function rowsOf(tag: string): number {
  return Number(/ ([0-9]{1,15})$/.exec(tag)?.[1] ?? 0);
}
