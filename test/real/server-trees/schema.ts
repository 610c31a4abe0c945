/** A database in which names do not say what they stand for. */
export const SCHEMA = `
create table documents (id integer primary key, title text not null, owner text, body text);
create table ranking_scores (document_id integer references documents, score numeric not null default 0, note text);
create view titles as select id, title from documents where owner <> '';
create view scored as select t.title, s.score, s.document_id
  from titles t join ranking_scores s on s.document_id = t.id;

create table parts (region text, amount integer) partition by list (region);
create table parts_north partition of parts for values in ('north');
create table parts_south partition of parts for values in ('south');
create table parent (id integer);
create table child () inherits (parent);
create table numbered (id integer generated always as identity, label text);

create table trail (at timestamptz default now(), what text);
create table watched (id integer, what text);
create rule watched_insert as on insert to watched do also insert into trail (what) values (new.what);
create rule watched_delete as on delete to watched do instead update watched set what = 'gone' where id = old.id;
create table quiet (id integer);
create rule quiet_delete as on delete to quiet do instead nothing;

create function bump() returns integer language plpgsql as 'begin insert into trail (what) values (''bump''); return 1; end';
create function pure(text) returns text language sql immutable as 'select $1';
create function owned() returns integer language sql security definer as 'select 1';
create function overloaded(integer) returns text language sql immutable as 'select ''integer''';
create function overloaded(text) returns text language sql immutable as 'select ''text''';
create function listed() returns setof documents language sql stable as 'select * from documents';
create function is_positive(integer) returns boolean language sql immutable as 'select $1 > 0';
create procedure proc() language plpgsql as 'begin null; end';
create schema evil;
create function evil.lower(text) returns text language plpgsql as 'begin return ''HACK''; end';
create table evil.documents (id integer);

create function same(text, text) returns boolean language sql immutable as 'select $1 = $2';
create operator === (leftarg = text, rightarg = text, procedure = same);
create type cents as (amount integer);
create function to_text(cents) returns text language sql immutable as 'select ($1).amount::text';
create cast (cents as text) with function to_text(cents) as assignment;
create domain positive as integer check (is_positive(value));
create function longest_step(text, text) returns text language sql immutable as 'select $1';
create aggregate longest(text) (sfunc = longest_step, stype = text);

create view operated as select id from documents where title === 'x';
create view doors as select id, label from numbered join documents using (id);
create function open_door() returns trigger language plpgsql as 'begin return new; end';
create trigger doors_insert instead of insert on doors for each row execute function open_door();
create trigger documents_update after update on documents for each row execute function open_door();

create table secrets (id integer, owner text);
create function may_see(text) returns boolean language sql stable as 'select true';
create policy secrets_policy on secrets using (may_see(owner));
alter table secrets enable row level security;
alter table secrets force row level security;
create role reader;
grant select, insert, update, delete on all tables in schema public to reader;
grant usage, select on all sequences in schema public to reader;
`;
