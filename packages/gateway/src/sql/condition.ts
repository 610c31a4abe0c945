/**
 * Whether the WHERE of an UPDATE, a DELETE or a MERGE can tell one row of its table from another.
 *
 * A condition is folded to what can be said of it for every row: it is true, it is false, it is the same for
 * all of them, or it varies. NULL counts as false where a column has to be NULL for it, `id = id` as true:
 * few rows are spared by that. It errs towards "the same for all": a column without its table is taken for one
 * of the nearest query, and `x = $1 OR $2` for what the second parameter may make of it. A condition that is
 * true for every row that there happens to be, `id > 0`, is not found here: counting the rows is.
 */

import { LIMITS } from '../core/limits.ts';
import { contradict } from './contradiction.ts';
import { isAlwaysNull, isNeverNull, isNullConstant } from './null-values.ts';
import { bare, constantOf, columnNames, operatorOf, spelling } from './same-expression.ts';
import { isOneAggregate, onlyTarget } from './sub-select.ts';
import {
  as,
  isList,
  isNode,
  listOf,
  type NamedNode,
  named,
  type TreeNode,
  type TreeValue,
  textOf,
} from './tree.ts';

type Truth = 'true' | 'false' | 'fixed' | 'varies';

/** The table that is written, and the others that its condition can speak of. */
export interface Surroundings {
  readonly table: string | undefined;
  readonly schema: string | undefined;
  /** The name by which the target's columns are known: its alias, or the table's. */
  readonly target: string;
  /** Names of other items of FROM; true for those that are the same table again, row by row. */
  readonly others: ReadonlyMap<string, boolean>;
  /** Whether a column without its table is the target's. */
  readonly bareIsTarget: boolean;
  /** Whether the same table again stands for the row itself, `t.id = again.id`, so that its columns are the row's. */
  readonly linked: boolean;
  /** Parts that may still be looked at: what is nested is looked at several times over. */
  readonly steps: { left: number };
}

const DEPTH_MAX = 100;

/** Columns that every row has and none can tell rows apart by. */
const SAME_FOR_ALL = new Set(['tableoid']);
const NEVER_NEGATIVE = new Set(['abs', 'length', 'char_length', 'octet_length', 'bit_length', 'cardinality']);
/** Patterns that everything matches. */
const ANY_TEXT: Readonly<Record<string, RegExp>> = {
  '~~': /^%+$/,
  '~~*': /^%+$/,
  '~': /^\^?(?:\.\*)?\$?$/,
  '~*': /^\^?(?:\.\*)?\$?$/,
};

/** What a statement's condition can speak of. */
export function surroundings(relation: TreeNode, from: TreeValue | undefined): Surroundings {
  const table = textOf(relation['relname']);
  const schema = textOf(relation['schemaname']);
  const target = aliasOf(relation) ?? table ?? '';
  const others = new Map<string, boolean>();
  collectNames(from, { table, schema }, others, DEPTH_MAX);
  const steps = { left: LIMITS.sql.conditionStepsMax };
  return { table, schema, target, others, bareIsTarget: true, linked: false, steps };
}

/** Whether the condition is the same for all rows of the target, or is not there. */
export function isUnqualified(condition: TreeValue | undefined, around: Surroundings): boolean {
  if (condition === undefined) return true;
  return (
    fold(condition, { ...around, linked: isLinked(condition, around, DEPTH_MAX) }, DEPTH_MAX) !== 'varies'
  );
}

function fold(value: TreeValue | undefined, around: Surroundings, depth: number): Truth {
  around.steps.left -= 1;
  if (depth <= 0 || around.steps.left <= 0) return 'fixed';
  const node = named(value);
  if (node === undefined) return foldParts(value, around, depth);
  const rule = RULES[node.name];
  return rule === undefined ? foldParts(node.fields, around, depth) : rule(node.fields, around, depth - 1);
}

/** Varies with any part that does. */
function foldParts(value: TreeValue | undefined, around: Surroundings, depth: number): Truth {
  const parts = isList(value) ? value : isNode(value) ? Object.values(value) : [];
  return parts.some((part) => typeof part === 'object' && fold(part, around, depth - 1) === 'varies')
    ? 'varies'
    : 'fixed';
}

type Rule = (fields: TreeNode, around: Surroundings, depth: number) => Truth;

const RULES: Readonly<Record<string, Rule>> = {
  A_Const: (fields) => constantTruth(constantOf({ A_Const: fields })),
  ColumnRef: (fields, around) => (isOfTarget(columnNames(fields), around) ? 'varies' : 'fixed'),
  CurrentOfExpr: () => 'varies',
  TypeCast: (fields, around, depth) => fold(fields['arg'], around, depth),
  CollateClause: (fields, around, depth) => fold(fields['arg'], around, depth),
  BoolExpr: foldBoolean,
  NullTest: foldNullTest,
  BooleanTest: foldBooleanTest,
  A_Expr: foldOperator,
  CaseExpr: foldCase,
  CoalesceExpr: foldCoalesce,
  FuncCall: foldCall,
  SubLink: foldSubLink,
  SelectStmt: foldSelect,
};

function constantTruth(constant: string | undefined): Truth {
  if (constant === undefined) return 'fixed';
  if (/^(?:true|t|yes|y|on)$/i.test(constant)) return 'true';
  return /^(?:false|f|no|n|off)$/i.test(constant) ? 'false' : 'fixed';
}

function foldBoolean(fields: TreeNode, around: Surroundings, depth: number): Truth {
  const args = listOf(fields['args']);
  const truths = args.map((arg) => fold(arg, around, depth));
  switch (textOf(fields['boolop'])) {
    case 'NOT_EXPR':
      return negated(truths[0] ?? 'fixed');
    case 'OR_EXPR':
      if (truths.includes('true') || contradict(args)) return 'true';
      if (truths.every((truth) => truth === 'false')) return 'false';
      return truths.includes('fixed') ? 'fixed' : 'varies';
    default:
      if (truths.includes('false') || contradict(args)) return 'false';
      if (truths.includes('varies')) return 'varies';
      return truths.every((truth) => truth === 'true') ? 'true' : 'fixed';
  }
}

function negated(truth: Truth): Truth {
  if (truth === 'true') return 'false';
  return truth === 'false' ? 'true' : truth;
}

function foldNullTest(fields: TreeNode, around: Surroundings, depth: number): Truth {
  const isNull = fields['nulltesttype'] === 'IS_NULL';
  if (isNeverNull(fields['arg'])) return isNull ? 'false' : 'true';
  return isAlwaysNull(fields['arg']) ? (isNull ? 'true' : 'false') : varying(fields['arg'], around, depth);
}

function foldBooleanTest(fields: TreeNode, around: Surroundings, depth: number): Truth {
  const truth = fold(fields['arg'], around, depth);
  if (isAlwaysNull(fields['arg'])) return 'fixed';
  switch (textOf(fields['booltesttype'])) {
    case 'IS_TRUE':
    case 'IS_NOT_FALSE':
      return truth;
    case 'IS_FALSE':
    case 'IS_NOT_TRUE':
      return negated(truth);
    default:
      // Whether it is known at all is so for nearly every row, or for nearly none.
      return 'fixed';
  }
}

function foldOperator(fields: TreeNode, around: Surroundings, depth: number): Truth {
  const left = fields['lexpr'];
  const right = fields['rexpr'];
  const varies = varying(left, around, depth) === 'varies' || varying(right, around, depth) === 'varies';
  const kind = textOf(fields['kind']) ?? '';
  const operator = operatorOf(fields);
  if (!varies) return foldConstants(left, right, operator);
  switch (kind) {
    case 'AEXPR_OP':
    case 'AEXPR_LIKE':
    case 'AEXPR_ILIKE':
    case 'AEXPR_SIMILAR':
      return foldComparison({ left, right, operator }, around);
    case 'AEXPR_DISTINCT':
      return spelling(left) === spelling(right) ? 'false' : 'varies';
    case 'AEXPR_NOT_DISTINCT':
      return isSame(left, right, around) ? 'true' : 'varies';
    case 'AEXPR_IN':
      if (!itemsOf(right).some((item) => isSame(left, item, around))) return 'varies';
      return operator === '=' ? 'true' : 'false';
    case 'AEXPR_BETWEEN':
    case 'AEXPR_BETWEEN_SYM':
      return isBetweenAll(left, itemsOf(right), around) ? 'true' : 'varies';
    case 'AEXPR_OP_ANY':
    case 'AEXPR_OP_ALL':
      return foldArray({ left, right, operator }, kind === 'AEXPR_OP_ANY', around, depth);
    default:
      return 'varies';
  }
}

/** What stands in parentheses behind IN, or behind BETWEEN. */
function itemsOf(value: TreeValue | undefined): readonly TreeValue[] {
  return isList(value) ? value : listOf(as('List', value)?.['items']);
}

function isBetweenAll(
  left: TreeValue | undefined,
  bounds: readonly TreeValue[],
  around: Surroundings,
): boolean {
  const [low] = bounds;
  return bounds.every(
    (bound) =>
      isSame(left, bound, around) ||
      isBoundless(bound) ||
      (bound === low && isOutOfReach({ left, right: bound, operator: '>=' })),
  );
}

interface Comparison {
  readonly left: TreeValue | undefined;
  readonly right: TreeValue | undefined;
  readonly operator: string;
}

function foldConstants(left: TreeValue | undefined, right: TreeValue | undefined, operator: string): Truth {
  const constants = [constantOf(left), constantOf(right)];
  if (operator !== '=' || constants.includes(undefined) || constants.includes('null')) return 'fixed';
  return constants[0] === constants[1] ? 'true' : 'false';
}

/** One of the two sides varies. */
function foldComparison({ left, right, operator }: Comparison, around: Surroundings): Truth {
  if (isNullConstant(left) || isNullConstant(right)) return 'fixed';
  const same = isSame(left, right, around);
  switch (operator) {
    case '=':
      return same ? 'true' : 'varies';
    case '>=':
    case '<=':
      if (same) return 'true';
      break;
    case '<>':
    case '!=':
    case '-':
      // As a number too it is the same for all; the table's other rows are another thing.
      if (spelling(left) === spelling(right)) return 'false';
      break;
    case '*':
      if (constantOf(left) === '0' || constantOf(right) === '0') return 'fixed';
      break;
    default:
      if (constantOf(right) !== undefined && ANY_TEXT[operator]?.test(constantOf(right) ?? '') === true)
        return 'true';
  }
  return isOutOfReach({ left, right, operator }) ? 'true' : 'varies';
}

/** A comparison with what no value goes beyond: `abs(x) >= 0`, `at > '-infinity'`, `ctid > '(0,0)'`. */
function isOutOfReach({ left, right, operator }: Comparison): boolean {
  if (operator === '<' || operator === '<=') {
    return (
      isOutOfReach({ left: right, right: left, operator: operator === '<' ? '>' : '>=' }) ||
      isBoundless(right)
    );
  }
  if (operator !== '>' && operator !== '>=' && operator !== '<>' && operator !== '!=') return false;
  const node = named(bare(left));
  const bound = constantOf(right);
  if (node?.name === 'ColumnRef' && columnNames(node.fields).at(-1) === 'ctid') return bound !== undefined;
  if (isBoundless(right) && operator !== '<>' && operator !== '!=') return true;
  const name = as('FuncCall', bare(left))?.['funcname'];
  const called = textOf(as('String', listOf(name).at(-1))?.['sval']);
  if (called === undefined || !NEVER_NEGATIVE.has(called) || bound === undefined) return false;
  return operator === '>=' ? Number(bound) <= 0 : operator === '>' && Number(bound) < 0;
}

/** Infinity, or the ends of PostgreSQL's integers. */
function isBoundless(value: TreeValue | undefined): boolean {
  const constant = constantOf(value);
  return (
    constant !== undefined &&
    /^[+-]?(?:inf(?:inity)?|2147483648|-?2147483647|922337203685477580[78])$/i.test(constant)
  );
}

/** `x = ANY (…)` and `x <> ALL (…)`. */
function foldArray(comparison: Comparison, any: boolean, around: Surroundings, depth: number): Truth {
  const { left, right, operator } = comparison;
  if (constantOf(right) === '{}') return any ? 'false' : 'true';
  const items = as('A_ArrayExpr', bare(right))?.['elements'];
  if (as('A_ArrayExpr', bare(right)) !== undefined) {
    if (listOf(items).length === 0) return any ? 'false' : 'true';
    if (any && operator === '=' && listOf(items).some((item) => isSame(left, item, around))) return 'true';
    return 'varies';
  }
  const link = as('SubLink', bare(right));
  if (any && operator === '=' && link !== undefined && holdsEveryRow(left, link, around, depth))
    return 'fixed';
  return 'varies';
}

function foldCase(fields: TreeNode, around: Surroundings, depth: number): Truth {
  const results: Truth[] = [];
  for (const item of listOf(fields['args'])) {
    const when = as('CaseWhen', item) ?? {};
    const result = fold(when['result'], around, depth);
    const condition = fields['arg'] === undefined ? fold(when['expr'], around, depth) : 'varies';
    // The first that holds is what counts, and one that does not vary may hold for every row.
    if (condition === 'true') return results.length === 0 ? result : combined([...results, result]);
    if (condition === 'fixed' && (result === 'true' || result === 'fixed')) return 'fixed';
    if (condition !== 'false') results.push(result);
  }
  const otherwise = fields['defresult'];
  return combined([...results, otherwise === undefined ? 'false' : fold(otherwise, around, depth)]);
}

/** Of several values one is taken, by what varies. */
function combined(truths: readonly Truth[]): Truth {
  const [first = 'fixed'] = truths;
  const same = truths.length === 1 || (first !== 'fixed' && truths.every((truth) => truth === first));
  return same ? first : 'varies';
}

function foldCoalesce(fields: TreeNode, around: Surroundings, depth: number): Truth {
  const args = listOf(fields['args']);
  const truths = args.map((arg) => fold(arg, around, depth));
  if (truths.every((truth) => truth === 'true')) return 'true';
  const [first = 'fixed'] = truths;
  if (first === 'true' || first === 'false' || isNeverNull(args[0])) return first;
  return truths.includes('varies') ? 'varies' : 'fixed';
}

/** `int4eq(id, id)` is what `=` calls. */
function foldCall(fields: TreeNode, around: Surroundings, depth: number): Truth {
  const args = listOf(fields['args']);
  const name = textOf(as('String', listOf(fields['funcname']).at(-1))?.['sval']) ?? '';
  if (args.length === 2 && /(?:eq|ge|le)$/.test(name) && isSame(args[0], args[1], around)) return 'true';
  return foldParts(fields, around, depth);
}

/** A sub-select sees the target from inside of its own tables. */
function foldSubLink(fields: TreeNode, around: Surroundings, depth: number): Truth {
  const select = as('SelectStmt', fields['subselect']) ?? {};
  const tested = fields['testexpr'];
  const only = onlyTarget(select);
  switch (textOf(fields['subLinkType'])) {
    case 'EXPR_SUBLINK':
      return only === undefined ? foldSelect(select, around, depth) : fold(only, around, depth);
    case 'EXISTS_SUBLINK': {
      // Whether there is a row is not a question of what is in it.
      if (isOneAggregate(select)) return 'true';
      const { targetList: _, ...rows } = select;
      return foldSelect(rows, around, depth);
    }
    case 'ANY_SUBLINK': {
      const rows = listOf(select['valuesLists']).flatMap((row) => listOf(as('List', row)?.['items']));
      if ([only, ...rows].some((value) => value !== undefined && isSame(tested, value, around)))
        return 'true';
      if (varying(tested, around, depth) === 'varies' && holdsEveryRow(tested, fields, around, depth))
        return 'fixed';
      break;
    }
    default:
  }
  const varies =
    foldSelect(select, around, depth) === 'varies' || varying(tested, around, depth) === 'varies';
  return varies ? 'varies' : 'fixed';
}

/** Whether a sub-select, with all that is combined in it, speaks of the target's row. */
function foldSelect(select: TreeNode, around: Surroundings, depth: number): Truth {
  const sides = ['larg', 'rarg'].flatMap((side) => (isNode(select[side]) ? [select[side]] : []));
  if (sides.some((side) => foldSelect(side, around, depth - 1) === 'varies')) return 'varies';
  const { larg: _left, rarg: _right, ...own } = select;
  return foldParts(own, insideOf(select, around), depth);
}

function insideOf(select: TreeNode, around: Surroundings): Surroundings {
  const names = new Map<string, boolean>();
  collectNames(select['fromClause'], around, names, DEPTH_MAX);
  const target = names.has(around.target) ? '' : around.target;
  const bareIsTarget = around.bareIsTarget && listOf(select['fromClause']).length === 0;
  const inner = { ...around, target, others: new Map([...around.others, ...names]), bareIsTarget };
  return { ...inner, linked: around.linked || isLinked(select['whereClause'], inner, DEPTH_MAX) };
}

/** `id IN (SELECT id FROM t)` on t itself, and nothing that leaves out rows. */
function holdsEveryRow(
  tested: TreeValue | undefined,
  link: TreeNode,
  around: Surroundings,
  depth: number,
): boolean {
  const select = as('SelectStmt', link['subselect']);
  if (select === undefined || !isWholeTable(select, around, depth)) return false;
  const [target] = listOf(select['targetList']);
  const inside = insideOf(select, around);
  return (
    columnOf(tested, around) === columnOf(as('ResTarget', target)?.['val'], { ...inside, bareIsTarget: true })
  );
}

function isWholeTable(select: TreeNode, around: Surroundings, depth: number): boolean {
  const from = listOf(select['fromClause']);
  const relation = as('RangeVar', from[0]);
  if (from.length !== 1 || relation === undefined || !isSameTable(relation, around)) return false;
  const leavesOut = ['limitCount', 'limitOffset', 'havingClause', 'groupClause', 'withClause', 'larg'];
  if (leavesOut.some((field) => select[field] !== undefined)) return false;
  const own = { ...surroundings(relation, undefined), steps: around.steps };
  return select['whereClause'] === undefined || fold(select['whereClause'], own, depth) !== 'varies';
}

function columnOf(value: TreeValue | undefined, around: Surroundings): string {
  return spelling(value, (table) => {
    if (table === '') return around.bareIsTarget ? '' : '?';
    return isTargetAgain(table, around) ? '' : table;
  });
}

/** Whether two expressions are the same for a row of the target. */
function isSame(left: TreeValue | undefined, right: TreeValue | undefined, around: Surroundings): boolean {
  return columnOf(left, around) === columnOf(right, around);
}

function isTargetAgain(table: string, around: Surroundings): boolean {
  return table === around.target || around.others.get(table) === true;
}

function varying(value: TreeValue | undefined, around: Surroundings, depth: number): Truth {
  return value !== undefined && fold(value, around, depth) === 'varies' ? 'varies' : 'fixed';
}

/** Whether a part of the condition says that the same table again is at the same row. */
function isLinked(value: TreeValue | undefined, around: Surroundings, depth: number): boolean {
  around.steps.left -= 1;
  if (depth === 0 || typeof value !== 'object' || value === null || around.steps.left <= 0) return false;
  if (![...around.others.values()].includes(true)) return false;
  const fields = as('A_Expr', value);
  if (fields !== undefined && operatorOf(fields) === '=') {
    const [left, right] = [fields['lexpr'], fields['rexpr']];
    if (spelling(left) !== spelling(right) && isSame(left, right, around)) return true;
  }
  return Object.values(value).some((part) => isLinked(part, around, depth - 1));
}

/** Whether a column is one of the target's that can tell rows apart. */
function isOfTarget(names: readonly string[], around: Surroundings): boolean {
  const column = names.at(-1) ?? '';
  if (SAME_FOR_ALL.has(column)) return false;
  const table = names.at(-2);
  if (table !== undefined) return table === around.target || (around.linked && isTargetAgain(table, around));
  return around.bareIsTarget && !(around.others.has(column) && column !== around.target);
}

/** Names by which the items of a FROM are known. */
function collectNames(
  value: TreeValue | undefined,
  target: { readonly table: string | undefined; readonly schema: string | undefined },
  names: Map<string, boolean>,
  depth: number,
): void {
  if (depth === 0 || value === undefined) return;
  if (isList(value)) {
    for (const item of value) collectNames(item, target, names, depth - 1);
    return;
  }
  const node = named(value);
  if (node === undefined) return;
  const name =
    aliasOf(node.fields) ?? (node.name === 'RangeVar' ? textOf(node.fields['relname']) : undefined);
  if (name !== undefined) names.set(name, isTableAgain(node, target));
  if (node.name === 'JoinExpr') {
    collectNames(node.fields['larg'], target, names, depth - 1);
    collectNames(node.fields['rarg'], target, names, depth - 1);
  }
}

/** The target's table, or all of it in a sub-select. */
function isTableAgain(
  node: NamedNode,
  target: { readonly table: string | undefined; readonly schema: string | undefined },
): boolean {
  if (node.name === 'RangeVar') return isSameTable(node.fields, target);
  if (node.name !== 'RangeSubselect' || target.table === undefined) return false;
  const select = as('SelectStmt', node.fields['subquery']);
  return (
    select !== undefined &&
    isWholeTable(select, surroundings({ relname: target.table }, undefined), DEPTH_MAX)
  );
}

function isSameTable(
  relation: TreeNode,
  target: { readonly table: string | undefined; readonly schema: string | undefined },
): boolean {
  if (textOf(relation['relname']) !== target.table) return false;
  const schema = textOf(relation['schemaname']);
  return schema === undefined || target.schema === undefined || schema === target.schema;
}

function aliasOf(fields: TreeNode): string | undefined {
  const alias = fields['alias'];
  return isNode(alias) ? textOf(alias['aliasname']) : undefined;
}
