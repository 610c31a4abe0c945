/**
 * What is written down of a rerank call: which query and documents, by keyed hashes, and what came back, in its order
 * and with the bytes of its scores. No text of a query or a document is in it.
 *
 * Spec: spec/evidence.md, "rerank-requests.csv". The same text has the same hash under one key, however it was
 * escaped, so that a document is found again in the rows that it came from.
 */

import { HTTP_OPERATION_LIMITS } from '../../../core/http-operation-limits.ts';
import type { JsonPattern, RerankCall, RerankResult } from '../../../core/rerank.ts';
import { bytesOf, type JsonBody, nodesAt, textOf } from './json-values.ts';

/** HMAC-SHA-256 under a key of the installation or the connection, as hexadecimal digits. */
export type KeyedHash = (text: Uint8Array) => string;

export interface HashedText {
  readonly hmac: string;
  /** Of the text in UTF-8. */
  readonly bytes: number;
}

export interface RecordedDocument extends HashedText {
  /** In the request, from 0. */
  readonly position: number;
  /** The name that the request gives it. */
  readonly id?: string;
  /** `text`: what is ranked of it; `object`: all of it, because nobody says what. */
  readonly of: 'text' | 'object';
}

export interface RecordedResult {
  readonly rank: number;
  /** Position in the request. */
  readonly document?: number;
  readonly id?: string;
  /** The bytes as received; those of a string with its quotes. */
  readonly score?: string;
}

/** As it stands in leaves: a member that nobody knows is left out. */
export interface RerankRecord {
  readonly dialect: string;
  readonly operation: string;
  readonly model_requested?: string;
  readonly model_answered?: string;
  /** How the model is known: `response`, `request`, or nobody knows. */
  readonly model_known_from: 'response' | 'request' | 'unknown';
  readonly query: readonly HashedText[];
  readonly instruction?: readonly HashedText[];
  readonly documents_count: number;
  /** As many as limits allow. */
  readonly documents: readonly RecordedDocument[];
  readonly top_n?: string;
  readonly returns_text: 'yes' | 'no' | 'default';
  readonly rank_fields?: readonly string[];
  readonly options?: readonly (readonly [name: string, bytes: string])[];
  /** Members of the request that name an address. */
  readonly egress?: readonly string[];
  readonly results_count?: number;
  readonly results?: readonly RecordedResult[];
  /** Whether the service promises the best first. */
  readonly sorted?: boolean;
  readonly usage?: readonly (readonly [name: string, bytes: string])[];
  readonly upstream_request_id?: string;
}

/** The request and, where there is one, the answer; as both came, before anything was masked. */
export interface RerankExchange {
  readonly call: RerankCall;
  readonly request: JsonBody;
  readonly result: RerankResult | undefined;
  readonly answer: JsonBody | undefined;
}

const encoder = new TextEncoder();

export function rerankRecord(exchange: RerankExchange, hash: KeyedHash): RerankRecord {
  const { call, request, result } = exchange;
  const hashed = (text: string): HashedText => {
    const bytes = encoder.encode(text);
    return { hmac: hash(bytes), bytes: bytes.length };
  };
  const textsAt = (patterns: readonly JsonPattern[]): readonly HashedText[] =>
    patterns
      .flatMap((pattern) => nodesAt(request.root, pattern))
      .slice(0, HTTP_OPERATION_LIMITS.namesMax)
      .map(({ node }) => textOf(request, node))
      .filter((text) => text !== undefined)
      .map(hashed);
  const instruction = textsAt(call.instruction);
  return {
    dialect: call.dialect,
    operation: call.operation,
    ...given('model_requested', call.model),
    ...given('model_answered', result?.model),
    model_known_from:
      result?.model !== undefined ? 'response' : call.model !== undefined ? 'request' : 'unknown',
    query: textsAt(call.query),
    ...(instruction.length === 0 ? {} : { instruction }),
    documents_count: call.documents.count,
    documents: documentsOf(call, request, hashed),
    ...given('top_n', call.topN),
    returns_text: call.returnsText === 'default' ? 'default' : call.returnsText ? 'yes' : 'no',
    ...(call.rankFields.length === 0 ? {} : { rank_fields: call.rankFields }),
    ...(call.options.length === 0 ? {} : { options: call.options }),
    ...(call.egress.length === 0 ? {} : { egress: call.egress }),
    ...(result === undefined ? {} : resultsOf(exchange, result)),
  };
}

/** A member, unless nobody knows it. */
function given<K extends string>(key: K, value: string | undefined): { readonly [Key in K]?: string } {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- A computed key is a string to the compiler.
  return (value === undefined ? {} : { [key]: value }) as { readonly [Key in K]?: string };
}

function documentsOf(
  { documents }: RerankCall,
  request: JsonBody,
  hashed: (text: string) => HashedText,
): readonly RecordedDocument[] {
  if (documents.array === undefined) return [];
  const [list] = nodesAt(request.root, documents.array);
  if (list === undefined) return [];
  const items = list.node.kind === 'array' ? list.node.items : [list.node];
  const prefix = list.node.kind === 'array' ? `${documents.array}/*` : documents.array;
  const relative = documents.texts.map((text) => text.slice(prefix.length));
  return items.slice(0, HTTP_OPERATION_LIMITS.rankedMax).map((item, position) => {
    const texts = relative
      .flatMap((pattern) => nodesAt(item, pattern))
      .map(({ node }) => textOf(request, node))
      .filter((text) => text !== undefined);
    const [only, second] = texts;
    const isText = only !== undefined && second === undefined;
    const id = documents.names[position];
    return {
      position,
      ...(id === undefined ? {} : { id }),
      of: isText ? 'text' : 'object',
      ...hashed(isText ? only : bytesOf(request, item)),
    };
  });
}

function resultsOf(exchange: RerankExchange, result: RerankResult): Partial<RerankRecord> {
  const places = result.key === 'text' ? placesByText(exchange) : undefined;
  return {
    results_count: result.count,
    results: result.ranked.map(({ rank, document, id, score }) => {
      const place = document ?? places?.[rank];
      return {
        rank,
        ...(place === undefined ? {} : { document: place }),
        ...(id === undefined ? {} : { id }),
        ...(score === undefined ? {} : { score }),
      };
    }),
    sorted: result.sorted,
    ...(result.usage.length === 0 ? {} : { usage: result.usage }),
    ...given('upstream_request_id', result.requestId),
  };
}

/** Which document a result means whose only name is its text; of equal ones, one after the other. */
function placesByText({ call, request, result, answer }: RerankExchange): readonly (number | undefined)[] {
  const waiting = new Map<string, number[]>();
  for (const pattern of call.documents.texts) {
    for (const [place, { node }] of nodesAt(request.root, pattern).entries()) {
      const text = textOf(request, node) ?? '';
      const known = waiting.get(text);
      if (known === undefined) waiting.set(text, [place]);
      else known.push(place);
    }
  }
  const [echo] = result?.texts ?? [];
  if (answer === undefined || echo === undefined) return [];
  return nodesAt(answer.root, echo).map(({ node }) => waiting.get(textOf(answer, node) ?? '')?.shift());
}

/** What only the gate knows of a call. */
export interface RerankRowFacts {
  /** UTC, ISO 8601. */
  readonly time: string;
  readonly leaf: string;
  readonly outcomeLeaf: string;
  readonly session: string;
  readonly principal: string;
  readonly actorKind: string;
  readonly address: string;
  readonly connection: string;
  readonly decision: string;
  readonly rules: string;
  readonly approval: string;
  /** HTTP status of the answer. */
  readonly status: string;
  readonly latencyMs: string;
}

/** Columns of `populations/rerank-requests.csv`, in their order. */
export const RERANK_COLUMNS = [
  'time',
  'leaf',
  'outcome_leaf',
  'session',
  'principal',
  'actor_kind',
  'address',
  'connection',
  'dialect',
  'operation',
  'model_requested',
  'model_answered',
  'model_known_from',
  'query_hmac',
  'instruction_hmac',
  'documents',
  'documents_hmac_first',
  'results',
  'order',
  'usage',
  'decision',
  'rules',
  'approval',
  'status',
  'latency_ms',
] as const;

/** Results that one cell lists; the leaf has all of them. */
const ORDER_SHOWN_MAX = 50;

/** One row; a cell of which nothing is known is empty. */
export function rerankRow(record: RerankRecord, facts: RerankRowFacts): readonly string[] {
  const cells: Readonly<Record<(typeof RERANK_COLUMNS)[number], string>> = {
    time: facts.time,
    leaf: facts.leaf,
    outcome_leaf: facts.outcomeLeaf,
    session: facts.session,
    principal: facts.principal,
    actor_kind: facts.actorKind,
    address: facts.address,
    connection: facts.connection,
    dialect: record.dialect,
    operation: record.operation,
    model_requested: record.model_requested ?? '',
    model_answered: record.model_answered ?? '',
    model_known_from: record.model_known_from,
    query_hmac: record.query.map(({ hmac }) => hmac).join(' '),
    instruction_hmac: (record.instruction ?? []).map(({ hmac }) => hmac).join(' '),
    documents: String(record.documents_count),
    documents_hmac_first: record.documents[0]?.hmac ?? '',
    results: record.results_count === undefined ? '' : String(record.results_count),
    order: orderOf(record.results ?? []),
    usage: (record.usage ?? []).map(([name, bytes]) => `${name}=${bytes}`).join(' '),
    decision: facts.decision,
    rules: facts.rules,
    approval: facts.approval,
    status: facts.status,
    latency_ms: facts.latencyMs,
  };
  return RERANK_COLUMNS.map((column) => cells[column]);
}

/** `3:0.9871 0:0.112`: the document's position or name, and the bytes of its score. */
function orderOf(results: readonly RecordedResult[]): string {
  const shown = results
    .slice(0, ORDER_SHOWN_MAX)
    .map(({ document, id, score }) => `${document ?? id ?? '?'}:${score ?? ''}`);
  const more = results.length - shown.length;
  return more > 0 ? `${shown.join(' ')} (and ${more} more)` : shown.join(' ');
}
