import canonicalize from 'canonicalize';
import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readVectors, vectorBytes } from '../../../test/conformance/vectors.ts';
import { utf8Text } from './bytes.ts';
import { LedgerError } from './errors.ts';
import { isCanonical, isObject, jcs, type Json, parseJson } from './jcs.ts';

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

  // Appendix B, all of it: those that are finite, and those that are refused.
  const numbers: readonly (readonly [string, string])[] = [
    ['0000000000000000', '0'],
    ['8000000000000000', '0'],
    ['0000000000000001', '5e-324'],
    ['8000000000000001', '-5e-324'],
    ['7fefffffffffffff', '1.7976931348623157e+308'],
    ['ffefffffffffffff', '-1.7976931348623157e+308'],
    ['4340000000000000', '9007199254740992'],
    ['c340000000000000', '-9007199254740992'],
    ['4430000000000000', '295147905179352830000'],
    ['44b52d02c7e14af5', '9.999999999999997e+22'],
    ['44b52d02c7e14af6', '1e+23'],
    ['44b52d02c7e14af7', '1.0000000000000001e+23'],
    ['444b1ae4d6e2ef4e', '999999999999999700000'],
    ['444b1ae4d6e2ef4f', '999999999999999900000'],
    ['444b1ae4d6e2ef50', '1e+21'],
    ['3eb0c6f7a0b5ed8c', '9.999999999999997e-7'],
    ['3eb0c6f7a0b5ed8d', '0.000001'],
    ['41b3de4355555553', '333333333.3333332'],
    ['41b3de4355555554', '333333333.33333325'],
    ['41b3de4355555555', '333333333.3333333'],
    ['41b3de4355555556', '333333333.3333334'],
    ['41b3de4355555557', '333333333.33333343'],
    ['becbf647612f3696', '-0.0000033333333333333333'],
    ['43143ff3c1cb0959', '1424953923781206.2'],
  ];
  it.each(numbers)('writes the number %s as %s', (bits, expected) => {
    expect(jcs(doubleOf(BigInt(`0x${bits}`)))).toBe(expected);
  });

  it.each(['7fffffffffffffff', '7ff0000000000000', 'fff0000000000000'])('refuses the number %s', (bits) => {
    expect(() => jcs(doubleOf(BigInt(`0x${bits}`)))).toThrow(LedgerError);
  });

  const [sequence, ...prefixes] = readVectors('ledger/jcs/numbers.txt', ['bits', 'lines', 'sha256']);
  const soak = process.env['COUNTERSIGN_SOAK'] !== undefined;
  const published = prefixes.filter((vector) => soak || Number(vector.one('lines')) <= 100_000);
  it.each(published.map((vector) => ({ lines: Number(vector.one('lines')), sha256: vector.one('sha256') })))(
    'writes the first $lines numbers of the published test as it has them',
    { timeout: 300_000 },
    ({ lines, sha256 }) => {
      const hash = createHash('sha256');
      const bits = publishedNumbers(sequence?.all('bits') ?? []);
      for (let line = 0; line < lines; line++) {
        const next = bits.next().value;
        hash.update(`${next.toString(16)},${jcs(doubleOf(next))}\n`);
      }
      expect(hash.digest('hex')).toBe(sha256);
    },
  );
});

function doubleOf(bits: bigint): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, bits);
  return view.getFloat64(0);
}

/** The sequence that vectors/ledger/jcs/numbers.txt describes; it has no end. */
function* publishedNumbers(first: readonly string[]): Generator<bigint, never> {
  for (const bits of first) yield BigInt(`0x${bits}`);
  for (let i = 0n; i < 2_000n; i++) yield 0x0010_0000_0000_0000n + i;
  let digest: Buffer = Buffer.alloc(32);
  for (;;) {
    digest = createHash('sha256').update(digest).digest();
    for (let at = 0; at < 32; at += 8) {
      const bits = digest.readBigUInt64LE(at);
      const value = doubleOf(bits);
      if (value !== 0 && Number.isFinite(value)) yield bits;
    }
  }
}

describe('isCanonical', () => {
  it('says of each text what writing it anew says', () => {
    const candidates = fc.oneof(
      fc.jsonValue({ maxDepth: 4, stringUnit: 'binary' }).map((value) => JSON.stringify(value)),
      fc.jsonValue({ maxDepth: 4 }).map((value) => JSON.stringify(value, undefined, 1)),
      fc.jsonValue({ maxDepth: 4 }).map((value) => jcs(parseJson(JSON.stringify(value)))),
    );
    fc.assert(
      fc.property(candidates, (candidate) => {
        const value = parseJson(candidate);
        expect(isCanonical(candidate, value)).toBe(jcs(value) === candidate);
      }),
      { numRuns: 1_000 },
    );
  });

  it.each([
    ['{"b":1,"a":2}', false],
    ['{"a":1,"a":1}', false],
    ['{"10":1,"9":2}', true],
    ['{"9":1,"10":2}', false],
    ['{"__proto__":1,"a":2}', true],
    ['[1.0]', false],
    ['[-0]', false],
    ['[1e400]', 'refused'],
    ['["\\ud800"]', 'refused'],
    ['["\\u00e9"]', false],
    [`${'['.repeat(200)}${']'.repeat(200)}`, 'refused'],
  ])('of %s: %s', (candidate, expected) => {
    const ask = (): boolean => isCanonical(candidate, parseJson(candidate));
    let answer: boolean | string;
    try {
      answer = ask();
    } catch {
      answer = 'refused';
    }
    expect(answer).toBe(expected);
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
