import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatCsvRow, formatJsonLine, parseCsv } from './csv.ts';
import { LedgerError } from './errors.ts';

describe('CSV', () => {
  it.each([
    ['plain', 'plain\r\n'],
    ['with, comma', '"with, comma"\r\n'],
    ['a "quote"', '"a ""quote"""\r\n'],
    ['two\nlines', '"two\nlines"\r\n'],
    ['=1+1', "'=1+1\r\n"],
    ['+1', "'+1\r\n"],
    ['-1', "'-1\r\n"],
    ['@x', "'@x\r\n"],
    ['\tx', "'\tx\r\n"],
    ['\rx', '"\'\rx"\r\n'],
    [undefined, '\r\n'],
    [42, '42\r\n'],
    [true, 'true\r\n'],
    [['b', { a: 1 }], '"[""b"",{""a"":1}]"\r\n'],
  ])('writes %j as RFC 4180 says, guarded', (value, text) => {
    expect(formatCsvRow([value])).toBe(text);
  });

  it('reads what it writes', () => {
    const cell = fc
      .string({ unit: 'binary' })
      .filter((text) => text.isWellFormed() && !/^[=+\-@\t\r\n]/.test(text));
    fc.assert(
      fc.property(fc.array(fc.array(cell, { minLength: 1, maxLength: 5 }), { maxLength: 5 }), (rows) => {
        expect(parseCsv(rows.map((row) => formatCsvRow(row)).join(''))).toEqual(rows);
      }),
    );
  });

  it('never begins a cell with what a spreadsheet runs', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const [[first = ''] = []] = parseCsv(formatCsvRow([text.toWellFormed()]));
        expect(first).not.toMatch(/^[=+\-@\t\r\n]/);
      }),
    );
  });

  it('refuses any other text with its own error', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', ',', '"', '\r', '\n') }), (text) => {
        let thrown: unknown;
        let rows: readonly (readonly string[])[] = [];
        try {
          rows = parseCsv(text);
        } catch (error) {
          thrown = error;
        }
        expect(rows.every((row) => row.length > 0)).toBe(true);
        expect(thrown === undefined || thrown instanceof LedgerError).toBe(true);
      }),
    );
  });
});

describe('JSON lines', () => {
  it('have the columns that have a value, in canonical form, unguarded', () => {
    expect(formatJsonLine({ b: '=1', a: undefined, aa: ['x'] })).toBe('{"aa":["x"],"b":"=1"}\n');
  });
});
