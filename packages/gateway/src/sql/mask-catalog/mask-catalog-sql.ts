/**
 * What is asked of a catalog for masks, in one statement: which columns their patterns stand for, and everything by
 * which values of those columns get into others.
 *
 * Everything is qualified, operators too, as in server-tree/catalog-sql.ts. Any role may read what it reads. Rows
 * are (kind, oid, base64 of JSON in UTF-8), so that client_encoding changes nothing.
 */

import { MASK_CATALOG_LIMITS } from '../../core/masking-limits.ts';
import { FIRST_USER_OID } from '../server-tree/catalog-sql.ts';

const EQUALS = 'operator(pg_catalog.=)';
const DIFFERS = 'operator(pg_catalog.<>)';
const OF_USERS = `operator(pg_catalog.>=) ${FIRST_USER_OID}::pg_catalog.oid`;
const POSITIVE = 'operator(pg_catalog.>) 0::pg_catalog.int2';

/** First column of a row. */
export const MASK_ROW_KINDS = {
  known: 'known',
  relation: 'relation',
  tree: 'tree',
  function: 'function',
} as const;

/** A relation with the columns that show what is in other tables, by name. */
const SYSTEM_COLUMNS: readonly (readonly [relation: string, columns: string])[] = [
  // Statistics: shares, widths, the most frequent values and histograms.
  ['pg_statistic', '^sta(?:nullfrac|width|distinct|numbers.|values.)$'],
  ['pg_statistic_ext_data', '^stxd(?!inherit)'],
  ['pg_largeobject', '^data$'],
  // The value that rows have that are older than their column.
  ['pg_attribute', '^attmissingval$'],
];

const SYSTEM_ROWS = SYSTEM_COLUMNS.map(
  ([relation, columns]) =>
    `select 'pg_catalog.${relation}'::pg_catalog.regclass::pg_catalog.oid, '${columns}'::pg_catalog.text`,
).join('\n  union all ');

function kindIn(letters: string): string {
  const each = letters.split('').map((letter) => `c.relkind ${EQUALS} '${letter}'::pg_catalog."char"`);
  return `(${each.join(' or ')})`;
}

/** A pattern with a schema may name PostgreSQL's own tables. */
const SCHEMA_FITS = `${kindIn('rpfmv')} and case when p.schema is null then c.oid ${OF_USERS}
      else n.nspname::pg_catalog.text ${EQUALS} p.schema end`;

const IS_COLUMN = `a.attnum ${POSITIVE} and not a.attisdropped`;

/** In the place of what says of which views the definitions come. */
const FIRST_RULED = '/* first ruled */';

function row(kind: keyof typeof MASK_ROW_KINDS, oid: string, json: string): string {
  return `select '${kind}'::pg_catalog.text, ${oid}::pg_catalog.text, pg_catalog.encode(
    pg_catalog.convert_to((${json})::pg_catalog.text, 'UTF8'), 'base64')`;
}

/**
 * Parameter: $1 `text`, {@link patternsParameter}.
 *
 * Seeds are the columns that patterns name; from them and from generated columns families of heirs and partitions
 * are followed, both ways. All materialized views come with the views below them, because a function in one may
 * have read any table. What the columns of a view are made of is in its tree (`pg_rewrite.ev_action`), and of a
 * generated column in its expression (`pg_attrdef.adbin`).
 */
const CATALOG_SQL = `with recursive
patterns (number, schema, relation, attribute) as materialized (
  select p.ordinality, p.value operator(pg_catalog.->>) 0, p.value operator(pg_catalog.->>) 1,
      p.value operator(pg_catalog.->>) 2
    from pg_catalog.jsonb_array_elements($1::pg_catalog.text::pg_catalog.jsonb) with ordinality p (value, ordinality)
),
matched (number, oid, attnum) as materialized (
  (select p.number, a.attrelid, a.attnum from patterns p
    join pg_catalog.pg_attribute a on a.attname::pg_catalog.text ${EQUALS} p.attribute
    join pg_catalog.pg_class c on c.oid ${EQUALS} a.attrelid
    join pg_catalog.pg_namespace n on n.oid ${EQUALS} c.relnamespace
    where p.attribute is not null and ${IS_COLUMN} and ${SCHEMA_FITS}
      and (p.relation is null or c.relname::pg_catalog.text ${EQUALS} p.relation)
  union all
  select p.number, a.attrelid, a.attnum from patterns p
    join pg_catalog.pg_class c on c.relname::pg_catalog.text ${EQUALS} p.relation
    join pg_catalog.pg_namespace n on n.oid ${EQUALS} c.relnamespace
    join pg_catalog.pg_attribute a on a.attrelid ${EQUALS} c.oid
    where p.attribute is null and p.relation is not null and ${IS_COLUMN} and ${SCHEMA_FITS}
  union all
  select p.number, a.attrelid, a.attnum from patterns p
    cross join pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid ${EQUALS} c.relnamespace
    join pg_catalog.pg_attribute a on a.attrelid ${EQUALS} c.oid
    where p.attribute is null and p.relation is null and ${IS_COLUMN} and ${SCHEMA_FITS})
  limit ${MASK_CATALOG_LIMITS.columnsMax + 1}
),
generated (oid, attnum, name, tree) as materialized (
  select a.attrelid, a.attnum, a.attname, d.adbin::pg_catalog.text
    from pg_catalog.pg_attribute a
    join pg_catalog.pg_attrdef d on d.adrelid ${EQUALS} a.attrelid and d.adnum ${EQUALS} a.attnum
    where a.attgenerated ${DIFFERS} ''::pg_catalog."char" and ${IS_COLUMN}
    limit ${MASK_CATALOG_LIMITS.generatedMax + 1}
),
edges (one, other) as materialized (
  select i.inhparent, i.inhrelid from pg_catalog.pg_inherits i
    join pg_catalog.pg_class c on c.oid ${EQUALS} i.inhrelid where ${kindIn('rpf')}
  union all
  select i.inhrelid, i.inhparent from pg_catalog.pg_inherits i
    join pg_catalog.pg_class c on c.oid ${EQUALS} i.inhrelid where ${kindIn('rpf')}
),
family (oid) as (
  select s.oid from (select m.oid from matched m union select g.oid from generated g) s
  union
  select e.other from family f join edges e on e.one ${EQUALS} f.oid
),
ruled (oid) as (
  select c.oid from pg_catalog.pg_class c where ${FIRST_RULED}
  union
  select c.oid from ruled r
    join pg_catalog.pg_rewrite w on w.ev_class ${EQUALS} r.oid
    join pg_catalog.pg_depend d on d.objid ${EQUALS} w.oid
      and d.classid ${EQUALS} 'pg_catalog.pg_rewrite'::pg_catalog.regclass::pg_catalog.oid
      and d.refclassid ${EQUALS} 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid
    join pg_catalog.pg_class c on c.oid ${EQUALS} d.refobjid
    where ${kindIn('vm')}
),
system (oid, columns) as (
  ${SYSTEM_ROWS}
),
subjects (oid) as materialized (
  (select f.oid from family f union select r.oid from ruled r union select s.oid from system s)
  limit ${MASK_CATALOG_LIMITS.subjectsMax + 1}
),
names (name) as materialized (
  select a.attname from (select distinct m.oid, m.attnum from matched m) m
    join pg_catalog.pg_attribute a on a.attrelid ${EQUALS} m.oid and a.attnum ${EQUALS} m.attnum
  union
  select g.name from generated g
),
columns (oid, list) as materialized (
  select x.oid, pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array(x.attnum, x.attname)) from (
    select a.attrelid as oid, a.attnum, a.attname from subjects s
      join pg_catalog.pg_class c on c.oid ${EQUALS} s.oid
      join pg_catalog.pg_attribute a on a.attrelid ${EQUALS} s.oid
      left join names x on x.name ${EQUALS} a.attname
      left join system y on y.oid ${EQUALS} s.oid
      where ${IS_COLUMN} and (x.name is not null or y.oid is not null or ${kindIn('vm')})
      limit ${MASK_CATALOG_LIMITS.columnsMax + 1}) x
    group by x.oid
),
named (oid, list) as materialized (
  select m.oid, pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array(m.number, m.attnum)) from matched m group by m.oid
),
showing (oid, list) as materialized (
  select a.attrelid, pg_catalog.jsonb_agg(a.attnum) from system s
    join pg_catalog.pg_attribute a on a.attrelid ${EQUALS} s.oid
    where ${IS_COLUMN} and a.attname::pg_catalog.text operator(pg_catalog.~) s.columns
    group by a.attrelid
),
parents (oid, list) as materialized (
  select i.inhrelid, pg_catalog.jsonb_agg(i.inhparent) from subjects s
    join pg_catalog.pg_inherits i on i.inhrelid ${EQUALS} s.oid group by i.inhrelid
),
relations (oid, relkind, relnatts) as (
  select c.oid, c.relkind, c.relnatts from pg_catalog.pg_class c
    where c.oid ${OF_USERS} and not ${kindIn('iI')}
    limit ${MASK_CATALOG_LIMITS.relationsMax + 1}
)
${row('known', '0', "pg_catalog.jsonb_build_array(coalesce(pg_catalog.string_agg(pg_catalog.concat(k.oid, '.', k.relnatts, '.', k.relkind), ' '), ''))")}
  from relations k
union all
${row(
  'relation',
  'c.oid',
  `pg_catalog.jsonb_build_array(n.nspname, c.relname, c.relkind, c.reltoastrelid,
    coalesce(columns.list, '[]'::pg_catalog.jsonb), coalesce(named.list, '[]'::pg_catalog.jsonb),
    coalesce(parents.list, '[]'::pg_catalog.jsonb), coalesce(showing.list, '[]'::pg_catalog.jsonb))`,
)}
  from subjects s
  join pg_catalog.pg_class c on c.oid ${EQUALS} s.oid
  join pg_catalog.pg_namespace n on n.oid ${EQUALS} c.relnamespace
  left join columns on columns.oid ${EQUALS} s.oid
  left join named on named.oid ${EQUALS} s.oid
  left join parents on parents.oid ${EQUALS} s.oid
  left join showing on showing.oid ${EQUALS} s.oid
union all
${row('tree', 'g.oid', 'pg_catalog.jsonb_build_array(g.attnum, g.tree)')} from generated g
union all
${row('tree', 'w.ev_class', 'pg_catalog.jsonb_build_array(0, w.ev_action::pg_catalog.text)')}
  from ruled r join pg_catalog.pg_rewrite w on w.ev_class ${EQUALS} r.oid
  where w.ev_type ${EQUALS} '1'::pg_catalog."char"
union all
${row('function', 'f.oid', 'pg_catalog.jsonb_build_array(f.proname)')}
  from pg_catalog.pg_proc f
  join pg_catalog.pg_namespace n on n.oid ${EQUALS} f.pronamespace
  where n.nspname ${EQUALS} 'information_schema'::pg_catalog.name and not f.oid ${OF_USERS}`;
export const MASK_CATALOG_SQL: string = CATALOG_SQL.replace(FIRST_RULED, () => kindIn('m'));

/** The same with the definitions of all views, which show values with the rights of their owners. */
export const VIEWS_CATALOG_SQL: string = CATALOG_SQL.replace(
  FIRST_RULED,
  () => `${kindIn('vm')} and c.oid ${OF_USERS}`,
);
