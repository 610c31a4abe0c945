/**
 * A fixed question to a reranking model, in the words of each service, and what was answered to it.
 *
 * The texts are invented and public, and never change: an answer to another text says nothing about the one before. They
 * are written so that a model has to order them: one that answers, some that share words, some that share the matter,
 * some that share nothing; so that their scores lie apart.
 * One row a dialect, as data. Untrusted: answers.
 */

import { PROBE_LIMITS as LIMITS } from '../../../core/probe-limits.ts';
import type { HttpFields, HttpRequestHead } from '../../../core/http-message.ts';
import { parseJson } from '../json/parse-json.ts';
import type { JsonBody } from './json-values.ts';
import { readRerankAnswer } from './read-answer.ts';
import { readRequest } from './read-request.ts';

/** Stands in every leaf, so that a later set of texts is told from this one. */
export const CANARY_SET = 'canary/1';

export const CANARY_QUERY = 'How long may a customer send a broken kettle back for a refund?';

export const CANARY_DOCUMENTS: readonly string[] = [
  'A kettle that arrives broken may be sent back within thirty days, and the customer gets a full refund.',
  'Refunds are paid to the card that was used, usually five working days after the parcel reaches us.',
  'The kettle holds one and a half litres and switches itself off when the water boils.',
  'Broken parcels are photographed by the carrier before they are handed to the customer.',
  'How long the warranty lasts depends on the country: two years in most of Europe.',
  'Send us a picture of your garden and win a set of flower pots.',
  'The library opens at nine and closes at six, on Saturdays at one.',
  'Orders above fifty euro are delivered free of charge on the next working day.',
];

interface CanaryForm {
  readonly path: string;
  /** Member of the documents; `documents` where left out. */
  readonly documents?: string;
  /** What a text stands in, by the name of its member; of the query too where {@link wrapsQuery} says so. */
  readonly text?: string;
  readonly wrapsQuery?: true;
  /** The service does not answer without one. */
  readonly needsModel?: true;
  readonly more?: Readonly<Record<string, boolean | number | string>>;
}

const MODEL = { needsModel: true } as const;
const QUIET = { more: { return_documents: false } } as const;

const FORMS: ReadonlyMap<string, CanaryForm> = new Map<string, CanaryForm>([
  ['cohere-v1', { path: '/v1/rerank', ...QUIET }],
  ['cohere-v2', { path: '/v2/rerank', ...MODEL }],
  ['jina', { path: '/v1/rerank', ...MODEL, ...QUIET }],
  ['voyage', { path: '/v1/rerank', ...MODEL, ...QUIET }],
  ['mixedbread', { path: '/v1/reranking', documents: 'input', ...MODEL, more: { return_input: false } }],
  ['tei', { path: '/rerank', documents: 'texts', more: { return_text: false } }],
  ['vllm', { path: '/v1/rerank', ...MODEL }],
  ['infinity', { path: '/rerank', ...QUIET }],
  ['llamacpp', { path: '/v1/rerank' }],
  ['litellm', { path: '/v1/rerank', ...MODEL, ...QUIET }],
  ['nim', { path: '/v1/ranking', documents: 'passages', text: 'text', wrapsQuery: true, ...MODEL }],
  ['pinecone', { path: '/rerank', text: 'text', ...MODEL, ...QUIET }],
  ['azure', { path: '/v1/rerank', ...QUIET }],
  ['contextual', { path: '/v1/rerank', ...MODEL }],
  ['isaacus', { path: '/v1/rerankings', documents: 'texts', ...MODEL }],
  ['together', { path: '/v1/rerank', ...MODEL, ...QUIET }],
  ['fireworks', { path: '/inference/v1/rerank', ...MODEL, ...QUIET }],
  ['openrouter', { path: '/api/v1/rerank', ...MODEL }],
  ['siliconflow', { path: '/v1/rerank', ...MODEL, ...QUIET }],
  ['xinference', { path: '/v1/rerank', ...MODEL, ...QUIET }],
  ['localai', { path: '/v1/rerank', ...MODEL }],
  ['ovms', { path: '/v3/rerank', ...MODEL }],
]);

/** Dialects that have one. */
export const CANARY_DIALECTS: readonly string[] = [...FORMS.keys()];

export function canaryNeedsModel(dialect: string): boolean {
  return FORMS.get(dialect)?.needsModel === true;
}

export interface CanaryRequest {
  readonly head: HttpRequestHead;
  readonly content: Uint8Array;
}

/** The same bytes every time; undefined for a dialect without one. */
export function canaryRequest(dialect: string, model: string | undefined): CanaryRequest | undefined {
  const form = FORMS.get(dialect);
  if (form === undefined) return undefined;
  const { path, documents = 'documents', text, wrapsQuery, more = {} } = form;
  const wrapped = (one: string): unknown => (text === undefined ? one : { [text]: one });
  const content = {
    ...(model === undefined ? {} : { model }),
    query: wrapsQuery === true ? wrapped(CANARY_QUERY) : CANARY_QUERY,
    [documents]: CANARY_DOCUMENTS.map(wrapped),
    ...more,
  };
  const fields: HttpFields = [['content-type', 'application/json']];
  return {
    head: { method: 'POST', path, query: '', fields },
    content: new TextEncoder().encode(JSON.stringify(content)),
  };
}

/** Places of the documents from the best on, and the bytes of their scores. */
export interface RankedCanary {
  readonly order: readonly number[];
  readonly scores: readonly string[];
  /** What the answer calls the model. */
  readonly model: string | undefined;
}

/** Why nothing can be compared. */
export type UnreadCanary =
  | 'it has not the form of its dialect'
  | 'it does not say which document it means'
  | 'it has no scores';

/** What was answered; a text says why that cannot be read. */
export function readCanary(
  dialect: string,
  { head, content }: CanaryRequest,
  answer: { readonly status: number; readonly body: JsonBody; readonly fields: HttpFields },
): RankedCanary | UnreadCanary {
  const asked = parseJson(content);
  const body = { bytes: content, root: asked.kind === 'json' ? asked.root : undefined };
  const { rerank } = readRequest(dialect, head, body);
  const result =
    rerank === undefined ? undefined : readRerankAnswer(rerank, answer.status, answer.body, answer.fields);
  if (result === undefined || result.count === 0) return 'it has not the form of its dialect';
  const order = result.ranked.map(({ document }) => document).filter((place) => place !== undefined);
  const isClear = order.length === result.count && new Set(order).size === order.length;
  if (!isClear || result.count > CANARY_DOCUMENTS.length) return 'it does not say which document it means';
  const scores = result.ranked
    .map(({ score }) => score)
    .filter((score) => score !== undefined && score.length <= LIMITS.scoreBytesMax);
  if (scores.length !== order.length) return 'it has no scores';
  return { order, scores: scores.map((score) => (score ?? '').toWellFormed()), model: result.model };
}
