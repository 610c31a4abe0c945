import { describe, expect, it } from 'vitest';
import { matchTemplate, parseTemplate, segmentsOf } from './path-template.ts';

function match(template: string, path: string): string | undefined {
  const parsed = parseTemplate(template);
  const parts = segmentsOf(path);
  if (parsed === undefined) throw new Error(`no template: ${template}`);
  const values = parts === undefined ? undefined : matchTemplate(parsed, parts);
  return values?.map(([name, value]) => `${name}=${value}`).join(' ');
}

describe('a template', () => {
  it.each<[string, string, string | undefined]>([
    ['/', '/', ''],
    ['/', '/a', undefined],
    ['/a', '/a', ''],
    ['/a', '/a/', ''],
    ['/a', '/A', undefined],
    ['/a/{x}', '/a/b', 'x=b'],
    ['/a/{x}', '/a', undefined],
    ['/a/{x}', '/a/', undefined],
    ['/a/{x}', '/a/b/c', undefined],
    ['/a/{x}', '/a/b%20c', 'x=b c'],
    ['/a/{x}', '/a/%zz', 'x=%zz'],
    ['/a/{x}:rank', '/a/b:rank', 'x=b'],
    ['/a/{x}:rank', '/a/:rank', undefined],
    ['/a/v{x}', '/a/v1', 'x=1'],
    ['/a/*', '/a/b', ''],
    ['/a/*', '/a/b/c', ''],
    ['/a/*', '/a', undefined],
    ['/a', '//a', undefined],
    ['/a/{x}', '/a//', undefined],
  ])('%s of %s: %s', (template, path, values) => {
    expect(match(template, path)).toBe(values);
  });

  it.each([
    '',
    '/{__proto}',
    'a',
    '/a/*/b',
    '/a//b',
    '/{',
    '/{a',
    '/a}',
    '/{A}',
    '/{a}{b}',
    `/${'a/'.repeat(65)}a`,
  ])('is not %s', (text) => {
    expect(parseTemplate(text)).toBeUndefined();
  });

  it('has no path with more segments than are compared', () => {
    expect(segmentsOf(`/${'a/'.repeat(64)}`)).toHaveLength(64);
    expect(segmentsOf(`/${'a/'.repeat(65)}`)).toBeUndefined();
    expect(segmentsOf('a')).toBeUndefined();
  });
});
