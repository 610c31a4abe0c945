import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ColumnStatistics } from '../detect/column-statistics.ts';
import { CompiledRules } from '../detect/custom-rules.ts';
import { Scanner } from '../detect/scanner.ts';
import { builtInType } from '../operators/built-in-types.ts';
import type { TypeDescription, Wire } from '../operators/operator.ts';
import { base, BINARY_WIRE, TEXT, TEXT_WIRE } from '../operators/testing-masks.ts';
import { MaskCounts } from './mask-counts.ts';
import { bytesIn, detect, masker, row, scanPlan, valuesIn } from './testing-rows.ts';

const MAIL = 'ana@example.org';
const CARD = '4111111111111111';
const TEXTS = builtInType(1009);
const JSONB = builtInType(3802);
const PERSON: TypeDescription = { kind: 'composite', fields: [TEXT, base('int4'), TEXTS] };

/** One value of a column that is looked through, afterwards. */
function scanned(type: TypeDescription, text: string, name = 'note', wire: Wire = TEXT_WIRE): string | null {
  const [value] = valuesIn(masker([scanPlan(type, name)], { wire }).mask(row(text)));
  return value ?? null;
}

function scannedBinary(type: TypeDescription, value: Uint8Array, name = 'note'): string | null {
  const one = masker([scanPlan(type, name)], { formats: [1], wire: BINARY_WIRE });
  return bytesIn(one.mask(row(value)))[0]?.toString('latin1') ?? null;
}

function scannedIn(clientEncoding: string, bytes: Uint8Array, type: TypeDescription = TEXT): string | null {
  const one = masker([scanPlan(type)], { wire: { ...TEXT_WIRE, clientEncoding } });
  return bytesIn(one.mask(row(bytes)))[0]?.toString('latin1') ?? null;
}

/** A card so many levels deep, and one behind it. */
function deep(levels: number): string {
  return `{"card": ${'['.repeat(levels)}${CARD}${']'.repeat(levels)}, "b": ${CARD}}`;
}

describe('a column that is looked through', () => {
  const cases: readonly (readonly [string, TypeDescription, string, string | null])[] = [
    ['text', TEXT, `mail ${MAIL}!`, 'mail [REDACTED:EMAIL]!'],
    ['varchar', base('varchar', 4 + 18), `to ${MAIL}`, 'to ***************'],
    ['char(n)', base('bpchar', 4 + 18), MAIL.padEnd(18), '[REDACTED:EMAIL]  '],
    [
      'an array',
      TEXTS,
      `{"a b",${MAIL},NULL,"x ${MAIL}"}`,
      '{"a b",[REDACTED:EMAIL],NULL,"x [REDACTED:EMAIL]"}',
    ],
    [
      'a composite',
      PERSON,
      `("mail ${MAIL}",7,"{a,${MAIL}}")`,
      '("mail [REDACTED:EMAIL]",7,"{a,[REDACTED:EMAIL]}")',
    ],
    ['an anonymous record, field by field', builtInType(2249), `(1,${MAIL},x)`, '(1,,x)'],
    [
      'json',
      builtInType(114),
      `{"to" : "${MAIL}", "n":[1, 2.50]}`,
      '{"to" : "[REDACTED:EMAIL]", "n":[1, 2.50]}',
    ],
    [
      'json with escapes',
      builtInType(114),
      '["ana\\u0040example.org", "\\u00e9"]',
      '["[REDACTED:EMAIL]", "\\u00e9"]',
    ],
    ['names in json', JSONB, `{"${MAIL}": 1}`, '{"[REDACTED:EMAIL]": 1}'],
    [
      'an array of json',
      builtInType(3807),
      `{"{\\"a\\": \\"${MAIL}\\"}"}`,
      '{"{\\"a\\": \\"[REDACTED:EMAIL]\\"}"}',
    ],
    ['xml', base('xml'), `<a>${MAIL}</a>`, '<a>[REDACTED:EMAIL]</a>'],
    ['hstore', base('hstore'), `"to"=>"${MAIL}"`, '"to"=>"[REDACTED:EMAIL]"'],
    ['tsvector', base('tsvector'), `'${MAIL}':1`, ''],
    ['bytea', base('bytea'), `\\x${Buffer.from(MAIL).toString('hex')}`, '\\x'],
    ['a type that is not known', { kind: 'unknown' }, `{${MAIL}}`, null],
    ['an extension’s type', base('ltree2'), MAIL, null],
    ['a domain', { kind: 'domain', base: TEXT }, MAIL, '[REDACTED:EMAIL]'],
    ['a domain with a constant', { kind: 'domain', base: TEXT, constant: 'a@invalid' }, MAIL, 'a@invalid'],
    ['an array that is none', TEXTS, `${MAIL}}`, null],
    ['json that is none', JSONB, `{"a": "${MAIL}`, '{"a": "[REDACTED:EMAIL]"'],
  ];
  it.each(cases)('%s', (_, type, value, masked) => {
    expect(scanned(type, value)).toBe(masked);
  });

  it.each([
    ['enum labels', { kind: 'enum', labels: [MAIL] }, MAIL],
    ['an array of no texts', builtInType(1007), '{1,2}'],
    ['an array that is none', TEXTS, '}{'],
    ['json that is none', JSONB, '{"a": '],
    ['an empty text', TEXT, ''],
  ] as const)('leaves %s as they came', (_, type, value) => {
    expect(scanned(type, value)).toBe(value);
  });

  it('masks what a Mask looks for, by the first that does, and nothing else', () => {
    const masks = [detect({ kind: 'partial' }, ['EMAIL']), detect({ kind: 'redact' }, ['EMAIL', 'IBAN'])];
    const one = masker([scanPlan(TEXT, 'note', masks)]);
    const text = `${MAIL} GB82WEST12345698765432 4111 1111 1111 1111`;
    expect(valuesIn(one.mask(row(text)))).toEqual(['***@example.org [REDACTED:IBAN] 4111 1111 1111 1111']);
  });

  it('masks what rules of the installation find', () => {
    const rules = new CompiledRules([{ kind: 'exact', name: 'projects', values: ['Bluebird'] }]);
    const counts = new MaskCounts();
    const masks = [detect({ kind: 'redact' }, ['CUSTOM:projects'])];
    const one = masker([scanPlan(TEXT, 'note', masks)], { scanner: new Scanner({ rules }), counts });
    expect(valuesIn(one.mask(row('on Bluebird')))).toEqual(['on [REDACTED:CUSTOM]']);
    expect(counts.list().map(({ entity, values }) => [entity, values])).toEqual([['CUSTOM', 1]]);
  });
});

describe('what a column is named for', () => {
  it('makes a number certain: whole values, values of other types, members of json', () => {
    expect(scanned(TEXT, CARD)).toBe(CARD);
    expect(scanned(TEXT, CARD, 'card_no')).toBe('[REDACTED:CREDIT_CARD]');
    expect(scanned(base('int8'), CARD)).toBe(CARD);
    expect(scanned(base('int8'), CARD, 'card_no')).toBe('0');
    expect(scanned(base('numeric'), CARD, 'card_no')).toBe('0');
    expect(scanned(base('date'), '1980-02-01', 'birth_date')).toBe('1970-01-01');
    expect(scanned(JSONB, `{"a": ["${CARD}", ${CARD}]}`)).toBe(`{"a": ["${CARD}", ${CARD}]}`);
    expect(scanned(JSONB, `{"cardNo": ["${CARD}", ${CARD}], "b": ${CARD}}`)).toBe(
      `{"cardNo": ["[REDACTED:CREDIT_CARD]", 0], "b": ${CARD}}`,
    );
    expect(scanned(JSONB, `{"card": {"x": [{"y": ${CARD}}]}, "b": ${CARD}}`)).toBe(
      `{"card": {"x": [{"y": 0}]}, "b": ${CARD}}`,
    );
    expect(scanned(JSONB, `{"card\\u005fno": ${CARD}}`)).toBe('{"card\\u005fno": 0}');
    expect(scanned(JSONB, `[${CARD}]`, 'cards')).toBe('[0]');
  });

  it('is remembered on every level of json, and forgotten behind it', () => {
    for (const levels of [1, 200, 300, 2_000]) {
      const masked = scanned(JSONB, deep(levels)) ?? '';
      expect(masked).toBe(deep(levels).replace(CARD, '0'));
    }
  });
});

describe('what the values of a column say together', () => {
  const cards = Array.from({ length: 40 }, (_, at) => luhn(`4000${String(at * 7_919).padStart(11, '0')}`));

  it('makes each of them certain, from the eighth on', () => {
    const one = masker([scanPlan()]);
    const values = cards.map((card) => valuesIn(one.mask(row(card)))[0]);
    expect(values.slice(0, 7)).toEqual(cards.slice(0, 7));
    expect(new Set(values.slice(7))).toEqual(new Set(['[REDACTED:CREDIT_CARD]']));
  });

  it('holds for numbers in binary, and goes on where another result stopped', () => {
    const statistics = new ColumnStatistics();
    const hints = { context: 0, statistics };
    const plan = { ...scanPlan(base('int8')), hints };
    const binary = cards.map((card) => {
      const bytes = Buffer.alloc(8);
      bytes.writeBigInt64BE(BigInt(card));
      return bytes;
    });
    const first = masker([plan], { formats: [1] });
    for (const value of binary.slice(0, 20)) first.mask(row(value));
    const second = masker([plan], { formats: [1] });
    expect(bytesIn(second.mask(row(binary[30] ?? null)))).toEqual([Buffer.alloc(8)]);
  });

  it('leaves ids alone', () => {
    const one = masker([scanPlan()]);
    const ids = Array.from({ length: 600 }, (_, at) => String(1_000_000_000_000_000n + BigInt(at) * 7_919n));
    expect(ids.map((id) => valuesIn(one.mask(row(id)))[0])).toEqual(ids);
  });
});

describe('binary values', () => {
  it('are masked where their text would be', () => {
    const text = Buffer.from(`to ${MAIL}`);
    expect(scannedBinary(TEXT, text)).toBe('to [REDACTED:EMAIL]');
    expect(scannedBinary(JSONB, Buffer.from(`\x01{"a": "${MAIL}"}`))).toBe('\x01{"a": "[REDACTED:EMAIL]"}');
    expect(scannedBinary(base('bytea'), text)).toBe('');
    expect(scannedBinary({ kind: 'unknown' }, text)).toBeNull();
    expect(scannedBinary(base('inet'), Buffer.from([2, 32, 0, 4, 93, 184, 216, 34]), 'ip')).toBe(
      Buffer.from('0220000400000000', 'hex').toString('latin1'),
    );
    const date = Buffer.alloc(4);
    date.writeInt32BE(-7_274);
    expect(scannedBinary(base('date'), date, 'birthday')).toBe(
      Buffer.from('ffffd533', 'hex').toString('latin1'),
    );
    expect(scannedBinary(base('date'), date, 'day')).toBe(date.toString('latin1'));
  });

  it('of any bytes are given back or masked, in every type', () => {
    const types = [
      1700, 20, 23, 701, 700, 1082, 1114, 869, 829, 600, 17, 25, 3802, 1009, 2249, 3904, 4451, 2950, 3614,
    ]
      .map((oid) => builtInType(oid))
      .concat({ kind: 'unknown' }, base('hstore'), PERSON);
    fc.assert(
      fc.property(
        fc.constantFrom(...types),
        fc.uint8Array({ maxLength: 40 }),
        fc.nat(1),
        (type, bytes, format) => {
          const one = masker([scanPlan(type, 'card_no')], { formats: [format] });
          expect(bytesIn(one.mask(row(bytes)))).toHaveLength(1);
        },
      ),
      { numRuns: 5_000 },
    );
  });
});

describe('client encodings', () => {
  it('of one byte a character are masked in their place', () => {
    const text = Buffer.from(`é ü ${MAIL} ß`, 'latin1');
    for (const name of ['LATIN1', 'WIN1252', 'KOI8R', 'SQL_ASCII']) {
      expect(scannedIn(name, text)).toBe('é ü [REDACTED:EMAIL] ß');
    }
    expect(scannedIn('LATIN1', Buffer.from(`{"é": "${MAIL}"}`, 'latin1'), JSONB)).toBe(
      '{"é": "[REDACTED:EMAIL]"}',
    );
    expect(scannedIn('LATIN1', Buffer.from('é', 'latin1'))).toBe('é');
  });

  it('of more are looked through, and masked as a whole where something is found', () => {
    // Katakana A in Shift JIS is 83 41: an A that is none stands before the number.
    const number = Buffer.from([0x83, 0x41, ...Buffer.from('123-45-6789')]);
    expect(scannedIn('SJIS', number)).toBe('[REDACTED:US_SSN]');
    expect(scannedIn('SJIS', Buffer.from([0x83, 0x41]))).toBe('\x83A');
    expect(scannedIn('SJIS', Buffer.from(MAIL))).toBe('[REDACTED:EMAIL]');
    expect(scannedIn('SJIS', Buffer.from([0x83, 0x41, ...Buffer.from(`"${MAIL}"`)]), JSONB)).toBe(
      '"[REDACTED]"',
    );
    const array = Buffer.concat([Buffer.from('{'), number, Buffer.from('}')]);
    expect(scannedIn('SJIS', array, TEXTS)).toBeNull();
  });

  it('that are not read have their values masked', () => {
    expect(scannedIn('EUC_TW', Buffer.from([0xa4, 0xa4]))).toBe('[REDACTED:UNREAD]');
    expect(scannedIn('SJIS', Buffer.from([0x83]))).toBe('[REDACTED:UNREAD]');
    expect(scannedIn('EUC_TW', Buffer.from('a note'))).toBe('a note');
  });
});

function luhn(payload: string): string {
  const sum = payload
    .split('')
    .toReversed()
    .map((digit, at) => (at % 2 === 0 ? Number(digit) * 2 : Number(digit)))
    .reduce((total, digit) => total + (digit > 9 ? digit - 9 : digit), 0);
  return payload + String((10 - (sum % 10)) % 10);
}
