/**
 * What becomes of a query that a utility statement is made of.
 *
 * `LabelsReader` does this itself where the server prints such statements with their query, since 16. For 15, and for
 * views in them, which are not expanded there, the query in it is asked for by itself, and its labels come here.
 */

import {
  type ColumnLabel,
  columnLabel,
  type Origins,
  type StatementLabels,
} from '../../core/column-labels.ts';

/**
 * EXPLAIN: the plan tells how many rows the conditions let through, and what functions gave that it was made with;
 * never a value that is only shown.
 *
 * @param unknown why nobody knows what is explained: EXPLAIN EXECUTE
 */
export function explained(labels: StatementLabels, unknown?: string): StatementLabels {
  const told = new Set<ColumnLabel>();
  const parts: readonly Origins[] = [...labels.uses, ...(labels.outputs ?? []), ...labels.writes];
  for (const use of labels.uses) for (const label of use.labels) told.add(label);
  const opaque = unknown ?? parts.find((part) => part.opaque !== undefined)?.opaque;
  const plan = { name: 'QUERY PLAN', typeOid: 0, typmod: -1, identity: undefined, labels: told, opaque };
  return { ...labels, outputs: [plan] };
}

/** CREATE TABLE AS, SELECT INTO, CREATE MATERIALIZED VIEW: each column goes into a table that is not there yet. */
export function stored(labels: StatementLabels): StatementLabels {
  const columns = labels.outputs?.map(({ labels: from, opaque }, index) => ({
    target: columnLabel(0, index + 1),
    labels: from,
    opaque,
  })) ?? [{ target: columnLabel(0, 0), labels: new Set<ColumnLabel>(), opaque: 'a query that is not shown' }];
  return { ...labels, outputs: undefined, writes: [...labels.writes, ...columns] };
}
