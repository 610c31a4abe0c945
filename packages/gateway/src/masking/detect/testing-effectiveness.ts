/** For tests: how much the detectors find of what others labelled, and how much too much, entity by entity. */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { CONTEXT } from './lexicon.ts';
import { COLUMNS, NOT_OURS } from './testing-columns.ts';
import { findPoints, gitleaksCases, presidioCases, presidioResearch } from './testing-corpora.ts';
import { type Found, inColumn } from './testing-scan.ts';

/** Values are labelled by others; `values` is the sum of the three after it. */
export interface Measured {
  readonly entity: string;
  readonly values: number;
  /** Covered from the first character to the last. */
  readonly true_positive: number;
  readonly in_part: number;
  readonly false_negative: number;
  /** Found where nothing is labelled: of sentences values, of cases texts. */
  readonly false_positive: number;
}

export interface MeasuredCorpus {
  readonly corpus: string;
  /** Of the data file in test/data/masking. */
  readonly sha256: string;
  readonly how: string;
  readonly entities: readonly Measured[];
}

/** Label of presidio-research → our names. */
const LABELS: readonly (readonly [label: string, ours: readonly string[]])[] = [
  ['CREDIT_CARD', ['CREDIT_CARD']],
  ['EMAIL_ADDRESS', ['EMAIL']],
  ['IBAN_CODE', ['IBAN']],
  ['IP_ADDRESS', ['IPV4', 'IPV6']],
  ['PHONE_NUMBER', ['PHONE']],
  ['US_SSN', ['US_SSN']],
];

type Tally = Record<Exclude<keyof Measured, 'entity'>, number>;

/** All three corpora. */
export function measureEffectiveness(): readonly MeasuredCorpus[] {
  return [
    {
      ...fileOf('presidio-research-spans'),
      how: 'sentences as they are; a value found under another name is missed here',
      entities: sentences(),
    },
    {
      ...fileOf('presidio-cases'),
      how: 'the cases of each recognizer, as values of a column that is named for them; any entity counts',
      entities: cases(),
    },
    {
      ...fileOf('gitleaks-cases'),
      how: 'texts with secrets, and texts of the same rules without; any entity counts',
      entities: secrets(),
    },
  ];
}

function sentences(): readonly Measured[] {
  return LABELS.map(([label, ours]) => {
    const tally = newTally();
    for (const { text, spans } of presidioResearch()) {
      const found = findPoints(text).filter(({ entity }) => ours.includes(entity));
      const wanted = spans.filter(([, , name]) => name === label);
      for (const [from, to] of wanted) count(tally, found, from, to);
      tally.false_positive += found.filter(
        (one) => !wanted.some(([from, to]) => one.from < to && one.to > from),
      ).length;
    }
    return { entity: label, ...tally };
  });
}

function cases(): readonly Measured[] {
  const tallies = new Map<string, Tally>();
  for (const { entity, text, expected } of presidioCases()) {
    if (expected === null || NOT_OURS.has(entity)) continue;
    const tally = tallies.get(entity) ?? newTally();
    tallies.set(entity, tally);
    const found = findPoints(text, inColumn(COLUMNS[entity] ?? CONTEXT.NATIONAL_ID));
    for (const [from, to] of expected) count(tally, found, from, to);
    if (expected.length === 0 && findPoints(text).length > 0) tally.false_positive += 1;
  }
  return [...tallies]
    .map(([entity, tally]) => ({ entity, ...tally }))
    .toSorted((a, b) => (a.entity < b.entity ? -1 : 1));
}

function secrets(): readonly Measured[] {
  const tally = newTally();
  for (const { text, positive, secret_spans: spans = [] } of gitleaksCases()) {
    const found = findPoints(text);
    if (!positive && found.length > 0) tally.false_positive += 1;
    for (const [from, to] of positive ? spans : []) count(tally, found, from, to);
  }
  return [{ entity: 'SECRET', ...tally }];
}

function count(tally: Tally, found: readonly Found[], from: number, to: number): void {
  tally.values += 1;
  if (found.some((one) => one.from <= from && one.to >= to)) tally.true_positive += 1;
  else if (found.some((one) => one.from < to && one.to > from)) tally.in_part += 1;
  else tally.false_negative += 1;
}

function newTally(): Tally {
  return { values: 0, true_positive: 0, in_part: 0, false_negative: 0, false_positive: 0 };
}

function fileOf(name: string): { readonly corpus: string; readonly sha256: string } {
  const file = new URL(`../../../../../test/data/masking/${name}.json.gz`, import.meta.url);
  return { corpus: name, sha256: createHash('sha256').update(readFileSync(file)).digest('hex') };
}
