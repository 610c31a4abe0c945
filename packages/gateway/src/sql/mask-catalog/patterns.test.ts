import { describe, expect, it } from 'vitest';
import { columnPattern, patternsParameter } from './patterns.ts';

describe('columnPattern', () => {
  const good: readonly (readonly [text: string, parts: readonly (string | undefined)[]])[] = [
    ['customers.email', [undefined, 'customers', 'email']],
    ['shop.customers.phone', ['shop', 'customers', 'phone']],
    ['*.national_id', [undefined, undefined, 'national_id']],
    ['*.customers.*', [undefined, 'customers', undefined]],
    ['Shop.Customers.E-Mail', ['Shop', 'Customers', 'E-Mail']],
    ['"my.table"."a ""b"""', [undefined, 'my.table', 'a "b"']],
    ['"*".t.c', ['*', 't', 'c']],
    ['tëst.ünï', [undefined, 'tëst', 'ünï']],
  ];
  it.each(good)('%s', (text, [schema, table, column]) => {
    expect(columnPattern(text)).toEqual({ text, schema, table, column });
  });

  const bad = [
    '',
    'email',
    'a.b.c.d',
    'a.',
    '.a',
    'a..b',
    'a.b*',
    'a b.c',
    '"a.b',
    '"".a',
    'a."b"c',
    `a.${'b'.repeat(400)}`,
  ];
  it.each(bad)('refuses %j', (text) => {
    expect(columnPattern(text)).toBeUndefined();
  });
});

it('asks in ASCII, whatever the names are', () => {
  const pattern = columnPattern('tëst.𝒳');
  const parameter = patternsParameter(pattern === undefined ? [] : [pattern]);
  expect(parameter).toBe(String.raw`[[null,"t\u00ebst","\ud835\udcb3"]]`);
  expect(JSON.parse(parameter)).toEqual([[null, 'tëst', '𝒳']]);
});
