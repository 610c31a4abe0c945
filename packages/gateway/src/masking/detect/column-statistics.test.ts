/** When the values of a column together say what one of them does not. */

import { describe, expect, it } from 'vitest';
import { binomialTail, ColumnStatistics, promotedBy } from './column-statistics.ts';
import { NUMBER_DETECTORS } from './number-table.ts';
import { isCard } from './cards.ts';
import { find } from './testing-scan.ts';

const encoder = new TextEncoder();

/** xorshift32. */
function numbersFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

function randomDigits(next: () => number, count: number): string {
  let text = String(1 + (next() % 9));
  while (text.length < count) text += String(next() % 10);
  return text;
}

/** Random digits with a check digit by Luhn. */
function withLuhn(next: () => number, prefix: string, count: number): string {
  let body = prefix;
  while (body.length < count - 1) body += String(next() % 10);
  for (let check = 0; check < 10; check += 1) {
    const digits = Uint8Array.from(`${body}${check}`, Number);
    let sum = 0;
    for (const [at, digit] of digits.toReversed().entries())
      sum += at % 2 === 0 ? digit : digit > 4 ? digit * 2 - 9 : digit * 2;
    if (sum % 10 === 0) return `${body}${check}`;
  }
  throw new Error('one of ten digits is right');
}

function statisticsOf(values: readonly string[]): ColumnStatistics {
  const statistics = new ColumnStatistics();
  for (const value of values) statistics.take(encoder.encode(value));
  return statistics;
}

describe('statistics of a column', () => {
  it('eight different cards make it a column of cards, and then its values are masked', () => {
    const next = numbersFrom(1);
    const cards = Array.from({ length: 8 }, () => withLuhn(next, '4', 16));
    const seven = statisticsOf(cards.slice(0, 7)).verdict();
    expect(seven.kind).toBe('unknown');
    const verdict = statisticsOf(cards).verdict();
    expect(verdict).toMatchObject({ kind: 'promoted', distinct: 8 });
    expect(verdict.entities).toContain('CREDIT_CARD');
    const hints = { context: 0, isColumnValue: true, promoted: promotedBy(verdict) };
    const card = withLuhn(next, '4', 16);
    expect(find(card, { ...hints, promoted: undefined })).toEqual([]);
    expect(find(card, hints).map(({ entity }) => entity)).toEqual(['CREDIT_CARD']);
    // Whatever is not a card in that column is none.
    expect(find('4000000000000001', hints)).toEqual([]);
  });

  it('the same value eight times says nothing', () => {
    expect(statisticsOf(Array.from({ length: 100 }, () => '4111111111111111')).verdict()).toMatchObject({
      kind: 'unknown',
      distinct: 1,
    });
  });

  it('one in ten may be mistyped, not one in five', () => {
    const next = numbersFrom(2);
    const values = Array.from({ length: 50 }, () => withLuhn(next, '4', 16));
    const mistyped = values.map((value, at) =>
      at % 10 === 3 ? `${value.slice(0, 15)}${(Number(value[15]) + 1) % 10}` : value,
    );
    expect(statisticsOf(mistyped).verdict().entities).toContain('CREDIT_CARD');
    const worse = values.map((value, at) =>
      at % 5 === 3 ? `${value.slice(0, 15)}${(Number(value[15]) + 1) % 10}` : value,
    );
    expect(statisticsOf(worse).verdict().kind).not.toBe('promoted');
  });

  it.each([9, 10, 11, 12, 13, 14, 15, 16, 18])(
    'random ids of %i digits are chance, never a scheme',
    (digits) => {
      const next = numbersFrom(100 + digits);
      for (let column = 0; column < 40; column += 1) {
        const count = 8 + (next() % 200);
        const statistics = statisticsOf(Array.from({ length: count }, () => randomDigits(next, digits)));
        expect(statistics.verdict().kind).not.toBe('promoted');
      }
      const many = statisticsOf(Array.from({ length: 400 }, () => randomDigits(next, digits)));
      expect(many.verdict().kind).toBe('chance');
    },
  );

  it('numbers that count up are no scheme', () => {
    const values = Array.from({ length: 500 }, (_, at) => String(4_000_000_000_000_000 + at));
    expect(statisticsOf(values).verdict().kind).toBe('chance');
  });

  it('order numbers that begin with their day have the structure of persons’ numbers, and prove nothing', () => {
    const values = Array.from({ length: 300 }, (_, at) => `2401151${String(at).padStart(6, '0')}`);
    expect(statisticsOf(values).verdict().kind).not.toBe('promoted');
  });

  it('a scheme that most numbers pass is never promoted', () => {
    const next = numbersFrom(5);
    const values = Array.from({ length: 300 }, () => `1${randomDigits(next, 8)}`);
    expect(statisticsOf(values).verdict().entities).not.toContain('US_SSN');
  });
});

describe('chance', () => {
  it('the binomial tail is that of the tables', () => {
    expect(binomialTail(8, 8, 0.1)).toBeCloseTo(1e-8, 14);
    expect(binomialTail(10, 5, 0.5)).toBeCloseTo(0.623_046_875, 9);
    expect(binomialTail(20, 18, 0.9)).toBeCloseTo(0.676_926_8, 6);
    expect(binomialTail(5, 0, 0.3)).toBeCloseTo(1, 9);
  });

  it.each(
    NUMBER_DETECTORS.filter(({ chance }) => chance <= 0.1).flatMap((row) =>
      row.digits.map((digits) => [row.entity, digits, row] as const),
    ),
  )('of random numbers no more pass %s (%i digits) than its row says', (_, count, row) => {
    const next = numbersFrom(count * 31 + 7);
    const total = 40_000;
    const digits = new Uint8Array(24);
    let valid = 0;
    for (let round = 0; round < total; round += 1) {
      for (let at = 0; at < count; at += 1) digits[at] = next() % 10;
      if (row.valid(digits, count)) valid += 1;
    }
    // Four standard deviations, and one.
    const most = row.chance * 1.05 * total + 4 * Math.sqrt(row.chance * total) + 1;
    expect(valid).toBeLessThanOrEqual(most);
  });

  it('of random numbers no more are cards than the statistics reckon with', () => {
    const next = numbersFrom(3);
    for (let count = 12; count <= 19; count += 1) {
      const digits = new Uint8Array(24);
      let valid = 0;
      for (let round = 0; round < 40_000; round += 1) {
        for (let at = 0; at < count; at += 1) digits[at] = next() % 10;
        if (isCard(digits, count)) valid += 1;
      }
      expect(valid / 40_000).toBeLessThanOrEqual(0.05);
    }
  });
});
