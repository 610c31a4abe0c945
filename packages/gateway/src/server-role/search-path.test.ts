import { expect, it } from 'vitest';
import { maskedSearchPath, parseSearchPath, searchPathText } from './search-path.ts';

it.each([
  ['"$user", public', ['$user', 'public']],
  ['public', ['public']],
  ['', []],
  ['""', ['']],
  ['"a ""b"", c", D', ['a "b", c', 'd']],
  [' a ,b', ['a', 'b']],
])('reads %j', (text, names) => {
  expect(parseSearchPath(text)).toEqual(names);
});

it.each(['a b', '"a', 'a,', ',', 'a; drop table t', 'a,,b'])('does not read %j', (text) => {
  expect(parseSearchPath(text) ?? 'none').toBe('none');
});

it('puts masking schemas in front of those that they stand for, once', () => {
  const path = maskedSearchPath(['$user', 'public', 'shop'], 'reader', ['public', 'vault']);
  expect(path).toEqual(['$user', 'reader_masked_public', 'public', 'shop']);
  expect(maskedSearchPath(path, 'reader', ['public', 'vault'])).toEqual(path);
  expect(maskedSearchPath(path, 'reader', [], ['public'])).toEqual(['$user', 'public', 'shop']);
  expect(maskedSearchPath(['$user'], 'reader', ['reader'])).toEqual(['reader_masked_reader', '$user']);
  expect(searchPathText(path)).toBe(`'$user', 'reader_masked_public', 'public', 'shop'`);
  expect(searchPathText([])).toBe("''");
});
