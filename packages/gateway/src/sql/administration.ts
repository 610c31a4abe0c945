/** Rights, code that is run, and the care of the server. */

import type { Effect } from '../core/effects.ts';
import type { Findings } from './findings.ts';
import { effect } from './session-commands.ts';
import { as, isNode, listOf, nodeOf, stringsOf, type TreeNode, textOf } from './tree.ts';
import type { NodeRow } from './walk.ts';

/** Nodes of rights, code and care. */
export const ADMINISTRATION_NODES: readonly (readonly [string, NodeRow])[] = [
  ['GrantStmt', { found: plain('grant'), skip: 'all' }],
  ['GrantRoleStmt', { found: plain('grant'), skip: 'all' }],
  ['AlterDefaultPrivilegesStmt', { found: plain('grant'), skip: 'all' }],
  ['AlterRoleSetStmt', { found: foundStoredSetting('grant'), skip: 'all' }],
  ['AlterDatabaseSetStmt', { found: foundStoredSetting('grant', 'admin'), skip: 'all' }],
  ['AlterSystemStmt', { found: foundStoredSetting('admin'), skip: 'all' }],
  ['DoStmt', { found: foundDo, skip: 'all' }],
  ['CallStmt', { found: foundProcedure }],
  [
    'LoadStmt',
    {
      found: (fields, findings) => findings.effects(['code', 'host'], undefined, textOf(fields['filename'])),
    },
  ],
  ['CheckPointStmt', { found: plain('admin') }],
  ['VacuumStmt', { found: foundVacuum, skip: ['rels', 'options'] }],
  ['ClusterStmt', { found: foundCluster, skip: ['params'] }],
  ['ReindexStmt', { found: foundReindex, skip: ['params'] }],
];

function plain(name: Effect): NonNullable<NodeRow['found']> {
  return effect(name);
}

/** A setting that later sessions, or all of them, begin with. */
function foundStoredSetting(...effects: readonly Effect[]): NonNullable<NodeRow['found']> {
  return (fields, findings) => {
    const set = nodeOf(fields['setstmt']);
    const name = textOf(set['name'])?.toLowerCase();
    findings.effects([...effects, 'setting-risky'], undefined, name ?? 'all');
  };
}

/** A block may COMMIT, or call what leaves something behind. */
function foundDo(_: TreeNode, findings: Findings): void {
  findings.effect('code');
  findings.lasting();
}

/** The procedure by its name; its arguments are expressions like any other. */
function foundProcedure(fields: TreeNode, findings: Findings): void {
  const call = nodeOf(fields['funccall']);
  findings.effect('call', findings.nameSpan(call), stringsOf(call['funcname']).join('.'));
}

/** VACUUM cannot be in a transaction, ANALYZE can. */
function foundVacuum(fields: TreeNode, findings: Findings): void {
  const relations = listOf(fields['rels']).map((item) => nodeOf(as('VacuumRelation', item)?.['relation']));
  if (relations.length === 0) findings.effect('maintain');
  for (const relation of relations) {
    findings.effect('maintain', findings.nameSpan(relation), textOf(relation['relname']));
  }
  if (fields['is_vacuumcmd'] === true) findings.lasting();
}

function foundCluster(fields: TreeNode, findings: Findings): void {
  const relation = fields['relation'];
  if (!isNode(relation)) findings.lasting();
  findings.effect('maintain', undefined, textOf(nodeOf(relation)['relname']));
}

function foundReindex(fields: TreeNode, findings: Findings): void {
  const relation = nodeOf(fields['relation']);
  const object = textOf(relation['relname']) ?? textOf(fields['name']);
  findings.effect('maintain', findings.nameSpan(relation), object);
  const concurrently = listOf(fields['params']).some(
    (item) => as('DefElem', item)?.['defname'] === 'concurrently',
  );
  const one = fields['kind'] === 'REINDEX_OBJECT_INDEX' || fields['kind'] === 'REINDEX_OBJECT_TABLE';
  // A table may have partitions, each of which is a transaction of its own.
  if (concurrently || !one || fields['kind'] === 'REINDEX_OBJECT_TABLE') findings.lasting();
}
