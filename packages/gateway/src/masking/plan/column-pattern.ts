/**
 * Names of columns as Masks write them: `table.column`, `schema.table.column`, `*` as a whole part.
 *
 * Spec: spec/masking.md, section 8.1. Identifiers as PostgreSQL keeps them: in lower case, or in double quotes
 * exactly as they are, a quote in them doubled. A `*` within a part is refused: what it would reach changes with every new table.
 */

/** Undefined: any. */
export interface ColumnPattern {
  /** As it was written. */
  readonly text: string;
  readonly schema: string | undefined;
  readonly table: string | undefined;
  readonly column: string | undefined;
}

const PART = String.raw`\*|[a-z_\u0080-\uffff][a-z0-9_$\u0080-\uffff]*|"(?:[^"\u0000]|"")+"`;
const PATTERN = new RegExp(`^(?:(${PART})\\.)?(${PART})\\.(${PART})$`);

export const COLUMN_PATTERN_FORM =
  'table.column or schema.table.column, in lower case or in double quotes, with * for any whole part';

/** Undefined where the text has another form. */
export function parseColumnPattern(text: string): ColumnPattern | undefined {
  const found = PATTERN.exec(text);
  const [, schema = '*', table = '*', column = '*'] = found ?? [];
  return found === null
    ? undefined
    : { text, schema: nameOf(schema), table: nameOf(table), column: nameOf(column) };
}

function nameOf(part: string): string | undefined {
  if (part === '*') return undefined;
  return part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part;
}
