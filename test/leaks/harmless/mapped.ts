/** What object mappers and BI tools make of one question: a customer's columns, by id or by what is not masked. */

import type { Harmless } from './harmless.ts';

const MASKED = [
  'email',
  'phone',
  'national_id',
  'card',
  'notes',
  'ssn',
  'secret',
  'profile',
  'aliases',
  'address',
  'account_no',
  'risk',
  'birth_date',
  'email_key',
  'label',
] as const;

/** A mapper's text for one column; `as` is the name under which it comes. */
type Mapper = (column: string) => {
  readonly text: string;
  readonly values?: readonly string[];
  readonly as?: string;
};

const MAPPERS: readonly (readonly [string, Mapper])[] = [
  [
    'Django',
    (c) => ({
      text: `SELECT "customers"."id", "customers"."name", "customers"."${c}" FROM "customers" WHERE "customers"."id" = 1 LIMIT 21`,
    }),
  ],
  [
    'SQLAlchemy',
    (c) => ({
      text: `SELECT customers.id AS customers_id, customers.${c} AS customers_${c} \nFROM customers \nWHERE customers.city = $1::VARCHAR ORDER BY customers.id`,
      values: ['Berlin'],
      as: `customers_${c}`,
    }),
  ],
  [
    'ActiveRecord',
    (c) => ({
      text: `SELECT "customers"."id", "customers"."${c}" FROM "customers" WHERE "customers"."id" = $1 LIMIT $2`,
      values: ['2', '1'],
    }),
  ],
  [
    'Hibernate',
    (c) => ({
      text: `select c1_0.id,c1_0.city,c1_0.${c} from customers c1_0 where c1_0.id in ($1,$2)`,
      values: ['1', '3'],
    }),
  ],
  [
    'Prisma',
    (c) => ({
      text: `SELECT "public"."customers"."id", "public"."customers"."${c}" FROM "public"."customers" WHERE 1=1 ORDER BY "public"."customers"."id" ASC OFFSET $1`,
      values: ['0'],
    }),
  ],
  [
    'Sequelize',
    (c) => ({
      text: `SELECT "id", "name", "${c}" FROM "customers" AS "Customer" WHERE "Customer"."city" = 'Lyon' ORDER BY "Customer"."id" ASC;`,
    }),
  ],
  [
    'TypeORM',
    (c) => ({
      text: `SELECT "c"."id" AS "c_id", "c"."${c}" AS "c_${c}" FROM "customers" "c" LEFT JOIN "orders" "o" ON "o"."customer_id" = "c"."id" WHERE "o"."state" = $1 ORDER BY "c"."id", "o"."id"`,
      values: ['paid'],
      as: `c_${c}`,
    }),
  ],
  [
    'Metabase',
    (c) => ({
      text: `SELECT "source"."id" AS "id", "source"."${c}" AS "${c}" FROM (SELECT "public"."customers"."id" AS "id", "public"."customers"."${c}" AS "${c}", "public"."customers"."city" AS "city" FROM "public"."customers") AS "source" WHERE "source"."city" = 'Porto' ORDER BY "source"."id" LIMIT 1048575`,
    }),
  ],
  [
    'a report',
    (c) => ({
      text: `with recent as (select customer_id, max(placed) as last from orders group by customer_id) select c.name, c.${c}, r.last from customers c join recent r on r.customer_id = c.id order by c.id`,
    }),
  ],
  ['an export', (c) => ({ text: `select id, ${c} from only customers order by id` })],
];

/** Other relations that show what is masked. */
const RELATIONS: readonly (readonly [text: string, masked: readonly string[], values?: readonly string[]])[] =
  [
    ['select * from customers order by id', MASKED],
    ['SELECT "customers".* FROM "customers" WHERE "customers"."id" = $1 LIMIT $2', MASKED, ['1', '1']],
    ['select * from customers_vip order by id', MASKED],
    ['select name, email, phone from customers where id = 4', ['email', 'phone']],
    ['select * from newsletter order by id', ['email']],
    ['select id, email, topic from newsletter where topic = $1 order by id', ['email'], ['news']],
    [
      'select topic, customer_id, email from newsletter where customer_id between 1 and 3 order by id',
      ['email'],
    ],
    ['select * from vault.credentials order by id', ['recovery_code']],
    ['select login, recovery_code from vault.credentials where id = 1', ['recovery_code']],
    ['select * from audit order by happened, id', ['payload']],
    ["select happened, actor, payload from audit where happened >= '2026-01-01' order by id", ['payload']],
    ['select * from audit_2025 order by id', ['payload']],
    ['select * from v_customers order by id', ['contact']],
    ["select name, contact from v_customers where city = 'Graz' order by id", ['contact']],
    ['select * from v_contacts order by name', ['contact']],
    ['select * from customer_contacts order by id', ['email']],
    ['select id, email from customer_contacts where id = 2', ['email']],
    [
      'select o.id, o.total, c.name, c.email from orders o join customers c on c.id = o.customer_id order by o.id',
      ['email'],
    ],
    [
      'select o.id, c.* from orders o join customers c on c.id = o.customer_id where o.id < 5 order by o.id',
      MASKED,
    ],
    [
      "select c.id, c.email, n.topic from customers c left join newsletter n on n.customer_id = c.id and n.topic = 'offers' order by c.id",
      ['email'],
    ],
    [
      'select c.email, l.total from customers c cross join lateral (select sum(total) as total from orders o where o.customer_id = c.id) l order by c.id',
      ['email'],
    ],
    [
      'select email, phone, card from customers where id = any ($1::int[]) order by id',
      ['email', 'phone', 'card'],
      ['{1,2,5}'],
    ],
    [
      'select x.email from (select id, email from customers where id < 4 order by id limit 2) x order by x.id',
      ['email'],
    ],
    [
      'select c.email as customer_email, c.phone as customer_phone from customers as c where c.id = 1',
      ['customer_email', 'customer_phone'],
    ],
    ['table customers', MASKED],
    [
      "select id, name, email, created::date from customers where created > '2025-01-01' order by id",
      ['email'],
    ],
    ['select id, email, row_number() over (order by id) from customers', ['email']],
    ['select id, email, count(*) over () from customers order by id limit 3', ['email']],
    ['select id, coalesce(city, $1), email from customers order by id', ['email'], ['?']],
    ['select id, email from customers union all select id, email from customers_vip order by id', ['email']],
    ['begin; select id, email from customers order by id; commit', ['email']],
  ];

export const MAPPED: readonly Harmless[] = [
  ...MAPPERS.flatMap(([mapper, make]) =>
    MASKED.map((column) => {
      const { text, values, as = column } = make(column);
      return {
        title: `${mapper}: ${column}`,
        text,
        masked: [as],
        ...(values === undefined ? {} : { values }),
      };
    }),
  ),
  ...RELATIONS.map(([text, masked, values]) => ({
    title: text,
    text,
    masked,
    ...(values === undefined ? {} : { values }),
  })),
];
