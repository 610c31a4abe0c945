/** What is found in statements beside their effects, which vectors/sql has: places, names, settings, what lasts. */

import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import * as fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import type { StatementFacts, TextFacts } from '../core/effects.ts';
import { testingOnlyKnows } from './classify.ts';
import { functionEffect, isBuiltIn } from './functions.ts';
import type { Parser } from './parser.ts';
import { readText } from './read-text.ts';
import { testingOnlyParser } from './testing-parser.ts';

let parser: Parser;

beforeAll(async () => {
  parser = await testingOnlyParser();
});

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function factsOf(text: string): TextFacts {
  const read = readText(encoder.encode(text), parser);
  if (read.kind !== 'read') throw new Error(`${text}: ${JSON.stringify(read)}`);
  return read;
}

function oneOf(text: string): StatementFacts {
  const [statement] = factsOf(text).statements;
  if (statement === undefined) throw new Error(`${text}: no statement`);
  return statement;
}

function effectsOf(text: string): string {
  return [...new Set(oneOf(text).effects.map(({ effect }) => effect))].toSorted().join(' ');
}

describe('every kind of node', () => {
  /** Made by the analysis that follows the parser, or for PL/pgSQL. */
  const NEVER_RAW = new Set(['PLAssignStmt', 'RawStmt', 'SetOperationStmt']);

  it('of a statement that the parser can give has a meaning', async () => {
    const types = createRequire(import.meta.url)
      .resolve('@pgsql/types')
      .replace(/index\.js$/, 'types.d.ts');
    const names = [...(await readFile(types, 'utf8')).matchAll(/export interface (\w+Stmt) /g)].map(
      ([, name]) => name ?? '',
    );
    expect(names.length).toBeGreaterThan(110);
    // The one that is inside of another, and the one without a command of its own.
    const missing = names.filter((name) => !NEVER_RAW.has(name) && !testingOnlyKnows(name));
    expect(missing).toEqual([]);
  });
});

describe('the place of an effect', () => {
  it.each([
    ['/* a */ delete from "My Tab"."t;" -- b', 'delete', '"My Tab"."t;"'],
    ["select 'é', nextval('s')", 'sequence', 'nextval'],
    ['select pg_catalog . pg_sleep (1)', 'sleep', 'pg_catalog . pg_sleep'],
    ['with x as (update a.b set c = 1 where d = 2 returning *) select * from x', 'update', 'a.b'],
    ['truncate a, b', 'truncate', 'a'],
    ['alter table a.b drop column c', 'alter-drop', 'a.b'],
    ["copy a.b from program 'x'", 'host', "copy a.b from program 'x'"],
    [' drop table a ; ', 'drop', 'drop table a'],
    ['call a.b(1)', 'call', 'a.b'],
    ['vacuum full a.b', 'maintain', 'a.b'],
    ["select set_config('role', 'x', false)", 'role', 'set_config'],
  ])('in %j, %s is %j', (text, effect, tokens) => {
    const found = oneOf(text).effects.find((one) => one.effect === effect);
    const bytes = encoder.encode(text);
    expect(found && decoder.decode(bytes.subarray(found.from, found.to))).toBe(tokens);
  });

  it('of each statement is its own, from its first token to its last', () => {
    const text = "/* a */ select 'é' ; -- b\n drop table t /* c */; begin ;;\n /* d; */ commit -- e";
    const bytes = encoder.encode(text);
    expect(factsOf(text).statements.map(({ from, to }) => decoder.decode(bytes.subarray(from, to)))).toEqual([
      "select 'é'",
      'drop table t',
      'begin',
      'commit',
    ]);
  });

  it('is right where a statement has semicolons in it', () => {
    const rule = 'create rule r as on insert to t do also (delete from a; delete from b)';
    const body = 'create function f() returns int begin atomic select 1; select 2; end';
    const text = `${rule}; ${body} ; drop table c`;
    expect(factsOf(text).statements.map(({ from, to }) => text.slice(from, to))).toEqual([
      rule,
      body,
      'drop table c',
    ]);
  });
});

describe('names', () => {
  it('of tables that are written come with their columns', () => {
    expect(oneOf('update s.t set a = 1, (b, c) = (1, 2), d[1].e = 3 where id = 1').writes).toEqual([
      { schema: 's', name: 't', verb: 'update', columns: ['a', 'b', 'c', 'd'] },
    ]);
    expect(oneOf('insert into t (a) values (1) on conflict (a) do update set b = 1').writes).toEqual([
      { schema: undefined, name: 't', verb: 'insert', columns: ['a'] },
      { schema: undefined, name: 't', verb: 'update', columns: ['b'] },
    ]);
    expect(oneOf('insert into t default values').writes[0]?.columns).toBe('all');
    expect(oneOf('copy t (a, b) from stdin').writes[0]).toEqual({
      schema: undefined,
      name: 't',
      verb: 'copy-in',
      columns: ['a', 'b'],
    });
    expect(oneOf('truncate a, b').writes.map(({ name, verb }) => `${verb} ${name}`)).toEqual([
      'truncate a',
      'truncate b',
    ]);
  });

  it.each([
    ['select * from a, b.c join d on true', 'a b.c d'],
    ['with a as (select * from b) select * from a', 'b'],
    ['with a as (select * from a) select * from a', 'a'],
    ['with recursive a as (select * from a) select * from a', ''],
    ['with a as (select 1), b as (select * from a) select * from b, public.a', 'public.a'],
    ['with b as (select * from a), a as (select 1) select * from b, a', 'a'],
    ['select * from (with a as (select 1) select * from a) x, a', 'a'],
    ['select (select max(x) from a) from b where c in (select d from e)', 'a b e'],
    ['with a as (select 1) select * from a union select * from b', 'b'],
    ['with t as (select 1) insert into t select * from t', ''],
    ['delete from t using u where t.id = u.id', 'u'],
    ['delete from t where id = 1 returning *', 't'],
    ['copy t to stdout', 't'],
    ['select * from t for update of t', 't'],
    ['table t', 't'],
    ['select * from f(1) as t', ''],
  ])('of tables that %j reads are %j', (text, names) => {
    const found = oneOf(text).reads.map(({ schema, name }) =>
      schema === undefined ? name : `${schema}.${name}`,
    );
    expect(found.toSorted().join(' ')).toBe(names);
  });

  it('of functions are all that are called, once each', () => {
    const { functions } = oneOf(
      'select lower(a), s.f(lower(b)), count(*) from g(1) h where x(1) order by lower(c)',
    );
    expect(functions.map(({ schema, name }) => `${schema ?? '-'}.${name}`).toSorted()).toEqual([
      '-.count',
      '-.g',
      '-.lower',
      '-.x',
      's.f',
    ]);
  });
});

describe('a function', () => {
  it.each([
    [undefined, 'lower', undefined],
    ['pg_catalog', 'lower', undefined],
    ['public', 'lower', 'function-unknown'],
    [undefined, 'purge', 'function-unknown'],
    [undefined, 'LOWER', 'function-unknown'],
    ['pg_catalog', 'purge', 'function-unknown'],
    ['information_schema', '_pg_expandarray', undefined],
    ['information_schema', 'purge', 'function-unknown'],
    [undefined, '_pg_expandarray', 'function-unknown'],
    [undefined, 'dblink_exec', 'remote'],
    ['public', 'dblink', 'remote'],
    [undefined, 'query_to_xml', 'function-unknown'],
    [undefined, 'pg_terminate_backend', 'admin'],
    [undefined, 'lo_export', 'host'],
    [undefined, 'lo_get', 'large-object'],
    [undefined, '__proto__', 'function-unknown'],
    [undefined, 'constructor', 'function-unknown'],
    [undefined, '', 'function-unknown'],
  ])('%s.%s does %s', (schema, name, effect) => {
    expect(functionEffect({ schema, name })).toBe(effect);
    expect(isBuiltIn({ schema, name })).toBe(
      effect !== 'remote' && (effect !== 'function-unknown' || name === 'query_to_xml'),
    );
  });
});

describe('a setting', () => {
  it.each([
    ["set timezone = 'UTC'", 'setting', 'timezone', 'UTC'],
    ["SET TIME ZONE 'UTC'", 'setting', 'timezone', 'UTC'],
    ['set "TimeZone" to utc', 'setting', 'timezone', 'utc'],
    ['set local statement_timeout = 0', 'setting', 'statement_timeout', '0'],
    ['reset statement_timeout', 'setting', 'statement_timeout', undefined],
    ["set names 'utf8'", 'setting', 'client_encoding', 'utf8'],
    ["set client_encoding to 'SJIS'", 'setting-risky', 'client_encoding', 'SJIS'],
    ['reset client_encoding', 'setting-risky', 'client_encoding', undefined],
    ['set standard_conforming_strings = on', 'setting', 'standard_conforming_strings', 'on'],
    ['set standard_conforming_strings = off', 'setting-risky', 'standard_conforming_strings', 'off'],
    ["set search_path = ''", 'setting', 'search_path', ''],
    ['set search_path to "$user", public', 'setting', 'search_path', '$user, public'],
    ["set search_path to 'pg_catalog, public'", 'setting-risky', 'search_path', '"pg_catalog, public"'],
    ['set search_path to evil, pg_catalog', 'setting-risky', 'search_path', 'evil, pg_catalog'],
    ["select set_config('Search_Path', 'evil', false)", 'setting-risky', 'search_path', 'evil'],
    ["select set_config('search_path', '', false)", 'setting', 'search_path', ''],
    ["select pg_catalog.set_config('jit'::text, 'off', true)", 'setting', 'jit', 'off'],
    [
      'set session characteristics as transaction read only',
      'setting',
      'default_transaction_read_only',
      'on',
    ],
    [
      'set session characteristics as transaction read write',
      'setting-risky',
      'default_transaction_read_only',
      'off',
    ],
    ["select set_config(name, 'off', false) from pg_settings where name = 'jit'", 'setting', 'jit', 'off'],
    ["set app.user_id = 'x'", 'setting-risky', 'app.user_id', 'x'],
    ['set session_replication_role = replica', 'setting-risky', 'session_replication_role', 'replica'],
    ['set role x', 'role', 'role', 'x'],
    ["select set_config('role', 'x', false)", 'role', 'role', 'x'],
    ['reset role', 'role', 'role', undefined],
    ['set session authorization x', 'role', 'session_authorization', 'x'],
    ['set constructor = 1', 'setting-risky', 'constructor', '1'],
  ])('%s is %s', (text, effect, name, value) => {
    const { effects, settings } = oneOf(text);
    expect(effects.map((found) => found.effect).filter((found) => found !== 'read')).toEqual([effect]);
    expect(settings).toEqual([{ name, value }]);
  });

  it('of a function is not one of the session', () => {
    for (const text of [
      "create function f() returns int language sql set search_path = 'x' as 'select 1'",
      "alter function f() set client_encoding = 'SJIS'",
      'alter role ana set search_path = x',
    ]) {
      expect(oneOf(text).settings).toEqual([]);
    }
  });

  it.each([
    'select set_config($1, $2, false)',
    "select (select 1 from pg_settings where name = 'jit'), set_config(name, 'off', false) from t",
    "select set_config(name, 'off', false), (select 1 from pg_settings where name = 'jit') from t",
    "select set_config(name, 'off', false) from pg_settings, t where name = 'jit'",
    "select set_config(name, 'off', false) from pg_settings where name <> 'jit'",
    "select set_config(name, 'off', false) from pg_settings where name = 'jit' or true",
    "select set_config('jit', v, false) from t",
    "select set_config('j' || 'it', 'off', false)",
  ])('that the text does not name is risky: %s', (text) => {
    expect(effectsOf(text)).toContain('setting-risky');
    expect(oneOf(text).settings).toEqual([]);
  });
});

describe('what a ROLLBACK does not take back', () => {
  it.each([
    'vacuum t',
    'create index concurrently i on t (a)',
    'drop index concurrently i',
    'reindex (concurrently) index i',
    'alter table t detach partition p concurrently',
    'create database d',
    'drop database d',
    "alter system set work_mem = '1MB'",
    "select nextval('s')",
    "select setval('s', 1)",
    'select pg_advisory_lock(1)',
    "copy t to program 'x'",
    "copy t to '/x'",
    "select lo_export(1, '/x')",
    "select dblink('a', 'b')",
    'select purge()',
    'select pg_terminate_backend(1)',
    'commit',
    'rollback',
    'begin',
    'savepoint a',
    "prepare transaction 'a'",
    "commit prepared 'a'",
    'prepare p as select 1',
    'execute p',
    'deallocate p',
    'discard all',
    'call p()',
    'do $$begin end$$',
    "load 'x'",
    'checkpoint',
    'create extension x',
    'create subscription s connection $$$$ publication p',
    'fetch c',
    'close c',
    'create table t (a int default purge())',
  ])('is told: %s', (text) => {
    expect(oneOf(text).undoable).toBe(false);
  });

  it.each([
    'select 1',
    'select * from t for update',
    'insert into t values (1)',
    'update t set a = 1',
    'delete from t',
    'merge into t using u on t.id = u.id when matched then delete',
    'truncate t',
    'drop table t',
    'create table t (a int)',
    'create index i on t (a)',
    'alter table t drop column a',
    'copy t from stdin',
    'refresh materialized view v',
    'grant select on t to x',
    "notify a, 'b'",
    'listen a',
    'select pg_advisory_xact_lock(1)',
    'select lo_create(1)',
    'set work_mem = 1',
    'lock table t',
    'analyze t',
    'declare c cursor for select 1',
    'explain analyze delete from t',
    'explain select nextval($$s$$)',
  ])('is not: %s', (text) => {
    expect(oneOf(text).undoable).toBe(true);
  });
});

describe('a statement about statements', () => {
  it.each([
    ['begin', 'begin'],
    ['start transaction read only', 'begin'],
    ['commit and chain', 'commit'],
    ['end', 'commit'],
    ['abort', 'rollback'],
    ['savepoint a', 'savepoint'],
    ['release a', 'release'],
    ['rollback to a', 'rollback-to'],
    ["prepare transaction 'a'", 'prepare-transaction'],
    ["commit prepared 'a'", 'commit-prepared'],
    ["rollback prepared 'a'", 'rollback-prepared'],
    ['select 1', undefined],
  ])('%s has the verb %s', (text, verb) => {
    expect(oneOf(text).transaction).toBe(verb);
  });

  it.each([
    ['prepare "P" as select 1', { verb: 'prepare', name: 'P' }],
    ['execute p(1)', { verb: 'execute', name: 'p' }],
    ['explain analyze execute p', { verb: 'execute', name: 'p' }],
    ['create table x as execute p', { verb: 'execute', name: 'p' }],
    ['deallocate prepare p', { verb: 'deallocate', name: 'p' }],
    ['deallocate all', { verb: 'deallocate', name: undefined }],
    ['discard all', { verb: 'deallocate', name: undefined }],
    ['select 1', undefined],
  ])('%s names what it prepares or runs', (text, prepared) => {
    expect(oneOf(text).prepared).toEqual(prepared);
  });

  it('has the effects of what it runs when it is EXPLAIN ANALYZE', () => {
    for (const option of [
      'analyze',
      'analyze verbose',
      '(analyze)',
      '(analyze true)',
      '(analyze 1)',
      '(costs off, analyze on)',
      '(analyze off, analyze)',
    ]) {
      expect(effectsOf(`explain ${option} delete from t`)).toBe('delete delete-unqualified explain');
    }
    for (const option of [
      '',
      'verbose',
      '(analyze false)',
      '(analyze off)',
      '(analyze 0)',
      '(format json)',
    ]) {
      expect(effectsOf(`explain ${option} delete from t`)).toBe('explain read');
      expect(oneOf(`explain ${option} delete from t`).writes).toEqual([]);
    }
  });

  it('may call a function while it plans', () => {
    expect(effectsOf('explain select purge(), pg_sleep(1)')).toBe('explain function-unknown read');
  });
});

describe('a text', () => {
  it('with nothing in it has no statements', () => {
    for (const text of ['', ' ', ';', '-- a', '/* a */;;']) expect(factsOf(text).statements).toEqual([]);
  });

  it.each([
    ['sums', (depth: number) => `select 1${'+1'.repeat(depth)}`],
    ['sums in a condition', (depth: number) => `delete from t where id = 1${'+1'.repeat(depth)}`],
    ['comparisons', (depth: number) => `delete from t where ${'('.repeat(depth)}id${' = id)'.repeat(depth)}`],
    ['parentheses', (depth: number) => `select ${'('.repeat(depth)}1${')'.repeat(depth)}`],
    ['NOT', (depth: number) => `delete from t where ${'not '.repeat(depth)}id = 1`],
    ['calls', (depth: number) => `select ${'lower('.repeat(depth)}x${')'.repeat(depth)}`],
    ['sub-selects', (depth: number) => `select ${'(select '.repeat(depth)}1${')'.repeat(depth)}`],
    [
      'sub-selects in FROM',
      (depth: number) => `${'select * from ('.repeat(depth)}select 1${') x'.repeat(depth)}`,
    ],
    ['UNION', (depth: number) => `select 1${' union select 1'.repeat(depth)}`],
    ['joins', (depth: number) => `delete from t using u${' join v on true'.repeat(depth)} where t.id = 1`],
    [
      'WITH',
      (depth: number) =>
        `with ${Array.from({ length: depth }, (_, at) => `c${at} as (select * from c${at + 1})`).join()} select 1`,
    ],
    ['casts', (depth: number) => `delete from t where id${'::int'.repeat(depth)} = 1`],
    ['OR', (depth: number) => `delete from t where id = 1${' or id = 2'.repeat(depth)}`],
  ])('of any depth is read or refused, and never an exception: %s', async (_, text) => {
    for (const depth of [10, 100, 900, 2_000, 4_000, 8_000, 16_000]) {
      const bytes = encoder.encode(text(depth));
      const read = readText(bytes, parser);
      expect(depth <= 100 ? ['read'] : ['read', 'uninspectable']).toContain(read.kind);
      await parser.ready();
    }
  });

  it('of any pieces is read, refused or wrong, and never an exception', () => {
    const pieces = [
      'select ',
      'delete from ',
      't ',
      'where ',
      '( ',
      ') ',
      '1 ',
      "'a' ",
      ', ',
      '; ',
      'f( ',
      'with x as ',
      'returning * ',
      '= ',
      'drop table ',
      'set a = ',
      'update ',
      '$$ ',
      '-- ',
      '\n',
      'exists ',
      'case when ',
      'then ',
      'end ',
      'é ',
      'on true ',
      'merge into ',
      'using ',
      'from ',
      'join ',
      '* ',
    ];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 20 }), (parts) => {
        const bytes = encoder.encode(parts.join(''));
        const read = readText(bytes, parser);
        expect(['read', 'syntax-error', 'uninspectable']).toContain(read.kind);
        if (read.kind !== 'read') return;
        for (const { from, to, effects } of read.statements) {
          for (const range of [{ from, to }, ...effects]) {
            expect(range.from).toBeGreaterThanOrEqual(from);
            expect(range.to).toBeLessThanOrEqual(to);
            expect(range.to).toBeGreaterThan(range.from);
          }
        }
      }),
      { numRuns: 3_000 },
    );
  });
});
