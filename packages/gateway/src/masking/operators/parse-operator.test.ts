import { describe, expect, it } from 'vitest';
import { checkEntity, parseOperator } from './parse-operator.ts';
import { ALL_OPERATORS } from './testing-masks.ts';

describe('parseOperator', () => {
  it.each([
    ...ALL_OPERATORS,
    { kind: 'partial', keepFirst: 0, keepLast: 64 },
    { kind: 'generalise', width: 2, ceiling: 0, decimals: 10, unit: 'year' },
    { kind: 'fpe', luhn: true },
  ])('takes %j', (operator) => {
    expect(parseOperator(operator, 'customers')).toBe(operator);
  });

  const refused: readonly unknown[] = [
    undefined,
    null,
    'redact',
    {},
    { kind: 'noise' },
    { kind: 'toString' },
    { kind: 'redact', keepFirst: 1 },
    { kind: 'partial', keepFirst: -1 },
    { kind: 'partial', keepLast: 65 },
    { kind: 'partial', keepFirst: '2' },
    { kind: 'partial', keepFirst: 1.5 },
    { kind: 'partial', toString: 1 },
    { kind: 'partial', hasOwnProperty: 'keepFirst' },
    { kind: 'generalise', width: 1 },
    { kind: 'generalise', width: Number.NaN },
    { kind: 'generalise', decimals: 11 },
    { kind: 'generalise', unit: 'day' },
    { kind: 'fpe', luhn: 1 },
  ];
  it.each(refused.map((operator) => [operator] as const))('refuses %j', (operator) => {
    expect(() => parseOperator(operator, 'customers')).toThrow(
      expect.objectContaining({ code: 'RESOURCE_INVALID' }),
    );
  });
});

describe('checkEntity', () => {
  it('takes names in capitals alone', () => {
    for (const name of ['EMAIL', 'US_SSN', 'A1', 'A'.repeat(40)])
      expect(() => checkEntity(name)).not.toThrow();
    for (const name of ['', 'email', '1A', 'A-B', 'A\0B', 'A]', 'A'.repeat(41)]) {
      expect(() => checkEntity(name)).toThrow(expect.objectContaining({ code: 'INTERNAL' }));
    }
  });
});
