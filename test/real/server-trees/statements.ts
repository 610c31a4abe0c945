/** Statements, and what they do to the database of schema.ts whatever their names say. */

export interface Expected {
  readonly sql: string;
  /** In the same transaction, before it. */
  readonly before?: string;
  /** Verbs of the queries that come out of it, with those of rules. */
  readonly verbs: string;
  /** Relation → its uses, sorted. */
  readonly uses?: Readonly<Record<string, string>>;
  /** Functions that are not built in. */
  readonly functions?: readonly string[];
  readonly operators?: readonly string[];
  readonly types?: readonly string[];
  /** `table.column` for INSERT and UPDATE alike. */
  readonly columns?: readonly string[];
  /** Tag of a utility statement, which PostgreSQL 15 does not say. */
  readonly utility?: string;
  /** For CREATE TABLE AS and EXPLAIN PostgreSQL 15 says nothing of what is in them. */
  readonly inner?: 'none-in-15';
  /** A query in it is not rewritten. */
  readonly unexpanded?: true;
  /** First version that has it. */
  readonly since?: number;
}

const DOCUMENTS = { documents: 'read' };
const TITLES = { documents: 'read', titles: 'read' };
const SCORED = { documents: 'read', titles: 'read', ranking_scores: 'read', scored: 'read' };

const READS: readonly Expected[] = [
  { sql: 'select 1', verbs: 'select' },
  { sql: 'values (1), (2)', verbs: 'select' },
  { sql: 'select title from documents where id = 1', verbs: 'select', uses: DOCUMENTS },
  { sql: 'table documents', verbs: 'select', uses: DOCUMENTS },
  { sql: 'select from documents', verbs: 'select', uses: DOCUMENTS },
  { sql: 'select 1 from documents as "}:relid 5"', verbs: 'select', uses: DOCUMENTS },
  { sql: 'select * from titles', verbs: 'select', uses: TITLES },
  { sql: 'select * from scored', verbs: 'select', uses: SCORED },
  {
    sql: 'select d.title, s.score from documents d left join lateral (select * from ranking_scores r where r.document_id = d.id) s on true',
    verbs: 'select',
    uses: { documents: 'read', ranking_scores: 'read' },
  },
  {
    sql: 'select title from documents where exists (select from ranking_scores where document_id = id)',
    verbs: 'select',
    uses: { documents: 'read', ranking_scores: 'read' },
  },
  {
    sql: 'with recursive t as (select id from documents union all select id + 1 from t where id < 9) search depth first by id set o cycle id set c using p select * from t',
    verbs: 'select',
    uses: DOCUMENTS,
  },
  {
    sql: "select title from documents union select note from ranking_scores except select 'x'",
    verbs: 'select',
    uses: { documents: 'read', ranking_scores: 'read' },
  },
  {
    sql: 'select owner, count(*) filter (where id > 1), grouping(owner) from documents group by rollup (owner) having count(*) > 1',
    verbs: 'select',
    uses: DOCUMENTS,
  },
  {
    sql: 'select distinct on (owner) owner, row_number() over (partition by owner order by id range between 1 preceding and current row) from documents',
    verbs: 'select',
    uses: DOCUMENTS,
  },
  { sql: 'select amount from parts', verbs: 'select', uses: { parts: 'read' } },
  { sql: 'select amount from parts_north', verbs: 'select', uses: { parts_north: 'read' } },
  { sql: 'select * from parent', verbs: 'select', uses: { parent: 'read' } },
  { sql: 'select * from documents tablesample system (10)', verbs: 'select', uses: DOCUMENTS },
  {
    sql: 'select coalesce(title, \'x\'), greatest(id, 2), nullif(id, 1), case when id > 1 then 2 end, array[id, 1], row(id, title), (array[1,2])[1], title collate "C", id is null, id is distinct from 3, (id, 1) < (2, id), current_user, title is not null is true from documents',
    verbs: 'select',
    uses: DOCUMENTS,
  },
  {
    sql: "select xmlelement(name a, title), xmlserialize(content '<a/>' as text) from documents",
    verbs: 'select',
    uses: DOCUMENTS,
  },
  { sql: "select * from xmltable('/a' passing '<a/>' columns b integer)", verbs: 'select' },
  {
    sql: "select json_object('a': 1), json_arrayagg(id) , '1' is json from documents",
    verbs: 'select',
    uses: DOCUMENTS,
    since: 16,
  },
  {
    sql: "select json_value('{\"a\":1}', '$.a' returning integer), json_query('[]', '$'), j.* from json_table('[]', '$[*]' columns (a integer path '$.a', nested path '$.b[*]' columns (c text path '$'), nested path '$.d[*]' columns (e text path '$'))) j",
    verbs: 'select',
    since: 17,
  },
  { sql: 'select id from documents for update', verbs: 'select', uses: { documents: 'lock read' } },
  {
    sql: 'select id from titles for no key update',
    verbs: 'select',
    uses: { documents: 'lock read', titles: 'lock read' },
  },
  {
    sql: 'select d.id from documents d join ranking_scores s on s.document_id = d.id for share of s skip locked',
    verbs: 'select',
    uses: { documents: 'read', ranking_scores: 'lock read' },
  },
  {
    sql: 'select * from documents',
    before: 'set local search_path = evil, public',
    verbs: 'select',
    uses: { 'evil.documents': 'read' },
  },
];

const CALLS: readonly Expected[] = [
  { sql: "select lower('A')", verbs: 'select' },
  {
    sql: "select lower('A')",
    before: 'set local search_path = evil, pg_catalog',
    verbs: 'select',
    functions: ['evil.lower(text)'],
  },
  { sql: 'select bump()', verbs: 'select', functions: ['bump()'] },
  {
    sql: "select overloaded(1), pure('x')",
    verbs: 'select',
    functions: ['overloaded(integer)', 'pure(text)'],
  },
  { sql: "select overloaded('x')", verbs: 'select', functions: ['overloaded(text)'] },
  { sql: 'select owned()', verbs: 'select', functions: ['owned()'] },
  {
    sql: 'select l.title from listed() with ordinality l, rows from (generate_series(1, 2), listed()) r',
    verbs: 'select',
    functions: ['listed()'],
  },
  {
    sql: "select 1 from documents where title === 'x'",
    verbs: 'select',
    uses: DOCUMENTS,
    functions: ['same(text,text)'],
    operators: ['===(text,text)'],
  },
  {
    sql: "select 'x' === any (array['y'])",
    verbs: 'select',
    functions: ['same(text,text)'],
    operators: ['===(text,text)'],
  },
  { sql: 'select row(1)::cents::text', verbs: 'select', functions: ['to_text(cents)'] },
  { sql: 'select 5::positive', verbs: 'select', types: ['positive'] },
  { sql: 'select id::text::positive from documents', verbs: 'select', uses: DOCUMENTS, types: ['positive'] },
  { sql: 'select array[1]::positive[]', verbs: 'select', types: ['positive'] },
  {
    sql: 'select longest(title), longest(title) over () from documents group by title',
    verbs: 'select',
    uses: DOCUMENTS,
    functions: ['longest(text)'],
  },
  {
    sql: 'select id from documents order by bump()',
    verbs: 'select',
    uses: DOCUMENTS,
    functions: ['bump()'],
  },
  { sql: 'select id from documents limit bump()', verbs: 'select', uses: DOCUMENTS, functions: ['bump()'] },
  {
    sql: 'select * from operated',
    verbs: 'select',
    uses: { documents: 'read', operated: 'read' },
    functions: ['same(text,text)'],
    operators: ['===(text,text)'],
  },
  {
    sql: 'select id from secrets',
    before: 'set local role reader',
    verbs: 'select',
    uses: { secrets: 'read' },
    functions: ['may_see(text)'],
  },
  {
    sql: 'insert into secrets values (1)',
    before: 'set local role reader',
    verbs: 'insert',
    uses: { secrets: 'insert' },
    columns: ['secrets.id'],
    functions: ['may_see(text)'],
  },
];

const WRITES: readonly Expected[] = [
  {
    sql: "insert into documents (id, title) values (1, 'x'), (2, 'y')",
    verbs: 'insert',
    uses: { documents: 'insert' },
    columns: ['documents.id', 'documents.title'],
  },
  {
    sql: 'insert into ranking_scores (document_id) select id from documents returning note',
    verbs: 'insert',
    uses: { documents: 'read', ranking_scores: 'insert read' },
    columns: ['ranking_scores.document_id', 'ranking_scores.score'],
  },
  {
    sql: "insert into numbered (label) values ('x')",
    verbs: 'insert',
    uses: { numbered: 'insert' },
    columns: ['numbered.id', 'numbered.label'],
  },
  { sql: 'insert into documents default values', verbs: 'insert', uses: { documents: 'insert' } },
  {
    sql: "insert into documents values (1, 'x') on conflict (id) do update set title = excluded.title where documents.owner = 'o'",
    verbs: 'insert',
    uses: { documents: 'insert read update' },
    columns: ['documents.id', 'documents.title'],
  },
  {
    sql: "insert into documents values (1, 'x') on conflict do nothing",
    verbs: 'insert',
    uses: { documents: 'insert' },
    columns: ['documents.id', 'documents.title'],
  },
  {
    sql: "insert into titles values (1, 'x')",
    verbs: 'insert',
    uses: { documents: 'insert', titles: 'insert' },
    columns: ['documents.id', 'documents.title'],
  },
  {
    sql: "insert into parts values ('north', 1)",
    verbs: 'insert',
    uses: { parts: 'insert' },
    columns: ['parts.amount', 'parts.region'],
  },
  {
    sql: "insert into doors values (1, 'x')",
    verbs: 'insert',
    uses: { doors: 'insert' },
    columns: ['doors.id', 'doors.label'],
  },
  {
    sql: "insert into watched values (1, 'x')",
    verbs: 'insert insert',
    uses: { watched: 'insert read', trail: 'insert' },
    columns: ['trail.at', 'trail.what', 'watched.id', 'watched.what'],
  },
  {
    sql: 'update documents set title = title, body = null',
    verbs: 'update',
    uses: { documents: 'read update' },
    columns: ['documents.body', 'documents.title'],
  },
  {
    sql: "update documents set title = 'x'",
    verbs: 'update',
    uses: { documents: 'update' },
    columns: ['documents.title'],
  },
  {
    sql: "update only documents d set (title, owner) = (select note, 'x' from ranking_scores where document_id = d.id) from parent where d.id = parent.id",
    verbs: 'update',
    uses: { documents: 'read update', ranking_scores: 'read', parent: 'read' },
    columns: ['documents.owner', 'documents.title'],
  },
  {
    sql: "update titles set title = 'x' where id = 7 returning id",
    verbs: 'update',
    uses: { documents: 'read update', titles: 'read update' },
    columns: ['documents.title'],
  },
  { sql: 'delete from documents', verbs: 'delete', uses: { documents: 'delete' } },
  {
    sql: 'delete from documents using ranking_scores where document_id = id',
    verbs: 'delete',
    uses: { documents: 'delete read', ranking_scores: 'read' },
  },
  {
    sql: 'delete from titles where id = 7',
    verbs: 'delete',
    uses: { documents: 'delete read', titles: 'delete read' },
  },
  {
    sql: 'delete from watched where id = 3',
    verbs: 'update',
    uses: { watched: 'delete read update' },
    columns: ['watched.what'],
  },
  { sql: 'delete from quiet', verbs: '' },
  {
    sql: 'merge into ranking_scores r using documents d on d.id = r.document_id when matched and r.score < 0 then delete when matched then update set score = r.score + 1 when not matched then insert (document_id) values (d.id)',
    verbs: 'merge',
    uses: { documents: 'read', ranking_scores: 'delete insert merge read update' },
    columns: ['ranking_scores.document_id', 'ranking_scores.score'],
  },
  {
    sql: 'merge into ranking_scores r using documents d on d.id = r.document_id when matched then do nothing',
    verbs: 'merge',
    uses: { documents: 'read', ranking_scores: 'merge read' },
  },
  {
    sql: 'merge into ranking_scores r using documents d on d.id = r.document_id when not matched by source then delete returning merge_action(), r.note',
    verbs: 'merge',
    uses: { documents: 'read', ranking_scores: 'delete merge read' },
    since: 17,
  },
  {
    sql: "update documents set title = 'x' returning with (old as o) o.title, new.title",
    verbs: 'update',
    uses: { documents: 'read update' },
    columns: ['documents.title'],
    since: 18,
  },
  {
    sql: 'with gone as (delete from ranking_scores returning *) select * from gone',
    verbs: 'select',
    uses: { ranking_scores: 'delete read' },
  },
  {
    sql: "with kept as (insert into documents values (9, 'x') returning id), changed as (update parts set amount = 1 returning amount) select from kept, changed",
    verbs: 'select',
    uses: { documents: 'insert read', parts: 'read update' },
    columns: ['documents.id', 'documents.title', 'parts.amount'],
  },
  { sql: "select nextval('numbered_id_seq')", verbs: 'select' },
];

const UTILITIES: readonly Expected[] = [
  {
    sql: 'copy (select title from titles) to stdout',
    verbs: 'utility select',
    utility: 'COPYSTMT',
    uses: TITLES,
  },
  {
    sql: 'copy (delete from ranking_scores returning note) to stdout',
    verbs: 'utility delete',
    utility: 'COPYSTMT',
    uses: { ranking_scores: 'delete read' },
  },
  { sql: 'copy documents to stdout', verbs: 'utility', utility: 'COPYSTMT' },
  {
    sql: 'declare c cursor for select title from titles',
    verbs: 'utility',
    utility: 'DECLARECURSORSTMT',
    uses: { titles: 'read' },
    unexpanded: true,
  },
  {
    sql: 'prepare p as select title from titles',
    verbs: 'utility select',
    utility: 'PREPARESTMT',
    uses: TITLES,
  },
  { sql: 'execute p', before: 'prepare p as select 1', verbs: 'utility', utility: 'EXECUTESTMT' },
  {
    sql: 'execute p',
    before:
      'prepare p as select title from titles; create or replace view titles as select id, body as title from documents',
    verbs: 'utility select',
    utility: 'EXECUTESTMT',
    uses: TITLES,
  },
  {
    sql: 'explain select title from titles',
    verbs: 'utility',
    utility: 'EXPLAINSTMT',
    uses: { titles: 'read' },
    inner: 'none-in-15',
    unexpanded: true,
  },
  {
    sql: "explain update documents set title = 'x'",
    verbs: 'utility',
    utility: 'EXPLAINSTMT',
    uses: { documents: 'update' },
    columns: ['documents.title'],
    inner: 'none-in-15',
    unexpanded: true,
  },
  {
    sql: 'create temp table copied as select title from titles',
    verbs: 'utility',
    utility: 'CREATETABLEASSTMT',
    uses: { titles: 'read' },
    inner: 'none-in-15',
    unexpanded: true,
  },
  {
    sql: 'select title into temp copied from titles',
    verbs: 'utility',
    utility: 'CREATETABLEASSTMT',
    uses: { titles: 'read' },
    inner: 'none-in-15',
    unexpanded: true,
  },
  { sql: 'create view more as select 1 from documents', verbs: 'utility', utility: 'VIEWSTMT' },
  {
    sql: 'create table more (a integer default 5 check (a > 1), b positive)',
    verbs: 'utility',
    utility: 'CREATESTMT',
  },
  { sql: 'create index on documents (lower(title)) where id > 1', verbs: 'utility', utility: 'INDEXSTMT' },
  { sql: 'call proc()', verbs: 'utility', utility: 'CALLSTMT', inner: 'none-in-15', functions: ['proc()'] },
  { sql: 'do $$ begin perform title from documents; end $$', verbs: 'utility', utility: 'DOSTMT' },
  { sql: 'truncate documents cascade', verbs: 'utility', utility: 'TRUNCATESTMT' },
  { sql: 'lock table documents', verbs: 'utility', utility: 'LOCKSTMT' },
  { sql: "set local work_mem = '1MB'", verbs: 'utility', utility: 'VARIABLESETSTMT' },
  { sql: `comment on table documents is '${'x'.repeat(300)}'`, verbs: 'utility', utility: 'COMMENTSTMT' },
  {
    sql: `alter role reader password 'SCRAM-SHA-256$4096:${'A'.repeat(120)}'`,
    verbs: 'utility',
    utility: 'ALTERROLESTMT',
  },
  { sql: `notify channel, '${'payload '.repeat(30)}'`, verbs: 'utility', utility: 'NOTIFYSTMT' },
];

export const STATEMENTS: readonly Expected[] = [...READS, ...CALLS, ...WRITES, ...UTILITIES];
