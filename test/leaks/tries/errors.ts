/** A masked value in the text, the detail or the context of an error. */

import { extended, shows, type Try } from './try.ts';

const FIRST = 'from customers where id = 1';

/** Of what the first customer's row makes an error. */
const EXPRESSIONS: readonly (readonly [title: string, expression: string])[] = [
  ['a cast to a number', 'email::int'],
  ['a cast to numeric', 'email::numeric'],
  ['a cast to a date', 'email::date'],
  ['a cast to a UUID', 'email::uuid'],
  ['a cast to boolean', 'email::boolean'],
  ['a cast to inet', 'email::inet'],
  ['a cast to json', 'email::json'],
  ['a cast to an enum', 'email::risk_class'],
  ['a cast to an array', "('{' || email)::text[]"],
  ['a cast to a composite type', "('(' || email)::pair"],
  ['a cast to a range', 'email::int4range'],
  ['a cast to a point', 'email::point'],
  ['a cast to an interval', 'email::interval'],
  ['a cast to macaddr', 'email::macaddr'],
  ['a cast to pg_lsn', 'email::pg_lsn'],
  ['a cast to regclass', 'email::regclass'],
  ['a cast to regtype', 'email::regtype'],
  ['a cast to regrole', "split_part(email, '@', 1)::regrole"],
  ['a cast to regproc', 'email::regproc'],
  ['a cast to tid', 'email::tid'],
  ['a cast to tsquery', "(email || ' & &')::tsquery"],
  ['a cast to XML', "('<a>' || email)::xml"],
  ['a number too long', "(account_no || '00000000')::bigint"],
  ['a name of a setting', 'current_setting(email)'],
  ['a setting of that name', "set_config(email, 'x', false)"],
  ['a value of a setting', "set_config('work_mem', email, false)"],
  ['a sequence of that name', "nextval(split_part(email, '@', 1))"],
  ['a time zone', 'now() at time zone email'],
  ['an encoding', "convert('x'::bytea, email, 'UTF8')"],
  ['a form of encoding', 'encode(secret, email)'],
  ['a unit of time', 'date_trunc(email, now())'],
  ['a part of a date', 'date_part(email, now())'],
  ['a privilege', "has_table_privilege('customers', email)"],
  ['a table that one has rights on', "has_table_privilege(split_part(email, '@', 1), 'select')"],
  ['a role that one has', "pg_has_role(email, 'usage')"],
  ['a configuration of text search', "to_tsvector(split_part(email, '@', 1)::regconfig, 'x')"],
  ['a file', 'pg_read_file(email)'],
  ['a cast to an array of numbers', "('{' || email || '}')::int[]"],
  ['a cast to a range of dates', "('[' || email || ',]')::daterange"],
  ['a form of normalization', "normalize('x') || email::int"],
];

const STATEMENTS: readonly (readonly [title: string, ...texts: string[]])[] = [
  [
    'a unique constraint',
    `insert into scratch (id, note) select g, email from customers, generate_series(90, 91) g where customers.id = 1`,
  ],
  [
    'a unique constraint of its own',
    `update customers set email = (select email from customers where id = 2) where id = 1`,
  ],
  ['a CHECK, and the row that fails', `update customers set card = '1' where id = 1`],
  ['NOT NULL, and the row that fails', `update customers set name = null where id = 1`],
  ['NOT NULL of an INSERT', `insert into customers (id, email, name) select 77, phone, null ${FIRST}`],
  ['a foreign key that is not there', `update newsletter set email = 'x' || email where id = 1`],
  ['a foreign key that is still there', 'delete from only customers where id = 1'],
  [
    'no partition',
    `insert into audit select id, date '2031-01-01', 'x', email ${FIRST}`,
    `create table by_word (w text) partition by list (w)`,
    `insert into by_word select email ${FIRST}`,
  ],
  [
    'a constraint that is added',
    `alter table customers add constraint short check (length(name) > 99)`,
    `update customers set city = 'x' where id = 1`,
    `alter table customers add constraint short check (length(name) > 99) not valid`,
    `update customers set city = 'x' where id = 1`,
  ],
  ['a unique index that is made', `create unique index on newsletter (email)`],
  ['an exclusion constraint', `alter table newsletter add exclude (email with =)`],
  [
    'a column that becomes NOT NULL',
    `insert into scratch (id, note) select 70, notes ${FIRST}`,
    `alter table scratch add constraint s check (note = 'x') not valid`,
    `update scratch set amount = 1 where id = 70`,
  ],
  ['a type that is changed', 'alter table customers alter notes type integer using notes::integer'],
  ['RAISE in DO', `do $$ begin raise exception '%', (select email ${FIRST}); end $$`],
  ['RAISE, in its detail', `do $$ begin raise exception 'x' using detail = (select email ${FIRST}); end $$`],
  ['RAISE, in its hint', `do $$ begin raise exception 'x' using hint = (select email ${FIRST}); end $$`],
  [
    'RAISE, in the name of a column',
    `do $$ begin raise exception 'x' using column = (select email ${FIRST}); end $$`,
  ],
  ['ASSERT', `do $$ begin assert false, (select email ${FIRST}); end $$`],
  ['dynamic SQL, as a name', `do $$ begin execute format('select %I', (select email ${FIRST})); end $$`],
  [
    'dynamic SQL, in the context',
    `do $$ begin execute format('select 1/0, %L', (select email ${FIRST})); end $$`,
  ],
  [
    'dynamic SQL, in the internal query',
    `do $$ begin execute format('selekt %L', (select email ${FIRST})); end $$`,
  ],
  [
    'a function that raises',
    `create function tell(text) returns int language plpgsql as $$ begin raise exception '%', $1; end $$`,
    `select tell(email) ${FIRST}`,
  ],
  ['a role that is not there', `do $$ begin execute format('set role %I', (select email ${FIRST})); end $$`],
  [
    'a lock of a table of that name',
    `do $$ begin execute format('lock table %I', (select email ${FIRST})); end $$`,
  ],
  [
    'COPY into a number',
    `create temp table numbers (n int)`,
    `insert into numbers select email::int ${FIRST}`,
  ],
  [
    'letters, error by error',
    ...Array.from({ length: 14 }, (_, at) => `select ('1' || substr(email, ${at + 1}, 1))::int ${FIRST}`),
  ],
];

export const ERRORS: readonly Try[] = [
  ...EXPRESSIONS.map(([title, expression]) => shows(`an error of ${title}`, `select ${expression} ${FIRST}`)),
  ...STATEMENTS.map(([title, ...texts]) => shows(`an error of ${title}`, ...texts)),
  shows('an error in the extended protocol', extended(`select email::int ${FIRST}`)),
  shows('an error of a predicate', `select id from customers where email::int = 1`),
  shows('an error of an ORDER BY', `select id from customers order by email::int`),
  shows('an error of a join', `select d.id from documents d join customers c on c.email::int = d.id`),
  shows('an error of a LIMIT', `select 1 limit (select email::int ${FIRST})`),
  shows(
    'an error in a cursor',
    'begin',
    `declare c cursor for select email::int ${FIRST}`,
    'fetch all from c',
  ),
  shows('an error behind rows', `select case when id > 4 then email::int else id end from customers`),
  shows('an error of a COPY', `copy (select email::int ${FIRST}) to stdout`),
];
