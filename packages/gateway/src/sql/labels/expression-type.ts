/**
 * The type of an expression's value, where its node says it: `exprType` and `exprTypmod` of nodes/nodeFuncs.c.
 *
 * For people, and for what has no RowDescription: that one is exact.
 */

import { fieldOf, itemsOf, numberOf, TreeNode, type TreeValue } from '../server-tree/nodes.ts';

export interface ExpressionType {
  /** 0 where the tree does not say. */
  readonly oid: number;
  readonly typmod: number;
}

const BOOLEAN = 16;
const UNKNOWN: ExpressionType = { oid: 0, typmod: -1 };

/** Kind of node → fields of its type and, where it has one, of its modifier. */
const FIELDS: ReadonlyMap<string, readonly [type: string, typmod?: string]> = new Map([
  ['VAR', ['vartype', 'vartypmod']],
  ['CONST', ['consttype', 'consttypmod']],
  ['PARAM', ['paramtype', 'paramtypmod']],
  ['AGGREF', ['aggtype']],
  ['WINDOWFUNC', ['wintype']],
  ['SUBSCRIPTINGREF', ['refrestype', 'reftypmod']],
  ['FUNCEXPR', ['funcresulttype']],
  ['OPEXPR', ['opresulttype']],
  ['NULLIFEXPR', ['opresulttype']],
  ['FIELDSELECT', ['resulttype', 'resulttypmod']],
  ['FIELDSTORE', ['resulttype']],
  ['RELABELTYPE', ['resulttype', 'resulttypmod']],
  ['COERCEVIAIO', ['resulttype']],
  ['ARRAYCOERCEEXPR', ['resulttype', 'resulttypmod']],
  ['CONVERTROWTYPEEXPR', ['resulttype']],
  ['CASE', ['casetype']],
  ['CASEEXPR', ['casetype']],
  ['ARRAY', ['array_typeid']],
  ['ARRAYEXPR', ['array_typeid']],
  ['ROW', ['row_typeid']],
  ['ROWEXPR', ['row_typeid']],
  ['COALESCE', ['coalescetype']],
  ['COALESCEEXPR', ['coalescetype']],
  ['MINMAX', ['minmaxtype']],
  ['MINMAXEXPR', ['minmaxtype']],
  ['SQLVALUEFUNCTION', ['type', 'typmod']],
  ['COERCETODOMAIN', ['resulttype', 'resulttypmod']],
  ['NEXTVALUEEXPR', ['typeId']],
]);

/** Those whose type is always the same. */
const FIXED: ReadonlyMap<string, number> = new Map([
  ['GROUPINGFUNC', 23],
  ['MERGESUPPORTFUNC', 25],
]);

const BOOLEANS: ReadonlySet<string> = new Set(
  'BOOLEXPR NULLTEST BOOLEANTEST DISTINCTEXPR SCALARARRAYOPEXPR ROWCOMPARE ROWCOMPAREEXPR JSONISPREDICATE'.split(
    ' ',
  ),
);

/** `SubLinkType`. */
const EXPR_SUBLINK = 4;
const ARRAY_SUBLINK = 6;

export function expressionType(value: TreeValue | undefined): ExpressionType {
  let at = value;
  // Of XML and JSON what comes out depends on how it is written. COLLATE and RETURNING OLD or NEW have the type of what is in them; a sub-select that of its one column.
  while (at instanceof TreeNode) {
    const fields = FIELDS.get(at.tag);
    if (fields !== undefined) {
      const [type, typmod] = fields;
      return {
        oid: numberOf(at, type) ?? 0,
        typmod: typmod === undefined ? -1 : (numberOf(at, typmod) ?? -1),
      };
    }
    const fixed = FIXED.get(at.tag);
    if (fixed !== undefined) return { oid: fixed, typmod: -1 };
    if (BOOLEANS.has(at.tag)) return { oid: BOOLEAN, typmod: -1 };
    at = at.tag === 'SUBLINK' ? shownBy(at) : (fieldOf(at, 'arg') ?? fieldOf(at, 'retexpr'));
    if (at === 'boolean') return { oid: BOOLEAN, typmod: -1 };
  }
  return UNKNOWN;
}

function shownBy(link: TreeNode): TreeValue | undefined {
  const kind = numberOf(link, 'subLinkType');
  if (kind === undefined || kind === ARRAY_SUBLINK) return undefined;
  if (kind !== EXPR_SUBLINK) return 'boolean';
  const query = fieldOf(link, 'subselect');
  const [entry] = query instanceof TreeNode ? itemsOf(query, 'targetList') : [];
  return entry instanceof TreeNode ? fieldOf(entry, 'expr') : undefined;
}
