/**
 * Shapes of rerank calls and their answers, of which dialects differ in some words.
 *
 * Sources: the services' own API references and server sources; which, stands in README.md.
 */

import type { AnswerShape, RerankShape } from './route.ts';

/** What most services call it: Cohere's words. */
export const RESULTS: AnswerShape = {
  list: ['/results'],
  key: 'index',
  keyAt: ['/index'],
  score: ['/relevance_score'],
  texts: ['/document', '/document/*'],
  model: ['/model'],
  usage: ['/usage/*', '/meta/billed_units/*', '/meta/tokens/*', '/meta/cached_tokens'],
  requestId: ['/id'],
  sorted: true,
};

/** Cohere v1 is the largest common vocabulary; a dialect says what it calls otherwise. */
export const CALL: RerankShape = {
  operation: 'rerank',
  model: ['/model'],
  query: ['/query'],
  documents: ['/documents'],
  texts: ['', '/*'],
  ids: ['/id'],
  topN: ['/top_n'],
  returnsText: ['/return_documents'],
  instruction: ['/instruction'],
  rankFields: ['/rank_fields'],
  options: ['/priority', '/truncation', '/max_chunks_per_doc', '/max_tokens_per_doc', '/raw_scores'],
  egress: [],
  answer: RESULTS,
};

export function call(
  changes: Partial<Omit<RerankShape, 'answer'>>,
  answer: Partial<AnswerShape> = {},
): RerankShape {
  return { ...CALL, ...changes, answer: { ...RESULTS, ...answer } };
}

/** Whose words are not known: every name that a service has for it; the first that is there counts. */
export const ANY_WORDS: RerankShape = call(
  {
    model: [
      '/model',
      '/model_id',
      '/rerankingConfiguration/bedrockRerankingConfiguration/modelConfiguration/modelArn',
    ],
    query: [
      '/query',
      '/query/text',
      '/query/value',
      '/queries/*',
      '/queries/*/textQuery/text',
      '/text_1',
      '/inference_text',
    ],
    documents: [
      '/documents',
      '/texts',
      '/passages',
      '/input',
      '/inputs',
      '/records',
      '/sources',
      '/items',
      '/text_2',
      '/data_2',
    ],
    texts: ['', '/*', '/inlineDocumentSource/textDocument/text', '/inlineDocumentSource/jsonDocument/*'],
    topN: ['/top_n', '/topN', '/top_k', '/numberOfResults', '/parameters/return_options/top_n'],
    returnsText: ['/return_documents', '/return_text', '/return_input'],
    instruction: ['/instruction', '/instruct', '/task'],
    rankFields: ['/rank_fields', '/rankFields'],
    egress: ['/webhook', '/api_base', '/base_url', '/callback_url'],
  },
  {
    list: ['/results', '/data', '/rankings', '/rerank', '/records', '/scores', '/output/results', ''],
    keyAt: ['/index', '/id'],
    score: ['/relevance_score', '/relevanceScore', '/score', '/logit', ''],
    texts: ['/document', '/document/*', '/text', '/input', '/input/*', '/content', '/title'],
    usage: [...RESULTS.usage, '/input_tokens', '/input_token_count'],
    model: ['/model', '/model_id'],
    requestId: ['/id', '/request_id'],
  },
);

/** Jina, LocalAI, Infinity, llama.cpp, SiliconFlow: `document` is a string or `{text}`. */
export const JINA: RerankShape = call({ options: ['/truncation', '/max_doc_length'] });

export const VOYAGE: RerankShape = call({ topN: ['/top_k'] }, { list: ['/data'] });

export const MIXEDBREAD: RerankShape = call(
  {
    documents: ['/input'],
    topN: ['/top_k'],
    returnsText: ['/return_input'],
    options: ['/rewrite_query'],
  },
  { list: ['/data'], score: ['/score'], texts: ['/input', '/input/*'] },
);

/** An array with nothing around it; a model server knows its one model itself. */
export const TEI: RerankShape = call(
  {
    documents: ['/texts'],
    texts: [''],
    ids: [],
    topN: [],
    returnsText: ['/return_text'],
    instruction: [],
    rankFields: [],
    options: ['/raw_scores', '/truncate', '/truncation_direction'],
  },
  { list: [''], score: ['/score'], texts: ['/text'], model: [], usage: [], requestId: [] },
);

/** Vertex AI's envelope around TEI: one instance a call. */
export const TEI_VERTEX: RerankShape = call(
  {
    query: ['/instances/*/query'],
    documents: ['/instances/0/texts'],
    texts: [''],
    ids: [],
    topN: [],
    returnsText: ['/instances/0/return_text'],
    options: ['/instances/0/raw_scores', '/instances/0/truncate'],
  },
  { list: ['/predictions/0'], score: ['/score'], texts: ['/text'], model: [], usage: [], requestId: [] },
);

/** Classification of texts or of pairs: for each a list of labels with scores. */
export const TEI_PREDICT: RerankShape = call(
  {
    operation: 'pair-predict',
    query: [],
    documents: ['/inputs'],
    texts: ['', '/*'],
    ids: [],
    topN: [],
    options: ['/raw_scores', '/truncate'],
  },
  {
    list: [''],
    key: 'position',
    keyAt: [],
    score: ['/score', '/0/score'],
    texts: [],
    model: [],
    usage: [],
    requestId: [],
    sorted: false,
  },
);

export const TEI_SIMILARITY: RerankShape = call(
  {
    operation: 'score',
    query: ['/inputs/source_sentence'],
    documents: ['/inputs/sentences'],
    texts: [''],
    ids: [],
    topN: [],
    options: ['/parameters/truncate'],
  },
  {
    list: [''],
    key: 'position',
    keyAt: [],
    score: [''],
    texts: [],
    model: [],
    usage: [],
    requestId: [],
    sorted: false,
  },
);

/** It always repeats the documents. */
export const VLLM: RerankShape = call(
  {
    query: ['/query', '/query/content/*/text'],
    texts: ['', '/*', '/content/*/text'],
    options: [
      '/priority',
      '/truncate_prompt_tokens',
      '/truncation_side',
      '/max_tokens_per_query',
      '/max_tokens_per_doc',
      '/use_activation',
      '/activation',
      '/softmax',
      '/mm_processor_kwargs',
    ],
  },
  { texts: ['/document', '/document/text', '/document/multi_modal/*/text'], usage: ['/usage/*'] },
);

export const VLLM_SCORE: RerankShape = call(
  {
    operation: 'score',
    query: ['/text_1', '/text_1/*', '/queries', '/queries/*', '/data_1', '/data_1/*'],
    documents: ['/text_2', '/documents', '/items', '/data_2'],
    texts: ['', '/*', '/content/*/text'],
    ids: [],
    topN: [],
    options: ['/priority', '/truncate_prompt_tokens', '/use_activation', '/activation'],
  },
  { list: ['/data'], score: ['/score'], texts: [], usage: ['/usage/*'], sorted: false },
);

export const LITELLM: RerankShape = call({
  options: [
    '/priority',
    '/max_chunks_per_doc',
    '/max_tokens_per_doc',
    '/max_tokens_per_query',
    '/truncate_prompt_tokens',
    '/truncation_side',
  ],
  egress: ['/api_base', '/base_url'],
});

export const NIM: RerankShape = call(
  {
    query: ['/query/text'],
    documents: ['/passages'],
    texts: ['/text'],
    topN: [],
    returnsText: [],
    rankFields: [],
    options: ['/truncate'],
  },
  { list: ['/rankings'], score: ['/logit'], texts: [], usage: ['/usage/*'], requestId: [] },
);

/** Documents are objects with an id of the client's, and come back whole unless told otherwise. */
export const PINECONE: RerankShape = call(
  { texts: ['/*'], options: ['/parameters'] },
  { list: ['/data'], score: ['/score'], texts: ['/document/*'], usage: ['/usage/*'], requestId: [] },
);

/** Scores may come as numbers or as strings. */
export const ELASTICSEARCH: RerankShape = call(
  {
    model: [],
    modelInPath: ['inference_id'],
    query: ['/query', '/query/value'],
    documents: ['/input'],
    texts: ['', '/*'],
    ids: [],
    options: ['/task_settings'],
    instruction: ['/task_settings/instruction', '/task_settings/task'],
    rankFields: [],
  },
  { list: ['/rerank'], texts: ['/text'], model: [], usage: [], requestId: [] },
);

/** A search of which a model, or a formula, orders the hits. */
export const OPENSEARCH_PREDICT: RerankShape = call(
  {
    model: [],
    modelInPath: ['model'],
    query: ['/query_text', '/parameters/query'],
    documents: ['/text_docs', '/parameters/documents', '/parameters/texts', '/parameters/inputs'],
    texts: [''],
    ids: [],
    topN: ['/parameters/top_n'],
    returnsText: [],
    rankFields: [],
    options: ['/algorithm'],
    where: ['/query_text', '/text_docs', '/parameters/query', '/parameters/documents'],
  },
  {
    list: ['/inference_results/0/output/0/dataAsMap/results', '/inference_results'],
    score: ['/relevance_score', '/output/0/data/0'],
    keyAt: ['/index'],
    texts: [],
    model: [],
    usage: [],
    requestId: [],
  },
);

export const BEDROCK: RerankShape = call(
  {
    model: ['/rerankingConfiguration/bedrockRerankingConfiguration/modelConfiguration/modelArn'],
    query: ['/queries/*/textQuery/text'],
    documents: ['/sources'],
    texts: ['/inlineDocumentSource/textDocument/text', '/inlineDocumentSource/jsonDocument/*'],
    ids: [],
    topN: ['/rerankingConfiguration/bedrockRerankingConfiguration/numberOfResults'],
    returnsText: [],
    instruction: [],
    rankFields: [],
    options: [
      '/rerankingConfiguration/bedrockRerankingConfiguration/modelConfiguration/additionalModelRequestFields',
    ],
  },
  {
    score: ['/relevanceScore'],
    texts: ['/document/textDocument/text', '/document/jsonDocument/*'],
    model: [],
    usage: [],
    requestId: [],
  },
);

export const BEDROCK_INVOKE: RerankShape = call(
  { model: [], modelInPath: ['model'], options: ['/api_version', '/max_tokens_per_doc'], where: ['/query'] },
  { usage: ['/meta/billed_units/*'] },
);

/** Results have the records' own ids, and scores are rounded to two decimals. */
export const GOOGLE: RerankShape = call(
  {
    documents: ['/records'],
    texts: ['/title', '/content'],
    topN: ['/topN', '/top_n'],
    returnsText: [],
    instruction: [],
    rankFields: [],
    options: [
      '/ignoreRecordDetailsInResponse',
      '/ignore_record_details_in_response',
      '/userLabels',
      '/user_labels',
    ],
  },
  {
    list: ['/records'],
    key: 'id',
    keyAt: ['/id'],
    score: ['/score'],
    texts: ['/title', '/content'],
    model: [],
    usage: [],
    requestId: [],
  },
);

export const WATSONX: RerankShape = call(
  {
    model: ['/model_id'],
    documents: ['/inputs'],
    texts: ['/text'],
    topN: ['/parameters/return_options/top_n'],
    returnsText: ['/parameters/return_options/inputs'],
    options: ['/parameters/truncate_input_tokens', '/project_id', '/space_id'],
  },
  {
    score: ['/score'],
    texts: ['/input', '/input/text'],
    otherTexts: ['/query'],
    model: ['/model_id'],
    usage: ['/input_token_count'],
    requestId: [],
  },
);

/** Scores alone, in the order of the documents; `webhook` sends the answer elsewhere. */
export const DEEPINFRA: RerankShape = call(
  {
    model: [],
    modelInPath: ['org', 'model'],
    query: ['/queries', '/queries/*'],
    texts: [''],
    ids: [],
    topN: [],
    returnsText: [],
    options: ['/service_tier'],
    egress: ['/webhook'],
    where: ['/queries', '/documents'],
  },
  {
    list: ['/scores'],
    key: 'position',
    keyAt: [],
    score: [''],
    texts: [],
    model: [],
    usage: ['/input_tokens', '/inference_status/tokens_input', '/inference_status/cost'],
    requestId: ['/request_id'],
    sorted: false,
  },
);

export const CONTEXTUAL: RerankShape = call({ options: ['/metadata'] });

export const ISAACUS: RerankShape = call(
  {
    documents: ['/texts'],
    texts: [''],
    ids: [],
    options: ['/is_iql', '/scoring_method', '/chunking_options'],
  },
  { score: ['/score'], texts: [], usage: ['/usage/*'] },
);

export const DASHSCOPE: RerankShape = call(
  {
    query: ['/input/query', '/query'],
    documents: ['/input/documents', '/documents'],
    topN: ['/parameters/top_n', '/top_n'],
    returnsText: ['/parameters/return_documents', '/return_documents'],
    instruction: ['/parameters/instruct', '/instruct'],
  },
  { list: ['/output/results', '/results'], usage: ['/usage/*'], requestId: ['/request_id'] },
);

/** Ids of the documents stand in a list of their own. */
export const MARIADB: RerankShape = call({ ids: [], idList: '/doc_ids/*' });

/** Which document is meant, its text says. */
export const WEAVIATE_SIDECAR: RerankShape = call(
  { model: [], texts: [''], ids: [], topN: [], returnsText: [], rankFields: ['/property'], options: [] },
  {
    list: ['/scores'],
    key: 'text',
    keyAt: ['/document'],
    score: ['/score'],
    texts: ['/document'],
    model: [],
    usage: [],
    requestId: [],
    sorted: false,
  },
);

/** The query is a text in a language of its own, of which graphql.ts says whether it reranks. */
/** No model of its own: a second stage over the hits of the first. */
/** Through Atlas's Data API; the wire protocol itself is not HTTP. */
/** Cells without names: `manifest.columns` says which is which. */
