/** A shop, whose customers have what masks are for; views, partitions and functions that stand between. */
export const SHOP = `
create table customers (
  id integer primary key, email text not null unique, phone varchar(20), name text, note text, tags text[],
  birth date, level integer default 0);
create table orders (id integer primary key, customer_id integer references customers, total numeric, status text);
create table audit (at timestamptz default now(), what text, who text);
create view contacts as select id, email as mail, name from customers where note is distinct from 'gone';
create view deep as select c.mail, c.name || '' as called, o.total from contacts c join orders o on o.customer_id = c.id;
create view guarded with (security_barrier) as select id, email, level from customers where level > 0;
create view totals as select customer_id, count(*) as orders, sum(total) as total from orders group by customer_id;
create materialized view mat as select id, email from customers;
create table events (region text, customer_email text, amount integer) partition by list (region);
create table events_north partition of events for values in ('north');
create table people (id integer, email text);
create table staff (salary integer) inherits (people);
create table ruled (id integer, what text);
create rule ruled_insert as on insert to ruled do also insert into audit (what) values (new.what);
create view doored as select id, email from customers;
create function door() returns trigger language plpgsql as 'begin return new; end';
create trigger doored_update instead of update on doored for each row execute function door();
create function spy(text) returns text language sql volatile as 'select $1';
create function anyone() returns setof customers language sql stable as 'select * from customers';
create function some_note() returns text language sql stable as 'select email from customers limit 1';
create table defaulted (id integer, by_function text default some_note());
create function alike(text, text) returns boolean language sql immutable as 'select $1 = $2';
create operator ~~~ (leftarg = text, rightarg = text, procedure = alike);
create view operated_on as select id, email ~~~ 'x' as hit from customers;
create aggregate glued(text) (sfunc = textcat, stype = text);
create type mood as enum ('sad', 'happy');
create type pair as (a text, b integer);
create domain mail as text check (alike(value, value));
create table felt (id integer, mood mood, pair pair, mail mail, doc jsonb, x xml);
create table private (id integer, owner text, body text);
create policy private_policy on private using (owner = current_user);
alter table private enable row level security;
alter table private force row level security;
create procedure nothing_done() language sql as '';
create role shopper;
grant select, insert, update, delete on all tables in schema public to shopper;
`;
