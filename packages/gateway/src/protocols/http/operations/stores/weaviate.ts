/** Weaviate 1.3x over REST: https://docs.weaviate.io/weaviate/api/rest, and its GraphQL. */

import type { Effect } from '../../../../core/effects.ts';
import { WEAVIATE_GRAPHQL } from '../search-shapes.ts';
import { type Dialect, route } from '../route.ts';

const READ: readonly Effect[] = ['read'];
const DELETE: readonly Effect[] = ['delete'];
const GRANT: readonly Effect[] = ['grant'];
const MODEL = { system: 'weaviate', change: 'change' } as const;
/** Weaviate's own QUERY_DEFAULTS_LIMIT is 10, and it gives up to QUERY_MAXIMUM_RESULTS. */
const ANY_NUMBER = { at: ['/limit'], otherwise: Number.POSITIVE_INFINITY } as const;

export const WEAVIATE_DIALECT: Dialect = {
  name: 'weaviate',
  title: 'Weaviate',
  error: 'weaviate',
  routes: [
    route('GET', '/v1 /v1/meta /v1/nodes /v1/nodes/{class} /v1/cluster/statistics /v1/tasks', READ),
    route('GET', '/v1/.well-known/live /v1/.well-known/ready /v1/.well-known/openid-configuration', READ),
    route('GET', '/v1/objects', READ, {
      limits: { at: [], otherwise: Number.POSITIVE_INFINITY },
    }),
    route('GET', '/v1/objects/{class}/{id} /v1/objects/{id}', READ, { limits: { at: [], otherwise: 1 } }),
    route('POST', '/v1/objects/validate', READ),
    route('POST', '/v1/graphql', READ, {
      language: 'graphql',
      rerank: WEAVIATE_GRAPHQL,
      limits: { at: [], otherwise: Number.POSITIVE_INFINITY },
    }),
    route('POST', '/v1/graphql/batch', READ, {
      language: 'graphql',
      limits: { at: [], otherwise: Number.POSITIVE_INFINITY },
    }),
    route(
      'POST',
      ['bm25', 'hybrid', 'near-object', 'near-text', 'near-vector', 'fetch']
        .map((kind) => `/v1/search/{class}/${kind}`)
        .join(' '),
      READ,
      { limits: ANY_NUMBER, also: [['/rerank', 'rerank']] },
    ),
    route('POST', '/v1/aggregate/{class}', READ),
    route('POST', '/v1/objects', ['insert'], { names: [['class', '/class']], rows: 1 }),
    route('PUT PATCH', '/v1/objects/{class}/{id}', ['update'], { rows: 1 }),
    route('PUT PATCH', '/v1/objects/{id}', ['update'], { names: [['class', '/class']], rows: 1 }),
    route('POST', '/v1/batch/objects', ['insert', 'update'], {
      names: [['class', '/objects/*/class']],
      rows: ['/objects'],
    }),
    route('POST', '/v1/batch/references', ['update'], { rows: [''] }),
    route(
      'POST PUT DELETE',
      '/v1/objects/{class}/{id}/references/{property} /v1/objects/{id}/references/{property}',
      ['update'],
      { rows: 1 },
    ),
    route('DELETE', '/v1/objects/{class}/{id} /v1/objects/{id}', DELETE, { rows: 1 }),
    route('DELETE', '/v1/batch/objects', DELETE, {
      names: [['class', '/match/class']],
      filters: ['/match/where', '/match'],
    }),
    route('GET', '/v1/schema /v1/schema/{class}', READ),
    route(
      'GET',
      '/v1/schema/{class}/shards /v1/schema/{class}/tenants /v1/schema/{class}/tenants/{tenant}',
      READ,
    ),
    // moduleConfig says which reranker orders, and which vectoriser embeds.
    route('POST', '/v1/schema', ['create'], { names: [['class', '/class']] }),
    route('PUT', '/v1/schema/{class}', ['alter', 'model-change'], { model: MODEL }),
    route('DELETE', '/v1/schema/{class}', ['drop']),
    route('DELETE', '/v1/schema', ['drop']),
    route('POST', '/v1/schema/{class}/properties', ['alter']),
    route('DELETE', '/v1/schema/{class}/properties/{property}/index/{index}', ['alter-drop']),
    route('PUT', '/v1/schema/{class}/shards/{shard}', ['admin']),
    route('POST PUT', '/v1/schema/{class}/tenants', ['alter']),
    route('DELETE', '/v1/schema/{class}/tenants', ['drop']),
    route('GET', '/v1/aliases /v1/aliases/{alias}', READ),
    route('POST PUT DELETE', '/v1/aliases /v1/aliases/{alias}', ['alias'], { names: [['class', '/class']] }),
    route('GET', '/v1/authz/* /v1/users/own-info /v1/users/db /v1/users/db/{user}', READ),
    route('POST', '/v1/authz/roles/{role}/has-permission', READ),
    route('POST PUT DELETE PATCH', '/v1/authz/*', GRANT),
    // rotate-key answers with a secret.
    route('POST PUT DELETE PATCH', '/v1/users/db/{user} /v1/users/db/{user}/*', GRANT),
    route(
      'GET',
      '/v1/backups/{backend} /v1/backups/{backend}/{backup} /v1/backups/{backend}/{backup}/restore',
      READ,
    ),
    route('POST', '/v1/backups/{backend}', ['export']),
    route('POST', '/v1/backups/{backend}/{backup}/restore', ['copy-in', 'model-redirect']),
    route('DELETE', '/v1/backups/{backend}/{backup}', ['drop']),
    route('GET', '/v1/export/{backend} /v1/export/{backend}/{export}', ['read', 'export']),
    route('POST DELETE', '/v1/export/{backend} /v1/export/{backend}/{export}', ['export']),
    route('GET', '/v1/replication/* /v1/namespaces /v1/namespaces/{namespace}', READ),
    route('POST PUT DELETE PATCH', '/v1/replication/* /v1/namespaces /v1/namespaces/{namespace}', ['admin']),
    route('POST', '/v1/classifications', ['update', 'admin']),
    route('GET', '/v1/classifications/{id}', READ),
    // A second door to the same data, with tools that write: policy decides, as about what is not understood.
    route('POST GET DELETE', '/v1/mcp', ['unknown']),
    // Weaviate serves its gRPC methods on a port of their own; a proxy may put them beside these.
    route(
      'POST',
      '/weaviate.v1.Weaviate/Search /weaviate.v1.Weaviate/Aggregate /weaviate.v1.Weaviate/TenantsGet',
      READ,
    ),
    route('POST', '/weaviate.v1.Weaviate/BatchObjects /weaviate.v1.Weaviate/BatchStream', [
      'insert',
      'update',
    ]),
    route('POST', '/weaviate.v1.Weaviate/BatchReferences', ['update']),
    route('POST', '/weaviate.v1.Weaviate/BatchDelete', DELETE),
  ].flat(),
};
