/** What is left of messages of a server, in whatever language it speaks. */

import { describe, expect, it } from 'vitest';
import { hideMessage } from './hide-message.ts';

function hidden(sqlstate: string, text: string): string {
  return Buffer.from(hideMessage(sqlstate, Buffer.from(text))).toString();
}

describe('hideMessage', () => {
  it.each([
    [
      '22P02',
      'invalid input syntax for type integer: "kanarie"',
      'invalid input syntax for type integer: "[REDACTED]"',
    ],
    [
      '22P02',
      'invalid input syntax for type integer: "a"kanarie"b"',
      'invalid input syntax for type integer: "[REDACTED]"',
    ],
    ['22012', 'division by zero', 'division by zero'],
    ['42601', 'syntax error at or near "from"', 'syntax error at or near "from"'],
    ['42601', 'syntax error at or near "\'kanarie\'"', 'syntax error at or near "[REDACTED]"'],
    [
      '42601',
      'unterminated quoted string at or near "\'kanarie"',
      'unterminated quoted string at or near "[REDACTED]"',
    ],
    [
      '42601',
      'unterminated quoted string at or near "E\'kanarie"',
      'unterminated quoted string at or near "[REDACTED]"',
    ],
    [
      '42601',
      'unterminated /* comment at or near "/* kanarie"',
      'unterminated /* comment at or near "[REDACTED]"',
    ],
    [
      '42601',
      'unterminated quoted identifier at or near ""kanarie"',
      'unterminated quoted identifier at or near "[REDACTED]"',
    ],
    ['42601', 'invalid type name "kanarie"', 'invalid type name "[REDACTED]"'],
    ['42601', 'syntax error at end of input', 'syntax error at end of input'],
    // In the languages of lc_messages.
    ['22P02', 'ungültige Eingabesyntax für Typ integer: »kanarie«', '[REDACTED]'],
    ['22P02', 'ungültige Eingabesyntax für Typ integer: "kanarie"', '[REDACTED]'],
    ['42601', "Syntaxfehler bei »'kanarie'«", '[REDACTED]'],
    ['22P02', 'неверный синтаксис для типа integer: "kanarie"', '[REDACTED]'],
    ['22P02', 'entrada inválida para integer: «kanarie»', '[REDACTED]'],
    // Of another kind: as it is.
    ['42P01', 'relation "nowhere" does not exist', 'relation "nowhere" does not exist'],
    [
      '23505',
      'doppelter Schlüsselwert verletzt Unique-Constraint »x«',
      'doppelter Schlüsselwert verletzt Unique-Constraint »x«',
    ],
  ])('of %s %j leaves %j', (sqlstate, text, expected) => {
    expect(hidden(sqlstate, text)).toBe(expected);
  });
});
