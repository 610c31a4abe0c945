/** Each dialect asks, answers and refuses in its own form, over HTTP. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Reranker, startReranker } from '../../examples/demo/reranker/server.ts';
import { ask } from './post.ts';

let reranker: Reranker;

beforeAll(async () => {
  reranker = await startReranker({ port: 0 });
});
afterAll(async () => {
  await reranker.close();
});

const QUERY = 'refund for the kettle';
const TEXTS = ['A bike helmet.', 'Refund for my kettle\nWhen is it paid?', 'The kettle is fine.'];
const OBJECTS = TEXTS.map((text, id) => ({ id: `d${id}`, text }));
const MODEL = 'lexical-blend';
const SCORE: unknown = expect.closeTo(0.5, 0);
const ANY_NUMBER: unknown = expect.any(Number);
const ANY_TEXT: unknown = expect.any(String);

/** What is asked at a path, and exactly what comes back. */
const CALLS: readonly (readonly [says: string, path: string, body: object, answer: object])[] = [
  [
    'Cohere v1 without an echo',
    '/cohere/v1/rerank',
    { query: QUERY, documents: TEXTS, top_n: 2 },
    {
      id: ANY_TEXT,
      results: [
        { index: 1, relevance_score: SCORE },
        { index: 2, relevance_score: SCORE },
      ],
      meta: { api_version: { version: '1' }, billed_units: { search_units: 1 } },
    },
  ],
  [
    'Cohere v1 with texts echoed as objects',
    '/cohere/v1/rerank',
    { model: MODEL, query: QUERY, documents: TEXTS, top_n: 1, return_documents: true, max_chunks_per_doc: 3 },
    {
      id: ANY_TEXT,
      results: [{ document: { text: TEXTS[1] }, index: 1, relevance_score: SCORE }],
      meta: { api_version: { version: '1' }, billed_units: { search_units: 1 } },
    },
  ],
  [
    'Cohere v1 with every field of an object, of which one is ranked',
    '/cohere/v1/rerank',
    {
      query: 'helmet',
      documents: [
        { body: 'kettle', note: 'helmet', id: '1' },
        { body: 'helmet', note: '', id: '2' },
      ],
      rank_fields: ['body'],
      top_n: 1,
      return_documents: true,
    },
    {
      id: ANY_TEXT,
      results: [{ document: { body: 'helmet', note: '', id: '2' }, index: 1, relevance_score: SCORE }],
      meta: { api_version: { version: '1' }, billed_units: { search_units: 1 } },
    },
  ],
  [
    'Cohere v2, which has no echo whatever is asked',
    '/cohere/v2/rerank',
    { model: MODEL, query: QUERY, documents: TEXTS, top_n: 1, return_documents: true, priority: 0 },
    {
      id: ANY_TEXT,
      results: [{ index: 1, relevance_score: SCORE }],
      meta: { api_version: { version: '2' }, billed_units: { search_units: 1 } },
    },
  ],
  [
    'Jina, with texts and objects',
    '/jina/v1/rerank',
    { model: MODEL, query: QUERY, documents: [TEXTS[0], OBJECTS[1], TEXTS[2]], top_n: 2 },
    {
      model: MODEL,
      object: 'list',
      usage: { total_tokens: ANY_NUMBER, prompt_tokens: ANY_NUMBER },
      results: [
        { index: 1, relevance_score: SCORE, document: OBJECTS[1] },
        { index: 2, relevance_score: SCORE, document: { text: TEXTS[2] } },
      ],
    },
  ],
  [
    'Voyage, with top_k and data',
    '/voyage/v1/rerank',
    { model: MODEL, query: QUERY, documents: TEXTS, top_k: 1, return_documents: true, truncation: true },
    {
      object: 'list',
      data: [{ relevance_score: SCORE, index: 1, document: TEXTS[1] }],
      model: MODEL,
      usage: { total_tokens: ANY_NUMBER },
    },
  ],
  [
    'Mixedbread, with input and score',
    '/mixedbread/v1/reranking',
    { model: MODEL, query: QUERY, input: OBJECTS, top_k: 1, return_input: true, rank_fields: ['text'] },
    {
      usage: { prompt_tokens: ANY_NUMBER, total_tokens: ANY_NUMBER, completion_tokens: 0 },
      model: MODEL,
      data: [{ index: 1, score: SCORE, input: OBJECTS[1], object: 'rank_result' }],
      object: 'list',
      top_k: 1,
      return_input: true,
    },
  ],
  [
    'TEI, with a bare list',
    '/tei/rerank',
    { query: QUERY, texts: TEXTS, return_text: true, raw_scores: false, truncate: true },
    [
      { index: 1, text: TEXTS[1], score: SCORE },
      { index: 2, text: TEXTS[2], score: SCORE },
      { index: 0, text: TEXTS[0], score: SCORE },
    ],
  ],
  [
    'Infinity',
    '/infinity/rerank',
    { query: QUERY, documents: TEXTS, top_n: 1, return_documents: true },
    {
      object: 'rerank',
      results: [{ relevance_score: SCORE, index: 1, document: TEXTS[1] }],
      model: MODEL,
      usage: { prompt_tokens: ANY_NUMBER, total_tokens: ANY_NUMBER },
      id: expect.stringMatching(/^infinity-/),
      created: ANY_NUMBER,
    },
  ],
  [
    'Pinecone, which echoes whole objects unless it is told not to',
    '/pinecone/rerank',
    { model: MODEL, query: QUERY, documents: OBJECTS, top_n: 1, parameters: { truncate: 'END' } },
    {
      model: MODEL,
      data: [{ index: 1, score: SCORE, document: OBJECTS[1] }],
      usage: { rerank_units: 1 },
    },
  ],
  [
    'Pinecone without an echo',
    '/pinecone/rerank',
    { model: MODEL, query: QUERY, documents: OBJECTS, top_n: 1, return_documents: false },
    { model: MODEL, data: [{ index: 1, score: SCORE }], usage: { rerank_units: 1 } },
  ],
];

describe('a call', () => {
  it.each(CALLS)('in the form of %s', async (_, path, body, answer) => {
    const { status, body: came } = await ask(`${reranker.url}${path}`, { body });
    expect(came).toEqual(answer);
    expect(status).toBe(200);
  });

  it('has the same scores in every form', async () => {
    const cohere = await ask(`${reranker.url}/v2/rerank`, {
      body: { model: MODEL, query: QUERY, documents: TEXTS },
    });
    const tei = await ask(`${reranker.url}/rerank`, { body: { query: QUERY, texts: TEXTS } });
    const { results } = cohere.body as { results: { index: number; relevance_score: number }[] };
    expect(tei.body).toEqual(results.map((one) => ({ index: one.index, score: one.relevance_score })));
  });

  it('gives TEI and Infinity raw scores, of which the others are the logistic', async () => {
    const both = await Promise.all(
      [false, true].map(async (raw) => {
        const { body } = await ask(`${reranker.url}/rerank`, {
          body: { query: QUERY, texts: TEXTS, raw_scores: raw },
        });
        return (body as { score: number }[]).map(({ score }) => score);
      }),
    );
    const [scores = [], raw = []] = both;
    expect(raw.map((value) => 1 / (1 + Math.exp(-value)))).toEqual(
      scores.map((score) => expect.closeTo(score, 6) as unknown),
    );
  });

  it('has TEI’s fields with times in the head of the answer', async () => {
    const { headers } = await ask(`${reranker.url}/tei/`, { body: { query: 'abc', texts: ['de', 'f'] } });
    expect(headers.get('x-compute-type')).toBe('cpu');
    expect(headers.get('x-compute-characters')).toBe('6');
    expect(headers.get('x-compute-tokens')).toBe('3');
    expect(Number(headers.get('x-inference-time'))).toBeGreaterThanOrEqual(0);
  });

  it('reads no more of a document than max_tokens_per_doc', async () => {
    const documents = ['the the the', 'the the kettle'];
    const body = { model: MODEL, query: 'kettle', documents };
    const whole = await ask(`${reranker.url}/v2/rerank`, { body });
    const cut = await ask(`${reranker.url}/v2/rerank`, { body: { ...body, max_tokens_per_doc: 2 } });
    expect(whole.body).toMatchObject({ results: [{ index: 1 }, { index: 0 }] });
    expect(cut.body).toMatchObject({ results: [{ index: 0 }, { index: 1 }] });
  });
});

/** At the root of a service that guesses: what shows which dialect answered. */
const GUESSES: readonly (readonly [
  path: string,
  body: object,
  headers: Record<string, string>,
  shows: object,
])[] = [
  ['/v1/rerank', { query: 'a', documents: ['a'] }, {}, { meta: { api_version: { version: '1' } } }],
  [
    '/v1/rerank',
    { query: 'a', documents: ['a'], top_k: 1, model: MODEL },
    {},
    { object: 'list', data: [{}] },
  ],
  [
    '/v2/rerank',
    { query: 'a', documents: ['a'], model: MODEL },
    {},
    { meta: { api_version: { version: '2' } } },
  ],
  ['/v1/reranking', { query: 'a', input: ['a'] }, {}, { data: [{ object: 'rank_result' }] }],
  ['/rerank', { query: 'a', texts: ['a'] }, {}, [{ index: 0 }]],
  ['/', { query: 'a', texts: ['a'] }, {}, [{ index: 0 }]],
  ['/invocations', { query: 'a', texts: ['a'] }, {}, [{ index: 0 }]],
  ['/rerank', { query: 'a', documents: ['a'] }, {}, { object: 'rerank' }],
  [
    '/rerank',
    { query: 'a', documents: [{ text: 'a' }], model: MODEL },
    { 'x-pinecone-api-version': '2026-04' },
    { usage: { rerank_units: 1 } },
  ],
  [
    '/rerank',
    { query: 'a', documents: [{ text: 'a' }], model: MODEL },
    { 'api-key': 'k' },
    { data: [{ index: 0 }] },
  ],
];

describe('the root', () => {
  it.each(GUESSES)('guesses the dialect of %s with %j %j', async (path, body, headers, shows) => {
    const { body: came } = await ask(`${reranker.url}${path}`, { body, headers });
    expect(came).toMatchObject(shows);
  });

  it('speaks one dialect alone where it is told to', async () => {
    await using jina = await startReranker({ port: 0, service: 'jina' });
    const body = { model: MODEL, query: 'a', documents: ['a'] };
    expect((await ask(`${jina.url}/v1/rerank`, { body })).body).toMatchObject({
      results: [{ document: {} }],
    });
    const elsewhere = await ask(`${jina.url}/v2/rerank`, { body });
    expect(elsewhere).toMatchObject({ status: 404, body: { detail: 'There is nothing at /v2/rerank.' } });
  });
});

/** What is wrong, by dialect: status and body, exactly. */
const REFUSED: readonly (readonly [path: string, body: unknown, status: number, answer: object])[] = [
  ['/cohere/v1/rerank', '{', 400, { message: 'invalid request: The body is not JSON in UTF-8.' }],
  [
    '/cohere/v2/rerank',
    { query: 'a', documents: ['a'] },
    400,
    { message: 'invalid request: "model" is missing.' },
  ],
  [
    '/cohere/v2/rerank',
    { model: MODEL, query: 'a', documents: [{ text: 'a' }] },
    400,
    { message: 'invalid request: "documents[0]" is not a string.' },
  ],
  [
    '/cohere/v2/rerank',
    { model: 'no', query: 'a', documents: ['a'] },
    404,
    { message: "model 'no' not found" },
  ],
  ['/jina/v1/rerank', { model: MODEL, query: 'a' }, 422, { detail: '"documents" is missing.' }],
  ['/jina/v1/rerank', { model: 'no', query: 'a', documents: ['a'] }, 404, { detail: "model 'no' not found" }],
  ['/voyage/v1/rerank', { model: MODEL, query: '', documents: ['a'] }, 400, { detail: '"query" is empty.' }],
  [
    '/voyage/v1/rerank',
    { model: 'no', query: 'a', documents: ['a'] },
    400,
    { detail: "model 'no' not found" },
  ],
  [
    '/mixedbread/v1/reranking',
    { query: 'a', input: ['a', 3] },
    422,
    { detail: [{ loc: ['body', 'input', '1'], msg: '"input[1]" is not a string.', type: 'value_error' }] },
  ],
  [
    '/mixedbread/v1/reranking',
    { query: 'a', input: ['a'], model: 'no' },
    404,
    { detail: "model 'no' not found" },
  ],
  ['/tei/rerank', { query: 'a' }, 422, { error: '"texts" is missing.', error_type: 'Validation' }],
  ['/tei/rerank', { query: 'a', texts: [] }, 400, { error: '"texts" is empty.', error_type: 'Empty' }],
  [
    '/tei/rerank',
    { query: 'a', texts: ['a'], truncation_direction: 'Up' },
    422,
    { error: '"truncation_direction" is not Left or Right.', error_type: 'Validation' },
  ],
  [
    '/infinity/rerank',
    { query: 'a', documents: ['a', null] },
    422,
    {
      detail: [
        { loc: ['body', 'documents', '1'], msg: '"documents[1]" is not a string.', type: 'value_error' },
      ],
    },
  ],
  [
    '/infinity/rerank',
    { query: 'a', documents: ['a'], model: 'no' },
    400,
    { error: { message: "model 'no' not found", type: null, param: 'model', code: 400 } },
  ],
  [
    '/pinecone/rerank',
    { model: MODEL, query: 'a', documents: ['a'] },
    400,
    { error: { code: 'INVALID_ARGUMENT', message: '"documents[0]" is not an object.' }, status: 400 },
  ],
  [
    '/pinecone/rerank',
    { model: 'no', query: 'a', documents: [{ text: 'a' }] },
    404,
    { error: { code: 'NOT_FOUND', message: "model 'no' not found" }, status: 404 },
  ],
];

describe('a refusal', () => {
  it.each(REFUSED)('of %s with %j', async (path, body, status, answer) => {
    const came = await ask(`${reranker.url}${path}`, { body });
    expect(came.body).toEqual(answer);
    expect(came.status).toBe(status);
  });

  it.each([
    ['/cohere/v3/rerank', { message: 'There is nothing at /v3/rerank.' }],
    ['/tei/embed', { error: 'There is nothing at /embed.', error_type: 'Validation' }],
    [
      '/pinecone/embed',
      { error: { code: 'NOT_FOUND', message: 'There is nothing at /embed.' }, status: 404 },
    ],
  ])('of what is not there, %s, has the form of its dialect', async (path, answer) => {
    expect(await ask(`${reranker.url}${path}`, { body: {} })).toMatchObject({ status: 404, body: answer });
  });

  it.each(['GET', 'PUT', 'DELETE'])('of %s where a POST is expected', async (method) => {
    const came = await ask(`${reranker.url}/cohere/v2/rerank`, { method });
    expect(came).toMatchObject({ status: 405, body: { message: 'Expected POST.' } });
  });
});

/** Every member of a call, and what it may not be. */
const WRONG: readonly (readonly [path: string, wrong: object])[] = [
  ...[null, 3, '', '  ', [], {}].map((query) => ['/cohere/v1/rerank', { query }] as const),
  ...[null, 'a', {}, []].map((documents) => ['/cohere/v1/rerank', { documents }] as const),
  ...[0, -1, 1.5, '1', true, 1e300].map((top_n) => ['/cohere/v1/rerank', { top_n }] as const),
  ['/cohere/v1/rerank', { return_documents: 'yes' }],
  ['/cohere/v1/rerank', { rank_fields: [] }],
  ['/cohere/v1/rerank', { rank_fields: [1] }],
  ['/cohere/v1/rerank', { rank_fields: ['missing'], documents: [{ text: 'a' }] }],
  ['/cohere/v1/rerank', { documents: [{ id: 'no text' }] }],
  ['/cohere/v1/rerank', { documents: [['a']] }],
  ['/cohere/v1/rerank', { documents: ['a', null] }],
  ['/cohere/v1/rerank', { max_chunks_per_doc: 0 }],
  ['/cohere/v2/rerank', { model: MODEL, max_tokens_per_doc: 0 }],
  ['/cohere/v2/rerank', { model: MODEL, priority: -1 }],
  ['/voyage/v1/rerank', { model: MODEL, truncation: 1 }],
  ['/infinity/rerank', { query: 'a'.repeat(122_881) }],
  ['/infinity/rerank', { documents: ['a'.repeat(122_881)] }],
  ['/pinecone/rerank', { model: MODEL, documents: [{ text: 'a' }], parameters: [] }],
  ['/pinecone/rerank', { model: MODEL, documents: [{ text: { not: 'a text' } }] }],
];

describe('a member that is wrong', () => {
  it.each(WRONG)('is refused at %s: %j', async (path, wrong) => {
    const right = { query: 'a', documents: ['a'] };
    const before = reranker.answered();
    const { status } = await ask(`${reranker.url}${path}`, { body: { ...right, ...wrong } });
    expect([400, 422]).toContain(status);
    expect(reranker.answered()).toBe(before);
  });
});
