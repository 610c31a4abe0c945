/**
 * What a query uses columns for beside showing them: its clauses, each as a kind of use.
 *
 * Spec: PostgreSQL 15 to 18, src/include/nodes/parsenodes.h (Query). What is not understood is a use of all that is in
 * it, and opaque. Not here: quals of row security, which the owner of the table wrote; which rows they leave is what
 * this user may see. FOR UPDATE, which tells nothing that the rows do not.
 */

import type { UseKind } from '../../core/column-labels.ts';
import type { NodeShape } from '../server-tree/node-shape.ts';
import { fieldOf, numberOf, TreeList, TreeNode, type TreeValue } from '../server-tree/nodes.ts';
import { type Column, COMMAND, isQuery, partsOf, type Scope } from './scope.ts';

export interface QueryUse {
  readonly kind: UseKind;
  readonly column: Column;
}

const SETOP_UNION = 1;

export function usesOf(scope: Scope): readonly QueryUse[] {
  const { query } = scope;
  const uses: QueryUse[] = [...conditions(scope)];
  const use = (kind: UseKind, columns: readonly Column[]): void => {
    for (const column of columns) uses.push({ kind, column });
  };
  const values = (kind: UseKind, ...fields: readonly (TreeValue | undefined)[]): void => {
    const given = fields.filter((value) => value !== undefined && value !== null);
    if (given.length > 0) use(kind, [{ values: given, scope, passes: false }]);
  };
  values('join', fieldOf(query, 'mergeJoinCondition'));
  values('predicate', fieldOf(query, 'havingQual'));
  values('limit', fieldOf(query, 'limitOffset'), fieldOf(query, 'limitCount'));
  use('group', keys(scope, fieldOf(query, 'groupClause')));
  use('distinct', keys(scope, fieldOf(query, 'distinctClause')));
  use('order', keys(scope, fieldOf(query, 'sortClause')));
  for (const window of partsOf(query, 'windowClause')) use('window', windowKeys(scope, window));
  if (compares(fieldOf(query, 'setOperations') ?? null)) {
    use(
      'set-operation',
      scope.outputs.map(({ column }) => column),
    );
  }
  for (const entry of partsOf(query, 'rtable')) {
    if (!(entry instanceof TreeNode) || entry.tag !== 'RANGETBLENTRY') {
      use('row-set', [unknown(scope, entry, 'a range table entry of an unknown kind')]);
      continue;
    }
    values(
      'row-set',
      fieldOf(entry, 'functions'),
      fieldOf(entry, 'tablefunc'),
      fieldOf(entry, 'tablesample'),
    );
  }
  values('row-set', ...manyRows(scope));
  for (const part of scope.command === COMMAND.merge ? partsOf(query, 'mergeActionList') : []) {
    values(
      'predicate',
      part instanceof TreeNode && part.tag === 'MERGEACTION' ? fieldOf(part, 'qual') : part,
    );
  }
  const onConflict = fieldOf(query, 'onConflict');
  if (onConflict instanceof TreeNode && onConflict.tag !== 'ONCONFLICTEXPR') {
    values('predicate', onConflict);
  } else if (onConflict instanceof TreeNode) {
    values('constraint', fieldOf(onConflict, 'arbiterElems'));
    values('predicate', fieldOf(onConflict, 'arbiterWhere'), fieldOf(onConflict, 'onConflictWhere'));
  }
  for (const value of strangeFields(query)) {
    use('predicate', [unknown(scope, value, 'a part of a query of an unknown kind')]);
  }
  return uses;
}

/** The fields of a query that no version up to 18 has, and those that all have and it has not. */
function strangeFields(query: TreeNode): readonly TreeValue[] {
  let strange = STRANGE.get(query.shape);
  if (strange === undefined) {
    strange = {
      indexes: query.names.flatMap((name, index) => (FIELDS.has(name) ? [] : [index])),
      lacks: ALWAYS.some((name) => !query.names.includes(name)),
    };
    STRANGE.set(query.shape, strange);
  }
  const values = strange.indexes.map((index) => query.values[index] ?? null);
  return strange.lacks ? [...values, null] : values;
}

const STRANGE = new WeakMap<NodeShape, { readonly indexes: readonly number[]; readonly lacks: boolean }>();

/** Of a query's fields those that hold what its rows depend on. */
const ALWAYS = [
  'commandType rtable jointree targetList onConflict returningList groupClause havingQual windowClause distinctClause',
  'sortClause limitOffset limitCount setOperations cteList',
]
  .join(' ')
  .split(' ');

const FIELDS: ReadonlySet<string> = new Set([
  ...ALWAYS,
  ...[
    'querySource queryId canSetTag utilityStmt resultRelation hasAggs hasWindowFuncs hasTargetSRFs hasSubLinks',
    'hasDistinctOn hasRecursive hasModifyingCTE hasForUpdate hasRowSecurity hasGroupRTE isReturn rteperminfos',
    'mergeActionList mergeUseOuterJoin mergeTargetRelation mergeJoinCondition override groupDistinct groupingSets',
    'returningOldAlias returningNewAlias limitOption rowMarks constraintDeps withCheckOptions stmt_location stmt_len',
  ]
    .join(' ')
    .split(' '),
]);

/** The keys of a window: what is in them is in what its functions give. */
export function windowKeys(scope: Scope, window: TreeValue | undefined): readonly Column[] {
  if (!(window instanceof TreeNode) || window.tag !== 'WINDOWCLAUSE') {
    return [unknown(scope, window ?? null, 'a window of an unknown kind')];
  }
  const offsets = [...partsOf(window, 'startOffset'), ...partsOf(window, 'endOffset')];
  return [
    ...keys(scope, fieldOf(window, 'partitionClause') ?? null),
    ...keys(scope, fieldOf(window, 'orderClause') ?? null),
    { values: offsets, scope, passes: false },
  ];
}

/** Of WHERE and of joins. */
function conditions(scope: Scope): readonly QueryUse[] {
  // Since 17 MERGE has its condition elsewhere.
  const where = scope.command === COMMAND.merge ? 'join' : 'predicate';
  const uses: QueryUse[] = [];
  const waiting: (TreeValue | undefined)[] = [fieldOf(scope.query, 'jointree')];
  while (waiting.length > 0) {
    const part = waiting.pop() ?? null;
    if (part === null || (part instanceof TreeNode && part.tag === 'RANGETBLREF')) continue;
    if (part instanceof TreeList) {
      for (const item of part.items) waiting.push(item);
    } else if (part instanceof TreeNode && (part.tag === 'FROMEXPR' || part.tag === 'JOINEXPR')) {
      const kind = part.tag === 'FROMEXPR' ? where : 'join';
      uses.push({ kind, column: { values: partsOf(part, 'quals'), scope, passes: false } });
      const parts = part.tag === 'FROMEXPR' ? ['fromlist'] : ['larg', 'rarg'];
      for (const name of parts) for (const each of partsOf(part, name)) waiting.push(each);
    } else {
      uses.push({ kind: 'predicate', column: unknown(scope, part, 'a part of FROM of an unknown kind') });
    }
  }
  return uses;
}

/** The expressions that a list of SortGroupClause means. */
function keys(scope: Scope, clauses: TreeValue | undefined): readonly Column[] {
  if (clauses === undefined || clauses === null) return [];
  if (!(clauses instanceof TreeList)) return [unknown(scope, clauses, 'keys of an unknown kind')];
  return clauses.items.map((clause) => {
    const reference = clause instanceof TreeNode ? numberOf(clause, 'tleSortGroupRef') : undefined;
    const output = reference === undefined ? undefined : scope.byReference.get(reference);
    return (
      output?.column ?? unknown(scope, fieldOf(scope.query, 'targetList') ?? null, 'a key of an unknown kind')
    );
  });
}

/** Whether rows are compared with each other: all set operations do it, except UNION ALL. */
function compares(root: TreeValue): boolean {
  const waiting: TreeValue[] = [root];
  while (waiting.length > 0) {
    const node = waiting.pop() ?? null;
    if (node === null || (node instanceof TreeNode && node.tag === 'RANGETBLREF')) continue;
    if (!(node instanceof TreeNode) || node.tag !== 'SETOPERATIONSTMT') return true;
    if (numberOf(node, 'op') !== SETOP_UNION || fieldOf(node, 'all') !== 'true') return true;
    waiting.push(fieldOf(node, 'larg') ?? null, fieldOf(node, 'rarg') ?? null);
  }
  return false;
}

/** Entries of the list that give several rows for one: `select unnest(…)`. */
function manyRows(scope: Scope): readonly TreeValue[] {
  if (fieldOf(scope.query, 'hasTargetSRFs') === 'false') return [];
  return partsOf(scope.query, 'targetList').filter(returnsSet);
}

function returnsSet(value: TreeValue): boolean {
  const waiting: TreeValue[] = [value];
  while (waiting.length > 0) {
    const node = waiting.pop() ?? null;
    if (node instanceof TreeList) for (const item of node.items) waiting.push(item);
    if (!(node instanceof TreeNode) || isQuery(node)) continue;
    if (fieldOf(node, 'funcretset') === 'true' || fieldOf(node, 'opretset') === 'true') return true;
    for (const part of node.values) {
      if (part instanceof TreeNode || part instanceof TreeList) waiting.push(part);
    }
  }
  return false;
}

function unknown(scope: Scope, value: TreeValue, opaque: string): Column {
  return { opaque, values: [value], scope, passes: false };
}
