/**
 * Over all nodes of a statement's tree, with what each kind of node means.
 *
 * Without recursion: a text decides how deep its tree is. A kind of node that the table does not have, and an
 * object where none is known to stand without its name, are the effect `unknown`.
 */

import type { Findings } from './findings.ts';
import { isList, isNode, listOf, named, type TreeNode, type TreeValue, textOf } from './tree.ts';

/** What a kind of node means. */
export interface NodeRow {
  readonly found?: (fields: TreeNode, findings: Findings, scope: Scope) => void;
  /** Fields that are not looked into; `all` for a node that has nothing of interest below it. */
  readonly skip?: readonly string[] | 'all';
}

export type NodeTable = ReadonlyMap<string, NodeRow>;

/** Names of WITH that are visible at a place: of each WITH those whose number is below `visible`. */
export type Scope =
  | { readonly names: ReadonlyMap<string, number>; readonly visible: number; readonly outer: Scope }
  | undefined;

/** Fields in which a node stands without its name, and which it is. */
const UNNAMED: ReadonlyMap<string, string> = new Map([
  ...['larg', 'rarg', 'val'].map((field) => [field, 'SelectStmt'] as const),
  ['funccall', 'FuncCall'],
  ['base', 'CreateStmt'],
  ['action', 'GrantStmt'],
  ['withClause', 'WithClause'],
  ['onConflictClause', 'OnConflictClause'],
  ['returningClause', 'ReturningClause'],
  // The table that a statement is about: its own row says what is done to it.
  ...'relation rel view sequence table pktable constrrel typevar identitySequence'
    .split(' ')
    .map((field) => [field, 'Target'] as const),
  // The rest holds expressions, names and types.
  ...`alias arg argType authrole bound collClause constructor context_item cycle_clause datatype expr extname
      format fromsql func grantor infer into intoClause join_using_alias name newowner newrole ofTypename
      on_empty on_error opername output over owner partbound partspec path pathspec pubtable returnType
      returning role search_clause setstmt sourcetype storedtype tablesample targettype tosql typeName
      type_name user value ival fval sval bsval boolval`
    .split(/\s+/)
    .map((field) => [field, 'Part'] as const),
]);

/** `val` of a JSON argument is an expression; of all that can be there, a SELECT alone has these. */
function unnamedKind(field: string, fields: TreeNode): string | undefined {
  const kind = UNNAMED.get(field);
  return field === 'val' && fields['raw_expr'] !== undefined ? 'Part' : kind;
}

interface Place {
  readonly value: TreeValue;
  /** The field that it stands in. */
  readonly field: string;
  readonly scope: Scope;
}

/** Looks at every node of a statement, in the order of the tree. */
export function walk(statement: TreeNode, table: NodeTable, findings: Findings): void {
  const places: Place[] = [{ value: statement, field: '', scope: undefined }];
  for (let place = places.pop(); place !== undefined; place = places.pop()) {
    const { value, field, scope } = place;
    if (isList(value)) {
      for (const item of value.toReversed()) push(places, item, '', scope);
    } else if (isNode(value)) {
      visit(value, field, { places, scope, table, findings });
    }
  }
}

interface Visit {
  readonly places: Place[];
  readonly scope: Scope;
  readonly table: NodeTable;
  readonly findings: Findings;
}

function visit(value: TreeNode, field: string, { places, scope, table, findings }: Visit): void {
  const node = named(value);
  const fields = node?.fields ?? value;
  // An item of a list that is empty stands for nothing: `DISTINCT` without ON.
  if (node === undefined && field === '' && Object.keys(value).length === 0) return;
  const name = node?.name ?? unnamedKind(field, fields);
  const row = name === undefined ? undefined : table.get(name);
  if (row === undefined) findings.effect('unknown', undefined, name ?? field);
  const skip = row?.skip ?? [];
  if (skip === 'all') {
    row?.found?.(fields, findings, scope);
    return;
  }
  const inner = queriesOfWith(fields, scope);
  row?.found?.(fields, findings, inner.scope);
  for (const key of Object.keys(fields).toReversed()) {
    if (key === 'withClause' || skip.includes(key)) continue;
    push(places, fields[key], key, inner.scope);
  }
  // On top of the rest, so that they are looked at first.
  places.push(...inner.queries);
}

function push(places: Place[], value: TreeValue | undefined, field: string, scope: Scope): void {
  if (typeof value === 'object' && value !== null) places.push({ value, field, scope });
}

/** A WITH's queries see those before them; with RECURSIVE, all of them. */
function queriesOfWith(
  fields: TreeNode,
  outer: Scope,
): { readonly scope: Scope; readonly queries: readonly Place[] } {
  const clause = fields['withClause'];
  if (!isNode(clause)) return { scope: outer, queries: [] };
  const queries = listOf(clause['ctes']);
  const names = new Map(
    queries.map((query, index) => [textOf(named(query)?.fields['ctename']) ?? '', index] as const),
  );
  const scope = { names, visible: queries.length, outer };
  const recursive = clause['recursive'] === true;
  const places = queries.map((value, index) => ({
    value,
    field: '',
    scope: recursive ? scope : { names, visible: index, outer },
  }));
  return { scope, queries: places.toReversed() };
}

/** Whether a name without a schema is one of a WITH. */
export function isInScope(name: string, scope: Scope): boolean {
  for (let at = scope; at !== undefined; at = at.outer)
    if ((at.names.get(name) ?? Infinity) < at.visible) return true;
  return false;
}
