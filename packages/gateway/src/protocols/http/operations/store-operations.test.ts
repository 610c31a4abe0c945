/** A corpus of what clients of stores and model servers send, and what each does. */

import { describe, expect, it } from 'vitest';
import type { HttpFields } from '../../../core/http-message.ts';
import { DIALECT_NAMES, DIALECTS } from './dialects.ts';
import { read } from './testing-requests.ts';

/** Line, effects in alphabetical order, objects as `kind:name`, rows, content. */
type Case = readonly [
  line: string,
  effects: string,
  expected?: { readonly objects?: string; readonly rows?: number; readonly content?: unknown },
];

const filter = { must: [{ key: 'lang', match: { value: 'de' } }] };

const QDRANT: readonly Case[] = [
  ['GET /collections', 'read'],
  ['GET /collections/a', 'read', { objects: 'collection:a' }],
  ['HEAD /collections/a', 'read'],
  ['GET /aliases', 'read'],
  ['GET /telemetry', 'read'],
  ['GET /metrics', 'read'],
  ['GET /cluster', 'read'],
  ['POST /collections/a/points', 'read', { content: { ids: [1, 2] } }],
  ['GET /collections/a/points/7', 'read'],
  ['POST /collections/a/points/scroll', 'read', { content: { limit: 5 } }],
  ['POST /collections/a/points/count', 'read', { content: {} }],
  ['POST /collections/a/points/query', 'read', { content: { query: [0.1] } }],
  [
    'POST /collections/a/points/query',
    'read rerank',
    { content: { prefetch: [{}], query: { fusion: 'rrf' } } },
  ],
  ['POST /collections/a/points/query/batch', 'read', { content: { searches: [] } }],
  ['POST /collections/a/points/query/groups', 'read', { content: {} }],
  ['POST /collections/a/points/search', 'read', { content: { vector: [0.1], limit: 3 } }],
  ['POST /collections/a/points/recommend', 'read', { content: { positive: [1], limit: 3 } }],
  ['POST /collections/a/facet', 'read', { content: { key: 'lang' } }],
  [
    'PUT /collections/a/points?wait=true',
    'insert update',
    { rows: 2, content: { points: [{ id: 1 }, { id: 2 }] } },
  ],
  ['PUT /collections/a/points', 'insert update', { rows: 3, content: { batch: { ids: [1, 2, 3] } } }],
  ['PUT /collections/a/points/vectors', 'update', { rows: 1, content: { points: [{ id: 1, vector: [] }] } }],
  [
    'POST /collections/a/points/payload',
    'update',
    { rows: 1, content: { payload: { boost: 2 }, points: [1] } },
  ],
  ['POST /collections/a/points/payload', 'update', { content: { payload: { boost: 2 }, filter } }],
  [
    'POST /collections/a/points/payload',
    'update update-unqualified',
    { content: { payload: {}, filter: {} } },
  ],
  ['PUT /collections/a/points/payload', 'update', { rows: 2, content: { payload: {}, points: [1, 2] } }],
  ['POST /collections/a/points/payload/delete', 'update', { content: { keys: ['x'], filter } }],
  ['POST /collections/a/points/payload/clear', 'update', { rows: 1, content: { points: [1] } }],
  ['POST /collections/a/points/delete', 'delete', { rows: 3, content: { points: [1, 2, 3] } }],
  ['POST /collections/a/points/delete', 'delete', { content: { filter } }],
  ['POST /collections/a/points/delete', 'delete delete-unqualified', { content: { filter: {} } }],
  ['POST /collections/a/points/delete', 'delete delete-unqualified', { content: { filter: { must: [] } } }],
  ['POST /collections/a/points/delete', 'delete delete-unqualified unknown', { content: 'not json' }],
  [
    'POST /collections/a/points/vectors/delete',
    'update',
    { rows: 1, content: { points: [1], vector: ['v'] } },
  ],
  [
    'POST /collections/a/points/batch',
    'delete insert update',
    {
      rows: 3,
      content: { operations: [{ upsert: { points: [{ id: 1 }] } }, { delete: { points: [7, 8] } }] },
    },
  ],
  ['POST /collections/a/points/batch', 'delete', { content: { operations: [{ delete: { filter } }] } }],
  [
    'POST /collections/a/points/batch',
    'update',
    { rows: 1, content: { operations: [{ set_payload: { points: [1] } }] } },
  ],
  ['POST /collections/a/points/batch', 'unknown', { content: { operations: [{ erase: { points: [1] } }] } }],
  ['POST /collections/a/points/batch', 'unknown', { content: { operations: [] } }],
  ['POST /collections/a/points/batch', 'delete insert unknown update', { content: 'x' }],
  ['PUT /collections/a', 'create', { content: { vectors: {} } }],
  ['PATCH /collections/a', 'alter'],
  ['DELETE /collections/a', 'drop', { objects: 'collection:a' }],
  ['PUT /collections/a/index', 'create'],
  ['DELETE /collections/a/index/lang', 'alter-drop'],
  [
    'POST /collections/aliases',
    'alias',
    {
      objects: 'collection:b alias:live',
      content: { actions: [{ create_alias: { collection_name: 'b', alias_name: 'live' } }] },
    },
  ],
  ['GET /collections/a/snapshots', 'read'],
  ['POST /collections/a/snapshots', 'maintain'],
  ['GET /collections/a/snapshots/s1.snapshot', 'export read'],
  ['HEAD /collections/a/snapshots/s1.snapshot', 'export read'],
  ['GET /snapshots/full.snapshot', 'export read'],
  ['DELETE /snapshots/full.snapshot', 'drop'],
  ['PUT /collections/a/snapshots/recover', 'copy-in model-redirect', { content: { location: 'http://x/s' } }],
  ['POST /collections/a/snapshots/upload', 'copy-in model-change'],
  ['POST /collections/a/shards/delete', 'drop'],
  ['DELETE /cluster/peer/1', 'admin'],
  ['POST /cluster/recover', 'admin'],
  ['PUT /quotas', 'admin'],
  ['POST /collections/a/unheard-of', 'unknown'],
  ['DELETE /collections', 'unknown'],
];

const WEAVIATE: readonly Case[] = [
  ['GET /v1/objects?class=Article', 'read'],
  ['GET /v1/objects/Article/7', 'read', { objects: 'class:Article id:7' }],
  ['HEAD /v1/objects/Article/7', 'read'],
  [
    'POST /v1/graphql',
    'read',
    { objects: 'class:Article', content: { query: '{ Get { Article(limit: 3) { title } } }' } },
  ],
  [
    'POST /v1/graphql',
    'read rerank',
    {
      content: {
        query:
          '{ Get { Article(limit: 3) { _additional { rerank(property: "t", query: "q") { score } } } } }',
      },
    },
  ],
  ['POST /v1/graphql', 'read unknown', { content: { query: 'mutation { Drop { x } }' } }],
  ['POST /v1/graphql', 'read unknown', { content: {} }],
  ['POST /v1/graphql', 'read unknown', { content: 'query' }],
  ['POST /v1/search/Article/hybrid', 'read', { objects: 'class:Article', content: { limit: 3 } }],
  ['POST /v1/search/Article/near-text', 'read rerank', { content: { rerank: { property: 't' } } }],
  ['POST /v1/aggregate/Article', 'read'],
  ['POST /v1/objects', 'insert', { rows: 1, objects: 'class:Article', content: { class: 'Article' } }],
  ['PUT /v1/objects/Article/7', 'update', { rows: 1 }],
  ['PATCH /v1/objects/Article/7', 'update', { rows: 1 }],
  [
    'POST /v1/batch/objects',
    'insert update',
    { rows: 2, content: { objects: [{ class: 'A' }, { class: 'A' }] } },
  ],
  ['DELETE /v1/objects/Article/7', 'delete', { rows: 1 }],
  [
    'DELETE /v1/batch/objects',
    'delete',
    { objects: 'class:A', content: { match: { class: 'A', where: { path: ['x'] } } } },
  ],
  ['GET /v1/schema', 'read'],
  ['POST /v1/schema', 'create'],
  ['PUT /v1/schema/Article', 'alter model-change'],
  ['DELETE /v1/schema/Article', 'drop'],
  ['POST /v1/authz/roles', 'grant'],
  ['POST /v1/users/db/ana/rotate-key', 'grant'],
  ['POST /v1/backups/s3', 'export'],
  ['POST /v1/backups/s3/b1/restore', 'copy-in model-redirect'],
  ['GET /v1/export/s3', 'export read'],
  ['POST /v1/replication/replicate', 'admin'],
  ['POST /v1/mcp', 'unknown', { content: { method: 'tools/call' } }],
  ['PUT /v1/aliases/live', 'alias', { content: { class: 'ArticleV2' } }],
];

const PINECONE: readonly Case[] = [
  ['POST /query', 'read', { content: { topK: 3, namespace: 'n' }, objects: 'namespace:n' }],
  ['GET /vectors/fetch?ids=1', 'read'],
  ['GET /vectors/list', 'read'],
  ['POST /vectors/fetch_by_metadata', 'read', { content: { filter: {} } }],
  ['POST /describe_index_stats', 'read', { content: {} }],
  ['POST /records/namespaces/n/search', 'read', { content: { query: { top_k: 3, inputs: { text: 'q' } } } }],
  [
    'POST /records/namespaces/n/search',
    'read rerank',
    { content: { query: { top_k: 3, inputs: { text: 'q' } }, rerank: { model: 'm', rank_fields: ['t'] } } },
  ],
  ['POST /vectors/upsert', 'insert update', { rows: 1, content: { vectors: [{ id: '1' }] } }],
  ['POST /vectors/update', 'update', { rows: 1, content: { id: '1' } }],
  ['POST /vectors/update', 'update', { content: { filter: { a: 1 }, setMetadata: {} } }],
  ['POST /records/namespaces/n/upsert', 'insert update', { content: '{"_id":"1"}\n{"_id":"2"}\n' }],
  ['POST /vectors/delete', 'delete', { rows: 2, content: { ids: ['1', '2'] } }],
  ['POST /vectors/delete', 'delete', { content: { filter: { a: 1 } } }],
  ['POST /vectors/delete', 'delete delete-unqualified', { content: { deleteAll: true } }],
  ['POST /vectors/delete', 'delete', { rows: 1, content: { ids: ['1'], deleteAll: false } }],
  ['DELETE /namespaces/n', 'drop'],
  ['POST /bulk/imports', 'copy-in remote'],
  ['GET /indexes', 'read'],
  ['POST /indexes', 'create', { objects: 'index:a', content: { name: 'a' } }],
  ['PATCH /indexes/a', 'alter model-change'],
  ['DELETE /indexes/a', 'drop'],
  ['POST /backups/b/create-index', 'alias create'],
  ['POST /admin/api-keys', 'grant'],
  ['POST /embed', 'egress:model'],
];

const ELASTICSEARCH: readonly Case[] = [
  ['GET /logs/_search', 'read', { objects: 'index:logs' }],
  ['GET /logs/_search', 'read', { content: { query: { match_all: {} } } }],
  ['POST /a,b/_search', 'read', { objects: 'index:a index:b', content: {} }],
  ['POST /a/_search?scroll=1m', 'export read', { content: {} }],
  [
    'POST /a/_search',
    'read rerank',
    {
      content: {
        retriever: { rrf: { retrievers: [{ text_similarity_reranker: { inference_text: 'q' } }] } },
      },
    },
  ],
  ['POST /_msearch', 'read', { objects: 'index:a', content: '{"index":"a"}\n{"query":{}}\n' }],
  ['POST /_msearch', 'read unknown', { content: 'x\n{}\n' }],
  ['GET /a/_count', 'read'],
  ['POST /_mget', 'read', { content: { docs: [{ _index: 'a', _id: '1' }] } }],
  ['GET /a/_doc/1', 'read'],
  ['HEAD /a/_doc/1', 'read'],
  ['GET /a/_source/1', 'read'],
  ['POST /a/_terms_enum', 'read', { content: { field: 'x' } }],
  ['POST /_search/scroll', 'export read', { content: { scroll_id: 'x' } }],
  ['DELETE /_search/scroll', 'read', { content: { scroll_id: 'x' } }],
  ['POST /a/_pit?keep_alive=1m', 'read'],
  ['POST /_sql', 'read', { content: { query: 'select 1' } }],
  ['POST /_query', 'read', { content: { query: 'FROM a' } }],
  ['PUT /a/_doc/1', 'insert update', { rows: 1, content: {} }],
  ['POST /a/_doc', 'insert', { rows: 1, content: {} }],
  ['PUT /a/_create/1', 'insert', { rows: 1, content: {} }],
  ['POST /a/_update/1', 'insert update', { rows: 1, content: { doc: {} } }],
  ['POST /a/_update/1', 'code insert update', { rows: 1, content: { script: { source: 'x' } } }],
  ['DELETE /a/_doc/1', 'delete', { rows: 1 }],
  [
    'POST /_bulk',
    'delete insert update',
    {
      rows: 3,
      objects: 'index:a index:b',
      content:
        '{"index":{"_index":"a"}}\n{"delete":{"_index":"not an action"}}\n{"delete":{"_index":"b"}}\n{"create":{"_index":"a"}}\n{}\n',
    },
  ],
  [
    'POST /a/_bulk',
    'delete',
    { rows: 2, objects: 'index:a', content: '{"delete":{"_id":"1"}}\n{"delete":{"_id":"2"}}\n' },
  ],
  ['POST /_bulk', 'delete insert unknown update', { content: '{"index":{}\n{}\n' }],
  ['POST /_bulk', 'delete insert unknown update', { content: '{"index":{},"delete":{}}\n{}\n' }],
  ['PUT /_bulk', 'unknown', { rows: 0, content: '\n' }],
  ['POST /a/_update_by_query', 'update', { content: { query: { term: { x: 1 } } } }],
  ['POST /a/_update_by_query', 'update update-unqualified', { content: {} }],
  ['POST /a/_update_by_query', 'update update-unqualified'],
  ['POST /a/_delete_by_query', 'delete', { content: { query: { term: { x: 1 } } } }],
  ['POST /a/_delete_by_query', 'delete delete-unqualified', { content: { query: { match_all: {} } } }],
  [
    'POST /a/_delete_by_query',
    'delete delete-unqualified',
    { content: { query: { bool: { must: [{ match_all: {} }] } } } },
  ],
  ['POST /a/_delete_by_query?q=user:1', 'delete'],
  ['POST /a/_delete_by_query?q=*', 'delete delete-unqualified'],
  [
    'POST /_reindex',
    'insert update',
    { objects: 'index:b index:a', content: { source: { index: 'a' }, dest: { index: 'b' } } },
  ],
  [
    'POST /_reindex',
    'insert model-redirect update',
    { content: { source: { remote: { host: 'http://x' }, index: 'a' }, dest: { index: 'b' } } },
  ],
  ['PUT /a', 'create'],
  ['DELETE /a', 'drop', { objects: 'index:a' }],
  ['DELETE /a,b*', 'drop', { objects: 'index:a index:b*' }],
  ['DELETE /_all', 'drop', { objects: 'index:_all' }],
  ['DELETE /_unheard', 'unknown'],
  ['GET /_unheard', 'unknown'],
  ['GET /_flush', 'maintain'],
  ['POST /a/_close', 'admin alter'],
  ['PUT /a/_settings', 'alter'],
  ['PUT /a/_mapping', 'alter'],
  ['POST /_aliases', 'alias', { content: { actions: [{ add: { index: 'b', alias: 'live' } }] } }],
  ['POST /_aliases', 'alias drop', { content: { actions: [{ remove_index: { index: 'a' } }] } }],
  ['POST /_aliases', 'alias unknown', { content: { actions: [{ erase: {} }] } }],
  ['PUT /_snapshot/r/s', 'export'],
  ['PUT /_snapshot/r', 'alter model-redirect'],
  ['POST /_snapshot/r/s/_restore', 'copy-in model-redirect'],
  ['PUT /_cluster/settings', 'admin'],
  ['GET /_cluster/health', 'read'],
  ['PUT /_security/user/x', 'grant'],
  ['PUT /_scripts/boost', 'code model-change'],
  ['PUT /_ingest/pipeline/p', 'alter code model-change'],
  ['PUT /_inference/rerank/m', 'model-change model-redirect'],
  ['DELETE /_inference/rerank/m?force=true', 'model-delete'],
  ['GET /_inference/rerank/m', 'read'],
  ['POST /_inference/rerank/m', 'rerank', { content: { query: 'q', input: ['a'] } }],
  ['POST /_inference/completion/m', 'egress:model', { content: { input: 'a' } }],
  ['PUT /_ml/trained_models/m/model_aliases/live', 'model-change'],
  ['POST /_ml/trained_models/m/deployment/_start', 'model-change'],
  ['PUT /_query_rules/r', 'model-change'],
  ['PUT /_synonyms/s', 'model-change'],
  ['POST /a/_search?source=%7B%7D', 'read unknown'],
  ['GET /_cat/indices', 'read'],
];

const OPENSEARCH: readonly Case[] = [
  [
    'POST /a/_search?search_pipeline=p',
    'read rerank',
    { content: { ext: { rerank: { query_context: { query_text: 'q' } } } } },
  ],
  ['POST /_plugins/_sql', 'read', { content: { query: 'SELECT * FROM a' } }],
  ['POST /_plugins/_sql', 'read unknown', { content: { query: 'DELETE FROM a' } }],
  ['POST /_plugins/_ppl', 'read', { content: { query: 'source=a' } }],
  ['POST /_plugins/_ml/models/m/_predict', 'rerank', { content: { query_text: 'q', text_docs: ['a'] } }],
  ['POST /_plugins/_ml/models/_register', 'model-change'],
  ['POST /_plugins/_ml/models/m/_deploy', 'model-change'],
  ['DELETE /_plugins/_ml/models/m', 'model-delete'],
  ['POST /_plugins/_ml/connectors/_create', 'model-change model-redirect'],
  ['PUT /_search/pipeline/p', 'model-change'],
  ['DELETE /_search/pipeline/p', 'model-delete'],
  ['POST /_ltr/_featureset/f/_createmodel', 'model-change'],
  ['DELETE /_ltr/_model/m', 'model-delete'],
  ['POST /_plugins/_ml/agents/a/_execute', 'egress:model unknown'],
  ['PUT /_plugins/_security/api/roles/r', 'grant'],
];

const MILVUS: readonly Case[] = [
  ['POST /v2/vectordb/collections/list', 'read', { content: {} }],
  [
    'POST /v2/vectordb/collections/describe',
    'read',
    { objects: 'collection:a', content: { collectionName: 'a' } },
  ],
  [
    'POST /v2/vectordb/entities/search',
    'read',
    { content: { collectionName: 'a', data: [[0.1]], limit: 3 } },
  ],
  [
    'POST /v2/vectordb/entities/search',
    'read rerank',
    { content: { collectionName: 'a', functionScore: { functions: [] } } },
  ],
  ['POST /v2/vectordb/entities/query', 'read', { content: { collectionName: 'a', limit: 3 } }],
  [
    'POST /v2/vectordb/entities/insert',
    'insert',
    { rows: 2, content: { collectionName: 'a', data: [{}, {}] } },
  ],
  ['POST /v2/vectordb/entities/upsert', 'insert update', { rows: 1, content: { data: [{}] } }],
  ['POST /v2/vectordb/entities/delete', 'delete', { content: { collectionName: 'a', filter: 'id in [1]' } }],
  [
    'POST /v2/vectordb/entities/delete',
    'delete delete-unqualified',
    { content: { collectionName: 'a', filter: '' } },
  ],
  [
    'POST /v2/vectordb/collections/drop',
    'drop',
    { objects: 'collection:a', content: { collectionName: 'a' } },
  ],
  ['POST /v2/vectordb/collections/rename', 'rename', { content: {} }],
  ['POST /v2/vectordb/collections/create', 'create', { content: {} }],
  ['POST /v2/vectordb/aliases/alter', 'alias', { content: { collectionName: 'b', aliasName: 'live' } }],
  ['POST /v2/vectordb/indexes/drop', 'drop', { content: {} }],
  ['POST /v2/vectordb/users/create', 'grant', { content: {} }],
  ['POST /v2/vectordb/jobs/import/create', 'copy-in remote', { content: {} }],
  ['POST /v2/vectordb/collections/invented', 'unknown', { content: {} }],
  ['GET /v2/vectordb/collections/list', 'unknown'],
  ['POST /milvus.proto.milvus.MilvusService/Delete', 'delete'],
  ['POST /milvus.proto.milvus.MilvusService/TruncateCollection', 'truncate'],
  ['POST /milvus.proto.milvus.MilvusService/AlterCollectionFunction', 'alter model-change'],
  ['POST /v1/vector/delete', 'delete', { rows: 2, content: { collectionName: 'a', id: [1, 2] } }],
];

const MODELS: readonly Case[] = [
  ['POST /v1/load_lora_adapter', 'model-change', { content: { lora_name: 'l', lora_path: '/x' } }],
  ['POST /update_weights', 'model-change'],
  ['POST /collective_rpc', 'code model-change'],
  ['POST /models/load', 'model-change', { content: { model: 'm' } }],
  ['POST /models', 'model-change model-redirect', { content: { model: 'm' } }],
  ['POST /models?url=http://x/m.mar', 'code model-change model-redirect'],
  ['DELETE /models?model=m', 'model-delete'],
  ['GET /models', 'read'],
  ['GET /models?reload=1', 'model-change read'],
  ['HEAD /models?reload=1', 'model-change read'],
  ['POST /v2/repository/models/m/load', 'model-change'],
  ['POST /v2/repository/index', 'read'],
  ['PUT /models/m/2/set-default', 'model-change'],
  ['PATCH /apis/serving.kserve.io/v1beta1/namespaces/n/inferenceservices/i', 'model-change'],
  ['PATCH /apis/apps/v1/namespaces/n/deployments/reranker', 'model-change'],
  ['DELETE /apis/apps/v1/namespaces/n/deployments/reranker', 'model-delete'],
  ['PUT /api/serve/applications', 'model-change'],
  ['POST /api/2.0/mlflow/model-versions/transition-stage', 'model-change', { content: { name: 'm' } }],
  [
    'POST /ajax-api/2.0/mlflow/registered-models/alias',
    'alias model-change',
    { content: { name: 'm', alias: 'champion' } },
  ],
  ['DELETE /api/2.0/mlflow/model-versions/delete', 'model-delete'],
  ['POST /api/models/org/repo/commit/main', 'model-change'],
  ['DELETE /api/repos/delete', 'model-delete'],
  ['POST /org/repo/git-receive-pack', 'model-change'],
  ['POST /v1/finetuning/finetuned-models', 'model-change'],
  ['DELETE /v1/finetuning/finetuned-models/f', 'model-delete'],
  ['POST /application/v2/tenant/t/prepareandactivate', 'model-change'],
  ['PUT /application/v2/tenant/t/session/2/active', 'model-change'],
  ['POST /admin/models/m/activate', 'model-change'],
  ['PUT /admin/models/m/versions/1.5.0', 'model-change'],
  ['DELETE /admin/models/m/versions/1.5.0', 'model-delete'],
  ['PUT /api/2.0/serving-endpoints/m/config', 'model-change'],
  ['POST /model/new', 'model-change'],
  ['POST /config/update', 'model-change model-redirect'],
];

const CORPUS: readonly (readonly [dialect: string, cases: readonly Case[]])[] = [
  ['qdrant', QDRANT],
  ['weaviate', WEAVIATE],
  ['pinecone', PINECONE],
  ['elasticsearch', ELASTICSEARCH],
  ['opensearch', OPENSEARCH],
  ['milvus', MILVUS],
  ['models', MODELS],
];

describe('operations of stores and model servers', () => {
  const all = CORPUS.flatMap(([dialect, cases]) => cases.map((one) => [dialect, ...one] as const));

  it.each(all.map(([dialect, line, effects, expected = {}]) => ({ dialect, line, effects, expected })))(
    '$dialect: $line does $effects',
    ({ dialect, line, effects, expected }) => {
      const reading = read(dialect, line, expected.content);
      expect(reading.effects.toSorted().join(' ')).toBe(effects);
      const objects = reading.objects.map(({ kind, name }) => `${kind}:${name}`).join(' ');
      expect(objects).toBe(expected.objects ?? objects);
      const rows = /insert|update|delete/.test(effects) ? reading.rows : expected.rows;
      expect(rows).toBe(expected.rows);
    },
  );

  it('are as strict, or more, where no connection says which service it is', () => {
    for (const [dialect, line, effects, expected = {}] of all) {
      const { effects: auto } = read('auto', line, expected.content);
      if (auto.includes('unknown')) continue;
      const missing = effects.split(' ').filter((one) => !auto.some((other) => other === one));
      expect([dialect, line, missing]).toEqual([dialect, line, []]);
    }
    expect(all.length).toBeGreaterThanOrEqual(120);
  });

  it('change models on a connection of whatever service', () => {
    for (const [line, effects] of MODELS.filter(([, does]) => does !== 'read')) {
      for (const dialect of ['qdrant', 'cohere-v2', 'elasticsearch']) {
        const reading = read(dialect, line);
        expect([
          line,
          reading.effects.includes('unknown') || reading.effects.join(' ').includes('model-'),
        ]).toEqual([line, true]);
        expect([
          line,
          effects
            .split(' ')
            .filter((one) => one.startsWith('model-') && !reading.effects.some((other) => other === one)),
        ]).toEqual([line, []]);
      }
    }
  });
});

function target(name: string): HttpFields {
  return [['x-amz-target', name]];
}

describe('SageMaker', () => {
  it('is told by a field what it does', () => {
    expect(read('models', 'POST /', {}, target('SageMaker.UpdateEndpoint')).effects).toEqual([
      'model-change',
    ]);
    expect(read('models', 'POST /', {}, target('SageMaker.DeleteEndpoint')).effects).toEqual([
      'model-delete',
    ]);
    expect(read('models', 'POST /', {}, target('SageMaker.Invented')).effects).toEqual(['unknown']);
    expect(
      read('auto', 'POST /', { query: 'q', texts: ['a'] }, target('SageMaker.UpdateEndpoint')).effects,
    ).toEqual(['model-change']);
  });
});

describe('the table', () => {
  it('has each dialect once, with routes, and a name that a connection can have', () => {
    expect(new Set(DIALECT_NAMES).size).toBe(DIALECT_NAMES.length);
    for (const { name, routes } of DIALECTS) {
      expect(name).toMatch(/^[a-z0-9-]+$/);
      expect(routes.length).toBeGreaterThan(0);
    }
  });
});
