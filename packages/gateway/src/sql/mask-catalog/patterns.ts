/**
 * Which columns a mask names, as the catalog is asked about them. Who reads what a Mask says is masking/plan.
 *
 * Without a schema, PostgreSQL's own tables are not meant: who wants those masked says `pg_catalog`.
 */

export interface ColumnPattern {
  /** As it was written. */
  readonly text: string;
  /** Undefined is any, of parts of any sort. */
  readonly schema: string | undefined;
  readonly table: string | undefined;
  readonly column: string | undefined;
}

/**
 * The parameter of MASK_CATALOG_SQL: JSON in ASCII, which no client_encoding changes.
 *
 * @param patterns in the order by which the answer counts them
 */
export function patternsParameter(patterns: readonly ColumnPattern[]): string {
  const rows = patterns.map(({ schema, table, column }) => [schema ?? null, table ?? null, column ?? null]);
  return JSON.stringify(rows).replace(/[\u007f-\uffff]/g, (unit) => {
    return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
