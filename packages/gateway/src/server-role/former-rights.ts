/**
 * What a role might do before a script took it away, written down in the comment of a masking schema, so that another
 * script can give it back.
 *
 * Untrusted: the comment. What is not of its form counts as not there.
 */

const PREFIX = 'Masking views of Countersign; before: ';
const RIGHTS: ReadonlySet<string> = new Set([
  'SELECT',
  'INSERT',
  'UPDATE',
  'DELETE',
  'TRUNCATE',
  'REFERENCES',
  'TRIGGER',
  'MAINTAIN',
]);

/** Column → rights; the table itself under the empty name. */
export type RelationRights = Readonly<Record<string, readonly string[]>>;

export interface FormerRights {
  /** `search_path` of the role in the database, as it was set; null where it was not. */
  readonly path: string | null;
  /** By names of the relations in the schema. */
  readonly tables: Readonly<Record<string, RelationRights>>;
}

export function formerRightsComment({ path, tables }: FormerRights): string {
  return PREFIX + JSON.stringify({ path, tables });
}

export function parseFormerRights(comment: string): FormerRights | undefined {
  if (!comment.startsWith(PREFIX)) return undefined;
  const value = parsed(comment.slice(PREFIX.length));
  if (!isObject(value)) return undefined;
  const { path, tables } = value;
  if (!(path === null || typeof path === 'string') || !isObject(tables)) return undefined;
  const found: Record<string, RelationRights> = Object.create(null);
  for (const [table, columns] of Object.entries(tables)) {
    if (!isObject(columns)) return undefined;
    const rights: Record<string, readonly string[]> = Object.create(null);
    for (const [column, list] of Object.entries(columns)) {
      if (!Array.isArray(list)) return undefined;
      const known = list.filter((right): right is string => typeof right === 'string' && RIGHTS.has(right));
      if (known.length !== list.length) return undefined;
      rights[column] = known;
    }
    found[table] = rights;
  }
  return { path, tables: found };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Somebody else's comment.
    return undefined;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
