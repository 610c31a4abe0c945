import { describe, expect, it } from 'vitest';
import { bytesOf } from '../operators/testing-masks.ts';
import { BodyLeaves } from './body-leaves.ts';
import type { Mask } from '../plan/mask.ts';
import { maskBody, bodyMasker } from './body-masker.ts';
import { bodyMask, LOOKS, maskedPieces, maskedText, maskerOf, planOf, toolsOf } from './testing-bodies.ts';

const U64 = '18446744073709551615';

function drop(...fields: readonly string[]): Mask {
  return bodyMask({ fields, as: 'drop' });
}

describe('JSON that is masked by its fields', () => {
  const rows: readonly (readonly [string, readonly string[], string, string])[] = [
    ['one member', ['/a'], '{"a":"x","b":"y"}', '{"a":"[REDACTED:FIELD]","b":"y"}'],
    [
      'each item, and leaves every other byte',
      ['/results/*/document/text'],
      `{ "results" :[ {"index":${U64}, "document":{"text":"x","n":1.50e+2}},\t{"document":{"text":"y"}} ],"é":"\\u00e9\\/"}`,
      `{ "results" :[ {"index":${U64}, "document":{"text":"[REDACTED:FIELD]","n":1.50e+2}},\t{"document":{"text":"[REDACTED:FIELD]"}} ],"é":"\\u00e9\\/"}`,
    ],
    ['one item', ['/a/1'], '{"a":["x","y","z"]}', '{"a":["x","[REDACTED:FIELD]","z"]}'],
    ['a member whose name is an index', ['/1'], '{"1":"x","2":"y"}', '{"1":"[REDACTED:FIELD]","2":"y"}'],
    [
      'everything in an object, names not',
      ['/a'],
      '{"a":{"b":"x","c":[1,true,null,{"d":"y"}]},"e":"z"}',
      '{"a":{"b":"[REDACTED:FIELD]","c":[0,false,null,{"d":"[REDACTED:FIELD]"}]},"e":"z"}',
    ],
    [
      'any levels',
      ['/**/email'],
      '{"email":"x","hits":[{"_source":{"email":"y","name":"n"}}],"deep":{"er":{"email":["z"]}}}',
      '{"email":"[REDACTED:FIELD]","hits":[{"_source":{"email":"[REDACTED:FIELD]","name":"n"}}],"deep":{"er":{"email":["[REDACTED:FIELD]"]}}}',
    ],
    [
      'any levels between',
      ['/hits/**/x'],
      '{"x":1,"hits":{"x":2,"y":{"x":"3"}}}',
      '{"x":1,"hits":{"x":0,"y":{"x":"[REDACTED:FIELD]"}}}',
    ],
    ['all of it', ['/**'], '["a",{"b":1}]', '["[REDACTED:FIELD]",{"b":0}]'],
    [
      'names of members, two of which do not become one',
      ['/users/*#'],
      '{"users":{"ana":{"n":1},"bo":{"n":2}},"ana":3}',
      '{"users":{"[REDACTED:FIELD]":{"n":1},"[REDACTED:FIELD] (2)":{"n":2}},"ana":3}',
    ],
    [
      'a name that is written with escapes',
      ['/a/é'],
      '{"\\u0061":{"\\u00e9":"x"}}',
      '{"\\u0061":{"\\u00e9":"[REDACTED:FIELD]"}}',
    ],
    ['a name with a slash', ['/a~1b/~0'], '{"a/b":{"~":"x"}}', '{"a/b":{"~":"[REDACTED:FIELD]"}}'],
    [
      'both values of a name that stands twice',
      ['/a'],
      '{"a":"x","a":"y"}',
      '{"a":"[REDACTED:FIELD]","a":"[REDACTED:FIELD]"}',
    ],
    [
      'nothing where nothing is there',
      ['/b/c'],
      '{"a":{"c":1},"b":[{"c":2}]}',
      '{"a":{"c":1},"b":[{"c":2}]}',
    ],
    ['behind a byte order mark', ['/a'], '\ufeff{"a":"x"}', '\ufeff{"a":"[REDACTED:FIELD]"}'],
    ['a text alone', ['/**'], ' "x" ', ' "[REDACTED:FIELD]" '],
    ['an empty content', ['/a'], '', ''],
  ];
  it.each(rows)('%s', (_, fields, text, expected) => {
    expect(maskedText('json', text, bodyMask({ fields }))).toBe(expected);
  });

  const operators: readonly (readonly [string, string, string])[] = [
    ['nullify', '{"a":"x","b":{"a":1}}', '{"a":null,"b":{"a":null}}'],
    ['drop', '{"a":"x","b":1}', '{"b":1}'],
    ['drop', '{"b":1,"a":{"x":[1,{"y":"}"}]}}', '{"b":1}'],
    ['drop', '{ "a" : 1 , "a":2, "b" : 3 , "a":4 }', '{    "b" : 3  }'],
    ['drop', '{"a":1}', '{}'],
    ['drop', '{"a":1,"a":2}', '{}'],
    ['mask', '{"a":"ana b"}', '{"a":"*** *"}'],
    ['partial', '{"a":"abcdefgh"}', '{"a":"****efgh"}'],
    ['generalise', '{"a":123}', '{"a":120}'],
  ];
  it.each(operators)('%s of %s', (as, text, expected) => {
    expect(maskedText('json', text, bodyMask({ fields: ['/**/a'], as }))).toBe(expected);
  });

  it('leaves out items, with one comma each', () => {
    expect(maskedText('json', '[1,2,3,4]', drop('/0', '/2'))).toBe('[2,4]');
    expect(maskedText('json', '[1,2,3,4]', drop('/0', '/1', '/2', '/3'))).toBe('[]');
    expect(maskedText('json', '[1,[2,3],4]', drop('/1/*'))).toBe('[1,[],4]');
    expect(maskedText('json', '[1,2]', drop('/**'))).toBe('null');
    expect(maskedText('json', '["a,b","c"]', drop('/1'))).toBe('["a,b"]');
  });

  it('gives a number a number, whatever the operator makes of it', () => {
    for (const as of ['redact', 'mask', 'partial', 'hash', 'token', 'fpe', 'generalise', 'nullify', 'fake']) {
      for (const number of ['0', '-1', '4111111111111111', U64, '1.50', '1e400', '-0.0e-5', '1E+2']) {
        const masked = maskedText('json', `[${number}]`, bodyMask({ fields: ['/0'], as }));
        const [value] = JSON.parse(masked) as unknown[];
        expect([masked, value === null || typeof value === 'number']).toEqual([masked, true]);
      }
    }
  });

  it('takes the most restrictive of several Masks, of each kind of value', () => {
    const masks = [
      bodyMask({ name: 'a', fields: ['/x'], as: 'partial' }),
      bodyMask({ name: 'b', fields: ['/x/*'], as: 'nullify' }),
    ];
    expect(maskedText('json', '{"x":["abcdefgh",1]}', ...masks)).toBe('{"x":[null,null]}');
    expect(maskedText('json', '{"x":"abcdefgh"}', ...masks)).toBe('{"x":"****efgh"}');
  });

  it('does not look through what is named, and counts what it masks', () => {
    const tools = toolsOf();
    const masks = [bodyMask({ fields: ['/a', '/**/a'], as: 'hash', entity: 'EMAIL' }), LOOKS];
    const masker = bodyMasker('json', planOf(...masks), tools);
    const text = '{"a":"ana@example.org","b":"bo@example.org and cy@example.org","c":"x"}';
    const masked = maskedPieces({ push: (c) => masker.push(c), finish: () => masker.finish() }, [
      bytesOf(text),
    ]);
    const value = JSON.parse(new TextDecoder().decode(masked)) as Record<string, string>;
    expect(value['a']).toMatch(/^hash_email_/);
    expect(value['b']).toBe('[REDACTED:EMAIL] and [REDACTED:EMAIL]');
    expect(tools.counts.list()).toEqual([
      { mask: 'm', version: 1, column: '/**/a, /a', entity: 'EMAIL', operator: 'hash', values: 1 },
      { mask: 'looks', version: 2, column: 'content', entity: 'EMAIL', operator: 'redact', values: 2 },
    ]);
  });
});

describe('JSON that is masked by its looks', () => {
  const rows: readonly (readonly [string, string, string])[] = [
    ['a text', '{"note":"mail ana@example.org now"}', '{"note":"mail [REDACTED:EMAIL] now"}'],
    [
      'a text with escapes, which it keeps to itself',
      String.raw`["\u0061na\u0040example.org \"é\" \ud83d\ude00\n"]`,
      String.raw`["[REDACTED:EMAIL] \"é\" 😀\n"]`,
    ],
    ['a number', '{"card":4111111111111111}', '{"card":0}'],
    ['a number whose name says what it is', '{"ssn":219099999}', '{"ssn":0}'],
    ['a name', '{"ana@example.org":{"n":1}}', '{"[REDACTED:EMAIL]":{"n":1}}'],
    [
      'what the names on the way say',
      '{"customer":{"ssn":{"value":"219099999"}}}',
      '{"customer":{"ssn":{"value":"[REDACTED:US_SSN]"}}}',
    ],
    [
      'nothing else',
      `{"id":${U64},"v":[0.12345678,-1.5e-7],"s":"a\\/b"}`,
      `{"id":${U64},"v":[0.12345678,-1.5e-7],"s":"a\\/b"}`,
    ],
  ];
  it.each(rows)('%s', (_, text, expected) => {
    expect(maskedText('json', text, LOOKS)).toBe(expected);
  });

  it('masks the same numbers as if each were looked at', () => {
    // What is too short to be anything is not given to the scanner: it must be nothing to the scanner, too.
    const tools = toolsOf();
    const leaves = new BodyLeaves(planOf(LOOKS), tools);
    let state = 12_345;
    const next = (below: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
      return (state >>> 4) % below;
    };
    const digits = (count: number): string => Array.from({ length: count }, () => String(next(10))).join('');
    const numbers = Array.from({ length: 50_000 }, () => {
      const whole = `${1 + next(9)}${digits(next(18))}`;
      return next(2) === 0 ? whole : `${whole.slice(0, 1 + next(6))}.${digits(1 + next(18))}`;
    });
    const found = { some: 0, none: 0 };
    for (const number of [...numbers, '4111111111111111', '4111111111111111.5', '123.4111111111111111']) {
      const bytes = bytesOf(number);
      const isFound = tools.scanner.scan(bytes) > 0;
      found[isFound ? 'some' : 'none'] += 1;
      expect([number, leaves.number(bytes, 0, bytes.length, 0, undefined) !== undefined]).toEqual([
        number,
        isFound,
      ]);
    }
    expect(found.some).toBeGreaterThan(100);
    expect(found.none).toBeGreaterThan(100);
  });
});

describe('what is not JSON', () => {
  const rows: readonly string[] = [
    '{"a":"x"',
    '{"a":"x}',
    '{"a":"x",}',
    '{"a" "x"}',
    '["x"]]',
    '["x"] ["y"]',
    '{"a":01}',
    '{"a":1.}',
    '{"a":"\n"}',
    String.raw`{"a":"\x"}`,
    String.raw`{"a":"\u12"}`,
    '{"a":tru}',
    '{"a":NaN}',
    "{'a':1}",
    '{a:1}',
    '<html>',
    'x',
    '[1,]',
    '{"a":1 "b":2}',
    '\u001e{"a":1}',
  ];
  it.each(rows)('is withheld: %s', (text) => {
    const masks = [bodyMask({ fields: ['/a'] }), LOOKS];
    expect(() => maskedText('json', text, ...masks)).toThrow(
      expect.objectContaining({ code: 'CONTENT_WITHHELD' }),
    );
    const pieces = Array.from(bytesOf(text), (byte) => Uint8Array.of(byte));
    expect(() => maskedPieces(maskerOf('json', ...masks), pieces)).toThrow(
      expect.objectContaining({ code: 'CONTENT_WITHHELD' }),
    );
  });

  it('is withheld where it is not UTF-8', () => {
    const masker = maskerOf('json', LOOKS);
    const bytes = Uint8Array.of(0x22, 0xe9, 0x22);
    expect(() => maskBody(masker, bytes)).toThrow(expect.objectContaining({ code: 'CONTENT_WITHHELD' }));
  });

  it('is withheld where it goes too deep, or a string or number has no end', () => {
    const withheld = expect.objectContaining({ code: 'CONTENT_WITHHELD' });
    expect(() => maskedText('json', '['.repeat(10_000), LOOKS)).toThrow(withheld);
    expect(() => maskedText('json', '1'.repeat(5_000), LOOKS)).toThrow(withheld);
    const masker = maskerOf('json', LOOKS);
    masker.push(bytesOf('["'));
    const chunk = new Uint8Array(1_048_576).fill(0x61);
    expect(() => {
      for (let index = 0; index < 20; index += 1) masker.push(chunk);
    }).toThrow(withheld);
  });

  it('gives on nothing of what is not understood', () => {
    const masker = maskerOf('json', bodyMask({ fields: ['/a'] }));
    const passed = masker.push(bytesOf('{"b":1,')).map((part) => new TextDecoder().decode(part));
    expect(passed.join('')).toBe('{"b":1');
    expect(() => masker.push(bytesOf('x "ana@example.org"'))).toThrow(
      expect.objectContaining({ code: 'CONTENT_WITHHELD' }),
    );
  });
});

describe('a sequence of JSON', () => {
  it('is masked text by text', () => {
    const text = '{"a":"x"}\n{"a":1}\n\n[{"a":"y"}]\r\n"a"\n';
    expect(maskedText('json-sequence', text, bodyMask({ fields: ['/a'] }))).toBe(
      '{"a":"[REDACTED:FIELD]"}\n{"a":0}\n\n[{"a":"y"}]\r\n"a"\n',
    );
    expect(
      maskedText('json-sequence', '\u001e{"a":"x"}\n\u001e{"a":"y"}\n', bodyMask({ fields: ['/a'] })),
    ).toBe('\u001e{"a":"[REDACTED:FIELD]"}\n\u001e{"a":"[REDACTED:FIELD]"}\n');
  });

  it('is withheld where one of them is broken', () => {
    expect(() => maskedText('json-sequence', '{"a":1}\n{"a":\n{"a":1}', LOOKS)).toThrow(
      expect.objectContaining({ code: 'CONTENT_WITHHELD' }),
    );
  });
});
