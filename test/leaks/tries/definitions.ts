/** Masked values that somebody would get at by changing what things are called, or what they are made of. */

import { shows, showsSince, type Try } from './try.ts';

const STATEMENTS: readonly (readonly [title: string, steps: readonly string[]])[] = [
  [
    'a column that is renamed',
    ['alter table customers rename column email to mail', 'select mail from customers'],
  ],
  [
    'a table that is renamed',
    ['alter table customers rename to clients', 'select email, phone from clients'],
  ],
  [
    'a table that is moved to another schema',
    ['alter table audit set schema vault', 'select payload from vault.audit'],
  ],
  [
    'a schema that is renamed',
    ['alter schema vault rename to v2', 'select recovery_code from v2.credentials'],
  ],
  [
    'a partition that is detached',
    ['alter table audit detach partition audit_2025', 'select payload from audit_2025'],
  ],
  [
    'a child that is a child no more',
    ['alter table customers_vip no inherit customers', 'select email, phone from customers_vip'],
  ],
  [
    'a generated column that is one no more',
    ['alter table customers alter column email_key drop expression', 'select email_key from customers'],
  ],
  [
    'a generated column that is added',
    [
      'alter table customers add column leak text generated always as (email) stored',
      'select leak from customers',
    ],
  ],
  [
    'a column that is added with a default',
    [
      'begin; alter table customers add column leak text default customer_lookup(1); select leak from customers; commit',
    ],
  ],
  [
    'a default of another table',
    [
      'alter table inbox alter word set default customer_lookup(2)',
      'insert into inbox(id) values (5)',
      'select word from inbox',
    ],
  ],
  [
    'another type, by a function',
    [
      'alter table documents alter column body type text using customer_lookup(id)',
      'select body from documents',
    ],
  ],
  [
    'the same type, by a function',
    [
      'alter table documents alter column language type text using (customer_email(id))',
      'select language from documents',
    ],
  ],
  [
    'a trigger that writes into the row',
    [
      'create function tr() returns trigger language plpgsql as $$ begin new.word := (select email from customers where id = 1); return new; end $$',
      'create trigger t before insert on inbox for each row execute function tr()',
      "insert into inbox values (7, 'x') returning word",
      'select word from inbox',
    ],
  ],
  [
    'a rule that also shows',
    [
      'create rule r2 as on insert to queries do also select email from customers',
      "insert into queries values (77, 'x')",
    ],
  ],
  [
    'a rule that also writes',
    [
      'create rule r3 as on insert to queries do also insert into outbox select id, email from customers',
      "insert into queries values (77, 'x')",
      'select * from outbox',
    ],
  ],
  [
    'a function whose body is SQL',
    [
      'create function leakf() returns setof text language sql begin atomic select email from customers; end',
      'select leakf()',
      'select * from leakf()',
    ],
  ],
  [
    'a function whose body is a text',
    [
      "create function leakg() returns setof text language sql as 'select email from customers'",
      'select * from leakg()',
    ],
  ],
  [
    'a procedure with an INOUT parameter',
    [
      'create procedure pr(inout x text) language plpgsql as $$ begin select email into x from customers where id = 1; end $$',
      "call pr('a')",
    ],
  ],
  [
    'an aggregate',
    [
      "create aggregate agg(text) (sfunc = textcat, stype = text, initcond = '')",
      'select agg(email) from customers',
    ],
  ],
  [
    'a cast of the whole row',
    [
      "create function cf(customers) returns text language sql as 'select ($1).email'",
      'create cast (customers as text) with function cf(customers)',
      'select c::text from customers c',
      'select cf(c) from customers c',
      'select c.cf from customers c',
    ],
  ],
  [
    'pageinspect',
    [
      'create extension pageinspect',
      "select * from heap_page_items(get_raw_page('customers', 0))",
      "select * from bt_page_items('customers_email_key', 1)",
      "select tuple_data_split('customers'::regclass, t_data, t_infomask, t_infomask2, t_bits) from heap_page_items(get_raw_page('customers', 0))",
    ],
  ],
  [
    'CREATE TABLE LIKE, and a copy',
    ['create table c3 (like customers)', 'insert into c3 select * from customers', 'select * from c3'],
  ],
  ['a temporary table', ['create temp table c5 as select id, email as e from customers', 'select e from c5']],
  [
    'a materialized view',
    ['create materialized view mv as select id, phone as p from customers', 'select p from mv'],
  ],
  [
    'a materialized view, renamed on both sides',
    [
      'create materialized view mv as select id, phone as p from customers',
      'alter table mv rename p to q',
      'select q from mv',
      'alter table customers rename phone to tel',
      'select q from mv',
    ],
  ],
  [
    'a view that is replaced',
    [
      'create view vx as select email as e from customers',
      'select e from vx',
      'create or replace view vx as select phone::text as e from customers',
      'select e from vx',
    ],
  ],
  [
    'a view in the place of the table',
    [
      'begin',
      'alter table customers rename to c_old',
      'create view customers as select id, email as mail from c_old',
      'select * from customers',
      'rollback',
    ],
  ],
  [
    'a column that is renamed in a transaction',
    ['begin', 'alter table customers rename column email to em; select em from customers', 'rollback'],
  ],
  [
    'a column that is renamed behind a savepoint',
    [
      'begin',
      'savepoint a',
      'alter table customers rename column phone to ph',
      'select ph from customers',
      'rollback to a',
      'select phone from customers',
      'commit',
    ],
  ],
  [
    'an event trigger',
    [
      "create function et() returns event_trigger language plpgsql as $$ begin raise notice 'hello %', (select email from customers where id=1); end $$",
      'create event trigger e on ddl_command_start execute function et()',
      'create table zz (a int)',
    ],
  ],
  [
    'a function in an index',
    [
      "create function ix(int) returns int language plpgsql immutable as $$ begin raise notice 'i %', (select email from customers where id = 1); return $1; end $$",
      'create index on documents (ix(id))',
      'create index on customers (ix(id))',
      'alter table documents add check (ix(id) = id)',
      "insert into documents values (500, 'x')",
    ],
  ],
  [
    'an operator',
    [
      "create function eqx(text, text) returns boolean language plpgsql immutable as $$ begin raise notice 'cmp % %', $1, $2; return $1 < $2; end $$",
      'create operator <<<< (leftarg = text, rightarg = text, procedure = eqx)',
      "select email <<<< 'a' from customers",
      'select id from customers order by email using <<<<',
    ],
  ],
  [
    'a parent of a masked table',
    [
      'create table parent0 (id integer, email text)',
      'alter table customers add constraint nothing check (true)',
      'create table kid (email text) inherits (documents)',
      'alter table newsletter inherit parent0',
      'select email from parent0',
      'select * from parent0',
    ],
  ],
  [
    'a parent with the same column',
    [
      'create table par (email text, topic text)',
      'alter table newsletter inherit par',
      'select email from par',
    ],
  ],
  [
    'a partition under another table',
    [
      'create table root (id bigint, happened date not null, actor text, payload text) partition by list (actor)',
      'alter table audit attach partition audit_2025 default',
      'alter table audit detach partition audit_2026',
      'alter table root attach partition audit_2026 default',
      'select payload from root',
      'select payload from audit_2026',
    ],
  ],
  [
    'a typed table',
    [
      'create type ct as (a integer, b text)',
      'create table tt of ct',
      'insert into tt select id, email from customers',
      'select * from tt',
      'insert into tt select (x).* from (select row(id, email)::ct x from customers) y',
    ],
  ],
  [
    'notifications of a trigger',
    [
      "do $$ begin perform pg_notify('x', (select email from customers where id = 1)); end $$",
      'listen x',
      "select pg_notify('x', email) from customers",
      "create function nt() returns trigger language plpgsql as $$ begin perform pg_notify('x', (select email from customers limit 1)); return new; end $$",
      'create trigger nn before insert on inbox for each row execute function nt()',
      "insert into inbox values (9, 'x')",
      'select 1',
    ],
  ],
  [
    'the name of the application',
    [
      "select set_config('application_name', (select email from customers where id=1), false)",
      'show application_name',
      "do $$ begin perform set_config('application_name', (select email from customers where id = 1), false); end $$",
      'show application_name',
      "select current_setting('application_name')",
      'select application_name from pg_stat_activity',
    ],
  ],
  [
    'a setting that a function makes',
    [
      "create function sf() returns int language plpgsql as $$ begin perform set_config('x.y', (select email from customers where id=1), false); return 1; end $$",
      'select sf()',
      'show x.y',
      "select current_setting('x.y', true)",
    ],
  ],
  [
    'the name of a table',
    [
      "do $$ begin execute format('create table %I (a int)', (select email from customers where id=1)); end $$",
      "select relname from pg_class where relname like '%mail.example'",
      'table pg_class',
    ],
  ],
  [
    'the name of a role',
    [
      "do $$ begin execute format('create role %I', (select email from customers where id=1)); end $$",
      'select rolname from pg_roles',
      "do $$ begin execute format('drop role %I', (select email from customers where id=1)); end $$",
    ],
  ],
  [
    'the label of an enum',
    [
      "do $$ begin execute format('create type en as enum (%L)', (select email from customers where id=1)); end $$",
      'select enumlabel from pg_enum',
      'select enum_range(null::en)',
    ],
  ],
  [
    'a literal in a default',
    [
      "do $$ begin execute format('alter table scratch alter note set default %L', (select email from customers where id=1)); end $$",
      'select pg_get_expr(adbin, adrelid) from pg_attrdef',
      'insert into scratch(id) values (99) returning note',
    ],
  ],
  ['the file of the table', ['checkpoint', "select pg_read_binary_file(pg_relation_filepath('customers'))"]],
  [
    'a program that reads the files',
    [
      'checkpoint',
      'create table raw(t text)',
      "copy raw from program 'strings $DATA/base/*/* | grep mail.example'",
      'select * from raw',
    ],
  ],
  [
    'a foreign table of a program',
    [
      'create extension file_fdw',
      'create server f foreign data wrapper file_fdw',
      "create foreign table ft (t text) server f options (program 'strings $DATA/base/*/* | grep mail.example', format 'text')",
      'select * from ft',
    ],
  ],
  [
    'the value of a sequence',
    [
      "do $$ begin execute 'alter sequence job_numbers restart with ' || (select account_no from customers where id=1); end $$",
      'select last_value from job_numbers',
    ],
  ],
];

export const DEFINITIONS: readonly Try[] = [
  ...STATEMENTS.map(([title, steps]) => shows(title, ...steps)),
  showsSince(
    17,
    'MERGE … RETURNING',
    'merge into scratch s using customers c on s.id = c.id when matched then update set note = c.name returning c.email, old.note',
  ),
  showsSince(
    18,
    'RETURNING old and new',
    'update customers set city = city where id = 1 returning old.email, new.phone, old',
  ),
];
