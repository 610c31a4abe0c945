import { describe, expect, it } from 'vitest';
import { copiesIn, isCopyIn, nameEffects } from './sql-names.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1');

describe('a text', () => {
  it.each([
    ['copy t from stdin', true],
    ['select 1; /* a */ copy "a b".c (x, y) from -- to\n stdin', true],
    ['copy binary t from stdin', true],
    ['copy t(a)from stdin', true],
    ['copy (select 1) to stdout', false],
    ["copy t from '/stdin'", false],
    ['copy t /* from stdin', false],
  ])('%s has a COPY FROM STDIN: %s', (text, expected) => {
    expect(copiesIn(bytes(text))).toBe(expected);
  });

  it.each([
    ['prepare x as select 1', { statements: true, portals: false }],
    ['close c', { statements: false, portals: true }],
    ['discard all', { statements: true, portals: true }],
    ["/* /* */ */ select 'deallocate'", { statements: false, portals: false }],
    ["select 1; select 'deallocate'", { statements: true, portals: false }],
  ])('%s may change %o', (text, expected) => {
    expect(nameEffects(bytes(text))).toEqual(expected);
  });

  // A text of half this length took a minute where a pattern was quadratic; the bound is for slow machines.
  it.each([
    ['spaces behind a name', `stdin copy a${' '.repeat(1_000_000)}x`],
    ['spaces behind a list', `stdin copy a ()${' '.repeat(1_000_000)}x`],
    ['comments without an end', `stdin ${'/*'.repeat(500_000)}`],
    ['comments in comments', `stdin close ${'/*'.repeat(250_000)}${'*/'.repeat(250_000)}`],
    ['statements', `stdin ${';copy a '.repeat(120_000)}`],
    ['separators', `stdin ${'; '.repeat(500_000)}`],
    ['quotes', `stdin ${';copy "'.repeat(140_000)}`],
    ['quoted names', `stdin copy ${'"a"'.repeat(330_000)}`],
    ['parentheses', `stdin ${';copy a('.repeat(120_000)}`],
    ['one long name', `stdin copy ${'a'.repeat(1_000_000)}`],
    ['dashes', `stdin ${'--'.repeat(500_000)}`],
  ])('of %s is read in linear time', (_what, text) => {
    const started = performance.now();
    copiesIn(bytes(text));
    isCopyIn(bytes(text));
    nameEffects(bytes(text));
    expect(performance.now() - started).toBeLessThan(5_000);
  });
});
