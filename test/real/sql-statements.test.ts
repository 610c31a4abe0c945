/** That a real PostgreSQL takes a text for the statements that we take it for. */

import * as fc from 'fast-check';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type PostgresServer, startPostgres } from '../../examples/demo/postgres-server.ts';
import type { StatementFacts } from '../../packages/gateway/src/core/effects.ts';
import type { Parser } from '../../packages/gateway/src/sql/parser.ts';
import { readText } from '../../packages/gateway/src/sql/read-text.ts';
import { testingOnlyParser } from '../../packages/gateway/src/sql/testing-parser.ts';

let server: PostgresServer;
let client: Client;
let parser: Parser;

beforeAll(async () => {
  server = await startPostgres({ settings: { fsync: 'off' } });
  client = new Client({ ...server, user: server.superuser, database: 'postgres' });
  await client.connect();
  await client.query(
    'create table t (a int primary key, b text); create table u (a int); create view v as select 1',
  );
  parser = await testingOnlyParser();
});

afterAll(async () => {
  await client.end();
  await server.stop();
});

function statementsOf(text: string): readonly StatementFacts[] {
  const read = readText(new TextEncoder().encode(text), parser);
  if (read.kind !== 'read') throw new Error(`${text}: ${JSON.stringify(read)}`);
  return read.statements;
}

/** Statements that never fail, with what may hide a boundary. */
const STATEMENTS: readonly string[] = [
  'select 1',
  "select ';'",
  "select ''';'",
  "select E'\\';'",
  "select E'\\\\'",
  "select 'a'\n';'",
  "select E'a'\n'\\';'",
  "select N'a;'",
  "select U&'\\003b;'",
  'select $$;$$',
  'select $a$;$b$ $$;$a$',
  'select 1 as a$b',
  'select 1 as "a;"";b"',
  'select 1 as U&"a;"',
  'select /*;*/ 1',
  'select /* /* ; */ ; */ 1',
  'select 1 -- ;\n',
  'select 1 -- ;\r',
  'select 2 -/*;*/ 1',
  'select 2 +--;\n 1',
  "select 'é;'",
  'values (1)',
  'table u',
  'with x as (delete from u returning *) select * from x',
  'with x as (select 1) insert into u select * from x',
  'insert into u values (1)',
  'update u set a = 2',
  'delete from u',
  'merge into u using u as w on u.a = w.a when matched then do nothing',
  'explain select 1',
  'explain analyze delete from u',
  "do 'begin null; end'",
  'do $do$ begin perform 1; end $do$',
  "set timezone = 'UTC'",
  'show timezone',
  'create or replace function f() returns int begin atomic select 1; select 2; end',
  'create or replace rule r as on insert to v do instead (select 1; select 2)',
  '',
  '/*;*/',
  '-- ;\n',
];

const NODES: Readonly<Record<string, string>> = {
  SelectStmt: 'SELECT',
  InsertStmt: 'INSERT',
  UpdateStmt: 'UPDATE',
  DeleteStmt: 'DELETE',
  MergeStmt: 'MERGE',
  ExplainStmt: 'EXPLAIN',
  DoStmt: 'DO',
  VariableSetStmt: 'SET',
  VariableShowStmt: 'SHOW',
  CreateFunctionStmt: 'CREATE',
  RuleStmt: 'CREATE',
};

it('has as many statements as the server answers, of the same kinds', async () => {
  const seed = Number(process.env['FUZZ_SEED'] ?? 20_261_127);
  process.stdout.write(`seed ${seed}\n`);
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.tuple(fc.constantFrom(...STATEMENTS), fc.constantFrom(';', ' ; ', ';;', '/**/;\n', ';--\r')),
        {
          minLength: 1,
          maxLength: 8,
        },
      ),
      async (parts) => {
        const text = parts.map(([statement, end]) => statement + end).join('');
        const answered = await client.query(text);
        const results = Array.isArray(answered) ? answered : [answered];
        const tags = results
          .map(({ command }: { command: string | null }) => command)
          .filter((tag) => tag !== null);
        expect(statementsOf(text).map(({ node }) => NODES[node])).toEqual(tags);
      },
    ),
    { numRuns: 400, seed },
  );
});

it('says of every statement that the server refuses within a transaction that it cannot be undone', async () => {
  const refused: string[] = [];
  const statements = [
    'vacuum t',
    'vacuum',
    'vacuum (analyze) t',
    'analyze t',
    'create database d',
    'drop database d',
    'alter database postgres set tablespace pg_default',
    "create tablespace x location '/nowhere'",
    'drop tablespace x',
    'create index concurrently on t (b)',
    'drop index concurrently t_pkey',
    'reindex (concurrently) table t',
    'reindex table concurrently t',
    'reindex database postgres',
    'reindex schema public',
    'reindex system postgres',
    'reindex table t',
    'reindex index t_pkey',
    'cluster',
    'cluster t using t_pkey',
    "alter system set work_mem = '1MB'",
    'discard all',
    'discard plans',
    "create subscription s connection '' publication p",
    'commit prepared $$x$$',
    'rollback prepared $$x$$',
    'alter table t detach partition u concurrently',
    'truncate t',
    'drop table u',
    "alter type x add value 'y'",
    'refresh materialized view concurrently v',
    'alter database postgres refresh collation version',
    'checkpoint',
    'listen a',
  ];
  for (const statement of statements) {
    await client.query('begin');
    const code = await client.query(statement).then(
      () => 'none',
      (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : ''),
    );
    await client.query('rollback');
    // ACTIVE SQL TRANSACTION.
    if (code === '25001') refused.push(statement);
  }
  expect(refused.length).toBeGreaterThan(10);
  expect(refused.filter((statement) => statementsOf(statement)[0]?.undoable !== false)).toEqual([]);
});
