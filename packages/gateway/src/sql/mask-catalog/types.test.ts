import { describe, expect, it } from 'vitest';
import { MASK_CATALOG_LIMITS } from '../../core/masking-limits.ts';
import { parseTypes, type TypeData, withTypmod } from './types.ts';

type Row = readonly [kind: string, oid: string, base64: string];

function row(oid: number, fields: readonly unknown[]): Row {
  return ['type', String(oid), Buffer.from(JSON.stringify(fields)).toString('base64')];
}

function domain(oid: number, base: number): Row {
  return row(oid, ['d', null, '0', null, String(base), -1, '0', [], []]);
}

const TEXT = row(25, ['b', 'text', '0', null, '0', -1, '0', [], []]);

describe('parseTypes', () => {
  it('knows no type that has itself inside', () => {
    const self = row(16_400, [
      'c',
      null,
      '0',
      null,
      '0',
      -1,
      '0',
      [],
      [
        ['16400', -1],
        ['25', -1],
      ],
    ]);
    expect(parseTypes([self, TEXT]).get(16_400)).toEqual({
      kind: 'composite',
      fields: [{ kind: 'unknown' }, { kind: 'base', name: 'text', typmod: -1 }],
    });
  });

  it('knows no type that is deeper than operators go', () => {
    const rows = Array.from({ length: 60 }, (_, index) => domain(20_000 + index, 20_001 + index));
    let type: TypeData | undefined = parseTypes([...rows, domain(20_060, 25), TEXT]).get(20_000);
    let depth = 0;
    while (type?.kind === 'domain') {
      type = type.base;
      depth += 1;
    }
    expect(type).toEqual({ kind: 'unknown' });
    expect(depth).toBe(MASK_CATALOG_LIMITS.typeNestingMax);
  });

  it('refuses too many types and too many labels', () => {
    const types = Array.from({ length: MASK_CATALOG_LIMITS.typesMax + 1 }, () => TEXT);
    expect(() => parseTypes(types)).toThrow(expect.objectContaining({ code: 'LIMIT_EXCEEDED' }));
    const labels = Array.from({ length: MASK_CATALOG_LIMITS.enumLabelsMax + 1 }, () => 'x');
    const big = row(16_400, ['e', null, '0', null, '0', -1, '0', labels, []]);
    expect(() => parseTypes([big])).toThrow(expect.objectContaining({ code: 'LIMIT_EXCEEDED' }));
  });

  it.each([
    ['another kind', ['typ', '25', 'W10=']],
    ['no JSON', ['type', '25', 'e30']],
    ['nothing', ['type', '25', null]],
    ['a row that ends', ['type', '25', Buffer.from('["b"]').toString('base64')]],
    ['no oid', ['type', 'x', TEXT[2]]],
    ['another label', row(25, ['e', null, '0', null, '0', -1, '0', [1], []])],
  ])('refuses %s', (_, bad) => {
    expect(() => parseTypes([bad])).toThrow(expect.objectContaining({ code: 'PROTOCOL_VIOLATION' }));
  });
});

it('gives a modifier to what has one', () => {
  const text: TypeData = { kind: 'base', name: 'varchar', typmod: -1 };
  expect(withTypmod(text, 24)).toEqual({ ...text, typmod: 24 });
  expect(withTypmod({ kind: 'array', element: text, delimiter: ',' }, 24)).toEqual({
    kind: 'array',
    element: { ...text, typmod: 24 },
    delimiter: ',',
  });
  expect(withTypmod({ kind: 'enum', labels: [] }, 24)).toEqual({ kind: 'enum', labels: [] });
});
