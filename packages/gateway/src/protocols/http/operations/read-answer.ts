/**
 * An answer of a reranking service → {@link RerankResult}: in the order in which it came, with scores as the bytes
 * that came. What the answer does not say is left out.
 *
 * Untrusted: everything; a service may say what it likes.
 */

import { HTTP_OPERATION_LIMITS } from '../../../core/http-operation-limits.ts';
import type { HttpFields } from '../../../core/http-message.ts';
import type { RankedDocument, RerankCall, RerankResult } from '../../../core/rerank.ts';
import type { JsonNode } from '../json/json-node.ts';
import { DIALECTS, dialectOf } from './dialects.ts';
import { bytesOf, type FoundNode, firstAt, type JsonBody, nameOf, nodesAt } from './json-values.ts';
import { ANY_WORDS } from './rerank-shapes.ts';
import type { AnswerShape } from './route.ts';

/** What model servers count beside their content, by the names of fields. */
const USAGE_FIELDS: ReadonlySet<string> = new Set([
  'x-compute-characters',
  'x-compute-time',
  'x-compute-tokens',
  'x-compute-type',
  'x-inference-time',
  'x-litellm-response-cost',
  'x-queue-time',
  'x-tokenization-time',
  'x-total-time',
]);
const REQUEST_FIELDS: ReadonlySet<string> = new Set([
  'x-litellm-call-id',
  'x-request-id',
  'x-amzn-requestid',
]);
/** It names the model where the content does not. */
const MODEL_FIELD = 'azureml-model-group';
const INDEX = /^(?:0|[1-9][0-9]{0,8})$/;

/** Undefined of an error, and where the content is no answer of such a service. */
export function readRerankAnswer(
  call: RerankCall,
  status: number,
  body: JsonBody | undefined,
  fields: HttpFields = [],
): RerankResult | undefined {
  if (status < 200 || status > 299 || body?.root === undefined) return undefined;
  const fitting = shapesOf(call).flatMap((shape) => {
    const list = shape.list
      .map((pattern) => firstAt(body.root, [pattern]))
      .find((found) => found?.node.kind === 'array');
    return list === undefined ? [] : [{ shape, list }];
  });
  // Where a service has several forms of the same outline, the one whose scores are there.
  const found = fitting.find(({ shape, list }) => hasScore(shape, list.node, body)) ?? fitting[0];
  return found === undefined ? undefined : resultOf(call, found.shape, found.list, body, fields);
}

function hasScore(shape: AnswerShape, list: JsonNode, body: JsonBody): boolean {
  const [first] = list.kind === 'array' ? list.items : [];
  return shape.columns !== undefined || (first !== undefined && scoreOf(shape, first, body) !== undefined);
}

/** Those of the dialect for this kind of call; of one that is not known, what any service says. */
function shapesOf({ dialect, operation }: RerankCall): readonly AnswerShape[] {
  const known = (dialectOf(dialect)?.routes ?? [])
    .map(({ rerank }) => rerank)
    .filter((shape) => shape !== undefined && shape.operation === operation)
    .flatMap((shape) => (shape === undefined ? [] : [shape.answer]));
  const isInTable = DIALECTS.some(({ name }) => name === dialect);
  return isInTable ? [...new Set(known)] : [ANY_WORDS.answer];
}

function resultOf(
  call: RerankCall,
  shape: AnswerShape,
  list: FoundNode,
  body: JsonBody,
  fields: HttpFields,
): RerankResult {
  const items = list.node.kind === 'array' ? list.node.items : [];
  const read = rowReader(call, shape, body);
  const inField = (names: ReadonlySet<string>): readonly (readonly [string, string])[] =>
    fields.filter(([name]) => names.has(name));
  const each = `${list.pointer}/*`;
  return {
    dialect: call.dialect,
    list: list.pointer,
    key: keyKind(shape, items),
    ranked: items.slice(0, HTTP_OPERATION_LIMITS.rankedMax).map(read),
    count: items.length,
    sorted: shape.sorted,
    texts: [
      ...shape.texts.map((text) => `${each}${text}`).filter((text) => hasText(body, text)),
      ...(shape.otherTexts ?? []).filter((text) => hasText(body, text)),
    ],
    model:
      nameOf(body, firstAt(body.root, shape.model)?.node) ??
      fields.find(([name]) => name === MODEL_FIELD)?.[1],
    usage: [...usageOf(shape, body), ...inField(USAGE_FIELDS)],
    requestId: nameOf(body, firstAt(body.root, shape.requestId)?.node) ?? inField(REQUEST_FIELDS)[0]?.[1],
  };
}

/** Bare numbers have nothing but their place, whatever a shape of any service expects. */
function keyKind({ key }: AnswerShape, items: readonly JsonNode[]): AnswerShape['key'] {
  const isBare = items.length > 0 && items.every(({ kind }) => kind === 'number');
  return isBare ? 'position' : key;
}

type RowReader = (item: JsonNode, rank: number) => RankedDocument;

function rowReader(call: RerankCall, shape: AnswerShape, body: JsonBody): RowReader {
  if (shape.columns !== undefined) return cellReader(shape.columns, body);
  const { count, names } = call.documents;
  const places = new Map(names.map((name, place) => [name, place]));
  return (item, rank) => {
    const score = scoreOf(shape, item, body);
    const isBare = item.kind === 'number';
    if (shape.key === 'position' || isBare) {
      return { rank, document: rank < count ? rank : undefined, id: undefined, score };
    }
    const named = nameOf(body, firstAt(item, shape.keyAt)?.node);
    if (shape.key === 'text') return { rank, document: undefined, id: undefined, score };
    if (shape.key === 'id') {
      return { rank, document: named === undefined ? undefined : places.get(named), id: named, score };
    }
    const place = named !== undefined && INDEX.test(named) ? Number(named) : undefined;
    if (place === undefined && named !== undefined && places.has(named)) {
      return { rank, document: places.get(named), id: named, score };
    }
    const document = place !== undefined && place < count ? place : undefined;
    return { rank, document, id: document === undefined ? undefined : names[document], score };
  };
}

/** Cells without names: which one is meant, a list beside them says. */
function cellReader(columns: NonNullable<AnswerShape['columns']>, body: JsonBody): RowReader {
  const [list] = nodesAt(body.root, columns.names);
  const names =
    list?.node.kind === 'array'
      ? list.node.items.map((item) =>
          nameOf(body, item.kind === 'object' ? firstAt(item, ['/name'])?.node : item),
        )
      : [];
  const keyAt = names.indexOf(columns.key);
  const scoreAt = names.lastIndexOf(columns.score);
  return (item, rank) => ({
    rank,
    document: undefined,
    id: nameOf(body, cell(item, keyAt)),
    score: asCame(cell(item, scoreAt), body),
  });
}

function cell(item: JsonNode, at: number): JsonNode | undefined {
  return item.kind === 'array' && at >= 0 ? item.items[at] : undefined;
}

function scoreOf(shape: AnswerShape, item: JsonNode, body: JsonBody): string | undefined {
  for (const pattern of shape.score) {
    const found = asCame(nodesAt(item, pattern)[0]?.node, body);
    if (found !== undefined) return found;
  }
  return undefined;
}

function asCame(node: JsonNode | undefined, body: JsonBody): string | undefined {
  return node?.kind === 'number' || node?.kind === 'string' ? bytesOf(body, node) : undefined;
}

function usageOf(shape: AnswerShape, body: JsonBody): readonly (readonly [string, string])[] {
  return shape.usage.flatMap((pattern) =>
    nodesAt(body.root, pattern).flatMap(({ node, pointer }) => {
      const bytes = asCame(node, body);
      const name = pointer.slice(pointer.lastIndexOf('/') + 1);
      return bytes === undefined || bytes.length > HTTP_OPERATION_LIMITS.optionBytesMax
        ? []
        : [[name, bytes] as const];
    }),
  );
}

function hasText(body: JsonBody, pattern: string): boolean {
  return nodesAt(body.root, pattern).some(({ node }) => node.kind === 'string');
}
