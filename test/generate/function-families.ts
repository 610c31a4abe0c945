/**
 * PostgreSQL's own functions by families, each with what masks take it for and why.
 *
 * A function that PostgreSQL calls immutable gives what its arguments give, and is pure unless a family here says
 * otherwise. One that is stable or volatile is what the first family says that has its name; one that no family
 * has is opaque, and a test says so. Of two versions of a name in different releases the same is true.
 *
 * What a family may show: a value that is in no table, such as the time; the server's own state in numbers; names
 * and definitions of objects. What it may not: rows, statistics of values, texts of statements, settings, files.
 */

import type { FunctionKind } from '../../packages/gateway/src/sql/labels/function-knowledge.ts';

export interface FunctionFamily {
  readonly kind: FunctionKind;
  readonly names: RegExp;
  readonly reason: string;
  /** Immutable ones too: of them it is an exception. */
  readonly ofImmutable?: true;
}

/** In order: the first that has a name is the one. */
export const FUNCTION_FAMILIES: readonly FunctionFamily[] = [
  // What runs a text, or reads a relation, a file or a log that it is told of.
  {
    kind: 'reader',
    names: /^(?:query|cursor|table|schema|database)_to_xml(?:schema|_and_xmlschema)?$/,
    reason: 'they run a text, or read the tables that they are told of',
  },
  { kind: 'reader', names: /^ts_stat$/, reason: 'runs a text and shows the words of what it gives' },
  {
    kind: 'reader',
    names: /^(?:lo_get|loread)$/,
    reason: 'show large objects, in which anything may have been put',
  },
  {
    kind: 'reader',
    names: /^(?:pg_read_(?:binary_)?file(?:_old)?|pg_stat_file|pg_ls_\w+|pg_current_logfile)$/,
    reason: 'show files of the server, which has its tables and logs in files',
  },
  {
    kind: 'reader',
    names: /^pg_(?:hba_file_rules|ident_file_mappings|show_all_file_settings|config|get_loaded_modules)$/,
    reason: 'show what is in files of the server’s configuration',
  },
  {
    kind: 'reader',
    names: /^pg_logical_slot_(?:get|peek)_(?:binary_)?changes$/,
    reason: 'show rows as they were written',
  },
  { kind: 'reader', names: /^currtid2$/, reason: 'reads a table by its name' },
  {
    kind: 'reader',
    names: /^pg_(?:get_sequence_data|sequence_last_value)$/,
    reason: 'read a relation by its oid',
  },
  // What shows values that somebody may have put there.
  {
    kind: 'pure',
    names: /^(?:current_setting|pg_show_all_settings)$/,
    reason: 'a setting holds what set_config put into it, which is a sink and given nothing that is masked',
  },
  {
    kind: 'reader',
    names: /^pg_stat_get_(?:activity|backend_activity)$/,
    reason: 'texts of statements of other sessions, with the literals in them',
  },
  {
    kind: 'reader',
    names: /^pg_(?:cursor|prepared_statement|prepared_xact|listening_channels|lock_status)$/,
    reason: 'texts of statements, and names and numbers that sessions have chosen',
  },
  {
    kind: 'reader',
    names: /^pg_get_(?:backend_memory_contexts|aios)$/,
    reason: 'have texts of statements, names of statements and of files in them',
  },
  {
    kind: 'reader',
    names:
      /^pg_(?:get_replication_slots|show_replication_origin_status|stat_get_(?:replication_slot|wal_senders|wal_receiver|subscription(?:_stats)?))$/,
    reason: 'names and connection strings of replication, which somebody has chosen',
  },
  {
    kind: 'opaque',
    names: /^(?:lo_(?:lseek|tell)(?:64)?|pg_backup_stop|pg_replication_origin_(?:session_)?progress)$/,
    reason: 'give back what another call has kept: a position, a label',
  },
  // What keeps its arguments, or shows them elsewhere; what these give is made of what they are given.
  { kind: 'sink', names: /^set_config$/, reason: 'current_setting and SHOW give it back' },
  { kind: 'sink', names: /^setseed$/, reason: 'random() gives it back' },
  {
    kind: 'sink',
    names: /^(?:setval|nextval)$/,
    reason:
      'the sequence gives the number back; of nextval, which sequence has counted tells what it was given',
  },
  { kind: 'sink', names: /^pg_notify$/, reason: 'whoever listens hears it' },
  { kind: 'sink', names: /^lo_\w+$|^lowrite$/, reason: 'large objects, files, and numbers that stay' },
  {
    kind: 'sink',
    names: /^pg_(?:try_)?advisory_\w+$/,
    reason: 'pg_locks shows the number, and whoever waits for it knows it',
  },
  { kind: 'sink', names: /^pg_sleep/, reason: 'how long it takes tells what it was given' },
  {
    kind: 'sink',
    names: /^pg_(?:cancel|terminate)_backend$/,
    reason: 'which session ends tells what it was given',
  },
  {
    kind: 'sink',
    names:
      /^pg_(?:logical_emit_message|create_restore_point|backup_\w+|switch_wal|log_standby_snapshot|log_backend_memory_contexts|wal_replay_\w+)$/,
    reason: 'goes into the write-ahead log or the server’s log',
  },
  {
    kind: 'sink',
    names:
      /^pg_(?:create|copy|drop)_(?:logical|physical|replication)\w*slot$|^pg_(?:replication_slot_advance|sync_replication_slots|replication_origin_\w+)$/,
    reason: 'slots and origins have names, and stay',
  },
  {
    kind: 'sink',
    names:
      /^pg_(?:clear|restore)_(?:attribute|relation)_stats$|^pg_stat_(?:reset\w*|force_next_flush|clear_snapshot)$/,
    reason: 'what it writes into statistics is shown by views',
  },
  {
    kind: 'sink',
    names:
      /^(?:binary_upgrade_\w+|pg_(?:nextoid|extension_config_dump|import_system_collations|stop_making_pinned_objects))$/,
    reason: 'write into the catalog',
  },
  {
    kind: 'sink',
    names:
      /^(?:pg_(?:promote|reload_conf|rotate_logfile(?:_old)?)|brin_(?:de)?summarize_\w+|gin_clean_pending_list)$/,
    reason: 'act on the server or on an index, for anybody to see',
  },
  // What nobody needs to be sure of.
  {
    kind: 'opaque',
    names: /^ts_rewrite$/,
    reason: 'the one that is volatile runs a text; the other is immutable, and computes',
  },
  {
    kind: 'opaque',
    names: /^(?:satisfies_hash_partition|postgresql_fdw_validator)$/,
    ofImmutable: true,
    reason: 'the first calls functions of a table’s partition key, the second is for the server',
  },
  {
    kind: 'opaque',
    names: /^(?:array|record|range|multirange|domain)_(?:in|recv)$/,
    reason: 'they call the input functions and checks of a type that is told by its oid',
  },
  {
    kind: 'opaque',
    names: /^pg_input_(?:is_valid|error_info)$/,
    reason: 'they call the input function and checks of a type that is told by its name',
  },
  {
    kind: 'opaque',
    names:
      /^(?:fmgr_\w+_validator|amvalidate|plpgsql_\w+|dsnowball_\w+|pg_event_trigger_\w+|pg_isolation_test_\w+)$/,
    reason: 'for the server’s own use',
  },
  // What shows nothing that is in a table.
  {
    kind: 'pure',
    names:
      /^(?:now|transaction_timestamp|statement_timestamp|clock_timestamp|timeofday|random|random_normal|gen_random_uuid|uuidv[47]|array_(?:sample|shuffle))$/,
    reason: 'the time, and what is drawn by lot',
  },
  {
    kind: 'pure',
    names:
      /^(?:age|date|date_\w+|extract|make_timestamptz|overlaps|in_range|generate_series|time|timetz|timestamp|timestamptz|timezone|(?:date|time|timetz|timestamp|timestamptz|interval)_\w+|timestamptz?_\w+)$/,
    reason: 'dates and times, which depend on the time zone and on DateStyle',
  },
  {
    kind: 'pure',
    names:
      /^(?:to_(?:char|date|number|timestamp)|money|cash_\w+|numeric|convert|convert_from|convert_to|length|format|concat|concat_ws|quote_\w+|anytextcat|textanycat)$/,
    reason: 'texts of values, which depend on settings, encodings and the types of arguments',
  },
  {
    kind: 'pure',
    names: /^(?:array_to_\w+|row_to_json|to_jsonb?|jsonb?_(?:agg|object_agg|build|populate|to|path)\w*)$/,
    reason: 'JSON of what they are given, by the types of arguments',
  },
  {
    kind: 'pure',
    names:
      /^(?:to_ts\w+|\w+to_tsquery|ts_(?:debug|headline|lexize|match_\w+|parse|token_type)|get_current_ts_config)$/,
    reason: 'text search, by configurations and dictionaries, which are made from files by administrators',
  },
  { kind: 'pure', names: /^enum_(?:first|last|range)$/, reason: 'labels of a type' },
  {
    kind: 'pure',
    names: /^(?:xml|xml_is_well_formed|xpath\w*)$/,
    reason: 'XML; PostgreSQL loads nothing from outside for it',
  },
  { kind: 'pure', names: /^to_reg\w+$|^regclass$/, reason: 'names of objects to their oids' },
  {
    kind: 'pure',
    names: /^(?:has_\w+_privilege|pg_has_role|row_security_active|aclexplode|pg_get_acl|pg_\w+_is_visible)$/,
    reason: 'who may do what, and whose names need a schema',
  },
  {
    kind: 'pure',
    names:
      /^(?:pg_get_(?:constraintdef|expr|function_\w+|functiondef|indexdef|partkeydef|partition_constraintdef|ruledef|serial_sequence|statisticsobjdef\w*|triggerdef|userbyid|viewdef|keywords|catalog_foreign_keys|object_address|publication_tables|replica_identity_index)|pg_(?:describe|identify)_object\w*|(?:col|obj|shobj)_description|format_type|oidvectortypes|pg_basetype|pg_options_to_table|pg_sequence_parameters|pg_index\w*_has_property|pg_relation_is_\w+|pg_column_is_updatable|pg_partition_\w+)$/,
    reason: 'definitions of objects, as those who made them wrote them',
  },
  {
    kind: 'pure',
    names: /^_pg_\w+$/,
    reason: 'what the views of information_schema are made of',
  },
  {
    kind: 'pure',
    names:
      /^pg_(?:typeof|collation_for|column_(?:size|compression|toast_chunk_id)|char_to_encoding|encoding_to_char|client_encoding|mcv_list_items)$|^getdatabaseencoding$/,
    reason: 'what their arguments are, and how they are stored',
  },
  {
    kind: 'pure',
    names:
      /^(?:current_(?:database|query|schemas?|user)|session_user|system_user|getpgusername|version|inet_(?:client|server)_(?:addr|port)|pg_(?:backend_pid|my_temp_schema|is_other_temp_schema|trigger_depth|conf_load_time|postmaster_start_time|jit_available|numa_available|settings_get_flags))$/,
    reason: 'who asks what of which server',
  },
  {
    kind: 'pure',
    names:
      /^pg_(?:available_extension\w*|extension_update_paths|timezone_\w+|collation_actual_version|database_collation_actual_version)$/,
    reason: 'what is installed',
  },
  {
    kind: 'pure',
    names:
      /^(?:pg_(?:database|relation|table|indexes|tablespace|total_relation)_size|pg_(?:relation_filenode|relation_filepath|filenode_relation|tablespace_databases|tablespace_location))$/,
    reason: 'how much room objects take, and where',
  },
  {
    kind: 'pure',
    names:
      /^(?:mxid_age|txid_\w+|pg_(?:current_(?:xact_id\w*|snapshot)|xact_\w+|last_committed_xact|export_snapshot|get_multixact_members))$/,
    reason: 'numbers and states of transactions',
  },
  {
    kind: 'pure',
    names:
      /^pg_(?:control_\w+|current_wal_\w+|last_wal_\w+|last_xact_replay_timestamp|is_in_recovery|is_wal_replay_paused|get_wal_\w+|available_wal_summaries|wal_summary_contents|split_walfile_name)$/,
    reason: 'positions in the write-ahead log, and the state of the server',
  },
  {
    kind: 'pure',
    names:
      /^pg_(?:blocking_pids|safe_snapshot_blocking_pids|notification_queue_usage|get_(?:shmem_\w+|wait_events)|stat_have_stats|stat_get_\w+)$/,
    reason: 'the server’s own counters: how often and how long, never what',
  },
  {
    kind: 'pure',
    names: /^(?:currval|lastval)$/,
    reason: 'numbers of a sequence, into which only setval puts others',
  },
  {
    kind: 'pure',
    names:
      /^(?:aclitem|any(?:compatible)?(?:array|multirange|range)_|anyenum_|array_|bpchar|brin_(?:bloom|minmax_multi)_summary_|cstring_|enum_|(?:multi)?range_|name|pg_(?:dependencies|mcv_list|ndistinct|node_tree)_|record_|reg[a-z]+|text|varchar|xml_)(?:in|out|send)$/,
    reason: 'how a value of a type is written and read',
  },
];
