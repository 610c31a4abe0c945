/** The stand-ins for vector stores take what the official clients send, and the clients take their answers. */

import { Client as ElasticClient } from '@elastic/elasticsearch';
import { Client as OpenSearchClient } from '@opensearch-project/opensearch';
import { Pinecone } from '@pinecone-database/pinecone';
import { QdrantClient } from '@qdrant/js-client-rest';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FakeStore } from './fake-http.ts';
import { startFakePinecone } from './pinecone.ts';
import { startFakeQdrant } from './qdrant.ts';
import { startFakeSearchEngine } from './search-engine.ts';

const KEY = 'key-of-this-test';

let store: FakeStore;

afterEach(async () => {
  await store.close();
});

/** Method and path of what came last. */
function last(): string {
  const { method = '', url = '' } = store.seen.at(-1) ?? {};
  return `${method} ${url.split('?')[0]}`;
}

describe('@qdrant/js-client-rest', () => {
  let client: QdrantClient;
  const POINTS = [
    { id: 1, vector: [1, 0], payload: { text: 'kettle', email: 'ada@example.com', lang: 'en' } },
    { id: 2, vector: [0, 1], payload: { text: 'lamp', email: 'emil@example.com', lang: 'en' } },
    { id: 3, vector: [0.9, 0.1], payload: { text: 'cooker', email: 'ines@example.com', lang: 'nl' } },
  ];

  beforeEach(async () => {
    store = await startFakeQdrant({ apiKey: KEY });
    client = new QdrantClient({ url: store.url, apiKey: KEY });
    await client.createCollection('tickets', { vectors: { size: 2, distance: 'Cosine' } });
    await client.upsert('tickets', { wait: true, points: POINTS });
  });

  it('searches, with payloads and filters', async () => {
    const { points } = await client.query('tickets', { query: [1, 0], limit: 2, with_payload: true });
    expect(points.map(({ id, payload }) => [id, payload?.['email']])).toEqual([
      [1, 'ada@example.com'],
      [3, 'ines@example.com'],
    ]);
    expect(last()).toBe('POST /collections/tickets/points/query');
    const filter = { must: [{ key: 'lang', match: { value: 'nl' } }] };
    expect((await client.query('tickets', { query: 1, filter })).points.map(({ id }) => id)).toEqual([3]);
    expect(await client.count('tickets', { filter, exact: true })).toEqual({ count: 1 });
  });

  it('reads by identifiers and pages', async () => {
    expect((await client.retrieve('tickets', { ids: [2, 9] })).map(({ id }) => id)).toEqual([2]);
    const first = await client.scroll('tickets', { limit: 2 });
    expect(first.next_page_offset).toBe(3);
    const second = await client.scroll('tickets', { limit: 2, offset: 3 });
    expect(second).toMatchObject({ points: [{ id: 3 }], next_page_offset: null });
  });

  it('changes payloads and deletes, by identifiers and by filters', async () => {
    await client.setPayload('tickets', {
      payload: { boost: 2 },
      filter: { must: [{ key: 'lang', match: { value: 'en' } }] },
    });
    const boosted = await client.count('tickets', {
      filter: { must: [{ key: 'boost', range: { gte: 2 } }] },
    });
    expect(boosted.count).toBe(2);
    await client.delete('tickets', { points: [1] });
    await client.delete('tickets', { filter: { must: [{ key: 'lang', match: { value: 'nl' } }] } });
    expect((await client.scroll('tickets', {})).points.map(({ id }) => id)).toEqual([2]);
  });

  it('swaps aliases, and takes snapshots', async () => {
    await client.updateCollectionAliases({
      actions: [{ create_alias: { alias_name: 'live', collection_name: 'tickets' } }],
    });
    expect((await client.query('live', { query: [0, 1], limit: 1 })).points[0]?.id).toBe(2);
    const made = await client.createSnapshot('tickets');
    expect((await client.listSnapshots('tickets')).map(({ name }) => name)).toEqual([made?.name]);
    const file = await fetch(`${store.url}/collections/tickets/snapshots/${made?.name}`, {
      headers: { 'api-key': KEY },
    });
    expect(await file.text()).toContain('ada@example.com');
  });

  it('hears of what is not there, and of a wrong key', async () => {
    expect((await client.collectionExists('nothing')).exists).toBe(false);
    await expect(client.getCollection('nothing')).rejects.toMatchObject({
      status: 404,
      data: { status: { error: expect.stringContaining("doesn't exist") } },
    });
    const stranger = new QdrantClient({ url: store.url, apiKey: 'wrong', checkCompatibility: false });
    await expect(stranger.getCollections()).rejects.toMatchObject({ status: 401 });
    await client.deleteCollection('tickets');
    expect((await client.getCollections()).collections).toEqual([]);
  });
});

describe('@pinecone-database/pinecone', () => {
  let client: Pinecone;

  beforeEach(async () => {
    store = await startFakePinecone({ apiKey: KEY });
    client = new Pinecone({ apiKey: KEY, controllerHostUrl: store.url });
    await client.createIndex({
      name: 'tickets',
      dimension: 2,
      metric: 'cosine',
      spec: { serverless: { cloud: 'aws', region: 'us-east-1' } },
    });
  });

  async function opened(): Promise<ReturnType<Pinecone['index']>> {
    const { host } = await client.describeIndex('tickets');
    return client.index({ host });
  }

  it('finds the host, writes and searches', async () => {
    const index = await opened();
    await index.upsert({
      records: [
        { id: 'a', values: [1, 0], metadata: { email: 'ada@example.com', lang: 'en' } },
        { id: 'b', values: [0, 1], metadata: { email: 'emil@example.com', lang: 'nl' } },
      ],
    });
    const { matches } = await index.query({ vector: [1, 0], topK: 1, includeMetadata: true });
    expect(matches).toMatchObject([{ id: 'a', metadata: { email: 'ada@example.com' } }]);
    expect((await index.query({ id: 'a', topK: 2, filter: { lang: { $eq: 'nl' } } })).matches).toMatchObject([
      { id: 'b' },
    ]);
    expect((await index.fetch({ ids: ['b'] })).records['b']?.metadata).toEqual({
      email: 'emil@example.com',
      lang: 'nl',
    });
    expect((await index.describeIndexStats()).totalRecordCount).toBe(2);
  });

  it('updates and deletes', async () => {
    const index = await opened();
    await index.upsert({ records: [{ id: 'a', values: [1, 0], metadata: { boost: 1 } }] });
    await index.update({ id: 'a', metadata: { boost: 2 } });
    expect((await index.fetch({ ids: ['a'] })).records['a']?.metadata).toEqual({ boost: 2 });
    await index.deleteAll();
    expect((await index.describeIndexStats()).totalRecordCount).toBe(0);
    await client.deleteIndex('tickets');
    expect(await client.listIndexes()).toMatchObject({ indexes: [] });
  });

  it('searches records and reranks them in one call', async () => {
    const index = (await opened()).namespace('texts');
    await index.upsertRecords({
      records: [
        { id: 'a', text: 'late delivery of a kettle', email: 'ada@example.com' },
        { id: 'b', text: 'refund for my kettle', email: 'emil@example.com' },
        { id: 'c', text: 'a lamp', email: 'ines@example.com' },
      ],
    });
    const { result } = await index.searchRecords({
      query: { topK: 3, inputs: { text: 'kettle' } },
      rerank: { model: 'lexical-blend', query: 'refund kettle', rankFields: ['text'], topN: 1 },
    });
    expect(result.hits).toMatchObject([{ _id: 'b', fields: { email: 'emil@example.com' } }]);
  });

  it('hears of a wrong key', async () => {
    const stranger = new Pinecone({ apiKey: 'wrong', controllerHostUrl: store.url });
    await expect(stranger.listIndexes()).rejects.toThrow(/API key|Unauthorized/i);
  });
});

const DOCUMENTS = [
  { text: 'refund for my kettle', email: 'ada@example.com', lang: 'en', boost: 1 },
  { text: 'the kettle is fine', email: 'emil@example.com', lang: 'en', boost: 1 },
  { text: 'a lamp', email: 'ines@example.com', lang: 'nl', boost: 1 },
];
const LINES = DOCUMENTS.flatMap((document, index) => [
  { index: { _index: 'tickets', _id: String(index + 1) } },
  document,
]);

describe('@elastic/elasticsearch', () => {
  let client: ElasticClient;

  beforeEach(async () => {
    store = await startFakeSearchEngine({ product: 'elasticsearch', key: KEY });
    client = new ElasticClient({ node: store.url, auth: { apiKey: KEY } });
    await client.bulk({ operations: LINES });
  });

  it('searches by words and by terms', async () => {
    const { hits } = await client.search({ index: 'tickets', query: { match: { text: 'refund kettle' } } });
    expect(hits.hits.map(({ _id, _source }) => [_id, _source])).toEqual([
      ['1', DOCUMENTS[0]],
      ['2', DOCUMENTS[1]],
    ]);
    const found = await client.search({
      index: 'tickets',
      query: { bool: { filter: [{ term: { lang: 'nl' } }] } },
    });
    expect(found.hits.hits.map(({ _id }) => _id)).toEqual(['3']);
    expect((await client.count({ index: 'tickets' })).count).toBe(3);
    await expect(client.search({ query: { fuzzy: { text: 'x' } } })).rejects.toThrow(
      /unknown query \[fuzzy\]/,
    );
  });

  it('makes an inference endpoint, reranks by it, and has a retriever rerank', async () => {
    await client.inference.put({
      task_type: 'rerank',
      inference_id: 'lexical',
      inference_config: { service: 'custom', service_settings: { url: 'http://127.0.0.1:1/rerank' } },
    });
    const { rerank } = await client.inference.rerank({
      inference_id: 'lexical',
      query: 'kettle',
      input: ['a lamp', 'a kettle'],
    });
    expect(rerank.map(({ index }) => index)).toEqual([1, 0]);
    const { hits } = await client.search({
      index: 'tickets',
      retriever: {
        text_similarity_reranker: {
          retriever: { standard: { query: { match_all: {} } } },
          field: 'text',
          inference_id: 'lexical',
          inference_text: 'lamp',
        },
      },
    });
    expect(hits.hits[0]).toMatchObject({ _id: '3' });
    await client.inference.delete({ task_type: 'rerank', inference_id: 'lexical' });
    await expect(client.inference.get({ task_type: 'rerank', inference_id: 'lexical' })).rejects.toThrow(
      /not found/,
    );
  });

  it('writes, one by one and by a query, and moves aliases', async () => {
    await client.index({ index: 'tickets', id: '4', document: { text: 'new' } });
    await client.update({ index: 'tickets', id: '4', doc: { boost: 3 } });
    const updated = await client.get({ index: 'tickets', id: '4' });
    expect(updated).toMatchObject({ _source: { text: 'new', boost: 3 } });
    await expect(client.create({ index: 'tickets', id: '4', document: {} })).rejects.toMatchObject({
      statusCode: 409,
    });
    expect((await client.deleteByQuery({ index: 'tickets', query: { term: { lang: 'en' } } })).deleted).toBe(
      2,
    );
    await client.indices.updateAliases({ actions: [{ add: { index: 'tickets', alias: 'live' } }] });
    expect((await client.count({ index: 'live' })).count).toBe(2);
    expect(await client.indices.exists({ index: 'nothing' })).toBe(false);
    await expect(client.indices.delete({ index: '_all' })).rejects.toMatchObject({ statusCode: 400 });
    await client.indices.delete({ index: 'tickets' });
    await expect(client.count({ index: 'tickets' })).rejects.toThrow(/no such index/);
  });

  it('hears of a wrong key', async () => {
    const stranger = new ElasticClient({ node: store.url, auth: { apiKey: 'wrong' }, maxRetries: 0 });
    await expect(stranger.count({ index: 'tickets' })).rejects.toMatchObject({ statusCode: 401 });
  });
});

describe('@opensearch-project/opensearch', () => {
  let client: OpenSearchClient;
  const BASIC = Buffer.from('gateway:secret').toString('base64');

  beforeEach(async () => {
    store = await startFakeSearchEngine({ product: 'opensearch', key: BASIC });
    client = new OpenSearchClient({ node: store.url, auth: { username: 'gateway', password: 'secret' } });
    await client.bulk({ body: LINES });
  });

  it('searches, and reranks by a search pipeline', async () => {
    const first = await client.search({ index: 'tickets', body: { query: { match: { text: 'kettle' } } } });
    expect(new Set(first.body.hits.hits.map(({ _id }) => _id))).toEqual(new Set(['1', '2']));
    await client.transport.request({
      method: 'PUT',
      path: '/_search/pipeline/by-words',
      body: {
        response_processors: [
          { rerank: { ml_opensearch: { model_id: 'm' }, context: { document_fields: ['text'] } } },
        ],
      },
    });
    const { body } = await client.search({
      index: 'tickets',
      search_pipeline: 'by-words',
      body: { query: { match_all: {} }, ext: { rerank: { query_context: { query_text: 'lamp' } } } },
    });
    expect(body.hits.hits[0]).toMatchObject({ _id: '3' });
  });

  it('writes and deletes by a query, and destroys an index by an alias action', async () => {
    await client.index({ index: 'tickets', id: '9', body: { text: 'new', lang: 'de' } });
    const { body } = await client.deleteByQuery({
      index: 'tickets',
      body: { query: { term: { lang: 'de' } } },
    });
    expect(body).toMatchObject({ deleted: 1 });
    await client.indices.updateAliases({ body: { actions: [{ remove_index: { index: 'tickets' } }] } });
    expect((await client.indices.exists({ index: 'tickets' })).body).toBe(false);
  });

  it('hears of a wrong key, with the reason', async () => {
    const stranger = new OpenSearchClient({ node: store.url, maxRetries: 0 });
    await expect(stranger.count({ index: 'tickets' })).rejects.toMatchObject({ statusCode: 401 });
  });
});
