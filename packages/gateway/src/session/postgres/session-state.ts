/**
 * What a statement means besides its text: who runs it, under which settings, on which tables.
 *
 * Spec: spec/policy.md, "Holds": an approval is bound to all of this, so that one for a statement is not
 * one for the same text under another search_path, another role, or on a table with another trigger.
 */

import type { StatementFacts } from '../../core/effects.ts';
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

/** Tables of one statement that are looked at. */
const TABLES_MAX = 32;

/** What was found, by name. */
export interface SessionState {
  readonly role: string;
  readonly settings: Readonly<Record<string, string>>;
  readonly tables: Readonly<Record<string, string>>;
}

/** One text that asks for all of it: kind, name, value. */
export function stateQuestion(statements: readonly StatementFacts[]): string {
  const tables = new Set(
    statements.flatMap(({ writes }) => writes.map(({ schema, name }) => quoted(schema, name))),
  );
  const settings = SETTINGS.map((name) => `'${name}'`).join(', ');
  return [
    `SELECT 'role', 'current_user', current_user::pg_catalog.text`,
    `SELECT 'setting', s.name, s.setting FROM pg_catalog.pg_settings s WHERE s.name OPERATOR(pg_catalog.=) ANY (ARRAY[${settings}]::pg_catalog.text[])`,
    ...[...tables].slice(0, TABLES_MAX).map(tableQuestion),
  ].join('\nUNION ALL\n');
}

/** The answer to {@link stateQuestion}. */
export function readState(answer: KeptAnswer): SessionState {
  const found = { role: '', settings: new Map<string, string>(), tables: new Map<string, string>() };
  for (const [kind, name = '', value = ''] of rowsOf(answer)) {
    if (kind === 'role') found.role = value;
    else if (kind === 'setting') found.settings.set(name, value);
    else found.tables.set(name, value);
  }
  return {
    role: found.role,
    settings: Object.fromEntries(found.settings),
    tables: Object.fromEntries(found.tables),
  };
}

/** The table's identity, columns, triggers and rules, in one digest; empty where there is none. */
function tableQuestion(name: string): string {
  // In hexadecimal: however the server reads literals, it reads this.
  const text = `pg_catalog.convert_from(pg_catalog.decode('${Buffer.from(name).toString('hex')}', 'hex'), 'UTF8')`;
  const parts = [
    't.oid::pg_catalog.text',
    rows(
      'x.attnum, x.attname, x.atttypid, x.atttypmod, x.attisdropped',
      'pg_attribute',
      'attrelid',
      'attnum',
    ),
    rows('x.tgname, x.tgfoid, x.tgtype, x.tgenabled', 'pg_trigger', 'tgrelid', 'tgname'),
    rows('x.rulename, x.ev_type, x.ev_enabled', 'pg_rewrite', 'ev_class', 'rulename'),
  ];
  return `SELECT 'table', ${text}, COALESCE((SELECT pg_catalog.md5(pg_catalog.concat_ws('|', ${parts.join(', ')})) FROM (SELECT pg_catalog.to_regclass(${text})::pg_catalog.oid AS oid) t WHERE t.oid IS NOT NULL), '')`;
}

/** Rows of one of the system's tables about `t`, in one text. */
function rows(columns: string, from: string, of: string, order: string): string {
  return `ARRAY(SELECT ROW(${columns})::pg_catalog.text FROM pg_catalog.${from} x WHERE x.${of} OPERATOR(pg_catalog.=) t.oid ORDER BY x.${order})::pg_catalog.text`;
}

function quoted(schema: string | undefined, name: string): string {
  const parts = schema === undefined ? [name] : [schema, name];
  return parts.map((part) => `"${part.replaceAll('"', '""')}"`).join('.');
}
