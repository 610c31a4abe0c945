/** Sub-selects that give one row, whatever there is. */

import { as, listOf, stringsOf, type TreeNode, type TreeValue } from './tree.ts';

const AGGREGATES = new Set(
  'array_agg avg bool_and bool_or count every json_agg jsonb_agg max min string_agg sum'.split(' '),
);

/** The expression of a sub-select that has nothing else, `(SELECT id)`. */
export function onlyTarget(select: TreeNode | undefined): TreeValue | undefined {
  if (select === undefined || select['fromClause'] !== undefined || select['whereClause'] !== undefined)
    return undefined;
  const targets = listOf(select['targetList']);
  return targets.length === 1 ? as('ResTarget', targets[0])?.['val'] : undefined;
}

/** `SELECT count(*) FROM …`, which without GROUP BY and HAVING has a row for an empty table too. */
export function isOneAggregate(select: TreeNode): boolean {
  if (
    ['groupClause', 'havingClause', 'limitCount', 'limitOffset', 'larg'].some(
      (field) => select[field] !== undefined,
    )
  )
    return false;
  return listOf(select['targetList']).some((target) => {
    const call = as('FuncCall', as('ResTarget', target)?.['val']);
    return (
      call !== undefined &&
      call['over'] === undefined &&
      AGGREGATES.has(stringsOf(call['funcname']).at(-1) ?? '')
    );
  });
}
