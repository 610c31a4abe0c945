/** That the parser survives what breaks its WebAssembly, and says which of three things became of a text. */

import * as fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { LIMITS } from '../core/limits.ts';
import type { Parser } from './parser.ts';
import { testingOnlyParser } from './testing-parser.ts';
import { listOf } from './tree.ts';

const encoder = new TextEncoder();
let parser: Parser;

beforeAll(async () => {
  parser = await testingOnlyParser();
});

function parse(text: string): ReturnType<Parser['parse']> {
  return parser.parse(encoder.encode(text));
}

function statements(text: string): number {
  const parsed = parse(text);
  return parsed.kind === 'tree' ? listOf(parsed.tree['stmts']).length : -1;
}

/** 20 KB that are too deep for the stack of JavaScript. */
const DEEP = `select 1${'+1'.repeat(10_000)}`;

describe('a parser', () => {
  it.each([
    ['an empty text', '', 0],
    ['white space', ' \t\n', 0],
    ['a comment', '-- a', 0],
    ['semicolons', ';;', 0],
    ['one statement', 'select 1', 1],
    ['two statements', 'select 1; drop table t;', 2],
    ['a word that is no ASCII', "select é from ü where ö = '😀'", 1],
  ])('gives a tree for %s', (_, text, count) => {
    expect(statements(text)).toBe(count);
  });

  it('says what PostgreSQL says of a wrong text, and at which byte', () => {
    expect(parse("select 'é' from from")).toEqual({
      kind: 'syntax-error',
      message: 'syntax error at or near "from"',
      at: encoder.encode("select 'é' from ").length,
    });
    expect(parse("select 'abc")).toMatchObject({ kind: 'syntax-error', at: 7 });
  });

  it.each([
    "select 'kanarie",
    "select E'x\\nkanarie",
    "select X'kanarie",
    'select $$kanarie',
    'select $t$kanarie',
    'select /* kanarie',
    'select "kanarie',
    "select a b U&'kanarie'",
    "select U&'a' uescape 'kanarie'",
    "select a b 'it''s\nkanarie'",
    "select 'x' kanarie 'kanarie'",
  ])('says nothing of a literal in a wrong text: %j', (text) => {
    const parsed = parse(text);
    expect(parsed).toMatchObject({
      kind: 'syntax-error',
      message: expect.stringMatching(/ at or near "…"$/),
    });
    expect(JSON.stringify(parsed)).not.toContain('kanarie');
  });

  it('says nothing of a literal, wherever it is planted', () => {
    const forms = [
      "'kanarie'",
      "E'\\n kanarie",
      '$$kanarie',
      '$q$ kanarie $q$',
      '/* kanarie',
      "'kanarie",
      "B'kanarie'",
    ];
    const word = fc.constantFrom(
      'select',
      'a',
      ',',
      '(',
      ')',
      '=',
      'from',
      '::int',
      '1',
      '$1',
      "'x'",
      ';',
      '\n',
      '"n"',
    );
    const said: string[] = [];
    fc.assert(
      fc.property(fc.array(word, { maxLength: 8 }), fc.constantFrom(...forms), (before, form) => {
        const parsed = parse(`${before.join(' ')} ${form}`);
        if (parsed.kind === 'syntax-error') said.push(parsed.message);
      }),
      { numRuns: 500 },
    );
    expect(said.filter((message) => message.includes('kanarie'))).toEqual([]);
  });

  it.each(['select 1or true; drop table t', "select 1e'\\'; drop table t; --'"])(
    'does not call a text wrong that PostgreSQL 14 takes: %s',
    (text) => {
      expect(parse(text)).toMatchObject({ kind: 'uninspectable' });
    },
  );

  it('does not call a text wrong for which its stack is too small', () => {
    const nested = `select ${'('.repeat(20_000)}1${')'.repeat(20_000)}`;
    expect(parse(nested)).toEqual({ kind: 'uninspectable', reason: 'it is too complex for the parser' });
  });

  it('survives a text that breaks its instance, as often as it comes', async () => {
    const before = parser.recycled;
    for (let time = 0; time < 40; time += 1) {
      expect(parse(DEEP).kind).toBe('uninspectable');
      expect(statements('select 1')).toBe(1);
      // A message of the wire is a turn of its own.
      await parser.ready();
    }
    expect(parser.recycled - before).toBe(40);
    expect(statements('select 1')).toBe(1);
  });

  it('refuses, and does not fail, when one turn takes all instances, and is back in the next', async () => {
    for (let time = 0; time <= LIMITS.sql.spareParsers; time += 1)
      expect(parse(DEEP).kind).toBe('uninspectable');
    expect(parse('select 1')).toEqual({ kind: 'uninspectable', reason: 'the parser is being made anew' });
    await Promise.resolve().then(() => parser.ready());
    expect(statements('select 1')).toBe(1);
  });

  it('never throws, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        expect(['tree', 'syntax-error', 'uninspectable']).toContain(parser.parse(bytes).kind);
      }),
      { numRuns: 2_000 },
    );
  });
});
