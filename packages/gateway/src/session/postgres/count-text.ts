/**
 * The text with which the server is asked what a transaction has written.
 *
 * Spec: spec/policy.md §5. Looked at are the tables under the names that the rules have, found through
 * indexes, with their partitions and children; where a rule has no name, also every table on which the
 * transaction holds a lock to write. Its cost does not grow with the number of tables in the database.
 * Everything is qualified, operators too, so that search_path has no say in it.
 */

import type { NamePattern } from '../../policy/patterns.ts';
import type { CompiledRule } from '../../policy/rule.ts';

/** PostgreSQL's names of functions, types and operators, so that nobody else's are meant. */
const EQ = 'OPERATOR(pg_catalog.=)';
const NE = 'OPERATOR(pg_catalog.<>)';
const LE = 'OPERATOR(pg_catalog.<=)';
const GE = 'OPERATOR(pg_catalog.>=)';
const LT = 'OPERATOR(pg_catalog.<)';
const GT = 'OPERATOR(pg_catalog.>)';
const PLUS = 'OPERATOR(pg_catalog.+)';

/** The first OID that PostgreSQL gives away itself (FirstNormalObjectId in transam.h). */
const FIRST_USER_OID = 16_384;

/** Written by this transaction or one of its subtransactions: their ids are not below its own. */
const isOurs = (row: string): string =>
  `pg_catalog.age(${row}.xmin) ${LE} pg_catalog.age(pg_catalog.pg_current_xact_id_if_assigned()::pg_catalog.xid)`;

/** Whether the transaction has made the table of `c`, or it is empty; looked up only where its row is ours. */
const IS_NEW = `CASE WHEN ${isOurs('c')} THEN
    pg_catalog.pg_relation_size(c.oid) ${EQ} 0::pg_catalog.int8 OR EXISTS (
      SELECT FROM pg_catalog.pg_attribute a
      WHERE a.attrelid ${EQ} c.oid AND a.attnum ${EQ} '-1'::pg_catalog.int2 AND ${isOurs('a')}
    )
  ELSE false END`;

const WRITTEN_BY_TRIGGERED = `(
  SELECT pg_catalog.string_agg(pg_catalog.concat_ws(':', t.tgrelid,
    pg_catalog.pg_stat_get_xact_tuples_inserted(t.tgrelid), pg_catalog.pg_stat_get_xact_tuples_updated(t.tgrelid),
    pg_catalog.pg_stat_get_xact_tuples_deleted(t.tgrelid)), ' ' ORDER BY t.oid)
  FROM pg_catalog.pg_trigger t
  WHERE t.tgdeferrable AND t.tgfoid ${GE} ${FIRST_USER_OID}::pg_catalog.oid
)`;

/**
 * The system's own tables in which definitions leave a trace: their locks are let go at once. pg_default_acl,
 * pg_type, pg_attribute, pg_proc, pg_class, pg_authid, pg_auth_members, pg_foreign_server, pg_user_mapping,
 * pg_cast, pg_constraint, pg_language, pg_namespace, pg_operator, pg_rewrite, pg_trigger, pg_extension,
 * pg_policy, pg_event_trigger: the same OIDs in every version (src/include/catalog).
 */
const CATALOG = `SELECT pg_catalog.unnest('{826,1247,1249,1255,1259,1260,1261,1417,1418,2605,2606,2612,2615,2617,2618,2620,3079,3256,3466}'::pg_catalog.oid[])`;

/** Relations to write to which this backend has locked. */
const LOCKED = `SELECT l.relation FROM pg_catalog.pg_locks l
    WHERE l.pid ${EQ} pg_catalog.pg_backend_pid() AND l.locktype ${EQ} 'relation'
      AND l.mode ${NE} 'AccessShareLock' AND l.mode ${NE} 'RowShareLock'`;

/** The parameter for {@link countText}: an array of OIDs. */
export const EARLIER = '$1::pg_catalog.oid[]';

/**
 * The text for these rules. Where a rule has no name, {@link EARLIER} stands in it, for the OIDs of tables to
 * which this session has written before: their counters may not be zero.
 */
export function countText(rules: Iterable<CompiledRule>): string {
  const patterns: NamePattern[] = [];
  let isWide = false;
  for (const { writes } of rules) {
    if (writes === undefined || writes.some(({ name }) => name === '*')) isWide = true;
    patterns.push(...(writes ?? []).filter(({ name }) => name !== '*'));
  }
  const wide = `UNION ${LOCKED} UNION ${CATALOG} UNION SELECT pg_catalog.unnest(${EARLIER})`;
  return `WITH RECURSIVE named(root, oid) AS (
  SELECT c.oid, c.oid FROM pg_catalog.pg_class c
  WHERE (${conditionOf(patterns)}) AND c.relkind ${EQ} ANY ('{r,p,m}'::pg_catalog."char"[])
  UNION
  SELECT n.root, i.inhrelid FROM named n JOIN pg_catalog.pg_inherits i ON i.inhparent ${EQ} n.oid
), looked_at(oid) AS (
  SELECT n.oid FROM named n ${isWide ? wide : ''}
), counted AS (
  SELECT c.oid, pg_catalog.pg_stat_get_xact_tuples_inserted(c.oid) AS inserted,
    pg_catalog.pg_stat_get_xact_tuples_updated(c.oid) AS updated,
    pg_catalog.pg_stat_get_xact_tuples_deleted(c.oid) AS deleted
  FROM looked_at o JOIN pg_catalog.pg_class c ON c.oid ${EQ} o.oid
  WHERE c.relkind ${EQ} ANY ('{r,m}'::pg_catalog."char"[])
)
SELECT 'state', pg_catalog.current_setting('track_counts'), pg_catalog.transaction_timestamp()::pg_catalog.text,
  ${WRITTEN_BY_TRIGGERED}, NULL::pg_catalog.text, NULL::pg_catalog.text[]
UNION ALL
SELECT 'named', n.root::pg_catalog.text,
  pg_catalog.string_agg(pg_catalog.concat_ws(':', c.oid, c.relfilenode, (${IS_NEW})::pg_catalog.text), ' '),
  NULL, NULL, ARRAY[s.nspname::pg_catalog.text, r.relname::pg_catalog.text]
FROM named n
JOIN pg_catalog.pg_class c ON c.oid ${EQ} n.oid AND c.relpersistence ${NE} 't'::pg_catalog."char"
JOIN pg_catalog.pg_class r ON r.oid ${EQ} n.root AND r.relpersistence ${NE} 't'::pg_catalog."char"
JOIN pg_catalog.pg_namespace s ON s.oid ${EQ} r.relnamespace
GROUP BY n.root, s.nspname, r.relname
UNION ALL
SELECT 'written', w.oid::pg_catalog.text, w.inserted::pg_catalog.text, w.updated::pg_catalog.text, w.deleted::pg_catalog.text, (
  WITH RECURSIVE up(oid) AS (
    SELECT w.oid
    UNION
    SELECT i.inhparent FROM up JOIN pg_catalog.pg_inherits i ON i.inhrelid ${EQ} up.oid
  )
  SELECT pg_catalog.array_agg(part.name)
  FROM up
  JOIN pg_catalog.pg_class c ON c.oid ${EQ} up.oid
  JOIN pg_catalog.pg_namespace n ON n.oid ${EQ} c.relnamespace
  CROSS JOIN LATERAL (VALUES (1, n.nspname::pg_catalog.text), (2, c.relname::pg_catalog.text)) AS part(place, name)
)
FROM counted w
WHERE (w.inserted ${PLUS} w.updated ${PLUS} w.deleted) ${GT} 0::pg_catalog.int8`;
}

/** Which relations of pg_class `c` the patterns name; each part can use the index on names. */
function conditionOf(patterns: readonly NamePattern[]): string {
  const exact = patterns.filter(({ name }) => !name.endsWith('*')).map(({ name }) => literal(name));
  const prefixes = patterns.filter(({ name }) => name.endsWith('*')).map(({ name }) => name.slice(0, -1));
  const parts = prefixes.map(beginsWith);
  if (exact.length > 0) parts.push(`c.relname ${EQ} ANY (ARRAY[${exact.join(', ')}]::pg_catalog.name[])`);
  return parts.length === 0 ? 'false' : parts.join(' OR ');
}

/** Names are compared byte by byte. */
function beginsWith(prefix: string): string {
  const last = prefix.codePointAt(prefix.length - 1) ?? 0;
  // A letter, a digit or an underscore, behind which there is another character of one byte.
  if (!/^[a-z0-9_$]+$/.test(prefix)) {
    return `pg_catalog.starts_with(c.relname::pg_catalog.text, ${literal(prefix)})`;
  }
  const next = `${prefix.slice(0, -1)}${String.fromCodePoint(last + 1)}`;
  return `(c.relname ${GE} '${prefix}'::pg_catalog.name AND c.relname ${LT} '${next}'::pg_catalog.name)`;
}

/** However the server reads literals, it reads this. */
function literal(name: string): string {
  if (/^[a-z0-9_$]+$/.test(name)) return `'${name}'`;
  return `pg_catalog.convert_from(pg_catalog.decode('${Buffer.from(name).toString('hex')}', 'hex'), 'UTF8')`;
}
