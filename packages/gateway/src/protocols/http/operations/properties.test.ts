/** What no way of writing a request may do, and what no content may break. */

import {
  array,
  assert,
  constant,
  constantFrom,
  json as anyJson,
  oneof,
  property,
  string as anyString,
  tuple,
  uint8Array,
  webQueryParameters,
} from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Effect } from '../../../core/effects.ts';
import { matchTemplate, segmentsOf } from '../../../core/path-template.ts';
import { parseJson } from '../json/parse-json.ts';
import { DIALECT_NAMES, DIALECTS } from './dialects.ts';
import { requestText } from './operation-facts.ts';
import { rewriteHosts } from './pinecone-hosts.ts';
import { readRerankAnswer } from './read-answer.ts';
import { readRequest } from './read-request.ts';
import { refusalBody } from './refusal.ts';
import { callRecord, resultRecord } from './rerank-record.ts';
import { bodyOf, headOf, read } from './testing-requests.ts';

/** What an Access resource that does not say `may` lets through over HTTP. */
const HARMLESS: ReadonlySet<Effect> = new Set<Effect>(['read', 'rerank']);

/** Every route of a dialect that does anything else, written out as a path. */
const WRITES = DIALECTS.flatMap(({ name: dialect, routes }) =>
  routes
    .filter(({ does, target }) => target === undefined && does.some((effect) => !HARMLESS.has(effect)))
    .flatMap(({ methods, template }) =>
      methods.map((method) => ({
        dialect,
        method,
        path: template.text.replaceAll(/\{[^}]*\}/g, 'x7').replace(/\*$/, 'y7'),
      })),
    ),
);

/** Whether any row says that this method of the path reads. */
function isListed(path: string, method: string): boolean {
  const wanted = method === 'HEAD' ? 'GET' : method;
  const parts = segmentsOf(path) ?? [];
  return DIALECTS.some(({ routes }) =>
    routes.some(
      ({ methods, does, template }) =>
        methods.includes(wanted) &&
        does.every((effect) => HARMLESS.has(effect)) &&
        matchTemplate(template, parts) !== undefined,
    ),
  );
}

const METHODS = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'get',
  'delete',
  'QUERY',
];

/** Ways to write a path that some servers take for the same. */
const NOISE: readonly ((path: string) => string)[] = [
  (path) => `${path}/`,
  (path) => `/${path}`,
  (path) => path.replaceAll('/', '//'),
  (path) => path.replace(/.(?=\/)/, '$&/.'),
  (path) => path.replace(/\/([^/]+)$/, '/z/../$1'),
  (path) => `${path.slice(0, 1)}${path.slice(1).replace('/', '%2F')}`,
  (path) => `${path.slice(0, 1)}${path.slice(1).replace('/', '%2f')}`,
  (path) => path.replace('/', '\\'),
  (path) => path.toUpperCase(),
  (path) => path.replace(/[a-z]/, (letter) => letter.toUpperCase()),
  (path) => path.replace(/[a-z]/, (letter) => `%${letter.charCodeAt(0).toString(16)}`),
  (path) => path.replace(/[a-z]/, (letter) => `%25${letter.charCodeAt(0).toString(16)}`),
  (path) => `/prefix${path}`,
  (path) => `/a/b${path}`,
  (path) => `${path};x=1`,
  (path) => `${path}%00`,
  (path) => `${path}%20`,
  (path) => `${path}?`,
  (path) => `${path}.json`,
  (path) => `/.${path}`,
];

const QUERIES = [
  '',
  '_method=GET',
  'x=1&x=2',
  'source=%7B%7D&source_content_type=application/json',
  'pretty',
  'dryRun=true',
];
const CONTENTS: readonly unknown[] = [
  undefined,
  {},
  { query: 'q', documents: ['a'] },
  { query: 'q', texts: ['a'] },
  'x',
  '[]',
];

describe('a request that does more than read', () => {
  const writes = constantFrom(...WRITES);

  it('is never taken for a read, however its path is written', () => {
    expect(WRITES.length).toBeGreaterThan(400);
    assert(
      property(
        writes,
        array(constantFrom(...NOISE), { maxLength: 3 }),
        constantFrom(...QUERIES),
        constantFrom(...CONTENTS),
        constantFrom('auto', 'own', 'http'),
        ({ dialect, method, path }, noise, query, content, as) => {
          const written = noise.reduce((text, change) => change(text), path);
          const line = `${method} ${written}${query === '' ? '' : `?${query}`}`;
          // By the promise of its method, a GET of a service of another kind is a read.
          if (as === 'http' && (method === 'GET' || method === 'HEAD')) return;
          const { effects } = read(as === 'own' ? dialect : as, line, content);
          expect([line, effects.some((effect) => !HARMLESS.has(effect))]).toEqual([line, true]);
        },
      ),
      { numRuns: 4_000 },
    );
  });

  it('is never taken for a read by another method', () => {
    assert(
      property(writes, constantFrom(...METHODS), ({ dialect, method, path }, other) => {
        const { effects } = read(dialect, `${other} ${path}`);
        const isHarmless = effects.every((effect) => HARMLESS.has(effect));
        // The same path is read only by a method that is another one, and of which a table says so.
        const mayRead =
          other !== method && ['GET', 'HEAD', 'POST', 'DELETE'].includes(other) && isListed(path, other);
        expect([method, other, path, isHarmless && !mayRead]).toEqual([method, other, path, false]);
      }),
      { numRuns: 2_000 },
    );
  });

  it('keeps its effects, whatever stands in its content and query', () => {
    assert(
      property(writes, anyJson(), webQueryParameters(), ({ dialect, method, path }, content, query) => {
        const route = DIALECTS.find(({ name }) => name === dialect)?.routes.filter(
          ({ methods, template }) =>
            methods.includes(method) &&
            template.text.replaceAll(/\{[^}]*\}/g, 'x7').replace(/\*$/, 'y7') === path,
        );
        const does = new Set(route?.flatMap((one) => one.does));
        const { effects } = readRequest(dialect, { ...headOf(`${method} ${path}`), query }, bodyOf(content));
        const found = new Set(effects);
        expect([path, [...does].filter((effect) => !found.has(effect))]).toEqual([path, []]);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('whatever comes', () => {
  const path = oneof(
    anyString({ maxLength: 60 }).map((text) => `/${text}`),
    constantFrom(...WRITES.map((one) => one.path)),
    array(
      constantFrom('', '.', '..', '_search', 'collections', 'x', '%', '%zz', '__proto__', 'constructor'),
      { maxLength: 70 },
    ).map((parts) => `/${parts.join('/')}`),
  );
  const fields = array(
    tuple(
      constantFrom(
        'x-openai-baseurl',
        'x-http-method-override',
        'content-length',
        'content-type',
        'x-amz-target',
        '__proto__',
      ),
      anyString({ maxLength: 20 }),
    ),
    { maxLength: 3 },
  );

  it('is read, and nothing is thrown', () => {
    assert(
      property(
        constantFrom(...DIALECT_NAMES, '__proto__', 'constructor', 'toString', ''),
        constantFrom(...METHODS, ''),
        path,
        anyString({ maxLength: 30 }),
        fields,
        oneof(
          constant(undefined),
          uint8Array({ maxLength: 80 }),
          anyJson().map((text) => Buffer.from(text)),
        ),
        (dialect, method, target, query, lines, bytes) => {
          const head = { method, path: target, query, fields: lines };
          const result = bytes === undefined ? undefined : parseJson(bytes);
          const body =
            bytes === undefined
              ? undefined
              : { bytes, root: result?.kind === 'json' ? result.root : undefined };
          const reading = readRequest(dialect, head, body);
          expect(reading.effects.length).toBeGreaterThan(0);
          const text = requestText(head, reading, body);
          expect(text.kind).toBe('read');
          refusalBody(dialect, 403, { message: 'no', hint: undefined });
        },
      ),
      { numRuns: 4_000 },
    );
  });

  it('may be an answer, and nothing is thrown', () => {
    const shapes = [
      '{"results":[{"index":0,"relevance_score":1e999}]}',
      '{"results":[{"index":-1},{"index":1.5},{"index":"x"},{"index":99999999999},null,7,[]]}',
      '{"results":[]}',
      '{"results":{"0":1}}',
      '[1,"2",null]',
      '{"data":{"Get":{}}}',
      '{"manifest":{"columns":[]},"result":{"data_array":[[1],{},7]}}',
    ];
    assert(
      property(
        constantFrom(...DIALECTS.map(({ name }) => name), 'rerank', '__proto__'),
        oneof(anyJson(), constantFrom(...shapes)),
        oneof(anyJson(), constant('{"query":"q","documents":["a",{"text":7},null],"top_n":null}')),
        (dialect, answer, request) => {
          const body = bodyOf(request);
          const { rerank } = read('auto', 'POST /v1/rerank', request);
          if (rerank === undefined || body === undefined) return;
          const answered = bodyOf(answer);
          const result = readRerankAnswer({ ...rerank, dialect }, 200, answered);
          for (const { document } of result?.ranked ?? []) {
            expect(document ?? -1).toBeLessThan(rerank.documents.count);
          }
          const tools = { hash: () => 'h', say: (texts: readonly string[]) => texts };
          const recorded = callRecord(rerank, body, tools);
          expect(JSON.stringify(recorded)).not.toContain('undefined');
          const answerRecord =
            result === undefined || answered === undefined
              ? {}
              : resultRecord(recorded, result, answered, tools);
          expect(JSON.stringify(answerRecord)).not.toContain('undefined');
          if (answered !== undefined) rewriteHosts(answered, () => 'gateway');
        },
      ),
      { numRuns: 3_000 },
    );
  });

  it('takes time in proportion to its length', () => {
    const deep = `${'{"retriever":'.repeat(400)}{}${'}'.repeat(400)}`;
    const wide = JSON.stringify({
      query: 'q',
      documents: Array.from({ length: 20_000 }, (_, at) => ({ id: String(at), text: 'x' })),
    });
    const bulk = '{"index":{"_index":"a"}}\n{}\n'.repeat(20_000);
    const graphql = { query: `{ Get { A(where: "${'('.repeat(20_000)}") { x } } }` };
    const before = process.cpuUsage();
    expect(read('elasticsearch', 'POST /a/_search', deep).effects).toContain('read');
    expect(read('auto', 'POST /v1/rerank', wide).rerank?.documents.count).toBe(20_000);
    expect(read('elasticsearch', 'POST /_bulk', bulk).rows).toBe(20_000);
    expect(read('weaviate', 'POST /v1/graphql', graphql).effects).toEqual(['read']);
    read('auto', `POST /${'a/'.repeat(4_000)}`);
    const used = process.cpuUsage(before);
    expect((used.user + used.system) / 1_000).toBeLessThan(4_000);
  });

  it('has more lines than are read, and is not known then', () => {
    const reading = read('elasticsearch', 'POST /_bulk', '{"delete":{}}\n'.repeat(200_001));
    expect([reading.effects.includes('unknown'), reading.rows, reading.mayBeAnything]).toEqual([
      true,
      undefined,
      true,
    ]);
  });
});

describe('a path that two servers may read in two ways', () => {
  it.each([
    // To a server that decodes it first: a snapshot, all of it.
    'GET /collections/a%2Fsnapshots%2Fs',
    'GET /collections/a%2fsnapshots%2fs',
    'GET /collections/a%252Fsnapshots%252Fs',
    'GET /collections/a%5Csnapshots%5Cs',
    'GET /collections/a\\snapshots',
    'GET /collections/%2e%2e',
    'GET /collections/..',
    'GET /collections/a;x=1',
    'GET /collections/a%3Bx',
    'GET /collections/a%00',
    'GET /collections/a%0d%0ax',
    'GET /collections/a%23x',
    'GET /collections/a%3Fx',
    'GET /collections/a#x',
  ])('%s is not known', (line) => {
    expect(read('qdrant', line)).toMatchObject({ effects: ['unknown'], template: undefined });
    expect(read('http', line).effects).toEqual(['unknown']);
  });

  it.each(['auto', 'cohere-v2', 'http'])('is of a rerank call where its content is, to %s', (dialect) => {
    const call = { model: 'm', query: 'q', documents: ['a', 'b'] };
    for (const path of ['/v2/rerank;x=1', '/v2/rerank%3Bx', '/v2%2Frerank', '/a//rerank']) {
      expect(read(dialect, `POST ${path}`, call)).toMatchObject({
        effects: ['rerank', 'unknown'],
        rerank: { documents: { count: 2 } },
        reasons: expect.arrayContaining(['its path can be read in two ways']),
      });
    }
  });
});

describe('rows', () => {
  it('are not known by ids where a condition stands beside them', () => {
    const filter = { must: [{ key: 'a', match: { value: 1 } }] };
    expect(read('qdrant', 'POST /collections/a/points/delete', { points: [1], filter })).toMatchObject({
      effects: ['delete'],
      rows: undefined,
    });
    expect(read('pinecone', 'POST /vectors/delete', { ids: ['1'], deleteAll: true })).toMatchObject({
      effects: ['delete', 'delete-unqualified'],
      rows: undefined,
    });
    expect(read('pinecone', 'POST /vectors/delete', { ids: ['1'], filter: null }).rows).toBe(1);
  });

  it.each<[string, string, unknown, number | undefined]>([
    ['qdrant', 'POST /collections/a/points/scroll', { limit: 7 }, 7],
    ['qdrant', 'POST /collections/a/points/scroll', {}, 10],
    ['qdrant', 'POST /collections/a/points/scroll', { limit: 'x' }, undefined],
    ['qdrant', 'POST /collections/a/points', { ids: [1, 2, 3] }, 3],
    ['elasticsearch', 'POST /a/_search?size=20', { size: 5 }, 20],
    ['elasticsearch', 'POST /a/_search?size=5', { size: 20 }, 20],
    ['elasticsearch', 'GET /a/_search', undefined, 10],
    ['elasticsearch', 'GET /a/_search', 'x', undefined],
    ['elasticsearch', 'POST /_mget', { ids: ['1', '2'] }, 2],
    ['weaviate', 'POST /v1/graphql', { query: '{ Get { A(limit: 4) { x } } }' }, 4],
    ['weaviate', 'POST /v1/graphql', { query: '{ Get { A { x } } }' }, undefined],
  ])('that are asked for, of %s: %s %j', (dialect, line, content, returned) => {
    expect(read(dialect, line, content).returned).toBe(returned);
  });
});

describe('fields and parameters that make it another request', () => {
  it.each([
    'x-http-method-override',
    'x-http-method',
    'x-method-override',
    'x-openai-baseurl',
    'x-cohere-base-url',
  ])('%s is not forwarded', (name) => {
    const { strip, reasons, effects } = read('weaviate', 'GET /v1/schema', undefined, [[name, 'x']]);
    expect([strip, reasons, effects]).toEqual([[name], [`the field ${name} is left out`], ['read']]);
  });

  it('are keys of a client for modules of Weaviate, and nothing of others', () => {
    const fields = [['x-openai-api-key', 'sk']] as const;
    expect(read('weaviate', 'GET /v1/schema', undefined, fields).strip).toEqual(['x-openai-api-key']);
    expect(read('cohere-v2', 'POST /v2/rerank', {}, fields).strip).toEqual([]);
  });

  it.each(['GET /v1/schema?_method=DELETE', 'GET /v1/schema?_METHOD=DELETE', 'GET /v1/schema?x=1&_method='])(
    '%s is not known',
    (line) => {
      expect(read('weaviate', line).effects).toEqual(['read', 'unknown']);
    },
  );

  it('is a GET with a content, save where the service has such', () => {
    expect(read('qdrant', 'GET /collections', {}).effects).toEqual(['read', 'unknown']);
    expect(read('qdrant', 'GET /collections', undefined, [['content-length', '5']]).effects).toEqual([
      'read',
      'unknown',
    ]);
    expect(read('qdrant', 'GET /collections', undefined, [['content-length', '0']]).effects).toEqual([
      'read',
    ]);
    expect(read('elasticsearch', 'GET /a/_search', {}).effects).toEqual(['read']);
  });
});
