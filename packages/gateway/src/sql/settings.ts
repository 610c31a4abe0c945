/**
 * Settings that a session may change without changing what its statements mean or what they may do.
 *
 * Everything else is `setting-risky`: client_encoding and standard_conforming_strings change the tokens that
 * follow (see pre-scan.ts), search_path and transform_null_equals what names and operators mean, role and
 * session_replication_role whose rights and which triggers count, and a setting with a dot in its name is
 * what an application's row security may look at. Some of these are harmless at one value.
 */

import type { Effect } from '../core/effects.ts';
import type { Findings, Span } from './findings.ts';

/** At any value: how values look, how long to wait, how to plan, and how much memory to take. */
const HARMLESS: ReadonlySet<string> = new Set(
  `application_name backend_flush_after bytea_output check_function_bodies client_connection_check_interval
   client_min_messages commit_delay commit_siblings constraint_exclusion cpu_index_tuple_cost cpu_operator_cost
   cpu_tuple_cost cursor_tuple_fraction datestyle deadlock_timeout default_statistics_target
   default_text_search_config default_toast_compression default_transaction_deferrable
   default_transaction_isolation effective_cache_size effective_io_concurrency enable_async_append
   enable_bitmapscan enable_distinct_reordering enable_gathermerge enable_group_by_reordering enable_hashagg
   enable_hashjoin enable_incremental_sort enable_indexonlyscan enable_indexscan enable_material
   enable_memoize enable_mergejoin enable_nestloop enable_parallel_append enable_parallel_hash
   enable_partition_pruning enable_partitionwise_aggregate enable_partitionwise_join
   enable_presorted_aggregate enable_self_join_elimination enable_seqscan enable_sort enable_tidscan
   escape_string_warning exit_on_error extra_float_digits force_parallel_mode debug_parallel_query
   from_collapse_limit geqo geqo_effort geqo_generations geqo_pool_size geqo_seed geqo_selection_bias
   geqo_threshold gin_pending_list_limit hash_mem_multiplier
   idle_in_transaction_session_timeout idle_session_timeout intervalstyle jit jit_above_cost
   jit_inline_above_cost jit_optimize_above_cost join_collapse_limit lc_monetary lc_numeric lc_time
   lock_timeout logical_decoding_work_mem maintenance_io_concurrency maintenance_work_mem
   max_parallel_maintenance_workers max_parallel_workers max_parallel_workers_per_gather
   min_parallel_index_scan_size min_parallel_table_scan_size parallel_leader_participation
   parallel_setup_cost parallel_tuple_cost plan_cache_mode quote_all_identifiers random_page_cost
   recursive_worktable_factor row_security seq_page_cost statement_timeout stats_fetch_consistency
   synchronize_seqscans tcp_keepalives_count tcp_keepalives_idle tcp_keepalives_interval tcp_user_timeout
   temp_buffers timezone trace_sort transaction_deferrable transaction_isolation transaction_timeout
   vacuum_cost_delay vacuum_cost_limit work_mem xmlbinary seed`.split(/\s+/),
);

/** At these values: PostgreSQL's own defaults, and what is stricter. */
const HARMLESS_VALUES: ReadonlyMap<string, RegExp> = new Map([
  ['array_nulls', /^(?:on|true|yes|1)$/],
  ['backslash_quote', /^(?:safe_encoding|off|false|no|0)$/],
  ['client_encoding', /^(?:utf-?8|unicode)$/],
  ['default_table_access_method', /^heap$/],
  ['default_tablespace', /^$/],
  ['default_transaction_read_only', /^(?:on|true|yes|1)$/],
  ['default_with_oids', /^(?:off|false|no|0)$/],
  ['lo_compat_privileges', /^(?:off|false|no|0)$/],
  ['restrict_nonsystem_relation_kind', /^(?:view, ?foreign-table|foreign-table, ?view)$/],
  ['search_path', /^(?:|pg_catalog|public|"?\$user"?, ?public|pg_catalog, ?public)$/],
  ['standard_conforming_strings', /^(?:on|true|yes|1)$/],
  ['synchronous_commit', /^(?:on|local|remote_write|remote_apply|true|yes|1)$/],
  ['transaction_read_only', /^(?:on|true|yes|1)$/],
  ['transform_null_equals', /^(?:off|false|no|0)$/],
  ['xmloption', /^content$/],
]);

/** Whose rights count is a thing of its own. */
const ROLES: ReadonlySet<string> = new Set(['role', 'session_authorization']);

/** What setting it does; the name in lower case, undefined for the default. */
function settingEffect(name: string, value: string | undefined): Effect {
  if (ROLES.has(name)) return 'role';
  if (HARMLESS.has(name)) return 'setting';
  if (value === undefined) return 'setting-risky';
  return HARMLESS_VALUES.get(name)?.test(value.trim().toLowerCase()) === true ? 'setting' : 'setting-risky';
}

/** A setting that is set to a constant. */
export function foundSetting(name: string, value: string | undefined, findings: Findings, span?: Span): void {
  findings.setting(name, value);
  findings.effect(settingEffect(name, value), span, name);
}
