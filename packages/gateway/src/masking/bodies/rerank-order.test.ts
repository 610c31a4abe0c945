/** A ranking by words is the same with pseudonyms; labels and stars are not so kind. */

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Scanner } from '../detect/scanner.ts';
import { joined } from '../operators/bytes.ts';
import { bytesOf, RING } from '../operators/testing-masks.ts';
import { wordKey, wordsIn } from './pseudonyms.ts';
import { rerankSafe } from './rerank-safe.ts';

interface Call {
  readonly query: string;
  readonly documents: readonly string[];
}

const SCANNER = new Scanner({ regions: ['US'] });

function safe(call: Call): Call {
  const { parts } = rerankSafe(bytesOf(JSON.stringify(call)), {
    texts: ['/query', '/documents/*'],
    connection: 'reranker',
    keys: RING.current,
    scanner: SCANNER,
    entities: undefined,
  });
  return JSON.parse(new TextDecoder().decode(joined(parts))) as Call;
}

/** BM25 (k1 1.2, b 0.75) over the documents of the call, and words of the query that stand side by side. */
function scores({ query, documents }: Call): readonly number[] {
  const terms = [...wordsIn(query)].map(({ text }) => wordKey(text));
  const texts = documents.map((text) => [...wordsIn(text)].map((word) => wordKey(word.text)));
  const mean = texts.reduce((sum, { length }) => sum + length, 0) / (texts.length || 1);
  return texts.map((words) =>
    terms.reduce((sum, term, index) => {
      const count = words.filter((word) => word === term).length;
      const having = texts.filter((other) => other.includes(term)).length;
      const rarity = Math.log(1 + (texts.length - having + 0.5) / (having + 0.5));
      const next = terms[index + 1];
      const isNear = words.some((word, at) => word === term && words[at + 1] === next);
      const norm = 1.2 * (0.25 + (0.75 * words.length) / (mean || 1));
      return (
        sum + (rarity * count * 2.2) / (count + norm || 1) + (isNear && next !== undefined ? rarity / 2 : 0)
      );
    }, 0),
  );
}

function orderOf(call: Call): readonly number[] {
  const all = scores(call);
  return all.map((_, index) => index).toSorted((a, b) => (all[b] ?? 0) - (all[a] ?? 0) || a - b);
}

const WORDS = 'refund kettle Ana Maier ana bo example org the of late parcel 4111 1111'.split(' ');
const VALUES = [
  'ana.maier@example.org',
  'Bo.Kettle@example.org',
  'ana@example.org',
  '4111 1111 1111 1111',
  'DE89 3704 0044 0532 0130 00',
];
const text = fc
  .array(fc.oneof(fc.constantFrom(...WORDS), fc.constantFrom(...VALUES)), { maxLength: 12 })
  .map((words) => words.join(' '));

describe('a ranking by words', () => {
  it('is the same with pseudonyms, to the last bit of each score', () => {
    fc.assert(
      fc.property(text, fc.array(text, { maxLength: 8 }), (query, documents) => {
        const call = { query, documents };
        expect(scores(safe(call))).toEqual(scores(call));
      }),
      { numRuns: 300 },
    );
  });

  it('loses the person with labels and stars, and keeps them with pseudonyms', () => {
    const people = ['ana.maier', 'bo.kettle', 'cy.parcel', 'di.refund'];
    const call: Call = {
      query: 'late parcel of cy.parcel@example.org',
      documents: people.map((person) => `A late parcel, says ${person}@example.org about it.`),
    };
    const masked = (label: string): Call => {
      const mask = (value: string): string => value.replaceAll(/\S+@example\.org/g, label);
      return { query: mask(call.query), documents: call.documents.map(mask) };
    };
    expect(orderOf(call)[0]).toBe(2);
    expect(orderOf(safe(call))).toEqual(orderOf(call));
    expect(orderOf(masked('[EMAIL]'))[0]).toBe(0);
    expect(orderOf(masked('***'))[0]).toBe(0);
  });
});
