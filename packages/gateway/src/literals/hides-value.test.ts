/** Which bound values are hidden. */

import { describe, expect, it } from 'vitest';
import { hideMessage } from './hide-message.ts';
import { hideText } from './hide-text.ts';
import { hidesValue } from './hides-value.ts';
import { recordedText } from './recorded-text.ts';

const text = (value: string) => ({ bytes: Buffer.from(value), isBinary: false, typeOid: 25 });

function int8(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  return bytes;
}

function contextOf(sql: string): number {
  return hideText(Buffer.from(sql), 'all').context;
}

describe('hidesValue', () => {
  it('hides what is found, and with all everything', () => {
    expect(hidesValue(text('plain'), 'found', 0)).toBe(false);
    expect(hidesValue(text('plain'), 'all', 0)).toBe(true);
    expect(hidesValue(text('ana@example.org'), 'found', 0)).toBe(true);
    expect(hidesValue(text('7'), 'found', 0)).toBe(false);
  });

  it('takes the names of the statement as context', () => {
    const context = contextOf('insert into payments (order_ref, card_no) values ($1, $2)');
    expect(hidesValue(text('4111111111111111'), 'found', context)).toBe(true);
    expect(
      hidesValue({ bytes: int8(4111111111111111n), isBinary: true, typeOid: 20 }, 'found', context),
    ).toBe(true);
    expect(hidesValue({ bytes: int8(7n), isBinary: true, typeOid: 20 }, 'found', context)).toBe(false);
  });

  it('hides what nobody can read', () => {
    const bytes = Buffer.from([1, 2, 3, 4]);
    const types = [0, 1700, 3802, 600, 20];
    expect(types.filter((typeOid) => !hidesValue({ bytes, isBinary: true, typeOid }, 'found', 0))).toEqual(
      [],
    );
    expect(hidesValue({ bytes, isBinary: true, typeOid: 700 }, 'found', 0)).toBe(false);
  });

  it('hides dates where a name speaks of a birth', () => {
    const date = { bytes: Buffer.alloc(4), isBinary: true, typeOid: 1082 };
    expect(hidesValue(date, 'found', contextOf('update t set seen = $1'))).toBe(false);
    expect(hidesValue(date, 'found', contextOf('update t set birthday = $1'))).toBe(true);
  });
});

describe('hideMessage', () => {
  it.each([
    [
      '22P02',
      'invalid input syntax for type integer: "ana "b" c"',
      'invalid input syntax for type integer: "[REDACTED]"',
    ],
    [
      '42601',
      'unterminated quoted string at or near "\'Ana Sommer"',
      'unterminated quoted string at or near "[REDACTED]"',
    ],
    ['42601', 'syntax error at or near "123"', 'syntax error at or near "[REDACTED]"'],
    ['42601', 'syntax error at or near "selekt"', 'syntax error at or near "selekt"'],
    ['42703', 'column "emial" does not exist', 'column "emial" does not exist'],
    ['42703', 'column "ana@example.org" does not exist', '[REDACTED]'],
    ['22012', 'division by zero', 'division by zero'],
  ])('%s %s', (sqlstate, given, expected) => {
    expect(Buffer.from(hideMessage(sqlstate, Buffer.from(given))).toString()).toBe(expected);
  });
});

describe('recordedText', () => {
  it('is the text itself where no Mask reached the session', () => {
    expect(recordedText('select 1', undefined)).toBe('select 1');
    expect(recordedText('select 1', [])).toBe('select 0');
  });
});
