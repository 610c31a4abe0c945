import { describe, expect, it } from 'vitest';
import { parseJson } from '../json/parse-json.ts';
import {
  CANARY_DIALECTS,
  CANARY_DOCUMENTS,
  CANARY_QUERY,
  canaryNeedsModel,
  canaryRequest,
  readCanary,
} from './canary.ts';
import { DIALECTS } from './dialects.ts';
import { type JsonBody, nodesAt, textOf } from './json-values.ts';
import { readRequest } from './read-request.ts';
import type { AnswerShape } from './route.ts';

function bodyOf(content: string | Uint8Array): JsonBody {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
  const parsed = parseJson(bytes);
  return { bytes, root: parsed.kind === 'json' ? parsed.root : undefined };
}

function read(dialect: string, answer: string): ReturnType<typeof readCanary> {
  const request = canaryRequest(dialect, 'm');
  if (request === undefined) throw new Error(`no canary of ${dialect}`);
  return readCanary(dialect, request, { status: 200, body: bodyOf(answer), fields: [] });
}

/** An answer in the shape of a dialect: the last document first. */
function answerIn({ list, keyAt, score }: AnswerShape): string {
  const items = CANARY_DOCUMENTS.map((_, at) => {
    const place = CANARY_DOCUMENTS.length - 1 - at;
    return { [(keyAt[0] ?? '/index').slice(1)]: place, [(score[0] ?? '/score').slice(1)]: 'SCORE' };
  });
  let scored = 0;
  const key = (list[0] ?? '').slice(1);
  const text = JSON.stringify(key === '' ? items : { [key]: items });
  return text.replaceAll('"SCORE"', () => `0.${90 - scored++}0`);
}

describe('the canary', () => {
  it('has texts of nobody: no digit, no address, no name', () => {
    for (const text of [CANARY_QUERY, ...CANARY_DOCUMENTS]) expect(text).not.toMatch(/[0-9@]|https?:/);
    expect(new Set(CANARY_DOCUMENTS).size).toBe(CANARY_DOCUMENTS.length);
  });

  it.each(CANARY_DIALECTS)('is a rerank call of all documents in %s, and its answer is read', (dialect) => {
    const request = canaryRequest(dialect, 'm');
    const { head, content } = request ?? { head: undefined, content: undefined };
    if (head === undefined) throw new Error('none');
    expect(canaryRequest(dialect, 'm')?.content).toEqual(content);
    const body = bodyOf(content);
    const { rerank, effects } = readRequest(dialect, head, body);
    expect(effects).toEqual(['rerank']);
    expect(rerank).toMatchObject({ operation: 'rerank', model: 'm' });
    expect(rerank?.documents.count).toBe(CANARY_DOCUMENTS.length);
    const texts = (rerank?.documents.texts ?? []).flatMap((pattern) => nodesAt(body.root, pattern));
    expect(texts.map(({ node }) => textOf(body, node))).toEqual(CANARY_DOCUMENTS);
    const query = nodesAt(body.root, rerank?.query[0] ?? '')[0]?.node;
    expect(textOf(body, query)).toBe(CANARY_QUERY);
    expect(rerank?.returnsText).not.toBe(true);
    const routes = DIALECTS.find(({ name }) => name === dialect)?.routes ?? [];
    const shape = routes.find(
      ({ rerank: one, template }) => one !== undefined && template.text === head.path,
    )?.rerank;
    if (shape === undefined) throw new Error(`no route ${head.path} of ${dialect}`);
    expect(read(dialect, answerIn(shape.answer))).toMatchObject({
      order: [7, 6, 5, 4, 3, 2, 1, 0],
      scores: ['0.900', '0.890', '0.880', '0.870', '0.860', '0.850', '0.840', '0.830'],
    });
  });

  it('names no model where none is given', () => {
    expect(new TextDecoder().decode(canaryRequest('infinity', undefined)?.content)).not.toContain('model');
    expect(canaryNeedsModel('infinity')).toBe(false);
    expect(canaryNeedsModel('cohere-v2')).toBe(true);
    expect(canaryRequest('vespa', 'm')).toBeUndefined();
  });

  it('keeps scores as the bytes that came, in the order in which they came', () => {
    expect(
      read(
        'cohere-v2',
        '{"results":[{"index":3,"relevance_score":0.70},{"index":0,"relevance_score":1.0e-3}]}',
      ),
    ).toMatchObject({
      order: [3, 0],
      scores: ['0.70', '1.0e-3'],
    });
  });

  it.each<[string, string]>([
    ['{"results":[]}', 'it has not the form of its dialect'],
    ['{"data":[{"index":1,"relevance_score":1}]}', 'it has not the form of its dialect'],
    ['[]', 'it has not the form of its dialect'],
    ['"x"', 'it has not the form of its dialect'],
    ['{"results":[{"index":9,"relevance_score":1}]}', 'it does not say which document it means'],
    ['{"results":[{"relevance_score":1}]}', 'it does not say which document it means'],
    [
      '{"results":[{"index":1,"relevance_score":1},{"index":1,"relevance_score":1}]}',
      'it does not say which document it means',
    ],
    ['{"results":[{"index":1}]}', 'it has no scores'],
    [`{"results":[{"index":1,"relevance_score":0.${'1'.repeat(99)}}]}`, 'it has no scores'],
    ['{"results":[{"index":1,"relevance_score":{"x":1}}]}', 'it has no scores'],
  ])('cannot be read of %s', (answer, why) => {
    expect(read('cohere-v2', answer)).toBe(why);
  });

  it('cannot be read of far more results than there are documents', () => {
    const results = Array.from({ length: 5_000 }, (_, index) => ({ index, relevance_score: 1 }));
    expect(read('cohere-v2', JSON.stringify({ results }))).toBe('it does not say which document it means');
  });
});
