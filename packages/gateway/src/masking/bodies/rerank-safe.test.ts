import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Scanner } from '../detect/scanner.ts';
import { joined } from '../operators/bytes.ts';
import { bytesOf, RING } from '../operators/testing-masks.ts';
import { maskBody } from './body-masker.ts';
import { wordKey, wordsIn } from './pseudonyms.ts';
import { rerankSafe, type RerankSafeRequest } from './rerank-safe.ts';

const TEXTS = ['/query', '/documents/*'];

function safe(body: unknown, connection = 'reranker'): RerankSafeRequest {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return rerankSafe(bytesOf(text), {
    texts: TEXTS,
    connection,
    keys: RING.current,
    scanner: new Scanner({ regions: ['US'] }),
    entities: undefined,
  });
}

function textOf(parts: readonly Uint8Array[]): string {
  return new TextDecoder('utf-8', { fatal: true }).decode(joined(parts));
}

function restored({ restoring }: RerankSafeRequest, answer: string): string {
  return textOf(maskBody(restoring(), bytesOf(answer)));
}

function keysOf(text: string): readonly string[] {
  return [...wordsIn(text)].map(({ text: word }) => wordKey(word));
}

const CALL = {
  model: 'ana@example.org',
  query: 'refund for Ana.Maier@example.org, card 4111 1111 1111 1111',
  documents: [
    'About the kettle. My mail is ana.maier@example.org.',
    { title: 'ANA MAIER', text: 'I wrote to bo@example.net', 'cy@example.com': 1, card: 4111111111111111 },
    'An example of nothing.',
  ],
  top_n: 18,
};

describe('a call that is safe to send', () => {
  it('has as many words as before, and equal ones where equal ones were', () => {
    const sent = textOf(safe(CALL).parts);
    const [before, after] = [keysOf(JSON.stringify(CALL)), keysOf(sent)];
    expect(after.length).toBe(before.length);
    const names = new Map<string, Set<string>>();
    for (const [index, word] of before.entries()) {
      // The model is no text that is ranked.
      if (index < 4) continue;
      names.set(word, (names.get(word) ?? new Set()).add(after[index] ?? ''));
    }
    for (const [word, under] of names) expect([word, under.size]).toEqual([word, 1]);
    expect(new Set([...names.values()].flatMap((under) => [...under])).size).toBe(names.size);
  });

  it('has no word of a personal value in its texts, and nothing else is changed', () => {
    const call = safe(CALL);
    const sent = JSON.parse(textOf(call.parts)) as typeof CALL;
    expect(sent.model).toBe(CALL.model);
    expect(sent.top_n).toBe(18);
    const texts = JSON.stringify([sent.query, sent.documents]).toLowerCase();
    expect(texts).not.toMatch(/ana|maier|example|4111|1111|\bbo\b|\bcy\b|\borg\b/);
    expect(sent.query).toMatch(/^refund for [A-Z]\w+\.[A-Z]\w+@\w+\.\w+, card \w+ \w+ \w+ \w+$/);
    expect(sent.documents[0]).toMatch(/^About the kettle\. My mail is \w+\.\w+@\w+\.\w+\.$/);
    expect(Object.keys(sent.documents[1] ?? {}).slice(0, 2)).toEqual(['title', 'text']);
    expect(Object.fromEntries(call.found)).toEqual({ EMAIL: 4, CREDIT_CARD: 2 });
  });

  it('is the bytes that came where nothing is personal', () => {
    const text = '{ "query" : "a\\/b", "documents":["x",{"n":1.50}] }';
    const body = bytesOf(text);
    expect(
      rerankSafe(body, {
        texts: TEXTS,
        connection: 'c',
        keys: RING.current,
        scanner: new Scanner(),
        entities: undefined,
      }).parts,
    ).toEqual([body]);
  });

  it('has the same names each time on one connection, and others on another', () => {
    expect(textOf(safe(CALL).parts)).toBe(textOf(safe(CALL).parts));
    expect(textOf(safe(CALL, 'other').parts)).not.toBe(textOf(safe(CALL).parts));
  });

  it('hides only what it is told to', () => {
    const options = {
      texts: TEXTS,
      connection: 'c',
      keys: RING.current,
      scanner: new Scanner(),
      entities: new Set(['CREDIT_CARD']),
    };
    const sent = textOf(rerankSafe(bytesOf(JSON.stringify(CALL)), options).parts);
    expect(sent).toContain('Ana.Maier@example.org');
    expect(sent).not.toContain('4111');
  });

  it('takes time in proportion to a text with very many values', () => {
    const values = Array.from({ length: 20_000 }, (_, index) => `é a${index}@example.org`).join(', ');
    const call = safe({ query: values, documents: [] });
    expect(Object.fromEntries(call.found)).toEqual({ EMAIL: 20_000 });
    expect(textOf(call.parts)).not.toMatch(/example|a19999/);
  });

  it('is withheld where it is not JSON', () => {
    expect(() => safe('{"query":"a"')).toThrow(expect.objectContaining({ code: 'CONTENT_WITHHELD' }));
  });
});

describe('an answer', () => {
  it('has back what the call brought, as it was written, in whole texts and in parts', () => {
    const call = safe(CALL);
    const sent = JSON.parse(textOf(call.parts)) as { query: string; documents: readonly string[] };
    const echo = { results: [{ index: 0, relevance_score: 0.5, document: { text: sent.documents[0] } }] };
    expect(restored(call, JSON.stringify(echo))).toBe(
      '{"results":[{"index":0,"relevance_score":0.5,"document":{"text":"About the kettle. My mail is ana.maier@example.org."}}]}',
    );
    expect(restored(call, JSON.stringify([sent.query.slice(11), sent.documents[1]]))).toBe(
      JSON.stringify([
        'Ana.Maier@example.org, card 4111 1111 1111 1111',
        { ...(CALL.documents[1] as object), card: '4111111111111111' },
      ]),
    );
  });

  it('has nothing back of another call, nor by guessing', () => {
    const [call, other] = [safe(CALL), safe({ query: 'bo@example.net', documents: [] })];
    const answer = textOf(call.parts);
    expect(restored(other, answer)).not.toContain('maier');
    expect(restored(safe({ query: 'x', documents: [] }), answer)).toBe(answer);
  });

  it('is what came, for whatever is repeated of whatever came', () => {
    const word = fc.constantFrom(
      'Ana',
      'kettle',
      'ana.Maier@Example.org',
      'bo@example.net',
      '4111 1111 1111 1111',
      'é',
      'DE89 3704 0044 0532 0130 00',
      'aNA',
      '😀',
    );
    fc.assert(
      fc.property(
        fc.array(word, { maxLength: 12 }),
        fc.array(fc.array(word, { maxLength: 12 }), { maxLength: 5 }),
        (query, documents) => {
          const body = { query: query.join(' '), documents: documents.map((words) => words.join(' ')) };
          const call = safe(body);
          expect(restored(call, textOf(call.parts))).toBe(JSON.stringify(body));
        },
      ),
      { numRuns: 200 },
    );
  });
});
