import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesOfHex, hexOf } from './bytes.ts';
import { builtInType } from './built-in-types.ts';
import { maskValue } from './mask-value.ts';
import type { Operator, TypeDescription } from './operator.ts';
import {
  ALL_OPERATORS,
  base,
  BINARY_WIRE,
  bytesOf,
  masked,
  maskedText,
  RING,
  TEXT_WIRE,
  type TextMask,
} from './testing-masks.ts';

function hash(entity: string, value: string): string | null {
  return maskedText({ operator: { kind: 'hash' }, entity }, value);
}

const varchar = (characters: number): TypeDescription => base('varchar', characters + 4);
const bpchar = (characters: number): TypeDescription => base('bpchar', characters + 4);
const NAMES: TypeDescription = { kind: 'array', element: base('text'), delimiter: ',' };

/** Operator, entity, value, what it becomes. */
const TEXTS: readonly (readonly [
  operator: Operator,
  entity: string,
  value: string,
  result: string | null,
])[] = [
  [{ kind: 'redact' }, 'EMAIL', 'anna@example.com', '[REDACTED:EMAIL]'],
  [{ kind: 'mask' }, 'PHONE', '+49 (170) 123-45', '+** (***) ***-**'],
  [{ kind: 'mask' }, 'PERSON', 'Jürgen Müller', '****** ******'],
  [{ kind: 'mask' }, 'SECRET', '----....::::', '************'],
  [{ kind: 'mask' }, 'SECRET', 'a😀b', '***'],
  [{ kind: 'partial' }, 'EMAIL', 'anna@example.com', 'a***@example.com'],
  [{ kind: 'partial' }, 'EMAIL', 'ann@example.com', '***@example.com'],
  [{ kind: 'partial' }, 'EMAIL', '"a@b c"@example.com', '***@example.com'],
  [{ kind: 'partial' }, 'EMAIL', 'no mail at all', '** **** ** ***'],
  [{ kind: 'partial' }, 'URL_CREDENTIALS', 'correct-horse', '*******-*****'],
  [{ kind: 'partial' }, 'SECRET', 'hunter2hunter2', '**************'],
  [{ kind: 'partial', keepFirst: 0 }, 'EMAIL', 'anna@example.com', '***@example.com'],
  [{ kind: 'partial' }, 'CREDIT_CARD', '4111 1111 1111 1234', '**** **** **** 1234'],
  [{ kind: 'partial', keepFirst: 8, keepLast: 8 }, 'CREDIT_CARD', '4111111111111234', '411111******1234'],
  [{ kind: 'partial' }, 'PHONE', '+49 170 1234567', '+** *** *****67'],
  [{ kind: 'partial' }, 'IBAN', 'DE89 3704 0044 0532 0130 00', 'DE** **** **** **** **30 00'],
  [{ kind: 'partial' }, 'IPV4', '192.0.2.17', '192.0.2.*'],
  [{ kind: 'partial' }, 'IPV6', '2001:db8:1:2::3', '2001:db8:1:*'],
  [{ kind: 'partial' }, 'URL_CREDENTIALS', 'ftp://ana:p@ss@host/x', 'ftp://ana:***@host/x'],
  [{ kind: 'partial' }, 'ID', '123456', '******'],
  [{ kind: 'partial' }, 'ID', '1234567', '***4567'],
  [{ kind: 'partial', keepFirst: 2 }, 'ID', 'AB-12345', 'AB-*****'],
  [{ kind: 'generalise' }, 'AGE', '37', '30'],
  [{ kind: 'generalise', ceiling: 90 }, 'AGE', '97', '90'],
  [{ kind: 'generalise', ceiling: 65 }, 'AGE', '97', '65'],
  [{ kind: 'generalise' }, 'AGE', 'old', '[REDACTED:AGE]'],
  [{ kind: 'fpe' }, 'PIN', '1234', '[REDACTED:PIN]'],
  [{ kind: 'fake' }, 'SECRET', 'x', '[REDACTED:SECRET]'],
  [{ kind: 'nullify' }, 'EMAIL', 'anna@example.com', null],
  [{ kind: 'drop' }, 'EMAIL', 'anna@example.com', null],
];

describe('maskValue', () => {
  it.each(TEXTS)('%o of %s: %s', (operator, entity, value, result) => {
    expect(maskedText({ operator, entity }, value)).toBe(result);
  });

  it('leaves NULL NULL', () => {
    const request = { entity: 'EMAIL', type: base('text'), wire: TEXT_WIRE, keys: RING };
    for (const operator of ALL_OPERATORS) {
      expect(maskValue({ ...request, operator }, null)).toEqual({ value: null, reversible: false });
    }
  });

  it.each([
    [varchar(40), 'redact', '[REDACTED:EMAIL]'],
    [varchar(12), 'redact', '[REDACTED]'],
    [varchar(5), 'redact', '*****'],
    [bpchar(12), 'redact', '[REDACTED]  '],
    [bpchar(3), 'redact', '***'],
    [base('char'), 'redact', '*'],
    [base('name'), 'redact', '[REDACTED:EMAIL]'],
    [varchar(20), 'mask', '****@*******.***'],
    [bpchar(20), 'mask', '****@*******.***    '],
  ] as const)('makes what fits: %o, %s', (type, kind, result) => {
    expect(maskedText({ operator: { kind }, type }, 'anna@example.com')).toBe(result);
  });

  it('gives tokens and hashes a shorter form where there is no room, and none where there is none', () => {
    const forms = [varchar(80), varchar(40), varchar(28), varchar(27)].map((type) =>
      maskedText({ operator: { kind: 'token' }, type }, 'anna'),
    );
    expect(forms[0]).toMatch(/^tok_email_[a-z2-7]{53}$/);
    expect(forms[1]).toMatch(/^tok_[a-z2-7]{24}$/);
    expect(forms[2]).toBe(forms[1]);
    expect(forms[3]).toBe('[REDACTED:EMAIL]');
    const short: TextMask = { operator: { kind: 'hash' }, type: varchar(40) };
    expect(maskedText(short, 'anna')).toMatch(/^hash_[a-z2-7]{24}$/);
  });

  it('says whether the value can be had back', () => {
    const reversible = ALL_OPERATORS.filter(
      (operator) => masked({ operator, entity: 'ID' }, '1234567').reversible,
    );
    expect(reversible.map(({ kind }) => kind)).toEqual(['token', 'fpe']);
    const short: TextMask = { operator: { kind: 'token' }, type: varchar(28) };
    expect(masked(short, 'anna').reversible).toBe(false);
    const array: TextMask = { operator: { kind: 'fpe' }, type: NAMES };
    expect(masked(array, '{1234567,7654321}').reversible).toBe(true);
    expect(masked(array, '{1234567,12}').reversible).toBe(false);
    expect(masked(array, '{}').reversible).toBe(false);
  });

  it('masks elements, fields and leaves, and keeps what is around them', () => {
    const redact = { kind: 'redact' } as const;
    const person: TypeDescription = { kind: 'composite', fields: [base('text'), base('int4'), NAMES] };
    const masks: readonly (readonly [TypeDescription, string, string | null])[] = [
      [NAMES, '[0:1]={"a,b",NULL}', '[0:1]={[REDACTED:EMAIL],NULL}'],
      [
        NAMES,
        '{{a,b},{"NULL",""}}',
        '{{[REDACTED:EMAIL],[REDACTED:EMAIL]},{[REDACTED:EMAIL],[REDACTED:EMAIL]}}',
      ],
      [person, '("a ""b""",7,"{x,\\"y z\\"}")', '([REDACTED:EMAIL],0,"{[REDACTED:EMAIL],[REDACTED:EMAIL]}")'],
      [person, '(,,)', '(,,)'],
      [person, '(a,7)', null],
      [builtInType(2249), '(1,ana)', '(,)'],
      [builtInType(3904), '[1,5)', 'empty'],
      [builtInType(4451), '{[1,5),[7,9)}', '{}'],
      [builtInType(3802), '{"a": ["x", 1.50, true, null]}', '{"a": ["[REDACTED:EMAIL]", 0, false, null]}'],
      [{ kind: 'enum', labels: ['sad', 'ok'] }, 'ok', 'sad'],
      [{ kind: 'enum', labels: [] }, 'ok', null],
      [{ kind: 'unknown' }, 'ok', null],
      [{ kind: 'domain', base: base('text'), constant: 'redacted@invalid' }, 'a@b.c', 'redacted@invalid'],
      [{ kind: 'domain', base: base('int4') }, '7', '0'],
      [base('numeric', ((12 << 16) | 2) + 4), '1.25', '0.00'],
      [base('bit'), '10110', '00000'],
      [base('circle'), '<(1,2),3>', '<(0,0),0>'],
    ];
    for (const [type, value, result] of masks)
      expect(maskedText({ operator: redact, type }, value)).toBe(result);
  });

  it('drops members of JSON, and makes them null', () => {
    const type = builtInType(114);
    const value = '{"a": {"b": 1}, "c": ["x", null]}';
    expect(maskedText({ operator: { kind: 'drop' }, type }, value)).toBe('{"a": {}, "c": [ null]}');
    expect(maskedText({ operator: { kind: 'nullify' }, type }, value)).toBeNull();
    const domain: TypeDescription = { kind: 'domain', base: type };
    expect(maskedText({ operator: { kind: 'drop' }, type: domain }, '{"a":1}')).toBe('{}');
    expect(maskedText({ operator: { kind: 'drop' }, type: NAMES }, '{a,b}')).toBeNull();
    expect(maskedText({ operator: { kind: 'drop' }, type: builtInType(3904) }, '[1,5)')).toBeNull();
  });

  it('generalises numbers, dates, networks and bounds of ranges', () => {
    const masks: readonly (readonly [Partial<Operator>, TypeDescription, string, string])[] = [
      [{}, base('int4'), '-37', '-30'],
      [{}, base('int2'), '-32768', '-32760'],
      [{}, base('int8'), '9223372036854775807', '9223372036854775800'],
      [{ width: 1000 }, base('numeric'), '12345.678', '12000.000'],
      [{ decimals: 1 }, base('numeric'), '-12.345', '-12.300'],
      [{ decimals: 2 }, base('float8'), '48.85837', '48.85'],
      [{ width: 5 }, base('float4'), '13.7', '10'],
      [{ ceiling: 65 }, base('float8'), '97.5', '65'],
      [{ ceiling: 65 }, base('int4'), '97', '65'],
      [{ ceiling: 65 }, base('int4'), '-97', '-90'],
      [{}, base('float8'), 'NaN', '0'],
      [{}, base('date'), '1984-03-17', '1984-03-01'],
      [{ unit: 'quarter' }, base('date'), '1984-03-17', '1984-01-01'],
      [{ unit: 'year' }, base('date'), '0044-03-15 BC', '0044-01-01 BC'],
      [{}, base('date'), 'infinity', 'infinity'],
      [{}, base('timestamptz'), '1984-03-01 01:00:00+02', '1984-02-01 00:00:00+00'],
      [{}, base('inet'), '192.0.2.17', '192.0.2.0/24'],
      [{}, base('cidr'), '10.0.0.0/8', '10.0.0.0/8'],
      [{}, base('inet'), '2001:db8::17', '2001:db8::/48'],
      [{}, base('point'), '(48.8584,2.2945)', '(48.8,2.2)'],
      [{}, builtInType(3904), '[17,42)', '[10,40)'],
      [{}, builtInType(3912), '[1984-03-17,)', '[1984-03-01,)'],
      [{}, base('bool'), 't', 'f'],
    ];
    for (const [options, type, value, result] of masks) {
      const operator = { kind: 'generalise', ...options } as Operator;
      expect(maskedText({ operator, type }, value)).toBe(result);
    }
  });

  it('shows parts of addresses alone', () => {
    const masks: readonly (readonly [TypeDescription, string, string])[] = [
      [base('inet'), '192.0.2.17', '192.0.2.0/24'],
      [base('macaddr'), '08:00:2b:01:02:03', '08:00:2b:00:00:00'],
      [base('int4'), '1234567', '0'],
      [base('uuid'), '0190b3f4-9c7e-7cc2-b0d1-a5f2f3c4d5e6', '00000000-0000-0000-0000-000000000000'],
    ];
    for (const [type, value, result] of masks) {
      expect(maskedText({ operator: { kind: 'partial' }, type }, value)).toBe(result);
    }
  });

  it('makes nothing up that could be somebody', () => {
    const fakes = ['EMAIL', 'PHONE', 'IPV4', 'IPV6', 'PERSON', 'ADDRESS'].map((entity) => {
      const value = entity === 'IPV6' ? '2a00::1' : '+49 170 1234567';
      const mask: TextMask = { operator: { kind: 'fake' }, entity };
      expect(maskedText(mask, value)).toBe(maskedText(mask, value));
      return maskedText(mask, value);
    });
    expect(fakes[0]).toMatch(/^user-[a-z2-7]{24}@example\.invalid$/);
    expect(fakes[1]).toMatch(/^\+1-\d{3}-555-01\d\d$/);
    expect(fakes[2]).toMatch(/^(192\.0\.2|198\.51\.100|203\.0\.113)\.\d+$/);
    expect(fakes[3]).toMatch(/^2001:db8::[0-9a-f]+:[0-9a-f]+$/);
    expect(fakes[4]).toMatch(/^[A-Z][a-z]+ [A-Z][a-z]+$/);
    expect(fakes[5]).toMatch(/^\d+ [A-Za-z ]+, [A-Z][a-z]+$/);
  });

  it('hashes one value written in two ways to one text', () => {
    expect(hash('EMAIL', ' Anna@Example.COM')).toBe(hash('EMAIL', 'anna@example.com'));
    expect(hash('CREDIT_CARD', '4111 1111-1111 1111')).toBe(hash('CREDIT_CARD', '4111111111111111'));
    expect(hash('IBAN', 'de89 3704')).toBe(hash('IBAN', 'DE893704'));
    expect(hash('PHONE', 'none')).not.toBe(hash('PHONE', 'unknown'));
    expect(hash('PERSON', 'Ana')).not.toBe(hash('PERSON', 'ana'));
  });

  it('reads one-byte encodings, and replaces what it does not read', () => {
    const latin = { ...TEXT_WIRE, clientEncoding: 'LATIN1' };
    const japanese = { ...TEXT_WIRE, clientEncoding: 'SJIS' };
    const value = Uint8Array.of(0x4d, 0xfc, 0x6c, 0x6c, 0x65, 0x72, 0x20, 0x41, 0x6e, 0x6e, 0x61);
    const request = { entity: 'PERSON', type: base('text'), keys: RING };
    const partial = maskValue(
      { ...request, operator: { kind: 'partial', keepFirst: 2 }, wire: latin },
      value,
    );
    expect(partial.value).toEqual(Uint8Array.of(0x4d, 0xfc, ...bytesOf('**** ****')));
    // The second byte of this katakana is a backslash, the third character a brace.
    const katakana = Uint8Array.of(0x7b, 0x83, 0x5c, 0x7d);
    const whole = maskValue({ ...request, operator: { kind: 'mask' }, wire: japanese }, katakana);
    expect(whole.value).toEqual(bytesOf('[REDACTED:PERSON]'));
    const array = maskValue(
      { ...request, type: NAMES, operator: { kind: 'mask' }, wire: japanese },
      katakana,
    );
    expect(array.value).toBeNull();
    const broken = maskValue({ ...request, operator: { kind: 'mask' }, wire: TEXT_WIRE }, value);
    expect(broken.value).toEqual(bytesOf('[REDACTED:PERSON]'));
  });

  it('writes zero dates and intervals in the style of the session', () => {
    const styles: readonly (readonly [string, string, string])[] = [
      ['ISO, DMY', '1970-01-01', '1970-01-01 00:00:00+00'],
      ['SQL, DMY', '01/01/1970', '01/01/1970 00:00:00 UTC'],
      ['German, DMY', '01.01.1970', '01.01.1970 00:00:00 UTC'],
      ['Postgres, MDY', '01-01-1970', 'Thu Jan 01 00:00:00 1970 UTC'],
    ];
    for (const [dateStyle, date, timestamp] of styles) {
      const mask = { operator: { kind: 'redact' }, wire: { ...TEXT_WIRE, dateStyle } } as const;
      expect(maskedText({ ...mask, type: base('date') }, 'x')).toBe(date);
      expect(maskedText({ ...mask, type: base('timestamptz') }, 'x')).toBe(timestamp);
    }
    const wire = { ...TEXT_WIRE, intervalStyle: 'iso_8601' };
    expect(maskedText({ operator: { kind: 'redact' }, type: base('interval'), wire }, 'P1D')).toBe('PT0S');
  });
});

/** Nothing that any constant, marker or base 32 has, so that no part is there by chance. */
const SECRET_CHARACTERS = Array.from('01890189QXZWKJ');
const secrets = fc
  .array(fc.constantFrom(...SECRET_CHARACTERS), { minLength: 4, maxLength: 60 })
  .map((characters) => characters.join(''));

describe('no four characters of a secret are left', () => {
  it.each(['redact', 'mask', 'hash', 'token'] as const)('by %s', (kind) => {
    const types = [base('text'), varchar(60), varchar(30), bpchar(12), base('name'), base('bytea')];
    fc.assert(
      fc.property(secrets, fc.constantFrom(...types), (secret, type) => {
        const value = maskedText({ operator: { kind }, type, entity: 'EMAIL' }, secret) ?? '';
        for (let at = 0; at + 4 <= secret.length; at++) {
          expect(value).not.toContain(secret.slice(at, at + 4));
        }
      }),
    );
  });

  it('by redact, which gives any two values the same', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (a, b) => {
        const redact = { operator: { kind: 'redact' } } as const;
        expect(maskedText(redact, a)).toBe(maskedText(redact, b));
      }),
    );
  });
});

describe('joins', () => {
  const kinds = fc.constantFrom<Operator>({ kind: 'token' }, { kind: 'hash' });
  it.each([
    ['text', fc.string()],
    ['bytea', fc.string().map((text) => `\\x${hexOf(bytesOf(text))}`)],
    ['uuid', fc.uuid()],
    ['int8', fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }).map(String)],
  ])('hold over %s: two values are equal where their tokens are', (name, values) => {
    fc.assert(
      fc.property(kinds, values, values, (operator, a, b) => {
        const mask: TextMask = { operator, type: base(name), entity: 'ID' };
        expect(maskedText(mask, a)).toBe(maskedText(mask, a));
        const areEqual = operator.kind === 'hash' ? a.normalize() === b.normalize() : a === b;
        expect(maskedText(mask, a) === maskedText(mask, b)).toBe(areEqual);
      }),
      { numRuns: 50 },
    );
  });

  it('hold between the two formats', () => {
    const uuid = '0190b3f49c7e7cc2b0d1a5f2f3c4d5e6';
    const request = { operator: { kind: 'token' }, entity: 'ID', type: base('uuid'), keys: RING } as const;
    const binary = maskValue({ ...request, wire: BINARY_WIRE }, bytesOfHex(uuid) ?? null);
    const text = maskedText(
      { operator: { kind: 'token' }, entity: 'ID', type: base('uuid') },
      uuid.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'),
    );
    expect(hexOf(binary.value ?? new Uint8Array(0))).toBe(text?.replaceAll('-', ''));
  });
});

describe('bytea', () => {
  it('has one token for one value, in hex, in escape format and in binary', () => {
    const token = { operator: { kind: 'token' }, type: base('bytea'), entity: 'KEY' } as const;
    const escaped = maskedText(token, '\\000\\\\a\\377') ?? '';
    expect(escaped).toMatch(/^tok_key_/);
    const hex = maskedText(token, '\\x005c61ff') ?? '';
    expect(hex).toBe(`\\x${hexOf(bytesOf(escaped))}`);
    const request = { ...token, wire: BINARY_WIRE, keys: RING };
    expect(maskValue(request, Uint8Array.of(0, 0x5c, 0x61, 0xff)).value).toEqual(bytesOf(escaped));
    expect(maskedText({ ...token, operator: { kind: 'redact' } }, 'a\\\\b')).toBe('');
    for (const broken of ['\\x0', '\\xzz', 'a\\9', '\\400']) {
      expect(maskedText(token, broken)).toBe(broken.startsWith('\\x') ? '\\x' : '');
    }
  });
});

function nestedType(levels: number): TypeDescription {
  return levels === 0 ? base('text') : { kind: 'composite', fields: [nestedType(levels - 1)] };
}

/** Two quotes for each quote: the text doubles with each level, and eight are enough to see. */
function nestedText(levels: number): string {
  if (levels === 1) return '(anna)';
  return `("${nestedText(levels - 1).replaceAll('"', '""')}")`;
}

function nestedRecord(levels: number): Uint8Array {
  const value = levels === 1 ? bytesOf('anna') : nestedRecord(levels - 1);
  const head = new DataView(new ArrayBuffer(12));
  [1, levels === 1 ? 25 : 2249, value.length].forEach((number, index) => head.setInt32(4 * index, number));
  return Uint8Array.of(...new Uint8Array(head.buffer), ...value);
}

describe('types within types', () => {
  it('are masked down to the limit, and NULL beyond it', () => {
    const redact = { operator: { kind: 'redact' } } as const;
    expect(maskedText({ ...redact, type: nestedType(8) }, nestedText(8))).toContain('[REDACTED:EMAIL]');
    const binary = { ...redact, entity: 'EMAIL', type: builtInType(2249), wire: BINARY_WIRE, keys: RING };
    const inside = maskValue(binary, nestedRecord(32)).value ?? new Uint8Array(0);
    expect(Buffer.from(inside).includes('[REDACTED:EMAIL]')).toBe(true);
    expect(maskValue(binary, nestedRecord(33)).value).toBeNull();
  });
});

describe('garbage', () => {
  const oids = [
    16, 17, 20, 21, 23, 25, 600, 603, 650, 701, 869, 1007, 1009, 1082, 1114, 1184, 1560, 1700, 2249, 2950,
    3802, 3904, 3908, 4451,
  ];

  it('of any type, format and operator becomes another value or NULL, and never an error of ours', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 40 }),
        fc.constantFrom(...oids),
        fc.constantFrom(...ALL_OPERATORS),
        fc.constantFrom(TEXT_WIRE, BINARY_WIRE),
        (value, oid, operator, wire) => {
          const request = { operator, entity: 'ID', type: builtInType(oid), wire, keys: RING };
          expect(maskValue(request, value)).toHaveProperty('reversible');
        },
      ),
      { numRuns: 3_000 },
    );
  });

  it('leaves no four bytes of itself', () => {
    // No text of UTF-8, no length, no count: only what was taken over without a look would stay.
    const noise = fc.uint8Array({ min: 0x80, max: 0xfe, minLength: 4, maxLength: 40 });
    const operators = ALL_OPERATORS.filter(({ kind }) => kind !== 'generalise');
    fc.assert(
      fc.property(
        noise,
        fc.constantFrom(...oids),
        fc.constantFrom(...operators),
        fc.constantFrom(TEXT_WIRE, BINARY_WIRE),
        (value, oid, operator, wire) => {
          const request = { operator, entity: 'ID', type: builtInType(oid), wire, keys: RING };
          const output = Buffer.from(maskValue(request, value).value ?? []);
          for (let at = 0; at + 4 <= value.length; at++) {
            expect(output.includes(Buffer.from(value.subarray(at, at + 4)))).toBe(false);
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('in text is not read as if it were binary', () => {
    for (const [name, length, constant] of [
      ['uuid', 16, '00000000-0000-0000-0000-000000000000'],
      ['int8', 8, '0'],
    ] as const) {
      const request = { operator: { kind: 'token' }, entity: 'ID', wire: TEXT_WIRE, keys: RING } as const;
      const { value } = maskValue({ ...request, type: base(name) }, new Uint8Array(length).fill(0xff));
      expect(value).toEqual(bytesOf(constant));
    }
  });

  it('of dates that are none is replaced', () => {
    const month = { operator: { kind: 'generalise' } } as const;
    for (const date of ['1984-02-30', '1984-13-01', '84-01-01', 'today']) {
      expect(maskedText({ ...month, type: base('date') }, date)).toBe('1970-01-01');
    }
    expect(maskedText({ ...month, type: base('timestamp') }, '1984-02-30 12:00:00')).toBe(
      '1970-01-01 00:00:00',
    );
  });

  it('of jsonb in a version that is not known is replaced', () => {
    const request = { operator: { kind: 'redact' }, entity: 'ID', wire: BINARY_WIRE, keys: RING } as const;
    const value = Uint8Array.of(2, ...bytesOf('"anna"'));
    const { value: output } = maskValue({ ...request, type: builtInType(3802) }, value);
    expect(output).toEqual(Uint8Array.of(1, ...bytesOf('"[REDACTED]"')));
  });

  it('is replaced by the constant of its type, or NULL', () => {
    const redact: readonly (readonly [TypeDescription, string, string | null])[] = [
      [base('uuid'), 'not one', '00000000-0000-0000-0000-000000000000'],
      [base('int8'), 'x', '0'],
      [base('jsonb'), '{"a":', '"[REDACTED]"'],
      [base('jsonb'), '['.repeat(600), '"[REDACTED]"'],
      [NAMES, '{a', null],
      [NAMES, '{a}}', null],
      [NAMES, '{"a}', null],
    ];
    for (const [type, value, result] of redact) {
      expect(maskedText({ operator: { kind: 'token' }, type }, value)).toBe(result);
    }
  });
});
