/**
 * A customer and reranking database, as it grows in a company: every type that a personal value is kept in, and
 * every object through which it can come back.
 *
 * What {@link MASKED_COLUMNS} names is masked. What holds the same values elsewhere (children, partitions,
 * generated columns, the materialized view) has to be found by whoever masks.
 */

import { type Secrets, makeSecrets, SEED } from './canaries.ts';

/** As a Mask names them. */
export const MASKED_COLUMNS: readonly string[] = [
  'customers.email',
  'customers.phone',
  'customers.national_id',
  'customers.card',
  'customers.notes',
  'customers.ssn',
  'customers.secret',
  'customers.profile',
  'customers.aliases',
  'customers.address',
  'customers.account_no',
  'customers.risk',
  'customers.birth_date',
  'newsletter.email',
  'public.audit.payload',
  '*.recovery_code',
];

/** Everything, with these secrets. */
export function schemaWith(secrets: readonly Secrets[] = makeSecrets(SEED)): string {
  return [DEFINITIONS, PLAIN_DATA, customersOf(secrets), BEHIND_DATA].join('\n');
}

/** Gives customers other secrets, or the same once more: either way each row is written once. */
export function rewriteSecrets(secrets: readonly Secrets[]): string {
  const rows = secrets.map((one, at) => `(${at + 1}, ${secretValues(one).join(', ')})`);
  return `
alter table newsletter disable trigger all;
alter table customers disable trigger all;
alter table customers_vip disable trigger user;
update customers c set email = v.email, phone = v.phone, national_id = v.national_id, card = v.card,
  notes = v.notes, ssn = v.ssn::tax_number, secret = v.secret, profile = v.profile, aliases = v.aliases,
  address = v.address, account_no = v.account_no, risk = v.risk, birth_date = v.birth_date
  from (values ${rows.join(',\n')}) as v(id, ${SECRET_COLUMNS}) where c.id = v.id;
update newsletter n set email = c.email from customers c where c.id = n.customer_id;
update vault.credentials r set recovery_code = v.code
  from (values ${secrets.map((one, at) => `(${at + 1}, '${one.recoveryCode}')`).join()}) v(id, code)
  where r.id = v.id;
update audit a set payload = v.payload
  from (values ${secrets.map((one, at) => `(${at + 1}, '${one.payload}')`).join()}) v(id, payload)
  where a.id = v.id;
alter table newsletter enable trigger all;
alter table customers enable trigger all;
alter table customers_vip enable trigger user;
refresh materialized view customer_contacts;
`;
}

const SECRET_COLUMNS =
  'email, phone, national_id, card, notes, ssn, secret, profile, aliases, address, account_no, risk, birth_date';

function secretValues(one: Secrets): readonly string[] {
  return [
    `'${one.email}'`,
    `'${one.phone}'`,
    `'${one.nationalId}'`,
    `'${one.card}'`,
    `'${one.notes}'`,
    `'${one.ssn}'`,
    `'${one.secret}'::bytea`,
    `'{"maiden": "${one.maiden}", "newsletter": true}'::jsonb`,
    `array['${one.aliases.join("', '")}']`,
    `row('${one.street}', '10115')::postal`,
    `${one.account}::bigint`,
    `'${one.risk}'::risk_class`,
    `date '${one.born}'`,
  ];
}

const NAMES = ['Ada', 'Ben', 'Cleo', 'Dev', 'Eva', 'Finn', 'Gil', 'Hana'];
const CITIES = ['Berlin', 'Lyon', 'Porto', 'Graz'];

/** The last two are of the child table. */
function customersOf(secrets: readonly Secrets[]): string {
  const lines = secrets.map((one, at) => {
    const table = at < 6 ? 'customers' : 'customers_vip';
    const values = [at + 1, `'${NAMES[at]} ${CITIES[at % 4]}'`, `'${CITIES[at % 4]}'`, ...secretValues(one)];
    return `insert into ${table} (id, name, city, ${SECRET_COLUMNS}) values (${values.join(', ')});`;
  });
  const others = secrets.map(
    (one, at) => `
insert into vault.credentials values (${at + 1}, 'login${at + 1}', '${one.recoveryCode}');
insert into audit (id, happened, actor, payload) values (${at + 1}, '202${5 + (at % 2)}-03-0${at + 1}', 'loader', '${one.payload}');`,
  );
  return [
    ...lines,
    ...others,
    `insert into newsletter (email, customer_id, topic)
       select c.email, c.id, t from only customers c, unnest(array['news', 'offers', 'rerank']) t order by c.id, t;`,
    `insert into orders (id, customer_id, total, state, placed)
       select g, 1 + g % 6, g * 12.5, (array['new', 'paid', 'sent'])[1 + g % 3], timestamptz '2026-01-01' + g * interval '1 day'
       from generate_series(1, 40) g;`,
  ].join('\n');
}

const DEFINITIONS = `
create schema vault;
create type risk_class as enum ('low', 'medium', 'high');
create type postal as (street text, zip text);
create type pair as (a text, b text);
create domain tax_number as text check (value ~ '^[0-9]{3}-[0-9]{2}-[0-9]{4}$');
create table customers (
  id integer primary key, name text not null, city text, created timestamptz not null default '2026-01-01',
  email text not null unique, phone varchar(24) check (phone like '+%'), national_id char(16) unique,
  card text check (length(card) = 16), notes text, ssn tax_number, secret bytea, profile jsonb, aliases text[],
  address postal, account_no bigint, risk risk_class, birth_date date,
  email_key text generated always as (lower(email)) stored,
  label text generated always as (name || ' <' || email || '>') stored);
create table customers_vip (perk text default 'lounge') inherits (customers);
create table newsletter (
  id serial primary key, email text references customers (email) on update cascade, customer_id integer, topic text);
create table vault.credentials (id integer primary key, login text, recovery_code text);
create table audit (id bigint, happened date not null, actor text, payload text) partition by range (happened);
create table audit_2025 partition of audit for values from ('2025-01-01') to ('2026-01-01');
create table audit_2026 partition of audit for values from ('2026-01-01') to ('2027-01-01');
create table orders (
  id integer primary key, customer_id integer references customers, total numeric(12, 2), state text,
  placed timestamptz, comment text);
create table documents (
  id integer primary key, title text not null, body text, language text, tags text[], meta jsonb, embedding real[],
  published date);
create table queries (id integer primary key, words text not null, asked timestamptz default '2026-02-02');
create table ranking_scores (
  query_id integer references queries, document_id integer references documents, score double precision, model text,
  primary key (query_id, document_id));
create table scratch (id integer primary key, note text unique, amount numeric, bytes bytea, words text[], doc jsonb);
create table inbox (id integer, word text);
create table outbox (id integer, word text);
create table tickets (id integer, owner_email text, subject text);
create sequence job_numbers;

create view v_customers as select id, name, city, email as contact from customers;
create view v_contacts as select contact, name from v_customers where city <> 'Nowhere';
create view v_orders as select o.id, o.total, o.state, c.name from orders o join customers c on c.id = o.customer_id;
create view v_rankings as select q.words, d.title, r.score from ranking_scores r
  join queries q on q.id = r.query_id join documents d on d.id = r.document_id;

create function customer_email(integer) returns text language sql stable as 'select email from customers where id = $1';
create function customer_lookup(wanted integer) returns text language plpgsql security definer as
  $$ declare found_it text; begin select c.email into found_it from customers c where c.id = wanted; return found_it; end $$;
create function all_customers() returns setof customers language sql stable as 'select * from customers';
create function open_customers() returns refcursor language plpgsql as
  $$ declare c refcursor := 'customers_cursor'; begin open c for select id, email from customers; return c; end $$;
create function shout(text) returns text language plpgsql as $$ begin raise notice 'heard %', $1; return 'ok'; end $$;
create function remember(text) returns text language plpgsql immutable as $$ begin return $1; end $$;
create function dotted(integer) returns text language sql stable as $$ select 'no. ' || $1 $$;
create function same_word(text, text) returns boolean language plpgsql as
  $$ begin raise notice 'compared % with %', $1, $2; return $1 operator(pg_catalog.=) $2; end $$;
create operator ==== (leftarg = text, rightarg = text, procedure = same_word);
create type wrapped as (inside text);
create function wrap(text) returns wrapped language plpgsql as $$ begin raise notice 'wrapped %', $1; return row($1)::wrapped; end $$;
create cast (text as wrapped) with function wrap(text) as assignment;
create function collect(state text, word text) returns text language sql immutable as $$ select state || ',' || coalesce(word, '') $$;
create aggregate collected(text) (sfunc = collect, stype = text, initcond = '');
create function keep_history() returns trigger language plpgsql as
  $$ begin insert into audit values (old.id, date '2026-06-06', 'trigger', old.email); return new; end $$;
create trigger keep_history after update of email on customers for each row execute function keep_history();
create rule forward as on insert to inbox do also
  insert into outbox select new.id, c.email from customers c where c.id = new.id;
do $$ begin create role app nologin; exception when duplicate_object then null; end $$;
grant usage on schema public, vault to app;
grant all on all tables in schema public, vault to app;
grant execute on all functions in schema public to app;
alter table tickets enable row level security;
create policy own_tickets on tickets for all to app
  using (exists (select 1 from customers c where c.email = tickets.owner_email and c.city = 'Berlin'));
`;

const PLAIN_DATA = `
insert into documents
  select g, 'Document ' || g, repeat('body of ' || g || ' ', 3), (array['en', 'de', 'fr'])[1 + g % 3],
    array['t' || g % 4, 'all'], jsonb_build_object('pages', g, 'draft', g % 2 = 0), array[g, g / 2.0, 1]::real[],
    date '2026-01-01' + g
  from generate_series(1, 30) g;
insert into queries select g, 'what is ' || g from generate_series(1, 12) g;
insert into ranking_scores select q, d, 1.0 / (1 + abs(q - d)), 'm' || q % 2
  from generate_series(1, 12) q, generate_series(1, 10) d;
insert into scratch select g, 'note ' || g, g * 1.5, decode('00ff', 'hex'), array['a', 'b'], '{"k": 1}'
  from generate_series(1, 5) g;
insert into tickets values (1, 'nobody@mail.example', 'Broken'), (2, null, 'Late');
`;

const BEHIND_DATA = `
create materialized view customer_contacts as select id, name, email from customers;
create unique index on customer_contacts (id);
create index customers_city on customers (city);
create index orders_customer on orders (customer_id);
create statistics newsletter_words (mcv) on email, topic from newsletter;
analyze;
`;
