/**
 * Expressions in one spelling, so that two that always have the same value can be found to be the same.
 *
 * What changes no value is left out: locations, casts, collations, `+ 0`, `- 0`, `* 1`, `|| ''` and a plus.
 */

import { onlyTarget } from './sub-select.ts';
import { as, isList, isNode, listOf, named, stringsOf, type TreeNode, type TreeValue } from './tree.ts';

/** Longer spellings are cut: that two such expressions are taken for the same is on the safe side. */
const SPELLING_MAX = 2_000;
const DEPTH_MAX = 60;

/** The expression's spelling; `rename` gives the name by which a table is to be known. */
export function spelling(
  value: TreeValue | undefined,
  rename: (table: string) => string = (table) => table,
): string {
  const pieces: string[] = [];
  spell(value, rename, pieces, { left: SPELLING_MAX }, DEPTH_MAX);
  return pieces.join('');
}

/** A constant as it is written: `0`, `true`, a text; undefined for what is no constant. */
export function constantOf(value: TreeValue | undefined): string | undefined {
  const fields = as('A_Const', bare(value));
  if (fields === undefined) return undefined;
  if (fields['isnull'] === true) return 'null';
  const [kind, inner] = Object.entries(fields).find(([key]) => key !== 'location') ?? [];
  if (kind === undefined || !isNode(inner)) return undefined;
  const zero = { boolval: 'false', ival: '0' }[kind] ?? '';
  const constant = inner[kind];
  return typeof constant === 'object' ? zero : String(constant ?? zero);
}

/** The expression without what only changes its type, or nothing. */
export function bare(value: TreeValue | undefined): TreeValue | undefined {
  let inner = value;
  for (;;) {
    const node = named(inner);
    if (node?.name === 'TypeCast' || node?.name === 'CollateClause') inner = node.fields['arg'];
    else if (node?.name === 'SubLink' && node.fields['subLinkType'] === 'EXPR_SUBLINK') {
      const target = onlyTarget(as('SelectStmt', node.fields['subselect']));
      if (target === undefined) return inner;
      inner = target;
    } else if (node?.name === 'A_Expr') {
      const kept = operandKept(node.fields);
      if (kept === undefined) return inner;
      inner = kept;
    } else return inner;
  }
}

/** The operator of a plain A_Expr, without a schema. */
export function operatorOf(fields: TreeNode): string {
  return stringsOf(fields['name']).at(-1) ?? '';
}

/** Names of a ColumnRef: `*` where all columns are meant. */
export function columnNames(fields: TreeNode): readonly string[] {
  return listOf(fields['fields']).map((part) => stringsOf([part])[0] ?? '*');
}

/** What an operator gives back as it came: `x + 0` is x. */
function operandKept(fields: TreeNode): TreeValue | undefined {
  if (fields['kind'] !== 'AEXPR_OP') return undefined;
  const operator = operatorOf(fields);
  const left = fields['lexpr'];
  const right = fields['rexpr'];
  if (left === undefined) return operator === '+' ? right : undefined;
  const neutral = { '+': '0', '-': '0', '*': '1', '/': '1', '||': '' }[operator];
  if (neutral === undefined) return undefined;
  if (plainConstant(right) === neutral) return left;
  return (operator === '+' || operator === '*' || operator === '||') && plainConstant(left) === neutral
    ? right
    : undefined;
}

function plainConstant(value: TreeValue | undefined): string | undefined {
  return named(value)?.name === 'A_Const' ? constantOf(value) : undefined;
}

function spell(
  value: TreeValue | undefined,
  rename: (table: string) => string,
  pieces: string[],
  budget: { left: number },
  depth: number,
): void {
  if (budget.left <= 0 || depth === 0) return;
  const inner = bare(value);
  const column = as('ColumnRef', inner);
  if (column !== undefined) {
    put(columnSpelling(columnNames(column), rename), pieces, budget);
  } else if (isList(inner)) {
    put('[', pieces, budget);
    for (const item of inner) spell(item, rename, pieces, budget, depth - 1);
    put(']', pieces, budget);
  } else if (isNode(inner)) {
    put('{', pieces, budget);
    for (const key in inner) {
      if (key === 'location') continue;
      put(`${key}:`, pieces, budget);
      spell(inner[key], rename, pieces, budget, depth - 1);
    }
    put('}', pieces, budget);
  } else {
    put(JSON.stringify(inner ?? null), pieces, budget);
  }
}

/** `s.t.c` and `t.c` are the column `c` of `t`; a name alone is the target's. */
function columnSpelling(names: readonly string[], rename: (table: string) => string): string {
  const column = names.at(-1) ?? '';
  const table = names.at(-2);
  return JSON.stringify([rename(table ?? ''), column]);
}

function put(piece: string, pieces: string[], budget: { left: number }): void {
  pieces.push(piece);
  budget.left -= piece.length;
}
