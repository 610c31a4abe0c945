/** What shows no value, and tells whether a guess about one is right: by rows, counts, order, errors, time, locks. */

import { query } from '../../differential/frames.ts';
import { type Guess, ends, extended, fails, hasRow, isSlow, tagged, tells, type Try } from './try.ts';
import type { Seen, Step } from '../session-script.ts';

type Bit = (seen: Seen) => boolean;
type Oracle = readonly [title: string, text: (guess: Guess) => string | readonly Step[], bit: Bit];

const yes = ends('t');
const one = ends('1');

/** By a predicate over `customers c`. */
const PREDICATES: readonly Oracle[] = [
  ['rows', ({ holds }) => `select id from customers c where ${holds}`, hasRow],
  ['a count', ({ holds }) => `select count(*) from customers c where ${holds}`, one],
  ['EXISTS', ({ holds }) => `select exists (select from customers c where ${holds})`, yes],
  ['a derived truth', ({ holds }) => `select ${holds} from customers c where id = 1`, yes],
  ['CASE', ({ holds }) => `select case when ${holds} then 1 else 0 end from customers c where id = 1`, one],
  ['ORDER BY', ({ holds }) => `select id from customers c order by ${holds} desc, id desc limit 1`, one],
  ['GROUP BY', ({ holds }) => `select count(*) from customers c group by ${holds} order by 1 limit 1`, one],
  ['DISTINCT', ({ holds }) => `select count(*) - 1 from (select distinct ${holds} from customers c) x`, one],
  ['HAVING', ({ holds }) => `select 1 from customers c having bool_or(${holds})`, hasRow],
  ['FILTER', ({ holds }) => `select count(*) filter (where ${holds}) from customers c`, one],
  ['bool_or', ({ holds }) => `select bool_or(${holds}) from customers c`, yes],
  [
    'NULL of an aggregate',
    ({ holds }) => `select count(x.m) from (select max(id) as m from customers c where ${holds}) x`,
    one,
  ],
  [
    'a join',
    ({ holds }) => `select d.id from documents d join customers c on d.id = c.id and ${holds}`,
    hasRow,
  ],
  [
    'an outer join',
    ({ holds }) => `select count(c.id) from documents d left join customers c on ${holds} where d.id = 1`,
    one,
  ],
  [
    'IN',
    ({ holds }) => `select id from documents where id in (select c.id from customers c where ${holds})`,
    hasRow,
  ],
  [
    'NOT EXISTS',
    ({ holds }) =>
      `select 1 from documents where id = 1 and exists (select 1 from customers c where ${holds})`,
    hasRow,
  ],
  [
    'a correlated subselect',
    ({ holds }) =>
      `select id from documents d where 1 = (select count(*) from customers c where c.id = d.id and ${holds})`,
    hasRow,
  ],
  ['INTERSECT', ({ holds }) => `select 1 intersect select count(*) from customers c where ${holds}`, hasRow],
  ['EXCEPT', ({ holds }) => `select 0 except select count(*) from customers c where ${holds}`, hasRow],
  ['LIMIT', ({ holds }) => `select 1 limit (select count(*) from customers c where ${holds})`, hasRow],
  ['OFFSET', ({ holds }) => `select 1 offset (select 1 - count(*) from customers c where ${holds})`, hasRow],
  [
    'rows of generate_series',
    ({ holds }) => `select g from generate_series(1, (select count(*) from customers c where ${holds})) g`,
    hasRow,
  ],
  [
    'a window',
    ({ holds }) =>
      `select x.id from (select id, row_number() over (order by ${holds} desc, id desc) n from customers c) x where n = 1`,
    one,
  ],
  [
    'PARTITION BY',
    ({ holds }) => `select count(*) over (partition by ${holds}) from customers c order by 1 limit 1`,
    one,
  ],
  [
    'a CTE',
    ({ holds }) => `with x as (select id from customers c where ${holds}) select count(*) from x`,
    one,
  ],
  [
    'a division by zero',
    ({ holds }) => `select 1 / (case when ${holds} then 0 else 1 end) from customers c where id = 1`,
    fails('22012'),
  ],
  [
    'a division by zero that shows nothing',
    ({ holds }) =>
      `select count(*) from (select 1 / (case when ${holds} then 0 else 1 end) x from customers c offset 0) y where x > 0`,
    fails('22012'),
  ],
  [
    'a cast of what is chosen',
    ({ holds }) => `select (case when ${holds} then 'x' else '1' end)::int from customers c where id = 1`,
    fails('22P02'),
  ],
  [
    'time',
    ({ holds }) => `select case when ${holds} then pg_sleep(1) end is null from customers c where id = 1`,
    isSlow,
  ],
  [
    'time of a predicate',
    ({ holds }) =>
      `select id from customers c where case when ${holds} then pg_sleep(1) is not null else false end`,
    isSlow,
  ],
  [
    'a statement that takes too long',
    ({ holds }) => [
      "set statement_timeout = '400ms'",
      `select count(case when ${holds} then pg_sleep(5) end) from customers c where id = 1`,
    ],
    fails('57014'),
  ],
  [
    'a sequence',
    ({ holds }) => [
      `select count(nextval('job_numbers')) from customers c where ${holds}`,
      'select is_called from job_numbers',
    ],
    yes,
  ],
  [
    'an advisory lock',
    ({ holds }) => [
      `select count(pg_try_advisory_lock(77)) from customers c where ${holds}`,
      `select count(*) from pg_locks where locktype = 'advisory'`,
    ],
    one,
  ],
  [
    'an advisory lock by its number',
    ({ holds }) => [
      `select count(pg_try_advisory_lock(case when ${holds} then 1 else 2 end)) from customers c where id = 1`,
      `select objid from pg_locks where locktype = 'advisory'`,
    ],
    one,
  ],
  [
    'a transaction id',
    ({ holds }) => [
      'begin',
      `select count(case when ${holds} then pg_current_xact_id() end) from customers c where id = 1`,
      'select pg_current_xact_id_if_assigned() is not null',
    ],
    yes,
  ],
  [
    'a setting',
    ({ holds }) => [
      `select count(set_config('my.bit', '1', false)) from customers c where ${holds}`,
      `select current_setting('my.bit', true)`,
    ],
    one,
  ],
  [
    'a notification',
    ({ holds }) => [
      'listen c',
      `select count(pg_notify('c', 'x')) from customers c where ${holds}`,
      'select 1',
    ],
    ({ frames }) => frames.some(({ type }) => type === 'A'),
  ],
  [
    'a large object',
    ({ holds }) => [
      `select count(lo_create(5001)) from customers c where ${holds}`,
      'select count(*) from pg_largeobject_metadata where oid = 5001',
    ],
    one,
  ],
  [
    'rows that are updated',
    ({ holds }) =>
      `update scratch set amount = 0 where id = 1 and exists (select from customers c where ${holds})`,
    tagged('UPDATE 1'),
  ],
  [
    'rows of its own that are updated',
    ({ holds }) => `update customers c set city = 'x' where ${holds}`,
    tagged('UPDATE 1'),
  ],
  [
    'rows that are deleted',
    ({ holds }) => `delete from scratch where id = 1 and exists (select from customers c where ${holds})`,
    tagged('DELETE 1'),
  ],
  [
    'rows that are inserted',
    ({ holds }) => `insert into outbox select 1, 'x' from customers c where ${holds}`,
    tagged('INSERT 0 1'),
  ],
  [
    'rows that are merged',
    ({ holds }) =>
      `merge into scratch s using customers c on s.id = c.id and ${holds} when matched then update set amount = 1`,
    tagged('MERGE 1'),
  ],
  [
    'a value that is written',
    ({ holds }) => [
      `update scratch set amount = (select count(*) from customers c where ${holds}) where id = 1`,
      'select amount from scratch where id = 1',
    ],
    one,
  ],
  [
    'rows that are copied',
    ({ holds }) => `copy (select 1 from customers c where ${holds}) to stdout`,
    tagged('COPY 1'),
  ],
  [
    'rows that a cursor passes',
    ({ holds }) => [
      'begin',
      `declare x cursor for select 1 from customers c where ${holds}`,
      'move all from x',
    ],
    tagged('MOVE 1'),
  ],
  [
    'rows that are locked',
    ({ holds }) => ['begin', `select 1 from customers c where ${holds} for update`],
    hasRow,
  ],
  [
    'a table that is made',
    ({ holds }) => [
      `create temp table leaked as select 1 as x from customers c where ${holds}`,
      'select count(*) from leaked',
    ],
    one,
  ],
  [
    'a view',
    ({ holds }) => [
      `create temp view leaked as select 1 as x from customers c where ${holds}`,
      'select count(*) from leaked',
    ],
    one,
  ],
  [
    'DO',
    ({ holds }) =>
      `do $$ begin if exists (select from customers c where ${holds}) then raise 'x'; end if; end $$`,
    fails('P0001'),
  ],
  [
    'a CHECK that is added',
    ({ holds }) => `alter table customers add check (not ${holds.replaceAll('c.', '')})`,
    fails('23514'),
  ],
  [
    'EXPLAIN ANALYZE',
    ({ holds }) =>
      `explain (analyze, costs off, timing off, summary off) select 1 from customers c where ${holds}`,
    ({ rows }) => /rows=1(?:\.00)? /.test(rows[0]?.[0] ?? ''),
  ],
  [
    'a prepared statement',
    ({ holds }) => [`prepare x as select id from customers c where ${holds}`, 'execute x'],
    hasRow,
  ],
  ['the extended protocol', ({ holds }) => [extended(`select id from customers c where ${holds}`)], hasRow],
  [
    'a row that is not described',
    ({ holds }) => [{ send: [query(`select from customers c where ${holds}`)] }],
    hasRow,
  ],
  ['JSON of no rows', ({ holds }) => `select json_agg(id) is not null from customers c where ${holds}`, yes],
  [
    'a subselect in the list',
    ({ holds }) =>
      `select id, (select title from documents d where d.id = c.id and ${holds}) is not null from customers c where id = 1`,
    ({ rows }) => rows[0]?.[1] === 't',
  ],
  ['ANY of a subselect', ({ holds }) => `select 1 = any (select c.id from customers c where ${holds})`, yes],
  [
    'ROLLUP',
    ({ holds }) =>
      `select count(*) from customers c where ${holds} group by rollup (c.id) order by 1 limit 1`,
    one,
  ],
  [
    'a set-returning function',
    ({ holds }) =>
      `select d.id from documents d, lateral (select 1 from customers c where ${holds} and d.id = 1) x`,
    hasRow,
  ],
];

/** By the whole value. */
const VALUES: readonly Oracle[] = [
  ['equality', ({ email }) => `select id from customers where email = '${email}'`, hasRow],
  [
    'equality with a parameter',
    ({ email }) => [extended('select id from customers where email = $1', { values: [email] })],
    hasRow,
  ],
  [
    'LIKE',
    ({ letter, email }) =>
      `select id from customers where id = 1 and email like '${letter}${email.slice(1, 4)}%'`,
    hasRow,
  ],
  ['a pattern', ({ email }) => `select id from customers where email ~ '^${email.slice(0, 5)}'`, hasRow],
  [
    'a range',
    ({ email }) =>
      `select id from customers where email between '${email.slice(0, 6)}' and '${email.slice(0, 6)}zz'`,
    hasRow,
  ],
  ['ANY', ({ email }) => `select id from customers where email = any (array['${email}', 'x'])`, hasRow],
  [
    'a row that is compared',
    ({ email }) => `select id from customers where (id, email) = (1, '${email}')`,
    hasRow,
  ],
  ['a digest', ({ email }) => `select id from customers where md5(email) = md5('${email}')`, hasRow],
  ['a generated column', ({ email }) => `select id from customers where email_key = '${email}'`, hasRow],
  [
    'a generated column that holds it',
    ({ email }) => `select id from customers where label like '%${email}%'`,
    hasRow,
  ],
  ['a materialized view', ({ email }) => `select id from customer_contacts where email = '${email}'`, hasRow],
  ['a view', ({ email }) => `select id from v_customers where contact = '${email}'`, hasRow],
  [
    'a join of values',
    ({ email }) => `select v.x from (values ('${email}')) v(x) join customers c on c.email = v.x`,
    hasRow,
  ],
  [
    'JOIN USING',
    ({ email }) => `select 1 from (select '${email}'::text as email) v join customers using (email)`,
    hasRow,
  ],
  [
    'NATURAL JOIN',
    ({ email }) => `select 1 from (select '${email}'::text as email) v natural join newsletter`,
    hasRow,
  ],
  [
    'INTERSECT',
    ({ email }) => `select 1 from (select '${email}' intersect select email from customers) x`,
    hasRow,
  ],
  [
    'UNION that has no doubles',
    ({ email }) =>
      `select count(*) - 7 from (select '${email}' union select email from customers) x where true having count(*) = 8`,
    hasRow,
  ],
  ['NOT IN', ({ email }) => `select 1 where not ('${email}' not in (select email from customers))`, hasRow],
  ['the whole row', ({ email }) => `select 1 from customers c where c::text like '%${email}%'`, hasRow],
  [
    'the row as JSON',
    ({ email }) => `select 1 from customers c where to_jsonb(c) @> '{"email": "${email}"}'`,
    hasRow,
  ],
  ['nullif', ({ email }) => `select nullif(email, '${email}') is null from customers where id = 1`, yes],
  [
    'position',
    ({ email }) => `select position('${email.slice(0, 5)}' in email) from customers where id = 1`,
    one,
  ],
  [
    'a unique constraint',
    ({ email }) => `insert into customers (id, name, email) values (900, 'x', '${email}')`,
    fails('23505'),
  ],
  [
    'ON CONFLICT',
    ({ email }) =>
      `insert into customers (id, name, email) values (900, 'x', '${email}') on conflict do nothing`,
    tagged('INSERT 0 0'),
  ],
  [
    'an UPDATE of a unique column',
    ({ email }) => `update customers set email = '${email}' where id = 2`,
    fails('23505'),
  ],
  [
    'a foreign key',
    ({ email }) => `insert into newsletter (email, topic) values ('${email}', 'x')`,
    tagged('INSERT 0 1'),
  ],
  [
    'a policy',
    ({ email }) => [
      `update tickets set owner_email = '${email}' where id = 1`,
      'set role app',
      'select count(*) from tickets',
    ],
    one,
  ],
  [
    'an estimate',
    ({ email }) => `explain select * from newsletter where email = '${email}'`,
    ({ rows }) => rows.flat().join(' ').includes('rows=3'),
  ],
  [
    'what EXPLAIN removes',
    ({ email }) =>
      `explain (analyze, costs off, timing off, summary off, buffers off) select * from customers where email = '${email}'`,
    ({ rows }) => /rows=1(?:\.00)? /.test(rows.flat().join(' ')),
  ],
  [
    'a cursor that is moved',
    ({ email }) => [
      'begin',
      `declare x scroll cursor for select 1 from customers where email = '${email}'`,
      'move last from x',
    ],
    tagged('MOVE 1'),
  ],
  [
    'a function over it',
    ({ email }) => `select starts_with(email, '${email.slice(0, 4)}') from customers where id = 1`,
    yes,
  ],
  ['a function in SQL', ({ email }) => `select customer_email(1) = '${email}'`, yes],
  ['overlap of arrays', ({ email }) => `select array['${email}'] && array(select email from customers)`, yes],
  [
    'count of distinct',
    ({ email }) =>
      `select 9 - count(distinct x) from (select '${email}' as x union all select email from customers) y`,
    one,
  ],
  [
    'rank within',
    ({ email }) =>
      `select rank('${email.slice(0, 9)}~') within group (order by email) - rank('${email.slice(0, 9)}') within group (order by email) from customers`,
    one,
  ],
];

export const ORACLES: readonly Try[] = [
  ...PREDICATES.map(([title, text, bit]) => oracle(`an oracle by ${title}`, text, bit)),
  ...VALUES.map(([title, text, bit]) => oracle(`an oracle of a value by ${title}`, text, bit)),
];

function oracle(title: string, text: Oracle[1], bit: Bit): Try {
  return tells(
    title,
    (guess) => {
      const steps = text(guess);
      return typeof steps === 'string' ? [steps] : steps;
    },
    bit,
  );
}
