import { describe, expect, it } from 'vitest';
import { compareInZip, isSafePath } from './zip-form.ts';

describe('a path', () => {
  it.each(['a', 'data/ledger/gw1/tile/0/x001/234.p/7', 'SIGNATURE.note', '.well-known/x', 'console.txt'])(
    'is safe: %s',
    (path) => {
      expect(isSafePath(path)).toBe(true);
    },
  );

  const unsafe = [
    '',
    '/a',
    'a/',
    'a//b',
    '.',
    'a/..',
    'a.',
    'a b',
    'c:a',
    'a\\b',
    'a\0',
    'caf\u00e9',
    'a%2fb',
    'CON',
    'con.txt',
    'a/nul.tar.gz',
    'lpt1',
    'x'.repeat(241),
  ];
  it.each(unsafe)('is not the same file on every system: %j', (path) => {
    expect(isSafePath(path)).toBe(false);
  });
});

it('paths stand in the order of their code units, the signature last', () => {
  const sorted = ['b', 'S', 'a/b', 'a.c', 'a'].toSorted((a, b) => compareInZip(a, b, 'S'));
  expect(sorted).toEqual(['a', 'a.c', 'a/b', 'b', 'S']);
});
