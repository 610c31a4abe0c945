/**
 * What is asked of a target about its relations with masked columns, and about who may use them.
 *
 * Every statement runs with an empty search_path, so that functions and operators are PostgreSQL's own, and with the
 * credential of the connection: any role may read all of this.
 */

import { SERVER_ROLE_LIMITS } from '../core/server-role-limits.ts';
import { FIRST_USER_OID } from '../sql/server-tree/catalog-sql.ts';
import { quotedText } from './quoted.ts';

/** Who this is, and where. */
export const WHO_SQL: string = `select session_user::text, pg_catalog.current_database()::text,
  pg_catalog.current_setting('search_path')`;

/** Parameter: $1 `oid[]`. The type of a domain is the one that it is of, because a domain may refuse NULL. */
export const RELATIONS_SQL: string = `select c.oid, n.nspname, c.relname, c.relkind, c.relrowsecurity,
    coalesce(c.reloptions::text[] && '{security_invoker=true,security_invoker=on,security_invoker=1,security_invoker=yes}', false),
    a.attnum, a.attname, a.atttypid, a.atttypmod, (
      with recursive d (oid, typmod) as (
        select a.atttypid, a.atttypmod
        union all
        select t.typbasetype, t.typtypmod from d join pg_catalog.pg_type t on t.oid = d.oid where t.typtype = 'd')
      select pg_catalog.format_type(d.oid, d.typmod) from d join pg_catalog.pg_type t on t.oid = d.oid
        where t.typtype <> 'd'),
    a.attgenerated <> ''
  from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  join pg_catalog.pg_attribute a on a.attrelid = c.oid
  where c.oid = any ($1) and a.attnum > 0 and not a.attisdropped
  order by n.nspname, c.relname, a.attnum
  limit ${SERVER_ROLE_LIMITS.columnsMax + 1}`;

/**
 * Parameter: $1 `oid[]`. Which columns are compared together when a row is written: whether a write to one of them
 * succeeds tells of the others. A check of one column looks at nothing but what is written.
 */
export const COMPARED_SQL: string = `select x.what, x.relation, x.attnum from (
  select 'c' || c.oid, c.conrelid, k.attnum from pg_catalog.pg_constraint c
    cross join lateral pg_catalog.unnest(c.conkey) k (attnum)
    where (c.conrelid = any ($1) or c.confrelid = any ($1))
      and (c.contype in ('p', 'u', 'x', 'f') or pg_catalog.array_length(c.conkey, 1) > 1)
  union all
  select 'c' || c.oid, c.confrelid, k.attnum from pg_catalog.pg_constraint c
    cross join lateral pg_catalog.unnest(c.confkey) k (attnum)
    where c.contype = 'f' and (c.conrelid = any ($1) or c.confrelid = any ($1))
  union all
  select 'i' || i.indexrelid, i.indrelid, k.attnum from pg_catalog.pg_index i
    cross join lateral pg_catalog.unnest(i.indkey::int2[]) k (attnum)
    where i.indrelid = any ($1) and (i.indisunique or i.indisexclusion)
  union all
  select 'i' || i.indexrelid, i.indrelid, d.refobjsubid from pg_catalog.pg_index i
    join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_class'::regclass and d.objid = i.indexrelid
      and d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjid = i.indrelid and d.refobjsubid > 0
    where i.indrelid = any ($1) and (i.indisunique or i.indisexclusion)) x (what, relation, attnum)`;

/** All schemas of users, and what was written down in those that have masking views. */
export const SCHEMAS_SQL: string = `select n.nspname, d.comment
  from pg_catalog.pg_namespace n
  cross join lateral (select pg_catalog.obj_description(n.oid, 'pg_namespace')) x (text)
  cross join lateral (select case when pg_catalog.octet_length(x.text) <= ${SERVER_ROLE_LIMITS.commentBytesMax}
    then x.text end) d (comment)
  where not pg_catalog.starts_with(n.nspname::text, 'pg_') and n.nspname <> 'information_schema'
  order by n.nspname`;

/** Masking views that are there. Parameter: $1 `text`, names of schemas as JSON. */
export const VIEWS_SQL: string = `select c.oid, n.nspname, c.relname, pg_catalog.pg_get_viewdef(c.oid),
    coalesce(pg_catalog.array_to_string(c.reloptions, ','), ''),
    (select pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array(a.attnum, a.attname) order by a.attnum) from pg_catalog.pg_attribute a
      where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped)::text,
    exists (select from pg_catalog.pg_trigger t where t.tgrelid = c.oid)
      or exists (select from pg_catalog.pg_rewrite w where w.ev_class = c.oid and w.rulename <> '_RETURN')
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where c.relkind = 'v' and n.nspname::text in (select pg_catalog.jsonb_array_elements_text($1::jsonb))
  order by n.nspname, c.relname
  limit ${SERVER_ROLE_LIMITS.relationsMax + 1}`;

/** What a role may do with columns now, by whatever way. Parameter: $1 `oid[]`. */
export function mayDoSql(role: string): string {
  const rights = ['SELECT', 'INSERT', 'UPDATE'].map(
    (right) => `pg_catalog.has_column_privilege(r.oid, a.attrelid, a.attnum, '${right}')`,
  );
  return `select a.attrelid, a.attnum, ${rights.join(', ')},
    pg_catalog.has_table_privilege(r.oid, a.attrelid, 'DELETE'),
    pg_catalog.has_schema_privilege(r.oid, c.relnamespace, 'USAGE')
  from pg_catalog.pg_roles r, pg_catalog.pg_attribute a
  join pg_catalog.pg_class c on c.oid = a.attrelid
  where r.rolname = ${quotedText(role)} and a.attrelid = any ($1) and a.attnum > 0 and not a.attisdropped`;
}

/**
 * What everybody may do with masked columns, whatever is granted to whom. Parameter: as of {@link problemsSql}.
 */
export const PUBLIC_SQL: string = `select distinct pg_catalog.format('PUBLIC may %s %I.%I', x.doing, n.nspname, c.relname)
  from (select (w.value ->> 0)::oid as relation, (w.value ->> 1)::int2 as attnum, w.value ->> 2 as letters
    from pg_catalog.jsonb_array_elements($1::jsonb -> 'columns') w (value)) w
  cross join (values ('R', 'SELECT', 'read'), ('W', 'INSERT', 'write'), ('W', 'UPDATE', 'write'),
    ('', 'REFERENCES', 'make foreign keys to')) x (letter, privilege, doing)
  join pg_catalog.pg_class c on c.oid = w.relation
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where pg_catalog.strpos(w.letters, x.letter) > 0
    and pg_catalog.has_column_privilege('public', w.relation, w.attnum, x.privilege)
  order by 1 limit ${SERVER_ROLE_LIMITS.problemsMax + 1}`;

/** What was granted to a role itself; attnum 0 is the table. Parameter: $1 `oid[]`. */
export function grantedSql(role: string): string {
  const own = `(select r.oid from pg_catalog.pg_roles r where r.rolname = ${quotedText(role)})`;
  return `select c.oid, 0, '', x.privilege_type from pg_catalog.pg_class c
    cross join lateral pg_catalog.aclexplode(c.relacl) x where c.oid = any ($1) and x.grantee = ${own}
  union
  select a.attrelid, a.attnum, a.attname::text, x.privilege_type from pg_catalog.pg_attribute a
    cross join lateral pg_catalog.aclexplode(a.attacl) x
    where a.attrelid = any ($1) and a.attnum > 0 and x.grantee = ${own}
  order by 1, 2, 4`;
}

/** Whether the role is there, and its own search_path in this database, as it was set. */
export function roleSql(role: string): string {
  return `select exists (select from pg_catalog.pg_roles r where r.rolname = ${quotedText(role)}),
    (select x.setting from pg_catalog.pg_roles r
      join pg_catalog.pg_db_role_setting s on s.setrole = r.oid
      join pg_catalog.pg_database d on d.oid = s.setdatabase and d.datname = pg_catalog.current_database()
      cross join lateral pg_catalog.unnest(s.setconfig) x (setting)
      where r.rolname = ${quotedText(role)} and x.setting like 'search\\_path=%')`;
}

/** Predefined roles that show nothing of anybody's. PostgreSQL 18, "Predefined Roles". */
const HARMLESS_ROLES: readonly string[] = [
  'pg_checkpoint',
  'pg_database_owner',
  'pg_maintain',
  'pg_signal_autovacuum_worker',
  'pg_signal_backend',
  'pg_use_reserved_connections',
];

/** They read files of the server, into rows or large objects, and only superusers may run them unless somebody said otherwise. */
const FILE_FUNCTIONS: readonly string[] = ['lo_export', 'lo_import', 'pg_read_binary_file', 'pg_read_file'];

/** What is asked about, by name, and who of those whose functions run with their rights may read it. */
const NAMED = `wanted as materialized (
  select (x.value ->> 0)::oid as relation, (x.value ->> 1)::int2 as attnum,
    pg_catalog.strpos(x.value ->> 2, 'R') > 0 as reads, pg_catalog.strpos(x.value ->> 2, 'W') > 0 as writes
  from pg_catalog.jsonb_array_elements($1::jsonb -> 'columns') x (value)
),
named as materialized (
  select w.relation, w.attnum, w.reads, w.writes, n.nspname, c.relname, a.attname, c.relowner, c.relkind,
    pg_catalog.format('%I.%I.%I', n.nspname, c.relname, a.attname) as what
  from wanted w
  join pg_catalog.pg_class c on c.oid = w.relation
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  join pg_catalog.pg_attribute a on a.attrelid = w.relation and a.attnum = w.attnum
),
relations as materialized (
  select distinct relation, nspname, relname, relowner, relkind, pg_catalog.format('%I.%I', nspname, relname) as what
  from named where reads
),
readers as materialized (
  select o.oid from (
    select distinct p.proowner as oid from pg_catalog.pg_proc p where p.prosecdef and p.oid >= ${FIRST_USER_OID}) o
  where exists (select from named n where n.reads and pg_catalog.has_column_privilege(o.oid, n.relation, n.attnum, 'SELECT'))
)`;

/** Who is in the way, in the order in which it is told. */
const FOUND = `  select 1, 'role', r.rolname, pg_catalog.format('%I is a superuser, or may bypass row security, create roles or replicate', r.rolname)
    from reach r where r.rolsuper or r.rolbypassrls or r.rolcreaterole or r.rolreplication
  union all
  select 2, 'role', r.rolname, pg_catalog.format('it is a member of %I', r.rolname) from reach r
    where r.oid < ${FIRST_USER_OID} and pg_catalog.starts_with(r.rolname::text, 'pg_')
      and r.rolname not in (${HARMLESS_ROLES.map(quotedText).join(', ')})
  union all
  select 3, 'owner', r.rolname, pg_catalog.format('%I owns %s', r.rolname, t.what)
    from relations t join reach r on r.oid = t.relowner
  union all
  select 4, 'read', r.rolname, pg_catalog.format('%I may read %s', r.rolname, n.what) from named n cross join reach r
    where n.reads and pg_catalog.has_column_privilege(r.oid, n.relation, n.attnum, 'SELECT')
  union all
  select 5, 'write', r.rolname, pg_catalog.format('%I may write %s, and whether that succeeds tells of masked values', r.rolname, n.what)
    from named n cross join reach r
    where n.writes and (pg_catalog.has_column_privilege(r.oid, n.relation, n.attnum, 'INSERT')
      or pg_catalog.has_column_privilege(r.oid, n.relation, n.attnum, 'UPDATE'))
  union all
  select 6, 'reference', r.rolname, pg_catalog.format('%I may make foreign keys to %s', r.rolname, n.what)
    from named n cross join reach r
    where pg_catalog.has_column_privilege(r.oid, n.relation, n.attnum, 'REFERENCES')
  union all
  select 7, 'trigger', r.rolname, pg_catalog.format('%I may make triggers on %s', r.rolname, t.what)
    from relations t cross join reach r where pg_catalog.has_table_privilege(r.oid, t.relation, 'TRIGGER')
  union all
  select 8, 'function', ''::name, pg_catalog.format('%s runs with the rights of %I, who may read masked columns', p.oid::regprocedure, o.rolname)
    from pg_catalog.pg_proc p join readers on readers.oid = p.proowner join pg_catalog.pg_roles o on o.oid = p.proowner
    where p.prosecdef and p.oid >= ${FIRST_USER_OID}
      and exists (select from reach r where pg_catalog.has_function_privilege(r.oid, p.oid, 'EXECUTE'))
  union all
  select 9, 'rule', ''::name, pg_catalog.format('rule %I on %s is about a table with masked columns, and runs with the rights of its owner',
      w.rulename, w.ev_class::regclass)
    from pg_catalog.pg_rewrite w
    where w.rulename <> '_RETURN' and exists (
        select from pg_catalog.pg_depend d join relations t on t.relation = d.refobjid
        where d.classid = 'pg_catalog.pg_rewrite'::regclass and d.objid = w.oid
          and d.refclassid = 'pg_catalog.pg_class'::regclass)
      and exists (select from reach r where pg_catalog.has_any_column_privilege(r.oid, w.ev_class, 'INSERT, UPDATE')
        or pg_catalog.has_table_privilege(r.oid, w.ev_class, 'DELETE'))
  union all
  select 16, 'policy', ''::name, pg_catalog.format('policy %I on %s chooses rows by %s', p.polname, p.polrelid::regclass, n.what)
    from pg_catalog.pg_policy p
    join pg_catalog.pg_class c on c.oid = p.polrelid and c.relrowsecurity
    join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_policy'::regclass and d.objid = p.oid
      and d.refclassid = 'pg_catalog.pg_class'::regclass
      -- Of another table the role needs the right to read what a policy compares.
      and d.refobjid = p.polrelid
    join named n on n.reads and n.relation = d.refobjid and n.attnum = d.refobjsubid
    where exists (select from reach r where pg_catalog.has_any_column_privilege(r.oid, p.polrelid, 'SELECT, INSERT, UPDATE')
      or pg_catalog.has_table_privilege(r.oid, p.polrelid, 'DELETE'))
  union all
  select 10, 'statistics', ''::name, pg_catalog.format('%I may read %s', r.rolname, s.oid::regclass)
    from reach r cross join (values ('pg_catalog.pg_statistic'::regclass::oid),
      ('pg_catalog.pg_statistic_ext_data'::regclass::oid), ('pg_catalog.pg_largeobject'::regclass::oid)) s (oid)
    where pg_catalog.has_any_column_privilege(r.oid, s.oid, 'SELECT')
  union all
  select 12, 'file', ''::name, pg_catalog.format('%I may run %s', r.rolname, p.oid::regprocedure)
    from pg_catalog.pg_proc p cross join reach r
    where p.oid < ${FIRST_USER_OID} and p.proname in (${FILE_FUNCTIONS.map(quotedText).join(', ')})
      and pg_catalog.has_function_privilege(r.oid, p.oid, 'EXECUTE')
  union all
  select 13, 'setting', ''::name, 'lo_compat_privileges is on: every large object may be read'
    where pg_catalog.current_setting('lo_compat_privileges') = 'on'
  union all
  select 14, 'schema', ''::name, pg_catalog.format('%I may make objects in %I, or owns it', r.rolname, n.nspname)
    from pg_catalog.pg_namespace n cross join reach r
    where n.nspname::text in (select pg_catalog.jsonb_array_elements_text($1::jsonb -> 'schemas'))
      and (n.nspowner = r.oid or pg_catalog.has_schema_privilege(r.oid, n.oid, 'CREATE'))
  union all
  select 15, 'owner', r.rolname, pg_catalog.format('%I owns %s', r.rolname, c.oid::regclass)
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace join reach r on r.oid = c.relowner
    where n.nspname::text in (select pg_catalog.jsonb_array_elements_text($1::jsonb -> 'schemas'))`;

/**
 * Rights by which masked values could be had all the same: rows of (kind, what, role that has it).
 *
 * Parameter: $1 `text`, JSON: `columns` of [oid, attnum, letters], with R where nobody may read and W where nobody may
 * write; `schemas` that have masking views. Who is asked about is the role of the session, and every role of which it
 * is a member, inherited from or not: SET ROLE leads there.
 *
 * @param role for which a script is made, and of which only that is told which the script leaves
 */
export function problemsSql(role: string | undefined): string {
  const [session, current] =
    role === undefined ? ['session_user', 'current_user'] : [quotedText(role), quotedText(role)];
  return `with
reach as materialized (
  select r.oid, r.rolname, r.rolsuper, r.rolbypassrls, r.rolcreaterole, r.rolreplication
  from pg_catalog.pg_roles r
  where pg_catalog.pg_has_role((${session})::name, r.oid, 'MEMBER')
    or pg_catalog.pg_has_role((${current})::name, r.oid, 'MEMBER')
),
${NAMED},
found (place, kind, who, what) as (
${FOUND}
  ${role === undefined ? VISIBLE_STATISTICS : ''}
)
select f.kind, f.what, f.who from found f ${role === undefined ? '' : notTakenAway(role)} order by f.place, f.what limit ${SERVER_ROLE_LIMITS.problemsMax + 1}`;
}

/** The script takes away itself what was granted to its role: that is no problem, and must not hide one. */
function notTakenAway(role: string): string {
  return `where not (f.who = ${quotedText(role)} and f.kind in ('read', 'write', 'reference', 'trigger'))`;
}

/** What the views of statistics show of masked columns to whoever asks. */
const VISIBLE_STATISTICS = `union all
  select 11, 'statistics', ''::name, pg_catalog.format('pg_stats shows values of %s', n.what)
    from named n join pg_catalog.pg_stats s
      on s.schemaname = n.nspname and s.tablename = n.relname and s.attname = n.attname where n.reads
  union all
  select 11, 'statistics', ''::name, pg_catalog.format('pg_stats_ext shows values of %s', n.what)
    from named n join pg_catalog.pg_stats_ext s
      on s.schemaname = n.nspname and s.tablename = n.relname and n.attname = any (s.attnames) where n.reads
  union all
  select 11, 'statistics', ''::name, pg_catalog.format('pg_stats_ext_exprs shows values of %s', t.what)
    from relations t join pg_catalog.pg_stats_ext_exprs s on s.schemaname = t.nspname and s.tablename = t.relname`;
