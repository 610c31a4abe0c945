/** The official clients, each with what it talks to behind the gate, and one call that it makes. */

import { createCohere } from '@ai-sdk/cohere';
import { Client as ElasticClient } from '@elastic/elasticsearch';
import { Mixedbread } from '@mixedbread/sdk';
import { Client as OpenSearchClient } from '@opensearch-project/opensearch';
import { Pinecone } from '@pinecone-database/pinecone';
import { QdrantClient } from '@qdrant/js-client-rest';
import { rerank } from 'ai';
import { CohereClient, CohereClientV2 } from 'cohere-ai';
import { VoyageAIClient } from 'voyageai';

/** What a client stands in front of. */
export type Target = 'reranker' | 'qdrant' | 'pinecone' | 'elasticsearch' | 'opensearch';

export interface HttpClientCase {
  readonly target: Target;
  /** Behind the target's own URL: the dialect of the reranker. */
  readonly path: string;
  /** Of the Connection: how the target takes the credential. */
  readonly credential: string;
  /** Pointed at a base URL with a key, and nothing else: one call, and what came of it in a form of ours. */
  readonly ask: (base: string, key: string) => Promise<unknown>;
}

const MODEL = 'lexical-blend';
const QUERY = 'refund for the kettle';
const TEXTS: readonly string[] = ['A bike helmet.', 'Refund for my kettle.', 'The kettle is fine.'];

const BEARER = '{ scheme: bearer, password: { env: API_SECRET } }';
const API_KEY = '{ scheme: header, name: api-key, password: { env: API_SECRET } }';

export const HTTP_CLIENTS: Readonly<Record<string, HttpClientCase>> = {
  'cohere-v1': {
    target: 'reranker',
    path: '/cohere',
    credential: BEARER,
    async ask(environment, token) {
      const client = new CohereClient({ token, environment });
      const call = { model: MODEL, query: QUERY, documents: [...TEXTS], returnDocuments: true };
      return (await client.rerank(call)).results;
    },
  },
  'cohere-v2': {
    target: 'reranker',
    path: '/cohere',
    credential: BEARER,
    async ask(environment, token) {
      const client = new CohereClientV2({ token, environment });
      return (await client.rerank({ model: MODEL, query: QUERY, documents: [...TEXTS] })).results;
    },
  },
  voyageai: {
    target: 'reranker',
    path: '/voyage/v1',
    credential: BEARER,
    async ask(environment, apiKey) {
      const client = new VoyageAIClient({ apiKey, environment });
      return (
        await client.rerank({ model: MODEL, query: QUERY, documents: [...TEXTS], returnDocuments: true })
      ).data;
    },
  },
  mixedbread: {
    target: 'reranker',
    path: '/mixedbread',
    credential: BEARER,
    async ask(baseURL, apiKey) {
      const client = new Mixedbread({ apiKey, baseURL });
      return (await client.rerank({ model: MODEL, query: QUERY, input: [...TEXTS], return_input: true }))
        .data;
    },
  },
  'pinecone-rerank': {
    target: 'reranker',
    path: '/pinecone',
    credential: API_KEY,
    async ask(controllerHostUrl, apiKey) {
      const client = new Pinecone({ apiKey, controllerHostUrl });
      return (await client.inference.rerank({ model: MODEL, query: QUERY, documents: [...TEXTS] })).data;
    },
  },
  'ai-sdk': {
    target: 'reranker',
    path: '/cohere/v2',
    credential: BEARER,
    async ask(baseURL, apiKey) {
      const model = createCohere({ apiKey, baseURL }).reranking(MODEL);
      return (await rerank({ model, query: QUERY, documents: [...TEXTS] })).ranking;
    },
  },
  qdrant: {
    target: 'qdrant',
    path: '',
    credential: API_KEY,
    // This client drops the path of a URL: what stands there goes into an option of its own.
    async ask(base, apiKey) {
      const { origin: url, pathname: prefix } = new URL(base);
      const options = { url, apiKey, checkCompatibility: false };
      const client = new QdrantClient(prefix === '/' ? options : { ...options, prefix });
      return (await client.query('tickets', { query: [1, 0], limit: 1, with_payload: true })).points;
    },
  },
  'pinecone-store': {
    target: 'pinecone',
    path: '',
    credential: API_KEY,
    async ask(base, apiKey) {
      const index = new Pinecone({ apiKey, controllerHostUrl: base }).index({ host: base });
      return (await index.query({ vector: [1, 0], topK: 1, includeMetadata: true })).matches;
    },
  },
  elasticsearch: {
    target: 'elasticsearch',
    path: '',
    credential: "{ scheme: header, name: authorization, prefix: 'ApiKey ', password: { env: API_SECRET } }",
    async ask(node, apiKey) {
      const client = new ElasticClient({ node, auth: { apiKey } });
      return (await client.search({ index: 'tickets', query: { match: { text: 'kettle' } } })).hits.hits;
    },
  },
  opensearch: {
    target: 'opensearch',
    path: '',
    credential: '{ scheme: basic, user: gateway, password: { env: API_SECRET } }',
    async ask(node, password) {
      const client = new OpenSearchClient({ node, auth: { username: 'gateway', password } });
      return (await client.search({ index: 'tickets', body: { query: { match: { text: 'kettle' } } } })).body
        .hits.hits;
    },
  },
};
