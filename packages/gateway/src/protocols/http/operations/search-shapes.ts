/**
 * Shapes of searches of which a model, or a formula, orders the hits: the store has the documents.
 *
 * Sources: README.md.
 */

import { CALL, call, RESULTS } from './rerank-shapes.ts';
import type { AnswerShape, RerankShape } from './route.ts';

export const PINECONE_SEARCH: RerankShape = call(
  {
    operation: 'retrieve-rerank',
    model: ['/rerank/model'],
    query: ['/rerank/query', '/query/inputs/text', '/query/inputs/*'],
    documents: [],
    texts: [],
    ids: [],
    topN: ['/rerank/top_n', '/query/top_k'],
    returnsText: [],
    instruction: [],
    rankFields: ['/rerank/rank_fields'],
    options: ['/rerank/parameters'],
    where: ['/rerank'],
  },
  {
    list: ['/result/hits'],
    key: 'id',
    keyAt: ['/_id'],
    score: ['/_score'],
    texts: ['/fields/*'],
    usage: ['/usage/*'],
    model: [],
    requestId: [],
  },
);

const SEARCH_HITS: AnswerShape = {
  ...RESULTS,
  list: ['/hits/hits'],
  key: 'id',
  keyAt: ['/_id'],
  score: ['/_score'],
  texts: ['/_source/*', '/fields/*/*', '/highlight/*/*'],
  model: [],
  usage: [],
  requestId: [],
};

export const ELASTICSEARCH_RETRIEVER: RerankShape = {
  ...CALL,
  operation: 'retrieve-rerank',
  model: ['/retriever/text_similarity_reranker/inference_id'],
  query: [],
  documents: [],
  texts: [],
  ids: [],
  topN: ['/size'],
  returnsText: [],
  instruction: [],
  rankFields: ['/retriever/text_similarity_reranker/field'],
  options: ['/retriever/text_similarity_reranker/rank_window_size', '/rescore'],
  whereNamed: ['text_similarity_reranker', 'rescorer', 'learning_to_rank', 'rescore'],
  queryNamed: ['inference_text'],
  answer: SEARCH_HITS,
};

export const OPENSEARCH_SEARCH: RerankShape = {
  ...ELASTICSEARCH_RETRIEVER,
  model: [],
  query: ['/ext/rerank/query_context/query_text', '/ext/rerank/query_context/query_text_path'],
  rankFields: [],
  options: ['/search_pipeline', '/ext/rerank', '/rescore'],
  whereNamed: ['rerank', 'rescore', 'sltr'],
  queryNamed: ['query_text'],
};

const RETRIEVAL: Partial<Omit<RerankShape, 'answer'>> = {
  operation: 'retrieve-rerank',
  documents: [],
  texts: [],
  ids: [],
  returnsText: [],
  instruction: [],
  rankFields: [],
};

export const WEAVIATE_GRAPHQL: RerankShape = call(
  { ...RETRIEVAL, model: [], query: ['/query'], topN: [], options: [] },
  {
    list: ['/data/Get/*'],
    key: 'id',
    keyAt: ['/_additional/id'],
    score: ['/_additional/rerank/0/score'],
    texts: ['/*'],
    model: [],
    usage: [],
    requestId: [],
  },
);

export const VESPA: RerankShape = call(
  {
    ...RETRIEVAL,
    model: ['/ranking/profile', '/ranking.profile', '/ranking'],
    query: ['/query', '/input.query(q)', '/yql'],
    topN: ['/hits'],
    options: ['/ranking/features', '/ranking.features'],
    where: ['/ranking', '/ranking.profile'],
  },
  {
    list: ['/root/children'],
    key: 'id',
    keyAt: ['/id'],
    score: ['/relevance'],
    texts: ['/fields/*'],
    model: [],
    usage: ['/root/coverage/documents'],
    requestId: [],
  },
);

export const QDRANT: RerankShape = call(
  {
    ...RETRIEVAL,
    model: ['/query/model', '/query/nearest/model'],
    query: ['/query/text', '/query/nearest/text'],
    topN: ['/limit'],
    options: ['/using', '/query/fusion', '/query/formula', '/query/rrf'],
    where: ['/prefetch'],
  },
  {
    list: ['/result/points'],
    key: 'id',
    keyAt: ['/id'],
    score: ['/score'],
    texts: ['/payload/*'],
    model: [],
    usage: ['/usage/*', '/time'],
    requestId: [],
  },
);

export const MILVUS: RerankShape = call(
  {
    ...RETRIEVAL,
    model: ['/functionScore/functions/0/params/model_name', '/functionScore/functions/0/params/provider'],
    query: ['/data/*', '/functionScore/functions/*/params/queries/*'],
    topN: ['/limit'],
    options: ['/functionScore', '/rerank', '/search/0/params'],
    egress: ['/functionScore/functions/*/params/endpoint', '/functionScore/functions/*/params/url'],
    where: ['/functionScore', '/rerank', '/function_score'],
  },
  {
    list: ['/data'],
    key: 'id',
    keyAt: ['/id'],
    score: ['/distance'],
    texts: ['/*'],
    model: [],
    usage: ['/cost'],
    requestId: [],
  },
);

export const MONGODB: RerankShape = call(
  {
    ...RETRIEVAL,
    model: ['/pipeline/*/$rerank/model'],
    query: ['/pipeline/*/$rerank/query/text', '/pipeline/*/$rerank/query'],
    topN: ['/pipeline/*/$rerank/numDocsToRerank'],
    rankFields: ['/pipeline/*/$rerank/path'],
    options: [],
    where: ['/pipeline/*/$rerank'],
  },
  {
    list: ['/documents'],
    key: 'id',
    keyAt: ['/_id', '/_id/$oid'],
    score: ['/score'],
    texts: ['/*'],
    model: [],
    usage: [],
    requestId: [],
  },
);

export const DATABRICKS: RerankShape = call(
  {
    ...RETRIEVAL,
    model: ['/reranker/model'],
    query: ['/query_text', '/queryText'],
    topN: ['/num_results', '/numResults', '/max_results'],
    rankFields: ['/reranker/parameters/columns_to_rerank', '/columns_to_rerank', '/columnsToRerank'],
    options: ['/query_type', '/queryType'],
    where: ['/reranker', '/columns_to_rerank', '/columnsToRerank'],
  },
  {
    list: ['/result/data_array'],
    key: 'id',
    keyAt: [],
    score: [],
    texts: ['/*'],
    model: [],
    usage: ['/result/row_count'],
    requestId: [],
    columns: { names: '/manifest/columns', key: 'id', score: 'score' },
  },
);
