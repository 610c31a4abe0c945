/** How much is found in corpora that others annotated, and how much too much. The numbers are printed. */

import { describe, expect, it } from 'vitest';
import { CONTEXT } from './lexicon.ts';
import { COLUMNS, NOT_OURS } from './testing-columns.ts';
import { find, inColumn } from './testing-scan.ts';
import { findPoints, gitleaksCases, presidioCases, presidioResearch } from './testing-corpora.ts';

/** Label of the corpus → our names, least recall, least precision. */
const LABELS: readonly (readonly [
  label: string,
  ours: readonly string[],
  recall: number,
  precision: number,
])[] = [
  ['CREDIT_CARD', ['CREDIT_CARD'], 1, 0.99],
  ['US_SSN', ['US_SSN'], 1, 0.99],
  ['EMAIL_ADDRESS', ['EMAIL'], 1, 0.99],
  ['IBAN_CODE', ['IBAN'], 1, 0.99],
  ['IP_ADDRESS', ['IPV4', 'IPV6'], 1, 0.99],
  ['PHONE_NUMBER', ['PHONE'], 0.92, 0.98],
];

describe('presidio-research: annotated sentences', () => {
  it.each(LABELS)('%s is found, and little else is taken for it', (label, ours, recallMin, precisionMin) => {
    let whole = 0;
    let touched = 0;
    let missed = 0;
    let wrong = 0;
    for (const { text, spans } of presidioResearch()) {
      const found = findPoints(text).filter(({ entity }) => ours.includes(entity));
      const wanted = spans.filter(([, , name]) => name === label);
      for (const [from, to] of wanted) {
        if (found.some((one) => one.from <= from && one.to >= to)) whole += 1;
        else if (found.some((one) => one.from < to && one.to > from)) touched += 1;
        else missed += 1;
      }
      wrong += found.filter((one) => !wanted.some(([from, to]) => one.from < to && one.to > from)).length;
    }
    const recall = whole / (whole + touched + missed);
    const precision = (whole + touched) / (whole + touched + wrong);
    console.log(
      `${label}: ${whole + touched + missed} values, covered whole ${recall.toFixed(3)}, in part ${touched}, precision ${precision.toFixed(3)}`,
    );
    expect(whole + touched + missed).toBeGreaterThan(5);
    expect(recall).toBeGreaterThanOrEqual(recallMin);
    expect(precision).toBeGreaterThanOrEqual(precisionMin);
  });
});

interface Tally {
  spans: number;
  alone: number;
  named: number;
  clean: number;
  wrong: number;
}

describe('presidio: the cases of its recognizers', () => {
  it('finds what each entity has where its column is named, and says what it finds without', () => {
    const tallies = new Map<string, Tally>();
    for (const { entity, text, expected } of presidioCases()) {
      if (expected === null || NOT_OURS.has(entity)) continue;
      const tally = tallies.get(entity) ?? { spans: 0, alone: 0, named: 0, clean: 0, wrong: 0 };
      tallies.set(entity, tally);
      const alone = findPoints(text);
      const named = findPoints(text, inColumn(COLUMNS[entity] ?? CONTEXT.NATIONAL_ID));
      for (const [from, to] of expected) {
        tally.spans += 1;
        if (alone.some((one) => one.from < to && one.to > from)) tally.alone += 1;
        if (named.some((one) => one.from < to && one.to > from)) tally.named += 1;
      }
      if (expected.length > 0) continue;
      tally.clean += 1;
      if (alone.length > 0) tally.wrong += 1;
    }
    const all: Tally = { spans: 0, alone: 0, named: 0, clean: 0, wrong: 0 };
    const lines = [...tallies]
      .toSorted(([one], [other]) => one.localeCompare(other))
      .map(([entity, tally]) => {
        for (const key of ['spans', 'alone', 'named', 'clean', 'wrong'] as const) all[key] += tally[key];
        return `${entity}: ${tally.spans} values, found ${tally.alone} alone, ${tally.named} in a named column; ${tally.wrong} of ${tally.clean} negatives found`;
      });
    console.log([...lines, `all: ${JSON.stringify(all)}`].join('\n'));
    expect(all.named / all.spans).toBeGreaterThanOrEqual(0.95);
    expect(all.alone / all.spans).toBeGreaterThanOrEqual(0.6);
    expect(all.wrong / all.clean).toBeLessThanOrEqual(0.1);
  });
});

describe('gitleaks: what its rules must find, and must not', () => {
  it('finds secrets whatever rule they belong to', () => {
    let spans = 0;
    let found = 0;
    let clean = 0;
    let wrong = 0;
    const missed = new Map<string, number>();
    for (const { rule, text, positive, secret_spans: secrets = [] } of gitleaksCases()) {
      const ours = findPoints(text);
      if (!positive) {
        clean += 1;
        if (ours.length > 0) wrong += 1;
      }
      for (const [from, to] of positive ? secrets : []) {
        spans += 1;
        if (ours.some((one) => one.from < to && one.to > from)) found += 1;
        else missed.set(rule, (missed.get(rule) ?? 0) + 1);
      }
    }
    console.log(`secrets: ${found} of ${spans}; of ${clean} negatives ${wrong} have something found`, missed);
    expect(found / spans).toBeGreaterThanOrEqual(0.98);
    // A negative of one rule is often a secret of another, or a name for secrets before a random text.
    expect(wrong / clean).toBeLessThanOrEqual(0.3);
  });
});

describe('random ids', () => {
  it.each([7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20])(
    'at most one of a thousand numbers of %i digits is masked in a column without a name',
    (digits) => {
      const next = numbersFrom(20_261_127 + digits);
      let masked = 0;
      const count = 10_000;
      for (let at = 0; at < count; at += 1) {
        let text = String(1 + (next() % 9));
        while (text.length < digits) text += String(next() % 10);
        if (find(text, inColumn(0)).length > 0) masked += 1;
      }
      expect(masked / count).toBeLessThanOrEqual(0.001);
    },
  );

  it.each([
    ['UUIDs', (next: () => number) => uuidOf(next)],
    ['hashes', (next: () => number) => hexOf(next, 32)],
    ['decimals', (next: () => number) => `0.${String(next())}${String(next())}`],
    [
      'times in milliseconds',
      (next: () => number) => String(1_600_000_000_000 + (next() % 100_000) * 1_234_567),
    ],
    ['articles', (next: () => number) => `SKU-${hexOf(next, 4).toUpperCase()}-${String(next() % 100_000)}`],
    [
      'moments',
      (next: () => number) => new Date(1_600_000_000_000 + (next() % 100_000) * 1_234_567).toISOString(),
    ],
  ])('at most one of a thousand %s is masked, in a column and in a text', (_, make) => {
    const next = numbersFrom(7);
    let masked = 0;
    const count = 5_000;
    for (let at = 0; at < count; at += 1) {
      const text = make(next);
      if (find(text, inColumn(0)).length > 0 || find(`x ${text} y`).length > 0) masked += 1;
    }
    expect(masked / count).toBeLessThanOrEqual(0.001);
  });
});

/** xorshift32: the same numbers at every run. */
function numbersFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % 1_000_000;
  };
}

function hexOf(next: () => number, digits: number): string {
  let text = '';
  while (text.length < digits) text += (next() % 16).toString(16);
  return text;
}

function uuidOf(next: () => number): string {
  return [8, 4, 4, 4, 12].map((digits) => hexOf(next, digits)).join('-');
}
