import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonNode, JsonResult } from './json-node.ts';
import { parseJson } from './parse-json.ts';
import { at } from './pointers.ts';
import { stringOf } from './strings.ts';

const encoder = new TextEncoder();

function read(text: string, bounds?: Parameters<typeof parseJson>[1]): JsonResult {
  return parseJson(encoder.encode(text), bounds);
}

function rootOf(text: string): JsonNode {
  const result = read(text);
  if (result.kind !== 'json') throw new Error(`${result.reason} at ${result.at}`);
  return result.root;
}

/** What was read, as JSON.parse has it. Offsets are of bytes. */
function valueOf(bytes: Uint8Array, node: JsonNode): unknown {
  switch (node.kind) {
    case 'object': {
      const value: Record<string, unknown> = {};
      for (const { key, value: member } of node.members) {
        Object.defineProperty(value, key, {
          value: valueOf(bytes, member),
          enumerable: true,
          configurable: true,
          writable: true,
        });
      }
      return value;
    }
    case 'array':
      return node.items.map((item) => valueOf(bytes, item));
    case 'string':
      return stringOf(bytes, node);
    case 'number':
      return Number(stringOf(bytes, node));
    case 'true':
      return true;
    case 'false':
      return false;
    case 'null':
      return null;
    default:
      return node satisfies never;
  }
}

function deep(levels: number): string {
  return '['.repeat(levels) + ']'.repeat(levels);
}

/** What was read, or why nothing was. */
function outcomeOf(bytes: Uint8Array): unknown {
  const result = parseJson(bytes);
  return result.kind === 'json' ? { value: valueOf(bytes, result.root) } : result.reason;
}

/** What JSON.parse makes of it; `text` undefined is not UTF-8. */
function expectedOf(text: string | undefined): unknown {
  if (text === undefined) return 'refused';
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return 'refused';
  }
}

/** What has to come where JSON.parse gives this: names that stand twice are refused, and it takes them. */
function agreed(outcome: unknown, expected: unknown): unknown {
  if (expected === 'refused') return typeof outcome === 'string' ? outcome : expected;
  return outcome === 'duplicate-key' ? outcome : expected;
}

function utf8TextOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** Of RFC 8259's grammar, rule by rule; y: it is JSON, n: it is not. */
const TAKEN: readonly string[] = [
  // §2: white space around structural characters.
  ' [ ] ',
  '\t{\r\n"a"\n:\t1 , "b" : [ 1 , 2 ] }\r\n',
  '[]',
  '{}',
  '[[]]',
  '{"":0}',
  // §3: three literal names, alone too.
  'true',
  'false',
  'null',
  '[true,false,null]',
  // §6
  '0',
  '-0',
  '1',
  '-1',
  '10',
  '1.5',
  '0.1',
  '-0.0',
  '1e5',
  '1E5',
  '1e+5',
  '1e-5',
  '0e0',
  '1.5e10',
  '123456789012345678901234567890',
  '1e400',
  '18446744073709551615',
  // §7
  '""',
  '"a"',
  String.raw`"\" \\ \/ \b \f \n \r \t"`,
  String.raw`"\u0041\u00e9\uD83D\uDE00"`,
  '"é ☃ 😀"',
  '"\u007f"',
  '"\u2028\u2029"',
  '"\ufeff"',
  String.raw`"\ud800"`,
  String.raw`"\udc00\ud800"`,
  String.raw`"\ud800\u0041"`,
  String.raw`{"\ud800":1}`,
  String.raw`"\u0000"`,
  '{"a":{"a":1},"b":[{"a":2},{"a":3}]}',
  '{"__proto__":1,"constructor":2}',
];

const NOT_TAKEN: readonly string[] = [
  '',
  ' ',
  '[',
  ']',
  '{',
  '}',
  '[1',
  '[1,',
  '[1,]',
  '[,1]',
  '[,]',
  '[1,,2]',
  '[1 2]',
  '{"a"',
  '{"a":',
  '{"a":1',
  '{"a":1,',
  '{"a":1,}',
  '{,"a":1}',
  '{"a":1,,"b":2}',
  '{"a" 1}',
  '{"a"::1}',
  '{a:1}',
  "{'a':1}",
  '{1:1}',
  '{null:1}',
  '{"a":1 "b":2}',
  '[}',
  '{]',
  '[1}',
  '{"a":1]',
  '1 2',
  '[] []',
  '[]x',
  '"a" "b"',
  'tru',
  'True',
  'TRUE',
  'nul',
  'nulll',
  'truefalse',
  'NaN',
  'Infinity',
  '-Infinity',
  'undefined',
  '01',
  '-01',
  '00',
  '+1',
  '.5',
  '-.5',
  '1.',
  '-',
  '-a',
  '1.e5',
  '1e',
  '1e+',
  '1E-',
  '1.5.5',
  '1-2',
  '0x10',
  '1_000',
  '"',
  '"a',
  '"\\',
  '"\\"',
  String.raw`"\x41"`,
  String.raw`"\a"`,
  String.raw`"\'"`,
  String.raw`"\u"`,
  String.raw`"\u12"`,
  String.raw`"\u12G4"`,
  String.raw`"\U0041"`,
  String.raw`"\ud800\u"`,
  String.raw`"\ud800\u12"`,
  '"\n"',
  '"\t"',
  '"\u0000"',
  '"\u001f"',
  "'a'",
  '[1]//',
  '/**/[1]',
  '[1/**/]',
  '#',
  '\ufeff[]',
  '\u00a0[]',
  '[\u000b1]',
  '[\u000c1]',
  '\u2028[]',
  '`a`',
];

describe('the JSON reader', () => {
  it.each(TAKEN)('takes %s as JSON.parse does', (text) => {
    const bytes = encoder.encode(text);
    expect(valueOf(bytes, rootOf(text))).toEqual(JSON.parse(text));
  });

  it.each(NOT_TAKEN)('refuses %s as JSON.parse does', (text) => {
    expect(() => {
      JSON.parse(text);
    }).toThrow(SyntaxError);
    expect(read(text)).toMatchObject({ kind: 'refused', reason: 'syntax' });
  });

  const utf8: readonly (readonly [string, readonly number[]])[] = [
    ['a tail alone', [0x80]],
    ['an overlong form of two', [0xc0, 0xaf]],
    ['an overlong form of two at its limit', [0xc1, 0xbf]],
    ['an overlong form of three', [0xe0, 0x9f, 0xbf]],
    ['an overlong form of four', [0xf0, 0x8f, 0xbf, 0xbf]],
    ['a surrogate', [0xed, 0xa0, 0x80]],
    ['beyond the last character', [0xf4, 0x90, 0x80, 0x80]],
    ['a head of five', [0xf8, 0x88, 0x80, 0x80, 0x80]],
    ['a character that is cut', [0xe2, 0x98]],
    ['a head alone', [0xc3]],
    ['a byte that never is', [0xff]],
  ];
  it.each(utf8)('refuses a string with %s', (_, wrong) => {
    expect(parseJson(Uint8Array.of(0x5b, 0x22, ...wrong, 0x22, 0x5d))).toEqual({
      kind: 'refused',
      reason: 'utf8',
      at: 2,
    });
    expect(parseJson(Uint8Array.of(0x7b, 0x22, ...wrong, 0x22, 0x3a, 0x31, 0x7d))).toMatchObject({
      reason: 'utf8',
    });
  });

  const twice: readonly string[] = [
    '{"a":1,"a":2}',
    String.raw`{"a":1,"\u0061":2}`,
    String.raw`{"é":1,"\u00e9":2}`,
    String.raw`{"/":1,"\/":2}`,
    String.raw`{"\ud800":1,"\uD800":2}`,
    '{"":1,"":2}',
    '[{"b":{"a":1,"a":{}}}]',
    '{"__proto__":1,"__proto__":2}',
    `{${Array.from({ length: 40 }, (_, index) => `"k${index}":0`).join(',')},"k3":1}`,
    `{${Array.from({ length: 40 }, (_, index) => `"k${index}":0`).join(',')},"k39":1}`,
  ];
  it.each(twice)('refuses a name that stands twice: %s', (text) => {
    expect(read(text)).toMatchObject({ kind: 'refused', reason: 'duplicate-key' });
  });

  it('tells of halves of characters, and of nothing else', () => {
    for (const text of [String.raw`"\ud800"`, String.raw`{"\udc00":1}`, String.raw`["\ud83d\ud83d\ude00"]`]) {
      expect(read(text)).toMatchObject({ kind: 'json', hasLoneSurrogates: true });
    }
    for (const text of [String.raw`"\ud83d\ude00"`, '"😀"', String.raw`"\\ud800"`]) {
      expect(read(text)).toMatchObject({ kind: 'json', hasLoneSurrogates: false });
    }
    expect(stringOf(encoder.encode(String.raw`"\ud800"`), rootOf(String.raw`"\ud800"`)).isWellFormed()).toBe(
      false,
    );
  });

  it('goes as deep as it is told, and no deeper, however deep the content is', () => {
    expect(read(deep(512)).kind).toBe('json');
    expect(read(deep(513))).toMatchObject({ reason: 'too-deep', at: 512 });
    expect(read('['.repeat(1_000_000))).toMatchObject({ reason: 'too-deep' });
    expect(read('{"a":'.repeat(10_000))).toMatchObject({ reason: 'too-deep' });
    expect(read('[[1]]', { depthMax: 1, nodesMax: 9 })).toMatchObject({ reason: 'too-deep', at: 1 });
  });

  it('takes as many values as it is told', () => {
    const bounds = { depthMax: 9, nodesMax: 4 };
    expect(read('[1,{"a":2}]', bounds).kind).toBe('json');
    expect(read('[1,2,3,4]', bounds)).toMatchObject({ reason: 'too-many' });
  });

  it('says where each value and name stands', () => {
    const text = ' {"é" : [1.50, "x\\n"]} ';
    const bytes = encoder.encode(text);
    const root = rootOf(text);
    const source = (node: { readonly from: number; readonly to: number }): string =>
      new TextDecoder().decode(bytes.subarray(node.from, node.to));
    expect(source(root)).toBe('{"é" : [1.50, "x\\n"]}');
    if (root.kind !== 'object') throw new Error('expected an object');
    const [member] = root.members;
    expect(member?.key).toBe('é');
    expect(source({ from: member?.keyFrom ?? 0, to: member?.keyTo ?? 0 })).toBe('"é"');
    expect(at(root, '/é/0').map(source)).toEqual(['1.50']);
    expect(at(root, '/é/1').map(source)).toEqual(['"x\\n"']);
  });

  it('reads as JSON.parse does whatever JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'binary' }), fc.integer({ min: 0, max: 3 }), (value, indent) => {
        const text = JSON.stringify(value, undefined, indent);
        expect(outcomeOf(encoder.encode(text))).toEqual({ value: JSON.parse(text) as unknown });
      }),
      { numRuns: 500 },
    );
  });

  it('refuses and takes as JSON.parse does whatever is made of the letters of JSON', () => {
    const letters = [
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"',
      '\\',
      'u',
      '0',
      '1',
      '-',
      '.',
      'e',
      ' ',
      'true',
      'null',
      '"a"',
      '"b":',
      '\n',
      'é',
    ];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...letters), { maxLength: 14 }), (pieces) => {
        const text = pieces.join('');
        const outcome = outcomeOf(encoder.encode(text));
        expect(outcome).toEqual(agreed(outcome, expectedOf(text)));
      }),
      { numRuns: 5_000 },
    );
  });

  it('reads the same after a byte that is changed as JSON.parse does', () => {
    fc.assert(
      fc.property(
        fc.jsonValue({ maxDepth: 4 }),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 }),
        (value, changes) => {
          const bytes = encoder.encode(JSON.stringify(value));
          for (const [place, byte] of changes) bytes[place % bytes.length] = byte;
          const outcome = outcomeOf(bytes);
          expect(outcome).toEqual(agreed(outcome, expectedOf(utf8TextOf(bytes))));
        },
      ),
      { numRuns: 3_000 },
    );
  });
});

describe('a pointer', () => {
  const text = String.raw`{"a":[{"b":1},{"b":2,"c":3},7],"x/y":{"m~n":4},"":5,"0":6}`;
  const rows: readonly (readonly [string, readonly string[]])[] = [
    ['', [text]],
    ['/a/0/b', ['1']],
    ['/a/*/b', ['1', '2']],
    ['/a/1/*', ['2', '3']],
    ['/a/*', ['{"b":1}', '{"b":2,"c":3}', '7']],
    ['/x~1y/m~0n', ['4']],
    ['/', ['5']],
    ['/0', ['6']],
    ['/*/0/b', ['1']],
    ['/a/00/b', []],
    ['/a/-', []],
    ['/a/3', []],
    ['/a/-1', []],
    ['/nothing/*', []],
    ['/a/2/b', []],
    ['a', []],
    ['/a~2', []],
    ['/a~', []],
  ];
  it.each(rows)('%s leads to its values', (pointer, expected) => {
    const bytes = encoder.encode(text);
    const found = at(rootOf(text), pointer).map(({ from, to }) => text.slice(from, to));
    expect(bytes.length).toBe(text.length);
    expect(found).toEqual(expected);
  });
});
