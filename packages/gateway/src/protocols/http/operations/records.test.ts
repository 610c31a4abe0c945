/** What clients are told that are stopped, and addresses in answers. */

import { describe, expect, it } from 'vitest';
import { DIALECTS } from './dialects.ts';
import { readGraphql } from './graphql.ts';
import { requestLine, requestText } from './operation-facts.ts';
import { rewriteHosts } from './pinecone-hosts.ts';
import { refusalBody } from './refusal.ts';
import { bodyOf, headOf, read } from './testing-requests.ts';

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
