/** Pinecone 2026-04: control plane (api.pinecone.io), data plane (a host an index) and inference. */

import type { Effect } from '../../../../core/effects.ts';
import { PINECONE } from '../rerank-shapes.ts';
import { PINECONE_SEARCH } from '../search-shapes.ts';
import { type Dialect, route } from '../route.ts';

const READ: readonly Effect[] = ['read'];
const UPSERT: readonly Effect[] = ['insert', 'update'];
const ADMIN: readonly Effect[] = ['admin'];

export const PINECONE_DIALECT: Dialect = {
  name: 'pinecone',
  title: 'Pinecone',
  error: 'pinecone',
  routes: [
    route('POST', '/rerank', ['rerank'], { rerank: PINECONE, marks: ['/rank_fields'] }),
    route('POST', '/embed', ['egress:model']),
    route('GET', '/models /models/{model}', READ, { model: { system: 'pinecone', change: 'probe' } }),
    // Data plane.
    route('POST', '/query', READ, {
      names: [['namespace', '/namespace']],
      limits: { at: ['/topK'], otherwise: 10 },
    }),
    route('GET', '/vectors/fetch /vectors/list', READ),
    route('POST', '/vectors/fetch_by_metadata', READ, {
      names: [['namespace', '/namespace']],
      limits: { at: ['/limit'], otherwise: 100 },
    }),
    route('GET POST', '/describe_index_stats', READ),
    route('POST', '/records/namespaces/{namespace}/search', READ, {
      rerank: PINECONE_SEARCH,
      limits: { at: ['/query/top_k'], otherwise: Number.POSITIVE_INFINITY },
    }),
    route('GET', '/namespaces /namespaces/{namespace}', READ),
    route('POST', '/namespaces', ['create']),
    route('DELETE', '/namespaces/{namespace}', ['drop']),
    route('POST', '/vectors/upsert', UPSERT, { names: [['namespace', '/namespace']], rows: ['/vectors'] }),
    route('POST', '/vectors/update', ['update'], {
      names: [['namespace', '/namespace']],
      rows: ['/id'],
      filters: ['/filter'],
    }),
    // A line a record, so that no one JSON value says how many they are.
    route('POST', '/records/namespaces/{namespace}/upsert', UPSERT),
    route('POST', '/vectors/delete', ['delete'], {
      names: [['namespace', '/namespace']],
      rows: ['/ids'],
      filters: ['/filter'],
      everything: ['/deleteAll'],
    }),
    route('GET', '/bulk/imports /bulk/imports/{import}', READ),
    route('POST', '/bulk/imports', ['copy-in', 'remote']),
    route('DELETE', '/bulk/imports/{import}', ADMIN),
    // Control plane.
    route('GET', '/indexes /indexes/{index} /collections /collections/{collection}', READ),
    route(
      'GET',
      '/backups /backups/{backup} /indexes/{index}/backups /restore-jobs /restore-jobs/{job}',
      READ,
    ),
    route('POST', '/indexes /indexes/create-for-model', ['create'], { names: [['index', '/name']] }),
    route('PATCH', '/indexes/{index}', ['alter', 'model-change'], {
      model: { system: 'pinecone', change: 'change' },
    }),
    route('DELETE', '/indexes/{index}', ['drop']),
    route('POST', '/collections', ['create', 'export']),
    route('DELETE', '/collections/{collection}', ['drop']),
    route('POST', '/indexes/{index}/backups', ['export']),
    route('DELETE', '/backups/{backup}', ['drop']),
    route('POST', '/backups/{backup}/create-index', ['create', 'alias']),
    route('GET', '/admin/*', READ),
    route('POST PATCH DELETE PUT', '/admin/*', ['grant']),
  ].flat(),
};
