/** What hides code that deletes `victims`: views, operators, casts, domains, defaults, names in another schema. */

import type { Client } from 'pg';

export const HIDING_SCHEMA = `
create table victims (id integer);
insert into victims select generate_series(1, 5000);
create table plain (id integer, label text);
insert into plain values (1, 'one');
create function purge() returns integer language plpgsql as 'begin delete from public.victims; return 1; end';
create function purge(text, text) returns boolean language plpgsql as 'begin delete from public.victims; return true; end';
create function purge(plain) returns integer language plpgsql as 'begin delete from public.victims; return 1; end';
create view purging as select purge() as one;
create operator @@@ (leftarg = text, rightarg = text, procedure = purge);
create type cents as (amount integer);
create function to_cents(integer) returns cents language plpgsql as 'begin delete from public.victims; return row($1)::cents; end';
create cast (integer as cents) with function to_cents(integer) as assignment;
create function good(integer) returns boolean language plpgsql as 'begin delete from public.victims; return true; end';
create domain checked as integer check (good(value));
create type pair as (a checked);
create type checked_range as range (subtype = checked);
create function quiet(integer) returns boolean language plpgsql as $$
  begin delete from public.victims; return true; exception when read_only_sql_transaction then return true; end $$;
create domain quietly_checked as integer check (quiet(value));
create type quiet_pair as (a quietly_checked);
create schema evil;
create view evil.plain as select public.purge() as id;
create function evil.lower(text) returns text language plpgsql as 'begin delete from public.victims; return $1; end';
create view setting as select set_config('search_path', 'evil, public', false) as path;
create table ruled (id integer);
create rule ruled_rule as on insert to ruled do also delete from victims;
create type mood as enum ('fine', 'bad');
create table "größe" (id integer);
create view umlaut as select * from "größe";
create role reader login password 'reader';
grant usage on schema public, evil to reader;
grant create, temporary on database postgres to reader;
grant create on schema public to reader;
grant all on all tables in schema public, evil to reader;
`;

export async function victims(client: Client): Promise<number> {
  const { rows } = await client.query<{ count: number }>('select count(*)::int from victims');
  return rows[0]?.count ?? 0;
}
