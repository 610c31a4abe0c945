/**
 * Milvus over REST, version 2: https://milvus.io/api-reference/restful. Everything is a POST, so that the last
 * segment says what is done; version 1 and the methods of gRPC stand beside them.
 */

import type { Effect } from '../../../../core/effects.ts';
import { MILVUS } from '../search-shapes.ts';
import { type Dialect, type Route, type RouteDetails, route } from '../route.ts';

const NAMES: RouteDetails = {
  names: [
    ['collection', '/collectionName'],
    ['alias', '/aliasName'],
  ],
};

/** Paths below /v2/vectordb. */
function v2(paths: string, does: readonly Effect[], details: RouteDetails = {}): readonly Route[] {
  const full = paths
    .split(' ')
    .map((path) => `/v2/vectordb/${path}`)
    .join(' ');
  return route('POST', full, does, { ...NAMES, ...details });
}

/** Methods of milvus.proto.milvus.MilvusService; their contents are not read. */
function grpc(methods: string, does: readonly Effect[]): readonly Route[] {
  const full = methods
    .split(' ')
    .map((method) => `/milvus.proto.milvus.MilvusService/${method}`)
    .join(' ');
  return route('POST', full, does);
}

const MODEL = { model: { system: 'milvus', change: 'change' } } as const;

export const MILVUS_DIALECT: Dialect = {
  name: 'milvus',
  title: 'Milvus',
  error: 'milvus',
  routes: [
    v2(
      [
        'collections/list collections/has collections/describe collections/get_stats collections/get_load_state',
        'partitions/list partitions/has partitions/get_stats indexes/list indexes/describe aliases/list',
        'aliases/describe users/list users/describe roles/list roles/describe databases/list databases/describe',
        'jobs/import/list jobs/import/describe jobs/import/get_progress privilege_groups/list',
        'resource_groups/list resource_groups/describe',
      ].join(' '),
      ['read'],
    ),
    v2('entities/get', ['read'], { limits: { at: ['/id'], otherwise: Number.POSITIVE_INFINITY } }),
    v2('entities/query', ['read'], { limits: { at: ['/limit'], otherwise: Number.POSITIVE_INFINITY } }),
    v2('entities/search entities/hybrid_search entities/advanced_search', ['read'], {
      rerank: MILVUS,
      limits: { at: ['/limit'], otherwise: 100 },
    }),
    v2('entities/insert', ['insert'], { rows: ['/data'] }),
    v2('entities/upsert', ['insert', 'update'], { rows: ['/data'] }),
    // One condition in Milvus's own language, or a list of ids inside of it: nobody counts them here.
    v2('entities/delete', ['delete'], { filters: ['/filter'] }),
    v2('collections/create', ['create']),
    v2('collections/drop', ['drop']),
    v2('collections/truncate', ['truncate']),
    v2('collections/rename', ['rename']),
    v2(
      'collections/load collections/release collections/refresh_load collections/flush collections/compact',
      ['maintain'],
    ),
    v2('collections/alter_properties collections/drop_properties collections/fields/alter_properties', [
      'alter',
    ]),
    v2('collections/fields/add collections/add_field', ['alter']),
    v2('collections/functions/add collections/functions/alter', ['alter', 'model-change'], MODEL),
    v2('collections/functions/drop', ['alter-drop', 'model-change'], MODEL),
    v2('partitions/create', ['create']),
    v2('partitions/drop', ['drop']),
    v2('partitions/load partitions/release', ['maintain']),
    v2('indexes/create', ['create']),
    v2('indexes/drop', ['drop']),
    v2('indexes/alter_properties indexes/drop_properties', ['alter']),
    v2('aliases/create aliases/alter aliases/drop', ['alias']),
    v2('databases/create', ['create']),
    v2('databases/drop', ['drop']),
    v2('databases/alter databases/drop_properties', ['alter']),
    v2('users/create users/drop users/update_password users/grant_role users/revoke_role', ['grant']),
    v2('roles/create roles/drop roles/grant_privilege roles/revoke_privilege', ['grant']),
    v2('roles/grant_privilege_v2 roles/revoke_privilege_v2', ['grant']),
    v2('privilege_groups/create privilege_groups/drop', ['grant']),
    v2('privilege_groups/add_privileges_to_group privilege_groups/remove_privileges_from_group', ['grant']),
    v2('resource_groups/create resource_groups/drop resource_groups/alter resource_groups/transfer_replica', [
      'admin',
    ]),
    v2('jobs/import/create', ['copy-in', 'remote']),
    route('POST', '/v2/vectordb/common/run_analyzer', ['read']),
    // Version 1.
    route('GET', '/v1/vector/collections /v1/vector/collections/describe /v1/health', ['read']),
    route('POST', '/v1/vector/get /v1/vector/query /v1/vector/search', ['read'], NAMES),
    route('POST', '/v1/vector/insert', ['insert'], { ...NAMES, rows: ['/data'] }),
    route('POST', '/v1/vector/upsert', ['insert', 'update'], { ...NAMES, rows: ['/data'] }),
    route('POST', '/v1/vector/delete', ['delete'], { ...NAMES, rows: ['/id'], filters: ['/filter'] }),
    route('POST', '/v1/vector/collections/create', ['create'], NAMES),
    route('POST', '/v1/vector/collections/drop', ['drop'], NAMES),
    // gRPC.
    grpc('Search HybridSearch Query', ['read']),
    grpc('DescribeCollection DescribeIndex DescribeAlias DescribeDatabase DescribeResourceGroup', ['read']),
    grpc('ShowCollections ShowPartitions ListAliases ListDatabases ListCredUsers ListImportTasks', ['read']),
    grpc('HasCollection HasPartition GetVersion GetLoadState GetLoadingProgress GetCollectionStatistics', [
      'read',
    ]),
    grpc('GetPartitionStatistics GetIndexState GetIndexStatistics GetFlushState GetReplicas CheckHealth', [
      'read',
    ]),
    grpc('Connect', ['read']),
    grpc('Insert', ['insert']),
    grpc('Upsert', ['insert', 'update']),
    grpc('Import', ['copy-in', 'remote']),
    grpc(
      'Flush FlushAll LoadCollection ReleaseCollection LoadPartitions ReleasePartitions ManualCompaction',
      ['maintain'],
    ),
    grpc('Delete', ['delete']),
    grpc('CreateCollection CreatePartition CreateIndex CreateDatabase', ['create']),
    grpc('AlterCollection AlterCollectionField AlterIndex AlterDatabase AddCollectionField', ['alter']),
    grpc('DropCollection DropPartition DropIndex DropDatabase', ['drop']),
    grpc('TruncateCollection', ['truncate']),
    grpc('RenameCollection', ['rename']),
    grpc('CreateAlias AlterAlias DropAlias', ['alias']),
    route(
      'POST',
      [
        'AddCollectionFunction',
        'AlterCollectionFunction',
        'DropCollectionFunction',
        'AlterCollectionSchema',
        'AddFileResource',
      ]
        .map((method) => `/milvus.proto.milvus.MilvusService/${method}`)
        .join(' '),
      ['alter', 'model-change'],
      MODEL,
    ),
    grpc('CreateCredential UpdateCredential DeleteCredential CreateRole DropRole OperateUserRole', ['grant']),
    grpc('OperatePrivilege OperatePrivilegeV2 CreateRowPolicy DropRowPolicy RestoreRBAC', ['grant']),
    grpc('BackupRBAC ExportSnapshot DumpMessages', ['export']),
    grpc('RestoreSnapshot RestoreCollection ReplicateMessage', ['copy-in', 'model-redirect']),
  ].flat(),
};
