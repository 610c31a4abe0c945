/** What is written down of a call, what clients are told that are stopped, and addresses in answers. */

import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { DIALECTS } from './dialects.ts';
import { readGraphql } from './graphql.ts';
import { requestLine, requestText } from './operation-facts.ts';
import { rewriteHosts } from './pinecone-hosts.ts';
import { readRerankAnswer } from './read-answer.ts';
import { refusalBody } from './refusal.ts';
import {
  RERANK_COLUMNS,
  type RerankRecord,
  rerankRecord,
  rerankRow,
  type RerankRowFacts,
} from './rerank-record.ts';
import { bodyOf, headOf, read } from './testing-requests.ts';

const hash = (bytes: Uint8Array): string =>
  createHmac('sha256', 'key').update(bytes).digest('hex').slice(0, 16);
const hashOf = (text: string): string => hash(Buffer.from(text));

function recordOf(dialect: string, line: string, request: unknown, answer?: unknown): RerankRecord {
  const body = bodyOf(request);
  const { rerank: call } = read(dialect, line, request);
  if (call === undefined || body === undefined) throw new Error('no call');
  const answered = bodyOf(answer);
  const result = readRerankAnswer(call, 200, answered);
  return rerankRecord({ call, request: body, result, answer: answered }, hash);
}

const FACTS: RerankRowFacts = {
  time: '2026-11-27T12:00:00Z',
  leaf: '7',
  outcomeLeaf: '9',
  session: 'ses_1',
  principal: 'ana',
  actorKind: 'user',
  address: '127.0.0.1',
  connection: 'reranker',
  decision: 'allow',
  rules: '',
  approval: '',
  status: '200',
  latencyMs: '12.5',
};

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
    const record = recordOf('litellm', 'POST /v1/rerank', request, answer);
    expect(record).toEqual({
      dialect: 'litellm',
      operation: 'rerank',
      model_requested: 'rerank-v3.5',
      model_known_from: 'request',
      query: [{ hmac: hashOf('refund for ana@example.com'), bytes: 26 }],
      instruction: [{ hmac: hashOf('newest first'), bytes: 12 }],
      documents_count: 3,
      documents: [
        { position: 0, of: 'text', hmac: hashOf('first'), bytes: 5 },
        { position: 1, of: 'text', hmac: hashOf('second'), bytes: 6 },
        { position: 2, of: 'object', hmac: hashOf('{"text":"third","lang":"en"}'), bytes: 28 },
      ],
      top_n: '2',
      returns_text: 'default',
      rank_fields: ['text'],
      options: [['priority', '0']],
      results_count: 2,
      results: [
        { rank: 0, document: 2, score: '0.70' },
        { rank: 1, document: 0, score: '1.0e-3' },
      ],
      sorted: true,
      usage: [['search_units', '1']],
      upstream_request_id: 'r1',
    });
    for (const text of ['ana@example.com', 'first', 'second', 'newest']) {
      expect(JSON.stringify(record)).not.toContain(text);
    }
    const row = rerankRow(record, FACTS);
    expect(row).toHaveLength(RERANK_COLUMNS.length);
    const cell = (column: (typeof RERANK_COLUMNS)[number]): string | undefined =>
      row[RERANK_COLUMNS.indexOf(column)];
    expect([
      cell('order'),
      cell('documents'),
      cell('results'),
      cell('usage'),
      cell('model_known_from'),
    ]).toEqual(['2:0.70 0:1.0e-3', '3', '2', 'search_units=1', 'request']);
    expect(cell('query_hmac')).toBe(hashOf('refund for ana@example.com'));
  });

  it('finds a text again however it was escaped', () => {
    const one = recordOf('cohere-v2', 'POST /v2/rerank', '{"query":"é\\n","documents":["\\u00e9"]}');
    const other = recordOf('cohere-v2', 'POST /v2/rerank', '{"query":"\\u00e9\\u000a","documents":["é"]}');
    expect(one).toEqual(other);
    expect(one.documents[0]?.hmac).toBe(hashOf('é'));
  });

  it('knows documents by their texts where a service names them by nothing else', () => {
    const record = recordOf(
      'weaviate-sidecar',
      'POST /rerank',
      { query: 'q', documents: ['a', 'b', 'a'], property: 'p' },
      '{"scores":[{"document":"b","score":1},{"document":"a","score":0.5},{"document":"a","score":0.5},{"document":"x","score":0}]}',
    );
    expect(record.results?.map(({ document }) => document)).toEqual([1, 0, 2, undefined]);
  });

  it('says how the model is known, and nothing of results where there are none', () => {
    const { results, model_known_from: from } = recordOf('tei', 'POST /rerank', { query: 'q', texts: ['a'] });
    expect([results, from]).toEqual([undefined, 'unknown']);
    const answered = recordOf(
      'jina',
      'POST /v1/rerank',
      { query: 'q', documents: ['a'] },
      '{"model":"j","results":[]}',
    );
    expect([answered.model_answered, answered.model_known_from, answered.results]).toEqual([
      'j',
      'response',
      [],
    ]);
  });

  it('lists fifty results in a cell, and says how many more there are', () => {
    const documents = Array.from({ length: 60 }, (_, at) => `d${at}`);
    const results = documents.map((_, at) => ({ index: at, relevance_score: 1 }));
    const row = rerankRow(
      recordOf('cohere-v2', 'POST /v2/rerank', { query: 'q', documents }, { results }),
      FACTS,
    );
    expect(row[RERANK_COLUMNS.indexOf('order')]).toMatch(/^0:1 .* 49:1 \(and 10 more\)$/);
  });
});

describe('a refusal', () => {
  const refusal = {
    message: 'Blocked by rule "rr-limits" (version 1): too many documents.',
    hint: 'Send fewer.',
    approval: { id: 'hld_1', url: 'https://gateway/approvals/hld_1' },
  };

  it('has its text where clients of each service look', () => {
    const text = `${refusal.message} ${refusal.hint}`;
    for (const { name } of [...DIALECTS, { name: 'auto' }, { name: 'nobody knows' }]) {
      const { contentType, body } = refusalBody(name, 423, refusal);
      const parsed: unknown = JSON.parse(body);
      expect([name, contentType, body.includes(JSON.stringify(text).slice(1, -1))]).toEqual([
        name,
        'application/json',
        true,
      ]);
      expect([name, parsed]).toMatchObject([name, { approval: refusal.approval }]);
    }
  });

  it.each<[string, object]>([
    [
      'cohere-v2',
      { message: expect.stringContaining('rr-limits'), status: 403, error: { code: 'access_denied' } },
    ],
    ['xinference', { detail: expect.stringContaining('rr-limits') }],
    ['tei', { error: expect.stringContaining('rr-limits'), error_type: 'Validation' }],
    [
      'vllm',
      {
        error: {
          message: expect.stringContaining('rr-limits'),
          type: 'access_denied',
          param: null,
          code: '403',
        },
      },
    ],
    [
      'pinecone',
      { status: 403, error: { code: 'FORBIDDEN', message: expect.stringContaining('rr-limits') } },
    ],
    [
      'elasticsearch',
      {
        status: 403,
        error: {
          type: 'security_exception',
          reason: expect.stringContaining('rr-limits'),
          root_cause: [{ type: 'security_exception', reason: expect.stringContaining('rr-limits') }],
        },
      },
    ],
    ['bedrock', { message: expect.stringContaining('rr-limits') }],
    [
      'google',
      { error: { code: 403, status: 'PERMISSION_DENIED', message: expect.stringContaining('rr-limits') } },
    ],
    ['qdrant', { status: { error: expect.stringContaining('rr-limits') }, result: null, time: 0 }],
    ['weaviate', { error: [{ message: expect.stringContaining('rr-limits') }] }],
    ['milvus', { code: 403, message: expect.stringContaining('rr-limits') }],
    ['databricks', { error_code: 'PERMISSION_DENIED', message: expect.stringContaining('rr-limits') }],
    ['deepinfra', { detail: { error: expect.stringContaining('rr-limits') } }],
    ['vespa', { root: { errors: [{ code: 403, message: expect.stringContaining('rr-limits') }] } }],
  ])('of %s is one of its own', (dialect, form) => {
    expect(JSON.parse(refusalBody(dialect, 403, refusal).body)).toMatchObject(form);
  });

  it('has the field by which clients of Amazon tell errors apart', () => {
    expect(refusalBody('bedrock', 403, refusal).fields).toEqual([
      ['x-amzn-errortype', 'AccessDeniedException'],
    ]);
    expect(refusalBody('qdrant', 403, refusal).fields).toEqual([]);
  });
});

function toGateway(host: string): string | undefined {
  return host.endsWith('.pinecone.io') ? `gateway/pinecone/${host.split('.')[0]}` : undefined;
}

describe("addresses in Pinecone's answers", () => {
  it('are replaced, and every other byte stays', () => {
    const text =
      '{ "name":"a","host": "a-x1.svc.pinecone.io" ,"dimension":1.50,"private_host":"a-p.svc.pinecone.io"}';
    const body = bodyOf(text);
    if (body === undefined) throw new Error('no body');
    const rewritten = rewriteHosts(body, toGateway);
    if (rewritten.kind !== 'rewritten') throw new Error(rewritten.kind);
    expect(Buffer.from(rewritten.bytes).toString()).toBe(
      '{ "name":"a","host": "gateway/pinecone/a-x1" ,"dimension":1.50,"private_host":"gateway/pinecone/a-p"}',
    );
    expect(rewritten.hosts).toEqual(['a-x1.svc.pinecone.io', 'a-p.svc.pinecone.io']);
  });

  it('are those of every index of a list', () => {
    const body = bodyOf({
      indexes: [{ host: 'a.svc.pinecone.io' }, { host: 'b.svc.pinecone.io' }, { host: null }],
    });
    if (body === undefined) throw new Error('no body');
    const rewritten = rewriteHosts(body, toGateway);
    if (rewritten.kind !== 'rewritten') throw new Error(rewritten.kind);
    expect(JSON.parse(Buffer.from(rewritten.bytes).toString())).toEqual({
      indexes: [{ host: 'gateway/pinecone/a' }, { host: 'gateway/pinecone/b' }, { host: null }],
    });
  });

  it('are not given out where the gateway has none', () => {
    const body = bodyOf({ host: 'elsewhere.example.com' });
    if (body === undefined) throw new Error('no body');
    expect(rewriteHosts(body, toGateway)).toEqual({ kind: 'unknown-host', host: 'elsewhere.example.com' });
    const none = bodyOf({ name: 'a' });
    if (none === undefined) throw new Error('no body');
    expect(rewriteHosts(none, toGateway)).toEqual({ kind: 'same' });
  });
});

describe('a GraphQL text', () => {
  it.each<[string, string | undefined]>([
    ['{ Get { A { x } } }', 'A'],
    ['{Get{A(limit:2){x}}}', 'A asks for 2'],
    ['query Q($v: Int) { Get { A(limit: 2) { x } B(limit: 3, where: {limit: 9}) { y } } }', 'A B asks for 5'],
    ['{ Get { A(limit: 2) { x } B { y } } }', 'A B'],
    ['{ Get { A(where: {limit: 1, path: ["limit"]}) { x } } }', 'A'],
    ['{ Get { a: A { x } } Aggregate { B { meta { count } } } }', 'A B'],
    ['{ Explore(nearText: {concepts: ["a"]}) { beacon } }', ''],
    ['{ Get { A { _additional { rerank(query: "q") { score } } } } }', 'A reranks'],
    ['{ Get { A(where: "rerank { } }") { x } } } # rerank', 'A'],
    ['{ Get { A { rerank } } }', 'A reranks'],
    ['mutation { Get { A { x } } }', undefined],
    ['subscription { Get { A { x } } }', undefined],
    ['{ Delete { A { x } } }', undefined],
    ['{ Get { ...F } } fragment F on X { A { x } }', undefined],
    ['{ Get { A { x } }', undefined],
    ['{ Get { A { x } } } }', undefined],
    ['', undefined],
    ['\u0000', undefined],
    ['{ Get { A(x: "unended) { x } } }', undefined],
    [`{ Get { A { ${'x '.repeat(40_000)} } } }`, undefined],
  ])('%s', (text, expected) => {
    const found = readGraphql(text);
    const said =
      found === undefined
        ? undefined
        : [
            ...found.classes,
            ...(found.reranks ? ['reranks'] : []),
            ...(found.asked === undefined ? [] : [`asks for ${found.asked}`]),
          ].join(' ');
    expect(said).toBe(expected);
  });
});

describe('what policy decides about', () => {
  it('is a request, with the line that causes point into', () => {
    const head = headOf('POST /collections/docs/points/delete?wait=true');
    const body = bodyOf({ points: [1, 2] });
    const read1 = requestText(
      head,
      read('qdrant', 'POST /collections/docs/points/delete', { points: [1, 2] }),
      body,
    );
    expect(requestLine(head)).toBe('POST /collections/docs/points/delete?wait=true');
    expect(read1).toMatchObject({
      kind: 'read',
      statements: [
        {
          node: 'POST',
          from: 0,
          to: 46,
          effects: [{ effect: 'delete', object: 'docs' }],
          writes: [{ schema: undefined, name: 'docs', verb: 'delete', columns: 'all' }],
          reads: [],
          undoable: false,
          http: { method: 'POST', path: '/collections/docs/points/delete', rows: 2 },
        },
      ],
    });
  });

  it('has values of its content, and none where nobody could read it', () => {
    const content = { model: 'm', top_n: 1.5, a: [true, null, {}] };
    const text = requestText(
      headOf('POST /v2/rerank'),
      read('cohere-v2', 'POST /v2/rerank', content),
      bodyOf(content),
    );
    const http = text.kind === 'read' ? text.statements[0]?.http : undefined;
    expect(http?.valuesAt('/top_n')).toEqual([{ kind: 'number', text: '1.5' }]);
    expect(http?.valuesAt('/a/*')).toEqual([{ kind: 'true' }, { kind: 'null' }, { kind: 'object' }]);
    expect(http?.valuesAt('/__proto__')).toEqual([]);
    expect(http?.models).toEqual(['m']);
    const unread = requestText(
      headOf('POST /v2/rerank'),
      read('cohere-v2', 'POST /v2/rerank', '{'),
      bodyOf('{'),
    );
    const facts = unread.kind === 'read' ? unread.statements[0]?.http : undefined;
    expect([facts?.valuesAt('/model'), facts?.documents, facts?.models]).toEqual([
      undefined,
      'unknown',
      'unknown',
    ]);
  });
});
