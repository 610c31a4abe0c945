/** A masked value in what is no row: notices, notifications, parameters, plans, statistics, and functions that read. */

import { shows, showsSince, showsStarted, type Try } from './try.ts';

const FIRST = 'from customers where id = 1';
const FOLDED = `create function folded(int) returns text language plpgsql immutable as
  $$ begin return (select email from customers where id = $1); end $$`;

const STATEMENTS: readonly (readonly [title: string, ...texts: string[]])[] = [
  ['a notice of DO', `do $$ begin raise notice '%', (select email ${FIRST}); end $$`],
  [
    'a warning of DO in a loop',
    `do $$ declare r record; begin for r in select * from customers loop raise warning '%', r.phone; end loop; end $$`,
  ],
  ['a notice of a function', `select shout(email) ${FIRST}`],
  ['a notice of a function in a predicate', `select id from customers where shout(email) = 'ok'`],
  ['a notice of a function in ORDER BY', `select id from customers order by shout(email)`],
  ['a notice of an operator', `select id from customers where email ==== 'x'`],
  ['a notice of a cast', `select (email::wrapped) is null ${FIRST}`],
  [
    'a notice of an assignment cast',
    'create temp table w (x wrapped)',
    `insert into w select email ${FIRST}`,
  ],
  [
    'a letter a notice',
    `do $$ declare l text; begin foreach l in array string_to_array((select email ${FIRST}), null) loop raise notice '%', l; end loop; end $$`,
  ],
  ['INFO', `do $$ begin raise info '%', (select email ${FIRST}); end $$`],
  [
    'LOG, where the client wants it',
    'set client_min_messages = log',
    `do $$ begin raise log '%', (select email ${FIRST}); end $$`,
  ],
  ['a notification', 'listen c', `select pg_notify('c', email) ${FIRST}`, 'select 1'],
  [
    'a notification of DO',
    'listen c',
    `do $$ begin execute format('notify c, %L', (select email ${FIRST})); end $$`,
    'select 1',
  ],
  [
    'the channel of a notification',
    `do $$ begin execute format('listen %I', (select email ${FIRST})); end $$`,
    'select pg_listening_channels()',
  ],
  [
    'a setting of one’s own',
    `select set_config('my.word', email, false) ${FIRST}`,
    `select current_setting('my.word')`,
  ],
  ['a setting that is shown', `select set_config('my.word', email, false) ${FIRST}`, 'show my.word'],
  [
    'a setting in pg_settings',
    `select length(set_config('search_path', quote_ident(email), false)) ${FIRST}`,
    `select setting from pg_settings where name = 'search_path'`,
  ],
  ['a parameter that is reported', `select length(set_config('application_name', email, false)) ${FIRST}`],
  [
    'a parameter that DO sets',
    `do $$ begin execute format('set application_name = %L', (select email ${FIRST})); end $$`,
  ],
  [
    'search_path as a store',
    `select length(set_config('search_path', quote_ident(email), false)) ${FIRST}`,
    'show search_path',
  ],
  ['EXPLAIN of a function that is folded', FOLDED, 'explain verbose select folded(1)'],
  ['EXPLAIN with a filter that is folded', FOLDED, 'explain select * from documents where title = folded(1)'],
  ['EXPLAIN ANALYZE that calls', `explain analyze select shout(email) ${FIRST}`],
  ['EXPLAIN in JSON of a folded constant', FOLDED, 'explain (format json, verbose) select folded(1)'],
  [
    'the plan in the log',
    FOLDED,
    'set client_min_messages = log; set debug_print_plan = on',
    'select id from documents where title = folded(1)',
  ],
  [
    'the plan that auto_explain logs',
    `load 'auto_explain'`,
    'set client_min_messages = log; set auto_explain.log_min_duration = 0; set auto_explain.log_verbose = on',
    FOLDED,
    'select id from documents where title = folded(1)',
  ],
  ['pg_stats', `select histogram_bounds from pg_stats where tablename = 'customers' and attname = 'email'`],
  ['pg_stats, all of it', 'select * from pg_stats'],
  ['pg_stats of what repeats', `select most_common_vals from pg_stats where tablename = 'newsletter'`],
  ['pg_statistic', `select stavalues1, stavalues2 from pg_statistic where starelid = 'customers'::regclass`],
  [
    'pg_statistic of an index',
    `analyze customers`,
    `select s.stavalues1 from pg_statistic s join pg_class c on c.oid = s.starelid where c.relname in ('customers', 'newsletter')`,
  ],
  ['pg_stats_ext', 'select most_common_vals from pg_stats_ext'],
  ['pg_statistic_ext_data', 'select m.* from pg_statistic_ext_data, pg_mcv_list_items(stxdmcv) m'],
  [
    'statistics of an expression',
    'create statistics words on (email || $$ $$) from newsletter',
    'analyze newsletter',
    'select most_common_vals from pg_stats_ext_exprs',
  ],
  ['query_to_xml', `select query_to_xml('select email from customers', true, false, '')`],
  [
    'query_to_xml in pieces',
    `select query_to_xml('select ' || 'em' || 'ail from customers', true, false, '')`,
  ],
  [
    'query_to_xml_and_xmlschema',
    `select query_to_xml_and_xmlschema('select email from customers', true, false, '')`,
  ],
  ['table_to_xml', `select table_to_xml('customers', true, false, '')`],
  [
    'table_to_xml by OID',
    `select table_to_xml(oid::regclass, true, false, '') from pg_class where relname = 'customers'`,
  ],
  ['schema_to_xml', `select schema_to_xml('vault', true, false, '')`],
  ['database_to_xml', `select database_to_xml(true, false, '')`],
  [
    'cursor_to_xml',
    'begin',
    'declare c cursor for select email from customers',
    `select cursor_to_xml('c', 10, true, false, '')`,
  ],
  ['ts_stat', `select word from ts_stat('select to_tsvector($$simple$$, notes) from customers')`],
  [
    'ts_rewrite',
    `select ts_rewrite('a'::tsquery, 'select ''a''::tsquery, plainto_tsquery(''simple'', notes) ${FIRST}')`,
  ],
  ['ts_debug', `select d.token from customers c, ts_debug('simple', c.notes) d`],
  ['ts_parse', `select p.token from customers c, ts_parse('default', c.notes) p`],
  ['the file of the table', 'checkpoint', `select pg_read_binary_file(pg_relation_filepath('customers'))`],
  ['a page of the table', 'create extension pageinspect', `select get_raw_page('customers', 0)`],
  [
    'tuples of a page',
    'create extension pageinspect',
    `select t_attrs from heap_page_item_attrs(get_raw_page('customers', 0), 'customers')`,
  ],
  [
    'a file that COPY wrote',
    `copy (select email from customers) to '$DATA/leak.txt'`,
    `select pg_read_file('leak.txt')`,
  ],
  [
    'a program that COPY runs',
    `copy (select email from customers) to program 'cat > $DATA/leak.txt'`,
    `select pg_read_file('leak.txt')`,
  ],
  [
    'a logical slot',
    `select count(*) from pg_create_logical_replication_slot('leak', 'test_decoding')`,
    `update customers set email = 'x' || email where id = 1`,
    `select data from pg_logical_slot_peek_changes('leak', null, null)`,
    `select count(*) from pg_drop_replication_slot('leak')`,
  ],
  [
    'a logical slot, in bytes',
    'create publication everything for all tables',
    `select count(*) from pg_create_logical_replication_slot('leak', 'pgoutput')`,
    `update only customers set email = 'x' || email where id = 1`,
    `select data from pg_logical_slot_get_binary_changes('leak', null, null, 'proto_version', '1', 'publication_names', 'everything')`,
    `select count(*) from pg_drop_replication_slot('leak')`,
  ],
  [
    'a message to a logical slot',
    `select count(*) from pg_create_logical_replication_slot('leak', 'test_decoding')`,
    `select length(pg_logical_emit_message(true, 'x', email)::text) ${FIRST}`,
    `select data from pg_logical_slot_get_changes('leak', null, null)`,
    `select count(*) from pg_drop_replication_slot('leak')`,
  ],
  ['a large object', `select lo_from_bytea(4711, email::bytea) ${FIRST}`, 'select lo_get(4711)'],
  [
    'a large object that is put',
    'select lo_create(4712)',
    `select lo_put(4712, 0, email::bytea) ${FIRST}`,
    'select data from pg_largeobject where loid = 4712',
  ],
  [
    'a large object that is read',
    `select lo_from_bytea(4713, secret) ${FIRST}`,
    'begin',
    'select loread(lo_open(4713, 262144), 100)',
  ],
  ['a sequence', `select setval('job_numbers', account_no) ${FIRST}`, 'select last_value from job_numbers'],
  [
    'a comment',
    `do $$ begin execute format('comment on table documents is %L', (select email ${FIRST})); end $$`,
    `select obj_description('documents'::regclass)`,
  ],
  [
    'a default',
    `do $$ begin execute format('alter table scratch alter note set default %L', (select email ${FIRST})); end $$`,
    'select pg_get_expr(adbin, adrelid) from pg_attrdef',
    `insert into scratch (id) values (50) returning note`,
  ],
  [
    'a name of a table',
    `do $$ begin execute format('create table %I ()', (select email ${FIRST})); end $$`,
    'select relname from pg_class where oid > 16384',
  ],
  [
    'a label of an enum',
    `do $$ begin execute format('create type leaked as enum (%L)', (select email ${FIRST})); end $$`,
    `select enum_range(null::leaked)`,
  ],
  [
    'the text of a function',
    `do $$ begin execute format('create function leaked() returns text language sql as %L', format('select %L', (select email ${FIRST}))); end $$`,
    `select prosrc from pg_proc where proname = 'leaked'`,
  ],
  [
    'the text of a prepared statement',
    `do $$ begin execute format('prepare leaked as select %L', (select email ${FIRST})); end $$`,
    'select statement from pg_prepared_statements',
    'execute leaked',
  ],
  [
    'current_query of what DO runs',
    `do $$ begin execute format('insert into scratch (id, note) select 60, current_query() || %L', (select email ${FIRST})); end $$`,
    'select note from scratch where id = 60',
  ],
];

export const MESSAGES: readonly Try[] = [
  ...STATEMENTS.map(([title, ...texts]) => shows(title, ...texts)),
  shows(
    'what others run',
    { elsewhere: `select id from customers where email in (select email from customers where email = '')` },
    {
      elsewhere:
        'do $$ begin execute format($q$select set_config($a$application_name$a$, %L, false)$q$, (select email from customers where id = 1)); end $$',
    },
    'select application_name, query from pg_stat_activity',
  ),
  shows('a function by its OID', { call: 'customer_email(integer)', values: ['1'] }),
  shows('a function of its definer by its OID', { call: 'customer_lookup(integer)', values: ['1'] }),
  shows('query_to_xml by its OID', {
    call: 'query_to_xml(text,boolean,boolean,text)',
    values: ['select email from customers', 't', 'f', ''],
  }),
  shows('a large object by OIDs', `select lo_from_bytea(4714, secret) ${FIRST}`, {
    call: 'lo_get(oid)',
    values: ['4714'],
  }),
  showsSince(
    16,
    'a trace of what is folded',
    FOLDED,
    'set client_min_messages = debug5; set debug_print_plan = on',
    'explain (generic_plan) select folded(1)',
  ),
  showsStarted(
    'the plan in the log, by a start-up parameter',
    { options: '-c client_min_messages=log -c debug_print_plan=on' },
    FOLDED,
    'select id from documents where title = folded(1)',
  ),
];
