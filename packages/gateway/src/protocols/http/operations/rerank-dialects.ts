/**
 * Services whose business it is to rank documents that they are sent: their paths, words and errors.
 *
 * One row a dialect. Services that store documents, and rank what they find, stand in stores/.
 */

import type { Effect } from '../../../core/effects.ts';
import {
  ANY_WORDS,
  BEDROCK,
  BEDROCK_INVOKE,
  call,
  CONTEXTUAL,
  DASHSCOPE,
  DEEPINFRA,
  GOOGLE,
  ISAACUS,
  JINA,
  LITELLM,
  MARIADB,
  MIXEDBREAD,
  NIM,
  TEI,
  TEI_PREDICT,
  TEI_SIMILARITY,
  TEI_VERTEX,
  VLLM,
  VLLM_SCORE,
  VOYAGE,
  WATSONX,
  WEAVIATE_SIDECAR,
} from './rerank-shapes.ts';
import { DATABRICKS, MONGODB, VESPA } from './search-shapes.ts';
import {
  type Dialect,
  type ErrorForm,
  type Route,
  type RouteDetails,
  type RerankShape,
  route,
} from './route.ts';

const RANKS: readonly Effect[] = ['rerank'];
const READS: readonly Effect[] = ['read'];

/** Cohere's own shape, as many others have it. */
const COHERE: RerankShape = call({});

function ranks(paths: string, rerank: RerankShape, details: RouteDetails = {}): readonly Route[] {
  const also = rerank.egress.map((pattern) => [pattern, 'model-redirect'] as const);
  return route('POST', paths, RANKS, { ...details, rerank, also: [...(details.also ?? []), ...also] });
}

function dialect(
  name: string,
  title: string,
  error: ErrorForm,
  ...routes: readonly (readonly Route[])[]
): Dialect {
  return { name, title, error, routes: routes.flat() };
}

/** What reads of a model server say, beside what it is asked to rank. */
function probes(paths: string, system: string): readonly Route[] {
  return route('GET', paths, READS, { model: { system, change: 'probe' } });
}

const HEALTH = '/health /healthz /ping /metrics';

export const RERANK_DIALECTS: readonly Dialect[] = [
  dialect(
    'cohere-v1',
    'Cohere v1',
    'message',
    ranks('/v1/rerank', COHERE),
    probes('/v1/models /v1/models/{model}', 'cohere'),
  ),
  dialect(
    'cohere-v2',
    'Cohere v2',
    'message',
    ranks('/v2/rerank', call({ texts: ['', '/*'] })),
    probes('/v1/models /v1/models/{model}', 'cohere'),
  ),
  dialect('jina', 'Jina', 'detail', ranks('/v1/rerank', JINA, { marks: ['/truncation', '/documents'] })),
  dialect('voyage', 'Voyage', 'detail', ranks('/v1/rerank', VOYAGE, { marks: ['/top_k', '/documents'] })),
  dialect(
    'mixedbread',
    'Mixedbread',
    'message',
    ranks('/v1/reranking /v1/rerank', MIXEDBREAD, { marks: ['/input', '/query'] }),
  ),
  dialect(
    'tei',
    'Text Embeddings Inference',
    'tei',
    ranks('/rerank / /invocations', TEI, { marks: ['/texts', '/query'] }),
    ranks('/vertex', TEI_VERTEX),
    ranks('/predict', TEI_PREDICT, { marks: ['/inputs'] }),
    ranks('/similarity', TEI_SIMILARITY, { marks: ['/inputs'] }),
    probes(`/info ${HEALTH}`, 'tei'),
  ),
  dialect(
    'tei-grpc',
    'Text Embeddings Inference over gRPC',
    'universal',
    route('POST', '/tei.v1.Rerank/Rerank /tei.v1.Rerank/RerankStream', RANKS),
    route('POST', '/tei.v1.Predict/Predict /tei.v1.Predict/PredictPair /tei.v1.Predict/PredictStream', RANKS),
    route('POST', '/tei.v1.Info/Info', READS, { model: { system: 'tei', change: 'probe' } }),
  ),
  dialect(
    'vllm',
    'vLLM',
    'openai',
    ranks('/rerank /v1/rerank /v2/rerank', VLLM),
    ranks('/score /v1/score', VLLM_SCORE),
    probes(`/v1/models /version ${HEALTH}`, 'vllm'),
  ),
  dialect(
    'infinity',
    'Infinity',
    'openai',
    ranks('/rerank /v1/rerank', JINA, { marks: ['/raw_scores', '/documents'] }),
    probes(`/models /v1/models ${HEALTH}`, 'infinity'),
  ),
  dialect(
    'llamacpp',
    'llama.cpp',
    'openai',
    ranks('/reranking /rerank /v1/rerank /v1/reranking', call({ documents: ['/documents', '/texts'] }), {
      alsoQuery: [['autoload', 'model-change']],
    }),
    route('GET', `/props /v1/models /models /slots ${HEALTH}`, READS, {
      model: { system: 'llama.cpp', change: 'probe' },
      alsoQuery: [
        ['reload', 'model-change'],
        ['autoload', 'model-change'],
      ],
    }),
  ),
  dialect(
    'litellm',
    'LiteLLM proxy',
    'openai',
    ranks('/rerank /v1/rerank /v2/rerank', LITELLM, { marks: ['/max_tokens_per_query'] }),
    probes('/v1/models /models /model/info /v1/model/info /health/liveliness /health/readiness', 'litellm'),
  ),
  dialect(
    'nim',
    'NVIDIA NIM',
    'detail',
    ranks('/v1/ranking /v1/retrieval/nvidia/reranking /v1/retrieval/{org}/{model}/reranking', NIM),
    probes('/v1/models /v1/metadata /v1/health/ready /v1/health/live', 'nim'),
  ),
  dialect(
    'bedrock',
    'Amazon Bedrock',
    'aws',
    ranks('/rerank', BEDROCK, { marks: ['/rerankingConfiguration'] }),
    ranks('/model/{model}/invoke', BEDROCK_INVOKE),
  ),
  dialect(
    'google',
    'Google Discovery Engine',
    'google',
    ranks(
      ['v1', 'v1alpha', 'v1beta']
        .map((version) => `/${version}/projects/{project}/locations/{location}/rankingConfigs/{config}:rank`)
        .join(' '),
      GOOGLE,
    ),
    route('POST', '/google.cloud.discoveryengine.v1.RankService/Rank', RANKS),
  ),
  dialect('azure', 'Azure AI Foundry', 'message', ranks('/v1/rerank /providers/cohere/v2/rerank', COHERE)),
  dialect('watsonx', 'watsonx', 'openai', ranks('/ml/v1/text/rerank', WATSONX)),
  dialect(
    'deepinfra',
    'DeepInfra',
    'deepinfra',
    ranks('/v1/inference/{model} /v1/inference/{org}/{model}', DEEPINFRA, {
      alsoQuery: [['webhook', 'model-redirect']],
    }),
  ),
  dialect(
    'contextual',
    'Contextual AI',
    'message',
    ranks('/v1/rerank', CONTEXTUAL, { marks: ['/metadata', '/documents'] }),
  ),
  dialect('isaacus', 'Isaacus', 'message', ranks('/v1/rerankings', ISAACUS)),
  dialect('together', 'Together', 'openai', ranks('/v1/rerank', COHERE)),
  dialect('fireworks', 'Fireworks', 'openai', ranks('/inference/v1/rerank', JINA)),
  dialect('openrouter', 'OpenRouter', 'openai', ranks('/api/v1/rerank', COHERE)),
  dialect('siliconflow', 'SiliconFlow', 'message', ranks('/v1/rerank', JINA)),
  dialect('xinference', 'Xinference', 'detail', ranks('/v1/rerank', COHERE)),
  dialect('localai', 'LocalAI', 'openai', ranks('/v1/rerank', JINA)),
  dialect('bifrost', 'Bifrost', 'openai', ranks('/v1/rerank', call({ texts: ['/text', '/meta/*'] }))),
  dialect('ovms', 'OpenVINO Model Server', 'openai', ranks('/v3/rerank', COHERE)),
  dialect(
    'dashscope',
    'DashScope',
    'message',
    ranks('/api/v1/services/rerank/text-rerank/text-rerank', DASHSCOPE),
  ),
  dialect('mariadb', 'MariaDB AI RAG', 'detail', ranks('/rerank', MARIADB, { marks: ['/doc_ids'] })),
  dialect(
    'weaviate-sidecar',
    'Weaviate reranker-transformers',
    'message',
    ranks('/rerank', WEAVIATE_SIDECAR, { marks: ['/property'] }),
    route('GET', '/.well-known/live /.well-known/ready /meta', READS, {
      model: { system: 'weaviate-sidecar', change: 'probe' },
    }),
  ),
  dialect(
    'vespa',
    'Vespa',
    'vespa',
    route('GET POST', '/search', READS, { rerank: VESPA, bodyInGet: false }),
    route('GET', '/document/v1/{namespace}/{type}/docid/{id}', READS),
    route('GET', '/document/v1/{namespace}/{type}/docid /document/v1 /document/v1/{namespace}', [
      'read',
      'export',
    ]),
    route('POST PUT', '/document/v1/{namespace}/{type}/docid/{id}', ['insert', 'update'], { rows: 1 }),
    route('PUT', '/document/v1/{namespace}/{type}/docid', ['update']),
    route('DELETE', '/document/v1/{namespace}/{type}/docid/{id}', ['delete'], { rows: 1 }),
    route('DELETE', '/document/v1/{namespace}/{type}/docid', ['delete', 'delete-unqualified']),
  ),
  dialect(
    'mongodb',
    'MongoDB Atlas Data API',
    'message',
    route(
      'POST',
      '/app/{app}/endpoint/data/v1/action/aggregate /app/{app}/endpoint/data/beta/action/aggregate',
      READS,
      {
        rerank: MONGODB,
        names: [['collection', '/collection']],
        known: {
          items: '/pipeline',
          members: [
            '$match',
            '$project',
            '$set',
            '$addFields',
            '$unset',
            '$limit',
            '$skip',
            '$sort',
            '$group',
            '$count',
            '$unwind',
            '$lookup',
            '$graphLookup',
            '$facet',
            '$bucket',
            '$bucketAuto',
            '$sortByCount',
            '$sample',
            '$replaceRoot',
            '$replaceWith',
            '$unionWith',
            '$geoNear',
            '$densify',
            '$fill',
            '$redact',
            '$setWindowFields',
            '$search',
            '$searchMeta',
            '$vectorSearch',
            '$rankFusion',
            '$scoreFusion',
            '$score',
            '$rerank',
            '$out',
            '$merge',
          ],
        },
        also: [
          ['/pipeline/*/$out', 'insert'],
          ['/pipeline/*/$merge', 'update'],
          ['/pipeline/*/$rerank', 'egress:model'],
        ],
      },
    ),
    route(
      'POST',
      '/app/{app}/endpoint/data/v1/action/find /app/{app}/endpoint/data/v1/action/findOne',
      READS,
      {
        names: [['collection', '/collection']],
      },
    ),
  ),
  dialect(
    'databricks',
    'Databricks Vector Search',
    'databricks',
    route(
      'POST GET',
      '/api/2.0/vector-search/indexes/{index}/query /api/2.0/ai-search/{index}:query',
      READS,
      {
        rerank: DATABRICKS,
        bodyInGet: true,
        limits: { at: ['/num_results', '/numResults', '/max_results'], otherwise: 10 },
      },
    ),
    route(
      'POST',
      '/api/2.0/vector-search/indexes/{index}/query-next-page /api/2.0/vector-search/indexes/{index}/scan',
      ['read', 'export'],
    ),
    route('GET', '/api/2.0/vector-search/indexes /api/2.0/vector-search/indexes/{index}', READS),
    route('GET', '/api/2.0/vector-search/endpoints /api/2.0/vector-search/endpoints/{endpoint}', READS),
    route('POST', '/api/2.0/vector-search/indexes', ['create']),
    route('DELETE', '/api/2.0/vector-search/indexes/{index}', ['drop']),
    route('POST', '/api/2.0/vector-search/endpoints', ['create']),
    route('DELETE', '/api/2.0/vector-search/endpoints/{endpoint}', ['drop']),
    route('POST', '/api/2.0/vector-search/indexes/{index}/upsert-data', ['insert', 'update']),
    route('POST DELETE', '/api/2.0/vector-search/indexes/{index}/delete-data', ['delete'], {
      rows: ['/primary_keys'],
    }),
    route('POST', '/api/2.0/vector-search/indexes/{index}/sync', ['refresh']),
  ),
];

/** Of a service that no connection names and whose path others have too. */
export const ANY_RERANK: Dialect = dialect(
  'rerank',
  'a reranking service',
  'universal',
  ranks(
    '/rerank /v1/rerank /v2/rerank /v3/rerank /reranking /v1/reranking /v1/rerankings /v1/ranking /score /v1/score',
    ANY_WORDS,
  ),
);
