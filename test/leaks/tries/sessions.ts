/** Ways round whoever watches a session: prepared statements, cursors, portals, settings, encodings, other sessions. */

import { bind, close, describe, execute, FLUSH, parse, query, SYNC } from '../../differential/frames.ts';
import { extended, shows, showsSince, showsStarted, type Try } from './try.ts';

const EMAILS = 'select email from customers';
const INNOCENT = 'create view innocent as select id, title as word from documents';
const SWAPPED = 'create or replace view innocent as select id, email as word from customers';
/** What ends the sending of trees, one way or another. */
const DISARMING: readonly (readonly [title: string, text: string])[] = [
  ['DISCARD ALL', 'discard all'],
  ['RESET ALL', 'reset all'],
  ['RESET of the setting', 'reset debug_print_rewritten'],
  ['SET', 'set debug_print_rewritten = off'],
  ['SET of what clients hear', 'set client_min_messages = error'],
  ['SET SESSION of what clients hear', 'set session client_min_messages to error'],
  ['set_config', "select set_config('debug_print_rewritten', 'off', false)"],
  ['set_config of a name that is made', "select set_config('debug_print_' || 'rewritten', 'off', false)"],
  [
    'set_config of all',
    "select set_config(name, 'off', false) from pg_settings where name like 'debug_print_r%'",
  ],
  ['an UPDATE of pg_settings', "update pg_settings set setting = 'error' where name = 'client_min_messages'"],
  ['DO', "do $$ begin execute 'set debug_print_rewritten = off'; end $$"],
  [
    'DO that sets what clients hear',
    "do $$ begin perform set_config('client_min_messages', 'error', false); end $$",
  ],
  ['debug_pretty_print', 'set debug_pretty_print = on'],
  ['ALTER ROLE', 'alter role postgres set debug_print_rewritten = off'],
  ['SET SESSION AUTHORIZATION', 'set session authorization app'],
  ['SET ROLE', 'set role app'],
];
/** Other spellings of what comes. */
const SETTINGS: readonly (readonly [setting: string, text: string])[] = [
  ["client_encoding = 'SJIS'", EMAILS],
  ["client_encoding = 'GBK'", EMAILS],
  ["client_encoding = 'BIG5'", EMAILS],
  ["client_encoding = 'EUC_JP'", EMAILS],
  ["client_encoding = 'LATIN1'", EMAILS],
  ["client_encoding = 'WIN1252'", EMAILS],
  ["client_encoding = 'SQL_ASCII'", EMAILS],
  ["bytea_output = 'escape'", 'select secret from customers'],
  ["bytea_output = 'escape'", 'select email::bytea from customers'],
  ['standard_conforming_strings = off', "select 'a\\'' , email from customers --'"],
  ["xmlbinary = 'hex'", 'select xmlelement(name a, secret) from customers'],
  ["DateStyle = 'German'", 'select email, birth_date from customers'],
  ['extra_float_digits = 3', 'select account_no::float8 from customers'],
  ['transform_null_equals = on', EMAILS],
  ['row_security = off', EMAILS],
  ['enable_seqscan = off', 'select email from customers order by id'],
  ['plan_cache_mode = force_generic_plan', EMAILS],
  ['log_statement_stats = on', EMAILS],
  ["default_transaction_isolation = 'serializable'", EMAILS],
];

export const SESSIONS: readonly Try[] = [
  ...DISARMING.map(([title, text]) => shows(`behind ${title}`, text, EMAILS)),
  ...DISARMING.slice(1, 12).map(([title, text]) =>
    shows(`behind ${title}, in one text`, `${text}; ${EMAILS}`),
  ),
  ...SETTINGS.map(([setting, text]) => shows(`with ${setting}: ${text}`, `set ${setting}`, text)),
  shows(
    'with SET LOCAL, in a transaction',
    'begin',
    'set local debug_print_rewritten = off',
    EMAILS,
    'commit',
    EMAILS,
  ),
  shows('with SET LOCAL, in one text', `begin; set local client_min_messages = error; ${EMAILS}; commit`),
  shows('behind a ROLLBACK of a setting', 'begin', 'set client_min_messages = notice', 'rollback', EMAILS),
  shows(
    'behind a ROLLBACK TO',
    'begin',
    'savepoint s',
    'set client_min_messages = error',
    'rollback to s',
    EMAILS,
  ),
  shows('behind an error', 'begin', 'select 1 / 0', 'rollback', EMAILS),
  shows('behind an error, in one text', `select 1; ${EMAILS}; select 1 / 0`),
  shows('a pipeline that disarms', {
    send: [
      parse('', "select set_config('debug_print_rewritten', 'off', false)"),
      bind('', ''),
      execute(),
      parse('', EMAILS),
      bind('', ''),
      execute(),
      SYNC,
    ],
  }),
  shows(
    'a pipeline that disarms, and executes what was prepared',
    { send: [parse('s', EMAILS), SYNC] },
    { send: [parse('', 'discard plans'), bind('', ''), execute(), bind('', 's'), execute(), SYNC] },
  ),
  shows(
    'a function that sets while it runs',
    "create function quiet() returns int language sql set client_min_messages = error as 'select 1'",
    `select quiet(), email from customers`,
  ),
  shows(
    'a tree that is made up',
    "do $$ begin raise log using message = 'rewritten parse tree:', detail = '({QUERY :commandType 1 :targetList ()})'; end $$",
    EMAILS,
  ),
  shows(
    'a tree that is made up, in one text',
    `do $$ begin raise log using message = 'rewritten parse tree:', detail = '({QUERY :commandType 1})'; end $$; ${EMAILS}`,
  ),
  shows(
    'a tree of another statement',
    'set debug_print_rewritten = on',
    `select title from documents; ${EMAILS}`,
  ),
  shows(
    'many statements',
    Array.from({ length: 40 }, (_, at) => (at === 30 ? EMAILS : `select ${at}`)).join(';'),
  ),
  shows('PREPARE and EXECUTE', `prepare p as ${EMAILS}`, 'execute p'),
  shows('PREPARE and EXECUTE in one text', `prepare p as ${EMAILS}; execute p`),
  shows(
    'EXECUTE with a parameter',
    'prepare p (int) as select email from customers where id = $1',
    'execute p (1)',
  ),
  shows('EXECUTE behind DISCARD PLANS', `prepare p as ${EMAILS}`, 'execute p', 'discard plans', 'execute p'),
  shows('EXECUTE of what a Parse prepared', { send: [parse('s', EMAILS), SYNC] }, 'execute s'),
  shows('a Bind of what PREPARE prepared', `prepare p as ${EMAILS}`, {
    send: [bind('', 'p'), describe('P'), execute(), SYNC],
  }),
  shows(
    'a Bind without Describe',
    { send: [parse('s', EMAILS), SYNC] },
    { send: [bind('', 's'), execute(), SYNC] },
  ),
  shows('a Bind that is repeated', {
    send: [
      parse('s', EMAILS),
      bind('', 's'),
      execute(),
      bind('', 's'),
      execute(),
      bind('', 's', { results: [1] }),
      execute(),
      SYNC,
    ],
  }),
  shows(
    'EXPLAIN ANALYZE EXECUTE',
    'create function heard(text) returns text language plpgsql as $$ begin raise notice $q$%$q$, $1; return $1; end $$',
    'prepare p as select heard(email) from customers',
    'explain analyze execute p',
  ),
  shows(
    'a prepared statement whose view changes',
    INNOCENT,
    { send: [parse('s', 'select word from innocent'), bind('', 's'), execute(), SYNC] },
    SWAPPED,
    { send: [bind('', 's'), execute(), SYNC] },
  ),
  shows(
    'a prepared statement whose view another session changes',
    { elsewhere: INNOCENT },
    { send: [parse('s', 'select word from innocent'), bind('', 's'), execute(), SYNC] },
    { elsewhere: SWAPPED },
    { send: [bind('', 's'), execute(), SYNC] },
  ),
  shows(
    'EXECUTE of a statement whose view another session changes',
    { elsewhere: INNOCENT },
    'prepare p as select word from innocent',
    'execute p',
    { elsewhere: SWAPPED },
    'execute p',
  ),
  shows(
    'a simple Query whose view another session changes',
    { elsewhere: INNOCENT },
    'select word from innocent',
    { elsewhere: SWAPPED },
    'select word from innocent',
  ),
  shows('a view that changes in the pipeline', INNOCENT, {
    send: [
      parse('s', 'select word from innocent'),
      parse('', SWAPPED),
      bind('', ''),
      execute(),
      bind('', 's'),
      execute(),
      SYNC,
    ],
  }),
  shows('a view that changes in one text', INNOCENT, `${SWAPPED}; select word from innocent`),
  shows(
    'a prepared statement whose table is renamed under it',
    { send: [parse('s', 'select title from documents'), bind('', 's'), execute(), SYNC] },
    {
      elsewhere:
        'alter table documents rename to papers; create view documents as select email as title from customers',
    },
    { send: [bind('', 's'), execute(), SYNC] },
  ),
  shows(
    'a prepared statement whose search_path changes',
    'create schema s; create view s.documents as select email as title from customers',
    { send: [parse('s', 'select title from documents'), bind('', 's'), execute(), SYNC] },
    'set search_path = s, public',
    { send: [bind('', 's'), execute(), SYNC] },
  ),
  shows(
    'a table in pg_temp that comes under a prepared statement',
    { send: [parse('s', 'select title from documents'), bind('', 's'), execute(), SYNC] },
    'create temp view documents as select email as title from customers',
    { send: [bind('', 's'), execute(), SYNC] },
  ),
  shows(
    'a function that another session replaces',
    { elsewhere: "create function changing() returns text language sql as 'select 1::text'" },
    'select changing()',
    {
      elsewhere:
        "create or replace function changing() returns text language sql as 'select email from customers where id = 1'",
    },
    'select changing()',
  ),
  shows(
    'a child that another session makes',
    'select 1',
    {
      elsewhere:
        'create table late () inherits (customers); insert into late (id, name, email) select id, name, email from only customers where id < 3',
    },
    'select email from only late',
  ),
  shows(
    'a partition that another session makes',
    'select 1',
    {
      elsewhere:
        "create table audit_2030 partition of audit for values from ('2030-01-01') to ('2031-01-01'); insert into audit select 1, '2030-02-02', 'x', email from customers",
    },
    'select payload from audit_2030',
  ),
  shows(
    'a materialized view that another session makes',
    'select 1',
    { elsewhere: 'create materialized view late as select upper(phone) as p from customers' },
    'select p from late',
  ),
  shows(
    'a generated column that another session makes',
    'select 1',
    { elsewhere: "alter table customers add late text generated always as (phone || 'x') stored" },
    'select late from customers',
  ),
  shows(
    'a masked column that another session renames',
    'select 1',
    { elsewhere: 'alter table customers rename email to innocent' },
    'select innocent from customers',
  ),
  shows(
    'a masked table that another session moves',
    'select 1',
    { elsewhere: 'alter table customers rename to innocent' },
    'select email from innocent',
  ),
  shows(
    'a masked table that another session makes anew',
    'select 1',
    {
      elsewhere:
        'alter table newsletter rename to old_letters; create table newsletter as select * from old_letters',
    },
    'select email from newsletter',
  ),
  shows('a cursor', 'begin', `declare c cursor for ${EMAILS}`, 'fetch all from c'),
  shows('a cursor in one text', `begin; declare c cursor for ${EMAILS}; fetch all from c; commit`),
  shows(
    'a cursor row by row',
    'begin',
    `declare c scroll cursor for ${EMAILS}`,
    'fetch next from c',
    'fetch last from c',
    'fetch prior from c',
    'fetch absolute 2 from c',
  ),
  shows(
    'a cursor in binary',
    'begin',
    `declare c binary cursor for select email, account_no from customers`,
    'fetch all from c',
  ),
  shows('a cursor WITH HOLD', `declare c cursor with hold for ${EMAILS}`, 'fetch all from c'),
  shows(
    'a cursor WITH HOLD behind DISCARD PLANS',
    'begin',
    `declare c cursor with hold for ${EMAILS}`,
    'commit',
    'discard plans',
    'fetch all from c',
  ),
  shows(
    'a cursor of letters',
    'begin',
    'declare c cursor for select substr(email, g, 1) from customers, generate_series(1, 14) g where id = 1 order by g',
    ...Array.from({ length: 14 }, () => 'fetch 1 from c'),
  ),
  shows(
    'a cursor of a name that was another',
    'begin',
    'declare c cursor for select title from documents',
    'close c',
    `declare c cursor for ${EMAILS}`,
    'fetch all from c',
  ),
  shows(
    'a cursor of a name that a savepoint gives back',
    'begin',
    `declare c cursor for ${EMAILS}`,
    'savepoint s',
    'close c',
    'declare c cursor for select title from documents',
    'rollback to s',
    `declare d cursor for ${EMAILS}`,
    'fetch all from d',
  ),
  shows('a cursor that an Execute reads', 'begin', `declare c cursor for ${EMAILS}`, {
    send: [describe('P', 'c'), execute('c', 3), SYNC],
  }),
  shows(
    'a portal that FETCH reads',
    'begin',
    { send: [parse('', EMAILS), bind('p', ''), SYNC] },
    'fetch all from p',
  ),
  shows(
    'a portal row by row',
    'begin',
    { send: [parse('', EMAILS), bind('p', ''), execute('p', 1), execute('p', 1), execute('p', 1), SYNC] },
    { send: [execute('p', 2), SYNC] },
  ),
  shows('a portal that stays open beside others', 'begin', {
    send: [
      parse('', EMAILS),
      bind('p', ''),
      execute('p', 1),
      parse('', 'select title from documents'),
      bind('q', ''),
      execute('q', 1),
      execute('p', 1),
      execute('q', 1),
      execute('p', 0),
      SYNC,
    ],
  }),
  shows('portals of one name', 'begin', {
    send: [
      parse('', 'select title from documents'),
      bind('p', ''),
      execute('p', 1),
      close('P', 'p'),
      parse('', EMAILS),
      bind('p', ''),
      execute('p'),
      SYNC,
    ],
  }),
  shows('formats that differ by portal', {
    send: [
      parse('s', 'select email, account_no from customers'),
      bind('', 's', { results: [0, 1] }),
      execute(),
      bind('', 's', { results: [1, 0] }),
      execute(),
      SYNC,
    ],
  }),
  shows(
    'a Flush without a Sync',
    { send: [parse('', EMAILS), bind('', ''), execute(), FLUSH], until: 'C' },
    { send: [SYNC] },
  ),
  shows('queries that come before their answers', {
    send: [query('select title from documents limit 1'), query(EMAILS), query('select 1')],
  }),
  shows('a Query behind an Execute', {
    send: [parse('', 'select title from documents limit 1'), bind('', ''), execute(), query(EMAILS)],
  }),
  shows('an error in the pipeline before it', {
    send: [
      parse('', 'select 1 / 0'),
      bind('', ''),
      execute(),
      SYNC,
      parse('', EMAILS),
      bind('', ''),
      execute(),
      SYNC,
    ],
  }),
  shows('a statement in two transactions', 'begin; select 1', `${EMAILS}; commit; ${EMAILS}`),
  shows('a read-only transaction', 'begin read only', EMAILS, 'commit'),
  shows(
    'a name with capitals and spaces',
    'create view "In nocent" as select email as "A b" from customers',
    'select "A b" from "In nocent"',
  ),
  shows('a name in escapes', 'select U&"\\0065mail" from U&"customer\\0073"'),
  shows(
    'a long text',
    `select ${Array.from({ length: 400 }, (_, at) => `${at} as c${at}`).join()}, email from customers`,
  ),
  shows(
    'many columns',
    `select ${Array.from({ length: 300 }, (_, at) => `email as c${at}`).join()} from customers`,
  ),
  shows('a deep text', `select ${'('.repeat(200)}email${')'.repeat(200)} from customers`),
  shows(
    'a deep nest of subselects',
    `select x from ${'(select x from '.repeat(40)}(select email as x from customers) t${') t'.repeat(40)}`,
  ),
  shows('large values', 'select repeat(email, 20000) from customers where id = 1'),
  shows('many rows', 'select c.email from customers c, generate_series(1, 300)'),
  shows(
    'in the extended protocol, with types',
    extended('select email from customers where id = any ($1)', { values: ['{1,2}'] }),
  ),
  showsStarted(
    'with options that disarm',
    { options: '-c debug_print_rewritten=off -c client_min_messages=error' },
    EMAILS,
  ),
  showsStarted(
    'with options of another path',
    { options: '-c search_path=vault,public' },
    'select recovery_code from credentials',
  ),
  showsStarted('with another encoding from the start', { client_encoding: 'LATIN1' }, EMAILS),
  showsStarted('a walsender that is asked in SQL', { replication: 'database' }, EMAILS),
  showsStarted(
    'a stream of changes',
    { replication: 'database' },
    'CREATE_REPLICATION_SLOT leak TEMPORARY LOGICAL test_decoding',
    { elsewhere: "update customers set city = 'Changed', email = email || 'x' where id = 1" },
    { send: [query('START_REPLICATION SLOT leak LOGICAL 0/0')], until: 'd' },
    { send: [Buffer.from([0x63, 0, 0, 0, 4])], until: 'Z' },
  ),
  showsSince(16, 'a cursor of pipelines that fetch', 'begin', {
    send: [
      parse('', 'declare c cursor for select email from customers'),
      bind('', ''),
      execute(),
      parse('', 'fetch 2 from c'),
      bind('', ''),
      execute(),
      bind('', ''),
      execute(),
      SYNC,
    ],
  }),
];
