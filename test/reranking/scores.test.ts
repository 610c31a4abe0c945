/** What the demo's reranker ranks by, against the formulas that its file names. */

import { assert, array, constantFrom, property } from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Parameters } from '../../examples/demo/reranker/parameters.ts';
import { rank, type Ranked } from '../../examples/demo/reranker/score.ts';
import { passageOf, wordsOf } from '../../examples/demo/reranker/words.ts';

const PARAMETERS: Parameters = {
  format: 'lexical-reranker/1',
  name: 'of-this-test',
  version: '1.0.0',
  k1: 1.2,
  b: 0.75,
  titleWeight: 2,
  proximity: { weight: 0.5, window: 8 },
  pivot: 4,
  wordsMax: 4_096,
};
const BM25_ALONE: Parameters = { ...PARAMETERS, titleWeight: 1, proximity: { weight: 0, window: 1 } };

const WORDS = ['ada', 'becker', 'refund', 'kettle', 'the', 'label', 'order', 'late'];
const SENTENCE = array(constantFrom(...WORDS), { minLength: 1, maxLength: 12 }).map((words) =>
  words.join(' '),
);
const CALL = { query: SENTENCE, texts: array(SENTENCE, { minLength: 1, maxLength: 12 }) };

function ranked(query: string, texts: readonly string[], parameters = PARAMETERS): readonly Ranked[] {
  return rank(parameters, query, texts.map(passageOf)).ranked;
}

function order(query: string, texts: readonly string[], parameters = PARAMETERS): readonly number[] {
  return ranked(query, texts, parameters).map(({ index }) => index);
}

/** BM25 as the paper has it, with nothing shared with the code under test. */
function bm25ByHand(query: string, texts: readonly string[]): readonly number[] {
  const all = texts.map((text) => text.split(' '));
  const mean = all.reduce((sum, words) => sum + words.length, 0) / all.length;
  return all.map((words) =>
    query.split(' ').reduce((sum, term) => {
      const n = all.filter((one) => one.includes(term)).length;
      const tf = words.filter((word) => word === term).length;
      const idf = Math.log((all.length - n + 0.5) / (n + 0.5) + 1);
      return sum + (idf * tf * 2.2) / (tf + 1.2 * (0.25 + (0.75 * words.length) / mean));
    }, 0),
  );
}

/** Of a passage of 22 words that has the two asked ones that far from each other. */
function scoreAcross(gap: number, window: number): number {
  const passage = passageOf(`late ${'the '.repeat(gap)}order ${'the '.repeat(20 - gap)}`);
  const parameters = { ...PARAMETERS, proximity: { weight: 0.5, window } };
  return rank(parameters, 'late order', [passage]).ranked[0]?.score ?? 0;
}

/** Every word under another name. */
function renamed(text: string): string {
  return text.replaceAll(/[a-z]+/g, (word) => `x${WORDS.indexOf(word)}q`);
}

describe('a ranking', () => {
  it('is BM25 where titles and neighbours do not count', () => {
    assert(
      property(CALL.query, CALL.texts, (query, texts) => {
        const expected = bm25ByHand(query, texts);
        for (const { index, score } of ranked(query, texts, BM25_ALONE)) {
          const raw = (expected[index] ?? 0) + 1e-6;
          expect(score).toBeCloseTo(raw / (raw + 4), 7);
        }
      }),
    );
  });

  it('has each document once, best first, with scores in (0, 1) that are the logistic of the raw ones', () => {
    assert(
      property(CALL.query, CALL.texts, (query, texts) => {
        const all = ranked(query, texts);
        expect(all.map(({ index }) => index).toSorted((a, b) => a - b)).toEqual([...texts.keys()]);
        for (const [place, { score, logit }] of all.entries()) {
          expect(score).toBeGreaterThan(0);
          expect(score).toBeLessThan(1);
          expect(1 / (1 + Math.exp(-logit))).toBeCloseTo(score, 6);
          expect(score).toBeLessThanOrEqual(all[place - 1]?.score ?? 1);
        }
      }),
    );
  });

  it('is the same for the same input', () => {
    assert(
      property(CALL.query, CALL.texts, (query, texts) => {
        expect(ranked(query, texts)).toEqual(ranked(query, texts));
      }),
    );
  });

  it('is the same when every word has another name, wherever it stands', () => {
    assert(
      property(CALL.query, CALL.texts, (query, texts) => {
        expect(ranked(renamed(query), texts.map(renamed))).toEqual(ranked(query, texts));
      }),
    );
  });

  it('puts neighbours of the question before the same words far apart', () => {
    const texts = ['late the the the the the order', 'late order the the the the the'];
    expect(order('late order', texts)).toEqual([1, 0]);
    // Of equals, the one that came first.
    expect(order('late order', texts, BM25_ALONE)).toEqual([0, 1]);
  });

  it('sees no neighbours across the end of a title', () => {
    const passages = [{ title: 'the late', text: 'order the' }];
    const near = rank(PARAMETERS, 'late order', passages).ranked;
    const far = rank({ ...PARAMETERS, proximity: { weight: 0, window: 8 } }, 'late order', passages).ranked;
    expect(near).toEqual(far);
    const within = [{ title: 'late order', text: 'the the' }];
    expect(rank(PARAMETERS, 'late order', within).ranked[0]?.score).toBeGreaterThan(near[0]?.score ?? 1);
  });

  it('takes words for neighbours within the window of the model, and no farther', () => {
    expect(scoreAcross(7, 8)).toBeGreaterThan(scoreAcross(8, 8));
    expect(scoreAcross(8, 8)).toBe(scoreAcross(15, 8));
    expect(scoreAcross(8, 9)).toBeGreaterThan(scoreAcross(8, 8));
  });

  it('counts a word of the title as two', () => {
    const texts = ['the kettle\nthe the the', 'the the\nkettle the the'];
    expect(order('kettle', texts)).toEqual([0, 1]);
    expect(order('kettle', texts.toReversed())).toEqual([1, 0]);
    const [first, second] = ranked('kettle', texts, { ...PARAMETERS, titleWeight: 1 });
    expect(first?.score).toBe(second?.score);
  });

  it('reads a passage up to the words that the model reads', () => {
    const long = `${'the '.repeat(20)}kettle`;
    const short = { ...PARAMETERS, wordsMax: 20 };
    expect(order('kettle', ['the', long])).toEqual([1, 0]);
    expect(order('kettle', ['the', long], short)).toEqual([0, 1]);
    // The title is a part of it.
    const titled = [passageOf('the'), { title: 'a title of five words', text: `${'the '.repeat(15)}kettle` }];
    expect(rank(short, 'kettle', titled).ranked.map(({ index }) => index)).toEqual([0, 1]);
  });

  it('takes a text without words, and a question without any that occurs', () => {
    expect(order('kettle', ['', '***', 'kettle'])).toEqual([2, 0, 1]);
    expect(order('***', ['a', 'b'])).toEqual([0, 1]);
    expect(rank(PARAMETERS, 'kettle', []).ranked).toEqual([]);
  });

  it('takes about 5 ms for 100 documents', () => {
    const texts = Array.from({ length: 100 }, (_, index) => `${WORDS.join(' ')} ${index} `.repeat(10));
    const passages = texts.map(passageOf);
    const times = Array.from({ length: 30 }, () => {
      const started = performance.now();
      rank(PARAMETERS, 'refund for the kettle of ada becker', passages);
      return performance.now() - started;
    });
    // Ten times what it takes: this is to notice a ranking that is quadratic, on any machine.
    expect(Math.min(...times)).toBeLessThan(50);
  });
});

describe('words', () => {
  it.each([
    ['Ada.Becker.17@example.com', ['ada', 'becker', '17', 'example', 'com']],
    ['+44 7700 900123', ['44', '7700', '900123']],
    ['naïve Straße ＡＢＣ', ['naïve', 'straße', 'abc']],
    ['cafe\u0301', ['café']],
    ['日本語 text', ['日本語', 'text']],
    ['*** — !', []],
  ])('of %j', (text, words) => {
    expect(wordsOf(text, 100)).toEqual(words);
  });

  it('are the first ones only, and each call begins anew', () => {
    expect(wordsOf('a b c d', 2)).toEqual(['a', 'b']);
    expect(wordsOf('a b c d', 9)).toEqual(['a', 'b', 'c', 'd']);
    expect(wordsOf('a', 0)).toEqual([]);
  });

  it.each([
    ['title\nbody', 'title', 'body'],
    ['one line', '', 'one line'],
    ['ends\n', '', 'ends\n'],
    ['\nbegins', '', '\nbegins'],
    [`${'long '.repeat(40)}\nbody`, '', `${'long '.repeat(40)}\nbody`],
  ])('have a title where a short line stands before more: %j', (text, title, rest) => {
    expect(passageOf(text)).toEqual({ title, text: rest });
  });
});
