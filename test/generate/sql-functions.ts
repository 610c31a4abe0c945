/**
 * Which of PostgreSQL's functions do something: pg_proc of a real server → `sql/functions-table.ts`.
 *
 * node --conditions=source test/generate/sql-functions.ts > packages/gateway/src/sql/functions-table.ts
 *
 * A function that anybody may call, and that is not volatile, does nothing. What is volatile, or withheld
 * from PUBLIC, is looked up in {@link RULES}; what no rule knows is `admin`. A name with several functions
 * is as bad as the worst of them.
 */

import { fileURLToPath } from 'node:url';
import { Client } from 'pg';
import { type PostgresServer, startPostgres } from '../../examples/demo/postgres-server.ts';
import type { Effect } from '../../packages/gateway/src/core/effects.ts';

/** Of no effect: volatile because it gives another value each time, or reads what is not a table. */
const HARMLESS_VOLATILE =
  /^(?:array_(?:sample|shuffle)|clock_timestamp|currval|current_query|gen_random_uuid|lastval|random|random_normal|setseed|timeofday|txid_status|uuidv[47]|pg_available_wal_summaries|pg_blocking_pids|pg_collation_actual_version|pg_control_\w+|pg_current_wal\w+|pg_database_(?:collation_actual_version|size)|pg_get_(?:aios|backend_memory_contexts|multixact_members|sequence_data|shmem_\w+|wait_events|wal_\w+)|pg_indexes_size|pg_is_in_recovery|pg_is_wal_replay_paused|pg_jit_available|pg_last_\w+|pg_lock_status|pg_notification_queue_usage|pg_partition_(?:ancestors|tree)|pg_prepared_xact|pg_relation_size|pg_safe_snapshot_blocking_pids|pg_sequence_last_value|pg_show_replication_origin_status|pg_stat_clear_snapshot|pg_stat_get_\w+|pg_stat_have_stats|pg_table_size|pg_tablespace_size|pg_total_relation_size|pg_wal_summary_contents|pg_xact_\w+)$/;

/** In order, the first that matches; for all names, whatever pg_proc says of them. */
const RULES: readonly (readonly [name: RegExp, effect: Effect])[] = [
  [/^(?:nextval|setval)$/, 'sequence'],
  [/^pg_(?:try_)?advisory_/, 'lock'],
  [/^pg_sleep/, 'sleep'],
  [/^pg_notify$/, 'notify'],
  [/^set_config$/, 'setting-risky'],
  [/^lo_(?:import|export)$/, 'host'],
  [
    /^(?:pg_read_|pg_ls_|pg_stat_file$|pg_current_logfile$|pg_hba_file|pg_ident_file|pg_show_all_file)/,
    'host',
  ],
  [/^(?:pg_config|pg_get_loaded_modules)$/, 'host'],
  [/^(?:lo_\w+|loread|lowrite)$/, 'large-object'],
  // They run a text, or read a table that they are told of in one.
  [/^(?:query|cursor|table|schema|database)_to_xml/, 'function-unknown'],
  [/^(?:ts_stat|ts_rewrite|currtid2)$/, 'function-unknown'],
  [/^(?:brin_(?:de)?summarize|gin_clean_pending)/, 'maintain'],
];

interface Row {
  readonly name: string;
  readonly volatile: boolean;
  readonly withheld: boolean;
}

/** Names that SQL can call: what takes or gives `internal` and its like is for the server alone. */
const QUERY = `
  select p.proname as name,
         bool_or(p.provolatile = 'v') as volatile,
         bool_or(p.proacl is not null) as withheld
  from pg_catalog.pg_proc p
  where p.pronamespace = $1::regnamespace
    and not ('internal'::regtype = any (p.proargtypes::oid[]))
    and not (p.prorettype = any ('{internal,trigger,event_trigger,language_handler,fdw_handler,index_am_handler,table_am_handler,tsm_handler}'::regtype[]))
    and p.proname !~ '_(validator|inline_handler)$'
  group by p.proname
  order by p.proname collate "C"`;

export interface FunctionTable {
  readonly version: string;
  readonly harmless: readonly string[];
  readonly effects: readonly (readonly [name: string, effect: Effect])[];
  /** Of `information_schema`, whose views and tools call them. */
  readonly informationSchema: readonly string[];
}

/** What the table has to say about a server. */
export async function functionTable(server: PostgresServer): Promise<FunctionTable> {
  const client = new Client({ ...server, user: server.superuser, database: 'postgres' });
  await client.connect();
  try {
    const { rows } = await client.query<Row>(QUERY, ['pg_catalog']);
    const information = await client.query<Row>(QUERY, ['information_schema']);
    const version = await client.query<{ server_version: string }>('show server_version');
    const effects = rows.flatMap((row) => {
      const effect = effectOf(row);
      return effect === undefined ? [] : [[row.name, effect] as const];
    });
    const known = new Set(effects.map(([name]) => name));
    return {
      version: version.rows[0]?.server_version ?? '',
      harmless: rows.map(({ name }) => name).filter((name) => !known.has(name)),
      effects,
      informationSchema: information.rows
        .filter((row) => effectOf(row) === undefined)
        .map(({ name }) => name),
    };
  } finally {
    await client.end();
  }
}

function effectOf({ name, volatile, withheld }: Row): Effect | undefined {
  const rule = RULES.find(([pattern]) => pattern.test(name));
  if (rule !== undefined) return rule[1];
  if (!volatile && !withheld) return undefined;
  return HARMLESS_VOLATILE.test(name) ? undefined : 'admin';
}

/** The file. */
function tableText(table: FunctionTable): string {
  const effects = table.effects.map(([name, effect]) => `  ['${name}', '${effect}'],\n`).join('');
  return `/**
 * PostgreSQL's own functions: which do nothing but compute or read, and what the others do.
 *
 * Generated from pg_proc of PostgreSQL ${table.version} by test/generate/sql-functions.ts, which has the rules.
 */

import type { Effect } from '../core/effects.ts';

/** Functions of pg_catalog with an effect. */
export const FUNCTION_EFFECTS: ReadonlyMap<string, Effect> = new Map<string, Effect>([
${effects}]);

/** Functions of information_schema, all without effect. */
export const INFORMATION_SCHEMA_FUNCTIONS: ReadonlySet<string> = new Set(
  \`
${wrapped(table.informationSchema)}
\`
    .trim()
    .split(/\\s+/),
);

/** Functions of pg_catalog without effect. */
export const HARMLESS_FUNCTIONS: ReadonlySet<string> = new Set(
  \`
${wrapped(table.harmless)}
\`
    .trim()
    .split(/\\s+/),
);
`;
}

function wrapped(names: readonly string[]): string {
  const lines: string[] = [];
  let line = '';
  for (const name of names) {
    if (line.length + name.length >= 180) {
      lines.push(line);
      line = '';
    }
    line = line === '' ? name : `${line} ${name}`;
  }
  return [...lines, line].join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await using server = await startPostgres({ settings: { fsync: 'off' } });
  process.stdout.write(tableText(await functionTable(server)));
}
