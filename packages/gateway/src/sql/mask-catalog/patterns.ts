/**
 * Which columns a mask names: `table.column` in any schema, or `schema.table.column`; `*` in the place of a part is
 * any. A part is taken as it is written, capitals too; in double quotes it may have dots in it, and `"*"` is a star.
 *
 * Without a schema, PostgreSQL's own tables are not meant: who wants those masked says `pg_catalog`.
 */

import { MASK_CATALOG_LIMITS } from '../../core/masking-limits.ts';

export interface ColumnPattern {
  /** As it was written. */
  readonly text: string;
  /** Undefined is any, of parts of any sort. */
  readonly schema: string | undefined;
  readonly table: string | undefined;
  readonly column: string | undefined;
}

const PART = /"((?:[^"]|"")+)"|([^".*\s]+|\*)/y;

/** Undefined for what is no pattern. */
export function columnPattern(text: string): ColumnPattern | undefined {
  if (text.length > MASK_CATALOG_LIMITS.patternCharactersMax) return undefined;
  const parts: (string | undefined)[] = [];
  for (let at = 0; at <= text.length; at += 1) {
    PART.lastIndex = at;
    const found = PART.exec(text);
    if (found === null) return undefined;
    const [whole, quoted, bare] = found;
    parts.push(quoted === undefined ? (bare === '*' ? undefined : bare) : quoted.replaceAll('""', '"'));
    at += whole.length;
    if (at < text.length && text[at] !== '.') return undefined;
  }
  if (parts.length < 2 || parts.length > 3) return undefined;
  const [schema, table, column] = parts.length === 2 ? [undefined, ...parts] : parts;
  return { text, schema, table, column };
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
