/** Tables that are watched, and every path by which something else writes to them. */

/** Whose rows the rule counts. */
export const WATCHED: readonly string[] = ['scores', 'parts', 'kin', 'items', 'loose'];
const LEAVES = ['scores', 'parts_lo', 'parts_hi_1', 'parts_hi_2', 'kin', 'kin_child', 'items', 'loose'];

const UP = 'update scores set score = score + 1';

export const SCHEMA = `
create table scores(id int primary key, score int not null default 0, kind int not null default 9);
create table parts(id int primary key, score int not null default 0) partition by range (id);
create table parts_lo partition of parts for values from (0) to (100);
create table parts_hi partition of parts for values from (100) to (300) partition by range (id);
create table parts_hi_1 partition of parts_hi for values from (100) to (200);
create table parts_hi_2 partition of parts_hi for values from (200) to (300);
create table kin(id int, score int);
create table kin_child(extra int) inherits (kin);
create table owners(id int primary key);
create table items(id int primary key, owner int references owners on delete cascade on update cascade);
create table loose(id int primary key, owner int references owners on delete set null on update set null);
create table src_row(id int);
create table src_statement(id int);
create table src_before(id int);
create table src_chain(id int);
create table src_chain_2(id int);
create table src_deferred(id int);
create table src_deferred_2(id int);
create table src_rule(id int);
create table src_upsert(id int primary key, n int default 0);
create table plain(id int);

create function f_row() returns trigger language plpgsql as $$begin ${UP} where id = new.id; return new; end$$;
create trigger t after insert on src_row for each row execute function f_row();
create function f_statement() returns trigger language plpgsql as
  $$begin ${UP} where id in (select id from added); return null; end$$;
create trigger t after insert on src_statement referencing new table as added
  for each statement execute function f_statement();
create function f_before() returns trigger language plpgsql as
  $$begin insert into scores values (new.id + 1000, 1); return null; end$$;
create trigger t before insert on src_before for each row execute function f_before();
create function f_chain() returns trigger language plpgsql as
  $$begin insert into src_chain_2 values (new.id), (new.id + 1); return new; end$$;
create trigger t after insert on src_chain for each row execute function f_chain();
create trigger t after insert on src_chain_2 for each row execute function f_row();
create constraint trigger t after insert on src_deferred deferrable initially deferred
  for each row execute function f_row();
create function f_deferred_2() returns trigger language plpgsql as
  $$begin insert into src_deferred values (new.id); return new; end$$;
create constraint trigger t after insert on src_deferred_2 deferrable initially deferred
  for each row execute function f_deferred_2();
create rule also as on insert to src_rule do also ${UP} where id <= new.id;
create function f_upsert() returns trigger language plpgsql as
  $$begin ${UP} where id = new.id; return new; end$$;
create trigger t after insert or update on src_upsert for each row execute function f_upsert();

create view easy as select id, score from scores where id <= 20;
create view hard as select id, max(score) as score from scores group by id;
create function f_instead() returns trigger language plpgsql as $$begin
  if tg_op = 'INSERT' then insert into scores values (new.id, new.score); return new; end if;
  if tg_op = 'UPDATE' then update scores set score = new.score where id = old.id; return new; end if;
  delete from scores where id = old.id; return old;
end$$;
create trigger t instead of insert or update or delete on hard for each row execute function f_instead();
create view ruled as select * from scores;
create rule gone as on delete to ruled do instead update scores set score = -1 where id = old.id;

create function f_sql(n int) returns bigint language sql as
  $$with u as (${UP} where id <= n returning 1) select count(*) from u$$;
create function f_plpgsql(n int) returns int language plpgsql as
  $$begin for i in 1..n loop ${UP} where id = i; end loop; return n; end$$;
create function f_caught(n int) returns int language plpgsql as $$begin
  begin ${UP} where id <= n; raise exception 'no'; exception when others then null; end;
  ${UP} where id <= 3; return n;
end$$;
create function f_dynamic(n int) returns void language plpgsql as
  $$begin execute format('delete from %I where id <= $1', 'scores') using n; end$$;
create function f_definer(n int) returns void language sql security definer set search_path = public as
  $$${UP} where id <= n$$;
create procedure p_add(n int) language plpgsql as $$begin ${UP} where id <= n; end$$;
create procedure p_nested(n int) language plpgsql as $$begin call p_add(n); call p_add(n); end$$;

create sequence audited;
create function audit() returns trigger language plpgsql as $$begin perform nextval('audited'); return null; end$$;
create procedure reset() language plpgsql as $$begin
  truncate ${WATCHED.join(', ')}, owners, src_row, src_statement, src_before, src_chain, src_chain_2,
    src_deferred, src_deferred_2, src_rule, src_upsert, plain;
  insert into scores select g, 0, case when g = 7 then 1 else 9 end from generate_series(1, 40) g;
  insert into parts select g from generate_series(81, 90) g;
  insert into parts select g from generate_series(151, 160) g;
  insert into parts select g from generate_series(251, 260) g;
  insert into kin select g from generate_series(1, 10) g;
  insert into kin_child select g from generate_series(11, 20) g;
  insert into owners select g from generate_series(1, 5) g;
  insert into items select g, 1 + g % 5 from generate_series(1, 25) g;
  insert into loose select g, 1 + g % 5 from generate_series(1, 20) g;
  insert into src_upsert select g from generate_series(1, 3) g;
  -- What the planner believes is wrong by far.
  update pg_class set reltuples = 1, relpages = 1 where relname in ('scores', 'parts_lo', 'items');
  update pg_class set reltuples = 1e7, relpages = 1000 where relname in ('kin', 'parts_hi_1');
end$$;
`;

/** In a transaction that is rolled back: each row that is written takes a number that does not come back. */
export const AUDIT: string = [
  ...LEAVES.map(
    (leaf) =>
      `create trigger zz_audit after insert or update or delete on ${leaf} for each row execute function audit()`,
  ),
  `select setval('audited', 1, false)`,
].join(';\n');

export const AUDITED = 'select case when is_called then last_value else 0 end::int as n from audited';

/** All that is in the watched tables. */
export const CONTENTS = `select md5(string_agg(x.t, E'\\n' order by x.t)) as contents from (${WATCHED.map(
  (table) => `select '${table} ' || tableoid::regclass || ' ' || t::text as t from ${table} t`,
).join(' union all ')}) x`;
