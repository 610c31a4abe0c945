/**
 * How many rows a transaction has written, by table, as the server itself counts them.
 *
 * Spec: spec/policy.md §5; PostgreSQL 18, "The Cumulative Statistics System", pg_stat_xact_all_tables.
 * Each backend counts the rows that its transaction inserts, updates and deletes, before COMMIT and whoever
 * causes it: triggers, functions, cascades, MERGE, COPY, CTEs. What an aborted subtransaction wrote counts
 * too, so that the number is never too small. The counters may still hold what an earlier transaction did:
 * a count is the difference of two, both inside of the transaction.
 * No counter tells of TRUNCATE, of a table that is rewritten, or of one that takes another's place: that is
 * seen by the storage and the identity of what stands under the names that rules have.
 */

import type { QualifiedName } from '../../core/effects.ts';
import { CountersignError } from '../../core/errors.ts';
import type { ObservedTable } from '../../policy/observed.ts';
import type { rowsOf } from './exchange.ts';

/** What one count found. */
export interface RowCounts {
  /** When the transaction began: no two of a session have the same. */
  readonly transaction: string;
  /** By OID. */
  readonly written: ReadonlyMap<string, CountedTable>;
  /** Tables under the names that rules have, by OID. */
  readonly named: ReadonlyMap<string, NamedTable>;
  /** What tables with deferrable triggers have had written; undefined where there are none. */
  readonly deferrable: string | undefined;
}

interface CountedTable {
  /** Its own, and those of the tables that it is a part of. */
  readonly names: readonly QualifiedName[];
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
}

interface NamedTable extends QualifiedName {
  /** It and its partitions and children, by OID. */
  readonly parts: ReadonlyMap<string, Part>;
}

interface Part {
  /** Another one: its rows are others. */
  readonly storage: string;
  /** This transaction has made it, or it is empty: the counters tell everything. */
  readonly isNew: boolean;
}

/** Throws ROWS_NOT_COUNTED where the server does not count. */
export function readCounts(answer: ReturnType<typeof rowsOf>): RowCounts {
  const [first, ...rows] = answer;
  const [kind, tracks, transaction = '', deferrable] = first ?? [];
  if (kind !== 'state') throw new CountersignError('ROWS_NOT_COUNTED', { reason: 'the count is too long' });
  if (tracks !== 'on') {
    throw new CountersignError('ROWS_NOT_COUNTED', { reason: 'track_counts is off at the target' });
  }
  const written = new Map<string, CountedTable>();
  const named = new Map<string, NamedTable>();
  for (const [what, relation = '', a = '', b = '', c = '', names = '{}'] of rows) {
    const pairs = pairsOf(parseTextArray(names));
    if (what === 'written') {
      written.set(relation, {
        names: pairs,
        inserted: Number(a),
        updated: Number(b),
        deleted: Number(c),
      });
      continue;
    }
    named.set(relation, { schema: undefined, name: '', ...pairs[0], parts: partsOf(a) });
  }
  return { transaction, written, named, deferrable };
}

/** What was written between two counts of one transaction; a part of a table counts for the table too. */
export function writtenBetween(before: RowCounts, after: RowCounts): readonly ObservedTable[] {
  const tables: ObservedTable[] = [];
  for (const [relation, counted] of after.written) {
    const earlier = before.written.get(relation);
    const inserted = counted.inserted - (earlier?.inserted ?? 0);
    const updated = counted.updated - (earlier?.updated ?? 0);
    const deleted = counted.deleted - (earlier?.deleted ?? 0);
    if (inserted === 0 && updated === 0 && deleted === 0) continue;
    const [own, ...partOf] = [...counted.names, ...(earlier?.names ?? [])];
    if (own !== undefined) tables.push({ ...own, partOf, inserted, updated, deleted });
  }
  return [...tables, ...exchanged(before, after)];
}

/** A count with the rows added that were written between two others, so that a later one does not have them. */
export function withRowsOf(count: RowCounts, from: RowCounts, to: RowCounts): RowCounts {
  const written = new Map(count.written);
  for (const [relation, { names, ...now }] of to.written) {
    const earlier = from.written.get(relation);
    const known = count.written.get(relation);
    const added = (rows: 'inserted' | 'updated' | 'deleted'): number =>
      (known?.[rows] ?? 0) + Math.max(0, now[rows] - (earlier?.[rows] ?? 0));
    written.set(relation, {
      names: known?.names ?? names,
      inserted: added('inserted'),
      updated: added('updated'),
      deleted: added('deleted'),
    });
  }
  return { ...count, written };
}

/** Tables whose rows were exchanged without being counted. */
function exchanged(before: RowCounts, after: RowCounts): readonly ObservedTable[] {
  const found: ObservedTable[] = [];
  const add = ({ schema, name }: NamedTable): void => {
    found.push({ schema, name, inserted: 0, updated: 0, deleted: 0, exchanged: true });
  };
  for (const [relation, table] of before.named) {
    const now = after.named.get(relation);
    const isSame = ([part, { storage, isNew }]: readonly [string, Part]): boolean =>
      isNew || now?.parts.get(part)?.storage === storage;
    if (now === undefined || ![...table.parts].every(isSame)) add(table);
  }
  for (const [relation, table] of after.named) {
    const earlier = before.named.get(relation);
    const isKnown = ([part, { isNew }]: readonly [string, Part]): boolean =>
      isNew || earlier?.parts.has(part) === true;
    if (![...table.parts].every(isKnown)) add(table);
  }
  return found;
}

/** `oid:storage:new`, by spaces. */
function partsOf(text: string): ReadonlyMap<string, Part> {
  const parts = text.split(' ').map((part) => part.split(':'));
  return new Map(parts.map(([oid = '', storage = '', isNew]) => [oid, { storage, isNew: isNew === 'true' }]));
}

function pairsOf(names: readonly string[]): readonly QualifiedName[] {
  const result: QualifiedName[] = [];
  for (let at = 0; at + 1 < names.length; at += 2) {
    result.push({ schema: names[at] ?? '', name: names[at + 1] ?? '' });
  }
  return result;
}

/** An array of texts without NULLs, as array_out writes it. */
function parseTextArray(text: string): readonly string[] {
  const items: string[] = [];
  const item = /"((?:[^"\\]|\\.)*)"|([^{},"]+)/gsy;
  for (let at = 1; at < text.length - 1; at = item.lastIndex + 1) {
    item.lastIndex = at;
    const found = item.exec(text);
    if (found === null) throw new CountersignError('INTERNAL', {}, { cause: 'an array that is none' });
    items.push(found[1]?.replace(/\\(.)/gs, '$1') ?? found[2] ?? '');
  }
  return items;
}
