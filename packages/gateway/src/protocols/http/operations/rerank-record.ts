/**
 * What is written down of a rerank call: which query and documents, by keyed hashes, and what came back, in its order
 * and with the bytes of its scores. No text of a query or a document is in it.
 *
 * Spec: spec/events.md, "Rerank calls". The same text has the same hash under one key, however it was escaped, so
 * that a document is found again in the rows that it came from. What is beyond a bound is counted, and hashed as the
 * bytes that came.
 * Untrusted: everything; each text has a bound, and is well-formed behind it.
 */

import type { BodyValue } from '../../../core/ledger-port.ts';
import { RERANK_LIMITS as LIMITS } from '../../../core/rerank-limits.ts';
import type { JsonPattern, RerankCall, RerankResult } from '../../../core/rerank.ts';
import type { JsonNode } from '../json/json-node.ts';
import { type FoundNode, type JsonBody, nodesAt, textOf, utf8Of } from './json-values.ts';

/** HMAC-SHA-256 under a key of the installation, as hexadecimal digits. */
export type KeyedHash = (bytes: Uint8Array) => string;

export interface RecordTools {
  readonly hash: KeyedHash;
  /** What is shown of names and options, in their order: Masks may hide some of it. */
  readonly say: (texts: readonly string[]) => readonly string[];
}

type Body = Readonly<Record<string, BodyValue>>;

export interface RecordedCall {
  /** Fields of `rerank.call`. */
  readonly body: Body;
  /** Hash of each document that is listed, in their order, */
  readonly documents: readonly string[];
  /** and of each of its texts. */
  readonly texts: readonly (readonly string[])[];
}

const encoder = new TextEncoder();

export function callRecord(call: RerankCall, request: JsonBody, tools: RecordTools): RecordedCall {
  const { hash } = tools;
  const queries = call.query.flatMap((pattern) => stringsAt(request, pattern));
  const instruction = call.instruction.flatMap((pattern) => stringsAt(request, pattern));
  const { entries, hashes, texts, rest } = documentsOf(call, request, tools);
  const body = {
    dialect: call.dialect,
    operation: call.operation,
    ...given('model', word(call.model, tools)),
    model_known_from: call.model === undefined ? 'unknown' : 'request',
    ...queryFields(request, queries, hash),
    ...(instruction[0] === undefined
      ? {}
      : { instruction_hash: hashText(textOf(request, instruction[0].node) ?? '', hash) }),
    documents_count: call.documents.count,
    documents: entries,
    ...given('documents_rest', rest),
    ...given('top_n', word(call.topN, tools)),
    returns_text: call.returnsText === 'default' ? 'default' : call.returnsText ? 'yes' : 'no',
    ...(call.rankFields.length === 0 ? {} : { rank_fields: wordsOf(tools.say(call.rankFields)) }),
    ...(call.options.length === 0
      ? {}
      : { options: call.options.map(([name, bytes]) => ({ name, value: word(bytes, tools) ?? '' })) }),
    ...(call.egress.length === 0 ? {} : { egress: [...call.egress] }),
  };
  return { body, documents: hashes, texts };
}

/** Fields of `rerank.result`, of an answer that could be read. */
export function resultRecord(
  { documents }: Pick<RecordedCall, 'documents'>,
  result: RerankResult,
  answer: JsonBody,
  tools: RecordTools,
): Body {
  const [list] = nodesAt(answer.root, result.list);
  const items = list?.node.kind === 'array' ? list.node.items : [];
  const places = result.key === 'text' ? placesByText(documents, result, items, answer, tools.hash) : [];
  const listed = result.ranked.slice(0, LIMITS.resultsListedMax);
  const names = namesOf(
    listed.map(({ id }) => id),
    tools,
  );
  const results = listed.map(({ document, score }, at) => {
    const place = document ?? places[at];
    return {
      ...given('document', place),
      ...names[at],
      ...(score === undefined ? {} : scoreOf(score)),
    };
  });
  return {
    ...given('model_effective', word(result.model, tools)),
    ...(result.model === undefined ? {} : { model_known_from: 'response' }),
    results_count: result.count,
    results,
    ...given('results_rest', restOf(answer, items.slice(listed.length), tools.hash)),
    sorted: result.sorted,
    ...(result.usage.length === 0 ? {} : { usage: usageOf(result.usage) }),
    ...given('upstream_request_id', word(result.requestId, tools)),
  };
}

/** A member, unless nobody knows it. */
function given(key: string, value: BodyValue | undefined): Body {
  return value === undefined ? {} : { [key]: value };
}

/** A name of the service's, as it is shown. */
function word(text: string | undefined, { say }: RecordTools): string | undefined {
  return text === undefined ? undefined : cut(say([text])[0] ?? '', LIMITS.wordBytesMax);
}

function stringsAt(body: JsonBody, pattern: JsonPattern): readonly FoundNode[] {
  return nodesAt(body.root, pattern).filter(({ node }) => node.kind === 'string');
}

/** The first by itself; of calls with several, all of them. */
function queryFields(request: JsonBody, queries: readonly FoundNode[], hash: KeyedHash): Body {
  const [first] = queries;
  if (first === undefined) return {};
  const text = textOf(request, first.node) ?? '';
  const one = { query_hash: hashText(text, hash), query_length: text.length };
  if (queries.length === 1) return one;
  const listed = queries.slice(0, LIMITS.queriesListedMax).map(({ node }) => {
    const bytes = utf8Of(request, node) ?? new Uint8Array(0);
    return { bytes: bytes.length, hash: hash(bytes) };
  });
  const rest = queries.slice(listed.length).map(({ node }) => node);
  return { ...one, queries: listed, ...given('queries_rest', restOf(request, rest, hash)) };
}

interface Documents {
  readonly entries: readonly Body[];
  readonly hashes: readonly string[];
  readonly texts: readonly (readonly string[])[];
  readonly rest: Body | undefined;
}

function documentsOf({ documents }: RerankCall, request: JsonBody, tools: RecordTools): Documents {
  const [list] = documents.array === undefined ? [] : nodesAt(request.root, documents.array);
  if (list === undefined || documents.array === undefined) {
    return { entries: [], hashes: [], texts: [], rest: undefined };
  }
  const isArray = list.node.kind === 'array';
  const items = list.node.kind === 'array' ? list.node.items : [list.node];
  const prefix = isArray ? `${documents.array}/*` : documents.array;
  const patterns = documents.texts.map((text) => text.slice(prefix.length));
  const listed = items.slice(0, LIMITS.documentsListedMax).map((item) => {
    const texts = patterns
      .flatMap((pattern) => nodesAt(item, pattern))
      .map(({ node }) => utf8Of(request, node))
      .filter((text) => text !== undefined);
    return documentOf(item, texts, request, tools.hash);
  });
  const names = namesOf(
    listed.map((_, at) => documents.names[at]),
    tools,
  );
  return {
    entries: listed.map(({ entry }, at) => ({ ...entry, ...names[at] })),
    hashes: listed.map(({ entry }) => entry.hash),
    texts: listed.map(({ texts }) => texts),
    rest: restOf(request, items.slice(listed.length), tools.hash),
  };
}

interface Document {
  readonly entry: { readonly hash: string; readonly bytes: number; readonly of?: 'object' };
  readonly texts: readonly string[];
}

/** Of one with a single text that is ranked, its text; of any other, all of it, because nobody says what. */
function documentOf(
  item: JsonNode,
  texts: readonly Uint8Array[],
  request: JsonBody,
  hash: KeyedHash,
): Document {
  const [only, second] = texts;
  if (only !== undefined && second === undefined) {
    const entry = { bytes: only.length, hash: hash(only) };
    return { entry, texts: [entry.hash] };
  }
  const bytes = request.bytes.subarray(item.from, item.to);
  return {
    entry: { bytes: bytes.length, hash: hash(bytes), of: 'object' },
    texts: texts.slice(0, LIMITS.documentTextsMax).map((text) => hash(text)),
  };
}

/** Names as they are shown; of one that is too long, its hash. */
function namesOf(
  names: readonly (string | undefined)[],
  { hash, say }: RecordTools,
): readonly { readonly id?: string; readonly id_hash?: string }[] {
  if (names.every((name) => name === undefined)) return names.map(() => ({}));
  const shown = say(names.map((name) => name ?? ''));
  return names.map((name, at) => {
    if (name === undefined) return {};
    const text = shown[at] ?? '';
    const isShort = text.length <= LIMITS.nameBytesMax && encoder.encode(text).length <= LIMITS.nameBytesMax;
    return isShort ? { id: text.toWellFormed() } : { id_hash: hashText(name, hash) };
  });
}

function scoreOf(score: string): Body {
  const bytes = encoder.encode(score).length;
  return bytes <= LIMITS.scoreBytesMax ? { score: score.toWellFormed() } : { score_bytes: bytes };
}

function usageOf(usage: RerankResult['usage']): readonly Body[] {
  return usage.slice(0, LIMITS.usageMax).map(([name, bytes]) => ({
    name: cut(name, LIMITS.wordBytesMax),
    value: cut(bytes, LIMITS.wordBytesMax),
  }));
}

/** Which document a result means whose only name is its text; of equal ones, one after the other. */
function placesByText(
  documents: readonly string[],
  result: RerankResult,
  items: readonly JsonNode[],
  answer: JsonBody,
  hash: KeyedHash,
): readonly (number | undefined)[] {
  const [echo] = result.texts;
  if (echo === undefined) return [];
  const waiting = new Map<string, number[]>();
  for (const [place, document] of documents.entries()) {
    const known = waiting.get(document);
    if (known === undefined) waiting.set(document, [place]);
    else known.push(place);
  }
  const pattern = echo.slice(`${result.list}/*`.length);
  return items.slice(0, LIMITS.resultsListedMax).map((item) => {
    const text = utf8Of(answer, nodesAt(item, pattern)[0]?.node);
    return text === undefined ? undefined : waiting.get(hash(text))?.shift();
  });
}

/** How many there are, and one hash over the bytes from the first of them to the last, as they came. */
function restOf(body: JsonBody, nodes: readonly JsonNode[], hash: KeyedHash): Body | undefined {
  const from = nodes[0]?.from;
  const to = nodes.at(-1)?.to;
  if (from === undefined || to === undefined) return undefined;
  return { count: nodes.length, hash: hash(body.bytes.subarray(from, to)) };
}

function hashText(text: string, hash: KeyedHash): string {
  return hash(encoder.encode(text));
}

function wordsOf(texts: readonly string[]): readonly string[] {
  return texts.map((text) => cut(text, LIMITS.wordBytesMax));
}

/** The beginning, by UTF-16 units, which are no more than bytes. */
function cut(text: string, bytesMax: number): string {
  return text.slice(0, bytesMax).toWellFormed();
}
