/** Queries that nobody would write, over the columns of the battery's schema, the same for the same seed. */

import { Random } from '../fuzz/random.ts';

interface Column {
  readonly sql: string;
  readonly kind: 'text' | 'number' | 'truth';
}

/** Of `customers c`; the masked ones among them. */
const COLUMNS: readonly Column[] = [
  { sql: 'c.id', kind: 'number' },
  { sql: 'c.name', kind: 'text' },
  { sql: 'c.city', kind: 'text' },
  { sql: 'c.email', kind: 'text' },
  { sql: 'c.phone', kind: 'text' },
  { sql: 'c.national_id', kind: 'text' },
  { sql: 'c.card', kind: 'text' },
  { sql: 'c.notes', kind: 'text' },
  { sql: 'c.ssn', kind: 'text' },
  { sql: 'c.aliases[1]', kind: 'text' },
  { sql: "(c.profile ->> 'maiden')", kind: 'text' },
  { sql: '(c.address).street', kind: 'text' },
  { sql: 'c.risk::text', kind: 'text' },
  { sql: 'c.birth_date::text', kind: 'text' },
  { sql: 'c.label', kind: 'text' },
  { sql: 'c.account_no', kind: 'number' },
  { sql: 'length(c.secret)', kind: 'number' },
];

/** What else stands beside customers. */
const SOURCES: readonly string[] = [
  'customers c',
  'customers c',
  'only customers c',
  'customers_vip c',
  '(select * from customers) c',
  'customers c join orders o on o.customer_id = c.id',
  'customers c left join newsletter n on n.customer_id = c.id',
  'customers c, lateral (select count(*) as n from orders o where o.customer_id = c.id) l',
  'customers c cross join (values (1), (2)) v(x)',
];

const SHAPES: readonly ((random: Random) => string)[] = [
  (random) => `select ${some(random, 1 + random.below(4))} from ${random.pick(SOURCES)}`,
  (random) => `select ${some(random, 2)} from ${random.pick(SOURCES)} where ${truth(random, 2)}`,
  (random) =>
    `select ${some(random, 1)} from ${random.pick(SOURCES)} order by ${value(random, 2).sql} limit ${1 + random.below(5)}`,
  (random) => `select count(*), ${aggregate(random)} from ${random.pick(SOURCES)} where ${truth(random, 1)}`,
  (random) => {
    const key = value(random, 1).sql;
    return `select ${key} as k, ${aggregate(random)} from ${random.pick(SOURCES)} group by ${key} order by 1`;
  },
  (random) => `select distinct ${value(random, 2).sql} as k from ${random.pick(SOURCES)} order by 1`,
  (random) => `select exists (select 1 from ${random.pick(SOURCES)} where ${truth(random, 2)})`,
  (random) =>
    `select d.id, (select ${aggregate(random)} from customers c where ${truth(random, 1)}) as x from documents d where d.id < 4 order by 1`,
  (random) =>
    `with x as (select ${text(random, 2)} as t, c.id from ${random.pick(SOURCES)}) select t, id from x where ${random.pick(['true', "t > 'm'", 'id < 5', 'length(t) > 10'])} order by id, t`,
  (random) =>
    `select ${text(random, 1)} as t from customers c union ${random.pick(['', 'all'])} select title from documents order by 1 limit 12`,
  (random) =>
    `select c.id, ${random.pick(['row_number', 'rank', 'dense_rank'])}() over (order by ${value(random, 1).sql}) from customers c order by 1`,
  (random) =>
    `select case when ${truth(random, 2)} then ${text(random, 1)} else ${text(random, 1)} end from ${random.pick(SOURCES)}`,
  (random) =>
    `select c.name from customers c where c.id in (select c.id from ${random.pick(SOURCES)} where ${truth(random, 1)}) order by 1`,
  (random) =>
    `select g from generate_series(1, (select ${number(random, 1)} % 20 from customers c where c.id = ${1 + random.below(8)})) g`,
  (random) =>
    `explain (costs ${random.pick(['on', 'off'])}) select ${some(random, 1)} from ${random.pick(SOURCES)} where ${truth(random, 1)}`,
  (random) =>
    `update scratch s set note = ${text(random, 1)} || s.id from customers c where c.id = s.id returning s.note`,
  (random) => `update customers c set city = 'x' where ${truth(random, 1)} returning ${some(random, 1)}`,
  (random) =>
    `copy (select ${some(random, 2)} from ${random.pick(SOURCES)} where ${truth(random, 1)}) to stdout`,
];

export function randomQueries(seed: number, count: number): readonly string[] {
  const random = new Random(seed, 11);
  return Array.from({ length: count }, () => random.pick(SHAPES)(random));
}

function some(random: Random, count: number): string {
  return Array.from({ length: count }, (_, at) => `${value(random, 2).sql} as x${at}`).join(', ');
}

function value(random: Random, depth: number): Column {
  if (depth === 0 || random.oneIn(2)) return random.pick(COLUMNS);
  return random.oneIn(3)
    ? { sql: number(random, depth - 1), kind: 'number' }
    : { sql: text(random, depth - 1), kind: 'text' };
}

function text(random: Random, depth: number): string {
  if (depth === 0 || random.oneIn(3)) return random.pick(COLUMNS.filter(({ kind }) => kind === 'text')).sql;
  const inner = text(random, depth - 1);
  return random.pick([
    `upper(${inner})`,
    `reverse(${inner})`,
    `md5(${inner})`,
    `substr(${inner}, ${1 + random.below(5)}, ${1 + random.below(4)})`,
    `coalesce(${inner}, 'none')`,
    `(${inner} || ${text(random, depth - 1)})`,
    `encode(convert_to(${inner}, 'UTF8'), 'hex')`,
    `replace(${inner}, 'a', '')`,
    `to_json(${inner})::text`,
  ]);
}

function number(random: Random, depth: number): string {
  const inner = text(random, depth);
  return random.pick([
    `length(${inner})`,
    `ascii(${inner})`,
    `position('e' in ${inner})`,
    `(c.id * ${1 + random.below(9)})`,
    '(c.account_no % 97)',
  ]);
}

function truth(random: Random, depth: number): string {
  if (depth > 1 && random.oneIn(2)) {
    return `(${truth(random, depth - 1)} ${random.pick(['and', 'or'])} ${truth(random, depth - 1)})`;
  }
  const letter = String.fromCharCode(97 + random.below(26));
  return random.pick([
    `${text(random, 1)} > '${letter}'`,
    `${text(random, 1)} like '%${letter}%'`,
    `${number(random, 1)} > ${random.below(30)}`,
    `${text(random, 0)} is not null`,
    `c.id < ${random.below(9)}`,
    `c.city = 'Berlin'`,
    `${text(random, 0)} = ${text(random, 0)}`,
  ]);
}

function aggregate(random: Random): string {
  return random.pick([
    `min(${text(random, 1)})`,
    `max(${text(random, 1)})`,
    `count(distinct ${text(random, 1)})`,
    `sum(${number(random, 1)})`,
    `string_agg(${text(random, 1)}, ',' order by c.id)`,
    `bool_or(${truth(random, 1)})`,
    `array_agg(${text(random, 0)} order by c.id)`,
  ]);
}
