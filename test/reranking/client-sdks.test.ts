/** The official clients from npm, pointed at the demo's reranker by their base URL and key alone. */

import { createCohere } from '@ai-sdk/cohere';
import { Mixedbread } from '@mixedbread/sdk';
import { Pinecone } from '@pinecone-database/pinecone';
import { rerank } from 'ai';
import { CohereClient, CohereClientV2 } from 'cohere-ai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { VoyageAIClient } from 'voyageai';
import { type Reranker, startReranker } from '../../examples/demo/reranker/server.ts';

const KEY = 'a-key-of-this-test';
const MODEL = 'lexical-blend';
const QUERY = 'refund for the kettle';
const TEXTS = ['A bike helmet.', 'Refund for my kettle.', 'The kettle is fine.'];

let reranker: Reranker;

beforeAll(async () => {
  reranker = await startReranker({ port: 0, apiKey: KEY });
});
afterAll(async () => {
  await reranker.close();
});

/** Every client's way to ask; what they give back is put into one form. */
interface Client {
  readonly ask: (base: string, key: string, texts: readonly string[]) => Promise<readonly Scored[]>;
}

interface Scored {
  readonly index: number;
  readonly score: number;
  readonly text?: unknown;
}

const CLIENTS: Readonly<Record<string, Client>> = {
  'cohere-ai v1': {
    async ask(base, token, texts) {
      const client = new CohereClient({ token, environment: `${base}/cohere` });
      const { results } = await client.rerank({
        model: MODEL,
        query: QUERY,
        documents: [...texts],
        returnDocuments: true,
      });
      return results.map(({ index, relevanceScore, document }) => ({
        index,
        score: relevanceScore,
        text: document?.text,
      }));
    },
  },
  'cohere-ai v2': {
    async ask(base, token, texts) {
      const client = new CohereClientV2({ token, environment: `${base}/cohere` });
      const { results } = await client.rerank({ model: MODEL, query: QUERY, documents: [...texts] });
      return results.map(({ index, relevanceScore }) => ({ index, score: relevanceScore }));
    },
  },
  voyageai: {
    async ask(base, apiKey, texts) {
      const client = new VoyageAIClient({ apiKey, environment: `${base}/voyage/v1` });
      const { data = [] } = await client.rerank({
        model: MODEL,
        query: QUERY,
        documents: [...texts],
        returnDocuments: true,
      });
      return data.map(({ index = -1, relevanceScore = -1, document }) => ({
        index,
        score: relevanceScore,
        text: document,
      }));
    },
  },
  '@mixedbread/sdk': {
    async ask(baseURL, apiKey, texts) {
      const client = new Mixedbread({ apiKey, baseURL: `${baseURL}/mixedbread` });
      const { data } = await client.rerank({
        model: MODEL,
        query: QUERY,
        input: [...texts],
        return_input: true,
      });
      return data.map(({ index, score, input }) => ({ index, score, text: input }));
    },
  },
  '@pinecone-database/pinecone': {
    async ask(base, apiKey, texts) {
      const client = new Pinecone({ apiKey, controllerHostUrl: `${base}/pinecone` });
      const { data } = await client.inference.rerank({ model: MODEL, query: QUERY, documents: [...texts] });
      return data.map(({ index, score, document }) => ({ index, score, text: document?.['text'] }));
    },
  },
  'ai and @ai-sdk/cohere': {
    async ask(base, apiKey, texts) {
      const cohere = createCohere({ apiKey, baseURL: `${base}/cohere/v2` });
      const { ranking } = await rerank({
        model: cohere.reranking(MODEL),
        query: QUERY,
        documents: [...texts],
      });
      return ranking.map(({ originalIndex, score, document }) => ({
        index: originalIndex,
        score,
        text: document,
      }));
    },
  },
};

async function scoresOf(ask: Client['ask']): Promise<readonly number[]> {
  return (await ask(reranker.url, KEY, TEXTS)).map(({ score }) => score);
}

describe.each(Object.entries(CLIENTS))('%s', (_, { ask }) => {
  it('gets the ranking, with what is echoed', async () => {
    const ranking = await ask(reranker.url, KEY, TEXTS);
    expect(ranking.map(({ index }) => index)).toEqual([1, 2, 0]);
    for (const { index, score, text = TEXTS[index] } of ranking) {
      expect(score).toBeGreaterThan(0);
      expect(score).toBeLessThan(1);
      expect(text).toBe(TEXTS[index]);
    }
  });

  it('has the same scores as every other client', async () => {
    const { ask: other } = CLIENTS['cohere-ai v2'] ?? { ask };
    expect(await scoresOf(ask)).toEqual(await scoresOf(other));
  });

  it('shows the refusal of a wrong key, after one attempt', async () => {
    const before = { asked: reranker.asked(), answered: reranker.answered() };
    // Pinecone has a text of its own for 401.
    const says = /invalid api token|key is missing or wrong|was rejected/i;
    await expect(ask(reranker.url, 'wrong', TEXTS)).rejects.toThrow(says);
    expect(reranker.asked()).toBe(before.asked + 1);
    expect(reranker.answered()).toBe(before.answered);
  });
});
