import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  concat,
  equalBytes,
  fromBase64,
  fromHex,
  parseDecimal,
  toBase64,
  toHex,
  utf8,
  utf8Text,
} from './bytes.ts';
import { LedgerError } from './errors.ts';

const bytes = fc.uint8Array({ maxLength: 100 });

/** The one answer of a parser: a value, or our own error. */
function orCode<T>(action: () => T): T | string {
  try {
    return action();
  } catch (error) {
    if (error instanceof LedgerError) return error.code;
    throw error;
  }
}

describe('hex and base64', () => {
  it('are what Node writes, and come back', () => {
    fc.assert(
      fc.property(bytes, (data) => {
        expect(toHex(data)).toBe(Buffer.from(data).toString('hex'));
        expect(toBase64(data)).toBe(Buffer.from(data).toString('base64'));
        expect(fromHex(toHex(data))).toEqual(data);
        expect(fromBase64(toBase64(data))).toEqual(data);
      }),
    );
  });

  it('accept nothing that does not encode to itself again', () => {
    const almost = fc.oneof(
      fc.string(),
      fc.string({ unit: fc.constantFrom(...Array.from('ABCwxyz019+/=-_ \n')) }),
      fc.string({ unit: fc.constantFrom(...Array.from('09afAF ')) }),
    );
    fc.assert(
      fc.property(almost, (text) => {
        const fromBase = orCode(() => toBase64(fromBase64(text)));
        expect([text, 'ENCODING']).toContain(fromBase);
        const hex = orCode(() => toHex(fromHex(text)));
        expect([text, 'ENCODING']).toContain(hex);
      }),
      { numRuns: 2000 },
    );
  });

  const refused = [
    '=',
    '====',
    'A===',
    'AA=A',
    'AAA',
    'AB==',
    'AAB=',
    'AA==AA==',
    'AA-_',
    'AAA\u0141',
    ' AAAA',
  ];
  it.each(refused)('refuses the base64 "%s"', (text) => {
    expect(orCode(() => fromBase64(text))).toBe('ENCODING');
  });
});

describe('text', () => {
  it('of UTF-8 comes back, a byte order mark too', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(utf8Text(utf8(text))).toBe(text);
      }),
    );
    expect(utf8Text(utf8('\ufeffx'))).toBe('\ufeffx');
  });

  it('that is not UTF-8 is refused', () => {
    for (const bad of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82]])
      expect(orCode(() => utf8Text(Uint8Array.from(bad)))).toBe('ENCODING');
  });
});

describe('decimals', () => {
  it('have one spelling', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        expect(parseDecimal(String(value))).toBe(value);
        expect(parseDecimal(`0${value}`)).toBeUndefined();
      }),
    );
  });

  it.each(['', '-1', '+1', ' 1', '1 ', '1.0', '1e3', '0x1', '9007199254740992', '99999999999999999', '١'])(
    'refuses "%s"',
    (text) => {
      expect(parseDecimal(text)).toBeUndefined();
    },
  );
});

it('concatenates and compares', () => {
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      expect(concat(a, b)).toEqual(Uint8Array.from([...a, ...b]));
      expect(equalBytes(a, b)).toBe(Buffer.compare(a, b) === 0);
      expect(equalBytes(a, a.slice())).toBe(true);
    }),
  );
});
