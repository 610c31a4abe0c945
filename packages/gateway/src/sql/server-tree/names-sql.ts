/**
 * Behind which names of a text code of users may be, in whatever schema: one statement with two `text[]`, the names
 * and the operators of the text. Rows are (kind, name), none where nothing is found.
 *
 * Everything is qualified, operators too, as in catalog-sql.ts. What is taken to compute only
 * (function-effects.ts) is left out. Beside what the text names, casts are looked at that need no name.
 */

import { FIRST_USER_OID } from './catalog-sql.ts';

const EQUALS = 'operator(pg_catalog.=)';
const DIFFERS = 'operator(pg_catalog.<>)';
const OF_USERS = `operator(pg_catalog.>=) ${FIRST_USER_OID}::pg_catalog.oid`;

function among(value: string, list: string): string {
  return `exists (select from pg_catalog.unnest(${list}) x where x ${EQUALS} ${value}::pg_catalog.text)`;
}

/** A function that may do something, by its oid. */
function acts(oid: string): string {
  return `exists (select from pg_catalog.pg_proc f
    join pg_catalog.pg_language l on l.oid ${EQUALS} f.prolang
    left join pg_catalog.pg_roles r on r.oid ${EQUALS} f.proowner
    where f.oid ${EQUALS} ${oid} and f.oid ${OF_USERS}
      and not (coalesce(r.rolsuper, false) and not f.prosecdef and (
        (l.lanname ${EQUALS} 'sql'::pg_catalog.name and f.provolatile ${DIFFERS} 'v'::pg_catalog."char")
        or ((l.lanname ${EQUALS} 'c'::pg_catalog.name or l.lanname ${EQUALS} 'internal'::pg_catalog.name)
          and f.provolatile ${EQUALS} 'i'::pg_catalog."char"))))`;
}

const PARTS_OF_AGGREGATES = [
  'trans',
  'final',
  'combine',
  'serial',
  'deserial',
  'mtrans',
  'minvtrans',
  'mfinal',
];

/** An aggregate has no language of its own. */
const AGGREGATE_ACTS = `exists (select from pg_catalog.pg_aggregate a where a.aggfnoid::pg_catalog.oid ${EQUALS} p.oid
    and (${PARTS_OF_AGGREGATES.map((part) => acts(`a.agg${part}fn::pg_catalog.oid`)).join(' or ')}))`;

function oneOf(value: string, letters: string): string {
  return `(${letters
    .split('')
    .map((letter) => `${value} ${EQUALS} '${letter}'::pg_catalog."char"`)
    .join(' or ')})`;
}

export const HIDING_NAMES_SQL: string = `with recursive
hiding_types (oid) as (
  select t.oid from pg_catalog.pg_type t
    left join pg_catalog.pg_class c on c.oid ${EQUALS} t.typrelid
    where t.oid ${OF_USERS} and (${oneOf('t.typtype', 'drm')}
      or (t.typtype ${EQUALS} 'c'::pg_catalog."char" and c.relkind ${EQUALS} 'c'::pg_catalog."char"))
  union
  select t.oid from pg_catalog.pg_type t join hiding_types h on t.typelem ${EQUALS} h.oid
),
named (root, name, oid) as (
  select c.oid, c.relname::pg_catalog.text, c.oid from pg_catalog.pg_class c
    where c.oid ${OF_USERS} and ${among('c.relname', '$1')}
  union
  select n.root, n.name, i.inhrelid from named n
    join pg_catalog.pg_inherits i on i.inhparent ${EQUALS} n.oid
)
select 'relation', n.name from named n join pg_catalog.pg_class c on c.oid ${EQUALS} n.oid
  where ${oneOf('c.relkind', 'vf')} or c.relhasrules or c.relrowsecurity
    or exists (select from pg_catalog.pg_policy p where p.polrelid ${EQUALS} c.oid)
    or exists (select from pg_catalog.pg_attribute a
      where a.attrelid ${EQUALS} c.oid and not a.attisdropped and a.atttypid ${OF_USERS} and (
        exists (select from hiding_types h where h.oid ${EQUALS} a.atttypid)
        or exists (select from pg_catalog.pg_type t where t.oid ${EQUALS} a.atttypid
          and ${oneOf('t.typtype', 'c')})
        or exists (select from pg_catalog.pg_type t join pg_catalog.pg_type e on e.oid ${EQUALS} t.typelem
          where t.oid ${EQUALS} a.atttypid and ${oneOf('e.typtype', 'c')})))
    or exists (select from pg_catalog.pg_attrdef d
      join pg_catalog.pg_depend v on v.classid ${EQUALS} 'pg_catalog.pg_attrdef'::pg_catalog.regclass::pg_catalog.oid
        and v.objid ${EQUALS} d.oid
      where d.adrelid ${EQUALS} c.oid and (
        (v.refclassid ${EQUALS} 'pg_catalog.pg_proc'::pg_catalog.regclass::pg_catalog.oid and ${acts('v.refobjid')})
        or (v.refclassid ${EQUALS} 'pg_catalog.pg_operator'::pg_catalog.regclass::pg_catalog.oid
          and exists (select from pg_catalog.pg_operator o
            where o.oid ${EQUALS} v.refobjid and ${acts('o.oprcode::pg_catalog.oid')}))))
union all
select 'type', t.typname::pg_catalog.text from pg_catalog.pg_type t
  where ${among('t.typname', '$1')} and exists (select from hiding_types h where h.oid ${EQUALS} t.oid)
union all
select 'function', p.proname::pg_catalog.text from pg_catalog.pg_proc p
  where p.oid ${OF_USERS} and ${among('p.proname', '$1')} and case
    when ${oneOf('p.prokind', 'a')} then ${AGGREGATE_ACTS} else ${acts('p.oid')} end
union all
select 'operator', o.oprname::pg_catalog.text from pg_catalog.pg_operator o
  where o.oid ${OF_USERS} and ${among('o.oprname', '$2')} and ${acts('o.oprcode::pg_catalog.oid')}
union all
select 'cast', pg_catalog.format_type(c.casttarget, null) from pg_catalog.pg_cast c
  where c.castfunc ${DIFFERS} 0::pg_catalog.oid and ${acts('c.castfunc')}
    and not exists (select from pg_catalog.pg_type t
      where (t.oid ${EQUALS} c.castsource or t.oid ${EQUALS} c.casttarget) and ${oneOf('t.typtype', 'cdrm')})
limit 16`;
