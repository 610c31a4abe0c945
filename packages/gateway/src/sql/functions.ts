/**
 * What a call does, by the name that stands in the text.
 *
 * Known are PostgreSQL's own functions, by name or qualified by `pg_catalog`. Somebody may have put another
 * function of the same name before them, with search_path or with arguments that fit better: the text alone
 * cannot tell, so that whoever decides asks {@link isBuiltIn} and the catalog. Hidden from a text are also
 * the functions behind operators, casts, defaults, triggers, rules, views and `row.function`.
 */

import type { Effect, QualifiedName } from '../core/effects.ts';
import type { Findings } from './findings.ts';
import { FUNCTION_EFFECTS, HARMLESS_FUNCTIONS, INFORMATION_SCHEMA_FUNCTIONS } from './functions-table.ts';
import { modelEffects } from './model-functions.ts';
import { foundSetting } from './settings.ts';
import { as, isNode, listOf, stringsOf, type TreeNode, type TreeValue, textOf } from './tree.ts';

/** Of modules that come with PostgreSQL and reach out of the database. */
const MODULES: readonly (readonly [name: RegExp, effect: Effect])[] = [
  [/^dblink/, 'remote'],
  [/^postgres_fdw_/, 'remote'],
  [/^pg_file_|^pg_logdir_ls$/, 'host'],
];

/** A lock of a session outlives the transaction; one of a transaction does not. */
const SESSION_LOCK = /advisory_(?:lock|unlock)/;

/** Whether PostgreSQL itself has a function of this name, and no other schema's is meant. */
export function isBuiltIn({ schema, name }: QualifiedName): boolean {
  if (schema === 'information_schema') return INFORMATION_SCHEMA_FUNCTIONS.has(name);
  if (schema !== undefined && schema !== 'pg_catalog') return false;
  return HARMLESS_FUNCTIONS.has(name) || FUNCTION_EFFECTS.has(name);
}

/** What a call does; undefined for nothing. */
export function functionEffect(called: QualifiedName): Effect | undefined {
  if (isBuiltIn(called)) {
    return called.schema === 'information_schema' ? undefined : FUNCTION_EFFECTS.get(called.name);
  }
  return MODULES.find(([name]) => name.test(called.name))?.[1] ?? 'function-unknown';
}

/** A FuncCall. */
export function foundCall(fields: TreeNode, findings: Findings): void {
  const parts = stringsOf(fields['funcname']);
  const name = parts.at(-1);
  if (name === undefined) {
    findings.effect('unknown');
    return;
  }
  const called = { schema: parts.at(-2), name };
  const span = findings.nameSpan(fields);
  findings.call(called, span ?? findings.span);
  if (name === 'set_config' && isBuiltIn(called)) {
    foundSetConfig(fields, findings);
    return;
  }
  const effect = functionEffect(called);
  if (effect !== undefined) findings.effect(effect, span, name);
  for (const also of modelEffects(called)) findings.effect(also, span, name);
  if (effect === 'lock' && SESSION_LOCK.test(name) && !name.includes('_xact_')) findings.lasting();
}

/** `set_config('name', 'value', is_local)`. */
function foundSetConfig(fields: TreeNode, findings: Findings): void {
  const span = findings.nameSpan(fields);
  const [name, value] = listOf(fields['args']);
  const setting = findings.settingNames.get(fields) ?? constantText(name);
  const to = constantText(value);
  if (setting === undefined || to === undefined) {
    findings.effect('setting-risky', span, setting?.toLowerCase());
    return;
  }
  foundSetting(setting.toLowerCase(), to, findings, span);
}

function constantText(value: TreeValue | undefined): string | undefined {
  const constant = as('A_Const', value) ?? as('A_Const', as('TypeCast', value)?.['arg']);
  const text = constant?.['sval'];
  // An empty text is left out.
  return isNode(text) ? (textOf(text['sval']) ?? '') : undefined;
}
