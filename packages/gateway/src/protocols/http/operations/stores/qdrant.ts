/** Qdrant 1.19 over REST: https://api.qdrant.tech/api-reference, and what its source serves beside that. */

import type { Effect } from '../../../../core/effects.ts';
import { QDRANT } from '../search-shapes.ts';
import { type Dialect, route } from '../route.ts';

const READ: readonly Effect[] = ['read'];
const UPSERT: readonly Effect[] = ['insert', 'update'];
const UPDATE: readonly Effect[] = ['update'];
const DELETE: readonly Effect[] = ['delete'];
const ADMIN: readonly Effect[] = ['admin'];
const EXPORT: readonly Effect[] = ['read', 'export'];

const C = '/collections/{collection}';
/** Qdrant's own default of `limit`. */
const TEN = { at: ['/limit'], otherwise: 10 } as const;

export const QDRANT_DIALECT: Dialect = {
  name: 'qdrant',
  title: 'Qdrant',
  error: 'qdrant',
  routes: [
    route(
      'GET',
      '/ /healthz /livez /readyz /metrics /telemetry /cluster /issues /aliases /collections',
      READ,
    ),
    route('GET', `${C} ${C}/exists ${C}/aliases ${C}/cluster ${C}/optimizations`, READ),
    route('GET', `${C}/points/{id}`, READ, { limits: { at: [], otherwise: 1 } }),
    route('POST', `${C}/points`, READ, { limits: { at: ['/ids'], otherwise: Number.POSITIVE_INFINITY } }),
    route('POST', `${C}/points/count ${C}/facet`, READ, { limits: { at: ['/limit'], otherwise: 1 } }),
    route('POST', `${C}/points/query`, READ, { rerank: QDRANT, limits: TEN }),
    route('POST', `${C}/points/scroll`, READ, { limits: TEN }),
    route('POST', `${C}/points/query/batch`, READ, {
      limits: { at: [], otherwise: Number.POSITIVE_INFINITY },
    }),
    route('POST', `${C}/points/query/groups`, READ, {
      limits: { at: [], otherwise: Number.POSITIVE_INFINITY },
    }),
    route('POST', `${C}/points/search/matrix/pairs ${C}/points/search/matrix/offsets`, READ, { limits: TEN }),
    // Not in the OpenAPI document any more, and served all the same (src/actix/api).
    route('POST', `${C}/points/search ${C}/points/recommend ${C}/points/discover`, READ, { limits: TEN }),
    route(
      'POST',
      [
        `${C}/points/search/batch`,
        `${C}/points/search/groups`,
        `${C}/points/recommend/batch`,
        `${C}/points/recommend/groups`,
        `${C}/points/discover/batch`,
      ].join(' '),
      READ,
      { limits: { at: [], otherwise: Number.POSITIVE_INFINITY } },
    ),
    route('PUT', `${C}/points`, UPSERT, { rows: ['/points', '/batch/ids'] }),
    route('PUT', `${C}/points/vectors`, UPDATE, { rows: ['/points'] }),
    route('POST PUT', `${C}/points/payload`, UPDATE, { rows: ['/points'], filters: ['/filter'] }),
    route('POST', `${C}/points/payload/delete ${C}/points/payload/clear`, UPDATE, {
      rows: ['/points', ''],
      filters: ['/filter'],
    }),
    route('POST', `${C}/points/vectors/delete`, UPDATE, { rows: ['/points'], filters: ['/filter'] }),
    route('POST', `${C}/points/delete`, DELETE, { rows: ['/points'], filters: ['/filter'] }),
    route('POST', `${C}/points/batch`, [], {
      known: {
        items: '/operations',
        members: [
          'upsert',
          'delete',
          'set_payload',
          'overwrite_payload',
          'delete_payload',
          'clear_payload',
          'update_vectors',
          'delete_vectors',
        ],
      },
      also: [
        ['/operations/*/upsert', 'insert'],
        ['/operations/*/upsert', 'update'],
        ['/operations/*/delete', 'delete'],
        ['/operations/*/set_payload', 'update'],
        ['/operations/*/overwrite_payload', 'update'],
        ['/operations/*/delete_payload', 'update'],
        ['/operations/*/clear_payload', 'update'],
        ['/operations/*/update_vectors', 'update'],
        ['/operations/*/delete_vectors', 'update'],
      ],
      rows: [
        '/operations/*/upsert/points',
        '/operations/*/upsert/batch/ids',
        '/operations/*/delete/points',
        '/operations/*/set_payload/points',
        '/operations/*/overwrite_payload/points',
        '/operations/*/delete_payload/points',
        '/operations/*/clear_payload/points',
        '/operations/*/update_vectors/points',
        '/operations/*/delete_vectors/points',
      ],
      filters: [
        '/operations/*/delete/filter',
        '/operations/*/set_payload/filter',
        '/operations/*/overwrite_payload/filter',
        '/operations/*/delete_payload/filter',
        '/operations/*/clear_payload/filter',
        '/operations/*/delete_vectors/filter',
      ],
    }),
    route('PUT', C, ['create']),
    route('PATCH', C, ['alter']),
    route('DELETE', C, ['drop']),
    route('PUT', `${C}/index`, ['create']),
    route('DELETE', `${C}/index/{field}`, ['alter-drop']),
    route('PUT', `${C}/vectors/{vector}`, ['alter']),
    route('DELETE', `${C}/vectors/{vector}`, ['alter-drop']),
    // One request swaps them, so that another corpus, or one of another model, answers from then on.
    route('POST', '/collections/aliases', ['alias'], {
      names: [
        ['collection', '/actions/*/create_alias/collection_name'],
        ['alias', '/actions/*/create_alias/alias_name'],
        ['alias', '/actions/*/delete_alias/alias_name'],
        ['alias', '/actions/*/rename_alias/old_alias_name'],
        ['alias', '/actions/*/rename_alias/new_alias_name'],
      ],
    }),
    route('POST', `${C}/cluster`, ADMIN),
    route('DELETE', '/cluster/peer/{peer}', ADMIN),
    route('POST', '/cluster/recover', ADMIN),
    route('PUT', `/quotas ${C}/quotas`, ADMIN),
    route('POST', '/locks', ADMIN),
    route('DELETE', '/issues', ADMIN),
    route('PUT', `${C}/shards`, ['create']),
    route('POST', `${C}/shards/delete`, ['drop']),
    route('GET', `/snapshots ${C}/snapshots ${C}/shards/{shard}/snapshots`, READ),
    route('POST', `/snapshots ${C}/snapshots ${C}/shards/{shard}/snapshots`, ['maintain']),
    route(
      'GET',
      `/snapshots/{snapshot} ${C}/snapshots/{snapshot} ${C}/shards/{shard}/snapshots/{snapshot} ${C}/shards/{shard}/snapshot`,
      EXPORT,
    ),
    route(
      'DELETE',
      `/snapshots/{snapshot} ${C}/snapshots/{snapshot} ${C}/shards/{shard}/snapshots/{snapshot}`,
      ['drop'],
    ),
    route('PUT', `/snapshots/recover ${C}/snapshots/recover ${C}/shards/{shard}/snapshots/recover`, [
      'copy-in',
      'model-redirect',
    ]),
    route('POST', `${C}/snapshots/upload ${C}/shards/{shard}/snapshots/upload`, ['copy-in', 'model-change']),
    // What a key may do is changed where the server is configured; this is the search of the web interface.
    route('GET', '/dashboard', READ),
  ].flat(),
};
