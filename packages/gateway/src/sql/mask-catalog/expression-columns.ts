/**
 * What the expression of a generated column is made of: `pg_attrdef.adbin` → columns of its own table.
 *
 * Every node is walked, whatever it is, as in server-tree/facts.ts: a column is a VAR of the only table there is.
 */

import type { FunctionKnowledge } from '../labels/function-knowledge.ts';
import { FIRST_USER_OID } from '../server-tree/catalog-sql.ts';
import { numberOf, TreeList, TreeNode, type TreeValue, toNumber } from '../server-tree/nodes.ts';
import { oidRole, QUERY_TAGS } from '../server-tree/query-nodes.ts';

export interface ExpressionColumns {
  readonly attnums: ReadonlySet<number>;
  /** Something in it may have read more than these columns. */
  readonly opaque: boolean;
}

export function expressionColumns(root: TreeValue, functions: FunctionKnowledge): ExpressionColumns {
  const attnums = new Set<number>();
  let opaque = false;
  const waiting: TreeValue[] = [root];
  for (let value = waiting.pop(); value !== undefined; value = waiting.pop()) {
    if (value instanceof TreeList) waiting.push(...value.items);
    if (!(value instanceof TreeNode)) continue;
    waiting.push(...value.values);
    if (value.tag === 'VAR') {
      const attnum = numberOf(value, 'varattno');
      // A whole row, or a VAR that is not one: it may be any column.
      if (attnum === undefined || attnum === 0) opaque = true;
      else if (attnum > 0) attnums.add(attnum);
    } else if (!QUERY_TAGS.has(value.tag)) opaque = true;
    if (callsUnknown(value, functions)) opaque = true;
  }
  return { attnums, opaque };
}

/** PostgreSQL's own operators call its own functions, and types have none that read tables. */
function callsUnknown(node: TreeNode, functions: FunctionKnowledge): boolean {
  return node.names.some((name, index) => {
    const role = oidRole(name);
    // A constant was read when the column was made.
    if (role === undefined || name === 'consttype') return false;
    const value = node.values[index];
    return (value instanceof TreeList ? value.items : [value]).some((item) => {
      const oid = toNumber(item);
      // Where PostgreSQL 15 leaves a function out, the operator is beside it.
      if (oid === undefined || oid === 0) return false;
      return role === 'functions' ? functions.of(oid) !== 'pure' : oid >= FIRST_USER_OID;
    });
  });
}
