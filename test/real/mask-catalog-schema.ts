/** A database in which values of a column get into others in every way that a catalog knows of. */
export const MASK_SCHEMA = `
create table people (id integer, email text, mail_length integer generated always as (length(email)) stored);
create table staff (room text) inherits (people);
create table bosses (own integer generated always as (length(email) + 1) stored) inherits (staff);

create schema shop;
create table shop.people (id integer, email text, note text);

create table orders (id integer, card text, region text) partition by list (region);
create table orders_1 partition of orders for values in ('a');
create table orders_2 (gone text, region text, card text, id integer) partition by range (id);
alter table orders_2 drop gone;
alter table orders attach partition orders_2 for values in ('b');
create table orders_2_1 partition of orders_2 for values from (0) to (10);

create table dropped (id integer, secret text, "left" text);
alter table dropped drop secret;
alter table dropped drop id;

create view people_view as select email as mail, id from people;
create materialized view mails as select id, mail as address, p::text as whole from people_view v
  join lateral (select * from people q where q.id = v.id) p using (id);
create materialized view more_mails as select address, 1 as one from mails;
create materialized view harmless as select id as n from people;
create materialized view statistics as select s.schemaname as who, s.histogram_bounds::text as values from pg_stats s;

create function unclear(integer) returns integer language plpgsql immutable as 'begin return $1; end';
create table unclear (id integer, made integer generated always as (unclear(id)) stored);
create materialized view unclear_view as select unclear(id) as x, id from people;

create schema "Odd Schema";
create table "Odd Schema"."Ünï ""q""" ("E.Mail" text, "𝒳漢" text, plain text);

create role stranger login password 'stranger';
create schema bad;
grant usage on schema bad to public;
create function bad.never(oid, oid) returns boolean language sql as 'select false';
create operator bad.= (leftarg = oid, rightarg = oid, procedure = bad.never);
create function bad.never(name, name) returns boolean language sql as 'select false';
create operator bad.= (leftarg = name, rightarg = name, procedure = bad.never);
create function bad.length(text) returns integer language sql as 'select 0';
create table bad.pg_class (oid oid);
create function bad.jsonb_agg(text) returns text language sql as 'select null::text';
`;
