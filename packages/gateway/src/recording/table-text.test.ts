import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { displayWidth, safeLines, safeText, tableText } from './table-text.ts';

describe('a table', () => {
  it('is aligned as psql aligns it: numbers to the right, text to the left', () => {
    const table = tableText(
      ['id', 'title'],
      [
        ['1', 'a'],
        ['200', null],
      ],
    );
    expect(table).toEqual([' id  | title', '-----+-------', '   1 | a', ' 200 | ∅']);
  });

  it('counts wide characters as two columns and combining ones as none', () => {
    expect(tableText(['名前', 'n'], [['e\u0301', '1']])).toEqual([
      ' 名前 | n',
      '------+---',
      ' e\u0301    | 1',
    ]);
    expect([displayWidth('漢字'), displayWidth('👍🏽'), displayWidth('é'), displayWidth('ab')]).toEqual([
      4, 2, 1, 2,
    ]);
  });

  it('cuts a wide column and says so', () => {
    expect(tableText(['a'], [['x'.repeat(500)]], { columnWidthMax: 5 })[2]).toBe(' xxxx…');
    expect(tableText(['a'], [['漢字漢字']], { columnWidthMax: 5 })[2]).toBe(' 漢字…');
  });

  it('shows NULL as it is asked to', () => {
    expect(tableText(['a', 'b'], [[null, '1']], { nullText: '' })[2]).toBe('   | 1');
  });

  it.each([
    ['\u001b[2J', '\\x1b[2J'],
    ['a\rb', 'a\\rb'],
    ['\u009b31m', '\\x9b31m'],
    ['\u0000\u007f', '\\x00\\x7f'],
    ['\u202eabc\u2066', '\\u202eabc\\u2066'],
    ['a\u200bb\u2028', 'a\\u200bb\\u2028'],
    ['\u{e0041}', '\\u{e0041}'],
    ['\ud800', '\ufffd'],
    ['naïve 漢字 👍', 'naïve 漢字 👍'],
  ])('writes %j as %j', (text, shown) => {
    expect(safeText(text)).toBe(shown);
  });

  it('never lets a control character through, whatever is in the rows', () => {
    const text = fc.string({ unit: 'binary', maxLength: 40 });
    const property = fc.property(
      fc.array(text, { minLength: 1, maxLength: 4 }),
      fc.array(fc.array(text)),
      (columns, rows) => {
        for (const line of tableText(columns, rows)) expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
      },
    );
    fc.assert(property);
  });

  it('keeps line feeds of a text that stands by itself', () => {
    expect(safeLines('select\n\t1\u001b')).toEqual(['select', '    1\\x1b']);
  });
});
