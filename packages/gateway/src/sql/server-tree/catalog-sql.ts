/**
 * What is asked of a server's catalog, in one statement each.
 *
 * Everything is qualified, operators too, so that no search_path and nobody's objects change what is asked: `=` and
 * `IN` would find an operator of somebody's that fits as well. Rows are (kind, oid, JSON); catalog.ts reads them.
 * The session's own transaction sees what it has changed, so that it has to be asked in the session.
 */

const RELATION = 'relation';
const FUNCTION = 'function';
const OPERATOR = 'operator';
const TYPE = 'type';
const CAST = 'cast';

/** The first column of a row. */
export const ROW_KINDS: Readonly<Record<'relation' | 'function' | 'operator' | 'type' | 'cast', string>> = {
  relation: RELATION,
  function: FUNCTION,
  operator: OPERATOR,
  type: TYPE,
  cast: CAST,
};

/** `FirstNormalObjectId`: what is below is PostgreSQL's own (src/include/access/transam.h). */
export const FIRST_USER_OID = 16_384;

const EQUALS = 'operator(pg_catalog.=)';
const FIRST_USER = `operator(pg_catalog.>=) ${FIRST_USER_OID}::pg_catalog.oid`;

/** A function with everything that says what it may do. */
function functionRow(source: string): string {
  return `select '${FUNCTION}'::pg_catalog.text, p.oid, pg_catalog.jsonb_build_array(
    n.nspname, p.proname, p.prokind, p.provolatile, p.prosecdef, l.lanname, l.lanpltrusted,
    r.rolname, coalesce(r.rolsuper, false), p.proacl is not null,
    pg_catalog.oidvectortypes(p.proargtypes),
    case when a.aggfnoid is null then '[]'::pg_catalog.jsonb else pg_catalog.to_jsonb(array[
      a.aggtransfn::pg_catalog.oid, a.aggfinalfn::pg_catalog.oid, a.aggcombinefn::pg_catalog.oid,
      a.aggserialfn::pg_catalog.oid, a.aggdeserialfn::pg_catalog.oid, a.aggmtransfn::pg_catalog.oid,
      a.aggminvtransfn::pg_catalog.oid, a.aggmfinalfn::pg_catalog.oid]) end)
  from ${source}
  join pg_catalog.pg_namespace n on n.oid ${EQUALS} p.pronamespace
  join pg_catalog.pg_language l on l.oid ${EQUALS} p.prolang
  left join pg_catalog.pg_roles r on r.oid ${EQUALS} p.proowner
  left join pg_catalog.pg_aggregate a on a.aggfnoid::pg_catalog.oid ${EQUALS} p.oid`;
}

/**
 * What is behind the oids of a statement's facts.
 *
 * Parameters, all `oid[]`: $1 relations, $2 functions, $3 operators, $4 types. With a relation come its partitions and
 * heirs, whose triggers run too; with all of them the functions that triggers, constraints, defaults, generated
 * columns, indexes and policies call; with operators, aggregates and domains theirs. PostgreSQL's own functions
 * have no rows in pg_depend, so that those of users alone come that way.
 */
export const CATALOG_OF_OIDS_SQL: string = `with recursive
family (root, oid) as (
  select o, o from pg_catalog.unnest($1::pg_catalog.oid[]) o
  union
  select f.root, i.inhrelid from family f join pg_catalog.pg_inherits i on i.inhparent ${EQUALS} f.oid
),
dependencies (classid, objid, func) as not materialized (
  select p.classid, p.objid, p.refobjid from pg_catalog.pg_depend p
    where p.refclassid ${EQUALS} 'pg_catalog.pg_proc'::pg_catalog.regclass::pg_catalog.oid
  union all
  select p.classid, p.objid, o.oprcode::pg_catalog.oid from pg_catalog.pg_depend p
    join pg_catalog.pg_operator o on o.oid ${EQUALS} p.refobjid
    where p.refclassid ${EQUALS} 'pg_catalog.pg_operator'::pg_catalog.regclass::pg_catalog.oid
),
dependents (root, classid, objid) as (
  select f.root, 'pg_catalog.pg_constraint'::pg_catalog.regclass::pg_catalog.oid, c.oid
    from family f join pg_catalog.pg_constraint c on c.conrelid ${EQUALS} f.oid
  union all
  select f.root, 'pg_catalog.pg_attrdef'::pg_catalog.regclass::pg_catalog.oid, d.oid
    from family f join pg_catalog.pg_attrdef d on d.adrelid ${EQUALS} f.oid
  union all
  select f.root, 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid, x.indexrelid
    from family f join pg_catalog.pg_index x on x.indrelid ${EQUALS} f.oid
  union all
  select f.root, 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid, f.oid from family f
  union all
  select f.root, 'pg_catalog.pg_policy'::pg_catalog.regclass::pg_catalog.oid, y.oid
    from family f join pg_catalog.pg_policy y on y.polrelid ${EQUALS} f.oid
),
domains (oid, base) as (
  select t.oid, t.oid from pg_catalog.pg_type t
    where t.oid ${FIRST_USER} and (
      exists (select from pg_catalog.unnest($4::pg_catalog.oid[]) o where o ${EQUALS} t.oid)
      or exists (select from family f join pg_catalog.pg_attribute b on b.attrelid ${EQUALS} f.oid
        where b.atttypid ${EQUALS} t.oid and b.attnum operator(pg_catalog.>) 0::pg_catalog.int2))
  union
  select d.oid, x.part from domains d
    join pg_catalog.pg_type t on t.oid ${EQUALS} d.base
    cross join lateral (
      select t.typbasetype
      union all
      select t.typelem
      union all
      select r.rngsubtype from pg_catalog.pg_range r
        where r.rngtypid ${EQUALS} t.oid or r.rngmultitypid ${EQUALS} t.oid
      union all
      select b.atttypid from pg_catalog.pg_attribute b
        where b.attrelid ${EQUALS} t.typrelid and b.attnum operator(pg_catalog.>) 0::pg_catalog.int2
    ) x (part)
    where x.part ${FIRST_USER}
),
checks (oid, func) as (
  select d.oid, v.func from domains d
    join pg_catalog.pg_constraint c on c.contypid ${EQUALS} d.base
    join dependencies v on v.objid ${EQUALS} c.oid
      and v.classid ${EQUALS} 'pg_catalog.pg_constraint'::pg_catalog.regclass::pg_catalog.oid
),
hidden (root, func) as (
  select d.root, v.func from dependents d
    join dependencies v on v.classid ${EQUALS} d.classid and v.objid ${EQUALS} d.objid
  union
  select f.root, t.tgfoid from family f join pg_catalog.pg_trigger t on t.tgrelid ${EQUALS} f.oid
    where not t.tgisinternal
  union
  select f.root, k.func from family f
    join pg_catalog.pg_attribute b on b.attrelid ${EQUALS} f.oid
    join checks k on k.oid ${EQUALS} b.atttypid
),
called (oid) as (
  select o from pg_catalog.unnest($2::pg_catalog.oid[]) o
  union
  select p.oprcode::pg_catalog.oid from pg_catalog.pg_operator p
    join pg_catalog.unnest($3::pg_catalog.oid[]) o on p.oid ${EQUALS} o
  union
  select func from hidden
  union
  select func from checks
),
components (oid) as (
  select c.oid from called c
  union
  select u.part from called c
    join pg_catalog.pg_aggregate a on a.aggfnoid::pg_catalog.oid ${EQUALS} c.oid
    cross join lateral pg_catalog.unnest(array[
      a.aggtransfn::pg_catalog.oid, a.aggfinalfn::pg_catalog.oid, a.aggcombinefn::pg_catalog.oid,
      a.aggserialfn::pg_catalog.oid, a.aggdeserialfn::pg_catalog.oid, a.aggmtransfn::pg_catalog.oid,
      a.aggminvtransfn::pg_catalog.oid, a.aggmfinalfn::pg_catalog.oid]) u (part)
)
select '${RELATION}'::pg_catalog.text, c.oid, pg_catalog.jsonb_build_array(
    n.nspname, c.relname, c.relkind,
    exists (select from pg_catalog.pg_trigger t join family f on t.tgrelid ${EQUALS} f.oid
      where f.root ${EQUALS} c.oid and not t.tgisinternal),
    exists (select from pg_catalog.pg_rewrite w where w.ev_class ${EQUALS} c.oid
      and w.ev_type operator(pg_catalog.<>) '1'::pg_catalog."char"),
    c.relrowsecurity,
    case when c.relispartition then pg_catalog.pg_partition_root(c.oid)::pg_catalog.oid end,
    coalesce((select pg_catalog.jsonb_agg(h.func) from hidden h where h.root ${EQUALS} c.oid), '[]'::pg_catalog.jsonb))
  from pg_catalog.unnest($1::pg_catalog.oid[]) o
  join pg_catalog.pg_class c on c.oid ${EQUALS} o
  join pg_catalog.pg_namespace n on n.oid ${EQUALS} c.relnamespace
union all
${functionRow(`components o join pg_catalog.pg_proc p on p.oid ${EQUALS} o.oid`)}
union all
select '${OPERATOR}'::pg_catalog.text, p.oid, pg_catalog.jsonb_build_array(
    n.nspname, p.oprname, p.oprcode::pg_catalog.oid)
  from pg_catalog.unnest($3::pg_catalog.oid[]) o
  join pg_catalog.pg_operator p on p.oid ${EQUALS} o
  join pg_catalog.pg_namespace n on n.oid ${EQUALS} p.oprnamespace
union all
select '${TYPE}'::pg_catalog.text, t.oid, pg_catalog.jsonb_build_array(
    n.nspname, t.typname,
    coalesce((select pg_catalog.jsonb_agg(k.func) from checks k where k.oid ${EQUALS} t.oid), '[]'::pg_catalog.jsonb))
  from pg_catalog.unnest($4::pg_catalog.oid[]) o
  join pg_catalog.pg_type t on t.oid ${EQUALS} o
  join pg_catalog.pg_namespace n on n.oid ${EQUALS} t.typnamespace`;

/** All functions, operators and casts that are not PostgreSQL's own; no parameters. */
export const CATALOG_SNAPSHOT_SQL: string = `${functionRow('pg_catalog.pg_proc p')}
  where p.oid ${FIRST_USER}
union all
select '${OPERATOR}'::pg_catalog.text, o.oid, pg_catalog.jsonb_build_array(
    n.nspname, o.oprname, o.oprcode::pg_catalog.oid)
  from pg_catalog.pg_operator o
  join pg_catalog.pg_namespace n on n.oid ${EQUALS} o.oprnamespace
  where o.oid ${FIRST_USER}
union all
select '${CAST}'::pg_catalog.text, c.oid, pg_catalog.jsonb_build_array(
    c.castsource, c.casttarget, c.castfunc, c.castcontext)
  from pg_catalog.pg_cast c
  where c.oid ${FIRST_USER}`;
