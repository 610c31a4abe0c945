/**
 * A stand-in for Elasticsearch and for OpenSearch.
 *
 * Spec: Elasticsearch 9 (https://www.elastic.co/docs/api/doc/elasticsearch), OpenSearch 3
 * (https://docs.opensearch.org/latest/api-reference/). Documents, `_bulk`, `_search` with a subset of the query
 * language, by-query writes, aliases; of Elasticsearch inference endpoints and `text_similarity_reranker`, of
 * OpenSearch search pipelines with `rerank`. Words are ranked by the demo's model. Not here: mappings that mean
 * anything, aggregations, scrolls, scripts.
 */

import {
  asList,
  asObject,
  type FakeAnswer,
  FakeProblem,
  type FakeRequest,
  type FakeRoute,
  type FakeStore,
  type JsonObject,
  linesOf,
  objectOf,
  startFakeStore,
  asText,
} from './fake-http.ts';
import { aliasAction, deleteIndexes, Indexes, type Stored } from './search-indexes.ts';
import { rankBy, search } from './search-query.ts';

export interface SearchEngineOptions {
  readonly product: 'elasticsearch' | 'opensearch';
  /** For `Authorization: ApiKey …` and `Basic …`, as it stands behind the word. */
  readonly key?: string;
}

/** Starts an empty one. */
export function startFakeSearchEngine({ product, key }: SearchEngineOptions): Promise<FakeStore> {
  const indexes = new Indexes();
  const isElastic = product === 'elasticsearch';
  return startFakeStore({
    routes: [
      ['GET HEAD', '/', () => ok(infoOf(product))],
      ...(isElastic ? inferenceRoutes(indexes) : pipelineRoutes(indexes)),
      ...documentRoutes(indexes),
      ...searchRoutes(indexes),
      ...indexRoutes(indexes),
    ],
    refuse: ({ status, message, type }) => {
      const error = { type, reason: message };
      return { status, body: { error: { root_cause: [error], ...error }, status } };
    },
    headers: ({ headers }) => ({
      // The official client talks to nothing that does not say this of itself.
      ...(isElastic ? { 'x-elastic-product': 'Elasticsearch' } : {}),
      'content-type': contentType(headers.accept),
    }),
    ...(key === undefined
      ? {}
      : {
          isKeyed: (headers): boolean =>
            headers.authorization?.replace(/^(ApiKey|Basic|Bearer) /, '') === key,
        }),
  });
}

function contentType(accept = ''): string {
  const [vendor] = /application\/vnd\.elasticsearch\+json; *compatible-with=\d+/.exec(accept) ?? [];
  return vendor ?? 'application/json; charset=UTF-8';
}

function ok(body: unknown, status = 200): FakeAnswer {
  return { status, body };
}

function infoOf(product: SearchEngineOptions['product']): unknown {
  const isElastic = product === 'elasticsearch';
  return {
    name: 'stand-in',
    cluster_name: 'stand-in',
    cluster_uuid: 'AAAAAAAAAAAAAAAAAAAAAA',
    version: isElastic
      ? { number: '9.2.0', build_flavor: 'default', lucene_version: '10.0.0' }
      : { distribution: 'opensearch', number: '3.3.0', lucene_version: '10.0.0' },
    tagline: isElastic ? 'You Know, for Search' : 'The OpenSearch Project: https://opensearch.org/',
  };
}

const SHARDS = { total: 1, successful: 1, failed: 0 };

function written(index: string, id: string, result: string, { version, sequence }: Stored): JsonObject {
  return {
    _index: index,
    _id: id,
    _version: version,
    result,
    _shards: SHARDS,
    _seq_no: sequence,
    _primary_term: 1,
  };
}

function documentRoutes(indexes: Indexes): readonly FakeRoute[] {
  return [
    ['POST PUT', '/_bulk', (request) => bulk(indexes, request)],
    ['POST PUT', '/*/_bulk', (request) => bulk(indexes, request)],
    ['POST GET', '/_mget', (request) => getMany(indexes, request)],
    ['POST GET', '/*/_mget', (request) => getMany(indexes, request)],
    ['PUT POST', '/*/_doc/*', (request) => put(indexes, request, 'index')],
    ['PUT POST', '/*/_create/*', (request) => put(indexes, request, 'create')],
    ['POST', '/*/_doc', (request) => put(indexes, request, 'index')],
    ['GET HEAD', '/*/_doc/*', (request) => get(indexes, request)],
    [
      'GET HEAD',
      '/*/_source/*',
      ({ names: [index = '', id = ''] }) => {
        const found = indexes.documents(index).get(id);
        if (found === undefined)
          throw new FakeProblem(404, `Document not found [${index}]/[${id}]`, 'resource_not_found_exception');
        return ok(found.source);
      },
    ],
    [
      'DELETE',
      '/*/_doc/*',
      ({ names: [index = '', id = ''] }) => {
        const gone = indexes.remove(index, id);
        const stored = gone ?? { source: {}, version: 1, sequence: 0 };
        return ok(
          written(index, id, gone === undefined ? 'not_found' : 'deleted', stored),
          gone === undefined ? 404 : 200,
        );
      },
    ],
    [
      'POST',
      '/*/_update/*',
      (request) => {
        const [index = '', id = ''] = request.names;
        const { doc, upsert, doc_as_upsert: docAsUpsert } = objectOf(request);
        return ok(update(indexes, index, id, { doc, upsert: docAsUpsert === true ? doc : upsert }));
      },
    ],
  ];
}

function searchRoutes(indexes: Indexes): readonly FakeRoute[] {
  return [
    ['POST GET', '/_search', (request) => ok(search(indexes, '_all', request))],
    ['POST GET', '/*/_search', (request) => ok(search(indexes, request.names[0] ?? '', request))],
    [
      'POST GET',
      '/*/_count',
      (request) => {
        const hits = indexes.matching(request.names[0] ?? '', objectOf(request)['query']);
        return ok({ count: hits.length, _shards: SHARDS });
      },
    ],
    [
      'POST',
      '/*/_delete_by_query',
      (request) => {
        const { query } = objectOf(request);
        if (query === undefined)
          throw new FakeProblem(400, 'query is missing', 'action_request_validation_exception');
        const hits = indexes.matching(request.names[0] ?? '', query);
        for (const { index, id } of hits) indexes.remove(index, id);
        return ok({ took: 1, timed_out: false, total: hits.length, deleted: hits.length, failures: [] });
      },
    ],
    [
      'POST',
      '/*/_update_by_query',
      (request) => {
        const { query, script } = objectOf(request);
        if (script !== undefined)
          throw new FakeProblem(400, 'This stand-in runs no scripts.', 'script_exception');
        const hits = indexes.matching(request.names[0] ?? '', query);
        for (const { index, id, stored } of hits) indexes.put(index, id, stored.source);
        return ok({ took: 1, timed_out: false, total: hits.length, updated: hits.length, failures: [] });
      },
    ],
  ];
}

function indexRoutes(indexes: Indexes): readonly FakeRoute[] {
  return [
    [
      'POST',
      '/_aliases',
      (request) => {
        for (const action of asList(objectOf(request)['actions'])) aliasAction(indexes, asObject(action));
        return ok({ acknowledged: true });
      },
    ],
    [
      'GET',
      '/_cat/indices',
      () =>
        ok(indexes.names().map((index) => ({ index, 'docs.count': asText(indexes.documents(index).size) }))),
    ],
    ['POST GET', '/_refresh', () => ok({ _shards: SHARDS })],
    ['POST GET', '/*/_refresh', () => ok({ _shards: SHARDS })],
    ['HEAD', '/*', ({ names: [name = ''] }) => ({ status: indexes.has(name) ? 200 : 404, body: undefined })],
    [
      'GET',
      '/*',
      ({ names: [name = ''] }) =>
        ok({ [name]: { aliases: {}, settings: {}, mappings: indexes.mappingOf(name) } }),
    ],
    [
      'PUT',
      '/*',
      (request) => {
        const [index = ''] = request.names;
        indexes.create(index, objectOf(request));
        return ok({ acknowledged: true, shards_acknowledged: true, index });
      },
    ],
    [
      'DELETE',
      '/*',
      ({ names: [names = ''] }) => (deleteIndexes(indexes, names), ok({ acknowledged: true })),
    ],
  ];
}

function inferenceRoutes(indexes: Indexes): readonly FakeRoute[] {
  const { endpoints } = indexes;
  function endpoint(id = ''): JsonObject {
    const found = endpoints.get(id);
    if (found === undefined)
      throw new FakeProblem(404, `Inference endpoint not found [${id}]`, 'resource_not_found_exception');
    return found;
  }
  return [
    [
      'PUT',
      '/_inference/rerank/*',
      (request) => {
        const [id = ''] = request.names;
        if (endpoints.has(id)) {
          const says = `Inference endpoint [${id}] already exists`;
          throw new FakeProblem(400, says, 'resource_already_exists_exception');
        }
        endpoints.set(id, { inference_id: id, task_type: 'rerank', ...objectOf(request) });
        return ok(endpoint(id));
      },
    ],
    [
      'PUT',
      '/_inference/rerank/*/_update',
      (request) => {
        const [id = ''] = request.names;
        endpoints.set(id, { ...endpoint(id), ...objectOf(request) });
        return ok(endpoint(id));
      },
    ],
    ['GET', '/_inference/rerank/*', ({ names: [id] }) => ok({ endpoints: [endpoint(id)] })],
    [
      'DELETE',
      '/_inference/rerank/*',
      ({ names: [id = ''] }) => {
        endpoint(id);
        endpoints.delete(id);
        return ok({ acknowledged: true });
      },
    ],
    [
      'POST',
      '/_inference/rerank/*',
      (request) => {
        endpoint(request.names[0]);
        const { query, input, return_documents: echo, top_n: top } = objectOf(request);
        const texts = (Array.isArray(input) ? input : [input]).map(asText);
        const ranked = rankBy(asText(query), texts).slice(0, typeof top === 'number' ? top : undefined);
        return ok({
          rerank: ranked.map(({ index, score }) => ({
            index,
            relevance_score: score,
            ...(echo === true ? { text: texts[index] } : {}),
          })),
        });
      },
    ],
  ];
}

function pipelineRoutes({ pipelines }: Indexes): readonly FakeRoute[] {
  return [
    [
      'PUT',
      '/_search/pipeline/*',
      (request) => {
        pipelines.set(request.names[0] ?? '', objectOf(request));
        return ok({ acknowledged: true });
      },
    ],
    [
      'GET',
      '/_search/pipeline/*',
      ({ names: [id = ''] }) => {
        const found = pipelines.get(id);
        return found === undefined ? ok({}, 404) : ok({ [id]: found });
      },
    ],
    [
      'DELETE',
      '/_search/pipeline/*',
      ({ names: [id = ''] }) => {
        pipelines.delete(id);
        return ok({ acknowledged: true });
      },
    ],
  ];
}

function put(indexes: Indexes, request: FakeRequest, operation: 'index' | 'create'): FakeAnswer {
  const [index = '', id = indexes.newId()] = request.names;
  return ok(store(indexes, index, id, objectOf(request), operation), 201);
}

function store(
  indexes: Indexes,
  index: string,
  id: string,
  source: JsonObject,
  operation: 'index' | 'create',
): JsonObject {
  if (operation === 'create' && indexes.has(index) && indexes.documents(index).has(id)) {
    const says = `[${id}]: version conflict, document already exists`;
    throw new FakeProblem(409, says, 'version_conflict_engine_exception');
  }
  const stored = indexes.put(index, id, source);
  return written(index, id, stored.version === 1 ? 'created' : 'updated', stored);
}

function update(
  indexes: Indexes,
  index: string,
  id: string,
  { doc, upsert }: { readonly doc: unknown; readonly upsert: unknown },
): JsonObject {
  const found = indexes.documents(index).get(id);
  if (found === undefined && upsert === undefined) {
    throw new FakeProblem(404, `[${id}]: document missing`, 'document_missing_exception');
  }
  const source = found === undefined ? asObject(upsert) : { ...found.source, ...asObject(doc) };
  const stored = indexes.put(index, id, source);
  return written(index, id, found === undefined ? 'created' : 'updated', stored);
}

function get(indexes: Indexes, { names: [index = '', id = ''] }: FakeRequest): FakeAnswer {
  const found = indexes.documents(index).get(id);
  if (found === undefined) return ok({ _index: index, _id: id, found: false }, 404);
  return ok({ _index: index, _id: id, _version: found.version, found: true, _source: found.source });
}

function getMany(indexes: Indexes, request: FakeRequest): FakeAnswer {
  const { docs, ids } = objectOf(request);
  const [index = ''] = request.names;
  const wanted =
    ids === undefined ? asList(docs).map(asObject) : asList(ids).map((_id) => ({ _id, _index: index }));
  return ok({
    docs: wanted.map(({ _index = index, _id }) => {
      const found = indexes.documents(asText(_index)).get(asText(_id));
      return found === undefined
        ? { _index, _id, found: false }
        : { _index, _id, found: true, _source: found.source };
    }),
  });
}

/** Actions and sources by turns; what fails does not stop the others. */
function bulk(indexes: Indexes, request: FakeRequest): FakeAnswer {
  const lines = [...linesOf(request)];
  const items: JsonObject[] = [];
  while (lines.length > 0) {
    const [[operation, about] = ['', {}]] = Object.entries(lines.shift() ?? {});
    const { _index = request.names[0], _id = indexes.newId() } = asObject(about);
    const [index, id] = [asText(_index), asText(_id)];
    const source = operation === 'delete' ? {} : (lines.shift() ?? {});
    items.push({
      [operation]: { ...attempt(() => apply(indexes, operation, index, id, source)), _index, _id },
    });
  }
  return ok({ took: 1, errors: items.some((item) => 'error' in asObject(Object.values(item)[0])), items });
}

function apply(
  indexes: Indexes,
  operation: string,
  index: string,
  id: string,
  source: JsonObject,
): JsonObject {
  switch (operation) {
    case 'index':
    case 'create':
      return { ...store(indexes, index, id, source, operation), status: 201 };
    case 'update':
      return { ...update(indexes, index, id, { doc: source['doc'], upsert: source['upsert'] }), status: 200 };
    case 'delete': {
      const isGone = indexes.remove(index, id) !== undefined;
      return { result: isGone ? 'deleted' : 'not_found', status: isGone ? 200 : 404 };
    }
    default:
      throw new FakeProblem(400, `Unknown action [${operation}]`, 'illegal_argument_exception');
  }
}

function attempt(act: () => JsonObject): JsonObject {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof FakeProblem)) throw error;
    return { status: error.status, error: { type: error.type, reason: error.message } };
  }
}
