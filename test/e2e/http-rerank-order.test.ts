/** What masks do to the order of the demo's reranker, measured through a real gateway, and what clients make of it. */

import { readFile } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { createCohere } from '@ai-sdk/cohere';
import { Mixedbread } from '@mixedbread/sdk';
import { Pinecone } from '@pinecone-database/pinecone';
import { rerank } from 'ai';
import { CohereClient, CohereClientV2 } from 'cohere-ai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { VoyageAIClient } from 'voyageai';
import { kendallTau } from '../reranking/kendall-tau.ts';
import { plain } from '../reranking/masking-experiment.ts';
import { inventTickets, type Question } from '../reranking/tickets.ts';
import { DOCUMENTS, QUERY, type RerankRig, startRerankRig, WAYS } from './rerank-rig.ts';

let rig: RerankRig;

beforeAll(async () => {
  rig = await startRerankRig();
});

afterAll(async () => {
  await rig[Symbol.asyncDispose]();
});

describe('the order of a corpus', () => {
  const QUESTIONS = 20;
  const CANDIDATES = 30;
  const world = inventTickets(20_261_128, 300, QUESTIONS);
  const texts = world.tickets.map(({ pieces }) => plain(pieces));

  /** Places of the tickets that have most words of a question. */
  function candidates(question: string): readonly number[] {
    const words = new Set(question.toLowerCase().match(/\w+/g));
    const scores = texts.map(
      (text) => (text.toLowerCase().match(/\w+/g) ?? []).filter((word) => words.has(word)).length,
    );
    return [...texts.keys()]
      .toSorted((one, two) => (scores[two] ?? 0) - (scores[one] ?? 0) || one - two)
      .slice(0, CANDIDATES);
  }

  interface Line {
    readonly ticket: number;
    readonly score: number;
  }

  async function order(way: string, query: string): Promise<readonly Line[]> {
    const tickets = candidates(query);
    const documents = tickets.map((ticket) => texts[ticket] ?? '');
    const answer = await rig.post(`${way}-cohere`, '/v2/rerank', {
      model: 'lexical-blend',
      query,
      documents,
    });
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The demo's own answer.
    const { results } = JSON.parse(answer) as { results: { index: number; relevance_score: number }[] };
    return results.map(({ index, relevance_score: score }) => ({ ticket: tickets[index] ?? -1, score }));
  }

  interface Effect {
    readonly taus: number[];
    /** Not the order alone: each score, to its last bit. */
    isSame: boolean;
    /** Questions of which the same stands first, and that of the right person. */
    same: number;
    right: number;
  }

  /** What each way does to the questions of one class. */
  async function effects(questions: readonly Question[]): Promise<Readonly<Record<string, Effect>>> {
    const found: Record<string, Effect> = {};
    for (const { pieces, customer } of questions) {
      const query = plain(pieces);
      // oxlint-disable-next-line no-await-in-loop -- The four of one question at once.
      const orders = await Promise.all(
        ['plain', ...Object.keys(WAYS)].map(async (way) => [way, await order(way, query)] as const),
      );
      const direct = orders[0]?.[1] ?? [];
      for (const [way, lines] of orders) {
        const effect = (found[way] ??= { taus: [], isSame: true, same: 0, right: 0 });
        effect.taus.push(
          kendallTau(
            direct.map(({ ticket }) => ticket),
            lines.map(({ ticket }) => ticket),
          ),
        );
        effect.isSame &&= isDeepStrictEqual(lines, direct);
        if (direct[0]?.ticket === lines[0]?.ticket) effect.same += 1;
        if (world.tickets[lines[0]?.ticket ?? -1]?.customer === customer) effect.right += 1;
      }
    }
    return found;
  }

  const share = (count: number): string => `${Math.round((100 * count) / QUESTIONS)} %`;

  it('is the same under pseudonyms, score by score, and with [EMAIL] and *** what the guide says', async () => {
    const before = texts.filter((text) => /@|\+\d/.test(text)).length;
    expect(before).toBeGreaterThan(100);
    const [topical, personal] = [await effects(world.topical), await effects(world.personal)];
    for (const { safe } of [topical, personal]) {
      expect(safe?.isSame).toBe(true);
      expect(safe?.taus).toEqual(Array.from({ length: QUESTIONS }, () => 1));
    }
    for (const way of ['label', 'stars']) expect(Math.min(...(personal[way]?.taus ?? []))).toBeLessThan(0.7);
    const guide = await readFile(new URL('../../docs/guides/reranking.md', import.meta.url), 'utf8');
    const names = {
      plain: 'everything',
      label: '`[EMAIL]` (`as: redact`)',
      stars: '`***` (`as: mask`)',
      safe: 'pseudonyms (`mode: rerank-safe`)',
    };
    const rows = Object.entries(names).map(([way, name]) => {
      const [one, two] = [topical[way], personal[way]];
      const cells = [
        mean(one?.taus ?? []),
        share(one?.same ?? 0),
        mean(two?.taus ?? []),
        share(two?.same ?? 0),
      ];
      return `| ${name} | ${cells.join(' | ')} | ${share(two?.right ?? 0)} |`;
    });
    expect(guide).toContain(rows.join('\n'));
  });
});

function mean(values: readonly number[]): string {
  return (values.reduce((sum, value) => sum + value, 0) / values.length).toFixed(3);
}

interface RepeatingClient {
  /** Behind the connection's own address. */
  readonly base: string;
  readonly connection: string;
  readonly ask: (base: string, key: string) => Promise<unknown>;
}

const MODEL = 'lexical-blend';
const SDKS: Readonly<Record<string, RepeatingClient>> = {
  'cohere-ai, v1': {
    connection: 'cohere',
    base: '',
    async ask(environment, token) {
      const client = new CohereClient({ token, environment });
      const call = { model: MODEL, query: QUERY, documents: [...DOCUMENTS], returnDocuments: true };
      return (await client.rerank(call)).results;
    },
  },
  'cohere-ai, v2': {
    connection: 'cohere',
    base: '',
    async ask(environment, token) {
      const client = new CohereClientV2({ token, environment });
      return (await client.rerank({ model: MODEL, query: QUERY, documents: [...DOCUMENTS] })).results;
    },
  },
  voyageai: {
    connection: 'voyage',
    base: '/v1',
    async ask(environment, apiKey) {
      const client = new VoyageAIClient({ apiKey, environment });
      const call = { model: MODEL, query: QUERY, documents: [...DOCUMENTS], returnDocuments: true };
      return (await client.rerank(call)).data;
    },
  },
  '@mixedbread/sdk': {
    connection: 'mixedbread',
    base: '',
    async ask(baseURL, apiKey) {
      const call = { model: MODEL, query: QUERY, input: [...DOCUMENTS], return_input: true };
      return (await new Mixedbread({ apiKey, baseURL }).rerank(call)).data;
    },
  },
  '@pinecone-database/pinecone': {
    connection: 'pinecone',
    base: '',
    async ask(controllerHostUrl, apiKey) {
      const client = new Pinecone({ apiKey, controllerHostUrl });
      return (await client.inference.rerank({ model: MODEL, query: QUERY, documents: [...DOCUMENTS] })).data;
    },
  },
  '@ai-sdk/cohere': {
    connection: 'cohere',
    base: '/v2',
    async ask(baseURL, apiKey) {
      const model = createCohere({ apiKey, baseURL }).reranking(MODEL);
      return (await rerank({ model, query: QUERY, documents: [...DOCUMENTS] })).ranking;
    },
  },
};

describe.each(Object.entries(SDKS))('with %s', (name, { connection, base, ask }) => {
  const at = (way: string): string => `${rig.harness.url}/${way}-${connection}${base}`;

  it('the order and the texts are as without it, and the service has rig.seen() no name', async () => {
    const direct = await ask(at('plain'), rig.entitled);
    expect(await ask(at('safe'), rig.entitled)).toEqual(direct);
    expect(rig.seen()).not.toMatch(/canary|0132/i);
    const masked = await ask(at('safe'), rig.other);
    expect(scoresIn(masked)).toEqual(scoresIn(direct));
    expect(/canary|0132/i.test(JSON.stringify(masked))).toBe(name === '@ai-sdk/cohere');
  });
});

/** Numbers of a result, in their order: places and scores. */
function scoresIn(result: unknown): readonly string[] {
  return JSON.stringify(result).match(/"(?:index|originalIndex|relevanceScore|score)":[\d.e-]+/g) ?? [];
}
