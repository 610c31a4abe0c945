import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PSEUDONYM_LIMITS } from '../../core/http-body-limits.ts';
import { MaskingKeyRing } from '../operators/key-ring.ts';
import { keyOfPseudonym, PSEUDONYM_FORM, pseudonymOf } from '../operators/pseudonym-names.ts';
import { RING, testingKey } from '../operators/testing-masks.ts';
import { Pseudonyms, wordKey, wordsIn } from './pseudonyms.ts';

function pseudonyms(...words: readonly string[]): Pseudonyms {
  const made = new Pseudonyms(RING.current, 'reranker');
  for (const word of words) made.add(word);
  return made;
}

describe('a pseudonym', () => {
  it('is one word, of letters alone, and the same one whoever asks', () => {
    const name = pseudonymOf(RING.current, 'reranker', 'ana');
    expect(name).toMatch(/^[bcdfghjkmnpqrtvwxz]{12}$/);
    expect(pseudonyms('ana').replaced('ana')).toBe(name);
  });

  it('is another one on another connection, and under another key', () => {
    const other = new MaskingKeyRing(testingKey(9)).current;
    const names = [
      pseudonymOf(RING.current, 'reranker', 'ana'),
      pseudonymOf(RING.current, 'rerankers', 'ana'),
      pseudonymOf(other, 'reranker', 'ana'),
    ];
    expect(new Set(names).size).toBe(3);
  });

  it('is known again after a rotation, while the key is there, and by nobody else', () => {
    const name = pseudonymOf(RING.current, 'reranker', 'ana');
    const rotated = new MaskingKeyRing(testingKey(9), [testingKey(RING.current.id)]);
    expect(keyOfPseudonym(RING.all, name.toUpperCase())?.id).toBe(RING.current.id);
    expect(keyOfPseudonym(rotated.all, name)?.id).toBe(RING.current.id);
    expect(keyOfPseudonym(new MaskingKeyRing(testingKey(9)).all, name)).toBeUndefined();
  });

  it('is told from what is only written like one', () => {
    const letters = fc.constantFrom(...Array.from('bcdfghjkmnpqrtvwxz'));
    const forged = fc.sample(fc.string({ unit: letters, minLength: 12, maxLength: 12 }), {
      numRuns: 3_000,
      seed: 7,
    });
    // One in 5,832 for each key.
    expect(forged.filter((word) => keyOfPseudonym(RING.all, word) !== undefined).length).toBeLessThan(15);
    expect('xbcdfghjkmnpq bcdfghjkmnpqx bcdfghjkmnp abcdfghjkmnpq'.match(PSEUDONYM_FORM)).toBeNull();
  });
});

describe('the words of a request', () => {
  it('come back as each was spelled', () => {
    const spellings = ['ana', 'Ana', 'ANA', 'ａｎａ', 'Ａna', 'aNa', 'İstanbul', 'ﬁeld', 'Field', 'é', 'é'];
    const made = pseudonyms(...spellings);
    const text = spellings.join(' ');
    const sent = made.replaced(text) ?? '';
    expect(sent).not.toMatch(/ana|field|istanbul/i);
    expect(made.restored(sent)).toBe(text);
    // What a reranker takes for one word is one word still.
    const names = new Map<string, string>();
    for (const [index, { text: word }] of [...wordsIn(sent)].entries()) {
      const key = wordKey(spellings[index] ?? '');
      expect(wordKey(word)).toBe(names.get(key) ?? wordKey(word));
      names.set(key, wordKey(word));
    }
    expect(new Set(names.values()).size).toBe(names.size);
  });

  it('come back as each was spelled, also those that are longer than a pseudonym', () => {
    const words = ['Donaudampfschifffahrt', 'DonaudampfschiffFAHRT', 'DonaudampfschifffahrT'];
    const made = pseudonyms(...words);
    expect(made.restored(made.replaced(words.join(' ')) ?? '')).toBe(words.join(' '));
  });

  it('keep apart from one that is written as a pseudonym of another', () => {
    const name = pseudonymOf(RING.current, 'reranker', 'ana');
    const made = pseudonyms('ana');
    const text = `ana wrote ${name}, ${name.toUpperCase()}`;
    const sent = made.replaced(text) ?? '';
    const [one, , two, three] = [...wordsIn(sent)].map(({ text: word }) => wordKey(word));
    expect(one).toBe(name);
    expect(two).not.toBe(name);
    expect(three).toBe(two);
    expect(made.restored(sent)).toBe(text);
  });

  it('are as many different words as before, whatever they are', () => {
    const word = fc.oneof(
      fc.string({
        unit: fc.constantFrom('a', 'A', 'ａ', 'b', 'ß', '1', '１', 'é'),
        minLength: 1,
        maxLength: 14,
      }),
      fc.constantFrom(pseudonymOf(RING.current, 'reranker', 'a'), pseudonymOf(RING.current, 'reranker', 'b')),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 20 }), fc.array(word, { maxLength: 40 }), (hidden, words) => {
        const made = pseudonyms(...hidden);
        const text = words.join(' ');
        const sent = made.replaced(text) ?? text;
        const [before, after] = [text, sent].map((one) =>
          [...wordsIn(one)].map((found) => wordKey(found.text)),
        );
        expect(after?.length).toBe(before?.length);
        const pairs = new Set(before?.map((key, index) => `${key} ${after?.[index] ?? ''}`));
        expect(pairs.size).toBe(new Set(before).size);
        expect(pairs.size).toBe(new Set(after).size);
        expect(made.restored(sent) ?? sent).toBe(text);
      }),
    );
  });

  it('have a bound, and so have the ways to spell one', () => {
    const full = new Pseudonyms(RING.current, 'reranker');
    const limit = expect.objectContaining({ code: 'LIMIT_EXCEEDED' });
    const long = 'abcdefghijkl';
    const spellings = Array.from({ length: 5_000 }, (_, index) =>
      index.toString(2).padStart(14, '0').replaceAll('0', 'a').replaceAll('1', 'ａ'),
    );
    full.add(long);
    full.add('a'.repeat(14));
    expect(() => full.replaced(spellings.join(' '))).toThrow(limit);
    const words = (): void => {
      for (let index = 0; index <= PSEUDONYM_LIMITS.wordsMax; index += 1) full.add(`w${index}`);
    };
    expect(words).toThrow(limit);
    expect(full.wordsCount).toBe(PSEUDONYM_LIMITS.wordsMax);
  });
});
