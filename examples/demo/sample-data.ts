/** The rows of the reranking database, all from one seed. */

import { createHash } from 'node:crypto';
import { type Customer, inventCustomer, inventTime } from './invented-people.ts';
import { SeededRandom } from './random.ts';

export type Value = string | number | boolean | null | readonly number[];
export type Row = Readonly<Record<string, Value>>;

/** Rows by table, parents before children. */
export type Sample = Readonly<Record<string, readonly Row[]>>;

const CUSTOMERS = 500;
const DOCUMENTS = 5_000;
const QUERIES = 2_000;
const RESULTS_PER_QUERY = 10;
const DIMENSIONS = 64;
/** The model in production; its scores are what a bulk update changes. */
const PRODUCTION_MODEL_ID = 2;

const QUERY_CLASSES = ['returns', 'billing', 'shipping'] as const;
type QueryClass = (typeof QUERY_CLASSES)[number];

const TOPICS: Readonly<Record<QueryClass, readonly string[]>> = {
  returns: ['return label', 'refund', 'exchange a size', 'damaged parcel', 'warranty claim', 'return window'],
  billing: ['invoice', 'double charge', 'expired card', 'VAT number', 'payment plan', 'direct debit'],
  shipping: ['late delivery', 'tracking number', 'customs form', 'wrong address', 'pick-up point', 'express'],
};
const PRODUCTS = [
  'kettle',
  'rain jacket',
  'desk lamp',
  'headphones',
  'bike helmet',
  'backpack',
  'coffee grinder',
];
const SENTENCES = [
  'Please answer by mail.',
  'This is the second time that I write.',
  'The order was placed on the web site.',
  'I need this before the weekend.',
  'Everything else was fine.',
  'The person on the telephone was kind, and could not help.',
];

/** Generates everything; the same seed gives the same rows. */
export function generateSample(seed: number): Sample {
  const random = new SeededRandom(seed);
  const customers = Array.from({ length: CUSTOMERS }, (_, index) => inventCustomer(random, index + 1));
  const documents = Array.from({ length: DOCUMENTS }, (_, index) =>
    inventDocument(random, customers, index + 1),
  );
  const queries = Array.from({ length: QUERIES }, (_, index) => inventQuery(random, customers, index + 1));
  return {
    customers: customers.map((customer) => ({ ...customer })),
    documents,
    ranking_models: MODELS,
    ranking_scores: documents.flatMap((_, index) => inventScores(random, index + 1)),
    search_queries: queries,
    rerank_results: queries.flatMap((_, index) => inventResults(random, index + 1)),
  };
}

function inventDocument(random: SeededRandom, customers: readonly Customer[], id: number): Row {
  const topic = random.pick(TOPICS[random.pick(QUERY_CLASSES)]);
  const product = random.pick(PRODUCTS);
  const source = random.pick(['ticket', 'ticket', 'ticket', 'review', 'kb']);
  const customer = source === 'kb' ? undefined : random.pick(customers);
  const title =
    source === 'kb' ? `How we handle: ${topic} (${product})` : `${capital(topic)} for my ${product}`;
  const body = [
    `About the ${product}, order ${random.digits(8)}: ${topic}.`,
    random.pick(SENTENCES),
    ...(customer === undefined ? [] : personalSentences(random, customer, source)),
    random.pick(SENTENCES),
  ].join(' ');
  return {
    doc_id: id,
    source,
    customer_id: customer?.customer_id ?? null,
    title,
    body,
    lang: 'en',
    visibility: source === 'ticket' ? 'internal' : 'public',
    embedding: embed(`${title} ${body}`),
    updated_at: inventTime(random, 2025),
  };
}

/** People write what they should not: this is what masking has to find later. */
function personalSentences(random: SeededRandom, customer: Customer, source: string): readonly string[] {
  if (source === 'review') return [`Signed, ${customer.full_name}.`];
  return [
    `My name is ${customer.full_name}, my mail is ${customer.email}.`,
    ...(random.chance(0.3) ? [`Call me at ${customer.phone}.`] : []),
    ...(random.chance(0.1) ? [`I paid with card ${customer.card_number}.`] : []),
    ...(random.chance(0.1) ? [`Refund to ${customer.iban}.`] : []),
  ];
}

function inventScores(random: SeededRandom, docId: number): readonly Row[] {
  return QUERY_CLASSES.map((queryClass) => ({
    doc_id: docId,
    query_class: queryClass,
    model_id: PRODUCTION_MODEL_ID,
    score: rounded(random.next()),
    boost: 1,
    updated_by: 'nightly',
    updated_at: inventTime(random, 2025),
  }));
}

function inventQuery(random: SeededRandom, customers: readonly Customer[], id: number): Row {
  const queryClass = random.pick(QUERY_CLASSES);
  const customer = random.pick(customers);
  const words = `${random.pick(TOPICS[queryClass])} ${random.pick(PRODUCTS)}`;
  return {
    query_id: id,
    user_email: customer.email,
    // RFC 5737: addresses for documentation.
    client_ip: `${random.pick(['192.0.2', '198.51.100', '203.0.113'])}.${random.below(256)}`,
    session_id: uuid(`${id} ${random.next()}`),
    query_text: random.chance(0.1) ? `${words} ${customer.full_name}` : words,
    query_class: queryClass,
    created_at: inventTime(random, 2025),
  };
}

function inventResults(random: SeededRandom, queryId: number): readonly Row[] {
  const first = random.below(DOCUMENTS);
  return Array.from({ length: RESULTS_PER_QUERY }, (_, index) => ({
    query_id: queryId,
    position: index + 1,
    // A stride that has no factor in common with the count never meets a document twice.
    doc_id: ((first + index * 1_237) % DOCUMENTS) + 1,
    model_id: PRODUCTION_MODEL_ID,
    first_stage_score: rounded(random.next()),
    rerank_score: rounded(1 - (index + random.next()) / RESULTS_PER_QUERY),
    clicked: random.chance(0.4 / (index + 1)),
  }));
}

const MODELS: readonly Row[] = [
  model(1, 'lexical-blend', '1.3.0', 'lexical', 'archived', { text: 0.8, score: 0.2 }),
  model(2, 'lexical-blend', '1.4.0', 'lexical', 'production', { text: 0.7, score: 0.3 }),
  model(3, 'lexical-blend', '1.5.0', 'lexical', 'staging', { text: 0.65, score: 0.35 }),
  model(4, 'clicks', '0.2.0', 'linear', 'staging', { clicks: 0.5, age_days: -0.01 }),
];

function model(
  id: number,
  name: string,
  version: string,
  kind: string,
  stage: 'archived' | 'production' | 'staging',
  params: Readonly<Record<string, number>>,
): Row {
  const text = JSON.stringify(params);
  const promoted = stage !== 'staging';
  return {
    model_id: id,
    name,
    version,
    kind,
    digest: `sha256:${createHash('sha256').update(text).digest('hex')}`,
    params: text,
    stage,
    approved_by: promoted ? 'rana' : null,
    promoted_at: promoted ? `2025-0${id}-15T09:00:00Z` : null,
  };
}

/** Hashed words, normalised: what an embedding looks like, without a model. */
function embed(text: string): readonly number[] {
  const vector = Array.from({ length: DIMENSIONS }, () => 0);
  for (const word of text.toLowerCase().split(/\W+/)) {
    let hash = 2_166_136_261;
    for (let index = 0; index < word.length; index += 1) {
      hash = Math.imul(hash ^ word.charCodeAt(index), 16_777_619) >>> 0;
    }
    vector[hash % DIMENSIONS] = (vector[hash % DIMENSIONS] ?? 0) + (hash & 64 ? 1 : -1);
  }
  const length = Math.hypot(...vector) || 1;
  return vector.map((value) => rounded(value / length));
}

function rounded(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}

function uuid(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

function capital(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`;
}
