/** What is known of an expression's being NULL, for every row. */

import { bare, columnNames, constantOf } from './same-expression.ts';
import { as, listOf, named, type TreeValue } from './tree.ts';

/** System columns of a row that is stored. */
const NEVER_NULL = new Set(['ctid', 'xmin', 'xmax', 'cmin', 'cmax', 'tableoid']);

/** Whether an expression cannot be NULL. */
export function isNeverNull(value: TreeValue | undefined): boolean {
  const node = named(bare(value));
  switch (node?.name) {
    case 'ColumnRef':
      return NEVER_NULL.has(columnNames(node.fields).at(-1) ?? '');
    case 'NullTest':
    case 'BooleanTest':
    case 'SQLValueFunction':
    case 'A_ArrayExpr':
      return true;
    case 'A_Const':
      return constantOf(bare(value)) !== 'null';
    case 'CoalesceExpr':
      return listOf(node.fields['args']).some(isNeverNull);
    default:
      return false;
  }
}

/** An operator with a NULL gives NULL. */
export function isAlwaysNull(value: TreeValue | undefined): boolean {
  const node = named(bare(value));
  if (node?.name === 'A_Const') return node.fields['isnull'] === true;
  if (node?.name !== 'A_Expr' || node.fields['kind'] !== 'AEXPR_OP') return false;
  return isNullConstant(node.fields['lexpr']) || isNullConstant(node.fields['rexpr']);
}

export function isNullConstant(value: TreeValue | undefined): boolean {
  return as('A_Const', bare(value))?.['isnull'] === true;
}
