/** What changes the session: transactions, settings, prepared statements, cursors, notifications, roles. */

import type { Effect, TransactionVerb } from '../core/effects.ts';
import type { Findings } from './findings.ts';
import { constantOf } from './same-expression.ts';
import { foundSetting } from './settings.ts';
import { as, listOf, nodeOf, type TreeNode, type TreeValue, textOf } from './tree.ts';
import type { NodeRow } from './walk.ts';

const TRANSACTIONS: Readonly<
  Record<string, readonly [verb: TransactionVerb, effect: 'transaction' | 'two-phase']>
> = {
  TRANS_STMT_BEGIN: ['begin', 'transaction'],
  TRANS_STMT_START: ['begin', 'transaction'],
  TRANS_STMT_COMMIT: ['commit', 'transaction'],
  TRANS_STMT_ROLLBACK: ['rollback', 'transaction'],
  TRANS_STMT_SAVEPOINT: ['savepoint', 'transaction'],
  TRANS_STMT_RELEASE: ['release', 'transaction'],
  TRANS_STMT_ROLLBACK_TO: ['rollback-to', 'transaction'],
  TRANS_STMT_PREPARE: ['prepare-transaction', 'two-phase'],
  TRANS_STMT_COMMIT_PREPARED: ['commit-prepared', 'two-phase'],
  TRANS_STMT_ROLLBACK_PREPARED: ['rollback-prepared', 'two-phase'],
};

/** Nodes that change the session. */
export const SESSION_NODES: readonly (readonly [string, NodeRow])[] = [
  ['TransactionStmt', { found: foundTransaction, skip: 'all' }],
  ['ConstraintsSetStmt', { found: effect('transaction'), skip: 'all' }],
  ['VariableSetStmt', { found: foundSet, skip: 'all' }],
  [
    'VariableShowStmt',
    { found: (fields, findings) => findings.effect('read', undefined, textOf(fields['name'])) },
  ],
  ['DiscardStmt', { found: foundDiscard }],
  ['PrepareStmt', { found: foundPrepare }],
  ['ExecuteStmt', { found: foundExecute }],
  ['DeallocateStmt', { found: foundDeallocate }],
  ['DeclareCursorStmt', { found: effect('cursor', 'portalname') }],
  ['FetchStmt', { found: lasting('cursor', 'portalname'), skip: 'all' }],
  ['ClosePortalStmt', { found: lasting('cursor', 'portalname') }],
  ['NotifyStmt', { found: effect('notify', 'conditionname') }],
  ['ListenStmt', { found: effect('notify', 'conditionname') }],
  ['UnlistenStmt', { found: effect('notify', 'conditionname') }],
  ['ExplainStmt', { found: foundExplain, skip: ['options'] }],
];

/** A plain effect, about the object that a field names. */
export function effect(name: Effect, field?: string): NonNullable<NodeRow['found']> {
  return (fields, findings) =>
    findings.effect(name, undefined, field === undefined ? undefined : textOf(fields[field]));
}

/** One that a ROLLBACK does not take back: where a cursor stands, or that it is closed. */
function lasting(name: Effect, field: string): NonNullable<NodeRow['found']> {
  return (fields, findings) => {
    findings.effect(name, undefined, textOf(fields[field]));
    findings.lasting();
  };
}

function foundTransaction(fields: TreeNode, findings: Findings): void {
  const row = TRANSACTIONS[textOf(fields['kind']) ?? ''];
  if (row === undefined) {
    findings.effect('unknown', undefined, 'TransactionStmt');
    return;
  }
  findings.transaction(row[0]);
  findings.effect('transaction');
  if (row[1] === 'two-phase') findings.effect('two-phase', undefined, textOf(fields['gid']));
}

/** SET, RESET, SET TRANSACTION, SET SESSION CHARACTERISTICS. */
function foundSet(fields: TreeNode, findings: Findings): void {
  const name = (textOf(fields['name']) ?? '').toLowerCase();
  switch (textOf(fields['kind'])) {
    case 'VAR_SET_VALUE':
      foundSetting(name, settingValue(fields['args']), findings);
      break;
    case 'VAR_SET_DEFAULT':
    case 'VAR_RESET':
      foundSetting(name, undefined, findings);
      break;
    case 'VAR_RESET_ALL':
      // To what the session began with, which was looked at then.
      findings.effect('setting', undefined, 'all');
      break;
    case 'VAR_SET_MULTI':
      foundCharacteristics(name, fields, findings);
      break;
    default:
      // SET … FROM CURRENT is a part of other statements.
      findings.effect('setting-risky', undefined, name);
  }
}

function foundCharacteristics(name: string, fields: TreeNode, findings: Findings): void {
  if (name !== 'session characteristics') {
    findings.effect('transaction');
    return;
  }
  for (const item of listOf(fields['args'])) {
    const option = as('DefElem', item) ?? {};
    const setting = `default_${textOf(option['defname']) ?? ''}`;
    const value = constantOf(option['arg']);
    foundSetting(setting, setting === 'default_transaction_read_only' ? readOnly(value) : value, findings);
  }
}

function readOnly(value: string | undefined): string {
  return value === '1' || value === 'true' ? 'on' : 'off';
}

/** As a configuration file would say it: values by commas, and one that has a comma itself in quotes. */
function settingValue(args: TreeValue | undefined): string {
  return listOf(args)
    .map((arg) => constantOf(arg) ?? '?')
    .map((value) => (/[,"]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value))
    .join(', ');
}

/** DISCARD ALL is what pools send between two borrowers. */
function foundDiscard(fields: TreeNode, findings: Findings): void {
  const target = textOf(fields['target']) ?? 'DISCARD_ALL';
  findings.lasting();
  if (target !== 'DISCARD_ALL') {
    findings.effect('setting', undefined, target.replace('DISCARD_', '').toLowerCase());
    return;
  }
  findings.effects(['setting', 'prepare', 'cursor', 'notify', 'lock'], undefined, 'all');
  findings.prepared({ verb: 'deallocate', name: undefined });
}

function foundPrepare(fields: TreeNode, findings: Findings): void {
  const name = textOf(fields['name']);
  findings.effect('prepare', undefined, name);
  findings.prepared({ verb: 'prepare', name });
}

function foundExecute(fields: TreeNode, findings: Findings): void {
  const name = textOf(fields['name']);
  findings.effect('execute', undefined, name);
  findings.prepared({ verb: 'execute', name });
}

function foundDeallocate(fields: TreeNode, findings: Findings): void {
  const name = fields['isall'] === true ? undefined : textOf(fields['name']);
  findings.effect('prepare', undefined, name);
  findings.prepared({ verb: 'deallocate', name });
}

/** With ANALYZE the statement is run; without it is planned, and planning folds calls of functions. */
function foundExplain(fields: TreeNode, findings: Findings): void {
  findings.effect('explain');
  if (listOf(fields['options']).some(analyzes)) return;
  findings.effect('read');
  if (nodeOf(fields['query'])['ExecuteStmt'] !== undefined) {
    const execute = nodeOf(nodeOf(fields['query'])['ExecuteStmt']);
    findings.effect('execute', undefined, textOf(execute['name']));
  }
  findings.onlyPlanned();
}

/** An option that is not known to be off is on. */
function analyzes(option: TreeValue): boolean {
  const fields = as('DefElem', option) ?? {};
  if (textOf(fields['defname'])?.toLowerCase() !== 'analyze') return false;
  const value = fields['arg'];
  const text = textOf(as('String', value)?.['sval'])?.toLowerCase();
  const boolean = as('Boolean', value);
  const integer = as('Integer', value);
  const off =
    (text !== undefined && /^(?:off|false)$/.test(text)) ||
    (boolean !== undefined && boolean['boolval'] !== true) ||
    (integer !== undefined && (integer['ival'] ?? 0) === 0);
  return value === undefined || !off;
}
