/** What is hidden of SQL texts, in a table and with random texts. */

import { array, assert, constantFrom, integer, oneof, pre, property, stringMatching } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TokenCursor } from '../sql/tokens.ts';
import { hideText, type Hiding } from './hide-text.ts';

function hidden(text: string, hiding: Hiding): string {
  return Buffer.from(hideText(Buffer.from(text), hiding).bytes).toString();
}

/** Two literals side by side, which PostgreSQL refuses, may be one when both are hidden. */
function hasNeighbours(text: string): boolean {
  const cursor = new TokenCursor(Buffer.from(text));
  let before = '';
  while (cursor.next()) {
    if (cursor.kind === 'comment') continue;
    const kind = cursor.kind.endsWith('literal') ? 'literal' : cursor.kind;
    if (kind === 'literal' && before === 'literal') return true;
    before = kind;
  }
  return false;
}

describe('hideText', () => {
  it.each([
    [
      "select 1, 'a', E'b\\n', U&'c', $$d$$, $t$ e $t$ from t -- f",
      "select 0, '[REDACTED]', '[REDACTED]', '[REDACTED]', '[REDACTED]', '[REDACTED]' from t -- [REDACTED]",
    ],
    [
      "/* x */ select b'01', X'ff', n'n', .5, 1e-5, 0x1F, 1_000, 12.",
      "/* [REDACTED] */ select '[REDACTED]', '[REDACTED]', '[REDACTED]', 0, 0, 0, 0, 0",
    ],
    ["select 'a'\n 'b' , 'c'", "select '[REDACTED]' , '[REDACTED]'"],
    ['select t1.c2, $1, $12, "Q 3"[4] from t5', 'select t1.c2, $1, $12, "Q 3"[0] from t5'],
    ["select 'it''s", "select '[REDACTED]'"],
    ['select 1-2, a-1 from t', 'select 0-0, a-0 from t'],
    ["date '2024-01-01' + interval '1' day", "date '[REDACTED]' + interval '[REDACTED]' day"],
    ['', ''],
    // Where a literal with a backslash before a quote ends is a setting: nothing behind its begin is shown.
    ["select 1, 'a\\' , kanarie, ' from t", "select 0, '[REDACTED]'"],
    ["select 'a'\n'b\\', kanarie'", "select '[REDACTED]'"],
    ["select E'a\\n'\n'b\\', kanarie'", "select '[REDACTED]'"],
    ["select E'a\\' , x', b", "select '[REDACTED]', b"],
  ])('hides every literal of %j', (text, expected) => {
    expect(hidden(text, 'all')).toBe(expected);
  });

  it.each([
    ["select * from t where a = 'x' and n = 7", "select * from t where a = 'x' and n = 7"],
    [
      "select * from t where a = 'call ana@example.org' and n = 7",
      "select * from t where a = '[REDACTED]' and n = 7",
    ],
    // Context stands in the names of the text.
    ['select * from t where card_no = 4111111111111111', 'select * from t where card_no = 0'],
    [
      "insert into people (id, phone) values (7, '030 1234567')",
      "insert into people (id, phone) values (7, '[REDACTED]')",
    ],
    // Beside a word for references too: what is hidden can be shown again.
    [
      "select 1 from orders where order_ref = '4111 1111 1111 1111'",
      "select 1 from orders where order_ref = '[REDACTED]'",
    ],
    // Not written as they are.
    [
      "select 'an''a', E'\\x61', 'a'\n'b', X'61', 'a\\b'",
      "select '[REDACTED]', '[REDACTED]', '[REDACTED]', '[REDACTED]', '[REDACTED]'",
    ],
    ["select 'a\\', kanarie || ' -- x' || b", "select '[REDACTED]'"],
    ['select 1 -- for ana@example.org\n', 'select 1 -- [REDACTED]\n'],
    ['/* bo */ select 1', '/* bo */ select 1'],
    ['select 1 as "ana@example.org"', 'select 1 as "[REDACTED]"'],
  ])('hides what is found in %j', (text, expected) => {
    expect(hidden(text, 'found')).toBe(expected);
  });

  it.each(['all', 'found'] as const)(
    'shows nothing behind an escape in an encoding that it does not know, hiding %s',
    (hiding) => {
      // In SJIS the backslash is the second byte of a character, and the literal ends with the quote behind it.
      const text = Buffer.concat([
        Buffer.from("select E'"),
        Buffer.from([0x83, 0x5c]),
        Buffer.from("', 'kanarie'"),
      ]);
      const bytes = Buffer.from(hideText(text, hiding).bytes).toString('latin1');
      expect(bytes).toBe("select '[REDACTED]'");
    },
  );

  it('gives the text itself where nothing is hidden', () => {
    const text = Buffer.from('select a from t');
    expect(hideText(text, 'all')).toMatchObject({ bytes: text, isChanged: false });
    expect(hideText(text, 'all').bytes).toBe(text);
  });

  const token = oneof(
    constantFrom('select', 'a', 't.b', ',', '(', ')', '=', '-', '+', '::int', '$1', '"N n"', ';', '\n', ' '),
    constantFrom("'", "''", "E'", '$$', '$q$', '--', '/*', '*/', '"', '\\', '.', 'e', '1', 'x'),
    integer({ min: 0, max: 99_999 }).map(String),
    stringMatching(/^[a-z ]{0,8}$/).map((text) => `'${text}'`),
  );
  const texts = array(token, { maxLength: 24 }).map((tokens) => tokens.join(' '));

  it('hides all of what was hidden in part as it hides all', () => {
    assert(
      property(texts, (text) => {
        pre(!hasNeighbours(text));
        expect(hidden(hidden(text, 'found'), 'all')).toBe(hidden(text, 'all'));
        expect(hidden(hidden(text, 'all'), 'all')).toBe(hidden(text, 'all'));
      }),
      { numRuns: 2_000 },
    );
  });

  it('leaves no literal, in whatever text it is planted', () => {
    const canary = 'kanarienvogel';
    const forms = [`'${canary}'`, `E'${canary}\\n'`, `$$${canary}$$`, `/* ${canary} */`, `U&'${canary}'`];
    assert(
      property(array(token, { maxLength: 12 }), constantFrom(...forms), (before, form) => {
        // Behind what is open it may be anything but a literal of its own.
        const text = `${before.join(' ')}\n${form} , 1`;
        const cursor = new TokenCursor(Buffer.from(text));
        let isName = false;
        while (cursor.next()) {
          const part = text.slice(cursor.from, cursor.to);
          isName ||= (cursor.kind.endsWith('name') || cursor.kind === 'word') && part.includes(canary);
        }
        pre(!isName);
        expect(hidden(text, 'all')).not.toContain(canary);
      }),
      { numRuns: 2_000 },
    );
  });
});
