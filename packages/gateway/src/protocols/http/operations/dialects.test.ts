/** A real request and answer of each dialect, and what is read of them. */

import { describe, expect, it } from 'vitest';
import { readRerankAnswer } from './read-answer.ts';
import { bodyOf, read } from './testing-requests.ts';
import { COHERE, SERVICE_EXAMPLES } from './testing-service-examples.ts';
import { STORE_EXAMPLES } from './testing-store-examples.ts';

const EXAMPLES = [...SERVICE_EXAMPLES, ...STORE_EXAMPLES];

describe('dialects', () => {
  it.each(EXAMPLES)('$dialect: $line', (example) => {
    const { rerank, effects, dialect } = read(example.dialect, example.line, example.request);
    if (rerank === undefined) throw new Error('no rerank call');
    expect(dialect).toBe(example.dialect);
    expect(effects).toContain('rerank');
    expect(effects).not.toContain('unknown');
    expect(effects.includes('model-redirect')).toBe(
      (example.egress ?? []).length > 0 && example.dialect !== 'milvus',
    );
    const { documents } = rerank;
    expect({ ...rerank, documents: undefined }).toMatchObject({
      dialect: example.dialect,
      operation: example.operation ?? 'rerank',
      model: example.model,
      query: example.query,
      topN: example.topN,
      egress: example.egress ?? [],
    });
    expect(documents).toMatchObject({
      count: example.count,
      texts: example.texts,
      names: example.names ?? [],
    });

    const result = readRerankAnswer(rerank, 200, bodyOf(example.answer));
    if (result === undefined) throw new Error('no answer');
    const order = result.ranked.map(
      ({ document, id, score }) => `${document ?? '?'}${id === undefined ? '' : `|${id}`}:${score ?? ''}`,
    );
    expect(order.join(' ')).toBe(example.order);
    expect(result.texts).toEqual(example.echoes ?? []);
    expect(result.usage.map(([name, bytes]) => `${name}=${bytes}`).join(' ')).toBe(example.usage ?? '');
    expect(result.model).toBe(example.answeredBy);
    expect(readRerankAnswer(rerank, 403, bodyOf(example.answer))).toBeUndefined();
  });

  it('are known by their content where no connection says which they are', () => {
    const marked = ['voyage', 'mixedbread', 'contextual', 'weaviate-sidecar', 'mariadb', 'bedrock'];
    for (const { dialect, line, request, answer, order } of EXAMPLES) {
      const { rerank, effects } = read('auto', line, request);
      expect([line, dialect, effects.includes('rerank')]).toEqual([line, dialect, true]);
      if (rerank === undefined) throw new Error(`${dialect} ${line}: no call`);
      expect(marked.includes(dialect) ? rerank.dialect : dialect).toBe(dialect);
      if (rerank.dialect !== 'rerank') continue;
      const result = readRerankAnswer(rerank, 200, bodyOf(answer));
      const scores = result?.ranked.map(({ score }) => score).join(' ');
      expect([dialect, scores]).toEqual([
        dialect,
        order
          .split(' ')
          .map((one) => one.slice(one.indexOf(':') + 1))
          .join(' '),
      ]);
    }
  });

  it('have a prefix where a server was given one', () => {
    for (const path of ['/cohere/v2/rerank', '/a/b/rerank', '/x/reranking']) {
      expect(read('cohere-v2', `POST ${path}`, COHERE).effects).toEqual(['rerank']);
    }
    expect(read('cohere-v2', 'POST /cohere/v2/other', COHERE).effects).toEqual(['rerank', 'unknown']);
    expect(read('cohere-v2', 'POST /cohere/v2/rerank', { no: 1 }).effects).toEqual(['unknown']);
  });

  it('may be gRPC, of which no content is read', () => {
    const reading = read('tei-grpc', 'POST /tei.v1.Rerank/RerankStream', '\0\0\0\0\x01x');
    expect([reading.effects, reading.rerank]).toEqual([['rerank'], undefined]);
    expect(reading.isUnreadable).toBe(true);
  });

  it('take fields of an answer for what is counted', () => {
    const { rerank } = read('tei', 'POST /rerank', { query: 'q', texts: ['a'] });
    if (rerank === undefined) throw new Error('no call');
    const result = readRerankAnswer(rerank, 200, bodyOf('[{"index":0,"score":1}]'), [
      ['x-compute-tokens', '12'],
      ['x-total-time', '3'],
      ['server', 'x'],
    ]);
    expect(result?.usage).toEqual([
      ['x-compute-tokens', '12'],
      ['x-total-time', '3'],
    ]);
  });
});
