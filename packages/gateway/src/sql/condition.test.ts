/** Which conditions cannot tell one row of the table from another. */

import { beforeAll, describe, expect, it } from 'vitest';
import type { Parser } from './parser.ts';
import { readText } from './read-text.ts';
import { testingOnlyParser } from './testing-parser.ts';

let parser: Parser;

beforeAll(async () => {
  parser = await testingOnlyParser();
});

function isUnqualified(statement: string): boolean {
  const read = readText(new TextEncoder().encode(statement), parser);
  if (read.kind !== 'read') throw new Error(`${statement}: ${JSON.stringify(read)}`);
  return read.statements.some(({ effects }) => effects.some(({ effect }) => effect.endsWith('-unqualified')));
}

/** Of `DELETE FROM t WHERE …`. */
const SAME_FOR_ALL = [
  'true',
  "'t'",
  "'yes'::boolean",
  'not false',
  'not (1 = 2)',
  '1 = 1',
  '1=1 and 2=2',
  "'a' = 'a'",
  "'a' like 'a'",
  'now() > $$2020-01-01$$',
  "current_date > '2000-01-01'",
  'random() < 2',
  "current_user = 'ana'",
  '$1',
  '$1 = $2',
  'exists (select 1)',
  'exists (select)',
  'exists (values (1))',
  'exists (table u)',
  'exists (select 1 from u)',
  'exists (select 1 from u where u.id = 5)',
  'exists (select 1 from u where id = 5)',
  'exists (select 1 from (select 2 as a) s where s.a = 2)',
  'exists (select 1 from u union select 2 from v where v.a = 1)',
  'not exists (select 1 from u)',
  '(select true)',
  '(select id = id)',
  '(select count(*) from t) > 0',
  '1 in (select 1)',
  '1 in (1, 2)',
  '1 = any (array[1])',
  '2 between 1 and 3',
  'id = id',
  'id=(id)',
  't.id = id',
  'id = t.id',
  'id::text = id::text',
  'id = id::bigint',
  'cast(id as text) = id::text',
  'id + 0 = id',
  'id = 0 + id',
  'id * 1 = id',
  'id - id = 0',
  'id * 0 = 0',
  "name || '' = name",
  'name collate "C" = name',
  'id >= id',
  'id <= id',
  'not (id <> id)',
  'not (id < id) or true',
  'id is not distinct from id',
  'id in (id)',
  'id in (1, id)',
  'id = any (array[id])',
  'id between id and id',
  '(id, name) = (id, name)',
  't = t',
  'int4eq(id, id)',
  'id is null or id is not null',
  'id is not null or true',
  'true or id = 1',
  'id = 1 or 1 = 1',
  'id = 1 or not false',
  'id = 1 or id <> 1',
  'id = 1 or id != 1',
  'id = 1 or not id = 1',
  'id < 5 or id >= 5',
  'id > 5 or id <= 5',
  'id > 5 or 5 >= id',
  "name like 'a%' or name not like 'a%'",
  'id in (1, 2) or id not in (1, 2)',
  'id between 1 and 2 or id not between 1 and 2',
  'done is true or done is not true',
  'done or not done',
  'id is distinct from 5 or id is not distinct from 5',
  'not (id is null and id is not null)',
  'id = 1 or $1',
  'ctid is not null',
  'not (ctid is null)',
  'xmin is not null',
  "ctid > '(0,0)'",
  "ctid >= '(0,0)'::tid",
  "ctid <> '(0,0)'",
  "tableoid = 't'::regclass",
  'coalesce(true, id = 1)',
  'coalesce(id, 1) is not null',
  '(id = 5) is null or true',
  '(id is null) is not null',
  '(id = null) is null',
  '(id = 5) is not unknown',
  '(id = id) is true',
  '(id <> id) is not true',
  'case when true then true else id = 1 end',
  'case when id = 1 then true else true end',
  'case when $1 then true else id = 1 end',
  'case when 1 = 2 then id = 1 else true end',
  'case id when 1 then true else true end',
  "name like '%'",
  "name ilike '%%'",
  "name ~ ''",
  "name ~ '.*'",
  'abs(id) >= 0',
  '0 <= abs(id)',
  'length(name) >= 0',
  'length(name) > -1',
  "at > '-infinity'",
  "at <= 'infinity'::timestamptz",
  'id > -2147483648',
  'id <= 9223372036854775807',
  "id <> all ('{}')",
  'id <> all (array[]::int[])',
  "not (id = any ('{}'))",
  'id in (select id from t)',
  'id in (select t2.id from t as t2)',
  'id in (select id from t where true)',
  'id = any (select id from t)',
  'id = any (array(select id from t))',
  'ctid in (select ctid from public.t)',
  'exists (select 1 from t as u where u.id = t.id)',
  'exists (select id)',
  'exists (select count(*) from u where u.t_id = t.id)',
  'exists (select max(u.a) from u where u.t_id = t.id)',
  'exists (select t.id from u)',
  'id = (select id)',
  '(select t.id) = id',
  'id in (select t.id)',
  'id in (values (1), (id))',
  'length(name) between 0 and 2147483647',
  'id operator(pg_catalog.=) id',
  'lower(name) = lower(name)',
];

/** Of the same. */
const TELLS_APART = [
  'id = 1',
  '1 = id',
  'id = $1',
  'id in (1, 2)',
  'id = any ($1)',
  "id = any ('{1,2}')",
  'not (id = 1)',
  'id is null',
  'id between 1 and 2',
  'id between symmetric 2 and 1',
  'id not between 1 and 2',
  'id is not null',
  'deleted_at is not null',
  'id = 1 and true',
  'id = 1 and 1 = 1',
  'id = 1 and $1',
  'id = 1 or id = 2',
  'id = 1 or false',
  'id = 1 or 1 = 2',
  'id > 0',
  'a = b',
  'id <> parent',
  'done',
  'not done',
  'done is true',
  "name like 'a%'",
  "name like '%a%'",
  "name ~ 'a'",
  "ctid = '(0,1)'",
  'ctid in (select ctid from t limit 10)',
  'id in (select id from t limit 10)',
  'id in (select id from t where done)',
  'id in (select id from t order by id offset 5)',
  'id in (select parent from t)',
  'id in (select t_id from u)',
  'id not in (select t_id from u where t_id is not null)',
  'exists (select 1 from u where u.t_id = t.id)',
  'not exists (select 1 from u where u.t_id = t.id)',
  'exists (select 1 from u where t_id = t.id and u.done)',
  'exists (select 1 from t as u where u.name = t.name and u.id < t.id)',
  'exists (select 1 from t as u where u.id = t.id and u.score < 5)',
  'exists (select 1 from (select 1) s, u where u.id = t.id)',
  'id = (select max(id) from t)',
  'id in (values (1), (2))',
  'length(name) between 0 and 0',
  'exists (select count(*) from u where u.t_id = t.id having count(*) > 1)',
  'exists (select count(*) over () from u where u.t_id = t.id)',
  'id in (select 1)',
  'id = (select 1)',
  'length(name) between 1 and 2147483647',
  'id between 1 and 2147483647',
  'id < (select avg(id) from t)',
  'score < 0.5 and updated_at < now()',
  "updated_at < now() - interval '1 day'",
  'coalesce(done, false)',
  'case when id = 1 then true else false end',
  'case id when 1 then true end',
  'case when id = 1 then true when true then false end',
  'case when done then 1 else 2 end = 2',
  'length(name) > 5',
  'abs(id) >= 1',
  "at > '2020-01-01'",
  '(id, name) = (1, $1)',
  '(id, name) in ((1, 2), (3, 4))',
  'current of c',
  "tags @> '{a}'",
  "data->>'a' = 'b'",
  'lower(email) = lower($1)',
  'date_trunc($$day$$, at) = current_date',
];

const WITH_OTHERS: readonly (readonly [statement: string, unqualified: boolean])[] = [
  ['delete from t', true],
  ['update t set a = 1', true],
  ['delete from only t as x where x.id = 1', false],
  ['delete from t as x where x.id = x.id', true],
  ['delete from t using u', true],
  ['delete from t using u where u.id = 5', true],
  ['delete from t using u where t.id = u.id', false],
  ['delete from t using t as u where t.id = u.id', true],
  ['delete from t using t as u where u.id = 5', true],
  ['delete from t using t as u where t.id = u.id and u.score < 5', false],
  ['delete from t using t as u where t.email = u.email and t.id > u.id', false],
  ['delete from t using t as u where t.email = u.email and t.id <> u.id', false],
  ['delete from t using (select id from t) u where t.id = u.id', true],
  ['delete from t using (select id from t where done) u where t.id = u.id', false],
  ['delete from t using (select id from t limit 5) u where t.id = u.id', false],
  ['update t set a = u.a from u where u.b = 1', true],
  ['update t set a = u.a from u join v on u.id = v.id where v.b = 1', true],
  ['update t set a = u.a from u where u.id = t.u_id', false],
  ['update t set a = u.a from (values (1, 2)) as u(id, a) where u.id = t.id', false],
  ['update t set a = (select a from u where u.id = t.id)', true],
  [
    'update t set a = (select a from u where u.id = t.id) where exists (select from u where u.id = t.id)',
    false,
  ],
  ['merge into t using u on t.id = u.id when matched then delete', false],
  ['merge into t using u on true when matched then delete', true],
  ['merge into t using u on u.id = 1 when matched then update set a = 1', true],
  ['merge into t using u on true when matched and t.id = 1 then delete', false],
  ['merge into t using u on t.id = u.id when not matched by source then delete', true],
  ['merge into t using u on t.id = u.id when not matched by source and t.a = 1 then delete', false],
  ['merge into t using u on true when matched then do nothing', false],
  ['insert into t values (1) on conflict (id) do update set a = 1', false],
  ['with x as (delete from t) select 1', true],
  ['with x as (delete from t where id = 1) select 1', false],
  ['explain analyze update t set a = 1 where true', true],
];

describe('a condition that is the same for all rows', () => {
  it.each(SAME_FOR_ALL)('is found: %s', (condition) => {
    expect(isUnqualified(`delete from t where ${condition}`)).toBe(true);
    expect(isUnqualified(`update t set a = 1 where ${condition}`)).toBe(true);
  });
});

describe('a condition that tells rows apart', () => {
  it.each(TELLS_APART)('is let be: %s', (condition) => {
    expect(isUnqualified(`delete from t where ${condition}`)).toBe(false);
  });
});

describe('a statement about a table among others', () => {
  it.each(WITH_OTHERS)('%s: unqualified %s', (statement, unqualified) => {
    expect(isUnqualified(statement)).toBe(unqualified);
  });
});

describe('a condition that was made to take long', () => {
  it('is taken for the same for all rows', () => {
    const nested = `${'case when ('.repeat(200)}id = 1${') then true else id = 1 end'.repeat(200)}`;
    const exists = `${'exists (select 1 from t where '.repeat(80)}id = 1${')'.repeat(80)}`;
    const lists = Array.from({ length: 20_000 }, (_, index) => `id <> ${index}`).join(' or ');
    for (const condition of [nested, exists, lists]) {
      const began = performance.now();
      isUnqualified(`delete from t where ${condition}`);
      expect(performance.now() - began).toBeLessThan(5_000);
    }
    expect(isUnqualified(`delete from t where ${nested}`)).toBe(true);
  });
});
