/**
 * What is asked of a catalog about the types of results, in one statement: what they are made of, down to the
 * types that every database has. As in mask-catalog-sql.ts, everything is qualified, and rows are ASCII.
 */

import { MASK_CATALOG_LIMITS } from '../../core/masking-limits.ts';
import { FIRST_USER_OID } from '../server-tree/catalog-sql.ts';

const EQUALS = 'operator(pg_catalog.=)';
const OF_USERS = `operator(pg_catalog.>=) ${FIRST_USER_OID}::pg_catalog.oid`;
const IS_FIELD = 'a.attnum operator(pg_catalog.>) 0::pg_catalog.int2 and not a.attisdropped';
const IS_BASE = `t.typtype ${EQUALS} 'b'::pg_catalog."char"`;

/** The element of a true array; other types with elements (point, oidvector) are written in ways of their own. */
const ELEMENT = `(select e.oid from pg_catalog.pg_type e
      where e.oid ${EQUALS} t.typelem and e.typarray ${EQUALS} t.oid)`;

/**
 * A type of an extension that is written and read by PostgreSQL's own functions is on the wire what theirs is, as
 * citext is text. Its own functions in C may write anything.
 */
function sameFunction(field: string): string {
  return `exists (select from pg_catalog.pg_proc u
      join pg_catalog.pg_language l on l.oid ${EQUALS} u.prolang and l.lanname ${EQUALS} 'internal'::pg_catalog.name
      join pg_catalog.pg_proc o on o.prosrc ${EQUALS} u.prosrc
      where u.oid ${EQUALS} t.${field}::pg_catalog.oid and o.oid ${EQUALS} b.${field}::pg_catalog.oid)`;
}

const WRITTEN_AS = `case when not t.oid ${OF_USERS} then t.typname::pg_catalog.text
    when ${IS_BASE} then (select b.typname::pg_catalog.text from pg_catalog.pg_type b
      where not b.oid ${OF_USERS} and b.typtype ${EQUALS} 'b'::pg_catalog."char" and b.typlen ${EQUALS} t.typlen
        and ${['typinput', 'typoutput', 'typreceive', 'typsend'].map(sameFunction).join(' and ')}
      order by b.oid limit 1) end`;

/** Parameter: $1 `oid[]`. */
export const TYPES_SQL: string = `with recursive
wanted (oid) as (
  select o from pg_catalog.unnest($1::pg_catalog.oid[]) o
  union
  select x.part from wanted w
    join pg_catalog.pg_type t on t.oid ${EQUALS} w.oid
    cross join lateral (
      select t.typbasetype
      union all
      select ${ELEMENT}
      union all
      select r.rngsubtype from pg_catalog.pg_range r
        where r.rngtypid ${EQUALS} t.oid or r.rngmultitypid ${EQUALS} t.oid
      union all
      select a.atttypid from pg_catalog.pg_attribute a where a.attrelid ${EQUALS} t.typrelid and ${IS_FIELD}
    ) x (part)
    where x.part operator(pg_catalog.<>) 0::pg_catalog.oid
),
bounded (oid) as materialized (select w.oid from wanted w limit ${MASK_CATALOG_LIMITS.typesMax + 1})
select 'type'::pg_catalog.text, t.oid::pg_catalog.text, pg_catalog.encode(pg_catalog.convert_to(
  pg_catalog.jsonb_build_array(
    t.typtype, ${WRITTEN_AS}, coalesce(${ELEMENT}, 0::pg_catalog.oid),
    (select e.typdelim from pg_catalog.pg_type e where e.oid ${EQUALS} t.typelem),
    t.typbasetype, t.typtypmod,
    coalesce((select r.rngsubtype from pg_catalog.pg_range r
      where r.rngtypid ${EQUALS} t.oid or r.rngmultitypid ${EQUALS} t.oid limit 1), 0::pg_catalog.oid),
    coalesce((select pg_catalog.jsonb_agg(l.enumlabel order by l.enumsortorder) from pg_catalog.pg_enum l
      where l.enumtypid ${EQUALS} t.oid), '[]'::pg_catalog.jsonb),
    coalesce((select pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array(a.atttypid, a.atttypmod) order by a.attnum)
      from pg_catalog.pg_attribute a where a.attrelid ${EQUALS} t.typrelid and ${IS_FIELD}), '[]'::pg_catalog.jsonb)
  )::pg_catalog.text, 'UTF8'), 'base64')
from bounded w join pg_catalog.pg_type t on t.oid ${EQUALS} w.oid`;
