/**
 * Masking views: for each relation with masked columns one of the same name, in a schema of their own beside it.
 *
 * A view is a function of the relation, the Masks and the columns that it has. So what a view must be can be made
 * again whenever somebody looks whether it is that. A column that came later is missing in the view, and in nobody's
 * reach, until the script is made and run again.
 */

import { createHash } from 'node:crypto';
import { SERVER_ROLE_LIMITS } from '../core/server-role-limits.ts';
import { maskedExpression } from './masked-expression.ts';
import type { MaskedRelation, RelationColumn } from './masked-relations.ts';
import { qualifiedName, quotedName } from './quoted.ts';

const ALIAS = 't';
const HASH_CHARACTERS = 8;

/**
 * `reader_masked_public`: of a role, so that two connections to one database may have different Masks. A name that
 * would be too long ends with a part of its hash.
 */
export function maskingSchema(role: string, schema: string): string {
  const name = `${role}_masked_${schema}`;
  const { nameBytesMax } = SERVER_ROLE_LIMITS;
  if (Buffer.byteLength(name) <= nameBytesMax) return name;
  const hash = createHash('sha256').update(name).digest('hex').slice(0, HASH_CHARACTERS);
  const kept = Buffer.from(name)
    .subarray(0, nameBytesMax - HASH_CHARACTERS - 1)
    .toString('utf8');
  // Half a character at the end is none.
  return `${kept.replace(/\uFFFD+$/, '')}_${hash}`;
}

/** Whether a view can stand for the relation: not where policies choose rows by who asks. */
export function hasMaskingView(relation: MaskedRelation): boolean {
  return (
    relation.columns.some(({ hidden }) => hidden !== undefined) &&
    !relation.hasRowSecurity &&
    !relation.isInvoker
  );
}

/** The query of a view with these columns; undefined where the relation does not have one of them. */
export function maskingQuery(relation: MaskedRelation, columns: readonly string[]): string | undefined {
  const byName = new Map(relation.columns.map((column) => [column.name, column]));
  const shown = columns.map((name) => byName.get(name));
  if (shown.length === 0 || shown.includes(undefined)) return undefined;
  const list = shown.flatMap((column) => (column === undefined ? [] : [shownAs(relation, column)]));
  return `SELECT ${list.join(',\n    ')}\n  FROM ${qualifiedName(relation.schema, relation.name)} ${quotedName(ALIAS)}`;
}

function shownAs(relation: MaskedRelation, column: RelationColumn): string {
  const source = `${quotedName(ALIAS)}.${quotedName(column.name)}`;
  if (column.hidden === undefined) return source;
  const { type, typeText, isBuiltIn, hidden } = column;
  const isDerived = relation.relkind === 'v';
  const expression = maskedExpression(
    { source, type, typeText, isBuiltIn, isDerived },
    hidden.operator,
    hidden.entity,
  );
  return `${expression} AS ${quotedName(column.name)}`;
}
