/** What masking does to the demo's reranker: labels and stars lose the person, and pseudonyms by the word do not. */

import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type Effects, MaskingExperiment, plain, replacing, USUAL } from './masking-experiment.ts';

const SEED = 20_261_127;
const EXPERIMENT = new MaskingExperiment(SEED);

function effectsOf(name: string): Effects {
  const masking = USUAL[name];
  if (masking === undefined) throw new RangeError(`No such masking: ${name}`);
  return EXPERIMENT.effects(masking);
}

/** One pseudonym a word, and what stands between the words as it is. */
const BY_WORD = replacing(({ value }) => value.replaceAll(/[\p{L}\p{M}\p{N}]+/gu, (word) => pseudonym(word)));
/** One pseudonym a value, whatever it has. */
const BY_VALUE = replacing(({ value }) => pseudonym(value));

function pseudonym(text: string): string {
  return `p${createHmac('sha256', 'of this test').update(text.toLowerCase()).digest('hex').slice(0, 16)}`;
}

/** A smaller experiment, of another seed. */
function few(seed: number): Effects {
  return new MaskingExperiment(seed, 20).effects(replacing(() => '***'));
}

describe('a ranking of masked texts', { timeout: 120_000 }, () => {
  const none = effectsOf('none');

  it('is the baseline where nothing is masked', () => {
    expect(none.topical).toMatchObject({ tau: 1, overlapAt10: 1, sameFirst: 1, rightPersonFirst: undefined });
    expect(none.personal).toMatchObject({ tau: 1, overlapAt10: 1, sameFirst: 1 });
    // Namesakes: not every question by a name has one answer.
    expect(none.personal.rightPersonFirst).toBeGreaterThan(0.7);
    expect(none.personal.rightPersonFirst).toBeLessThan(1);
  });

  it.each(['label', 'stars', 'drop'])('loses the person with %s, and little of a topic', (name) => {
    const { topical, personal } = effectsOf(name);
    expect(topical.tau).toBeGreaterThan(0.9);
    expect(topical.tau).toBeLessThan(1);
    expect(topical.sameFirst).toBeGreaterThan(0.85);
    expect(personal.tau).toBeLessThan(0.6);
    expect(personal.sameFirst).toBeLessThan(0.2);
    expect(personal.rightPersonFirst).toBeLessThan(0.1);
  });

  it('takes a way that looks at whole texts, all of a call at once', () => {
    const found = EXPERIMENT.effects(({ query, documents }) => ({
      query: plain(query),
      documents: documents.map(plain),
    }));
    expect(found).toEqual(none);
  });

  it('is the same with stars and with nothing, which have no words', () => {
    expect(effectsOf('stars')).toEqual(effectsOf('drop'));
  });

  it('is worse with one pseudonym for a value of several words', () => {
    const { personal } = EXPERIMENT.effects(BY_VALUE);
    expect(personal.tau).toBeLessThan(1);
    expect(personal.sameFirst).toBeLessThan(1);
  });

  it('is exactly the unmasked one with a keyed pseudonym for each word', () => {
    expect(EXPERIMENT.effects(BY_WORD)).toEqual(none);
  });

  it('is the same again from the same seed, and another from another', () => {
    expect(few(SEED)).toEqual(few(SEED));
    expect(few(SEED)).not.toEqual(few(SEED + 1));
  });
});
