import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bodyValues,
  commitmentOf,
  discloseOnly,
  fieldDigest,
  formatBody,
  type OpenedBody,
  openBody,
  parseBody,
  SALT_BYTES,
  toBody,
  verifyBody,
} from './body.ts';
import { toBase64, toHex } from './bytes.ts';
import { LedgerError } from './errors.ts';
import type { Json } from './jcs.ts';

function code<T>(action: () => T): T | string {
  try {
    return action();
  } catch (error) {
    if (error instanceof LedgerError) return error.code;
    throw error;
  }
}

function salts(fields: object, seed = 1): Uint8Array {
  const bytes = new Uint8Array(SALT_BYTES * (Object.keys(fields).length + 1));
  return bytes.map((_, i) => (i * 37 + seed * 101 + (i >> 5)) & 0xff);
}

/** Any JSON that a body may hold. */
const { value: anyValue } = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.string({ unit: 'grapheme' }),
    fc.maxSafeInteger(),
    fc.boolean(),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.string({ unit: 'grapheme' }), tie('value'), { maxKeys: 4 }),
  ),
}));
const anyFields = fc.dictionary(fc.stringMatching(/^[a-z][a-z0-9_]{0,12}$/), anyValue, { maxKeys: 6 });

describe('the commitment', () => {
  it('is the one that spec/ledger.md, section 3, writes down', () => {
    const salt = salts({ sql: 1 });
    const bodySalt = salt.subarray(0, 32);
    const fieldSalt = salt.subarray(32, 64);
    const digest = createHash('sha256')
      .update('countersign/field/v1\0')
      .update(fieldSalt)
      .update('["sql","select 1"]')
      .digest('hex');
    const commitment = createHash('sha256')
      .update('countersign/body/v1\0')
      .update(bodySalt)
      .update(`{"sql":"${digest}"}`)
      .digest('hex');
    const made = openBody({ sql: 'select 1' }, salt);
    expect(toHex(made.commitment)).toBe(commitment);
    expect(toHex(fieldDigest(fieldSalt, 'sql', 'select 1'))).toBe(digest);
    expect(formatBody(made.opened)).toBe(
      `{"fields":{"sql":{"salt":"${toBase64(fieldSalt)}","value":"select 1"}},"salt":"${toBase64(bodySalt)}"}`,
    );
    expect(formatBody(discloseOnly(made.opened, new Set()))).toBe(
      `{"fields":{"sql":{"digest":"${digest}"}},"salt":"${toBase64(bodySalt)}"}`,
    );
  });

  it('stays the same when a body is written, read, and any fields are withheld', () => {
    fc.assert(
      fc.property(anyFields, fc.nat(), fc.func(fc.boolean()), (fields, seed, keep) => {
        const { opened, commitment } = openBody(fields, salts(fields, seed));
        const hex = toHex(commitment);
        verifyBody(opened, hex);
        const shown = new Set(Object.keys(fields).filter(keep));
        const disclosed = parseBody(formatBody(discloseOnly(opened, shown)));
        verifyBody(disclosed, hex);
        expect(Object.keys(bodyValues(disclosed)).toSorted()).toEqual([...shown].toSorted());
        for (const name of shown)
          expect(bodyValues(disclosed)[name]).toEqual(opened.fields[name] && fields[name]);
        verifyBody(discloseOnly(disclosed, new Set()), hex);
      }),
    );
  });

  it('finds any changed value, name, field salt, body salt, and any field added or taken away', () => {
    const fields = { sql: 'select 1', rows: 3, tags: ['a', 'b'], state: { role: 'analyst' } };
    const { opened, commitment } = openBody(fields, salts(fields));
    const hex = toHex(commitment);
    const otherSalt = toBase64(new Uint8Array(32).fill(9));
    const { sql, ...rest } = opened.fields;
    if (sql === undefined || !('value' in sql)) throw new Error('expected sql to be disclosed');
    const changes: readonly OpenedBody[] = [
      { ...opened, salt: otherSalt },
      { ...opened, fields: rest },
      { ...opened, fields: { ...rest, sql: { ...sql, value: 'select 2' } } },
      { ...opened, fields: { ...rest, sql: { ...sql, value: ['select 1'] } } },
      { ...opened, fields: { ...rest, sql: { ...sql, salt: otherSalt } } },
      { ...opened, fields: { ...rest, SQL: sql } },
      { ...opened, fields: { ...opened.fields, extra: sql } },
      { ...opened, fields: { ...rest, sql: { digest: '00'.repeat(32) } } },
    ];
    verifyBody(opened, hex);
    for (const body of changes) expect(code(() => verifyBody(body, hex))).toBe('BODY_MISMATCH');
  });

  it('hides a withheld value that has few possibilities: without its salt no guess can be checked', () => {
    const first = openBody({ approved: true }, salts({ approved: 1 }, 1));
    const second = openBody({ approved: true }, salts({ approved: 1 }, 2));
    const [one, two] = [first, second].map(({ opened }) => discloseOnly(opened, new Set()));
    expect(one?.fields['approved']).not.toEqual(two?.fields['approved']);
    expect(JSON.stringify(one)).not.toContain('value');
    const bodySalt = salts({ approved: 1 }, 1).subarray(0, 32);
    const guesses = [true, false].map((value) => toHex(fieldDigest(bodySalt, 'approved', value)));
    const digest = one?.fields['approved'];
    expect(digest !== undefined && 'digest' in digest && guesses.includes(digest.digest)).toBe(false);
  });

  it('keeps a field named __proto__', () => {
    const fields: Readonly<Record<string, Json>> = Object.fromEntries([['__proto__', 'x']]);
    const { opened, commitment } = openBody(fields, salts(fields));
    expect(Object.keys(opened.fields)).toEqual(['__proto__']);
    const read = parseBody(formatBody(opened));
    verifyBody(read, toHex(commitment));
    expect(toHex(commitmentOf({ ...read, fields: {} }))).not.toBe(toHex(commitment));
  });
});

describe('what is refused', () => {
  const values: readonly (readonly [string, Json])[] = [
    ['null', null],
    ['a fraction', 1.5],
    ['an integer beyond 2^53-1', 2 ** 53],
    ['null within', { a: [null] }],
    ['a fraction within', [[0.5]]],
  ];
  it.each(values)('a value that is %s', (_, value) => {
    expect(code(() => openBody({ a: value }, salts({ a: 1 })))).toBe('BODY_MALFORMED');
    const salt = toBase64(new Uint8Array(32));
    expect(code(() => toBody({ salt, fields: { a: { salt, value } } }))).toBe('BODY_MALFORMED');
  });

  it('salts of another number', () => {
    for (const length of [0, 32, 63, 65, 96])
      expect(code(() => openBody({ a: 1 }, new Uint8Array(length)))).toBe('BODY_MALFORMED');
  });

  it('a value that is too deep, however deep', () => {
    const salt = toBase64(new Uint8Array(32));
    for (const depth of [200, 20_000, 200_000]) {
      const value = '['.repeat(depth) + ']'.repeat(depth);
      const text = `{"salt":"${salt}","fields":{"a":{"salt":"${salt}","value":${value}}}}`;
      expect(code(() => parseBody(text))).toBe('BODY_MALFORMED');
    }
  });

  const salt = toBase64(new Uint8Array(32));
  const hex = 'ab'.repeat(32);
  const malformed: readonly (readonly [string, Json])[] = [
    ['no object', []],
    ['no fields', { salt }],
    ['no salt', { fields: {} }],
    ['a third member', { salt, fields: {}, more: 1 }],
    ['a short salt', { salt: toBase64(new Uint8Array(31)), fields: {} }],
    ['fields that are a list', { salt, fields: [] }],
    ['a field that is a text', { salt, fields: { a: 'x' } }],
    ['a field with digest and value', { salt, fields: { a: { digest: hex, value: 1 } } }],
    ['a field with salt, value and digest', { salt, fields: { a: { salt, value: 1, digest: hex } } }],
    ['a field without a value', { salt, fields: { a: { salt } } }],
    ['a digest in upper case', { salt, fields: { a: { digest: hex.toUpperCase() } } }],
    ['a short digest', { salt, fields: { a: { digest: hex.slice(2) } } }],
    ['a field with a short salt', { salt, fields: { a: { salt: 'AAAA', value: 1 } } }],
  ];
  it.each(malformed)('a body with %s', (_, body) => {
    expect(code(() => toBody(body))).toBe('BODY_MALFORMED');
  });

  it('garbage, with our own error', () => {
    const text = fc.oneof(
      fc.string(),
      fc.json(),
      fc.json().map((v) => `{"salt":"${salt}","fields":${v}}`),
    );
    fc.assert(
      fc.property(text, (body) => {
        const again = code(
          () => formatBody(parseBody(formatBody(parseBody(body)))) === formatBody(parseBody(body)),
        );
        expect([true, 'JSON_SYNTAX', 'JCS_VALUE', 'BODY_MALFORMED', 'ENCODING']).toContain(again);
      }),
      { numRuns: 500 },
    );
  });
});
