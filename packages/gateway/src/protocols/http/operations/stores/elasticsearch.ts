/**
 * Elasticsearch 9 and OpenSearch 3 over REST: the elasticsearch-specification and opensearch-api-specification.
 *
 * A segment that begins with `_` is a word of the API and no name: what is not in the table is not understood.
 */

import type { Effect } from '../../../../core/effects.ts';
import { ELASTICSEARCH } from '../rerank-shapes.ts';
import { ELASTICSEARCH_RETRIEVER, OPENSEARCH_SEARCH } from '../search-shapes.ts';
import { type Dialect, type Route, type RouteDetails, type RerankShape, route } from '../route.ts';
import { ELASTICSEARCH_MODELS, OPENSEARCH_MODELS } from './elasticsearch-models.ts';

const READ: readonly Effect[] = ['read'];
const UPSERT: readonly Effect[] = ['insert', 'update'];
const ADMIN: readonly Effect[] = ['admin'];
const GRANT: readonly Effect[] = ['grant'];
const DEFINE: readonly Effect[] = ['create', 'alter'];
const DROP: readonly Effect[] = ['drop'];
const IN_GET: RouteDetails = { bodyInGet: true };

/** The same for all indexes, or for those of a first segment. */
function either(
  methods: string,
  words: string,
  does: readonly Effect[],
  details: RouteDetails = {},
): readonly Route[] {
  const paths = words.split(' ').flatMap((word) => [`/${word}`, `/{index}/${word}`]);
  return route(methods, paths.join(' '), does, details);
}

function searches(rerank: RerankShape): readonly Route[] {
  const limits = { at: ['/size'], otherwise: 10 };
  return [
    either('GET POST', '_search', READ, {
      ...IN_GET,
      rerank,
      limits,
      // Its hits are had later by an id; each page of a scroll is one more answer of `size`.
      alsoQuery: [['scroll', 'export']],
    }),
    either('GET POST', '_async_search', READ, { ...IN_GET, rerank, limits }),
    either('GET POST', '_msearch', READ, {
      ...IN_GET,
      language: 'multi-search',
      limits: { at: [], otherwise: Number.POSITIVE_INFINITY },
    }),
    either('GET POST', '_search/template _msearch/template', READ, {
      ...IN_GET,
      limits: { at: [], otherwise: Number.POSITIVE_INFINITY },
    }),
  ].flat();
}

/** What both have, beside documents, indexes and the cluster. */
function reads(rerank: RerankShape): readonly Route[] {
  return [
    searches(rerank),
    route('GET', '/', READ),
    either('GET POST', '_count _field_caps _rank_eval _search_shards', READ, IN_GET),
    either('GET POST', '_mget', READ, {
      ...IN_GET,
      limits: { at: ['/docs', '/ids'], otherwise: Number.POSITIVE_INFINITY },
    }),
    either('GET POST', '_mtermvectors _validate/query', READ, IN_GET),
    // It gives the terms of an index, whatever documents they are in.
    route('GET POST', '/{index}/_terms_enum', READ, IN_GET),
    route(
      'GET POST',
      '/{index}/_termvectors /{index}/_termvectors/{id} /{index}/_explain/{id}',
      READ,
      IN_GET,
    ),
    route('GET', '/{index}/_doc/{id} /{index}/_source/{id}', READ, { limits: { at: [], otherwise: 1 } }),
    route('GET POST', '/{index}/_mvt/{field}/{zoom}/{x}/{y} /{index}/_knn_search', READ, IN_GET),
    route('GET', '/_async_search/{id} /_async_search/status/{id}', READ, {
      limits: { at: [], otherwise: Number.POSITIVE_INFINITY },
    }),
    route('DELETE', '/_async_search/{id}', READ),
    route('GET POST', '/_search/scroll /_search/scroll/{id}', ['read', 'export'], IN_GET),
    route('DELETE', '/_search/scroll /_search/scroll/{id} /_pit', READ),
    route('POST', '/{index}/_pit', READ),
    route('GET POST', '/_analyze /{index}/_analyze /_render/template /_render/template/{id}', READ, IN_GET),
  ].flat();
}

const DOCUMENTS: readonly Route[] = [
  route('PUT POST', '/{index}/_doc/{id}', UPSERT, { rows: 1 }),
  route('POST', '/{index}/_doc', ['insert'], { rows: 1 }),
  route('PUT POST', '/{index}/_create/{id}', ['insert'], { rows: 1 }),
  route('POST', '/{index}/_update/{id}', UPSERT, { rows: 1, also: [['/script', 'code']] }),
  route('DELETE', '/{index}/_doc/{id}', ['delete'], { rows: 1 }),
  either('POST PUT', '_bulk', [], { language: 'bulk' }),
  route('POST', '/{index}/_update_by_query', ['update'], {
    filters: ['/query', ''],
    also: [['/script', 'code']],
  }),
  route('POST', '/{index}/_delete_by_query', ['delete'], { filters: ['/query', ''] }),
  route('POST', '/_reindex', UPSERT, {
    names: [
      ['index', '/dest/index'],
      ['index', '/source/index'],
    ],
    filters: [''],
    also: [
      ['/source/remote', 'model-redirect'],
      ['/script', 'code'],
    ],
  }),
  route('POST', '/_update_by_query/{task}/_rethrottle /_delete_by_query/{task}/_rethrottle', ADMIN),
  route('POST', '/_reindex/{task}/_rethrottle', ADMIN),
].flat();

const INDEXES: readonly Route[] = [
  route('GET', '/{index}', READ),
  route('PUT', '/{index}', ['create']),
  route('DELETE', '/{index}', DROP),
  either('GET', '_mapping _settings _alias _stats _segments _recovery _shard_stores', READ),
  route('GET', '/{index}/_alias/{alias} /_alias/{alias} /{index}/_mapping/field/{field} /_cat /_cat/*', READ),
  either('PUT POST', '_mapping', ['alter']),
  either('PUT', '_settings', ['alter']),
  route('PUT POST', '/{index}/_alias/{alias} /{index}/_aliases/{alias}', ['alias']),
  route('DELETE', '/{index}/_alias/{alias} /{index}/_aliases/{alias}', ['alias']),
  route('POST', '/_aliases', ['alias'], {
    names: [
      ['index', '/actions/*/*/index'],
      ['index', '/actions/*/*/indices/*'],
      ['alias', '/actions/*/*/alias'],
      ['alias', '/actions/*/*/aliases/*'],
    ],
    // In a request that swaps names an index can be deleted.
    also: [['/actions/*/remove_index', 'drop']],
    known: { items: '/actions', members: ['add', 'remove', 'remove_index'] },
  }),
  route('POST', '/{index}/_open', ['alter']),
  route('POST', '/{index}/_close', ['alter', 'admin']),
  route('POST', '/{index}/_rollover /{index}/_rollover/{target}', ['create', 'alias']),
  route('POST PUT', '/{index}/_shrink/{target} /{index}/_split/{target} /{index}/_clone/{target}', [
    'create',
  ]),
  either('GET POST', '_refresh _flush', ['maintain']),
  either('POST', '_forcemerge _cache/clear', ['maintain']),
  route('PUT', '/{index}/_block/{block}', ['alter']),
  route('GET', '/_template /_template/{name} /_index_template /_index_template/{name}', READ),
  route('GET', '/_component_template /_component_template/{name}', READ),
  route('PUT POST', '/_template/{name} /_index_template/{name} /_component_template/{name}', DEFINE),
  route('DELETE', '/_template/{name} /_index_template/{name} /_component_template/{name}', DROP),
  route('GET', '/_data_stream /_data_stream/{index} /_resolve/index/{index}', READ),
  route('PUT', '/_data_stream/{index}', ['create']),
  route('DELETE', '/_data_stream/{index}', DROP),
].flat();

const CLUSTER: readonly Route[] = [
  route('GET', '/_cluster/* /_nodes /_nodes/* /_tasks /_tasks/{task}', READ),
  route('PUT POST', '/_cluster/settings /_cluster/reroute /_cluster/voting_config_exclusions', ADMIN),
  route('POST', '/_nodes/reload_secure_settings /_tasks/{task}/_cancel /_tasks/_cancel', ADMIN),
  route('GET', '/_snapshot /_snapshot/{repository} /_snapshot/{repository}/{snapshot}', READ),
  route('GET', '/_snapshot/{repository}/{snapshot}/_status /_snapshot/_status', READ),
  route('PUT POST', '/_snapshot/{repository}/{snapshot}', ['export']),
  // Where snapshots lie: an address of the client's.
  route('PUT POST', '/_snapshot/{repository}', ['alter', 'model-redirect']),
  route('DELETE', '/_snapshot/{repository} /_snapshot/{repository}/{snapshot}', DROP),
  route('POST', '/_snapshot/{repository}/{snapshot}/_restore', ['copy-in', 'model-redirect']),
  // What runs in the server, and what texts are made of on their way in.
  route('GET', '/_scripts/{id} /_ingest/pipeline /_ingest/pipeline/{id}', READ),
  route('PUT POST', '/_scripts/{id} /_scripts/{id}/{context}', ['code', 'model-change'], {
    model: { system: 'elasticsearch', change: 'change' },
  }),
  route('DELETE', '/_scripts/{id}', ['drop', 'model-change'], {
    model: { system: 'elasticsearch', change: 'delete' },
  }),
  route('PUT', '/_ingest/pipeline/{id}', ['alter', 'code', 'model-change'], {
    model: { system: 'elasticsearch', change: 'change' },
  }),
  route('DELETE', '/_ingest/pipeline/{id}', ['drop', 'model-change'], {
    model: { system: 'elasticsearch', change: 'delete' },
  }),
  route('POST GET', '/_ingest/pipeline/_simulate /_ingest/pipeline/{id}/_simulate', READ, IN_GET),
  route('POST GET', '/_scripts/painless/_execute', ['code'], IN_GET),
].flat();

export const ELASTICSEARCH_DIALECT: Dialect = {
  name: 'elasticsearch',
  title: 'Elasticsearch',
  error: 'elasticsearch',
  reservesUnderscore: true,
  routes: [
    reads(ELASTICSEARCH_RETRIEVER),
    DOCUMENTS,
    INDEXES,
    CLUSTER,
    route('POST', '/_inference/rerank/{inference_id}', ['rerank'], { rerank: ELASTICSEARCH }),
    route('POST', '/_inference/{inference_id}', ['rerank', 'egress:model'], {
      rerank: { ...ELASTICSEARCH, where: ['/query'] },
    }),
    route('POST', '/_inference/{task}/{inference_id} /_inference/{task}/{inference_id}/_stream', [
      'egress:model',
    ]),
    route(
      'GET',
      '/_inference /_inference/_all /_inference/{inference_id} /_inference/{task}/{inference_id}',
      READ,
      {
        model: { system: 'elasticsearch', change: 'probe' },
      },
    ),
    // SQL and ES|QL only read there.
    route('GET POST', '/_sql /_sql/translate', READ, {
      ...IN_GET,
      limits: { at: [], otherwise: Number.POSITIVE_INFINITY },
    }),
    route('POST', '/_query /_query/async /_sql/close', READ, {
      limits: { at: [], otherwise: Number.POSITIVE_INFINITY },
    }),
    route('GET', '/_query/async/{id} /_sql/async/{id}', READ, {
      limits: { at: [], otherwise: Number.POSITIVE_INFINITY },
    }),
    route('GET', '/_security/* /_license /_xpack /_xpack/usage /_ml/info', READ),
    route('POST', '/_security/user/_has_privileges /_security/_authenticate', READ),
    route('POST PUT DELETE', '/_security/*', GRANT),
    route('PUT POST DELETE', '/_license /_ccr/* /{index}/_ccr/follow', ['admin', 'remote']),
    ELASTICSEARCH_MODELS,
  ].flat(),
};

export const OPENSEARCH_DIALECT: Dialect = {
  name: 'opensearch',
  title: 'OpenSearch',
  error: 'elasticsearch',
  reservesUnderscore: true,
  routes: [
    reads(OPENSEARCH_SEARCH),
    DOCUMENTS,
    INDEXES,
    CLUSTER,
    // DELETE can be turned on in its SQL.
    route('POST', '/_plugins/_sql /_plugins/_sql/_explain /_opendistro/_sql', READ, {
      language: 'sql',
      limits: { at: [], otherwise: Number.POSITIVE_INFINITY },
    }),
    route('POST', '/_plugins/_ppl /_plugins/_ppl/_explain', READ, {
      limits: { at: [], otherwise: Number.POSITIVE_INFINITY },
    }),
    route('POST', '/{index}/_search/point_in_time', READ),
    route('GET', '/_search/point_in_time/_all', READ),
    route('DELETE', '/_search/point_in_time /_search/point_in_time/_all', READ),
    route('GET', '/_plugins/_security/* /_plugins/_knn/stats /_plugins/_knn/{node}/stats', READ),
    route('POST PUT DELETE PATCH', '/_plugins/_security/*', GRANT),
    route('GET', '/_plugins/_knn/models/{model}', READ, { model: { system: 'opensearch', change: 'probe' } }),
    route('GET', '/_plugins/_knn/warmup/{index}', ['maintain']),
    OPENSEARCH_MODELS,
  ].flat(),
};
