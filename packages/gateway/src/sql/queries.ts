/** SELECT, INSERT, UPDATE, DELETE, MERGE and COPY, wherever they stand: in a WITH, behind EXPLAIN, in PREPARE. */

import type { CommandOption } from '../core/effects.ts';
import type { Findings } from './findings.ts';
import { nameText, qualifiedName } from './findings.ts';
import { isUnqualified, type Surroundings, surroundings } from './condition.ts';
import { foundCall } from './functions.ts';
import { columnNames, constantOf, operatorOf } from './same-expression.ts';
import {
  as,
  isNode,
  listOf,
  named,
  nodeOf,
  stringsOf,
  type TreeNode,
  type TreeValue,
  textOf,
} from './tree.ts';
import { isInScope, type NodeRow, type Scope } from './walk.ts';

const TABLESAMPLE_METHODS = new Set(['system', 'bernoulli']);

/** Nodes of queries, and of what changes rows. */
export const QUERY_NODES: readonly (readonly [string, NodeRow])[] = [
  ['SelectStmt', { found: foundSelect, skip: ['intoClause'] }],
  ['RangeVar', { found: foundRead, skip: 'all' }],
  ['LockingClause', { skip: 'all' }],
  ['FuncCall', { found: foundCall }],
  ['RangeTableSample', { found: foundSample }],
  ['InsertStmt', { found: foundInsert }],
  ['UpdateStmt', { found: foundUpdate }],
  ['DeleteStmt', { found: foundDelete }],
  ['MergeStmt', { found: foundMerge }],
  ['CopyStmt', { found: foundCopy }],
  ['TruncateStmt', { found: foundTruncate, skip: 'all' }],
  [
    'CreateTableAsStmt',
    { found: (fields, findings) => foundInto(nodeOf(fields['into']), findings), skip: ['into'] },
  ],
  ['RefreshMatViewStmt', { found: (fields, findings) => foundOn('refresh', fields, findings) }],
  ['LockStmt', { found: foundLock, skip: 'all' }],
];

function foundSelect(fields: TreeNode, findings: Findings): void {
  const into = fields['intoClause'];
  if (isNode(into)) foundInto(into, findings);
  if (fields['lockingClause'] !== undefined) findings.effect('lock');
  noteSettingName(fields, findings);
}

/**
 * `SELECT set_config(name, …) FROM pg_settings WHERE name = 'x'`, as pg_dump sets what not every server has: x.
 * Whatever is behind that name of a table, its column is the constant.
 */
function noteSettingName(select: TreeNode, findings: Findings): void {
  const from = listOf(select['fromClause']);
  const where = as('A_Expr', select['whereClause']);
  if (from.length !== 1 || as('RangeVar', from[0])?.['relname'] !== 'pg_settings' || where === undefined)
    return;
  const constant = named(where['rexpr'])?.name === 'A_Const' ? constantOf(where['rexpr']) : undefined;
  if (constant === undefined || where['kind'] !== 'AEXPR_OP' || operatorOf(where) !== '=') return;
  if (!isColumnName(where['lexpr'])) return;
  for (const target of listOf(select['targetList'])) {
    const call = as('FuncCall', as('ResTarget', target)?.['val']);
    if (call !== undefined && isColumnName(listOf(call['args'])[0]))
      findings.settingNames.set(call, constant);
  }
}

function isColumnName(value: TreeValue | undefined): boolean {
  const column = as('ColumnRef', value);
  return column !== undefined && columnNames(column).join('.') === 'name';
}

function foundInto(into: TreeNode, findings: Findings): void {
  const relation = nodeOf(into['rel']);
  findings.effect('create', findings.nameSpan(relation), objectOf(relation));
}

function foundRead(fields: TreeNode, findings: Findings, scope: Scope): void {
  const name = textOf(fields['relname']) ?? '';
  if (fields['schemaname'] === undefined && isInScope(name, scope)) return;
  findings.read(fields);
}

function foundSample(fields: TreeNode, findings: Findings): void {
  const method = stringsOf(fields['method']);
  const known = method.length === 1 || (method.length === 2 && method[0] === 'pg_catalog');
  if (!known || !TABLESAMPLE_METHODS.has(method.at(-1) ?? '')) {
    findings.effect('function-unknown', undefined, method.join('.'));
  }
}

function foundInsert(fields: TreeNode, findings: Findings): void {
  const relation = nodeOf(fields['relation']);
  const columns = targetNames(fields['cols']);
  foundOn('insert', fields, findings);
  findings.write('insert', relation, columns.length === 0 ? 'all' : columns);
  foundReturning(fields, relation, findings);
  const conflict = nodeOf(fields['onConflictClause']);
  if (conflict['action'] !== 'ONCONFLICT_UPDATE') return;
  // Bounded by the rows that are inserted, with or without a WHERE.
  foundOn('update', fields, findings);
  findings.write('update', relation, targetNames(conflict['targetList']));
}

function foundUpdate(fields: TreeNode, findings: Findings): void {
  const relation = nodeOf(fields['relation']);
  foundOn('update', fields, findings);
  if (isUnqualified(fields['whereClause'], surroundings(relation, fields['fromClause']))) {
    foundOn('update-unqualified', fields, findings);
  }
  findings.write('update', relation, targetNames(fields['targetList']));
  foundReturning(fields, relation, findings);
}

function foundDelete(fields: TreeNode, findings: Findings): void {
  const relation = nodeOf(fields['relation']);
  foundOn('delete', fields, findings);
  if (isUnqualified(fields['whereClause'], surroundings(relation, fields['usingClause']))) {
    foundOn('delete-unqualified', fields, findings);
  }
  findings.write('delete', relation, 'all');
  foundReturning(fields, relation, findings);
}

function foundMerge(fields: TreeNode, findings: Findings): void {
  const relation = nodeOf(fields['relation']);
  const around = surroundings(relation, [fields['sourceRelation'] ?? null]);
  foundOn('merge', fields, findings);
  for (const clause of listOf(fields['mergeWhenClauses'])) {
    foundMergeAction(as('MergeWhenClause', clause) ?? {}, fields, around, findings);
  }
  foundReturning(fields, relation, findings);
}

function foundMergeAction(when: TreeNode, merge: TreeNode, around: Surroundings, findings: Findings): void {
  const relation = nodeOf(merge['relation']);
  const columns = targetNames(when['targetList']);
  switch (textOf(when['commandType'])) {
    case 'CMD_INSERT':
      foundOn('insert', merge, findings);
      findings.write('merge', relation, columns.length === 0 ? 'all' : columns);
      break;
    case 'CMD_UPDATE':
      foundOn('update', merge, findings);
      if (reachesEveryRow(when, merge, around)) foundOn('update-unqualified', merge, findings);
      findings.write('merge', relation, columns);
      break;
    case 'CMD_DELETE':
      foundOn('delete', merge, findings);
      if (reachesEveryRow(when, merge, around)) foundOn('delete-unqualified', merge, findings);
      findings.write('merge', relation, 'all');
      break;
    case 'CMD_NOTHING':
      break;
    default:
      findings.effect('unknown', undefined, 'MergeWhenClause');
  }
}

/** What no row of the source matches may be the whole table: the join does not bound it. */
function reachesEveryRow(when: TreeNode, merge: TreeNode, around: Surroundings): boolean {
  if (!isUnqualified(when['condition'], around)) return false;
  return (
    when['matchKind'] === 'MERGE_WHEN_NOT_MATCHED_BY_SOURCE' || isUnqualified(merge['joinCondition'], around)
  );
}

function foundTruncate(fields: TreeNode, findings: Findings): void {
  for (const item of listOf(fields['relations'])) {
    const relation = as('RangeVar', item) ?? {};
    findings.effect('truncate', findings.nameSpan(relation), objectOf(relation));
    findings.write('truncate', relation, 'all');
  }
}

function foundLock(fields: TreeNode, findings: Findings): void {
  for (const item of listOf(fields['relations'])) {
    const relation = as('RangeVar', item) ?? {};
    findings.effect('lock', findings.nameSpan(relation), objectOf(relation));
  }
}

/** To and from the client, a file of the server, or a program that it runs. */
function foundCopy(fields: TreeNode, findings: Findings): void {
  const relation = fields['relation'];
  const span = isNode(relation) ? findings.nameSpan(relation) : undefined;
  const object = isNode(relation) ? objectOf(relation) : undefined;
  if (fields['is_program'] === true || fields['filename'] !== undefined) {
    findings.effect('host', undefined, textOf(fields['filename']));
  }
  if (fields['is_from'] !== true) {
    findings.effect('export', span, object);
    if (isNode(relation)) findings.read(relation);
    findings.copyOut(listOf(fields['options']).map(optionOf));
    return;
  }
  const columns = stringsOf(fields['attlist']);
  findings.effect('copy-in', span, object);
  findings.copyIn(listOf(fields['options']).map(optionOf));
  findings.write('copy-in', nodeOf(relation), columns.length === 0 ? 'all' : columns);
}

/** A DefElem. What is neither a word, a number nor names is a name without a value that anybody knows. */
function optionOf(item: TreeValue): CommandOption {
  const fields = as('DefElem', item) ?? {};
  const name = textOf(fields['defname']) ?? '';
  const value = fields['arg'];
  const text = textOf(as('String', value)?.['sval']);
  if (text !== undefined) return [name, text];
  const list = as('List', value);
  if (list !== undefined) return [name, stringsOf(list['items'])];
  const integer = as('Integer', value);
  if (integer !== undefined) return [name, numberOf(integer['ival'])];
  const boolean = as('Boolean', value);
  if (boolean !== undefined) return [name, boolean['boolval'] === true];
  return [name, undefined];
}

function numberOf(value: TreeValue | undefined): number {
  return typeof value === 'number' ? value : 0;
}

/** RETURNING gives rows of the table. */
function foundReturning(fields: TreeNode, relation: TreeNode, findings: Findings): void {
  if (fields['returningClause'] !== undefined) findings.read(relation);
}

function foundOn(
  effect: 'insert' | 'update' | 'update-unqualified' | 'delete' | 'delete-unqualified' | 'merge' | 'refresh',
  fields: TreeNode,
  findings: Findings,
): void {
  const relation = nodeOf(fields['relation']);
  findings.effect(effect, findings.nameSpan(relation), objectOf(relation));
}

function targetNames(value: TreeValue | undefined): readonly string[] {
  return listOf(value).flatMap((target) => textOf(as('ResTarget', target)?.['name']) ?? []);
}

function objectOf(relation: TreeNode): string | undefined {
  const name = qualifiedName(relation);
  return name === undefined ? undefined : nameText(name);
}
