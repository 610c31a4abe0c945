import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CountersignError } from '../../core/errors.ts';
import { CODE_LENGTH_MAX } from '../detect/code-table.ts';
import { entityNames } from '../detect/entities.ts';
import { parseColumnPattern } from './column-pattern.ts';
import { compileMask, maskProblems } from './compile-mask.ts';
import { DETECT_WORDS, entitiesOf, EVERY_DETECTOR } from './detect-words.ts';
import { isOfProtocol, type Mask } from './mask.ts';
import { distanceOf, nearest } from './nearest.ts';
import { mask, masksOf } from './testing-plans.ts';

describe('compileMask', () => {
  it('fills in what a Mask on columns leaves out', () => {
    expect(compileMask(mask('customers', { columns: ['customers.email', '*.national_id'] }), 3)).toEqual({
      kind: 'columns',
      mask: 'customers',
      version: 3,
      description: undefined,
      operator: { kind: 'redact' },
      entity: 'COLUMN',
      mode: 'strict',
      patterns: [
        { text: 'customers.email', schema: undefined, table: 'customers', column: 'email' },
        { text: '*.national_id', schema: undefined, table: undefined, column: 'national_id' },
      ],
    });
  });

  it('makes entities of words', () => {
    const compiled = compileMask(
      mask('looks', { detect: ['secret', 'EMAIL', 'ip'], as: { kind: 'partial', keepLast: 1 } }),
      1,
    );
    expect(compiled).toMatchObject({ kind: 'detect', operator: { kind: 'partial', keepLast: 1 } });
    expect(compiled.kind === 'detect' ? [...compiled.entities].toSorted() : []).toEqual([
      'EMAIL',
      'IPV4',
      'IPV6',
      'JWT',
      'PRIVATE_KEY',
      'SECRET',
      'URL_CREDENTIALS',
    ]);
  });

  it('makes patterns of fields', () => {
    const fields = mask('f', { fields: ['/a/*/b', '/**/email', '/users/*#'] });
    expect(compileMask(fields, 7)).toEqual({
      kind: 'fields',
      directions: ['response'],
      mask: 'f',
      version: 7,
      description: undefined,
      operator: { kind: 'redact' },
      entity: 'FIELD',
      patterns: [
        { text: '/a/*/b', segments: ['a', '*', 'b'], isOfNames: false },
        { text: '/**/email', segments: ['**', 'email'], isOfNames: false },
        { text: '/users/*#', segments: ['users'], isOfNames: true },
      ],
    });
  });

  it('is of the connections that have what it names', () => {
    const [http, postgres] = [{ protocol: 'http' }, { protocol: 'postgres' }];
    expect([http, postgres].map((one) => isOfProtocol({ columns: ['a.b'] }, one))).toEqual([false, true]);
    expect([http, postgres].map((one) => isOfProtocol({ fields: ['/a'] }, one))).toEqual([true, false]);
    expect([http, postgres].map((one) => isOfProtocol({}, one))).toEqual([true, true]);
  });

  const wrong: readonly (readonly [string, Partial<Mask>, readonly string[]])[] = [
    [
      'columns and fields',
      { columns: ['a.b'], fields: ['/a'] },
      ['fields: expected columns or fields, and not both'],
    ],
    [
      'a field that is no pointer',
      { fields: ['a.b', '/a~2', '/a*', '/*#/a'] },
      ['fields.0: expected a JSON pointer', 'fields.1: ', 'fields.2: ', 'fields.3: '],
    ],
    ['a mode of fields', { fields: ['/a'], mode: 'strict' }, ['mode: mode goes with columns']],
    ['both', { columns: ['a.b'], detect: ['email'] }, ['detect: expected columns or detect, and not both']],
    [
      'a column without a table',
      { columns: ['email'] },
      ['columns.0: expected table.column or schema.table.column'],
    ],
    ['a star within a part', { columns: ['a.b', 'a.cust*'] }, ['columns.1: expected']],
    ['capitals without quotes', { columns: ['Customers.email'] }, ['columns.0: expected']],
    [
      'a word that is nothing',
      { detect: ['emial'] },
      ['detect.0: "emial" is nothing that is detected; did you mean "email"?'],
    ],
    [
      'a word that is like nothing',
      { detect: ['everything-there-is'] },
      ['expected all, custom, custom:DETECTOR, bank, birth, card'],
    ],
    [
      'an operator that is none',
      { as: 'redcat' },
      ['as: expected an operator of redact, mask', 'did you mean "redact"?'],
    ],
    [
      'an option that is not of it',
      { as: { kind: 'hash', keepLast: 4 } },
      ['as.keepLast: hash has no such option'],
    ],
    [
      'a bound',
      { as: { kind: 'partial', keepLast: 65 } },
      ['as.keepLast: partial has no such option, or not with this value'],
    ],
    ['an entity in lower case', { entity: 'email' }, ['entity: expected a name in capitals']],
    [
      'an entity that is nearly known',
      { entity: 'SECRETS' },
      ['entity: "SECRETS" is not known; did you mean "SECRET"?'],
    ],
    [
      'an entity of what is detected',
      { detect: ['email'], entity: 'EMAIL' },
      ['entity: entity goes with columns'],
    ],
    ['pseudonyms of fields', { fields: ['/a'], mode: 'rerank-safe' }, ['mode: rerank-safe goes with detect']],
    [
      'pseudonyms of columns',
      { columns: ['a.b'], mode: 'rerank-safe' },
      ['mode: rerank-safe goes with detect'],
    ],
    [
      'pseudonyms of answers',
      { detect: ['email'], mode: 'rerank-safe' },
      ['mode: rerank-safe goes with detect'],
    ],
    ['a mode of what is detected', { detect: ['email'], mode: 'strict' }, ['mode: mode goes with columns']],
    [
      'everything at once',
      { columns: ['a', 'b'], as: 'x', entity: '1' },
      ['columns.0: ', '; columns.1: ', '; as: ', '; entity: '],
    ],
  ];
  it.each(wrong)('refuses %s', (_, more, says) => {
    let thrown: unknown;
    try {
      compileMask(mask('m', more), 1);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code: 'RESOURCE_INVALID' });
    for (const text of says) expect(String(thrown)).toContain(text);
  });

  it('refuses neither columns nor detect', () => {
    const { columns: _, ...neither } = mask('m', {});
    expect(maskProblems(neither)).toEqual([
      { path: [], says: 'it needs columns, fields or detect: what is masked' },
    ]);
  });

  it('takes entities of its own, if they are like no other', () => {
    for (const entity of ['EMAIL', 'PERSON', 'COLUMN', 'CUSTOMER_NUMBER', 'ID']) {
      expect(maskProblems(mask('m', { entity }))).toEqual([]);
    }
  });

  it('throws nothing but its own error, and exactly where something is wrong', () => {
    const text = fc.oneof(
      fc.string(),
      fc.constantFrom('a.b', 'email', 'redact', '*.*', '"A b".c', 'partial', 'EMAIL'),
    );
    const document = fc.record(
      {
        columns: fc.array(text, { maxLength: 3 }),
        detect: fc.array(text, { maxLength: 3 }),
        as: fc.oneof(text, fc.record({ kind: text, keepLast: fc.jsonValue() })),
        entity: text,
        mode: fc.constantFrom('strict' as const, 'permissive' as const),
      },
      { requiredKeys: ['as'] },
    );
    fc.assert(
      fc.property(document, (more) => {
        const made: Mask = { kind: 'Mask', name: 'm', on: [], who: [], unless: [], ...more };
        let thrown: unknown;
        try {
          compileMask(made, 1);
        } catch (error) {
          thrown = error;
        }
        expect(thrown === undefined || thrown instanceof CountersignError).toBe(true);
        expect(maskProblems(made).length > 0).toBe(thrown !== undefined);
      }),
    );
  });
});

describe('parseColumnPattern', () => {
  it('reads parts as PostgreSQL keeps them', () => {
    expect(parseColumnPattern('shop.customers.*')).toMatchObject({
      schema: 'shop',
      table: 'customers',
      column: undefined,
    });
    expect(parseColumnPattern('"Shop"."A.b"."*"')).toMatchObject({
      schema: 'Shop',
      table: 'A.b',
      column: '*',
    });
    expect(parseColumnPattern('"my.table"."a ""b"""')).toMatchObject({ table: 'my.table', column: 'a "b"' });
    expect(parseColumnPattern('straße.größe')).toMatchObject({ table: 'straße', column: 'größe' });
    for (const text of [
      '',
      '.',
      'a',
      'a.',
      '.b',
      'a.b.c.d',
      'a. b',
      'a.b*',
      '""."x"',
      '1a.b',
      "a.b'",
      'a.b\n',
    ]) {
      expect([text, parseColumnPattern(text)]).toEqual([text, undefined]);
    }
  });
});

describe('entitiesOf', () => {
  it('knows every word that it names, and stands for entities that there are', () => {
    const known = new Set([...entityNames(), EVERY_DETECTOR]);
    for (const word of DETECT_WORDS) {
      const entities = entitiesOf(word) ?? [];
      expect([word, entities.length > 0]).toEqual([word, true]);
      expect([word, ...entities.filter((entity) => !known.has(entity))]).toEqual([word]);
    }
  });

  it('has every entity in all', () => {
    // The table is read, so that its entities are known.
    expect(CODE_LENGTH_MAX).toBeGreaterThan(0);
    const all = new Set(entitiesOf('all'));
    expect(entityNames().filter((name) => !name.startsWith('CUSTOM') && !all.has(name))).toEqual([]);
    expect(all.has(EVERY_DETECTOR)).toBe(true);
    expect(entitiesOf('custom')).toEqual([EVERY_DETECTOR]);
    expect(entitiesOf('custom:projects')).toEqual(['CUSTOM:projects']);
    for (const word of ['custom:', 'custom:*', 'custom:A', 'custom: a', 'CUSTOM:a']) {
      expect([word, entitiesOf(word)]).toEqual([word, undefined]);
    }
  });

  it('means every scheme that a number may be called by', () => {
    for (const word of ['ssn', 'us_ssn', 'US-SSN', 'national-id', 'NATIONAL_ID']) {
      expect(entitiesOf(word)).toEqual(expect.arrayContaining(['US_SSN', 'UK_NHS', 'FR_NIR', 'CREDIT_CARD']));
    }
    expect(entitiesOf('phone')).toEqual(expect.arrayContaining(['PHONE', 'UK_NHS']));
    expect(entitiesOf('card')).not.toContain('PHONE');
  });
});

describe('SessionMasks', () => {
  it('gives each entity to the most restrictive Mask that looks for it', () => {
    const masks = masksOf(
      mask('a', { detect: ['email', 'secret'], as: 'partial' }),
      mask('b', { detect: ['secret', 'iban'], as: 'redact' }),
      mask('c', { detect: ['iban'], as: 'hash' }),
    );
    const found = masks.detecting.flatMap(({ mask: name, entities }) =>
      [...entities].map((entity) => `${entity} ${name}`),
    );
    expect(found.toSorted()).toEqual([
      'EMAIL a',
      'IBAN b',
      'JWT b',
      'PRIVATE_KEY b',
      'SECRET b',
      'URL_CREDENTIALS b',
    ]);
  });

  it('names every pattern once, and finds whose they are', () => {
    const masks = masksOf(mask('b', { columns: ['x.y', 'x.z'] }), mask('a', { columns: ['x.y'] }));
    expect(masks.names).toEqual(['x.y', 'x.z']);
    expect(masks.patterns.map(({ text }) => text)).toEqual(masks.names);
    expect(masks.of(['x.y', 'x.z'])?.map((one) => one.mask)).toEqual(['a', 'b']);
    expect(masks.of(['x.y', 'x.q'])).toBeUndefined();
    expect(masks.isEmpty).toBe(false);
    expect(masksOf().isEmpty).toBe(true);
  });
});

describe('nearest', () => {
  it('knows a slip of the hand, and nothing farther', () => {
    expect(nearest('emial', ['email', 'iban'])).toBe('email');
    expect(nearest('cart', ['card'])).toBe('card');
    expect(nearest('xyzw', ['card'])).toBeUndefined();
    expect(distanceOf('abcd', 'abcd')).toBe(0);
    expect(distanceOf('', 'abc')).toBe(3);
    expect(distanceOf('ab', 'ba')).toBe(1);
  });
});
