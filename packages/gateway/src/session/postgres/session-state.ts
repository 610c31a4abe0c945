/**
 * What a statement means besides its text: who runs it, under which settings, on which tables.
 *
 * Spec: spec/policy.md, "Holds": an approval is bound to all of this, so that one for a statement is not
 * one for the same text under another search_path, another role, or on a table with another trigger.
 */

import type { StatementFacts } from '../../core/effects.ts';
import { CountersignError } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
import { type KeptAnswer, rowsOf } from './exchange.ts';

/** Settings that change what a text means or what it does. */
const SETTINGS: readonly string[] = [
  'search_path',
  'role',
  'session_authorization',
  'row_security',
  'session_replication_role',
  'standard_conforming_strings',
  'backslash_quote',
  'client_encoding',
  'DateStyle',
  'IntervalStyle',
  'TimeZone',
  'timezone_abbreviations',
  'bytea_output',
  'xmlbinary',
  'xmloption',
  'array_nulls',
  'transform_null_equals',
  'default_tablespace',
  'default_table_access_method',
  'lc_monetary',
  'lc_numeric',
  'lc_time',
  'transaction_read_only',
  'default_transaction_isolation',
];

/** What was found, by name. */
export interface SessionState {
  readonly role: string;
  readonly settings: Readonly<Record<string, string>>;
  /** Digests of tables, functions and prepared statements. */
  readonly objects: Readonly<Record<string, string>>;
}

/** One text that asks for all of it: kind, name, value. LIMIT_EXCEEDED for more than can be bound. */
export function stateQuestion(statements: readonly StatementFacts[]): string {
  const tables = distinct(
    statements.flatMap(({ writes, reads }) =>
      [...writes, ...reads].map(({ schema, name }) => quoted(schema, name)),
    ),
  );
  const functions = distinct(statements.flatMap((one) => one.functions.map(({ name }) => name)));
  const prepared = distinct(statements.flatMap((one) => one.prepared?.name ?? []));
  const { contextMax: allowed } = LIMITS.approvals;
  const actual = tables.length + functions.length + prepared.length;
  if (actual > allowed) {
    throw new CountersignError('LIMIT_EXCEEDED', { limit: 'approvals.contextMax', allowed, actual });
  }
  const settings = SETTINGS.map((name) => `'${name}'`).join(', ');
  return [
    `SELECT 'role', 'current_user', current_user::pg_catalog.text`,
    `SELECT 'setting', 'session_user', session_user::pg_catalog.text`,
    `SELECT 'setting', s.name, s.setting FROM pg_catalog.pg_settings s WHERE s.name OPERATOR(pg_catalog.=) ANY (ARRAY[${settings}]::pg_catalog.text[])`,
    ...(tables.length === 0 ? [] : [tablesQuestion(tables)]),
    ...(functions.length === 0 ? [] : [functionsQuestion(functions)]),
    ...(prepared.length === 0 ? [] : [preparedQuestion(prepared)]),
  ].join('\nUNION ALL\n');
}

/** The answer to {@link stateQuestion}. */
export function readState(answer: KeptAnswer): SessionState {
  const found = { role: '', settings: new Map<string, string>(), objects: new Map<string, string>() };
  for (const [kind, name = '', value = ''] of rowsOf(answer)) {
    if (kind === 'role') found.role = value;
    else if (kind === 'setting') found.settings.set(name, value);
    else found.objects.set(`${kind} ${name}`, value);
  }
  return {
    role: found.role,
    settings: Object.fromEntries(found.settings),
    objects: Object.fromEntries(found.objects),
  };
}

/**
 * Each table's identity, columns, triggers with their functions, rules, defaults, checks and policies, in one
 * digest, with those of what a view shows; empty where there is none.
 */
function tablesQuestion(names: readonly string[]): string {
  const parts = [
    of(
      'pg_class',
      'x.oid, x.relkind, x.relowner, x.relrowsecurity, x.relforcerowsecurity, x.reloptions',
      'oid',
      'oid',
    ),
    of('pg_attribute', 'x.attnum, x.attname, x.atttypid, x.atttypmod, x.attisdropped', 'attrelid', 'attnum'),
    of('pg_attrdef', 'x.adnum, x.adbin', 'adrelid', 'adnum'),
    of(
      'pg_constraint',
      'x.conname, x.contype, x.conbin, x.confdeltype, x.confupdtype',
      'conrelid',
      'conname',
    ),
    of(
      'pg_policy',
      'x.polname, x.polcmd, x.polpermissive, x.polroles, x.polqual, x.polwithcheck',
      'polrelid',
      'polname',
    ),
    of(
      'pg_trigger',
      'x.tgname, x.tgfoid, x.tgtype, x.tgenabled, x.tgattr, x.tgargs, x.tgqual',
      'tgrelid',
      'tgname',
    ),
    of(
      'pg_rewrite',
      'x.rulename, x.ev_type, x.ev_enabled, x.is_instead, x.ev_qual, x.ev_action',
      'ev_class',
      'rulename',
    ),
    `ARRAY(SELECT ${SOURCE} FROM pg_catalog.pg_trigger x JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) x.tgfoid WHERE x.tgrelid OPERATOR(pg_catalog.=) r.oid ORDER BY x.tgname)::pg_catalog.text`,
    `ARRAY(SELECT ${SOURCE} FROM pg_catalog.pg_rewrite x JOIN pg_catalog.pg_depend d ON ${dependsOn('pg_proc')} JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) d.refobjid WHERE x.ev_class OPERATOR(pg_catalog.=) r.oid ORDER BY p.oid)::pg_catalog.text`,
  ];
  return `SELECT 'table', n.name, COALESCE((
WITH RECURSIVE r(oid) AS (
  SELECT pg_catalog.to_regclass(n.name)::pg_catalog.oid
  UNION
  SELECT d.refobjid FROM r JOIN pg_catalog.pg_rewrite x ON x.ev_class OPERATOR(pg_catalog.=) r.oid JOIN pg_catalog.pg_depend d ON ${dependsOn('pg_class')}
)
SELECT pg_catalog.md5(pg_catalog.string_agg(pg_catalog.concat_ws('|', ${parts.join(', ')}), '|' ORDER BY r.oid)) FROM r WHERE r.oid IS NOT NULL), '') FROM ${list(names)}`;
}

/** What every function of these names does, in whatever schema; of those that they call nothing is known. */
function functionsQuestion(names: readonly string[]): string {
  return `SELECT 'function', n.name, pg_catalog.md5(ARRAY(SELECT ${SOURCE} FROM pg_catalog.pg_proc p WHERE p.proname OPERATOR(pg_catalog.=) n.name::pg_catalog.name ORDER BY p.oid)::pg_catalog.text) FROM ${list(names)}`;
}

/** What stands behind a name that EXECUTE uses, by the server's own word. */
function preparedQuestion(names: readonly string[]): string {
  return `SELECT 'prepared', n.name, COALESCE((SELECT pg_catalog.md5(pg_catalog.concat_ws('|', s.parameter_types, s.statement)) FROM pg_catalog.pg_prepared_statements s WHERE s.name OPERATOR(pg_catalog.=) n.name), '') FROM ${list(names)}`;
}

/** What a function does, without who may call it. */
const SOURCE =
  'ROW(p.oid, p.pronamespace, p.proowner, p.prosrc, p.probin, p.prosqlbody, p.prosecdef, p.proconfig, p.prosupport)::pg_catalog.text';

/** A rule `x` uses an object of that table of the system's, which is `d.refobjid`. */
function dependsOn(catalog: string): string {
  return `d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_rewrite'::pg_catalog.regclass::pg_catalog.oid AND d.objid OPERATOR(pg_catalog.=) x.oid AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.${catalog}'::pg_catalog.regclass::pg_catalog.oid`;
}

/** Names as rows `n(name)`, in hexadecimal: however the server reads literals, it reads this. */
function list(names: readonly string[]): string {
  const hex = names.map((name) => `'${Buffer.from(name).toString('hex')}'`).join(', ');
  return `(SELECT pg_catalog.convert_from(pg_catalog.decode(h.hex, 'hex'), 'UTF8') AS name FROM pg_catalog.unnest(ARRAY[${hex}]::pg_catalog.text[]) AS h(hex)) n`;
}

/** Rows of one of the system's tables about the relation `r`, in one text. */
function of(catalog: string, columns: string, relation: string, order: string): string {
  return `ARRAY(SELECT ROW(${columns})::pg_catalog.text FROM pg_catalog.${catalog} x WHERE x.${relation} OPERATOR(pg_catalog.=) r.oid ORDER BY x.${order})::pg_catalog.text`;
}

function distinct(names: readonly string[]): readonly string[] {
  return [...new Set(names)];
}

function quoted(schema: string | undefined, name: string): string {
  const parts = schema === undefined ? [name] : [schema, name];
  return parts.map((part) => `"${part.replaceAll('"', '""')}"`).join('.');
}
