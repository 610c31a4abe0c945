import canonicalize from 'canonicalize';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { vectorBytes } from '../../../test/conformance/vectors.ts';
import { utf8Text } from './bytes.ts';
import { LedgerError } from './errors.ts';
import { isObject, type Json, jcs, parseJson } from './jcs.ts';

function code(action: () => unknown): unknown {
  try {
    return action();
  } catch (error) {
    if (error instanceof LedgerError) return error.code;
    throw error;
  }
}

function nested(depth: number): Json {
  return parseJson('['.repeat(depth) + ']'.repeat(depth));
}

function text(path: string): string {
  return utf8Text(vectorBytes(`ledger/jcs/${path}`));
}

describe('the published examples of RFC 8785', () => {
  it.each(['arrays', 'french', 'structures', 'unicode', 'values', 'weird'])('%s.json', (name) => {
    const canonical = text(`output/${name}.json`);
    expect(jcs(parseJson(text(`input/${name}.json`)))).toBe(canonical);
    expect(jcs(parseJson(canonical))).toBe(canonical);
  });

  it('sorts the keys of section 3.2.3 by UTF-16 code units', () => {
    const value = { '\u20ac': 1, '\r': 2, '\ufb33': 3, '1': 4, '\ud83d\ude00': 5, '\u0080': 6, '\u00f6': 7 };
    expect(Object.values(Object(JSON.parse(jcs(value))))).toHaveLength(7);
    expect(jcs(value)).toBe('{"\\r":2,"1":4,"\u0080":6,"ö":7,"€":1,"😀":5,"\ufb33":3}');
  });

  // Appendix B, those that are finite.
  const numbers: readonly (readonly [string, string])[] = [
    ['0000000000000000', '0'],
    ['8000000000000000', '0'],
    ['0000000000000001', '5e-324'],
    ['8000000000000001', '-5e-324'],
    ['7fefffffffffffff', '1.7976931348623157e+308'],
    ['4340000000000000', '9007199254740992'],
    ['c340000000000000', '-9007199254740992'],
    ['4430000000000000', '295147905179352830000'],
    ['44b52d02c7e14af5', '9.999999999999997e+22'],
    ['44b52d02c7e14af6', '1e+23'],
    ['3eb0c6f7a0b5ed8d', '0.000001'],
    ['41b3de4355555553', '333333333.3333332'],
    ['becbf647612f3696', '-0.0000033333333333333333'],
    ['43143ff3c1cb0959', '1424953923781206.2'],
  ];
  it.each(numbers)('writes the number %s as %s', (bits, expected) => {
    const view = new DataView(new ArrayBuffer(8));
    view.setBigUint64(0, BigInt(`0x${bits}`));
    expect(jcs(view.getFloat64(0))).toBe(expected);
  });
});

describe('any JSON value', () => {
  it('is written as the package "canonicalize" writes it', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5, stringUnit: 'binary' }), (value) => {
        const json = parseJson(JSON.stringify(value));
        expect(jcs(json)).toBe(canonicalize(json));
      }),
      { numRuns: 500 },
    );
  });

  it('comes back', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        const json = parseJson(JSON.stringify(value));
        expect(parseJson(jcs(json))).toEqual(json);
      }),
    );
  });

  it('keeps a member named __proto__', () => {
    expect(jcs(parseJson('{"a":1,"__proto__":{"b":2}}'))).toBe('{"__proto__":{"b":2},"a":1}');
  });
});

describe('what is refused', () => {
  const holes: Json[] = [1];
  holes.length = 2;
  const refused: readonly (readonly [string, unknown])[] = [
    ['a lone surrogate', '\ud800'],
    ['a lone surrogate in a key', { '\udc00': 1 }],
    ['NaN', Number.NaN],
    ['infinity', [Number.NEGATIVE_INFINITY]],
    ['undefined', undefined],
    ['an undefined member', { a: undefined }],
    ['a hole in an array', holes],
    ['a function', { a: () => 1 }],
    ['a bigint', 1n],
  ];
  it.each(refused)('%s', (_, value) => {
    // What plain JavaScript could hand over, past the types.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- That is what is tested.
    expect(code(() => jcs(value as Json))).toBe('JCS_VALUE');
  });

  it('a value deeper than 128, however deep', () => {
    expect(jcs(nested(128))).toHaveLength(256);
    expect(code(() => jcs(nested(129)))).toBe('JCS_VALUE');
    expect(code(() => jcs(nested(100_000)))).toBe('JCS_VALUE');
  });

  it('a text that is not one JSON value', () => {
    for (const bad of ['', '{', '{}{}', "{'a':1}", '[1,]', 'undefined', '\ufeff1', 'NaN'])
      expect(code(() => parseJson(bad))).toBe('JSON_SYNTAX');
  });
});

it('tells objects from the rest', () => {
  expect([{}, [], null, 'a', 1, undefined].map((value) => isObject(value))).toEqual([
    true,
    false,
    false,
    false,
    false,
    false,
  ]);
});
