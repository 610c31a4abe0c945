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

/**
 * Rows that its answer gave; undefined where the tags are not those of the statements. What a CREATE TABLE AS
 * or a COPY FROM says is no row of an answer.
 */
export function returnedRows(read: ReadText, tags: readonly string[]): number | undefined {
  if (read.kind !== 'read' || read.statements.length !== tags.length) return undefined;
  const given = read.statements.map(({ effects, reads, writes }, index) => {
    const tag = tags[index] ?? '';
    if (/^(?:SELECT|FETCH) /.test(tag))
      return effects.some(({ effect }) => effect === 'create') ? 0 : rowsOf(tag);
    if (tag.startsWith('COPY ')) return effects.some(({ effect }) => effect === 'export') ? rowsOf(tag) : 0;
    // RETURNING reads what it writes.
    const mayReturn = writes.some((table) => reads.some(({ name }) => name === table.name));
    return mayReturn ? rowsOf(tag) : 0;
  });
  return given.reduce((sum, rows) => sum + rows, 0);
}

/** `UPDATE 120`, `INSERT 0 1`. */
function rowsOf(tag: string): number {
  return Number(/ ([0-9]{1,15})$/.exec(tag)?.[1] ?? 0);
}
