/** What is written down of a rerank call and its answer. */

import { createHmac } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BodyValue } from '../../../core/ledger-port.ts';
import { LIMITS as BOUNDS } from '../../../core/limits.ts';
import { RERANK_LIMITS as LIMITS } from '../../../core/rerank-limits.ts';
import { readRerankAnswer } from './read-answer.ts';
import { callRecord, type RecordedCall, type RecordTools, resultRecord } from './rerank-record.ts';
import { bodyOf, read } from './testing-requests.ts';

const hash = (bytes: Uint8Array): string =>
  createHmac('sha256', 'key').update(bytes).digest('hex').slice(0, 16);
const hashOf = (text: string): string => hash(Buffer.from(text));
const TOOLS: RecordTools = { hash, say: (texts) => texts };

/** Six bytes of JSON for one: the most that a text can grow. */
function worst(length: number): string {
  return '\u0001'.repeat(length);
}

interface Recorded {
  readonly call: RecordedCall;
  readonly result: Readonly<Record<string, BodyValue>> | undefined;
}

function record(dialect: string, line: string, request: unknown, answer?: unknown, tools = TOOLS): Recorded {
  const body = bodyOf(request);
  const { rerank } = read(dialect, line, request);
  if (rerank === undefined || body === undefined) throw new Error('no call');
  const call = callRecord(rerank, body, tools);
  const answered = bodyOf(answer);
  const result = readRerankAnswer(rerank, 200, answered);
  if (result === undefined || answered === undefined) return { call, result: undefined };
  return { call, result: resultRecord(call, result, answered, tools) };
}

describe('the record of a call', () => {
  it('has hashes and no texts, and scores as the bytes that came', () => {
    const request = {
      model: 'rerank-v3.5',
      query: 'refund for ana@example.com',
      documents: ['first', { text: 'second' }, { text: 'third', lang: 'en' }],
      top_n: 2,
      rank_fields: ['text'],
      priority: 0,
      instruction: 'newest first',
    };
    const answer =
      '{"id":"r1","results":[{"index":2,"relevance_score":0.70},{"index":0,"relevance_score":1.0e-3}],"meta":{"billed_units":{"search_units":1}}}';
    const { call, result } = record('litellm', 'POST /v1/rerank', request, answer);
    expect(call.body).toEqual({
      dialect: 'litellm',
      operation: 'rerank',
      model: 'rerank-v3.5',
      model_known_from: 'request',
      query_hash: hashOf('refund for ana@example.com'),
      query_length: 26,
      instruction_hash: hashOf('newest first'),
      documents_count: 3,
      documents: [
        { hash: hashOf('first'), bytes: 5 },
        { hash: hashOf('second'), bytes: 6 },
        { hash: hashOf('{"text":"third","lang":"en"}'), bytes: 28, of: 'object' },
      ],
      top_n: '2',
      returns_text: 'default',
      rank_fields: ['text'],
      options: [{ name: 'priority', value: '0' }],
    });
    expect(call.texts).toEqual([[hashOf('first')], [hashOf('second')], [hashOf('third'), hashOf('en')]]);
    expect(result).toEqual({
      results_count: 2,
      results: [
        { document: 2, score: '0.70' },
        { document: 0, score: '1.0e-3' },
      ],
      sorted: true,
      usage: [{ name: 'search_units', value: '1' }],
      upstream_request_id: 'r1',
    });
    const all = JSON.stringify([call.body, result]);
    for (const text of ['ana@example.com', 'first', 'second', 'newest']) expect(all).not.toContain(text);
  });

  it('finds a text again however it was escaped', () => {
    const one = record('cohere-v2', 'POST /v2/rerank', '{"query":"é\\n","documents":["\\u00e9"]}');
    const other = record('cohere-v2', 'POST /v2/rerank', '{"query":"\\u00e9\\u000a","documents":["é"]}');
    expect(one).toEqual(other);
    expect(one.call.documents).toEqual([hashOf('é')]);
  });

  it('knows documents by their texts where a service names them by nothing else', () => {
    const { result } = record(
      'weaviate-sidecar',
      'POST /rerank',
      { query: 'q', documents: ['a', 'b', 'a'], property: 'p' },
      '{"scores":[{"document":"b","score":1},{"document":"a","score":0.5},{"document":"a","score":0.5},{"document":"x","score":0}]}',
    );
    expect(result?.['results']).toEqual([
      { document: 1, score: '1' },
      { document: 0, score: '0.5' },
      { document: 2, score: '0.5' },
      { score: '0' },
    ]);
  });

  it('says how the model is known, and nothing of results where there are none', () => {
    const { call, result } = record('tei', 'POST /rerank', { query: 'q', texts: ['a'] });
    expect([result, call.body['model_known_from'], call.body['model']]).toEqual([
      undefined,
      'unknown',
      undefined,
    ]);
    const answered = record(
      'jina',
      'POST /v1/rerank',
      { query: 'q', documents: ['a'] },
      '{"model":"j","results":[]}',
    );
    expect(answered.result).toMatchObject({
      model_effective: 'j',
      model_known_from: 'response',
      results: [],
      results_count: 0,
    });
  });

  it('counts and hashes what is beyond its bounds, and lists the rest', () => {
    const more = 3;
    const documents = Array.from({ length: LIMITS.documentsListedMax + more }, (_, at) => `d${at}`);
    const results = documents.map((_, at) => `{"index":${at},"relevance_score":${at}}`);
    const { call, result } = record(
      'cohere-v2',
      'POST /v2/rerank',
      { query: 'q', documents },
      `{"results":[${results.join(' , ')}]}`,
    );
    const rest = documents.slice(-more).map((text) => JSON.stringify(text));
    expect(call.body['documents_rest']).toEqual({ count: more, hash: hashOf(rest.join(',')) });
    expect(call.body['documents']).toHaveLength(LIMITS.documentsListedMax);
    expect(call.body['documents_count']).toBe(documents.length);
    expect(result?.['results_rest']).toEqual({ count: more, hash: hashOf(results.slice(-more).join(' , ')) });
    expect([result?.['results_count'], (call.body['documents_rest'] as { count: number }).count]).toEqual([
      documents.length,
      more,
    ]);
  });

  it('lists every query of a call with several', () => {
    const queries = Array.from({ length: LIMITS.queriesListedMax + 1 }, (_, at) => `q${at}`);
    const { call } = record('deepinfra', 'POST /v1/inference/m', {
      queries,
      documents: queries.map((text) => `about ${text}`),
    });
    expect(call.body).toMatchObject({
      query_hash: hashOf('q0'),
      queries_rest: { count: 1, hash: hashOf(JSON.stringify(queries.at(-1))) },
    });
    expect(call.body['queries']).toHaveLength(LIMITS.queriesListedMax);
  });

  it('has no name, score or word that is longer than its bounds', () => {
    const long = 'n'.repeat(5_000);
    const { call, result } = record(
      'bifrost',
      'POST /v1/rerank',
      { model: long, query: 'q', documents: [{ id: long, text: 'a' }], rank_fields: [long] },
      `{"id":"${long}","model":"${long}","results":[{"index":0,"relevance_score":1.${'0'.repeat(200)}}]}`,
    );
    expect(JSON.stringify([call.body, result]).length).toBeLessThan(5_000);
    expect(result?.['results']).toEqual([{ document: 0, id_hash: hashOf(long), score_bytes: 202 }]);
    expect(call.body['documents']).toEqual([{ hash: hashOf('a'), bytes: 1, id_hash: hashOf(long) }]);
  });

  it('fits into the body of a leaf, whatever client and service say', () => {
    const count = LIMITS.documentsListedMax + 1;
    const records = Array.from({ length: count }, (_, at) => ({
      id: `${at}${worst(LIMITS.nameBytesMax - 4)}`,
      content: 'x',
    }));
    const results = records.map(({ id }) => ({ id, score: worst(LIMITS.scoreBytesMax) }));
    const { call, result } = record(
      'google-ranking',
      'POST /v1/projects/p/locations/l/rankingConfigs/r:rank',
      { model: worst(9_000), query: worst(90_000), records, topN: worst(9_000) },
      JSON.stringify({ records: results }),
    );
    expect(call.body['documents']).toHaveLength(LIMITS.documentsListedMax);
    expect(result?.['results']).toHaveLength(LIMITS.resultsListedMax);
    for (const body of [call.body, result]) {
      const bytes = Buffer.byteLength(JSON.stringify(body));
      expect(bytes).toBeGreaterThan(3_000_000);
      expect(bytes).toBeLessThan(BOUNDS.ledger.bodyBytesMax);
    }
  });

  it('shows names as Masks leave them', () => {
    const tools: RecordTools = { hash, say: (texts) => texts.map((text) => text.replace('ana@', '•@')) };
    const request = {
      model: 'ana@m',
      query: 'q',
      documents: [{ id: 'ana@d', text: 'a' }],
      rank_fields: ['ana@f'],
      priority: 'ana@p',
    };
    const answer = '{"id":"ana@i","model":"ana@e","results":[{"index":0,"relevance_score":1}]}';
    const { call, result } = record('bifrost', 'POST /v1/rerank', request, answer, tools);
    expect(JSON.stringify([call.body, result])).not.toContain('ana@');
    expect(result?.['results']).toEqual([{ document: 0, id: '•@d', score: '1' }]);
  });
});

/** JSON as a peer may write it: lone surrogates, long texts, names that objects have anyway. */
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.constantFrom('\ud800', '__proto__', 'x'.repeat(700), ''),
);
const documents = fc.array(
  fc.oneof(text, fc.record({ id: text, text }, { requiredKeys: [] }), fc.record({ a: text, b: text })),
  { maxLength: 8 },
);
const scores = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.constantFrom('0.70', '1E-5', '"0.0116"', '-0', `1${'0'.repeat(80)}`),
);

describe('every record', () => {
  it('accounts for each document and result, in their order, with the bytes of its score', () => {
    fc.assert(
      fc.property(
        text,
        documents,
        fc.array(fc.tuple(fc.nat(10), scores), { maxLength: 8 }),
        (query, given, lines) => {
          const answer = `{"results":[${lines.map(([at, score]) => `{"index":${at},"relevance_score":${score}}`).join(',')}]}`;
          const { call, result } = record(
            'cohere-v1',
            'POST /v1/rerank',
            { query, documents: given },
            answer,
          );
          expect(call.body['query_hash']).toBe(hashOf(query));
          expect(call.body['documents_count']).toBe(given.length);
          expect(call.documents).toHaveLength(given.length);
          const alone = given.map((document, at) =>
            typeof document === 'string' ? hashOf(document) : call.documents[at],
          );
          expect(call.documents).toEqual(alone);
          expect(result?.['results_count']).toBe(lines.length);
          const listed = result?.['results'];
          if (!Array.isArray(listed)) throw new Error('no list');
          for (const [at, [index, score]] of lines.entries()) {
            const isShort = score.length <= LIMITS.scoreBytesMax;
            expect(listed[at]).toMatchObject(isShort ? { score } : { score_bytes: score.length });
            const place = (listed[at] as { document?: number }).document;
            expect(place).toBe(index < given.length ? index : undefined);
          }
          expect(isBody({ ...call.body, ...result })).toBe(true);
        },
      ),
      { numRuns: 500 },
    );
  });
});

/** Whether it is what a body may hold: well-formed texts, integers, no null. */
function isBody(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed();
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 0;
  if (typeof value === 'boolean') return true;
  return typeof value === 'object' && value !== null && Object.values(value).every(isBody);
}
