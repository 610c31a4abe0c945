/**
 * A raw parse tree → what its statements do.
 *
 * Spec: spec/policy.md, section 2. What a statement only stores for later counts as if it were done: the
 * statement of a PREPARE, a view's query, a rule's actions, a default, a function in SQL's own syntax. The
 * one exception is EXPLAIN without ANALYZE. What stands in a text, as the body of DO, is not read: `code`.
 */

import type { StatementFacts } from '../core/effects.ts';
import { ADMINISTRATION_NODES } from './administration.ts';
import { DEFINITION_NODES } from './definitions.ts';
import { Findings } from './findings.ts';
import type { Piece } from './pre-scan.ts';
import { QUERY_NODES } from './queries.ts';
import { SESSION_NODES } from './session-commands.ts';
import { as, isNode, listOf, named, nodeOf, type TreeNode } from './tree.ts';
import { type NodeRow, walk } from './walk.ts';

/** Nodes that do nothing by themselves: parts of expressions, of queries and of definitions. */
const PARTS = `A_ArrayExpr A_Expr A_Indices A_Indirection ATAlterConstraint AccessPriv AlterTableCmd BoolExpr
  BooleanTest CTECycleClause CTESearchClause CaseExpr CaseWhen CoalesceExpr CollateClause ColumnDef
  CommonTableExpr Constraint CreateOpClassItem CurrentOfExpr DefElem FunctionParameter GroupingFunc GroupingSet
  IndexElem InferClause JoinExpr JsonAggConstructor JsonArgument JsonArrayAgg JsonArrayConstructor
  JsonArrayQueryConstructor JsonBehavior JsonFormat JsonFuncExpr JsonIsPredicate JsonKeyValue JsonObjectAgg
  JsonObjectConstructor JsonOutput JsonParseExpr JsonReturning JsonScalarExpr JsonSerializeExpr JsonTable
  JsonTableColumn JsonTablePathSpec JsonValueExpr List MergeSupportFunc MergeWhenClause MinMaxExpr
  MultiAssignRef NamedArgExpr NullTest ObjectWithArgs OnConflictClause Part PartitionBoundSpec PartitionCmd
  PartitionElem PartitionRangeDatum PartitionSpec PublicationObjSpec PublicationTable RangeFunction
  RangeSubselect RangeTableFunc RangeTableFuncCol ResTarget ReturnStmt ReturningClause ReturningOption RowExpr
  SQLValueFunction SortBy StatsElem SubLink TriggerTransition TypeCast TypeName WindowDef WithClause XmlExpr
  XmlSerialize`.split(/\s+/);

/** Nodes with nothing below them. */
const LEAVES =
  `A_Const A_Star Alias BitString Boolean ColumnRef Float Integer ParamRef RoleSpec SetToDefault String
  TableLikeClause Target VacuumRelation`.split(/\s+/);

const NOTHING: NodeRow = {};
const LEAF: NodeRow = { skip: 'all' };

const NODES: ReadonlyMap<string, NodeRow> = new Map<string, NodeRow>([
  ...PARTS.map((node) => [node, NOTHING] as const),
  ...LEAVES.map((node) => [node, LEAF] as const),
  ...QUERY_NODES,
  ...SESSION_NODES,
  ...DEFINITION_NODES,
  ...ADMINISTRATION_NODES,
]);

/** Whether a kind of node has a meaning here. */
export function testingOnlyKnows(node: string): boolean {
  return NODES.has(node);
}

/** What each statement of a text does; `pieces` says where its tokens are. */
export function classify(
  tree: TreeNode,
  bytes: Uint8Array,
  pieces: readonly Piece[],
): readonly StatementFacts[] {
  let piece = 0;
  return listOf(tree['stmts']).map((item) => {
    const raw = isNode(item) ? (as('RawStmt', item) ?? item) : {};
    const end = endOf(raw, bytes.length);
    // A statement may have semicolons in it: a rule's actions, the body of a function in SQL's own syntax.
    const { from } = pieces[piece] ?? { from: 0 };
    let { to } = pieces[piece] ?? { to: bytes.length };
    while (piece < pieces.length && (pieces[piece]?.to ?? 0) <= end) {
      to = pieces[piece]?.to ?? to;
      piece += 1;
    }
    return classifyStatement(nodeOf(raw['stmt']), new Findings(bytes, { from, to }));
  });
}

function classifyStatement(statement: TreeNode, findings: Findings): StatementFacts {
  walk(statement, NODES, findings);
  return findings.facts(named(statement)?.name ?? 'unknown');
}

/** Where a statement ends; the last one has no length. */
function endOf(raw: TreeNode, textBytes: number): number {
  const location = raw['stmt_location'];
  const length = raw['stmt_len'];
  if (typeof length !== 'number' || length === 0) return textBytes;
  return (typeof location === 'number' ? location : 0) + length;
}
