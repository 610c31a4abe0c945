/** CREATE, ALTER, DROP, RENAME, COMMENT: what changes what there is. */

import type { Effect } from '../core/effects.ts';
import { type Findings, nameText, qualifiedName, type Span } from './findings.ts';
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
import type { NodeRow } from './walk.ts';

/** Of objects whose definition is code, a door to elsewhere, or a right; beside the verb itself. */
const OBJECT_EFFECTS: Readonly<Record<string, readonly Effect[]>> = {
  OBJECT_POLICY: ['grant'],
  OBJECT_ROLE: ['grant'],
  OBJECT_FOREIGN_SERVER: ['remote'],
  OBJECT_FDW: ['remote'],
  OBJECT_FOREIGN_TABLE: ['remote'],
  OBJECT_USER_MAPPING: ['remote'],
  OBJECT_PUBLICATION: ['remote'],
  OBJECT_SUBSCRIPTION: ['remote'],
  OBJECT_EXTENSION: ['code'],
  OBJECT_LANGUAGE: ['code'],
  OBJECT_DATABASE: ['admin'],
  OBJECT_TABLESPACE: ['admin'],
};

const GRANTING =
  /^AT_(?:ChangeOwner|EnableRowSecurity|DisableRowSecurity|ForceRowSecurity|NoForceRowSecurity)$/;
const DROPPING =
  /^AT_(?:DropColumn|DropConstraint|DropExpression|DropIdentity|DropNotNull|DropInherit|DropOf|DropOids|DetachPartition|DetachPartitionFinalize)$/;
/** Triggers and rules that no longer fire, or that fire where they did not. */
const CODE = /^AT_(?:Enable|Disable)\w*(?:Trig|Rule)/;

/** What is created, with all that it brings. */
const CREATES: Readonly<Record<string, readonly Effect[]>> = {
  CreateStmt: [],
  CreateSchemaStmt: [],
  CreateSeqStmt: [],
  CreateDomainStmt: [],
  CreateEnumStmt: [],
  CreateRangeStmt: [],
  CompositeTypeStmt: [],
  CreateStatsStmt: [],
  CreateOpFamilyStmt: [],
  ViewStmt: [],
  // Operators, types, aggregates, casts and conversions name functions that are run behind other names.
  DefineStmt: ['code'],
  CreateOpClassStmt: ['code'],
  CreateCastStmt: ['code'],
  CreateConversionStmt: ['code'],
  CreateTransformStmt: ['code'],
  CreateAmStmt: ['code'],
  CreateFunctionStmt: ['code'],
  CreateTrigStmt: ['code'],
  CreateEventTrigStmt: ['code'],
  CreatePLangStmt: ['code'],
  RuleStmt: ['code'],
  CreateExtensionStmt: ['code'],
  CreateFdwStmt: ['remote', 'code'],
  CreateForeignServerStmt: ['remote'],
  CreateForeignTableStmt: ['remote'],
  CreateUserMappingStmt: ['remote'],
  ImportForeignSchemaStmt: ['remote'],
  CreatePublicationStmt: ['remote'],
  CreateSubscriptionStmt: ['remote'],
  CreatePolicyStmt: ['grant'],
  CreateRoleStmt: ['grant'],
  CreatedbStmt: ['admin'],
  CreateTableSpaceStmt: ['admin', 'host'],
};

const ALTERS: Readonly<Record<string, readonly Effect[]>> = {
  AlterSeqStmt: [],
  AlterDomainStmt: [],
  AlterEnumStmt: [],
  AlterTypeStmt: [],
  AlterStatsStmt: [],
  AlterCollationStmt: [],
  AlterTSDictionaryStmt: [],
  AlterTSConfigurationStmt: [],
  AlterObjectDependsStmt: [],
  AlterTableMoveAllStmt: [],
  ReplicaIdentityStmt: [],
  AlterOpFamilyStmt: ['code'],
  AlterOperatorStmt: ['code'],
  AlterFunctionStmt: ['code'],
  AlterEventTrigStmt: ['code'],
  AlterExtensionStmt: ['code'],
  AlterExtensionContentsStmt: ['code'],
  AlterFdwStmt: ['remote', 'code'],
  AlterForeignServerStmt: ['remote'],
  AlterUserMappingStmt: ['remote'],
  AlterPublicationStmt: ['remote'],
  AlterSubscriptionStmt: ['remote'],
  AlterPolicyStmt: ['grant'],
  AlterRoleStmt: ['grant'],
  AlterDatabaseStmt: ['admin'],
  AlterDatabaseRefreshCollStmt: ['admin'],
  AlterTableSpaceOptionsStmt: ['admin'],
};

/** A function's SET is for the time that it runs, not for the session. */
const OWN_OPTIONS: Readonly<Record<string, readonly string[]>> = {
  CreateFunctionStmt: ['options'],
  AlterFunctionStmt: ['actions'],
};

/** Fields in which a statement may name what it is about, the first that has a name. */
const NAME_FIELDS = (
  'relation view sequence typevar base funcname defnames typeName domainname idxname schemaname extname ' +
  'trigname rulename policy_name servername fdwname pubname subname plname role dbname tablespacename amname ' +
  'opclassname opfamilyname conversion_name dictname cfgname collname table func opername'
).split(' ');

/** Nodes of definitions. */
export const DEFINITION_NODES: readonly (readonly [string, NodeRow])[] = [
  ...Object.entries(CREATES).map(([node, more]) => row(node, 'create', more)),
  ...Object.entries(ALTERS).map(([node, more]) => row(node, 'alter', more)),
  ['IndexStmt', { found: foundIndex }],
  ['AlterTableStmt', { found: foundAlterTable }],
  [
    'AlterObjectSchemaStmt',
    { found: (fields, findings) => foundObject(['alter'], 'objectType', fields, findings), skip: 'all' },
  ],
  [
    'AlterOwnerStmt',
    {
      found: (fields, findings) => foundObject(['alter', 'grant'], 'objectType', fields, findings),
      skip: 'all',
    },
  ],
  [
    'RenameStmt',
    { found: (fields, findings) => foundObject(['rename'], 'renameType', fields, findings), skip: 'all' },
  ],
  [
    'CommentStmt',
    { found: (fields, findings) => foundObject(['comment'], 'none', fields, findings), skip: 'all' },
  ],
  [
    'SecLabelStmt',
    { found: (fields, findings) => foundObject(['grant'], 'none', fields, findings), skip: 'all' },
  ],
  ['DropStmt', { found: foundDrop, skip: 'all' }],
  ['DropRoleStmt', { found: foundDropRole, skip: 'all' }],
  ['DropdbStmt', { found: foundServerDrop('dbname'), skip: 'all' }],
  ['DropTableSpaceStmt', { found: foundServerDrop('tablespacename') }],
  ['DropSubscriptionStmt', { found: foundDropSubscription }],
  ['DropUserMappingStmt', { found: (_, findings) => findings.effects(['drop', 'remote']) }],
  ['DropOwnedStmt', { found: (_, findings) => findings.effects(['drop', 'grant']), skip: 'all' }],
  ['ReassignOwnedStmt', { found: (_, findings) => findings.effects(['alter', 'grant']), skip: 'all' }],
];

function row(node: string, verb: 'create' | 'alter', more: readonly Effect[]): readonly [string, NodeRow] {
  function found(fields: TreeNode, findings: Findings): void {
    const { object, span } = nameOf(fields, findings);
    findings.effects([verb, ...more], span, object);
    EXTRAS[node]?.(fields, findings);
  }
  const skip = OWN_OPTIONS[node];
  return [node, skip === undefined ? { found } : { found, skip }];
}

/** What some have beside the rule. */
const EXTRAS: Readonly<Record<string, (fields: TreeNode, findings: Findings) => void>> = {
  CreateFunctionStmt: foundFunction,
  AlterFunctionStmt: foundFunction,
  // Their scripts run whatever they have.
  CreateExtensionStmt: (_, findings) => findings.lasting(),
  AlterExtensionStmt: (_, findings) => findings.lasting(),
  // A new value cannot be used before COMMIT, and could not be taken back before PostgreSQL 12.
  AlterEnumStmt: (_, findings) => findings.lasting(),
  AlterDomainStmt: (fields, findings) => {
    if (/^[XON]$/.test(textOf(fields['subtype']) ?? '')) findings.effect('alter-drop');
  },
};

/** A function that runs with its owner's rights gives them away. */
function foundFunction(fields: TreeNode, findings: Findings): void {
  for (const item of [...listOf(fields['options']), ...listOf(fields['actions'])]) {
    const option = as('DefElem', item) ?? {};
    if (option['defname'] === 'security' && as('Boolean', option['arg'])?.['boolval'] === true) {
      findings.effect('grant');
    }
  }
}

function foundIndex(fields: TreeNode, findings: Findings): void {
  const { span } = nameOf(fields, findings);
  findings.effect('create', span, textOf(fields['idxname']) ?? 'index');
  if (fields['concurrent'] === true) findings.lasting();
}

function foundAlterTable(fields: TreeNode, findings: Findings): void {
  const { object, span } = nameOf(fields, findings);
  findings.effects(['alter', ...(OBJECT_EFFECTS[textOf(fields['objtype']) ?? ''] ?? [])], span, object);
  for (const item of listOf(fields['cmds'])) {
    const command = as('AlterTableCmd', item) ?? {};
    const kind = textOf(command['subtype']) ?? '';
    if (DROPPING.test(kind)) findings.effect('alter-drop', span, textOf(command['name']) ?? object);
    if (GRANTING.test(kind)) findings.effect('grant', span, object);
    if (CODE.test(kind)) findings.effect('code', span, textOf(command['name']) ?? object);
    const partition = nodeOf(as('PartitionCmd', command['def']));
    if (partition['concurrent'] === true) findings.lasting();
  }
}

function foundObject(
  effects: readonly Effect[],
  typeField: string,
  fields: TreeNode,
  findings: Findings,
): void {
  const relation = fields['relation'];
  const span = isNode(relation) ? findings.nameSpan(relation) : undefined;
  const object = isNode(relation) ? relationText(relation) : partsOf(fields['object']);
  const more = OBJECT_EFFECTS[textOf(fields[typeField]) ?? ''] ?? [];
  findings.effects([...effects, ...more], span, object);
}

function foundDrop(fields: TreeNode, findings: Findings): void {
  const more = OBJECT_EFFECTS[textOf(fields['removeType']) ?? ''] ?? [];
  for (const item of listOf(fields['objects'])) findings.effects(['drop', ...more], undefined, partsOf(item));
  if (fields['concurrent'] === true) findings.lasting();
}

function foundDropRole(fields: TreeNode, findings: Findings): void {
  for (const item of listOf(fields['roles'])) {
    findings.effects(['drop', 'grant'], undefined, textOf(as('RoleSpec', item)?.['rolename']));
  }
}

function foundServerDrop(field: string): NonNullable<NodeRow['found']> {
  return (fields, findings) => findings.effects(['drop', 'admin'], undefined, textOf(fields[field]));
}

function foundDropSubscription(fields: TreeNode, findings: Findings): void {
  findings.effects(['drop', 'remote'], undefined, textOf(fields['subname']));
}

function nameOf(
  fields: TreeNode,
  findings: Findings,
): { readonly object: string | undefined; readonly span: Span | undefined } {
  for (const field of NAME_FIELDS) {
    const value = fields[field];
    if (value === undefined) continue;
    const relation = isNode(value) ? nodeOf(value['relation'] ?? value) : undefined;
    const object = relation === undefined ? partsOf(value) : (relationText(relation) ?? partsOf(value));
    if (object === undefined) continue;
    return { object, span: relation === undefined ? undefined : findings.nameSpan(relation) };
  }
  return { object: undefined, span: undefined };
}

function relationText(relation: TreeNode): string | undefined {
  const name = qualifiedName(relation);
  return name === undefined ? undefined : nameText(name);
}

/** A name as the grammar leaves it: a text, a list of texts, or a node that has one. */
function partsOf(value: TreeValue | undefined): string | undefined {
  const text = textOf(value);
  if (text !== undefined) return text;
  const list = stringsOf(value);
  if (list.length > 0) return list.join('.');
  const node = named(value);
  const fields = node?.fields ?? nodeOf(value);
  const parts = stringsOf(fields['items'] ?? fields['objname'] ?? fields['names']);
  return parts.length > 0 ? parts.join('.') : textOf(fields['sval'] ?? fields['rolename']);
}
