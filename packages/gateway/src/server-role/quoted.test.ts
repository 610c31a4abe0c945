import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { commentText, dollarQuoted, quotedName, quotedText } from './quoted.ts';

/** Names as somebody hostile would choose them. */
const PARTS = [
  '"',
  "'",
  '\\',
  '$countersign$',
  ';',
  '--',
  '/*',
  '*/',
  '\n',
  '\r',
  '\u202e',
  '\u2028',
  'a',
  'é',
  ' ',
  ':x',
];
const hostile = fc
  .array(fc.oneof(fc.constantFrom(...PARTS), fc.string({ minLength: 1 })), { minLength: 1 })
  .map((parts) => parts.join('').replaceAll('\0', ''));
const names = hostile.filter((name) => name !== '' && name.isWellFormed());

describe('a name or text of somebody else', () => {
  it('is one token of SQL that stands for it, whatever is in it', () => {
    fc.assert(
      fc.property(names, (name) => {
        expect(unquoted(quotedName(name), '"')).toBe(name);
        expect(unquoted(quotedText(name), "'")).toBe(name);
      }),
    );
  });

  it('has nothing that a reader would not see', () => {
    fc.assert(
      fc.property(names, (name) => {
        expect(quotedName(name) + quotedText(name) + commentText(name)).not.toMatch(
          /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u,
        );
      }),
    );
  });

  it('does not end the body that it stands in', () => {
    const body = `${quotedText('$countersign$')} ${quotedText('$countersign1$')}`;
    const [, tag = ''] = /^(\$\w+\$)\n/.exec(dollarQuoted(body)) ?? [];
    expect(tag).toBe('$countersign2$');
    expect(dollarQuoted(body).split(tag)).toHaveLength(3);
  });
});

/** As PostgreSQL reads it with standard_conforming_strings. */
function unquoted(text: string, mark: string): string {
  const isEscaped = text.startsWith('U&');
  const inner = isEscaped ? text.slice(2) : text;
  expect(inner.startsWith(mark) && inner.endsWith(mark)).toBe(true);
  const body = inner.slice(1, -1);
  expect(body.replaceAll(mark + mark, '')).not.toContain(mark);
  const plain = body.replaceAll(mark + mark, mark);
  if (!isEscaped) return plain;
  return plain.replace(/\\\\|\\\+([0-9A-F]{6})/g, (_, code: string | undefined) =>
    code === undefined ? '\\' : String.fromCodePoint(Number.parseInt(code, 16)),
  );
}
